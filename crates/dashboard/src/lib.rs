//! Statistics for dashboards, computed in advance: while dashboards request them, they are recomputed every minute in
//! the background, and a request gets the latest ones. No request waits for a server, and while a server is down its
//! last values stay, with their age.
//!
//! Modules: [`stats`] (the values shown), [`totals`] (media counts), [`traffic`] (requests of apps), `persistence`
//! (what survives a restart).

#[cfg(test)]
mod idle_tests;
mod persistence;
pub mod stats;
pub mod totals;
pub mod traffic;

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::class::Class;
use greenroom_dialect::dashboard::DashboardSession;
use parking_lot::RwLock;

use greenroom_config::{CacheMode, DASHBOARD_INTERVAL};
use greenroom_proxy::internal_client::{InternalClient, fetch};
use greenroom_proxy::server::Server;
use greenroom_statistics::Statistics;
use greenroom_sync::index::Libraries;
use persistence::{DashboardStore, PersistedDashboard};
use stats::{
    ActiveSessions, DashboardStats, DataTimestamps, PlayingSession, ServerHealth, ServiceCounts, TopApp, TrafficTotals,
};
pub use totals::COUNTS_FRESH;
use totals::{COUNTS_INTERVAL, LibraryCounts};

/// After this many milliseconds without a view (a request for the statistics), servers are no longer asked; the last
/// values stay and age.
const VIEWED_RECENTLY: Duration = Duration::from_millis(15 * 60_000);
/// A response of at most this age counts as just received, and the server is not asked again.
const FRESH_ENOUGH: Duration = Duration::from_secs(30);
/// Time for which sessions are current.
const SESSIONS_FRESH: Duration = Duration::from_millis(2 * 60_000);
/// Max sessions listed.
const MAX_SESSIONS: usize = 100;

/// The dashboard statistics and their inputs.
#[derive(Debug)]
pub struct Dashboard {
    internal_client: Arc<InternalClient>,
    libraries: Arc<Libraries>,
    clock: Clock,
    /// The latest statistics.
    latest: RwLock<Arc<DashboardStats>>,
    /// The servers' last responses. The lock is held while computing; a view never takes it.
    state: tokio::sync::Mutex<DashboardState>,
    /// Time of the last view, in milliseconds since 1970; 0 if there was none since start.
    last_viewed_ms: AtomicTimestamp,
    /// True if the next computation asks every server, however recent the known values are.
    is_refresh_forced: AtomicBool,
    /// True while a background computation waits for its start.
    is_recompute_pending: AtomicBool,
    statistics: Arc<Statistics>,
    /// Persistent store; `None` in tests, and if it could not be read.
    store: Option<DashboardStore>,
    /// Interval at which the statistics are recomputed.
    interval: Duration,
}

#[derive(Debug, Default)]
struct DashboardState {
    traffic: (TrafficTotals, Vec<TopApp>),
    sessions: BTreeMap<String, ServerSessions>,
    /// Number of users by server, and when the server reported it.
    users: BTreeMap<String, (u64, u64)>,
    totals: LibraryCounts,
    /// Peak of concurrent sessions, and its time.
    peak: u64,
    peak_ms: Option<Timestamp>,
    /// The state as it was last persisted.
    persisted: PersistedDashboard,
    /// Persisted state of servers that are not configured now.
    unseen: PersistedDashboard,
}

/// Sessions of one server, as of its last response.
#[derive(Debug, Clone)]
struct ServerSessions {
    sessions: Vec<DashboardSession>,
    at_ms: Timestamp,
}

/// True if the newest of a server's values is recent enough to count as just requested.
pub fn is_recent(timestamps: &DataTimestamps, now_ms: Timestamp) -> bool {
    now_ms.duration_since(timestamps.newest_ms) <= FRESH_ENOUGH
}

impl Dashboard {
    /// Statistics of these servers and libraries.
    pub fn new(internal_client: Arc<InternalClient>, libraries: Arc<Libraries>, clock: Clock) -> Self {
        Self {
            internal_client,
            libraries,
            latest: RwLock::default(),
            state: tokio::sync::Mutex::default(),
            last_viewed_ms: AtomicTimestamp::new(Timestamp::UNIX_EPOCH),
            is_refresh_forced: AtomicBool::new(false),
            is_recompute_pending: AtomicBool::new(false),
            statistics: Arc::new(Statistics::new(Vec::new(), clock.clone())),
            store: None,
            clock,
            interval: DASHBOARD_INTERVAL,
        }
    }

    /// Recomputes the statistics at this interval.
    #[must_use]
    pub fn with_interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// Interval at which the statistics are recomputed.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Adds the traffic statistics of apps.
    #[must_use]
    pub fn with_statistics(self, statistics: Arc<Statistics>) -> Self {
        Self { statistics, ..self }
    }

