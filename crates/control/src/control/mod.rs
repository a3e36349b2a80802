//! The control plane: the parts it shows and controls, and its own state.
//!
//! Methods of a single feature live in that feature's module; shared ones live here. Module: `figures` (statistics and
//! their snapshot).

mod figures;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_app_cache::AppCaches;
use greenroom_cache::{Cache, Clock};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::policy::AccessDecision;
use crate::auth::rate_limit::LoginRateLimiter;
use crate::auth::session::SessionStore;
use crate::compat_cache_counters::CompatCacheCounters;
use crate::connections::ConnectionRefusals;
use crate::deps::ControlPlaneDeps;
use crate::error::Problem;
use crate::http_apis::ManagedApi;
use crate::image_urls::ImageUrlSigner;
use crate::live::{LiveStats, MAX_WATCHERS};
use crate::recommendations::Recommender;
use crate::server_identity::ServerIdentityCache;
use crate::stats_baseline::Baseline;
use greenroom_dashboard::Dashboard;
use greenroom_folder::Folders;
use greenroom_http_api::ApiServer;
use greenroom_jobs::Jobs;
use greenroom_notifications::Notifier;
use greenroom_proxy::internal_client::InternalClient;
use greenroom_proxy::otlp::OtlpExporter;
use greenroom_proxy::server::Server;
use greenroom_proxy::stored_responses::StorePaths;
use greenroom_proxy::ttl_overrides;
use greenroom_remote_store::RedisStore;
use greenroom_remote_store::shared_settings::SettingsSync;
use greenroom_state::app_tokens::AppTokens;
use greenroom_state::bypass::Bypasses;
use greenroom_state::control_tokens::TokenStore;
use greenroom_state::file_watch::FileReloader;
use greenroom_state::warnings::Warnings;
use greenroom_statistics::Statistics;
use greenroom_statistics::user_names::UserNames;
use greenroom_sync::history::PlaybackHistory;
use greenroom_sync::playlists::PlaylistService;

/// Everything the control plane shows and changes.
#[derive(Debug)]
pub struct ControlPlane {
    /// The media servers.
    pub servers: Vec<ManagedServer>,
    /// Servers of any HTTP API.
    pub apis: Vec<ManagedApi>,
    /// The cache engine.
    pub cache: Cache,
    /// The process clock.
    pub clock: Clock,
    /// Tokens of the control plane.
    pub token: TokenStore,
    /// Warnings about the process itself.
    pub warnings: Arc<Warnings>,
    /// Playlists, with the libraries and their track matching.
    pub playlists: Arc<PlaylistService>,
    /// The remote store, if there is one.
    pub remote_store: Option<Arc<RedisStore>>,
    /// Orders changes of settings that gateways share.
    pub settings_sync: SettingsSync,
    /// Sends notifications.
    pub notifier: Arc<Notifier>,
    /// Trace exporter.
    pub traces: Arc<OtlpExporter>,
    /// Scheduled jobs.
    pub jobs: Arc<Jobs>,
    /// Request statistics.
    pub statistics: Arc<Statistics>,
    /// Produces recommendations.
    pub recommender: Option<Arc<Recommender>>,
    /// Stores TTL overrides.
    pub ttl_overrides: Option<ttl_overrides::TtlOverrideStore>,
    /// Paths of state and cache.
    pub storage_location: Option<StorePaths>,
    /// Folders of files.
    pub folders: Arc<Folders>,
    /// Caches for apps.
    pub app_caches: AppCaches,
    /// Tokens of apps.
    pub app_tokens: Arc<AppTokens>,
    /// Tracks background work of requests.
    pub tasks: TaskTracker,
    /// Permit for work over the whole disk tier: one at a time.
    pub long_work: Arc<Semaphore>,
    /// Sessions of the page.
    pub sessions: SessionStore,
    /// Limits wrong tokens by caller.
    pub login_rate_limiter: LoginRateLimiter,
    /// Refused requests, by decision.
    pub refusals: [AtomicU64; AccessDecision::DENIALS.len()],
    /// Connections that were closed or refused.
    pub connection_refusals: ConnectionRefusals,
    /// Requests for more pictures than one answer may link.
    pub picture_refusals: AtomicU64,
    /// Zero point of the statistics after a reset.
    pub baseline: Baseline,
    /// Live updates of open pages.
    pub live: LiveStats,
    /// Limits concurrent watchers of index builds.
    pub build_watch_permits: Arc<Semaphore>,
    /// Own requests for dashboards.
    pub internal_client: Arc<InternalClient>,
    /// The dashboard's statistics.
    pub dashboard: Arc<Dashboard>,
    /// Playback history.
    pub history: Arc<PlaybackHistory>,
    /// Names of users, or what stands for them.
    pub user_names: UserNames,
    /// Signs image links.
    pub image_url_signer: ImageUrlSigner,
    /// Cache hits of the compatibility endpoints.
    pub compat_cache_counters: CompatCacheCounters,
}

