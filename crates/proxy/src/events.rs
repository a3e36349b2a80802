//! Subscribes to the server's own events with the owner's token, where one is configured.
//!
//! Plex reports library changes and playback to its owner over one socket; Jellyfin reports to each user. Where events
//! do not arrive, Plex's change counter per section or Jellyfin's counts are polled instead, while clients are active.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use greenroom_dialect::class::Class;
use greenroom_dialect::credential::Credential;
use greenroom_dialect::request::ServerKind;
use http::Request;
use http::header::UPGRADE;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::change_feed::EventStreamState;
use crate::forward::sse::{LiveSignalGuard, apply_frame};
use crate::identity::Identity;
use crate::invalidate;
use crate::invalidate::InvalidationSource;
use crate::server::Server;
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::UpstreamRequestKind;
use greenroom_origin::scheduler::QueueRequest;

/// First and longest pause between connection attempts.
const RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
/// Keep-alive interval; Jellyfin drops a socket after 60 s of silence.
const KEEP_ALIVE: Duration = Duration::from_secs(25);
/// Poll interval of the change counters where there is no socket.
const POLL_INTERVAL: Duration = Duration::from_secs(60);
/// Polling stops after this time without a client.
const IDLE_AFTER: Duration = Duration::from_secs(600);
/// Timeout for the server's response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest list of sections.
const MAX_POLLED_BYTES: u64 = 4 * 1024 * 1024;

/// Follows the server's events until stopped. Returns at once without a token.
pub async fn subscribe(server: Arc<Server>) {
    let Some(credential) = server.origin.own_credential() else { return };
    let identity = server.identify(&credential);
    let mut subscriber = EventSubscriber { server, credential, identity, counters: HashMap::new() };
    let stop = subscriber.server.origin.stop.clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = subscriber.run() => {}
    }
}

struct EventSubscriber {
    server: Arc<Server>,
    credential: Credential,
    identity: Arc<Identity>,
    /// Last values of the polled counters.
    counters: HashMap<String, String>,
}

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// Result of one subscription attempt.
enum ConnectResult {
    Open(Box<Socket>),
    /// The server is up and rejects the subscription.
    Refused,
    Unreachable,
}

impl EventSubscriber {
    async fn run(&mut self) {
        let server = Arc::clone(&self.server);
        let mut pause = RETRY.0;
        // `has_missed`: events may have been lost. `reattach`: reads wait for this subscription once the server is back.
        let (mut has_missed, mut reattach) = (false, None);
        loop {
            server.origin.breaker.wait_back().await;
            let result = self.connect().await;
            if matches!(result, ConnectResult::Refused) {
                // The server will not accept us soon, so no read has to wait.
                reattach = None;
            }
            let wait = if let ConnectResult::Open(socket) = result {
                if std::mem::take(&mut has_missed) {
                    // Events in between were lost.
                    invalidate::invalidate_all(&server);
                    server.change_feed.pending.record_gap();
                }
                drop(reattach.take());
                tracing::info!(server = server.name(), "subscribed to the server's events");
                pause = RETRY.0;
                self.listen(*socket).await;
                has_missed = true;
                reattach = Some(server.origin.breaker.begin_reattach());
                server.origin.breaker.record_restart_sign(server.origin.clock.now_ms());
                tracing::info!(server = server.name(), "the server's event stream ended; reconnecting");
                pause
            } else {
                self.poll_once().await;
                // A server that accepted the subscription before will do so again soon.
                if reattach.is_some() { pause } else { pause.max(POLL_INTERVAL) }
            };
            tokio::select! {
                () = server.origin.clock.sleep(wait) => pause = (pause * 2).min(RETRY.1),
                // The loop head waits for the server and subscribes as soon as it is back.
                () = server.origin.breaker.wait_down() => pause = RETRY.0,
            }
        }
    }

    async fn connect(&self) -> ConnectResult {
        if self.server.origin.settings.kind == ServerKind::Jellyfin {
            self.fetch_own_user().await;
        }
        self.server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
        let key = breaker::key_of("the server's events");
        let Some(handshake) = self.handshake() else { return ConnectResult::Unreachable };
        let exchange = self.server.origin.send(handshake, UpstreamRequestKind::Read, key);
        let Ok(Ok(mut response)) = self.server.origin.clock.timeout(RESPONSE_TIMEOUT, exchange).await else {
            return ConnectResult::Unreachable;
        };
        let status = response.status();
        if status != http::StatusCode::SWITCHING_PROTOCOLS {
            tracing::debug!(server = self.server.name(), %status, "event subscription rejected");
            if matches!(status.as_u16(), 401 | 498) {
                self.server.origin.record_own_token(false);
            }
            if status.is_client_error() {
                self.server.set_events_state(EventStreamState::Refused(status.as_u16()));
            }
            return if status.is_server_error() { ConnectResult::Unreachable } else { ConnectResult::Refused };
        }
        self.server.origin.record_own_token(true);
        let Ok(upgraded) = hyper::upgrade::on(&mut response).await else { return ConnectResult::Unreachable };
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await;
        ConnectResult::Open(Box::new(socket))
    }

