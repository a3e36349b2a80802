//! Parts of a body, as servers of files answer for `Range`.

use http::HeaderName;
use http::header::{ACCEPT_RANGES, CONTENT_RANGE, IF_RANGE, RANGE};

use greenroom_simulator_backend::serve::{SimulatedRequest, SimulatedResponse};

/// The requested part of a body of this length: the first and the last byte, or `Err` if it has none of them.
fn requested(range: &str, length: usize) -> Option<Result<(usize, usize), ()>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let end = length.checked_sub(1);
    let (first, last) = match (first, last) {
        ("", suffix) => (length.saturating_sub(suffix.parse().ok()?), usize::MAX),
        (first, "") => (first.parse().ok()?, usize::MAX),
        (first, last) => (first.parse().ok()?, last.parse().ok()?),
    };
    Some(match end {
        Some(end) if first <= end && first <= last => Ok((first, last.min(end))),
        _ => Err(()),
    })
}

/// The part of a whole response that is asked for, or the response itself.
pub(super) fn answer(asked: &SimulatedRequest, whole: SimulatedResponse, etag: Option<&str>) -> SimulatedResponse {
    let whole = whole.with_header(ACCEPT_RANGES, "bytes");
    let field = |name: HeaderName| asked.header(name.as_str());
    let is_current = field(IF_RANGE).is_none_or(|condition| Some(condition) == etag);
    let Some(body) = whole.body().cloned() else { return whole };
    match field(RANGE).filter(|_| is_current).and_then(|range| requested(range, body.len())) {
        None => whole,
        Some(Err(())) => SimulatedResponse::empty(416).with_header(CONTENT_RANGE, &format!("bytes */{}", body.len())),
        Some(Ok((first, last))) => {
            let told = format!("bytes {first}-{last}/{}", body.len());
            whole.with_status(206).with_header(CONTENT_RANGE, &told).with_body(body.slice(first..=last))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_at_the_end_and_what_is_no_range_is_ignored() {
        for (range, wanted) in [
            ("bytes=0-3", Some(Ok((0, 3)))),
            ("bytes=4-", Some(Ok((4, 9)))),
            ("bytes=4-99", Some(Ok((4, 9)))),
            ("bytes=-3", Some(Ok((7, 9)))),
            ("bytes=-0", Some(Err(()))),
            ("bytes=10-", Some(Err(()))),
            ("bytes=3-2", Some(Err(()))),
            ("bytes=x-2", None),
            ("lines=0-3", None),
        ] {
            assert_eq!(requested(range, 10), wanted, "{range}");
        }
        assert_eq!(requested("bytes=0-", 0), Some(Err(())));
    }
}
