//! The harness: a running server, and a client that speaks as one of its users.

use greenroom_simulator::catalogue::{CatalogueSize, ItemId, Kind, SortKey};
use greenroom_simulator::jellyfin::{Jellyfin, Options, Switches, item_id, item_of};
use greenroom_simulator::running::Running;
use greenroom_simulator::state::State;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

/// A running server. Ends with [`Server::leave`], which fails if something was left behind.
pub(crate) struct Server {
    running: Option<Running>,
    tracker: TaskTracker,
}

/// A request in the making.
pub(crate) struct Asking<'a> {
    server: &'a Server,
    method: Method,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Server {
    /// A small one, as it is.
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// A small one with some switches set.
    pub(crate) async fn with(set: impl FnOnce(&mut Switches)) -> Self {
        Self::made(|options| set(&mut options.switches)).await
    }

    /// One of this size.
    pub(crate) async fn sized(size: CatalogueSize) -> Self {
        Self::made(|options| options.size = size).await
    }

    async fn made(set: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::quick();
        options.switches.library_changed_delay = std::time::Duration::ZERO;
        set(&mut options);
        let tracker = TaskTracker::new();
        let address = "127.0.0.1:0".parse().expect("an address");
        let running = Jellyfin::new(options).start(address, &tracker).await.expect("a free port");
        Self { running: Some(running), tracker }
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().expect("a server that runs")
    }

    pub(crate) fn state(&self) -> &State {
        self.running().state()
    }

    pub(crate) fn token(&self, label: &str) -> String {
        self.running().tokens().secret(label).to_owned()
    }

    /// The first items of a kind, in order of title.
    pub(crate) fn items(&self, kind: Kind) -> Vec<ItemId> {
        self.state().view().list(kind, SortKey::Title).to_vec()
    }

    /// The id on the wire of the first item of a kind.
    pub(crate) fn first(&self, kind: Kind) -> String {
        item_id(self.items(kind)[0])
    }

    pub(crate) fn get(&self, target: &str) -> Asking<'_> {
        self.ask(Method::GET, target)
    }

    pub(crate) fn post(&self, target: &str) -> Asking<'_> {
        self.ask(Method::POST, target)
    }

    pub(crate) fn delete(&self, target: &str) -> Asking<'_> {
        self.ask(Method::DELETE, target)
    }

    pub(crate) fn ask(&self, method: Method, target: &str) -> Asking<'_> {
        Asking { server: self, method, target: target.to_owned(), headers: Vec::new(), body: Vec::new() }
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

impl Drop for Server {
    fn drop(&mut self) {
        assert!(self.running.is_none() || std::thread::panicking(), "a test must end with leave()");
    }
}

impl Asking<'_> {
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
    pub(crate) async fn try_send(self) -> Result<Got, String> {
        let address = self.server.running().address();
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let mut request =
            Request::builder().method(self.method).uri(&self.target).header("host", address.to_string());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(self.body))).expect("a sound request");
        let exchange = async {
            let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok(Got { status: parts.status, headers: parts.headers, body })
        };
        tokio::select! {
            got = exchange => got,
            broken = connection => Err(format!("the connection ended: {broken:?}")),
        }
    }

    pub(crate) async fn send(self) -> Got {
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
    pub(crate) async fn expect(self, status: u16) -> Got {
        let target = self.target.clone();
        let got = self.send().await;
        assert_eq!(got.status.as_u16(), status, "{target}: {}", String::from_utf8_lossy(&got.body));
        got
    }
}

impl Got {
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
pub(crate) fn kinds(server: &Server, list: &Value) -> Vec<Option<Kind>> {
    ids(list).iter().map(|id| item_of(id).and_then(|item| server.state().view().kind(item))).collect()
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
