//! Relays messages between a client's socket and an upstream socket until one closes, and reconnects a lost upstream
//! socket.

use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use greenroom_cache::Partition;
use http::StatusCode;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::{Handshake, Socket, open};
use crate::forward::sse::{LiveSignalGuard, apply_frame};
use crate::http::concurrency_limit::ConcurrencyPermit;
use crate::invalidate;
use crate::invalidate::InvalidationSource;
use crate::proxy_request::ProxyRequest;
use crate::stream::websocket::idle_timeout::IdleTimer;
use crate::stream::websocket::reconnects::{PAUSE, ReconnectHistory};
use greenroom_origin::breaker::ReattachGuard;
use greenroom_origin::client::UpstreamRequestKind;

/// Max subscriptions of a client that are repeated to a new upstream socket.
const MAX_SUBSCRIPTIONS: usize = 16;
/// Timeout for the client to read the last message.
const GOODBYE: Duration = Duration::from_secs(1);

/// Reason why relaying ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RelayEnd {
    /// The client left, or the server closed the socket properly and means this client.
    Done,
    /// The upstream socket was lost.
    ServerLost,
}

/// An upstream socket, and the token's generation at the time of the request.
pub(super) struct UpstreamSocket {
    pub(super) socket: Socket,
    pub(super) generation: u64,
}

/// Relay of one client's socket.
pub(super) struct Relay {
    pub(super) visit: ProxyRequest,
    handshake: Handshake,
    idle_timer: IdleTimer,
    /// Permit of the socket, released on drop.
    _permit: ConcurrencyPermit<Partition>,
}

/// The client's side.
struct ClientSide {
    to: SplitSink<Socket, Message>,
    from: SplitStream<Socket>,
    /// Its subscription messages, by name.
    subscriptions: Vec<(String, Message)>,
}

impl Relay {
    /// A relay for a client with this handshake and permit.
    pub(super) fn new(visit: ProxyRequest, handshake: Handshake, seat: ConcurrencyPermit<Partition>) -> Self {
        let quiet = IdleTimer::start(visit.server.origin.clock.clone());
        Self { visit, handshake, idle_timer: quiet, _permit: seat }
    }

    /// Relays until the client leaves, the server ends it, or the socket is idle for too long.
    pub(super) async fn run(self, client: Socket, server: Option<UpstreamSocket>) {
        let (to, from) = client.split();
        let mut client = ClientSide { to, from, subscriptions: Vec::new() };
        tokio::select! {
            () = self.relay(&mut client, server) => {}
            () = self.idle_timer.expired() => {}
            () = self.visit.server.origin.stop.cancelled() => {}
        }
        // A client that stops reading must not delay shutdown.
        drop(self.visit.server.origin.clock.timeout(GOODBYE, client.to.close()).await);
    }

    async fn relay(&self, client: &mut ClientSide, mut server: Option<UpstreamSocket>) {
        let mut losses = ReconnectHistory::default();
        let mut has_repeated = false;
        loop {
            if let Some(server) = server.take() {
                let attached_us = self.visit.server.origin.clock.now_us();
                if self.pass_on(client, server).await == RelayEnd::Done {
                    return;
                }
                losses.record(self.visit.server.origin.clock.since_ms(attached_us), has_repeated);
            }
            if losses.suggests_outage() {
                self.visit.server.origin.breaker.record_restart_sign(self.now_ms());
            }
            let Some(mut attached) = self.attach(client, &mut losses).await else { return };
            has_repeated = !losses.failed_after_resubscribe && !client.subscriptions.is_empty();
            if has_repeated {
                for (_, subscription) in &client.subscriptions {
                    // If this socket is lost too, the next message shows it.
                    drop(attached.socket.send(subscription.clone()).await);
                }
            }
            server = Some(attached);
        }
    }

