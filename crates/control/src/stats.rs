//! The engine's figures, in the words and the shape the page, the API and the metrics show.

use greenroom_cache::{Cache, ClassStats, LOAD_TIME_BUCKETS_MS, Stats};
use serde::Serialize;
use utoipa::ToSchema;

use super::disk::DiskFigures;

/// What was counted for one server and class. Clients' questions only, unless a field says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(super) struct ClassFigures {
    pub(super) server: String,
    pub(super) class: &'static str,
    /// Answered at once from the cache, fresh.
    pub(super) hits: u64,
    /// Answered at once from the cache, while one refresh runs behind.
    pub(super) stale: u64,
    /// Waited for a question that somebody else had asked already.
    pub(super) joined: u64,
    /// Answered by asking the server.
    pub(super) loaded: u64,
    /// Answered with what was kept, because the server did not answer.
    pub(super) stale_on_error: u64,
    /// Not answered at once from the cache: joined, loaded, stale on error and failed together.
    pub(super) misses: u64,
    /// Answered with an error.
    pub(super) failed: u64,
    /// Hits and stale as a share of all; `None` before anybody asked.
    pub(super) hit_rate: Option<f64>,
    /// Bytes kept now.
    pub(super) bytes: u64,
    /// Answers kept now.
    pub(super) entries: u64,
    /// Our own loads that nobody waited for.
    pub(super) warm_loads: u64,
    /// Our own loads behind a read.
    pub(super) refreshes: u64,
    /// Of our own loads, those whose answer was read.
    pub(super) refreshes_useful: u64,
    /// Of our own loads, those whose answer nobody read.
    pub(super) refreshes_useless: u64,
    /// Answers loaded before anybody asked for them.
    pub(super) ahead_loads: u64,
    /// Of these, those that an app has read.
    pub(super) ahead_useful: u64,
    /// Of these, those that were let go unread.
    pub(super) ahead_useless: u64,
    /// Answers that had to make room.
    pub(super) evictions: u64,
    /// For the metrics only.
    #[serde(skip)]
    pub(super) detail: Detail,
}

