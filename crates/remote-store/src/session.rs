//! The coordinating task: connects, hears and announces, and says what may be trusted. Everything it concludes is
//! decided in `agreement`.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_cache::Cache;
use greenroom_cache::remote::{ClusterRole, SharedInvalidation};
use redis::Value;
use tokio_util::sync::CancellationToken;

use crate::agreement::{HeartbeatReply, SequencePosition, cluster_role, trust_end_ms};
use crate::announcements::{AnnouncementResult, Announcements};
use crate::connection::explain;
use crate::handshake::{connect, read_info};
use crate::invalidation_queue::InvalidationBatch;
use crate::log_watch::LogWatch;
use crate::peer_news::PeerNews;
use crate::reply::{AnnounceReply, HearReply, join_mark, read_announce, read_hear};
use crate::scripts;
use crate::status::{StoreState, count};
use crate::store::{OpenStore, RedisStore};
use greenroom_cache::clock::millis;

/// Heartbeats in the time of a lease.
const BEATS_PER_LEASE: u32 = 3;
/// Waits before another attempt to connect, growing from the first to the last.
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// Waits while other gateways have not heard yet, growing from the first to the last.
const FIRST_POLL: Duration = Duration::from_millis(1);
const LAST_POLL: Duration = Duration::from_millis(25);
/// Numbers told at a time.
const MAX_TOLD: usize = 512;
/// Invalidations announced at a time: a script must not keep the store from others.
const MAX_ANNOUNCED: usize = 256;
/// Scopes whose marks the store keeps.
const MAX_MARKS: usize = 20_000;
/// Numbers the log keeps, about.
const MAX_LOG: usize = 10_000;
/// Interval at which the store is asked for its own figures.
const INFO_INTERVAL: Duration = Duration::from_secs(10);
/// Bits of an epoch: Lua's numbers are exact up to 53.
const EPOCH_MASK: u64 = (1 << 48) - 1;

/// Reason for the end of a session.
pub(crate) enum SessionEnd {
    Stopped,
    Lost(String),
    /// The store may not be used, for the reason that the state gives.
    Refused(StoreState),
}

/// Result of a heartbeat.
enum HeartbeatResult {
    /// Nothing to hear.
    Quiet,
    /// There was something to hear: another heartbeat says that it was heard.
    Heard,
    /// This gateway may not use the store, for the reason that the state gives.
    Refused(StoreState),
}

/// One connection's session.
pub(crate) struct Session<'a> {
    pub(crate) store: &'a Arc<RedisStore>,
    pub(crate) cache: &'a Cache,
    pub(crate) open: OpenStore,
    pub(crate) standing: SequencePosition,
    pub(crate) announcements: Announcements<InvalidationBatch>,
    info_due_ms: Timestamp,
    pub(crate) is_first: bool,
}

