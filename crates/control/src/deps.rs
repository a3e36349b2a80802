//! The parts of the control plane: everything it shows and controls.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use greenroom_app_cache::AppCaches;
use greenroom_cache::{Cache, Clock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::image_urls::ImageUrlSigner;
use crate::recommendations::Recommender;
use greenroom_config::AppCachesSettings;
use greenroom_config::settings::JOBS_AT_ONCE;
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
use greenroom_state::app_tokens::AppTokens;
use greenroom_state::control_tokens::TokenStore;
use greenroom_state::warnings::Warnings;
use greenroom_statistics::Statistics;
use greenroom_sync::history::PlaybackHistory;
use greenroom_sync::playlists::PlaylistService;

/// The parts that the control plane shows and controls.
#[derive(Debug)]
pub struct ControlPlaneDeps {
    /// The media servers, each with the address at which its clients reach it.
    pub servers: Vec<(Arc<Server>, SocketAddr)>,
    /// The servers of any HTTP API, each with the address at which its clients reach it.
    pub apis: Vec<(Arc<ApiServer>, SocketAddr)>,
    /// The cache engine.
    pub cache: Cache,
    /// The remote store, if there is one.
    pub remote_store: Option<Arc<RedisStore>>,
    /// The process clock.
    pub clock: Clock,
    /// Tokens of the control plane.
    pub token: TokenStore,
    /// Warnings about the process itself.
    pub warnings: Arc<Warnings>,
    /// Playlists, with the libraries and their track matching.
    pub playlists: Arc<PlaylistService>,
    /// Sends notifications.
    pub notifier: Arc<Notifier>,
    /// Trace exporter.
    pub traces: Arc<OtlpExporter>,
    /// Scheduled jobs.
    pub jobs: Arc<Jobs>,
    /// Request statistics.
    pub statistics: Arc<Statistics>,
    /// Own requests for dashboards.
    pub internal_client: Arc<InternalClient>,
    /// The dashboard's statistics.
    pub dashboard: Arc<Dashboard>,
    /// Playback history.
    pub history: Arc<PlaybackHistory>,
    /// Whether users are shown by name.
    pub shows_user_names: bool,
    /// Signs image links.
    pub image_url_signer: ImageUrlSigner,
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
}

impl ControlPlaneDeps {
    /// No servers, and every other part empty.
    pub fn empty(cache: Cache, clock: Clock, token: TokenStore) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let jobs = Arc::new(Jobs::new(JOBS_AT_ONCE, clock.clone(), tasks, stop));
        let (internal_client, playlists): (Arc<InternalClient>, Arc<PlaylistService>) =
            (Arc::default(), Arc::default());
        let libraries = Arc::clone(&playlists.libraries);
        let dashboard = Arc::new(Dashboard::new(Arc::clone(&internal_client), libraries, clock.clone()));
        let history = Arc::new(PlaybackHistory::disabled(clock.clone()));
        // In a folder that is not there: every write fails.
        let app_caches = AppCaches::new(Path::new("/nonexistent"), AppCachesSettings::default(), clock.clone());
        Self {
            servers: Vec::new(),
            apis: Vec::new(),
            statistics: Arc::new(Statistics::new(Vec::new(), clock.clone())),
            cache,
            remote_store: None,
            clock,
            token,
            warnings: Arc::default(),
            notifier: Arc::default(),
            traces: Arc::default(),
            jobs,
            playlists,
            internal_client,
            dashboard,
            history,
            shows_user_names: true,
            image_url_signer: ImageUrlSigner::default(),
            recommender: None,
            ttl_overrides: None,
            storage_location: None,
            folders: Arc::default(),
            app_caches,
            app_tokens: Arc::default(),
            tasks: TaskTracker::new(),
        }
    }
}
