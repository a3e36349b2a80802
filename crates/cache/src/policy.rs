//! TTL policies, and the freshness of entries.

use crate::timestamp::Timestamp;
use std::time::Duration;

use crate::clock::millis;
use crate::hybrid_timestamp::HybridTimestamp;

/// A refresh is due when this share of the fresh time has passed, in percent.
const REFRESH_AT_PERCENT: u64 = 80;
/// Jitter of the refresh time to either side, in thousandths of it.
const REFRESH_JITTER_PER_MILLE: u64 = 50;

/// TTL policy of one class. The three windows add up: fresh, then stale while one refresh runs, then only if loading
/// fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Class under which statistics are counted.
    pub class: &'static str,
    /// Served without loading.
    pub fresh: Duration,
    /// Restrictions on values loaded before given moments.
    pub freshness_bound: Option<FreshnessBound>,
    /// After that, served at once with one background refresh.
    pub stale: Duration,
    /// After that, served only if loading fails or takes too long.
    pub stale_on_error: Duration,
    /// A read in the last fifth of the fresh time starts a background refresh.
    pub refresh_ahead: bool,
    /// If read at a steady interval, load just before a read that would otherwise find nothing usable.
    pub warm: bool,
    /// Max wait for a load if an old value can be served instead.
    pub soft_timeout: Duration,
    /// Max wait for a load in any case.
    pub hard_timeout: Duration,
}

/// Restrictions on values whose load began before a moment. Change events arrive only since then, so older values may
/// have missed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreshnessBound {
    /// The moment, in wall-clock milliseconds.
    pub loaded_before_ms: Timestamp,
    /// Their maximum fresh time.
    pub max_fresh: Duration,
    /// Values loaded before this moment are neither fresh nor stale until a load confirms or replaces them; zero for
    /// none. In wall-clock milliseconds.
    pub unconfirmed_before_ms: Timestamp,
}

/// The times at which an entry changes state, in wall-clock milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryDeadlines {
    /// Fresh before this.
    pub fresh_until_ms: Timestamp,
    /// Served with a background refresh before this.
    pub stale_until_ms: Timestamp,
    /// Served in place of a failed load before this.
    pub error_until_ms: Timestamp,
    /// From here on a read starts a refresh; `u64::MAX` if never.
    pub refresh_at_ms: Timestamp,
}

impl EntryDeadlines {
    /// The deadlines of a value stored now. `spread` is any number that differs by key and by load. It moves the
    /// refresh time by up to 5 %, so that values stored together do not refresh together.
    pub fn new(policy: &Policy, stored_ms: Timestamp, spread: u64) -> Self {
        let fresh_until_ms = stored_ms.saturating_add(policy.fresh);
        let stale_until_ms = fresh_until_ms.saturating_add(policy.stale);
        let refresh_at_ms = if policy.refresh_ahead || policy.warm {
            stored_ms.saturating_add(refresh_after(policy.fresh, spread))
        } else {
            Timestamp::MAX
        };
        Self {
            fresh_until_ms,
            stale_until_ms,
            error_until_ms: stale_until_ms.saturating_add(policy.stale_on_error),
            refresh_at_ms,
        }
    }

    /// The same lifetime, counted from a later moment.
    pub(crate) fn counted_from(self, before_ms: Timestamp, stored_ms: Timestamp) -> Self {
        let moved = |until_ms: Timestamp| until_ms.saturating_add(stored_ms.duration_since(before_ms));
        Self {
            fresh_until_ms: moved(self.fresh_until_ms),
            stale_until_ms: moved(self.stale_until_ms),
            error_until_ms: moved(self.error_until_ms),
            refresh_at_ms: moved(self.refresh_at_ms),
        }
    }

    /// These deadlines, limited to `max_fresh` of fresh time and without a stale window.
    #[must_use]
    pub fn capped(self, stored_ms: Timestamp, max_fresh: Duration) -> Self {
        let cap = stored_ms.saturating_add(max_fresh);
        if self.fresh_until_ms <= cap && self.stale_until_ms <= cap {
            return self;
        }
        let fresh_until_ms = self.fresh_until_ms.min(cap);
        Self { fresh_until_ms, stale_until_ms: fresh_until_ms, ..self }
    }

    /// These deadlines under a policy that may have been shortened since the value was stored: shorter windows apply at
    /// once, longer ones from the next load.
    #[inline]
    #[must_use]
    pub(crate) fn shortened_to(self, policy: &Policy, stored_ms: Timestamp) -> Self {
        let fresh_until_ms = stored_ms.saturating_add(policy.fresh);
        let stale_until_ms = fresh_until_ms.saturating_add(policy.stale);
        let error_until_ms = stale_until_ms.saturating_add(policy.stale_on_error);
        Self {
            fresh_until_ms: self.fresh_until_ms.min(fresh_until_ms),
            stale_until_ms: self.stale_until_ms.min(stale_until_ms),
            error_until_ms: self.error_until_ms.min(error_until_ms),
            refresh_at_ms: self.refresh_at_ms,
        }
    }
}

