//! HTTP client of a media server: its address and connections.

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
use crate::certificate_error::CertificateRejection;
use crate::certificate_verifier::{client_config, no_trust};
use crate::response_framing;

/// Timeout of connecting. Not scaled with the demo's time, because it is about the real network.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle timeout of pooled connections; media servers close theirs after about a minute.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// HTTP client of one media server.
#[derive(Debug)]
pub struct OriginClient {
    reader: legacy::Client<HttpsConnector<HttpConnector>, Body>,
    /// Never uses a pooled connection: one may be dying, and a write is not repeated.
    unpooled: legacy::Client<HttpsConnector<HttpConnector>, Body>,
    scheme: Scheme,
    authority: Authority,
    base_path: String,
    requests: AtomicU64,
    in_flight: Arc<()>,
}

/// Kind of a request's exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamRequestKind {
    /// A read or a stream: uses pooled connections.
    Read,
    /// A write, or a read that must not meet a dying connection: uses a new one.
    Write,
}

/// Stage of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamErrorStage {
    /// Connecting, or the connection ended before the response head.
    Connection,
    /// Sending the request: its sender broke off.
    Request,
    /// The response: it arrived but cannot be used.
    Response,
}

/// Reason why there is no response.
#[derive(Debug)]
pub struct UpstreamError {
    /// Stage of the failure.
    pub stage: UpstreamErrorStage,
    /// Whether the request certainly never reached the server.
    pub never_sent: bool,
    /// Description without any part of the request.
    pub message: String,
    /// Whether the server's certificate was rejected.
    pub is_certificate_rejected: bool,
}

impl OriginClient {
    /// A client of `server`.
    ///
    /// # Errors
    /// Its certificate settings trust no authority, or the address is invalid.
    pub fn new(server: &greenroom_config::ServerSettings) -> Result<Self, String> {
        let parts = server.origin.clone().into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(format!("the url of server \"{}\" has no address", server.name));
        };
        let trust = if scheme == Scheme::HTTPS { client_config(&server.tls.trust) } else { no_trust() };
        let trust = trust.map_err(|reason| format!("server \"{}\": {reason}", server.name))?;
        let name = server.tls.server_name.as_ref();
        Ok(Self {
            reader: client(trust.clone(), name, 16),
            unpooled: client(trust, name, 0),
            scheme,
            authority,
            base_path: server.base_path.clone(),
            requests: AtomicU64::new(0),
            in_flight: Arc::new(()),
        })
    }

    /// The server's URI for a path and query in the dialect's form.
    ///
    /// # Errors
    /// The target is not a valid path and query.
    pub fn uri(&self, target: &str) -> Result<Uri, http::Error> {
        let target_with_base = format!("{}{target}", self.base_path);
        let path_and_query: PathAndQuery = target_with_base.parse()?;
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

    /// Sends one request and waits for the response head. The server receives it at most once: a request is repeated only
    /// if a pooled connection closed before it was written.
    ///
    /// # Errors
    /// There is no response; the error tells whether the request may have reached the server.
    pub async fn send(
        &self,
        request: Request<Body>,
        kind: UpstreamRequestKind,
    ) -> Result<Response<Incoming>, UpstreamError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let _in_flight = Arc::clone(&self.in_flight);
        let client = match kind {
            UpstreamRequestKind::Read => &self.reader,
            UpstreamRequestKind::Write => &self.unpooled,
        };
        let is_upgrade = request.headers().contains_key(UPGRADE);
        let response = client.request(request).await.map_err(|error| UpstreamError::from_client_error(&error))?;
        match response_framing::framing_error(response.status(), response.headers(), is_upgrade) {
            Some(framing_error) => Err(UpstreamError::from_reason(&framing_error)),
            None => Ok(response),
        }
    }

    /// Requests sent to the server since start.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests that wait for their response head now.
    pub fn in_flight(&self) -> usize {
        Arc::strong_count(&self.in_flight) - 1
    }
}

impl UpstreamError {
    /// An unusable response, for a reason other than the connection.
    pub fn from_reason(reason: &impl ToString) -> Self {
        Self {
            stage: UpstreamErrorStage::Response,
            never_sent: false,
            message: reason.to_string(),
            is_certificate_rejected: false,
        }
    }

    fn from_client_error(error: &legacy::Error) -> Self {
        let rejection = CertificateRejection::find_in(error);
        Self {
            stage: if is_of_the_request(error) { UpstreamErrorStage::Request } else { UpstreamErrorStage::Connection },
            never_sent: error.is_connect(),
            message: rejection.map_or_else(|| innermost(error), ToString::to_string),
            is_certificate_rejected: rejection.is_some(),
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
        // Only what never left on a reused connection: the server closed it in the same moment.
        .retry_canceled_requests(idle_connections > 0)
        .build(https.enable_http1().wrap_connector(http))
}

/// Whether the request's body broke off, not the connection to the server.
fn is_of_the_request(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut chain = std::iter::successors(Some(error), |error| error.source());
    chain.any(|error| error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_user))
}

/// The innermost cause: the outer ones repeat it.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
