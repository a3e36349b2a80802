//! Statistics as plain figures.

use crate::load_reason::LoadReason;
use crate::refusal::Refusal;

/// Upper limits of the load time histogram's buckets, in milliseconds; a last bucket takes what is longer.
pub const LOAD_TIME_BUCKETS_MS: [u64; 14] =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000];

/// The whole picture at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Per namespace and class, sorted.
    pub classes: Vec<ClassStats>,
    /// Bytes in the memory tier.
    pub bytes: u64,
    /// Bytes the memory tier may hold.
    pub max_bytes: u64,
    /// Entries in the memory tier.
    pub entries: u64,
    /// Loads under way.
    pub flights: u64,
    /// Scopes with a marker of their own.
    pub markers: u64,
    /// Markers that were folded into their namespaces' because there were too many.
    pub markers_folded: u64,
    /// Invalidations asked for.
    pub invalidations: u64,
    /// Loads not started because too many were under way.
    pub flights_refused: u64,
    /// Callers turned away because too many waited for one load.
    pub waiters_refused: u64,
    /// Keys kept warm.
    pub warm_keys: u64,
    /// When the warmer last looked around, in milliseconds; zero if it never did.
    pub warm_looked_ms: u64,
    /// Keys not taken into the warm set because it was full.
    pub warm_keys_refused: u64,
    /// Warm loads put off because the budget was used up.
    pub warm_over_budget: u64,
}

/// The figures of one namespace and class. Everything counts clients' questions unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassStats {
    /// The namespace.
    pub namespace: String,
    /// The class.
    pub class: &'static str,
    /// Answered fresh from the cache.
    pub hits: u64,
    /// Answered stale from the cache, with a refresh behind.
    pub stale: u64,
    /// Answered with an old value because loading failed, or was of no use to try. Also counted as a miss, or as
    /// offline.
    pub stale_on_error: u64,
    /// Not answered fresh while the source was known not to answer: with an old value, or with nothing. No miss, as
    /// nothing was to be loaded.
    pub offline: u64,
    /// Answered by loading. Also counted as a miss.
    pub loaded: u64,
    /// Waited for somebody else's load. Also counted as a miss.
    pub joins: u64,
    /// Not answered from the cache, by reason.
    pub misses: [(LoadReason, u64); LoadReason::EVERY.len()],
    /// Answered with a failure.
    pub failed_answers: u64,
    /// Loads that brought a value, whoever caused them.
    pub loads_ok: u64,
    /// Loads that brought something to share but not to keep.
    pub loads_shared: u64,
    /// Loads that brought something for their caller only.
    pub loads_passed: u64,
    /// Loads that failed.
    pub loads_failed: u64,
    /// Loads that took too long.
    pub loads_timed_out: u64,
    /// How long loads took.
    pub load_times: LoadTimes,
    /// Loads started behind a read.
    pub refreshes: u64,
    /// Refreshed values that were read at least once.
    pub refreshes_useful: u64,
    /// Refreshed values that went unread.
    pub refreshes_useless: u64,
    /// Loads for warming: nobody asked.
    pub warm_loads: u64,
    /// Warmed values that were read at least once.
    pub warm_useful: u64,
    /// Warmed values that went unread.
    pub warm_useless: u64,
    /// Values that were loaded ahead of a read that was likely to come, and kept.
    pub ahead_loads: u64,
    /// Values loaded ahead that a client has read.
    pub ahead_useful: u64,
    /// Values loaded ahead that left memory unread.
    pub ahead_useless: u64,
    /// Entries that had to make room.
    pub evictions: u64,
    /// Misses of what had to make room although it was fresh.
    pub regrets: u64,
    /// Values not stored, by reason.
    pub refusals: [(Refusal, u64); Refusal::EVERY.len()],
    /// Bytes in memory.
    pub bytes: u64,
    /// Entries in memory.
    pub entries: u64,
}

impl ClassStats {
    /// Misses of every reason.
    pub fn missed(&self) -> u64 {
        self.misses.iter().map(|(_, count)| count).sum()
    }

    /// Questions of clients.
    pub fn asked(&self) -> u64 {
        self.hits + self.stale + self.missed() + self.offline
    }

    /// The share of clients' questions that was answered at once from the cache, `None` when nobody asked.
    pub fn hit_rate(&self) -> Option<f64> {
        let asked = self.asked();
        (asked > 0).then(|| (self.hits + self.stale) as f64 / asked as f64)
    }

    /// Values not stored for this reason.
    pub fn refused(&self, why: Refusal) -> u64 {
        self.refusals.iter().find(|(refusal, _)| *refusal == why).map_or(0, |(_, count)| *count)
    }

    /// Misses for this reason.
    pub fn missed_for(&self, why: LoadReason) -> u64 {
        self.misses.iter().find(|(reason, _)| *reason == why).map_or(0, |(_, count)| *count)
    }
}

/// How long loads took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadTimes {
    /// How many fell into each bucket of [`LOAD_TIME_BUCKETS_MS`], and beyond.
    pub counts: [u64; LOAD_TIME_BUCKETS_MS.len() + 1],
    /// All of it, in milliseconds.
    pub sum_ms: u64,
}

impl LoadTimes {
    /// How many loads there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}
