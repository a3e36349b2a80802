//! What leaves for the client: kept answers with their age and history, and errors of ours.
//!
//! The metadata of a kept answer is its status line and headers as plain lines, so that the engine can keep it
//! without knowing what it is: `200`, then `name: value` per line.

pub mod base_url;
pub mod server_timing;

use std::sync::atomic::Ordering;
use std::time::{Duration, UNIX_EPOCH};

use bytes::{BufMut, Bytes, BytesMut};
use greenroom_cache::{Failure, FailureKind, Reason, Served, Stamp, Tier, Value};
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, AGE, CACHE_CONTROL, CONTENT_LENGTH,
    CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, ORIGIN,
    RETRY_AFTER, VARY,
};
use http::{HeaderMap, Method, Response, StatusCode};

use crate::access_log::Ours;
use crate::request::headers;
use crate::request::letterhead::Letterhead;
use crate::visit::Visit;
use greenroom_origin::body::Body;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");
/// What API answers tell clients: ours is the cache, theirs would go stale behind our back.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
/// When a client may try again after an answer that says the server cannot be asked.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("2");
/// What a page of another origin may read beside the body.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Age, Cache-Status, X-Plex-Container-Start, X-Plex-Container-Total-Size, X-Plex-Container-Size",
);

/// An answer as it is kept.
pub fn value(status: StatusCode, from_server: &HeaderMap, body: Bytes) -> Value {
    let mut meta = BytesMut::with_capacity(256);
    meta.put_slice(status.as_str().as_bytes());
    for (name, value) in from_server.iter().filter(|(name, _)| headers::is_kept(name)) {
        meta.put_u8(b'\n');
        meta.put_slice(name.as_str().as_bytes());
        meta.put_slice(b": ");
        meta.put_slice(value.as_bytes());
    }
    if status == StatusCode::OK && !from_server.contains_key(ETAG) {
        meta.put_slice(format!("\netag: W/\"{:016x}\"", xxhash_rust::xxh3::xxh3_64(&body)).as_bytes());
    }
    Value { body, meta: meta.freeze() }
}

/// Status and headers of a kept answer.
pub fn head_of(meta: &Bytes) -> (StatusCode, HeaderMap) {
    let mut lines = meta.split(|byte| *byte == b'\n');
    let status = lines.next().and_then(|line| StatusCode::from_bytes(line).ok()).unwrap_or(StatusCode::OK);
    let mut map = HeaderMap::with_capacity(12);
    for line in lines {
        let Some(at) = line.windows(2).position(|pair| pair == b": ") else { continue };
        let name = HeaderName::from_bytes(&line[..at]);
        let value = HeaderValue::from_maybe_shared(meta.slice_ref(&line[at + 2..]));
        if let (Ok(name), Ok(value)) = (name, value) {
            map.append(name, value);
        }
    }
    (status, map)
}

/// What is asked of an answer beyond its content.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The client's headers.
    pub headers: &'a HeaderMap,
    /// GET or HEAD.
    pub method: &'a Method,
    /// Whether the class is private to us (API answers) or clients may keep it (images).
    pub is_api: bool,
    /// The head of the last answer to the same request.
    pub letterhead: &'a Letterhead,
}

/// How a kept answer came to be served.
#[derive(Debug, Clone, Copy)]
pub struct History {
    /// In which way.
    pub served: Served,
    /// From where.
    pub tier: Tier,
    /// How old it can be.
    pub age: Duration,
    /// Fresh time left.
    pub left_ms: i64,
    /// Why it is not simply fresh.
    pub reason: Option<Reason>,
}

/// A kept answer. `created` is the stamp of the value, unless it was rewritten for this request.
pub fn kept(value: &Value, created: Option<Stamp>, history: History, wanted: Wanted<'_>) -> Response<Body> {
    let print = || head(value, wanted);
    let (status, headers) = created.map_or_else(print, |created| wanted.letterhead.of(created, print));
    let mut response = response(status, headers, value, wanted);
    let headers = response.headers_mut();
    headers.insert(AGE, HeaderValue::from(history.age.as_secs()));
    headers.insert(CACHE_STATUS, cache_status(history));
    response
}

/// The same value with another body, and a tag of its own.
pub fn with_body(value: &Value, body: Bytes) -> Value {
    let (status, mut headers) = head_of(&value.meta);
    headers.remove(ETAG);
    self::value(status, &headers, body)
}

/// An answer that was not kept but shared with those who asked at the same time.
pub fn shared(value: &Value, wanted: Wanted<'_>) -> Response<Body> {
    let (status, headers) = head(value, wanted);
    let mut response = response(status, headers, value, wanted);
    response.headers_mut().insert(CACHE_STATUS, HeaderValue::from_static("Greenroom; fwd=uri-miss"));
    response
}

