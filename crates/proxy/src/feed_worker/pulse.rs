//! The pulse: every few seconds, while reads are answered from the cache, one request for what changed since the last.
//!
//! What it names is applied as an event would be. Deletions and users are asked for in turn, with every second request.

use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::Partition;
use greenroom_dialect::changed_since::{ChangeCounter, ChangedSince};
use greenroom_dialect::class::Class;
use greenroom_dialect::credential::Credential;
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::user_list::{USERS_TARGET, UserList};
use http::header::DATE;

use super::users;
use crate::feed::PulseReader;
use crate::forward::sse::apply_frame;
use crate::identity::Identity;
use crate::invalidate::{self, InvalidationSource};
use crate::server::Server;
use greenroom_origin::scheduler::QueueRequest;

/// Seconds by which the periods of two requests overlap: the server's `Date` has whole seconds, and a change may be
/// stored a moment after its time.
const OVERLAP_S: u64 = 3;
/// Max tokens that asked, and counters, that are remembered.
const MAX_CALLERS: usize = 64;
const MAX_COUNTERS: usize = 1024;
/// Timeout of one request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Max bytes of a response.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Asks the server what changed until it is stopped.
pub(super) async fn run(server: &Arc<Server>) {
    let interval = server.origin.settings.pulse_interval;
    if interval.is_zero() {
        return;
    }
    let mut pulse = Pulse::new(server);
    loop {
        let reader = server.feed.pulse.wait().await;
        server.origin.breaker.wait_available().await;
        pulse.beat(reader).await;
        server.origin.clock.sleep(interval).await;
    }
}

struct Pulse {
    server: Arc<Server>,
    /// Time of the server from which on changes are asked for, in seconds, by the token that asks: each sees its own
    /// part of the library.
    since_s: HashMap<Partition, u64>,
    /// Stamps of the items in the last answer.
    seen: HashMap<String, String>,
    /// Last counters, by the token that asked and the section.
    counters: HashMap<(Partition, String), ChangeCounter>,
    users: Option<UserList>,
    /// Number of requests since reads were last interrupted.
    phase: u64,
    last_beat_ms: Timestamp,
}

/// One response.
struct PulseResponse {
    body: Bytes,
    /// The server's time from which on the next request must ask.
    next_since_s: u64,
}

/// Whose token a request carries.
struct Caller {
    credential: Arc<Credential>,
    identity: Arc<Identity>,
}

impl Pulse {
    fn new(server: &Arc<Server>) -> Self {
        Self {
            server: Arc::clone(server),
            since_s: HashMap::new(),
            seen: HashMap::new(),
            counters: HashMap::new(),
            users: None,
            phase: 0,
            last_beat_ms: Timestamp::UNIX_EPOCH,
        }
    }

    async fn beat(&mut self, reader: Option<PulseReader>) {
        let Some(caller) = self.caller(reader) else { return };
        let now_ms = self.server.origin.clock.now();
        let quiet_ms = u64::try_from(2 * self.server.origin.settings.pulse_interval.as_millis()).unwrap_or(u64::MAX);
        self.phase =
            if now_ms.duration_since(self.last_beat_ms) > Duration::from_millis(quiet_ms) { 0 } else { self.phase + 1 };
        self.last_beat_ms = now_ms;
        match self.server.origin.settings.kind {
            ServerKind::Plex => self.beat_plex(&caller).await,
            ServerKind::Jellyfin => self.beat_jellyfin(&caller).await,
        }
    }

    /// The configured token; else the client's that made the read.
    fn caller(&self, reader: Option<PulseReader>) -> Option<Caller> {
        let origin = &self.server.origin;
        match origin.own_credential().filter(|_| !origin.refuses_own_token()) {
            Some(own) => Some(Caller { identity: self.server.identify(&own), credential: Arc::new(own) }),
            None => reader.map(|reader| Caller { credential: reader.credential, identity: reader.identity }),
        }
    }

    async fn beat_jellyfin(&mut self, caller: &Caller) {
        let kind = ServerKind::Jellyfin;
        let since_s = self.since_s(caller);
        for target in kind.changed_since_targets(since_s, &[]) {
            let Some(response) = self.get(&target, Class::Lists, caller).await else { return };
            let Ok(changed) = kind.changed_since(&response.body) else { return };
            self.set_since_s(caller, response.next_since_s);
            if !changed.is_complete {
                self.invalidate_all();
            }
            let seen = stamps(&changed);
            self.apply_items(changed, caller);
            self.seen = seen;
        }
        let is_first = self.phase == 0 && self.users.is_none();
        if self.phase % 2 == 1 || is_first {
            self.check_users(caller).await;
        }
        if self.phase.is_multiple_of(2) {
            self.check_counts(caller).await;
        }
    }

    /// The counts tell deletions. New items were named already; but without events anything may be missing.
    async fn check_counts(&mut self, caller: &Caller) {
        let kind = ServerKind::Jellyfin;
        let Some(response) = self.get(kind.change_counters_target(), Class::Counts, caller).await else { return };
        for counter in kind.change_counters(&response.body).unwrap_or_default() {
            let before = self.replace_counter(caller, &counter);
            let is_explained = |before: &ChangeCounter| {
                *before == counter || (self.server.feed.is_whole() && counter.has_only_grown_since(before))
            };
            if before.is_some_and(|before| !is_explained(&before)) {
                self.invalidate_all();
            }
        }
    }

