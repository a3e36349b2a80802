//! The server's own events, followed with the owner's token where one is configured.
//!
//! Plex tells its owner over one socket what changed in the library and what is played; Jellyfin tells each user.
//! Where the socket cannot be had, Plex's change counter per section is polled instead, at most once a minute and
//! only while clients come.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use greenroom_upstream::ask::Kind;
use greenroom_upstream::credential::{Credential, Form};
use http::Request;
use http::header::{HeaderValue, UPGRADE};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::body::{Body, Collected, collect};
use crate::identity::Identity;
use crate::origin::Lane;
use crate::proxy::tap::{Watching, hear};
use crate::server::Server;
use crate::stale::{self, By};

/// First and longest pause between attempts to connect.
const RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
/// How often a sign of life is sent; Jellyfin drops a socket after 60 s of silence.
const KEEP_ALIVE: Duration = Duration::from_secs(25);
/// How often the change counters are polled where there is no socket.
const POLL: Duration = Duration::from_secs(60);
/// Without a client for so long nothing is polled.
const IDLE: Duration = Duration::from_secs(600);
/// Longest list of sections.
const MAX_POLLED_BYTES: u64 = 4 * 1024 * 1024;

/// Follows the server's events until it is stopped. Without a token there is nothing to follow.
pub async fn follow(server: Arc<Server>) {
    let Some(token) = server.settings.token.clone() else { return };
    let form = if server.settings.kind == Kind::Plex { Form::PlexHeader } else { Form::Authorization };
    let credential = Credential {
        token: Some(token),
        form,
        product: Some("Greenroom".into()),
        version: Some(env!("CARGO_PKG_VERSION").into()),
        device: Some("Greenroom".into()),
        device_id: Some(format!("greenroom-{}", server.name())),
        ambiguous: false,
    };
    let identity = server.identify(&credential);
    let mut follower = Follower { server, credential, identity, sections: HashMap::new() };
    let stop = follower.server.stop.clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = follower.run() => {}
    }
}

struct Follower {
    server: Arc<Server>,
    credential: Credential,
    identity: Arc<Identity>,
    /// Change counter per section, where they are polled.
    sections: HashMap<String, String>,
}

impl Follower {
    async fn run(&mut self) {
        let mut pause = RETRY.0;
        loop {
            if let Some(socket) = self.connect().await {
                tracing::info!(server = self.server.name(), "following the server's events");
                pause = RETRY.0;
                self.listen(socket).await;
                tracing::info!(server = self.server.name(), "the server's events ended; trying again");
            } else if self.server.settings.kind == Kind::Plex {
                self.poll().await;
            }
            self.server.clock.sleep(pause).await;
            pause = (pause * 2).min(RETRY.1);
        }
    }

    async fn connect(&self) -> Option<WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>> {
        self.server.counters.own.fetch_add(1, Ordering::Relaxed);
        let mut response = self.server.origin.send(self.handshake()?, Lane::Read).await.ok()?;
        if response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
            tracing::debug!(server = self.server.name(), status = %response.status(), "no events");
            return None;
        }
        let upgraded = hyper::upgrade::on(&mut response).await.ok()?;
        Some(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await)
    }

    fn handshake(&self) -> Option<Request<Body>> {
        let path = match self.server.settings.kind {
            Kind::Plex => "/:/websockets/notifications".to_owned(),
            Kind::Jellyfin => format!("/socket?deviceId=greenroom-{}", self.server.name()),
        };
        let mut request = Request::builder()
            .uri(self.server.origin.uri(&path).ok()?)
            .header("connection", "Upgrade")
            .header(UPGRADE, "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", generate_key())
            .body(Body::empty())
            .ok()?;
        for (name, value) in self.server.settings.kind.credential_headers(&self.credential, true) {
            request.headers_mut().insert(name, value);
        }
        Some(request)
    }

    async fn listen(&self, mut socket: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>) {
        let _watching = (self.server.settings.kind == Kind::Jellyfin)
            .then(|| Watching::begin(Arc::clone(&self.server), Arc::clone(&self.identity)));
        loop {
            match self.server.clock.timeout(KEEP_ALIVE, socket.next()).await {
                Ok(Some(Ok(message))) => {
                    if let Message::Text(text) = &message {
                        hear(&self.server, text.as_bytes(), By::Follower(&self.identity));
                    }
                }
                Ok(Some(Err(_)) | None) => return,
                Err(_) => {
                    let sign = match self.server.settings.kind {
                        Kind::Plex => Message::Ping(Vec::new().into()),
                        Kind::Jellyfin => Message::text(r#"{"MessageType":"KeepAlive"}"#),
                    };
                    if socket.send(sign).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Compares the change counters of all sections with the last ones.
    async fn poll(&mut self) {
        let now_ms = self.server.clock.now_ms();
        let idle_ms = u64::try_from(IDLE.as_millis()).unwrap_or(u64::MAX);
        let last_ms = self.server.counters.last_asked_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(last_ms) > idle_ms {
            return;
        }
        let Some(counters) = self.counters().await else { return };
        for (section, counter) in counters {
            let before = self.sections.insert(section.clone(), counter.clone());
            if before.is_some_and(|before| before != counter) {
                stale::section_changed(&self.server, &section, &self.identity);
            }
        }
        self.server.clock.sleep(POLL.saturating_sub(RETRY.0)).await;
    }

    async fn counters(&self) -> Option<Vec<(String, String)>> {
        self.server.counters.own.fetch_add(1, Ordering::Relaxed);
        let mut request = Request::builder()
            .uri(self.server.origin.uri("/library/sections").ok()?)
            .body(Body::empty())
            .ok()?;
        request.headers_mut().insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in self.server.settings.kind.credential_headers(&self.credential, true) {
            request.headers_mut().insert(name, value);
        }
        let _place = self.server.origin.place().await;
        let response = self.server.origin.send(request, Lane::Read).await.ok()?;
        match collect(response.into_body(), MAX_POLLED_BYTES).await {
            Collected::Whole(body) => greenroom_upstream::greeting::change_counters(&body),
            _ => None,
        }
    }
}
