//! Offline responses to requests that are not cached reads: a liveness response, or a quick error.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use greenroom_cache::{CacheStatus, CacheStatusReason};
use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Method, Response, StatusCode};

use crate::access_log::{self, GeneratedResponse};
use crate::proxy_request::ProxyRequest;
use crate::response;
use crate::response::complete;
use greenroom_origin::body::Body;
use greenroom_origin::breaker::Outage;

/// Answers a pass-through request: a liveness response where clients begin with one, else an error.
pub fn stream(request: &ProxyRequest, target: &str, method: &Method) -> Response<Body> {
    match liveness_response(request, target, method) {
        Some(response) => record_offline_response(request, response),
        None => refuse(request, "the media server is down"),
    }
}

/// Counts a response made during an outage without asking the server.
pub fn record_offline_response(request: &ProxyRequest, mut response: Response<Body>) -> Response<Body> {
    access_log::record_saved(request, CacheStatus::StaleOnError, Some(CacheStatusReason::Offline));
    response.extensions_mut().insert(GeneratedResponse::WhileOffline);
    response
}

/// Answers a request that only asks whether the server is up. Greenroom being up is all that clients need to begin.
pub fn liveness_response(request: &ProxyRequest, target: &str, method: &Method) -> Option<Response<Body>> {
    let (content_type, body) = request.server.origin.settings.kind.liveness_response(target)?;
    if !method.is_safe() && method != Method::POST {
        return None;
    }
    let mut response = complete(StatusCode::OK, content_type, Bytes::from_static(body));
    response.extensions_mut().insert(GeneratedResponse::AfterFailure);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

/// The quick error, in the client's own format, with `Retry-After`.
pub fn refuse(request: &ProxyRequest, message: &str) -> Response<Body> {
    request.server.counters.offline.fetch_add(1, Ordering::Relaxed);
    response::problem(request, StatusCode::SERVICE_UNAVAILABLE, message)
}

/// Whether a socket may be opened during an outage: the token was valid when the server last answered.
pub fn may_open_socket(request: &ProxyRequest, outage: &Outage) -> bool {
    let settings = &request.server.origin.settings;
    let now_ms = request.server.origin.clock.now();
    request.classified.identity.is_proven_offline(outage, now_ms, settings.auth_ttl, settings.offline_auth_ttl)
}
