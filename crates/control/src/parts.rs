//! What the control plane is made of: everything it shows and steers.

use std::net::SocketAddr;
use std::sync::Arc;

use greenroom_cache::{Cache, Clock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::dashboard::Dashboard;
use crate::history::History;
use crate::jobs::Jobs;
use crate::notifications::Notices;
use crate::recommendations::Advisor;
use crate::{Links, Token};
use greenroom_config::jobs::AT_ONCE;
use greenroom_proxy::internal_client::Inside;
use greenroom_proxy::otlp::Traces;
use greenroom_proxy::server::Server;
use greenroom_proxy::statistics::Statistics;
use greenroom_proxy::stored_responses::Place;
use greenroom_proxy::ttl_overrides;
use greenroom_state::warnings::Warnings;
use greenroom_sync::playlists::Playlists;

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
    pub lifetimes: Option<ttl_overrides::Book>,
    /// Where state and cache are.
    pub place: Option<Place>,
    /// On which work beside a request is tracked.
    pub tasks: TaskTracker,
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
            place: None,
            tasks: TaskTracker::new(),
        }
    }
}
