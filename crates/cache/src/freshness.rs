//! Freshness of an entry: the one pure function that decides it.

use crate::policy::{Freshness, FreshnessBound, Policy, Validity, evaluate_deadlines};
use crate::value::Entry;

/// Evaluates an entry. Pure: time and validity are arguments.
pub fn evaluate_freshness(entry: &Entry, policy: &Policy, now_ms: u64, marking: Validity) -> Freshness {
    let kept = entry.deadlines();
    let kept = if entry.adapted() { kept } else { kept.shortened_to(policy, entry.stored_ms()) };
    let bound = |earlier: FreshnessBound| earlier.bound(kept, entry.created_ms(), entry.stored_ms());
    let horizons = policy.freshness_bound.map_or(kept, bound);
    evaluate_deadlines(horizons, policy.refresh_ahead, now_ms, marking)
}
