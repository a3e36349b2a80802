//! Pass-through requests: media, downloads, log-ins, unknown paths.

pub mod webhook;
pub mod websocket;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use greenroom_dialect::classification::StreamReason;
use http::{Response, request};
use hyper::body::Incoming;

use crate::forward::{is_event_stream, open, outage, send};
use crate::http::connection::ClientConnection;
use crate::invalidate;
use crate::proxy_request::ProxyRequest;
use crate::shadow::stats;
use crate::{access_log, response};
use greenroom_origin::body::Body;
use greenroom_origin::client::UpstreamRequestKind;

/// Passes a request and its response through, neither buffered nor cached. Ends when the client disconnects.
pub async fn pass(
    visit: &ProxyRequest,
    reason: StreamReason,
    target: &str,
    parts: request::Parts,
    body: Incoming,
) -> Response<Body> {
    if visit.server.origin.breaker.outage().is_some() {
        return outage::stream(visit, target, &parts.method);
    }
    visit.server.counters.streams.fetch_add(1, Ordering::Relaxed);
    visit.app.upstream_requests.fetch_add(1, Ordering::Relaxed);
    access_log::record_reached(visit);
    visit.server.record_passed(stats::STREAMS, &visit.app);
    let conversation = parts.extensions.get::<Arc<ClientConnection>>();
    if let Some(conversation) = conversation.filter(|_| reason == StreamReason::Media) {
        conversation.set_streams_media();
    }
    let lane = if parts.method.is_safe() { UpstreamRequestKind::Read } else { UpstreamRequestKind::Write };
    match send(visit, lane, target, &parts, body).await {
        Ok(response) => {
            // A rejected log-in concerns the password, not the token beside it.
            if reason != StreamReason::Account {
                invalidate::apply_refusal(visit, response.status());
            }
            if let Some(conversation) = conversation.filter(|_| !is_event_stream(&response)) {
                conversation.passes(&visit.server.limits.passing);
            }
            response::forwarded(open(visit, response), reason.name())
        }
        Err(problem) => problem,
    }
}
