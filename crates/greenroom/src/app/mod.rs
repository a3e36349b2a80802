//! All wiring on one page: settings in, a running process out. How a media server gets its listener is in `door`, what
//! stands beside the servers in `beside`.

mod beside;
mod door;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::disk::lock::DirectoryLock;
use greenroom_cache::{Cache, Clock, Noticed};
use greenroom_dialect::credential::Secret;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::takeover::listening::{address_of, bind, on_this_machine};
use crate::takeover::{Offer, Sockets};
use beside::Beside;
use door::open_shown;
use greenroom_config::{Settings, Takeover};
use greenroom_control::notifications::Notices;
use greenroom_control::{Control, Links, Parts, Token};
use greenroom_origin::anonymous_access;
use greenroom_origin::fact::Fact;
use greenroom_proxy::bypass::Bypasses;
use greenroom_proxy::cache_setup;
use greenroom_proxy::http::server_certificate::Shown;
use greenroom_proxy::otlp::Traces;
use greenroom_proxy::persistence::State;
use greenroom_proxy::server::Server;
use greenroom_proxy::statistics::Statistics;
use greenroom_proxy::stored_responses::Place;
use greenroom_proxy::{proxy_trust_check, ttl_overrides};
use greenroom_state::file_watch::{self, Watched};
use greenroom_state::ownership;
use greenroom_state::secrets::{ControlToken, DataDir, HashKey};
use greenroom_state::warnings::Warnings;
use greenroom_sync::index::Libraries;

/// How long requests under way may take to end after the process was told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// A running process.
#[derive(Debug)]
pub struct Process {
    /// The media servers, each with the address clients find it at.
    pub servers: Vec<(Arc<Server>, SocketAddr)>,
    /// Address of the control plane.
    pub control: SocketAddr,
    /// Where its page is, for a person.
    pub page: String,
    /// The control token.
    pub token: ControlToken,
    /// The engine.
    pub cache: Cache,
    /// The clock everything runs by.
    pub clock: Clock,
    /// What outlives the process.
    pub state: Arc<State>,
    /// The libraries of the servers.
    pub libraries: Arc<Libraries>,
    /// What was asked, and how it was answered.
    pub statistics: Arc<Statistics>,
    /// What is told to people.
    pub notices: Arc<Notices>,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Nobody more is accepted: another process does that from now on.
    leaving: CancellationToken,
    takeover: Takeover,
    data_dir: PathBuf,
    /// The listening sockets, for a process that takes over.
    offer: Mutex<Option<Offer>>,
    /// Keeps other processes from the data directory until everything is written.
    lock: DirectoryLock,
}

/// What every part of the process stands on.
struct Base {
    data_dir: DataDir,
    clock: Clock,
    tasks: TaskTracker,
    stop: CancellationToken,
    leaving: CancellationToken,
    lock: DirectoryLock,
    warnings: Arc<Warnings>,
    state: Arc<State>,
    secrets: (HashKey, Secret),
    token: ControlToken,
    bypasses: Arc<Bypasses>,
    lifetimes: ttl_overrides::Book,
    /// Whether there was a disk tier before.
    has_store: bool,
    notices: Arc<Notices>,
    traces: Arc<Traces>,
    cache: Cache,
}

impl Process {
    /// Starts everything.
    ///
    /// # Errors
    /// One line that says what could not be had and what to do: a port, the data directory, certificates.
    pub async fn start(settings: Settings, clock: Clock) -> Result<Self, String> {
        Self::take_over(settings, clock, Sockets::default(), ownership::PATIENCE).await
    }

