//! The control plane: page, API, metrics, health.
//!
//! Rooms: [`door`] (connections), [`prefix`] (the path a proxy puts before ours), [`gate`] (what every request passes),
//! [`guard`] (the decision), [`facts`] (what it is made from), [`token`] (what lets in), [`session`] and [`throttle`]
//! (who was let in, who was not); [`snapshot`], [`figures`] and [`queueing`] (what is shown), [`introduction`] (what the
//! servers say of themselves); [`api`], [`libraries`], [`matching`], [`modes`], [`playlists`], [`live`], [`metrics`],
//! [`health`], [`page`] (how it is shown), [`problem`] (how it is refused).
//!
//! Reading never changes anything. Nothing that is shown unasked knows the token of a media server, nor any path or
//! query that an app asked for: what is not gathered cannot be shown by mistake. Who asks why names a path himself.

mod api;
mod disk;
mod door;
mod facts;
mod figures;
mod gate;
mod guard;
mod health;
mod introduction;
mod libraries;
mod live;
mod matching;
mod metrics;
mod modes;
mod page;
mod playlists;
mod prefetching;
mod prefix;
mod problem;
mod queueing;
mod session;
mod snapshot;
#[cfg(test)]
mod tests;
mod throttle;
mod token;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::routing::{get, post, put};
use greenroom_cache::{Cache, Clock, Invalidation, Scope};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::playlists::Playlists;
use crate::server::Server;
use crate::storage;
use crate::warnings::Warnings;
use figures::Engine;
use guard::Decision;
use introduction::Introduction;
use live::Live;
use problem::Problem;
use session::Sessions;
use snapshot::{AppFigures, Baseline, Counted, ServerFigures, ServerWarning, Snapshot};
use throttle::Throttle;

pub use door::serve;
pub(crate) use gate::protect;
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
    sessions: Sessions,
    throttle: Throttle,
    refusals: [AtomicU64; Decision::REFUSALS.len()],
    baseline: Baseline,
    live: Live,
    /// Seats of those who watch builds.
    watchers: Arc<Semaphore>,
    warming: tokio::sync::Mutex<()>,
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
}

impl Parts {
    /// No server and nothing else to show.
    pub fn bare(cache: Cache, clock: Clock, token: Token) -> Self {
        Self { servers: Vec::new(), cache, clock, token, warnings: Arc::default(), playlists: Arc::default() }
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
        holding.map(move |warning| ServerWarning { server: Some(server.clone()), warning })
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
        let Parts { servers, cache, clock, token, warnings, playlists } = parts;
        let shown = |(server, listen)| Shown { server, listen, introduction: Arc::default() };
        Self {
            servers: servers.into_iter().map(shown).collect(),
            cache,
            token,
            warnings,
            playlists,
            sessions: Sessions::default(),
            throttle: Throttle::default(),
            refusals: [const { AtomicU64::new(0) }; Decision::REFUSALS.len()],
            baseline: Baseline::new(clock.now_ms()),
            live: Live::new(),
            watchers: Arc::new(Semaphore::new(libraries::MAX_WATCHERS)),
            warming: tokio::sync::Mutex::new(()),
            clock,
        }
    }

    /// What is shown now.
    fn snapshot(&self) -> Snapshot {
        let shown = self.baseline.show(self.counted(), self.clock.now_ms());
        let libraries = self.playlists.libraries.all();
        let libraries = libraries.iter().map(|library| library.report(false)).collect();
        Snapshot { bypasses: self.bypasses(), libraries, ..shown }
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
            warnings: self.own_warnings().chain(self.servers.iter().flat_map(Shown::warnings)).collect(),
        }
    }

    /// What is wrong with the process itself.
    fn own_warnings(&self) -> impl Iterator<Item = ServerWarning> {
        let holding = self.warnings.holding().into_iter().chain(storage::troubles(&self.cache));
        holding.map(|warning| ServerWarning { server: None, warning })
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

    /// The server of this name, or all.
    fn chosen<'a>(&'a self, only: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Server>> {
        let servers = self.servers.iter().map(|shown| &shown.server);
        servers.filter(move |server| only.is_none_or(|only| only == server.name()))
    }

    /// Refreshes what is to stay warm, for one server or for all; how many answers were asked for.
    async fn warm(&self, only: Option<&str>) -> Result<usize, Problem> {
        self.check_server(only)?;
        let _alone = self.warming.try_lock().map_err(|_| Problem::ALREADY_WARMING)?;
        Ok(self.cache.warm_now(only).await)
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

/// Every path there is. What each may is decided at the gate, which lets nothing pass that is not listed there.
fn router(plane: Arc<Plane>) -> Router {
    let nothing_here = || async { Problem::NOTHING_HERE };
    let wrong_method = || async { Problem::WRONG_METHOD };
    Router::new()
        .route("/", get(page::document))
        .route("/page.css", get(page::style))
        .route("/page.js", get(page::script))
        .route("/figures.js", get(page::figures))
        .route("/modes.js", get(page::modes))
        .route("/favicon.svg", get(page::icon))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::scrape))
        .route("/api/v1/session", get(api::whoami).post(api::login).delete(api::logout))
        .route("/api/v1/servers", get(api::servers))
        .route("/api/v1/events", get(live::watch))
        .route("/api/v1/cache/stats", get(api::stats))
        .route("/api/v1/cache/clear", post(api::clear))
        .route("/api/v1/cache/warm", post(api::warm))
        .route("/api/v1/mode", put(modes::turn))
        .route("/api/v1/observe", get(modes::observed))
        .route("/api/v1/bypass", get(modes::bypasses).put(modes::bypass).delete(modes::no_bypass))
        .route("/api/v1/why", post(modes::tell_why))
        .route("/api/v1/match/tracks", post(matching::look_up::tracks))
        .route("/api/v1/match/paths", post(matching::look_up::paths))
        .route("/api/v1/match/ids", post(matching::look_up::ids))
        .route(
            "/api/v1/match/pins",
            get(matching::rulings::list).put(matching::rulings::pin).delete(matching::rulings::take_back),
        )
        .route("/api/v1/match/disown", post(matching::rulings::disown))
        .route("/api/v1/match/decisions", get(matching::rulings::write_out).post(matching::rulings::read_in))
        .route("/api/v1/libraries", get(libraries::all))
        .route("/api/v1/libraries/{id}", get(libraries::one).put(libraries::choose))
        .route("/api/v1/libraries/{id}/build", post(libraries::build))
        .route("/api/v1/libraries/{id}/cancel", post(libraries::cancel))
        .route("/api/v1/libraries/{id}/progress", get(libraries::progress))
        .route("/api/v1/playlists/sync", post(playlists::sync))
        .route("/api/v1/playlists/runs", get(playlists::runs))
        .route("/api/v1/playlists/standing", get(playlists::standing))
        .route("/api/v1/playlists/standing/{name}/run", post(playlists::run_standing))
        .route("/api/v1/playlists/runs/{id}", get(playlists::run))
        .route("/api/v1/playlists/runs/{id}/cancel", post(playlists::cancel))
        .route("/api/v1/playlists/runs/{id}/missing", get(playlists::missing))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&plane), gate::admit))
        .with_state(plane)
}
