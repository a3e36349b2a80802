//! The figures a dashboard shows, always ready: computed every minute behind while somebody looks, answered from a value that
//! lies there.
//! So nobody who looks waits for a server, and while one is down its last figures stay, with their age.
//!
//! Rooms: [`figures`] (what is shown), [`totals`] (how much there is of everything), `health` (how servers do),
//! [`traffic`] (what apps asked), `kept` (what outlives the process).

pub mod figures;
#[cfg(test)]
mod idle_tests;
mod persistence;
pub mod totals;
pub mod traffic;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::class::Class;
use greenroom_dialect::dashboard::Session;
use parking_lot::RwLock;

use figures::{Figures, Heard, Playing, ServerHealth, Services, Sessions, TopApp, Traffic};
use greenroom_config::Mode;
use greenroom_proxy::internal_client::{Inside, fetch};
use greenroom_proxy::server::Server;
use greenroom_proxy::statistics::Statistics;
use greenroom_sync::index::Libraries;
use persistence::{Kept, Row};
use totals::Totals;

/// How often the figures are computed.
pub const EVERY: Duration = Duration::from_mins(1);
/// While nobody has looked for so long, no server is asked for them: what is known stays, and grows older.
const LOOKED_MS: u64 = 15 * 60_000;
/// What was kept no longer ago than this is as good as asked.
const FRESH_ENOUGH: Duration = Duration::from_secs(30);
/// So long it is good to know how much there is of everything, and how many users: what dashboards are told.
pub const COUNTS_GOOD: Duration = Duration::from_mins(15);
const COUNTS_GOOD_MS: u64 = 15 * 60_000;
/// How often that is asked: a little sooner, so that it is not old while a server answers.
const COUNTS_EVERY_MS: u64 = COUNTS_GOOD_MS - 2 * 60_000;
/// So long it is good to know who plays what.
const SESSIONS_GOOD_MS: u64 = 2 * 60_000;
/// Sessions that are listed.
const MAX_SESSIONS: usize = 100;

/// The figures, and what they are made from.
#[derive(Debug)]
pub struct Dashboard {
    inside: Arc<Inside>,
    libraries: Arc<Libraries>,
    clock: Clock,
    ready: RwLock<Arc<Figures>>,
    /// What servers said last. Whoever holds it computes; nobody who looks takes it.
    known: tokio::sync::Mutex<Known>,
    /// When somebody looked last; 0 if nobody did since start.
    looked_ms: AtomicU64,
    /// Nothing that is known will do: everything is asked anew.
    is_doubted: AtomicBool,
    /// Figures will be computed as soon as those under way are.
    is_awaited: AtomicBool,
    statistics: Arc<Statistics>,
    /// Where it is kept; nowhere in tests.
    row: Option<Row>,
}

#[derive(Debug, Default)]
struct Known {
    traffic: (Traffic, Vec<TopApp>),
    sessions: BTreeMap<String, Seen>,
    users: BTreeMap<String, (u64, u64)>,
    totals: Totals,
    peak: u64,
    peak_ms: Option<u64>,
    /// As it was written down last.
    kept: Kept,
}

/// Who played what, when the server said it last.
#[derive(Debug, Clone)]
struct Seen {
    sessions: Vec<Session>,
    at_ms: u64,
}

/// Whether a server said something lately enough to have been asked now.
pub fn is_just_heard(heard: &Heard, now_ms: u64) -> bool {
    u128::from(now_ms.saturating_sub(heard.newest_ms)) <= FRESH_ENOUGH.as_millis()
}

impl Dashboard {
    /// Figures of these servers and libraries.
    pub fn new(inside: Arc<Inside>, libraries: Arc<Libraries>, clock: Clock) -> Self {
        Self {
            inside,
            libraries,
            ready: RwLock::default(),
            known: tokio::sync::Mutex::default(),
            looked_ms: AtomicU64::new(0),
            is_doubted: AtomicBool::new(false),
            is_awaited: AtomicBool::new(false),
            statistics: Arc::new(Statistics::new(Vec::new(), clock.clone())),
            row: None,
            clock,
        }
    }

    /// With what was counted of apps.
    #[must_use]
    pub fn counting(self, statistics: Arc<Statistics>) -> Self {
        Self { statistics, ..self }
    }

    /// With what an earlier process kept in this data directory; and this one keeps it there.
    #[must_use]
    pub fn within(mut self, data_dir: &Path) -> Self {
        let row = Row::of(data_dir);
        let kept = row.read().unwrap_or_else(|reason| {
            tracing::warn!(reason, "the figures of dashboards cannot be read: they are counted anew");
            Kept::default()
        });
        let servers: Vec<&str> = self.inside.servers().iter().map(|server| server.name()).collect();
        let kept = kept.seen(&servers, self.clock.now_ms());
        let known = self.known.get_mut();
        known.totals = Totals::restored(kept.libraries.clone());
        known.users.clone_from(&kept.users);
        (known.peak, known.peak_ms) = (kept.peak, kept.peak_ms);
        known.kept = kept;
        self.row = Some(row);
        self
    }

