//! Path hygiene for both dialects: one parser of request paths, used for routing and for the key.
//!
//! The path is read as the *most lenient* server might read it: percent-decoded once, also split at encoded
//! slashes and backslashes, path parameters (`;…`) cut off, empty and `.` segments dropped. A path for which
//! that reading differs from the plain one is *odd*: it is classified by the lenient reading, so that no
//! disguise evades a rejection, but its response is never cached, so that no disguise fills the cache. Paths
//! that no honest client sends (`..`, NUL, control bytes, a broken escape) are rejected.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::classification::{Classification, RejectionReason, StreamReason, Write};
use crate::tag::{Tag, TagInvalidation};

/// Longest cacheable target in bytes, because the key would have the same length.
pub const MAX_TARGET_BYTES: usize = 16 * 1024;

/// Characters left plain in a path segment: unreserved ones and the delimiters that media servers write
/// plainly.
const IN_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b'=');

/// A parsed target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath<'a> {
    /// The decoded segments, never empty, without a trailing slash. The root has none.
    pub segments: Vec<String>,
    /// The raw query, without the `?`; empty if there is none.
    pub query: &'a str,
    /// The lenient and the plain reading differ: see [`RequestPath::restrict`].
    pub is_ambiguous: bool,
}

impl<'a> RequestPath<'a> {
    /// Parses a target (path and query, starting with `/`).
    pub fn split(target: &'a str) -> Result<Self, RejectionReason> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if !path.starts_with('/') || has_control(target.as_bytes()) || has_broken_escape(path.as_bytes()) {
            return Err(RejectionReason::BadPath);
        }
        let mut is_ambiguous = target.len() > MAX_TARGET_BYTES || !path.is_ascii() || target.contains('#');
        let mut segments = Vec::new();
        let trimmed = path.strip_prefix('/').unwrap_or(path);
        let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
        if trimmed.is_empty() {
            is_ambiguous |= path.len() > 1;
        } else {
            for raw in trimmed.split('/') {
                is_ambiguous |= read_segment(raw, &mut segments)?;
            }
        }
        Ok(Self { segments, query, is_ambiguous })
    }

    /// The segments as text slices, for matching against a table.
    pub fn parts(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// The path in its one canonical spelling, without the query.
    pub fn canonical(&self) -> String {
        canonical(&self.segments)
    }

    /// Downgrades the classification of an odd path: a read passes through, and a write invalidates
    /// everything, because the server's own reading is unknown. A plain path changes nothing.
    pub fn restrict(&self, classification: Classification) -> Classification {
        if !self.is_ambiguous {
            return classification;
        }
        match classification {
            Classification::Read(_) => Classification::Stream(StreamReason::Odd),
            Classification::Write(write) => Classification::Write(Box::new(Write {
                invalidations: vec![TagInvalidation::everyone(Tag::all())],
                throttled: None,
                edit: None,
                ..*write
            })),
            other => other,
        }
    }
}

/// Joins decoded segments into a canonical path.
pub fn canonical<S: AsRef<str>>(segments: &[S]) -> String {
    if segments.is_empty() {
        return "/".into();
    }
    let mut path = String::with_capacity(64);
    for segment in segments {
        path.push('/');
        path.extend(utf8_percent_encode(segment.as_ref(), IN_SEGMENT));
    }
    path
}

/// Appends the segments of `raw` to `segments` and returns whether it was odd.
fn read_segment(raw: &str, segments: &mut Vec<String>) -> Result<bool, RejectionReason> {
    let is_simple = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_~:,@".contains(byte);
    if !raw.is_empty() && raw.as_bytes().iter().all(is_simple) {
        segments.push(raw.to_owned());
        return Ok(false);
    }
    let bytes: Vec<u8> = percent_decode_str(raw).collect();
    if has_control(&bytes) {
        return Err(RejectionReason::BadPath);
    }
    let decoded = String::from_utf8_lossy(&bytes);
    let mut is_ambiguous = matches!(decoded, std::borrow::Cow::Owned(_))
        || decoded.contains(['/', '\\', ';', '?', '#'])
        || looks_encoded(decoded.as_bytes());
    for piece in decoded.split(['/', '\\']) {
        let piece = piece.split(';').next().unwrap_or(piece);
        match piece {
            ".." => return Err(RejectionReason::BadPath),
            "" | "." => is_ambiguous = true,
            _ => segments.push(piece.to_owned()),
        }
    }
    Ok(is_ambiguous)
}

fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().any(u8::is_ascii_control)
}

/// Whether a `%` is not followed by two hexadecimal digits.
fn has_broken_escape(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().any(|(at, byte)| *byte == b'%' && !escape_at(bytes, at))
}

/// Whether decoded bytes contain an escape again: a server that decodes twice would read something else.
fn looks_encoded(bytes: &[u8]) -> bool {
    (0..bytes.len()).any(|at| escape_at(bytes, at))
}

