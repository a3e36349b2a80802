//! All limits of the engine.

use std::time::Duration;

const MIB: u64 = 1024 * 1024;
/// Max shards of the memory tier. There are fewer if the largest entry would not fit in one.
const MAX_SHARDS: u64 = 64;

/// The engine's limits. All have defaults; what they reject is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// Max bytes of the memory tier, all overhead included.
    pub max_bytes: u64,
    /// Max bytes of an entry; a larger one is served but not stored.
    pub max_entry_bytes: u64,
    /// Max bytes of a partition; beyond it, the partition's own entries are evicted.
    pub max_partition_bytes: u64,
    /// Max tags of a value; with more it is served but not stored.
    pub max_tags: usize,
    /// Max loads in progress.
    pub max_flights: usize,
    /// Max callers waiting for one load.
    pub max_waiters: usize,
    /// Max duration of a load. An older flight is dropped, and the next caller starts another.
    pub flight_max_age: Duration,
    /// Time for which every caller loads for itself after a key turned out to be uncacheable.
    pub uncacheable_for: Duration,
    /// Time for which a key's failed load (unreachable, timed out, server error) is remembered.
    pub error_ttl: Duration,
    /// Time for which a key's denial is remembered.
    pub denied_ttl: Duration,
    /// Time for which the source's lack of a key's value is remembered, where the loader wants that.
    pub absence_ttl: Duration,
    /// Max bytes of the negative cache.
    pub max_negative_bytes: u64,
    /// Max scopes with their own invalidation record; beyond it, the older half is folded into their namespaces.
    pub max_markers: usize,
    /// Wait after a first failed refresh; doubles with every further one …
    pub refresh_backoff: Duration,
    /// … up to this.
    pub refresh_backoff_max: Duration,
    /// Max age of a load that satisfies a caller that demands a reload.
    pub reload_within: Duration,
    /// Time after its last read for which a key, and its loader, are kept warm.
    pub warm_idle_limit: Duration,
    /// Warming pauses when no client has read anything for this long.
    pub warm_quiet_after: Duration,
    /// Warm loads per namespace and minute.
    pub warm_budget_per_minute: u32,
    /// Interval of the warmer's rounds.
    pub warm_tick: Duration,
    /// Max warm keys.
    pub max_warm_keys: usize,
    /// Max pairs of namespace and class with their own statistics; all others share one.
    pub max_stat_classes: usize,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            max_bytes: 256 * MIB,
            max_entry_bytes: 16 * MIB,
            max_partition_bytes: 128 * MIB,
            max_tags: 1024,
            max_flights: 4096,
            max_waiters: 10_000,
            flight_max_age: Duration::from_mins(2),
            uncacheable_for: Duration::from_mins(1),
            error_ttl: Duration::from_secs(1),
            denied_ttl: Duration::from_secs(10),
            absence_ttl: Duration::from_mins(1),
            max_negative_bytes: 8 * MIB,
            max_markers: 65_536,
            refresh_backoff: Duration::from_secs(1),
            refresh_backoff_max: Duration::from_mins(1),
            reload_within: Duration::from_secs(2),
            warm_idle_limit: Duration::from_mins(10),
            warm_quiet_after: Duration::from_mins(10),
            warm_budget_per_minute: 30,
            warm_tick: Duration::from_secs(2),
            max_warm_keys: 1024,
            max_stat_classes: 1024,
        }
    }
}

impl CacheSettings {
    /// Number of shards of the memory tier: as many as leave each one room for two of the largest entries.
    pub(crate) fn shards(&self) -> u64 {
        let fitting = self.max_bytes / self.max_entry_bytes.max(1) / 2;
        let fitting = fitting.clamp(1, MAX_SHARDS);
        1 << fitting.ilog2()
    }

    /// These settings made consistent: no entry larger than a shard admits, no partition larger than the tier, no limit
    /// of zero where at least one must pass.
    #[must_use]
    pub(crate) fn coherent(mut self) -> Self {
        self.max_bytes = self.max_bytes.max(1);
        // The map admits nothing above 97 % of a shard.
        let shard = self.max_bytes / self.shards();
        self.max_entry_bytes = self.max_entry_bytes.min(shard - shard / 32);
        self.max_partition_bytes = self.max_partition_bytes.min(self.max_bytes);
        self.max_flights = self.max_flights.max(1);
        self.max_waiters = self.max_waiters.max(1);
        self.max_markers = self.max_markers.max(16);
        self.max_stat_classes = self.max_stat_classes.max(1);
        self.warm_tick = self.warm_tick.max(Duration::from_millis(1));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_entry_fits_a_shard() {
        for (max_bytes, max_entry_bytes) in [(256 * MIB, 16 * MIB), (1000, 16 * MIB), (MIB, 1), (0, 0), (100, 99)] {
            let settings = CacheSettings { max_bytes, max_entry_bytes, ..CacheSettings::default() }.coherent();
            let shard = settings.max_bytes / settings.shards();
            assert!(settings.max_entry_bytes <= shard, "{max_bytes} {max_entry_bytes}: {settings:?}");
        }
    }

    #[test]
    fn the_defaults_are_coherent() {
        assert_eq!(CacheSettings::default().coherent(), CacheSettings::default());
    }
}