    /// Keeps what servers said, if that is news.
    async fn keep(&self, known: &mut Known) {
        let Some(row) = self.row.clone() else { return };
        let (libraries, users) = (known.totals.kept(), known.users.clone());
        let kept = Kept { libraries, users, peak: known.peak, peak_ms: known.peak_ms };
        if kept == known.kept {
            return;
        }
        let (written, before) = (kept.clone(), known.kept.clone());
        let now_ms = self.clock.now_ms();
        let lane = row.lane.clone();
        match lane.run(move || row.write(kept, &before, now_ms)).await {
            Ok(Ok(())) => known.kept = written,
            Ok(Err(reason)) => tracing::debug!(reason, "the figures of dashboards cannot be kept"),
            Err(undone) => tracing::debug!(%undone, "the figures of dashboards cannot be kept"),
        }
    }

    /// The figures as they were computed last. Whoever looks after a time in which nobody did has those of before, and
    /// lets them be computed behind.
    pub fn figures(self: &Arc<Self>) -> Arc<Figures> {
        if !self.note_look() {
            self.recompute_behind();
        }
        Arc::clone(&self.ready.read())
    }

    /// Somebody looks, or asks for what is new. Returns whether somebody had looked lately.
    pub fn note_look(&self) -> bool {
        let now_ms = self.clock.now_ms();
        is_lately(self.looked_ms.swap(now_ms, Ordering::Relaxed), now_ms)
    }

    /// Of when the figures are, in milliseconds since 1970; 0 before there were any. Who asks only this has not looked.
    pub fn as_of_ms(&self) -> u64 {
        self.ready.read().as_of_ms
    }

    /// Asks for everything anew, behind; what is known stays until it is answered.
    pub fn renew(self: &Arc<Self>) {
        self.is_doubted.store(true, Ordering::Relaxed);
        self.note_look();
        self.recompute_behind();
    }

    /// Computes the figures, after whoever does so already: they may not have asked.
    fn recompute_behind(self: &Arc<Self>) {
        let Some(server) = self.inside.servers().first() else { return };
        if self.is_awaited.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = Arc::clone(self);
        server.origin.tasks.spawn(async move {
            let mut known = this.known.lock().await;
            this.is_awaited.store(false, Ordering::Release);
            if let Err(reason) = this.compute(&mut known).await {
                tracing::debug!(reason, "the figures cannot be renewed");
            }
        });
    }

    /// Computes the figures, unless somebody does so already. While nobody looks they stay as they are, once there are
    /// some. Returns what to say of it.
    ///
    /// # Errors
    /// If there are servers that can be asked, and none ever said anything.
    pub async fn recompute(&self) -> Result<String, String> {
        let Ok(mut known) = self.known.try_lock() else { return Ok("It runs already.".to_owned()) };
        self.compute(&mut known).await
    }

    async fn compute(&self, known: &mut Known) -> Result<String, String> {
        let now_ms = self.clock.now_ms();
        let may_ask = is_lately(self.looked_ms.load(Ordering::Relaxed), now_ms);
        if !may_ask && self.as_of_ms() > 0 {
            return Ok("Not computed: the figures were not asked for lately.".to_owned());
        }
        let is_doubted = self.is_doubted.swap(false, Ordering::Relaxed);
        for server in self.inside.servers() {
            self.look_at_sessions(known, server, may_ask, is_doubted).await;
            if may_ask {
                look_at_users(known, server, now_ms, is_doubted).await;
            }
        }
        match traffic::of(&self.statistics).await {
            Ok(traffic) => known.traffic = traffic,
            Err(reason) => tracing::debug!(reason, "what apps asked cannot be read"),
        }
        known.totals.count(&self.libraries, may_ask, is_doubted).await;
        let figures = self.assemble(known);
        self.keep(known).await;
        let said = format!(
            "{} playing, {} of {} servers online.",
            figures.sessions.active.unwrap_or_default(),
            figures.services.online,
            figures.services.total
        );
        // Who has no token, or is only observed, is never asked: that is no failure, and would be one every minute.
        let may_say =
            |server: &Arc<Server>| server.origin.settings.token.is_some() && server.mode() == Mode::Cache;
        let is_nothing = may_ask && figures.heard.is_empty() && self.inside.servers().iter().any(may_say);
        *self.ready.write() = Arc::new(figures);
        if is_nothing { Err("No server said anything yet.".to_owned()) } else { Ok(said) }
    }

