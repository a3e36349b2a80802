//! Reads in observe mode: the server answers, and at the same time the shadow engine gets the same request. Its loads
//! use the response that passes to the client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::{
    CacheResponse, CacheStatus, CacheStatusReason, Entry, Freshness, LoadError, LoadErrorKind, LoadReason, LoadResult,
    LoadedValue, Loader, evaluate_freshness,
};
use greenroom_dialect::classification::Read;
use greenroom_dialect::response_comparison::ComparedResponse;
use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderMap, Method, Response, StatusCode, request};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::offline;
use crate::access_log::is_saved;
use crate::forward;
use crate::proxy_request::ProxyRequest;
use crate::read::bypass_read;
use crate::read::origin_loader;
use crate::read::origin_loader::ReadLoader;
use crate::read::{consult, loader};
use crate::response;
use crate::shadow::comparison::PredictedResponse;
use crate::shadow::{CacheCorrectness, PredictedOutcome, ShadowRun};
use greenroom_config::CacheMode;
use greenroom_origin::body::{Body, CollectedBody, collect};

/// Timeout for a whole body. A client that waits for it waits as long as without Greenroom.
const BODY_TIMEOUT: Duration = Duration::from_secs(180);
/// Header under which a shadow entry stores the hash of its request.
const QUESTION: &str = "x-greenroom-question";
/// Headers that vary without changing the response, or that name the client.
const IGNORED_HEADERS: [&str; 14] = [
    "accept-encoding",
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "if-modified-since",
    "if-none-match",
    "origin",
    "pragma",
    "referer",
    "x-emby-authorization",
    "x-emby-token",
    "x-mediabrowser-token",
    "x-plex-token",
];

/// Passes a read through, and compares it with the cache's response.
pub async fn answer(
    visit: ProxyRequest,
    read: Arc<Read>,
    observation: Arc<ShadowRun>,
    target: &str,
    parts: request::Parts,
    body: Incoming,
) -> Response<Body> {
    let (speaker, heard) = watch::channel(None);
    let asked = ShadowRequest {
        question: question(target, &forward::headers_for_server(&visit, &parts.headers)),
        headers: parts.headers.clone(),
        has_body: parts.method != Method::HEAD,
        generation: visit.identity.generation(),
        response: heard,
    };
    let judge = ComparisonTask {
        visit: visit.clone(),
        read: Arc::clone(&read),
        shadow_run: observation,
        request: Arc::new(asked),
    };
    let (reply, replied) = oneshot::channel();
    let (owner, target) = (visit.clone(), target.to_owned());
    let tasks = visit.server.origin.tasks.clone();
    tasks.spawn(judge.run());
    // A task of its own, like a load: the client's disconnect changes nothing for joined requests.
    tasks.spawn(async move {
        let response = pass(&owner, &read, &target, parts, body, &speaker).await;
        // The client may have disconnected.
        drop(reply.send(response));
    });
    match replied.await {
        Ok(response) => response,
        Err(_) => response::problem(&visit, StatusCode::INTERNAL_SERVER_ERROR, "Greenroom failed; see its log"),
    }
}

/// The server's response, as far as it was read.
#[derive(Debug)]
enum OverheardResponse {
    /// Whole.
    Whole(StatusCode, HeaderMap, Bytes),
    /// Longer than the cache's limit, or endless.
    TooLong(StatusCode),
    /// None, or an incomplete one.
    Nothing,
}

/// Sends the request, publishes the response to the shadow loader, and returns the client's response.
async fn pass(
    visit: &ProxyRequest,
    read: &Read,
    target: &str,
    parts: request::Parts,
    body: Incoming,
    speaker: &watch::Sender<Option<Arc<OverheardResponse>>>,
) -> Response<Body> {
    let tell = |said| drop(speaker.send_replace(Some(Arc::new(said))));
    let response = match bypass_read::ask(visit, read, target, parts, body).await {
        Ok(response) => response,
        Err(problem) => {
            tell(OverheardResponse::Nothing);
            return problem;
        }
    };
    let status = response.status();
    if forward::is_event_stream(&response) {
        tell(OverheardResponse::TooLong(status));
        return response::forwarded(forward::open(visit, response), CacheMode::Observe.name());
    }
    let (head, body) = response.into_parts();
    let collected = collect(body, visit.server.origin.settings.max_body_bytes);
    let body = match visit.server.origin.clock.timeout(BODY_TIMEOUT, collected).await {
        Ok(CollectedBody::Whole(bytes)) => {
            tell(OverheardResponse::Whole(status, head.headers.clone(), bytes.clone()));
            bytes.into()
        }
        Ok(CollectedBody::TooLong(read, rest)) => {
            tell(OverheardResponse::TooLong(status));
            Body::Resumed { read, rest }
        }
        Ok(CollectedBody::Broken(_)) => {
            tell(OverheardResponse::Nothing);
            return response::problem(visit, StatusCode::BAD_GATEWAY, "the media server's answer broke off");
        }
        Err(_) => {
            tell(OverheardResponse::Nothing);
            return response::problem(visit, StatusCode::GATEWAY_TIMEOUT, "the media server's answer does not end");
        }
    };
    response::forwarded(Response::from_parts(head, body), CacheMode::Observe.name())
}

