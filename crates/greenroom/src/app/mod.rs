//! Process wiring on one page: settings in, a running process out. `server_listener` opens a media server and its
//! listener, `services` what runs beside the servers; `shutdown`: how a process ends.

mod api_listener;
mod app_caches;
mod process_description;
mod remote_store;
mod route_reloader;
mod server_listener;
mod services;
mod shutdown;
mod suspends;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use greenroom_app_cache::AppCaches;
use greenroom_cache::{Cache, Clock};
use greenroom_dialect::credential::Secret;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::takeover::listening::{address_of, bind};
use crate::takeover::{InheritedListeners, ListenerHandover};
use greenroom_config::local_address::local_address;
use greenroom_config::{Settings, TakeoverSettings};
use greenroom_control::{ControlPlane, ControlPlaneDeps, ImageUrlSigner};
use greenroom_http_api::ApiServer;
use greenroom_http_server::server_certificate::ServerCertificate;
use greenroom_notifications::Notifier;
use greenroom_origin::anonymous_access;
use greenroom_origin::system_event::SystemEvent;
use greenroom_proxy::cache_setup;
use greenroom_proxy::otlp::OtlpExporter;
use greenroom_proxy::persistence::StatePersistence;
use greenroom_proxy::server::Server;
use greenroom_proxy::stored_responses::StorePaths;
use greenroom_proxy::{proxy_trust_check, ttl_overrides};
use greenroom_state::bypass::Bypasses;
use greenroom_state::control_tokens::TokenStore;
use greenroom_state::file_watch::{self, FileReloader};
use greenroom_state::ownership;
use greenroom_state::ownership::Ownership;
use greenroom_state::secrets::{ControlToken, DataDir, HashKey};
use greenroom_state::unfinished_backups;
use greenroom_state::warnings::Warnings;
use greenroom_statistics::Statistics;
use greenroom_sync::index::Libraries;
use process_description::ProcessDescription;
use remote_store::{RemoteStoreService, identity_key};
use server_listener::open_certificate;
use services::ProcessServices;
use suspends::follow_suspends;

/// A server, and the address that it listens on.
type ServerWithAddress<S> = (Arc<S>, SocketAddr);

/// A running process.
#[derive(Debug)]
pub struct Process {
    /// Media servers, each with the address that clients connect to.
    pub servers: Vec<(Arc<Server>, SocketAddr)>,
    /// Servers of any HTTP API, each with the address that clients connect to.
    pub apis: Vec<(Arc<ApiServer>, SocketAddr)>,
    /// Address of the control plane.
    pub control: SocketAddr,
    /// URL of the web page, for people.
    pub page: String,
    /// Control token.
    pub token: ControlToken,
    /// Cache engine.
    pub cache: Cache,
    /// Clock of the whole process.
    pub clock: Clock,
    /// Persistent state.
    pub state: Arc<StatePersistence>,
    /// Library indexes of the servers.
    pub libraries: Arc<Libraries>,
    /// Request statistics.
    pub statistics: Arc<Statistics>,
    /// Sends notifications to people.
    pub notifier: Arc<Notifier>,
    /// Caches for apps.
    app_caches: AppCaches,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Cancelled once another process accepts the connections.
    draining: CancellationToken,
    takeover: TakeoverSettings,
    data_dir: PathBuf,
    /// Listening sockets, for a process that takes over.
    listener_handover: Mutex<Option<ListenerHandover>>,
    /// Keeps other processes from the data directory until everything is written.
    lock: Arc<Ownership>,
    remote_store: RemoteStoreService,
}

/// Dependencies of every part of the process.
struct ProcessContext {
    data_dir: DataDir,
    clock: Clock,
    tasks: TaskTracker,
    stop: CancellationToken,
    draining: CancellationToken,
    lock: Arc<Ownership>,
    warnings: Arc<Warnings>,
    state: Arc<StatePersistence>,
    secrets: (HashKey, Secret),
    token: ControlToken,
    bypasses: Arc<Bypasses>,
    ttl_overrides: ttl_overrides::TtlOverrideStore,
    /// Whether a disk tier existed before this start.
    has_store: bool,
    notifier: Arc<Notifier>,
    traces: Arc<OtlpExporter>,
    cache: Cache,
    /// The key of this data directory, by which media servers know this installation.
    own_key: HashKey,
    remote_store: RemoteStoreService,
}

impl Process {
    /// Starts the process.
    ///
    /// # Errors
    /// One line that says what is missing and what to do: a port, the data directory, certificates.
    pub async fn start(settings: Settings, clock: Clock) -> Result<Self, String> {
        Box::pin(Self::take_over(settings, clock, InheritedListeners::default(), ownership::PATIENCE)).await
    }

