//! Freshness lifetime and age of a response (RFC 9111, section 4.2).

use http::header::{AGE, DATE, EXPIRES, HeaderMap, LAST_MODIFIED};
use http::{HeaderValue, StatusCode};

use crate::directive_list::MAX_SECONDS;
use crate::http_date::in_field;
use crate::response_directives::ResponseDirectives;

/// Share of the time since the last modification for which a response without a lifetime is taken to be fresh.
const HEURISTIC_PERCENT: u64 = 10;
/// Longest lifetime that is guessed.
const MAX_HEURISTIC_MS: u64 = 24 * 3600 * 1000;

/// Source of a lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifetimeSource {
    /// `s-maxage`, `max-age` or `Expires`.
    Explicit,
    /// The time since the last modification.
    Heuristic,
    /// Nothing: it is never fresh.
    None,
}

/// Times of one exchange with the origin server, in wall-clock milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeTimes {
    /// When the request was sent.
    pub request_ms: u64,
    /// When the response's head arrived.
    pub response_ms: u64,
}

/// Freshness lifetime of a response in milliseconds, and where it comes from.
pub fn lifetime_ms(
    status: StatusCode,
    headers: &HeaderMap,
    directives: &ResponseDirectives,
    response_ms: u64,
) -> (u64, LifetimeSource) {
    if let Some(seconds) = directives.s_maxage_s.or(directives.max_age_s) {
        return (seconds.min(MAX_SECONDS) * 1000, LifetimeSource::Explicit);
    }
    let date_ms = in_field(headers, &DATE).unwrap_or(response_ms);
    if headers.contains_key(EXPIRES) && !directives.is_targeted {
        // An invalid date, above all `0`, is in the past.
        let expires_ms = in_field(headers, &EXPIRES).unwrap_or_default();
        return (expires_ms.saturating_sub(date_ms).min(MAX_SECONDS * 1000), LifetimeSource::Explicit);
    }
    match in_field(headers, &LAST_MODIFIED) {
        Some(modified_ms) if directives.public || is_heuristically_cacheable(status) => {
            let unchanged_ms = date_ms.saturating_sub(modified_ms);
            let guessed_ms = (unchanged_ms / 100 * HEURISTIC_PERCENT).min(MAX_HEURISTIC_MS);
            (guessed_ms, LifetimeSource::Heuristic)
        }
        _ => (0, LifetimeSource::None),
    }
}

/// Age of a response when it arrived, in milliseconds.
pub fn initial_age_ms(headers: &HeaderMap, times: ExchangeTimes) -> u64 {
    let apparent_ms = in_field(headers, &DATE).map_or(0, |date_ms| {
        // A date has whole seconds.
        times.response_ms.saturating_sub(date_ms.saturating_add(999))
    });
    let delay_ms = times.response_ms.saturating_sub(times.request_ms);
    let told_ms = headers.get(AGE).and_then(age_seconds).unwrap_or_default() * 1000;
    apparent_ms.max(told_ms + delay_ms)
}

/// The value of `Age`: the first of a list; `None` if it is no whole number.
fn age_seconds(line: &HeaderValue) -> Option<u64> {
    let first = line.to_str().ok()?.split(',').next()?.trim();
    let is_number = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| first.parse().unwrap_or(MAX_SECONDS).min(MAX_SECONDS))
}

/// Whether a status may be stored without being told so (RFC 9110, section 15.1).
pub fn is_heuristically_cacheable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_date::format;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn headers(lines: &[(&'static str, String)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a value"));
        }
        headers
    }

    fn lifetime_s(status: u16, lines: &[(&'static str, String)]) -> u64 {
        let headers = headers(lines);
        let status = StatusCode::from_u16(status).expect("a status");
        lifetime_ms(status, &headers, &ResponseDirectives::of(&headers), NOW_MS).0 / 1000
    }

    fn at(offset_s: i64) -> String {
        format(NOW_MS.saturating_add_signed(offset_s * 1000))
    }

    #[test]
    fn s_maxage_counts_before_max_age_and_that_before_expires() {
        let cache_control = |value: &str| ("cache-control", value.to_owned());
        assert_eq!(lifetime_s(200, &[cache_control("max-age=3600, s-maxage=1")]), 1);
        assert_eq!(lifetime_s(200, &[cache_control("max-age=0"), ("expires", at(3600))]), 0);
        assert_eq!(lifetime_s(200, &[cache_control("max-age=60"), ("expires", "0".into())]), 60);
        assert_eq!(lifetime_s(200, &[("cdn-cache-control", "foo".into()), ("expires", at(3600))]), 0);
    }

    #[test]
    fn expires_counts_from_date_and_an_invalid_one_is_past() {
        assert_eq!(lifetime_s(200, &[("expires", at(20)), ("date", at(10))]), 10);
        assert_eq!(lifetime_s(200, &[("expires", at(300)), ("date", at(400))]), 0);
        assert_eq!(lifetime_s(200, &[("expires", at(10)), ("date", "foo".into())]), 10);
        assert_eq!(lifetime_s(200, &[("expires", "0".into()), ("date", at(0)), ("last-modified", at(-10_000))]), 0);
    }

    #[test]
    fn a_guessed_lifetime_is_a_tenth_of_the_unchanged_time_and_at_most_a_day() {
        assert_eq!(lifetime_s(200, &[("last-modified", at(-1000)), ("date", at(0))]), 100);
        assert_eq!(lifetime_s(404, &[("last-modified", at(-1000))]), 100);
        assert_eq!(lifetime_s(200, &[("last-modified", at(-100_000_000))]), 86_400);
        for status in [201, 202, 302, 403, 500, 502, 503, 504, 599] {
            assert_eq!(lifetime_s(status, &[("last-modified", at(-1000))]), 0, "{status}");
        }
        assert_eq!(lifetime_s(599, &[("last-modified", at(-1000)), ("cache-control", "public".into())]), 100);
    }

    fn age_s(lines: &[(&'static str, String)], delay_ms: u64) -> u64 {
        initial_age_ms(&headers(lines), ExchangeTimes { request_ms: NOW_MS - delay_ms, response_ms: NOW_MS }) / 1000
    }

    #[test]
    fn an_age_is_the_first_whole_number_of_its_first_line() {
        let age = |lines: &[&str]| age_s(&lines.iter().map(|line| ("age", (*line).to_owned())).collect::<Vec<_>>(), 0);
        for (lines, wanted) in [
            (&["7200"][..], 7200),
            (&["7200, 0"], 7200),
            (&["0, 7200"], 0),
            (&["7200", "0"], 7200),
            (&["0", "7200"], 0),
            (&["abc"], 0),
            (&["-7200"], 0),
            (&["7200.0"], 0),
            (&["7200;foo=bar"], 0),
            (&["2147483647"], MAX_SECONDS),
            (&["2147483649"], MAX_SECONDS),
            (&["99999999999999999999999"], MAX_SECONDS),
        ] {
            assert_eq!(age(lines), wanted, "{lines:?}");
        }
    }

    #[test]
    fn the_delay_and_an_old_date_count_as_age() {
        assert_eq!(age_s(&[("age", "10".into())], 5000), 15);
        assert_eq!(age_s(&[("date", at(-7200)), ("age", "10".into())], 5000), 7199);
        assert_eq!(age_s(&[("date", at(100))], 0), 0, "a clock ahead of ours is no age");
    }
}
