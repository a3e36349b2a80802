//! Forwards the client's request unchanged and opens the response as a stream: shared by pass-through, writes and
//! bypassed reads. [`sse`] reads event streams as they pass, [`outage`] answers while the server is down,
//! [`upstream_slot`] limits how many requests the server gets at a time.

pub mod outage;
pub mod sse;
pub mod upstream_slot;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response, StatusCode, request};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;

use crate::proxy_request::ProxyRequest;
use crate::request::headers;
use crate::response;
use crate::response::base_url;
use crate::server::Server;
use greenroom_origin::body::Body;
use greenroom_origin::breaker;
use greenroom_origin::client::{UpstreamError, UpstreamErrorStage, UpstreamRequestKind};
use sse::SseTap;
use upstream_slot::{SocketPermit, UpstreamSlot};

/// Timeout for the response head; a transcode may need a while to start.
const HEAD_TIMEOUT: Duration = Duration::from_secs(180);

/// Sends the client's request once, unchanged, and waits for the response head. Returns it with what its body holds.
pub async fn send(
    request: &ProxyRequest,
    (kind, slot): (UpstreamRequestKind, UpstreamSlot),
    target: &str,
    parts: &request::Parts,
    body: Body,
) -> Result<(Response<Incoming>, UpstreamSlot), Response<Body>> {
    let Ok(upstream_request) = rebuild(request, target, parts, body) else {
        return Err(response::problem(request, StatusCode::BAD_REQUEST, "the request cannot be forwarded"));
    };
    let key = breaker::key_of(upstream_request.uri().path());
    match wait_for_head(&request.server, request.server.origin.send(upstream_request, kind, key), slot).await {
        Some((Ok(mut response), slot)) => {
            request.server.origin.record_success();
            base_url::redirect(&request.server, response.headers_mut());
            Ok((response, slot))
        }
        Some((Err(error), _)) if error.stage == UpstreamErrorStage::Request => {
            Err(response::problem(request, StatusCode::BAD_REQUEST, "the request body ended early"))
        }
        Some((Err(error), _)) => {
            request.server.origin.record_failure();
            tracing::debug!(server = request.server.name(), reason = error.message, "pass-through request failed");
            let unreachable =
                || response::problem(request, StatusCode::SERVICE_UNAVAILABLE, "the media server cannot be reached");
            Err(outage::liveness_response(request, target, &parts.method).unwrap_or_else(unreachable))
        }
        None => {
            request.server.origin.record_timeout(key);
            request.server.origin.record_failure();
            let message = "the media server did not start to respond in time";
            Err(response::problem(request, StatusCode::GATEWAY_TIMEOUT, message))
        }
    }
}

/// Waits for a response head; `None` if it does not come in time. A slow one gives its permit of the request queue back,
/// unless too many others did.
async fn wait_for_head(
    server: &Server,
    sending: impl Future<Output = Result<Response<Incoming>, UpstreamError>>,
    slot: UpstreamSlot,
) -> Option<(Result<Response<Incoming>, UpstreamError>, UpstreamSlot)> {
    let (clock, limit) = (&server.origin.clock, server.origin.settings.load_timeout.min(HEAD_TIMEOUT));
    let mut sending = pin!(sending);
    if let Ok(result) = clock.timeout(limit, sending.as_mut()).await {
        return Some((result, slot));
    }
    let slot = slot.detach().ok()?;
    let result = clock.timeout(HEAD_TIMEOUT.saturating_sub(limit), sending).await.ok()?;
    Some((result, slot))
}

/// Passes the response on, with what its request holds; an event stream is read as it passes.
pub fn open(request: &ProxyRequest, response: Response<Incoming>, slot: UpstreamSlot) -> Response<Body> {
    if !is_event_stream(&response) {
        return response.map(|body| slot.attach_to(request, Body::Stream(body)));
    }
    let permit = match slot {
        UpstreamSlot::Socket(permit) => Ok(permit),
        _ => upstream_slot::acquire_socket_permit(request),
    };
    match permit {
        Ok(permit) => with_sse_tap(request, response, permit),
        Err(rejection) => *rejection,
    }
}

fn rebuild(
    request: &ProxyRequest,
    target: &str,
    parts: &request::Parts,
    body: Body,
) -> Result<Request<Body>, http::Error> {
    let mut upstream_request = Request::builder().method(parts.method.clone()).uri(request.uri(target)?).body(body)?;
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

fn with_sse_tap(request: &ProxyRequest, response: Response<Incoming>, permit: SocketPermit) -> Response<Body> {
    response.map(|body| {
        let tap = SseTap::new(Arc::clone(&request.server), Arc::clone(&request.classified.identity), body, permit);
        Body::Boxed(UnsyncBoxBody::new(tap))
    })
}
