//! The cache handle that a program holds.

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access_rhythm::AccessRhythmSnapshot;
use crate::cache_response::{CacheDirective, CacheResponse, CacheStatus, Tier};
use crate::clock::Clock;
use crate::coordinator::Coordinator;
use crate::counters::CacheCounters;
use crate::diagnosis::Diagnosis;
use crate::engine::CacheEngine;
use crate::freshness::evaluate_freshness;
use crate::hybrid_timestamp::HybridTimestamp;
use crate::key::{Key, Partition};
use crate::load::{LoadError, Loader};
use crate::policy::{Freshness, Policy};
use crate::read::CacheRead;
use crate::scope::{Invalidation, Scope};
use crate::settings::CacheSettings;
use crate::stats::CacheStats;
use crate::value::Entry;
use crate::warm_set::WarmSet;

/// A cache. Cloning copies a handle to the same one.
#[derive(Clone)]
pub struct Cache(pub(crate) Arc<CacheEngine>);

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

impl Cache {
    /// Creates a cache whose loads run on `tasks`. Contradictory settings are reduced to consistent ones.
    pub fn new(settings: CacheSettings, clock: Clock, tasks: TaskTracker) -> Self {
        let tally = CacheCounters::new(settings.max_stat_classes.max(1));
        let (warm, stop) = (WarmSet::default(), CancellationToken::new());
        Self(Arc::new(CacheEngine {
            coordinator: Coordinator::new(settings),
            clock,
            tasks,
            counters: tally,
            warm,
            stop,
        }))
    }

    /// Creates a cache that also stores entries on disk, so that they outlive the process.
    ///
    /// # Errors
    /// One line that says why there can be no store at that place, and what to do.
    #[cfg(not(feature = "shuttle"))]
    pub fn with_disk(
        settings: CacheSettings,
        disk_settings: crate::disk::DiskSettings,
        clock: Clock,
        tasks: TaskTracker,
    ) -> Result<Self, String> {
        let tally = CacheCounters::new(settings.max_stat_classes.max(1));
        let (warm, stop) = (WarmSet::default(), CancellationToken::new());
        let mut desk = Coordinator::new(settings);
        desk.open_disk_tier(disk_settings, &clock)?;
        Ok(Self(Arc::new(CacheEngine { coordinator: desk, clock, tasks, counters: tally, warm, stop })))
    }

    /// Waits until every invalidation made so far is durable, at most for the disk's configured timeout. True if all
    /// are; without a disk there is nothing to wait for.
    #[cfg(not(feature = "shuttle"))]
    pub async fn flush_invalidations(&self) -> bool {
        match &self.0.coordinator.disk_tier {
            Some(below) => below.disk.flush_invalidations().await,
            None => true,
        }
    }

    /// Waits until all entries stored so far are written or lost. True if all were written within `limit`.
    #[cfg(not(feature = "shuttle"))]
    pub async fn flush(&self, limit: std::time::Duration) -> bool {
        match &self.0.coordinator.disk_tier {
            Some(below) => below.disk.flush(limit).await,
            None => true,
        }
    }

    /// Statistics of the disk tier, if there is one.
    #[cfg(not(feature = "shuttle"))]
    pub fn disk_stats(&self) -> Option<crate::disk::DiskStats> {
        self.0.coordinator.disk_tier.as_ref().map(|below| below.disk.stats())
    }

    /// The current disk error, if any, with its remedy.
    #[cfg(not(feature = "shuttle"))]
    pub fn disk_error(&self) -> Option<crate::disk::error::StorageErrorKind> {
        self.0.coordinator.disk_tier.as_ref().and_then(|below| below.disk.error_kind())
    }

    /// A watch on whether the disk tier is degraded; `None` without a disk.
    #[cfg(not(feature = "shuttle"))]
    pub fn subscribe_disk_health(&self) -> Option<tokio::sync::watch::Receiver<bool>> {
        self.0.coordinator.disk_tier.as_ref().map(|below| below.disk.subscribe_health())
    }

    /// Ends the disk tier as a crash would: pending writes are lost.
    #[cfg(test)]
    #[cfg(not(feature = "shuttle"))]
    pub(crate) async fn crash_disk(&self) {
        if let Some(below) = &self.0.coordinator.disk_tier {
            below.disk.crash().await;
        }
    }

    /// Writes what is queued and closes the disk tier. Returns the number of lost entries.
    #[cfg(not(feature = "shuttle"))]
    pub async fn close_disk(&self) -> u64 {
        match &self.0.coordinator.disk_tier {
            Some(below) => below.disk.close().await,
            None => 0,
        }
    }