    async fn check_users(&mut self, caller: &Caller) {
        let Some(response) = self.get(USERS_TARGET, Class::Users, caller).await else { return };
        let Some(now) = UserList::parse(&response.body) else { return };
        users::apply(&self.server, self.users.as_ref(), &now, &caller.identity);
        self.users = Some(now);
    }

    /// One request for the counters of all sections. A section is asked for its changed items if its counter moved, or
    /// if no events arrive: the counter does not move on every edit.
    async fn beat_plex(&mut self, caller: &Caller) {
        let kind = ServerKind::Plex;
        let since_s = self.since_s(caller);
        let Some(response) = self.get(kind.change_counters_target(), Class::Sections, caller).await else { return };
        let Ok(counters) = kind.change_counters(&response.body) else { return };
        let next_since_s = response.next_since_s;
        let is_whole = self.server.feed.is_whole();
        let mut seen = HashMap::new();
        for counter in counters {
            let before = self.replace_counter(caller, &counter);
            let has_moved = before.is_some_and(|before| before.value != counter.value);
            let mut changed = ChangedSince { items: Vec::new(), is_complete: true };
            if has_moved || !is_whole {
                for target in kind.changed_since_targets(since_s, std::slice::from_ref(&counter)) {
                    let response = self.get(&target, Class::Lists, caller).await;
                    let part = response.and_then(|response| kind.changed_since(&response.body).ok());
                    changed.merge(part.unwrap_or_default());
                }
            }
            seen.extend(stamps(&changed));
            let is_unexplained = has_moved && (changed.items.is_empty() || !is_whole);
            if is_unexplained || !changed.is_complete {
                invalidate::invalidate_section(&self.server, &counter.section, &caller.identity);
                self.server.feed.pending.record_gap();
            }
            self.apply_items(changed, caller);
        }
        self.seen = seen;
        self.set_since_s(caller, next_since_s);
    }

    /// Applies the items that were not in the last answer as the event that would have told them.
    fn apply_items(&self, mut changed: ChangedSince, caller: &Caller) {
        changed.items.retain(|item| item.stamp.is_empty() || self.seen.get(&item.key) != Some(&item.stamp));
        if changed.items.is_empty() {
            return;
        }
        let kind = self.server.origin.settings.kind;
        let frame = {
            let lineage = self.server.invalidation.lineage.lock();
            kind.change_event(&changed, |key| lineage.ancestors(key).is_some())
        };
        tracing::debug!(server = self.server.name(), items = changed.items.len(), "items changed on the server");
        apply_frame(&self.server, &frame, InvalidationSource::ServerEvent(&caller.identity));
        self.server.feed.pending.record_frame(kind, &frame);
    }

    fn invalidate_all(&self) {
        invalidate::invalidate_all(&self.server);
        self.server.feed.pending.record_gap();
    }

    /// Before the first answer: since this process started, because everything older is unconfirmed anyway.
    fn since_s(&self, caller: &Caller) -> u64 {
        let origin = &self.server.origin;
        let started_s = (origin.started_ms.as_secs()).saturating_add_signed(origin.clock_ahead_s().unwrap_or(0));
        let since_s = self.since_s.get(caller.identity.partition()).copied();
        since_s.unwrap_or_else(|| started_s.saturating_sub(OVERLAP_S))
    }

    fn set_since_s(&mut self, caller: &Caller, since_s: u64) {
        if self.since_s.len() >= MAX_CALLERS {
            self.since_s.clear();
        }
        self.since_s.insert(caller.identity.partition().clone(), since_s);
    }

    fn replace_counter(&mut self, caller: &Caller, counter: &ChangeCounter) -> Option<ChangeCounter> {
        if self.counters.len() >= MAX_COUNTERS {
            self.counters.clear();
        }
        let key = (caller.identity.partition().clone(), counter.section.clone());
        self.counters.insert(key, counter.clone())
    }

    async fn get(&self, target: &str, class: Class, caller: &Caller) -> Option<PulseResponse> {
        let origin = &self.server.origin;
        origin.counters.own.fetch_add(1, Ordering::Relaxed);
        let exchange = async {
            let _permit = origin.queue.acquire(QueueRequest::background(None, class)).await.ok()?;
            let sent_us = origin.clock.now_us();
            let (headers, body) = origin.read_own(target, &caller.credential, MAX_BYTES).await.ok()?;
            let date = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
            let date = date.and_then(|date| Some(date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs()));
            let now_s = || (origin.clock.now().as_secs()).saturating_add_signed(origin.clock_ahead_s().unwrap_or(0));
            // What was stored while the server was answering may be missing.
            let taken_s = origin.clock.since(sent_us).as_secs();
            let next_since_s = date.unwrap_or_else(now_s).saturating_sub(OVERLAP_S + taken_s);
            Some(PulseResponse { body, next_since_s })
        };
        origin.clock.timeout(TIMEOUT, exchange).await.ok().flatten()
    }
}

fn stamps(changed: &ChangedSince) -> HashMap<String, String> {
    changed.items.iter().map(|item| (item.key.clone(), item.stamp.clone())).collect()
}
