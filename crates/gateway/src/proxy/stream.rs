//! What passes through as it comes: media, downloads, log-ins, everything no table knows.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_cache::Partition;
use greenroom_upstream::verdict::StreamReason;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response, StatusCode, request};
use hyper::body::Incoming;

use super::tap::EventTap;
use super::{Visit, address, answer, headers, note, offline};
use crate::body::Body;
use crate::breaker;
use crate::conversation::Conversation;
use crate::observe::tally;
use crate::origin::{Cause, Lane};
use crate::seats::Seat;
use crate::stale;

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
    if visit.server.breaker.outage().is_some() {
        return offline::stream(visit, target, &parts.method);
    }
    visit.server.counters.streams.fetch_add(1, Ordering::Relaxed);
    visit.app.reached.fetch_add(1, Ordering::Relaxed);
    note::reached(visit);
    visit.server.note_passing(tally::STREAMS, &visit.app);
    if reason == StreamReason::Media
        && let Some(conversation) = parts.extensions.get::<Arc<Conversation>>()
    {
        conversation.is_for_a_player();
    }
    let lane = if parts.method.is_safe() { Lane::Read } else { Lane::Write };
    match send(visit, lane, target, &parts, body).await {
        Ok(response) => {
            // A no to a log-in is one to the password, not to the token beside it.
            if reason != StreamReason::Account {
                stale::heed_refusal(visit, response.status());
            }
            answer::passed(open(visit, response), reason.name())
        }
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
    let key = breaker::key_of(request.uri().path());
    match visit.server.clock.timeout(HEAD_TIMEOUT, visit.server.send(request, lane, key)).await {
        Ok(Ok(mut response)) => {
            visit.server.note_success();
            address::redirect(&visit.server, response.headers_mut());
            Ok(response)
        }
        Ok(Err(error)) if error.cause == Cause::Request => {
            Err(answer::problem(visit, StatusCode::BAD_REQUEST, "the body broke off"))
        }
        Ok(Err(error)) => {
            visit.server.note_failure();
            tracing::debug!(server = visit.server.name(), reason = error.message, "nothing to pass through");
            let unreachable = || {
                answer::problem(visit, StatusCode::SERVICE_UNAVAILABLE, "the media server cannot be reached")
            };
            Err(offline::sign_of_life(visit, target, &parts.method).unwrap_or_else(unreachable))
        }
        Err(_) => {
            visit.server.note_silence(key);
            visit.server.note_failure();
            let message = "the media server does not begin to answer";
            Err(answer::problem(visit, StatusCode::GATEWAY_TIMEOUT, message))
        }
    }
}

/// The answer as it comes; a stream of events is read while it passes.
pub fn open(visit: &Visit, response: Response<Incoming>) -> Response<Body> {
    if !is_event_stream(&response) {
        return response.map(Body::Stream);
    }
    match visit.take_socket_seat() {
        Ok(seat) => tapped(visit, response, seat),
        Err(refusal) => *refusal,
    }
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

/// The client's headers as the server gets them.
pub fn headers_for_server(visit: &Visit, client: &HeaderMap) -> HeaderMap {
    let settings = &visit.server.settings;
    let sender = headers::Sender {
        kind: settings.kind,
        credential: &visit.credential,
        translate_legacy: settings.translate_legacy_auth,
        address: visit.client,
    };
    headers::for_server(client, sender)
}

/// Whether the answer is a stream of events, which has no end.
pub fn is_event_stream(response: &Response<Incoming>) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("text/event-stream"))
}

fn tapped(visit: &Visit, response: Response<Incoming>, seat: Seat<Partition>) -> Response<Body> {
    response.map(|body| {
        let tap = EventTap::new(Arc::clone(&visit.server), Arc::clone(&visit.identity), body, seat);
        Body::Events(Box::new(tap))
    })
}
