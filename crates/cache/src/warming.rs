//! Warming: which keys join the warm set, and the round that refreshes them before they go stale.
//!
//! Loaders may hold a client's token. They stay in memory only, at most for the idle limit after that client's last
//! read, and are dropped when their partition is purged or denied.

use crate::timestamp::Timestamp;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;

use crate::access_rhythm::{AccessRhythm, AccessRhythmSnapshot};
use crate::coordinator::LoadContext;
use crate::engine::CacheEngine;
use crate::flight::{FlightFollower, JoinOutcome};
use crate::hybrid_timestamp::HybridTimestamp;
use crate::key::{Key, Partition};
use crate::load::Loader;
use crate::load_reason::LoadReason;
use crate::policy::{Policy, Validity};
use crate::scope_hash::ScopeHashes;
use crate::value::{Entry, RefreshPermit};
use crate::warm_set::{ReloadLoader, WarmKey, WarmSet, lock, reload};

/// Share of the fresh time during which a read certainly causes no refresh, in percent: 80 % less jitter.
const CERTAIN_FRESH_PERCENT: u32 = 75;
/// Refreshes for announced reads, per namespace and minute: a page that polls every five seconds takes fifteen.
const PREDICTED_PER_MINUTE: u32 = 90;
/// Max loads in progress when all keys are warmed on demand.
const MAX_CONCURRENT_LOADS: usize = 8;

impl CacheEngine {
    /// Registers a key and its loader for warming, replacing an earlier registration.
    pub(crate) fn keep_warm<L: Loader>(
        &self,
        key: &Key,
        policy: &Policy,
        loader: &Arc<L>,
        since: HybridTimestamp,
        now_ms: Timestamp,
    ) -> Option<Arc<AccessRhythm>> {
        let reload = reload(loader);
        let mut keys = lock(&self.warm.keys);
        if self.stop.is_cancelled() {
            return None;
        }
        let is_full = keys.len() >= self.coordinator.settings.max_warm_keys;
        if is_full && !keys.contains_key(key) {
            self.counters.warm_keys_refused.one();
            return None;
        }
        let access_rhythm = keys.get(key).map(|warm| Arc::clone(&warm.access_rhythm)).unwrap_or_default();
        access_rhythm.record_read(now_ms);
        let refused_due_ms = Arc::default();
        let warm =
            WarmKey { reload, policy: *policy, access_rhythm: Arc::clone(&access_rhythm), since, refused_due_ms };
        if keys.insert(key.clone(), warm).is_none() {
            self.warm.filled.notify_one();
        }
        Some(access_rhythm)
    }

    /// The warm keys of a partition, and their access rhythms.
    pub(crate) fn warm_keys(&self, namespace: &str, partition: &Partition) -> Vec<(Key, AccessRhythmSnapshot)> {
        lock(&self.warm.keys)
            .iter()
            .filter(|(key, _)| key.namespace() == namespace && key.partition() == partition)
            .map(|(key, warm)| (key.clone(), warm.access_rhythm.snapshot()))
            .collect()
    }

