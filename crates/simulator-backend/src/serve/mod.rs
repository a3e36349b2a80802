//! The server itself: connections, faults, latency and the count, around whichever dialect answers.

mod answer;
mod asked;
mod doubling;
mod own_pages;
pub mod socket;

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::Request;
use http::header::DATE;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use answer::{Answer, Body};
pub use asked::{Asked, decoded};

use doubling::Doubling;

use crate::class::Class;
use crate::clock::Clock;
use crate::faults::{Fault, Faults};
use crate::latency::Latency;
use crate::ledger::{Ledger, Seen};
use crate::state::State;
use crate::users::Token;

/// Bodies of requests beyond this are refused with 413.
const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;
/// How long the accept loop rests after the system refused it a connection.
const REST_AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(50);

/// A language a server answers in.
pub trait Dialect: Send + Sync + 'static {
    /// Which class a request is of.
    fn class(&self, asked: &Asked) -> Class;

    /// The token a request carries, wherever the dialect looks for it.
    fn secret(&self, asked: &Asked) -> Option<String>;

    /// The answer. Must not wait; what goes on longer is a task on `ground` or a streamed body.
    fn answer(&self, asked: Asked, ground: &Arc<Ground>) -> Answer;

    /// The answer to a page of the simulator's own that only this dialect has: logging in.
    fn own_page(&self, _asked: &Asked, _page: &str, _ground: &Ground) -> Option<Answer> {
        None
    }

    /// What the server says while it starts.
    fn start_page(&self) -> Answer;

    /// Whether a request is answered even then.
    fn answers_while_starting(&self, _asked: &Asked) -> bool {
        false
    }

    /// What the ledger calls a token that was given out while the server ran.
    fn label(&self, _secret: &str) -> Option<String> {
        None
    }

    /// Whether every `Content-Length` is sent twice, as some servers do.
    fn doubles_content_length(&self) -> bool {
        false
    }
}

/// What all requests of a server stand on.
#[derive(Debug)]
pub struct Ground {
    /// The state.
    pub state: State,
    /// The count.
    pub ledger: Ledger,
    /// What is wrong.
    pub faults: Faults,
    /// How long answers take.
    pub latency: Mutex<Latency>,
    pub(crate) revoked: Mutex<HashSet<String>>,
    pub(crate) cancel: CancellationToken,
    pub(crate) own: TaskTracker,
    pub(crate) lent: TaskTracker,
    pub(crate) address: SocketAddr,
}

impl Ground {
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
    pub fn token(&self, secret: &str) -> Option<&Token> {
        let token = self.state.users().token(secret)?;
        (!self.is_revoked(&token.label)).then_some(token)
    }

    /// Whether the token with this label was revoked.
    pub fn is_revoked(&self, label: &str) -> bool {
        self.revoked.lock().contains(label)
    }

    /// The address the server listens at.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Accepts connections until the server stops.
pub(crate) async fn accept<D: Dialect>(mut listener: TcpListener, dialect: Arc<D>, ground: Arc<Ground>) {
    loop {
        let accepted = tokio::select! {
            () = ground.faults.listening(false) => {
                drop(listener);
                ground.faults.listening(true).await;
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
                ground.ledger.connected();
                let connection = converse(stream, peer, Arc::clone(&dialect), Arc::clone(&ground));
                ground.spawn(connection);
            }
            // Out of file descriptors, most likely: those who hold them need a moment.
            Err(_) => tokio::time::sleep(REST_AFTER_ACCEPT_ERROR).await,
        }
    }
}

/// Listens where the server listened before, as soon as the system lets it.
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
    // If the reset cannot be asked for, an orderly end says as much.
    let _ = stream.set_zero_linger();
    drop(stream);
}

async fn converse<D: Dialect>(stream: TcpStream, peer: SocketAddr, dialect: Arc<D>, ground: Arc<Ground>) {
    // Small answers must not wait for the client's acknowledgement; if it cannot be set they are only slower.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| respond(request, peer, &dialect, &ground));
    let stream = Doubling::new(stream, dialect.doubles_content_length());
    let connection = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        // How a connection ends is its client's business.
        _ = connection => {}
        () = ground.faults.cut() => {}
    }
}

