//! Everything that is shown, at one moment: servers, apps, classes, totals.
//!
//! Counters only grow; clearing the cache remembers where they stood, and what is shown counts from there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use serde::Serialize;
use utoipa::ToSchema;

use super::disk::DiskFigures;
use super::figures::{self, ClassFigures, Engine, Memory};
use super::introduction::Introduced;
use super::prefetching::PrefetchFigures;
use super::queueing::QueueFigures;
use crate::breaker::Outcome;
use crate::bypass::Bypass;
use crate::dashboard::health::Health;
use crate::library;
use crate::mode::Mode;
use crate::observe::Report;
use crate::server::Server;
use crate::statistics::Today;
use crate::warnings::Warning;

/// The figures of one moment.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Figures)]
pub(super) struct Snapshot {
    /// Of when these figures are.
    pub(super) as_of_ms: u64,
    /// Since when they count.
    pub(super) since_ms: u64,
    /// The version of this program.
    pub(super) version: &'static str,
    pub(super) totals: Totals,
    pub(super) memory: Memory,
    /// The disk tier, where there is one.
    pub(super) disk: Option<DiskFigures>,
    /// What is set up badly, and what to do about it.
    pub(super) warnings: Vec<ServerWarning>,
    pub(super) servers: Vec<ServerFigures>,
    pub(super) apps: Vec<AppFigures>,
    pub(super) classes: Vec<ClassFigures>,
    /// What goes past the cache.
    pub(super) bypasses: Vec<Bypass>,
    /// What is kept whole of libraries.
    pub(super) libraries: Vec<library::Report>,
    /// Jobs that run now.
    pub(super) jobs_running: usize,
    /// What happened since midnight.
    pub(super) today: Option<Today>,
}

/// Sums over all servers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(super) struct Totals {
    /// Requests that apps made.
    pub(super) asked: u64,
    /// Requests that reached a server, ours included.
    pub(super) reached: u64,
    /// Requests that were answered without asking the server.
    pub(super) saved: u64,
    /// Of those that reached a server, the ones that no app waited for.
    pub(super) own: u64,
    /// The share of keepable reads that was answered at once.
    pub(super) hit_rate: Option<f64>,
}

/// One server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(super) struct ServerFigures {
    pub(super) name: String,
    pub(super) kind: &'static str,
    /// Where apps find it: address and port of our listener.
    pub(super) listen: String,
    /// Whether apps are answered encrypted there.
    pub(super) encrypted: bool,
    pub(super) state: State,
    /// Whether it answers, and whether far slower than it usually does.
    pub(super) health: Health,
    /// How its reads are answered.
    pub(super) mode: Mode,
    /// What was observed, now or the last time.
    pub(super) observed: Option<Report>,
    /// Where its breaker stands.
    pub(super) breaker: &'static str,
    /// The outage, while it is down.
    pub(super) outage: Option<OutageFigures>,
    /// What the server calls itself.
    pub(super) title: Option<String>,
    pub(super) version: Option<String>,
    /// What is odd about it, in a sentence.
    pub(super) remark: Option<&'static str>,
    pub(super) last_answer_ms: Option<u64>,
    pub(super) last_failure_ms: Option<u64>,
    pub(super) last_asked_ms: Option<u64>,
    pub(super) asked: u64,
    pub(super) saved: u64,
    pub(super) requests_to_server: u64,
    pub(super) own: u64,
    pub(super) in_flight: usize,
    pub(super) queue: QueueFigures,
    pub(super) prefetch: PrefetchFigures,
    pub(super) writes: u64,
    pub(super) streams: u64,
    pub(super) bypassed: u64,
    pub(super) unauthorised: u64,
    pub(super) refused: u64,
    /// Requests refused because it was down.
    pub(super) offline: u64,
    /// How often it went down.
    pub(super) outages: u64,
    /// How often it was asked whether it is back.
    pub(super) probes: u64,
    /// Times reads were let through before every event socket had attached again.
    pub(super) unattached: u64,
    /// Lists that came back so short that they were not believed.
    pub(super) doubted: u64,
    /// How often clients ran into a bound, by bound.
    pub(super) limits_reached: Vec<(&'static str, u64)>,
}

