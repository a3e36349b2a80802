//! Reads of two tokens of one account, without a server: the loaders answer.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use greenroom_cache::{Entry, LoadReason, LoadResult, LoadedValue, Value};
use greenroom_dialect::classification::Classification;
use greenroom_dialect::request::RequestView;
use http::{HeaderMap, Method};
use tokio::sync::Semaphore;

use super::*;
use crate::identity::PathHash;
use crate::proxy_request::classify;
use crate::read::consult;
use crate::server::Server;
use crate::server::fixture::{identity, jellyfins, user};

const TARGET: &str = "/Items?recursive=true";

/// One token of one account: its requests, and what the server answers to them.
struct Caller {
    request: ProxyRequest,
    read: Arc<Read>,
    loads: Arc<AtomicUsize>,
    /// Answers that the server gives before it waits.
    answers: Arc<Semaphore>,
}

#[derive(Clone)]
struct Answer {
    request: ProxyRequest,
    read: Arc<Read>,
    loads: Arc<AtomicUsize>,
    answers: Arc<Semaphore>,
    denies: bool,
}

impl Loader for Answer {
    type Pass = ();

    async fn load(&self, _: LoadReason, _: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.answers.acquire().await.expect("it is never closed").forget();
        let (server, identity) = (&self.request.server, &self.request.classified.identity);
        if self.denies {
            identity.deny_path(PathHash::of(&self.read));
            return Err(LoadError::new(LoadErrorKind::Denied, "no"));
        }
        identity.accept(self.read.class, server.origin.clock.now(), identity.generation());
        Ok(LoadResult::Store(LoadedValue::new(Value::new("films"))))
    }
}

impl Caller {
    fn new(server: &Arc<Server>, token: &str) -> Self {
        server.prove_owner(&identity(server, token), &user("anna"));
        let mut headers = HeaderMap::new();
        let text = format!("MediaBrowser Client=\"Kodi\", DeviceId=\"d\", Token=\"{token}\"");
        headers.insert(http::header::AUTHORIZATION, text.parse().expect("a header"));
        let view = RequestView { method: &Method::GET, target: TARGET, headers: &headers, body: &[] };
        let classified = classify::classify(server, &view, server.origin.clock.now());
        let Classification::Read(read) = &classified.classification else { panic!("no read") };
        let read = Arc::clone(read);
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let request =
            ProxyRequest { server: Arc::clone(server), classified, client, is_encrypted: false, origin: None };
        Self { request, read, loads: Arc::default(), answers: Arc::new(Semaphore::new(100)) }
    }

    async fn read(&self, denies: bool) -> Result<CacheResponse<()>, LoadError> {
        let loader = || Answer {
            request: self.request.clone(),
            read: Arc::clone(&self.read),
            loads: Arc::clone(&self.loads),
            answers: Arc::clone(&self.answers),
            denies,
        };
        consult(&self.request.server.cache, &self.request, &self.read, &HeaderMap::new(), loader).await
    }

    fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    fn hold_answers(&self) {
        self.answers.forget_permits(100);
    }
}

fn callers() -> [Caller; 2] {
    let [server] = jellyfins(["home"]);
    ["one", "two"].map(|token| Caller::new(&server, token))
}

fn is_hit(outcome: &Result<CacheResponse<()>, LoadError>) -> bool {
    matches!(outcome, Ok(CacheResponse::Cached { served: CacheStatus::Hit, .. }))
}

#[test]
fn what_another_token_loaded_is_for_a_token_with_a_grant_only_and_a_denial_is_for_none() {
    let loaded = || {
        let value = Value::new("");
        Ok::<_, LoadError>(CacheResponse::<()>::Shared { value, served: CacheStatus::Joined, is_absent: false })
    };
    assert!(is_for(&loaded(), AuthorizationStatus::Valid));
    assert!(!is_for(&loaded(), AuthorizationStatus::Expired));
    assert!(!is_for(&loaded(), AuthorizationStatus::Missing));
    let failed = |kind| Err::<CacheResponse<()>, _>(LoadError::new(kind, ""));
    assert!(!is_for(&failed(LoadErrorKind::Denied), AuthorizationStatus::Valid));
    assert!(is_for(&failed(LoadErrorKind::Unreachable), AuthorizationStatus::Missing));
    let mut failure = LoadError::new(LoadErrorKind::ServerError, "");
    failure.response = Some(Value::new("an error for the other token"));
    for (authorization, expected) in [
        (AuthorizationStatus::Valid, true),
        (AuthorizationStatus::Expired, false),
        (AuthorizationStatus::Missing, false),
    ] {
        assert_eq!(is_for(&Err::<CacheResponse<()>, _>(failure.clone()), authorization), expected, "{authorization:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_without_a_grant_asks_the_server_itself_and_then_finds_what_the_other_loaded() {
    let [one, two] = callers();
    assert!(one.read(false).await.is_ok());
    assert!(is_hit(&one.read(false).await));
    assert_eq!((one.loads(), two.loads()), (1, 0));
    assert!(two.read(false).await.is_ok());
    assert_eq!(two.loads(), 1, "no grant of its own");
    assert!(is_hit(&two.read(false).await));
    assert_eq!((one.loads(), two.loads()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_token_without_a_grant_is_not_answered_by_the_others_load_in_progress() {
    let [one, two] = callers();
    one.hold_answers();
    let release = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        one.answers.add_permits(1);
    };
    let second = async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        two.read(false).await
    };
    let (first, second, third, ()) = tokio::join!(one.read(false), second, two.read(false), release);
    assert!(first.is_ok() && second.is_ok() && third.is_ok());
    assert_eq!((one.loads(), two.loads()), (1, 1), "its requests at the same time are one");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_denied_takes_nothing_from_the_other_and_is_not_asked_for_again_at_once() {
    let [one, two] = callers();
    assert!(two.read(false).await.is_ok());
    two.request.server.purge(two.request.classified.identity.partition());
    for _ in 0..5 {
        let denied = one.read(true).await.expect_err("the server denies it");
        assert_eq!(denied.kind, LoadErrorKind::Denied);
    }
    assert_eq!(one.loads(), 1, "a denial is remembered for its token");
    assert!(two.read(false).await.is_ok());
    assert!(is_hit(&two.read(false).await));
    assert_eq!(two.loads(), 2);
    assert_eq!(one.read(true).await.expect_err("still denied").kind, LoadErrorKind::Denied, "although it is cached");
}

#[tokio::test(start_paused = true)]
async fn a_denial_of_one_token_in_a_load_that_another_joined_is_not_the_others() {
    let [one, two] = callers();
    assert!(two.read(false).await.is_ok());
    two.request.server.purge(two.request.classified.identity.partition());
    one.hold_answers();
    let release = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        one.answers.add_permits(1);
    };
    let second = async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        two.read(false).await
    };
    let (first, second, ()) = tokio::join!(one.read(true), second, release);
    assert!(first.is_err());
    assert!(second.is_ok(), "{second:?}");
}
