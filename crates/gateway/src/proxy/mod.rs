//! From a client's request to its answer.
//!
//! Rooms: [`meaning`] (who asks what), [`read`] (from the cache), [`direct`] (past it), [`observe`] (past it, and judged), [`mod@write`] (once, then what it makes stale), [`stream`] (as it comes),
//! [`socket`] and [`tap`] (notification sockets and event streams, read while they pass), [`hook`] (webhooks), [`timing`] (how long the parts of an answer take), [`load`] and [`image`] (asking the
//! server for what is kept), [`offline`] (while the server is down), [`answer`] (what leaves for the client), [`address`] (what is rewritten in it),
//! [`within`] (a read of our own, for a dashboard), [`note`] and [`cause`] (what is counted of it), [`spot_check`] (whether it was right),
//! [`headers`] (what may pass in either
//! direction), [`peer`] (where a request comes from).

pub mod address;
pub mod answer;
mod cause;
pub mod direct;
pub mod headers;
pub mod hook;
pub mod image;
pub mod load;
pub mod meaning;
mod note;
pub mod observe;
pub mod offline;
pub mod peer;
pub mod read;
pub mod socket;
mod spot_check;
pub mod stream;
pub mod tap;
pub mod timing;
pub mod within;
pub mod write;

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use greenroom_cache::Partition;
use greenroom_upstream::ask::{Ask, Kind};
use greenroom_upstream::open::Open;
use greenroom_upstream::verdict::{Representation, StreamReason, Verdict};
use http::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HeaderValue, ORIGIN};
use http::{HeaderMap, Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;

use crate::body::Body;
use crate::bounds::Bound;
use crate::conversation::{Conversation, Extent};
use crate::departure;
use crate::mode::Mode;
use crate::seats::{Full, Seat};
use crate::server::Server;
use crate::statistics::{self, Outcome, Passage, Why};
use meaning::Meaning;

/// Everything known about a request before it is decided what to do with it.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The server it is for.
    pub server: Arc<Server>,
    /// Who asks, with which app, and what for.
    pub meaning: Arc<Meaning>,
    /// Where the client is: see [`peer`].
    pub client: IpAddr,
    /// Whether the client's own connection is encrypted: with us, or with the proxy before us.
    pub is_encrypted: bool,
    /// The page the request comes from, if a browser says so.
    pub origin: Option<HeaderValue>,
}

/// A visit is what its head means, and its circumstances.
impl Deref for Visit {
    type Target = Meaning;

    fn deref(&self) -> &Meaning {
        &self.meaning
    }
}

impl Visit {
    /// The server's address for what the client asks, as the server gets it.
    fn uri(&self, target: &str) -> Result<http::Uri, http::Error> {
        self.server.origin.uri(&self.target_for_server(target))
    }

    /// What the client asks for, as the server gets it.
    fn target_for_server<'a>(&self, target: &'a str) -> Cow<'a, str> {
        let settings = &self.server.settings;
        settings.kind.target_for_server(target, settings.translate_legacy_auth)
    }

    /// A seat for a notification socket or an event stream, or what the client hears if there is none.
    fn take_socket_seat(&self) -> Result<Seat<Partition>, Box<Response<Body>>> {
        self.server.sockets.take(Some(self.identity.partition().clone())).map_err(|full| {
            let (bound, message) = match full {
                Full::All => (Bound::Sockets, "there are too many notification sockets"),
                Full::Guest => (Bound::SocketsPerIdentity, "this token has too many notification sockets"),
            };
            self.server.bounds.note(bound);
            Box::new(answer::problem(self, StatusCode::SERVICE_UNAVAILABLE, message))
        })
    }
}

/// Answers one request. Never fails: every failure is an answer.
pub async fn handle(server: Arc<Server>, peer: SocketAddr, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let conversation = parts.extensions.get::<Arc<Conversation>>().cloned();
    let has_two_lengths =
        conversation.as_ref().is_some_and(|heard| heard.has_two_lengths(Extent::of(&parts.headers)));
    let target = target_of(&server, &parts.uri);
    if !has_two_lengths && target.starts_with(hook::PREFIX) && server.settings.kind == Kind::Plex {
        return hook::receive(server, &target, parts, body).await;
    }
    server.counters.asked.fetch_add(1, Ordering::Relaxed);
    let began_us = server.clock.now_us();
    let now_ms = server.clock.moment_us(began_us) / 1000;
    server.counters.last_asked_ms.store(now_ms, Ordering::Relaxed);
    let ask = Ask { method: &parts.method, target: &target, headers: &parts.headers, body: &[] };
    let meaning = server.meanings.of(&server, &ask, now_ms);
    meaning.app.asked.fetch_add(1, Ordering::Relaxed);
    meaning.app.see(now_ms);
    let origin = parts.headers.get(ORIGIN).cloned();
    meaning.app.first_asked.get_or_init(|| word_of(&meaning.verdict));
    let trusted = &server.settings.hygiene.trusted_proxies;
    let client = peer::client(peer.ip(), &parts.headers, trusted);
    let is_encrypted =
        server.settings.shown.is_some() || peer::is_said_encrypted(peer.ip(), &parts.headers, trusted);
    let visit = Visit { server, meaning: Arc::clone(&meaning), client, is_encrypted, origin };
    let server = Arc::clone(&visit.server);
    let asked = note::Asked { began_us, parent: server.traces.parent(&parts.headers) };
    let waiting = note::Waiting::new(&server, &meaning, asked);
    let (mut response, outcome) = if has_two_lengths {
        let mut refused = answer::problem(&visit, StatusCode::BAD_REQUEST, "the body has two lengths");
        // Where the next request begins is anybody's guess.
        refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        (refused, Outcome::new(statistics::Verdict::Refused, Why::Inadmissible))
    } else if let Some((status, why)) = inadmissible(&visit, &ask) {
        (answer::problem(&visit, status, why), Outcome::new(statistics::Verdict::Refused, Why::Inadmissible))
    } else {
        reply(visit, &target, parts, body).await
    };
    let status = response.status();
    note::let_in(&server, &meaning, status);
    waiting.answered(&mut response, outcome);
    if has_two_lengths {
        return response;
    }
    if let (StatusCode::SWITCHING_PROTOCOLS, Some(conversation)) = (status, &conversation) {
        conversation.is_handed_over();
    }
    let refused = meaning.identity.refused();
    if matches!(status.as_u16(), 401 | 403 | 498)
        || matches!(status.as_u16(), 404 | 410) && refused.is_behind()
    {
        // What the server took away does not come back, also not if the process is killed from here on: neither the
        // proof, nor what was kept by it.
        refused.settled().await;
    }
    if matches!(status.as_u16(), 401 | 498) {
        meaning.app.unauthorised.fetch_add(1, Ordering::Relaxed);
    }
    departure::bind(response, conversation.as_ref())
}

