//! Builds responses for clients: cached ones with `Age` and `Cache-Status`, and errors.
//!
//! The metadata of a cached response is its status line and headers as plain lines, so that the engine can store it
//! unparsed: `200`, then `name: value` per line.

pub mod base_url;
pub mod server_timing;
pub mod uncached;

use std::io::Write as _;
use std::sync::atomic::Ordering;
use std::time::{Duration, UNIX_EPOCH};

use bytes::{BufMut, Bytes, BytesMut};
use greenroom_cache::{CacheStatus, CacheStatusReason, HybridTimestamp, LoadError, LoadErrorKind, Tier, Value};
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, ORIGIN, RETRY_AFTER, SET_COOKIE, VARY,
};
use http::{HeaderMap, Method, Response, StatusCode};

use crate::access_log::GeneratedResponse;
use crate::proxy_request::ProxyRequest;
use crate::request::cached_headers::CachedHeaders;
use crate::request::headers;
use greenroom_origin::body::Body;

pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");
/// `Cache-Control` of API responses: a client's own cache would go stale unnoticed, so only Greenroom caches.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
/// `Retry-After` while the server cannot be asked.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("2");
/// Headers that a page of another origin may read.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Age, Cache-Status, X-Plex-Container-Start, X-Plex-Container-Total-Size, X-Plex-Container-Size",
);

/// A response in the form that is stored.
pub fn to_cached_value(status: StatusCode, from_server: &HeaderMap, body: Bytes) -> Value {
    let mut meta = write_head(status, from_server.iter().filter(|(name, _)| headers::is_storable(name)));
    if status == StatusCode::OK && !from_server.contains_key(ETAG) {
        meta.put_slice(format!("\netag: W/\"{:016x}\"", xxhash_rust::xxh3::xxh3_64(&body)).as_bytes());
    }
    Value { body, meta: meta.freeze() }
}

/// A response that is not stored, with all headers that a client may see but the framing.
pub fn to_whole_value(status: StatusCode, from_server: &HeaderMap, body: Bytes) -> Value {
    let passed = headers::for_client(from_server);
    // Others may get it too, so no cookie is set.
    let shown = passed.iter().filter(|(name, _)| ![CONTENT_LENGTH, SET_COOKIE].contains(name));
    Value { body, meta: write_head(status, shown).freeze() }
}

fn write_head<'a>(status: StatusCode, headers: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>) -> BytesMut {
    let mut meta = BytesMut::with_capacity(256);
    meta.put_slice(status.as_str().as_bytes());
    for (name, value) in headers {
        meta.put_u8(b'\n');
        meta.put_slice(name.as_str().as_bytes());
        meta.put_slice(b": ");
        meta.put_slice(value.as_bytes());
    }
    meta
}

/// Status and headers of a cached response.
pub fn parse_head(meta: &Bytes) -> (StatusCode, HeaderMap) {
    let mut lines = meta.split(|byte| *byte == b'\n');
    let status = lines.next().and_then(|line| StatusCode::from_bytes(line).ok()).unwrap_or(StatusCode::OK);
    let mut headers = HeaderMap::with_capacity(12);
    for line in lines {
        let Some(at) = line.windows(2).position(|pair| pair == b": ") else { continue };
        let name = HeaderName::from_bytes(&line[..at]);
        let value = HeaderValue::from_maybe_shared(meta.slice_ref(&line[at + 2..]));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    (status, headers)
}

/// Dependences of a response beyond its content.
#[derive(Debug, Clone, Copy)]
pub struct ResponseOptions<'a> {
    /// The client's headers.
    pub headers: &'a HeaderMap,
    /// GET or HEAD.
    pub method: &'a Method,
    /// Whether only Greenroom may cache it (API responses), or clients too (images).
    pub is_api: bool,
    /// Headers of the last response to the same request.
    pub cached_headers: &'a CachedHeaders,
}

/// Details of a served entry.
#[derive(Debug, Clone, Copy)]
pub struct CacheHitDetails {
    /// Kind of the hit.
    pub served: CacheStatus,
    /// Tier of the entry.
    pub tier: Tier,
    /// Upper bound of its age.
    pub age: Duration,
    /// Fresh time left.
    pub left_ms: i64,
    /// Reason why it is not simply fresh.
    pub reason: Option<CacheStatusReason>,
}