impl FreshnessBound {
    /// The deadlines of a value with this bound applied. Time cut from the fresh window is not added to the others.
    #[inline]
    pub(crate) fn apply(
        self,
        deadlines: EntryDeadlines,
        created_ms: Timestamp,
        stored_ms: Timestamp,
    ) -> EntryDeadlines {
        if created_ms >= self.loaded_before_ms {
            return deadlines;
        }
        let cut_ms = deadlines.fresh_until_ms.duration_since(stored_ms.saturating_add(self.max_fresh));
        EntryDeadlines {
            fresh_until_ms: deadlines.fresh_until_ms - cut_ms,
            stale_until_ms: deadlines.stale_until_ms - cut_ms,
            ..deadlines
        }
    }
}

/// 80 % of the fresh time, moved by up to 5 % of that to either side.
fn refresh_after(fresh: Duration, spread: u64) -> Duration {
    let fresh_ms = millis(fresh);
    let middle = fresh_ms / 100 * REFRESH_AT_PERCENT + fresh_ms % 100 * REFRESH_AT_PERCENT / 100;
    let steps = spread % (2 * REFRESH_JITTER_PER_MILLE + 1);
    let scaled = |per_mille: u64| middle / 1000 * per_mille + middle % 1000 * per_mille / 1000;
    Duration::from_millis((middle + scaled(steps)).saturating_sub(scaled(REFRESH_JITTER_PER_MILLE)))
}

/// Whether an entry was invalidated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Not invalidated.
    Valid,
    /// Invalidated; served only if loading its successor fails.
    Invalidated,
    /// Purged: never served again.
    Purged,
}

/// State of an entry for a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Serve it. With `refresh_due`, start one background refresh.
    Fresh {
        /// The refresh time has come.
        refresh_due: bool,
    },
    /// Serve it and start one background refresh.
    Stale,
    /// Load, waiting up to the soft timeout; serve it if the load fails.
    Expired,
    /// Load, waiting up to the hard timeout; serve it only if the load fails and `fallback` is set.
    Invalidated {
        /// It may still replace a failed load.
        fallback: bool,
    },
    /// From before [`FreshnessBound::unconfirmed_before_ms`]. Load, waiting up to the hard timeout; serve it only if the
    /// load fails.
    Unconfirmed,
    /// Not usable.
    Unusable,
}

/// Evaluates age and validity. Changes of the TTL are applied to the deadlines before.
#[inline]
pub(crate) fn evaluate_deadlines(
    deadlines: EntryDeadlines,
    refresh_ahead: bool,
    now_ms: Timestamp,
    validity: Validity,
) -> Freshness {
    let fallback = now_ms < deadlines.error_until_ms;
    match validity {
        Validity::Purged => Freshness::Invalidated { fallback: false },
        Validity::Invalidated => Freshness::Invalidated { fallback },
        Validity::Valid if now_ms < deadlines.fresh_until_ms => {
            Freshness::Fresh { refresh_due: refresh_ahead && now_ms >= deadlines.refresh_at_ms }
        }
        Validity::Valid if now_ms < deadlines.stale_until_ms => Freshness::Stale,
        Validity::Valid if fallback => Freshness::Expired,
        Validity::Valid => Freshness::Unusable,
    }
}

