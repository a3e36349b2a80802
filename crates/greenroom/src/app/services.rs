//! Services beside the servers: library indexes, statistics, jobs, folders of files.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{ProcessContext, without_addresses};
use greenroom_app_cache::AppCaches;
use greenroom_config::Settings;
use greenroom_control::recommendations::Recommender;
use greenroom_dashboard::Dashboard;
use greenroom_folder::{FolderContext, Folders};
use greenroom_http_api::ApiServer;
use greenroom_jobs::{self as jobs, Jobs};
use greenroom_proxy::internal_client::InternalClient;
use greenroom_proxy::server::Server;
use greenroom_state::app_tokens::AppTokens;
use greenroom_statistics::{RecordedServer, Statistics};
use greenroom_sync::history::PlaybackHistory;
use greenroom_sync::index::Libraries;
use greenroom_sync::matching::Matcher;
use greenroom_sync::playlists::{self, PlaylistService};

/// Services beside the servers: library indexes, statistics, jobs, folders of files.
pub(super) struct ProcessServices {
    pub(super) libraries: Arc<Libraries>,
    pub(super) playlists: Arc<PlaylistService>,
    pub(super) jobs: Arc<Jobs>,
    pub(super) statistics: Arc<Statistics>,
    pub(super) internal_client: Arc<InternalClient>,
    pub(super) dashboard: Arc<Dashboard>,
    pub(super) history: Arc<PlaybackHistory>,
    pub(super) recommender: Arc<Recommender>,
    pub(super) folders: Arc<Folders>,
    pub(super) app_tokens: Arc<AppTokens>,
    pub(super) app_caches: AppCaches,
}

impl ProcessContext {
    /// Opens libraries, playlists, jobs, statistics and the data for dashboards.
    pub(super) fn open_services(
        &self,
        settings: &Settings,
        servers: &[(Arc<Server>, SocketAddr)],
        apis: &[(Arc<ApiServer>, SocketAddr)],
    ) -> ProcessServices {
        let (tasks, stop, dir) = (&self.tasks, &self.stop, self.data_dir.path());
        let state_error = || self.state.error();
        let libraries = Arc::new(Libraries::open(dir, settings.library_memory_bytes));
        let matching = Arc::new(Matcher::open(dir, state_error(), settings.matching.clone()));
        let playlists = PlaylistService::new(
            Arc::clone(&libraries),
            matching,
            without_addresses(servers),
            self.clock.clone(),
            tasks.clone(),
            stop.clone(),
        );
        let playlists = Arc::new(playlists.with_data_dir(dir).with_leadership(self.remote_store.leadership()));
        if !settings.playlists.is_empty() {
            let scheduled = settings.playlists.clone();
            tasks.spawn(playlists::scheduled::run_scheduler(Arc::clone(&playlists), scheduled, stop.clone()));
        }
        let jobs = Jobs::new(settings.jobs_at_once, self.clock.clone(), tasks.clone(), stop.clone());
        let jobs = Arc::new(jobs.with_data_dir(dir));
        jobs::warming::add(&jobs, &self.cache);
        jobs::indexes::add(&jobs, &libraries);
        let kept = (recorded_servers(servers, apis), self.clock.clone());
        let statistics = Statistics::open(dir, &settings.statistics, kept, Arc::clone(&self.warnings));
        let statistics = Arc::new(statistics);
        tasks.spawn(greenroom_statistics::run_writer(Arc::clone(&statistics), stop.clone()));
        jobs::statistics::add(&jobs, &statistics);
        let internal_client = Arc::new(InternalClient::new(without_addresses(servers)));
        let dashboard = Dashboard::new(Arc::clone(&internal_client), Arc::clone(&libraries), self.clock.clone());
        let dashboard = dashboard.with_interval(settings.dashboard_interval);
        let dashboard = Arc::new(dashboard.with_statistics(Arc::clone(&statistics)).with_data_dir(dir));
        let kept = (self.clock.clone(), tasks.clone());
        let history =
            PlaybackHistory::open(dir, state_error(), settings.history_max_rows, without_addresses(servers), kept);
        let history = Arc::new(history);
        jobs::dashboards::add(&jobs, &dashboard, &history);
        let disk_dir = settings.disk.as_ref().map(|disk| disk.dir.clone());
        let dirs = std::iter::once(dir.to_owned()).chain(disk_dir.clone()).collect();
        let (cache, known) = (self.cache.clone(), Arc::clone(&libraries));
        let recommender = Recommender::new(without_addresses(servers), cache, known, Arc::clone(&self.warnings), dirs);
        let recommender = Arc::new(recommender.with_disk_dir(disk_dir));
        recommender.add(&jobs);
        ProcessServices {
            libraries,
            playlists,
            jobs,
            statistics,
            internal_client,
            dashboard,
            history,
            recommender,
            folders: Arc::new(self.open_folders(settings)),
            app_tokens: Arc::new(self.open_app_tokens()),
            app_caches: AppCaches::new(dir, settings.app_caches.clone(), self.clock.clone()),
        }
    }

    fn open_folders(&self, settings: &Settings) -> Folders {
        let context = FolderContext {
            data_dir: self.data_dir.path().to_owned(),
            clock: self.clock.clone(),
            tasks: self.tasks.clone(),
            stop: self.stop.clone(),
            warnings: Arc::clone(&self.warnings),
        };
        let folders = Folders::open(&settings.folders, &context);
        folders.start();
        folders
    }

    fn open_app_tokens(&self) -> AppTokens {
        AppTokens::open(self.data_dir.path()).unwrap_or_else(|error| {
            tracing::warn!(error = error.message, "the tokens of apps cannot be read, so none is valid");
            AppTokens::default()
        })
    }
}

/// All servers whose requests are counted.
fn recorded_servers(
    servers: &[(Arc<Server>, SocketAddr)],
    apis: &[(Arc<ApiServer>, SocketAddr)],
) -> Vec<RecordedServer> {
    let of_api = |(api, _): &(Arc<ApiServer>, SocketAddr)| RecordedServer::Api {
        name: api.name().to_owned(),
        recorder: Arc::clone(&api.recorder),
        cache: api.cache.clone(),
    };
    let media = without_addresses(servers).into_iter().map(RecordedServer::Media);
    media.chain(apis.iter().map(of_api)).collect()
}
