//! Timestamps as the server writes them (`2024-02-20T19:26:41.1360000Z`) and as clients send them.

use std::time::{Duration, UNIX_EPOCH};

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime};

use crate::catalogue::CalendarDate;

/// Ticks of 100 ns in a millisecond.
pub const TICKS_PER_MS: u64 = 10_000;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Formats milliseconds since 1970.
pub fn written(ms: u64) -> String {
    let since = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    format!("{:.7}Z", EPOCH.saturating_add(since))
}

/// Formats seconds since 1970.
pub fn written_s(seconds: u64) -> String {
    written(seconds * 1_000)
}

/// Formats the start of a day.
pub fn written_day(day: CalendarDate) -> String {
    format!("{}T00:00:00.0000000Z", day.iso())
}

/// Parses `2024-02-20`, `2024-02-20T19:26:41`, with or without decimals and `Z`, as milliseconds since 1970. Also
/// `20240220192641`, the form in which old clients send the date of a play.
pub fn read(text: &str) -> Option<u64> {
    let text = text.trim().trim_end_matches(['Z', 'z']);
    let at =
        if text.get(4..5) == Some("-") { text.parse().ok()? } else { DateTime::strptime("%Y%m%d%H%M%S", text).ok()? };
    u64::try_from(at.duration_since(EPOCH).as_millis()).ok()
}

/// Parses `2024-02-20` as seconds since 1970. Days before 1970 count as 1970.
pub fn read_day_s(text: &str) -> Option<u64> {
    let day: Date = text.parse().ok()?;
    Some(u64::try_from(day.to_datetime(jiff::civil::Time::MIN).duration_since(EPOCH).as_secs()).unwrap_or(0))
}

/// The last second of the year 9999, after which HTTP has no dates.
const LATEST_HTTP_DATE_MS: u64 = 253_402_300_799_000;

/// Formats milliseconds since 1970 as in HTTP headers: `Tue, 20 Feb 2024 19:26:41 GMT`.
pub fn http_date(ms: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(ms.min(LATEST_HTTP_DATE_MS)))
}

/// Parses the output of [`http_date`].
pub fn read_http_date(text: &str) -> Option<u64> {
    let since = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_moment_is_written_and_read_back() {
        let ms = 1_708_457_201_136;
        assert_eq!(written(ms), "2024-02-20T19:26:41.1360000Z");
        assert_eq!(read("2024-02-20T19:26:41.1361081Z"), Some(ms));
        assert_eq!(read("20240220192641"), Some(ms - 136));
        assert_eq!(read("2024-02-20"), Some(1_708_387_200_000));
    }

    #[test]
    fn every_day_of_sixty_years_goes_around() {
        for day in 0..22_000_u64 {
            assert_eq!(read(&written(day * 86_400_000)), Some(day * 86_400_000));
        }
    }

    #[test]
    fn the_date_of_a_header_is_written_and_read_back() {
        let ms = 1_708_457_201_000;
        assert_eq!(http_date(ms), "Tue, 20 Feb 2024 19:26:41 GMT");
        assert_eq!(read_http_date(&http_date(ms)), Some(ms));
        assert_eq!(read_http_date("yesterday"), None);
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["", "yesterday", "2024-13-01", "2024-02-20T25:00:00", "2024/02/20", "20240220"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
