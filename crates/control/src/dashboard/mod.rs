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

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::class::Class;
use greenroom_dialect::dashboard::DashboardSession;
use parking_lot::RwLock;

use greenroom_config::CacheMode;
use greenroom_proxy::internal_client::{InternalClient, fetch};
use greenroom_proxy::server::Server;
use greenroom_proxy::statistics::Statistics;
use greenroom_sync::index::Libraries;
use persistence::{DashboardStore, PersistedDashboard};
use stats::{
    ActiveSessions, DashboardStats, DataTimestamps, PlayingSession, ServerHealth, ServiceCounts, TopApp, TrafficTotals,
};
use totals::LibraryCounts;

/// How often the statistics are recomputed.
pub const EVERY: Duration = Duration::from_mins(1);
/// After this many milliseconds without a view (a request for the statistics), servers are no longer asked; the last
/// values stay and age.
const LOOKED_MS: u64 = 15 * 60_000;
/// A response of at most this age counts as just received, and the server is not asked again.
const FRESH_ENOUGH: Duration = Duration::from_secs(30);
/// How long media and user counts are current.
pub const COUNTS_GOOD: Duration = Duration::from_mins(15);
const COUNTS_GOOD_MS: u64 = 15 * 60_000;
/// How often counts are requested: a little sooner than they become outdated, to allow for a slow server.
const COUNTS_EVERY_MS: u64 = COUNTS_GOOD_MS - 2 * 60_000;
/// How long sessions are current.
const SESSIONS_GOOD_MS: u64 = 2 * 60_000;
/// Max sessions listed.
const MAX_SESSIONS: usize = 100;

/// The dashboard statistics and their inputs.
#[derive(Debug)]
pub struct Dashboard {
    internal_client: Arc<InternalClient>,
    libraries: Arc<Libraries>,
    clock: Clock,
    /// The latest statistics.
    ready: RwLock<Arc<DashboardStats>>,
    /// The servers' last responses. The lock is held while computing; a view never takes it.
    state: tokio::sync::Mutex<DashboardState>,
    /// Time of the last view, in milliseconds since 1970; 0 if there was none since start.
    last_viewed_ms: AtomicU64,
    /// True if the next computation asks every server, however recent the known values are.
    is_doubted: AtomicBool,
    /// True while a background computation waits for its start.
    is_awaited: AtomicBool,
    statistics: Arc<Statistics>,
    /// Persistent store; `None` in tests, and if it could not be read.
    store: Option<DashboardStore>,
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
    peak_ms: Option<u64>,
    /// The state as it was last persisted.
    kept: PersistedDashboard,
    /// Persisted state of servers that are not configured now.
    unseen: PersistedDashboard,
}

/// Sessions of one server, as of its last response.
#[derive(Debug, Clone)]
struct ServerSessions {
    sessions: Vec<DashboardSession>,
    at_ms: u64,
}

/// True if the newest of a server's values is recent enough to count as just requested.
pub fn is_recent(heard: &DataTimestamps, now_ms: u64) -> bool {
    u128::from(now_ms.saturating_sub(heard.newest_ms)) <= FRESH_ENOUGH.as_millis()
}

impl Dashboard {
    /// Statistics of these servers and libraries.
    pub fn new(inside: Arc<InternalClient>, libraries: Arc<Libraries>, clock: Clock) -> Self {
        Self {
            internal_client: inside,
            libraries,
            ready: RwLock::default(),
            state: tokio::sync::Mutex::default(),
            last_viewed_ms: AtomicU64::new(0),
            is_doubted: AtomicBool::new(false),
            is_awaited: AtomicBool::new(false),
            statistics: Arc::new(Statistics::new(Vec::new(), clock.clone())),
            store: None,
            clock,
        }
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
        let row = DashboardStore::new(data_dir);
        let kept = match row.read() {
            Ok(kept) => kept,
            Err(reason) => {
                tracing::warn!(reason, "the figures of dashboards cannot be read: they are counted anew, and not kept");
                return self;
            }
        };
        let servers: Vec<&str> = self.internal_client.servers().iter().map(|server| server.name()).collect();
        let (unseen, kept) = (kept.clone().unseen(&servers), kept.visible_to(&servers, self.clock.now_ms()));
        let known = self.state.get_mut();
        known.totals = LibraryCounts::from_persisted(kept.libraries.clone());
        known.users.clone_from(&kept.users);
        (known.peak, known.peak_ms) = (kept.peak, kept.peak_ms);
        known.kept = kept.with(&unseen);
        known.unseen = unseen;
        self.store = Some(row);
        self
    }

