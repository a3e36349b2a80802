//! The client's own request sent to the server as it is, and the answer opened as it comes: what streams, writes and
//! reads past the cache have in common. [`sse`] reads event streams while they pass, [`outage`] answers while the server
//! is down.

pub mod outage;
pub mod sse;

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Partition;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response, StatusCode, request};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;

use crate::http::connection_limit::{Full, Seat};
use crate::http::limits::Bound;
use crate::request::headers;
use crate::response;
use crate::response::base_url;
use crate::visit::Visit;
use greenroom_origin::body::Body;
use greenroom_origin::breaker;
use greenroom_origin::client::{Cause, Lane};
use sse::EventTap;

/// How long the server may take to begin an answer; a transcode may need a while to start.
const HEAD_TIMEOUT: Duration = Duration::from_secs(180);

/// Sends the client's request as it is, once, and waits for the head of the answer.
pub async fn send(
    visit: &Visit,
    lane: Lane,
    target: &str,
    parts: &request::Parts,
    body: Incoming,
) -> Result<Response<Incoming>, Response<Body>> {
    let Ok(request) = rebuild(visit, target, parts, body) else {
        return Err(response::problem(visit, StatusCode::BAD_REQUEST, "the request cannot be forwarded"));
    };
    let key = breaker::key_of(request.uri().path());
    match visit.server.origin.clock.timeout(HEAD_TIMEOUT, visit.server.origin.send(request, lane, key)).await
    {
        Ok(Ok(mut response)) => {
            visit.server.origin.note_success();
            base_url::redirect(&visit.server, response.headers_mut());
            Ok(response)
        }
        Ok(Err(error)) if error.cause == Cause::Request => {
            Err(response::problem(visit, StatusCode::BAD_REQUEST, "the body broke off"))
        }
        Ok(Err(error)) => {
            visit.server.origin.note_failure();
            tracing::debug!(server = visit.server.name(), reason = error.message, "nothing to pass through");
            let unreachable = || {
                response::problem(
                    visit,
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the media server cannot be reached",
                )
            };
            Err(outage::sign_of_life(visit, target, &parts.method).unwrap_or_else(unreachable))
        }
        Err(_) => {
            visit.server.origin.note_silence(key);
            visit.server.origin.note_failure();
            let message = "the media server does not begin to answer";
            Err(response::problem(visit, StatusCode::GATEWAY_TIMEOUT, message))
        }
    }
}

/// The answer as it comes; a stream of events is read while it passes.
pub fn open(visit: &Visit, response: Response<Incoming>) -> Response<Body> {
    if !is_event_stream(&response) {
        return response.map(Body::Stream);
    }
    match take_socket_seat(visit) {
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
    let settings = &visit.server.origin.settings;
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
        Body::Boxed(UnsyncBoxBody::new(tap))
    })
}

/// A seat for a notification socket or an event stream, or what the client hears if there is none.
pub fn take_socket_seat(visit: &Visit) -> Result<Seat<Partition>, Box<Response<Body>>> {
    visit.server.limits.sockets.take(Some(visit.identity.partition().clone())).map_err(|full| {
        let (bound, message) = match full {
            Full::All => (Bound::Sockets, "there are too many notification sockets"),
            Full::Guest => (Bound::SocketsPerIdentity, "this token has too many notification sockets"),
        };
        visit.server.limits.bounds.note(bound);
        Box::new(response::problem(visit, StatusCode::SERVICE_UNAVAILABLE, message))
    })
}
