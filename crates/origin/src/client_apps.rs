//! Which apps were seen, and what each asked, caused and was spared.
//!
//! What an app calls itself is its own word, so names are worth nothing before the server let one of its requests in. Until
//! then an app is a stranger: a few are shown by name, so that one whose token is wrong is found, and all are one in the
//! statistics. When there are too many, the longest unseen make room, and count among the others or the strangers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use greenroom_dialect::credential::Credential;
use http::HeaderMap;
use http::header::USER_AGENT;
use parking_lot::{Mutex, RwLock};

use crate::client_pattern::Habits;

/// How the rest are called.
pub const OTHERS: &str = "others";
/// Apps shown by name; beyond, those not seen for the longest time are among the others.
pub const MAX_APPS: usize = 100;
/// Strangers shown by name beside them; as many again, if they come with a token that is good.
const MAX_STRANGERS: usize = 20;
/// Apps that lost their place while somebody still holds them, of strangers and of others each. Beyond, nobody loses it.
const MAX_LEAVING: usize = 100;
/// How those are called, taken together, who were never let in.
pub const STRANGERS: &str = "strangers";
/// Longest name that is shown.
const MAX_NAME: usize = 40;

/// What one app asked and caused.
#[derive(Debug, Default)]
pub struct App {
    /// How it is called.
    pub name: String,
    /// Which it is among the apps of its server, from 1.
    pub number: usize,
    /// Requests it made.
    pub asked: AtomicU64,
    /// Requests to the server that it caused.
    pub reached: AtomicU64,
    /// Requests answered without asking the server.
    pub saved: AtomicU64,
    /// Requests that ended in an error of ours or of the server.
    pub failed: AtomicU64,
    /// Requests that were refused for want of a valid token.
    pub unauthorised: AtomicU64,
    /// Requests whose answer shows that their token is valid: it was needed, and they were let in.
    pub let_in: AtomicU64,
    /// Requests among those that would show it, answered without asking the server.
    pub let_in_saved: AtomicU64,
    /// What its first request asked for: the word of a class, or of what it was otherwise.
    pub first_asked: OnceLock<&'static str>,
    /// Requests of it that wait for a place in the server's queue now.
    pub waiting: AtomicUsize,
    /// How long its requests have waited there, all together, in milliseconds.
    pub waited_ms: AtomicU64,
    /// How it has been reading lately.
    pub habits: Mutex<Habits>,
    /// Whether none of its requests was let in yet.
    is_stranger: AtomicBool,
    /// Whether it stands for any number of apps.
    is_crowd: bool,
    /// Whether it lost its place.
    has_left: AtomicBool,
    seen_ms: AtomicU64,
}

impl App {
    /// One of this name and number that was let in.
    pub fn new(name: impl Into<String>, number: usize) -> Self {
        Self { name: name.into(), number, ..Self::default() }
    }

    /// One that stands for many.
    fn crowd(name: &str, number: usize) -> Arc<Self> {
        Arc::new(Self { is_crowd: true, ..Self::new(name, number) })
    }

    /// What goes on when apps are taken together.
    const SUMS: [fn(&Self) -> &AtomicU64; 8] = [
        |app| &app.asked,
        |app| &app.reached,
        |app| &app.saved,
        |app| &app.failed,
        |app| &app.unauthorised,
        |app| &app.let_in,
        |app| &app.let_in_saved,
        |app| &app.waited_ms,
    ];

    /// Under which name statistics keep what it asks.
    pub fn counted_as(&self) -> &str {
        if self.is_stranger.load(Ordering::Relaxed) { STRANGERS } else { &self.name }
    }

    /// Whether it stands for any number of apps, or lost its place: who comes again is to be looked up anew.
    pub fn is_passing(&self) -> bool {
        self.is_crowd || self.has_left.load(Ordering::Relaxed)
    }

    /// It asks.
    pub fn see(&self, now_ms: u64) {
        // Written once a second at most, so that cores do not take it from each other with every request.
        if now_ms.saturating_sub(self.seen_ms.load(Ordering::Relaxed)) >= 1000 {
            self.seen_ms.store(now_ms, Ordering::Relaxed);
        }
    }
}

/// What was counted for one app.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// See [`App::asked`].
    pub asked: u64,
    /// See [`App::reached`].
    pub reached: u64,
    /// See [`App::saved`].
    pub saved: u64,
    /// See [`App::failed`].
    pub failed: u64,
    /// See [`App::waiting`].
    pub waiting: usize,
    /// See [`App::waited_ms`].
    pub waited_ms: u64,
    /// See [`App::unauthorised`].
    pub unauthorised: u64,
    /// See [`App::let_in`].
    pub let_in: u64,
    /// See [`App::let_in_saved`].
    pub let_in_saved: u64,
    /// See [`App::first_asked`].
    pub first_asked: Option<&'static str>,
    /// Whether none of its requests was let in.
    pub is_stranger: bool,
}