/// A cached response. `created` is the stamp of the value, unless it was rewritten for this request.
pub fn cached(
    value: &Value,
    created: Option<HybridTimestamp>,
    hit: CacheHitDetails,
    options: ResponseOptions<'_>,
) -> Response<Body> {
    let build_head = || head(value, options);
    let (status, headers) =
        created.map_or_else(build_head, |created| options.cached_headers.get_or_build(created, build_head));
    let mut response = response(status, headers, value, options);
    let headers = response.headers_mut();
    headers.insert(AGE, HeaderValue::from(hit.age.as_secs()));
    headers.insert(CACHE_STATUS, cache_status(hit));
    response
}

/// The same value with another body, and its own `ETag`.
pub fn with_body(value: &Value, body: Bytes) -> Value {
    let (status, mut headers) = parse_head(&value.meta);
    headers.remove(ETAG);
    self::to_cached_value(status, &headers, body)
}

/// A response that is not stored but shared with requests that joined the load, or, as a hit, with those that came
/// shortly after it.
pub fn shared(value: &Value, served: CacheStatus, options: ResponseOptions<'_>) -> Response<Body> {
    let (status, headers) = head(value, options);
    let mut response = response(status, headers, value, options);
    let text = if served == CacheStatus::Hit { "Greenroom; hit; detail=absent" } else { "Greenroom; fwd=uri-miss" };
    response.headers_mut().insert(CACHE_STATUS, HeaderValue::from_static(text));
    response
}

/// A response for one client only, streamed.
pub fn forwarded(response: Response<Body>, detail: &'static str) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    parts.headers = headers::for_client(&parts.headers);
    parts.extensions = http::Extensions::default();
    if let Ok(status) = HeaderValue::from_str(&format!("Greenroom; fwd=bypass; detail={detail}")) {
        parts.headers.append(CACHE_STATUS, status);
    }
    Response::from_parts(parts, body)
}

/// Status and headers of a response with this value.
fn head(value: &Value, options: ResponseOptions<'_>) -> (StatusCode, HeaderMap) {
    let (status, mut headers) = parse_head(&value.meta);
    if options.is_api || !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, PRIVATE);
    }
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(origin) = options.headers.get(ORIGIN) {
        allow_origin(&mut headers, origin);
    }
    if status == StatusCode::OK && is_unchanged(&headers, options.headers) {
        headers.remove(CONTENT_TYPE);
        return (StatusCode::NOT_MODIFIED, headers);
    }
    if options.method == Method::HEAD {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(value.body.len()));
    }
    (status, headers)
}

fn response(status: StatusCode, headers: HeaderMap, value: &Value, options: ResponseOptions<'_>) -> Response<Body> {
    let has_body = status != StatusCode::NOT_MODIFIED && options.method != Method::HEAD;
    let mut response = Response::new(if has_body { Body::from(value.body.clone()) } else { Body::empty() });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Lets a page of `origin` read the response. Tokens travel in headers and queries, never in cookies, so a page that
/// has one may read what it opens.
fn allow_origin(headers: &mut HeaderMap, origin: &HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    headers.append(VARY, HeaderValue::from_static("Origin"));
}

/// Conditional requests (RFC 9110 13.1): `If-None-Match` wins over `If-Modified-Since`.
fn is_unchanged(stored: &HeaderMap, request_headers: &HeaderMap) -> bool {
    if request_headers.contains_key(IF_NONE_MATCH) {
        let Some(etag) = stored.get(ETAG).and_then(|etag| etag.to_str().ok()) else { return false };
        let etag = etag.trim_start_matches("W/");
        return request_headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag == etag);
    }
    let date = |headers: &HeaderMap, name| {
        headers.get(name).and_then(|value: &HeaderValue| httpdate::parse_http_date(value.to_str().ok()?).ok())
    };
    match (date(stored, LAST_MODIFIED), date(request_headers, IF_MODIFIED_SINCE)) {
        (Some(modified), Some(since)) => modified <= since && since > UNIX_EPOCH,
        _ => false,
    }
}

