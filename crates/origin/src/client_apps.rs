//! Apps seen, with counters of their requests, upstream requests and hits.
//!
//! An app chooses its own name, so a name counts only once the server has accepted one of its requests. Until then the
//! app is a stranger: a few are listed by name, so that one with a wrong token can be found, and all are one row in the
//! statistics. Beyond the limits, the least recently seen apps are merged into the others or the strangers.

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use greenroom_dialect::credential::Credential;
use http::HeaderMap;
use parking_lot::{Mutex, RwLock};

use crate::client_name::client_name;
use crate::client_pattern::RecentReads;

/// Name of the merged apps.
pub const OTHERS: &str = "others";
/// Apps listed by name; beyond, the least recently seen are merged into the others.
pub const MAX_APPS: usize = 100;
/// Strangers listed by name beside them; as many again if they come with a valid token.
const MAX_STRANGERS: usize = 20;
/// Max evicted apps still referenced, for strangers and others each. At the limit no app is evicted.
const MAX_EVICTED: usize = 100;
/// Name of the merged apps without an accepted request.
pub const STRANGERS: &str = "strangers";

/// Counters of one app.
#[derive(Debug, Default)]
pub struct ClientApp {
    /// Its name.
    pub name: String,
    /// Its number among the apps of its server, from 1.
    pub number: usize,
    /// Requests it made.
    pub requests: AtomicU64,
    /// Upstream requests it caused.
    pub upstream_requests: AtomicU64,
    /// Requests answered without asking the server.
    pub saved: AtomicU64,
    /// Requests that ended in an error of Greenroom or the server.
    pub failed: AtomicU64,
    /// Requests rejected for lack of a valid token.
    pub unauthorised: AtomicU64,
    /// Requests whose response proves a valid token: one was required, and accepted.
    pub authorized: AtomicU64,
    /// Requests that would prove it, answered without asking the server.
    pub authorized_saved: AtomicU64,
    /// Request type of its first request, or another category.
    pub first_asked: OnceLock<&'static str>,
    /// Its requests that wait in the request queue now.
    pub waiting: AtomicUsize,
    /// Total wait of its requests there, in milliseconds.
    pub waited_ms: AtomicU64,
    /// Its recent read pattern.
    pub recent_reads: Mutex<RecentReads>,
    /// Whether none of its requests was accepted yet.
    is_stranger: AtomicBool,
    /// Whether it stands for any number of apps.
    is_aggregate: bool,
    /// Whether it was evicted.
    is_evicted: AtomicBool,
    seen_ms: AtomicTimestamp,
}

impl ClientApp {
    /// An app of this name and number with an accepted request.
    pub fn new(name: impl Into<String>, number: usize) -> Self {
        Self { name: name.into(), number, ..Self::default() }
    }

    /// An app that stands for many.
    fn aggregate(name: &str, number: usize) -> Arc<Self> {
        Arc::new(Self { is_aggregate: true, ..Self::new(name, number) })
    }

    /// Counters that are added up when apps are merged.
    const SUMS: [fn(&Self) -> &AtomicU64; 8] = [
        |app| &app.requests,
        |app| &app.upstream_requests,
        |app| &app.saved,
        |app| &app.failed,
        |app| &app.unauthorised,
        |app| &app.authorized,
        |app| &app.authorized_saved,
        |app| &app.waited_ms,
    ];

    /// Name under which statistics count its requests.
    pub fn statistics_name(&self) -> &str {
        if self.is_stranger.load(Ordering::Relaxed) { STRANGERS } else { &self.name }
    }

    /// Whether it is an aggregate or was evicted: its next request must look it up again.
    pub fn needs_lookup(&self) -> bool {
        self.is_aggregate || self.is_evicted.load(Ordering::Relaxed)
    }

    /// Records the time of a request.
    pub fn record_seen(&self, now_ms: Timestamp) {
        // Written at most once a second, so that cores do not contend for it on every request.
        if now_ms.duration_since(self.seen_ms.load(Ordering::Relaxed)) >= Duration::from_millis(1000) {
            self.seen_ms.store(now_ms, Ordering::Relaxed);
        }
    }
}

/// Counters of one app at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientAppCounters {
    /// See [`ClientApp::requests`].
    pub requests: u64,
    /// See [`ClientApp::upstream_requests`].
    pub upstream_requests: u64,
    /// See [`ClientApp::saved`].
    pub saved: u64,
    /// See [`ClientApp::failed`].
    pub failed: u64,
    /// See [`ClientApp::waiting`].
    pub waiting: usize,
    /// See [`ClientApp::waited_ms`].
    pub waited_ms: Duration,
    /// See [`ClientApp::unauthorised`].
    pub unauthorised: u64,
    /// See [`ClientApp::authorized`].
    pub authorized: u64,
    /// See [`ClientApp::authorized_saved`].
    pub authorized_saved: u64,
    /// See [`ClientApp::first_asked`].
    pub first_asked: Option<&'static str>,
    /// Whether none of its requests was accepted.
    pub is_stranger: bool,
}

