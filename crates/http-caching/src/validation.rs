//! Validation (RFC 9110, section 13; RFC 9111, section 4.3): what the server is asked, what its 304 changes, and which
//! conditions of a client a stored response fulfils.

use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
};

use crate::directive_list::split_list;
use crate::hop_by_hop;
use crate::http_date::{in_field, parse};

/// Fields with conditions. They are the client's, and about what the client has.
pub const CONDITIONS: [HeaderName; 5] = [IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE];

/// Fields of a stored response that a 304 does not change: they describe the body that is kept.
const KEPT: [HeaderName; 4] = [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE];

/// Whether a stored response can be validated.
pub fn has_validator(stored: &HeaderMap) -> bool {
    stored.contains_key(ETAG) || stored.contains_key(LAST_MODIFIED)
}

/// Replaces a request's conditions by those that validate a stored response.
pub fn set_conditions(request: &mut HeaderMap, stored: &HeaderMap) {
    for name in &CONDITIONS {
        request.remove(name);
    }
    for (condition, validator) in [(IF_NONE_MATCH, ETAG), (IF_MODIFIED_SINCE, LAST_MODIFIED)] {
        if let Some(value) = stored.get(validator) {
            request.insert(condition, value.clone());
        }
    }
}

/// Whether a stored response has a validator that tells versions of the same second apart.
pub fn has_strong_validator(stored: &HeaderMap) -> bool {
    stored.get(ETAG).is_some_and(|etag| !etag.as_bytes().starts_with(b"W/"))
}

/// Whether a 304 is about another version than the stored one (RFC 9111, section 4.3.4).
pub fn is_of_another_version(not_modified: &HeaderMap, stored: &HeaderMap) -> bool {
    match (not_modified.get(ETAG), stored.get(ETAG)) {
        (Some(told), Some(known)) => {
            let is_strong = |etag: &http::HeaderValue| !etag.as_bytes().starts_with(b"W/");
            is_strong(told) && is_strong(known) && opaque_tag(told) != opaque_tag(known)
        }
        _ => false,
    }
}

