//! A whole response that is not cached.

use bytes::Bytes;
use greenroom_origin::body::Body;
use http::{HeaderMap, Response};

/// A response with status 200, for the one client that asked.
pub fn response(from_server: &HeaderMap, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().clone_from(from_server);
    response
}
