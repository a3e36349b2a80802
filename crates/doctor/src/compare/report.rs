//! Report of a comparison: counts by request type, and the paths of differences.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use greenroom_dialect::redact;
use greenroom_response_comparison::ResponseComparison;
use serde::Serialize;

/// Max reads that are listed with their differences.
const MAX_DETAILS: usize = 100;

/// Result of one compared read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComparisonResult {
    /// The responses are equal.
    Equal,
    /// They differ for this accepted reason.
    Explained(&'static str),
    /// They differ at these paths.
    Different(Vec<String>),
    /// The server refused the read (4xx), directly and through the gateway.
    Refused,
    /// A request got no response, or both responses were server errors (5xx).
    Unanswered,
}

/// Counts of one request type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ComparisonCounts {
    /// Reads compared.
    pub compared: usize,
    /// Equal.
    pub equal: usize,
    /// Different for an accepted reason.
    pub explained: usize,
    /// Different.
    pub different: usize,
    /// Refused directly and through the gateway.
    pub refused: usize,
    /// Without a response, or with a server error.
    pub unanswered: usize,
}

/// One read that differed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DifferenceDetail {
    /// Requested target, without secrets.
    pub target: String,
    /// Request type.
    pub class: &'static str,
    /// Paths at which the responses differ.
    pub places: Vec<String>,
}

/// The whole report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ComparisonReport {
    /// Counts by request type.
    pub classes: BTreeMap<&'static str, ComparisonCounts>,
    /// Number of differences by accepted reason.
    pub explanations: BTreeMap<&'static str, usize>,
    /// The first reads that differed.
    pub details: Vec<DifferenceDetail>,
    /// Whether the server refuses the configured token. Then only public reads were really compared.
    pub token_refused: bool,
    /// Whether time ran out before everything was read.
    pub cut_short: bool,
}

impl ComparisonResult {
    /// Result for responses with this common status and no unexplained difference. Two failures prove nothing about the
    /// gateway, so they do not count as equal.
    pub(super) fn from_equal(status: u16, found: &ResponseComparison) -> Self {
        match (status, found) {
            (500.., _) => Self::Unanswered,
            (400..500, _) => Self::Refused,
            (_, ResponseComparison::Volatile(reason)) => Self::Explained(reason),
            _ => Self::Equal,
        }
    }
}

impl ComparisonReport {
    /// Adds the result of a read.
    pub fn record(&mut self, class: &'static str, target: &str, result: ComparisonResult) {
        let counts = self.classes.entry(class).or_default();
        counts.compared += 1;
        match result {
            ComparisonResult::Equal => counts.equal += 1,
            ComparisonResult::Explained(reason) => {
                counts.explained += 1;
                *self.explanations.entry(reason).or_default() += 1;
            }
            ComparisonResult::Refused => counts.refused += 1,
            ComparisonResult::Unanswered => counts.unanswered += 1,
            ComparisonResult::Different(places) => {
                counts.different += 1;
                if self.details.len() < MAX_DETAILS {
                    self.details.push(DifferenceDetail { target: redact::target(target), class, places });
                }
            }
        }
    }

    /// Sum over all request types.
    pub fn total(&self) -> ComparisonCounts {
        self.classes.values().fold(ComparisonCounts::default(), |sum, one| ComparisonCounts {
            compared: sum.compared + one.compared,
            equal: sum.equal + one.equal,
            explained: sum.explained + one.explained,
            different: sum.different + one.different,
            refused: sum.refused + one.refused,
            unanswered: sum.unanswered + one.unanswered,
        })
    }

    /// Whether at least one read succeeded, none failed, no difference is unexplained, and the token was accepted.
    /// Refused reads do not matter.
    pub fn is_clean(&self) -> bool {
        let total = self.total();
        let is_read = total.equal + total.explained > 0;
        is_read && !self.token_refused && total.different == 0 && total.unanswered == 0
    }

