//! Keeping keys warm: what joins the set, and the round that refreshes it before it goes stale.
//!
//! Loaders may hold what a client's own reload needs. They are kept in memory only, no longer than the idle limit
//! after that client's last read, and are dropped when their partition is purged or denied.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;

use crate::clock::millis;
use crate::desk::Booking;
use crate::engine::Engine;
use crate::flight::{Boarding, Follow};
use crate::key::{Key, Partition};
use crate::load::Loader;
use crate::load_reason::LoadReason;
use crate::policy::{Marking, Policy};
use crate::reach::Reach;
use crate::stamp::Stamp;
use crate::value::{Entry, RefreshClaim};
use crate::warm_set::{Kept, WarmKey, WarmSet, lock, reload};
use crate::warmth::{Rhythm, Warmth};

/// A read causes no refresh for at least this much of the fresh time, in percent: what is due at 80 %, less jitter.
const SURELY_FRESH_PERCENT: u64 = 75;
/// Refreshes of what somebody announced a read of, per namespace and minute: a page that polls every five seconds takes
/// fifteen.
const ANNOUNCED_PER_MINUTE: u32 = 90;
/// Loads under way at a time when everything is warmed on demand.
const WARM_NOW_AT_A_TIME: usize = 8;

impl Engine {
    /// Registers a key to be kept warm with this loader, in place of an earlier one.
    pub(crate) fn keep_warm<L: Loader>(
        &self,
        key: &Key,
        policy: &Policy,
        loader: &Arc<L>,
        since: Stamp,
        now_ms: u64,
    ) -> Option<Arc<Warmth>> {
        let reload = reload(loader);
        let mut keys = lock(&self.warm.keys);
        if self.stop.is_cancelled() {
            return None;
        }
        let full = keys.len() >= self.desk.settings.max_warm_keys;
        if full && !keys.contains_key(key) {
            self.tally.warm_keys_refused.one();
            return None;
        }
        let warmth = keys.get(key).map(|warm| Arc::clone(&warm.warmth)).unwrap_or_default();
        warmth.note_read(now_ms);
        let refused_due_ms = Arc::default();
        let warm = WarmKey { reload, policy: *policy, warmth: Arc::clone(&warmth), since, refused_due_ms };
        if keys.insert(key.clone(), warm).is_none() {
            self.warm.filled.notify_one();
        }
        Some(warmth)
    }

    /// The keys of a partition that are kept warm, and how they are read.
    pub(crate) fn warm_keys(&self, namespace: &str, partition: &Partition) -> Vec<(Key, Rhythm)> {
        lock(&self.warm.keys)
            .iter()
            .filter(|(key, _)| key.namespace() == namespace && key.partition() == partition)
            .map(|(key, warm)| (key.clone(), warm.warmth.rhythm()))
            .collect()
    }

