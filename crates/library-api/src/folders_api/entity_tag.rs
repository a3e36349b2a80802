//! Whether a request's condition names the version that is there.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use http::header::{HeaderMap, IF_NONE_MATCH, IF_RANGE};

/// The strong tag of a file's content.
pub(super) fn of_file(facts: &Metadata) -> String {
    let (seconds, nanoseconds) = (facts.mtime(), facts.mtime_nsec());
    format!("\"{:x}-{seconds:x}.{nanoseconds:x}-{:x}\"", facts.ino(), facts.size())
}

/// Whether the client has this version already: `If-None-Match` names it, in a list or with `*`.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    // No tag made here holds a comma.
    lists.flat_map(|list| list.split(',')).any(|known| known.trim() == "*" || opaque(known) == opaque(tag))
}

/// Whether a range of this version may be sent: there is no `If-Range`, or it names exactly this one.
pub(super) fn allows_range(headers: &HeaderMap, tag: &str) -> bool {
    headers.get(IF_RANGE).is_none_or(|known| known.as_bytes() == tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, http::HeaderValue::from_static(value))])
    }

    #[test]
    fn a_tag_is_known_alone_in_a_list_weak_or_strong_and_by_a_star() {
        for known in [r#"W/"7-1""#, r#""7-1""#, r#""x", W/"7-1" "#, "*", r#"W/"a",*"#] {
            assert!(is_known(&with(IF_NONE_MATCH, known), r#"W/"7-1""#), "{known}");
        }
        for known in [r#"W/"7-11""#, "7-1", "", r#""x", "y""#] {
            assert!(!is_known(&with(IF_NONE_MATCH, known), r#"W/"7-1""#), "{known}");
        }
        assert!(!is_known(&HeaderMap::new(), r#""7-1""#));
    }

    #[test]
    fn a_range_is_of_the_version_that_the_client_has_a_part_of() {
        assert!(allows_range(&HeaderMap::new(), r#""7""#));
        assert!(allows_range(&with(IF_RANGE, r#""7""#), r#""7""#));
        for other in [r#""8""#, r#"W/"7""#, "Wed, 21 Oct 2015 07:28:00 GMT"] {
            assert!(!allows_range(&with(IF_RANGE, other), r#""7""#), "{other}");
        }
    }
}
