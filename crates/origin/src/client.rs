//! HTTP client of one server: its address and connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use greenroom_config::tls::UpstreamTls;
use http::header::{HeaderName, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Request, Response, Uri};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use parking_lot::RwLock;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::body::Body;
use crate::certificate_error::CertificateRejection;
use crate::certificate_verifier::{client_config, no_trust};
use crate::response_framing;
use crate::reused_connection;
use crate::reused_connection::TrackedConnector;

/// Timeout of connecting. Not scaled with the demo's time, because it is about the real network.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle timeout of pooled connections, unless the server announces a shorter one; most servers close theirs after about
/// a minute.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Time by which an idle connection is given up earlier than the server does.
const IDLE_MARGIN: Duration = Duration::from_secs(1);
/// Shortest idle timeout, whatever the server announces.
const MIN_IDLE_TIMEOUT: Duration = Duration::from_millis(500);
/// Interval of pings on a connection of HTTP/2 with requests in progress, because many requests would wait for one dead
/// connection.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Timeout of the answer to a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Max idle connections to a server.
const MAX_IDLE_CONNECTIONS: usize = 16;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

type Connector = TrackedConnector<HttpsConnector<HttpConnector>>;
type HttpClient = legacy::Client<Connector, Body>;

/// HTTP client of one server.
#[derive(Debug)]
pub struct OriginClient {
    connector: Connector,
    pooled: RwLock<PooledClient>,
    /// Never uses a pooled connection: one may be dying, and a write is not repeated.
    unpooled: HttpClient,
    /// Speaks HTTP/1.1 where the others may speak HTTP/2, which has no upgrades.
    upgrading: Option<HttpClient>,
    scheme: Scheme,
    authority: Authority,
    base_path: String,
    unknown_codings: UnknownCodings,
    requests: AtomicU64,
    in_flight: Arc<()>,
}

/// Protocol with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginProtocol {
    /// Responses with a transfer coding that is not known.
    pub unknown_codings: UnknownCodings,
    /// Whether HTTP/2 is used if the server offers it in the TLS handshake.
    pub offers_http2: bool,
}

impl OriginProtocol {
    /// Media servers speak HTTP/1.1.
    pub const MEDIA_SERVER: Self = Self { unknown_codings: UnknownCodings::Rejected, offers_http2: false };
    /// Any server of HTTP.
    pub const HTTP_API: Self = Self { unknown_codings: UnknownCodings::EndWithConnection, offers_http2: true };
}

/// Responses with a transfer coding that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownCodings {
    /// They are rejected: no media server sends any.
    Rejected,
    /// Their body is what comes until the connection ends.
    EndWithConnection,
}

/// A client that keeps idle connections.
#[derive(Debug)]
struct PooledClient {
    client: HttpClient,
    idle_timeout: Duration,
}

