//! A read as if there were no cache: the client's own request, the server's own response. For bypassed and observed
//! reads.

use std::sync::atomic::Ordering;

use greenroom_dialect::classification::Read;
use http::header::{ACCEPT_ENCODING, HeaderValue};
use http::{Response, request};
use hyper::body::Incoming;

use crate::forward;
use crate::forward::outage;
use crate::proxy_request::ProxyRequest;
use crate::read::origin_loader;
use crate::{access_log, response};
use greenroom_config::CacheMode;
use greenroom_origin::body::Body;
use greenroom_origin::client::UpstreamRequestKind;

/// Passes a read and its response through.
pub async fn pass(
    request: &ProxyRequest,
    read: &Read,
    target: &str,
    parts: request::Parts,
    body: Incoming,
) -> Response<Body> {
    match send(request, read, target, parts, body).await {
        Ok(response) => response::forwarded(forward::open(request, response), CacheMode::Bypass.name()),
        Err(problem) => problem,
    }
}

/// Sends the request once and waits for the response head. A rejected token is revoked as in any mode: its entries must
/// not come back when the cache answers again.
pub async fn send(
    request: &ProxyRequest,
    read: &Read,
    target: &str,
    mut parts: request::Parts,
    body: Incoming,
) -> Result<Response<Incoming>, Response<Body>> {
    if request.server.origin.breaker.outage().is_some() {
        return Err(outage::stream(request, target, &parts.method));
    }
    request.server.counters.bypassed.fetch_add(1, Ordering::Relaxed);
    request.classified.app.upstream_requests.fetch_add(1, Ordering::Relaxed);
    access_log::record_reached(request);
    // The one header that is not the client's own: as with the cache, responses are not compressed.
    parts.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let response = forward::send(request, UpstreamRequestKind::Read, target, &parts, body).await?;
    origin_loader::apply_refusal(&request.server, &request.classified.identity, read, response.status());
    Ok(response)
}
