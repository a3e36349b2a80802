//! What passes through as it comes: media, downloads, log-ins, everything no table knows.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_upstream::ask::Kind;
use greenroom_upstream::verdict::StreamReason;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response, StatusCode, request};
use hyper::body::Incoming;

use super::tap::EventTap;
use super::{Visit, answer, headers};
use crate::body::Body;
use crate::origin::Lane;

/// How long the server may take to begin an answer; a transcode may need a while to start.
const HEAD_TIMEOUT: Duration = Duration::from_secs(180);

/// Passes a request through and its answer back, neither buffered nor kept. The client's hang-up ends it.
pub async fn pass(
    visit: &Visit,
    reason: StreamReason,
    target: &str,
    parts: request::Parts,
    body: Incoming,
) -> Response<Body> {
    visit.server.counters.streams.fetch_add(1, Ordering::Relaxed);
    visit.app.reached.fetch_add(1, Ordering::Relaxed);
    let lane = if parts.method.is_safe() { Lane::Read } else { Lane::Write };
    let Ok(request) = rebuild(visit, target, &parts, body) else {
        return answer::problem(visit, StatusCode::BAD_REQUEST, "the request cannot be forwarded");
    };
    match visit.server.clock.timeout(HEAD_TIMEOUT, visit.server.origin.send(request, lane)).await {
        Ok(Ok(response)) => {
            visit.server.note_success();
            answer::passed(open(visit, response), reason.name())
        }
        Ok(Err(error)) => {
            visit.server.note_failure();
            tracing::debug!(server = visit.server.name(), reason = error.message, "nothing to pass through");
            answer::problem(visit, StatusCode::SERVICE_UNAVAILABLE, "the media server cannot be reached")
        }
        Err(_) => {
            visit.server.note_failure();
            answer::problem(visit, StatusCode::GATEWAY_TIMEOUT, "the media server does not begin to answer")
        }
    }
}

/// The answer as it comes; a stream of events is read while it passes.
pub fn open(visit: &Visit, response: Response<Incoming>) -> Response<Body> {
    if is_event_stream(&response) { tapped(visit, response) } else { response.map(Body::Stream) }
}

fn rebuild(
    visit: &Visit,
    target: &str,
    parts: &request::Parts,
    body: Incoming,
) -> Result<Request<Body>, http::Error> {
    let mut request =
        Request::builder().method(parts.method.clone()).uri(visit.uri(target)?).body(Body::Stream(body))?;
    *request.headers_mut() = headers_for_server(visit, &parts.headers);
    Ok(request)
}

/// The client's headers as the server gets them, legacy credentials translated where that is on.
pub fn headers_for_server(visit: &Visit, client: &HeaderMap) -> HeaderMap {
    let mut sent = headers::for_server(client, visit.peer);
    let settings = &visit.server.settings;
    if settings.kind == Kind::Jellyfin && settings.translate_legacy_auth {
        for name in ["x-emby-authorization", "x-emby-token", "x-mediabrowser-token"] {
            sent.remove(name);
        }
        for (name, value) in settings.kind.credential_headers(&visit.credential, true) {
            sent.insert(name, value);
        }
    }
    sent
}

fn is_event_stream(response: &Response<Incoming>) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("text/event-stream"))
}

fn tapped(visit: &Visit, response: Response<Incoming>) -> Response<Body> {
    response.map(|body| {
        let tap = EventTap::new(Arc::clone(&visit.server), Arc::clone(&visit.identity), body);
        Body::Events(Box::new(tap))
    })
}