impl ClientAppCounters {
    fn add(&mut self, app: &ClientApp) {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.requests += value(&app.requests);
        self.upstream_requests += value(&app.upstream_requests);
        self.saved += value(&app.saved);
        self.failed += value(&app.failed);
        self.waiting += app.waiting.load(Ordering::Relaxed);
        self.waited_ms += Duration::from_millis(value(&app.waited_ms));
        self.unauthorised += value(&app.unauthorised);
        self.authorized += value(&app.authorized);
        self.authorized_saved += value(&app.authorized_saved);
        self.first_asked = self.first_asked.or_else(|| app.first_asked.get().copied());
        self.is_stranger = app.statistics_name() == STRANGERS;
    }
}

/// All apps of one server by the name they send.
#[derive(Debug, Default)]
pub struct ClientApps(RwLock<Table>);

#[derive(Debug)]
struct Table {
    named: BTreeMap<String, Arc<ClientApp>>,
    others: Arc<ClientApp>,
    strangers: Arc<ClientApp>,
    /// Evicted apps still referenced: their counters may still rise.
    evicted: Vec<Arc<ClientApp>>,
    /// Freed numbers of apps that are no longer referenced.
    free: Vec<usize>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            named: BTreeMap::new(),
            others: ClientApp::aggregate(OTHERS, 1),
            strangers: ClientApp::aggregate(STRANGERS, 2),
            evicted: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl ClientApps {
    /// The app of a request; `is_authorized` says whether its token is valid.
    pub fn get_or_insert(
        &self,
        credential: &Credential,
        headers: &HeaderMap,
        is_authorized: bool,
        now_ms: Timestamp,
    ) -> Arc<ClientApp> {
        self.get_or_insert_named(client_name(credential, headers, |_| false), is_authorized, now_ms)
    }

    /// The app of this name.
    pub fn get_or_insert_named(&self, name: String, is_authorized: bool, now_ms: Timestamp) -> Arc<ClientApp> {
        if let Some(app) = self.0.read().get(&name) {
            return app;
        }
        self.0.write().insert(name, is_authorized, now_ms)
    }

    /// Records that the server accepted a request of this app. Returns whether it was the first. If the app was not
    /// listed among the strangers, `name` names the app to list now.
    pub fn mark_authorized(&self, app: &ClientApp, name: Option<&str>) -> bool {
        match name {
            Some(name) if app.is_aggregate => self.0.write().mark_authorized_by_name(name),
            _ if app.is_stranger.load(Ordering::Relaxed) => self.0.write().mark_authorized(app),
            _ => false,
        }
    }

    /// All apps with their counters; unlisted ones are merged.
    pub fn counters(&self) -> Vec<(String, ClientAppCounters)> {
        let table = self.0.read();
        let mut by_name: BTreeMap<&str, ClientAppCounters> = BTreeMap::new();
        for app in table.named.values() {
            by_name.entry(&app.name).or_default().add(app);
        }
        for app in table.evicted.iter().chain([&table.others, &table.strangers]) {
            by_name.entry(&table.aggregate_of(app).name).or_default().add(app);
        }
        let has_counts = |counters: &ClientAppCounters| {
            ClientAppCounters { is_stranger: false, ..*counters } != ClientAppCounters::default()
        };
        let listed = by_name.into_iter().filter(|(_, counters)| has_counts(counters));
        listed.map(|(name, counters)| (name.to_owned(), counters)).collect()
    }
}

impl Table {
    /// The app of this name, if it is listed.
    fn get(&self, name: &str) -> Option<Arc<ClientApp>> {
        match name {
            OTHERS => Some(Arc::clone(&self.others)),
            STRANGERS => Some(Arc::clone(&self.strangers)),
            name => self.named.get(name).cloned(),
        }
    }

    /// Lists a new app.
    fn insert(&mut self, name: String, is_authorized: bool, now_ms: Timestamp) -> Arc<ClientApp> {
        if let Some(app) = self.get(&name) {
            return app;
        }
        self.absorb_released();
        let max_strangers = if is_authorized { 2 * MAX_STRANGERS } else { MAX_STRANGERS };
        if self.count(true) >= max_strangers && !self.evict_oldest(true) {
            return Arc::clone(&self.strangers);
        }
        let app = ClientApp { is_stranger: AtomicBool::new(true), ..ClientApp::new(name.clone(), self.number()) };
        app.record_seen(now_ms);
        let app = Arc::new(app);
        self.named.insert(name, Arc::clone(&app));
        app
    }

