//! An app's way to its server: connections of its own, its own token and name on every request, and every answer
//! read whole and written down.

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

use super::apps::App;
use super::book::{Book, PageNumber};
use super::column::Outcome;
use super::figures::Kept;
use super::lines::Lines;
use super::measure::Stopwatch;
use super::pace::Pace;

/// After so long, on the wall, an answer is given up: it only guards against a demo that never ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// An app on its way.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    lines: Arc<Lines>,
    door: SocketAddr,
    headers: HeaderMap,
    token: String,
    app: App,
    book: Arc<Book>,
    page: PageNumber,
    /// The time the evening runs by.
    pub(super) pace: Pace,
    /// Who keeps playlists for it, if somebody does.
    pub(super) list_keeper: Option<ListKeeper>,
}

/// Where playlists are handed over to be kept, and what lets in there.
#[derive(Debug, Clone)]
pub(super) struct ListKeeper {
    pub(super) address: SocketAddr,
    pub(super) token: Secret,
}

/// A notification socket.
pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What came back.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    status: Option<StatusCode>,
    age_s: Option<u64>,
    body: Bytes,
}

impl Visitor {
    /// An app with its usual headers, pointed at `door`.
    pub(super) fn new(app: App, door: SocketAddr, token: &str, book: Arc<Book>, pace: Pace) -> Self {
        let headers = app.headers(token);
        Self {
            lines: Arc::new(Lines::to(door)),
            door,
            headers,
            token: token.to_owned(),
            app,
            page: book.open(app, app.name()),
            book,
            pace,
            list_keeper: None,
        }
    }

    /// What it shows its server; worth nothing anywhere else.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// From here on the same app's requests are written down under another name.
    pub(super) fn turn_the_page(&mut self, name: &'static str) {
        self.page = self.book.open(self.app, name);
    }

    /// Asks for a path.
    pub(super) async fn get(&self, target: &str) -> Reply {
        self.send(Method::GET, target, &[], Bytes::new()).await
    }

    /// Asks for a path with more headers than the usual ones.
    pub(super) async fn get_with(&self, target: &str, headers: &[(&'static str, String)]) -> Reply {
        self.send(Method::GET, target, headers, Bytes::new()).await
    }

    /// Sends a request without a body.
    pub(super) async fn put(&self, target: &str) -> Reply {
        self.send(Method::PUT, target, &[], Bytes::new()).await
    }

    /// Sends JSON.
    pub(super) async fn post(&self, target: &str, body: &Value) -> Reply {
        let headers = [("content-type", "application/json".to_owned())];
        self.send(Method::POST, target, &headers, Bytes::from(body.to_string())).await
    }

    /// Sends one request and waits for the whole answer.
    pub(super) async fn send(
        &self,
        method: Method,
        target: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Reply {
        let watch = Stopwatch::start(self.pace.factor());
        let read = (method == Method::GET).then_some(target);
        let reply = match self.request(method, target, headers, body) {
            Ok(request) => match tokio::time::timeout(PATIENCE, exchange(&self.lines, request)).await {
                Ok(Some(reply)) => reply,
                Ok(None) | Err(_) => Reply::none(),
            },
            Err(_) => Reply::none(),
        };
        self.book.note(self.page, read, reply.outcome(watch));
        reply
    }

    /// Asks who keeps playlists. It is written down as any request of the app.
    pub(super) async fn ask(&self, keeper: &ListKeeper, method: Method, path: &str, body: &Value) -> Reply {
        let watch = Stopwatch::start(self.pace.factor());
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
                let lines = Lines::to(keeper.address);
                tokio::time::timeout(PATIENCE, exchange(&lines, request)).await.ok().flatten()
            }
            Err(_) => None,
        };
        let reply = reply.unwrap_or_else(Reply::none);
        self.book.note(self.page, None, reply.outcome(watch));
        reply
    }

    /// Writes down how a playlist was kept.
    pub(super) fn note_kept(&self, kept: Kept) {
        self.book.note_kept(kept);
    }

    /// Opens a notification socket.
    pub(super) async fn socket(&self, target: &str) -> Option<Socket> {
        let watch = Stopwatch::start(self.pace.factor());
        let opened = tokio_tungstenite::connect_async(format!("ws://{}{target}", self.door)).await;
        let outcome = Outcome { took_ms: watch.ms(), failed: opened.is_err(), age_s: None };
        self.book.note(self.page, None, outcome);
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
        request.headers_mut().insert(HOST, HeaderValue::from_str(&self.door.to_string())?);
        for (name, value) in headers {
            request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_str(value)?);
        }
        Ok(request)
    }
}

impl Reply {
    fn none() -> Self {
        Self { status: None, age_s: None, body: Bytes::new() }
    }

    /// Whether the server did what it was asked.
    pub(super) fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.is_success())
    }

    fn outcome(&self, watch: Stopwatch) -> Outcome {
        Outcome { took_ms: watch.ms(), failed: !self.is_success(), age_s: self.age_s }
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

async fn exchange(lines: &Lines, request: Request<Full<Bytes>>) -> Option<Reply> {
    let answer = lines.ask(request).await?;
    let age = answer.headers.get(AGE).and_then(|age| age.to_str().ok());
    let age_s = age.and_then(|age| age.parse().ok());
    Some(Reply { status: Some(answer.status), age_s, body: answer.body })
}