    /// Registers a key as it was kept warm before a restart, unless it is already, and takes up what is kept below.
    /// That is no read: nothing is counted.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) async fn resume_warm<L: Loader>(&self, key: &Key, policy: &Policy, loader: L, rhythm: Rhythm) {
        let now_ms = self.clock.now_ms();
        // From the future: the clock was set back since.
        if rhythm.last_read_ms > now_ms || self.warm.has(key) {
            return;
        }
        let warmth = Arc::new(Warmth::of(rhythm));
        let cell = self.tally.cell(key.namespace(), policy.class);
        let (why, begun) = (LoadReason::Warm, self.desk.sequence().next(now_ms));
        let booking =
            Booking { key: key.clone(), policy: *policy, why, cell, warmth: Some(Arc::clone(&warmth)) };
        if self.desk.take_up_warm(&booking, now_ms).await.is_none() {
            return;
        }
        let mut keys = lock(&self.warm.keys);
        let is_full = keys.len() >= self.desk.settings.max_warm_keys;
        if !is_full && !self.stop.is_cancelled() && !keys.contains_key(key) {
            let (reload, policy) = (reload(&Arc::new(loader)), *policy);
            keys.insert(
                key.clone(),
                WarmKey { reload, policy, warmth, since: begun, refused_due_ms: Arc::default() },
            );
            self.warm.filled.notify_one();
        }
    }

    /// Looks around once: forgets keys nobody reads, and refreshes those that are due.
    pub(crate) fn warm_round(self: &Arc<Self>) {
        let now_ms = self.clock.now_ms();
        let settings = &self.desk.settings;
        self.warm.looked_ms.store(now_ms, Ordering::Relaxed);
        self.forget_idle(now_ms);
        let quiet_ms = self.warm.quiet_ms(self.tally.asked(), now_ms);
        if quiet_ms >= millis(settings.warm_quiet_after) {
            return;
        }
        for (key, warm, entry) in self.due(now_ms) {
            let Some(claim) = entry.claim_refresh(now_ms) else { continue };
            if self.warm.spend(key.namespace(), settings.warm_budget_per_minute, now_ms) {
                drop(self.warm_one(&key, &warm, Some(&entry), Some(claim)));
            } else {
                self.tally.warm_over_budget.one();
            }
        }
    }

    /// Refreshes one key that is kept warm, if that is due: somebody says that a read of it is to be expected, whatever
    /// its rhythm. Within a budget of its own; being over it counts once each time the key is due. Returns whether a load began.
    pub(crate) fn refresh_due(self: &Arc<Self>, key: &Key) -> bool {
        let now_ms = self.clock.now_ms();
        let Some(warm) = lock(&self.warm.keys).get(key).cloned() else { return false };
        let Some(entry) = self.desk.memory.peek(key) else { return false };
        let horizons = entry.horizons();
        let due_ms = horizons.refresh_at_ms.min(horizons.fresh_until_ms);
        if now_ms < due_ms || !entry.may_refresh(now_ms) {
            return false;
        }
        let Some(claim) = entry.claim_refresh(now_ms) else { return false };
        if !WarmSet::spend_of(&self.warm.announced, key.namespace(), ANNOUNCED_PER_MINUTE, now_ms) {
            if warm.refused_due_ms.swap(due_ms, Ordering::Relaxed) != due_ms {
                self.tally.warm_over_budget.one();
            }
            return false;
        }
        self.warm_one(key, &warm, Some(&entry), Some(claim)).is_some()
    }

    fn forget_idle(&self, now_ms: u64) {
        let idle_ms = millis(self.desk.settings.warm_idle_limit);
        lock(&self.warm.keys).retain(|key, warm| {
            let read_lately = now_ms.saturating_sub(warm.warmth.last_read_ms()) < idle_ms;
            read_lately && self.desk.markers.marking(&Reach::of_key(key), warm.since) != Marking::Purged
        });
    }

    /// The keys whose refresh is due, and worth a load because a read is near that would otherwise find nothing
    /// usable; never twice without a read between. The longest-lived first: they are kept warm at the least cost.
    fn due(&self, now_ms: u64) -> Vec<(Key, WarmKey, Arc<Entry>)> {
        let keys = lock(&self.warm.keys);
        let mut due: Vec<_> = keys
            .iter()
            .filter_map(|(key, warm)| {
                let entry = self.desk.memory.peek(key)?;
                let horizons = entry.horizons();
                let due_ms = horizons.refresh_at_ms.min(horizons.fresh_until_ms);
                let (fresh, window) =
                    (warm.policy.fresh, warm.policy.fresh.saturating_add(warm.policy.stale));
                // By so much later the entry is due again: a read before that finds it fresh and causes no load.
                let untouched_ms = millis(fresh) / 100 * SURELY_FRESH_PERCENT;
                let worth = warm.warmth.is_worth_a_load(now_ms, millis(window), untouched_ms);
                let unread = entry.why == LoadReason::Warm && !entry.was_read();
                let due = now_ms >= due_ms && entry.may_refresh(now_ms) && worth && !unread;
                due.then(|| (key.clone(), warm.clone(), entry))
            })
            .collect();
        due.sort_by_key(|(_, warm, _)| std::cmp::Reverse(warm.policy.fresh));
        due
    }

    /// Starts one warm load, unless one is under way.
    fn warm_one(
        self: &Arc<Self>,
        key: &Key,
        warm: &WarmKey,
        entry: Option<&Arc<Entry>>,
        claim: Option<RefreshClaim>,
    ) -> Option<Follow> {
        let (reach, now_ms) = (Reach::of_key(key), self.clock.now_ms());
        if self.desk.recall(key, &reach, now_ms).is_some() {
            return None;
        }
        let lead = match self.desk.board(key, &reach, entry, now_ms) {
            Boarding::Lead(lead) => lead,
            Boarding::Follow(follow) => return Some(follow),
            Boarding::LookAgain | Boarding::TooManyFlights | Boarding::TooManyWaiters => return None,
        };
        let booking = Booking {
            key: key.clone(),
            policy: warm.policy,
            why: LoadReason::Warm,
            cell: self.tally.cell(key.namespace(), warm.policy.class),
            warmth: Some(Arc::clone(&warm.warmth)),
        };
        let follow = lead.follow();
        let old = entry.filter(|entry| self.desk.marking(entry) != Marking::Purged).cloned();
        drop(self.launch(lead, booking, Arc::new(Kept(Arc::clone(&warm.reload))), old, claim));
        Some(follow)
    }

    /// Asks now for every warm key of a namespace (or of all), a few at a time. Returns how many were asked for.
    pub(crate) async fn warm_all(self: &Arc<Self>, namespace: Option<&str>) -> usize {
        let chosen: Vec<(Key, WarmKey)> = lock(&self.warm.keys)
            .iter()
            .filter(|(key, _)| namespace.is_none_or(|namespace| key.namespace() == namespace))
            .map(|(key, warm)| (key.clone(), warm.clone()))
            .collect();
        let mut under_way = JoinSet::new();
        let mut asked = 0;
        for (key, warm) in chosen {
            if under_way.len() >= WARM_NOW_AT_A_TIME {
                under_way.join_next().await;
            }
            let entry = self.desk.memory.peek(&key);
            if let Some(follow) = self.warm_one(&key, &warm, entry.as_ref(), None) {
                asked += 1;
                under_way.spawn(follow);
            }
        }
        while under_way.join_next().await.is_some() {}
        asked
    }

    /// The warmer: looks around every tick until the engine closes. It sleeps while there is nothing to keep warm.
    pub(crate) async fn warm_on(self: Arc<Self>) {
        let tick = self.desk.settings.warm_tick;
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
