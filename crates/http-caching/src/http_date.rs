//! Dates in header fields (RFC 9110, section 5.6.7): three formats, letters in any case, nothing else.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName};

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Parses a date as milliseconds since 1970; `None` if it has none of the three formats.
pub fn parse(text: &str) -> Option<u64> {
    let text = usual_case(text);
    let time = httpdate::parse_http_date(&text).ok().or_else(|| parse_asctime(&text))?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// Formats milliseconds since 1970 as an IMF-fixdate.
pub fn format(ms: u64) -> String {
    let latest = Duration::from_secs(253_402_300_799);
    let time: SystemTime = UNIX_EPOCH + Duration::from_millis(ms).min(latest);
    httpdate::fmt_http_date(time)
}

/// The date in a field that must have one line; `None` if it is missing, repeated or invalid.
pub fn in_field(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let mut lines = headers.get_all(name).iter();
    let (only, None) = (lines.next()?, lines.next()) else { return None };
    parse(only.to_str().ok()?)
}

/// A date in the format of `asctime`, whatever its weekday: that is redundant, and often wrong.
fn parse_asctime(text: &str) -> Option<SystemTime> {
    let (weekday, rest) = text.split_at_checked(3)?;
    if !WEEKDAYS.contains(&weekday) || text.contains(',') {
        return None;
    }
    WEEKDAYS.iter().find_map(|weekday| httpdate::parse_http_date(&format!("{weekday}{rest}")).ok())
}

/// The letters of a date as its grammar has them: `Thu`, `Aug`, `GMT`.
fn usual_case(text: &str) -> String {
    let mut usual = String::with_capacity(text.len());
    for word in text.split_inclusive(|letter: char| !letter.is_ascii_alphabetic()) {
        let letters = word.trim_end_matches(|letter: char| !letter.is_ascii_alphabetic());
        if letters.eq_ignore_ascii_case("gmt") {
            usual.push_str("GMT");
        } else if !letters.is_empty() {
            usual.push(letters.as_bytes()[0].to_ascii_uppercase().into());
            usual.push_str(&letters[1..].to_ascii_lowercase());
        }
        usual.push_str(&word[letters.len()..]);
    }
    usual
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_formats_are_dates_and_the_case_of_letters_does_not_count() {
        let wanted = parse("Thu, 18 Aug 2050 02:01:18 GMT");
        assert!(wanted.is_some());
        for text in [
            "THU, 18 Aug 2050 02:01:18 GMT",
            "Thu, 18 AUG 2050 02:01:18 gMT",
            "Thursday, 18-Aug-50 02:01:18 GMT",
            "Thu Aug 18 02:01:18 2050",
        ] {
            assert_eq!(parse(text), wanted, "{text}");
        }
    }

    #[test]
    fn the_weekday_of_an_asctime_date_does_not_count() {
        assert_eq!(parse("Thu Aug  8 02:01:18 2050"), parse("Mon Aug  8 02:01:18 2050"));
        assert!(parse("Thu Aug  8 02:01:18 2050").is_some());
        assert_eq!(parse("Xyz Aug  8 02:01:18 2050"), None);
    }

    #[test]
    fn what_is_nearly_a_date_is_none() {
        for text in [
            "0",
            "",
            "Thu, 18 Aug 2050 02:01:18 UTC",
            "Thu, 18 Aug 2050 02:01:18 AEST",
            "Thu, 18 Aug 50 02:01:18 GMT",
            "Thu 18 Aug 2050 02:01:18 GMT",
            "Thu, 18  Aug  2050 02:01:18 GMT",
            "Thu, 18-Aug-2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 02.01.18 GMT",
            "Thu, 18 Aug 2050 2:01:18 GMT",
            "über",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_formatted_date_parses_to_itself() {
        for ms in [0, 1_000, 1_700_000_000_000, u64::MAX] {
            let text = format(ms);
            assert_eq!(format(parse(&text).expect("a date")), text);
        }
    }

    #[test]
    fn a_repeated_date_is_none() {
        let mut headers = HeaderMap::new();
        headers.append("expires", "Thu, 18 Aug 2050 02:01:18 GMT".parse().expect("a value"));
        assert!(in_field(&headers, &http::header::EXPIRES).is_some());
        headers.append("expires", "Thu, 18 Aug 2050 02:01:19 GMT".parse().expect("a value"));
        assert_eq!(in_field(&headers, &http::header::EXPIRES), None);
    }
}
