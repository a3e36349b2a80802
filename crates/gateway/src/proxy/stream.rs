//! What passes through as it comes: media, downloads, log-ins, everything no table knows.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_upstream::ask::Kind;
use greenroom_upstream::credential::Form;
use greenroom_upstream::verdict::StreamReason;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response, StatusCode, request};
use hyper::body::Incoming;

use super::tap::EventTap;
use super::{Visit, answer, headers};
use crate::body::Body;
use crate::observe::tally;
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
    visit.server.note_passing(tally::STREAMS, &visit.app);
    let lane = if parts.method.is_safe() { Lane::Read } else { Lane::Write };
    match send(visit, lane, target, &parts, body).await {
        Ok(response) => answer::passed(open(visit, response), reason.name()),
        Err(problem) => problem,
    }
}

/// Sends the client's request as it is, once, and waits for the head of the answer.
pub async fn send(
    visit: &Visit,
    lane: Lane,
    target: &str,
    parts: &request::Parts,
    body: Incoming,
) -> Result<Response<Incoming>, Response<Body>> {
    let Ok(request) = rebuild(visit, target, parts, body) else {
        return Err(answer::problem(visit, StatusCode::BAD_REQUEST, "the request cannot be forwarded"));
    };
    match visit.server.clock.timeout(HEAD_TIMEOUT, visit.server.origin.send(request, lane)).await {
        Ok(Ok(response)) => {
            visit.server.note_success();
            Ok(response)
        }
        Ok(Err(error)) => {
            visit.server.note_failure();
            tracing::debug!(server = visit.server.name(), reason = error.message, "nothing to pass through");
            let message = "the media server cannot be reached";
            Err(answer::problem(visit, StatusCode::SERVICE_UNAVAILABLE, message))
        }
        Err(_) => {
            visit.server.note_failure();
            let message = "the media server does not begin to answer";
            Err(answer::problem(visit, StatusCode::GATEWAY_TIMEOUT, message))
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
    let mut request = Request::builder()
        .method(parts.method.clone())
        .uri(visit.server.origin.uri(target)?)
        .body(Body::Stream(body))?;
    *request.headers_mut() = headers_for_server(visit, &parts.headers);
    Ok(request)
}

/// The client's headers as the server gets them, legacy credentials translated where that is on.
pub fn headers_for_server(visit: &Visit, client: &HeaderMap) -> HeaderMap {
    let mut sent = headers::for_server(client, visit.peer);
    let settings = &visit.server.settings;
    let is_legacy = matches!(
        visit.credential.form,
        Form::EmbyAuthorization | Form::EmbyToken | Form::MediaBrowserToken | Form::LegacyApiKey
    );
    if settings.kind == Kind::Jellyfin && settings.translate_legacy_auth && is_legacy {
        for name in ["x-emby-authorization", "x-emby-token", "x-mediabrowser-token"] {
            sent.remove(name);
        }
        for (name, value) in settings.kind.credential_headers(&visit.credential, true) {
            sent.insert(name, value);
        }
    }
    sent
}

/// Whether the answer is a stream of events, which has no end.
pub fn is_event_stream(response: &Response<Incoming>) -> bool {
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