    async fn look_at_sessions(
        &self,
        known: &mut Known,
        server: &Arc<Server>,
        may_ask: bool,
        is_doubted: bool,
    ) {
        let kind = server.origin.settings.kind;
        let kept = self.inside.peek(server, kind.sessions_target());
        let is_fresh = !is_doubted && kept.as_ref().is_some_and(|found| found.age <= FRESH_ENOUGH);
        let mut seen = kept
            .and_then(|found| Some(Seen { sessions: kind.sessions(&found.body).ok()?, at_ms: found.at_ms }));
        if may_ask
            && !is_fresh
            && server.origin.settings.token.is_some()
            && let Ok(body) = fetch::run(server, kind.sessions_target(), Class::Sessions).await
            && let Ok(sessions) = kind.sessions(&body)
        {
            seen = Some(Seen { sessions, at_ms: self.clock.now_ms() });
        }
        let before = known.sessions.get(server.name());
        if let Some(seen) = seen.filter(|seen| before.is_none_or(|before| before.at_ms <= seen.at_ms)) {
            known.sessions.insert(server.name().to_owned(), seen);
        }
    }

    /// Puts together what is known. Pure but for the clock and the counters.
    fn assemble(&self, known: &mut Known) -> Figures {
        let now_ms = self.clock.now_ms();
        let servers: Vec<ServerHealth> =
            self.inside.servers().iter().map(|server| ServerHealth::of(server, now_ms)).collect();
        let sessions = self.sessions(known, now_ms);
        if let Some(active) = sessions.active.filter(|active| *active > known.peak) {
            (known.peak, known.peak_ms) = (active, Some(now_ms));
        }
        Figures {
            as_of_ms: now_ms,
            services: Services::of(&servers),
            servers,
            libraries: known.totals.shown(&self.libraries),
            traffic: known.traffic.0,
            sessions,
            top_apps: known.traffic.1.clone(),
            heard: self.heard(known),
            users: known.users.iter().map(|(server, (count, _))| (server.clone(), *count)).collect(),
            peak_sessions: known.peak,
            peak_ms: known.peak_ms,
        }
    }

    /// When what is known of each server was heard.
    fn heard(&self, known: &Known) -> BTreeMap<String, Heard> {
        let of = |server: &Arc<Server>| {
            let name = server.name();
            let mut moments = known.totals.moments(&self.libraries, name);
            moments.extend(known.sessions.get(name).map(|seen| (seen.at_ms, SESSIONS_GOOD_MS)));
            moments.extend(known.users.get(name).map(|(_, asked_ms)| (*asked_ms, COUNTS_GOOD_MS)));
            Some((name.to_owned(), Heard::of(moments)?))
        };
        self.inside.servers().iter().filter_map(of).collect()
    }

    fn sessions(&self, known: &Known, now_ms: u64) -> Sessions {
        let mut shown = Sessions { as_of_ms: Some(now_ms), ..Sessions::default() };
        for server in self.inside.servers() {
            let Some(seen) = known.sessions.get(server.name()) else {
                shown.stale |= server.origin.settings.token.is_some();
                continue;
            };
            let is_old = now_ms.saturating_sub(seen.at_ms) > SESSIONS_GOOD_MS;
            shown.stale |= is_old || server.origin.breaker.outage().is_some();
            shown.as_of_ms = shown.as_of_ms.map(|at_ms| at_ms.min(seen.at_ms));
            shown.active = Some(shown.active.unwrap_or_default() + seen.sessions.len() as u64);
            let room = MAX_SESSIONS.saturating_sub(shown.list.len());
            let rows = seen.sessions.iter().take(room).map(|session| Playing::of(server.name(), session));
            shown.list.extend(rows);
        }
        if known.sessions.is_empty() {
            shown.as_of_ms = None;
        }
        shown
    }
}

/// Whether somebody who looked at that moment did so lately; 0 is never.
fn is_lately(looked_ms: u64, now_ms: u64) -> bool {
    looked_ms > 0 && now_ms.saturating_sub(looked_ms) < LOOKED_MS
}

async fn look_at_users(known: &mut Known, server: &Arc<Server>, now_ms: u64, is_doubted: bool) {
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
        let before = dashboard.figures();
        assert!(before.as_of_ms > 0);
        let computing = dashboard.known.lock().await;
        assert_eq!(dashboard.figures().as_of_ms, before.as_of_ms);
        assert_eq!(dashboard.recompute().await.as_deref(), Ok("It runs already."));
        drop(computing);
        assert_eq!(dashboard.recompute().await.as_deref(), Ok("0 playing, 0 of 0 servers online."));
    }
}
