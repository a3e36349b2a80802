//! Counters since start, and the baseline from which the displayed values count. Counters never decrease; purging the
//! cache moves the baseline.

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
pub(super) struct CumulativeStats {
    pub(super) servers: Vec<ServerStats>,
    pub(super) apps: Vec<AppStats>,
    pub(super) engine: CacheEngineStats,
    pub(super) warnings: Vec<ServerWarning>,
}

/// The counters at the last purge.
#[derive(Debug)]
pub(super) struct Baseline(RwLock<BaselineCounters>);

#[derive(Debug, Default)]
struct BaselineCounters {
    since_ms: u64,
    servers: BTreeMap<String, ServerStats>,
    apps: BTreeMap<(String, String), AppStats>,
    classes: BTreeMap<(String, &'static str), ClassCacheStats>,
}

impl Baseline {
    /// A baseline of zero.
    pub(super) fn new(now_ms: u64) -> Self {
        Self(RwLock::new(BaselineCounters { since_ms: now_ms, ..BaselineCounters::default() }))
    }

    /// Moves the baseline to these counters, for one server or for all.
    pub(super) fn reset(&self, counted: CumulativeStats, only: Option<&str>, now_ms: u64) {
        let concerns = |server: &str| only.is_none_or(|only| only == server);
        let mut stood = self.0.write();
        if only.is_none() {
            *stood = BaselineCounters { since_ms: now_ms, ..BaselineCounters::default() };
        }
        let servers = counted.servers.into_iter().filter(|server| concerns(&server.name));
        stood.servers.extend(servers.map(|server| (server.name.clone(), server)));
        let apps = counted.apps.into_iter().filter(|app| concerns(&app.server));
        stood.apps.extend(apps.map(|app| ((app.server.clone(), app.name.clone()), app)));
        let classes = counted.engine.classes.into_iter().filter(|class| concerns(&class.server));
        stood.classes.extend(classes.map(|class| ((class.server.clone(), class.class), class)));
    }

