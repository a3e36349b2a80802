//! Which apps were seen, and what each asked, caused and was spared.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use greenroom_upstream::credential::Credential;
use http::HeaderMap;
use http::header::USER_AGENT;
use parking_lot::{Mutex, RwLock};

use crate::queue::habits::Habits;

/// Apps shown by name; what comes beyond is counted as "others".
const MAX_APPS: usize = 100;
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
}

/// All apps of one server by the name they give themselves.
#[derive(Debug, Default)]
pub struct Apps(RwLock<BTreeMap<String, Arc<App>>>);

impl Apps {
    /// The app a request comes from, and whether it was never seen before.
    pub fn of(&self, credential: &Credential, headers: &HeaderMap) -> (String, Arc<App>, bool) {
        let name = name_of(credential, headers);
        if let Some(app) = self.0.read().get(&name) {
            return (name, Arc::clone(app), false);
        }
        let mut apps = self.0.write();
        let name = if apps.len() >= MAX_APPS { "others".to_owned() } else { name };
        let is_new = !apps.contains_key(&name);
        let number = apps.len() + 1;
        let app = || Arc::new(App { name: name.clone(), number, ..App::default() });
        let app = apps.entry(name.clone()).or_insert_with(app);
        let app = Arc::clone(app);
        (name, app, is_new)
    }

    /// Every app with its figures.
    pub fn figures(&self) -> Vec<(String, Counted)> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let figures = |app: &App| Counted {
            asked: read(&app.asked),
            reached: read(&app.reached),
            saved: read(&app.saved),
            failed: read(&app.failed),
            waiting: app.waiting.load(Ordering::Relaxed),
            waited_ms: read(&app.waited_ms),
            unauthorised: read(&app.unauthorised),
            let_in: read(&app.let_in),
            let_in_saved: read(&app.let_in_saved),
            first_asked: app.first_asked.get().copied(),
        };
        self.0.read().iter().map(|(name, app)| (name.clone(), figures(app))).collect()
    }
}

/// The product name, else the first word of the user agent; only letters that are safe to show.
fn name_of(credential: &Credential, headers: &HeaderMap) -> String {
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

    #[test]
    fn a_flood_of_names_ends_as_others() {
        let apps = Apps::default();
        for index in 0..300 {
            let named = Credential { product: Some(format!("app{index}")), ..Credential::default() };
            apps.of(&named, &HeaderMap::new());
        }
        assert!(apps.figures().len() <= MAX_APPS + 1);
    }
}
