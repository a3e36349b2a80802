//! Recommendations on TTL policies that have no effect.

use serde_json::json;

use super::window::RecentClassCounts;
use greenroom_state::warnings::{Warning, WarningAction};

pub(super) const CODES: [&str; 2] = ["lifetime-too-short", "refreshes-unread"];

/// Min requests for a recommendation.
const ENOUGH_ASKED: u64 = 200;
/// Min own loads for a recommendation.
const ENOUGH_LOADED: u64 = 100;
/// Longest fresh time ever recommended, in seconds.
const LONGEST_S: u32 = 3_600;

/// The recommendation for a request type.
pub(super) fn advise(lately: &RecentClassCounts) -> Option<Warning> {
    let counts = &lately.counts;
    let class = lately.class.name();
    let loaded = counts.useful + counts.useless;
    let (code, text) = if counts.asked >= ENOUGH_ASKED
        && counts.saved * 100 < counts.asked
        // Responses that were never cached would not be found with a longer TTL either.
        && counts.expired * 2 >= counts.asked
    {
        let text = format!(
            "Of {} questions for {class} {} were answered without asking the server: apps wait longer between them \
             than the {} s for which an answer is fresh.",
            counts.asked, counts.saved, counts.fresh_s
        );
        (CODES[0], text)
    } else if loaded >= ENOUGH_LOADED && counts.useful * 50 < loaded {
        let text = format!(
            "Of {loaded} answers for {class} that were refreshed behind a read, {} were read before they were too old \
             again.",
            counts.useful
        );
        (CODES[1], text)
    } else {
        return None;
    };
    let remedy = format!("Let {class} live longer, by greenroom policies set {class} --fresh-s SECONDS.");
    let action = proposal(lately).map(|proposal| {
        let (label, fresh_s) = match proposal {
            TtlProposal::Longer(fresh_s) => (format!("Set {fresh_s} s"), Some(fresh_s)),
            TtlProposal::Configured(fresh_s) => (format!("Back to {fresh_s} s"), None),
        };
        WarningAction::new(label, "PUT", "cache/policies")
            .with_body(json!({"server": lately.server, "class": class, "fresh_s": fresh_s}))
    });
    Some(Warning::notice(code, text, remedy).about(class).with(action))
}

/// The proposed fresh time, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TtlProposal {
    /// The configured value: the override is removed.
    Configured(u32),
    /// A longer value: the default if less is configured, else twice the current one.
    Longer(u32),
}

fn proposal(lately: &RecentClassCounts) -> Option<TtlProposal> {
    let fresh_s = lately.counts.fresh_s;
    if fresh_s < lately.configured_fresh_s {
        return Some(TtlProposal::Configured(lately.configured_fresh_s));
    }
    if fresh_s < lately.usual_fresh_s {
        return Some(TtlProposal::Longer(lately.usual_fresh_s));
    }
    let twice_s = fresh_s.max(1).saturating_mul(2);
    (twice_s <= LONGEST_S).then_some(TtlProposal::Longer(twice_s))
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::class::Class;

    use super::super::window::ClassCounts;
    use super::*;

    fn lately(counts: ClassCounts) -> RecentClassCounts {
        RecentClassCounts {
            server: "home".into(),
            class: Class::Sessions,
            counts,
            usual_fresh_s: 10,
            configured_fresh_s: 10,
        }
    }

    #[test]
    fn a_lifetime_that_almost_never_helps_is_told_with_a_longer_one() {
        let counts = ClassCounts { asked: 200, saved: 1, expired: 150, fresh_s: 10, ..ClassCounts::default() };
        let warning = advise(&lately(counts)).expect("it is useless");
        assert_eq!(warning.name(), "lifetime-too-short/sessions");
        let action = warning.action.expect("it can be changed");
        assert_eq!(action.body, json!({"server": "home", "class": "sessions", "fresh_s": 20}));
        for (what, counts) in [
            ("too few to tell", ClassCounts { asked: 199, ..counts }),
            ("it helps", ClassCounts { saved: 2, ..counts }),
            ("what is asked for is never the same", ClassCounts { expired: 99, ..counts }),
        ] {
            assert_eq!(advise(&lately(counts)), None, "{what}");
        }
    }

    #[test]
    fn refreshes_that_nobody_reads_are_told() {
        let counts =
            ClassCounts { asked: 300, saved: 300, useful: 1, useless: 99, fresh_s: 5, ..ClassCounts::default() };
        let warning = advise(&lately(counts)).expect("nobody reads them");
        assert_eq!(warning.code, "refreshes-unread");
        assert!(warning.action.expect("it can be changed").body["fresh_s"].is_null(), "back to what is usual");
        assert_eq!(advise(&lately(ClassCounts { useful: 2, useless: 98, ..counts })), None);
        assert_eq!(advise(&lately(ClassCounts { useful: 0, useless: 99, ..counts })), None, "too few to tell");
    }

    #[test]
    fn nobody_is_advised_to_keep_anything_fresh_for_ever() {
        let proposal = |fresh_s, configured_fresh_s, usual_fresh_s| {
            let counts = ClassCounts { fresh_s, ..ClassCounts::default() };
            proposal(&RecentClassCounts { usual_fresh_s, configured_fresh_s, ..lately(counts) })
        };
        assert_eq!(proposal(10, 10, 10), Some(TtlProposal::Longer(20)));
        assert_eq!(proposal(0, 0, 0), Some(TtlProposal::Longer(2)));
        assert_eq!(proposal(5, 10, 10), Some(TtlProposal::Configured(10)));
        assert_eq!(proposal(5, 5, 10), Some(TtlProposal::Longer(10)), "taking back would change nothing");
        assert_eq!(proposal(5, 7, 10), Some(TtlProposal::Configured(7)));
        assert_eq!(proposal(3_600, 10, 10), None);
    }
}