    /// The displayed values: the counters minus the baseline.
    pub(super) fn snapshot_since(&self, counted: CumulativeStats, now_ms: u64) -> StatsSnapshot {
        let stood = self.0.read();
        let servers: Vec<ServerStats> = counted
            .servers
            .into_iter()
            .map(|server| stood.servers.get(&server.name).map_or_else(|| server.clone(), |before| server.since(before)))
            .collect();
        let stood_apps = stood.apps_by_slot(&counted.apps);
        let apps = counted.apps.into_iter().map(|app| {
            let key = (app.server.clone(), app.name.clone());
            stood_apps.get(&key).map_or_else(|| app.clone(), |before| app.since(before))
        });
        let mut apps: Vec<AppStats> = apps.filter(|app| app.asked > 0).collect();
        apps.sort_by(|one, other| (other.asked, &one.name).cmp(&(one.asked, &other.name)));
        let classes: Vec<ClassCacheStats> = counted
            .engine
            .classes
            .into_iter()
            .map(|class| {
                let key = (class.server.clone(), class.class);
                stood.classes.get(&key).map_or_else(|| class.clone(), |before| class.since(before))
            })
            .collect();
        let sum = |pick: fn(&ServerStats) -> u64| servers.iter().map(pick).sum();
        let totals = StatsTotals {
            asked: sum(|server| server.asked),
            reached: sum(|server| server.requests_to_server),
            saved: sum(|server| server.saved),
            own: sum(|server| server.own),
            hit_rate: stats::hit_rate(&classes),
        };
        StatsSnapshot {
            as_of_ms: now_ms,
            since_ms: stood.since_ms,
            version: env!("CARGO_PKG_VERSION"),
            totals,
            memory: counted.engine.memory,
            disk: counted.engine.disk,
            warnings: counted.warnings,
            servers,
            apps,
            classes,
            bypasses: Vec::new(),
            libraries: Vec::new(),
            jobs_running: 0,
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
        let mut stood = BTreeMap::<(String, String), AppStats>::new();
        for before in self.apps.values() {
            let counts_on =
                counts.get(&(before.server.as_str(), before.name.as_str())).is_some_and(|asked| *asked >= before.asked);
            let crowd = if before.is_stranger { STRANGERS } else { OTHERS };
            let name = if counts_on { before.name.as_str() } else { crowd };
            stood.entry((before.server.clone(), name.to_owned())).or_default().add(before);
        }
        stood
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(asked: u64) -> CumulativeStats {
        let server = |name: &str| ServerStats {
            name: name.into(),
            asked,
            saved: asked / 2,
            requests_to_server: asked,
            own: 1,
            in_flight: 3,
            ..ServerStats::default()
        };
        let app = |server: &str, name: &str, asked| AppStats {
            server: server.into(),
            name: name.into(),
            asked,
            ..AppStats::default()
        };
        let class = |server: &str| ClassCacheStats {
            server: server.into(),
            class: "lists",
            hits: asked,
            ..ClassCacheStats::default()
        };
        CumulativeStats {
            servers: vec![server("home"), server("attic")],
            apps: vec![app("home", "few", 1), app("home", "many", asked), app("attic", "many", asked)],
            engine: CacheEngineStats { classes: vec![class("home"), class("attic")], ..CacheEngineStats::default() },
            warnings: Vec::new(),
        }
    }

    #[test]
    fn totals_are_the_sums_of_the_servers() {
        let shown = Baseline::new(5).snapshot_since(counted(10), 9);
        assert_eq!((shown.as_of_ms, shown.since_ms), (9, 5));
        let totals = StatsTotals { asked: 20, reached: 20, saved: 10, own: 2, hit_rate: Some(1.0) };
        let rated = StatsTotals { hit_rate: stats::hit_rate(&shown.classes), ..totals };
        assert_eq!(shown.totals, rated);
        assert_eq!(shown.apps.iter().map(|app| app.asked).collect::<Vec<_>>(), [10, 10, 1]);
    }

    #[test]
    fn after_clearing_everything_counts_from_nothing() {
        let baseline = Baseline::new(0);
        baseline.reset(counted(10), None, 100);
        let shown = baseline.snapshot_since(counted(10), 101);
        assert_eq!(shown.totals, StatsTotals::default());
        assert_eq!(shown.since_ms, 100);
        assert!(shown.apps.is_empty());
        assert_eq!(shown.servers[0].in_flight, 3, "what is under way is no counter");
        assert_eq!(baseline.snapshot_since(counted(14), 102).totals.asked, 8);
    }

    #[test]
    fn who_loses_its_place_after_clearing_takes_what_it_had_counted_before_to_its_crowd() {
        let app = |name: &str, asked, is_stranger| AppStats {
            server: "home".into(),
            name: name.into(),
            asked,
            is_stranger,
            ..AppStats::default()
        };
        let counted = |apps: Vec<AppStats>| CumulativeStats { apps, ..CumulativeStats::default() };
        let baseline = Baseline::new(0);
        let before = vec![app("others", 5, false), app("gone", 100, false), app("odd", 7, true), app("tv", 9, false)];
        baseline.reset(counted(before), None, 100);
        let asked = |apps| {
            let shown = baseline.snapshot_since(counted(apps), 101).apps.into_iter();
            shown.map(|app| (app.name, app.asked)).collect::<Vec<_>>()
        };
        let now = vec![app("others", 107, false), app("strangers", 8, true), app("tv", 12, false)];
        let told = |name: &str, asked| (name.to_owned(), asked);
        assert_eq!(asked(now), [told("tv", 3), told("others", 2), told("strangers", 1)]);
        let back = vec![app("others", 105, false), app("gone", 4, false), app("strangers", 7, true)];
        assert_eq!(asked(back)[0], told("gone", 4), "it has a place again, and begins from nothing");
    }

    #[test]
    fn clearing_one_server_leaves_the_others_figures_alone() {
        let baseline = Baseline::new(0);
        baseline.reset(counted(10), Some("home"), 100);
        let shown = baseline.snapshot_since(counted(11), 101);
        let asked: Vec<u64> = shown.servers.iter().map(|server| server.asked).collect();
        assert_eq!(asked, [1, 11]);
        assert_eq!(shown.classes[0].hits + shown.classes[1].hits, 12);
        assert_eq!(shown.since_ms, 0);
    }
}
