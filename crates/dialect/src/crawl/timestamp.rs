//! Timestamps in Jellyfin's format: `2024-02-20T19:26:41.1362081Z`.

/// Seconds of a day.
const DAY_S: u64 = 86_400;

/// Formats seconds since 1970.
pub fn format(at_s: u64) -> String {
    let (year, month, day) = civil(at_s / DAY_S);
    let of_day = at_s % DAY_S;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Parses a timestamp to seconds since 1970; ignores fractions and the rest of the text. `None` if it is
/// invalid or before 1970, because servers write the year 1 for an unknown time.
pub fn parse(text: &str) -> Option<u64> {
    let (date, time) = text.trim().split_once(['T', ' '])?;
    let mut date = date.split('-').map(str::parse::<u64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let time = time.get(..8)?;
    let mut time = time.split(':').map(str::parse::<u64>);
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    let is_sane = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    is_sane.then(|| days(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second)
}

/// Days from 1970-01-01 to this day. Years begin in March here, so that the leap day comes last.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before_year = year * 365 + year / 4 - year / 100 + year / 400;
    before_year + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// The date this many days after 1970-01-01.
fn civil(days_since: u64) -> (u64, u64, u64) {
    let mut year = 1970 + days_since / 366;
    while days(year + 1, 1, 1) <= days_since {
        year += 1;
    }
    let month = (1..=12).rev().find(|month| days(year, *month, 1) <= days_since).unwrap_or(1);
    (year, month, days_since - days(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read_as_servers_write_them() {
        assert_eq!(parse("1970-01-01T00:00:00.0000000Z"), Some(0));
        assert_eq!(parse("2024-02-20T19:26:41.1362081Z"), Some(1_708_457_201));
        assert_eq!(parse("2024-02-29T00:00:00Z"), Some(1_709_164_800));
        assert_eq!(parse("0001-01-01T00:00:00.0000000Z"), None);
        for odd in ["", "2024", "2024-02-20", "2024-13-01T00:00:00Z", "x-y-zT00:00:00Z", "2024-02-20Tä:00:0"] {
            assert_eq!(parse(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(at_s in 0_u64..253_402_300_800) {
            prop_assert_eq!(parse(&format(at_s)), Some(at_s));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}
