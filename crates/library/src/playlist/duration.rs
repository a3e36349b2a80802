//! Parses durations in any notation.

/// A duration without a unit is in milliseconds from this number on: no track lasts three hours (in seconds)
/// or less than ten seconds (in milliseconds).
const MIN_MILLISECONDS: f64 = 10_000.0;
/// Longest duration in seconds; longer ones are ignored.
const MAX_SECONDS: f64 = 48.0 * 3600.0;

/// Unit of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DurationUnit {
    /// Not stated.
    Unsaid,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// Converts a number to seconds.
pub(super) fn seconds_from_number(number: f64, unit: DurationUnit) -> Option<u32> {
    let seconds = match unit {
        DurationUnit::Milliseconds => number / 1000.0,
        DurationUnit::Unsaid if number >= MIN_MILLISECONDS => number / 1000.0,
        DurationUnit::Seconds | DurationUnit::Unsaid => number,
    };
    let fits = seconds.is_finite() && (0.5..=MAX_SECONDS).contains(&seconds);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies within bounds")]
    fits.then_some(seconds.round() as u32)
}

/// Parses a text to seconds: a number, `m:ss` or `h:mm:ss`.
pub(super) fn seconds_from_text(text: &str, unit: DurationUnit) -> Option<u32> {
    let text = text.trim();
    if !text.contains(':') {
        return seconds_from_number(text.replace(',', ".").parse().ok()?, unit);
    }
    let mut seconds = 0.0;
    for part in text.split(':') {
        seconds = seconds * 60.0 + part.trim().parse::<f64>().ok().filter(|part| *part >= 0.0)?;
    }
    seconds_from_number(seconds, DurationUnit::Seconds)
}
