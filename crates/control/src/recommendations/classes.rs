//! Lifetimes that are of no use.

use serde_json::json;

use super::window::Lately;
use greenroom_state::warnings::{Action, Warning};

pub(super) const CODES: [&str; 2] = ["lifetime-too-short", "refreshes-unread"];

/// From so many questions on something can be said.
const ENOUGH_ASKED: u64 = 200;
/// From so many of our own loads on.
const ENOUGH_LOADED: u64 = 100;
/// Nobody is advised to keep anything fresh for longer, in seconds.
const LONGEST_S: u32 = 3_600;

/// What is to be said of a class.
pub(super) fn advise(lately: &Lately) -> Option<Warning> {
    let counts = &lately.counts;
    let class = lately.class.name();
    let loaded = counts.useful + counts.useless;
    let (code, text) = if counts.asked >= ENOUGH_ASKED
        && counts.spared * 100 < counts.asked
        // What was never kept would not be found with a longer life either.
        && counts.expired * 2 >= counts.asked
    {
        let text = format!(
            "Of {} questions for {class} {} were answered without asking the server: apps wait longer between them \
             than the {} s for which an answer is fresh.",
            counts.asked, counts.spared, counts.fresh_s
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
            Proposal::Longer(fresh_s) => (format!("Set {fresh_s} s"), Some(fresh_s)),
            Proposal::Configured(fresh_s) => (format!("Back to {fresh_s} s"), None),
        };
        Action::new(label, "PUT", "cache/policies")
            .saying(json!({"server": lately.server, "class": class, "fresh_s": fresh_s}))
    });
    Some(Warning::notice(code, text, remedy).about(class).with(action))
}

/// How long it could be fresh instead, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proposal {
    /// As long as is configured: what was said since is taken back.
    Configured(u32),
    /// So long: as usual where less is configured, else twice as long as now.
    Longer(u32),
}

fn proposal(lately: &Lately) -> Option<Proposal> {
    let fresh_s = lately.counts.fresh_s;
    if fresh_s < lately.configured_fresh_s {
        return Some(Proposal::Configured(lately.configured_fresh_s));
    }
    if fresh_s < lately.usual_fresh_s {
        return Some(Proposal::Longer(lately.usual_fresh_s));
    }
    let twice_s = fresh_s.max(1).saturating_mul(2);
    (twice_s <= LONGEST_S).then_some(Proposal::Longer(twice_s))
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::class::Class;

    use super::super::window::Counts;
    use super::*;

    fn lately(counts: Counts) -> Lately {
        Lately {
            server: "home".into(),
            class: Class::Sessions,
            counts,
            usual_fresh_s: 10,
            configured_fresh_s: 10,
        }
    }

    #[test]
    fn a_lifetime_that_almost_never_helps_is_told_with_a_longer_one() {
        let counts = Counts { asked: 200, spared: 1, expired: 150, fresh_s: 10, ..Counts::default() };
        let warning = advise(&lately(counts)).expect("it is useless");
        assert_eq!(warning.name(), "lifetime-too-short/sessions");
        let action = warning.action.expect("it can be changed");
        assert_eq!(action.body, json!({"server": "home", "class": "sessions", "fresh_s": 20}));
        for (what, counts) in [
            ("too few to tell", Counts { asked: 199, ..counts }),
            ("it helps", Counts { spared: 2, ..counts }),
            ("what is asked for is never the same", Counts { expired: 99, ..counts }),
        ] {
            assert_eq!(advise(&lately(counts)), None, "{what}");
        }
    }

    #[test]
    fn refreshes_that_nobody_reads_are_told() {
        let counts =
            Counts { asked: 300, spared: 300, useful: 1, useless: 99, fresh_s: 5, ..Counts::default() };
        let warning = advise(&lately(counts)).expect("nobody reads them");
        assert_eq!(warning.code, "refreshes-unread");
        assert!(
            warning.action.expect("it can be changed").body["fresh_s"].is_null(),
            "back to what is usual"
        );
        assert_eq!(advise(&lately(Counts { useful: 2, useless: 98, ..counts })), None);
        assert_eq!(advise(&lately(Counts { useful: 0, useless: 99, ..counts })), None, "too few to tell");
    }

    #[test]
    fn nobody_is_advised_to_keep_anything_fresh_for_ever() {
        let proposal = |fresh_s, configured_fresh_s, usual_fresh_s| {
            let counts = Counts { fresh_s, ..Counts::default() };
            proposal(&Lately { usual_fresh_s, configured_fresh_s, ..lately(counts) })
        };
        assert_eq!(proposal(10, 10, 10), Some(Proposal::Longer(20)));
        assert_eq!(proposal(0, 0, 0), Some(Proposal::Longer(2)));
        assert_eq!(proposal(5, 10, 10), Some(Proposal::Configured(10)));
        assert_eq!(proposal(5, 5, 10), Some(Proposal::Longer(10)), "taking back would change nothing");
        assert_eq!(proposal(5, 7, 10), Some(Proposal::Configured(7)));
        assert_eq!(proposal(3_600, 10, 10), None);
    }
}
