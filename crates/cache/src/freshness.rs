//! Freshness of an entry: the one pure function that decides it.

use crate::policy::{Freshness, FreshnessBound, Policy, Validity, evaluate_deadlines};
use crate::value::Entry;

/// Evaluates an entry. Pure: time and validity are arguments.
pub fn evaluate_freshness(entry: &Entry, policy: &Policy, now_ms: u64, validity: Validity) -> Freshness {
    let deadlines = entry.deadlines();
    let deadlines = if entry.adapted() { deadlines } else { deadlines.shortened_to(policy, entry.stored_ms()) };
    let apply =
        |freshness_bound: FreshnessBound| freshness_bound.apply(deadlines, entry.created_ms(), entry.stored_ms());
    let deadlines = policy.freshness_bound.map_or(deadlines, apply);
    evaluate_deadlines(deadlines, policy.refresh_ahead, now_ms, validity)
}