impl Counted {
    fn add(&mut self, app: &App) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.asked += read(&app.asked);
        self.reached += read(&app.reached);
        self.saved += read(&app.saved);
        self.failed += read(&app.failed);
        self.waiting += app.waiting.load(Ordering::Relaxed);
        self.waited_ms += read(&app.waited_ms);
        self.unauthorised += read(&app.unauthorised);
        self.let_in += read(&app.let_in);
        self.let_in_saved += read(&app.let_in_saved);
        self.first_asked = self.first_asked.or_else(|| app.first_asked.get().copied());
        self.is_stranger = app.counted_as() == STRANGERS;
    }
}

/// All apps of one server by the name they give themselves.
#[derive(Debug, Default)]
pub struct Apps(RwLock<Table>);

#[derive(Debug)]
struct Table {
    named: BTreeMap<String, Arc<App>>,
    others: Arc<App>,
    strangers: Arc<App>,
    /// Those that lost their place while somebody held them: they may count on for a while.
    leaving: Vec<Arc<App>>,
    /// Numbers that were given, and are free again since nobody holds their app any more.
    free: Vec<usize>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            named: BTreeMap::new(),
            others: App::crowd(OTHERS, 1),
            strangers: App::crowd(STRANGERS, 2),
            leaving: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl Apps {
    /// The app a request comes from, and whether with a token that is good.
    pub fn of(&self, credential: &Credential, headers: &HeaderMap, is_member: bool, now_ms: u64) -> Arc<App> {
        let name = name_of(credential, headers);
        if let Some(app) = self.0.read().known(&name) {
            return app;
        }
        self.0.write().welcome(name, is_member, now_ms)
    }

    /// The server let in somebody who came with this app. Returns whether that is news. If there was no place for it
    /// among the strangers, `called` says for whom there is to be one now.
    pub fn admit(&self, app: &App, called: Option<&str>) -> bool {
        match called {
            Some(called) if app.is_crowd => self.0.write().admit_by_name(called),
            _ if app.is_stranger.load(Ordering::Relaxed) => self.0.write().admit(app),
            _ => false,
        }
    }

    /// Every app with its figures; those together that have no place of their own.
    pub fn figures(&self) -> Vec<(String, Counted)> {
        let table = self.0.read();
        let mut figures: BTreeMap<&str, Counted> = BTreeMap::new();
        for app in table.named.values() {
            figures.entry(&app.name).or_default().add(app);
        }
        for app in table.leaving.iter().chain([&table.others, &table.strangers]) {
            figures.entry(&table.crowd_of(app).name).or_default().add(app);
        }
        let is_seen = |counted: &Counted| Counted { is_stranger: false, ..*counted } != Counted::default();
        let seen = figures.into_iter().filter(|(_, counted)| is_seen(counted));
        seen.map(|(name, counted)| (name.to_owned(), counted)).collect()
    }
}

impl Table {
    /// The app of this name, if it has a place.
    fn known(&self, name: &str) -> Option<Arc<App>> {
        match name {
            OTHERS => Some(Arc::clone(&self.others)),
            STRANGERS => Some(Arc::clone(&self.strangers)),
            name => self.named.get(name).cloned(),
        }
    }

    /// A place for an app that nobody knows yet.
    fn welcome(&mut self, name: String, is_member: bool, now_ms: u64) -> Arc<App> {
        if let Some(app) = self.known(&name) {
            return app;
        }
        self.see_off();
        let most = if is_member { 2 * MAX_STRANGERS } else { MAX_STRANGERS };
        if self.count(true) >= most && !self.show_out(true) {
            return Arc::clone(&self.strangers);
        }
        let app = App { is_stranger: AtomicBool::new(true), ..App::new(name.clone(), self.number()) };
        app.see(now_ms);
        let app = Arc::new(app);
        self.named.insert(name, Arc::clone(&app));
        app
    }

    /// A place among those that were let in, if there is one.
    fn admit(&mut self, app: &App) -> bool {
        let is_news = app.is_stranger.load(Ordering::Relaxed) && self.has_place();
        if is_news {
            app.is_stranger.store(false, Ordering::Relaxed);
        }
        is_news
    }

