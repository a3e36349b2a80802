//! A client's notification socket: passed through message by message, each applied before it is passed on.
//!
//! When the server goes away the client keeps its socket: many tools listen on one that nothing opens again once it
//! is closed. Nothing comes over it meanwhile; pings are answered here. When the server is back, a new socket to it
//! takes the lost one's place, opened with the client's own handshake, and everything kept for that identity is to be
//! asked again, because nobody tells what was missed. For the same reason a client may open a socket while the server
//! is down, if its token was good when the server was last heard of.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use greenroom_cache::Partition;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use super::tap::{Watching, hear};
use super::{Visit, answer, headers, note, offline, stream};
use crate::body::Body;
use crate::breaker::{self, Attaching};
use crate::observe::tally;
use crate::origin::Lane;
use crate::seats::Seat;
use crate::server::Server;
use crate::stale::{self, By};

/// Longest message in either direction.
const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// A socket on which nobody says anything for so long is closed. Both servers and all clients known ping more often.
const SILENCE: Duration = Duration::from_secs(30 * 60);
/// First and longest pause between attempts to attach again, as long as the server does not count as down.
const PAUSE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(60));
/// A socket that the server drops sooner than this was not taken: the next one has to wait.
const SETTLED_MS: u64 = 30_000;
/// What a client subscribed to is repeated to the server's new socket: so many subscriptions at most.
const MAX_SUBSCRIPTIONS: usize = 16;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Passes a socket through.
pub async fn pass(visit: Visit, target: &str, mut parts: request::Parts, _body: Incoming) -> Response<Body> {
    let client_upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let client_upgrade = client_upgrade.filter(|_| parts.method == Method::GET);
    let handshake = Handshake {
        target: visit.target_for_server(target).into_owned(),
        headers: handshake_headers(&visit, &parts),
    };
    let (Some(client_upgrade), Ok(request)) = (client_upgrade, handshake.request(&visit.server)) else {
        return answer::problem(&visit, StatusCode::BAD_REQUEST, "this is not a WebSocket request");
    };
    let seat = match visit.take_socket_seat() {
        Ok(seat) => seat,
        Err(refusal) => return *refusal,
    };
    visit.server.counters.streams.fetch_add(1, Ordering::Relaxed);
    if let Some(outage) = visit.server.breaker.outage() {
        let accepted = offline::may_listen(&visit, &outage).then(|| accept(&parts.headers)).flatten();
        let Some(response) = accepted else {
            return offline::refuse(&visit, "the media server is down, and no socket can be opened");
        };
        let response = offline::in_its_absence(&visit, response);
        let owner = Relay::new(visit, handshake, seat);
        owner.visit.server.tasks.clone().spawn(async move {
            if let Ok(client) = client_upgrade.await {
                owner.run(open(client, Role::Server).await, None).await;
            }
        });
        return response;
    }
    visit.app.reached.fetch_add(1, Ordering::Relaxed);
    note::reached(&visit);
    visit.server.note_passing(tally::STREAMS, &visit.app);
    let generation = visit.identity.generation();
    let asked = visit.server.send(request, Lane::Read, handshake.key());
    let Ok(Ok(mut response)) = visit.server.clock.timeout(visit.server.settings.load_timeout, asked).await
    else {
        visit.server.note_failure();
        let message = "the media server cannot be reached";
        return answer::problem(&visit, StatusCode::SERVICE_UNAVAILABLE, message);
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        stale::heed_refusal(&visit, response.status());
        return answer::passed(stream::open(&visit, response), "socket");
    }
    let server_upgrade = hyper::upgrade::on(&mut response);
    let owner = Relay::new(visit, handshake, seat);
    owner.visit.server.tasks.clone().spawn(async move {
        if let (Ok(client), Ok(server)) = (client_upgrade.await, server_upgrade.await) {
            let client = open(client, Role::Server).await;
            let socket = open(server, Role::Client).await;
            owner.run(client, Some(Attached { socket, generation })).await;
        }
    });
    switch(&response)
}

/// What the client opened its socket with: enough to open another one for it.
struct Handshake {
    target: String,
    headers: HeaderMap,
}