/// Jitter for refreshes: differs for every key and load, and is always the same for one load.
pub(crate) fn spread(key_hash: u64, created: HybridTimestamp) -> u64 {
    (key_hash ^ created.raw()).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1000;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn an_entry_loaded_before_the_event_stream_began_is_fresh_for_less_time() {
        let earlier = FreshnessBound {
            loaded_before_ms: at(10 * SECOND),
            max_fresh: Duration::from_secs(30),
            unconfirmed_before_ms: Timestamp::UNIX_EPOCH,
        };
        let deadlines = EntryDeadlines::new(&policy(), at(11 * SECOND), 50);
        let bounded = earlier.apply(deadlines, at(9 * SECOND), at(11 * SECOND));
        assert_eq!((bounded.fresh_until_ms, bounded.stale_until_ms), (at(41 * SECOND), at(91 * SECOND)));
        assert_eq!(bounded.error_until_ms, deadlines.error_until_ms);
        assert_eq!(earlier.apply(deadlines, at(10 * SECOND), at(11 * SECOND)), deadlines);
        let longer = FreshnessBound { max_fresh: Duration::from_secs(500), ..earlier };
        assert_eq!(longer.apply(deadlines, at(9 * SECOND), at(11 * SECOND)), deadlines, "it only takes away");
    }

    fn policy() -> Policy {
        Policy {
            class: "test",
            fresh: Duration::from_secs(100),
            freshness_bound: None,
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
        let deadlines = EntryDeadlines::new(&policy(), Timestamp::UNIX_EPOCH, 50);
        let fresh = Freshness::Fresh { refresh_due: false };
        let due = Freshness::Fresh { refresh_due: true };
        for (now_ms, wanted) in [
            (0, fresh),
            (80 * SECOND - 1, fresh),
            (80 * SECOND, due),
            (100 * SECOND - 1, due),
            (100 * SECOND, Freshness::Stale),
            (150 * SECOND - 1, Freshness::Stale),
            (150 * SECOND, Freshness::Expired),
            (1150 * SECOND - 1, Freshness::Expired),
            (1150 * SECOND, Freshness::Unusable),
            (u64::MAX, Freshness::Unusable),
        ] {
            assert_eq!(evaluate_deadlines(deadlines, true, at(now_ms), Validity::Valid), wanted, "at {now_ms} ms");
        }
    }

    #[test]
    fn an_invalidated_entry_is_served_on_errors_only_and_a_purged_one_never() {
        let deadlines = EntryDeadlines::new(&policy(), Timestamp::UNIX_EPOCH, 0);
        let invalidated = |fallback| Freshness::Invalidated { fallback };
        for (now_ms, validity, wanted) in [
            (0, Validity::Invalidated, invalidated(true)),
            (1149 * SECOND, Validity::Invalidated, invalidated(true)),
            (1150 * SECOND, Validity::Invalidated, invalidated(false)),
            (0, Validity::Purged, invalidated(false)),
        ] {
            assert_eq!(
                evaluate_deadlines(deadlines, true, at(now_ms), validity),
                wanted,
                "at {now_ms} ms, {validity:?}"
            );
        }
    }

    #[test]
    fn refreshes_are_spread_around_four_fifths() {
        let after: Vec<Duration> =
            (0..101).map(|spread| refresh_after(Duration::from_millis(100_000), spread)).collect();
        assert_eq!([after[0], after[50], after[100]], [76_000, 80_000, 84_000].map(Duration::from_millis));
        assert_eq!(refresh_after(Duration::ZERO, 7), Duration::ZERO);
        assert!(refresh_after(Duration::MAX, 100) > Duration::from_millis(u64::MAX / 100 * 83), "no overflow");
    }

    #[test]
    fn without_refresh_ahead_a_fresh_value_is_never_due() {
        let deadlines = EntryDeadlines::new(&Policy { refresh_ahead: false, ..policy() }, Timestamp::UNIX_EPOCH, 0);
        let verdict = evaluate_deadlines(deadlines, false, at(99 * SECOND), Validity::Valid);
        assert_eq!(verdict, Freshness::Fresh { refresh_due: false });
    }

    #[test]
    fn a_cap_ends_freshness_and_the_stale_window_but_not_use_on_error() {
        let deadlines = EntryDeadlines::new(&policy(), Timestamp::UNIX_EPOCH, 50)
            .capped(Timestamp::UNIX_EPOCH, Duration::from_secs(1));
        assert_eq!((deadlines.fresh_until_ms, deadlines.stale_until_ms), (at(SECOND), at(SECOND)));
        assert_eq!(evaluate_deadlines(deadlines, true, at(SECOND), Validity::Valid), Freshness::Expired);
        assert_eq!(evaluate_deadlines(deadlines, true, at(1149 * SECOND), Validity::Valid), Freshness::Expired);
    }

    #[test]
    fn a_policy_shortened_since_applies_at_once_and_a_longer_one_does_not() {
        let deadlines = EntryDeadlines::new(&policy(), Timestamp::UNIX_EPOCH, 50);
        let short = Policy { fresh: Duration::from_secs(10), stale: Duration::ZERO, ..policy() };
        assert_eq!(deadlines.shortened_to(&short, Timestamp::UNIX_EPOCH).fresh_until_ms, at(10 * SECOND));
        assert_eq!(deadlines.shortened_to(&short, Timestamp::UNIX_EPOCH).stale_until_ms, at(10 * SECOND));
        let long = Policy { fresh: Duration::from_secs(1000), ..policy() };
        assert_eq!(deadlines.shortened_to(&long, Timestamp::UNIX_EPOCH), deadlines);
    }
}
