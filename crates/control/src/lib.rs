//! The control plane: page, API, metrics, health.
//!
//! Rooms: [`server`] (connections), [`base_path`] (the path a proxy puts before ours), `gate` (what every request passes),
//! `guard` (the decision), `facts` (what it is made from), `token` (what lets in), `session` and `throttle`
//! (who was let in, who was not); [`snapshot`], [`servers`], [`apps`], [`stats`] and [`queue_stats`] (what is shown), [`stats_baseline`] (since when it counts), [`server_identity`] (what the
//! servers say of themselves); [`api`], [`jobs`], [`policies`], [`warnings`], [`libraries`], [`matching_api`], [`cache_mode`], [`notifications`], [`playlists_api`], [`live`], [`metrics`] and `exposition`,
//! [`statistics_api`], [`decisions`], `stored`,
//! [`health`], [`web`] (how it is shown), `router` and `openapi` (where, and how that is described), [`error`] (how it is
//! refused).
//!
//! Reading never changes anything. Nothing that is shown unasked knows the token of a media server, nor any path or
//! query that an app asked for: what is not gathered cannot be shown by mistake. Who asks why names a path himself.

mod api;
mod apps;
mod auth;
mod base_path;
mod cache_mode;
mod class_name;
mod compat;
pub mod dashboard;
mod dashboard_api;
mod decisions;
mod disk;
mod error;
pub mod explain;
mod health;
pub mod history;
mod history_api;
pub mod jobs;
mod jobs_api;
mod libraries;
mod live;
mod matching_api;
mod metrics;
pub mod notifications;
mod notifications_api;
mod pagination;
mod parts;
mod playlists_api;
mod policies;
mod prefetching;
mod queue_stats;
pub mod recommendations;
mod router;
mod server;
mod server_identity;
mod servers;
mod snapshot;
mod statistics_api;
mod stats;
mod stats_baseline;
mod stored_api;
#[cfg(test)]
mod tests;
mod warnings;
mod web;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_cache::{Cache, Clock, Invalidation, Scope};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::dashboard::Dashboard;
use crate::history::History;
use crate::jobs::{Jobs, warming};
use crate::notifications::Notices;
use crate::recommendations::Advisor;
use apps::AppFigures;
use auth::policy::Decision;
use auth::rate_limit::Throttle;
use auth::session::Sessions;
use error::Problem;
use greenroom_proxy::cache_setup;
use greenroom_proxy::internal_client::Inside;
use greenroom_proxy::otlp::Traces;
use greenroom_proxy::server::Server;
use greenroom_proxy::statistics::Statistics;
use greenroom_proxy::stored_responses::Place;
use greenroom_proxy::ttl_overrides;
use greenroom_state::warnings::Warnings;
use greenroom_sync::playlists::Playlists;
use live::Live;
use router::router;
use server_identity::Introduction;
use servers::ServerFigures;
use snapshot::{ServerWarning, Snapshot};
use stats::Engine;
use stats_baseline::{Baseline, Counted};

pub use auth::middleware::protect;
pub use auth::token::Token;
pub use compat::image::Links;
pub use parts::Parts;
pub use router::openapi::written as description;
pub use server::serve;
pub use web::ICON;

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
    lifetimes: Option<ttl_overrides::Book>,
    /// Where state and cache are.
    place: Option<Place>,
    /// What is done beside a request.
    tasks: TaskTracker,
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
    counts: compat::Counts,
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
        let holding = self.server.origin.warnings.holding().into_iter();
        holding.map(move |warning| ServerWarning::new(Some(&server), warning))
    }
}

/// The control plane at its address.
#[derive(Debug)]
struct Plane {
    control: Arc<Control>,
    settings: greenroom_config::Control,
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
            place,
            tasks,
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
            place,
            tasks,
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
            counts: compat::Counts::default(),
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
        let holding = self.warnings.holding().into_iter().chain(cache_setup::troubles(&self.cache));
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
        let found =
            |shown: &Shown| (shown.server.name().to_owned(), shown.server.record.spots.found().collect());
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
    settings: greenroom_config::Control,
    peer: SocketAddr,
    mut request: axum::extract::Request,
) -> axum::response::Response {
    request.extensions_mut().insert(auth::middleware::Peer::new(peer, false));
    let listen = settings.listen;
    let plane = Arc::new(Plane { control, settings, listen, stop: CancellationToken::new() });
    let service = TowerToHyperService::new(router(plane));
    service.call(request).await.unwrap_or_else(|never| match never {})
}