/// What the page does not show.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Detail {
    pub(super) misses: Vec<(&'static str, u64)>,
    pub(super) loads: Vec<(&'static str, u64)>,
    pub(super) refusals: Vec<(&'static str, u64)>,
    pub(super) load_times: LoadTimes,
}

/// How long loads took: how many per bucket (upper limit in seconds), and all of it in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct LoadTimes {
    pub(super) buckets: Vec<(f64, u64)>,
    pub(super) sum_s: f64,
}

/// The memory tier as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MemoryFigures)]
pub(super) struct Memory {
    /// Bytes kept now.
    pub(super) bytes: u64,
    /// Bytes that may be kept.
    pub(super) max_bytes: u64,
    /// Answers kept now.
    pub(super) entries: u64,
}

/// What the engine counted since it began.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Engine {
    pub(super) classes: Vec<ClassFigures>,
    pub(super) memory: Memory,
    /// The disk tier, where there is one.
    pub(super) disk: Option<DiskFigures>,
    pub(super) loads_under_way: u64,
    pub(super) invalidations: u64,
    /// What was refused because a limit of the engine was reached, by limit.
    pub(super) limits_reached: Vec<(&'static str, u64)>,
}

impl Engine {
    /// Reads the engine's counters.
    pub(super) fn read(cache: &Cache) -> Self {
        Self { disk: cache.disk_stats().map(DiskFigures::from), ..Self::from(&cache.stats()) }
    }
}

impl From<&Stats> for Engine {
    fn from(stats: &Stats) -> Self {
        Self {
            classes: stats.classes.iter().map(ClassFigures::from).collect(),
            memory: Memory { bytes: stats.bytes, max_bytes: stats.max_bytes, entries: stats.entries },
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

impl From<&ClassStats> for ClassFigures {
    fn from(stats: &ClassStats) -> Self {
        let misses = stats.missed() + stats.offline;
        let by_reason = stats.misses.iter().map(|(why, count)| (why.name(), *count));
        let figures = Self {
            server: stats.namespace.clone(),
            class: stats.class,
            hits: stats.hits,
            stale: stats.stale,
            joined: stats.joins,
            loaded: stats.loaded,
            stale_on_error: stats.stale_on_error,
            misses,
            failed: stats.failed_answers,
            hit_rate: None,
            bytes: stats.bytes,
            entries: stats.entries,
            warm_loads: stats.warm_loads,
            refreshes: stats.refreshes,
            refreshes_useful: stats.refreshes_useful + stats.warm_useful,
            refreshes_useless: stats.refreshes_useless + stats.warm_useless,
            ahead_loads: stats.ahead_loads,
            ahead_useful: stats.ahead_useful,
            ahead_useless: stats.ahead_useless,
            evictions: stats.evictions,
            detail: Detail {
                misses: by_reason.chain([("offline", stats.offline)]).collect(),
                loads: vec![
                    ("ok", stats.loads_ok),
                    ("shared", stats.loads_shared),
                    ("passed", stats.loads_passed),
                    ("failed", stats.loads_failed),
                    ("timed-out", stats.loads_timed_out),
                ],
                refusals: stats.refusals.iter().map(|(why, count)| (why.name(), *count)).collect(),
                load_times: load_times(stats),
            },
        };
        figures.rated()
    }
}

impl ClassFigures {
    /// Questions of clients.
    pub(super) fn asked(&self) -> u64 {
        self.hits + self.stale + self.misses
    }

    /// The same without what was counted until `before`. What is kept now stays.
    pub(super) fn since(&self, before: &Self) -> Self {
        let less = |pick: fn(&Self) -> u64| pick(self).saturating_sub(pick(before));
        let figures = Self {
            hits: less(|figures| figures.hits),
            stale: less(|figures| figures.stale),
            joined: less(|figures| figures.joined),
            loaded: less(|figures| figures.loaded),
            stale_on_error: less(|figures| figures.stale_on_error),
            misses: less(|figures| figures.misses),
            failed: less(|figures| figures.failed),
            warm_loads: less(|figures| figures.warm_loads),
            refreshes: less(|figures| figures.refreshes),
            refreshes_useful: less(|figures| figures.refreshes_useful),
            refreshes_useless: less(|figures| figures.refreshes_useless),
            ahead_loads: less(|figures| figures.ahead_loads),
            ahead_useful: less(|figures| figures.ahead_useful),
            ahead_useless: less(|figures| figures.ahead_useless),
            evictions: less(|figures| figures.evictions),
            ..self.clone()
        };
        figures.rated()
    }

    fn rated(mut self) -> Self {
        self.hit_rate = share(self.hits + self.stale, self.asked());
        self
    }
}

/// The share of questions that were answered at once, over all classes.
pub(super) fn hit_rate(classes: &[ClassFigures]) -> Option<f64> {
    let at_once = classes.iter().map(|figures| figures.hits + figures.stale).sum();
    share(at_once, classes.iter().map(ClassFigures::asked).sum())
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn load_times(stats: &ClassStats) -> LoadTimes {
    let limits = LOAD_TIME_BUCKETS_MS.iter().map(|limit_ms| *limit_ms as f64 / 1000.0).chain([f64::INFINITY]);
    LoadTimes {
        buckets: limits.zip(stats.load_times.counts).collect(),
        sum_s: stats.load_times.sum_ms as f64 / 1000.0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use greenroom_cache::{
        Clock, Demand, Entry, Failure, FailureKind, Key, Load, LoadReason, Loader, Partition, Policy,
        Settings,
    };
    use tokio_util::task::TaskTracker;

    use super::*;

    fn figures(hits: u64, stale: u64, misses: u64) -> ClassFigures {
        ClassFigures { hits, stale, misses, bytes: 7, ..ClassFigures::default() }.rated()
    }

    #[test]
    fn nobody_asked_is_no_rate_rather_than_none_of_all() {
        assert_eq!(figures(0, 0, 0).hit_rate, None);
        assert_eq!(figures(0, 0, 3).hit_rate, Some(0.0));
        assert_eq!(hit_rate(&[]), None);
    }

    struct Down;

    impl Loader for Down {
        type Pass = ();

        async fn load(&self, _: LoadReason, _: Option<Arc<Entry>>) -> Result<Load<()>, Failure> {
            Err(Failure::new(FailureKind::Unreachable, "it is down"))
        }
    }

    /// The engine's figures of a class of which one load failed.
    async fn one_failed() -> ClassStats {
        let cache = Cache::new(Settings::default(), Clock::system(), TaskTracker::new());
        let key = Key::new("home", &Partition::new("anna"), "/a");
        let policy = Policy {
            class: "scene",
            fresh: Duration::ZERO,
            earlier: None,
            stale: Duration::ZERO,
            stale_on_error: Duration::ZERO,
            refresh_ahead: false,
            warm: false,
            soft_timeout: Duration::from_secs(1),
            hard_timeout: Duration::from_secs(1),
        };
        assert!(cache.get_or_load(&key, &policy, Demand::Any, || Down).await.is_err());
        cache.stats().classes.remove(0)
    }

    #[tokio::test]
    async fn an_outage_makes_no_figure_of_a_class_fall() {
        let up = ClassStats { loaded: 25, hits: 5, ..one_failed().await };
        let down = ClassStats { stale_on_error: 50, offline: 60, failed_answers: 11, ..up.clone() };
        let (before, after) = (ClassFigures::from(&up), ClassFigures::from(&down));
        assert_eq!((before.loaded, before.misses, before.failed), (25, 1, 1));
        assert_eq!((after.loaded, after.stale_on_error, after.failed), (25, 50, 11));
        assert_eq!((after.misses, after.asked()), (61, 66), "who was answered in its absence asked as well");
        assert!(after.hit_rate < before.hit_rate);
        let by_reason: u64 = after.detail.misses.iter().map(|(_, count)| count).sum();
        assert_eq!(by_reason, after.misses);
    }

    #[test]
    fn our_own_refreshes_are_no_part_of_the_rate() {
        let with_own = ClassFigures { refreshes: 100, warm_loads: 100, ..figures(1, 1, 2) }.rated();
        assert_eq!(with_own.hit_rate, Some(0.5));
        assert_eq!(hit_rate(&[with_own, figures(4, 0, 0)]), Some(0.75));
    }

    #[test]
    fn counting_anew_keeps_what_is_there_and_rates_anew() {
        let before = figures(90, 0, 10);
        let now = figures(90, 0, 20);
        let since = now.since(&before);
        assert_eq!((since.hits, since.misses, since.bytes), (0, 10, 7));
        assert_eq!(since.hit_rate, Some(0.0));
    }
}