impl Handshake {
    fn request(&self, server: &Server) -> Result<Request<Body>, http::Error> {
        let mut request = Request::builder().uri(server.origin.uri(&self.target)?).body(Body::empty())?;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }

    fn key(&self) -> u64 {
        breaker::key_of(self.target.split('?').next().unwrap_or_default())
    }
}

/// Why messages no longer pass.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ended {
    /// The client is gone, or the server closed its socket in order: it means this client.
    Done,
    /// The server is gone.
    ServerLost,
}

/// A socket to the server, and how often it had refused the token when the socket was asked for.
struct Attached {
    socket: Socket,
    generation: u64,
}

/// What became of the sockets to the server before this one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Losses {
    /// How many in a row did not last.
    short: u32,
    /// Whether what the client subscribed to was repeated to the last one, and it did not last.
    by_repeating: bool,
}

impl Losses {
    /// The server dropped a socket that it had for so long.
    fn note(&mut self, lived_ms: u64, has_repeated: bool) {
        let is_short = lived_ms < SETTLED_MS;
        self.short = if is_short { self.short.saturating_add(1) } else { 0 };
        self.by_repeating = is_short && has_repeated;
    }

    /// How long to wait before the server is asked for another one.
    fn pause(self) -> Option<Duration> {
        let doublings = self.short.checked_sub(1)?.min(5);
        Some((PAUSE.0 * 2_u32.pow(doublings)).min(PAUSE.1))
    }

    /// Whether the server itself may be in trouble, and not just with this socket.
    fn looks_like_trouble(self) -> bool {
        self.short <= 1
    }
}

/// One client's socket.
struct Relay {
    visit: Visit,
    handshake: Handshake,
    /// When anybody said anything, in milliseconds.
    heard_ms: AtomicU64,
    /// Its place among all sockets, free again when this is dropped.
    _seat: Seat<Partition>,
}

struct Client {
    to: SplitSink<Socket, Message>,
    from: SplitStream<Socket>,
    /// What it subscribed to, in its own words, by what it is called.
    subscriptions: Vec<(String, Message)>,
}

impl Relay {
    fn new(visit: Visit, handshake: Handshake, seat: Seat<Partition>) -> Self {
        let heard_ms = AtomicU64::new(visit.server.clock.now_ms());
        Self { visit, handshake, heard_ms, _seat: seat }
    }

    /// Passes messages both ways until the client leaves, the server ends it, or nobody says anything any more.
    async fn run(self, client: Socket, server: Option<Attached>) {
        let (to, from) = client.split();
        let mut client = Client { to, from, subscriptions: Vec::new() };
        tokio::select! {
            () = self.converse(&mut client, server) => {}
            () = self.silence() => {}
            () = self.visit.server.stop.cancelled() => {}
        }
        drop(client.to.close().await);
    }

    async fn converse(&self, client: &mut Client, mut server: Option<Attached>) {
        let mut losses = Losses::default();
        let mut has_repeated = false;
        loop {
            if let Some(server) = server.take() {
                let attached_ms = self.now_ms();
                if self.pass_on(client, server).await == Ended::Done {
                    return;
                }
                losses.note(self.now_ms().saturating_sub(attached_ms), has_repeated);
            }
            if losses.looks_like_trouble() {
                self.visit.server.breaker.note_trouble(self.now_ms());
            }
            let Some(mut attached) = self.attach(client, &mut losses).await else { return };
            has_repeated = !losses.by_repeating && !client.subscriptions.is_empty();
            if has_repeated {
                for (_, subscription) in &client.subscriptions {
                    // If it is lost again, that is noticed at the next message.
                    drop(attached.socket.send(subscription.clone()).await);
                }
            }
            server = Some(attached);
        }
    }

