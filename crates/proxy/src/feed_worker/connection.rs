//! Subscribes to the server's own events with the owner's token, where one is configured.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use greenroom_dialect::class::Class;
use greenroom_dialect::credential::Credential;
use greenroom_dialect::own_user::{self, TokenOwner};
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::session_list::{self, SessionList, SessionViewer};
use greenroom_dialect::tag::{Tag, TagInvalidation};
use http::Request;
use http::header::UPGRADE;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::feed::EventStreamState;
use crate::forward::sse::{LiveSignalGuard, apply_frame};
use crate::identity::Identity;
use crate::invalidate;
use crate::invalidate::InvalidationSource;
use crate::server::Server;
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::UpstreamRequestKind;
use greenroom_origin::scheduler::QueueRequest;
use greenroom_state::warnings::Warning;

/// Max pause between connection attempts; the next request that the server answers ends it …
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// … but not sooner than this after the last attempt.
const MIN_RETRY_PAUSE: Duration = Duration::from_millis(500);
/// A connection that lasted this long was a good one. After another, requests that the server answers say nothing about
/// the events.
const GOOD_AFTER: Duration = Duration::from_secs(5);
/// Pause after the server rejected the token.
const REFUSED_PAUSE: Duration = Duration::from_mins(1);
/// Keep-alive interval; Jellyfin drops a socket after 60 s of silence.
const KEEP_ALIVE: Duration = Duration::from_secs(25);
/// A connection without any message, although keep-alives are answered, is lost.
const MAX_SILENT_KEEP_ALIVES: u32 = 4;
/// Timeout for the server's response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// Max bytes of a response about the token.
const MAX_BODY_BYTES: u64 = 4 * 1024 * 1024;

/// Code of the warning about events that go to another connection, and of that about a token that causes it.
const EVENTS_NOT_HEARD: &str = "events-not-heard";
const TOKEN_OF_APP: &str = "token-of-app";
const TOKEN_REMEDY: &str = "Give Greenroom a token of its own, which nothing else uses: greenroom login jellyfin.";

/// Follows the server's events for good. Returns at once without a token.
pub(super) async fn subscribe(server: &Arc<Server>) {
    let Some(credential) = server.origin.own_credential() else { return };
    let identity = server.identify(&credential);
    let server = Arc::clone(server);
    let mut connection =
        FeedConnection { server, credential, identity, sees_all_sessions: false, is_token_checked: false };
    connection.run().await;
}

struct FeedConnection {
    server: Arc<Server>,
    credential: Credential,
    identity: Arc<Identity>,
    /// Whether the token's user is told of all sessions.
    sees_all_sessions: bool,
    /// Whether the owner of the token's session is known.
    is_token_checked: bool,
}

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// Result of one subscription attempt.
enum ConnectResult {
    Open(Box<Socket>),
    /// The server is up and rejects the subscription.
    Refused,
    Unreachable,
}

impl FeedConnection {
    async fn run(&mut self) {
        let server = Arc::clone(&self.server);
        // `has_missed`: events may have been lost. `reattach`: reads wait for this subscription once the server is back.
        let (mut has_missed, mut reattach) = (false, None);
        // The first attempt follows the server's first answer.
        let mut is_hopeful = true;
        loop {
            server.origin.breaker.wait_back().await;
            match self.connect().await {
                ConnectResult::Open(socket) => {
                    if std::mem::take(&mut has_missed) {
                        self.record_gap();
                    }
                    drop(reattach.take());
                    tracing::info!(server = server.name(), "subscribed to the server's events");
                    server.feed.set_own_account(self.identity.account());
                    let began_us = server.origin.clock.now_us();
                    self.listen(*socket).await;
                    server.feed.set_own_account(None);
                    has_missed = true;
                    reattach = Some(server.origin.breaker.begin_reattach());
                    server.origin.breaker.record_restart_sign(server.origin.clock.now());
                    let is_deaf = server.events_state() == EventStreamState::Deaf;
                    server.set_events_state(if is_deaf { EventStreamState::Deaf } else { EventStreamState::Lost });
                    tracing::info!(server = server.name(), "the server's event stream ended; reconnecting");
                    is_hopeful = server.origin.clock.since(began_us) >= GOOD_AFTER;
                    self.wait_to_retry(is_hopeful).await;
                }
                ConnectResult::Refused => {
                    // The server will not accept us soon, so no read has to wait.
                    reattach = None;
                    server.origin.clock.sleep(REFUSED_PAUSE).await;
                }
                ConnectResult::Unreachable => self.wait_to_retry(std::mem::take(&mut is_hopeful)).await,
            }
        }
    }

