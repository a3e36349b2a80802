//! Responses to clients: stored ones, parts of them, and those that say why there is none.

use bytes::Bytes;
use greenroom_cache::Timestamp;
use greenroom_http_caching::byte_range::{RequestedRange, SelectedBytes, if_range_matches};
use greenroom_http_caching::hop_by_hop;
use greenroom_http_caching::stored_head::StoredHead;
use greenroom_http_caching::trailer_fields::announcement;
use greenroom_http_caching::validation::{ConditionResult, evaluate_conditions, not_modified_headers};
use greenroom_origin::body::Body;
use greenroom_request_log::{CacheResult, DecisionOutcome, DecisionReason};
use http::header::{
    AGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, RANGE, RETRY_AFTER, TRAILER,
};
use http::{Method, Response, StatusCode};

use crate::api_request::ApiRequest;

/// The client's response from a stored one.
pub(crate) fn from_stored(request: &ApiRequest, head: &StoredHead, body: &Bytes, now_ms: Timestamp) -> Response<Body> {
    let mut headers = head.headers.clone();
    let age_s = head.age_ms(now_ms.as_millis()) / 1000;
    headers.insert(AGE, HeaderValue::from(age_s));
    build(request, head, headers, body)
}

/// The client's response from one that was just loaded.
pub(crate) fn from_loaded(request: &ApiRequest, head: &StoredHead, body: &Bytes) -> Response<Body> {
    build(request, head, head.headers.clone(), body)
}

/// The client's response from a part that was just loaded. It may have been put together with one that was stored.
pub(crate) fn from_loaded_part(request: &ApiRequest, head: &StoredHead, body: &Bytes) -> Response<Body> {
    let of_joined = head.part.and_then(|_| stored_part(request, head, head.headers.clone(), body));
    of_joined.unwrap_or_else(|| from_loaded(request, head, body))
}

/// Applies the client's conditions and range to a whole response.
fn build(request: &ApiRequest, head: &StoredHead, mut headers: HeaderMap, body: &Bytes) -> Response<Body> {
    let (status, part) = (head.status, head.part);
    // It announces those that are sent with this response.
    headers.remove(TRAILER);
    let is_read = matches!(request.method, Method::GET | Method::HEAD);
    let is_ok = status == StatusCode::OK;
    if is_read && is_ok && evaluate_conditions(&request.headers, &headers) == ConditionResult::NotModified {
        return with_headers(StatusCode::NOT_MODIFIED, not_modified_headers(&headers), Body::empty());
    }
    let range = RequestedRange::of_request(&request.headers);
    let allows_part = request.method == Method::GET && is_ok && part.is_none();
    match range.filter(|_| allows_part && if_range_matches(&request.headers, &headers)) {
        Some(range) => part_of(range, headers, body, 0, body.len() as u64),
        None if request.method == Method::HEAD => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
            with_headers(status, headers, Body::empty())
        }
        None if request.accepts_trailers && !head.trailers.is_empty() => {
            headers.remove(CONTENT_LENGTH);
            headers.extend(announcement(&head.trailers).map(|names| (TRAILER, names)));
            with_headers(status, headers, Body::Trailed(Some(body.clone()), Some(Box::new(head.trailers.clone()))))
        }
        None => {
            if status != StatusCode::NO_CONTENT {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
            }
            with_headers(status, headers, body.clone().into())
        }
    }
}

/// The selected part of a body of which the bytes from `first` on are known.
fn part_of(range: RequestedRange, mut headers: HeaderMap, body: &Bytes, first: u64, complete: u64) -> Response<Body> {
    headers.remove(CONTENT_LENGTH);
    match range.select(complete) {
        SelectedBytes::Part(part) => {
            let at = |byte: u64| usize::try_from(byte.saturating_sub(first)).unwrap_or(usize::MAX).min(body.len());
            let bytes = body.slice(at(part.first)..at(part.last + 1));
            headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            if let Ok(value) = HeaderValue::from_str(&part.content_range()) {
                headers.insert(CONTENT_RANGE, value);
            }
            with_headers(StatusCode::PARTIAL_CONTENT, headers, bytes.into())
        }
        SelectedBytes::Unsatisfiable | SelectedBytes::Whole => {
            headers.remove(CONTENT_TYPE);
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{complete}")) {
                headers.insert(CONTENT_RANGE, value);
            }
            with_headers(StatusCode::RANGE_NOT_SATISFIABLE, headers, Body::empty())
        }
    }
}

/// The client's response from a stored part, if that holds all that it asks for.
pub(crate) fn from_stored_part(
    request: &ApiRequest,
    head: &StoredHead,
    body: &Bytes,
    now_ms: Timestamp,
) -> Option<Response<Body>> {
    let mut headers = head.headers.clone();
    headers.insert(AGE, HeaderValue::from(head.age_ms(now_ms.as_millis()) / 1000));
    stored_part(request, head, headers, body)
}

fn stored_part(
    request: &ApiRequest,
    head: &StoredHead,
    mut headers: HeaderMap,
    body: &Bytes,
) -> Option<Response<Body>> {
    let (stored, range) = (head.part?, RequestedRange::of_request(&request.headers)?);
    if !if_range_matches(&request.headers, &head.headers) {
        return None;
    }
    let is_same = head.selected_by.iter().any(|(name, value)| *name == RANGE && *value == requested_text(request));
    if is_same {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        return Some(with_headers(StatusCode::PARTIAL_CONTENT, headers, body.clone().into()));
    }
    match range.select(stored.complete) {
        SelectedBytes::Part(asked) if stored.contains(asked) => {
            Some(part_of(range, headers, body, stored.first, stored.complete))
        }
        _ => None,
    }
}

/// The range of a request as text.
pub(crate) fn requested_text(request: &ApiRequest) -> String {
    let value = request.headers.get(RANGE);
    value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

/// A response of the server as it is passed on.
pub(crate) fn passed(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    hop_by_hop::strip(&mut parts.headers);
    with_headers(parts.status, parts.headers, body)
}

/// A response of Greenroom's own, in plain text.
pub(crate) fn problem(status: StatusCode, message: &str, retry_after_s: Option<u64>) -> Response<Body> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Some(seconds) = retry_after_s {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    let mut response = with_headers(status, headers, Bytes::from(format!("{message}\n")).into());
    response.extensions_mut().insert(DecisionOutcome::new(CacheResult::Failed, DecisionReason::Unanswered));
    response
}

fn with_headers(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