/// An answer that only its caller gets, as it comes.
pub fn passed(response: Response<Body>, detail: &'static str) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    parts.headers = headers::for_client(&parts.headers);
    parts.extensions = http::Extensions::default();
    if let Ok(status) = HeaderValue::from_str(&format!("Greenroom; fwd=bypass; detail={detail}")) {
        parts.headers.append(CACHE_STATUS, status);
    }
    Response::from_parts(parts, body)
}

/// The head of an answer with this value.
fn head(value: &Value, wanted: Wanted<'_>) -> (StatusCode, HeaderMap) {
    let (status, mut headers) = head_of(&value.meta);
    if wanted.is_api || !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, PRIVATE);
    }
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(origin) = wanted.headers.get(ORIGIN) {
        allow(&mut headers, origin);
    }
    if status == StatusCode::OK && is_unchanged(&headers, wanted.headers) {
        headers.remove(CONTENT_TYPE);
        return (StatusCode::NOT_MODIFIED, headers);
    }
    if wanted.method == Method::HEAD {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(value.body.len()));
    }
    (status, headers)
}

fn response(status: StatusCode, headers: HeaderMap, value: &Value, wanted: Wanted<'_>) -> Response<Body> {
    let has_body = status != StatusCode::NOT_MODIFIED && wanted.method != Method::HEAD;
    let mut response = Response::new(if has_body { Body::from(value.body.clone()) } else { Body::empty() });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Lets a page of `origin` read the answer. Tokens travel in headers and queries, never in cookies, so a page that
/// has one may as well see what it opens.
fn allow(headers: &mut HeaderMap, origin: &HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    headers.append(VARY, HeaderValue::from_static("Origin"));
}

/// Conditional requests (RFC 9110 13.1): `If-None-Match` wins over `If-Modified-Since`.
fn is_unchanged(kept: &HeaderMap, asked: &HeaderMap) -> bool {
    if asked.contains_key(IF_NONE_MATCH) {
        let Some(own) = kept.get(ETAG).and_then(|etag| etag.to_str().ok()) else { return false };
        let own = own.trim_start_matches("W/");
        return asked
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag == own);
    }
    let date = |headers: &HeaderMap, name| {
        headers.get(name).and_then(|value: &HeaderValue| httpdate::parse_http_date(value.to_str().ok()?).ok())
    };
    match (date(kept, LAST_MODIFIED), date(asked, IF_MODIFIED_SINCE)) {
        (Some(modified), Some(since)) => modified <= since && since > UNIX_EPOCH,
        _ => false,
    }
}

/// `Cache-Status` (RFC 9211) in the engine's words.
fn cache_status(history: History) -> HeaderValue {
    let History { served, tier, left_ms, reason, .. } = history;
    let ttl = left_ms.div_euclid(1000);
    let why = reason.map_or("", Reason::name);
    let text = match (served, reason) {
        (Served::Hit, Some(_)) => format!("Greenroom; hit; ttl={ttl}; detail={why}"),
        (Served::Hit, None) => format!("Greenroom; hit; ttl={ttl}; detail={}", tier.name()),
        (Served::Stale, _) => format!("Greenroom; hit; ttl={ttl}; detail=stale-{why}"),
        (Served::StaleOnError, _) => format!("Greenroom; hit; ttl={ttl}; detail=stale-on-error-{why}"),
        (Served::Joined, Some(Reason::NotStored(_))) => {
            format!("Greenroom; fwd=uri-miss; collapsed; detail={why}")
        }
        (Served::Joined, _) => format!("Greenroom; fwd=uri-miss; collapsed; ttl={ttl}"),
        (Served::Loaded, Some(Reason::NotStored(_))) => format!("Greenroom; fwd=uri-miss; detail={why}"),
        (Served::Loaded, _) => format!("Greenroom; fwd=uri-miss; stored; ttl={ttl}"),
        (Served::Refreshed, Some(Reason::NotStored(_))) => format!("Greenroom; fwd=stale; detail={why}"),
        (Served::Refreshed, _) => format!("Greenroom; fwd=stale; stored; ttl={ttl}"),
    };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Greenroom"))
}