    /// Relays while both sides are connected.
    async fn pass_on(&self, client: &mut ClientSide, server: UpstreamSocket) -> RelayEnd {
        let visit = &self.visit;
        let UpstreamSocket { socket, generation } = server;
        self.mark_proven(generation);
        let watching = LiveSignalGuard::start(&visit.server, &visit.identity);
        let (mut to_server, mut from_server) = socket.split();
        let mut down = std::pin::pin!(visit.server.origin.breaker.wait_down());
        let ended = loop {
            tokio::select! {
                // The server's messages come first: a client that leaves can wait.
                biased;
                message = from_server.next() => match message {
                    Some(Ok(Message::Close(frame))) if is_for_this_client(frame.as_ref()) => {
                        drop(client.to.send(Message::Close(frame)).await);
                        break RelayEnd::Done;
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break RelayEnd::ServerLost,
                    Some(Ok(message)) => {
                        self.idle_timer.reset();
                        self.apply(&message);
                        if client.to.send(message).await.is_err() {
                            break RelayEnd::Done;
                        }
                    }
                },
                // A server that vanishes may leave the connection open and silent for good.
                () = down.as_mut() => break RelayEnd::ServerLost,
                message = client.from.next() => match message {
                    Some(Ok(message)) => {
                        self.idle_timer.reset();
                        self.record_subscription(client, &message);
                        if to_server.send(message).await.is_err() {
                            break RelayEnd::ServerLost;
                        }
                    }
                    Some(Err(_)) | None => break RelayEnd::Done,
                },
            }
        };
        if ended == RelayEnd::Done {
            drop(to_server.close().await);
        }
        // While the socket was open, the server accepted the token.
        self.mark_proven(generation);
        drop(watching);
        ended
    }

    /// Proves the token by its open socket, unless it was revoked since, because a later revocation wins.
    fn mark_proven(&self, generation: u64) {
        self.visit.identity.mark_proven(self.now_ms(), generation);
    }

    fn apply(&self, message: &Message) {
        let (server, by) = (&self.visit.server, InvalidationSource::ClientEvent(&self.visit.identity));
        match message {
            Message::Text(text) => apply_frame(server, text.as_bytes(), by),
            Message::Binary(bytes) => apply_frame(server, bytes, by),
            _ => {}
        }
    }

    /// Opens a new upstream socket; `None` if the client left, or the server rejects it.
    async fn attach(&self, client: &mut ClientSide, losses: &mut ReconnectHistory) -> Option<UpstreamSocket> {
        let server = &self.visit.server;
        let mut attaching: Option<ReattachGuard<'_>> = Some(server.origin.breaker.begin_reattach());
        if let Some(pause) = losses.retry_delay() {
            let wait = async {
                tokio::select! {
                    () = server.origin.clock.sleep(pause) => false,
                    () = server.origin.breaker.wait_down() => true,
                }
            };
            if self.unless_gone(client, wait).await? {
                // An outage lost all sockets, so there is no delay once the server is back.
                losses.short = 0;
            }
        }
        loop {
            self.unless_gone(client, server.origin.breaker.wait_back()).await?;
            match self.unless_gone(client, self.try_attach()).await? {
                AttachResult::Open(attached) => {
                    invalidate::invalidate_missed(server, &self.visit.identity);
                    drop(attaching.take());
                    tracing::debug!(server = server.name(), "a client's socket is attached again");
                    return Some(*attached);
                }
                AttachResult::Refused => {
                    let code = CloseCode::Policy;
                    let frame = CloseFrame { code, reason: "the media server refuses this socket".into() };
                    drop(client.to.send(Message::Close(Some(frame))).await);
                    return None;
                }
                AttachResult::Unreachable => {
                    self.unless_gone(client, server.origin.clock.sleep(PAUSE.0)).await?;
                }
            }
        }
    }

    /// Runs a future while the client has no upstream socket: only its pings are answered.
    async fn unless_gone<T>(&self, client: &mut ClientSide, doing: impl Future<Output = T>) -> Option<T> {
        let mut doing = std::pin::pin!(doing);
        loop {
            tokio::select! {
                done = doing.as_mut() => return Some(done),
                message = client.from.next() => {
                    // The protocol itself answers a ping, with the next flush.
                    let message = message?.ok()?;
                    self.idle_timer.reset();
                    self.record_subscription(client, &message);
                    client.to.flush().await.ok()?;
                }
            }
        }
    }

    async fn try_attach(&self) -> AttachResult {
        let server = &self.visit.server;
        let Ok(request) = self.handshake.request(server) else { return AttachResult::Refused };
        let generation = self.visit.identity.generation();
        let asked = server.origin.send(request, UpstreamRequestKind::Write, self.handshake.key());
        let Ok(Ok(mut response)) = server.origin.clock.timeout(server.origin.settings.load_timeout, asked).await else {
            return AttachResult::Unreachable;
        };
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => match hyper::upgrade::on(&mut response).await {
                Ok(upgraded) => {
                    let socket = open(upgraded, Role::Client).await;
                    AttachResult::Open(Box::new(UpstreamSocket { socket, generation }))
                }
                Err(_) => AttachResult::Unreachable,
            },
            status if status.is_server_error() => AttachResult::Unreachable,
            status => {
                invalidate::apply_refusal(&self.visit, status);
                AttachResult::Refused
            }
        }
    }

    fn record_subscription(&self, client: &mut ClientSide, message: &Message) {
        let Message::Text(text) = message else { return };
        let Some(said) = self.visit.server.origin.settings.kind.parse_subscription(text.as_bytes()) else {
            return;
        };
        client.subscriptions.retain(|(name, _)| *name != said.name);
        if said.is_start && client.subscriptions.len() < MAX_SUBSCRIPTIONS {
            client.subscriptions.push((said.name, message.clone()));
        }
    }

    fn now_ms(&self) -> u64 {
        self.visit.server.origin.clock.now_ms()
    }
}

/// Result of an attempt to reconnect.
enum AttachResult {
    Open(Box<UpstreamSocket>),
    /// The server rejects this client.
    Refused,
    Unreachable,
}

/// Whether a close is meant for this client, not a shutdown or restart of the server.
fn is_for_this_client(frame: Option<&CloseFrame>) -> bool {
    let code = frame.map(|frame| frame.code);
    !matches!(code, Some(CloseCode::Away | CloseCode::Restart | CloseCode::Again))
}
