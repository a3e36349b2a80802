//! Timestamps as the server writes them (`2024-02-20T19:26:41.1360000Z`) and as clients send them.

use crate::catalogue::CalendarDate;

/// Ticks of 100 ns in a millisecond.
pub const TICKS_PER_MS: u64 = 10_000;

const MS_PER_DAY: u64 = 86_400_000;

/// Formats milliseconds since 1970.
pub fn written(ms: u64) -> String {
    let (days, rest) = (ms / MS_PER_DAY, ms % MS_PER_DAY);
    let (year, month, day) = civil(days);
    let (seconds, millis) = (rest / 1_000, rest % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}0000Z")
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
    let digits = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    if text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return joined(
            (digits(0..4)?, digits(4..6)?, digits(6..8)?),
            (digits(8..10)?, digits(10..12)?, digits(12..14)?),
            0,
        );
    }
    let day = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    if text.get(4..5)? != "-" || text.get(7..8)? != "-" {
        return None;
    }
    if text.len() == 10 {
        return joined(day, (0, 0, 0), 0);
    }
    let time = (digits(11..13)?, digits(14..16)?, digits(17..19)?);
    let millis = match text.get(19..).and_then(|rest| rest.strip_prefix('.')) {
        Some(decimals) => format!("{decimals:0<3}").get(..3)?.parse().ok()?,
        None => 0,
    };
    joined(day, time, millis)
}

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Formats milliseconds since 1970 as in HTTP headers: `Tue, 20 Feb 2024 19:26:41 GMT`.
pub fn http_date(ms: u64) -> String {
    let days = ms / MS_PER_DAY;
    let (year, month, day) = civil(days);
    let at = |index: u64| usize::try_from(index).unwrap_or(0);
    let text = written(ms);
    format!("{}, {day:02} {} {year:04} {} GMT", WEEKDAYS[at(days % 7)], MONTHS[at(month - 1)], &text[11..19])
}

/// Parses the output of [`http_date`].
pub fn read_http_date(text: &str) -> Option<u64> {
    let parts: Vec<&str> = text.split([' ', ':']).collect();
    let [_, day, month, year, hour, minute, second, "GMT"] = parts.as_slice() else { return None };
    let month = MONTHS.iter().position(|name| name == month)? as u64 + 1;
    let number = |text: &str| text.parse::<u64>().ok();
    joined((number(year)?, month, number(day)?), (number(hour)?, number(minute)?, number(second)?), 0)
}

fn joined((year, month, day): (u64, u64, u64), (hour, minute, second): (u64, u64, u64), millis: u64) -> Option<u64> {
    let sane = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !sane || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days(year, month, day) * MS_PER_DAY + ((hour * 60 + minute) * 60 + second) * 1_000 + millis)
}

/// Year, month and day, `days` days after 1 January 1970.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// The reverse of [`civil`].
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
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
            assert_eq!(read(&written(day * MS_PER_DAY)), Some(day * MS_PER_DAY));
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