/// A stored response's fields, updated by those of a 304.
pub fn updated_headers(stored: &HeaderMap, not_modified: &HeaderMap) -> HeaderMap {
    let mut update = not_modified.clone();
    hop_by_hop::strip(&mut update);
    let mut headers = stored.clone();
    for name in update.keys().filter(|name| !KEPT.contains(name)) {
        headers.remove(name);
    }
    for (name, value) in &update {
        if !KEPT.contains(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// Result of a client's conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionResult {
    /// The client gets the response.
    Proceed,
    /// The client has it: 304.
    NotModified,
}

/// Whether a client that sends these conditions has this response already.
pub fn evaluate_conditions(request: &HeaderMap, stored: &HeaderMap) -> ConditionResult {
    let is_known = if request.contains_key(IF_NONE_MATCH) {
        let etag = stored.get(ETAG);
        let lines = request.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
        lines
            .flat_map(split_list)
            .any(|tag| tag == "*" || etag.is_some_and(|etag| opaque_text(tag.as_bytes()) == opaque_tag(etag)))
    } else if let Some(since_ms) = request.get(IF_MODIFIED_SINCE).and_then(|since| parse(since.to_str().ok()?)) {
        let modified_ms = in_field(stored, &LAST_MODIFIED).or_else(|| in_field(stored, &DATE));
        modified_ms.is_some_and(|modified_ms| modified_ms <= since_ms)
    } else {
        false
    };
    if is_known { ConditionResult::NotModified } else { ConditionResult::Proceed }
}

/// The fields of a 304 in place of a stored response.
pub fn not_modified_headers(stored: &HeaderMap) -> HeaderMap {
    let mut headers = stored.clone();
    for name in KEPT {
        headers.remove(name);
    }
    headers
}

/// Whether a request's conditions can only be judged by the server.
pub fn is_for_the_server(request: &HeaderMap) -> bool {
    request.contains_key(IF_MATCH) || request.contains_key(IF_UNMODIFIED_SINCE)
}

/// Whether the answer to a `HEAD` shows that the stored response is not the current one.
pub fn contradicts(head_response: &HeaderMap, stored: &HeaderMap) -> bool {
    [ETAG, LAST_MODIFIED, CONTENT_LENGTH]
        .iter()
        .any(|name| matches!((head_response.get(name), stored.get(name)), (Some(told), Some(known)) if told != known))
}

/// An entity tag without its weakness, which makes no difference for reads.
fn opaque_tag(value: &http::HeaderValue) -> &[u8] {
    opaque_text(value.as_bytes())
}

fn opaque_text(value: &[u8]) -> &[u8] {
    let value = value.strip_prefix(b"W/").unwrap_or(value);
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a value"));
        }
        headers
    }

    fn is_known(request: &[(&'static str, &str)], stored: &[(&'static str, &str)]) -> bool {
        evaluate_conditions(&headers(request), &headers(stored)) == ConditionResult::NotModified
    }

    #[test]
    fn an_entity_tag_matches_in_a_list_weak_or_not() {
        let stored = [("etag", "\"abcdef\"")];
        for value in ["\"abcdef\"", "W/\"abcdef\"", "\"1\", \"abcdef\"", "*", "\"a,b\",\"abcdef\""] {
            assert!(is_known(&[("if-none-match", value)], &stored), "{value}");
        }
        assert!(is_known(&[("if-none-match", "\"a\"")], &[("etag", "W/\"a\"")]));
        assert!(!is_known(&[("if-none-match", "\"other\"")], &stored));
        assert!(!is_known(&[("if-none-match", "\"abcdef\"")], &[]));
    }

    #[test]
    fn a_date_counts_only_without_an_entity_tag() {
        let (early, late) = ("Thu, 18 Aug 2022 02:01:18 GMT", "Fri, 19 Aug 2022 02:01:18 GMT");
        assert!(is_known(&[("if-modified-since", early)], &[("last-modified", early)]));
        assert!(is_known(&[("if-modified-since", late)], &[("last-modified", early)]));
        assert!(!is_known(&[("if-modified-since", early)], &[("last-modified", late)]));
        assert!(is_known(&[("if-modified-since", late)], &[("date", early)]));
        assert!(!is_known(&[("if-modified-since", late), ("if-none-match", "\"x\"")], &[("last-modified", early)]));
        assert!(!is_known(&[("if-modified-since", "soon")], &[("last-modified", early)]));
        assert!(is_known(&[("if-modified-since", "Friday, 19-Aug-22 02:01:18 GMT")], &[("last-modified", late)]));
    }

    #[test]
    fn the_stored_validators_replace_the_clients_conditions() {
        let mut request = headers(&[("if-none-match", "\"mine\""), ("if-range", "\"mine\""), ("a", "1")]);
        set_conditions(&mut request, &headers(&[("etag", "W/\"theirs\"")]));
        assert_eq!(request, headers(&[("a", "1"), ("if-none-match", "W/\"theirs\"")]));
    }

    #[test]
    fn a_304_updates_all_but_what_describes_the_body() {
        let stored =
            headers(&[("a", "1"), ("a", "2"), ("b", "1"), ("content-length", "36"), ("content-type", "text/plain")]);
        let told = headers(&[("a", "3"), ("content-length", "10"), ("connection", "x"), ("x", "1"), ("c", "4")]);
        let wanted =
            headers(&[("b", "1"), ("content-length", "36"), ("content-type", "text/plain"), ("a", "3"), ("c", "4")]);
        assert_eq!(updated_headers(&stored, &told), wanted);
    }

    #[test]
    fn a_304_with_another_strong_entity_tag_is_of_another_version() {
        let of =
            |told: &str, known: &str| is_of_another_version(&headers(&[("etag", told)]), &headers(&[("etag", known)]));
        assert!(of("\"b\"", "\"a\""));
        assert!(!of("\"a\"", "\"a\"") && !of("W/\"b\"", "\"a\""));
        assert!(!is_of_another_version(&HeaderMap::new(), &headers(&[("etag", "\"a\"")])));
    }

    #[test]
    fn a_head_that_differs_contradicts_the_stored_response() {
        let stored = headers(&[("etag", "\"a\""), ("content-length", "3")]);
        assert!(!contradicts(&headers(&[("etag", "\"a\"")]), &stored));
        assert!(contradicts(&headers(&[("etag", "\"b\"")]), &stored));
        assert!(contradicts(&headers(&[("content-length", "4")]), &stored));
    }
}
