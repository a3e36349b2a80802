//! Properties of comparisons of two answers: the same is no difference, and only places are told.

use greenroom_response_comparison::{ComparedResponse, ComparisonDepth, ResponseComparison, compare};
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
    let content_type = HeaderValue::from_bytes(content_type).ok();
    let headers = HeaderMap::from_iter(content_type.map(|kind| (CONTENT_TYPE, kind)));
    let bodies = [one, other].map(|body| with_secret(&String::from_utf8_lossy(body)).into_bytes());
    let [one, other] = [&bodies[0], &bodies[1]]
        .map(|body| ComparedResponse { headers: Some(&headers), ..ComparedResponse::new(200, body) });
    let target = String::from_utf8_lossy(target);
    let depth = ComparisonDepth::Fields(&target);
    assert_eq!(compare(&one, &one, depth), ResponseComparison::Same, "an answer differs from itself");
    let found = compare(&one, &other, depth);
    assert_eq!(found.is_unexplained(), !found.places().is_empty());
    assert!(found.places().len() <= MAX_PLACES);
    let is_name = bodies.iter().any(|body| names_the_secret(body));
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
