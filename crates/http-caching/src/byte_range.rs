//! Byte ranges (RFC 9110, section 14): which bytes of a stored body a request selects.

use http::HeaderMap;
use http::header::{CONTENT_RANGE, DATE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE};

use crate::http_date::parse;

/// Range of a body that a partial response carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartRange {
    /// First byte.
    pub first: u64,
    /// Last byte, inclusive.
    pub last: u64,
    /// Bytes of the whole body.
    pub complete: u64,
}

/// A single range of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestedRange {
    /// From this byte to that one, inclusive, or to the end.
    From(u64, Option<u64>),
    /// This number of bytes at the end.
    Last(u64),
}

/// The part of a body that a request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectedBytes {
    /// The whole body: there is no range, or one that may be ignored.
    Whole,
    /// This part.
    Part(PartRange),
    /// The range is beyond the body's end.
    Unsatisfiable,
}

impl PartRange {
    /// The range that a 206 says that it carries; `None` if it says nothing usable.
    pub fn of_response(headers: &HeaderMap, length: u64) -> Option<Self> {
        let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
        let (range, complete) = text.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let mut part = Self { first: first.parse().ok()?, last: last.parse().ok()?, complete: complete.parse().ok()? };
        if part.last >= part.complete || part.first > part.last || length == 0 {
            return None;
        }
        // Servers that count one byte too many at the end of a body. More than one is missing: the body was cut.
        if part.length() == length + 1 && part.last + 1 == part.complete {
            part.last = part.first + length - 1;
            part.complete = part.last + 1;
        }
        (part.length() == length).then_some(part)
    }

    /// Number of bytes.
    pub fn length(self) -> u64 {
        self.last - self.first + 1
    }

    /// Whether all of `other` is in it.
    pub fn contains(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// The value of `Content-Range`.
    pub fn content_range(self) -> String {
        format!("bytes {}-{}/{}", self.first, self.last, self.complete)
    }
}

impl RequestedRange {
    /// The range of a request; `None` if it has none, or several, or one of another unit: those may be ignored.
    pub fn of_request(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(RANGE).iter();
        let (line, None) = (lines.next()?, lines.next()) else { return None };
        let (unit, range) = line.to_str().ok()?.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") || range.contains(',') {
            return None;
        }
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        match (first, last) {
            ("", last) => Some(Self::Last(number(last)?)),
            (first, "") => Some(Self::From(number(first)?, None)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    /// The bytes of a body of this length.
    pub fn select(self, complete: u64) -> SelectedBytes {
        let end = complete.saturating_sub(1);
        match self {
            Self::From(first, _) if first >= complete => SelectedBytes::Unsatisfiable,
            Self::Last(0) => SelectedBytes::Unsatisfiable,
            Self::Last(_) if complete == 0 => SelectedBytes::Unsatisfiable,
            Self::From(first, last) => {
                SelectedBytes::Part(PartRange { first, last: last.unwrap_or(end).min(end), complete })
            }
            Self::Last(count) => {
                SelectedBytes::Part(PartRange { first: complete.saturating_sub(count), last: end, complete })
            }
        }
    }
}

/// Whether `If-Range` allows a part of this response: it names its strong validator, or is absent.
pub fn if_range_matches(request: &HeaderMap, stored: &HeaderMap) -> bool {
    let Some(condition) = request.get(IF_RANGE) else { return true };
    let Ok(condition) = condition.to_str().map(str::trim) else { return false };
    if condition.ends_with('"') {
        return !condition.starts_with("W/") && stored.get(ETAG).is_some_and(|etag| etag == condition);
    }
    let date = |name| stored.get(name).and_then(|value| value.to_str().ok()).and_then(parse);
    let (Some(asked_ms), Some(modified_ms)) = (parse(condition), date(&LAST_MODIFIED)) else { return false };
    // A date is a strong validator only if nothing can have changed within its second.
    asked_ms == modified_ms && date(&DATE).is_some_and(|date_ms| date_ms >= modified_ms + 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(value: &str) -> Option<RequestedRange> {
        RequestedRange::of_request(&HeaderMap::from_iter([(RANGE, value.parse().expect("a value"))]))
    }

    fn part(first: u64, last: u64, complete: u64) -> SelectedBytes {
        SelectedBytes::Part(PartRange { first, last, complete })
    }

    #[test]
    fn three_forms_select_and_all_others_are_ignored() {
        for (value, wanted) in [
            ("bytes=0-1", Some(part(0, 1, 11))),
            ("bytes=1-", Some(part(1, 10, 11))),
            ("bytes=-1", Some(part(10, 10, 11))),
            ("Bytes=-100", Some(part(0, 10, 11))),
            ("bytes=5-100", Some(part(5, 10, 11))),
            ("bytes=11-", Some(SelectedBytes::Unsatisfiable)),
            ("bytes=-0", Some(SelectedBytes::Unsatisfiable)),
            ("bytes=2-1", None),
            ("bytes=0-1,3-4", None),
            ("items=0-1", None),
            ("bytes=a-b", None),
            ("bytes=-", None),
            ("bytes=99999999999999999999-", None),
        ] {
            assert_eq!(range(value).map(|range| range.select(11)), wanted, "{value}");
        }
        assert_eq!(RequestedRange::Last(5).select(0), SelectedBytes::Unsatisfiable);
    }

    #[test]
    fn a_part_at_the_end_is_what_came_not_what_was_announced() {
        let of = |value: &str, length| {
            PartRange::of_response(&HeaderMap::from_iter([(CONTENT_RANGE, value.parse().expect("a value"))]), length)
        };
        assert_eq!(of("bytes 4-8/10", 5), Some(PartRange { first: 4, last: 8, complete: 10 }));
        assert_eq!(of("bytes 4-9/10", 5), Some(PartRange { first: 4, last: 8, complete: 9 }));
        for (value, length) in [
            ("bytes 4-8/10", 6),
            ("bytes 4-9/10", 4),
            ("bytes 2-8/10", 5),
            ("bytes 4-8/*", 5),
            ("bytes 8-4/10", 5),
            ("bytes 4-10/10", 7),
            ("4-8/10", 5),
        ] {
            assert_eq!(of(value, length), None, "{value}");
        }
    }

    #[test]
    fn a_part_needs_the_same_strong_validator() {
        let headers = |lines: &[(&'static str, &str)]| -> HeaderMap {
            lines.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
        };
        let matches = |condition: &str, stored: &[(&'static str, &str)]| {
            if_range_matches(&headers(&[("if-range", condition)]), &headers(stored))
        };
        assert!(matches("\"a\"", &[("etag", "\"a\"")]));
        assert!(!matches("\"a\"", &[("etag", "\"b\"")]));
        assert!(!matches("W/\"a\"", &[("etag", "W/\"a\"")]), "a weak one vouches for no bytes");
        let (modified, later) = ("Thu, 18 Aug 2022 02:01:18 GMT", "Thu, 18 Aug 2022 02:01:19 GMT");
        assert!(matches(modified, &[("last-modified", modified), ("date", later)]));
        assert!(!matches(modified, &[("last-modified", modified), ("date", modified)]));
        assert!(!matches(modified, &[("date", later)]));
        assert!(if_range_matches(&HeaderMap::new(), &HeaderMap::new()));
    }
}