/// A client's request, with a channel for the server's response.
#[derive(Debug)]
struct ShadowRequest {
    question: u64,
    headers: HeaderMap,
    has_body: bool,
    generation: u64,
    response: watch::Receiver<Option<Arc<OverheardResponse>>>,
}

impl ShadowRequest {
    /// Waits for the server's response.
    async fn wait_for_response(&self) -> Arc<OverheardResponse> {
        let mut heard = self.response.clone();
        match heard.wait_for(Option::is_some).await {
            Ok(said) => said.clone().unwrap_or_else(|| Arc::new(OverheardResponse::Nothing)),
            Err(_) => Arc::new(OverheardResponse::Nothing),
        }
    }
}

/// Compares one read.
struct ComparisonTask {
    visit: ProxyRequest,
    read: Arc<Read>,
    shadow_run: Arc<ShadowRun>,
    request: Arc<ShadowRequest>,
}

impl ComparisonTask {
    async fn run(self) {
        let Self { visit, read, shadow_run: observation, request: asked } = &self;
        let overhearing = || ShadowLoader {
            inner: loader(visit, read),
            shadow_run: Arc::clone(observation),
            request: Arc::new(Mutex::new(Some(Arc::clone(asked)))),
        };
        let answer = match visit.server.origin.breaker.outage() {
            Some(outage) => offline::consult(&observation.cache, visit, read, &outage, overhearing).await,
            None => consult(&observation.cache, visit, read, &asked.headers, overhearing).await,
        };
        let (prediction, kept) = self.predicted(&answer);
        let correctness = match kept {
            Some(kept) => Some(kept.correctness(&self.actual_response(&*asked.wait_for_response().await))),
            None => None,
        };
        if correctness == Some(CacheCorrectness::Unexplained) {
            tracing::info!(
                server = visit.server.name(),
                class = read.class.name(),
                app = visit.app.name,
                key = greenroom_dialect::redact::target(&read.key),
                "the cache would have answered otherwise than the server, and no rule explains it"
            );
        }
        observation.stats.record_read(read.class.name(), &visit.app.name, prediction, correctness);
    }

    /// The outcome the cache would have had, and the response it would have served without asking the server.
    fn predicted(
        &self,
        answer: &Result<CacheResponse<()>, LoadError>,
    ) -> (PredictedOutcome, Option<PredictedResponse>) {
        match answer {
            Ok(CacheResponse::Cached { entry, served, reason, .. }) if is_saved(*served, *reason) => {
                (prediction(*served), Some(self.predicted_response(entry, *served)))
            }
            Ok(CacheResponse::Shared { served: CacheStatus::Joined, .. }) => (PredictedOutcome::Joined, None),
            Ok(CacheResponse::Cached { served: CacheStatus::StaleOnError, .. }) | Err(_) => {
                (PredictedOutcome::Failed, None)
            }
            Ok(
                CacheResponse::Cached { reason: Some(CacheStatusReason::NotStored(_)), .. } | CacheResponse::Passed(()),
            ) => (PredictedOutcome::Uncacheable, None),
            Ok(_) => (PredictedOutcome::Miss, None),
        }
    }

    fn predicted_response(&self, entry: &Entry, served: CacheStatus) -> PredictedResponse {
        let (status, headers) = response::parse_head(entry.meta());
        let is_known = status == StatusCode::OK && entry.load_reason() != LoadReason::Warm;
        let policy = self.visit.server.policy(&self.read, &self.visit.identity);
        let now_ms = self.visit.server.origin.clock.now_ms();
        let verdict = evaluate_freshness(entry, &policy, now_ms, greenroom_cache::Validity::Valid);
        let loaded_with: Option<u64> = headers.get(QUESTION).and_then(|value| value.to_str().ok()?.parse().ok());
        PredictedResponse {
            class: self.read.class,
            body: is_known.then(|| entry.body().clone()),
            is_same_request: loaded_with == Some(self.request.question),
            is_in_time: served == CacheStatus::Joined || matches!(verdict, Freshness::Fresh { .. } | Freshness::Stale),
        }
    }

    fn actual_response<'a>(&self, said: &'a OverheardResponse) -> ComparedResponse<'a> {
        let (status, body) = match said {
            OverheardResponse::Whole(status, _, body) => (Some(status), self.request.has_body.then_some(&**body)),
            OverheardResponse::TooLong(status) => (Some(status), None),
            OverheardResponse::Nothing => (None, None),
        };
        ComparedResponse { status: status.map(StatusCode::as_u16), headers: None, body }
    }
}

fn prediction(served: CacheStatus) -> PredictedOutcome {
    match served {
        CacheStatus::Hit => PredictedOutcome::Hit,
        CacheStatus::Stale => PredictedOutcome::Stale,
        CacheStatus::Joined => PredictedOutcome::Joined,
        CacheStatus::Loaded | CacheStatus::Refreshed => PredictedOutcome::Miss,
        CacheStatus::StaleOnError => PredictedOutcome::Failed,
    }
}

