//! A simulated Plex and a plain client for it. A test ends with [`PlexFixture::done`], which fails it if the server leaves
//! a request unanswered or a task behind.

#![allow(dead_code, reason = "each test binary uses its own part of the harness")]

use std::panic::Location;
use std::time::Duration;

use bytes::Bytes;
use greenroom_simulator::plex::{Plex, PlexOptions};
use greenroom_simulator::simulated_server::SimulatedServer;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
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

pub(crate) struct PlexFixture {
    pub(crate) running: SimulatedServer,
    tracker: TaskTracker,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl PlexFixture {
    /// A tiny library without latency.
    pub(crate) async fn quick() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, set up otherwise.
    pub(crate) async fn with(change: impl FnOnce(&mut PlexOptions)) -> Self {
        let mut options = PlexOptions::quick();
        change(&mut options);
        let tracker = TaskTracker::new();
        let running = Plex::new(options).start("127.0.0.1:0".parse().unwrap(), &tracker).await.unwrap();
        Self { running, tracker, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// A request as the owner.
    pub(crate) fn get(&self, target: &str) -> PlexRequestBuilder<'_> {
        self.ask(Method::GET, target)
    }

    pub(crate) fn put(&self, target: &str) -> PlexRequestBuilder<'_> {
        self.ask(Method::PUT, target)
    }

    pub(crate) fn post(&self, target: &str) -> PlexRequestBuilder<'_> {
        self.ask(Method::POST, target)
    }

    pub(crate) fn delete(&self, target: &str) -> PlexRequestBuilder<'_> {
        self.ask(Method::DELETE, target)
    }

    pub(crate) fn ask(&self, method: Method, target: &str) -> PlexRequestBuilder<'_> {
        let token = Some(self.running.tokens().owner_a().to_owned());
        PlexRequestBuilder {
            server: self,
            method,
            // Clients write these two in this way: an address must not hold them as they are.
            target: target.replace('<', "%3C").replace('>', "%3E"),
            headers: HeaderMap::new(),
            token,
            body: Bytes::new(),
        }
    }

    /// The JSON answer to a GET of the owner.
    pub(crate) async fn json(&self, target: &str) -> Value {
        self.get(target).json().await
    }

    /// Stops the server and looks whether it left anything behind.
    pub(crate) async fn done(self) {
        assert_eq!(self.running.request_log().in_flight(), 0, "a request was left unanswered");
        self.running.stop().await;
        self.tracker.close();
        assert!(self.tracker.is_empty(), "a task outlived the server");
    }
}

pub(crate) struct PlexRequestBuilder<'a> {
    server: &'a PlexFixture,
    method: Method,
    target: String,
    headers: HeaderMap,
    token: Option<String>,
    body: Bytes,
}

pub(crate) struct PlexTestResponse {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl PlexRequestBuilder<'_> {
    /// With the token of this label.
    pub(crate) fn by(mut self, label: &str) -> Self {
        self.token = Some(self.server.running.tokens().secret(label).to_owned());
        self
    }

    /// With this token, whatever it is.
    pub(crate) fn token(mut self, token: Option<&str>) -> Self {
        self.token = token.map(str::to_owned);
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    pub(crate) fn body(mut self, body: &'static str) -> Self {
        self.body = Bytes::from_static(body.as_bytes());
        self
    }

    pub(crate) async fn try_send(self) -> Result<PlexTestResponse, String> {
        let mut request = Request::builder()
            .method(self.method)
            .uri(format!("{}{}", self.server.running.url(), self.target))
            .body(Full::new(self.body))
            .unwrap();
        *request.headers_mut() = self.headers;
        if let Some(token) = self.token {
            request.headers_mut().insert("x-plex-token", token.parse().unwrap());
        }
        let response = self.server.client.request(request).await.map_err(|error| error.to_string())?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok(PlexTestResponse { status, headers, body })
    }

    pub(crate) async fn send(self) -> PlexTestResponse {
        self.try_send().await.unwrap()
    }

    /// The status alone.
    pub(crate) async fn status(self) -> u16 {
        self.send().await.status
    }

    /// The body as JSON, `MediaContainer` taken off if there is one.
    pub(crate) async fn json(self) -> Value {
        let told = self.header("accept", "application/json").send().await;
        assert_eq!(told.status, 200, "{}", String::from_utf8_lossy(&told.body));
        told.json()
    }

    /// The body as XML.
    pub(crate) async fn xml(self) -> XmlElement {
        let told = self.send().await;
        assert_eq!(told.status, 200);
        assert_eq!(told.header("content-type"), "text/xml;charset=utf-8");
        XmlElement::parse(&told.body)
    }
}

impl PlexTestResponse {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        let mut value: Value = serde_json::from_slice(&self.body).unwrap();
        match value.get_mut("MediaContainer") {
            Some(container) => container.take(),
            None => value,
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }
}

/// An XML element.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct XmlElement {
    pub(crate) name: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) children: Vec<XmlElement>,
}

impl XmlElement {
    pub(crate) fn parse(body: &[u8]) -> Self {
        use quick_xml::events::Event;
        let mut reader = quick_xml::Reader::from_reader(body);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => open.push(Self::from_start(&start)),
                Event::Empty(start) => open.last_mut().unwrap().children.push(Self::from_start(&start)),
                Event::End(_) => {
                    let closed = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(closed);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(open.len(), 1, "an element was left open");
        open.pop().unwrap().children.pop().expect("a root")
    }

    fn from_start(start: &quick_xml::events::BytesStart<'_>) -> Self {
        let name = start.name().as_ref().to_owned();
        let fields = start.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            let name = attribute.key.as_ref().to_owned();
            let raw = attribute.value.into_owned();
            (name, quick_xml::escape::unescape(&raw).unwrap().into_owned())
        });
        Self { name, fields: fields.collect(), children: Vec::new() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The children that are items, of whatever kind.
    pub(crate) fn items(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(|child| child.get("ratingKey").is_some())
    }
}

/// The rating keys of the rows of a container, in order.
pub(crate) fn keys(container: &Value) -> Vec<String> {
    rows(container).iter().map(|row| row["ratingKey"].as_str().unwrap().to_owned()).collect()
}

/// The rows of a container.
pub(crate) fn rows(container: &Value) -> &[Value] {
    container["Metadata"].as_array().map_or(&[], Vec::as_slice)
}
