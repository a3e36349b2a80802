//! How long values live, and the verdicts about kept ones.

use std::time::Duration;

use crate::clock::millis;
use crate::stamp::Stamp;

/// A refresh is due when this much of the fresh time has passed, in percent.
const REFRESH_AT_PERCENT: u64 = 80;
/// The refresh time is spread by this much to either side, in thousandths of itself.
const REFRESH_JITTER_PER_MILLE: u64 = 50;

/// How values of one class live. The three windows add up: fresh, then stale while one refresh runs, then only if
/// loading fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The word under which statistics are kept.
    pub class: &'static str,
    /// Answered without loading.
    pub fresh: Duration,
    /// What was loaded before a certain moment is not fresh for that long.
    pub earlier: Option<Earlier>,
    /// Then answered at once while one refresh runs behind.
    pub stale: Duration,
    /// Then answered only if loading fails or takes too long.
    pub stale_on_error: Duration,
    /// A read in the last fifth of the fresh time starts a refresh behind it.
    pub refresh_ahead: bool,
    /// Where it is read in a rhythm, loaded just before a read that would otherwise find nothing usable.
    pub warm: bool,
    /// How long a caller waits for a load when an old value may be served instead.
    pub soft_timeout: Duration,
    /// How long a caller waits for a load at all.
    pub hard_timeout: Duration,
}

/// A bound on the fresh time of values whose load began before a moment: whatever tells of changes since then was not
/// there before, so they may have missed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// The moment, in wall milliseconds.
    pub than_ms: u64,
    /// For so long they are fresh.
    pub fresh: Duration,
}

/// Until when a value lives, in wall milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizons {
    /// Fresh before this.
    pub fresh_until_ms: u64,
    /// Served while refreshing before this.
    pub stale_until_ms: u64,
    /// Served in place of a failed load before this.
    pub error_until_ms: u64,
    /// From here on a read starts a refresh; `u64::MAX` if never.
    pub refresh_at_ms: u64,
}

impl Horizons {
    /// The horizons of a value stored now. `spread` is any number that differs from key to key and from load to
    /// load: it moves the refresh time by up to 5 %, so that values stored together do not refresh together.
    pub fn new(policy: &Policy, stored_ms: u64, spread: u64) -> Self {
        let fresh_ms = millis(policy.fresh);
        let fresh_until_ms = stored_ms.saturating_add(fresh_ms);
        let stale_until_ms = fresh_until_ms.saturating_add(millis(policy.stale));
        let refresh_at_ms = if policy.refresh_ahead || policy.warm {
            stored_ms.saturating_add(refresh_after_ms(fresh_ms, spread))
        } else {
            u64::MAX
        };
        Self {
            fresh_until_ms,
            stale_until_ms,
            error_until_ms: stale_until_ms.saturating_add(millis(policy.stale_on_error)),
            refresh_at_ms,
        }
    }

    /// These horizons, cut so that the value is fresh for at most `max_fresh` and never served as merely stale.
    #[must_use]
    pub fn capped(self, stored_ms: u64, max_fresh: Duration) -> Self {
        let cap = stored_ms.saturating_add(millis(max_fresh));
        if self.fresh_until_ms <= cap && self.stale_until_ms <= cap {
            return self;
        }
        let fresh_until_ms = self.fresh_until_ms.min(cap);
        Self { fresh_until_ms, stale_until_ms: fresh_until_ms, ..self }
    }

    /// These horizons under a policy that may have been shortened since the value was stored: what is shorter
    /// applies at once, what is longer from the next load.
    #[inline]
    #[must_use]
    pub(crate) fn shortened_to(self, policy: &Policy, stored_ms: u64) -> Self {
        let fresh_until_ms = stored_ms.saturating_add(millis(policy.fresh));
        let stale_until_ms = fresh_until_ms.saturating_add(millis(policy.stale));
        let error_until_ms = stale_until_ms.saturating_add(millis(policy.stale_on_error));
        Self {
            fresh_until_ms: self.fresh_until_ms.min(fresh_until_ms),
            stale_until_ms: self.stale_until_ms.min(stale_until_ms),
            error_until_ms: self.error_until_ms.min(error_until_ms),
            refresh_at_ms: self.refresh_at_ms,
        }
    }
}