    /// The same on the listening sockets of a process that leaves, which may take up to `patience` to end.
    ///
    /// # Errors
    /// As with [`Self::start`].
    pub async fn take_over(
        settings: Settings,
        clock: Clock,
        mut sockets: Sockets,
        patience: Duration,
    ) -> Result<Self, String> {
        let base = Base::open(&settings, clock, patience).await?;
        let mut offer = Offer::default();
        let doors = base.open_doors(&settings, &mut sockets, &mut offer).await?;
        let servers: Vec<_> = doors.iter().map(|door| (Arc::clone(&door.server), door.address)).collect();
        let place = "the control plane";
        let listener = bind(settings.control.listen, place, &mut sockets, &mut offer).await?;
        let control = address_of(&listener)?;
        let beside = base.open_beside(&settings, &servers);
        let plane = base.control(&settings, &servers, &beside)?;
        let shown = open_shown(settings.control.shown.as_ref(), place, &base.clock)?;
        let scheme = if shown.is_some() { "https" } else { "http" };
        let page = format!("{scheme}://{control}{}/", settings.control.base_path);
        base.watch_files(&plane, doors.iter().map(|door| &door.shown).chain([&shown]));
        let own_address = on_this_machine(control);
        base.lock.describe(&format!("{scheme}://{own_address}{}", settings.control.base_path));
        let (tasks, stop) = (&base.tasks, &base.stop);
        let ends = (stop.clone(), base.leaving.clone());
        tasks.spawn(greenroom_control::serve(plane, listener, settings.control, shown, ends));
        base.begin_telling(settings.disk.is_some());
        base.state.keep(&of(&servers), &base.clock, settings.settle)?;
        for door in doors {
            base.serve(door, &beside.libraries);
        }
        tasks.spawn(follow(base.clock.clone(), stop.clone()));
        tasks.spawn(beside.jobs.keep());
        tasks.spawn(beside.inside.keep_warm(stop.clone()));
        base.cache.run_warmer();
        Ok(Self {
            servers,
            control,
            page,
            token: base.token,
            cache: base.cache,
            clock: base.clock,
            state: base.state,
            libraries: beside.libraries,
            statistics: beside.statistics,
            notices: base.notices,
            tasks: base.tasks,
            stop: base.stop,
            leaving: base.leaving,
            takeover: settings.takeover,
            data_dir: base.data_dir.path().to_owned(),
            offer: Mutex::new(Some(offer)),
            lock: base.lock,
        })
    }

    /// From now on asks the servers whether they let their neighbours in, and whether they trust us as a proxy, and
    /// warns of it.
    pub fn watch_openness(&self) {
        for (server, _) in &self.servers {
            self.tasks.spawn(anonymous_access::watch(Arc::clone(&server.origin)));
            self.tasks.spawn(proxy_trust_check::watch(Arc::clone(server)));
        }
    }

    /// Ends everything: nothing new is accepted, what is under way may end within ten seconds, then what waits to be
    /// written is. Returns whether all of it did.
    pub async fn stop(self) -> bool {
        self.end(DRAIN).await
    }

    /// Waits until another process has taken the listening sockets, which is told with [`Self::leave`] to come.
    pub async fn is_taken_over(&self) {
        let offer = self.offer.lock().take();
        match offer {
            Some(offer) => offer.taken(&self.data_dir, self.takeover.idle + self.takeover.drain).await,
            None => std::future::pending().await,
        }
    }

    /// Leaves its place to the process that took over: each client that asks again is told to come back on a new
    /// connection, which the other one accepts; what is idle after that is closed. Then it ends.
    pub async fn leave(self) -> bool {
        self.leaving.cancel();
        tokio::time::sleep(self.takeover.idle).await;
        let drain = self.takeover.drain;
        self.end(drain).await
    }

    async fn end(self, drain: Duration) -> bool {
        self.stop.cancel();
        // Else the system would go on accepting connections.
        drop(self.offer.lock().take());
        self.cache.shutdown();
        for (server, _) in &self.servers {
            server.modes.switch.rest();
        }
        self.tasks.close();
        // However fast the process' clock runs: disks do not run faster with it.
        let ended = tokio::time::timeout(drain, self.tasks.wait()).await.is_ok();
        let written = tokio::time::timeout(DRAIN, self.statistics.sync()).await;
        if let Err(reason) = written.unwrap_or_else(|_| Err("the disk does not answer".to_owned())) {
            tracing::warn!(reason, "the last statistics were not written");
        }
        let lost = self.cache.close_disk().await;
        if lost > 0 {
            tracing::warn!(lost, "the disk was too slow at the end: so many answers were not written");
        }
        if !self.state.close().await {
            tracing::warn!("the disk was too slow at the end: the newest proofs of tokens were not written");
        }
        // Only now may another process come.
        drop(self.lock);
        ended
    }
}