/// `Cache-Status` (RFC 9211) of the engine's result.
fn cache_status(hit: CacheHitDetails) -> HeaderValue {
    let CacheHitDetails { served, tier, left_ms, reason, .. } = hit;
    let ttl = left_ms.div_euclid(1000);
    let detail = reason.map_or("", CacheStatusReason::name);
    let text = match (served, reason) {
        (CacheStatus::Hit, Some(_)) => format!("Greenroom; hit; ttl={ttl}; detail={detail}"),
        (CacheStatus::Hit, None) => format!("Greenroom; hit; ttl={ttl}; detail={}", tier.name()),
        (CacheStatus::Stale, _) => format!("Greenroom; hit; ttl={ttl}; detail=stale-{detail}"),
        (CacheStatus::StaleOnError, _) => format!("Greenroom; hit; ttl={ttl}; detail=stale-on-error-{detail}"),
        (CacheStatus::Joined, Some(CacheStatusReason::NotStored(_))) => {
            format!("Greenroom; fwd=uri-miss; collapsed; detail={detail}")
        }
        (CacheStatus::Joined, _) => format!("Greenroom; fwd=uri-miss; collapsed; ttl={ttl}"),
        (CacheStatus::Loaded, Some(CacheStatusReason::NotStored(_))) => {
            format!("Greenroom; fwd=uri-miss; detail={detail}")
        }
        (CacheStatus::Loaded, _) => format!("Greenroom; fwd=uri-miss; stored; ttl={ttl}"),
        (CacheStatus::Refreshed, Some(CacheStatusReason::NotStored(_))) => {
            format!("Greenroom; fwd=stale; detail={detail}")
        }
        (CacheStatus::Refreshed, Some(CacheStatusReason::Unconfirmed)) => {
            format!("Greenroom; fwd=stale; stored; ttl={ttl}; detail={detail}")
        }
        (CacheStatus::Refreshed, _) => format!("Greenroom; fwd=stale; stored; ttl={ttl}"),
    };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Greenroom"))
}

/// Appends the headers that each hit in memory has of its own, `length` that of its body, in the order of [`cached`].
pub(crate) fn write_hit_headers(out: &mut Vec<u8>, age: Duration, left_ms: i64, length: Option<usize>) {
    let (age_s, ttl, tier) = (age.as_secs(), left_ms.div_euclid(1000), Tier::Memory.name());
    // Writing to a vector cannot fail.
    let _ = write!(out, "age: {age_s}\r\ncache-status: Greenroom; hit; ttl={ttl}; detail={tier}\r\n");
    if let Some(length) = length {
        let _ = write!(out, "content-length: {length}\r\n");
    }
}

/// Response to a failed read.
pub fn failed(request: &ProxyRequest, error: &LoadError, options: ResponseOptions<'_>) -> Response<Body> {
    if let Some(value) = error.response.as_ref().filter(|value| prefers_server_body(error.kind, value)) {
        return shared(value, CacheStatus::Loaded, options);
    }
    let (status, message) = match error.kind {
        LoadErrorKind::NotCached => (StatusCode::GATEWAY_TIMEOUT, "the response is not in the cache"),
        LoadErrorKind::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "too many requests wait for this response"),
        LoadErrorKind::Panicked => (StatusCode::INTERNAL_SERVER_ERROR, "Greenroom failed; see its log"),
        LoadErrorKind::Refused => (StatusCode::BAD_REQUEST, "the request cannot be forwarded"),
        LoadErrorKind::Malformed => (StatusCode::BAD_GATEWAY, "the media server's response ended early"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the media server is unavailable at the moment"),
    };
    problem(request, status, message)
}

/// Whether the server's own body helps the client more: not that of a server which is starting or overloaded, a page
/// for people.
fn prefers_server_body(kind: LoadErrorKind, value: &Value) -> bool {
    let (status, _) = parse_head(&value.meta);
    match kind {
        LoadErrorKind::Starting => false,
        LoadErrorKind::ServerError => !matches!(status.as_u16(), 502..=504),
        LoadErrorKind::Malformed => !value.body.is_empty(),
        _ => true,
    }
}

/// An error of Greenroom's own, in the client's representation. `message` holds nothing the client sent.
pub fn problem(request: &ProxyRequest, status: StatusCode, message: &str) -> Response<Body> {
    request.classified.app.failed.fetch_add(1, Ordering::Relaxed);
    if status.is_client_error() && status != StatusCode::UNAUTHORIZED {
        request.server.counters.refused.fetch_add(1, Ordering::Relaxed);
    }
    let kind = request.server.origin.settings.kind;
    let (content_type, body) = kind.error_body(request.classified.representation, status.as_u16(), message);
    let mut response = complete(status, content_type, body);
    response.extensions_mut().insert(GeneratedResponse::Error);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if matches!(status.as_u16(), 502..=504) {
        headers.insert(RETRY_AFTER, RETRY_AFTER_S);
    }
    if let Some(origin) = &request.origin {
        allow_origin(headers, origin);
    }
    response
}

