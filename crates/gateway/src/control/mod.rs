//! The control plane: page, API, metrics, health.
//!
//! Rooms: [`door`] (connections), [`prefix`] (the path a proxy puts before ours), [`gate`] (what every request passes),
//! [`guard`] (the decision), [`facts`] (what it is made from), [`token`] (what lets in), [`session`] and [`throttle`]
//! (who was let in, who was not); [`snapshot`], [`servers`], [`apps`], [`figures`] and [`queueing`] (what is shown), [`baseline`] (since when it counts), [`introduction`] (what the
//! servers say of themselves); [`api`], [`jobs`], [`policies`], [`warnings`], [`libraries`], [`matching`], [`modes`], [`notices`], [`playlists`], [`live`], [`metrics`] and [`exposition`],
//! [`statistics`], [`decisions`],
//! [`health`], [`page`] (how it is shown), [`paths`] and [`openapi`] (where, and how that is described), [`problem`] (how it is
//! refused).
//!
//! Reading never changes anything. Nothing that is shown unasked knows the token of a media server, nor any path or
//! query that an app asked for: what is not gathered cannot be shown by mistake. Who asks why names a path himself.

mod api;
mod apps;
mod baseline;
mod compatible;
mod dashboard;
mod decisions;
mod disk;
mod door;
mod exposition;
mod facts;
mod figures;
mod gate;
mod guard;
mod health;
mod history;
mod introduction;
mod jobs;
mod libraries;
mod live;
mod matching;
mod metrics;
mod modes;
mod notices;
mod openapi;
mod page;
mod part;
mod paths;
mod playlists;
mod policies;
mod prefetching;
mod prefix;
mod problem;
mod queueing;
mod servers;
mod session;
mod snapshot;
mod statistics;
#[cfg(test)]
mod tests;
mod throttle;
mod token;
mod warnings;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_cache::{Cache, Clock, Invalidation, Scope};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::advice::Advisor;
use crate::config;
use crate::dashboard::Dashboard;
use crate::history::History;
use crate::inside::Inside;
use crate::jobs::{AT_ONCE, Jobs, warming};
use crate::lifetimes;
use crate::notices::Notices;
use crate::playlists::Playlists;
use crate::server::Server;
use crate::statistics::Statistics;
use crate::storage;
use crate::traces::Traces;
use crate::warnings::Warnings;
use apps::AppFigures;
use baseline::{Baseline, Counted};
use figures::Engine;
use guard::Decision;
use introduction::Introduction;
use live::Live;
use paths::router;
use problem::Problem;
use servers::ServerFigures;
use session::Sessions;
use snapshot::{ServerWarning, Snapshot};
use throttle::Throttle;

pub use compatible::image::Links;
pub use door::serve;
pub(crate) use gate::protect;
pub use openapi::written as description;
pub use token::Token;

/// Everything the control plane shows and changes.
#[derive(Debug)]
pub struct Control {
    servers: Vec<Shown>,
    cache: Cache,
    clock: Clock,
    token: Token,
    /// What is wrong with the process itself.
    warnings: Arc<Warnings>,
    /// Playlists, with the libraries and who finds things in them.
    pub playlists: Arc<Playlists>,
    /// Who is told when something happens.
    notices: Arc<Notices>,
    /// Where traces go.
    traces: Arc<Traces>,
    jobs: Arc<Jobs>,
    statistics: Arc<Statistics>,
    /// Who says what could be better.
    advisor: Option<Arc<Advisor>>,
    /// Where lifetimes that are said are kept.
    lifetimes: Option<lifetimes::Book>,
    sessions: Sessions,
    throttle: Throttle,
    refusals: [AtomicU64; Decision::REFUSALS.len()],
    baseline: Baseline,
    live: Live,
    /// Seats of those who watch builds.
    watchers: Arc<Semaphore>,
    inside: Arc<Inside>,
    dashboard: Arc<Dashboard>,
    history: Arc<History>,
    links: Links,
    /// Who was answered at once by the shapes of other dashboards.
    counts: compatible::Counts,
}

