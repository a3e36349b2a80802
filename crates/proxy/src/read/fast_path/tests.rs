//! The fast path without a connection: what it answers, and what takes each answer away again.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use greenroom_cache::{
    CacheDirective, Invalidation, Key, LoadError, LoadReason, LoadResult, LoadedValue, Loader, Scope, Value,
};
use greenroom_dialect::request::RequestView;
use greenroom_state::bypass::Bypass;
use http::{HeaderName, HeaderValue, Method};

use super::*;
use crate::identity::PathHash;
use crate::proxy_request::classify;
use crate::server::fixture::{identity, jellyfins, user};

const TARGET: &str = "/UserViews";

/// A request of one token that the fast path has learned, and what the server answers to it.
pub(super) struct LearnedRequest {
    server: Arc<Server>,
    pub(super) head: Vec<u8>,
    classified: Arc<ClassifiedRequest>,
    read: Arc<Read>,
}

#[derive(Clone)]
struct Answer(String);

impl Loader for Answer {
    type Pass = ();

    async fn load(&self, _: LoadReason, _: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        Ok(LoadResult::Store(LoadedValue::new(Value::new(self.0.clone()))))
    }
}

impl LearnedRequest {
    /// The request of this token, whose account is proven, with a response in memory that names the token.
    pub(super) async fn of(server: &Arc<Server>, token: &str) -> Self {
        Self::granted(server, token, Duration::ZERO).await
    }

    /// The same; the server accepted the token this long ago.
    async fn granted(server: &Arc<Server>, token: &str, ago: Duration) -> Self {
        server.prove_owner(&identity(server, token), &user(token));
        let lines = [("host", "x"), ("x-emby-token", token)];
        let line = |(name, text): (&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(text).expect("a header value"))
        };
        let headers: HeaderMap = lines.into_iter().map(line).collect();
        let view = RequestView { method: &Method::GET, target: TARGET, headers: &headers, body: &[] };
        let now_ms = server.origin.clock.now();
        let classified = classify::classify(server, &view, now_ms);
        let Classification::Read(read) = &classified.classification else { panic!("no read") };
        let (read, head) =
            (Arc::clone(read), format!("GET {TARGET} HTTP/1.1\r\nHost: x\r\nX-Emby-Token: {token}\r\n\r\n"));
        let uri = Uri::from_static(TARGET);
        let raw = server.classifications.unknown_raw_head(head.as_bytes(), (&uri, &headers), &classified);
        server.classifications.learn_raw_head(raw.expect("it is unknown"), &classified, now_ms);
        let learned = Self { server: Arc::clone(server), head: head.into_bytes(), classified, read };
        learned.grant(ago);
        learned.store(token).await;
        learned
    }

    /// The server accepted the token this long ago.
    fn grant(&self, ago: Duration) {
        let identity = &self.classified.identity;
        identity.accept(self.read.class, self.server.origin.clock.now() - ago, identity.generation());
    }

    fn key(&self) -> &Key {
        self.classified.key.as_ref().expect("a key")
    }

    /// Loads this response, and answers one request on the parser's way.
    async fn store(&self, body: &str) {
        let policy = self.server.policy(&self.read, &self.classified.identity);
        let loader = || Answer(body.to_owned());
        let loaded = self.server.cache.get_or_load(self.key(), &policy, CacheDirective::Any, loader).await;
        loaded.expect("it is loaded");
        if let Some(entry) = self.server.cache.peek(self.key()) {
            self.classified.cached_headers.get_or_build(entry.created(), || (StatusCode::OK, HeaderMap::new()));
        }
    }

    /// The body that the fast path answers with.
    fn ask(&self) -> Option<String> {
        let request = FastRequest { head: &self.head, now_us: self.server.origin.clock.now_us() };
        let body = answer(&self.server, request, &mut Vec::new())?;
        Some(String::from_utf8(body.to_vec()).expect("it is text"))
    }
}

async fn learned() -> LearnedRequest {
    let [server] = jellyfins(["den"]);
    let learned = LearnedRequest::of(&server, "anna").await;
    assert_eq!(learned.ask().as_deref(), Some("anna"));
    learned
}

#[tokio::test]
async fn a_body_that_may_take_long_to_send_is_left_to_the_parser() {
    let learned = learned().await;
    for (length, is_answered) in [(MAX_FAST_BODY_BYTES, true), (MAX_FAST_BODY_BYTES + 1, false)] {
        learned.server.cache.invalidate(&Scope::Key(learned.key().clone()), &Invalidation::mark_stale());
        learned.store(&"a".repeat(length)).await;
        assert_eq!(learned.ask().is_some(), is_answered, "{length} bytes");
    }
}

