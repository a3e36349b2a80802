//! Properties of any body of an HTTP API: what a route reads in it is bounded, and the same each time.

use greenroom_http_api::json_pointer::{first_values, values};
use greenroom_http_api::{GraphqlResult, MAX_OBJECTS};

use super::request::{chance, split_once};

/// Checks a body: the first line is a pointer, the rest the body.
pub fn check(bytes: &[u8]) {
    let (pointer, body) = split_once(bytes, b"\n");
    let result = GraphqlResult::of_body(body);
    assert_eq!(result, GraphqlResult::of_body(body), "a body says the same each time");
    let objects = result.objects.unwrap_or_default();
    assert!(objects.len() <= MAX_OBJECTS && objects.iter().all(|object| object.contains(':')));
    let pointer = String::from_utf8_lossy(pointer);
    let max = chance(bytes) % 8;
    let first = first_values(body, &pointer, max);
    assert!(first.len() <= max);
    if let Some(all) = values(body, &pointer, max) {
        assert_eq!(all, first, "these are all of them");
    }
}