/// A loader that sends no request: it uses the response that passes to the client.
#[derive(Clone)]
struct ShadowLoader {
    inner: ReadLoader,
    shadow_run: Arc<ShadowRun>,
    /// Taken by the one load that a read causes. The engine keeps loaders for warming, when no response passes.
    request: Arc<Mutex<Option<Arc<ShadowRequest>>>>,
}

impl Loader for ShadowLoader {
    type Pass = ();

    async fn load(&self, why: LoadReason, old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        let is_own = matches!(why, LoadReason::Refresh | LoadReason::Warm | LoadReason::Prefetch);
        let (class, app) = (self.inner.read.class.name(), &self.inner.app.name);
        self.shadow_run.stats.record_upstream_request(class, app, is_own);
        let asked = self.request.lock().take();
        match asked {
            Some(asked) => {
                let said = asked.wait_for_response().await;
                self.load_from_overheard(&asked, &said, old.as_deref())
            }
            None => self.assume(old.as_deref()),
        }
    }
}

impl ShadowLoader {
    /// Result that the load would have had.
    fn load_from_overheard(
        &self,
        asked: &ShadowRequest,
        said: &OverheardResponse,
        old: Option<&Entry>,
    ) -> Result<LoadResult<()>, LoadError> {
        let (status, headers, body) = match said {
            OverheardResponse::Whole(status, headers, body) => (*status, headers, body),
            OverheardResponse::TooLong(_) => return Ok(LoadResult::Pass(())),
            OverheardResponse::Nothing => {
                return Err(LoadError::new(LoadErrorKind::Unreachable, "the server gave no answer"));
            }
        };
        let load = match status {
            StatusCode::NOT_MODIFIED => self.unread(asked, headers, old),
            StatusCode::OK if !asked.has_body => self.unread(asked, headers, old),
            _ if origin_loader::is_cacheable(status, headers) => {
                self.inner.store(headers, body.clone(), asked.generation, old)
            }
            _ if status.is_client_error() || status.is_server_error() => {
                self.inner.handle_error_status(status, headers, body.clone())
            }
            _ => return Ok(LoadResult::Pass(())),
        };
        Ok(match load? {
            LoadResult::Store(fill) => LoadResult::Store(with_question(fill, asked.question)),
            LoadResult::Share(value) => LoadResult::Share(value),
            LoadResult::NotFound(value) => LoadResult::NotFound(value),
            LoadResult::Pass(_) => LoadResult::Pass(()),
        })
    }

    /// The body did not pass, because the client has it or wanted none; the cache would have loaded it.
    fn unread(
        &self,
        asked: &ShadowRequest,
        headers: &HeaderMap,
        old: Option<&Entry>,
    ) -> Result<LoadResult<Response<Body>>, LoadError> {
        if let Some(old) = old.filter(|old| is_known_to_client(old, &asked.headers)) {
            let (_, headers) = response::parse_head(old.meta());
            return self.inner.store(&headers, old.body().clone(), asked.generation, Some(old));
        }
        let tags = self.inner.read.tags.iter().map(|tag| tag.as_str().into()).collect();
        let value = response::to_cached_value(StatusCode::NOT_MODIFIED, headers, Bytes::new());
        let policy = self.inner.server.policy(&self.inner.read, &self.inner.identity);
        Ok(LoadResult::Store(LoadedValue { value, tags, policy: Some(policy) }))
    }

    /// Greenroom would have loaded this by itself, and no response passes: renews the entry as if loaded again.
    fn assume(&self, old: Option<&Entry>) -> Result<LoadResult<()>, LoadError> {
        let Some(old) = old else {
            return Err(LoadError::new(LoadErrorKind::NotCached, "nothing is kept that could live on"));
        };
        let policy = self.inner.server.policy(&self.inner.read, &self.inner.identity);
        let fill = LoadedValue { value: old.value().clone(), tags: old.tags().to_vec(), policy: Some(policy) };
        Ok(LoadResult::Store(fill))
    }
}

/// Whether the client's copy, which the server just called unchanged, is the cached one.
fn is_known_to_client(old: &Entry, asked: &HeaderMap) -> bool {
    let (status, kept) = response::parse_head(old.meta());
    let own = kept.get(ETAG);
    status == StatusCode::OK && own.is_some() && asked.get_all(IF_NONE_MATCH).iter().any(|tag| Some(tag) == own)
}

fn with_question(mut fill: LoadedValue, question: u64) -> LoadedValue {
    let mut meta = fill.value.meta.to_vec();
    meta.extend_from_slice(format!("\n{QUESTION}: {question}").as_bytes());
    fill.value.meta = meta.into();
    fill
}

/// Hash of a request: everything sent to the server that may change its response.
fn question(target: &str, headers: &HeaderMap) -> u64 {
    let mut words: Vec<String> = headers
        .iter()
        .filter(|(name, _)| !IGNORED_HEADERS.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    words.sort_unstable();
    words.push(greenroom_dialect::redact::target(target));
    xxhash_rust::xxh3::xxh3_64(words.join("\n").as_bytes())
}
