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
use greenroom_response_comparison::ComparedResponse;
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
use crate::read::cacheability::{failure_of, is_cacheable};
use crate::read::identity_snapshot::IdentitySnapshot;
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
const REQUEST_HASH_HEADER: &str = "x-greenroom-question";
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
    request: ProxyRequest,
    read: Arc<Read>,
    shadow_run: Arc<ShadowRun>,
    target: &str,
    parts: request::Parts,
    body: Incoming,
) -> Response<Body> {
    let (response_sender, response_receiver) = watch::channel(None);
    let shadow_request = ShadowRequest {
        request_hash: request_hash(target, &forward::headers_for_server(&request, &parts.headers)),
        headers: parts.headers.clone(),
        has_body: parts.method != Method::HEAD,
        // What a shadow loads tells nothing new of items: its response may be an older one.
        sent_by: IdentitySnapshot {
            sets: u64::MAX,
            ..IdentitySnapshot::of(&request.server, &request.classified.identity)
        },
        response: response_receiver,
    };
    let comparison = ComparisonTask {
        request: request.clone(),
        read: Arc::clone(&read),
        shadow_run,
        shadow_request: Arc::new(shadow_request),
    };
    let (reply_sender, reply_receiver) = oneshot::channel();
    let (owned_request, target) = (request.clone(), target.to_owned());
    let tasks = request.server.origin.tasks.clone();
    tasks.spawn(comparison.run());
    // A task of its own, like a load: the client's disconnect changes nothing for joined requests.
    tasks.spawn(async move {
        let response = pass(&owned_request, &read, &target, parts, body, &response_sender).await;
        // The client may have disconnected.
        let _ = reply_sender.send(response);
    });
    match reply_receiver.await {
        Ok(response) => response,
        Err(_) => response::problem(&request, StatusCode::INTERNAL_SERVER_ERROR, "Greenroom failed; see its log"),
    }
}

/// The server's response, as far as it was read.
#[derive(Debug)]
enum ObservedResponse {
    /// Whole.
    Whole(StatusCode, HeaderMap, Bytes),
    /// Longer than the cache's limit, or endless.
    TooLong(StatusCode),
    /// None, or an incomplete one.
    Nothing,
}

/// Sends the request, publishes the response to the shadow loader, and returns the client's response.
async fn pass(
    request: &ProxyRequest,
    read: &Read,
    target: &str,
    parts: request::Parts,
    body: Incoming,
    response_sender: &watch::Sender<Option<Arc<ObservedResponse>>>,
) -> Response<Body> {
    let publish = |observed| drop(response_sender.send_replace(Some(Arc::new(observed))));
    let (response, slot) = match bypass_read::send(request, read, target, parts, body).await {
        Ok(sent) => sent,
        Err(problem) => {
            publish(ObservedResponse::Nothing);
            return problem;
        }
    };
    let status = response.status();
    if forward::is_event_stream(&response) {
        publish(ObservedResponse::TooLong(status));
        return response::forwarded(forward::open(request, response, slot), CacheMode::Observe.name());
    }
    let (head, body) = response.into_parts();
    let collected = collect(body, request.server.origin.settings.max_body_bytes);
    let body = match request.server.origin.clock.timeout(BODY_TIMEOUT, collected).await {
        Ok(CollectedBody::Whole(bytes)) => {
            publish(ObservedResponse::Whole(status, head.headers.clone(), bytes.clone()));
            bytes.into()
        }
        Ok(CollectedBody::TooLong(read, rest)) => {
            publish(ObservedResponse::TooLong(status));
            slot.attach_to(request, Body::Resumed { read, rest })
        }
        Ok(CollectedBody::Broken(_)) => {
            publish(ObservedResponse::Nothing);
            return response::problem(request, StatusCode::BAD_GATEWAY, "the media server's response ended early");
        }
        Err(_) => {
            publish(ObservedResponse::Nothing);
            return response::problem(
                request,
                StatusCode::GATEWAY_TIMEOUT,
                "the media server's response did not end in time",
            );
        }
    };
    response::forwarded(Response::from_parts(head, body), CacheMode::Observe.name())
}

/// A client's request, with a channel for the server's response.
#[derive(Debug)]
struct ShadowRequest {
    request_hash: u64,
    headers: HeaderMap,
    has_body: bool,
    sent_by: IdentitySnapshot,
    response: watch::Receiver<Option<Arc<ObservedResponse>>>,
}