/// One configured server.
#[derive(Debug)]
pub struct ManagedServer {
    /// The media server.
    pub server: Arc<Server>,
    /// The address at which its clients reach it.
    pub listen: SocketAddr,
    /// Its name and version, as it reported them.
    pub identity_cache: Arc<ServerIdentityCache>,
}

impl ControlPlane {
    /// Builds the control plane from its parts.
    pub fn new(deps: ControlPlaneDeps) -> Self {
        let managed = |(server, listen)| ManagedServer { server, listen, identity_cache: Arc::default() };
        Self {
            servers: deps.servers.into_iter().map(managed).collect(),
            apis: deps.apis.into_iter().map(|(server, listen)| ManagedApi { server, listen }).collect(),
            cache: deps.cache,
            remote_store: deps.remote_store,
            settings_sync: SettingsSync::default(),
            token: deps.token,
            warnings: deps.warnings,
            playlists: deps.playlists,
            notifier: deps.notifier,
            traces: deps.traces,
            jobs: deps.jobs,
            statistics: deps.statistics,
            recommender: deps.recommender,
            ttl_overrides: deps.ttl_overrides,
            storage_location: deps.storage_location,
            folders: deps.folders,
            app_caches: deps.app_caches,
            app_tokens: deps.app_tokens,
            tasks: deps.tasks,
            long_work: Arc::new(Semaphore::new(1)),
            sessions: SessionStore::default(),
            login_rate_limiter: LoginRateLimiter::default(),
            refusals: [const { AtomicU64::new(0) }; AccessDecision::DENIALS.len()],
            connection_refusals: ConnectionRefusals::default(),
            picture_refusals: AtomicU64::new(0),
            baseline: Baseline::new(deps.clock.now()),
            live: LiveStats::new(),
            build_watch_permits: Arc::new(Semaphore::new(MAX_WATCHERS)),
            internal_client: deps.internal_client,
            dashboard: deps.dashboard,
            history: deps.history,
            user_names: UserNames::new(deps.shows_user_names),
            image_url_signer: deps.image_url_signer,
            compat_cache_counters: CompatCacheCounters::default(),
            clock: deps.clock,
        }
    }

    /// The server with this name, or all.
    pub fn select_servers<'a>(&'a self, only: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Server>> {
        let servers = self.servers.iter().map(|managed| &managed.server);
        servers.filter(move |server| only.is_none_or(|only| only == server.name()))
    }

    /// Resolves a URL to a server: by name, by the port it listens on, by the server's own address, or the only one.
    pub fn server_for_url(&self, url: &str, name: Option<&str>) -> Result<Arc<Server>, Problem> {
        self.check_server(name)?;
        let authority = url.trim().parse::<http::Uri>().ok().and_then(|uri| uri.authority().cloned());
        let is_match = |managed: &&ManagedServer| match (name, &authority) {
            (Some(name), _) => managed.server.name() == name,
            (None, Some(authority)) => {
                authority == managed.server.origin.client.authority()
                    || authority.port_u16() == Some(managed.listen.port())
            }
            (None, None) => self.servers.len() == 1,
        };
        let found = self.servers.iter().find(is_match);
        let only = (self.servers.len() == 1).then(|| self.servers.first()).flatten();
        found.or(only).map(|managed| Arc::clone(&managed.server)).ok_or(Problem::SERVER_REQUIRED)
    }

