//! All wiring on one page: settings in, a running process out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{Cache, Clock, Noticed};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::advice::{Advisor, forwarding};
use crate::bypass::Bypasses;
use crate::config::{self, Settings};
use crate::control::{Control, Links, Parts, Token};
use crate::dashboard::Dashboard;
use crate::history::History;
use crate::inside::Inside;
use crate::jobs::{self, Jobs};
use crate::keys::{ControlToken, DataDir};
use crate::library::Libraries;
use crate::matching::Matching;
use crate::notices::{Fact, Notices};
use crate::overheard::Overheard;
use crate::playlists::{self, Playlists};
use crate::server::Server;
use crate::state::State;
use crate::statistics::Statistics;
use crate::statistics::spot::Spots;
use crate::storage;
use crate::tls::Shown;
use crate::tls::shown::Files;
use crate::traces::Traces;
use crate::warnings::Warnings;
use crate::{
    breaker, control, follower, library, lifetimes, listener, openness, overheard, prefetch, resume, state,
    statistics,
};

/// How long requests under way may take to end after the process was told to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// For so long clients wait at the start for word of a server that was down when the last process ended.
const WORD: Duration = Duration::from_secs(1);

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
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Process {
    /// Starts everything.
    ///
    /// # Errors
    /// One line that says what could not be had and what to do: a port, the data directory, certificates.
    #[expect(clippy::too_many_lines, reason = "all wiring on one page: one line per part, and no decision")]
    pub async fn start(settings: Settings, clock: Clock) -> Result<Self, String> {
        let data_dir = DataDir::open(&settings.data_dir)?;
        let library_dir = data_dir.path().to_owned();
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let warnings = Arc::new(Warnings::default());
        // First of all, so that nothing is put back into the directory while its files are read or made.
        let state = Arc::new(State::open(data_dir.path(), &warnings));
        let state_dir = data_dir.path().to_owned();
        state::await_turn(&state_dir)?;
        state.introduce().await;
        let secrets = (data_dir.identity_key()?, data_dir.webhook_secret()?);
        let token = data_dir.control_token()?;
        let bypasses = Bypasses::open(&data_dir);
        let lifetimes = lifetimes::Book::of(data_dir.path());
        let memory = engine_settings(&settings.memory);
        let disk_dir = settings.disk.as_ref().map(|disk| disk.dir.clone());
        let has_store = settings.disk.as_ref().is_some_and(|disk| storage::is_begun(&disk.dir));
        let notices = Arc::new(Notices::new(settings.notices, &clock, &warnings));
        let traces = Arc::new(Traces::new(settings.tracing, &clock));
        let wants_disk = settings.disk.is_some();
        let cache = storage::open(&memory, settings.disk, &clock, &tasks, &warnings);
        let mut servers = Vec::new();
        let mut listeners = Vec::new();
        for told in settings.servers {
            let place = format!("server \"{}\"", told.name);
            let listener = bind(told.listen, &place).await?;
            let address = address_of(&listener)?;
            let shown = open_shown(told.shown.as_ref(), &place, &clock)?;
            let mode = told.mode;
            let (cache, clock, tasks, stop) = (cache.clone(), clock.clone(), tasks.clone(), stop.clone());
            let mut server = Server::new(told, cache, clock, tasks, stop, secrets.clone())?;
            server.bypasses = Arc::clone(&bypasses);
            server.state = Arc::clone(&state);
            server.notices = Arc::clone(&notices);
            server.traces = Arc::clone(&traces);
            let spots = &settings.statistics;
            server.spots = Spots::new(spots.spot_check_one_in, spots.spot_checks_per_minute);
            state.restore(&server, has_store);
            take_up(&server, &lifetimes);
            server.turn_to(mode);
            let server = Arc::new(server);
            servers.push((Arc::clone(&server), address));
            listeners.push((server, listener, shown));
        }
        let control_listener = bind(settings.control.listen, "the control plane").await?;
        let control = address_of(&control_listener)?;
        let libraries = Arc::new(Libraries::open(&library_dir, settings.library_memory_bytes));
        let matching = Arc::new(Matching::open(&state_dir, state.trouble(), settings.matching));
        let playlists = Arc::new(
            Playlists::new(
                Arc::clone(&libraries),
                matching,
                servers.iter().map(|(server, _)| Arc::clone(server)).collect(),
                clock.clone(),
                tasks.clone(),
                stop.clone(),
            )
            .within(&state_dir),
        );
        if !settings.playlists.is_empty() {
            tasks.spawn(playlists::standing::keep(Arc::clone(&playlists), settings.playlists, stop.clone()));
        }
        let jobs = Jobs::new(settings.jobs_at_once, clock.clone(), tasks.clone(), stop.clone());
        let jobs = Arc::new(jobs.within(&state_dir));
        jobs::warming::add(&jobs, &cache);
        jobs::indexes::add(&jobs, &libraries);
        let statistics = servers.iter().map(|(server, _)| Arc::clone(server)).collect();
        let kept = (statistics, clock.clone());
        let statistics =
            Arc::new(Statistics::open(&state_dir, &settings.statistics, kept, Arc::clone(&warnings)));
        tasks.spawn(statistics::keep(Arc::clone(&statistics), stop.clone()));
        jobs::statistics::add(&jobs, &statistics);
        let links = Links::of(&secrets.0);
        let own: Vec<Arc<Server>> = servers.iter().map(|(server, _)| Arc::clone(server)).collect();
        let inside = Arc::new(Inside::of(own.clone()));
        let known = Arc::clone(&libraries);
        let dashboard = Dashboard::new(Arc::clone(&inside), known, clock.clone());
        let dashboard = Arc::new(dashboard.counting(Arc::clone(&statistics)).within(&state_dir));
        let kept = (clock.clone(), tasks.clone());
        let history = History::open(&state_dir, state.trouble(), settings.history_max_rows, own, kept);
        let history = Arc::new(history);
        jobs::dashboards::add(&jobs, &dashboard, &history);
        let dirs = std::iter::once(state_dir.clone()).chain(disk_dir.clone()).collect();
        let all = servers.iter().map(|(server, _)| Arc::clone(server)).collect();
        let advisor = Advisor::new(all, cache.clone(), Arc::clone(&libraries), Arc::clone(&warnings), dirs);
        let advisor = advisor.caching_in(disk_dir);
        let advisor = Arc::new(advisor);
        advisor.add(&jobs);
        let plane = Control::new(Parts {
            inside: Arc::clone(&inside),
            dashboard: Arc::clone(&dashboard),
            history: Arc::clone(&history),
            links,
            servers: servers.clone(),
            cache: cache.clone(),
            clock: clock.clone(),
            token: Token::of(data_dir)?,
            warnings,
            playlists,
            notices: Arc::clone(&notices),
            traces: Arc::clone(&traces),
            jobs: Arc::clone(&jobs),
            advisor: Some(advisor),
            lifetimes: Some(lifetimes.clone()),
            statistics: Arc::clone(&statistics),
        });
        let shown = open_shown(settings.control.shown.as_ref(), "the control plane", &clock)?;
        let scheme = if shown.is_some() { "https" } else { "http" };
        let page = format!("{scheme}://{control}{}/", settings.control.base_path);
        tasks.spawn(control::serve(Arc::new(plane), control_listener, settings.control, shown, stop.clone()));
        if wants_disk && cache.disk_turns().is_none() {
            notices.tell(&Fact::DiskOff { reason: "it cannot be had".into() });
        }
        tasks.spawn(Arc::clone(&notices).watch_disk(cache.clone(), stop.clone()));
        notices.begin(&tasks, &stop);
        traces.begin(&tasks, &stop);
        let kept: Vec<_> = listeners.iter().map(|(server, ..)| Arc::clone(server)).collect();
        state.keep(&kept, &clock, settings.settle)?;
        for (server, listener, shown) in listeners {
            tasks.spawn(breaker::keep(Arc::clone(&server)));
            tasks.spawn(resume::resume(Arc::clone(&server)));
            tasks.spawn(listen(Arc::clone(&server), listener, shown));
            tasks.spawn(prefetch::keep(Arc::clone(&server)));
            tasks.spawn(library::keep(Arc::clone(&server), Arc::clone(&libraries)));
            tasks.spawn(follower::follow(server));
        }
        let told = Overheard {
            servers: servers.iter().map(|(server, _)| Arc::clone(server)).collect(),
            lifetimes,
            bypasses,
            state: Arc::clone(&state),
        };
        tasks.spawn(overheard::keep(told, clock.clone(), stop.clone()));
        tasks.spawn(follow(clock.clone(), stop.clone()));
        tasks.spawn(jobs.keep());
        tasks.spawn(inside.keep_warm(stop.clone()));
        cache.run_warmer();
        Ok(Self { servers, control, page, token, cache, clock, state, libraries, statistics, tasks, stop })
    }

    /// From now on asks the servers whether they let their neighbours in, and whether they trust us as a proxy, and
    /// warns of it.
    pub fn watch_openness(&self) {
        for (server, _) in &self.servers {
            self.tasks.spawn(openness::watch(Arc::clone(server)));
            self.tasks.spawn(forwarding::watch(Arc::clone(server)));
        }
    }

    /// Ends everything: nothing new is accepted, what is under way may end within ten seconds, then what waits to be
    /// written is. Returns whether all of it did.
    pub async fn stop(self) -> bool {
        self.stop.cancel();
        self.cache.shutdown();
        for (server, _) in &self.servers {
            server.switch.rest();
        }
        self.tasks.close();
        // However fast the process' clock runs: disks do not run faster with it.
        let ended = tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_ok();
        if let Err(reason) = self.statistics.sync().await {
            tracing::warn!(reason, "the last statistics were not written");
        }
        let lost = self.cache.close_disk().await;
        if lost > 0 {
            tracing::warn!(lost, "the disk was too slow at the end: so many answers were not written");
        }
        if !self.state.close().await {
            tracing::warn!("the disk was too slow at the end: the newest proofs of tokens were not written");
        }
        ended
    }
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

/// Lifetimes that an earlier process was told hold on.
fn take_up(server: &Server, lifetimes: &lifetimes::Book) {
    match lifetimes.read(server.name()) {
        Ok(all) => all.into_iter().for_each(|(class, said)| server.lifetimes.say(class, said)),
        Err(reason) => {
            tracing::warn!(server = server.name(), reason, "lifetimes that were said cannot be read");
        }
    }
}

/// Takes clients in, once it is known whether a server that was down still is: what is not kept would be refused to
/// them although it is back.
async fn listen(server: Arc<Server>, listener: TcpListener, shown: Option<Shown>) {
    drop(server.clock.timeout(WORD, server.breaker.is_judged()).await);
    listener::serve(server, listener, shown).await;
}

fn engine_settings(memory: &config::Memory) -> greenroom_cache::Settings {
    greenroom_cache::Settings {
        max_bytes: memory.max_bytes,
        max_entry_bytes: memory.max_entry_bytes,
        max_partition_bytes: memory.max_partition_bytes,
        ..greenroom_cache::Settings::default()
    }
}

async fn bind(address: SocketAddr, place: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("{place}: {address} is in use by another program; stop it, or choose another port")
        }
        std::io::ErrorKind::PermissionDenied => {
            format!("{place}: this user may not listen on {address}; choose a port above 1023")
        }
        _ => format!("{place}: cannot listen on {address}: {error}"),
    })
}

fn open_shown(files: Option<&Files>, place: &str, clock: &Clock) -> Result<Option<Shown>, String> {
    let Some(files) = files else { return Ok(None) };
    if let Some(warning) = files.warning() {
        tracing::warn!("{place}: {warning}");
    }
    Shown::open(files.clone(), clock.clone()).map(Some).map_err(|reason| format!("{place}: {reason}"))
}

fn address_of(listener: &TcpListener) -> Result<SocketAddr, String> {
    listener.local_addr().map_err(|error| format!("a listener has no address: {error}"))
}