#[tokio::test]
async fn each_token_gets_what_was_loaded_for_it_and_nothing_once_it_is_revoked() {
    let [server] = jellyfins(["den"]);
    let [anna, bert] = [LearnedRequest::of(&server, "anna").await, LearnedRequest::of(&server, "bert").await];
    assert_eq!((anna.ask().as_deref(), bert.ask().as_deref()), (Some("anna"), Some("bert")));
    anna.classified.identity.refuse();
    assert_eq!((anna.ask(), bert.ask().as_deref()), (None, Some("bert")));
    anna.grant(Duration::ZERO);
    server.prove_owner(&anna.classified.identity, &user("anna"));
    assert_eq!(anna.ask(), None, "accepted again, it is classified anew");
}

#[tokio::test]
async fn a_path_that_the_server_denied_is_not_answered_and_a_grant_that_is_too_old_answers_nothing() {
    let learned = learned().await;
    learned.classified.identity.deny_path(PathHash::of(&learned.read));
    assert_eq!(learned.ask(), None, "the server denied this path");
    let [server] = jellyfins(["den"]);
    let auth_ttl = server.origin.settings.auth_ttl;
    for (ago, is_answered) in [(auth_ttl / 2, true), (auth_ttl + Duration::from_secs(1), false)] {
        let learned = LearnedRequest::granted(&server, "anna", ago).await;
        assert_eq!(learned.ask().is_some(), is_answered, "granted {ago:?} ago");
        learned.classified.identity.refuse();
    }
}

#[tokio::test]
async fn a_token_that_was_proven_to_be_another_accounts_gets_nothing_of_the_first() {
    let learned = learned().await;
    learned.server.prove_owner(&learned.classified.identity, &user("carl"));
    assert_eq!(learned.ask(), None);
}

#[tokio::test]
async fn nothing_is_answered_while_the_server_is_down() {
    let learned = learned().await;
    let breaker = &learned.server.origin.breaker;
    let now_ms = learned.server.origin.clock.now();
    breaker.restore(now_ms, now_ms);
    assert!(!breaker.allows_requests());
    assert_eq!(learned.ask(), None, "whether an old response is served is decided on the parser's way");
}

#[tokio::test]
async fn nothing_is_answered_where_the_cache_is_bypassed_or_only_observes() {
    let learned = learned().await;
    learned.server.set_mode(CacheMode::Observe);
    assert_eq!(learned.ask(), None);
    learned.server.set_mode(CacheMode::Cache);
    assert!(learned.ask().is_some());
    let everything = Bypass { server: None, class: None, app: None };
    learned.server.modes.bypasses.add(&everything).expect("there is room");
    assert_eq!(learned.ask(), None);
}

#[tokio::test]
async fn without_the_trust_of_other_gateways_nothing_is_answered() {
    let learned = learned().await;
    learned.server.cache.trust_until(Timestamp::from_millis(1), Duration::ZERO);
    assert_eq!(learned.ask(), None);
}

/// One thread invalidates and loads, two ask: whatever is answered is at least as new as the last invalidation that had
/// returned before the request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalidated_response_is_never_answered_again_whatever_the_threads_do_meanwhile() {
    const ROUNDS: u64 = 1_000;
    let learned = Arc::new(learned().await);
    let invalidated = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (learned, invalidated) = (Arc::clone(&learned), Arc::clone(&invalidated));
            std::thread::spawn(move || {
                loop {
                    let floor = invalidated.load(Ordering::SeqCst);
                    if floor == ROUNDS {
                        return;
                    }
                    if let Some(body) = learned.ask() {
                        let number: u64 = body.parse().unwrap_or(0); // the first is no number
                        assert!(number >= floor, "{number} after {floor} was invalidated");
                    }
                }
            })
        })
        .collect();
    for number in 1..=ROUNDS {
        learned.server.invalidate(&Scope::Key(learned.key().clone()), &Invalidation::default());
        invalidated.store(number, Ordering::SeqCst);
        learned.store(&number.to_string()).await;
    }
    for reader in readers {
        reader.join().expect("no older response");
    }
    assert_eq!(learned.ask(), Some(ROUNDS.to_string()));
}
