//! Putting a target together.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What is written otherwise in a part of a path or a value of a query.
const ODD: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text as part of a target.
pub(super) fn quoted(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, ODD)
}

/// Several, with commas between.
pub(super) fn joined(texts: &[&str]) -> String {
    let mut joined = String::new();
    for text in texts {
        let comma = if joined.is_empty() { "" } else { "," };
        write!(joined, "{comma}{}", quoted(text)).expect("a String takes everything");
    }
    joined
}
