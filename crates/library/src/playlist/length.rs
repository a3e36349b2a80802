//! How long a track is, however that is written.

/// A length without a unit that is at least this many is in milliseconds: no track lasts three hours, and none ten
/// seconds.
const LEAST_MS: f64 = 10_000.0;
/// Longer ones are no lengths.
const MAX_S: f64 = 48.0 * 3600.0;

/// In which unit a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// It is not said.
    Unsaid,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// Seconds of a number.
pub(super) fn of_number(number: f64, unit: Unit) -> Option<u32> {
    let seconds = match unit {
        Unit::Milliseconds => number / 1000.0,
        Unit::Unsaid if number >= LEAST_MS => number / 1000.0,
        Unit::Seconds | Unit::Unsaid => number,
    };
    let fits = seconds.is_finite() && (0.5..=MAX_S).contains(&seconds);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies within bounds")]
    fits.then_some(seconds.round() as u32)
}

/// Seconds of a text: a number, `m:ss` or `h:mm:ss`.
pub(super) fn of_text(text: &str, unit: Unit) -> Option<u32> {
    let text = text.trim();
    if !text.contains(':') {
        return of_number(text.replace(',', ".").parse().ok()?, unit);
    }
    let mut seconds = 0.0;
    for part in text.split(':') {
        seconds = seconds * 60.0 + part.trim().parse::<f64>().ok().filter(|part| *part >= 0.0)?;
    }
    of_number(seconds, Unit::Seconds)
}
