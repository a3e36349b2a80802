//! Pass-through requests: media, downloads, log-ins, unknown paths.

pub mod webhook;
pub mod websocket;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use greenroom_dialect::classification::StreamReason;
use greenroom_dialect::request::BodyUse;
use http::{Response, request};
use hyper::body::{Body as _, Incoming};

use crate::forward::upstream_slot::UpstreamSlot;
use crate::forward::{is_event_stream, open, outage, send};
use crate::http::connection::ClientConnection;
use crate::invalidate;
use crate::proxy_request::ProxyRequest;
use crate::shadow::stats;
use crate::write::upload;
use crate::{access_log, response};
use greenroom_origin::body::Body;
use greenroom_origin::client::UpstreamRequestKind;

/// Passes a request and its response through, neither buffered nor cached. Ends when the client disconnects. All but
/// media and event streams wait in the request queue.
pub async fn pass(
    request: &ProxyRequest,
    reason: StreamReason,
    target: &str,
    parts: request::Parts,
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
    let kind = if parts.method.is_safe() { UpstreamRequestKind::Stream } else { UpstreamRequestKind::Write };
    match send(request, (kind, slot), target, &parts, body).await {
        Ok((response, slot)) => {
            // A rejected log-in concerns the password, not the token beside it.
            if reason != StreamReason::Account {
                invalidate::apply_token_rejection(request, response.status());
            }
            if let Some(connection) = connection.filter(|_| !is_event_stream(&response)) {
                connection.set_passing(&request.server.limits.passing);
            }
            response::forwarded(open(request, response, slot), reason.name())
        }
        Err(problem) => problem,
    }
}