    /// Passes messages both ways as long as both sides are there.
    async fn pass_on(&self, client: &mut Client, server: Attached) -> Ended {
        let visit = &self.visit;
        let Attached { socket, generation } = server;
        self.prove(generation);
        let watching = Watching::begin(&visit.server, &visit.identity);
        let (mut to_server, mut from_server) = socket.split();
        let mut down = std::pin::pin!(visit.server.breaker.down());
        let ended = loop {
            tokio::select! {
                // What the server says comes first: a client that goes is not in a hurry.
                biased;
                message = from_server.next() => match message {
                    Some(Ok(Message::Close(frame))) if is_for_this_client(frame.as_ref()) => {
                        drop(client.to.send(Message::Close(frame)).await);
                        break Ended::Done;
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break Ended::ServerLost,
                    Some(Ok(message)) => {
                        self.heard();
                        self.apply(&message);
                        if client.to.send(message).await.is_err() {
                            break Ended::Done;
                        }
                    }
                },
                // A server that vanishes may leave the connection as it is, and say nothing over it for good.
                () = down.as_mut() => break Ended::ServerLost,
                message = client.from.next() => match message {
                    Some(Ok(message)) => {
                        self.heard();
                        self.note_subscription(client, &message);
                        if to_server.send(message).await.is_err() {
                            break Ended::ServerLost;
                        }
                    }
                    Some(Err(_)) | None => break Ended::Done,
                },
            }
        };
        if ended == Ended::Done {
            drop(to_server.close().await);
        }
        // As long as it was open the server kept to its yes.
        self.prove(generation);
        drop(watching);
        ended
    }

    /// The server has a socket of this token, unless it refused the token since: a refusal is the later word.
    fn prove(&self, generation: u64) {
        self.visit.identity.prove(self.now_ms(), generation);
    }

    fn apply(&self, message: &Message) {
        let (server, by) = (&self.visit.server, By::Client(&self.visit.identity));
        match message {
            Message::Text(text) => hear(server, text.as_bytes(), by),
            Message::Binary(bytes) => hear(server, bytes, by),
            _ => {}
        }
    }

    /// A new socket to the server in place of the lost one; `None` if the client left, or the server does not want
    /// this one any more.
    async fn attach(&self, client: &mut Client, losses: &mut Losses) -> Option<Attached> {
        let server = &self.visit.server;
        let mut attaching: Option<Attaching<'_>> = Some(server.breaker.attaching());
        if let Some(pause) = losses.pause() {
            let wait = async {
                tokio::select! {
                    () = server.clock.sleep(pause) => false,
                    () = server.breaker.down() => true,
                }
            };
            if self.unless_gone(client, wait).await? {
                // All sockets were lost with the server: it is attached to as soon as it is back.
                losses.short = 0;
            }
        }
        loop {
            self.unless_gone(client, server.breaker.back()).await?;
            match self.unless_gone(client, self.knock()).await? {
                Knock::Open(attached) => {
                    stale::missed(server, &self.visit.identity);
                    drop(attaching.take());
                    tracing::debug!(server = server.name(), "a client's socket is attached again");
                    return Some(*attached);
                }
                Knock::Refused => {
                    let code = CloseCode::Policy;
                    let frame = CloseFrame { code, reason: "the media server refuses this socket".into() };
                    drop(client.to.send(Message::Close(Some(frame))).await);
                    return None;
                }
                Knock::Nobody => self.unless_gone(client, server.clock.sleep(PAUSE.0)).await?,
            }
        }
    }

    /// Does something while the client is alone: its pings are answered, nothing else is.
    async fn unless_gone<T>(&self, client: &mut Client, doing: impl Future<Output = T>) -> Option<T> {
        let mut doing = std::pin::pin!(doing);
        loop {
            tokio::select! {
                done = doing.as_mut() => return Some(done),
                message = client.from.next() => {
                    // A ping is answered by the protocol itself; it leaves with the next flush.
                    let message = message?.ok()?;
                    self.heard();
                    self.note_subscription(client, &message);
                    client.to.flush().await.ok()?;
                }
            }
        }
    }

    async fn knock(&self) -> Knock {
        let server = &self.visit.server;
        let Ok(request) = self.handshake.request(server) else { return Knock::Refused };
        let generation = self.visit.identity.generation();
        let asked = server.send(request, Lane::Write, self.handshake.key());
        let Ok(Ok(mut response)) = server.clock.timeout(server.settings.load_timeout, asked).await else {
            return Knock::Nobody;
        };
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => match hyper::upgrade::on(&mut response).await {
                Ok(upgraded) => {
                    let socket = open(upgraded, Role::Client).await;
                    Knock::Open(Box::new(Attached { socket, generation }))
                }
                Err(_) => Knock::Nobody,
            },
            status if status.is_server_error() => Knock::Nobody,
            status => {
                stale::heed_refusal(&self.visit, status);
                Knock::Refused
            }
        }
    }

