//! Until when this cache may serve entries without asking the source: as long as no other cache can have completed an
//! invalidation that this one has not heard.

use crate::clock::Clock;
use crate::clock::millis;
use crate::policy::Validity;
use crate::sabotage;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::timestamp::{AtomicTimestamp, Timestamp};
use std::time::Duration;

/// The end of trust, and what is served after it.
#[derive(Debug)]
pub(crate) struct PeerTrust {
    /// In milliseconds of the cache's clock; `u64::MAX` while no other cache shares the store.
    until_ms: AtomicTimestamp,
    /// Past the end, entries whose load began at most this long ago are still served.
    max_age_ms: AtomicU64,
}

impl Default for PeerTrust {
    fn default() -> Self {
        Self { until_ms: AtomicTimestamp::new(Timestamp::MAX), max_age_ms: AtomicU64::new(0) }
    }
}

impl PeerTrust {
    /// Whether trust holds. A suspend counts at once, not only when the clock leaps.
    #[inline]
    pub(crate) fn holds(&self, clock: &Clock, now_ms: Timestamp) -> bool {
        let until_ms = self.until_ms.load(Ordering::Acquire);
        until_ms == Timestamp::MAX || (now_ms < until_ms && now_ms.saturating_add(clock.unnoticed_suspend()) < until_ms)
    }

    /// Sets the end of trust, and the age up to which entries are served past it.
    pub(crate) fn set(&self, until_ms: Timestamp, max_age_ms: Duration) {
        self.max_age_ms.store(millis(max_age_ms), Ordering::Release);
        self.until_ms.store(until_ms, Ordering::Release);
    }

    /// Validity of an entry whose load began at `created_ms`: without trust it may be invalid by an invalidation that
    /// was not heard. `is_trusted` must be read before the validity is.
    pub(crate) fn judge(
        &self,
        is_trusted: bool,
        validity: Validity,
        created_ms: Timestamp,
        now_ms: Timestamp,
    ) -> Validity {
        if is_trusted || validity != Validity::Valid || sabotage::is_disabled("trust") {
            return validity;
        }
        let is_young =
            now_ms.duration_since(created_ms) < Duration::from_millis(self.max_age_ms.load(Ordering::Acquire));
        if is_young { validity } else { Validity::Invalidated }
    }
}

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::clock::SuspendDetector;

    #[test]
    fn past_the_end_of_trust_an_entry_serves_only_in_place_of_a_failed_load() {
        let (trust, clock) = (PeerTrust::default(), Clock::system());
        assert!(trust.holds(&clock, Timestamp::from_millis(u64::MAX - 1)), "there is no end");
        trust.set(Timestamp::from_millis(1_000), Duration::ZERO);
        assert!(
            trust.holds(&clock, Timestamp::from_millis(999)) && !trust.holds(&clock, Timestamp::from_millis(1_000))
        );
        assert_eq!(
            trust.judge(true, Validity::Valid, Timestamp::UNIX_EPOCH, Timestamp::from_millis(999)),
            Validity::Valid
        );
        assert_eq!(
            trust.judge(false, Validity::Valid, Timestamp::from_millis(1_000), Timestamp::from_millis(1_000)),
            Validity::Invalidated
        );
        assert_eq!(
            trust.judge(false, Validity::Purged, Timestamp::from_millis(1_000), Timestamp::from_millis(1_000)),
            Validity::Purged
        );
    }

    #[test]
    fn trust_ends_in_a_suspend_before_the_clock_has_noticed_it() {
        let slept_ms = Arc::new(AtomicU64::new(0));
        let read_ms = Arc::clone(&slept_ms);
        let clock = Clock::system().with_suspend_detector(SuspendDetector::counting(move || {
            read_ms.load(std::sync::atomic::Ordering::Relaxed)
        }));
        let trust = PeerTrust::default();
        trust.set(Timestamp::from_millis(3_000), Duration::ZERO);
        assert!(trust.holds(&clock, Timestamp::from_millis(1_000)));
        slept_ms.store(60_000, std::sync::atomic::Ordering::Relaxed);
        assert!(!trust.holds(&clock, Timestamp::from_millis(1_000)), "the clock stood still, leases did not");
    }

    #[test]
    fn a_bound_lets_young_entries_be_served_past_the_end_of_trust() {
        let trust = PeerTrust::default();
        trust.set(Timestamp::from_millis(1_000), Duration::from_millis(5_000));
        assert_eq!(
            trust.judge(false, Validity::Valid, Timestamp::from_millis(6_000), Timestamp::from_millis(10_000)),
            Validity::Valid
        );
        assert_eq!(
            trust.judge(false, Validity::Valid, Timestamp::from_millis(5_000), Timestamp::from_millis(10_000)),
            Validity::Invalidated
        );
    }
}
