//! Every bound of the engine, by name.

use std::time::Duration;

const MIB: u64 = 1024 * 1024;
/// The memory tier is cut into at most this many shards, and into so few that the largest entry fits in one.
const MAX_SHARDS: u64 = 64;

/// The engine's bounds. All of them have defaults; what is refused because of them is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Bytes the memory tier may hold, all overhead included.
    pub max_bytes: u64,
    /// A larger entry is answered but not kept.
    pub max_entry_bytes: u64,
    /// Bytes one partition may hold; beyond, its own entries make room.
    pub max_partition_bytes: u64,
    /// A value with more tags is answered but not kept.
    pub max_tags: usize,
    /// Loads under way at a time.
    pub max_flights: usize,
    /// Callers that wait for one load.
    pub max_waiters: usize,
    /// A load that takes longer is dropped, and a caller that finds one so old starts another.
    pub flight_max_age: Duration,
    /// How long a key whose value was not for keeping is loaded by every caller for himself.
    pub uncacheable_for: Duration,
    /// How long a key's failed load (unreachable, timed out, server error) is remembered.
    pub error_memory: Duration,
    /// How long a key's denial is remembered.
    pub denied_memory: Duration,
    /// Bytes kept for remembering failures and uncacheable keys.
    pub max_memo_bytes: u64,
    /// Scopes with a marker of their own; beyond, the older half becomes markers of their whole namespaces.
    pub max_markers: usize,
    /// The wait after a first failed refresh; it doubles with every further one …
    pub refresh_backoff: Duration,
    /// … up to this.
    pub refresh_backoff_max: Duration,
    /// What was loaded no longer ago than this satisfies a caller that demands a reload.
    pub reload_within: Duration,
    /// A key is kept warm while its last read is no longer ago than this; its loader is kept no longer either.
    pub warm_idle_limit: Duration,
    /// Nothing is kept warm when no client has read anything for so long.
    pub warm_quiet_after: Duration,
    /// Loads for warming, per namespace and minute.
    pub warm_budget_per_minute: u32,
    /// How often the warmer looks around.
    pub warm_tick: Duration,
    /// Keys kept warm at a time.
    pub max_warm_keys: usize,
    /// Pairs of namespace and class with statistics of their own; what is beyond shares one.
    pub max_stat_cells: usize,
}

impl Default for Settings {
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
            error_memory: Duration::from_secs(1),
            denied_memory: Duration::from_secs(10),
            max_memo_bytes: 8 * MIB,
            max_markers: 65_536,
            refresh_backoff: Duration::from_secs(1),
            refresh_backoff_max: Duration::from_mins(1),
            reload_within: Duration::from_secs(2),
            warm_idle_limit: Duration::from_mins(10),
            warm_quiet_after: Duration::from_mins(10),
            warm_budget_per_minute: 30,
            warm_tick: Duration::from_secs(2),
            max_warm_keys: 1024,
            max_stat_cells: 1024,
        }
    }
}

impl Settings {
    /// How many shards the memory tier has: as many as leave each one room for two of the largest entries.
    pub(crate) fn shards(&self) -> u64 {
        let fitting = self.max_bytes / self.max_entry_bytes.max(1) / 2;
        let fitting = fitting.clamp(1, MAX_SHARDS);
        1 << fitting.ilog2()
    }

    /// These settings with what contradicts itself cut to what can hold: no entry is larger than fits a shard, no
    /// partition larger than the tier, no limit zero that must let one through.
    #[must_use]
    pub(crate) fn coherent(mut self) -> Self {
        self.max_bytes = self.max_bytes.max(1);
        // The store admits nothing above 97 % of a shard.
        let shard = self.max_bytes / self.shards();
        self.max_entry_bytes = self.max_entry_bytes.min(shard - shard / 32);
        self.max_partition_bytes = self.max_partition_bytes.min(self.max_bytes);
        self.max_flights = self.max_flights.max(1);
        self.max_waiters = self.max_waiters.max(1);
        self.max_markers = self.max_markers.max(16);
        self.max_stat_cells = self.max_stat_cells.max(1);
        self.warm_tick = self.warm_tick.max(Duration::from_millis(1));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_entry_fits_a_shard() {
        for (max_bytes, max_entry_bytes) in
            [(256 * MIB, 16 * MIB), (1000, 16 * MIB), (MIB, 1), (0, 0), (100, 99)]
        {
            let settings = Settings { max_bytes, max_entry_bytes, ..Settings::default() }.coherent();
            let shard = settings.max_bytes / settings.shards();
            assert!(settings.max_entry_bytes <= shard, "{max_bytes} {max_entry_bytes}: {settings:?}");
        }
    }

    #[test]
    fn the_defaults_are_coherent() {
        assert_eq!(Settings::default().coherent(), Settings::default());
    }
}