    /// Jellyfin reports changes to users, but not to API keys without one.
    async fn fetch_own_user(&self) {
        if self.identity.account().is_none()
            && let Some(body) = self.get("/Users/Me", Class::Users).await
            && let Some(user) = greenroom_dialect::own_user::own_user(&body)
        {
            self.identity.set_account(&user);
        }
    }

    fn handshake(&self) -> Option<Request<Body>> {
        let path = match self.server.origin.settings.kind {
            ServerKind::Plex => "/:/websockets/notifications".to_owned(),
            ServerKind::Jellyfin => format!("/socket?deviceId=greenroom-{}", self.server.name()),
        };
        let mut request = Request::builder()
            .uri(self.server.origin.client.uri(&path).ok()?)
            .header("connection", "Upgrade")
            .header(UPGRADE, "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", generate_key())
            .body(Body::empty())
            .ok()?;
        for (name, value) in self.server.origin.settings.kind.credential_headers(&self.credential, true) {
            request.headers_mut().insert(name, value);
        }
        Some(request)
    }

    async fn listen(&mut self, mut socket: Socket) {
        let _signal = LiveSignalGuard::start(&self.server, &self.identity);
        let lacks_user_events =
            self.server.origin.settings.kind == ServerKind::Jellyfin && self.identity.account().is_none();
        self.server.set_events_state(if lacks_user_events {
            EventStreamState::TokenWithoutUser
        } else {
            EventStreamState::Subscribed
        });
        let server = Arc::clone(&self.server);
        let mut down = std::pin::pin!(server.origin.breaker.wait_down());
        let clock = self.server.origin.clock.clone();
        let mut keep_alive = std::pin::pin!(clock.sleep(KEEP_ALIVE));
        loop {
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        apply_frame(&self.server, text.as_bytes(), InvalidationSource::ServerEvent(&self.identity));
                        self.server.change_feed.pending.record_frame(self.server.origin.settings.kind, text.as_bytes());
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
                // A server that vanishes may leave the connection open.
                () = down.as_mut() => return,
                () = keep_alive.as_mut() => {
                    if socket.send(self.keep_alive_message()).await.is_err() {
                        return;
                    }
                    if lacks_user_events {
                        self.poll_once().await;
                    }
                    keep_alive.set(clock.sleep(KEEP_ALIVE));
                }
            }
        }
    }

    fn keep_alive_message(&self) -> Message {
        match self.server.origin.settings.kind {
            ServerKind::Plex => Message::Ping(Vec::new().into()),
            ServerKind::Jellyfin => Message::text(r#"{"MessageType":"KeepAlive"}"#),
        }
    }

    /// Compares the server's counters with the last ones, if a client was active lately.
    async fn poll_once(&mut self) {
        let now_ms = self.server.origin.clock.now_ms();
        let idle_ms = u64::try_from(IDLE_AFTER.as_millis()).unwrap_or(u64::MAX);
        let last_request_ms = self.server.counters.last_request_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(last_request_ms) > idle_ms || !self.server.origin.breaker.allows_requests() {
            return;
        }
        match self.server.origin.settings.kind {
            ServerKind::Plex => {
                let Some(body) = self.get("/library/sections", Class::Sections).await else { return };
                let counters = greenroom_dialect::change_counters::change_counters(&body).unwrap_or_default();
                for (section, counter) in counters {
                    if self.has_changed(&section, &counter) {
                        invalidate::invalidate_section(&self.server, &section, &self.identity);
                    }
                }
            }
            ServerKind::Jellyfin => {
                let Some(body) = self.get("/Items/Counts", Class::Counts).await else { return };
                if self.has_changed("", &String::from_utf8_lossy(&body)) {
                    invalidate::invalidate_all(&self.server);
                }
            }
        }
    }

    /// Whether a counter with a known value has another one now.
    fn has_changed(&mut self, name: &str, counter: &str) -> bool {
        let before = self.counters.insert(name.to_owned(), counter.to_owned());
        before.is_some_and(|before| before != counter)
    }

    /// Sends a request of Greenroom's own to the server.
    async fn get(&self, path: &str, class: Class) -> Option<bytes::Bytes> {
        self.server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
        let request = self.server.origin.own_request(path, &self.credential)?;
        let exchange = async {
            let _permit = self.server.origin.queue.acquire(QueueRequest::background(None, class)).await.ok()?;
            let key = breaker::key_of(path);
            let response = self.server.origin.send(request, UpstreamRequestKind::Read, key).await.ok()?;
            let is_ok = response.status() == http::StatusCode::OK;
            match collect(response.into_body(), MAX_POLLED_BYTES).await {
                CollectedBody::Whole(body) if is_ok => Some(body),
                _ => None,
            }
        };
        self.server.origin.clock.timeout(RESPONSE_TIMEOUT, exchange).await.ok().flatten()
    }
}