impl Base {
    /// Opens the data directory, the state in it and the engine. Waits up to `patience` for a process that still has it.
    async fn open(settings: &Settings, clock: Clock, patience: Duration) -> Result<Self, String> {
        let data_dir = DataDir::open(&settings.data_dir)?;
        let disk_dir = settings.disk.as_ref().map(|disk| disk.dir.as_path());
        // Before anything is opened.
        let lock = ownership::take(data_dir.path(), disk_dir, patience).await?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let warnings = Arc::new(Warnings::default());
        let state = Arc::new(State::open(data_dir.path(), &warnings));
        let secrets = (data_dir.identity_key()?, data_dir.webhook_secret()?);
        let token = data_dir.control_token()?;
        let bypasses = Bypasses::open(&data_dir);
        let lifetimes = ttl_overrides::Book::of(data_dir.path());
        let memory = engine_settings(&settings.memory);
        let disk = settings.disk.clone();
        let has_store = disk.as_ref().is_some_and(|disk| cache_setup::is_begun(&disk.dir));
        let notices = Arc::new(Notices::new(settings.notices.clone(), &clock, &warnings));
        let traces = Arc::new(Traces::new(settings.tracing.clone(), &clock));
        let cache = cache_setup::open(&memory, disk, &clock, &tasks, &warnings);
        Ok(Self {
            data_dir,
            clock,
            tasks,
            stop,
            leaving: CancellationToken::new(),
            lock,
            warnings,
            state,
            secrets,
            token,
            bypasses,
            lifetimes,
            has_store,
            notices,
            traces,
            cache,
        })
    }

    /// The control plane over all of it.
    fn control(
        &self,
        settings: &Settings,
        servers: &[(Arc<Server>, SocketAddr)],
        beside: &Beside,
    ) -> Result<Arc<Control>, String> {
        let store = settings.disk.as_ref().map(|disk| disk.dir.clone());
        Ok(Arc::new(Control::new(Parts {
            inside: Arc::clone(&beside.inside),
            dashboard: Arc::clone(&beside.dashboard),
            history: Arc::clone(&beside.history),
            links: Links::of(&self.secrets.0),
            servers: servers.to_vec(),
            cache: self.cache.clone(),
            clock: self.clock.clone(),
            token: Token::of(self.data_dir.clone())?,
            warnings: Arc::clone(&self.warnings),
            playlists: Arc::clone(&beside.playlists),
            notices: Arc::clone(&self.notices),
            traces: Arc::clone(&self.traces),
            jobs: Arc::clone(&beside.jobs),
            advisor: Some(Arc::clone(&beside.advisor)),
            lifetimes: Some(self.lifetimes.clone()),
            place: Some(Place { data: self.data_dir.path().to_owned(), cache: store }),
            tasks: self.tasks.clone(),
            statistics: Arc::clone(&beside.statistics),
        })))
    }

    /// Looks whether the files of tokens and certificates changed.
    fn watch_files<'a>(
        &self,
        plane: &Arc<Control>,
        certificates: impl Iterator<Item = &'a Option<Arc<Shown>>>,
    ) {
        let mut watched: Vec<Arc<dyn Watched>> = vec![plane.clone()];
        watched.extend(certificates.flatten().cloned().map(|shown| shown as Arc<dyn Watched>));
        self.tasks.spawn(file_watch::keep(watched, self.tasks.clone(), self.stop.clone()));
    }

    /// Begins to send notifications and traces.
    fn begin_telling(&self, wants_disk: bool) {
        if wants_disk && self.cache.disk_turns().is_none() {
            self.notices.tell(&Fact::DiskOff { reason: "it cannot be had".into() });
        }
        self.tasks.spawn(Arc::clone(&self.notices).watch_disk(self.cache.clone(), self.stop.clone()));
        self.notices.begin(&self.tasks, &self.stop);
        self.traces.begin(&self.tasks, &self.stop);
    }
}

/// The servers without their addresses.
fn of(servers: &[(Arc<Server>, SocketAddr)]) -> Vec<Arc<Server>> {
    servers.iter().map(|(server, _)| Arc::clone(server)).collect()
}

/// Lets the clock leap over what the machine slept.
async fn follow(clock: Clock, stop: CancellationToken) {
    let tell = |noticed| match noticed {
        Noticed::Leapt(leap) => {
            tracing::info!(leap_s = leap.as_secs(), "the machine slept: our clock leapt over it");
        }
        Noticed::Incredible(ahead) => tracing::warn!(
            ahead_s = ahead.as_secs(),
            "the machine's clock is ahead by more than it can have slept: ours goes on as it is until a restart"
        ),
    };
    tokio::select! {
        never = clock.follow(tell) => match never {},
        () = stop.cancelled() => {}
    }
}

fn engine_settings(memory: &greenroom_config::Memory) -> greenroom_cache::Settings {
    greenroom_cache::Settings {
        max_bytes: memory.max_bytes,
        max_entry_bytes: memory.max_entry_bytes,
        max_partition_bytes: memory.max_partition_bytes,
        ..greenroom_cache::Settings::default()
    }
}