    /// Lists the app among the accepted ones, if there is room.
    fn mark_authorized(&mut self, app: &ClientApp) -> bool {
        let is_newly_authorized = app.is_stranger.load(Ordering::Relaxed) && self.has_room();
        if is_newly_authorized {
            app.is_stranger.store(false, Ordering::Relaxed);
        }
        is_newly_authorized
    }

    /// The same for an app not listed among the strangers: a flood of strangers keeps no accepted app out.
    fn mark_authorized_by_name(&mut self, name: &str) -> bool {
        if let Some(app) = self.get(name) {
            return self.mark_authorized(&app);
        }
        self.absorb_released();
        let has_room = self.has_room();
        if has_room {
            let seen_ms = self.named.values().map(|app| app.seen_ms.load(Ordering::Relaxed)).max();
            let app = ClientApp {
                seen_ms: AtomicTimestamp::new(seen_ms.unwrap_or(Timestamp::UNIX_EPOCH)),
                ..ClientApp::new(name, self.number())
            };
            self.named.insert(name.to_owned(), Arc::new(app));
        }
        has_room
    }

    /// Whether there is room for one more accepted app, if need be by evicting the least recently seen.
    fn has_room(&mut self) -> bool {
        self.count(false) < MAX_APPS || self.evict_oldest(false)
    }

    /// A free number. The two aggregates have numbers too.
    fn number(&mut self) -> usize {
        self.free.pop().unwrap_or(self.named.len() + self.evicted.len() + 3)
    }

    /// Number of strangers, or of accepted apps.
    fn count(&self, strangers: bool) -> usize {
        self.named.values().filter(|app| app.is_stranger.load(Ordering::Relaxed) == strangers).count()
    }

    /// Evicts the least recently seen of these. `false`: too many evicted apps are still referenced.
    fn evict_oldest(&mut self, strangers: bool) -> bool {
        let of_kind = |app: &&Arc<ClientApp>| app.is_stranger.load(Ordering::Relaxed) == strangers;
        if self.evicted.iter().filter(of_kind).count() >= MAX_EVICTED {
            return false;
        }
        let oldest = self.named.values().filter(of_kind);
        let oldest = oldest.min_by_key(|app| app.seen_ms.load(Ordering::Relaxed));
        let Some(app) = oldest.map(|app| app.name.clone()).and_then(|name| self.named.remove(&name)) else {
            return false;
        };
        app.is_evicted.store(true, Ordering::Relaxed);
        self.evicted.push(app);
        true
    }

    /// Merges the counters of evicted apps that are no longer referenced.
    fn absorb_released(&mut self) {
        let evicted = std::mem::take(&mut self.evicted);
        let (in_use, released) = evicted.into_iter().partition(|app| Arc::strong_count(app) > 1);
        self.evicted = in_use;
        for app in released {
            let aggregate = self.aggregate_of(&app);
            for sum in ClientApp::SUMS {
                sum(aggregate).fetch_add(sum(&app).load(Ordering::Relaxed), Ordering::Relaxed);
            }
            self.free.push(app.number);
        }
    }

