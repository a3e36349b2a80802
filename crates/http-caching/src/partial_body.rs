//! Parts of one body: which bytes are missing, and which parts may be put together (RFC 9111, section 3.4). Only a
//! strong entity tag vouches for parts of one version; a date does not, because a body may change twice in its second.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, RANGE};
use http::{HeaderValue, StatusCode};

use crate::byte_range::PartRange;
use crate::stored_head::StoredHead;
use crate::validation::{has_strong_validator, updated_headers};

/// Bytes that a stored part lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingBytes {
    /// First byte.
    pub first: u64,
    /// Last byte, inclusive.
    pub last: u64,
    /// Bytes of the whole body.
    pub complete: u64,
}

impl MissingBytes {
    /// The bytes that a part lacks of the whole body, if they are one piece.
    pub fn of_whole(part: PartRange) -> Option<Self> {
        Self::of_range(part, PartRange { first: 0, last: part.complete.checked_sub(1)?, complete: part.complete })
    }

    /// The bytes that a part lacks of another one, if that is one piece and the part has something of it, or lies
    /// beside it.
    pub fn of_range(part: PartRange, wanted: PartRange) -> Option<Self> {
        let piece = |first, last| (first <= last).then_some(Self { first, last, complete: part.complete });
        if part.complete != wanted.complete || wanted.first > part.last.saturating_add(1) {
            None
        } else if part.first <= wanted.first {
            piece(part.last + 1, wanted.last)
        } else if part.last >= wanted.last && wanted.last.saturating_add(1) >= part.first {
            piece(wanted.first, part.first - 1)
        } else {
            None
        }
    }

    /// Length of the part together with them.
    pub fn joined_length(self, part: PartRange) -> u64 {
        self.last.max(part.last).saturating_sub(self.first.min(part.first)).saturating_add(1)
    }

    /// The value of `Range` that asks for them.
    pub fn range_value(self) -> String {
        if self.last + 1 == self.complete {
            format!("bytes={}-", self.first)
        } else {
            format!("bytes={}-{}", self.first, self.last)
        }
    }

    /// Whether a 206 carries exactly these bytes of the version that is stored with these fields.
    pub fn are_in(self, stored: &HeaderMap, partial: &HeaderMap) -> bool {
        let told = format!("bytes {}-{}/{}", self.first, self.last, self.complete);
        is_same_version(stored, partial) && partial.get(CONTENT_RANGE).is_some_and(|value| *value == told)
    }
}

/// Whether two responses are certainly of one version. There are servers that give an encoded body the tag of the plain
/// one.
pub fn is_same_version(one: &HeaderMap, other: &HeaderMap) -> bool {
    let is_same = |name: HeaderName| one.get_all(&name).iter().eq(other.get_all(&name).iter());
    has_strong_validator(one) && is_same(ETAG) && is_same(CONTENT_ENCODING)
}

/// Two parts as one, with the fields of the newer one, or as the whole response if nothing is missing; `None` if they
/// may not be put together, or if there is a gap between them.
pub fn combine(old: (&StoredHead, &Bytes), new: (&StoredHead, &Bytes)) -> Option<(StoredHead, Bytes)> {
    let (range, other) = (old.0.part?, new.0.part?);
    if !is_same_version(&old.0.headers, &new.0.headers) || range.complete != other.complete {
        return None;
    }
    let (low, high) =
        if range.first <= other.first { ((range, old.1), (other, new.1)) } else { ((other, new.1), (range, old.1)) };
    let shared = low.0.last.checked_add(1)?.checked_sub(high.0.first)?;
    let shared = usize::try_from(shared).ok()?;
    let (range, body) = if high.0.last <= low.0.last {
        (low.0, low.1.clone())
    } else {
        let mut body = BytesMut::with_capacity(low.1.len() + high.1.len());
        body.extend_from_slice(low.1);
        body.extend_from_slice(high.1.get(shared..)?);
        (PartRange { last: high.0.last, ..low.0 }, body.freeze())
    };
    Some((combined_head(old.0, new.0, range), body))
}

