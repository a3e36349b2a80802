//! The public handle of a cache.

use crate::timestamp::Timestamp;
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
use crate::freshness::{evaluate_freshness, fresh_left_ms};
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

/// A handle to a cache. Clones refer to the same cache.
#[derive(Clone)]
pub struct Cache(pub(crate) Arc<CacheEngine>);

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

impl Cache {
    /// Creates a cache in memory. Its loads run as tasks of `tasks`. Settings that contradict one another are reduced
    /// to consistent ones.
    pub fn new(settings: CacheSettings, clock: Clock, tasks: TaskTracker) -> Self {
        let counters = CacheCounters::new(settings.max_stat_classes.max(1));
        let (warm, stop) = (WarmSet::default(), CancellationToken::new());
        Self(Arc::new(CacheEngine { coordinator: Coordinator::new(settings), clock, tasks, counters, warm, stop }))
    }

    /// Creates a cache that also stores entries on disk, so that they outlive the process.
    ///
    /// # Errors
    /// If the store cannot be opened. The message is one line with the reason and the remedy.
    #[cfg(not(feature = "shuttle"))]
    pub fn with_disk(
        settings: CacheSettings,
        disk_settings: crate::disk::DiskSettings,
        clock: Clock,
        tasks: TaskTracker,
    ) -> Result<Self, String> {
        let counters = CacheCounters::new(settings.max_stat_classes.max(1));
        let (warm, stop) = (WarmSet::default(), CancellationToken::new());
        let mut coordinator = Coordinator::new(settings);
        coordinator.open_disk_tier(disk_settings, &clock)?;
        Ok(Self(Arc::new(CacheEngine { coordinator, clock, tasks, counters, warm, stop })))
    }

    /// Waits until every invalidation made so far is durable, and has been heard by all caches that share the remote
    /// store; at most for the timeouts in the settings of disk and store. Returns whether all are; true without either.
    #[cfg(not(feature = "shuttle"))]
    pub async fn flush_invalidations(&self) -> bool {
        let on_disk = async {
            match &self.0.coordinator.disk_tier {
                Some(disk_tier) => disk_tier.disk.flush_invalidations().await,
                None => true,
            }
        };
        let remotely = async {
            match self.0.coordinator.remote_tier.get() {
                Some(remote_tier) => remote_tier.store.flush_invalidations().await,
                None => true,
            }
        };
        let (is_on_disk, is_remote) = tokio::join!(on_disk, remotely);
        is_on_disk && is_remote
    }

    /// Waits until everything queued so far for the disk tier is written or lost. True if all of it was written within
    /// `limit`.
    #[cfg(not(feature = "shuttle"))]
    pub async fn flush(&self, limit: std::time::Duration) -> bool {
        match &self.0.coordinator.disk_tier {
            Some(disk_tier) => disk_tier.disk.flush(limit).await,
            None => true,
        }
    }

    /// Statistics of the disk tier, if there is one.
    #[cfg(not(feature = "shuttle"))]
    pub fn disk_stats(&self) -> Option<crate::disk::DiskStats> {
        self.0.coordinator.disk_tier.as_ref().map(|disk_tier| disk_tier.disk.stats())
    }

    /// The kind of the disk tier's current error, if any. It knows its remedy.
    #[cfg(not(feature = "shuttle"))]
    pub fn disk_error(&self) -> Option<crate::disk::error::StorageErrorKind> {
        self.0.coordinator.disk_tier.as_ref().and_then(|disk_tier| disk_tier.disk.error_kind())
    }

    /// A watch that is true while the disk tier is degraded; `None` without a disk tier.
    #[cfg(not(feature = "shuttle"))]
    pub fn subscribe_disk_health(&self) -> Option<tokio::sync::watch::Receiver<bool>> {
        self.0.coordinator.disk_tier.as_ref().map(|disk_tier| disk_tier.disk.subscribe_health())
    }

    /// Ends the disk tier as a crash would: queued writes are lost.
    #[cfg(test)]
    #[cfg(not(feature = "shuttle"))]
    pub(crate) async fn crash_disk(&self) {
        if let Some(disk_tier) = &self.0.coordinator.disk_tier {
            disk_tier.disk.crash().await;
        }
    }

    /// Writes what is queued and closes the disk tier. Returns the number of lost entries.
    #[cfg(not(feature = "shuttle"))]
    pub async fn close_disk(&self) -> u64 {
        match &self.0.coordinator.disk_tier {
            Some(disk_tier) => disk_tier.disk.close().await,
            None => 0,
        }
    }

    /// Returns the response from the cache, or loads it. `loader` is called only if this read starts a load, not if it
    /// joins one.
    ///
    /// A load runs in its own task: dropping this future neither cancels it nor affects other reads that wait for it.
    pub async fn get_or_load<L: Loader>(
        &self,
        key: &Key,
        policy: &Policy,
        directive: CacheDirective,
        loader: impl FnOnce() -> L,
    ) -> Result<CacheResponse<L::Pass>, LoadError> {
        let now_ms = self.0.clock.now();
        if let Some(response) = self.hit(key, policy, directive, now_ms) {
            return Ok(response);
        }
        Box::pin(CacheRead::new(&self.0, key, policy, directive, loader, now_ms).run()).await
    }