/// An outage under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct OutageFigures {
    /// When the first request failed.
    pub(super) since_ms: u64,
    /// When the server is tried next.
    pub(super) next_try_ms: u64,
    /// How it failed: `unreachable`, `unwilling` (it answers 502 to 504), `silent`; null if it was down at the start.
    pub(super) why: Option<&'static str>,
}

/// Something a person should change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ServerWarning {
    /// What it goes by: the server, if it is about one, and the word for it.
    pub(super) id: String,
    /// Which server it is about; none if it is about the process.
    pub(super) server: Option<String>,
    #[serde(flatten)]
    pub(super) warning: Warning,
}

impl ServerWarning {
    pub(super) fn new(server: Option<&str>, warning: Warning) -> Self {
        let id = match server {
            Some(server) => format!("{server}/{}", warning.name()),
            None => warning.name(),
        };
        Self { id, server: server.map(str::to_owned), warning }
    }
}

/// One app of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct AppFigures {
    pub(super) server: String,
    pub(super) name: String,
    pub(super) asked: u64,
    pub(super) reached: u64,
    pub(super) saved: u64,
    pub(super) failed: u64,
    /// Requests that wait for a place in the server's queue now.
    pub(super) waiting: usize,
    /// How long its requests have waited there, all together.
    pub(super) waited_ms: u64,
    /// Requests refused for want of a valid token.
    pub(super) unauthorised: u64,
    /// Requests whose answer shows that their token is valid.
    pub(super) let_in: u64,
    /// Those among them that were answered without asking the server.
    pub(super) let_in_saved: u64,
    /// What its first request asked for.
    pub(super) first_asked: Option<&'static str>,
    /// Whether none of its requests was let in by a valid token.
    pub(super) is_stranger: bool,
}

/// How a server does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Wellbeing)]
pub(super) enum State {
    /// The last thing heard of it was an answer.
    Well,
    /// The last thing that happened was that it did not answer, or not as itself.
    Unwell,
    /// Nothing was heard yet.
    #[default]
    Unknown,
}

impl State {
    /// How this server does.
    pub(super) fn of(server: &Server) -> Self {
        match server.is_well() {
            Some(true) => Self::Well,
            Some(false) => Self::Unwell,
            None => Self::Unknown,
        }
    }
}

impl ServerFigures {
    /// Reads what was counted since start.
    pub(super) fn read(server: &Server, listen: String, introduced: &Introduced) -> Self {
        let counters = &server.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let moment = |counter: &AtomicU64| Some(read(counter)).filter(|at_ms| *at_ms > 0);
        let state = State::of(server);
        let breaker = server.breaker.counts();
        let outage = server.breaker.outage();
        Self {
            name: server.name().to_owned(),
            kind: server.settings.kind.name(),
            listen,
            encrypted: server.settings.shown.is_some(),
            state,
            health: Health::of(
                outage.is_some(),
                server.is_well(),
                &server.first_bytes.samples(),
                server.clock.now_ms(),
            ),
            mode: server.mode(),
            observed: server.observed(),
            breaker: server.breaker.state().name(),
            outage: outage.map(|outage| OutageFigures {
                since_ms: outage.since_ms,
                next_try_ms: outage.next_probe_ms,
                why: outage.why.and_then(Outcome::failure),
            }),
            title: introduced.title.clone(),
            version: introduced.version.clone(),
            remark: introduced.remark.filter(|_| state != State::Well),
            last_answer_ms: moment(&counters.last_success_ms),
            last_failure_ms: moment(&counters.last_failure_ms),
            last_asked_ms: moment(&counters.last_asked_ms),
            asked: read(&counters.asked),
            saved: read(&counters.saved),
            requests_to_server: server.origin.requests(),
            own: read(&counters.own),
            in_flight: server.origin.in_flight(),
            queue: QueueFigures::read(&server.queue),
            prefetch: PrefetchFigures::read(server),
            writes: read(&counters.writes),
            streams: read(&counters.streams),
            bypassed: read(&counters.bypassed),
            unauthorised: read(&counters.unauthorised),
            refused: read(&counters.refused),
            offline: read(&counters.offline),
            outages: breaker.opened,
            probes: breaker.probes,
            unattached: breaker.unattached,
            doubted: server.doubts.counted(),
            limits_reached: server.bounds.reached(),
        }
    }