async fn respond<D: Dialect>(
    request: Request<Incoming>,
    peer: SocketAddr,
    dialect: &Arc<D>,
    ground: &Arc<Ground>,
) -> Result<http::Response<Body>, io::Error> {
    let asked = match taken(request, peer).await {
        Ok(asked) => asked,
        Err(TooLarge) => return Ok(Answer::text(413, "text/plain", "too large").into_response()),
    };
    if own_pages::are_asked(&asked) {
        return Ok(own_pages::answer(&asked, dialect.as_ref(), ground).into_response());
    }
    let class = dialect.class(&asked);
    let number = ground.ledger.total();
    let in_flight = ground.ledger.arrived(Seen {
        method: asked.method.to_string(),
        target: asked.target_without_tokens(ground.state.users()),
        token: label(dialect.as_ref(), &asked, ground),
        class,
    });
    let answer = answer(asked, class, number, dialect, ground).await;
    drop(in_flight);
    if let Ok(answer) = &answer {
        ground.ledger.answered(answer.status().as_u16());
    }
    answer.map(Answer::into_response)
}

async fn answer<D: Dialect>(
    mut asked: Asked,
    class: Class,
    number: u64,
    dialect: &Arc<D>,
    ground: &Arc<Ground>,
) -> Result<Answer, io::Error> {
    let clock = ground.state.clock();
    let rows = asked.rows_wanted();
    let latency = ground.latency.lock().of(class, rows, ground.state.catalogue().chance(), number);
    let struck = ground.faults.strike(&asked.path);
    let fault = struck.fault;
    match fault {
        Fault::Down | Fault::Gone => return Err(cut()),
        Fault::Hang => struck.lifted().await,
        Fault::StartPage503 if dialect.answers_while_starting(&asked) => {}
        Fault::StartPage503 => return Ok(dialect.start_page()),
        Fault::HtmlInsteadOfJson => return Ok(Answer::text(200, "text/html; charset=utf-8", FOREIGN_PAGE)),
        Fault::Slow(by_ms) => clock.sleep(Duration::from_millis(by_ms)).await,
        Fault::EmptyWhileStarting => asked.starting = true,
        Fault::EncryptedOnly => return Ok(Answer::text(400, "text/plain; charset=utf-8", ENCRYPTED_ONLY)),
        Fault::None | Fault::Truncated | Fault::AnswerLost | Fault::WrongClock(_) => {}
    }
    let began = clock.moment();
    // The state is read half-way: what is written in the second half, a slow answer does not know.
    clock.wait(began, latency / 2).await;
    let answer = dialect.answer(asked, ground);
    clock.wait(began, latency).await;
    match fault {
        Fault::Truncated => Ok(answer.truncated()),
        Fault::AnswerLost => Err(cut()),
        Fault::WrongClock(by_s) => Ok(answer.with(DATE, &date_off_by(by_s))),
        _ => Ok(answer),
    }
}

/// What a network that wants a log-in first puts in place of the answer.
const FOREIGN_PAGE: &str = "<!DOCTYPE html><html><head><title>Welcome</title></head><body><form><input name=\"room\"></form></body></html>";

/// What servers that speak only TLS say to a request that is not encrypted.
const ENCRYPTED_ONLY: &str = "Client sent an HTTP request to an HTTPS server.\n";

fn date_off_by(seconds: i64) -> String {
    let now = UNIX_EPOCH + Duration::from_secs(Clock::system(1.0).now_s());
    let by = Duration::from_secs(seconds.unsigned_abs());
    httpdate::fmt_http_date(if seconds < 0 { now - by } else { now + by })
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "cut by a fault")
}

fn label<D: Dialect>(dialect: &D, asked: &Asked, ground: &Ground) -> String {
    let Some(secret) = dialect.secret(asked) else { return "none".into() };
    let known = ground.state.users().token(&secret).map(|token| token.label.clone());
    known.or_else(|| dialect.label(&secret)).unwrap_or_else(|| "unknown".into())
}

struct TooLarge;

async fn taken(mut request: Request<Incoming>, peer: SocketAddr) -> Result<Asked, TooLarge> {
    let upgrade =
        request.headers().contains_key(http::header::UPGRADE).then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MAX_REQUEST_BYTES).collect().await.map_err(|_| TooLarge)?.to_bytes();
    Ok(Asked::new(parts, body, upgrade, peer))
}