    /// Starts on the listening sockets of a process that is being replaced, which may take up to `patience` to end.
    ///
    /// # Errors
    /// As with [`Self::start`].
    pub async fn take_over(
        settings: Settings,
        clock: Clock,
        mut sockets: InheritedListeners,
        patience: Duration,
    ) -> Result<Self, String> {
        let context = ProcessContext::open(&settings, clock, patience).await?;
        let mut handover = ListenerHandover::default();
        let server_listeners = context.open_listeners(&settings, &mut sockets, &mut handover).await?;
        let servers: Vec<_> =
            server_listeners.iter().map(|listener| (Arc::clone(&listener.server), listener.address)).collect();
        let api_listeners = context.open_api_listeners(&settings, &mut sockets, &mut handover).await?;
        let apis: Vec<_> =
            api_listeners.iter().map(|listener| (Arc::clone(&listener.server), listener.address)).collect();
        let place = "the control plane";
        let listener = bind(settings.control.listen, place, &mut sockets, &mut handover).await?;
        let control = address_of(&listener)?;
        let services = context.open_services(&settings, &servers, &apis);
        let app_socket = context.open_app_caches(&settings.app_caches, &services.app_caches).await;
        let control_plane = context.control(&settings, (&servers, &apis), &services)?;
        let certificate = open_certificate(settings.control.certificate.as_ref(), place, &context.clock)?;
        let scheme = if certificate.is_some() { "https" } else { "http" };
        let page = format!("{scheme}://{control}{}/", settings.control.base_path);
        let own_address = format!("{scheme}://{}{}", local_address(control), settings.control.base_path);
        let description = Arc::new(ProcessDescription::new(&context.lock, own_address, certificate.clone()));
        context.watch_files(
            &control_plane,
            server_listeners
                .iter()
                .map(|listener| &listener.certificate)
                .chain(api_listeners.iter().map(|listener| &listener.certificate)),
            description,
        );
        let (tasks, stop) = (&context.tasks, &context.stop);
        tasks.spawn(greenroom_control::follow_tokens(Arc::clone(&control_plane), tasks.clone(), stop.clone()));
        context.remote_store.follow_peers(&control_plane, tasks, stop);
        let tokens = (stop.clone(), context.draining.clone());
        context.serve_app_caches(app_socket, &control_plane, &settings.control);
        tasks.spawn(greenroom_api::serve(control_plane, listener, settings.control, certificate, tokens));
        context.start_exporters(settings.disk.is_some());
        context.state.start_writer(&without_addresses(&servers), &context.clock, settings.settle)?;
        for server_listener in server_listeners {
            context.serve(server_listener, &services.libraries);
        }
        for api_listener in api_listeners {
            context.serve_api(api_listener);
        }
        tasks.spawn(follow_suspends(context.clock.clone(), stop.clone()));
        tasks.spawn(services.jobs.run_scheduler());
        tasks.spawn(services.internal_client.keep_warm(stop.clone()));
        context.cache.run_warmer();
        Ok(Self {
            servers,
            apis,
            control,
            page,
            token: context.token,
            cache: context.cache,
            clock: context.clock,
            state: context.state,
            libraries: services.libraries,
            statistics: services.statistics,
            notifier: context.notifier,
            app_caches: services.app_caches,
            tasks: context.tasks,
            stop: context.stop,
            draining: context.draining,
            takeover: settings.takeover,
            data_dir: context.data_dir.path().to_owned(),
            listener_handover: Mutex::new(Some(handover)),
            lock: context.lock,
            remote_store: context.remote_store,
        })
    }

    /// Checks regularly whether the servers allow anonymous access or trust Greenroom as a proxy, and warns of it.
    pub fn watch_anonymous_access(&self) {
        for (server, _) in &self.servers {
            self.tasks.spawn(anonymous_access::watch(Arc::clone(&server.origin)));
            self.tasks.spawn(proxy_trust_check::watch(Arc::clone(server)));
        }
    }
}

