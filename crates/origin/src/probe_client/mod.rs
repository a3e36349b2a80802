//! One request to one address, for a person at the command line: the complete response, or the exact reason why there
//! is none.
//!
//! The pooled client of the gateway tells little about a failure; here every request has a connection of its own, and
//! each step reports its error: name, route, TLS, response. No redirects, no retries; time and size are limited.
//!
//! Modules: `identify` (which server it is), [`trust`] (accepted certificates), [`error`](mod@error) (why there is no
//! response).

pub mod error;
mod identify;
pub mod trust;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::Clock;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::{Request, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use greenroom_config::Endpoint;

pub use error::{ProbeError, ProbeStage};
pub use trust::ProbeTrust;

/// Max addresses tried per name.
const MAX_ADDRESSES: usize = 4;
/// Timeout of connecting.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// Our user agent.
const AGENT: &str = concat!("Greenroom/", env!("CARGO_PKG_VERSION"));

/// Client for single requests.
#[derive(Debug, Clone)]
pub struct ProbeClient {
    trust: ProbeTrust,
    clock: Clock,
    patience: Duration,
    max_bytes: usize,
}

/// A complete response.
#[derive(Debug, Clone)]
pub struct ProbeResponse {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for T {}

impl ProbeClient {
    /// A client with this timeout for a complete response, and this size limit.
    pub fn new(trust: ProbeTrust, clock: Clock, patience: Duration, max_bytes: usize) -> Self {
        Self { trust, clock, patience, max_bytes }
    }

    /// The same client with other trust.
    #[must_use]
    pub fn with_trust(&self, trust: ProbeTrust) -> Self {
        Self { trust, ..self.clone() }
    }

    /// Sends a request; its target is a path below the endpoint's base path.
    ///
    /// # Errors
    /// There is no response.
    pub async fn send(&self, place: &Endpoint, request: Request<Bytes>) -> Result<ProbeResponse, ProbeError> {
        let mut wire = self.connect(place).await?;
        if place.is_encrypted() {
            wire = self.encrypt(place, wire).await?;
        }
        self.send_on(place, wire, request).await
    }

    /// Sends a request without TLS, whatever the endpoint's scheme: some servers answer that they require TLS.
    ///
    /// # Errors
    /// There is no response.
    pub async fn send_unencrypted(
        &self,
        place: &Endpoint,
        request: Request<Bytes>,
    ) -> Result<ProbeResponse, ProbeError> {
        let wire = self.connect(place).await?;
        self.send_on(place, wire, request).await
    }

    /// Only checks the certificate; sends no request.
    ///
    /// # Errors
    /// The certificate is rejected, or was not presented.
    pub async fn check_certificate(&self, place: &Endpoint) -> Result<(), ProbeError> {
        let wire = self.connect(place).await?;
        self.encrypt(place, wire).await.map(drop)
    }

    /// Addresses of the endpoint's name.
    ///
    /// # Errors
    /// The name does not resolve.
    pub async fn resolve(&self, place: &Endpoint) -> Result<Vec<SocketAddr>, ProbeError> {
        let looked_up = tokio::net::lookup_host((place.host(), place.port()));
        let unknown = || ProbeError::NoSuchName(place.host().to_owned());
        match self.clock.timeout(CONNECT_PATIENCE, looked_up).await {
            Ok(Ok(addresses)) => {
                let addresses: Vec<SocketAddr> = addresses.take(MAX_ADDRESSES).collect();
                if addresses.is_empty() { Err(unknown()) } else { Ok(addresses) }
            }
            Ok(Err(_)) => Err(unknown()),
            Err(_) => Err(ProbeError::TimedOut(ProbeStage::Resolving)),
        }
    }

    async fn connect(&self, place: &Endpoint) -> Result<Box<dyn ByteStream>, ProbeError> {
        let mut last = None;
        for address in self.resolve(place).await? {
            match self.clock.timeout(CONNECT_PATIENCE, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Without this, a small request waits for an acknowledgement; a failure only makes it slower.
                    drop(stream.set_nodelay(true));
                    return Ok(Box::new(stream));
                }
                Ok(Err(error)) => last = Some(ProbeError::from_connect_error(&error)),
                Err(_) => last = Some(ProbeError::TimedOut(ProbeStage::Connecting)),
            }
        }
        Err(last.unwrap_or(ProbeError::TimedOut(ProbeStage::Connecting)))
    }

    async fn encrypt(&self, place: &Endpoint, wire: Box<dyn ByteStream>) -> Result<Box<dyn ByteStream>, ProbeError> {
        let shaken = self.trust.shake_hands(place.host(), wire);
        match self.clock.timeout(self.patience, shaken).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(silence)) => Err(silence),
            Err(_) => Err(ProbeError::TimedOut(ProbeStage::Encrypting)),
        }
    }

    async fn send_on(
        &self,
        place: &Endpoint,
        wire: Box<dyn ByteStream>,
        request: Request<Bytes>,
    ) -> Result<ProbeResponse, ProbeError> {
        let request = prepared(place, request)?;
        match self.clock.timeout(self.patience, exchange(wire, request, self.max_bytes)).await {
            Ok(heard) => heard,
            Err(_) => Err(ProbeError::TimedOut(ProbeStage::Answering)),
        }
    }
}

/// The request as sent on a connection of its own.
fn prepared(place: &Endpoint, request: Request<Bytes>) -> Result<Request<Full<Bytes>>, ProbeError> {
    let (mut parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let whole = format!("{}{target}", place.base_path());
    parts.uri = whole.parse::<Uri>().map_err(|error| ProbeError::Other(error.to_string()))?;
    let host = HeaderValue::from_str(place.authority()).map_err(|error| ProbeError::Other(error.to_string()))?;
    parts.headers.insert(HOST, host);
    parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    parts.headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    Ok(Request::from_parts(parts, Full::new(body)))
}

async fn exchange(
    wire: Box<dyn ByteStream>,
    request: Request<Full<Bytes>>,
    max_bytes: usize,
) -> Result<ProbeResponse, ProbeError> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(wire))
        .await
        .map_err(|error| ProbeError::from_hyper(&error))?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(|error| ProbeError::from_hyper(&error))?;
        let (parts, body) = response.into_parts();
        let collected = Limited::new(body, max_bytes)
            .collect()
            .await
            .map_err(|error| if error.is::<LengthLimitError>() { ProbeError::TooLong } else { ProbeError::BrokeOff })?;
        Ok(ProbeResponse { status: parts.status.as_u16(), headers: parts.headers, body: collected.to_bytes() })
    };
    // This task drives the connection; when it ends, a response may still be waiting.
    let worked = async {
        drop(connection.await);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        heard = talk => heard,
        () = worked => Err(ProbeError::BrokeOff),
    }
}