/// Connects again and again until `stop`.
pub(crate) async fn run(store: &Arc<RedisStore>, cache: &Cache, stop: &CancellationToken) {
    let mut standing = store.record.as_ref().map(|record| record.standing.clone()).unwrap_or_default();
    let mut announcements = Announcements::default();
    let (mut retry, mut is_first, mut is_warned) = (FIRST_RETRY, true, false);
    if store.is_behind.load(Ordering::Acquire) {
        // Invalidations were made before the restart that the store never got.
        store.invalidations.push_everything(store.lacks_purges.load(Ordering::Acquire));
    }
    loop {
        let end = match connect(store).await {
            Ok(open) => {
                let mut session = Session {
                    store,
                    cache,
                    open,
                    standing,
                    announcements,
                    info_due_ms: Timestamp::UNIX_EPOCH,
                    is_first,
                };
                let end = session.run(stop).await;
                (standing, announcements, is_first) = (session.standing, session.announcements, session.is_first);
                end
            }
            Err(reason) => SessionEnd::Lost(reason),
        };
        store.is_ready.store(false, Ordering::Release);
        let was_connected = store.open.lock().take().is_some();
        if was_connected {
            store.session_ended_ms.send_replace(Some(store.clock.now().as_millis()));
            (retry, is_warned) = (FIRST_RETRY, false);
        }
        let (state, wait) = match end {
            SessionEnd::Stopped => return,
            SessionEnd::Lost(reason) => {
                warn_once(&mut is_warned, &reason);
                (StoreState::Away(reason), retry)
            }
            SessionEnd::Refused(state) => {
                warn_refused(&mut is_warned, store, &state);
                (state, store.settings.peer_timeout)
            }
        };
        store.published.lock().state = state;
        retry = (retry * 2).min(LAST_RETRY);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn warn_once(is_warned: &mut bool, reason: &str) {
    if !std::mem::replace(is_warned, true) {
        tracing::warn!(reason, "the remote store is away; answers come from memory, disk and the media server");
    }
}

fn warn_refused(is_warned: &mut bool, store: &RedisStore, state: &StoreState) {
    if std::mem::replace(is_warned, true) {
        return;
    }
    let prefix = store.settings.prefix.as_str();
    match state {
        StoreState::Taken { by } => tracing::warn!(
            prefix,
            gateway = by,
            "another gateway uses this prefix of the remote store; this one runs without it. Give each its own \
             store.redis.prefix, or set store.redis.shared = true on all of them, with one cluster key"
        ),
        StoreState::OtherKey { of } => tracing::warn!(
            prefix,
            gateway = of,
            "another gateway shares this prefix of the remote store with another cluster key; this one runs without it. \
             Give all of them the same store.redis.cluster_key_file"
        ),
        StoreState::Connecting | StoreState::Connected | StoreState::Away(_) => {}
    }
}

impl Session<'_> {
    async fn run(&mut self, stop: &CancellationToken) -> SessionEnd {
        let mut watch = LogWatch::new(self.store);
        let mut poll = FIRST_POLL;
        loop {
            let has_heard = match self.beat().await {
                Ok(HeartbeatResult::Heard) => true,
                Ok(HeartbeatResult::Quiet) => false,
                Ok(HeartbeatResult::Refused(state)) => return SessionEnd::Refused(state),
                Err(reason) => return SessionEnd::Lost(reason),
            };
            if self.store.open.lock().replace(self.open.clone()).is_none() {
                self.store.published.lock().state = StoreState::Connected;
                self.store.session_ended_ms.send_replace(None);
                if self.store.settings.shared {
                    // The receipt says when the settings are taken over; no other gateway waits for that.
                    drop(self.store.news.tell(vec![PeerNews::Joined]));
                }
                tracing::info!(kind = self.open.connection.kind(), "connected to the remote store");
            }
            if has_heard && !stop.is_cancelled() {
                // What was told is heard now: others wait for this.
                continue;
            }
            let beat = self.store.settings.peer_timeout / BEATS_PER_LEASE;
            let is_waiting = self.announcements.is_waiting();
            let wait = if is_waiting { poll } else { beat };
            poll = if is_waiting { (poll * 2).min(LAST_POLL) } else { FIRST_POLL };
            let queued = self.store.invalidations.notify.notified();
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = queued => poll = FIRST_POLL,
                () = watch.changed(&self.standing) => {}
                () = stop.cancelled() => {
                    self.leave().await;
                    return SessionEnd::Stopped;
                }
            }
        }
    }

    /// Hears what there is to hear, announces what is queued, and publishes what follows.
    async fn beat(&mut self) -> Result<HeartbeatResult, String> {
        let sent_ms = self.store.clock.now();
        let sent_us = self.store.clock.now_us();
        let heartbeat = match self.hear().await? {
            HearReply::Taken { by } => return Ok(HeartbeatResult::Refused(StoreState::Taken { by })),
            HearReply::OtherKey { of } => return Ok(HeartbeatResult::Refused(StoreState::OtherKey { of })),
            HearReply::Told(heartbeat) => heartbeat,
        };
        let latency_us = u64::try_from(self.store.clock.since(sent_us).as_micros()).unwrap_or(u64::MAX);
        self.publish_clock(sent_ms, &heartbeat, latency_us);
        self.store.longest_lease_ms.fetch_max(millis(heartbeat.longest_lease_ms), Ordering::Relaxed);
        let has_heard = self.catch_up(&heartbeat).await?;
        self.cache.raise_remote_floor(heartbeat.floor);
        if let Some(until_ms) = trust_end_ms(sent_ms, &heartbeat, self.standing.heard, self.store.settings.peer_timeout)
        {
            if self.store.settings.shared {
                self.store.leadership.set(cluster_role(&heartbeat, &self.store.id), until_ms);
            }
            let until_ms = if self.store.settings.shared { until_ms } else { Timestamp::MAX };
            self.cache.trust_until(until_ms, self.store.settings.when_away.max_age());
        }
        match self.announcements.conclude(&heartbeat, &self.standing) {
            Some(AnnouncementResult::Acknowledged(batch)) => self.settle(batch.pushed),
            Some(AnnouncementResult::Lost(batch)) => self.store.invalidations.put_back(batch),
            None => {}
        }
        if !self.announcements.is_waiting() {
            self.announce().await?;
        }
        self.publish(&heartbeat).await;
        Ok(if has_heard { HeartbeatResult::Heard } else { HeartbeatResult::Quiet })
    }

    async fn hear(&mut self) -> Result<HearReply, String> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| error.to_string())?;
        let proposal = (u64::from_le_bytes(random) & EPOCH_MASK).max(1).to_string();
        let (store, standing) = (self.store, &self.standing);
        let lease = millis(store.settings.peer_timeout).to_string();
        let (epoch, heard) = (standing.epoch.to_string(), standing.heard.to_string());
        let exclusive = if store.settings.shared { "0" } else { "1" };
        let most = MAX_TOLD.to_string();
        let (origin, key) = (store.origin.as_str(), store.key_fingerprint.as_str());
        let arguments =
            [&store.id, &store.name, &epoch, &heard, &standing.token, &lease, exclusive, &proposal, &most, origin, key];
        let keys = self.keys();
        let value: Value = scripts::run(&self.open.scripts.hear, &mut self.open.connection, &keys, &arguments)
            .await
            .map_err(explain)?;
        read_hear(&value)
    }

    pub(crate) fn keys(&self) -> [String; 3] {
        ["meta", "log", "marks"].map(|last| self.store.agreement_key(last))
    }

    /// Announces what is queued; `waiting` says which number must be acknowledged.
    async fn announce(&mut self) -> Result<(), String> {
        let mut batch = self.store.invalidations.take();
        if batch.invalidations.is_empty() {
            self.settle(batch.pushed);
            return Ok(());
        }
        let announced = self.announce_batch(&mut batch).await;
        match announced {
            Ok(Some(seq)) => {
                if let Some(ticket) = batch.replaces_up_to {
                    self.cache.record_all_numbered(seq, ticket);
                }
                let newest = batch.invalidations.last().map_or(0, |newest| newest.ticket);
                let token = self.token_of(newest);
                self.announcements.begin(self.standing.epoch, seq, token, batch);
                Ok(())
            }
            Ok(None) => {
                // The epoch has changed; the next heartbeat tells which it is.
                self.store.invalidations.put_back(batch);
                self.store.invalidations.notify.notify_one();
                Ok(())
            }
            Err(reason) => {
                self.store.invalidations.put_back(batch);
                Err(reason)
            }
        }
    }

    /// The store's value under the number of one of ours.
    fn token_of(&self, ticket: u64) -> String {
        format!("{}:{ticket}", self.store.origin)
    }

    async fn announce_batch(&mut self, batch: &mut InvalidationBatch) -> Result<Option<u64>, String> {
        let mut newest = None;
        for part in batch.invalidations.chunks(MAX_ANNOUNCED) {
            let mut arguments = vec![self.standing.epoch.to_string(), MAX_MARKS.to_string(), MAX_LOG.to_string()];
            for waiting in part {
                let SharedInvalidation { scope, purges, unstorable_ms, grace_ms, grace_fresh_ms, ticket } = waiting;
                arguments.push(self.token_of(*ticket));
                arguments.push(join_mark(scope, *purges));
                arguments.push(format!("{};{};{}", millis(*unstorable_ms), millis(*grace_ms), millis(*grace_fresh_ms)));
            }
            let keys = self.keys();
            let value: Value = scripts::run(&self.open.scripts.announce, &mut self.open.connection, &keys, &arguments)
                .await
                .map_err(explain)?;
            match read_announce(&value)? {
                AnnounceReply::Epoch => return Ok(None),
                AnnounceReply::Numbered { first, seq, floor } => {
                    for (at, waiting) in (first..=seq).zip(part) {
                        count(&self.store.counters.numbered);
                        self.cache.record_number(at, &waiting.scope, waiting.ticket);
                    }
                    self.cache.raise_remote_floor(floor);
                    newest = Some(seq);
                }
            }
        }
        Ok(newest)
    }

    /// Everything queued up to then is numbered and acknowledged.
    fn settle(&self, pushed: u64) {
        self.store.settled.send_if_modified(|settled| std::mem::replace(settled, (*settled).max(pushed)) < pushed);
        let is_level = self.store.invalidations.is_empty();
        if is_level {
            let was_behind = self.store.is_behind.swap(false, Ordering::AcqRel);
            self.store.lacks_purges.store(false, Ordering::Release);
            if self.store.is_behind_recorded.swap(false, Ordering::AcqRel) || was_behind {
                // Not waited for: a crash before it is written only makes the next process purge once more.
                drop(self.store.journal.write(self.store.record_now()));
            }
            self.store.is_ready.store(true, Ordering::Release);
        }
    }

    fn publish_clock(&self, sent_ms: Timestamp, heartbeat: &HeartbeatReply, latency_us: u64) {
        let middle_ms = sent_ms.saturating_add(Duration::from_millis(latency_us / 2000));
        let offset_ms = i64::try_from(heartbeat.now_ms.as_millis()).unwrap_or(0)
            - i64::try_from(middle_ms.as_millis()).unwrap_or(0);
        self.store.offset_ms.store(offset_ms, Ordering::Relaxed);
        self.store.published.lock().latency_us = latency_us;
    }

    async fn publish(&mut self, heartbeat: &HeartbeatReply) {
        let now_ms = self.store.clock.now();
        let info = if now_ms >= self.info_due_ms {
            self.info_due_ms = now_ms.saturating_add(INFO_INTERVAL);
            read_info(self.store, &mut self.open.connection).await.ok()
        } else {
            None
        };
        let before = {
            let mut published = self.store.published.lock();
            published.peers.clone_from(&heartbeat.peers);
            published.leader.clone_from(&heartbeat.leader);
            if let Some(info) = info {
                published.info = info;
            }
            std::mem::replace(&mut published.standing, self.standing.clone())
        };
        if before != self.standing {
            // The caller does not wait: a crash before it is written only makes the next process hear more again.
            drop(self.store.journal.write(self.store.record_now()));
        }
    }

    /// Takes this gateway off the list, so that no write waits for it.
    async fn leave(&mut self) {
        let _ = self.beat().await; // The last invalidations.
        self.cache.trust_until(Timestamp::UNIX_EPOCH, Duration::ZERO);
        if self.store.settings.shared {
            self.store.leadership.set(ClusterRole::Unknown, Timestamp::UNIX_EPOCH);
        }
        let keys = [self.store.agreement_key("meta")];
        let id = [&self.store.id];
        let _ = scripts::run::<u64>(&self.open.scripts.leave, &mut self.open.connection, &keys, &id).await;
        let written = self.store.journal.write(self.store.record_now());
        let _ = tokio::time::timeout(self.store.settings.response_timeout, written).await;
    }
}