    /// Persists counts and peak if they changed.
    async fn persist(&self, known: &mut DashboardState) {
        let Some(row) = self.store.clone() else { return };
        let (libraries, users) = (known.totals.to_persisted(), known.users.clone());
        let kept =
            PersistedDashboard { libraries, users, peak: known.peak, peak_ms: known.peak_ms }.with(&known.unseen);
        if kept == known.kept {
            return;
        }
        let (lane, written) = (row.lane.clone(), kept.clone());
        match lane.run(move || row.write(&written)).await {
            Ok(Ok(())) => known.kept = kept,
            Ok(Err(reason)) => tracing::debug!(reason, "the figures of dashboards cannot be kept"),
            Err(undone) => tracing::debug!(%undone, "the figures of dashboards cannot be kept"),
        }
    }

    /// The latest statistics. The first view after a pause gets the previous ones and starts a recomputation in the
    /// background.
    pub fn stats(self: &Arc<Self>) -> Arc<DashboardStats> {
        if !self.record_view() {
            self.recompute_behind();
        }
        Arc::clone(&self.ready.read())
    }

    /// Records a view or a request for an update. Returns true if the previous view was recent.
    pub fn record_view(&self) -> bool {
        let now_ms = self.clock.now_ms();
        was_viewed_recently(self.last_viewed_ms.swap(now_ms, Ordering::Relaxed), now_ms)
    }

    /// Time of the statistics, in milliseconds since 1970; 0 before there are any. Does not count as a view.
    pub fn as_of_ms(&self) -> u64 {
        self.ready.read().as_of_ms
    }

    /// Starts a recomputation in the background that asks every server; the known values stay until it completes.
    pub fn request_refresh(self: &Arc<Self>) {
        self.is_doubted.store(true, Ordering::Relaxed);
        self.record_view();
        self.recompute_behind();
    }

    /// Recomputes in the background. A running computation is followed by another one, because it may not have asked
    /// the servers.
    fn recompute_behind(self: &Arc<Self>) {
        let Some(server) = self.internal_client.servers().first() else { return };
        if self.is_awaited.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = Arc::clone(self);
        server.origin.tasks.spawn(async move {
            let mut known = this.state.lock().await;
            this.is_awaited.store(false, Ordering::Release);
            if let Err(reason) = this.compute(&mut known).await {
                tracing::debug!(reason, "the figures cannot be renewed");
            }
        });
    }

    /// Recomputes the statistics unless a computation is running. Without recent views existing statistics stay as they
    /// are. Returns a summary.
    ///
    /// # Errors
    /// If there are servers to ask, and none of them ever responded.
    pub async fn recompute(&self) -> Result<String, String> {
        let Ok(mut known) = self.state.try_lock() else { return Ok("It runs already.".to_owned()) };
        self.compute(&mut known).await
    }

