//! The server's own events, followed with the owner's token where one is configured.
//!
//! Plex tells its owner over one socket what changed in the library and what is played; Jellyfin tells each user.
//! Where events do not reach us, Plex's change counter per section or Jellyfin's counts are polled instead, and only
//! while clients come.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use greenroom_dialect::ask::Kind;
use greenroom_dialect::class::Class;
use greenroom_dialect::credential::Credential;
use http::Request;
use http::header::UPGRADE;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::change_feed::Events;
use crate::forward::sse::{Watching, hear};
use crate::identity::Identity;
use crate::invalidate;
use crate::invalidate::By;
use crate::server::Server;
use greenroom_origin::body::{Body, Collected, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::Lane;
use greenroom_origin::scheduler::Errand;

/// First and longest pause between attempts to connect.
const RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
/// How often a sign of life is sent; Jellyfin drops a socket after 60 s of silence.
const KEEP_ALIVE: Duration = Duration::from_secs(25);
/// How often the change counters are polled where there is no socket.
const POLL: Duration = Duration::from_secs(60);
/// Without a client for so long nothing is polled.
const IDLE: Duration = Duration::from_secs(600);
/// How long the server may take to answer us.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest list of sections.
const MAX_POLLED_BYTES: u64 = 4 * 1024 * 1024;

/// Follows the server's events until it is stopped. Without a token there is nothing to follow.
pub async fn follow(server: Arc<Server>) {
    let Some(credential) = server.origin.own_credential() else { return };
    let identity = server.identify(&credential);
    let mut follower = Follower { server, credential, identity, counters: HashMap::new() };
    let stop = follower.server.origin.stop.clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = follower.run() => {}
    }
}

struct Follower {
    server: Arc<Server>,
    credential: Credential,
    identity: Arc<Identity>,
    /// What the server's counters said last, where they are polled.
    counters: HashMap<String, String>,
}

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// What came of asking for the server's events.
enum Connected {
    Open(Box<Socket>),
    /// The server is there and says no.
    Refused,
    Nobody,
}

impl Follower {
    async fn run(&mut self) {
        let server = Arc::clone(&self.server);
        let mut pause = RETRY.0;
        // Whether events went by untold, and whether reads are to wait for us when the server is back.
        let (mut has_missed, mut cut) = (false, None);
        loop {
            server.origin.breaker.back().await;
            let connected = self.connect().await;
            if matches!(connected, Connected::Refused) {
                // It will not want us soon, so nobody has to wait for us.
                cut = None;
            }
            let rest = if let Connected::Open(socket) = connected {
                if std::mem::take(&mut has_missed) {
                    // Whatever happened in between was told to nobody.
                    invalidate::everything(&server);
                    server.change_feed.tidings.was_deaf();
                }
                drop(cut.take());
                tracing::info!(server = server.name(), "following the server's events");
                pause = RETRY.0;
                self.listen(*socket).await;
                has_missed = true;
                cut = Some(server.origin.breaker.attaching());
                server.origin.breaker.note_trouble(server.origin.clock.now_ms());
                tracing::info!(server = server.name(), "the server's events ended; trying again");
                pause
            } else {
                self.poll_once().await;
                // A server that told us its events before will do so again soon.
                if cut.is_some() { pause } else { pause.max(POLL) }
            };
            tokio::select! {
                () = server.origin.clock.sleep(rest) => pause = (pause * 2).min(RETRY.1),
                // It is awaited at the head of the loop, and attached to as soon as it is back.
                () = server.origin.breaker.down() => pause = RETRY.0,
            }
        }
    }

    async fn connect(&self) -> Connected {
        if self.server.origin.settings.kind == Kind::Jellyfin {
            self.ask_who_we_are().await;
        }
        self.server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
        let key = breaker::key_of("the server's events");
        let Some(handshake) = self.handshake() else { return Connected::Nobody };
        let asked = self.server.origin.send(handshake, Lane::Read, key);
        let Ok(Ok(mut response)) = self.server.origin.clock.timeout(PATIENCE, asked).await else {
            return Connected::Nobody;
        };
        let status = response.status();
        if status != http::StatusCode::SWITCHING_PROTOCOLS {
            tracing::debug!(server = self.server.name(), %status, "no events");
            if matches!(status.as_u16(), 401 | 498) {
                self.server.origin.note_own_token(false);
            }
            if status.is_client_error() {
                self.server.note_events(Events::Refused(status.as_u16()));
            }
            return if status.is_server_error() { Connected::Nobody } else { Connected::Refused };
        }
        self.server.origin.note_own_token(true);
        let Ok(upgraded) = hyper::upgrade::on(&mut response).await else { return Connected::Nobody };
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await;
        Connected::Open(Box::new(socket))
    }

