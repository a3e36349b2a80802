//! What is said while the server is down to what is neither a read nor kept: a sign of life, or a quick no.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use greenroom_cache::{Reason, Served};
use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Method, Response, StatusCode};

use crate::access_log::{self, Ours};
use crate::response;
use crate::response::whole;
use crate::visit::Visit;
use greenroom_origin::body::Body;
use greenroom_origin::breaker::Outage;

/// What would pass through: the sign of life that clients begin with, else no.
pub fn stream(visit: &Visit, target: &str, method: &Method) -> Response<Body> {
    match sign_of_life(visit, target, method) {
        Some(response) => in_its_absence(visit, response),
        None => refuse(visit, "the media server is down"),
    }
}

/// Counts what we say in the server's place while it is not asked.
pub fn in_its_absence(visit: &Visit, mut response: Response<Body>) -> Response<Body> {
    access_log::note_saved(visit, Served::StaleOnError, Some(Reason::Offline));
    response.extensions_mut().insert(Ours::InItsAbsence);
    response
}

/// What the server would say if it were only asked whether it is there: that *we* are here is all that clients need to
/// begin.
pub fn sign_of_life(visit: &Visit, target: &str, method: &Method) -> Option<Response<Body>> {
    let (content_type, body) = visit.server.origin.settings.kind.sign_of_life(target)?;
    if !method.is_safe() && method != Method::POST {
        return None;
    }
    let mut response = whole(StatusCode::OK, content_type, Bytes::from_static(body));
    response.extensions_mut().insert(Ours::InItsStead);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

/// The quick no, in the client's own form, with a time to try again.
pub fn refuse(visit: &Visit, message: &str) -> Response<Body> {
    visit.server.counters.offline.fetch_add(1, Ordering::Relaxed);
    response::problem(visit, StatusCode::SERVICE_UNAVAILABLE, message)
}

/// Whether a socket may be opened in the server's absence: the token was good when it was last heard of.
pub fn may_listen(visit: &Visit, outage: &Outage) -> bool {
    let settings = &visit.server.origin.settings;
    let now_ms = visit.server.origin.clock.now_ms();
    visit.identity.is_proven_offline(outage, now_ms, settings.auth_ttl, settings.offline_auth_ttl)
}