/// What the control plane shows and steers.
#[derive(Debug)]
pub struct Parts {
    /// The media servers, each with the address its clients find it at.
    pub servers: Vec<(Arc<Server>, SocketAddr)>,
    /// The engine.
    pub cache: Cache,
    /// The clock of the process.
    pub clock: Clock,
    /// What lets in.
    pub token: Token,
    /// What is wrong with the process itself.
    pub warnings: Arc<Warnings>,
    /// Playlists, with the libraries and who finds things in them.
    pub playlists: Arc<Playlists>,
    /// Who is told when something happens.
    pub notices: Arc<Notices>,
    /// Where traces go.
    pub traces: Arc<Traces>,
    /// What is done by itself.
    pub jobs: Arc<Jobs>,
    /// What was asked, and how it was answered.
    pub statistics: Arc<Statistics>,
    /// Reads of our own for dashboards.
    pub inside: Arc<Inside>,
    /// The figures they show.
    pub dashboard: Arc<Dashboard>,
    /// What was played.
    pub history: Arc<History>,
    /// Links to pictures.
    pub links: Links,
    /// Who says what could be better.
    pub advisor: Option<Arc<Advisor>>,
    /// Where lifetimes that are said are kept.
    pub lifetimes: Option<lifetimes::Book>,
}

impl Parts {
    /// No server and nothing else to show.
    pub fn bare(cache: Cache, clock: Clock, token: Token) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let jobs = Arc::new(Jobs::new(AT_ONCE, clock.clone(), tasks, stop));
        let (inside, playlists): (Arc<Inside>, Arc<Playlists>) = (Arc::default(), Arc::default());
        let libraries = Arc::clone(&playlists.libraries);
        let dashboard = Arc::new(Dashboard::new(Arc::clone(&inside), libraries, clock.clone()));
        let history = Arc::new(History::none(clock.clone()));
        Self {
            servers: Vec::new(),
            statistics: Arc::new(Statistics::new(Vec::new(), clock.clone())),
            cache,
            clock,
            token,
            warnings: Arc::default(),
            notices: Arc::default(),
            traces: Arc::default(),
            jobs,
            playlists,
            inside,
            dashboard,
            history,
            links: Links::default(),
            advisor: None,
            lifetimes: None,
        }
    }
}

/// One server as it is shown.
#[derive(Debug)]
struct Shown {
    server: Arc<Server>,
    listen: SocketAddr,
    introduction: Arc<Introduction>,
}

impl Shown {
    fn warnings(&self) -> impl Iterator<Item = ServerWarning> {
        let server = self.server.name().to_owned();
        let holding = self.server.warnings.holding().into_iter();
        holding.map(move |warning| ServerWarning::new(Some(&server), warning))
    }
}

/// The control plane at its address.
#[derive(Debug)]
struct Plane {
    control: Arc<Control>,
    settings: config::Control,
    listen: SocketAddr,
    stop: CancellationToken,
}