/// Kind of a request's exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamRequestKind {
    /// A read: uses pooled connections, and is sent again if one was just closing.
    Read,
    /// A stream: uses pooled connections, and is never repeated, because an unknown GET may act.
    Stream,
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
        Self::open(&server.name, &server.origin, &server.base_path, (&server.tls, OriginProtocol::MEDIA_SERVER))
    }

    /// A client of the server of this name at this address.
    ///
    /// # Errors
    /// As with [`Self::new`].
    pub fn open(
        server: &str,
        origin: &Uri,
        base_path: &str,
        (tls, protocol): (&UpstreamTls, OriginProtocol),
    ) -> Result<Self, String> {
        let parts = origin.clone().into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(format!("the url of server \"{server}\" has no address"));
        };
        let trust = if scheme == Scheme::HTTPS { client_config(&tls.trust) } else { no_trust() };
        let trust = trust.map_err(|reason| format!("server \"{server}\": {reason}"))?;
        let name = tls.server_name.as_ref();
        let upgrading = protocol.offers_http2.then(|| connector(trust.clone(), name, false));
        let connector = connector(trust, name, protocol.offers_http2);
        Ok(Self {
            pooled: RwLock::new(PooledClient::new(&connector, IDLE_TIMEOUT)),
            unpooled: client(&connector, Duration::ZERO, 0),
            upgrading: upgrading.map(|connector| client(&connector, Duration::ZERO, 0)),
            connector,
            scheme,
            authority,
            base_path: base_path.to_owned(),
            unknown_codings: protocol.unknown_codings,
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

    /// Whether every connection speaks HTTP/1.1: another version is agreed on in the handshake of TLS only.
    pub fn is_http1_only(&self) -> bool {
        self.scheme == Scheme::HTTP
    }

    /// Host and port of the server.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Sends one request and waits for the response head. A read without a body is sent again on a new connection,
    /// once, if it met a pooled connection that the server was just closing (RFC 9112, section 9.3.1); nothing else is
    /// repeated.
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
        let is_upgrade = request.headers().contains_key(UPGRADE);
        let upgrading = self.upgrading.as_ref().filter(|_| is_upgrade);
        let response = match (upgrading, kind) {
            (Some(upgrading), _) => upgrading.request(request).await,
            (None, UpstreamRequestKind::Read) => self.send_pooled(request).await,
            (None, UpstreamRequestKind::Stream) => self.pooled_client().request(request).await,
            (None, UpstreamRequestKind::Write) => self.unpooled.request(request).await,
        };
        let mut response = response.map_err(|error| UpstreamError::from_client_error(&error))?;
        reused_connection::record_answer(response.extensions_mut());
        self.shorten_idle_timeout(response.headers());
        let check = match self.unknown_codings {
            UnknownCodings::Rejected => response_framing::framing_error,
            UnknownCodings::EndWithConnection => response_framing::framing_conflict,
        };
        match check(response.status(), response.headers(), is_upgrade) {
            Some(framing_error) => Err(UpstreamError::from_reason(&framing_error)),
            None => Ok(response),
        }
    }

    fn pooled_client(&self) -> HttpClient {
        self.pooled.read().client.clone()
    }

    async fn send_pooled(&self, request: Request<Body>) -> Result<Response<Incoming>, legacy::Error> {
        let (client, open_connections) = (self.pooled_client(), self.connector.open_connections());
        let Some(second) = bodyless_copy(&request) else { return client.request(request).await };
        match client.request(request).await {
            Err(error) if reused_connection::met_closing_connection(&error, open_connections) => {
                self.requests.fetch_add(1, Ordering::Relaxed);
                self.unpooled.request(second).await
            }
            result => result,
        }
    }

    /// Keeps idle connections for less time than the server says that it does.
    fn shorten_idle_timeout(&self, headers: &HeaderMap) {
        let Some(announced) = announced_idle_timeout(headers) else { return };
        let idle_timeout = announced.saturating_sub(IDLE_MARGIN).max(MIN_IDLE_TIMEOUT);
        if idle_timeout < self.pooled.read().idle_timeout {
            let mut pooled = self.pooled.write();
            if idle_timeout < pooled.idle_timeout {
                *pooled = PooledClient::new(&self.connector, idle_timeout);
            }
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

impl PooledClient {
    fn new(connector: &Connector, idle_timeout: Duration) -> Self {
        Self { client: client(connector, idle_timeout, MAX_IDLE_CONNECTIONS), idle_timeout }
    }
}

fn connector(trust: ClientConfig, server_name: Option<&ServerName<'static>>, offers_http2: bool) -> Connector {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let https = HttpsConnectorBuilder::new().with_tls_config(trust).https_or_http();
    let https = match server_name {
        Some(name) => https.with_server_name_resolver(FixedServerNameResolver::new(name.clone())),
        None => https,
    };
    let https = https.enable_http1();
    // The versions are offered in the handshake; without TLS it is HTTP/1.1.
    let https = if offers_http2 { https.enable_http2().wrap_connector(http) } else { https.wrap_connector(http) };
    TrackedConnector::new(https)
}

fn client(connector: &Connector, idle_timeout: Duration, idle_connections: usize) -> HttpClient {
    legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(idle_timeout)
        .pool_max_idle_per_host(idle_connections)
        .retry_canceled_requests(false)
        .build(connector.clone())
}

/// A copy of a request without a body.
fn bodyless_copy(request: &Request<Body>) -> Option<Request<Body>> {
    if !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(Body::empty());
    request.method().clone_into(copy.method_mut());
    request.uri().clone_into(copy.uri_mut());
    *copy.version_mut() = request.version();
    request.headers().clone_into(copy.headers_mut());
    Some(copy)
}

/// For how long the server keeps an idle connection: `Keep-Alive: timeout=5, max=100`.
fn announced_idle_timeout(headers: &HeaderMap) -> Option<Duration> {
    let parameters = headers.get(KEEP_ALIVE)?.to_str().ok()?.split(',');
    let seconds = parameters.filter_map(|parameter| parameter.split_once('=')).find_map(|(name, value)| {
        name.trim().eq_ignore_ascii_case("timeout").then(|| value.trim().parse().ok()).flatten()
    });
    seconds.map(Duration::from_secs)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_announced_idle_timeout_is_read_from_keep_alive() {
        for (value, seconds) in [
            ("timeout=5", Some(5)),
            ("timeout=5, max=100", Some(5)),
            ("max=100,Timeout = 20", Some(20)),
            ("timeout=0", Some(0)),
            ("max=100", None),
            ("timeout", None),
            ("timeout=-1", None),
            ("timeout=soon", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(KEEP_ALIVE, value.parse().expect("a header value"))]);
            assert_eq!(announced_idle_timeout(&headers), seconds.map(Duration::from_secs), "{value}");
        }
        assert_eq!(announced_idle_timeout(&HeaderMap::new()), None);
    }
}
