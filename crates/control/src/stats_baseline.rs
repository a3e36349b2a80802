//! Counters since start, and the baseline from which the displayed values count. Counters never decrease; a reset of
//! the statistics moves the baseline.

use greenroom_cache::Timestamp;
use std::collections::BTreeMap;

use parking_lot::RwLock;

use super::apps::AppStats;
use super::servers::ServerStats;
use super::snapshot::{ServerWarning, StatsSnapshot, StatsTotals};
use crate::stats;
use crate::stats::{CacheEngineStats, ClassCacheStats};
use greenroom_origin::client_apps::OTHERS;
use greenroom_origin::client_apps::STRANGERS;

/// All counters since start.
#[derive(Debug, Clone, Default)]
pub struct CumulativeStats {
    /// Counters of the servers.
    pub servers: Vec<ServerStats>,
    /// Counters of the apps.
    pub apps: Vec<AppStats>,
    /// Counters of the cache engine.
    pub engine: CacheEngineStats,
    /// Active warnings.
    pub warnings: Vec<ServerWarning>,
}

/// The counters at the last reset.
#[derive(Debug)]
pub struct Baseline(RwLock<BaselineCounters>);

#[derive(Debug, Default)]
struct BaselineCounters {
    since_ms: Timestamp,
    servers: BTreeMap<String, ServerStats>,
    apps: BTreeMap<(String, String), AppStats>,
    classes: BTreeMap<(String, &'static str), ClassCacheStats>,
}

impl Baseline {
    /// A baseline of zero.
    pub fn new(now_ms: Timestamp) -> Self {
        Self(RwLock::new(BaselineCounters { since_ms: now_ms, ..BaselineCounters::default() }))
    }

    /// Moves the baseline to these counters.
    pub fn reset(&self, current: CumulativeStats, now_ms: Timestamp) {
        let (servers, apps, classes) = (current.servers, current.apps, current.engine.classes);
        *self.0.write() = BaselineCounters {
            since_ms: now_ms,
            servers: servers.into_iter().map(|server| (server.name.clone(), server)).collect(),
            apps: apps.into_iter().map(|app| ((app.server.clone(), app.name.clone()), app)).collect(),
            classes: classes.into_iter().map(|class| ((class.server.clone(), class.class), class)).collect(),
        };
    }

