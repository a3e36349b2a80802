//! From a client's request to its answer: the request is understood, refused where it may not be made, and handed to the
//! room that answers its kind.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use greenroom_dialect::ask::{Ask, Kind};
use greenroom_dialect::open::Open;
use greenroom_dialect::verdict::{StreamReason, Verdict};
use http::header::{CONNECTION, HeaderValue, ORIGIN};
use http::{Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;

use crate::http::connection::{Conversation, Extent};
use crate::http::on_sent;
use crate::record::{self, Outcome, Passage, Why};
use crate::request::base_path::target_of;
use crate::request::meaning::word_of;
use crate::server::Server;
pub use crate::visit::{Visit, classify};
use greenroom_config::Mode;
use greenroom_origin::body::Body;

/// Answers one request. Never fails: every failure is an answer.
pub async fn handle(server: Arc<Server>, peer: SocketAddr, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let conversation = parts.extensions.get::<Arc<Conversation>>().cloned();
    let has_two_lengths =
        conversation.as_ref().is_some_and(|heard| heard.has_two_lengths(Extent::of(&parts.headers)));
    let target = target_of(&server.origin.settings, &parts.uri);
    if !has_two_lengths
        && target.starts_with(crate::stream::webhook::PREFIX)
        && server.origin.settings.kind == Kind::Plex
    {
        return crate::stream::webhook::receive(server, peer.ip(), &target, parts, body).await;
    }
    server.counters.asked.fetch_add(1, Ordering::Relaxed);
    let began_us = server.origin.clock.now_us();
    let now_ms = server.origin.clock.moment_us(began_us) / 1000;
    server.counters.last_asked_ms.store(now_ms, Ordering::Relaxed);
    let ask = Ask { method: &parts.method, target: &target, headers: &parts.headers, body: &[] };
    let meaning = classify::of(&server, &ask, now_ms);
    meaning.app.asked.fetch_add(1, Ordering::Relaxed);
    meaning.app.see(now_ms);
    let origin = parts.headers.get(ORIGIN).cloned();
    meaning.app.first_asked.get_or_init(|| word_of(&meaning.verdict));
    let trusted = &server.origin.settings.hygiene.trusted_proxies;
    let client = crate::request::client_ip::client(peer.ip(), &parts.headers, trusted);
    let is_encrypted = server.origin.settings.shown.is_some()
        || crate::request::client_ip::is_said_encrypted(peer.ip(), &parts.headers, trusted);
    let visit = Visit { server, meaning: Arc::clone(&meaning), client, is_encrypted, origin };
    let server = Arc::clone(&visit.server);
    let asked = crate::access_log::Asked { began_us, parent: server.record.traces.parent(&parts.headers) };
    let waiting = crate::access_log::Waiting::new(&server, &meaning, asked);
    let (mut response, outcome) = if has_two_lengths {
        let mut refused =
            crate::response::problem(&visit, StatusCode::BAD_REQUEST, "the body has two lengths");
        // Where the next request begins is anybody's guess.
        refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        (refused, Outcome::new(record::Verdict::Refused, Why::Inadmissible))
    } else if let Some((status, why)) = inadmissible(&visit, &ask) {
        (
            crate::response::problem(&visit, status, why),
            Outcome::new(record::Verdict::Refused, Why::Inadmissible),
        )
    } else {
        reply(visit, &target, parts, body).await
    };
    let status = response.status();
    crate::access_log::let_in(&server, &meaning, status);
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
    on_sent::bind(response, conversation.as_ref())
}

/// The answer to a request that may be one, and how it came to be.
async fn reply(
    visit: Visit,
    target: &str,
    parts: request::Parts,
    body: Incoming,
) -> (Response<Body>, Outcome) {
    let meaning = Arc::clone(&visit.meaning);
    let passed = |passage| Outcome::new(record::Verdict::Passed, Why::Passed(passage));
    if visit.server.origin.is_emby() {
        let message = "the media server is an Emby, which is not supported yet";
        let outcome = Outcome::new(record::Verdict::Refused, Why::Inadmissible);
        return (crate::response::problem(&visit, StatusCode::NOT_IMPLEMENTED, message), outcome);
    }
    match (meaning.open, &meaning.verdict) {
        (_, Verdict::Refuse(refusal)) => {
            let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
            let outcome = Outcome::new(record::Verdict::Refused, Why::Inadmissible);
            (crate::response::problem(&visit, status, refusal.message()), outcome)
        }
        (Open::No, _) => {
            visit.server.counters.unauthorised.fetch_add(1, Ordering::Relaxed);
            let message = "no token was sent, and this path needs one";
            let outcome = Outcome::new(record::Verdict::Refused, Why::NoToken);
            (crate::response::problem(&visit, StatusCode::UNAUTHORIZED, message), outcome)
        }
        (_, Verdict::Stream(StreamReason::Socket)) => {
            (crate::stream::websocket::pass(visit, target, parts, body).await, passed(Passage::Events))
        }
        (_, Verdict::Stream(reason)) => {
            (crate::stream::pass(&visit, *reason, target, parts, body).await, passed(Passage::of(*reason)))
        }
        (Open::Pass, Verdict::Read(_)) => {
            let response = crate::stream::pass(&visit, StreamReason::Account, target, parts, body).await;
            (response, passed(Passage::NoToken))
        }
        (Open::Keep, Verdict::Read(_)) if visit.credential.ambiguous => {
            let response = crate::stream::pass(&visit, StreamReason::Odd, target, parts, body).await;
            (response, passed(Passage::TwoTokens))
        }
        (Open::Keep, Verdict::Read(read)) => {
            let observation = visit.server.modes.switch.observation();
            match (visit.server.manner(read.class, &visit.app), observation) {
                (Mode::Bypass, _) => {
                    let response = crate::read::bypass_read::pass(&visit, read, target, parts, body).await;
                    (response, passed(Passage::Bypassed))
                }
                (Mode::Observe, Some(observation)) => {
                    let read = Arc::clone(read);
                    let response =
                        crate::read::shadow_read::answer(visit, read, observation, target, parts, body).await;
                    (response, passed(Passage::Bypassed))
                }
                _ => crate::read::answer(visit, Arc::clone(read), &parts).await,
            }
        }
        (_, Verdict::Write(_)) => {
            let outcome = Outcome::new(record::Verdict::Write, Why::Passed(Passage::Write));
            (crate::write::pass(visit, target, parts, body).await, outcome)
        }
    }
}

/// Why a request goes nowhere, whatever it asks for and whoever asks.
fn inadmissible(visit: &Visit, ask: &Ask<'_>) -> Option<(StatusCode, &'static str)> {
    let settings = &visit.server.origin.settings;
    if let Some(why) = crate::request::headers::contradiction(ask.headers) {
        Some((StatusCode::BAD_REQUEST, why))
    } else if crate::request::headers::is_packed(ask.headers) {
        Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, "bodies are taken as they are, not packed"))
    } else if matches!(*ask.method, Method::CONNECT | Method::TRACE) {
        Some((StatusCode::METHOD_NOT_ALLOWED, "this method is not supported"))
    } else if !settings.hygiene.known_proxy
        && !crate::request::client_ip::is_near(visit.client)
        && settings.kind.is_only_for_neighbours(ask)
    {
        let why = "the server would take this for a request from its own network, which it is not; \
                   see known_proxy in the documentation";
        Some((StatusCode::FORBIDDEN, why))
    } else {
        None
    }
}
