//! Asking the media server: its address, and the connections to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header::UPGRADE;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::body::Body;
use crate::certificate_error::Distrust;
use crate::certificate_verifier::{client_config, no_trust};
use crate::response_framing;

/// How long a connection may take to come up. Not scaled with the demo's time: it is about the real network.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept; media servers close theirs after about a minute.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// The way to one media server.
#[derive(Debug)]
pub struct Client {
    reader: legacy::Client<HttpsConnector<HttpConnector>, Body>,
    /// Writes never travel on a connection that was used before: it may be dying, and a write is not repeated.
    writer: legacy::Client<HttpsConnector<HttpConnector>, Body>,
    scheme: Scheme,
    authority: Authority,
    base_path: String,
    requests: AtomicU64,
    in_flight: Arc<()>,
}

/// What kind of exchange a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A read or a stream: any connection will do.
    Read,
    /// A write: a connection of its own.
    Write,
}

/// Where it went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// There was no connection, or it ended before the head of a response.
    Connection,
    /// The request itself broke off: its sender's affair.
    Request,
    /// The server answered, but not in a way that can be used.
    Answer,
}

/// Why there is no response.
#[derive(Debug)]
pub struct NoResponse {
    /// Where it went wrong.
    pub cause: Cause,
    /// The request certainly never reached the server.
    pub never_sent: bool,
    /// What happened, without any part of the request.
    pub message: String,
    /// The server is there, but its certificate is not believed.
    pub is_distrusted: bool,
}

impl Client {
    /// The way to `server`.
    ///
    /// # Errors
    /// If there is nobody to vouch for its certificate, or the address is no address.
    pub fn new(server: &greenroom_config::Server) -> Result<Self, String> {
        let parts = server.origin.clone().into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(format!("the url of server \"{}\" has no address", server.name));
        };
        let trust = if scheme == Scheme::HTTPS { client_config(&server.tls.trust) } else { no_trust() };
        let trust = trust.map_err(|reason| format!("server \"{}\": {reason}", server.name))?;
        let name = server.tls.server_name.as_ref();
        Ok(Self {
            reader: client(trust.clone(), name, 16),
            writer: client(trust, name, 0),
            scheme,
            authority,
            base_path: server.base_path.clone(),
            requests: AtomicU64::new(0),
            in_flight: Arc::new(()),
        })
    }

    /// The server's address for a path and query as the dialects write them.
    ///
    /// # Errors
    /// If the target is not a valid path and query.
    pub fn uri(&self, target: &str) -> Result<Uri, http::Error> {
        let whole = format!("{}{target}", self.base_path);
        let path_and_query: PathAndQuery = whole.parse()?;
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path_and_query)
            .build()
    }

    /// Host and port of the server.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Sends one request, once, and waits for the head of the response.
    ///
    /// # Errors
    /// If there is no response; whether the request may have reached the server is told.
    pub async fn send(&self, request: Request<Body>, lane: Lane) -> Result<Response<Incoming>, NoResponse> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let _in_flight = Arc::clone(&self.in_flight);
        let client = match lane {
            Lane::Read => &self.reader,
            Lane::Write => &self.writer,
        };
        let asks_to_switch = request.headers().contains_key(UPGRADE);
        let response = client.request(request).await.map_err(|error| NoResponse::of(&error))?;
        match response_framing::objection(response.status(), response.headers(), asks_to_switch) {
            Some(objection) => Err(NoResponse::because(&objection)),
            None => Ok(response),
        }
    }

    /// How many requests were sent to the server since start.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How many requests wait for the head of their response now.
    pub fn in_flight(&self) -> usize {
        Arc::strong_count(&self.in_flight) - 1
    }
}

impl NoResponse {
    /// There is none that can be used, for a reason that has nothing to do with the connection.
    pub fn because(reason: &impl ToString) -> Self {
        Self { cause: Cause::Answer, never_sent: false, message: reason.to_string(), is_distrusted: false }
    }

    fn of(error: &legacy::Error) -> Self {
        let distrust = Distrust::within(error);
        Self {
            cause: if is_of_the_request(error) { Cause::Request } else { Cause::Connection },
            never_sent: error.is_connect(),
            message: distrust.map_or_else(|| innermost(error), ToString::to_string),
            is_distrusted: distrust.is_some(),
        }
    }
}

fn client(
    trust: ClientConfig,
    server_name: Option<&ServerName<'static>>,
    idle_connections: usize,
) -> legacy::Client<HttpsConnector<HttpConnector>, Body> {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let https = HttpsConnectorBuilder::new().with_tls_config(trust).https_or_http();
    let https = match server_name {
        Some(name) => https.with_server_name_resolver(FixedServerNameResolver::new(name.clone())),
        None => https,
    };
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(idle_connections)
        .retry_canceled_requests(false)
        .build(https.enable_http1().wrap_connector(http))
}

/// Whether what was to be sent broke off, not the way to the server.
fn is_of_the_request(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut chain = std::iter::successors(Some(error), |error| error.source());
    chain.any(|error| error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_user))
}

/// The innermost cause: the outer ones repeat each other.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
