//! Medians, percentiles, and tables of them.

use std::fmt;
use std::time::Duration;

/// One value per round.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoundValues(pub(crate) Vec<f64>);

impl RoundValues {
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Ratios of each value to the other's of the same round.
    pub(crate) fn ratio_to(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(own, other)| own / other).collect())
    }
}

/// The median and the spread.
impl fmt::Display for RoundValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let digits = if self.median() < 10.0 { 2 } else { 1 };
        write!(f, "{:.digits$} ({least:.digits$} to {most:.digits$})", self.median())
    }
}

/// The `share` quantile of sorted durations, in microseconds.
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
