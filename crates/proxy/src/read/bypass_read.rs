//! A read as if Greenroom were not there: asked in the client's own words, answered as the server answers. For what is
//! bypassed, and for what is only observed.

use std::sync::atomic::Ordering;

use greenroom_dialect::verdict::Read;
use http::header::{ACCEPT_ENCODING, HeaderValue};
use http::{Response, request};
use hyper::body::Incoming;

use crate::forward;
use crate::forward::outage;
use crate::read::origin_loader;
use crate::visit::Visit;
use crate::{access_log, response};
use greenroom_config::Mode;
use greenroom_origin::body::Body;
use greenroom_origin::client::Lane;

/// Passes a read through and its answer back.
pub async fn pass(
    visit: &Visit,
    read: &Read,
    target: &str,
    parts: request::Parts,
    body: Incoming,
) -> Response<Body> {
    match ask(visit, read, target, parts, body).await {
        Ok(response) => response::passed(forward::open(visit, response), Mode::Bypass.name()),
        Err(problem) => problem,
    }
}

/// Asks the server, once, and waits for the head of its answer. What it says about the token holds as in any mode:
/// what was kept for a token that is refused now must not come back when the cache answers again.
pub async fn ask(
    visit: &Visit,
    read: &Read,
    target: &str,
    mut parts: request::Parts,
    body: Incoming,
) -> Result<Response<Incoming>, Response<Body>> {
    if visit.server.origin.breaker.outage().is_some() {
        return Err(outage::stream(visit, target, &parts.method));
    }
    visit.server.counters.bypassed.fetch_add(1, Ordering::Relaxed);
    visit.app.reached.fetch_add(1, Ordering::Relaxed);
    access_log::reached(visit);
    // The one header that is not the client's own: here as with the cache, answers of ours are not compressed.
    parts.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let response = forward::send(visit, Lane::Read, target, &parts, body).await?;
    origin_loader::heed(&visit.server, &visit.identity, read, response.status());
    Ok(response)
}