fn combined_head(old: &StoredHead, new: &StoredHead, range: PartRange) -> StoredHead {
    let is_whole = range.length() == range.complete;
    let mut headers = updated_headers(&old.headers, &new.headers);
    headers.remove(CONTENT_RANGE);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(range.length()));
    if !is_whole && let Ok(value) = HeaderValue::from_str(&range.content_range()) {
        headers.insert(CONTENT_RANGE, value);
    }
    StoredHead {
        status: if is_whole { StatusCode::OK } else { StatusCode::PARTIAL_CONTENT },
        headers,
        part: (!is_whole).then_some(range),
        // It is no longer what one request asked for.
        selected_by: new.selected_by.iter().filter(|(name, _)| *name != RANGE).cloned().collect(),
        ..new.clone()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stored_head::tests::head;

    const BODY: &[u8] = b"0123456789";

    fn range(first: u64, last: u64) -> PartRange {
        PartRange { first, last, complete: 10 }
    }

    fn part(etag: &str, first: u64, last: u64) -> (StoredHead, Bytes) {
        let range = range(first, last);
        let mut head = StoredHead { status: StatusCode::PARTIAL_CONTENT, part: Some(range), ..head() };
        head.headers.insert(ETAG, etag.parse().expect("a value"));
        head.headers.insert(CONTENT_RANGE, range.content_range().parse().expect("a value"));
        head.selected_by.push((RANGE, "bytes=x".into()));
        let at = |byte: u64| usize::try_from(byte).expect("short");
        (head, Bytes::copy_from_slice(&BODY[at(first)..=at(last)]))
    }

    fn combined(one: (&str, u64, u64), other: (&str, u64, u64)) -> Option<(StoredHead, Bytes)> {
        let (one, other) = (part(one.0, one.1, one.2), part(other.0, other.1, other.2));
        combine((&one.0, &one.1), (&other.0, &other.1))
    }

    #[test]
    fn parts_of_one_version_become_one_and_at_last_the_whole() {
        let (head, body) = combined(("\"a\"", 2, 4), ("\"a\"", 5, 7)).expect("they meet");
        assert_eq!((head.part, &body[..]), (Some(range(2, 7)), &b"234567"[..]));
        assert_eq!(head.headers[CONTENT_RANGE], "bytes 2-7/10");
        assert_eq!(head.selected_by, []);
        let (head, body) = combined(("\"a\"", 4, 9), ("\"a\"", 0, 6)).expect("they overlap");
        assert_eq!((head.status, head.part, &body[..]), (StatusCode::OK, None, BODY));
        assert!(!head.headers.contains_key(CONTENT_RANGE));
        assert_eq!(head.headers[CONTENT_LENGTH], "10");
        let (head, body) = combined(("\"a\"", 1, 8), ("\"a\"", 3, 4)).expect("one is in the other");
        assert_eq!((head.part, &body[..]), (Some(range(1, 8)), &b"12345678"[..]));
    }

    #[test]
    fn parts_of_different_or_unknown_versions_and_parts_with_a_gap_are_never_put_together() {
        for (one, other) in [
            (("\"a\"", 0, 4), ("\"b\"", 5, 9)),
            (("W/\"a\"", 0, 4), ("W/\"a\"", 5, 9)),
            (("\"a\"", 0, 3), ("\"a\"", 5, 9)),
        ] {
            assert!(combined(one, other).is_none(), "{one:?} {other:?}");
        }
        let (one, mut other) = (part("\"a\"", 0, 4), part("\"a\"", 5, 9));
        other.0.part = Some(PartRange { complete: 11, ..range(5, 9) });
        assert!(combine((&one.0, &one.1), (&other.0, &other.1)).is_none(), "the body has grown");
        let (one, mut other) = (part("\"a\"", 0, 4), part("\"a\"", 5, 9));
        other.0.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(combine((&one.0, &one.1), (&other.0, &other.1)).is_none(), "one of them is encoded");
    }

    #[test]
    fn what_is_missing_is_one_piece_or_nothing() {
        let missing = |part: PartRange, wanted: PartRange| {
            MissingBytes::of_range(part, wanted).map(|missing| (missing.first, missing.last, missing.range_value()))
        };
        assert_eq!(missing(range(0, 4), range(0, 9)), Some((5, 9, "bytes=5-".into())));
        assert_eq!(missing(range(5, 9), range(0, 9)), Some((0, 4, "bytes=0-4".into())));
        assert_eq!(missing(range(2, 5), range(4, 7)), Some((6, 7, "bytes=6-7".into())));
        assert_eq!(missing(range(2, 5), range(6, 7)), Some((6, 7, "bytes=6-7".into())));
        for (part, wanted) in [
            (range(2, 5), range(0, 9)),
            (range(2, 5), range(3, 4)),
            (range(2, 5), range(7, 9)),
            (range(4, 5), range(0, 2)),
            (range(0, 4), PartRange { first: 0, last: 10, complete: 11 }),
        ] {
            assert_eq!(missing(part, wanted), None, "{part:?} {wanted:?}");
        }
        assert_eq!(MissingBytes::of_whole(range(0, 9)), None);
    }

    #[test]
    fn a_206_continues_a_part_if_it_says_so_of_the_same_version() {
        let missing = MissingBytes::of_whole(range(0, 4)).expect("half is missing");
        let stored = part("\"a\"", 0, 4).0.headers;
        assert!(missing.are_in(&stored, &part("\"a\"", 5, 9).0.headers));
        assert!(!missing.are_in(&stored, &part("\"b\"", 5, 9).0.headers));
        assert!(!missing.are_in(&stored, &part("\"a\"", 5, 8).0.headers));
    }

    proptest! {
        #[test]
        fn a_part_and_what_it_lacks_are_all_that_is_wanted(
            first in 0_u64..10, length in 1_u64..10, wanted_first in 0_u64..10, wanted_length in 1_u64..10
        ) {
            let end = |first: u64, length: u64| (first + length - 1).min(9);
            let (stored, wanted) = (range(first, end(first, length)), range(wanted_first, end(wanted_first, wanted_length)));
            if let Some(missing) = MissingBytes::of_range(stored, wanted) {
                let (head, body) =
                    combined(("\"a\"", stored.first, stored.last), ("\"a\"", missing.first, missing.last)).expect("they meet");
                let all = head.part.unwrap_or(range(0, 9));
                prop_assert!(all.contains(wanted));
                let at = |byte: u64| usize::try_from(byte).expect("short");
                prop_assert_eq!(&body[..], &BODY[at(all.first)..=at(all.last)]);
            }
        }
    }
}