fn escape_at(bytes: &[u8], at: usize) -> bool {
    bytes[at] == b'%'
        && matches!(bytes.get(at + 1..at + 3), Some([a, b]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(target: &str) -> Vec<String> {
        let path = RequestPath::split(target).unwrap();
        assert!(!path.is_ambiguous, "{target}");
        path.segments
    }

    #[test]
    fn a_plain_path_is_decoded_once_and_loses_its_trailing_slash() {
        assert_eq!(plain("/library/sections/"), ["library", "sections"]);
        assert_eq!(plain("/library/sections"), ["library", "sections"]);
        assert_eq!(plain("/%6Cibrary/metadata/1,2"), ["library", "metadata", "1,2"]);
        assert_eq!(plain("/:/prefs"), [":", "prefs"]);
        assert_eq!(plain("/"), Vec::<String>::new());
        assert_eq!(plain("/web/B%C3%A4r%20x.js"), ["web", "Bär x.js"]);
    }

    #[test]
    fn the_query_stays_raw() {
        let path = RequestPath::split("/a?b=%2F&c>>=1?2").unwrap();
        assert_eq!(path.query, "b=%2F&c>>=1?2");
        assert_eq!(RequestPath::split("/a").unwrap().query, "");
    }

    #[test]
    fn malformed_requests_are_rejected() {
        for target in [
            "",
            "a",
            "*",
            "/a/../b",
            "/..",
            "/a/%2e%2e/b",
            "/a/.%2E",
            "/a/..;/b",
            "/a%00b",
            "/a\0b",
            "/a\nb",
            "/a%0ab",
            "/a%7fb",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%2f..%2fb",
            "/a%5c..%5cb",
            "/a/..%2f",
            "/a?b=\r\n",
        ] {
            assert_eq!(RequestPath::split(target), Err(RejectionReason::BadPath), "{target:?}");
        }
    }

    #[test]
    fn an_ambiguous_path_is_classified_by_its_lenient_reading() {
        for target in [
            "//myplex/claim",
            "/myplex//claim",
            "/myplex/claim//",
            "/./myplex/claim",
            "/myplex;x=1/claim",
            "/myplex/claim;.css",
            "/myplex%2Fclaim",
            "/myplex%5cclaim",
            "/myplex\\claim",
            "/%2fmyplex/claim",
            "/myplex/%2e/claim",
            "/;a/myplex/claim",
        ] {
            let path = RequestPath::split(target).unwrap();
            assert!(path.is_ambiguous, "{target}");
            assert_eq!(path.segments, ["myplex", "claim"], "{target}");
        }
        for target in ["//", "/a%252fb", "/a%ffb", "/ä", "/a%3fb", "/a%23b", "/a#b"] {
            assert!(RequestPath::split(target).unwrap().is_ambiguous, "{target}");
        }
        assert!(RequestPath::split(&format!("/{}", "a".repeat(MAX_TARGET_BYTES))).unwrap().is_ambiguous);
    }

    #[test]
    fn an_ambiguous_write_invalidates_everything_and_an_ambiguous_read_is_not_cached() {
        let path = RequestPath::split("//x").unwrap();
        let write = Write {
            name: "edit",
            invalidations: vec![TagInvalidation::account(Tag::sessions())],
            throttled: None,
            revokes: crate::classification::TokenRevocation::Nothing,
            edit: None,
        };
        let Classification::Write(tempered) = path.restrict(Classification::Write(Box::new(write.clone()))) else {
            panic!()
        };
        assert_eq!(tempered.invalidations, [TagInvalidation::everyone(Tag::all())]);
        let same = RequestPath::split("/x").unwrap().restrict(Classification::Write(Box::new(write.clone())));
        assert_eq!(same, Classification::Write(Box::new(write)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn any_text_is_read_without_a_panic(target in "\\PC*|/[a-z%./;\\\\\\x00-\\xff]{0,40}") {
            let _ = RequestPath::split(&target);
        }

        #[test]
        fn the_canonical_spelling_is_plain_and_reads_as_itself(segments in prop::collection::vec("[ -~ä€]{1,8}", 0..5)) {
            let text = canonical(&segments);
            if let Ok(path) = RequestPath::split(&text) && !path.is_ambiguous {
                prop_assert_eq!(&path.segments, &segments);
                prop_assert_eq!(path.canonical(), text);
            }
        }

        #[test]
        fn a_plain_path_never_holds_a_separator(target in "/[a-z%0-9./;\\\\ABCDEF]{0,30}") {
            if let Ok(path) = RequestPath::split(&target) && !path.is_ambiguous {
                for segment in &path.segments {
                    prop_assert!(!segment.contains(['/', '\\', ';', '\0']));
                    prop_assert!(!matches!(segment.as_str(), "" | "." | ".."));
                }
            }
        }
    }
}