impl ProcessContext {
    /// Opens the data directory, its state and the engine. Waits up to `patience` for the lock of another process.
    async fn open(settings: &Settings, clock: Clock, patience: Duration) -> Result<Self, String> {
        let data_dir = DataDir::open(&settings.data_dir)?;
        let disk_dir = settings.disk.as_ref().map(|disk| disk.dir.as_path());
        // Before anything is opened.
        let lock = Arc::new(ownership::lock_data_dir(data_dir.path(), disk_dir, patience).await?);
        #[expect(clippy::disallowed_methods, reason = "compared with the times of files")]
        let now = SystemTime::now();
        unfinished_backups::remove_left_over(data_dir.path(), now);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let warnings = Arc::new(Warnings::default());
        if let Some(warning) = lock.warning() {
            tracing::warn!("{} {}", warning.text, warning.remedy);
            warnings.raise(warning);
        }
        let state = Arc::new(StatePersistence::open(data_dir.path(), &warnings));
        let own_key = data_dir.identity_key()?;
        let secrets = (identity_key(settings, own_key), data_dir.webhook_secret()?);
        let token = data_dir.control_token()?;
        let bypasses = Bypasses::open(&data_dir);
        let ttl_overrides = ttl_overrides::TtlOverrideStore::new(data_dir.path());
        let memory = engine_settings(&settings.memory);
        let disk = settings.disk.clone();
        let has_store = disk.as_ref().is_some_and(|disk| cache_setup::has_data(&disk.dir));
        let traces = Arc::new(OtlpExporter::new(settings.tracing.clone(), &clock));
        let cache = cache_setup::open(&memory, disk, &clock, &tasks, &warnings);
        let remote_store = RemoteStoreService::open(settings, &own_key, (data_dir.path(), has_store), &clock, &cache)?;
        let notifier = Notifier::new(settings.notification_targets.clone(), &clock, &warnings);
        let notifier = Arc::new(notifier.with_leadership(remote_store.leadership()));
        Ok(Self {
            data_dir,
            clock,
            tasks,
            stop,
            draining: CancellationToken::new(),
            lock,
            warnings,
            state,
            secrets,
            token,
            bypasses,
            ttl_overrides,
            has_store,
            notifier,
            traces,
            cache,
            own_key,
            remote_store,
        })
    }

    /// Builds the control plane.
    fn control(
        &self,
        settings: &Settings,
        (servers, apis): (&[ServerWithAddress<Server>], &[ServerWithAddress<ApiServer>]),
        services: &ProcessServices,
    ) -> Result<Arc<ControlPlane>, String> {
        let store = settings.disk.as_ref().map(|disk| disk.dir.clone());
        Ok(Arc::new(ControlPlane::new(ControlPlaneDeps {
            internal_client: Arc::clone(&services.internal_client),
            dashboard: Arc::clone(&services.dashboard),
            history: Arc::clone(&services.history),
            shows_user_names: settings.statistics.user_names,
            image_url_signer: ImageUrlSigner::new(&self.secrets.0),
            servers: servers.to_vec(),
            apis: apis.to_vec(),
            cache: self.cache.clone(),
            remote_store: self.remote_store.store.clone(),
            clock: self.clock.clone(),
            token: TokenStore::open(self.data_dir.clone())?,
            warnings: Arc::clone(&self.warnings),
            playlists: Arc::clone(&services.playlists),
            notifier: Arc::clone(&self.notifier),
            traces: Arc::clone(&self.traces),
            jobs: Arc::clone(&services.jobs),
            recommender: Some(Arc::clone(&services.recommender)),
            ttl_overrides: Some(self.ttl_overrides.clone()),
            storage_location: Some(StorePaths { data: self.data_dir.path().to_owned(), cache: store }),
            tasks: self.tasks.clone(),
            statistics: Arc::clone(&services.statistics),
            folders: Arc::clone(&services.folders),
            app_tokens: Arc::clone(&services.app_tokens),
            app_caches: services.app_caches.clone(),
        })))
    }

    /// Watches the token and certificate files for changes.
    fn watch_files<'a>(
        &self,
        control_plane: &Arc<ControlPlane>,
        certificates: impl Iterator<Item = &'a Option<Arc<ServerCertificate>>>,
        description: Arc<ProcessDescription>,
    ) {
        let mut watched: Vec<Arc<dyn FileReloader>> = vec![control_plane.clone(), description];
        watched.extend(certificates.flatten().cloned().map(|certificate| certificate as Arc<dyn FileReloader>));
        self.tasks.spawn(file_watch::watch_files(watched, self.tasks.clone(), self.stop.clone()));
    }

    /// Starts sending notifications and traces.
    fn start_exporters(&self, wants_disk: bool) {
        if wants_disk && self.cache.subscribe_disk_health().is_none() {
            self.notifier.notify(&SystemEvent::DiskOff { reason: "the disk cache could not be opened".into() });
        }
        self.tasks.spawn(Arc::clone(&self.notifier).watch_disk(self.cache.clone(), self.stop.clone()));
        self.notifier.start(&self.tasks, &self.stop);
        self.traces.start(&self.tasks, &self.stop);
    }
}

fn without_addresses(servers: &[(Arc<Server>, SocketAddr)]) -> Vec<Arc<Server>> {
    servers.iter().map(|(server, _)| Arc::clone(server)).collect()
}

fn engine_settings(memory: &greenroom_config::MemorySettings) -> greenroom_cache::CacheSettings {
    greenroom_cache::CacheSettings {
        max_bytes: memory.max_bytes,
        max_entry_bytes: memory.max_entry_bytes,
        max_partition_bytes: memory.max_partition_bytes,
        ..greenroom_cache::CacheSettings::default()
    }
}
