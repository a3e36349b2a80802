//! Properties of any requests to the caches for apps: an app is told nothing of another app's cache and changes
//! nothing in it, a token that only reads changes nothing at all, what is acknowledged is stored, and a refusal says what
//! is wrong.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use axum::body::{Body, to_bytes};
use data_encoding::BASE64;
use greenroom_app_cache::entry::{NewEntry, StoredEntry};
use greenroom_app_cache::lookup::EntryLookup;
use greenroom_app_cache::put::{Put, PutCondition};
use greenroom_app_cache::{AppCaches, CacheName, EntryKey, EntryTags};
use greenroom_cache::{Cache, CacheSettings, Clock, Timestamp};
use greenroom_config::{AppCachesSettings, ControlSettings, Networks};
use greenroom_control::{ControlPlane, ControlPlaneDeps};
use greenroom_dialect::credential::Secret;
use greenroom_state::app_tokens::{self, AppAccess, AppTokens};
use greenroom_state::control_tokens::TokenStore;
use greenroom_state::db::StateDb;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::request::{FuzzRequest, SECRET, split_once};

/// Stands between two requests of one input.
const BETWEEN: &[u8] = b"\n===\n";
/// Most requests of one input.
const MAX_REQUESTS: usize = 8;
/// Start of the paths.
const CACHES: &str = "/api/v1/caches";
/// So much faster than real time does a caller's wait for a lease end.
const SPEED: f64 = 10_000.0;
/// An entry in the other app's cache.
const THEIR_KEY: &str = "0nly-th31rs";
const THEIR_VALUE: &str = "wh4t-th3y-st0r3d";

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime can be had"));
static TOKENS: LazyLock<KnownTokens> = LazyLock::new(KnownTokens::new);

/// Tokens, and what stands for each in an input.
struct KnownTokens {
    registry: Arc<AppTokens>,
    /// `$A`: of the cache `mine`.
    own: String,
    /// `$R`: of the same, but it only reads.
    reading: String,
    /// `$B`: of the cache `theirs`.
    other: String,
}

impl KnownTokens {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        StateDb::open(folder.path()).expect("the state");
        let add = |name: &str, cache: &str, is_read_only| {
            let access = AppAccess { folders: Vec::new(), caches: vec![cache.to_owned()], is_read_only };
            app_tokens::add(folder.path(), name, &access, Timestamp::from_millis(1))
                .expect("a token")
                .expose()
                .to_owned()
        };
        let (own, reading, other) =
            (add("own", "mine", false), add("reading", "mine", true), add("other", "theirs", false));
        // They are kept in memory, so that the folder may go.
        Self { registry: Arc::new(AppTokens::open(folder.path()).expect("the tokens")), own, reading, other }
    }

    fn fill_in(&self, text: &str) -> String {
        text.replace("$A", &self.own).replace("$R", &self.reading).replace("$B", &self.other)
    }
}

/// Checks what must hold of these requests.
pub fn check(bytes: &[u8]) {
    let requests: Vec<FuzzRequest> = parts(bytes).filter_map(request_to_caches).take(MAX_REQUESTS).collect();
    if !requests.is_empty() {
        RUNTIME.block_on(check_requests(&requests));
    }
}

fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let whole = rest?;
        let (part, after) = split_once(whole, BETWEEN);
        rest = (part.len() < whole.len()).then_some(after);
        Some(part)
    })
}

fn request_to_caches(bytes: &[u8]) -> Option<FuzzRequest> {
    let mut request = FuzzRequest::parse(bytes);
    if !request.target.starts_with(CACHES) || request.target.parse::<Uri>().is_err() {
        return None;
    }
    // Elsewhere it would be a value that an app stores.
    for (_, value) in request.headers.iter_mut().filter(|(name, _)| **name == AUTHORIZATION) {
        let text = TOKENS.fill_in(&String::from_utf8_lossy(value.as_bytes()));
        *value = HeaderValue::from_bytes(text.as_bytes()).unwrap_or_else(|_| value.clone());
    }
    Some(request)
}

async fn check_requests(requests: &[FuzzRequest]) {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Clock::scaled(SPEED);
    let caches = AppCaches::new(folder.path(), AppCachesSettings::default(), clock.clone());
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    caches.start(&tasks, &stop).await.expect("the store opens");
    let planted = plant(&caches).await;
    let control = Arc::new(control(caches.clone(), clock));
    for request in requests {
        let answer = ask(&control, request).await;
        check_answer(request, answer, requests, &caches).await;
    }
    check_entries(requests, &caches, &planted).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    assert!(caches.close().await, "what was deferred is written at the end");
}

fn name(text: &str) -> CacheName {
    CacheName::parse(text).expect("a name")
}

async fn plant(caches: &AppCaches) -> StoredEntry {
    let entry = NewEntry {
        value: THEIR_VALUE.into(),
        media_type: "text/plain".into(),
        expires_ms: None,
        dies_ms: None,
        tags: EntryTags::default(),
        version: String::new(),
    };
    let key = EntryKey::parse(THEIR_KEY).expect("a key");
    let put = Put { key, entry, condition: PutCondition::Always, begun: None, lease: None };
    caches.put(&name("theirs"), put).await.expect("stored");
    find(caches, "theirs", THEIR_KEY).await.expect("found")
}

async fn find(caches: &AppCaches, cache: &str, key: &str) -> Option<StoredEntry> {
    let found = caches.get(&name(cache), &EntryKey::parse(key)?, None).await.expect("a lookup");
    if let EntryLookup::Hit(entry) = found { Some(entry) } else { None }
}

