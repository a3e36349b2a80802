//! Internal reads: dashboards' reads of a server with the configured token, through the same function and engine as
//! apps' reads. So they share key and partition with the owner's apps, join their loads, and are answered from the
//! cache during an outage.
//!
//! A read that a dashboard causes counts as its request, not as an own request. Keys that dashboards read lately
//! ([`recent`]) are kept warm; those loads are own requests and count for no app.
//!
//! Modules: [`recent`] (keys expected again), [`fetch`] (own requests past the cache).

pub mod fetch;
mod recent;

use greenroom_cache::Timestamp;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::{CacheResponse, CacheStatus, CacheStatusReason, Entry, LoadErrorKind, Value};
use greenroom_dialect::classification::{Classification, Read, SharingScope};
use greenroom_dialect::request::RequestView;
use greenroom_origin::body::Body;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use tokio_util::sync::CancellationToken;

use crate::proxy_request::{ProxyRequest, classify};
use crate::read::internal;
use crate::request::classified_request::ClassifiedRequest;
use crate::server::Server;
use crate::{read, response};
use greenroom_config::CacheMode;
use recent::RecentRequests;

/// Interval of the check for due keys: short enough that an entry with a TTL of five seconds is refreshed before it
/// ends.
const TICK: Duration = Duration::from_millis(250);

/// Entry point for dashboards.
#[derive(Debug, Default)]
pub struct InternalClient {
    servers: Vec<Arc<Server>>,
    recent: RecentRequests,
}

/// The caller of an internal read. Cache directives of pages are ignored: many send `no-cache` with every poll.
#[derive(Debug, Clone, Copy)]
pub struct InternalCaller<'a> {
    /// Headers that name the app.
    headers: &'a HeaderMap,
    /// Whether a cached response is not acceptable.
    requires_fresh: bool,
}

impl<'a> InternalCaller<'a> {
    /// A caller that accepts cached responses.
    pub fn new(app_headers: &'a HeaderMap) -> Self {
        Self { headers: app_headers, requires_fresh: false }
    }

    /// A caller that wants the server to be asked.
    pub fn requiring_fresh(app_headers: &'a HeaderMap) -> Self {
        Self { headers: app_headers, requires_fresh: true }
    }
}

/// Response to an internal read.
#[derive(Debug, Clone)]
pub struct InternalResponse {
    /// Body.
    pub body: Bytes,
    /// Content type.
    pub content_type: Option<HeaderValue>,
    /// Upper bound of its age.
    pub age: Duration,
    /// When it was loaded, in milliseconds since 1970.
    pub at_ms: Timestamp,
    /// Whether it came from the cache, not from a load of this read.
    pub is_cached: bool,
    /// Whether it is older than its fresh time.
    pub is_stale: bool,
    /// Reason of the result.
    pub reason: Option<&'static str>,
}

/// Reason why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InternalReadError {
    /// No token is configured for the server.
    NoToken,
    /// The target is no cacheable read.
    NotARead,
    /// The load failed, and nothing usable is cached.
    Failed(LoadErrorKind),
}

impl InternalReadError {
    /// Name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoToken => "no-token",
            Self::NotARead => "not-cacheable",
            Self::Failed(kind) => kind.name(),
        }
    }

    /// Message for a person.
    pub fn message(self) -> &'static str {
        match self {
            Self::NoToken => "no token is configured for this server",
            Self::NotARead => "this response is not cacheable",
            Self::Failed(LoadErrorKind::Denied) => "the server rejects the configured token",
            Self::Failed(LoadErrorKind::Offline | LoadErrorKind::Unreachable) => {
                "the server cannot be reached, and nothing is cached"
            }
            Self::Failed(_) => "the server sent no usable response, and nothing is cached",
        }
    }
}

impl InternalClient {
    /// A client for these servers.
    pub fn new(servers: Vec<Arc<Server>>) -> Self {
        Self { servers, recent: RecentRequests::default() }
    }

    /// All servers.
    pub fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// The server with this name.
    pub fn server(&self, name: &str) -> Option<&Arc<Server>> {
        self.servers.iter().find(|server| server.name() == name)
    }

    /// Reads as an app would, with the configured token, on behalf of the caller.
    ///
    /// # Errors
    /// If the load fails and nothing usable is cached.
    pub async fn ask(
        &self,
        server: &Arc<Server>,
        target: &str,
        caller: InternalCaller<'_>,
    ) -> Result<InternalResponse, InternalReadError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let (request, read) = proxy_request(server, target, &headers, Some(caller.headers))?;
        let uses_cache = server.read_mode(read.class, &request.classified.app) == CacheMode::Cache;
        // Bypassed and observed reads skip the cache, for dashboards too.
        if caller.requires_fresh || !uses_cache {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        let now_ms = server.origin.clock.now();
        let outcome = internal::answer(&request, &read, &headers).await;
        if uses_cache && read.sharing == SharingScope::Identity {
            self.recent.record(server, read::key(&request, &read), now_ms);
        }
        match outcome {
            Ok(response) => InternalResponse::from_cache_response(server, response).await,
            Err(error) => {
                if !error.kind.allows_stale() {
                    self.recent.forget(&read::key(&request, &read));
                }
                Err(InternalReadError::Failed(error.kind))
            }
        }
    }

