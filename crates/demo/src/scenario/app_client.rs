//! HTTP client of an app: its own connections, its token and name on every request. Every response is read whole and
//! recorded.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use greenroom_dialect::credential::Secret;
use http::header::{AGE, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::apps::DemoApp;
use super::clock::DemoClock;
use super::comparison::PlaylistResult;
use super::connection_pool::ConnectionPool;
use super::live_stats::AppRequestOutcome;
use super::measure::ScaledStopwatch;
use super::recorder::{AppRequestRecorder, RecordId};

/// The header in which a cache says how it answered.
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// Timeout in real time; it only guards against a demo that never ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pause before an app repeats a request that was not answered, and max attempts.
const TRY_AGAIN: Duration = Duration::from_secs(2);
const MAX_ATTEMPTS: u32 = 60;

/// HTTP client of one app.
#[derive(Debug, Clone)]
pub(super) struct AppClient {
    pool: Arc<ConnectionPool>,
    address: SocketAddr,
    headers: HeaderMap,
    token: String,
    app: DemoApp,
    recorder: Arc<AppRequestRecorder>,
    record: RecordId,
    /// Clock of the evening.
    pub(super) clock: DemoClock,
    /// Playlist API to use instead of the server, if any.
    pub(super) playlist_endpoint: Option<PlaylistEndpoint>,
}

/// Address and token of Greenroom's playlist API.
#[derive(Debug, Clone)]
pub(super) struct PlaylistEndpoint {
    pub(super) address: SocketAddr,
    pub(super) token: Secret,
}

/// A notification socket.
pub(super) type AppSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A response, read whole.
#[derive(Debug, Clone)]
pub(super) struct AppResponse {
    status: Option<StatusCode>,
    age_s: Option<u64>,
    is_hit: bool,
    body: Bytes,
}

impl AppClient {
    /// An app with its usual headers, pointed at `address`.
    pub(super) fn new(
        app: DemoApp,
        door: SocketAddr,
        token: &str,
        book: Arc<AppRequestRecorder>,
        pace: DemoClock,
    ) -> Self {
        let headers = app.headers(token);
        Self {
            pool: Arc::new(ConnectionPool::new(door)),
            address: door,
            headers,
            token: token.to_owned(),
            app,
            record: book.start_record(app, app.name()),
            recorder: book,
            clock: pace,
            playlist_endpoint: None,
        }
    }

    /// The app's token; valid only at its simulated server.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Starts a new record for the app's further requests.
    pub(super) fn start_record(&mut self, name: &'static str) {
        self.record = self.recorder.start_record(self.app, name);
    }

    /// Sends a GET request.
    pub(super) async fn get(&self, target: &str) -> AppResponse {
        self.send(Method::GET, target, &[], Bytes::new()).await
    }

    /// Sends a GET request with additional headers.
    pub(super) async fn get_with(&self, target: &str, headers: &[(&'static str, String)]) -> AppResponse {
        self.send(Method::GET, target, headers, Bytes::new()).await
    }

    /// Sends a PUT request without a body.
    pub(super) async fn put(&self, target: &str) -> AppResponse {
        self.send(Method::PUT, target, &[], Bytes::new()).await
    }

    /// Sends JSON.
    pub(super) async fn post(&self, target: &str, body: &Value) -> AppResponse {
        let headers = [("content-type", "application/json".to_owned())];
        self.send(Method::POST, target, &headers, Bytes::from(body.to_string())).await
    }

    /// Sends one request and waits for the whole response; some apps repeat it while the server does not answer.
    pub(super) async fn send(
        &self,
        method: Method,
        target: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> AppResponse {
        if self.app.tries_again() {
            for _ in 1..MAX_ATTEMPTS {
                let reply = self.attempt(method.clone(), target, headers, body.clone()).await;
                if !reply.is_unavailable() {
                    return reply;
                }
                self.clock.sleep(TRY_AGAIN).await;
            }
        }
        self.attempt(method, target, headers, body).await
    }

    async fn attempt(
        &self,
        method: Method,
        target: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> AppResponse {
        let watch = ScaledStopwatch::start(self.clock.factor());
        let read = (method == Method::GET).then_some(target);
        let reply = match self.request(method, target, headers, body) {
            Ok(request) => match tokio::time::timeout(PATIENCE, exchange(&self.pool, request)).await {
                Ok(Some(reply)) => reply,
                Ok(None) | Err(_) => AppResponse::none(),
            },
            Err(_) => AppResponse::none(),
        };
        self.recorder.record(self.record, read, reply.outcome(watch));
        reply
    }

    /// Calls the playlist API. The request is recorded like any other of the app.
    pub(super) async fn call_playlist_api(
        &self,
        keeper: &PlaylistEndpoint,
        method: Method,
        path: &str,
        body: &Value,
    ) -> AppResponse {
        let watch = ScaledStopwatch::start(self.clock.factor());
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, keeper.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", keeper.token.expose()))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(text)));
        let reply = match request {
            Ok(request) => {
                let lines = ConnectionPool::new(keeper.address);
                tokio::time::timeout(PATIENCE, exchange(&lines, request)).await.ok().flatten()
            }
            Err(_) => None,
        };
        let reply = reply.unwrap_or_else(AppResponse::none);
        self.recorder.record(self.record, None, reply.outcome(watch));
        reply
    }

    /// Records the result of a playlist sync.
    pub(super) fn record_playlist(&self, kept: PlaylistResult) {
        self.recorder.record_playlist(kept);
    }

    /// Opens a notification socket.
    pub(super) async fn socket(&self, target: &str) -> Option<AppSocket> {
        let watch = ScaledStopwatch::start(self.clock.factor());
        let opened = tokio_tungstenite::connect_async(format!("ws://{}{target}", self.address)).await;
        let outcome = AppRequestOutcome { took_ms: watch.ms(), failed: opened.is_err(), age_s: None, is_hit: false };
        self.recorder.record(self.record, None, outcome);
        opened.ok().map(|(socket, _)| socket)
    }

    fn request(
        &self,
        method: Method,
        target: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::builder().method(method).uri(target).body(Full::new(body))?;
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(HOST, HeaderValue::from_str(&self.address.to_string())?);
        for (name, value) in headers {
            request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_str(value)?);
        }
        Ok(request)
    }
}

impl AppResponse {
    fn none() -> Self {
        Self { status: None, age_s: None, is_hit: false, body: Bytes::new() }
    }

    /// Whether the status is a success.
    pub(super) fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.is_success())
    }

    /// Whether no response came, or only one that says that the server is down.
    fn is_unavailable(&self) -> bool {
        self.status.is_none_or(|status| status.is_server_error())
    }

    fn outcome(&self, watch: ScaledStopwatch) -> AppRequestOutcome {
        AppRequestOutcome { took_ms: watch.ms(), failed: !self.is_success(), age_s: self.age_s, is_hit: self.is_hit }
    }

    /// The body as JSON; null if it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

async fn exchange(lines: &ConnectionPool, request: Request<Full<Bytes>>) -> Option<AppResponse> {
    let answer = lines.send(request).await?;
    let age = answer.headers.get(AGE).and_then(|age| age.to_str().ok());
    let age_s = age.and_then(|age| age.parse().ok());
    let is_hit = answer.headers.get(CACHE_STATUS).is_some_and(is_cache_hit);
    Some(AppResponse { status: Some(answer.status), age_s, is_hit, body: answer.body })
}

/// Whether a `Cache-Status` (RFC 9211) says that the response came from the cache.
fn is_cache_hit(status: &HeaderValue) -> bool {
    status.to_str().is_ok_and(|text| text.split(';').skip(1).any(|parameter| parameter.trim() == "hit"))
}