    /// Waits for the next attempt: a few seconds, or until the server answers any request if that gives hope. During an
    /// outage the caller waits until it is over.
    async fn wait_to_retry(&self, is_hopeful: bool) {
        let origin = &self.server.origin;
        let mut answers = origin.answers();
        let answered = async {
            origin.clock.sleep(MIN_RETRY_PAUSE).await;
            // The sender lives as long as the server.
            let _ = answers.changed().await;
        };
        tokio::select! {
            () = origin.clock.sleep(RETRY_PAUSE) => {}
            () = answered, if is_hopeful => {}
            () = origin.breaker.wait_down() => {}
        }
    }

    /// Events in between were lost. What was loaded before is unconfirmed once they are heard; without a user they never
    /// all are.
    fn record_gap(&self) {
        if self.server.origin.settings.kind == ServerKind::Jellyfin && self.identity.account().is_none() {
            invalidate::invalidate_all(&self.server);
        }
        self.server.feed.pending.record_gap();
    }

    async fn connect(&mut self) -> ConnectResult {
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
    async fn fetch_own_user(&mut self) {
        if let Some(body) = self.get(session_list::VIEWER_TARGET, Class::Users).await
            && let Some(TokenOwner::User(user)) = own_user::token_owner(200, &body)
        {
            self.server.prove_owner(&self.identity, &TokenOwner::User(user));
            self.sees_all_sessions = SessionViewer::parse(200, &body).is_some();
        }
    }

    /// A token copied from an app shares the app's fate. Asked once, after the first requests: they name the device.
    async fn check_token(&mut self) {
        if self.is_token_checked || !self.sees_all_sessions {
            return;
        }
        let Some(body) = self.get(own_user::DEVICES_TARGET, Class::Users).await else { return };
        self.is_token_checked = true;
        let own = (self.credential.device.as_deref(), self.credential.product.as_deref());
        let (Some(device), Some(product)) = own else { return };
        let app = own_user::borrowed_from(&body, device, product);
        if self.server.feed.set_borrowed_from(app.clone())
            && let Some(app) = app
        {
            tracing::warn!(server = self.server.name(), app, "the configured token belongs to the session of an app");
            let problem = format!(
                "The configured token belongs to a session of {app}: events go to whichever of the two connected last."
            );
            self.server.origin.warnings.raise(Warning::notice(TOKEN_OF_APP, problem, TOKEN_REMEDY));
        }
    }

    fn handshake(&self) -> Option<Request<Body>> {
        let path = match self.server.origin.settings.kind {
            ServerKind::Plex => "/:/websockets/notifications".to_owned(),
            ServerKind::Jellyfin => format!("/socket?deviceId={}", self.server.origin.device_id()),
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
        let server = Arc::clone(&self.server);
        let is_jellyfin = server.origin.settings.kind == ServerKind::Jellyfin;
        if is_jellyfin && self.identity.account().is_none() {
            server.set_events_state(EventStreamState::TokenWithoutUser);
        } else if server.events_state() != EventStreamState::Deaf {
            server.set_events_state(EventStreamState::Subscribed);
        }
        let mut signal = self.start_signal();
        if self.sees_all_sessions && socket.send(Message::text(session_list::SUBSCRIPTION)).await.is_err() {
            return;
        }
        self.check_token().await;
        let mut down = std::pin::pin!(server.origin.breaker.wait_down());
        let clock = server.origin.clock.clone();
        let mut keep_alive = std::pin::pin!(clock.sleep(KEEP_ALIVE));
        let (mut silent, opened_ms) = (0, clock.now());
        loop {
            tokio::select! {
                // A frame that waits is read before a deadline is noticed.
                biased;
                message = socket.next() => match message {
                    Some(Ok(message)) => {
                        silent = 0;
                        if let Message::Text(text) = message && self.apply(text.as_bytes()) {
                            signal = self.start_signal();
                        }
                    }
                    Some(Err(_)) | None => return,
                },
                // A server that vanishes may leave the connection open.
                () = down.as_mut() => return,
                () = self.wait_until_deaf() => return drop(signal),
                () = keep_alive.as_mut() => {
                    silent += 1;
                    // After a sleep of the machine the connection may be gone without a sign.
                    let has_slept = clock.last_leap() > opened_ms;
                    if has_slept || silent > MAX_SILENT_KEEP_ALIVES || socket.send(self.keep_alive_message()).await.is_err() {
                        return;
                    }
                    keep_alive.set(clock.sleep(KEEP_ALIVE));
                }
            }
        }
    }

    /// A live signal for the token's user, unless its events are not heard.
    fn start_signal(&self) -> Option<LiveSignalGuard> {
        let is_heard = self.server.events_state() == EventStreamState::Subscribed;
        is_heard.then(|| LiveSignalGuard::start_own_feed(&self.server, &self.identity)).flatten()
    }

    /// Applies a frame. Returns whether it ended deafness.
    fn apply(&self, frame: &[u8]) -> bool {
        let server = &self.server;
        let source = InvalidationSource::ServerEvent(&self.identity);
        if let Some(list) = SessionList::parse_frame(frame) {
            invalidate::apply(server, &[TagInvalidation::everyone(Tag::sessions())], source);
            if self.sees_all_sessions {
                for identity in server.feed.sessions.tell(list, &server.origin.clock) {
                    identity.expire_grants();
                }
            }
            return false;
        }
        if SessionList::is_told_by(frame) {
            // It cannot be read, and what was told before is no longer so.
            server.feed.sessions.end();
        }
        apply_frame(server, frame, source);
        server.feed.pending.record_frame(server.origin.settings.kind, frame);
        if own_user::is_user_data(frame) {
            server.feed.echo.heard(server.origin.clock.now());
            if server.events_state() == EventStreamState::Deaf {
                tracing::info!(server = server.name(), "the server's events are heard again");
                server.origin.warnings.lower(EVENTS_NOT_HEARD);
                server.set_events_state(EventStreamState::Subscribed);
                self.record_gap();
                return true;
            }
        }
        false
    }

    /// Waits until a write of the token's own user was not reported back in time.
    async fn wait_until_deaf(&self) {
        let (server, echo) = (&self.server, &self.server.feed.echo);
        loop {
            echo.expected().await;
            let now_ms = server.origin.clock.now();
            match echo.due_ms() {
                Some(due_ms) if due_ms <= now_ms => break,
                Some(due_ms) => server.origin.clock.sleep(due_ms - now_ms).await,
                None => {}
            }
        }
        echo.give_up();
        if server.events_state() != EventStreamState::Deaf {
            tracing::warn!(server = server.name(), "a write was not reported back: events go to another connection");
            let problem = "A write was confirmed but not reported back: the server sends the events of the configured \
                           token to another program, and changes made on the server are noticed late.";
            server.origin.warnings.raise(Warning::notice(EVENTS_NOT_HEARD, problem, TOKEN_REMEDY).urgent());
        }
        server.set_events_state(EventStreamState::Deaf);
    }

    fn keep_alive_message(&self) -> Message {
        match self.server.origin.settings.kind {
            ServerKind::Plex => Message::Ping(Vec::new().into()),
            ServerKind::Jellyfin => Message::text(r#"{"MessageType":"KeepAlive"}"#),
        }
    }

    /// Sends a request of Greenroom's own to the server.
    async fn get(&self, path: &str, class: Class) -> Option<bytes::Bytes> {
        let origin = &self.server.origin;
        origin.counters.own.fetch_add(1, Ordering::Relaxed);
        let request = origin.own_request(path, &self.credential)?;
        let exchange = async {
            let _permit = origin.queue.acquire(QueueRequest::background(None, class)).await.ok()?;
            let response = origin.send(request, UpstreamRequestKind::Read, breaker::key_of(path)).await.ok()?;
            let is_ok = response.status() == http::StatusCode::OK;
            match collect(response.into_body(), MAX_BODY_BYTES).await {
                CollectedBody::Whole(body) if is_ok => Some(body),
                _ => None,
            }
        };
        origin.clock.timeout(RESPONSE_TIMEOUT, exchange).await.ok().flatten()
    }
}
