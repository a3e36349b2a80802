//! What was counted, and from where on it counts: counters only grow, and clearing the cache remembers where they stood.

use std::collections::BTreeMap;

use parking_lot::RwLock;

use super::apps::AppFigures;
use super::servers::ServerFigures;
use super::snapshot::{ServerWarning, Snapshot, Totals};
use crate::stats;
use crate::stats::{ClassFigures, Engine};
use greenroom_origin::client_apps::OTHERS;
use greenroom_origin::client_apps::STRANGERS;

/// Everything that was counted since start.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    pub(super) servers: Vec<ServerFigures>,
    pub(super) apps: Vec<AppFigures>,
    pub(super) engine: Engine,
    pub(super) warnings: Vec<ServerWarning>,
}

/// Where the counters stood when the cache was cleared last.
#[derive(Debug)]
pub(super) struct Baseline(RwLock<Stood>);

#[derive(Debug, Default)]
struct Stood {
    since_ms: u64,
    servers: BTreeMap<String, ServerFigures>,
    apps: BTreeMap<(String, String), AppFigures>,
    classes: BTreeMap<(String, &'static str), ClassFigures>,
}

impl Baseline {
    /// Counting begins now, from nothing.
    pub(super) fn new(now_ms: u64) -> Self {
        Self(RwLock::new(Stood { since_ms: now_ms, ..Stood::default() }))
    }

    /// From now on what is shown counts from here: for one server, or for all.
    pub(super) fn move_to(&self, counted: Counted, only: Option<&str>, now_ms: u64) {
        let concerns = |server: &str| only.is_none_or(|only| only == server);
        let mut stood = self.0.write();
        if only.is_none() {
            *stood = Stood { since_ms: now_ms, ..Stood::default() };
        }
        let servers = counted.servers.into_iter().filter(|server| concerns(&server.name));
        stood.servers.extend(servers.map(|server| (server.name.clone(), server)));
        let apps = counted.apps.into_iter().filter(|app| concerns(&app.server));
        stood.apps.extend(apps.map(|app| ((app.server.clone(), app.name.clone()), app)));
        let classes = counted.engine.classes.into_iter().filter(|class| concerns(&class.server));
        stood.classes.extend(classes.map(|class| ((class.server.clone(), class.class), class)));
    }

    /// What is shown of what was counted.
    pub(super) fn show(&self, counted: Counted, now_ms: u64) -> Snapshot {
        let stood = self.0.read();
        let servers: Vec<ServerFigures> = counted
            .servers
            .into_iter()
            .map(|server| {
                stood.servers.get(&server.name).map_or_else(|| server.clone(), |before| server.since(before))
            })
            .collect();
        let stood_apps = stood.apps_by_place(&counted.apps);
        let apps = counted.apps.into_iter().map(|app| {
            let key = (app.server.clone(), app.name.clone());
            stood_apps.get(&key).map_or_else(|| app.clone(), |before| app.since(before))
        });
        let mut apps: Vec<AppFigures> = apps.filter(|app| app.asked > 0).collect();
        apps.sort_by(|one, other| (other.asked, &one.name).cmp(&(one.asked, &other.name)));
        let classes: Vec<ClassFigures> = counted
            .engine
            .classes
            .into_iter()
            .map(|class| {
                let key = (class.server.clone(), class.class);
                stood.classes.get(&key).map_or_else(|| class.clone(), |before| class.since(before))
            })
            .collect();
        let sum = |pick: fn(&ServerFigures) -> u64| servers.iter().map(pick).sum();
        let totals = Totals {
            asked: sum(|server| server.asked),
            reached: sum(|server| server.requests_to_server),
            saved: sum(|server| server.saved),
            own: sum(|server| server.own),
            hit_rate: stats::hit_rate(&classes),
        };
        Snapshot {
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

impl Stood {
    /// Where the counters of apps stood, by where they count now: what an app had counted that lost its place is among
    /// what its crowd counted, also if it has another place by now and begins there from nothing.
    fn apps_by_place(&self, now: &[AppFigures]) -> BTreeMap<(String, String), AppFigures> {
        let counts: BTreeMap<(&str, &str), u64> =
            now.iter().map(|app| ((app.server.as_str(), app.name.as_str()), app.asked)).collect();
        let mut stood = BTreeMap::<(String, String), AppFigures>::new();
        for before in self.apps.values() {
            let counts_on = counts
                .get(&(before.server.as_str(), before.name.as_str()))
                .is_some_and(|asked| *asked >= before.asked);
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

    fn counted(asked: u64) -> Counted {
        let server = |name: &str| ServerFigures {
            name: name.into(),
            asked,
            saved: asked / 2,
            requests_to_server: asked,
            own: 1,
            in_flight: 3,
            ..ServerFigures::default()
        };
        let app = |server: &str, name: &str, asked| AppFigures {
            server: server.into(),
            name: name.into(),
            asked,
            ..AppFigures::default()
        };
        let class = |server: &str| ClassFigures {
            server: server.into(),
            class: "lists",
            hits: asked,
            ..ClassFigures::default()
        };
        Counted {
            servers: vec![server("home"), server("attic")],
            apps: vec![app("home", "few", 1), app("home", "many", asked), app("attic", "many", asked)],
            engine: Engine { classes: vec![class("home"), class("attic")], ..Engine::default() },
            warnings: Vec::new(),
        }
    }

    #[test]
    fn totals_are_the_sums_of_the_servers() {
        let shown = Baseline::new(5).show(counted(10), 9);
        assert_eq!((shown.as_of_ms, shown.since_ms), (9, 5));
        let totals = Totals { asked: 20, reached: 20, saved: 10, own: 2, hit_rate: Some(1.0) };
        let rated = Totals { hit_rate: stats::hit_rate(&shown.classes), ..totals };
        assert_eq!(shown.totals, rated);
        assert_eq!(shown.apps.iter().map(|app| app.asked).collect::<Vec<_>>(), [10, 10, 1]);
    }

    #[test]
    fn after_clearing_everything_counts_from_nothing() {
        let baseline = Baseline::new(0);
        baseline.move_to(counted(10), None, 100);
        let shown = baseline.show(counted(10), 101);
        assert_eq!(shown.totals, Totals::default());
        assert_eq!(shown.since_ms, 100);
        assert!(shown.apps.is_empty());
        assert_eq!(shown.servers[0].in_flight, 3, "what is under way is no counter");
        assert_eq!(baseline.show(counted(14), 102).totals.asked, 8);
    }

    #[test]
    fn who_loses_its_place_after_clearing_takes_what_it_had_counted_before_to_its_crowd() {
        let app = |name: &str, asked, is_stranger| AppFigures {
            server: "home".into(),
            name: name.into(),
            asked,
            is_stranger,
            ..AppFigures::default()
        };
        let counted = |apps: Vec<AppFigures>| Counted { apps, ..Counted::default() };
        let baseline = Baseline::new(0);
        let before =
            vec![app("others", 5, false), app("gone", 100, false), app("odd", 7, true), app("tv", 9, false)];
        baseline.move_to(counted(before), None, 100);
        let asked = |apps| {
            let shown = baseline.show(counted(apps), 101).apps.into_iter();
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
        baseline.move_to(counted(10), Some("home"), 100);
        let shown = baseline.show(counted(11), 101);
        let asked: Vec<u64> = shown.servers.iter().map(|server| server.asked).collect();
        assert_eq!(asked, [1, 11]);
        assert_eq!(shown.classes[0].hits + shown.classes[1].hits, 12);
        assert_eq!(shown.since_ms, 0);
    }
}