    /// The same for one that has none among the strangers: those who flood us keep nobody out who is let in.
    fn admit_by_name(&mut self, name: &str) -> bool {
        if let Some(app) = self.known(name) {
            return self.admit(&app);
        }
        self.see_off();
        let has_place = self.has_place();
        if has_place {
            let seen_ms = self.named.values().map(|app| app.seen_ms.load(Ordering::Relaxed)).max();
            let app = App { seen_ms: AtomicU64::new(seen_ms.unwrap_or(0)), ..App::new(name, self.number()) };
            self.named.insert(name.to_owned(), Arc::new(app));
        }
        has_place
    }

    /// Whether there is a place for one more that was let in, if need be that of the longest unseen.
    fn has_place(&mut self) -> bool {
        self.count(false) < MAX_APPS || self.show_out(false)
    }

    /// A number that no app has. Two are those of the crowds.
    fn number(&mut self) -> usize {
        self.free.pop().unwrap_or(self.named.len() + self.leaving.len() + 3)
    }

    /// How many there are that are strangers, or that are not.
    fn count(&self, strangers: bool) -> usize {
        self.named.values().filter(|app| app.is_stranger.load(Ordering::Relaxed) == strangers).count()
    }

    /// Takes its place from the one of these that was not seen for the longest time. `false`: too many are leaving.
    fn show_out(&mut self, strangers: bool) -> bool {
        let of_kind = |app: &&Arc<App>| app.is_stranger.load(Ordering::Relaxed) == strangers;
        if self.leaving.iter().filter(of_kind).count() >= MAX_LEAVING {
            return false;
        }
        let longest = self.named.values().filter(of_kind);
        let longest = longest.min_by_key(|app| app.seen_ms.load(Ordering::Relaxed));
        let Some(app) = longest.map(|app| app.name.clone()).and_then(|name| self.named.remove(&name)) else {
            return false;
        };
        app.has_left.store(true, Ordering::Relaxed);
        self.leaving.push(app);
        true
    }

    /// Takes over what those counted whom nobody holds any more.
    fn see_off(&mut self) {
        let leaving = std::mem::take(&mut self.leaving);
        let (staying, gone) = leaving.into_iter().partition(|app| Arc::strong_count(app) > 1);
        self.leaving = staying;
        for app in gone {
            let crowd = self.crowd_of(&app);
            for sum in App::SUMS {
                sum(crowd).fetch_add(sum(&app).load(Ordering::Relaxed), Ordering::Relaxed);
            }
            self.free.push(app.number);
        }
    }

    /// Among whom an app is that has no place of its own.
    fn crowd_of(&self, app: &App) -> &Arc<App> {
        if app.counted_as() == STRANGERS { &self.strangers } else { &self.others }
    }
}

/// The product name, else the first word of the user agent; only letters that are safe to show.
pub fn name_of(credential: &Credential, headers: &HeaderMap) -> String {
    let agent = || headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let said = credential.product.as_deref().or_else(|| agent().map(first_word)).unwrap_or("unknown");
    let name: String = said
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '.' | '_' | '(' | ')'))
        .take(MAX_NAME)
        .collect();
    let name = name.trim();
    if name.is_empty() { "unknown".to_owned() } else { name.to_owned() }
}

