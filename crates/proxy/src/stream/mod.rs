//! What passes through as it comes: media, downloads, log-ins, everything no table knows.

pub mod webhook;
pub mod websocket;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use greenroom_dialect::verdict::StreamReason;
use http::{Response, request};
use hyper::body::Incoming;

use crate::forward::{open, outage, send};
use crate::http::connection::Conversation;
use crate::invalidate;
use crate::shadow::tally;
use crate::visit::Visit;
use crate::{access_log, response};
use greenroom_origin::body::Body;
use greenroom_origin::client::Lane;

/// Passes a request through and its answer back, neither buffered nor kept. The client's hang-up ends it.
pub async fn pass(
    visit: &Visit,
    reason: StreamReason,
    target: &str,
    parts: request::Parts,
    body: Incoming,
) -> Response<Body> {
    if visit.server.origin.breaker.outage().is_some() {
        return outage::stream(visit, target, &parts.method);
    }
    visit.server.counters.streams.fetch_add(1, Ordering::Relaxed);
    visit.app.reached.fetch_add(1, Ordering::Relaxed);
    access_log::reached(visit);
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
                invalidate::heed_refusal(visit, response.status());
            }
            response::passed(open(visit, response), reason.name())
        }
        Err(problem) => problem,
    }
}
