//! Recommendations on TTL policies that have no effect.

use serde_json::json;

use super::window::RecentClassCounts;
use greenroom_state::warnings::{Warning, WarningAction};

pub(super) const CODES: [&str; 2] = ["lifetime-too-short", "refreshes-unread"];

/// Min requests for a recommendation.
const MIN_REQUESTS: u64 = 200;
/// Min own loads for a recommendation.
const MIN_LOADS: u64 = 100;
/// Longest fresh time ever recommended, in seconds.
const MAX_FRESH_S: u32 = 3_600;

/// The recommendation for a request type.
pub(super) fn advise(recent: &RecentClassCounts) -> Option<Warning> {
    let counts = &recent.counts;
    let class = recent.class.name();
    let loaded = counts.useful + counts.useless;
    let (code, text) = if counts.asked >= MIN_REQUESTS
        && counts.saved * 100 < counts.asked
        // Responses that were never cached would not be found with a longer TTL either.
        && counts.expired * 2 >= counts.asked
    {
        let text = format!(
            "Of {} requests for {class}, {} were answered without asking the server: the time between them is longer \
             than the {} s for which a response is fresh.",
            counts.asked, counts.saved, counts.fresh_s
        );
        (CODES[0], text)
    } else if loaded >= MIN_LOADS && counts.useful * 50 < loaded {
        let text = format!(
            "Of {loaded} responses for {class} refreshed in the background, {} were read before they expired again.",
            counts.useful
        );
        (CODES[1], text)
    } else {
        return None;
    };
    let remedy = format!("Raise the TTL of {class}: greenroom policies set {class} --fresh-s SECONDS.");
    let action = propose_ttl(recent).map(|proposed| {
        let (label, fresh_s) = match proposed {
            TtlProposal::Longer(fresh_s) => (format!("Set {fresh_s} s"), Some(fresh_s)),
            TtlProposal::Configured(fresh_s) => (format!("Reset to {fresh_s} s"), None),
        };
        WarningAction::new(label, "PUT", "cache/policies")
            .with_body(json!({"server": recent.server, "class": class, "fresh_s": fresh_s}))
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

fn propose_ttl(recent: &RecentClassCounts) -> Option<TtlProposal> {
    let fresh_s = recent.counts.fresh_s;
    if fresh_s < recent.configured_fresh_s {
        return Some(TtlProposal::Configured(recent.configured_fresh_s));
    }
    if fresh_s < recent.default_fresh_s {
        return Some(TtlProposal::Longer(recent.default_fresh_s));
    }
    let doubled_s = fresh_s.max(1).saturating_mul(2);
    (doubled_s <= MAX_FRESH_S).then_some(TtlProposal::Longer(doubled_s))
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::class::Class;

    use super::super::window::ClassCounts;
    use super::*;

    fn recent(counts: ClassCounts) -> RecentClassCounts {
        RecentClassCounts {
            server: "home".into(),
            class: Class::Sessions,
            counts,
            default_fresh_s: 10,
            configured_fresh_s: 10,
        }
    }

    #[test]
    fn a_ttl_without_effect_is_reported_with_a_longer_one() {
        let counts = ClassCounts { asked: 200, saved: 1, expired: 150, fresh_s: 10, ..ClassCounts::default() };
        let warning = advise(&recent(counts)).expect("a recommendation");
        assert_eq!(warning.name(), "lifetime-too-short/sessions");
        let action = warning.action.expect("an action");
        assert_eq!(action.body, json!({"server": "home", "class": "sessions", "fresh_s": 20}));
        for (case, counts) in [
            ("too few requests", ClassCounts { asked: 199, ..counts }),
            ("some hits", ClassCounts { saved: 2, ..counts }),
            ("requests never repeat", ClassCounts { expired: 99, ..counts }),
        ] {
            assert_eq!(advise(&recent(counts)), None, "{case}");
        }
    }

    #[test]
    fn background_refreshes_that_are_never_read_are_reported() {
        let counts =
            ClassCounts { asked: 300, saved: 300, useful: 1, useless: 99, fresh_s: 5, ..ClassCounts::default() };
        let warning = advise(&recent(counts)).expect("a recommendation");
        assert_eq!(warning.code, "refreshes-unread");
        assert!(warning.action.expect("an action").body["fresh_s"].is_null(), "reset to the default");
        assert_eq!(advise(&recent(ClassCounts { useful: 2, useless: 98, ..counts })), None);
        assert_eq!(advise(&recent(ClassCounts { useful: 0, useless: 99, ..counts })), None, "too few requests");
    }

    #[test]
    fn recommended_fresh_times_are_bounded() {
        let propose_ttl = |fresh_s, configured_fresh_s, default_fresh_s| {
            let counts = ClassCounts { fresh_s, ..ClassCounts::default() };
            propose_ttl(&RecentClassCounts { default_fresh_s, configured_fresh_s, ..recent(counts) })
        };
        assert_eq!(propose_ttl(10, 10, 10), Some(TtlProposal::Longer(20)));
        assert_eq!(propose_ttl(0, 0, 0), Some(TtlProposal::Longer(2)));
        assert_eq!(propose_ttl(5, 10, 10), Some(TtlProposal::Configured(10)));
        assert_eq!(propose_ttl(5, 5, 10), Some(TtlProposal::Longer(10)), "a reset would change nothing");
        assert_eq!(propose_ttl(5, 7, 10), Some(TtlProposal::Configured(7)));
        assert_eq!(propose_ttl(3_600, 10, 10), None);
    }
}