/// The answer to a request that may be one, and how it came to be.
async fn reply(
    visit: Visit,
    target: &str,
    parts: request::Parts,
    body: Incoming,
) -> (Response<Body>, Outcome) {
    let meaning = Arc::clone(&visit.meaning);
    let passed = |passage| Outcome::new(statistics::Verdict::Passed, Why::Passed(passage));
    if visit.server.is_emby() {
        let message = "the media server is an Emby, which is not supported yet";
        let outcome = Outcome::new(statistics::Verdict::Refused, Why::Inadmissible);
        return (answer::problem(&visit, StatusCode::NOT_IMPLEMENTED, message), outcome);
    }
    match (meaning.open, &meaning.verdict) {
        (_, Verdict::Refuse(refusal)) => {
            let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
            let outcome = Outcome::new(statistics::Verdict::Refused, Why::Inadmissible);
            (answer::problem(&visit, status, refusal.message()), outcome)
        }
        (Open::No, _) => {
            visit.server.counters.unauthorised.fetch_add(1, Ordering::Relaxed);
            let message = "no token was sent, and this path needs one";
            let outcome = Outcome::new(statistics::Verdict::Refused, Why::NoToken);
            (answer::problem(&visit, StatusCode::UNAUTHORIZED, message), outcome)
        }
        (_, Verdict::Stream(StreamReason::Socket)) => {
            (socket::pass(visit, target, parts, body).await, passed(Passage::Events))
        }
        (_, Verdict::Stream(reason)) => {
            (stream::pass(&visit, *reason, target, parts, body).await, passed(Passage::of(*reason)))
        }
        (Open::Pass, Verdict::Read(_)) => {
            let response = stream::pass(&visit, StreamReason::Account, target, parts, body).await;
            (response, passed(Passage::NoToken))
        }
        (Open::Keep, Verdict::Read(_)) if visit.credential.ambiguous => {
            let response = stream::pass(&visit, StreamReason::Odd, target, parts, body).await;
            (response, passed(Passage::TwoTokens))
        }
        (Open::Keep, Verdict::Read(read)) => {
            let observation = visit.server.switch.observation();
            match (visit.server.manner(read.class, &visit.app), observation) {
                (Mode::Bypass, _) => {
                    let response = direct::pass(&visit, read, target, parts, body).await;
                    (response, passed(Passage::Bypassed))
                }
                (Mode::Observe, Some(observation)) => {
                    let read = Arc::clone(read);
                    let response = observe::answer(visit, read, observation, target, parts, body).await;
                    (response, passed(Passage::Bypassed))
                }
                _ => read::answer(visit, Arc::clone(read), &parts).await,
            }
        }
        (_, Verdict::Write(_)) => {
            let outcome = Outcome::new(statistics::Verdict::Write, Why::Passed(Passage::Write));
            (write::pass(visit, target, parts, body).await, outcome)
        }
    }
}

/// What a request is, in one word for people.
pub(crate) fn word_of(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Read(read) => read.class.name(),
        Verdict::Write(_) => "write",
        Verdict::Stream(reason) => reason.name(),
        Verdict::Refuse(_) => "refused",
    }
}

/// Why a request goes nowhere, whatever it asks for and whoever asks.
fn inadmissible(visit: &Visit, ask: &Ask<'_>) -> Option<(StatusCode, &'static str)> {
    let settings = &visit.server.settings;
    if let Some(why) = headers::contradiction(ask.headers) {
        Some((StatusCode::BAD_REQUEST, why))
    } else if headers::is_packed(ask.headers) {
        Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, "bodies are taken as they are, not packed"))
    } else if matches!(*ask.method, Method::CONNECT | Method::TRACE) {
        Some((StatusCode::METHOD_NOT_ALLOWED, "this method is not supported"))
    } else if !settings.hygiene.known_proxy
        && !peer::is_near(visit.client)
        && settings.kind.is_only_for_neighbours(ask)
    {
        let why = "the server would take this for a request from its own network, which it is not; \
                   see known_proxy in the documentation";
        Some((StatusCode::FORBIDDEN, why))
    } else {
        None
    }
}

/// Path and query without scheme, authority and a base path, ours or the server's: clients may or may not send one.
fn target_of(server: &Server, uri: &http::Uri) -> String {
    without_base_path(server, uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str))
}

/// A path and query without a base path, ours or the server's.
pub(crate) fn without_base_path(server: &Server, whole: &str) -> String {
    let settings = &server.settings;
    address::below(whole, &settings.listen_base_path)
        .or_else(|| address::below(whole, &settings.base_path))
        .unwrap_or_else(|| whole.to_owned())
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
