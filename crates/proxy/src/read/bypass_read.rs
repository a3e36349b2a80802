//! A read as if there were no cache: the client's own request, the server's own response. For bypassed and observed
//! reads.

use std::sync::atomic::Ordering;

use greenroom_dialect::classification::Read;
use http::header::{ACCEPT_ENCODING, HeaderValue};
use http::{Response, request};
use hyper::body::Incoming;

use crate::forward;
use crate::forward::outage;
use crate::forward::upstream_slot::UpstreamSlot;
use crate::proxy_request::ProxyRequest;
use crate::read;
use crate::read::refusal;
use crate::{access_log, response};
use greenroom_config::CacheMode;
use greenroom_origin::body::Body;
use greenroom_origin::client::UpstreamRequestKind;
use greenroom_origin::scheduler::QueueRequest;

/// Passes a read and its response through.
pub async fn pass(
    request: &ProxyRequest,
    read: &Read,
    target: &str,
    parts: request::Parts,
    body: Incoming,
) -> Response<Body> {
    match send(request, read, target, parts, body).await {
        Ok((response, slot)) => response::forwarded(forward::open(request, response, slot), CacheMode::Bypass.name()),
        Err(problem) => problem,
    }
}

/// Waits for a permit, sends the request once and waits for the response head. A rejected token is revoked as in any mode: its entries must
/// not come back when the cache answers again.
pub async fn send(
    request: &ProxyRequest,
    read: &Read,
    target: &str,
    mut parts: request::Parts,
    body: Incoming,
) -> Result<(Response<Incoming>, UpstreamSlot), Response<Body>> {
    if request.server.origin.breaker.outage().is_some() {
        return Err(outage::stream(request, target, &parts.method));
    }
    let now_ms = request.server.origin.clock.now();
    let queue_request = QueueRequest::read(&request.classified.app, read.class, &read.key, now_ms);
    let slot =
        UpstreamSlot::wait(request, queue_request, (&parts.method, target)).await.map_err(|rejection| *rejection)?;
    request.server.counters.bypassed.fetch_add(1, Ordering::Relaxed);
    request.classified.app.upstream_requests.fetch_add(1, Ordering::Relaxed);
    access_log::record_reached(request);
    // The one header that is not the client's own: as with the cache, responses are not compressed.
    parts.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let sent = forward::send(request, (UpstreamRequestKind::Read, slot), target, &parts, Body::Stream(body)).await?;
    let was_cached = || request.server.cache.peek(&read::key(request, read)).is_some();
    let status = sent.0.status();
    refusal::apply_refusal(
        &request.server,
        &request.classified.identity,
        read,
        (status, sent.0.headers()),
        status.is_client_error() && was_cached(),
    );
    Ok(sent)
}
