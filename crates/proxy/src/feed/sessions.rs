//! The server's sessions as last told by its events, the tokens that may see all of them, and the tokens behind them.

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::session_list::{SessionList, SessionViewer};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::identity::{Identity, within};

/// Max tokens whose rights are remembered, and max devices; the least of a household's are more than it has.
const MAX_ENTRIES: usize = 1024;
/// Max bytes of a device's id.
const MAX_DEVICE_BYTES: usize = 256;
/// A message about a write that was not told within this time, in microseconds, told nothing new.
const TOLD_WITHIN_US: u64 = 2_000_000;
/// Time that the author of a write waits for the message about it. The server sends it within 50 ms.
const OWN_WRITE_TIMEOUT: Duration = Duration::from_millis(250);

/// Rights of a token to sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionRights {
    /// All of them.
    All(SessionViewer),
    /// Only some.
    Some,
}

/// Sessions as last told.
#[derive(Debug, Default)]
pub struct SessionFeed {
    told: Mutex<Option<ToldSessions>>,
    news: Notify,
    /// Since when sessions are told, in milliseconds; 0 while they are not.
    since_ms: AtomicTimestamp,
    rights: Mutex<Vec<RightsEntry>>,
    /// Tokens by the device that sent them.
    devices: Mutex<HashMap<String, Vec<Weak<Identity>>>>,
    /// The last write of each author about sessions, and when it was confirmed, in microseconds.
    written: Mutex<Vec<(Weak<Identity>, u64)>>,
}

#[derive(Debug)]
struct ToldSessions {
    list: Arc<SessionList>,
    at_us: u64,
    at_ms: Timestamp,
}

#[derive(Debug)]
struct RightsEntry {
    identity: Weak<Identity>,
    rights: SessionRights,
    checked_ms: Timestamp,
    generation: u64,
}

impl SessionFeed {
    /// Stores what was told. Returns the tokens of sessions that are gone.
    pub fn tell(&self, list: SessionList, clock: &Clock) -> Vec<Arc<Identity>> {
        let list = Arc::new(list);
        let before = self.told.lock().replace(ToldSessions {
            list: Arc::clone(&list),
            at_us: clock.now_us(),
            at_ms: clock.now(),
        });
        let was_told = self.since_ms().is_some();
        if !was_told {
            self.since_ms.store(clock.now().max(Timestamp::from_millis(1)), Ordering::Release);
        }
        self.news.notify_waiters();
        before.filter(|_| was_told).map(|before| self.gone(&before.list, &list)).unwrap_or_default()
    }

    /// Nothing is told any more. What was told last is kept for an outage.
    pub fn end(&self) {
        self.since_ms.store(Timestamp::UNIX_EPOCH, Ordering::Release);
    }

    /// The sessions told last, and when, in milliseconds, whether or not anything is told now. `None` to the author of
    /// a later write.
    pub fn last_told_for(&self, identity: &Arc<Identity>) -> Option<(Arc<SessionList>, Timestamp)> {
        let written_us = self.last_write_us(identity);
        let told = self.told.lock();
        let told = told.as_ref().filter(|told| told.at_us > written_us)?;
        Some((Arc::clone(&told.list), told.at_ms))
    }

    /// Since when sessions are told, in milliseconds.
    pub fn since_ms(&self) -> Option<Timestamp> {
        Some(self.since_ms.load(Ordering::Acquire)).filter(|since_ms| *since_ms > Timestamp::UNIX_EPOCH)
    }

    /// When they were last told, in milliseconds; 0 if they never were.
    pub fn told_ms(&self, clock: &Clock) -> Timestamp {
        self.told
            .lock()
            .as_ref()
            .map_or(Timestamp::UNIX_EPOCH, |told| Timestamp::from_millis(clock.wall_us(told.at_us) / 1000))
    }

    /// The sessions for this identity. After a write of its own it waits for the message that tells it.
    pub async fn current_for(&self, identity: &Arc<Identity>, clock: &Clock) -> Option<Arc<SessionList>> {
        let waiting = async {
            loop {
                let news = self.news.notified();
                if self.is_newer_than_writes_of(identity, clock.now_us()) {
                    return;
                }
                news.await;
            }
        };
        clock.timeout(OWN_WRITE_TIMEOUT, waiting).await.ok()?;
        self.since_ms()?;
        self.told.lock().as_ref().map(|told| Arc::clone(&told.list))
    }