impl Control {
    /// Shows and steers these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            servers,
            cache,
            clock,
            token,
            warnings,
            playlists,
            notices,
            jobs,
            statistics,
            inside,
            dashboard,
            history,
            links,
            advisor,
            lifetimes,
            traces,
        } = parts;
        let shown = |(server, listen)| Shown { server, listen, introduction: Arc::default() };
        Self {
            servers: servers.into_iter().map(shown).collect(),
            cache,
            token,
            warnings,
            playlists,
            notices,
            traces,
            jobs,
            statistics,
            advisor,
            lifetimes,
            sessions: Sessions::default(),
            throttle: Throttle::default(),
            refusals: [const { AtomicU64::new(0) }; Decision::REFUSALS.len()],
            baseline: Baseline::new(clock.now_ms()),
            live: Live::new(),
            watchers: Arc::new(Semaphore::new(libraries::MAX_WATCHERS)),
            inside,
            dashboard,
            history,
            links,
            counts: compatible::Counts::default(),
            clock,
        }
    }

    /// What is shown now.
    fn snapshot(&self) -> Snapshot {
        let shown = self.baseline.show(self.counted(), self.clock.now_ms());
        let libraries = self.playlists.libraries.all();
        let libraries = libraries.iter().map(|library| library.report(false)).collect();
        let today = Some(self.statistics.today(None));
        let (bypasses, jobs_running) = (self.bypasses(), self.jobs_running());
        let dashboard_ms = self.dashboard.as_of_ms();
        Snapshot { bypasses, libraries, jobs_running, today, dashboard_ms, ..shown }
    }

    /// What was counted since start.
    fn counted(&self) -> Counted {
        let figures = |shown: &Shown| {
            ServerFigures::read(&shown.server, shown.listen.to_string(), &shown.introduction.said())
        };
        Counted {
            servers: self.servers.iter().map(figures).collect(),
            apps: self.servers.iter().flat_map(|shown| AppFigures::read(&shown.server)).collect(),
            engine: Engine::read(&self.cache),
            warnings: self.warned(),
        }
    }

    /// What is wrong with the process itself.
    fn own_warnings(&self) -> impl Iterator<Item = ServerWarning> {
        let holding = self.warnings.holding().into_iter().chain(storage::troubles(&self.cache));
        holding.map(|warning| ServerWarning::new(None, warning))
    }

    /// Drops what is kept, for one server or for all, and counts from here. Loads under way are dropped too.
    fn clear(&self, only: Option<&str>) -> Result<(), Problem> {
        self.check_server(only)?;
        for server in self.chosen(only) {
            server.invalidate(&Scope::Namespace(server.name().to_owned()), &Invalidation::purge());
        }
        self.baseline.move_to(self.counted(), only, self.clock.now_ms());
        tracing::info!(server = only.unwrap_or("all"), "the cache was cleared");
        Ok(())
    }

    /// Counts from here; what is kept stays.
    fn count_anew(&self) {
        self.baseline.move_to(self.counted(), None, self.clock.now_ms());
    }

    /// Of what apps asked these servers since counting began: what was answered at once from the cache, and what was not.
    fn lookups(&self, servers: &[&str]) -> (u64, u64) {
        let snapshot = self.snapshot();
        let classes = snapshot.classes.iter().filter(|class| servers.contains(&class.server.as_str()));
        classes.fold((0, 0), |(hits, misses), class| (hits + class.hits + class.stale, misses + class.misses))
    }

    /// Drops what is kept with a tag, for one server or for all.
    fn clear_tag(&self, only: Option<&str>, tag: &str) -> Result<(), Problem> {
        self.check_server(only)?;
        for server in self.chosen(only) {
            let namespace = server.name().to_owned();
            let scope = Scope::Tag { namespace, partition: None, tag: tag.into() };
            server.invalidate(&scope, &Invalidation::purge());
        }
        tracing::info!(server = only.unwrap_or("all"), "a part of the cache was cleared");
        Ok(())
    }

    /// What spot checks found, by server.
    fn spots_found(&self) -> Vec<(String, Vec<(&'static str, u64)>)> {
        let found = |shown: &Shown| (shown.server.name().to_owned(), shown.server.spots.found().collect());
        self.servers.iter().map(found).collect()
    }

    /// The server of this name, or all.
    fn chosen<'a>(&'a self, only: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Server>> {
        let servers = self.servers.iter().map(|shown| &shown.server);
        servers.filter(move |server| only.is_none_or(|only| only == server.name()))
    }

    /// Refreshes what is to stay warm, for one server or for all; how many answers were asked for.
    async fn warm(&self, only: Option<&str>) -> Result<usize, Problem> {
        self.check_server(only)?;
        warming::warm(&self.jobs, &self.cache, only).await.ok_or(Problem::ALREADY_WARMING)
    }

    fn check_server(&self, name: Option<&str>) -> Result<(), Problem> {
        let is_known = name.is_none_or(|name| self.servers.iter().any(|shown| shown.server.name() == name));
        if is_known { Ok(()) } else { Err(Problem::UNKNOWN_SERVER) }
    }

    /// Asks servers that have not introduced themselves who they are.
    fn ask_for_introductions(&self) {
        for shown in &self.servers {
            shown.introduction.ask_if_due(&shown.server);
        }
    }

    fn note_refusal(&self, decision: Decision) {
        if let Some(place) = Decision::REFUSALS.iter().position(|refusal| *refusal == decision) {
            self.refusals[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.refusals.iter().map(|count| count.load(Ordering::Relaxed));
        Decision::REFUSALS.iter().map(|refusal| refusal.name()).zip(counts)
    }
}

/// What the control plane with these settings answers to one request from `peer`, without a connection.
pub async fn answer(
    control: Arc<Control>,
    settings: config::Control,
    peer: SocketAddr,
    mut request: axum::extract::Request,
) -> axum::response::Response {
    request.extensions_mut().insert(gate::Peer::new(peer, false));
    let listen = settings.listen;
    let plane = Arc::new(Plane { control, settings, listen, stop: CancellationToken::new() });
    let service = TowerToHyperService::new(router(plane));
    service.call(request).await.unwrap_or_else(|never| match never {})
}
