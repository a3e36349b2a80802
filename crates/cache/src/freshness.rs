//! How fresh a kept value is: the one pure judgement about it.

use crate::policy::{Earlier, Marking, Policy, Verdict, judge_horizons};
use crate::value::Entry;

/// Judges a kept value. Pure: time and markers are arguments.
pub fn judge(entry: &Entry, policy: &Policy, now_ms: u64, marking: Marking) -> Verdict {
    let kept = entry.horizons();
    let kept = if entry.adapted() { kept } else { kept.shortened_to(policy, entry.stored_ms()) };
    let bound = |earlier: Earlier| earlier.bound(kept, entry.created_ms(), entry.stored_ms());
    let horizons = policy.earlier.map_or(kept, bound);
    judge_horizons(horizons, policy.refresh_ahead, now_ms, marking)
}