impl ShadowRequest {
    /// Waits for the server's response.
    async fn wait_for_response(&self) -> Arc<ObservedResponse> {
        let mut response_receiver = self.response.clone();
        match response_receiver.wait_for(Option::is_some).await {
            Ok(response) => response.clone().unwrap_or_else(|| Arc::new(ObservedResponse::Nothing)),
            Err(_) => Arc::new(ObservedResponse::Nothing),
        }
    }
}

/// Compares one read.
struct ComparisonTask {
    request: ProxyRequest,
    read: Arc<Read>,
    shadow_run: Arc<ShadowRun>,
    shadow_request: Arc<ShadowRequest>,
}

impl ComparisonTask {
    async fn run(self) {
        let Self { request, read, shadow_run, shadow_request } = &self;
        let new_loader = || ShadowLoader {
            inner: loader(request, read),
            shadow_run: Arc::clone(shadow_run),
            shadow_request: Arc::new(Mutex::new(Some(Arc::clone(shadow_request)))),
        };
        let result = match request.server.origin.breaker.outage() {
            Some(outage) => offline::consult(&shadow_run.cache, request, read, &outage, new_loader).await,
            None => consult(&shadow_run.cache, request, read, &shadow_request.headers, new_loader).await,
        };
        let (prediction, predicted) = self.predicted(&result);
        let correctness = match predicted {
            Some(predicted) => {
                Some(predicted.correctness(&self.actual_response(&*shadow_request.wait_for_response().await)))
            }
            None => None,
        };
        if correctness == Some(CacheCorrectness::Unexplained) {
            tracing::info!(
                server = request.server.name(),
                class = read.class.name(),
                app = request.classified.app.name,
                key = greenroom_dialect::redact::target(&read.key),
                "the cache would have served a response that differs from the server's, and no rule explains it"
            );
        }
        shadow_run.stats.record_read(read.class.name(), &request.classified.app.name, prediction, correctness);
    }

