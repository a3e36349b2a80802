//! One question to one address, asked for a person at the command line: the answer whole, or exactly why there is
//! none.
//!
//! What stands in front of a media server keeps connections and says little when one fails; here every question has
//! a connection of its own, and each step of it can say what went wrong: the name, the way, the encryption, the
//! answer. Nothing is followed, nothing is repeated, everything is bounded in time and size.
//!
//! Rooms: `identify` (which server it is), [`trust`] (whose certificate is believed), [`error`](mod@error) (why there is no answer).

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

use greenroom_config::Place;

pub use error::{Silence, Stage};
pub use trust::Trust;

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;
/// How long a connection may take to come up.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// How we name ourselves.
const AGENT: &str = concat!("Greenroom/", env!("CARGO_PKG_VERSION"));

/// Asks questions.
#[derive(Debug, Clone)]
pub struct Enquirer {
    trust: Trust,
    clock: Clock,
    patience: Duration,
    max_bytes: usize,
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

impl Enquirer {
    /// Waits so long for a whole answer, and takes so many bytes.
    pub fn new(trust: Trust, clock: Clock, patience: Duration, max_bytes: usize) -> Self {
        Self { trust, clock, patience, max_bytes }
    }

    /// The same, with somebody else to believe.
    #[must_use]
    pub fn trusting(&self, trust: Trust) -> Self {
        Self { trust, ..self.clone() }
    }

    /// Asks; the target of `request` is a path below the place's own.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask(&self, place: &Place, request: Request<Bytes>) -> Result<Heard, Silence> {
        let mut wire = self.connect(place).await?;
        if place.is_encrypted() {
            wire = self.encrypt(place, wire).await?;
        }
        self.converse(place, wire, request).await
    }

    /// Asks without encryption whatever the place says: some servers answer that they want it.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask_plainly(&self, place: &Place, request: Request<Bytes>) -> Result<Heard, Silence> {
        let wire = self.connect(place).await?;
        self.converse(place, wire, request).await
    }

    /// Only lets the other side show its certificate. Nothing is sent.
    ///
    /// # Errors
    /// What is wrong with it, or why it was not shown.
    pub async fn inspect(&self, place: &Place) -> Result<(), Silence> {
        let wire = self.connect(place).await?;
        self.encrypt(place, wire).await.map(drop)
    }

    /// The addresses behind the place's name.
    ///
    /// # Errors
    /// If the name is not known.
    pub async fn resolve(&self, place: &Place) -> Result<Vec<SocketAddr>, Silence> {
        let looked_up = tokio::net::lookup_host((place.host(), place.port()));
        let unknown = || Silence::NoSuchName(place.host().to_owned());
        match self.clock.timeout(CONNECT_PATIENCE, looked_up).await {
            Ok(Ok(addresses)) => {
                let addresses: Vec<SocketAddr> = addresses.take(MAX_ADDRESSES).collect();
                if addresses.is_empty() { Err(unknown()) } else { Ok(addresses) }
            }
            Ok(Err(_)) => Err(unknown()),
            Err(_) => Err(Silence::TimedOut(Stage::Resolving)),
        }
    }

    async fn connect(&self, place: &Place) -> Result<Box<dyn Wire>, Silence> {
        let mut last = None;
        for address in self.resolve(place).await? {
            match self.clock.timeout(CONNECT_PATIENCE, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Without this a small question waits for an acknowledgement; if it cannot be set it is only slower.
                    drop(stream.set_nodelay(true));
                    return Ok(Box::new(stream));
                }
                Ok(Err(error)) => last = Some(Silence::of_connecting(&error)),
                Err(_) => last = Some(Silence::TimedOut(Stage::Connecting)),
            }
        }
        Err(last.unwrap_or(Silence::TimedOut(Stage::Connecting)))
    }

    async fn encrypt(&self, place: &Place, wire: Box<dyn Wire>) -> Result<Box<dyn Wire>, Silence> {
        let shaken = self.trust.shake_hands(place.host(), wire);
        match self.clock.timeout(self.patience, shaken).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(silence)) => Err(silence),
            Err(_) => Err(Silence::TimedOut(Stage::Encrypting)),
        }
    }

    async fn converse(
        &self,
        place: &Place,
        wire: Box<dyn Wire>,
        request: Request<Bytes>,
    ) -> Result<Heard, Silence> {
        let request = prepared(place, request)?;
        match self.clock.timeout(self.patience, exchange(wire, request, self.max_bytes)).await {
            Ok(heard) => heard,
            Err(_) => Err(Silence::TimedOut(Stage::Answering)),
        }
    }
}

/// The request as it is sent on a connection of its own.
fn prepared(place: &Place, request: Request<Bytes>) -> Result<Request<Full<Bytes>>, Silence> {
    let (mut parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let whole = format!("{}{target}", place.base_path());
    parts.uri = whole.parse::<Uri>().map_err(|error| Silence::Other(error.to_string()))?;
    let host = HeaderValue::from_str(place.authority()).map_err(|error| Silence::Other(error.to_string()))?;
    parts.headers.insert(HOST, host);
    parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    parts.headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    Ok(Request::from_parts(parts, Full::new(body)))
}

async fn exchange(
    wire: Box<dyn Wire>,
    request: Request<Full<Bytes>>,
    max_bytes: usize,
) -> Result<Heard, Silence> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(wire))
        .await
        .map_err(|error| Silence::of_http(&error))?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(|error| Silence::of_http(&error))?;
        let (parts, body) = response.into_parts();
        let collected = Limited::new(body, max_bytes).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { Silence::TooLong } else { Silence::BrokeOff }
        })?;
        Ok(Heard { status: parts.status.as_u16(), headers: parts.headers, body: collected.to_bytes() })
    };
    // The connection is worked by this very task; when it ends, what it brought is still to be taken.
    let worked = async {
        drop(connection.await);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        heard = talk => heard,
        () = worked => Err(Silence::BrokeOff),
    }
}
