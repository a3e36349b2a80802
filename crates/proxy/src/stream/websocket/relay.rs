//! Relays messages between a client's socket and an upstream socket until one closes, and reconnects a lost upstream
//! socket.

use greenroom_cache::Timestamp;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::{Handshake, Socket, open};
use crate::forward::sse::{LiveSignalGuard, apply_frame};
use crate::forward::upstream_slot::SocketPermit;
use crate::invalidate;
use crate::invalidate::InvalidationSource;
use crate::proxy_request::ProxyRequest;
use crate::stream::websocket::idle_timeout::IdleTimer;
use crate::stream::websocket::pongs::PongFilter;
use crate::stream::websocket::reconnects::{RETRY_PAUSE, ReconnectHistory};
use greenroom_origin::breaker::ReattachGuard;
use greenroom_origin::client::UpstreamRequestKind;

/// Max subscriptions of a client that are repeated to a new upstream socket.
const MAX_SUBSCRIPTIONS: usize = 16;
/// Timeout for the client to read the last message.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

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
    pub(super) request: ProxyRequest,
    handshake: Handshake,
    idle_timer: IdleTimer,
    /// Permit of the socket, released on drop.
    _permit: SocketPermit,
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
    pub(super) fn new(request: ProxyRequest, handshake: Handshake, permit: SocketPermit) -> Self {
        let idle_timer = IdleTimer::start(request.server.origin.clock.clone());
        Self { request, handshake, idle_timer, _permit: permit }
    }

    /// Relays until the client leaves, the server ends it, or the socket is idle for too long.
    pub(super) async fn run(self, client: Socket, server: Option<UpstreamSocket>) {
        let (to, from) = client.split();
        let mut client = ClientSide { to, from, subscriptions: Vec::new() };
        tokio::select! {
            () = self.relay(&mut client, server) => {}
            () = self.idle_timer.expired() => {}
            () = self.request.server.origin.stop.cancelled() => {}
        }
        // A client that stops reading must not delay shutdown.
        let _ = self.request.server.origin.clock.timeout(CLOSE_TIMEOUT, client.to.close()).await;
    }

    async fn relay(&self, client: &mut ClientSide, mut server: Option<UpstreamSocket>) {
        let mut history = ReconnectHistory::default();
        let mut has_resubscribed = false;
        loop {
            if let Some(server) = server.take() {
                let opened_us = self.request.server.origin.clock.now_us();
                if self.relay_connected(client, server).await == RelayEnd::Done {
                    return;
                }
                history.record(
                    Duration::from_millis(self.request.server.origin.clock.since_ms(opened_us)),
                    has_resubscribed,
                );
            }
            if history.suggests_outage() {
                self.request.server.origin.breaker.record_restart_sign(self.now_ms());
            }
            let Some(mut upstream) = self.reconnect(client, &mut history).await else { return };
            has_resubscribed = !history.failed_after_resubscribe && !client.subscriptions.is_empty();
            if has_resubscribed {
                for (_, subscription) in &client.subscriptions {
                    let _ = upstream.socket.send(subscription.clone()).await; // a lost socket shows with the next message
                }
            }
            server = Some(upstream);
        }
    }

    /// Relays while both sides are connected.
    async fn relay_connected(&self, client: &mut ClientSide, server: UpstreamSocket) -> RelayEnd {
        let request = &self.request;
        let UpstreamSocket { socket, generation } = server;
        self.mark_proven(generation);
        let signal = LiveSignalGuard::start(&request.server, &request.classified.identity);
        let (mut to_server, mut from_server) = socket.split();
        let (mut pongs_for_client, mut pongs_for_server) = (PongFilter::default(), PongFilter::default());
        let mut down = std::pin::pin!(request.server.origin.breaker.wait_down());
        let end = loop {
            tokio::select! {
                // The server's messages come first: a client that leaves can wait.
                biased;
                message = from_server.next() => match message {
                    Some(Ok(Message::Close(frame))) if is_for_this_client(frame.as_ref()) => {
                        let _ = client.to.send(Message::Close(frame)).await; // the relay ends either way
                        break RelayEnd::Done;
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break RelayEnd::ServerLost,
                    Some(Ok(message)) => {
                        self.idle_timer.reset();
                        self.apply(&message);
                        pongs_for_server.record_sent(&message);
                        if pongs_for_client.is_answered(&message) {
                            continue;
                        }
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
                        pongs_for_client.record_sent(&message);
                        if pongs_for_server.is_answered(&message) {
                            continue;
                        }
                        if to_server.send(message).await.is_err() {
                            break RelayEnd::ServerLost;
                        }
                    }
                    Some(Err(_)) | None => break RelayEnd::Done,
                },
            }
        };
        if end == RelayEnd::Done {
            let _ = to_server.close().await; // the relay ends either way
        }
        // While the socket was open, the server accepted the token.
        self.mark_proven(generation);
        drop(signal);
        end
    }

    /// Proves the token by its open socket, unless it was revoked since, because a later revocation wins.
    fn mark_proven(&self, generation: u64) {
        self.request.classified.identity.mark_proven(self.now_ms(), generation);
    }

    fn apply(&self, message: &Message) {
        let (server, source) =
            (&self.request.server, InvalidationSource::ClientEvent(&self.request.classified.identity));
        match message {
            Message::Text(text) => apply_frame(server, text.as_bytes(), source),
            Message::Binary(bytes) => apply_frame(server, bytes, source),
            _ => {}
        }
    }

    /// Opens a new upstream socket; `None` if the client left, or the server rejects it.
    async fn reconnect(&self, client: &mut ClientSide, history: &mut ReconnectHistory) -> Option<UpstreamSocket> {
        let server = &self.request.server;
        let mut reattach: Option<ReattachGuard<'_>> = Some(server.origin.breaker.begin_reattach());
        if let Some(pause) = history.retry_delay() {
            let wait = async {
                tokio::select! {
                    () = server.origin.clock.sleep(pause) => false,
                    () = server.origin.breaker.wait_down() => true,
                }
            };
            if self.while_connected(client, wait).await? {
                // An outage lost all sockets, so there is no delay once the server is back.
                history.short_lived = 0;
            }
        }
        loop {
            self.while_connected(client, server.origin.breaker.wait_back()).await?;
            match self.while_connected(client, self.try_reconnect()).await? {
                AttachResult::Open(upstream) => {
                    invalidate::invalidate_missed(server, &self.request.classified.identity);
                    drop(reattach.take());
                    tracing::debug!(server = server.name(), "upstream socket reconnected");
                    return Some(*upstream);
                }
                AttachResult::Refused => {
                    let code = CloseCode::Policy;
                    let frame = CloseFrame { code, reason: "the media server rejects this socket".into() };
                    let _ = client.to.send(Message::Close(Some(frame))).await; // the relay ends either way
                    return None;
                }
                AttachResult::Unreachable => {
                    self.while_connected(client, server.origin.clock.sleep(RETRY_PAUSE.0)).await?;
                }
            }
        }
    }

    /// Runs a future while the client has no upstream socket: only its pings are answered.
    async fn while_connected<T>(&self, client: &mut ClientSide, future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        loop {
            tokio::select! {
                result = future.as_mut() => return Some(result),
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

    async fn try_reconnect(&self) -> AttachResult {
        let server = &self.request.server;
        let Ok(upstream_request) = self.handshake.upstream_request(server) else { return AttachResult::Refused };
        let generation = self.request.classified.identity.generation();
        let exchange = server.origin.send(upstream_request, UpstreamRequestKind::Write, self.handshake.key());
        let Ok(Ok(mut response)) = server.origin.clock.timeout(server.origin.settings.load_timeout, exchange).await
        else {
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
                invalidate::apply_token_rejection(&self.request, status, response.headers());
                AttachResult::Refused
            }
        }
    }

    fn record_subscription(&self, client: &mut ClientSide, message: &Message) {
        let Message::Text(text) = message else { return };
        let Some(parsed) = self.request.server.origin.settings.kind.parse_subscription(text.as_bytes()) else {
            return;
        };
        client.subscriptions.retain(|(name, _)| *name != parsed.name);
        if parsed.is_start && client.subscriptions.len() < MAX_SUBSCRIPTIONS {
            client.subscriptions.push((parsed.name, message.clone()));
        }
    }

    fn now_ms(&self) -> Timestamp {
        self.request.server.origin.clock.now()
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