    /// The common case: a fresh entry in memory that needs no refresh.
    #[inline]
    fn hit<P>(
        &self,
        key: &Key,
        policy: &Policy,
        directive: CacheDirective,
        now_ms: Timestamp,
    ) -> Option<CacheResponse<P>> {
        if !matches!(directive, CacheDirective::Any | CacheDirective::OnlyIfCached) {
            return None;
        }
        let (entry, _) = self.fresh_entry(key, policy, now_ms, |_| true)?;
        Some(CacheResponse::cached(entry, CacheStatus::Hit, Tier::Memory, (policy, now_ms), None))
    }

    /// The entry that [`Self::get_or_load`] would serve at once as a hit in memory: a fresh entry that needs no refresh,
    /// with its fresh time left in milliseconds. It counts as a hit if `accept` agrees once it is found; `None` leaves
    /// everything as it was. No allocation, no lock but the map's own.
    #[inline]
    pub fn fresh_entry(
        &self,
        key: &Key,
        policy: &Policy,
        now_ms: Timestamp,
        accept: impl FnOnce(&Entry) -> bool,
    ) -> Option<(Arc<Entry>, i64)> {
        if !self.0.coordinator.trust.holds(&self.0.clock, now_ms) {
            return None;
        }
        let (entry, validity) = self.0.coordinator.get(key)?;
        match evaluate_freshness(&entry, policy, now_ms, validity) {
            Freshness::Fresh { refresh_due } if (!refresh_due || !entry.may_refresh(now_ms)) && accept(&entry) => {
                entry.counters.hits.one();
                entry.record_read(now_ms);
                let left_ms = fresh_left_ms(&entry, policy, now_ms);
                Some((entry, left_ms))
            }
            _ => None,
        }
    }

    /// The entry in memory under a key, whatever its age and validity. For diagnosis: changes no state.
    pub fn peek(&self, key: &Key) -> Option<Arc<Entry>> {
        self.0.coordinator.memory.peek(key)
    }

    /// Forgets that the last load of a key failed: the failure was its caller's alone, so the next caller loads.
    pub fn forget_failure(&self, key: &Key) {
        self.0.coordinator.negative.forget_failed(key);
    }

    /// Everything known about a key. For diagnosis: changes no state.
    pub fn diagnose(&self, key: &Key) -> Diagnosis {
        self.0.diagnose(key)
    }

    /// Invalidates a scope and returns the timestamp of the invalidation. Reads after this call never get an entry of
    /// that scope whose load began before it, except instead of a failed load where `invalidation` allows that.
    pub fn invalidate(&self, scope: &Scope, invalidation: &Invalidation) -> HybridTimestamp {
        self.0.counters.invalidations.one();
        self.0.coordinator.invalidate(scope, invalidation, self.0.clock.now())
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
        let coordinator = &self.0.coordinator;
        let (markers, markers_folded) = coordinator.invalidations.count();
        CacheStats {
            bytes: coordinator.memory.bytes(),
            max_bytes: coordinator.settings.max_bytes,
            entries: coordinator.memory.entries(),
            flights: coordinator.flights.count() as u64,
            markers: markers as u64,
            markers_folded,
            warm_keys: self.0.warm.len() as u64,
            warm_checked_ms: self.0.warm.checked_ms(),
            ..self.0.counters.snapshot()
        }
    }

    /// Refreshes every warm key of one namespace, or of all namespaces, and waits for the loads. Returns their number.
    pub async fn refresh_warm_keys(&self, namespace: Option<&str>) -> usize {
        self.0.warm_all(namespace).await
    }

    /// Refreshes a warm key if four fifths of its fresh time have passed, whatever its access rhythm. For callers that
    /// know that a read is coming. Counted as warming, but with a budget of its own. Returns whether a load was started
    /// or joined.
    pub fn refresh_due(&self, key: &Key) -> bool {
        self.0.refresh_due(key)
    }

    /// The warm keys of a partition with their access rhythms, to be saved for [`Self::resume_warm`].
    pub fn warm_keys(&self, namespace: &str, partition: &Partition) -> Vec<(Key, AccessRhythmSnapshot)> {
        self.0.warm_keys(namespace, partition)
    }

    /// Makes a key warm again after a restart, with its saved rhythm and a new loader, if the disk tier has an entry
    /// for it. Not counted as a read; its loads count as warming.
    #[cfg(not(feature = "shuttle"))]
    pub async fn resume_warm<L: Loader>(&self, key: &Key, policy: &Policy, loader: L, rhythm: AccessRhythmSnapshot) {
        self.0.resume_warm(key, policy, loader, rhythm).await;
    }

    /// Starts the background task that refreshes warm keys. [`Self::shutdown`] stops it.
    pub fn run_warmer(&self) {
        self.0.tasks.spawn(Arc::clone(&self.0).run_warmer());
    }

    /// Stops the warmer, drops its loaders, and starts no more refreshes. Loads in progress continue: wait for the task
    /// tracker.
    pub fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.warm.clear();
    }
}