    /// Answers from the cache, or loads. `loader` is called only if this caller starts a load.
    ///
    /// The load runs in its own task: dropping this future neither ends it nor affects other waiters.
    pub async fn get_or_load<L: Loader>(
        &self,
        key: &Key,
        policy: &Policy,
        demand: CacheDirective,
        loader: impl FnOnce() -> L,
    ) -> Result<CacheResponse<L::Pass>, LoadError> {
        let now_ms = self.0.clock.now_ms();
        if let Some(answer) = self.hit(key, policy, demand, now_ms) {
            return Ok(answer);
        }
        Box::pin(CacheRead::new(&self.0, key, policy, demand, loader, now_ms).run()).await
    }

    /// The common case: a fresh entry and nothing to refresh. No allocation, no lock but the map's own.
    #[inline]
    fn hit<P>(&self, key: &Key, policy: &Policy, demand: CacheDirective, now_ms: u64) -> Option<CacheResponse<P>> {
        if !matches!(demand, CacheDirective::Any | CacheDirective::OnlyIfCached) {
            return None;
        }
        let (entry, marking) = self.0.coordinator.get(key)?;
        match evaluate_freshness(&entry, policy, now_ms, marking) {
            Freshness::Fresh { refresh_due } if !refresh_due || !entry.may_refresh(now_ms) => {
                entry.counters.hits.one();
                entry.record_read(now_ms);
                Some(CacheResponse::cached(entry, CacheStatus::Hit, Tier::Memory, now_ms, None))
            }
            _ => None,
        }
    }

    /// The entry under a key, whatever its age and validity. For diagnosis: changes no state.
    pub fn peek(&self, key: &Key) -> Option<Arc<Entry>> {
        self.0.coordinator.memory.peek(key)
    }

    /// Everything known about a key. For diagnosis: changes no state.
    pub fn diagnose(&self, key: &Key) -> Diagnosis {
        self.0.diagnose(key)
    }

    /// Invalidates a scope. Once this returns, no later read gets anything whose load began before, except in place of
    /// a failed load where `how` allows it.
    pub fn invalidate(&self, scope: &Scope, how: &Invalidation) -> HybridTimestamp {
        self.0.counters.invalidations.one();
        self.0.coordinator.invalidate(scope, how, self.0.clock.now_ms())
    }

    /// The settings in force.
    pub fn settings(&self) -> &CacheSettings {
        &self.0.coordinator.settings
    }

    /// The clock of this cache.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Statistics at this moment.
    pub fn stats(&self) -> CacheStats {
        let desk = &self.0.coordinator;
        let (markers, markers_folded) = desk.invalidations.count();
        CacheStats {
            bytes: desk.memory.bytes(),
            max_bytes: desk.settings.max_bytes,
            entries: desk.memory.entries(),
            flights: desk.flights.count() as u64,
            markers: markers as u64,
            markers_folded,
            warm_keys: self.0.warm.len() as u64,
            warm_checked_ms: self.0.warm.checked_ms(),
            ..self.0.counters.snapshot()
        }
    }

    /// Resets the counters.
    pub fn reset_stats(&self) {
        self.0.counters.reset();
    }

    /// Refreshes every warm key of one namespace, or of all, and waits for the loads. Returns their number.
    pub async fn refresh_warm_keys(&self, namespace: Option<&str>) -> usize {
        self.0.warm_all(namespace).await
    }

    /// Refreshes a warm key if four fifths of its fresh time have passed, whatever its access rhythm. For callers that
    /// know that a read is coming. Counted as warming; has a budget of its own. Returns whether a load began.
    pub fn refresh_due(&self, key: &Key) -> bool {
        self.0.refresh_due(key)
    }

    /// The warm keys of a partition with their access rhythms, to be saved across a restart.
    pub fn warm_keys(&self, namespace: &str, partition: &Partition) -> Vec<(Key, AccessRhythmSnapshot)> {
        self.0.warm_keys(namespace, partition)
    }

    /// Restores a warm key after a restart with the caller's loader, if the disk has an entry for it. Not counted as a
    /// read; its loads count as warming.
    #[cfg(not(feature = "shuttle"))]
    pub async fn resume_warm<L: Loader>(&self, key: &Key, policy: &Policy, loader: L, rhythm: AccessRhythmSnapshot) {
        self.0.resume_warm(key, policy, loader, rhythm).await;
    }

    /// Starts the warmer on the tracker. It stops at [`Self::shutdown`].
    pub fn run_warmer(&self) {
        self.0.tasks.spawn(Arc::clone(&self.0).run_warmer());
    }

    /// Stops the warmer, drops its loaders, and starts no more refreshes. Loads in progress end by themselves; wait for
    /// the tracker.
    pub fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.warm.clear();
    }
}