fn first_word(agent: &str) -> &str {
    agent.split(['/', ' ']).next().unwrap_or(agent)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn an_app_is_called_by_its_product_else_by_its_agent() {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static("PlexAPI/4.17 (Linux)"));
        assert_eq!(name_of(&Credential::default(), &headers), "PlexAPI");
        let named = Credential { product: Some("Kometa".into()), ..Credential::default() };
        assert_eq!(name_of(&named, &headers), "Kometa");
    }

    #[test]
    fn what_an_app_calls_itself_cannot_break_a_page_or_a_metric() {
        let named = Credential { product: Some("<b>\"x\"\n{}".into()), ..Credential::default() };
        assert_eq!(name_of(&named, &HeaderMap::new()), "bx");
    }

    fn of(apps: &Apps, name: &str, now_ms: u64) -> Arc<App> {
        let named = Credential { product: Some(name.into()), ..Credential::default() };
        let app = apps.of(&named, &HeaderMap::new(), false, now_ms);
        app.see(now_ms);
        app.asked.fetch_add(1, Ordering::Relaxed);
        app
    }

    fn asked(apps: &Apps, name: &str) -> Option<u64> {
        apps.figures().into_iter().find(|(of, _)| of == name).map(|(_, counted)| counted.asked)
    }

    #[test]
    fn a_flood_of_names_that_were_never_let_in_takes_no_place_from_those_that_were() {
        let apps = Apps::default();
        assert!(apps.admit(&of(&apps, "Kometa", 1), None));
        for index in 0..10_000 {
            of(&apps, &format!("app{index}"), 1_000 + index);
        }
        assert!(apps.figures().len() <= MAX_STRANGERS + 2, "{:?}", apps.figures());
        assert_eq!(asked(&apps, "Kometa"), Some(1));
        assert_eq!(
            asked(&apps, "app9999"),
            Some(1),
            "the last ones are shown, so that a wrong token is found"
        );
        let late = of(&apps, "Tautulli", 20_000);
        assert_eq!(late.counted_as(), STRANGERS);
        assert!(apps.admit(&late, None), "it is let in");
        assert_eq!((late.counted_as(), apps.admit(&late, None)), ("Tautulli", false));
        let sum: u64 = apps.figures().iter().map(|(_, counted)| counted.asked).sum();
        assert_eq!(sum, 10_002);
    }

    #[test]
    fn who_is_let_in_during_a_flood_of_strangers_is_counted_under_its_own_name_from_then_on() {
        let apps = Apps::default();
        let held: Vec<Arc<App>> = (0..1_000).map(|index| of(&apps, &format!("app{index}"), 1_000)).collect();
        let kometa = of(&apps, "Kometa", 2_000);
        assert!(kometa.is_crowd, "there is no place for a stranger more");
        assert!(!apps.admit(&kometa, None), "it may be anybody");
        assert!(apps.admit(&kometa, Some("Kometa")), "that is news");
        assert!(!apps.admit(&kometa, Some("Kometa")), "once");
        let again = of(&apps, "Kometa", 3_000);
        assert_eq!((again.counted_as(), again.is_passing()), ("Kometa", false));
        let counted = apps.figures().into_iter().find(|(name, _)| name == "Kometa").expect("it is shown").1;
        assert!(!counted.is_stranger && counted.asked == 1, "{counted:?}");
        assert!(held.iter().all(|app| app.is_crowd || app.number != again.number), "a number of its own");
        for index in 0..MAX_APPS as u64 {
            assert!(apps.admit(&kometa, Some(&format!("good{index}"))), "{index}");
            of(&apps, &format!("good{index}"), 5_000 + 1_000 * index);
        }
        assert_eq!(asked(&apps, "Kometa"), None, "the longest unseen makes room");
        assert!(
            !apps.admit(&kometa, Some(STRANGERS)) && !apps.admit(&kometa, Some(OTHERS)),
            "crowds are none"
        );
        let sum: u64 = apps.figures().iter().map(|(_, counted)| counted.asked).sum();
        assert_eq!(sum, 1_002 + MAX_APPS as u64);
    }

    #[test]
    fn when_there_are_too_many_the_longest_unseen_is_among_the_others_and_sums_stay() {
        let apps = Apps::default();
        let mut number = std::collections::BTreeSet::new();
        for index in 0..3 * MAX_APPS as u64 {
            let app = of(&apps, &format!("app{index}"), 1_000 * (index + 1));
            number.insert(app.number);
            apps.admit(&app, None);
            of(&apps, "app0", 1_000 * (index + 1));
        }
        let figures = apps.figures();
        assert_eq!(figures.len(), MAX_APPS + 1, "and the others");
        assert_eq!(asked(&apps, "app0"), Some(1 + 3 * MAX_APPS as u64), "it came again and again");
        assert_eq!(asked(&apps, "app1"), None);
        assert_eq!(figures.iter().map(|(_, counted)| counted.asked).sum::<u64>(), 6 * MAX_APPS as u64);
        assert!(number.iter().all(|number| *number <= MAX_APPS + 5), "numbers are given again: {number:?}");
    }

    #[test]
    fn who_counts_on_for_an_app_that_lost_its_place_is_not_lost() {
        let apps = Apps::default();
        let held: Vec<Arc<App>> = (0..1_000).map(|index| of(&apps, &format!("app{index}"), 1_000)).collect();
        let numbers: std::collections::BTreeSet<usize> =
            held.iter().filter(|app| !app.is_crowd).map(|app| app.number).collect();
        assert_eq!(numbers.len(), MAX_STRANGERS + MAX_LEAVING, "no two that are held have the same number");
        assert!(held.iter().any(|app| app.is_crowd), "beyond, they have no place");
        let named = Credential { product: Some("Kometa".into()), ..Credential::default() };
        let kometa = apps.of(&named, &HeaderMap::new(), true, 1_000);
        assert!(
            apps.admit(&kometa, None) && kometa.counted_as() == "Kometa",
            "who has a good token has a place"
        );
        for app in &held {
            app.asked.fetch_add(1, Ordering::Relaxed);
        }
        let sum = |apps: &Apps| apps.figures().iter().map(|(_, counted)| counted.asked).sum::<u64>();
        assert_eq!(sum(&apps), 2_000);
        drop(held);
        of(&apps, "one more", 2_000);
        assert_eq!(sum(&apps), 2_001);
    }
}