    /// The aggregate for an unlisted app.
    fn aggregate_of(&self, app: &ClientApp) -> &Arc<ClientApp> {
        if app.statistics_name() == STRANGERS { &self.strangers } else { &self.others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(apps: &ClientApps, name: &str, now_ms: Timestamp) -> Arc<ClientApp> {
        let named = Credential { product: Some(name.into()), ..Credential::default() };
        let app = apps.get_or_insert(&named, &HeaderMap::new(), false, now_ms);
        app.record_seen(now_ms);
        app.requests.fetch_add(1, Ordering::Relaxed);
        app
    }

    fn request_count(apps: &ClientApps, name: &str) -> Option<u64> {
        apps.counters().into_iter().find(|(of, _)| of == name).map(|(_, counters)| counters.requests)
    }

    #[test]
    fn unauthenticated_names_evict_no_authenticated_app() {
        let apps = ClientApps::default();
        assert!(apps.mark_authorized(&of(&apps, "Kometa", Timestamp::from_millis(1)), None));
        for index in 0..10_000 {
            of(&apps, &format!("app{index}"), Timestamp::from_millis(1_000 + index));
        }
        assert!(apps.counters().len() <= MAX_STRANGERS + 2, "{:?}", apps.counters());
        assert_eq!(request_count(&apps, "Kometa"), Some(1));
        assert_eq!(request_count(&apps, "app9999"), Some(1), "the last ones are shown, so that a wrong token is found");
        let late = of(&apps, "Tautulli", Timestamp::from_millis(20_000));
        assert_eq!(late.statistics_name(), STRANGERS);
        assert!(apps.mark_authorized(&late, None), "it is let in");
        assert_eq!((late.statistics_name(), apps.mark_authorized(&late, None)), ("Tautulli", false));
        let sum: u64 = apps.counters().iter().map(|(_, counters)| counters.requests).sum();
        assert_eq!(sum, 10_002);
    }

    #[test]
    fn an_app_authenticated_during_a_flood_of_strangers_is_counted_by_name_from_then_on() {
        let apps = ClientApps::default();
        let held: Vec<Arc<ClientApp>> =
            (0..1_000).map(|index| of(&apps, &format!("app{index}"), Timestamp::from_millis(1_000))).collect();
        let kometa = of(&apps, "Kometa", Timestamp::from_millis(2_000));
        assert!(kometa.is_aggregate, "there is no place for a stranger more");
        assert!(!apps.mark_authorized(&kometa, None), "it may be anybody");
        assert!(apps.mark_authorized(&kometa, Some("Kometa")), "that is news");
        assert!(!apps.mark_authorized(&kometa, Some("Kometa")), "once");
        let again = of(&apps, "Kometa", Timestamp::from_millis(3_000));
        assert_eq!((again.statistics_name(), again.needs_lookup()), ("Kometa", false));
        let counters = apps.counters().into_iter().find(|(name, _)| name == "Kometa").expect("it is shown").1;
        assert!(!counters.is_stranger && counters.requests == 1, "{counters:?}");
        assert!(held.iter().all(|app| app.is_aggregate || app.number != again.number), "a number of its own");
        for index in 0..MAX_APPS as u64 {
            assert!(apps.mark_authorized(&kometa, Some(&format!("good{index}"))), "{index}");
            of(&apps, &format!("good{index}"), Timestamp::from_millis(5_000 + 1_000 * index));
        }
        assert_eq!(request_count(&apps, "Kometa"), None, "the longest unseen makes room");
        assert!(
            !apps.mark_authorized(&kometa, Some(STRANGERS)) && !apps.mark_authorized(&kometa, Some(OTHERS)),
            "crowds are none"
        );
        let sum: u64 = apps.counters().iter().map(|(_, counters)| counters.requests).sum();
        assert_eq!(sum, 1_002 + MAX_APPS as u64);
    }

    #[test]
    fn the_app_unseen_for_longest_is_merged_into_others_and_sums_stay() {
        let apps = ClientApps::default();
        let mut number = std::collections::BTreeSet::new();
        for index in 0..3 * MAX_APPS as u64 {
            let app = of(&apps, &format!("app{index}"), Timestamp::from_millis(1_000 * (index + 1)));
            number.insert(app.number);
            apps.mark_authorized(&app, None);
            of(&apps, "app0", Timestamp::from_millis(1_000 * (index + 1)));
        }
        let by_name = apps.counters();
        assert_eq!(by_name.len(), MAX_APPS + 1, "and the others");
        assert_eq!(request_count(&apps, "app0"), Some(1 + 3 * MAX_APPS as u64), "it came again and again");
        assert_eq!(request_count(&apps, "app1"), None);
        assert_eq!(by_name.iter().map(|(_, counters)| counters.requests).sum::<u64>(), 6 * MAX_APPS as u64);
        assert!(number.iter().all(|number| *number <= MAX_APPS + 5), "numbers are given again: {number:?}");
    }

    #[test]
    fn requests_of_an_evicted_app_are_still_counted() {
        let apps = ClientApps::default();
        let held: Vec<Arc<ClientApp>> =
            (0..1_000).map(|index| of(&apps, &format!("app{index}"), Timestamp::from_millis(1_000))).collect();
        let numbers: std::collections::BTreeSet<usize> =
            held.iter().filter(|app| !app.is_aggregate).map(|app| app.number).collect();
        assert_eq!(numbers.len(), MAX_STRANGERS + MAX_EVICTED, "no two that are held have the same number");
        assert!(held.iter().any(|app| app.is_aggregate), "beyond, they have no place");
        let named = Credential { product: Some("Kometa".into()), ..Credential::default() };
        let kometa = apps.get_or_insert(&named, &HeaderMap::new(), true, Timestamp::from_millis(1_000));
        assert!(
            apps.mark_authorized(&kometa, None) && kometa.statistics_name() == "Kometa",
            "who has a good token has a place"
        );
        for app in &held {
            app.requests.fetch_add(1, Ordering::Relaxed);
        }
        let sum = |apps: &ClientApps| apps.counters().iter().map(|(_, counters)| counters.requests).sum::<u64>();
        assert_eq!(sum(&apps), 2_000);
        drop(held);
        of(&apps, "one more", Timestamp::from_millis(2_000));
        assert_eq!(sum(&apps), 2_001);
    }
}