    /// Reads on Greenroom's own behalf: cached and joined like an app's read, but counted for no app. Its loads are own
    /// requests. Bypassed and observed servers are not asked.
    ///
    /// # Errors
    /// If the load fails and nothing usable is cached.
    pub async fn ask_as_self(&self, server: &Arc<Server>, target: &str) -> Result<InternalResponse, InternalReadError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let (request, read) = proxy_request(server, target, &headers, None)?;
        if server.read_mode(read.class, &request.classified.app) != CacheMode::Cache {
            return Err(InternalReadError::NotARead);
        }
        match internal::answer_as_self(&request, &read, &headers).await {
            Ok(response) => InternalResponse::from_cache_response(server, response).await,
            Err(error) => Err(InternalReadError::Failed(error.kind)),
        }
    }

    /// The cached response to a read, of any age. Changes nothing and never asks the server.
    pub fn peek(&self, server: &Arc<Server>, target: &str) -> Option<InternalResponse> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let credential = server.origin.own_credential()?;
        let identity = server.identities.lookup(&credential)?;
        let view = RequestView { method: &Method::GET, target, headers: &headers, body: &[] };
        let account = identity.account();
        let Classification::Read(read) = server.origin.settings.kind.classify(&view, account.as_deref()) else {
            return None;
        };
        let entry = server.cache.peek(&server.key_of(&identity, &read))?;
        let now_ms = server.origin.clock.now();
        let age = now_ms.duration_since(entry.created_ms());
        let is_fresh = now_ms < entry.deadlines().fresh_until_ms;
        Some(InternalResponse::from_entry(
            &entry,
            age,
            if is_fresh { CacheStatus::Hit } else { CacheStatus::Stale },
            None,
        ))
    }

    /// Refreshes lately read keys until the process stops. Sleeps while there are none.
    pub async fn keep_warm(self: Arc<Self>, stop: CancellationToken) {
        let Some(clock) = self.servers.first().map(|server| server.origin.clock.clone()) else { return };
        loop {
            let expected = self.recent.expected(clock.now());
            let wait = async {
                if expected.is_empty() {
                    self.recent.wait_for_request().await;
                } else {
                    clock.sleep(TICK).await;
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = wait => {}
            }
            for (server, key) in expected {
                if server.mode() == CacheMode::Cache && server.origin.breaker.allows_requests() {
                    server.cache.refresh_due(&key);
                }
            }
        }
    }
}

/// A request as if by an app with the configured token. `app_headers` name the app; without them it is Greenroom itself.
fn proxy_request(
    server: &Arc<Server>,
    target: &str,
    headers: &HeaderMap,
    app_headers: Option<&HeaderMap>,
) -> Result<(ProxyRequest, Arc<Read>), InternalReadError> {
    let credential = server.origin.own_credential().ok_or(InternalReadError::NoToken)?;
    if server.origin.is_emby() {
        return Err(InternalReadError::NotARead);
    }
    let view = RequestView { method: &Method::GET, target, headers, body: &[] };
    let classified: ClassifiedRequest = classify::classify_internal(server, &view, credential, app_headers);
    let Classification::Read(read) = &classified.classification else { return Err(InternalReadError::NotARead) };
    let read = Arc::clone(read);
    let request = ProxyRequest {
        server: Arc::clone(server),
        classified: Arc::new(classified),
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        is_encrypted: false,
        origin: None,
    };
    Ok((request, read))
}

impl InternalResponse {
    async fn from_cache_response(
        server: &Server,
        response: CacheResponse<Response<Body>>,
    ) -> Result<Self, InternalReadError> {
        let now_ms = server.origin.clock.now();
        match response {
            CacheResponse::Cached { entry, served, age, reason, delivery_guard: leaving, .. } => {
                // The response is on its way, so loaded values may be written to disk.
                drop(leaving);
                Ok(Self::from_entry(&entry, age, served, reason))
            }
            CacheResponse::Shared { value, .. } => Ok(Self::from_value(&value, now_ms)),
            CacheResponse::Passed(response) => Self::from_uncached(server, response, now_ms).await,
        }
    }

    /// A response that is not cached: the server forbids it, or it is not the requested page.
    async fn from_uncached(
        server: &Server,
        response: Response<Body>,
        now_ms: Timestamp,
    ) -> Result<Self, InternalReadError> {
        if response.status() != StatusCode::OK {
            return Err(InternalReadError::NotARead);
        }
        let (parts, body) = response.into_parts();
        let max_bytes = usize::try_from(server.origin.settings.max_body_bytes).unwrap_or(usize::MAX);
        let collecting = Limited::new(body, max_bytes).collect();
        let Ok(Ok(body)) = server.origin.clock.timeout(server.origin.settings.load_timeout, collecting).await else {
            return Err(InternalReadError::Failed(LoadErrorKind::TimedOut));
        };
        Ok(Self::new_uncached(body.to_bytes(), parts.headers.get(CONTENT_TYPE).cloned(), now_ms))
    }

    fn from_entry(entry: &Entry, age: Duration, served: CacheStatus, reason: Option<CacheStatusReason>) -> Self {
        let (_, headers) = response::parse_head(entry.meta());
        Self {
            body: entry.body().clone(),
            content_type: headers.get(CONTENT_TYPE).cloned(),
            age,
            at_ms: entry.created_ms(),
            is_cached: matches!(served, CacheStatus::Hit | CacheStatus::Stale | CacheStatus::StaleOnError),
            is_stale: matches!(served, CacheStatus::Stale | CacheStatus::StaleOnError),
            reason: reason.map(CacheStatusReason::name),
        }
    }

    fn from_value(value: &Value, now_ms: Timestamp) -> Self {
        let (_, headers) = response::parse_head(&value.meta);
        Self::new_uncached(value.body.clone(), headers.get(CONTENT_TYPE).cloned(), now_ms)
    }

    fn new_uncached(body: Bytes, content_type: Option<HeaderValue>, now_ms: Timestamp) -> Self {
        Self { body, content_type, age: Duration::ZERO, at_ms: now_ms, is_cached: false, is_stale: false, reason: None }
    }
}