impl Earlier {
    /// The horizons of a value as far as this bounds them: what it takes from the fresh time goes to nobody.
    #[inline]
    pub(crate) fn bound(self, kept: Horizons, created_ms: u64, stored_ms: u64) -> Horizons {
        if created_ms >= self.than_ms {
            return kept;
        }
        let cut_ms = kept.fresh_until_ms.saturating_sub(stored_ms.saturating_add(millis(self.fresh)));
        Horizons {
            fresh_until_ms: kept.fresh_until_ms - cut_ms,
            stale_until_ms: kept.stale_until_ms - cut_ms,
            ..kept
        }
    }
}

/// 80 % of the fresh time, moved by up to 5 % of that to either side.
fn refresh_after_ms(fresh_ms: u64, spread: u64) -> u64 {
    let middle = fresh_ms / 100 * REFRESH_AT_PERCENT + fresh_ms % 100 * REFRESH_AT_PERCENT / 100;
    let steps = spread % (2 * REFRESH_JITTER_PER_MILLE + 1);
    let scaled = |per_mille: u64| middle / 1000 * per_mille + middle % 1000 * per_mille / 1000;
    (middle + scaled(steps)).saturating_sub(scaled(REFRESH_JITTER_PER_MILLE))
}

/// What the markers say about a kept value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marking {
    /// Nothing.
    Clear,
    /// Invalidated; kept for the case that loading its successor fails.
    Marked,
    /// Invalidated for good: no path may use it again.
    Purged,
}

/// The judgement about a kept value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Answer it. With `refresh_due`, start one refresh behind.
    Fresh {
        /// The refresh time has come.
        refresh_due: bool,
    },
    /// Answer it and start one refresh behind.
    Stale,
    /// Load, waiting only as long as the soft timeout; answer it if that fails.
    Expired,
    /// Load, waiting as long as the hard timeout; answer it only if the load fails, and only if `fallback`.
    Invalidated {
        /// It may still stand in for a failed load.
        fallback: bool,
    },
    /// Of no use any more.
    Dead,
}

/// Judges by times alone.
#[inline]
pub(crate) fn judge_horizons(
    horizons: Horizons,
    refresh_ahead: bool,
    now_ms: u64,
    marking: Marking,
) -> Verdict {
    let fallback = now_ms < horizons.error_until_ms;
    match marking {
        Marking::Purged => Verdict::Invalidated { fallback: false },
        Marking::Marked => Verdict::Invalidated { fallback },
        Marking::Clear if now_ms < horizons.fresh_until_ms => {
            Verdict::Fresh { refresh_due: refresh_ahead && now_ms >= horizons.refresh_at_ms }
        }
        Marking::Clear if now_ms < horizons.stale_until_ms => Verdict::Stale,
        Marking::Clear if fallback => Verdict::Expired,
        Marking::Clear => Verdict::Dead,
    }
}

