//! Timestamps in Jellyfin's format: `2024-02-20T19:26:41.1362081Z`.

use jiff::SignedDuration;
use jiff::civil::DateTime;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Formats seconds since 1970.
pub fn format(at_s: u64) -> String {
    let since = SignedDuration::from_secs(i64::try_from(at_s).unwrap_or(i64::MAX));
    format!("{:.0}Z", EPOCH.saturating_add(since))
}

/// Parses a timestamp to seconds since 1970; ignores fractions and the rest of the text. `None` if it is
/// invalid or before 1970, because servers write the year 1 for an unknown time.
pub fn parse(text: &str) -> Option<u64> {
    let at: DateTime = text.trim().get(..19)?.parse().ok()?;
    u64::try_from(at.duration_since(EPOCH).as_secs()).ok()
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
        for malformed in ["", "2024", "2024-02-20", "2024-13-01T00:00:00Z", "x-y-zT00:00:00Z", "2024-02-20Tä:00:0"] {
            assert_eq!(parse(malformed), None, "{malformed}");
        }
    }

    proptest! {
        #[test]
        fn a_formatted_header_is_parsed_again(at_s in 0_u64..253_402_300_800) {
            prop_assert_eq!(parse(&format(at_s)), Some(at_s));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}
