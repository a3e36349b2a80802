//! Cache statistics in the terms and shape of the page, the API and the metrics.

use greenroom_cache::{Cache, CacheStats, ClassStats, LOAD_TIME_BUCKETS_MS};
use serde::Serialize;
use utoipa::ToSchema;

use crate::counters::since;
use crate::disk::DiskTierStats;

/// Statistics of one server and request type. They count clients' requests only, unless a field says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct ClassCacheStats {
    /// Name of the server.
    pub server: String,
    /// Request type.
    pub class: &'static str,
    /// Served from the cache, fresh.
    pub hits: u64,
    /// Served from the cache, stale, with a background refresh.
    pub stale: u64,
    /// Joined a load that another request had started.
    pub joined: u64,
    /// Loaded from the server.
    pub loaded: u64,
    /// Served from the cache because the server failed.
    pub stale_on_error: u64,
    /// Reads that had to wait: joined, loaded, stale on error and failed together.
    pub misses: u64,
    /// Answered with an error.
    pub failed: u64,
    /// Share of hits and stale; `None` before the first request.
    pub hit_rate: Option<f64>,
    /// Bytes cached now.
    pub bytes: u64,
    /// Entries cached now.
    pub entries: u64,
    /// Own loads for warming.
    pub warm_loads: u64,
    /// Background refreshes.
    pub refreshes: u64,
    /// Own loads whose response was read.
    pub refreshes_useful: u64,
    /// Own loads whose response was never read.
    pub refreshes_useless: u64,
    /// Prefetched responses.
    pub ahead_loads: u64,
    /// Prefetched responses that an app has read.
    pub ahead_useful: u64,
    /// Prefetched responses dropped unread.
    pub ahead_useless: u64,
    /// Evicted entries.
    pub evictions: u64,
    /// For the metrics only.
    #[serde(skip)]
    pub detail: ClassStatsDetail,
}

/// Values for the metrics that the page does not show.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClassStatsDetail {
    /// Misses by reason.
    pub misses: Vec<(&'static str, u64)>,
    /// Loads by reason.
    pub loads: Vec<(&'static str, u64)>,
    /// Refusals by reason.
    pub refusals: Vec<(&'static str, u64)>,
    /// Durations of loads.
    pub load_times: LoadTimeHistogram,
}

/// Load duration histogram: counts per bucket (upper limit in seconds) and the sum in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadTimeHistogram {
    /// Upper bounds in seconds, each with the number of loads up to it.
    pub buckets: Vec<(f64, u64)>,
    /// Sum of all durations, in seconds.
    pub sum_s: f64,
}

/// The memory tier as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MemoryFigures)]
pub struct MemoryTierStats {
    /// Bytes cached now.
    pub bytes: u64,
    /// Max bytes cached.
    pub max_bytes: u64,
    /// Entries cached now.
    pub(crate) entries: u64,
}

/// Engine counters since start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CacheEngineStats {
    /// Counters by server and request type.
    pub classes: Vec<ClassCacheStats>,
    /// The memory tier.
    pub memory: MemoryTierStats,
    /// The disk tier, if configured.
    pub disk: Option<DiskTierStats>,
    /// Loads in progress.
    pub loads_under_way: u64,
    /// Invalidations.
    pub invalidations: u64,
    /// Rejections per engine limit.
    pub limits_reached: Vec<(&'static str, u64)>,
}

impl CacheEngineStats {
    /// Reads the engine's counters.
    pub fn from_cache(cache: &Cache) -> Self {
        Self { disk: cache.disk_stats().map(DiskTierStats::from), ..Self::from(&cache.stats()) }
    }
}

impl From<&CacheStats> for CacheEngineStats {
    fn from(stats: &CacheStats) -> Self {
        Self {
            classes: stats.classes.iter().map(ClassCacheStats::from).collect(),
            memory: MemoryTierStats { bytes: stats.bytes, max_bytes: stats.max_bytes, entries: stats.entries },
            disk: None,
            loads_under_way: stats.flights,
            invalidations: stats.invalidations,
            limits_reached: vec![
                ("loads", stats.flights_refused),
                ("waiters", stats.waiters_refused),
                ("markers", stats.markers_folded),
                ("warm-keys", stats.warm_keys_refused),
                ("warm-budget", stats.warm_over_budget),
            ],
        }
    }
}

impl From<&ClassStats> for ClassCacheStats {
    fn from(stats: &ClassStats) -> Self {
        let misses = stats.misses_total() + stats.offline;
        let by_reason = stats.misses.iter().map(|(reason, count)| (reason.name(), *count));
        let stats_row = Self {
            server: stats.namespace.clone(),
            class: stats.class,
            hits: stats.hits,
            stale: stats.stale,
            joined: stats.joins,
            loaded: stats.loaded,
            stale_on_error: stats.stale_on_error,
            misses,
            failed: stats.failed_reads,
            hit_rate: None,
            bytes: stats.bytes,
            entries: stats.entries,
            warm_loads: stats.warm_loads,
            refreshes: stats.refreshes,
            refreshes_useful: stats.refreshes_useful + stats.warm_useful,
            refreshes_useless: stats.refreshes_useless + stats.warm_useless,
            ahead_loads: stats.prefetch_loads,
            ahead_useful: stats.prefetch_useful,
            ahead_useless: stats.prefetch_useless,
            evictions: stats.evictions,
            detail: ClassStatsDetail {
                misses: by_reason.chain([("offline", stats.offline)]).collect(),
                loads: vec![
                    ("ok", stats.loads_ok),
                    ("shared", stats.loads_shared),
                    ("passed", stats.loads_passed),
                    ("failed", stats.loads_failed),
                    ("timed-out", stats.loads_timed_out),
                ],
                refusals: stats.not_stored.iter().map(|(reason, count)| (reason.name(), *count)).collect(),
                load_times: load_times(stats),
            },
        };
        stats_row.with_hit_rate()
    }
}

impl ClassCacheStats {
    /// Requests of clients.
    pub fn client_requests(&self) -> u64 {
        self.hits + self.stale + self.misses
    }

    /// The difference from an earlier snapshot. Current sizes are not subtracted.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let stats_row = since!(
            self, before;
            hits stale joined loaded stale_on_error misses failed warm_loads refreshes refreshes_useful
            refreshes_useless ahead_loads ahead_useful ahead_useless evictions
        );
        stats_row.with_hit_rate()
    }

    fn with_hit_rate(mut self) -> Self {
        self.hit_rate = share(self.hits + self.stale, self.client_requests());
        self
    }
}