    /// The report as text for people.
    pub fn render(&self, server: &str) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{server}: read directly and through Greenroom\n");
        let _ = writeln!(
            text,
            "{:<14} {:>8} {:>8} {:>9} {:>9} {:>8} {:>10}",
            "class", "compared", "equal", "explained", "different", "refused", "unanswered"
        );
        let row = |text: &mut String, name: &str, counts: &ComparisonCounts| {
            let ComparisonCounts { compared, equal, explained, different, refused, unanswered } = counts;
            let _ = writeln!(
                text,
                "{name:<14} {compared:>8} {equal:>8} {explained:>9} {different:>9} {refused:>8} {unanswered:>10}"
            );
        };
        for (class, counts) in &self.classes {
            row(&mut text, class, counts);
        }
        row(&mut text, "all", &self.total());
        if !self.explanations.is_empty() {
            let _ = writeln!(text, "\nexplained:");
        }
        for (reason, count) in &self.explanations {
            let _ = writeln!(text, "  {count}: {reason}");
        }
        for detail in &self.details {
            let _ = writeln!(text, "\ndifferent: {} ({})", detail.target, detail.class);
            for place in &detail.places {
                let _ = writeln!(text, "  {place}");
            }
        }
        if self.token_refused {
            let _ = writeln!(
                text,
                "\nthe server does not accept the configured token, so only what is public was read\n  -> get a new one \
                 with `greenroom login`"
            );
        }
        if self.cut_short {
            let _ = writeln!(text, "\ntime ran out: not everything was read");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> ComparisonReport {
        let mut tally = ComparisonReport::default();
        tally.record("lists", "/a", ComparisonResult::Equal);
        tally.record("lists", "/a?X-Plex-Token=SECRET&x=1", ComparisonResult::Different(vec!["a.b".into()]));
        tally.record("sessions", "/s", ComparisonResult::Explained("playback progresses"));
        tally
    }

    #[test]
    fn a_report_counts_by_class_and_shows_no_secret() {
        let tally = tally();
        assert_eq!(
            tally.total(),
            ComparisonCounts { compared: 3, equal: 1, explained: 1, different: 1, refused: 0, unanswered: 0 }
        );
        let text = tally.render("home");
        assert!(text.contains("lists                 2        1         0         1        0          0"), "{text}");
        assert!(text.contains("  1: playback progresses") && text.contains("  a.b"), "{text}");
        let json = serde_json::to_string(&tally).expect("JSON");
        assert!(!text.contains("SECRET") && !json.contains("SECRET"), "{text}");
    }

    #[test]
    fn refusals_and_failures_are_not_called_the_same() {
        let none = ResponseComparison::Respelled;
        assert_eq!(ComparisonResult::from_equal(200, &none), ComparisonResult::Equal);
        assert_eq!(ComparisonResult::from_equal(401, &none), ComparisonResult::Refused);
        assert_eq!(ComparisonResult::from_equal(503, &none), ComparisonResult::Unanswered);
        let mut refused = ComparisonReport::default();
        refused.record("lists", "/a", ComparisonResult::Refused);
        assert!(!refused.is_clean(), "nothing was read");
        refused.record("public", "/b", ComparisonResult::Equal);
        assert!(refused.is_clean());
        refused.token_refused = true;
        assert!(!refused.is_clean() && refused.render("home").contains("does not accept the configured token"));
    }

    #[test]
    fn only_a_comparison_without_differences_is_well() {
        assert!(!ComparisonReport::default().is_clean(), "nothing was compared");
        assert!(!tally().is_clean());
        let mut good = ComparisonReport::default();
        good.record("lists", "/a", ComparisonResult::Equal);
        assert!(good.is_clean());
        good.record("lists", "/x", ComparisonResult::Refused);
        assert!(good.is_clean(), "a refused read is no difference");
        good.record("lists", "/b", ComparisonResult::Unanswered);
        assert!(!good.is_clean());
    }
}