/// Spreads refreshes: different for every key and every load, the same when asked again.
pub(crate) fn spread(key_hash: u64, created: Stamp) -> u64 {
    (key_hash ^ created.raw()).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1000;

    #[test]
    fn what_was_loaded_before_changes_were_told_of_is_fresh_for_less_long() {
        let earlier = Earlier { than_ms: 10 * SECOND, fresh: Duration::from_secs(30) };
        let kept = Horizons::new(&policy(), 11 * SECOND, 50);
        let bound = earlier.bound(kept, 9 * SECOND, 11 * SECOND);
        assert_eq!((bound.fresh_until_ms, bound.stale_until_ms), (41 * SECOND, 91 * SECOND));
        assert_eq!(bound.error_until_ms, kept.error_until_ms);
        assert_eq!(earlier.bound(kept, 10 * SECOND, 11 * SECOND), kept);
        let longer = Earlier { fresh: Duration::from_secs(500), ..earlier };
        assert_eq!(longer.bound(kept, 9 * SECOND, 11 * SECOND), kept, "it only takes away");
    }

    fn policy() -> Policy {
        Policy {
            class: "test",
            fresh: Duration::from_secs(100),
            earlier: None,
            stale: Duration::from_secs(50),
            stale_on_error: Duration::from_secs(1000),
            refresh_ahead: true,
            warm: false,
            soft_timeout: Duration::from_secs(1),
            hard_timeout: Duration::from_secs(30),
        }
    }

    #[test]
    fn the_windows_add_up_and_end_exactly() {
        let horizons = Horizons::new(&policy(), 0, 50);
        let fresh = Verdict::Fresh { refresh_due: false };
        let due = Verdict::Fresh { refresh_due: true };
        for (now_ms, wanted) in [
            (0, fresh),
            (80 * SECOND - 1, fresh),
            (80 * SECOND, due),
            (100 * SECOND - 1, due),
            (100 * SECOND, Verdict::Stale),
            (150 * SECOND - 1, Verdict::Stale),
            (150 * SECOND, Verdict::Expired),
            (1150 * SECOND - 1, Verdict::Expired),
            (1150 * SECOND, Verdict::Dead),
            (u64::MAX, Verdict::Dead),
        ] {
            assert_eq!(judge_horizons(horizons, true, now_ms, Marking::Clear), wanted, "at {now_ms} ms");
        }
    }

    #[test]
    fn a_marked_value_only_stands_in_for_failures_and_a_purged_one_not_even_that() {
        let horizons = Horizons::new(&policy(), 0, 0);
        let invalidated = |fallback| Verdict::Invalidated { fallback };
        for (now_ms, marking, wanted) in [
            (0, Marking::Marked, invalidated(true)),
            (1149 * SECOND, Marking::Marked, invalidated(true)),
            (1150 * SECOND, Marking::Marked, invalidated(false)),
            (0, Marking::Purged, invalidated(false)),
        ] {
            assert_eq!(
                judge_horizons(horizons, true, now_ms, marking),
                wanted,
                "at {now_ms} ms, {marking:?}"
            );
        }
    }

    #[test]
    fn refreshes_are_spread_around_four_fifths() {
        let after: Vec<u64> = (0..101).map(|spread| refresh_after_ms(100_000, spread)).collect();
        assert_eq!((after[0], after[50], after[100]), (76_000, 80_000, 84_000));
        assert_eq!(refresh_after_ms(0, 7), 0);
        assert!(refresh_after_ms(u64::MAX, 100) > u64::MAX / 100 * 83, "no overflow");
    }

    #[test]
    fn without_refresh_ahead_a_fresh_value_is_never_due() {
        let horizons = Horizons::new(&Policy { refresh_ahead: false, ..policy() }, 0, 0);
        let verdict = judge_horizons(horizons, false, 99 * SECOND, Marking::Clear);
        assert_eq!(verdict, Verdict::Fresh { refresh_due: false });
    }

    #[test]
    fn a_cap_ends_freshness_and_the_stale_window_but_not_the_fallback() {
        let horizons = Horizons::new(&policy(), 0, 50).capped(0, Duration::from_secs(1));
        assert_eq!((horizons.fresh_until_ms, horizons.stale_until_ms), (SECOND, SECOND));
        assert_eq!(judge_horizons(horizons, true, SECOND, Marking::Clear), Verdict::Expired);
        assert_eq!(judge_horizons(horizons, true, 1149 * SECOND, Marking::Clear), Verdict::Expired);
    }

    #[test]
    fn a_policy_shortened_since_applies_at_once_and_a_longer_one_does_not() {
        let kept = Horizons::new(&policy(), 0, 50);
        let short = Policy { fresh: Duration::from_secs(10), stale: Duration::ZERO, ..policy() };
        assert_eq!(kept.shortened_to(&short, 0).fresh_until_ms, 10 * SECOND);
        assert_eq!(kept.shortened_to(&short, 0).stale_until_ms, 10 * SECOND);
        let long = Policy { fresh: Duration::from_secs(1000), ..policy() };
        assert_eq!(kept.shortened_to(&long, 0), kept);
    }
}