    async fn compute(&self, known: &mut DashboardState) -> Result<String, String> {
        let now_ms = self.clock.now_ms();
        let may_ask = was_viewed_recently(self.last_viewed_ms.load(Ordering::Relaxed), now_ms);
        if !may_ask && self.as_of_ms() > 0 {
            return Ok("Not computed: the figures were not asked for lately.".to_owned());
        }
        let is_doubted = self.is_doubted.swap(false, Ordering::Relaxed);
        for server in self.internal_client.servers() {
            self.refresh_sessions(known, server, may_ask, is_doubted).await;
            if may_ask {
                refresh_users(known, server, now_ms, is_doubted).await;
            }
        }
        match traffic::load(&self.statistics).await {
            Ok(traffic) => known.traffic = traffic,
            Err(reason) => tracing::debug!(reason, "what apps asked cannot be read"),
        }
        known.totals.count(&self.libraries, may_ask, is_doubted).await;
        let figures = self.assemble(known);
        self.persist(known).await;
        let said = format!(
            "{} playing, {} of {} servers online.",
            figures.sessions.active.unwrap_or_default(),
            figures.services.online,
            figures.services.total
        );
        // Servers that have no token or are observed or bypassed are never asked: counting them as failures would
        // report one every minute.
        let may_say =
            |server: &Arc<Server>| server.origin.settings.token.is_some() && server.mode() == CacheMode::Cache;
        let is_nothing =
            may_ask && figures.data_timestamps.is_empty() && self.internal_client.servers().iter().any(may_say);
        *self.ready.write() = Arc::new(figures);
        if is_nothing { Err("No server said anything yet.".to_owned()) } else { Ok(said) }
    }

    async fn refresh_sessions(
        &self,
        known: &mut DashboardState,
        server: &Arc<Server>,
        may_ask: bool,
        is_doubted: bool,
    ) {
        let kind = server.origin.settings.kind;
        let kept = self.internal_client.peek(server, kind.sessions_target());
        let is_fresh = !is_doubted && kept.as_ref().is_some_and(|found| found.age <= FRESH_ENOUGH);
        let mut seen = kept
            .and_then(|found| Some(ServerSessions { sessions: kind.sessions(&found.body).ok()?, at_ms: found.at_ms }));
        if may_ask
            && !is_fresh
            && server.origin.settings.token.is_some()
            && let Ok(body) = fetch::run(server, kind.sessions_target(), Class::Sessions).await
            && let Ok(sessions) = kind.sessions(&body)
        {
            seen = Some(ServerSessions { sessions, at_ms: self.clock.now_ms() });
        }
        let before = known.sessions.get(server.name());
        if let Some(seen) = seen.filter(|seen| before.is_none_or(|before| before.at_ms <= seen.at_ms)) {
            known.sessions.insert(server.name().to_owned(), seen);
        }
    }

    /// Combines the known values, and raises the peak if it is exceeded. Asks no server.
    fn assemble(&self, known: &mut DashboardState) -> DashboardStats {
        let now_ms = self.clock.now_ms();
        let servers: Vec<ServerHealth> =
            self.internal_client.servers().iter().map(|server| ServerHealth::from_server(server, now_ms)).collect();
        let sessions = self.sessions(known, now_ms);
        if let Some(active) = sessions.active.filter(|active| *active > known.peak) {
            (known.peak, known.peak_ms) = (active, Some(now_ms));
        }
        DashboardStats {
            as_of_ms: now_ms,
            services: ServiceCounts::count(&servers),
            servers,
            libraries: known.totals.library_totals(&self.libraries),
            traffic: known.traffic.0,
            sessions,
            top_apps: known.traffic.1.clone(),
            data_timestamps: self.data_timestamps(known),
            users: known.users.iter().map(|(server, (count, _))| (server.clone(), *count)).collect(),
            peak_sessions: known.peak,
            peak_ms: known.peak_ms,
        }
    }

    /// Times of the data of each server that ever responded.
    fn data_timestamps(&self, known: &DashboardState) -> BTreeMap<String, DataTimestamps> {
        let of = |server: &Arc<Server>| {
            let name = server.name();
            let mut moments = known.totals.update_times(&self.libraries, name);
            moments.extend(known.sessions.get(name).map(|seen| (seen.at_ms, SESSIONS_GOOD_MS)));
            moments.extend(known.users.get(name).map(|(_, asked_ms)| (*asked_ms, COUNTS_GOOD_MS)));
            Some((name.to_owned(), DataTimestamps::from_moments(moments)?))
        };
        self.internal_client.servers().iter().filter_map(of).collect()
    }

