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
use greenroom_response_comparison::ComparedResponse;
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
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Our user agent.
const USER_AGENT_VALUE: &str = concat!("Greenroom/", env!("CARGO_PKG_VERSION"));

/// Client for single requests.
#[derive(Debug, Clone)]
pub struct ProbeClient {
    trust: ProbeTrust,
    clock: Clock,
    timeout: Duration,
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

impl ProbeResponse {
    /// The response, to be compared.
    pub fn compared(&self) -> ComparedResponse<'_> {
        ComparedResponse { headers: Some(&self.headers), ..ComparedResponse::new(self.status, &self.body) }
    }
}

trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for T {}

impl ProbeClient {
    /// A client with this timeout for a complete response, and this size limit.
    pub fn new(trust: ProbeTrust, clock: Clock, timeout: Duration, max_bytes: usize) -> Self {
        Self { trust, clock, timeout, max_bytes }
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
    pub async fn send(&self, endpoint: &Endpoint, request: Request<Bytes>) -> Result<ProbeResponse, ProbeError> {
        let mut stream = self.connect(endpoint).await?;
        if endpoint.is_encrypted() {
            stream = self.encrypt(endpoint, stream).await?;
        }
        self.send_over(endpoint, stream, request).await
    }

    /// Only checks the certificate; sends no request.
    ///
    /// # Errors
    /// The certificate is rejected, or was not presented.
    pub async fn check_certificate(&self, endpoint: &Endpoint) -> Result<(), ProbeError> {
        let stream = self.connect(endpoint).await?;
        self.encrypt(endpoint, stream).await.map(drop)
    }

    /// Addresses of the endpoint's name.
    ///
    /// # Errors
    /// The name does not resolve.
    pub async fn resolve(&self, endpoint: &Endpoint) -> Result<Vec<SocketAddr>, ProbeError> {
        let lookup = tokio::net::lookup_host((endpoint.host(), endpoint.port()));
        let unknown_name = || ProbeError::NoSuchName(endpoint.host().to_owned());
        match self.clock.timeout(CONNECT_TIMEOUT, lookup).await {
            Ok(Ok(addresses)) => {
                let addresses: Vec<SocketAddr> = addresses.take(MAX_ADDRESSES).collect();
                if addresses.is_empty() { Err(unknown_name()) } else { Ok(addresses) }
            }
            Ok(Err(_)) => Err(unknown_name()),
            Err(_) => Err(ProbeError::TimedOut(ProbeStage::Resolving)),
        }
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<Box<dyn ByteStream>, ProbeError> {
        let mut last = None;
        for address in self.resolve(endpoint).await? {
            match self.clock.timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Without this, a small request waits for an acknowledgement; a failure only makes it slower.
                    let _ = stream.set_nodelay(true);
                    return Ok(Box::new(stream));
                }
                Ok(Err(error)) => last = Some(ProbeError::from_connect_error(&error)),
                Err(_) => last = Some(ProbeError::TimedOut(ProbeStage::Connecting)),
            }
        }
        Err(last.unwrap_or(ProbeError::TimedOut(ProbeStage::Connecting)))
    }

    async fn encrypt(
        &self,
        endpoint: &Endpoint,
        stream: Box<dyn ByteStream>,
    ) -> Result<Box<dyn ByteStream>, ProbeError> {
        let handshake = self.trust.handshake(endpoint.host(), stream);
        match self.clock.timeout(self.timeout, handshake).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ProbeError::TimedOut(ProbeStage::Encrypting)),
        }
    }

    async fn send_over(
        &self,
        endpoint: &Endpoint,
        stream: Box<dyn ByteStream>,
        request: Request<Bytes>,
    ) -> Result<ProbeResponse, ProbeError> {
        let request = prepare(endpoint, request)?;
        match self.clock.timeout(self.timeout, exchange(stream, request, self.max_bytes)).await {
            Ok(result) => result,
            Err(_) => Err(ProbeError::TimedOut(ProbeStage::Answering)),
        }
    }
}

/// The request as sent on a connection of its own.
fn prepare(endpoint: &Endpoint, request: Request<Bytes>) -> Result<Request<Full<Bytes>>, ProbeError> {
    let (mut parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let target_with_base = format!("{}{target}", endpoint.base_path());
    parts.uri = target_with_base.parse::<Uri>().map_err(|error| ProbeError::Other(error.to_string()))?;
    let host = HeaderValue::from_str(endpoint.authority()).map_err(|error| ProbeError::Other(error.to_string()))?;
    parts.headers.insert(HOST, host);
    parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    parts.headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT_VALUE));
    Ok(Request::from_parts(parts, Full::new(body)))
}

async fn exchange(
    stream: Box<dyn ByteStream>,
    request: Request<Full<Bytes>>,
    max_bytes: usize,
) -> Result<ProbeResponse, ProbeError> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| ProbeError::from_hyper(&error))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| ProbeError::from_hyper(&error))?;
        let (parts, body) = response.into_parts();
        let collected = Limited::new(body, max_bytes)
            .collect()
            .await
            .map_err(|error| if error.is::<LengthLimitError>() { ProbeError::TooLong } else { ProbeError::BrokeOff })?;
        Ok(ProbeResponse { status: parts.status.as_u16(), headers: parts.headers, body: collected.to_bytes() })
    };
    // This task drives the connection; when it ends, a response may still be waiting.
    let connection_task = async {
        let _ = connection.await; // The response carries the error, if there is one.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = exchange => result,
        () = connection_task => Err(ProbeError::BrokeOff),
    }
}