    fn since(&self, before: &Self) -> Self {
        let less = |pick: fn(&Self) -> u64| pick(self).saturating_sub(pick(before));
        Self {
            asked: less(|server| server.asked),
            saved: less(|server| server.saved),
            requests_to_server: less(|server| server.requests_to_server),
            own: less(|server| server.own),
            writes: less(|server| server.writes),
            streams: less(|server| server.streams),
            bypassed: less(|server| server.bypassed),
            unauthorised: less(|server| server.unauthorised),
            queue: self.queue.since(&before.queue),
            prefetch: self.prefetch.since(&before.prefetch),
            refused: less(|server| server.refused),
            offline: less(|server| server.offline),
            outages: less(|server| server.outages),
            probes: less(|server| server.probes),
            unattached: less(|server| server.unattached),
            doubted: less(|server| server.doubted),
            ..self.clone()
        }
    }
}

impl AppFigures {
    /// Reads what was counted since start for all apps of a server.
    pub(super) fn read(server: &Server) -> impl Iterator<Item = Self> {
        server.apps.figures().into_iter().map(|(name, counted)| Self {
            server: server.name().to_owned(),
            name,
            asked: counted.asked,
            reached: counted.reached,
            saved: counted.saved,
            failed: counted.failed,
            waiting: counted.waiting,
            waited_ms: counted.waited_ms,
            unauthorised: counted.unauthorised,
            let_in: counted.let_in,
            let_in_saved: counted.let_in_saved,
            first_asked: counted.first_asked,
            is_stranger: counted.is_stranger,
        })
    }

    fn since(&self, before: &Self) -> Self {
        let less = |pick: fn(&Self) -> u64| pick(self).saturating_sub(pick(before));
        Self {
            asked: less(|app| app.asked),
            reached: less(|app| app.reached),
            saved: less(|app| app.saved),
            failed: less(|app| app.failed),
            waited_ms: less(|app| app.waited_ms),
            unauthorised: less(|app| app.unauthorised),
            let_in: less(|app| app.let_in),
            let_in_saved: less(|app| app.let_in_saved),
            ..self.clone()
        }
    }
}

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
        let apps = counted.apps.into_iter().map(|app| {
            let key = (app.server.clone(), app.name.clone());
            stood.apps.get(&key).map_or_else(|| app.clone(), |before| app.since(before))
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
            hit_rate: figures::hit_rate(&classes),
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
        }
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
        let rated = Totals { hit_rate: figures::hit_rate(&shown.classes), ..totals };
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
    fn clearing_one_server_leaves_the_others_figures_alone() {
        let baseline = Baseline::new(0);
        baseline.move_to(counted(10), Some("home"), 100);
        let shown = baseline.show(counted(11), 101);
        let asked: Vec<u64> = shown.servers.iter().map(|server| server.asked).collect();
        assert_eq!(asked, [1, 11]);
        assert_eq!(shown.classes[0].hits + shown.classes[1].hits, 12);
        assert_eq!(shown.since_ms, 0);
    }

    #[test]
    fn states_are_words() {
        for (state, word) in [(State::Well, "well"), (State::Unwell, "unwell"), (State::Unknown, "unknown")] {
            assert_eq!(serde_json::to_value(state).expect("a word"), word);
        }
    }
}