    /// The outcome the cache would have had, and the response it would have served without asking the server.
    fn predicted(
        &self,
        result: &Result<CacheResponse<()>, LoadError>,
    ) -> (PredictedOutcome, Option<PredictedResponse>) {
        match result {
            Ok(CacheResponse::Cached { entry, served, reason, .. }) if is_saved(*served, *reason) => {
                (prediction(*served), Some(self.predicted_response(entry, *served)))
            }
            Ok(CacheResponse::Shared { served: CacheStatus::Hit, .. }) => (PredictedOutcome::Hit, None),
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
        let policy = self.request.server.policy(&self.read, &self.request.classified.identity);
        let now_ms = self.request.server.origin.clock.now();
        let freshness = evaluate_freshness(entry, &policy, now_ms, greenroom_cache::Validity::Valid);
        let loaded_with: Option<u64> =
            headers.get(REQUEST_HASH_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
        PredictedResponse {
            class: self.read.class,
            body: is_known.then(|| entry.body().clone()),
            is_same_request: loaded_with == Some(self.shadow_request.request_hash),
            is_in_time: served == CacheStatus::Joined
                || matches!(freshness, Freshness::Fresh { .. } | Freshness::Stale),
        }
    }

    fn actual_response<'a>(&self, response: &'a ObservedResponse) -> ComparedResponse<'a> {
        let (status, body) = match response {
            ObservedResponse::Whole(status, _, body) => (Some(status), self.shadow_request.has_body.then_some(&**body)),
            ObservedResponse::TooLong(status) => (Some(status), None),
            ObservedResponse::Nothing => (None, None),
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
    shadow_request: Arc<Mutex<Option<Arc<ShadowRequest>>>>,
}

impl Loader for ShadowLoader {
    type Pass = ();

    async fn load(&self, reason: LoadReason, old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        let is_own = matches!(reason, LoadReason::Refresh | LoadReason::Warm | LoadReason::Prefetch);
        let (class, app) = (self.inner.read.class.name(), &self.inner.app.name);
        self.shadow_run.stats.record_upstream_request(class, app, is_own);
        let shadow_request = self.shadow_request.lock().take();
        match shadow_request {
            Some(shadow_request) => {
                let response = shadow_request.wait_for_response().await;
                self.load_from_response(&shadow_request, &response, old.as_deref())
            }
            None => self.assume(old.as_deref()),
        }
    }
}

impl ShadowLoader {
    /// Result that the load would have had.
    fn load_from_response(
        &self,
        shadow_request: &ShadowRequest,
        response: &ObservedResponse,
        old: Option<&Entry>,
    ) -> Result<LoadResult<()>, LoadError> {
        let (status, headers, body) = match response {
            ObservedResponse::Whole(status, headers, body) => (*status, headers, body),
            ObservedResponse::TooLong(_) => return Ok(LoadResult::Pass(())),
            ObservedResponse::Nothing => {
                return Err(LoadError::new(LoadErrorKind::Unreachable, "the server sent no response"));
            }
        };
        let load = match status {
            StatusCode::NOT_MODIFIED => self.load_without_body(shadow_request, headers, old),
            StatusCode::OK if !shadow_request.has_body => self.load_without_body(shadow_request, headers, old),
            _ if is_cacheable(status, headers) => self.inner.store(headers, body.clone(), &shadow_request.sent_by, old),
            _ if status.is_client_error() || status.is_server_error() => {
                self.inner.handle_error_status(status, headers, body.clone(), old.is_some())
            }
            _ => match failure_of(status, headers) {
                Some(kind) if self.inner.has_usable(old) => Err(LoadError::new(kind, "no answer to the request")),
                _ => return Ok(LoadResult::Pass(())),
            },
        };
        Ok(match load? {
            LoadResult::Store(loaded_value) => {
                LoadResult::Store(with_request_hash(loaded_value, shadow_request.request_hash))
            }
            LoadResult::Confirmed(confirmed) => LoadResult::Confirmed(confirmed),
            LoadResult::Share(value) => LoadResult::Share(value),
            LoadResult::NotFound(value) => LoadResult::NotFound(value),
            LoadResult::Absent(absent) => LoadResult::Absent(absent),
            LoadResult::Pass(_) => LoadResult::Pass(()),
        })
    }

    /// The body did not pass, because the client has it or wanted none; the cache would have loaded it.
    fn load_without_body(
        &self,
        shadow_request: &ShadowRequest,
        headers: &HeaderMap,
        old: Option<&Entry>,
    ) -> Result<LoadResult<Response<Body>>, LoadError> {
        if let Some(old) = old.filter(|old| is_known_to_client(old, &shadow_request.headers)) {
            let (_, headers) = response::parse_head(old.meta());
            return self.inner.store(&headers, old.body().clone(), &shadow_request.sent_by, Some(old));
        }
        let tags = self.inner.read.tags.iter().map(|tag| tag.as_str().into()).collect();
        let value = response::to_cached_value(StatusCode::NOT_MODIFIED, headers, Bytes::new());
        let policy = self.inner.server.policy(&self.inner.read, &self.inner.identity);
        Ok(LoadResult::Store(LoadedValue { tags, policy: Some(policy), ..LoadedValue::new(value) }))
    }

    /// Greenroom would have loaded this by itself, and no response passes: renews the entry as if loaded again.
    fn assume(&self, old: Option<&Entry>) -> Result<LoadResult<()>, LoadError> {
        let Some(old) = old else {
            return Err(LoadError::new(LoadErrorKind::NotCached, "no cached response to renew"));
        };
        let policy = self.inner.server.policy(&self.inner.read, &self.inner.identity);
        let (value, tags) = (old.value().clone(), old.tags().to_vec());
        Ok(LoadResult::Store(LoadedValue { tags, policy: Some(policy), ..LoadedValue::new(value) }))
    }
}

/// Whether the client's copy, which the server just called unchanged, is the cached one.
fn is_known_to_client(old: &Entry, request_headers: &HeaderMap) -> bool {
    let (status, cached_headers) = response::parse_head(old.meta());
    let etag = cached_headers.get(ETAG);
    status == StatusCode::OK
        && etag.is_some()
        && request_headers.get_all(IF_NONE_MATCH).iter().any(|tag| Some(tag) == etag)
}

fn with_request_hash(mut loaded_value: LoadedValue, request_hash: u64) -> LoadedValue {
    let mut meta = loaded_value.value.meta.to_vec();
    meta.extend_from_slice(format!("\n{REQUEST_HASH_HEADER}: {request_hash}").as_bytes());
    loaded_value.value.meta = meta.into();
    loaded_value
}

/// Hash of a request: everything sent to the server that may change its response.
fn request_hash(target: &str, headers: &HeaderMap) -> u64 {
    let mut lines: Vec<String> = headers
        .iter()
        .filter(|(name, _)| !IGNORED_HEADERS.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    lines.sort_unstable();
    lines.push(greenroom_dialect::redact::target(target));
    xxhash_rust::xxh3::xxh3_64(lines.join("\n").as_bytes())
}
