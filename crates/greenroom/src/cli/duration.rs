//! Durations as people read them: 2 h 56 min.

/// A duration in milliseconds as text.
pub(super) fn duration(ms: u64) -> String {
    match ms / 1000 {
        0 => format!("{ms} ms"),
        s @ 1..10 if ms % 1000 < 100 => format!("{s} s"),
        1..10 => format!("{:.1} s", ms as f64 / 1000.0),
        s @ 10..120 => format!("{s} s"),
        s @ 120..3_600 => format!("{} min", s / 60),
        s @ 3_600..172_800 => with_rest(s / 3_600, "h", s % 3_600 / 60, "min"),
        s @ 172_800..604_800 => with_rest(s / 86_400, "days", s % 86_400 / 3_600, "h"),
        s => format!("{} days", s / 86_400),
    }
}

/// "2 h 56 min", or "2 h" where nothing is left over.
fn with_rest(number: u64, unit: &str, rest: u64, rest_unit: &str) -> String {
    if rest == 0 { format!("{number} {unit}") } else { format!("{number} {unit} {rest} {rest_unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_printed_in_a_fitting_unit() {
        for (s, text) in [
            (0, "0 ms"),
            (2, "2 s"),
            (60, "60 s"),
            (600, "10 min"),
            (7_199, "1 h 59 min"),
            (10_560, "2 h 56 min"),
            (86_400, "24 h"),
            (180_000, "2 days 2 h"),
            (2_592_000, "30 days"),
        ] {
            assert_eq!(duration(s * 1000), text);
        }
        assert_eq!((duration(1_500), duration(40)), ("1.5 s".to_owned(), "40 ms".to_owned()));
    }
}