    /// Resolves a URL to a server of any HTTP API, if it is of one: by name, by the port it listens on, by the server's
    /// own address, or the only one.
    pub fn api_for_url(&self, url: &str, name: Option<&str>) -> Option<Arc<ApiServer>> {
        let authority = url.trim().parse::<http::Uri>().ok().and_then(|uri| uri.authority().cloned());
        let is_match = |api: &&ManagedApi| match (name, &authority) {
            (Some(name), _) => api.server.name() == name,
            (None, Some(authority)) => {
                authority == api.server.client().authority() || authority.port_u16() == Some(api.listen.port())
            }
            (None, None) => self.servers.is_empty() && self.apis.len() == 1,
        };
        self.apis.iter().find(is_match).map(|api| Arc::clone(&api.server))
    }

    /// The bypasses, which all servers share.
    pub fn shared_bypasses(&self) -> Option<&Arc<Bypasses>> {
        let media = self.servers.first().map(|managed| &managed.server.modes.bypasses);
        media.or_else(|| self.apis.first().map(|api| &api.server.bypasses))
    }

    /// The server of any HTTP API with this name, or all.
    pub fn select_apis<'a>(&'a self, only: Option<&'a str>) -> impl Iterator<Item = &'a Arc<ApiServer>> {
        let apis = self.apis.iter().map(|api| &api.server);
        apis.filter(move |server| only.is_none_or(|only| only == server.name()))
    }

    /// Rejects the name of a server that is not configured.
    pub fn check_server(&self, name: Option<&str>) -> Result<(), Problem> {
        let is_api = |name: &str| self.apis.iter().any(|api| api.server.name() == name);
        let is_known =
            name.is_none_or(|name| is_api(name) || self.servers.iter().any(|managed| managed.server.name() == name));
        if is_known { Ok(()) } else { Err(Problem::UNKNOWN_SERVER) }
    }

    /// Requests the identity of servers that are not identified yet.
    pub fn refresh_identities(&self) {
        for managed in &self.servers {
            managed.identity_cache.refresh_if_due(&managed.server);
        }
    }

    /// Counts a refused request.
    pub fn record_refusal(&self, decision: AccessDecision) {
        if let Some(index) = AccessDecision::DENIALS.iter().position(|refusal| *refusal == decision) {
            self.refusals[index].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Refused requests and connections, by reason.
    pub fn refusal_counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.refusals.iter().map(|count| count.load(Ordering::Relaxed));
        let requests = AccessDecision::DENIALS.iter().map(|refusal| refusal.name()).zip(counts);
        let pictures = ("too-many-pictures", self.picture_refusals.load(Ordering::Relaxed));
        requests.chain(self.connection_refusals.counts()).chain([pictures])
    }
}

impl FileReloader for ControlPlane {
    fn files(&self) -> String {
        format!("the control tokens in {}", self.token.directory())
    }

    fn reload(&self) {
        if let Err(error) = self.app_tokens.reload() {
            tracing::debug!(error = error.message, "the tokens of apps cannot be read");
        }
        if self.token.reload() {
            self.sessions.close_all();
            tracing::info!("control token renewed; all sessions ended");
        }
    }
}

/// Re-reads the token files when a request shows an unknown token, until `stop`.
pub async fn follow_tokens(control: Arc<ControlPlane>, tasks: TaskTracker, stop: CancellationToken) {
    let reloader = Arc::clone(&control);
    control.token.serve_reload_requests(move || reloader.reload(), &tasks, stop).await;
}
