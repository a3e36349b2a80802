//! A whole response that is not cached.

use bytes::Bytes;
use greenroom_dialect::response_facts::UnsharedReason;
use greenroom_origin::body::Body;
use http::{HeaderMap, Response};

use greenroom_request_log::PassReason;

/// A response with status 200, for the one client that asked.
pub fn response(from_server: &HeaderMap, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().clone_from(from_server);
    response
}

/// [`response`] that is for one client only, for this reason.
pub fn unshared(from_server: &HeaderMap, body: Bytes, reason: UnsharedReason) -> Response<Body> {
    let mut response = response(from_server, body);
    response.extensions_mut().insert(reason);
    response
}

/// Reason why a response that was not cached was not.
pub fn reason(response: &Response<Body>) -> PassReason {
    match response.extensions().get() {
        Some(UnsharedReason::OtherPage) => PassReason::OtherPage,
        Some(UnsharedReason::HoldsToken | UnsharedReason::UncertainAccount) => PassReason::Account,
        None => PassReason::Forbidden,
    }
}
