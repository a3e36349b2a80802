//! The harness: a running server, and a client that speaks as one of its users.

use std::panic::Location;
use std::time::Duration;

use greenroom_simulator::catalogue::{CatalogueSize, ItemId, MediaKind, SortKey};
use greenroom_simulator::jellyfin::{Jellyfin, JellyfinOptions, JellyfinSwitches, item_id, parse_item_id};
use greenroom_simulator::simulated_server::SimulatedServer;
use greenroom_simulator::state::SimulatedState;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

/// Nothing here takes as long, also not on a busy machine: this ends what hangs.
const PATIENCE: Duration = Duration::from_mins(2);

/// Waits for what comes in the end; fails with `what`, and the line that waits, if it does not.
#[track_caller]
pub(crate) fn patiently<F: Future>(what: &str, awaited: F) -> impl Future<Output = F::Output> {
    let line = Location::caller();
    async move {
        let Ok(output) = tokio::time::timeout(PATIENCE, awaited).await else {
            panic!("after {PATIENCE:?} still not there: {what} ({line})");
        };
        output
    }
}

/// A running server. Ends with [`JellyfinFixture::leave`], which fails if something was left behind.
pub(crate) struct JellyfinFixture {
    running: Option<SimulatedServer>,
    tracker: TaskTracker,
}

/// A request in the making.
pub(crate) struct JellyfinRequestBuilder<'a> {
    server: &'a JellyfinFixture,
    method: Method,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A response.
pub(crate) struct JellyfinTestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl JellyfinFixture {
    /// A small one, as it is.
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// A small one with some switches set.
    pub(crate) async fn with(set: impl FnOnce(&mut JellyfinSwitches)) -> Self {
        Self::with_options(|options| set(&mut options.switches)).await
    }

    /// One of this size.
    pub(crate) async fn sized(size: CatalogueSize) -> Self {
        Self::with_options(|options| options.size = size).await
    }

    pub(crate) async fn with_options(set: impl FnOnce(&mut JellyfinOptions)) -> Self {
        let mut options = JellyfinOptions::quick();
        options.switches.library_changed_delay = Duration::ZERO;
        set(&mut options);
        let tracker = TaskTracker::new();
        let address = "127.0.0.1:0".parse().expect("an address");
        let running = Jellyfin::new(options).start(address, &tracker).await.expect("a free port");
        Self { running: Some(running), tracker }
    }

    pub(crate) fn running(&self) -> &SimulatedServer {
        self.running.as_ref().expect("a server that runs")
    }

    pub(crate) fn state(&self) -> &SimulatedState {
        self.running().state()
    }

    pub(crate) fn token(&self, label: &str) -> String {
        self.running().tokens().secret(label).to_owned()
    }

    /// The first items of a kind, in order of title.
    pub(crate) fn items(&self, kind: MediaKind) -> Vec<ItemId> {
        self.state().view().list(kind, SortKey::Title).to_vec()
    }

    /// The id on the wire of the first item of a kind.
    pub(crate) fn first(&self, kind: MediaKind) -> String {
        item_id(self.items(kind)[0])
    }

    pub(crate) fn get(&self, target: &str) -> JellyfinRequestBuilder<'_> {
        self.ask(Method::GET, target)
    }

    pub(crate) fn post(&self, target: &str) -> JellyfinRequestBuilder<'_> {
        self.ask(Method::POST, target)
    }

    pub(crate) fn delete(&self, target: &str) -> JellyfinRequestBuilder<'_> {
        self.ask(Method::DELETE, target)
    }

    pub(crate) fn ask(&self, method: Method, target: &str) -> JellyfinRequestBuilder<'_> {
        JellyfinRequestBuilder {
            server: self,
            method,
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Stops the server and checks that none of its tasks goes on.
    pub(crate) async fn leave(mut self) {
        let running = self.running.take().expect("a server that runs");
        let address = running.address();
        running.stop().await;
        assert!(self.tracker.is_empty(), "{} tasks go on", self.tracker.len());
        assert!(TcpStream::connect(address).await.is_err(), "the port is still open");
    }
}

impl Drop for JellyfinFixture {
    fn drop(&mut self) {
        assert!(self.running.is_none() || std::thread::panicking(), "a test must end with leave()");
    }
}

impl JellyfinRequestBuilder<'_> {
    /// With the token of `label`, in the header of today.
    pub(crate) fn by(self, label: &str) -> Self {
        let line = format!("MediaBrowser Token=\"{}\"", self.server.token(label));
        self.header("authorization", &line)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("content-type", "application/json")
    }

    pub(crate) fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// Sends it; `Err` if the connection broke before the whole answer was there.
    pub(crate) async fn try_send(self) -> Result<JellyfinTestResponse, String> {
        let address = self.server.running().address();
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let mut request = Request::builder().method(self.method).uri(&self.target).header("host", address.to_string());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(self.body))).expect("a sound request");
        let exchange = async {
            let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok(JellyfinTestResponse { status: parts.status, headers: parts.headers, body })
        };
        tokio::select! {
            got = exchange => got,
            broken = connection => Err(format!("the connection ended: {broken:?}")),
        }
    }

    pub(crate) async fn send(self) -> JellyfinTestResponse {
        self.try_send().await.expect("an answer")
    }

    /// Sends it and reads the JSON of a 200.
    pub(crate) async fn value(self) -> Value {
        let target = self.target.clone();
        let got = self.send().await;
        assert_eq!(got.status, StatusCode::OK, "{target}: {}", String::from_utf8_lossy(&got.body));
        got.value()
    }

    /// Sends it and expects this status.
    pub(crate) async fn expect(self, status: u16) -> JellyfinTestResponse {
        let target = self.target.clone();
        let got = self.send().await;
        assert_eq!(got.status.as_u16(), status, "{target}: {}", String::from_utf8_lossy(&got.body));
        got
    }
}

impl JellyfinTestResponse {
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("text")).unwrap_or_default()
    }
}

/// The ids of a list, in order.
pub(crate) fn ids(list: &Value) -> Vec<String> {
    let rows = list.as_array().or(list["Items"].as_array()).expect("a list");
    rows.iter().map(|row| row["Id"].as_str().expect("an id").to_owned()).collect()
}

/// The kinds of the items of a list.
pub(crate) fn kinds(server: &JellyfinFixture, list: &Value) -> Vec<Option<MediaKind>> {
    ids(list).iter().map(|id| parse_item_id(id).and_then(|item| server.state().view().kind(item))).collect()
}

/// The answer without what differs from one moment to the next.
pub(crate) fn plain(mut value: Value) -> Value {
    strip(&mut value);
    value
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !name.starts_with("Greenroom") && name != "LastActivityDate");
            fields.values_mut().for_each(strip);
        }
        Value::Array(rows) => rows.iter_mut().for_each(strip),
        _ => {}
    }
}