    /// Records a confirmed write about sessions.
    pub fn record_write(&self, author: &Arc<Identity>, now_us: u64) {
        let mut written = self.written.lock();
        written.retain(|(known, _)| known.strong_count() > 0 && !std::ptr::eq(known.as_ptr(), Arc::as_ptr(author)));
        if written.len() >= MAX_ENTRIES {
            written.remove(0);
        }
        written.push((Arc::downgrade(author), now_us));
    }

    /// When the last write of this account was confirmed, in microseconds; 0 if it made none.
    fn last_write_us(&self, identity: &Arc<Identity>) -> u64 {
        let account = identity.account();
        let is_own = |author: &Arc<Identity>| {
            Arc::ptr_eq(author, identity) || (account.is_some() && author.account() == account)
        };
        let written = self.written.lock();
        let own = written.iter().filter(|(author, _)| author.upgrade().is_some_and(|author| is_own(&author)));
        own.map(|(_, at_us)| *at_us).max().unwrap_or(0)
    }

    fn is_newer_than_writes_of(&self, identity: &Arc<Identity>, now_us: u64) -> bool {
        let written_us = self.last_write_us(identity);
        now_us.saturating_sub(written_us) > TOLD_WITHIN_US
            || self.told.lock().as_ref().is_none_or(|told| told.at_us > written_us)
    }

    /// Rights of this token, if they were checked within `ttl` and the token was not revoked since.
    pub fn rights(&self, identity: &Arc<Identity>, now_ms: Timestamp, ttl: Duration) -> Option<SessionRights> {
        let rights = self.rights.lock();
        let entry = rights.iter().find(|entry| entry.is_of(identity))?;
        let is_valid = entry.generation == identity.generation() && within(entry.checked_ms, now_ms, ttl);
        is_valid.then(|| entry.rights.clone())
    }

    /// Records what this token may see, as of that generation.
    pub fn set_rights(&self, identity: &Arc<Identity>, rights: SessionRights, checked_ms: Timestamp, generation: u64) {
        let mut all = self.rights.lock();
        all.retain(|entry| !entry.is_of(identity) && entry.identity.strong_count() > 0);
        if all.len() >= MAX_ENTRIES {
            all.remove(0);
        }
        all.push(RightsEntry { identity: Arc::downgrade(identity), rights, checked_ms, generation });
    }

    /// Records the device that sent a token.
    pub fn record_device(&self, device: &str, identity: &Arc<Identity>) {
        if device.len() > MAX_DEVICE_BYTES {
            return;
        }
        let mut devices = self.devices.lock();
        if devices.len() >= MAX_ENTRIES && !devices.contains_key(device) {
            // Names may be made up; those of tokens that the server accepted stay.
            let is_proven = |token: &Weak<Identity>| token.upgrade().is_some_and(|token| token.was_authorized());
            devices.retain(|_, tokens| tokens.iter().any(is_proven));
        }
        if devices.len() >= MAX_ENTRIES && !devices.contains_key(device) {
            devices.clear();
        }
        let tokens = devices.entry(device.to_owned()).or_default();
        tokens.retain(|token| token.upgrade().is_some_and(|token| !Arc::ptr_eq(&token, identity)));
        tokens.truncate(MAX_ENTRIES / 64);
        tokens.push(Arc::downgrade(identity));
    }

    /// Tokens of the sessions in `before` that are not in `now`.
    fn gone(&self, before: &SessionList, now: &SessionList) -> Vec<Arc<Identity>> {
        let now: HashSet<_> = now.devices().collect();
        let mut tokens = Vec::new();
        for (user, device) in before.devices().filter(|session| !now.contains(session)) {
            let devices = self.devices.lock();
            let of_device = devices.get(device).into_iter().flatten().filter_map(Weak::upgrade);
            tokens.extend(of_device.filter(|token| token.account().is_none_or(|account| *account == *user)));
        }
        tokens
    }
}