    /// Restores a warm key after a restart, unless it is already registered, and loads its entry from disk. Not counted
    /// as a read.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) async fn resume_warm<L: Loader>(
        &self,
        key: &Key,
        policy: &Policy,
        loader: L,
        rhythm: AccessRhythmSnapshot,
    ) {
        let now_ms = self.clock.now();
        // In the future: the clock was set back since.
        if rhythm.last_read_ms > now_ms || self.warm.contains(key) {
            return;
        }
        let access_rhythm = Arc::new(AccessRhythm::from_snapshot(rhythm));
        let counters = self.counters.class_counters(key.namespace(), policy.class);
        let (load_reason, since) = (LoadReason::Warm, self.coordinator.hybrid_clock().next(now_ms));
        let context = LoadContext {
            key: key.clone(),
            policy: *policy,
            load_reason,
            counters,
            access_rhythm: Some(Arc::clone(&access_rhythm)),
        };
        if self.coordinator.load_warm_from_disk(&context, now_ms).await.is_none() {
            return;
        }
        let mut keys = lock(&self.warm.keys);
        let is_full = keys.len() >= self.coordinator.settings.max_warm_keys;
        if !is_full && !self.stop.is_cancelled() && !keys.contains_key(key) {
            let (reload, policy) = (reload(&Arc::new(loader)), *policy);
            keys.insert(key.clone(), WarmKey { reload, policy, access_rhythm, since, refused_due_ms: Arc::default() });
            self.warm.filled.notify_one();
        }
    }

    /// Runs one round: drops keys that are no longer read, and refreshes those that are due.
    pub(crate) fn warm_round(self: &Arc<Self>) {
        let now_ms = self.clock.now();
        let settings = &self.coordinator.settings;
        self.warm.checked_ms.store(now_ms, Ordering::Relaxed);
        self.forget_idle(now_ms);
        let quiet_ms = self.warm.quiet_ms(self.counters.requests(), now_ms);
        if quiet_ms >= settings.warm_quiet_after {
            return;
        }
        for (key, warm, entry) in self.due(now_ms) {
            let Some(permit) = entry.try_begin_refresh(now_ms) else { continue };
            if self.warm.spend(key.namespace(), settings.warm_budget_per_minute, now_ms) {
                drop(self.warm_one(&key, &warm, Some(&entry), Some(permit)));
            } else {
                self.counters.warm_over_budget.one();
            }
        }
    }

    /// Refreshes one warm key if it is due, because the caller announces a read, whatever the access rhythm. Has a
    /// budget of its own; exceeding it counts once each time the key is due. Returns whether a load began.
    pub(crate) fn refresh_due(self: &Arc<Self>, key: &Key) -> bool {
        let now_ms = self.clock.now();
        let Some(warm) = lock(&self.warm.keys).get(key).cloned() else { return false };
        let Some(entry) = self.coordinator.memory.peek(key) else { return false };
        let deadlines = entry.deadlines();
        let due_ms = deadlines.refresh_at_ms.min(deadlines.fresh_until_ms);
        if now_ms < due_ms || !entry.may_refresh(now_ms) {
            return false;
        }
        let Some(permit) = entry.try_begin_refresh(now_ms) else { return false };
        if !WarmSet::spend_from(&self.warm.predicted, key.namespace(), PREDICTED_PER_MINUTE, now_ms) {
            if warm.refused_due_ms.swap(due_ms, Ordering::Relaxed) != due_ms {
                self.counters.warm_over_budget.one();
            }
            return false;
        }
        self.warm_one(key, &warm, Some(&entry), Some(permit)).is_some()
    }

    fn forget_idle(&self, now_ms: Timestamp) {
        let idle_limit = self.coordinator.settings.warm_idle_limit;
        lock(&self.warm.keys).retain(|key, warm| {
            let is_recent = now_ms.duration_since(warm.access_rhythm.last_read_ms()) < idle_limit;
            is_recent
                && self.coordinator.invalidations.validity(&ScopeHashes::from_key(key), warm.since) != Validity::Purged
        });
    }

    /// Keys whose refresh is due and worth a load, because a read is near that would otherwise find nothing usable;
    /// never twice without a read between. The longest-lived come first: they cost the fewest loads.
    fn due(&self, now_ms: Timestamp) -> Vec<(Key, WarmKey, Arc<Entry>)> {
        let keys = lock(&self.warm.keys);
        let mut due: Vec<_> = keys
            .iter()
            .filter_map(|(key, warm)| {
                let entry = self.coordinator.memory.peek(key)?;
                let deadlines = entry.deadlines();
                let due_ms = deadlines.refresh_at_ms.min(deadlines.fresh_until_ms);
                let (fresh, window) = (warm.policy.fresh, warm.policy.fresh.saturating_add(warm.policy.stale));
                // The next refresh is due this much later: a read before that finds the entry fresh and causes no load.
                let certain_fresh = fresh / 100 * CERTAIN_FRESH_PERCENT;
                let is_worth_it = warm.access_rhythm.is_worth_a_load(now_ms, window, certain_fresh);
                let is_unread = entry.load_reason == LoadReason::Warm && !entry.was_read();
                let due = now_ms >= due_ms && entry.may_refresh(now_ms) && is_worth_it && !is_unread;
                due.then(|| (key.clone(), warm.clone(), entry))
            })
            .collect();
        due.sort_by_key(|(_, warm, _)| std::cmp::Reverse(warm.policy.fresh));
        due
    }

    /// Starts one warm load, unless one is in progress.
    fn warm_one(
        self: &Arc<Self>,
        key: &Key,
        warm: &WarmKey,
        entry: Option<&Arc<Entry>>,
        permit: Option<RefreshPermit>,
    ) -> Option<FlightFollower> {
        let (scope_hashes, now_ms) = (ScopeHashes::from_key(key), self.clock.now());
        if self.coordinator.negative_entry(key, &scope_hashes, now_ms).is_some() {
            return None;
        }
        let leader = match self.coordinator.join_or_start(key, &scope_hashes, entry, now_ms) {
            JoinOutcome::Lead(leader) => leader,
            JoinOutcome::Follow(follower) => return Some(follower),
            JoinOutcome::Retry | JoinOutcome::TooManyFlights | JoinOutcome::TooManyWaiters => return None,
        };
        let context = LoadContext {
            key: key.clone(),
            policy: warm.policy,
            load_reason: LoadReason::Warm,
            counters: self.counters.class_counters(key.namespace(), warm.policy.class),
            access_rhythm: Some(Arc::clone(&warm.access_rhythm)),
        };
        let follower = leader.follow();
        let old = entry.filter(|entry| self.coordinator.validity(entry) != Validity::Purged).cloned();
        drop(self.launch(leader, context, Arc::new(ReloadLoader(Arc::clone(&warm.reload))), old, permit));
        Some(follower)
    }

    /// Refreshes every warm key of a namespace (or of all), a few at a time. Returns the number of loads started.
    pub(crate) async fn warm_all(self: &Arc<Self>, namespace: Option<&str>) -> usize {
        let keys: Vec<(Key, WarmKey)> = lock(&self.warm.keys)
            .iter()
            .filter(|(key, _)| namespace.is_none_or(|namespace| key.namespace() == namespace))
            .map(|(key, warm)| (key.clone(), warm.clone()))
            .collect();
        let mut loads = JoinSet::new();
        let mut started = 0;
        for (key, warm) in keys {
            if loads.len() >= MAX_CONCURRENT_LOADS {
                loads.join_next().await;
            }
            let entry = self.coordinator.memory.peek(&key);
            if let Some(follower) = self.warm_one(&key, &warm, entry.as_ref(), None) {
                started += 1;
                loads.spawn(follower);
            }
        }
        while loads.join_next().await.is_some() {}
        started
    }

    /// The warmer: runs a round every tick until the engine closes. It sleeps while there are no warm keys.
    pub(crate) async fn run_warmer(self: Arc<Self>) {
        let tick = self.coordinator.settings.warm_tick;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return self.warm.clear(),
                () = self.clock.sleep(tick) => self.warm_round(),
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.warm.filled() => {}
            }
        }
    }
}
