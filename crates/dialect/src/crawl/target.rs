//! Builds targets.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Characters percent-encoded in a path segment or a query value.
const ODD: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Percent-encodes a text for a target.
pub(super) fn quoted(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, ODD)
}

/// The same for several texts, joined by commas.
pub(super) fn joined(texts: &[&str]) -> String {
    let mut joined = String::new();
    for text in texts {
        let comma = if joined.is_empty() { "" } else { "," };
        write!(joined, "{comma}{}", quoted(text)).expect("writing to a String cannot fail");
    }
    joined
}