    /// Restores the state from this data directory and persists to it. A state that cannot be read is neither restored
    /// nor overwritten.
    #[must_use]
    pub fn with_data_dir(mut self, data_dir: &Path) -> Self {
        let store = DashboardStore::new(data_dir);
        let stored = match store.read() {
            Ok(stored) => stored,
            Err(reason) => {
                tracing::warn!(reason, "dashboard statistics cannot be read; they restart empty and will not be saved");
                return self;
            }
        };
        let servers: Vec<&str> = self.internal_client.servers().iter().map(|server| server.name()).collect();
        let (unseen, stored) = (stored.clone().unseen(&servers), stored.visible_to(&servers, self.clock.now()));
        let state = self.state.get_mut();
        state.totals = LibraryCounts::from_persisted(stored.libraries.clone());
        state.users.clone_from(&stored.users);
        (state.peak, state.peak_ms) = (stored.peak, stored.peak_ms.map(Timestamp::from_millis));
        state.persisted = stored.with(&unseen);
        state.unseen = unseen;
        self.store = Some(store);
        self
    }

    /// Persists counts and peak if they changed.
    async fn persist(&self, state: &mut DashboardState) {
        let Some(store) = self.store.clone() else { return };
        let (libraries, users) = (state.totals.to_persisted(), state.users.clone());
        let stored =
            PersistedDashboard { libraries, users, peak: state.peak, peak_ms: state.peak_ms.map(Timestamp::as_millis) }
                .with(&state.unseen);
        if stored == state.persisted {
            return;
        }
        let (file_work, to_write) = (store.file_work.clone(), stored.clone());
        match file_work.run(move || store.write(&to_write)).await {
            Ok(Ok(())) => state.persisted = stored,
            Ok(Err(reason)) => tracing::debug!(reason, "dashboard statistics cannot be saved"),
            Err(error) => tracing::debug!(%error, "dashboard statistics cannot be saved"),
        }
    }

    /// The latest statistics. The first view after a pause gets the previous ones and starts a recomputation in the
    /// background.
    pub fn stats(self: &Arc<Self>) -> Arc<DashboardStats> {
        if !self.record_view() {
            self.recompute_in_background();
        }
        Arc::clone(&self.latest.read())
    }

    /// Records a view or a request for an update. Returns true if the previous view was recent.
    pub fn record_view(&self) -> bool {
        let now_ms = self.clock.now();
        was_viewed_recently(self.last_viewed_ms.swap(now_ms, Ordering::Relaxed), now_ms)
    }

    /// Time of the statistics, in milliseconds since 1970; 0 before there are any. Does not count as a view.
    pub fn as_of_ms(&self) -> Timestamp {
        Timestamp::from_millis(self.latest.read().as_of_ms)
    }

    /// Starts a recomputation in the background that asks every server; the known values stay until it completes.
    pub fn request_refresh(self: &Arc<Self>) {
        self.is_refresh_forced.store(true, Ordering::Relaxed);
        self.record_view();
        self.recompute_in_background();
    }

    /// Recomputes in the background. A running computation is followed by another one, because it may not have asked
    /// the servers.
    fn recompute_in_background(self: &Arc<Self>) {
        let Some(server) = self.internal_client.servers().first() else { return };
        if self.is_recompute_pending.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = Arc::clone(self);
        server.origin.tasks.spawn(async move {
            let mut state = this.state.lock().await;
            this.is_recompute_pending.store(false, Ordering::Release);
            if let Err(reason) = this.compute(&mut state).await {
                tracing::debug!(reason, "dashboard statistics cannot be recomputed");
            }
        });
    }

    /// Recomputes the statistics, after a computation that is running: it may have begun before what the caller wants to
    /// see. Without recent views existing statistics stay as they are. Returns a summary.
    ///
    /// # Errors
    /// If there are servers to ask, and none of them ever responded.
    pub async fn recompute(&self) -> Result<String, String> {
        let mut state = self.state.lock().await;
        self.compute(&mut state).await
    }

