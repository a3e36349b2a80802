//! From a client's request to its answer.
//!
//! Rooms: [`read`] (from the cache), [`direct`] (past it), [`observe`] (past it, and judged), [`mod@write`] (once, then what it makes stale), [`stream`] (as it comes),
//! [`socket`] and [`tap`] (notification sockets and event streams, read while they pass), [`hook`] (webhooks), [`load`] (asking the
//! server for what is kept), [`answer`] (what leaves for the client), [`address`] (the one thing rewritten in it),
//! [`headers`] (what may pass in either
//! direction).

pub mod address;
pub mod answer;
pub mod direct;
pub mod headers;
pub mod hook;
pub mod load;
pub mod observe;
pub mod read;
pub mod socket;
pub mod stream;
pub mod tap;
pub mod write;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use greenroom_upstream::ask::{Ask, Kind};
use greenroom_upstream::credential::Credential;
use greenroom_upstream::open::Open;
use greenroom_upstream::verdict::{Representation, StreamReason, Verdict};
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, ORIGIN, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::apps::App;
use crate::body::Body;
use crate::identity::Identity;
use crate::mode::Mode;
use crate::server::Server;

/// Everything known about a request before it is decided what to do with it.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The server it is for.
    pub server: Arc<Server>,
    /// Who asks.
    pub identity: Arc<Identity>,
    /// What they showed.
    pub credential: Arc<Credential>,
    /// Which app it is.
    pub app: Arc<App>,
    /// Where the connection comes from.
    pub peer: SocketAddr,
    /// The representation the client understands, for errors of ours.
    pub representation: Representation,
    /// The page the request comes from, if a browser says so.
    pub origin: Option<HeaderValue>,
}

/// Answers one request. Never fails: every failure is an answer.
pub async fn handle(server: Arc<Server>, peer: SocketAddr, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let target = target_of(&server, &parts.uri);
    if target.starts_with(hook::PREFIX) && server.settings.kind == Kind::Plex {
        return hook::receive(server, &target, parts, body).await;
    }
    server.counters.asked.fetch_add(1, Ordering::Relaxed);
    server.counters.last_asked_ms.store(server.clock.now_ms(), Ordering::Relaxed);
    let ask = Ask { method: &parts.method, target: &target, headers: &parts.headers, body: &[] };
    let kind = server.settings.kind;
    let credential = kind.credential(&ask);
    let identity = server.identify(&credential);
    let app = greet(&server, &credential, &parts.headers);
    let verdict = kind.classify(&ask, identity.account().as_deref());
    let representation = representation_of(&verdict, &parts.headers, server.settings.kind);
    let open = if credential.token.is_some() { Open::Keep } else { kind.open_without_token(&ask) };
    let ambiguous = credential.ambiguous;
    let origin = parts.headers.get(ORIGIN).cloned();
    let visit =
        Visit { server, identity, credential: Arc::new(credential), app, peer, representation, origin };
    if parts.headers.contains_key(TRANSFER_ENCODING) && parts.headers.contains_key(CONTENT_LENGTH) {
        return answer::problem(&visit, StatusCode::BAD_REQUEST, "the body has two lengths");
    }
    if matches!(parts.method, Method::CONNECT | Method::TRACE) {
        return answer::problem(&visit, StatusCode::METHOD_NOT_ALLOWED, "this method is not supported");
    }
    match (open, verdict) {
        (_, Verdict::Refuse(refusal)) => {
            let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
            answer::problem(&visit, status, refusal.message())
        }
        (Open::No, _) => {
            visit.server.counters.unauthorised.fetch_add(1, Ordering::Relaxed);
            answer::problem(&visit, StatusCode::UNAUTHORIZED, "no token was sent, and this path needs one")
        }
        (_, Verdict::Stream(StreamReason::Socket)) => socket::pass(visit, &target, parts, body).await,
        (_, Verdict::Stream(reason)) => stream::pass(&visit, reason, &target, parts, body).await,
        (Open::Pass, Verdict::Read(_)) => {
            stream::pass(&visit, StreamReason::Account, &target, parts, body).await
        }
        (Open::Keep, Verdict::Read(_)) if ambiguous => {
            stream::pass(&visit, StreamReason::Odd, &target, parts, body).await
        }
        (Open::Keep, Verdict::Read(read)) => {
            let observation = visit.server.switch.observation();
            match (visit.server.manner(read.class, &visit.app), observation) {
                (Mode::Bypass, _) => direct::pass(&visit, &read, &target, parts, body).await,
                (Mode::Observe, Some(observation)) => {
                    observe::answer(visit, *read, observation, &target, parts, body).await
                }
                _ => read::answer(visit, *read, &parts).await,
            }
        }
        (_, Verdict::Write(_)) => write::pass(visit, &target, parts, body).await,
    }
}

/// Path and query without scheme, authority and the server's base path: clients may or may not send the latter.
fn target_of(server: &Server, uri: &http::Uri) -> String {
    without_base_path(server, uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str))
}

/// A path and query without the server's base path.
pub(crate) fn without_base_path(server: &Server, whole: &str) -> String {
    let base = server.settings.base_path.as_str();
    let rest = if base.is_empty() { None } else { whole.strip_prefix(base) };
    match rest {
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        Some(rest) if rest.is_empty() || rest.starts_with('?') => format!("/{rest}"),
        _ => whole.to_owned(),
    }
}

fn greet(server: &Server, credential: &Credential, headers: &HeaderMap) -> Arc<App> {
    let (name, app, is_new) = server.apps.of(credential, headers);
    if is_new {
        tracing::info!(server = server.name(), app = name, "first request of an app");
    }
    app.asked.fetch_add(1, Ordering::Relaxed);
    app
}

fn representation_of(verdict: &Verdict, headers: &HeaderMap, kind: Kind) -> Representation {
    if let Verdict::Read(read) = verdict {
        return read.representation;
    }
    let accepts_json = headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("json"));
    match kind {
        Kind::Jellyfin => Representation::Json,
        Kind::Plex if accepts_json => Representation::Json,
        Kind::Plex => Representation::Xml,
    }
}

/// A response of ours with a body in the client's representation.
pub(crate) fn whole(status: StatusCode, content_type: &str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    if let Ok(value) = content_type.parse() {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}