fn control(app_caches: AppCaches, clock: Clock) -> ControlPlane {
    let cache = Cache::new(CacheSettings::default(), clock.clone(), TaskTracker::new());
    let empty = ControlPlaneDeps::empty(cache, clock, TokenStore::fixed(Secret::new(SECRET)));
    ControlPlane::new(ControlPlaneDeps { app_caches, app_tokens: Arc::clone(&TOKENS.registry), ..empty })
}

async fn ask(control: &Arc<ControlPlane>, request: &FuzzRequest) -> Response<Body> {
    let mut asked = http::Request::new(Body::from(request.body.clone()));
    *asked.method_mut() = request.method.clone();
    *asked.uri_mut() = request.target.parse().expect("checked above");
    *asked.headers_mut() = request.headers.clone();
    let [listen, peer] =
        ["127.0.0.1:8710", "127.0.0.1:50000"].map(|text| text.parse::<SocketAddr>().expect("an address"));
    let settings = ControlSettings {
        listen,
        certificate: None,
        base_path: String::new(),
        hosts: Vec::new(),
        trusted_proxies: Networks::default(),
        max_connections: 256,
        max_connections_per_peer: 64,
        open_reads: Vec::new(),
    };
    greenroom_api::handle_request(Arc::clone(control), settings, peer, asked).await
}

fn shows(request: &FuzzRequest, token: &str) -> bool {
    let mut values = request.headers.get_all(AUTHORIZATION).iter();
    values.any(|value| String::from_utf8_lossy(value.as_bytes()).contains(token))
}

/// Whether a request says a secret where it may be stored: not only to authenticate.
fn stores(request: &FuzzRequest, secret: &str) -> bool {
    let says = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(secret);
    let mut headers = request.headers.iter().filter(|(name, _)| **name != AUTHORIZATION);
    request.target.contains(secret) || says(&request.body) || headers.any(|(_, value)| says(value.as_bytes()))
}

async fn check_answer(request: &FuzzRequest, answer: Response<Body>, requests: &[FuzzRequest], caches: &AppCaches) {
    let (parts, body) = answer.into_parts();
    let told = || format!("{request:?} got {}", parts.status);
    let bytes = to_bytes(body, usize::MAX).await.expect("an answer ends");
    let whole = format!("{:?}{}", parts.headers, String::from_utf8_lossy(&bytes));
    for secret in [SECRET, &TOKENS.own, &TOKENS.reading, &TOKENS.other] {
        let is_stored = requests.iter().any(|request| stores(request, secret));
        assert!(is_stored || !whole.contains(secret), "an answer tells a token: {}", told());
    }
    if !shows(request, &TOKENS.other) && !shows(request, SECRET) {
        for theirs in [THEIR_KEY, THEIR_VALUE, &BASE64.encode(THEIR_VALUE.as_bytes())] {
            assert!(!whole.contains(theirs), "an answer tells of another app's cache: {}", told());
        }
    }
    if parts.status.is_client_error() || parts.status.is_server_error() {
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        assert_eq!(kind, "application/problem+json", "a refusal says what is wrong: {}", told());
        let is_described = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::INSUFFICIENT_STORAGE].contains(&parts.status);
        assert!(!parts.status.is_server_error() || is_described, "an error of ours: {}", told());
    }
    let is_stored = [StatusCode::NO_CONTENT, StatusCode::ACCEPTED].contains(&parts.status);
    if request.method == Method::PUT && is_stored {
        check_stored(request, caches).await;
    }
}

/// An acknowledged put is found, unless it was stored for a time that may be over.
async fn check_stored(request: &FuzzRequest, caches: &AppCaches) {
    let (path, query) = request.parts();
    if query.contains('%') || query.contains("ttl_ms") {
        return;
    }
    let Some((cache, key)) = path.strip_prefix(CACHES).and_then(|rest| rest.strip_prefix('/')?.split_once("/entries/"))
    else {
        panic!("stored elsewhere: {request:?}");
    };
    let key = percent_decode_str(key).decode_utf8().expect("keys are text");
    let found = find(caches, &percent_decode_str(cache).decode_utf8().expect("names are text"), &key).await;
    let found = found.unwrap_or_else(|| panic!("acknowledged and not found: {request:?}"));
    assert_eq!(found.entry.value, request.body, "{request:?}");
}

async fn check_entries(requests: &[FuzzRequest], caches: &AppCaches, planted: &StoredEntry) {
    let mine = name("mine");
    assert_eq!(caches.flush(&mine, None).await, Ok(true), "all that was deferred is written");
    let has_shown = |token: &str| requests.iter().any(|request| shows(request, token));
    if has_shown(SECRET) {
        return;
    }
    let entries = |cache: &CacheName| caches.report(cache).map_or(0, |report| report.entries);
    if !has_shown(&TOKENS.other) {
        assert_eq!(find(caches, "theirs", THEIR_KEY).await.as_ref(), Some(planted), "another app's entry has changed");
        assert_eq!(entries(&name("theirs")), 1, "something was stored in another app's cache");
    }
    if !has_shown(&TOKENS.own) {
        assert_eq!(entries(&mine), 0, "something was stored without a token that may");
    }
    let known = ["mine", "theirs"];
    assert!(caches.reports().iter().all(|report| known.contains(&report.name.as_str())), "a cache of no app was made");
}