    async fn compute(&self, state: &mut DashboardState) -> Result<String, String> {
        let now_ms = self.clock.now();
        let may_ask = was_viewed_recently(self.last_viewed_ms.load(Ordering::Relaxed), now_ms);
        if !may_ask && self.as_of_ms() > Timestamp::UNIX_EPOCH {
            return Ok("Not computed: no recent view of the dashboard.".to_owned());
        }
        let is_refresh_forced = self.is_refresh_forced.swap(false, Ordering::Relaxed);
        for server in self.internal_client.servers() {
            self.refresh_sessions(state, server, may_ask, is_refresh_forced).await;
            if may_ask {
                refresh_users(state, server, now_ms, is_refresh_forced).await;
            }
        }
        match traffic::load(&self.statistics).await {
            Ok(traffic) => state.traffic = traffic,
            Err(reason) => tracing::debug!(reason, "traffic statistics cannot be read"),
        }
        state.totals.count(&self.libraries, may_ask, is_refresh_forced).await;
        let stats = self.assemble(state);
        self.persist(state).await;
        let summary = summary(stats.sessions.active.unwrap_or_default(), &stats.services);
        // Servers that have no token or are observed or bypassed are never asked: counting them as failures would
        // report one every minute.
        let is_asked =
            |server: &Arc<Server>| server.origin.settings.token.is_some() && server.mode() == CacheMode::Cache;
        let is_empty =
            may_ask && stats.data_timestamps.is_empty() && self.internal_client.servers().iter().any(is_asked);
        *self.latest.write() = Arc::new(stats);
        if is_empty { Err("No server responded yet.".to_owned()) } else { Ok(summary) }
    }

    async fn refresh_sessions(
        &self,
        state: &mut DashboardState,
        server: &Arc<Server>,
        may_ask: bool,
        is_refresh_forced: bool,
    ) {
        let kind = server.origin.settings.kind;
        let cached = self.internal_client.peek(server, kind.sessions_target());
        let is_fresh = !is_refresh_forced && cached.as_ref().is_some_and(|found| found.age <= FRESH_ENOUGH);
        let mut current = cached
            .and_then(|found| Some(ServerSessions { sessions: kind.sessions(&found.body).ok()?, at_ms: found.at_ms }));
        if may_ask
            && !is_fresh
            && server.origin.settings.token.is_some()
            && let Ok(body) = fetch::run(server, kind.sessions_target(), Class::Sessions).await
            && let Ok(sessions) = kind.sessions(&body)
        {
            current = Some(ServerSessions { sessions, at_ms: self.clock.now() });
        }
        let before = state.sessions.get(server.name());
        if let Some(current) = current.filter(|current| before.is_none_or(|before| before.at_ms <= current.at_ms)) {
            state.sessions.insert(server.name().to_owned(), current);
        }
    }

    /// Combines the known values, and raises the peak if it is exceeded. Asks no server.
    fn assemble(&self, state: &mut DashboardState) -> DashboardStats {
        let now_ms = self.clock.now();
        let servers: Vec<ServerHealth> =
            self.internal_client.servers().iter().map(|server| ServerHealth::from_server(server, now_ms)).collect();
        let sessions = self.sessions(state, now_ms);
        if let Some(active) = sessions.active.filter(|active| *active > state.peak) {
            (state.peak, state.peak_ms) = (active, Some(now_ms));
        }
        DashboardStats {
            as_of_ms: now_ms.as_millis(),
            services: ServiceCounts::count(&servers),
            servers,
            libraries: state.totals.library_totals(&self.libraries),
            traffic: state.traffic.0,
            sessions,
            top_apps: state.traffic.1.clone(),
            data_timestamps: self.data_timestamps(state),
            users: state.users.iter().map(|(server, (count, _))| (server.clone(), *count)).collect(),
            peak_sessions: state.peak,
            peak_ms: state.peak_ms.map(Timestamp::as_millis),
        }
    }

    /// Times of the data of each server that ever responded.
    fn data_timestamps(&self, state: &DashboardState) -> BTreeMap<String, DataTimestamps> {
        let timestamps_of = |server: &Arc<Server>| {
            let name = server.name();
            let mut times = state.totals.update_times(&self.libraries, name);
            times.extend(state.sessions.get(name).map(|current| (current.at_ms, SESSIONS_FRESH)));
            times.extend(state.users.get(name).map(|(_, asked_ms)| (Timestamp::from_millis(*asked_ms), COUNTS_FRESH)));
            Some((name.to_owned(), DataTimestamps::from_moments(times)?))
        };
        self.internal_client.servers().iter().filter_map(timestamps_of).collect()
    }

    fn sessions(&self, state: &DashboardState, now_ms: Timestamp) -> ActiveSessions {
        let mut sessions = ActiveSessions { as_of_ms: Some(now_ms.as_millis()), ..ActiveSessions::default() };
        for server in self.internal_client.servers() {
            let Some(current) = state.sessions.get(server.name()) else {
                sessions.stale |= server.origin.settings.token.is_some();
                continue;
            };
            let is_old = now_ms.duration_since(current.at_ms) > SESSIONS_FRESH;
            sessions.stale |= is_old || server.origin.breaker.outage().is_some();
            sessions.as_of_ms = sessions.as_of_ms.map(|at_ms| at_ms.min(current.at_ms.as_millis()));
            sessions.active = Some(sessions.active.unwrap_or_default() + current.sessions.len() as u64);
            let remaining = MAX_SESSIONS.saturating_sub(sessions.list.len());
            let rows = current
                .sessions
                .iter()
                .take(remaining)
                .map(|session| PlayingSession::from_session(server.name(), session));
            sessions.list.extend(rows);
        }
        if state.sessions.is_empty() {
            sessions.as_of_ms = None;
        }
        sessions
    }
}

