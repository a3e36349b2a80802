//! Freshness of an entry: the one pure function that decides it.

use crate::policy::{EntryDeadlines, Freshness, FreshnessBound, Policy, Validity, evaluate_deadlines};
use crate::timestamp::Timestamp;
use crate::value::Entry;

/// Evaluates an entry. Pure: time and validity are arguments.
pub fn evaluate_freshness(entry: &Entry, policy: &Policy, now_ms: Timestamp, validity: Validity) -> Freshness {
    let freshness = evaluate_deadlines(deadlines_under(entry, policy), policy.refresh_ahead, now_ms, validity);
    let unconfirmed_before_ms =
        policy.freshness_bound.map_or(Timestamp::UNIX_EPOCH, |bound| bound.unconfirmed_before_ms);
    match freshness {
        Freshness::Fresh { .. } | Freshness::Stale | Freshness::Expired
            if entry.created_ms() < unconfirmed_before_ms =>
        {
            Freshness::Unconfirmed
        }
        _ => freshness,
    }
}

/// The deadlines of an entry under a policy that may differ from the one it was stored under.
pub(crate) fn deadlines_under(entry: &Entry, policy: &Policy) -> EntryDeadlines {
    let deadlines = entry.deadlines();
    let deadlines = if entry.adapted() { deadlines } else { deadlines.shortened_to(policy, entry.stored_ms()) };
    let apply =
        |freshness_bound: FreshnessBound| freshness_bound.apply(deadlines, entry.created_ms(), entry.stored_ms());
    policy.freshness_bound.map_or(deadlines, apply)
}

/// Fresh time left under a policy, in milliseconds; negative once it is over.
pub(crate) fn fresh_left_ms(entry: &Entry, policy: &Policy, now_ms: Timestamp) -> i64 {
    let until = i64::try_from(deadlines_under(entry, policy).fresh_until_ms.as_millis()).unwrap_or(i64::MAX);
    until.saturating_sub(i64::try_from(now_ms.as_millis()).unwrap_or(i64::MAX))
}
