//! Properties of the head of any exchange with an HTTP API: what is stored comes back as it was, is selected by the
//! request that caused it, and gets no fresher with time.

use std::time::Duration;

use bytes::Bytes;
use greenroom_http_caching::byte_range::{PartRange, RequestedRange, SelectedBytes, if_range_matches};
use greenroom_http_caching::freshness::ExchangeTimes;
use greenroom_http_caching::invalidation::named_targets;
use greenroom_http_caching::partial_body::{MissingBytes, combine};
use greenroom_http_caching::request_directives::RequestDirectives;
use greenroom_http_caching::reuse::{Reuse, is_usable_on_error, reuse};
use greenroom_http_caching::search_variance::SearchVariance;
use greenroom_http_caching::storage::{CacheKind, ConfiguredLifetimes, Exchange, evaluate, with_part};
use greenroom_http_caching::stored_head::StoredHead;
use greenroom_http_caching::validation::{evaluate_conditions, updated_headers};
use greenroom_http_caching::variant::selects;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use http::{Method, StatusCode};

use super::request::{chance, split_once};

/// When the response came.
const ARRIVAL_MS: u64 = 1_800_000_000_000;
/// Later moments, counted from then.
const LATER_MS: [u64; 5] = [0, 1, 5_000, 86_400_000, u64::MAX / 4];

/// Checks the head of an exchange: fields of the request, an empty line, the status, and fields of the response.
pub fn check(bytes: &[u8]) {
    let (request, response) = split_once(bytes, b"\n\n");
    let (status, response) = split_once(response, b"\n");
    let status = std::str::from_utf8(status).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(200);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let (request, response) = (fields(request), fields(response));
    let is_configured = chance(bytes).is_multiple_of(2);
    let fresh = is_configured.then_some(Duration::from_secs(60));
    let exchange = Exchange {
        method: &Method::GET,
        request: &request,
        request_forbids: false,
        status,
        response: &response,
        times: ExchangeTimes { request_ms: ARRIVAL_MS - 10, response_ms: ARRIVAL_MS },
        audience: if chance(bytes).is_multiple_of(3) { CacheKind::Private } else { CacheKind::Shared },
        configured: ConfiguredLifetimes { fresh, ..ConfiguredLifetimes::default() },
        default_error: Duration::from_secs(60),
    };
    if let Ok((head, selecting)) = evaluate(&exchange) {
        assert!(is_configured || !response.contains_key(SET_COOKIE), "a cookie is stored");
        assert!(!head.headers.contains_key(SET_COOKIE));
        let same = |_: &HeaderName, value: &str| value.to_owned();
        assert!(selects(&head.selected_by, &request, same), "a request selects what it caused");
        let other = HeaderMap::new();
        assert_eq!(selects(&head.selected_by, &other, same), selecting.key(&request) == selecting.key(&other));
        stored(&head, &request);
    }
    ranges(&request, &response);
    searches(&response, &String::from_utf8_lossy(bytes));
    for target in named_targets("/a/b?c", "api.example", &response) {
        assert!(target.starts_with('/'), "{target:?} is no target");
    }
    let updated = updated_headers(&response, &request);
    assert_eq!(updated.get(CONTENT_LENGTH), response.get(CONTENT_LENGTH), "a 304 changes no body");
    let _ = (evaluate_conditions(&request, &response), if_range_matches(&request, &response));
}

fn stored(head: &StoredHead, request: &HeaderMap) {
    assert_eq!(StoredHead::decode(&head.encode()).as_ref(), Some(head), "what is stored comes back");
    let directives = RequestDirectives::of(request);
    let mut was_usable = [true, true];
    for later_ms in LATER_MS {
        let now_ms = ARRIVAL_MS + later_ms;
        let usable = [reuse(head, &directives, now_ms) == Reuse::Now, is_usable_on_error(head, now_ms)];
        for (was, is) in was_usable.into_iter().zip(usable) {
            assert!(was || !is, "it became usable again after {later_ms} ms");
        }
        was_usable = usable;
    }
    if let Ok(head) = with_part(head.clone(), 5) {
        assert_eq!(head.part.map(PartRange::length), Some(5));
        assert_eq!(StoredHead::decode(&head.encode()).as_ref(), Some(&head));
        completed(&head);
    }
}

/// A part and what it lacks are the whole.
fn completed(head: &StoredHead) {
    let missing = head.part.filter(|part| part.complete < 1 << 20).and_then(MissingBytes::of_whole);
    let Some(missing) = missing else { return };
    let range = PartRange { first: missing.first, last: missing.last, complete: missing.complete };
    let rest = StoredHead { part: Some(range), ..head.clone() };
    let body = |part: PartRange| Bytes::from(vec![b'x'; usize::try_from(part.length()).expect("short")]);
    let Some(part) = head.part else { return };
    if let Some((whole, bytes)) = combine((head, &body(part)), (&rest, &body(range))) {
        assert_eq!((whole.status, whole.part, bytes.len() as u64), (StatusCode::OK, None, part.complete));
    }
}

/// A statement of a response about queries comes back as it was, and parameters that are none make no difference.
fn searches(response: &HeaderMap, query: &str) {
    let variance = SearchVariance::of_response(response);
    assert_eq!(SearchVariance::decode(&variance.encode()), variance, "what is known of queries comes back");
    let padded = variance.normalised(&format!("&{query}&&"));
    assert!(variance.is_default() || padded == variance.normalised(query), "what counts of a query");
}

fn ranges(request: &HeaderMap, response: &HeaderMap) {
    if let Some(part) = PartRange::of_response(response, 5) {
        assert!(part.length() == 5 && part.last < part.complete);
    }
    let Some(range) = RequestedRange::of_request(request) else { return };
    for complete in [0, 1, 10, u64::MAX] {
        if let SelectedBytes::Part(part) = range.select(complete) {
            assert!(part.first <= part.last && part.last < complete && part.complete == complete);
        }
    }
}

fn fields(text: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n').take(64) {
        let (name, value) = split_once(line, b":");
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value.trim_ascii())) {
            headers.append(name, value);
        }
    }
    headers
}
