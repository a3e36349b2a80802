//! The server itself: connections, faults, latency and the request log, around a dialect.

mod duplicate_length;
mod own_pages;
mod request;
mod response;
pub mod socket;

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::Request;
use http::header::{DATE, LOCATION};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use request::{SimulatedRequest, decoded};
pub use response::{ResponseBody, SimulatedResponse};

use duplicate_length::DuplicateLengthStream;

use crate::class::RequestClass;
use crate::clock::SimulatedClock;
use crate::faults::{Fault, FaultInjector};
use crate::latency::LatencyProfile;
use crate::request_log::{LoggedRequest, RequestLog};
use crate::state::SimulatedState;
use crate::users::UserToken;

/// Larger request bodies are rejected with 413.
const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;
/// Pause of the accept loop after an error.
const REST_AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(50);

/// API of a kind of media server.
pub trait Dialect: Send + Sync + 'static {
    /// Class of a request.
    fn class(&self, asked: &SimulatedRequest) -> RequestClass;

    /// The token of a request, from all places the dialect knows.
    fn secret(&self, asked: &SimulatedRequest) -> Option<String>;

    /// Names of the operations in the body of a request, for the log; `None` if its path says what it asks.
    fn operation(&self, _asked: &SimulatedRequest) -> Option<String> {
        None
    }

    /// The response. Must not wait; longer work is a task on `ground` or a streamed body.
    fn answer(&self, asked: SimulatedRequest, ground: &Arc<SimulatorContext>) -> SimulatedResponse;

    /// The response to a page of the simulator's own that only this dialect has: logging in.
    fn own_page(
        &self,
        _asked: &SimulatedRequest,
        _page: &str,
        _ground: &SimulatorContext,
    ) -> Option<SimulatedResponse> {
        None
    }

    /// The response of a starting server.
    fn start_page(&self) -> SimulatedResponse;

    /// Whether a request is answered even then.
    fn answers_while_starting(&self, _asked: &SimulatedRequest) -> bool {
        false
    }

    /// Label of a token that was issued while the server ran.
    fn label(&self, _secret: &str) -> Option<String> {
        None
    }

    /// Whether every `Content-Length` is sent twice, as some servers do.
    fn doubles_content_length(&self) -> bool {
        false
    }
}

/// Shared context of all requests of a server.
#[derive(Debug)]
pub struct SimulatorContext {
    /// The state.
    pub state: SimulatedState,
    /// Request log.
    pub request_log: RequestLog,
    /// Fault injection.
    pub faults: FaultInjector,
    /// Response latency.
    pub latency: Mutex<LatencyProfile>,
    pub(crate) revoked: Mutex<HashSet<String>>,
    pub(crate) cancel: CancellationToken,
    pub(crate) own: TaskTracker,
    pub(crate) lent: TaskTracker,
    pub(crate) address: SocketAddr,
}

impl SimulatorContext {
    /// Runs a task until the server stops.
    pub fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let cancel = self.cancel.clone();
        let task = self.own.track_future(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = task => {}
            }
        });
        self.lent.spawn(task);
    }

    /// The token with this secret, unless there is none or it was revoked.
    pub fn token(&self, secret: &str) -> Option<&UserToken> {
        let token = self.state.users().token(secret)?;
        (!self.is_revoked(&token.label)).then_some(token)
    }

    /// Whether the token with this label was revoked.
    pub fn is_revoked(&self, label: &str) -> bool {
        self.revoked.lock().contains(label)
    }

    /// The listening address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Accepts connections until the server stops.
pub(crate) async fn accept<D: Dialect>(mut listener: TcpListener, dialect: Arc<D>, ground: Arc<SimulatorContext>) {
    loop {
        let accepted = tokio::select! {
            () = ground.faults.wait_for_listening(false) => {
                drop(listener);
                ground.faults.wait_for_listening(true).await;
                listener = listen_again(ground.address).await;
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) if ground.faults.refuses_connections() => {
                refuse(stream, peer);
            }
            Ok((stream, peer)) => {
                ground.request_log.record_connection();
                let connection = converse(stream, peer, Arc::clone(&dialect), Arc::clone(&ground));
                ground.spawn(connection);
            }
            // Out of file descriptors, most likely: their holders need a moment.
            Err(_) => tokio::time::sleep(REST_AFTER_ACCEPT_ERROR).await,
        }
    }
}

/// Listens at the same address again, as soon as the system allows it.
async fn listen_again(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(REST_AFTER_ACCEPT_ERROR).await,
        }
    }
}

/// Resets a connection.
fn refuse(stream: TcpStream, _peer: SocketAddr) {
    // If the reset fails, an orderly close is good enough.
    let _ = stream.set_zero_linger();
    drop(stream);
}

async fn converse<D: Dialect>(stream: TcpStream, peer: SocketAddr, dialect: Arc<D>, ground: Arc<SimulatorContext>) {
    // Small responses must not wait for the client's acknowledgement; if the option fails they are only slower.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| respond(request, peer, &dialect, &ground));
    let stream = DuplicateLengthStream::new(stream, dialect.doubles_content_length());
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::select! {
        // The end of a connection is its client's business.
        _ = connection => {}
        () = ground.faults.wait_for_cut() => {}
    }
}