    fn note_subscription(&self, client: &mut Client, message: &Message) {
        let Message::Text(text) = message else { return };
        let Some(said) = self.visit.server.settings.kind.subscription(text.as_bytes()) else { return };
        client.subscriptions.retain(|(name, _)| *name != said.name);
        if said.begins && client.subscriptions.len() < MAX_SUBSCRIPTIONS {
            client.subscriptions.push((said.name, message.clone()));
        }
    }

    fn heard(&self) {
        self.heard_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    fn now_ms(&self) -> u64 {
        self.visit.server.clock.now_ms()
    }

    /// Ends when neither side has said anything for [`SILENCE`]: one of them is gone without a word.
    async fn silence(&self) {
        let silence_ms = u64::try_from(SILENCE.as_millis()).unwrap_or(u64::MAX);
        loop {
            let quiet_ms = self.now_ms().saturating_sub(self.heard_ms.load(Ordering::Relaxed));
            if quiet_ms >= silence_ms {
                return;
            }
            self.visit.server.clock.sleep(Duration::from_millis(silence_ms - quiet_ms)).await;
        }
    }
}

/// Who opens when the server is asked for a socket again.
enum Knock {
    Open(Box<Attached>),
    /// It says no to this client.
    Refused,
    Nobody,
}

/// Whether a close means this client, and not that the server itself goes away or starts again.
fn is_for_this_client(frame: Option<&CloseFrame>) -> bool {
    let code = frame.map(|frame| frame.code);
    !matches!(code, Some(CloseCode::Away | CloseCode::Restart | CloseCode::Again))
}

async fn open(upgraded: Upgraded, role: Role) -> Socket {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), role, Some(config)).await
}

/// The client's handshake as the server gets it; compression is not offered, so that frames can be read.
fn handshake_headers(visit: &Visit, parts: &request::Parts) -> HeaderMap {
    let mut headers = stream::headers_for_server(visit, &parts.headers);
    headers.extend(headers::of_handshake(&parts.headers));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers
}

fn switch(from_server: &Response<Incoming>) -> Response<Body> {
    switching(headers::for_client(from_server.headers()))
}

/// Our own yes to a client's handshake; `None` if it is none, or wants a protocol that only the server can choose.
fn accept(asked: &HeaderMap) -> Option<Response<Body>> {
    let key = asked.get(SEC_WEBSOCKET_KEY).filter(|_| !asked.contains_key(SEC_WEBSOCKET_PROTOCOL))?;
    let mut headers = HeaderMap::new();
    headers.insert(SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()).parse().ok()?);
    Some(switching(headers))
}

fn switching(headers: HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    response.headers_mut().remove(SEC_WEBSOCKET_EXTENSIONS);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_do_not_last_are_asked_for_less_and_less_often() {
        let mut losses = Losses::default();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            losses.note(10, false);
            pauses.push(losses.pause().map_or(0, |pause| pause.as_secs()));
        }
        assert_eq!(pauses, [3, 6, 12, 24, 48, 60, 60]);
        assert!(!losses.looks_like_trouble());
        losses.note(SETTLED_MS, false);
        assert_eq!(losses.pause(), None, "one that lasted is taken up again at once");
        assert!(losses.looks_like_trouble());
    }

    #[test]
    fn what_may_have_cost_the_last_socket_is_not_repeated() {
        let mut losses = Losses::default();
        losses.note(10, false);
        assert!(!losses.by_repeating, "the client's own words");
        losses.note(10, true);
        assert!(losses.by_repeating);
        losses.note(SETTLED_MS, true);
        assert!(!losses.by_repeating);
    }
}
