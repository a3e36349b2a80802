//! What must hold where two answers are compared: the same is no difference, and only places are told.

use bytes::Bytes;
use greenroom_origin::probe_client::ProbeResponse;
use greenroom_origin::response_diff::differences;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use super::request::{SECRET, split_once, with_secret};

/// Places of one answer that are told at most.
const MAX_PLACES: usize = 5;

/// Checks what must hold of two answers: the first line is the target, the second the content type, then the one
/// body, and after a line `---` the other.
pub fn check(bytes: &[u8]) {
    let (target, rest) = split_once(bytes, b"\n");
    let (content_type, rest) = split_once(rest, b"\n");
    let (one, other) = split_once(rest, b"\n---\n");
    let heard = |body: &[u8]| {
        let content_type = HeaderValue::from_bytes(content_type).ok();
        let headers = content_type.map(|kind| HeaderMap::from_iter([(CONTENT_TYPE, kind)]));
        let body = with_secret(&String::from_utf8_lossy(body)).into_bytes();
        ProbeResponse { status: 200, headers: headers.unwrap_or_default(), body: Bytes::from(body) }
    };
    let (one, other) = (heard(one), heard(other));
    let target = String::from_utf8_lossy(target);
    assert!(differences(&target, &one, &one).is_empty(), "an answer differs from itself");
    let found = differences(&target, &one, &other);
    assert!(found.places().len() <= MAX_PLACES);
    let is_name = [&one, &other].iter().any(|heard| names_the_secret(&heard.body));
    for place in found.places() {
        assert!(is_name || !place.contains(SECRET), "a value is told: {place}");
    }
}

/// Whether the secret stands, plainly or perhaps, where a name does: names are told.
fn names_the_secret(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let is_value = |before: &str, after: &str| {
        let closes = after.strip_prefix('"').map(str::trim_start);
        before.ends_with('"') && closes.is_some_and(|after| after.starts_with(['/', '>', ',', '}', ']']))
    };
    text.match_indices(SECRET).any(|(at, _)| !is_value(&text[..at], &text[at + SECRET.len()..]))
}
