//! Forwards the client's request unchanged and opens the response as a stream: shared by pass-through, writes and
//! bypassed reads. [`sse`] reads event streams as they pass, [`outage`] answers while the server is down.

pub mod outage;
pub mod sse;

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Partition;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response, StatusCode, request};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;

use crate::http::concurrency_limit::{ConcurrencyLimitError, ConcurrencyPermit};
use crate::http::limits::LimitKind;
use crate::proxy_request::ProxyRequest;
use crate::request::headers;
use crate::response;
use crate::response::base_url;
use greenroom_origin::body::Body;
use greenroom_origin::breaker;
use greenroom_origin::client::{UpstreamErrorStage, UpstreamRequestKind};
use sse::SseTap;

/// Timeout for the response head; a transcode may need a while to start.
const HEAD_TIMEOUT: Duration = Duration::from_secs(180);

/// Sends the client's request once, unchanged, and waits for the response head.
pub async fn send(
    visit: &ProxyRequest,
    lane: UpstreamRequestKind,
    target: &str,
    parts: &request::Parts,
    body: Incoming,
) -> Result<Response<Incoming>, Response<Body>> {
    let Ok(request) = rebuild(visit, target, parts, body) else {
        return Err(response::problem(visit, StatusCode::BAD_REQUEST, "the request cannot be forwarded"));
    };
    let key = breaker::key_of(request.uri().path());
    match visit.server.origin.clock.timeout(HEAD_TIMEOUT, visit.server.origin.send(request, lane, key)).await {
        Ok(Ok(mut response)) => {
            visit.server.origin.record_success();
            base_url::redirect(&visit.server, response.headers_mut());
            Ok(response)
        }
        Ok(Err(error)) if error.stage == UpstreamErrorStage::Request => {
            Err(response::problem(visit, StatusCode::BAD_REQUEST, "the body broke off"))
        }
        Ok(Err(error)) => {
            visit.server.origin.record_failure();
            tracing::debug!(server = visit.server.name(), reason = error.message, "nothing to pass through");
            let unreachable =
                || response::problem(visit, StatusCode::SERVICE_UNAVAILABLE, "the media server cannot be reached");
            Err(outage::liveness_response(visit, target, &parts.method).unwrap_or_else(unreachable))
        }
        Err(_) => {
            visit.server.origin.record_timeout(key);
            visit.server.origin.record_failure();
            let message = "the media server does not begin to answer";
            Err(response::problem(visit, StatusCode::GATEWAY_TIMEOUT, message))
        }
    }
}

/// Passes the response on; an event stream is read as it passes.
pub fn open(visit: &ProxyRequest, response: Response<Incoming>) -> Response<Body> {
    if !is_event_stream(&response) {
        return response.map(Body::Stream);
    }
    match acquire_socket_permit(visit) {
        Ok(seat) => with_sse_tap(visit, response, seat),
        Err(refusal) => *refusal,
    }
}

fn rebuild(
    visit: &ProxyRequest,
    target: &str,
    parts: &request::Parts,
    body: Incoming,
) -> Result<Request<Body>, http::Error> {
    let mut request =
        Request::builder().method(parts.method.clone()).uri(visit.uri(target)?).body(Body::Stream(body))?;
    *request.headers_mut() = headers_for_server(visit, &parts.headers);
    Ok(request)
}

/// The client's headers in the form sent to the server.
pub fn headers_for_server(visit: &ProxyRequest, client: &HeaderMap) -> HeaderMap {
    let settings = &visit.server.origin.settings;
    let sender = headers::ForwardContext {
        kind: settings.kind,
        credential: &visit.credential,
        translate_legacy: settings.translate_legacy_auth,
        address: visit.client,
    };
    headers::for_server(client, sender)
}

/// Whether the response is an event stream, which has no end.
pub fn is_event_stream(response: &Response<Incoming>) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("text/event-stream"))
}

fn with_sse_tap(
    visit: &ProxyRequest,
    response: Response<Incoming>,
    seat: ConcurrencyPermit<Partition>,
) -> Response<Body> {
    response.map(|body| {
        let tap = SseTap::new(Arc::clone(&visit.server), Arc::clone(&visit.identity), body, seat);
        Body::Boxed(UnsyncBoxBody::new(tap))
    })
}

/// Acquires a permit for a notification socket or an event stream.
pub fn acquire_socket_permit(visit: &ProxyRequest) -> Result<ConcurrencyPermit<Partition>, Box<Response<Body>>> {
    visit.server.limits.sockets.try_acquire(Some(visit.identity.partition().clone())).map_err(|full| {
        let (bound, message) = match full {
            ConcurrencyLimitError::Total => (LimitKind::Sockets, "there are too many notification sockets"),
            ConcurrencyLimitError::PerClient => {
                (LimitKind::SocketsPerIdentity, "this token has too many notification sockets")
            }
        };
        visit.server.limits.counters.record(bound);
        Box::new(response::problem(visit, StatusCode::SERVICE_UNAVAILABLE, message))
    })
}
