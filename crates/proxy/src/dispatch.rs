//! Dispatches each client request: classifies it, then rejects it or passes it to the module that answers requests of
//! its kind.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use greenroom_dialect::anonymous_access::AnonymousAccess;
use greenroom_dialect::classification::{Classification, StreamReason};
use greenroom_dialect::request::{RequestView, ServerKind};
use http::header::{CONNECTION, HeaderValue, ORIGIN};
use http::{Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;

use crate::http::connection::{BodyFraming, ClientConnection};
use crate::http::on_sent;
pub use crate::proxy_request::{ProxyRequest, classify};
use crate::record::{self, DecisionOutcome, DecisionReason, PassReason};
use crate::request::base_path::target_from_uri;
use crate::request::classified_request::category_name;
use crate::server::Server;
use greenroom_config::CacheMode;
use greenroom_origin::body::Body;

/// Answers one request and records its result. Infallible: every failure becomes a response.
pub async fn handle(server: Arc<Server>, peer: SocketAddr, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let conversation = parts.extensions.get::<Arc<ClientConnection>>().cloned();
    let has_two_lengths = conversation
        .as_ref()
        .is_some_and(|heard| heard.has_conflicting_length(BodyFraming::from_headers(&parts.headers)));
    let target = target_from_uri(&server.origin.settings, &parts.uri);
    if !has_two_lengths
        && target.starts_with(crate::stream::webhook::PREFIX)
        && server.origin.settings.kind == ServerKind::Plex
    {
        return crate::stream::webhook::receive(server, peer.ip(), &target, parts, body).await;
    }
    server.counters.requests.fetch_add(1, Ordering::Relaxed);
    let began_us = server.origin.clock.now_us();
    let now_ms = server.origin.clock.wall_us(began_us) / 1000;
    server.counters.last_request_ms.store(now_ms, Ordering::Relaxed);
    let ask = RequestView { method: &parts.method, target: &target, headers: &parts.headers, body: &[] };
    let meaning = classify::classify(&server, &ask, now_ms);
    meaning.app.requests.fetch_add(1, Ordering::Relaxed);
    meaning.app.record_seen(now_ms);
    let origin = parts.headers.get(ORIGIN).cloned();
    meaning.app.first_asked.get_or_init(|| category_name(&meaning.classification));
    let trusted = &server.origin.settings.listener_limits.trusted_proxies;
    let client = crate::request::client_ip::client(peer.ip(), &parts.headers, trusted);
    let is_encrypted = server.origin.settings.certificate.is_some()
        || crate::request::client_ip::is_forwarded_https(peer.ip(), &parts.headers, trusted);
    let visit = ProxyRequest { server, classified: Arc::clone(&meaning), client, is_encrypted, origin };
    let server = Arc::clone(&visit.server);
    let asked =
        crate::access_log::RequestStart { started_us: began_us, parent: server.recorders.otlp.parent(&parts.headers) };
    let waiting = crate::access_log::InFlightRequest::new(&server, &meaning, asked);
    let (mut response, outcome) = if has_two_lengths {
        let mut refused = crate::response::problem(&visit, StatusCode::BAD_REQUEST, "the body has two lengths");
        // With two lengths it is unknown where the next request on this connection begins.
        refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        (refused, DecisionOutcome::new(record::CacheResult::Refused, DecisionReason::Inadmissible))
    } else if let Some((status, why)) = rejection(&visit, &ask) {
        (
            crate::response::problem(&visit, status, why),
            DecisionOutcome::new(record::CacheResult::Refused, DecisionReason::Inadmissible),
        )
    } else {
        reply(visit, &target, parts, body).await
    };
    let status = response.status();
    crate::access_log::record_auth_status(&server, &meaning, status);
    waiting.finish(&mut response, outcome);
    if has_two_lengths {
        return response;
    }
    if let (StatusCode::SWITCHING_PROTOCOLS, Some(conversation)) = (status, &conversation) {
        conversation.set_upgraded();
    }
    let refused = meaning.identity.revocations();
    if matches!(status.as_u16(), 401 | 403 | 498) || matches!(status.as_u16(), 404 | 410) && refused.has_pending() {
        // Makes the revocation durable before the response is sent. Otherwise the revoked grant and its entries would
        // come back if the process were killed now.
        refused.flush().await;
    }
    if matches!(status.as_u16(), 401 | 498) {
        meaning.app.unauthorised.fetch_add(1, Ordering::Relaxed);
    }
    on_sent::bind(response, conversation.as_ref())
}

/// Answers a request that [`rejection`] allows. Returns the response and the result to record.
async fn reply(
    visit: ProxyRequest,
    target: &str,
    parts: request::Parts,
    body: Incoming,
) -> (Response<Body>, DecisionOutcome) {
    let meaning = Arc::clone(&visit.classified);
    let passed = |passage| DecisionOutcome::new(record::CacheResult::Passed, DecisionReason::Passed(passage));
    if visit.server.origin.is_emby() {
        let message = "the media server is an Emby, which is not supported yet";
        let outcome = DecisionOutcome::new(record::CacheResult::Refused, DecisionReason::Inadmissible);
        return (crate::response::problem(&visit, StatusCode::NOT_IMPLEMENTED, message), outcome);
    }
    match (meaning.anonymous_access, &meaning.classification) {
        (_, Classification::Refuse(refusal)) => {
            let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
            let outcome = DecisionOutcome::new(record::CacheResult::Refused, DecisionReason::Inadmissible);
            (crate::response::problem(&visit, status, refusal.message()), outcome)
        }
        (AnonymousAccess::Denied, _) => {
            visit.server.counters.unauthorised.fetch_add(1, Ordering::Relaxed);
            let message = "no token was sent, and this path needs one";
            let outcome = DecisionOutcome::new(record::CacheResult::Refused, DecisionReason::NoToken);
            (crate::response::problem(&visit, StatusCode::UNAUTHORIZED, message), outcome)
        }
        (_, Classification::Stream(StreamReason::Socket)) => {
            (crate::stream::websocket::pass(visit, target, parts, body).await, passed(PassReason::Events))
        }
        (_, Classification::Stream(reason)) => (
            crate::stream::pass(&visit, *reason, target, parts, body).await,
            passed(PassReason::from_stream_reason(*reason)),
        ),
        (AnonymousAccess::PassThrough, Classification::Read(_)) => {
            let response = crate::stream::pass(&visit, StreamReason::Account, target, parts, body).await;
            (response, passed(PassReason::NoToken))
        }
        (AnonymousAccess::Cacheable, Classification::Read(_)) if visit.credential.ambiguous => {
            let response = crate::stream::pass(&visit, StreamReason::Odd, target, parts, body).await;
            (response, passed(PassReason::TwoTokens))
        }
        (AnonymousAccess::Cacheable, Classification::Read(read)) => {
            let observation = visit.server.modes.switch.shadow_run();
            match (visit.server.read_mode(read.class, &visit.app), observation) {
                (CacheMode::Bypass, _) => {
                    let response = crate::read::bypass_read::pass(&visit, read, target, parts, body).await;
                    (response, passed(PassReason::Bypassed))
                }
                (CacheMode::Observe, Some(observation)) => {
                    let read = Arc::clone(read);
                    let response =
                        crate::read::shadow_read::answer(visit, read, observation, target, parts, body).await;
                    (response, passed(PassReason::Bypassed))
                }
                _ => crate::read::answer(visit, Arc::clone(read), &parts).await,
            }
        }
        (_, Classification::Write(_)) => {
            let outcome = DecisionOutcome::new(record::CacheResult::Write, DecisionReason::Passed(PassReason::Write));
            (crate::write::pass(visit, target, parts, body).await, outcome)
        }
    }
}

/// Reason to reject a request before its classification and token matter, with the status to send.
fn rejection(visit: &ProxyRequest, ask: &RequestView<'_>) -> Option<(StatusCode, &'static str)> {
    let settings = &visit.server.origin.settings;
    if let Some(why) = crate::request::headers::conflicting_headers(ask.headers) {
        Some((StatusCode::BAD_REQUEST, why))
    } else if crate::request::headers::is_compressed(ask.headers) {
        Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, "bodies are taken as they are, not packed"))
    } else if matches!(*ask.method, Method::CONNECT | Method::TRACE) {
        Some((StatusCode::METHOD_NOT_ALLOWED, "this method is not supported"))
    } else if !settings.listener_limits.known_proxy
        && !crate::request::client_ip::is_local(visit.client)
        && settings.kind.is_local_network_only(ask)
    {
        let why = "the server would take this for a request from its own network, which it is not; \
                   see known_proxy in the documentation";
        Some((StatusCode::FORBIDDEN, why))
    } else {
        None
    }
}
