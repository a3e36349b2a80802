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
    request: &ProxyRequest,
    kind: UpstreamRequestKind,
    target: &str,
    parts: &request::Parts,
    body: Incoming,
) -> Result<Response<Incoming>, Response<Body>> {
    let Ok(upstream_request) = rebuild(request, target, parts, body) else {
        return Err(response::problem(request, StatusCode::BAD_REQUEST, "the request cannot be forwarded"));
    };
    let key = breaker::key_of(upstream_request.uri().path());
    match request
        .server
        .origin
        .clock
        .timeout(HEAD_TIMEOUT, request.server.origin.send(upstream_request, kind, key))
        .await
    {
        Ok(Ok(mut response)) => {
            request.server.origin.record_success();
            base_url::redirect(&request.server, response.headers_mut());
            Ok(response)
        }
        Ok(Err(error)) if error.stage == UpstreamErrorStage::Request => {
            Err(response::problem(request, StatusCode::BAD_REQUEST, "the request body ended early"))
        }
        Ok(Err(error)) => {
            request.server.origin.record_failure();
            tracing::debug!(server = request.server.name(), reason = error.message, "pass-through request failed");
            let unreachable =
                || response::problem(request, StatusCode::SERVICE_UNAVAILABLE, "the media server cannot be reached");
            Err(outage::liveness_response(request, target, &parts.method).unwrap_or_else(unreachable))
        }
        Err(_) => {
            request.server.origin.record_timeout(key);
            request.server.origin.record_failure();
            let message = "the media server did not start to respond in time";
            Err(response::problem(request, StatusCode::GATEWAY_TIMEOUT, message))
        }
    }
}

/// Passes the response on; an event stream is read as it passes.
pub fn open(request: &ProxyRequest, response: Response<Incoming>) -> Response<Body> {
    if !is_event_stream(&response) {
        return response.map(Body::Stream);
    }
    match acquire_socket_permit(request) {
        Ok(permit) => with_sse_tap(request, response, permit),
        Err(rejection) => *rejection,
    }
}

fn rebuild(
    request: &ProxyRequest,
    target: &str,
    parts: &request::Parts,
    body: Incoming,
) -> Result<Request<Body>, http::Error> {
    let mut upstream_request =
        Request::builder().method(parts.method.clone()).uri(request.uri(target)?).body(Body::Stream(body))?;
    *upstream_request.headers_mut() = headers_for_server(request, &parts.headers);
    Ok(upstream_request)
}

/// The client's headers in the form sent to the server.
pub fn headers_for_server(request: &ProxyRequest, client: &HeaderMap) -> HeaderMap {
    let settings = &request.server.origin.settings;
    let context = headers::ForwardContext {
        kind: settings.kind,
        credential: &request.classified.credential,
        translate_legacy: settings.translate_legacy_auth,
        address: request.client,
    };
    headers::for_server(client, context)
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
    request: &ProxyRequest,
    response: Response<Incoming>,
    permit: ConcurrencyPermit<Partition>,
) -> Response<Body> {
    response.map(|body| {
        let tap = SseTap::new(Arc::clone(&request.server), Arc::clone(&request.classified.identity), body, permit);
        Body::Boxed(UnsyncBoxBody::new(tap))
    })
}

/// Acquires a permit for a notification socket or an event stream.
pub fn acquire_socket_permit(request: &ProxyRequest) -> Result<ConcurrencyPermit<Partition>, Box<Response<Body>>> {
    request.server.limits.sockets.try_acquire(Some(request.classified.identity.partition().clone())).map_err(|full| {
        let (limit, message) = match full {
            ConcurrencyLimitError::Total => (LimitKind::Sockets, "there are too many notification sockets"),
            ConcurrencyLimitError::PerClient => {
                (LimitKind::SocketsPerIdentity, "this token has too many notification sockets")
            }
        };
        request.server.limits.counters.record(limit);
        Box::new(response::problem(request, StatusCode::SERVICE_UNAVAILABLE, message))
    })
}
