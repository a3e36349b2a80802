//! The report of a comparison: counts by class, and where what differs stands.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use greenroom_dialect::redact;
use serde::Serialize;

use greenroom_origin::response_diff::Differences;

/// Differences that are told one by one.
const MAX_DETAILS: usize = 100;

/// What came of one read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Both ways say the same.
    Equal,
    /// They differ, and may: why.
    Explained(&'static str),
    /// They differ: where.
    Different(Vec<String>),
    /// Both ways refuse it.
    Refused,
    /// One of them did not answer, or both only with a failure.
    Unanswered,
}

/// The counts of one class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Reads that were compared.
    pub compared: usize,
    /// The same both ways.
    pub equal: usize,
    /// Different, and explained.
    pub explained: usize,
    /// Different.
    pub different: usize,
    /// Refused both ways.
    pub refused: usize,
    /// Not answered one way or the other, or only with a failure.
    pub unanswered: usize,
}

/// One read that differed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// What was read, without secrets.
    pub target: String,
    /// Its class.
    pub class: &'static str,
    /// Where the answers differ.
    pub places: Vec<String>,
}

/// The whole report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// By class.
    pub classes: BTreeMap<&'static str, Counts>,
    /// Why differences were explained, and how often.
    pub explanations: BTreeMap<&'static str, usize>,
    /// What differed.
    pub details: Vec<Detail>,
    /// Whether the server refuses the configured token: then little but refusals was compared.
    pub token_refused: bool,
    /// Whether time ran out before everything was read.
    pub cut_short: bool,
}

impl Verdict {
    /// Of answers with this status that are the same but for what may differ. Two failures show nothing.
    pub(super) fn of_same(status: u16, found: &Differences) -> Self {
        match status {
            500.. => Self::Unanswered,
            400..500 => Self::Refused,
            _ => found.explanation().map_or(Self::Equal, Self::Explained),
        }
    }
}

impl Tally {
    /// Notes what came of a read.
    pub fn note(&mut self, class: &'static str, target: &str, verdict: Verdict) {
        let counts = self.classes.entry(class).or_default();
        counts.compared += 1;
        match verdict {
            Verdict::Equal => counts.equal += 1,
            Verdict::Explained(reason) => {
                counts.explained += 1;
                *self.explanations.entry(reason).or_default() += 1;
            }
            Verdict::Refused => counts.refused += 1,
            Verdict::Unanswered => counts.unanswered += 1,
            Verdict::Different(places) => {
                counts.different += 1;
                if self.details.len() < MAX_DETAILS {
                    self.details.push(Detail { target: redact::target(target), class, places });
                }
            }
        }
    }

    /// All classes together.
    pub fn total(&self) -> Counts {
        self.classes.values().fold(Counts::default(), |sum, one| Counts {
            compared: sum.compared + one.compared,
            equal: sum.equal + one.equal,
            explained: sum.explained + one.explained,
            different: sum.different + one.different,
            refused: sum.refused + one.refused,
            unanswered: sum.unanswered + one.unanswered,
        })
    }

    /// Whether something was read, everything was answered, and nothing differs that no rule explains.
    pub fn is_well(&self) -> bool {
        let total = self.total();
        let is_read = total.equal + total.explained > 0;
        is_read && !self.token_refused && total.different == 0 && total.unanswered == 0
    }

    /// For people.
    pub fn render(&self, server: &str) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{server}: read directly and through Greenroom\n");
        let _ = writeln!(
            text,
            "{:<14} {:>8} {:>8} {:>9} {:>9} {:>8} {:>10}",
            "class", "compared", "equal", "explained", "different", "refused", "unanswered"
        );
        let row = |text: &mut String, name: &str, counts: &Counts| {
            let Counts { compared, equal, explained, different, refused, unanswered } = counts;
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

    fn tally() -> Tally {
        let mut tally = Tally::default();
        tally.note("lists", "/a", Verdict::Equal);
        tally.note("lists", "/a?X-Plex-Token=SECRET&x=1", Verdict::Different(vec!["a.b".into()]));
        tally.note("sessions", "/s", Verdict::Explained("playback gets on"));
        tally
    }

    #[test]
    fn a_report_counts_by_class_and_shows_no_secret() {
        let tally = tally();
        assert_eq!(
            tally.total(),
            Counts { compared: 3, equal: 1, explained: 1, different: 1, refused: 0, unanswered: 0 }
        );
        let text = tally.render("home");
        assert!(
            text.contains("lists                 2        1         0         1        0          0"),
            "{text}"
        );
        assert!(text.contains("  1: playback gets on") && text.contains("  a.b"), "{text}");
        let json = serde_json::to_string(&tally).expect("JSON");
        assert!(!text.contains("SECRET") && !json.contains("SECRET"), "{text}");
    }

    #[test]
    fn refusals_and_failures_are_not_called_the_same() {
        let none = Differences::default();
        assert_eq!(Verdict::of_same(200, &none), Verdict::Equal);
        assert_eq!(Verdict::of_same(401, &none), Verdict::Refused);
        assert_eq!(Verdict::of_same(503, &none), Verdict::Unanswered);
        let mut refused = Tally::default();
        refused.note("lists", "/a", Verdict::Refused);
        assert!(!refused.is_well(), "nothing was read");
        refused.note("public", "/b", Verdict::Equal);
        assert!(refused.is_well());
        refused.token_refused = true;
        assert!(
            !refused.is_well() && refused.render("home").contains("does not accept the configured token")
        );
    }

    #[test]
    fn only_a_comparison_without_differences_is_well() {
        assert!(!Tally::default().is_well(), "nothing compared is nothing shown");
        assert!(!tally().is_well());
        let mut good = Tally::default();
        good.note("lists", "/a", Verdict::Equal);
        assert!(good.is_well());
        good.note("lists", "/x", Verdict::Refused);
        assert!(good.is_well(), "not everybody may read everything");
        good.note("lists", "/b", Verdict::Unanswered);
        assert!(!good.is_well());
    }
}