impl RightsEntry {
    fn is_of(&self, identity: &Arc<Identity>) -> bool {
        std::ptr::eq(self.identity.as_ptr(), Arc::as_ptr(identity))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use greenroom_dialect::credential::{Credential, Secret};
    use greenroom_state::secrets::HashKey;

    use super::*;
    use crate::identity::IdentityRegistry;

    fn list(devices: &[&str]) -> SessionList {
        let rows: Vec<String> =
            devices.iter().map(|device| format!(r#"{{"UserId":"a1","DeviceId":"{device}"}}"#)).collect();
        let frame = format!(r#"{{"MessageType":"Sessions","Data":[{}]}}"#, rows.join(","));
        SessionList::parse_frame(frame.as_bytes()).expect("a list of sessions")
    }

    fn identity(registry: &IdentityRegistry, token: &str) -> Arc<Identity> {
        registry
            .resolve(
                &Credential { token: Some(Secret::new(token)), ..Credential::default() },
                Timestamp::from_millis(1),
            )
            .0
    }

    #[tokio::test(start_paused = true)]
    async fn the_author_of_a_write_is_not_shown_sessions_from_before_it() {
        let (feed, clock, registry) =
            (SessionFeed::default(), Clock::system(), IdentityRegistry::new("home", HashKey([7; 32])));
        let (author, other) = (identity(&registry, "a"), identity(&registry, "b"));
        assert!(feed.current_for(&other, &clock).await.is_none(), "nothing was told");
        feed.tell(list(&["tv"]), &clock);
        tokio::time::advance(Duration::from_millis(5)).await;
        feed.record_write(&author, clock.now_us());
        assert!(feed.current_for(&other, &clock).now_or_never().flatten().is_some());
        assert!(feed.current_for(&author, &clock).await.is_none(), "no message told the write in time");
        tokio::time::advance(Duration::from_millis(5)).await;
        feed.tell(list(&["tv", "phone"]), &clock);
        assert!(feed.current_for(&author, &clock).await.is_some());
        feed.end();
        assert!(feed.current_for(&author, &clock).await.is_none(), "the feed ended");
        assert!(feed.last_told_for(&author).is_some(), "what was told last is there for an outage");
        tokio::time::advance(Duration::from_secs(60)).await;
        feed.record_write(&author, clock.now_us());
        assert!(feed.last_told_for(&author).is_none(), "but nothing from before a write of its own");
        assert!(feed.last_told_for(&other).is_some());
    }

    #[test]
    fn tokens_of_sessions_that_are_gone_are_named() {
        let (feed, clock, registry) =
            (SessionFeed::default(), Clock::system(), IdentityRegistry::new("home", HashKey([7; 32])));
        let (tv, phone, other_user) = (identity(&registry, "a"), identity(&registry, "b"), identity(&registry, "c"));
        other_user.set_account("b2");
        for (device, token) in [("tv", &tv), ("phone", &phone), ("tv", &other_user)] {
            feed.record_device(device, token);
        }
        assert!(feed.tell(list(&["tv", "phone"]), &clock).is_empty());
        let gone = feed.tell(list(&["phone"]), &clock);
        assert_eq!(gone.len(), 1, "not the token of another user on the same device");
        assert!(Arc::ptr_eq(&gone[0], &tv));
    }

    #[test]
    fn rights_end_with_their_time_and_with_a_revocation() {
        let (feed, registry) = (SessionFeed::default(), IdentityRegistry::new("home", HashKey([7; 32])));
        let (token, ttl) = (identity(&registry, "a"), Duration::from_secs(300));
        feed.set_rights(&token, SessionRights::Some, Timestamp::from_millis(1_000), token.generation());
        assert_eq!(feed.rights(&token, Timestamp::from_millis(301_000), ttl), Some(SessionRights::Some));
        assert_eq!(feed.rights(&token, Timestamp::from_millis(301_001), ttl), None);
        assert_eq!(feed.rights(&identity(&registry, "b"), Timestamp::from_millis(1_000), ttl), None, "another token");
        token.refuse();
        assert_eq!(feed.rights(&token, Timestamp::from_millis(1_000), ttl), None);
    }
}
