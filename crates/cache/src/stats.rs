//! Statistics as plain numbers.

use crate::load_reason::LoadReason;
use crate::not_stored_reason::NotStoredReason;
use crate::timestamp::Timestamp;
use std::time::Duration;

/// Upper bounds of the load time histogram's buckets, in milliseconds. A last bucket holds longer loads.
pub const LOAD_TIME_BUCKETS_MS: [u64; 14] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000];

/// All statistics at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Per namespace and class, sorted.
    pub classes: Vec<ClassStats>,
    /// Bytes in the memory tier.
    pub bytes: u64,
    /// Maximum bytes of the memory tier.
    pub max_bytes: u64,
    /// Entries in the memory tier.
    pub entries: u64,
    /// Loads in progress.
    pub flights: u64,
    /// Scopes with an invalidation record of their own.
    pub markers: u64,
    /// Records folded into their namespace's because there were too many.
    pub markers_folded: u64,
    /// Invalidations requested.
    pub invalidations: u64,
    /// Loads not started because too many were in progress.
    pub flights_refused: u64,
    /// Callers rejected because too many waited for one load.
    pub waiters_refused: u64,
    /// Keys kept warm.
    pub warm_keys: u64,
    /// Time of the warmer's last round, in milliseconds; zero if there was none.
    pub warm_checked_ms: Timestamp,
    /// Keys not added to the warm set because it was full.
    pub warm_keys_refused: u64,
    /// Warm loads postponed because the budget was used up.
    pub warm_over_budget: u64,
}

/// Statistics of one namespace and class. All of them count client requests unless stated otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassStats {
    /// The namespace.
    pub namespace: String,
    /// The class.
    pub class: &'static str,
    /// Served fresh from the cache.
    pub hits: u64,
    /// Served stale from the cache, with a background refresh.
    pub stale: u64,
    /// Served an old value because loading failed or was pointless. Also counted as a miss or as offline.
    pub stale_on_error: u64,
    /// Not served fresh while the source was known to be down: served an old value, or nothing. Not a miss, because
    /// nothing could be loaded.
    pub offline: u64,
    /// Served by loading. Also counted as a miss.
    pub loaded: u64,
    /// Served by joining another caller's load. Also counted as a miss.
    pub joins: u64,
    /// Not served from the cache, by reason.
    pub misses: [(LoadReason, u64); LoadReason::EVERY.len()],
    /// Answered with an error.
    pub failed_reads: u64,
    /// Served a value that the source confirmed without sending it. Also counted as a miss.
    pub confirmed: u64,
    /// Loads that returned a cacheable value, whatever caused them.
    pub loads_ok: u64,
    /// Loads that ended with the cached value confirmed.
    pub loads_confirmed: u64,
    /// Loads whose value was shared with waiters but not cacheable.
    pub loads_shared: u64,
    /// Loads whose result was for their own caller only.
    pub loads_passed: u64,
    /// Loads that failed.
    pub loads_failed: u64,
    /// Loads that timed out.
    pub loads_timed_out: u64,
    /// Duration of loads.
    pub load_times: LoadTimes,
    /// Background refreshes started by a read.
    pub refreshes: u64,
    /// Refreshed values that were read at least once.
    pub refreshes_useful: u64,
    /// Refreshed values that were never read.
    pub refreshes_useless: u64,
    /// Loads for warming, without a client request.
    pub warm_loads: u64,
    /// Warmed values that were read at least once.
    pub warm_useful: u64,
    /// Warmed values that were never read.
    pub warm_useless: u64,
    /// Values prefetched and stored.
    pub prefetch_loads: u64,
    /// Prefetched values that a client has read.
    pub prefetch_useful: u64,
    /// Prefetched values that left memory unread.
    pub prefetch_useless: u64,
    /// Entries evicted.
    pub evictions: u64,
    /// Misses of entries that were evicted while fresh.
    pub eviction_misses: u64,
    /// Values not stored, by reason.
    pub not_stored: [(NotStoredReason, u64); NotStoredReason::EVERY.len()],
    /// Bytes in memory.
    pub bytes: u64,
    /// Entries in memory.
    pub entries: u64,
}

impl ClassStats {
    /// Misses of every reason.
    pub fn misses_total(&self) -> u64 {
        self.misses.iter().map(|(_, count)| count).sum()
    }

    /// Client requests.
    pub fn requests(&self) -> u64 {
        self.hits + self.stale + self.misses_total() + self.offline
    }

    /// Share of client requests served from the cache, at once or once confirmed; `None` without requests.
    pub fn hit_rate(&self) -> Option<f64> {
        let requests = self.requests();
        (requests > 0).then(|| (self.hits + self.stale + self.confirmed) as f64 / requests as f64)
    }

    /// Values not stored for this reason.
    #[cfg(all(test, not(feature = "shuttle")))]
    pub(crate) fn not_stored_for(&self, reason: NotStoredReason) -> u64 {
        self.not_stored.iter().find(|(other, _)| *other == reason).map_or(0, |(_, count)| *count)
    }

    /// Misses for this reason.
    pub fn misses_for(&self, reason: LoadReason) -> u64 {
        self.misses.iter().find(|(other, _)| *other == reason).map_or(0, |(_, count)| *count)
    }
}

/// Histogram of load durations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadTimes {
    /// Count per bucket of [`LOAD_TIME_BUCKETS_MS`], plus one for longer loads.
    pub counts: [u64; LOAD_TIME_BUCKETS_MS.len() + 1],
    /// Sum of all durations, in milliseconds.
    pub sum_ms: Duration,
}

impl LoadTimes {
    /// Number of loads.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}
