//! Report of an observation: one sentence for people, and the rows behind it.

use greenroom_cache::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use utoipa::ToSchema;

use super::stats::{ShadowCounts, ShadowStatsRow};

/// Report of an observation.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Observation)]
pub struct ShadowReport {
    /// The server.
    pub server: String,
    /// The sentence.
    pub verdict: String,
    /// Start of the observation, in milliseconds.
    pub since_ms: u64,
    /// End of the observation, in milliseconds.
    pub until_ms: u64,
    /// Own requests meanwhile, besides refreshes: events, probes. Part of what would have reached the server.
    pub events: u64,
    /// Percentage of requests that would not have reached the server, less all own requests. Negative if there would
    /// have been more.
    pub saved_percent: f64,
    /// Sum of all rows.
    pub totals: ShadowCounts,
    /// By class, busiest first.
    pub classes: Vec<ShadowReportRow>,
    /// By app, busiest first.
    pub apps: Vec<ShadowReportRow>,
}

/// Counts of one class or app.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ObservedRow)]
pub struct ShadowReportRow {
    /// The class or the app.
    pub name: String,
    /// Percentage of its requests that would not have reached the server.
    pub saved_percent: f64,
    /// The counts.
    #[serde(flatten)]
    pub counts: ShadowCounts,
}

impl ShadowReport {
    /// Builds the report from the rows.
    pub fn new(
        server: &str,
        (since_ms, until_ms): (Timestamp, Timestamp),
        events: u64,
        rows: &[ShadowStatsRow],
    ) -> Self {
        let mut totals = ShadowCounts::default();
        for row in rows {
            totals += row.counts;
        }
        let saved_percent = saved_percent(totals.asked, totals.reached + events);
        Self {
            server: server.to_owned(),
            verdict: verdict(saved_percent, &totals),
            since_ms: since_ms.as_millis(),
            until_ms: until_ms.as_millis(),
            events,
            saved_percent,
            totals,
            classes: sums(rows, |row| row.class),
            apps: sums(rows, |row| &row.app),
        }
    }
}

fn sums(rows: &[ShadowStatsRow], name: impl Fn(&ShadowStatsRow) -> &str) -> Vec<ShadowReportRow> {
    let mut sums: BTreeMap<&str, ShadowCounts> = BTreeMap::new();
    for row in rows {
        *sums.entry(name(row)).or_default() += row.counts;
    }
    let row = |(name, counts): (&str, ShadowCounts)| ShadowReportRow {
        name: name.to_owned(),
        saved_percent: saved_percent(counts.asked, counts.reached),
        counts,
    };
    let mut rows: Vec<ShadowReportRow> = sums.into_iter().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.counts.asked));
    rows
}

/// Percentage of requests that would not have reached the server.
fn saved_percent(asked: u64, reached: u64) -> f64 {
    if asked == 0 { 0.0 } else { (1.0 - reached as f64 / asked as f64) * 100.0 }
}

/// The sentence: requests saved, differences, and those explained by an allowed age.
fn verdict(saved_percent: f64, totals: &ShadowCounts) -> String {
    if totals.asked == 0 {
        return "No requests yet".to_owned();
    }
    let asked = format_thousands(totals.asked);
    let requests = if totals.asked == 1 { "request" } else { "requests" };
    let mut text = if saved_percent < 0.0 {
        format!("Would have made {:.0} % more than {asked} {requests}", -saved_percent)
    } else {
        format!("Would have saved {saved_percent:.0} % of {asked} {requests}")
    };
    // Writing to a String cannot fail.
    let _ = write!(text, "; {} would have differed", format_thousands(totals.differed));
    let behind = totals.moved + totals.changed + totals.right_ended;
    if behind > 0 {
        let _ = write!(text, ", and {} would have been a little behind, as they may be", format_thousands(behind));
    }
    if totals.rescued > 0 {
        let _ = write!(text, "; {} would have been answered while the server failed", format_thousands(totals.rescued));
    }
    text
}

/// Formats a count with thousands separators.
pub fn format_thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(class: &'static str, app: &str, counts: ShadowCounts) -> ShadowStatsRow {
        ShadowStatsRow { class, app: app.to_owned(), counts }
    }

    fn counts(asked: u64, reached: u64) -> ShadowCounts {
        ShadowCounts { asked, reached, ..ShadowCounts::default() }
    }

    #[test]
    fn the_verdict_is_a_sentence() {
        let differed = ShadowCounts { differed: 2, ..counts(3_204, 929) };
        let report = ShadowReport::new(
            "home",
            (Timestamp::UNIX_EPOCH, Timestamp::from_millis(1)),
            0,
            &[row("lists", "a", differed)],
        );
        assert_eq!(report.verdict, "Would have saved 71 % of 3,204 requests; 2 would have differed");
        let more = ShadowCounts { moved: 3, changed: 1, rescued: 1, ..counts(10, 5) };
        let report = ShadowReport::new(
            "home",
            (Timestamp::UNIX_EPOCH, Timestamp::from_millis(1)),
            0,
            &[row("lists", "a", more)],
        );
        assert_eq!(
            report.verdict,
            "Would have saved 50 % of 10 requests; 0 would have differed, and 4 would have been a little behind, as \
             they may be; 1 would have been answered while the server failed"
        );
        assert_eq!(
            ShadowReport::new("home", (Timestamp::UNIX_EPOCH, Timestamp::from_millis(1)), 3, &[]).verdict,
            "No requests yet"
        );
    }

    #[test]
    fn own_requests_are_subtracted_from_the_saved_ones() {
        let report = ShadowReport::new(
            "home",
            (Timestamp::UNIX_EPOCH, Timestamp::from_millis(1)),
            5,
            &[row("lists", "a", counts(10, 3))],
        );
        assert!((report.saved_percent - 20.0).abs() < 1e-9);
        let report = ShadowReport::new(
            "home",
            (Timestamp::UNIX_EPOCH, Timestamp::from_millis(1)),
            10,
            &[row("lists", "a", counts(10, 3))],
        );
        assert!(report.verdict.starts_with("Would have made 30 % more than 10 requests"), "{}", report.verdict);
    }

    #[test]
    fn rows_are_summed_by_class_and_by_app_the_busiest_first() {
        let rows = [row("item", "a", counts(1, 1)), row("lists", "a", counts(2, 1)), row("lists", "b", counts(4, 2))];
        let report = ShadowReport::new("home", (Timestamp::UNIX_EPOCH, Timestamp::from_millis(1)), 0, &rows);
        let named =
            |rows: &[ShadowReportRow]| rows.iter().map(|row| (row.name.clone(), row.counts.asked)).collect::<Vec<_>>();
        assert_eq!(named(&report.classes), [("lists".to_owned(), 6), ("item".to_owned(), 1)]);
        assert_eq!(named(&report.apps), [("b".to_owned(), 4), ("a".to_owned(), 3)]);
        assert_eq!(report.totals.asked, 7);
    }

    #[test]
    fn thousands_are_separated() {
        for (count, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(format_thousands(count), text);
        }
    }
}
