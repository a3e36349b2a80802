//! Pass-through requests: media, downloads, log-ins, unknown paths.

pub mod webhook;
pub mod websocket;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use greenroom_dialect::classification::StreamReason;
use greenroom_dialect::own_user;
use greenroom_dialect::request::{BodyUse, ServerKind};
use http::header::{ACCEPT_ENCODING, HeaderValue};
use http::{Response, StatusCode, request};
use hyper::body::{Body as _, Incoming};

use crate::account_request;
use crate::forward::upstream_slot::UpstreamSlot;
use crate::forward::{is_event_stream, open, outage, send};
use crate::invalidate;
use crate::proxy_request::ProxyRequest;
use crate::shadow::stats;
use crate::write::upload;
use crate::{access_log, response};
use greenroom_http_server::connection::ClientConnection;
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_origin::client::UpstreamRequestKind;

/// Longest response to a log-in that is read on its way, in bytes.
const MAX_LOGIN_BYTES: u64 = 256 * 1024;

/// Passes a request and its response through, neither buffered nor cached. Ends when the client disconnects. All but
/// media and event streams wait in the request queue.
pub async fn pass(
    request: &ProxyRequest,
    reason: StreamReason,
    target: &str,
    mut parts: request::Parts,
    body: Incoming,
) -> Response<Body> {
    if request.server.origin.breaker.outage().is_some() {
        return outage::stream(request, target, &parts.method);
    }
    // A body that arrives slowly must not hold a permit.
    let is_queued = !matches!(reason, StreamReason::Media | StreamReason::Socket | StreamReason::Events);
    let body = if is_queued && !body.is_end_stream() {
        match upload::receive(request, BodyUse::Unread, body).await {
            Ok(received) => received.into_body().0,
            Err(rejection) => return *rejection,
        }
    } else {
        Body::Stream(body)
    };
    let slot = match UpstreamSlot::acquire(request, reason, (&parts.method, target)).await {
        Ok(slot) => slot,
        Err(rejection) => return *rejection,
    };
    request.server.counters.streams.fetch_add(1, Ordering::Relaxed);
    request.classified.app.upstream_requests.fetch_add(1, Ordering::Relaxed);
    access_log::record_reached(request);
    request.server.record_passed(stats::STREAMS, &request.classified.app);
    let connection = parts.extensions.get::<Arc<ClientConnection>>();
    if let Some(connection) = connection.filter(|_| reason == StreamReason::Media) {
        connection.set_streams_media();
    }
    let is_login =
        request.server.origin.settings.kind == ServerKind::Jellyfin && own_user::is_login(&parts.method, target);
    if is_login {
        // Its response is read, so it must not be compressed.
        parts.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    let kind = if parts.method.is_safe() { UpstreamRequestKind::Stream } else { UpstreamRequestKind::Write };
    match send(request, (kind, slot), target, &parts, body).await {
        Ok((response, slot)) => {
            // A rejected log-in concerns the password, not the token beside it.
            if reason != StreamReason::Account {
                invalidate::apply_token_rejection(request, response.status(), response.headers());
            }
            if let Some(connection) = connection.filter(|_| !is_event_stream(&response)) {
                connection.set_passing(&request.server.limits.passing);
            }
            let response =
                if is_login { read_login(request, response, slot).await } else { open(request, response, slot) };
            response::forwarded(response, reason.name())
        }
        Err(problem) => problem,
    }
}

/// Reads the response to a log-in on its way, because it says whose token it issues.
async fn read_login(request: &ProxyRequest, response: Response<Incoming>, slot: UpstreamSlot) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let body = match collect(body, MAX_LOGIN_BYTES).await {
        CollectedBody::Whole(bytes) => {
            account_request::record_login(&request.server, parts.status, &parts.headers, &bytes);
            bytes.into()
        }
        CollectedBody::TooLong(read, rest) => Body::Resumed { read, rest },
        CollectedBody::Broken(_) => {
            return response::problem(request, StatusCode::BAD_GATEWAY, "the media server's response ended early");
        }
    };
    Response::from_parts(parts, slot.attach_to(request, body))
}