/// True if a view at that time was recent; 0 means never.
fn was_viewed_recently(viewed_ms: Timestamp, now_ms: Timestamp) -> bool {
    viewed_ms > Timestamp::UNIX_EPOCH && now_ms.duration_since(viewed_ms) < VIEWED_RECENTLY
}

async fn refresh_users(state: &mut DashboardState, server: &Arc<Server>, now_ms: Timestamp, is_refresh_forced: bool) {
    let asked_ms = state.users.get(server.name()).map(|(_, asked_ms)| *asked_ms);
    if server.origin.settings.token.is_none()
        || (!is_refresh_forced
            && asked_ms.is_some_and(|at_ms| now_ms.duration_since(Timestamp::from_millis(at_ms)) < COUNTS_INTERVAL))
    {
        return;
    }
    let kind = server.origin.settings.kind;
    if let Ok(body) = fetch::run(server, kind.accounts_target(), Class::Users).await
        && let Ok(users) = kind.accounts(&body)
    {
        state.users.insert(server.name().to_owned(), (users.len() as u64, now_ms.as_millis()));
    }
}

/// One sentence for the list of jobs.
fn summary(playing: u64, servers: &ServiceCounts) -> String {
    let ServiceCounts { total, online, offline, .. } = *servers;
    match total - online - offline {
        0 => format!("{playing} playing, {online} of {total} servers online."),
        unknown => format!("{playing} playing, {online} of {total} servers online, {unknown} not asked yet."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_was_not_asked_yet_is_not_called_offline() {
        let servers = |online, offline| ServiceCounts { total: 3, online, offline, slow: 0 };
        assert_eq!(summary(1, &servers(3, 0)), "1 playing, 3 of 3 servers online.");
        assert_eq!(summary(0, &servers(1, 2)), "0 playing, 1 of 3 servers online.");
        assert_eq!(summary(0, &servers(0, 0)), "0 playing, 0 of 3 servers online, 3 not asked yet.");
    }

    #[tokio::test(start_paused = true)]
    async fn a_view_during_a_computation_gets_the_previous_statistics_at_once() {
        let dashboard = Arc::new(Dashboard::new(Arc::default(), Arc::default(), Clock::system()));
        dashboard.recompute().await.expect("statistics");
        let before = dashboard.stats();
        assert!(before.as_of_ms > 0);
        let computing = dashboard.state.lock().await;
        assert_eq!(dashboard.stats().as_of_ms, before.as_of_ms);
        drop(computing);
        assert_eq!(dashboard.recompute().await.as_deref(), Ok("0 playing, 0 of 0 servers online."));
    }

    #[tokio::test(start_paused = true)]
    async fn a_requested_computation_waits_for_the_one_that_is_running_and_is_not_skipped() {
        let dashboard = Arc::new(Dashboard::new(Arc::default(), Arc::default(), Clock::system()));
        let running = dashboard.state.lock().await;
        let mut requested = Box::pin(dashboard.recompute());
        assert!(futures_util::poll!(requested.as_mut()).is_pending());
        drop(running);
        assert_eq!(requested.await.as_deref(), Ok("0 playing, 0 of 0 servers online."));
    }

    #[tokio::test(start_paused = true)]
    async fn persisted_state_that_is_unreadable_or_of_other_servers_is_not_overwritten() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let open = |dir: &Path| Dashboard::new(Arc::default(), Arc::default(), Clock::system()).with_data_dir(dir);
        let unreadable = open(folder.path());
        greenroom_state::db::StateDb::open(folder.path()).expect("a state database");
        let store = DashboardStore::new(folder.path());
        let users = BTreeMap::from([("attic".to_owned(), (3, 400))]);
        let earlier = PersistedDashboard { users, peak: 2, ..PersistedDashboard::default() };
        store.write(&earlier).expect("state written");
        unreadable.state.lock().await.peak = 1;
        unreadable.recompute().await.expect("statistics");
        assert_eq!(store.read().as_ref(), Ok(&earlier));
        let later = open(folder.path());
        later.state.lock().await.peak = 5;
        later.recompute().await.expect("statistics");
        assert_eq!(store.read(), Ok(PersistedDashboard { peak: 5, ..earlier }));
    }
}