    fn sessions(&self, known: &DashboardState, now_ms: u64) -> ActiveSessions {
        let mut shown = ActiveSessions { as_of_ms: Some(now_ms), ..ActiveSessions::default() };
        for server in self.internal_client.servers() {
            let Some(seen) = known.sessions.get(server.name()) else {
                shown.stale |= server.origin.settings.token.is_some();
                continue;
            };
            let is_old = now_ms.saturating_sub(seen.at_ms) > SESSIONS_GOOD_MS;
            shown.stale |= is_old || server.origin.breaker.outage().is_some();
            shown.as_of_ms = shown.as_of_ms.map(|at_ms| at_ms.min(seen.at_ms));
            shown.active = Some(shown.active.unwrap_or_default() + seen.sessions.len() as u64);
            let room = MAX_SESSIONS.saturating_sub(shown.list.len());
            let rows =
                seen.sessions.iter().take(room).map(|session| PlayingSession::from_session(server.name(), session));
            shown.list.extend(rows);
        }
        if known.sessions.is_empty() {
            shown.as_of_ms = None;
        }
        shown
    }
}

/// True if a view at that time was recent; 0 means never.
fn was_viewed_recently(looked_ms: u64, now_ms: u64) -> bool {
    looked_ms > 0 && now_ms.saturating_sub(looked_ms) < LOOKED_MS
}

async fn refresh_users(known: &mut DashboardState, server: &Arc<Server>, now_ms: u64, is_doubted: bool) {
    let asked_ms = known.users.get(server.name()).map(|(_, asked_ms)| *asked_ms);
    if server.origin.settings.token.is_none()
        || (!is_doubted && asked_ms.is_some_and(|at_ms| now_ms.saturating_sub(at_ms) < COUNTS_EVERY_MS))
    {
        return;
    }
    let kind = server.origin.settings.kind;
    if let Ok(body) = fetch::run(server, kind.accounts_target(), Class::Users).await
        && let Ok(users) = kind.accounts(&body)
    {
        known.users.insert(server.name().to_owned(), (users.len() as u64, now_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_looks_while_figures_are_computed_has_those_of_before_at_once() {
        let dashboard = Arc::new(Dashboard::new(Arc::default(), Arc::default(), Clock::system()));
        dashboard.recompute().await.expect("it can");
        let before = dashboard.stats();
        assert!(before.as_of_ms > 0);
        let computing = dashboard.state.lock().await;
        assert_eq!(dashboard.stats().as_of_ms, before.as_of_ms);
        assert_eq!(dashboard.recompute().await.as_deref(), Ok("It runs already."));
        drop(computing);
        assert_eq!(dashboard.recompute().await.as_deref(), Ok("0 playing, 0 of 0 servers online."));
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_earlier_process_kept_is_not_overwritten_if_it_could_not_be_read_or_is_of_other_servers() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = |dir: &Path| Dashboard::new(Arc::default(), Arc::default(), Clock::system()).with_data_dir(dir);
        let unread = of(folder.path());
        greenroom_state::db::StateDb::open(folder.path()).expect("it can be made");
        let row = DashboardStore::new(folder.path());
        let users = BTreeMap::from([("attic".to_owned(), (3, 400))]);
        let earlier = PersistedDashboard { users, peak: 2, ..PersistedDashboard::default() };
        row.write(&earlier).expect("it can be kept");
        unread.state.lock().await.peak = 1;
        unread.recompute().await.expect("it can");
        assert_eq!(row.read().as_ref(), Ok(&earlier));
        let later = of(folder.path());
        later.state.lock().await.peak = 5;
        later.recompute().await.expect("it can");
        assert_eq!(row.read(), Ok(PersistedDashboard { peak: 5, ..earlier }));
    }
}