/// What a client gets when there is no answer.
pub fn failed(visit: &Visit, failure: &Failure, wanted: Wanted<'_>) -> Response<Body> {
    if let Some(value) = failure.answer.as_ref().filter(|value| says_more(failure.kind, value)) {
        return shared(value, wanted);
    }
    let (status, message) = match failure.kind {
        FailureKind::NotCached => (StatusCode::GATEWAY_TIMEOUT, "the answer is not in the cache"),
        FailureKind::Overloaded => {
            (StatusCode::SERVICE_UNAVAILABLE, "too many requests wait for this answer")
        }
        FailureKind::Panicked => (StatusCode::INTERNAL_SERVER_ERROR, "Greenroom failed; see its log"),
        FailureKind::Refused => (StatusCode::BAD_REQUEST, "the request cannot be forwarded"),
        FailureKind::Malformed => (StatusCode::BAD_GATEWAY, "the media server's answer broke off"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the media server cannot be asked at the moment"),
    };
    problem(visit, status, message)
}

/// Whether the server's own words help the client more than ours: not those of a server that is starting or
/// overloaded, which are a page for people.
fn says_more(kind: FailureKind, value: &Value) -> bool {
    let (status, _) = head_of(&value.meta);
    match kind {
        FailureKind::Starting => false,
        FailureKind::ServerError => !matches!(status.as_u16(), 502..=504),
        FailureKind::Malformed => !value.body.is_empty(),
        _ => true,
    }
}

/// An error of ours, in the representation the client understands. `message` holds nothing the client sent.
pub fn problem(visit: &Visit, status: StatusCode, message: &str) -> Response<Body> {
    visit.app.failed.fetch_add(1, Ordering::Relaxed);
    if status.is_client_error() && status != StatusCode::UNAUTHORIZED {
        visit.server.counters.refused.fetch_add(1, Ordering::Relaxed);
    }
    let kind = visit.server.origin.settings.kind;
    let (content_type, body) = kind.error_body(visit.representation, status.as_u16(), message);
    let mut response = whole(status, content_type, body);
    response.extensions_mut().insert(Ours::Problem);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if matches!(status.as_u16(), 502..=504) {
        headers.insert(RETRY_AFTER, RETRY_AFTER_S);
    }
    if let Some(origin) = &visit.origin {
        allow(headers, origin);
    }
    response
}

/// A response of ours with a body in the client's representation.
pub(crate) fn whole(status: StatusCode, content_type: &str, body: Bytes) -> Response<Body> {
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

    fn asked(name: HeaderName, value: &'static str) -> HeaderMap {
        [(name, HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn status_and_headers_survive_being_kept() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(HeaderName::from_static("connection"), HeaderValue::from_static("close"));
        let kept = value(StatusCode::NOT_FOUND, &headers, Bytes::from_static(b"{}"));
        let (status, map) = head_of(&kept.meta);
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(map.len(), 1);
        assert_eq!(map[CONTENT_TYPE], "application/json");
    }

    #[test]
    fn an_etag_of_our_own_answers_conditional_requests() {
        let kept = value(StatusCode::OK, &HeaderMap::new(), Bytes::from_static(b"{}"));
        let (_, headers) = head_of(&kept.meta);
        let own = headers[ETAG].clone();
        let mut same = HeaderMap::new();
        same.insert(IF_NONE_MATCH, own);
        assert!(is_unchanged(&headers, &same));
        assert!(is_unchanged(&headers, &asked(IF_NONE_MATCH, "\"x\", *")));
        assert!(!is_unchanged(&headers, &asked(IF_NONE_MATCH, "\"x\"")));
    }

    #[test]
    fn a_date_answers_conditional_requests_where_there_is_no_tag() {
        let mut kept = HeaderMap::new();
        kept.insert(LAST_MODIFIED, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert!(is_unchanged(&kept, &asked(IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:37 GMT")));
        assert!(!is_unchanged(&kept, &asked(IF_MODIFIED_SINCE, "Sat, 05 Nov 1994 08:49:37 GMT")));
        assert!(!is_unchanged(&kept, &asked(IF_MODIFIED_SINCE, "yesterday")));
    }

    #[test]
    fn a_letterhead_serves_one_value_only() {
        let letterhead = Letterhead::default();
        let headers = HeaderMap::new();
        let wanted =
            Wanted { headers: &headers, method: &Method::GET, is_api: true, letterhead: &letterhead };
        let history = History {
            served: Served::Hit,
            tier: Tier::Memory,
            age: Duration::ZERO,
            left_ms: 0,
            reason: None,
        };
        let of = |text: &'static str| {
            value(StatusCode::OK, &HeaderMap::new(), Bytes::from_static(text.as_bytes()))
        };
        let (one, other) = (of("one"), of("other"));
        let etag = |value: &Value, created| kept(value, created, history, wanted).headers()[ETAG].clone();
        let first = etag(&one, Some(Stamp::from_raw(1)));
        assert_eq!(etag(&one, Some(Stamp::from_raw(1))), first);
        assert_ne!(etag(&other, Some(Stamp::from_raw(2))), first, "a newer value has its own");
        assert_eq!(etag(&one, None), first, "what was rewritten has its own");
        assert_ne!(etag(&other, Some(Stamp::from_raw(2))), first);
    }
}