    /// Jellyfin tells users what changes, but not keys that belong to nobody.
    async fn ask_who_we_are(&self) {
        if self.identity.account().is_none()
            && let Some(body) = self.get("/Users/Me", Class::Users).await
            && let Some(user) = greenroom_dialect::own_user::own_user(&body)
        {
            self.identity.prove_account(&user);
        }
    }

    fn handshake(&self) -> Option<Request<Body>> {
        let path = match self.server.origin.settings.kind {
            Kind::Plex => "/:/websockets/notifications".to_owned(),
            Kind::Jellyfin => format!("/socket?deviceId=greenroom-{}", self.server.name()),
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
        let _watching = Watching::begin(&self.server, &self.identity);
        let is_deaf = self.server.origin.settings.kind == Kind::Jellyfin && self.identity.account().is_none();
        self.server.note_events(if is_deaf { Events::NobodysKey } else { Events::Followed });
        let server = Arc::clone(&self.server);
        let mut down = std::pin::pin!(server.origin.breaker.down());
        let clock = self.server.origin.clock.clone();
        let mut keep_alive = std::pin::pin!(clock.sleep(KEEP_ALIVE));
        loop {
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        hear(&self.server, text.as_bytes(), By::Follower(&self.identity));
                        self.server.change_feed.tidings.hear(self.server.origin.settings.kind, text.as_bytes());
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
                // A server that vanishes may leave the connection as it is.
                () = down.as_mut() => return,
                () = keep_alive.as_mut() => {
                    if socket.send(self.sign_of_life()).await.is_err() {
                        return;
                    }
                    if is_deaf {
                        self.poll_once().await;
                    }
                    keep_alive.set(clock.sleep(KEEP_ALIVE));
                }
            }
        }
    }

    fn sign_of_life(&self) -> Message {
        match self.server.origin.settings.kind {
            Kind::Plex => Message::Ping(Vec::new().into()),
            Kind::Jellyfin => Message::text(r#"{"MessageType":"KeepAlive"}"#),
        }
    }

    /// Compares the server's counters with the last ones, if a client came lately.
    async fn poll_once(&mut self) {
        let now_ms = self.server.origin.clock.now_ms();
        let idle_ms = u64::try_from(IDLE.as_millis()).unwrap_or(u64::MAX);
        let last_ms = self.server.counters.last_asked_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(last_ms) > idle_ms || !self.server.origin.breaker.admits() {
            return;
        }
        match self.server.origin.settings.kind {
            Kind::Plex => {
                let Some(body) = self.get("/library/sections", Class::Sections).await else { return };
                let counters = greenroom_dialect::change_counters::change_counters(&body).unwrap_or_default();
                for (section, counter) in counters {
                    if self.has_moved(&section, &counter) {
                        invalidate::section_changed(&self.server, &section, &self.identity);
                    }
                }
            }
            Kind::Jellyfin => {
                let Some(body) = self.get("/Items/Counts", Class::Counts).await else { return };
                if self.has_moved("", &String::from_utf8_lossy(&body)) {
                    invalidate::everything(&self.server);
                }
            }
        }
    }

    /// Whether a counter that was known before says something else now.
    fn has_moved(&mut self, of: &str, counter: &str) -> bool {
        let before = self.counters.insert(of.to_owned(), counter.to_owned());
        before.is_some_and(|before| before != counter)
    }

    /// Asks the server something of our own.
    async fn get(&self, path: &str, class: Class) -> Option<bytes::Bytes> {
        self.server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
        let request = self.server.origin.own_request(path, &self.credential)?;
        let asked = async {
            let _place = self.server.origin.queue.place(Errand::own(None, class)).await.ok()?;
            let key = breaker::key_of(path);
            let response = self.server.origin.send(request, Lane::Read, key).await.ok()?;
            let is_ok = response.status() == http::StatusCode::OK;
            match collect(response.into_body(), MAX_POLLED_BYTES).await {
                Collected::Whole(body) if is_ok => Some(body),
                _ => None,
            }
        };
        self.server.origin.clock.timeout(PATIENCE, asked).await.ok().flatten()
    }
}