    /// The displayed values: the counters minus the baseline.
    pub fn snapshot_since(&self, current: CumulativeStats, now_ms: Timestamp) -> StatsSnapshot {
        let baseline = self.0.read();
        let servers: Vec<ServerStats> = current
            .servers
            .into_iter()
            .map(|server| {
                baseline.servers.get(&server.name).map_or_else(|| server.clone(), |before| server.since(before))
            })
            .collect();
        let baseline_apps = baseline.apps_by_slot(&current.apps);
        let apps = current.apps.into_iter().map(|app| {
            let key = (app.server.clone(), app.name.clone());
            baseline_apps.get(&key).map_or_else(|| app.clone(), |before| app.since(before))
        });
        let mut apps: Vec<AppStats> = apps.filter(|app| app.asked > 0).collect();
        apps.sort_by(|left, right| (right.asked, &left.name).cmp(&(left.asked, &right.name)));
        let classes: Vec<ClassCacheStats> = current
            .engine
            .classes
            .into_iter()
            .map(|class| {
                let key = (class.server.clone(), class.class);
                baseline.classes.get(&key).map_or_else(|| class.clone(), |before| class.since(before))
            })
            .collect();
        let sum = |field: fn(&ServerStats) -> u64| servers.iter().map(field).sum();
        let totals = StatsTotals {
            asked: sum(|server| server.asked),
            reached: sum(|server| server.requests_to_server),
            saved: sum(|server| server.saved),
            own: sum(|server| server.own),
            hit_rate: stats::hit_rate(&classes),
        };
        StatsSnapshot {
            as_of_ms: now_ms.as_millis(),
            since_ms: baseline.since_ms.as_millis(),
            version: env!("CARGO_PKG_VERSION"),
            totals,
            memory: current.engine.memory,
            disk: current.engine.disk,
            warnings: current.warnings,
            servers,
            apps,
            classes,
            bypasses: Vec::new(),
            libraries: Vec::new(),
            jobs_running: 0,
            builds_running: 0,
            today: None,
            dashboard_ms: 0,
        }
    }
}

impl BaselineCounters {
    /// The apps' baselines by the slot that counts them now. Counters of an app that lost its slot are part of the
    /// collective slot, even if the app has another slot by now, which starts at zero.
    fn apps_by_slot(&self, now: &[AppStats]) -> BTreeMap<(String, String), AppStats> {
        let counts: BTreeMap<(&str, &str), u64> =
            now.iter().map(|app| ((app.server.as_str(), app.name.as_str()), app.asked)).collect();
        let mut baseline = BTreeMap::<(String, String), AppStats>::new();
        for before in self.apps.values() {
            let keeps_slot =
                counts.get(&(before.server.as_str(), before.name.as_str())).is_some_and(|count| *count >= before.asked);
            let collective = if before.is_stranger { STRANGERS } else { OTHERS };
            let name = if keeps_slot { before.name.as_str() } else { collective };
            baseline.entry((before.server.clone(), name.to_owned())).or_default().add(before);
        }
        baseline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn current(count: u64) -> CumulativeStats {
        let server = |name: &str| ServerStats {
            name: name.into(),
            asked: count,
            saved: count / 2,
            requests_to_server: count,
            own: 1,
            in_flight: 3,
            ..ServerStats::default()
        };
        let app = |server: &str, name: &str, count| AppStats {
            server: server.into(),
            name: name.into(),
            asked: count,
            ..AppStats::default()
        };
        let class = |server: &str| ClassCacheStats {
            server: server.into(),
            class: "lists",
            hits: count,
            ..ClassCacheStats::default()
        };
        CumulativeStats {
            servers: vec![server("home"), server("attic")],
            apps: vec![app("home", "few", 1), app("home", "many", count), app("attic", "many", count)],
            engine: CacheEngineStats { classes: vec![class("home"), class("attic")], ..CacheEngineStats::default() },
            warnings: Vec::new(),
        }
    }

    #[test]
    fn totals_are_the_sums_of_the_servers() {
        let snapshot = Baseline::new(Timestamp::from_millis(5)).snapshot_since(current(10), Timestamp::from_millis(9));
        assert_eq!((snapshot.as_of_ms, snapshot.since_ms), (9, 5));
        let totals = StatsTotals { asked: 20, reached: 20, saved: 10, own: 2, hit_rate: Some(1.0) };
        let expected = StatsTotals { hit_rate: stats::hit_rate(&snapshot.classes), ..totals };
        assert_eq!(snapshot.totals, expected);
        assert_eq!(snapshot.apps.iter().map(|app| app.asked).collect::<Vec<_>>(), [10, 10, 1]);
    }

    #[test]
    fn after_a_reset_counts_start_at_zero() {
        let baseline = Baseline::new(Timestamp::UNIX_EPOCH);
        baseline.reset(current(10), Timestamp::from_millis(100));
        let snapshot = baseline.snapshot_since(current(10), Timestamp::from_millis(101));
        assert_eq!(snapshot.totals, StatsTotals::default());
        assert_eq!(snapshot.since_ms, 100);
        assert!(snapshot.apps.is_empty());
        assert_eq!(snapshot.servers[0].in_flight, 3, "current values are not subtracted");
        assert_eq!(baseline.snapshot_since(current(14), Timestamp::from_millis(102)).totals.asked, 8);
    }

    #[test]
    fn an_app_that_loses_its_slot_after_a_reset_moves_its_baseline_to_the_collective_slot() {
        let app = |name: &str, count, is_stranger| AppStats {
            server: "home".into(),
            name: name.into(),
            asked: count,
            is_stranger,
            ..AppStats::default()
        };
        let current = |apps: Vec<AppStats>| CumulativeStats { apps, ..CumulativeStats::default() };
        let baseline = Baseline::new(Timestamp::UNIX_EPOCH);
        let before = vec![app("others", 5, false), app("gone", 100, false), app("odd", 7, true), app("tv", 9, false)];
        baseline.reset(current(before), Timestamp::from_millis(100));
        let requests = |apps| {
            let snapshot = baseline.snapshot_since(current(apps), Timestamp::from_millis(101)).apps.into_iter();
            snapshot.map(|app| (app.name, app.asked)).collect::<Vec<_>>()
        };
        let now = vec![app("others", 107, false), app("strangers", 8, true), app("tv", 12, false)];
        let row = |name: &str, requests| (name.to_owned(), requests);
        assert_eq!(requests(now), [row("tv", 3), row("others", 2), row("strangers", 1)]);
        let back = vec![app("others", 105, false), app("gone", 4, false), app("strangers", 7, true)];
        assert_eq!(requests(back)[0], row("gone", 4), "an app with a slot again starts at zero");
    }
}