/// A response of Greenroom's own with a body in the client's representation.
pub(crate) fn complete(status: StatusCode, content_type: &str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    if let Ok(value) = content_type.parse() {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_map(name: HeaderName, value: &'static str) -> HeaderMap {
        [(name, HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn status_and_headers_survive_storage() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(HeaderName::from_static("connection"), HeaderValue::from_static("close"));
        let value = to_cached_value(StatusCode::NOT_FOUND, &headers, Bytes::from_static(b"{}"));
        let (status, headers) = parse_head(&value.meta);
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(headers.len(), 1);
        assert_eq!(headers[CONTENT_TYPE], "application/json");
    }

    #[test]
    fn a_hit_before_the_parser_says_the_same_of_the_cache_as_one_behind_it() {
        for left_ms in [3_599_999, 0, -1] {
            let hit = CacheHitDetails {
                served: CacheStatus::Hit,
                tier: Tier::Memory,
                age: Duration::from_millis(61_999),
                left_ms,
                reason: None,
            };
            let (mut out, status) = (Vec::new(), cache_status(hit));
            write_hit_headers(&mut out, hit.age, left_ms, Some(7));
            let status = status.to_str().expect("a text");
            let expected = format!("age: 61\r\ncache-status: {status}\r\ncontent-length: 7\r\n");
            assert_eq!(String::from_utf8(out).expect("a text"), expected);
        }
    }

    #[test]
    fn a_generated_etag_answers_conditional_requests() {
        let value = to_cached_value(StatusCode::OK, &HeaderMap::new(), Bytes::from_static(b"{}"));
        let (_, headers) = parse_head(&value.meta);
        let etag = headers[ETAG].clone();
        let mut same = HeaderMap::new();
        same.insert(IF_NONE_MATCH, etag);
        assert!(is_unchanged(&headers, &same));
        assert!(is_unchanged(&headers, &header_map(IF_NONE_MATCH, "\"x\", *")));
        assert!(!is_unchanged(&headers, &header_map(IF_NONE_MATCH, "\"x\"")));
    }

    #[test]
    fn a_date_answers_conditional_requests_without_an_etag() {
        let mut stored = HeaderMap::new();
        stored.insert(LAST_MODIFIED, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert!(is_unchanged(&stored, &header_map(IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:37 GMT")));
        assert!(!is_unchanged(&stored, &header_map(IF_MODIFIED_SINCE, "Sat, 05 Nov 1994 08:49:37 GMT")));
        assert!(!is_unchanged(&stored, &header_map(IF_MODIFIED_SINCE, "yesterday")));
    }

    #[test]
    fn cached_headers_serve_one_value_only() {
        let cached_headers = CachedHeaders::default();
        let headers = HeaderMap::new();
        let options =
            ResponseOptions { headers: &headers, method: &Method::GET, is_api: true, cached_headers: &cached_headers };
        let hit = CacheHitDetails {
            served: CacheStatus::Hit,
            tier: Tier::Memory,
            age: Duration::ZERO,
            left_ms: 0,
            reason: None,
        };
        let value = |text: &'static str| {
            to_cached_value(StatusCode::OK, &HeaderMap::new(), Bytes::from_static(text.as_bytes()))
        };
        let (first_value, second_value) = (value("one"), value("other"));
        let etag = |value: &Value, created| cached(value, created, hit, options).headers()[ETAG].clone();
        let first = etag(&first_value, Some(HybridTimestamp::from_raw(1)));
        assert_eq!(etag(&first_value, Some(HybridTimestamp::from_raw(1))), first);
        assert_ne!(etag(&second_value, Some(HybridTimestamp::from_raw(2))), first, "a newer value has its own headers");
        assert_eq!(etag(&first_value, None), first, "a rewritten value has its own headers");
        assert_ne!(etag(&second_value, Some(HybridTimestamp::from_raw(2))), first);
    }
}