async fn respond<D: Dialect>(
    request: Request<Incoming>,
    peer: SocketAddr,
    dialect: &Arc<D>,
    ground: &Arc<SimulatorContext>,
) -> Result<http::Response<ResponseBody>, io::Error> {
    let asked = match taken(request, peer).await {
        Ok(asked) => asked,
        Err(BodyTooLarge) => {
            return Ok(SimulatedResponse::text(413, "text/plain", "too large").into_response());
        }
    };
    if own_pages::is_own_page(&asked) {
        return Ok(own_pages::answer(&asked, dialect.as_ref(), ground).into_response());
    }
    let class = dialect.class(&asked);
    let number = ground.request_log.total();
    let mut target = asked.target_without_tokens(ground.state.users());
    if let Some(operation) = dialect.operation(&asked) {
        target = format!("{target}#{operation}");
    }
    let in_flight = ground.request_log.record_request(LoggedRequest {
        method: asked.method.to_string(),
        target,
        token: label(dialect.as_ref(), &asked, ground),
        class,
    });
    let answer = answer(asked, class, number, dialect, ground).await;
    drop(in_flight);
    if let Ok(answer) = &answer {
        ground.request_log.record_status(answer.status().as_u16());
    }
    answer.map(SimulatedResponse::into_response)
}

async fn answer<D: Dialect>(
    mut asked: SimulatedRequest,
    class: RequestClass,
    number: u64,
    dialect: &Arc<D>,
    ground: &Arc<SimulatorContext>,
) -> Result<SimulatedResponse, io::Error> {
    let clock = ground.state.clock();
    let rows = asked.requested_rows();
    let latency = ground.latency.lock().for_request(class, rows, ground.state.catalogue().rng(), number);
    let struck = ground.faults.inject(&asked.path);
    let fault = struck.fault;
    match fault {
        Fault::Down | Fault::Gone => return Err(cut()),
        Fault::Hang => struck.wait_until_lifted().await,
        Fault::StartPage503 if dialect.answers_while_starting(&asked) => {}
        Fault::StartPage503 => return Ok(dialect.start_page()),
        Fault::HtmlInsteadOfJson => {
            return Ok(SimulatedResponse::text(200, "text/html; charset=utf-8", FOREIGN_PAGE));
        }
        Fault::Slow(by_ms) => clock.sleep(Duration::from_millis(by_ms)).await,
        Fault::EmptyWhileStarting => asked.starting = true,
        Fault::EncryptedOnly => {
            return Ok(SimulatedResponse::text(400, "text/plain; charset=utf-8", ENCRYPTED_ONLY));
        }
        Fault::Status(status) => return Ok(bare(status)),
        Fault::None | Fault::Truncated | Fault::Gzip | Fault::AnswerLost | Fault::WrongClock(_) => {}
    }
    let began = clock.instant();
    // The state is read half-way: a slow response misses writes of the second half.
    clock.wait(began, latency / 2).await;
    let answer = dialect.answer(asked, ground);
    clock.wait(began, latency).await;
    match fault {
        Fault::Truncated => Ok(answer.truncated()),
        Fault::Gzip => Ok(answer.compressed()),
        Fault::AnswerLost => Err(cut()),
        Fault::WrongClock(by_s) => Ok(answer.with_header(DATE, &date_off_by(by_s))),
        _ => Ok(answer),
    }
}

/// Page of a captive portal, in place of the response.
const FOREIGN_PAGE: &str =
    "<!DOCTYPE html><html><head><title>Welcome</title></head><body><form><input name=\"room\"></form></body></html>";

/// Response of TLS-only servers to an unencrypted request.
const ENCRYPTED_ONLY: &str = "Client sent an HTTP request to an HTTPS server.\n";

/// A response of this status alone.
fn bare(status: u16) -> SimulatedResponse {
    let answer = SimulatedResponse::empty(status);
    let is_redirect = answer.status().is_redirection() && status != 304;
    if is_redirect { answer.with_header(LOCATION, "/login") } else { answer }
}

fn date_off_by(seconds: i64) -> String {
    let now = UNIX_EPOCH + Duration::from_secs(SimulatedClock::system(1.0).now_s());
    let by = Duration::from_secs(seconds.unsigned_abs());
    httpdate::fmt_http_date(if seconds < 0 { now - by } else { now + by })
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "cut by a fault")
}

fn label<D: Dialect>(dialect: &D, asked: &SimulatedRequest, ground: &SimulatorContext) -> String {
    let Some(secret) = dialect.secret(asked) else { return "none".into() };
    let known = ground.state.users().token(&secret).map(|token| token.label.clone());
    known.or_else(|| dialect.label(&secret)).unwrap_or_else(|| "unknown".into())
}

struct BodyTooLarge;

async fn taken(mut request: Request<Incoming>, peer: SocketAddr) -> Result<SimulatedRequest, BodyTooLarge> {
    let upgrade = request.headers().contains_key(http::header::UPGRADE).then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MAX_REQUEST_BYTES).collect().await.map_err(|_| BodyTooLarge)?.to_bytes();
    Ok(SimulatedRequest::new(parts, body, upgrade, peer))
}
