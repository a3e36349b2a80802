//! One client's socket, and the server's: messages pass both ways until one side is gone, and a new one takes the place of
//! the server's.

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use greenroom_cache::Partition;
use http::StatusCode;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::{Handshake, Socket, open};
use crate::forward::sse::{Watching, hear};
use crate::http::connection_limit::Seat;
use crate::invalidate;
use crate::invalidate::By;
use crate::stream::websocket::idle_timeout::Quiet;
use crate::stream::websocket::reconnects::{Losses, PAUSE};
use crate::visit::Visit;
use greenroom_origin::breaker::Attaching;
use greenroom_origin::client::Lane;

/// What a client subscribed to is repeated to the server's new socket: so many subscriptions at most.
const MAX_SUBSCRIPTIONS: usize = 16;

/// Why messages no longer pass.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ended {
    /// The client is gone, or the server closed its socket in order: it means this client.
    Done,
    /// The server is gone.
    ServerLost,
}

/// A socket to the server, and how often it had refused the token when the socket was asked for.
pub(super) struct Attached {
    pub(super) socket: Socket,
    pub(super) generation: u64,
}

/// One client's socket.
pub(super) struct Relay {
    pub(super) visit: Visit,
    handshake: Handshake,
    quiet: Quiet,
    /// Its place among all sockets, free again when this is dropped.
    _seat: Seat<Partition>,
}

/// The client's side.
struct Client {
    to: SplitSink<Socket, Message>,
    from: SplitStream<Socket>,
    /// What it subscribed to, in its own words, by what it is called.
    subscriptions: Vec<(String, Message)>,
}

impl Relay {
    /// For a client that came with this handshake and has a seat.
    pub(super) fn new(visit: Visit, handshake: Handshake, seat: Seat<Partition>) -> Self {
        let quiet = Quiet::begin(visit.server.origin.clock.clone());
        Self { visit, handshake, quiet, _seat: seat }
    }

    /// Passes messages both ways until the client leaves, the server ends it, or nobody says anything any more.
    pub(super) async fn run(self, client: Socket, server: Option<Attached>) {
        let (to, from) = client.split();
        let mut client = Client { to, from, subscriptions: Vec::new() };
        tokio::select! {
            () = self.converse(&mut client, server) => {}
            () = self.quiet.is_too_long() => {}
            () = self.visit.server.origin.stop.cancelled() => {}
        }
        drop(client.to.close().await);
    }

    async fn converse(&self, client: &mut Client, mut server: Option<Attached>) {
        let mut losses = Losses::default();
        let mut has_repeated = false;
        loop {
            if let Some(server) = server.take() {
                let attached_us = self.visit.server.origin.clock.now_us();
                if self.pass_on(client, server).await == Ended::Done {
                    return;
                }
                losses.note(self.visit.server.origin.clock.since_ms(attached_us), has_repeated);
            }
            if losses.looks_like_trouble() {
                self.visit.server.origin.breaker.note_trouble(self.now_ms());
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
        let mut down = std::pin::pin!(visit.server.origin.breaker.down());
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
                        self.quiet.heard();
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
                        self.quiet.heard();
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
        let mut attaching: Option<Attaching<'_>> = Some(server.origin.breaker.attaching());
        if let Some(pause) = losses.pause() {
            let wait = async {
                tokio::select! {
                    () = server.origin.clock.sleep(pause) => false,
                    () = server.origin.breaker.down() => true,
                }
            };
            if self.unless_gone(client, wait).await? {
                // All sockets were lost with the server: it is attached to as soon as it is back.
                losses.short = 0;
            }
        }
        loop {
            self.unless_gone(client, server.origin.breaker.back()).await?;
            match self.unless_gone(client, self.knock()).await? {
                Knock::Open(attached) => {
                    invalidate::missed(server, &self.visit.identity);
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
                Knock::Nobody => self.unless_gone(client, server.origin.clock.sleep(PAUSE.0)).await?,
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
                    self.quiet.heard();
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
        let asked = server.origin.send(request, Lane::Write, self.handshake.key());
        let Ok(Ok(mut response)) =
            server.origin.clock.timeout(server.origin.settings.load_timeout, asked).await
        else {
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
                invalidate::heed_refusal(&self.visit, status);
                Knock::Refused
            }
        }
    }

    fn note_subscription(&self, client: &mut Client, message: &Message) {
        let Message::Text(text) = message else { return };
        let Some(said) = self.visit.server.origin.settings.kind.subscription(text.as_bytes()) else { return };
        client.subscriptions.retain(|(name, _)| *name != said.name);
        if said.begins && client.subscriptions.len() < MAX_SUBSCRIPTIONS {
            client.subscriptions.push((said.name, message.clone()));
        }
    }

    fn now_ms(&self) -> u64 {
        self.visit.server.origin.clock.now_ms()
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
