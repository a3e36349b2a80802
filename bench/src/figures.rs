//! Medians, percentiles, and tables of them.

use std::fmt;
use std::time::Duration;

/// A figure taken in every round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rounds(pub(crate) Vec<f64>);

impl Rounds {
    /// The middle one.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Each round's figure as a ratio to the other's of the same round.
    pub(crate) fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(own, other)| own / other).collect())
    }
}

/// The median and the spread.
impl fmt::Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let digits = if self.median() < 10.0 { 2 } else { 1 };
        write!(f, "{:.digits$} ({least:.digits$} to {most:.digits$})", self.median())
    }
}

/// The `share`-th part of sorted durations, in microseconds.
pub(crate) fn percentile_us(sorted: &[Duration], share: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let at = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
    sorted.get(at).map_or(f64::NAN, |took| took.as_secs_f64() * 1e6)
}

/// Prints one line of a table.
pub(crate) fn line(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// Prints the head of a table.
pub(crate) fn head(title: &str, names: &[&str]) {
    println!("\n## {title}\n");
    println!("| {} |", names.join(" | "));
    println!("| --- |{}", " ---: |".repeat(names.len() - 1));
}
