//! Dispatches each client request: classifies it, then rejects it or passes it to the module that answers requests of
//! its kind.

use greenroom_cache::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use greenroom_dialect::anonymous_access::AnonymousAccess;
use greenroom_dialect::classification::{Classification, StreamReason};
use greenroom_dialect::request::{RequestView, ServerKind};
use http::header::{CONNECTION, HeaderValue, ORIGIN};
use http::{Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;

use crate::account_request;
pub use crate::proxy_request::{ProxyRequest, classify};
use crate::read::fast_path;
use crate::request::base_path::target_from_uri;
use crate::request::classified_request::category_name;
use crate::server::Server;
use greenroom_config::CacheMode;
use greenroom_http_server::connection::{BodyFraming, ClientConnection};
use greenroom_http_server::on_sent;
use greenroom_origin::body::Body;
use greenroom_request_log::{CacheResult, DecisionOutcome, DecisionReason, PassReason};

/// Answers one request and records its result. Infallible: every failure becomes a response.
pub async fn handle(server: Arc<Server>, peer: SocketAddr, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let connection = parts.extensions.get::<Arc<ClientConnection>>().cloned();
    let has_two_lengths = connection
        .as_ref()
        .is_some_and(|connection| connection.has_conflicting_length(BodyFraming::from_headers(&parts.headers)));
    let target = target_from_uri(&server.origin.settings, &parts.uri);
    if !has_two_lengths
        && target.starts_with(crate::stream::webhook::PREFIX)
        && server.origin.settings.kind == ServerKind::Plex
    {
        return Box::pin(crate::stream::webhook::receive(server, peer.ip(), &target, parts, body)).await;
    }
    let started_us = server.origin.clock.now_us();
    let now_ms = server.origin.clock.wall_us(started_us) / 1000;
    server.counters.last_request_ms.store(Timestamp::from_millis(now_ms), Ordering::Relaxed);
    let view = RequestView { method: &parts.method, target: &target, headers: &parts.headers, body: &[] };
    let mut classified = classify::classify(&server, &view, Timestamp::from_millis(now_ms));
    if account_request::is_due(&server, &classified, Timestamp::from_millis(now_ms)) {
        Box::pin(account_request::send_for(&server, &classified)).await;
        classified = classify::classify(&server, &view, Timestamp::from_millis(now_ms));
    }
    if !server.is_own_app(&classified.app) {
        server.counters.requests.fetch_add(1, Ordering::Relaxed);
    }
    classified.app.requests.fetch_add(1, Ordering::Relaxed);
    classified.app.record_seen(Timestamp::from_millis(now_ms));
    let origin = parts.headers.get(ORIGIN).cloned();
    classified.app.first_asked.get_or_init(|| category_name(&classified.classification));
    let trusted = &server.origin.settings.listener_limits.trusted_proxies;
    let client = crate::request::client_ip::client(peer.ip(), &parts.headers, trusted);
    let is_encrypted = server.origin.settings.certificate.is_some()
        || crate::request::client_ip::is_forwarded_https(peer.ip(), &parts.headers, trusted);
    let request = ProxyRequest { server, classified: Arc::clone(&classified), client, is_encrypted, origin };
    let server = Arc::clone(&request.server);
    let start = crate::access_log::RequestStart { started_us, parent: server.recorders.otlp.parent(&parts.headers) };
    let unknown_head = fast_path::unknown_head(&server, &classified, connection.as_ref(), (&parts.uri, &parts.headers));
    let in_flight = crate::access_log::InFlightRequest::new(&server, &classified, start);
    let (mut response, outcome) = if has_two_lengths {
        let mut rejected =
            crate::response::problem(&request, StatusCode::BAD_REQUEST, "the request declares two body lengths");
        // With two lengths it is unknown where the next request on this connection begins.
        rejected.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        (rejected, DecisionOutcome::new(CacheResult::Refused, DecisionReason::Inadmissible))
    } else if let Some((status, message)) = rejection(&request, &view) {
        (
            crate::response::problem(&request, status, message),
            DecisionOutcome::new(CacheResult::Refused, DecisionReason::Inadmissible),
        )
    } else {
        respond(request, &target, parts, body).await
    };
    let status = response.status();
    crate::access_log::record_auth_status(&server, &classified, status);
    in_flight.finish(&mut response, outcome);
    fast_path::learn(&server, &classified, unknown_head, outcome);
    if has_two_lengths {
        return response;
    }
    if let (StatusCode::SWITCHING_PROTOCOLS, Some(connection)) = (status, &connection) {
        connection.set_upgraded();
    }
    let revocations = classified.identity.revocations();
    if matches!(status.as_u16(), 401 | 403 | 498) || matches!(status.as_u16(), 404 | 410) && revocations.has_pending() {
        // Makes the revocation durable before the response is sent. Otherwise the revoked grant and its entries would
        // come back if the process were killed now.
        revocations.flush().await;
    }
    if matches!(status.as_u16(), 401 | 498) {
        classified.app.unauthorised.fetch_add(1, Ordering::Relaxed);
    }
    on_sent::bind(response, connection.as_ref())
}

/// Answers a request that [`rejection`] allows. Returns the response and the result to record. What is no hit is boxed,
/// because this future is moved as a whole for each request.
async fn respond(
    request: ProxyRequest,
    target: &str,
    parts: request::Parts,
    body: Incoming,
) -> (Response<Body>, DecisionOutcome) {
    let classified = Arc::clone(&request.classified);
    let pass_through = |reason| DecisionOutcome::new(CacheResult::Passed, DecisionReason::Passed(reason));
    if request.server.origin.is_emby() {
        let message = "the media server is an Emby server, which is not supported yet";
        let outcome = DecisionOutcome::new(CacheResult::Refused, DecisionReason::Inadmissible);
        return (crate::response::problem(&request, StatusCode::NOT_IMPLEMENTED, message), outcome);
    }
    match (classified.anonymous_access, &classified.classification) {
        (_, Classification::Refuse(refusal)) => {
            let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
            let outcome = DecisionOutcome::new(CacheResult::Refused, DecisionReason::Inadmissible);
            (crate::response::problem(&request, status, refusal.message()), outcome)
        }
        (AnonymousAccess::Denied | AnonymousAccess::BehindKnownProxy, _) => {
            request.server.counters.unauthorised.fetch_add(1, Ordering::Relaxed);
            let message = "no token was sent, and this path needs one";
            let outcome = DecisionOutcome::new(CacheResult::Refused, DecisionReason::NoToken);
            (crate::response::problem(&request, StatusCode::UNAUTHORIZED, message), outcome)
        }
        (_, Classification::Stream(reason @ (StreamReason::Socket | StreamReason::Upgrade))) => {
            let reason = *reason;
            let response = Box::pin(crate::stream::websocket::pass(request, reason, target, parts, body)).await;
            (response, pass_through(PassReason::Events))
        }
        (_, Classification::Stream(reason)) => (
            Box::pin(crate::stream::pass(&request, *reason, target, parts, body)).await,
            pass_through(PassReason::from_stream_reason(*reason)),
        ),
        (AnonymousAccess::PassThrough, Classification::Read(_)) => {
            let response = Box::pin(crate::stream::pass(&request, StreamReason::Account, target, parts, body)).await;
            (response, pass_through(PassReason::NoToken))
        }
        (AnonymousAccess::Cacheable, Classification::Read(_)) if request.classified.credential.ambiguous => {
            let response = Box::pin(crate::stream::pass(&request, StreamReason::Odd, target, parts, body)).await;
            (response, pass_through(PassReason::TwoTokens))
        }
        (AnonymousAccess::Cacheable, Classification::Read(read)) => {
            let shadow_run = request.server.modes.switch.shadow_run();
            match (request.server.read_mode(read.class, &request.classified.app), shadow_run) {
                (CacheMode::Bypass, _) => {
                    let response = Box::pin(crate::read::bypass_read::pass(&request, read, target, parts, body)).await;
                    (response, pass_through(PassReason::Bypassed))
                }
                (CacheMode::Observe, Some(shadow_run)) => {
                    let read = Arc::clone(read);
                    let observed = crate::read::shadow_read::answer(request, read, shadow_run, target, parts, body);
                    let response = Box::pin(observed).await;
                    (response, pass_through(PassReason::Bypassed))
                }
                _ => crate::read::answer(request, Arc::clone(read), &parts).await,
            }
        }
        (_, Classification::Write(_)) => {
            let outcome = DecisionOutcome::new(CacheResult::Write, DecisionReason::Passed(PassReason::Write));
            (Box::pin(crate::write::pass(request, target, parts, body)).await, outcome)
        }
    }
}

/// Reason to reject a request before its classification and token matter, with the status to send.
fn rejection(request: &ProxyRequest, view: &RequestView<'_>) -> Option<(StatusCode, &'static str)> {
    let settings = &request.server.origin.settings;
    if let Some(message) = crate::request::headers::conflicting_headers(view.headers) {
        Some((StatusCode::BAD_REQUEST, message))
    } else if crate::request::headers::is_compressed(view.headers) {
        Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, "compressed request bodies are not supported"))
    } else if matches!(*view.method, Method::CONNECT | Method::TRACE) {
        Some((StatusCode::METHOD_NOT_ALLOWED, "this method is not supported"))
    } else if !settings.listener_limits.known_proxy
        && !crate::request::client_ip::is_local(request.client)
        && settings.kind.is_local_network_only(view)
    {
        let message = "the server would treat this remote request as one from its local network; \
                   see known_proxy in the documentation";
        Some((StatusCode::FORBIDDEN, message))
    } else {
        None
    }
}