/// The hit rate over all request types.
pub fn hit_rate(classes: &[ClassCacheStats]) -> Option<f64> {
    let hits = classes.iter().map(|stats_row| stats_row.hits + stats_row.stale).sum();
    share(hits, classes.iter().map(ClassCacheStats::client_requests).sum())
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn load_times(stats: &ClassStats) -> LoadTimeHistogram {
    let bounds = LOAD_TIME_BUCKETS_MS.iter().map(|limit_ms| *limit_ms as f64 / 1000.0).chain([f64::INFINITY]);
    LoadTimeHistogram {
        buckets: bounds.zip(stats.load_times.counts).collect(),
        sum_s: stats.load_times.sum_ms.as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use greenroom_cache::{
        CacheDirective, CacheSettings, Clock, Entry, Key, LoadError, LoadErrorKind, LoadReason, LoadResult, Loader,
        Partition, Policy,
    };
    use tokio_util::task::TaskTracker;

    use super::*;

    fn class_stats(hits: u64, stale: u64, misses: u64) -> ClassCacheStats {
        ClassCacheStats { hits, stale, misses, bytes: 7, ..ClassCacheStats::default() }.with_hit_rate()
    }

    #[test]
    fn without_requests_there_is_no_hit_rate() {
        assert_eq!(class_stats(0, 0, 0).hit_rate, None);
        assert_eq!(class_stats(0, 0, 3).hit_rate, Some(0.0));
        assert_eq!(hit_rate(&[]), None);
    }

    struct UnreachableLoader;

    impl Loader for UnreachableLoader {
        type Pass = ();

        async fn load(&self, _: LoadReason, _: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
            Err(LoadError::new(LoadErrorKind::Unreachable, "the server is down"))
        }
    }

    /// Cache statistics of a request type with one failed load.
    async fn one_failed() -> ClassStats {
        let cache = Cache::new(CacheSettings::default(), Clock::system(), TaskTracker::new());
        let key = Key::new("home", &Partition::new("anna"), "/a");
        let policy = Policy {
            class: "scene",
            fresh: Duration::ZERO,
            freshness_bound: None,
            stale: Duration::ZERO,
            stale_on_error: Duration::ZERO,
            refresh_ahead: false,
            warm: false,
            soft_timeout: Duration::from_secs(1),
            hard_timeout: Duration::from_secs(1),
        };
        assert!(cache.get_or_load(&key, &policy, CacheDirective::Any, || UnreachableLoader).await.is_err());
        cache.stats().classes.remove(0)
    }

    #[tokio::test]
    async fn an_outage_decreases_no_counter_of_a_request_type() {
        let up = ClassStats { loaded: 25, hits: 5, ..one_failed().await };
        let down = ClassStats { stale_on_error: 50, offline: 60, failed_reads: 11, ..up.clone() };
        let (before, after) = (ClassCacheStats::from(&up), ClassCacheStats::from(&down));
        assert_eq!((before.loaded, before.misses, before.failed), (25, 1, 1));
        assert_eq!((after.loaded, after.stale_on_error, after.failed), (25, 50, 11));
        assert_eq!((after.misses, after.client_requests()), (61, 66), "requests during the outage count as well");
        assert!(after.hit_rate < before.hit_rate);
        let by_reason: u64 = after.detail.misses.iter().map(|(_, count)| count).sum();
        assert_eq!(by_reason, after.misses);
    }

    #[test]
    fn background_refreshes_do_not_count_in_the_hit_rate() {
        let with_refreshes =
            ClassCacheStats { refreshes: 100, warm_loads: 100, ..class_stats(1, 1, 2) }.with_hit_rate();
        assert_eq!(with_refreshes.hit_rate, Some(0.5));
        assert_eq!(hit_rate(&[with_refreshes, class_stats(4, 0, 0)]), Some(0.75));
    }

    #[test]
    fn a_difference_keeps_current_sizes_and_recomputes_the_hit_rate() {
        let before = class_stats(90, 0, 10);
        let now = class_stats(90, 0, 20);
        let since = now.since(&before);
        assert_eq!((since.hits, since.misses, since.bytes), (0, 10, 7));
        assert_eq!(since.hit_rate, Some(0.0));
    }
}
