//! Until when this cache may serve entries without asking the source: as long as no other cache can have completed an
//! invalidation that this one has not heard.

use crate::clock::Clock;
use crate::policy::Validity;
use crate::sabotage;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The end of trust, and what is served after it.
#[derive(Debug)]
pub(crate) struct PeerTrust {
    /// In milliseconds of the cache's clock; `u64::MAX` while no other cache shares the store.
    until_ms: AtomicU64,
    /// Past the end, entries whose load began at most this long ago are still served.
    max_age_ms: AtomicU64,
}

impl Default for PeerTrust {
    fn default() -> Self {
        Self { until_ms: AtomicU64::new(u64::MAX), max_age_ms: AtomicU64::new(0) }
    }
}

impl PeerTrust {
    /// Whether trust holds. A suspend counts at once, not only when the clock leaps.
    #[inline]
    pub(crate) fn holds(&self, clock: &Clock, now_ms: u64) -> bool {
        let until_ms = self.until_ms.load(Ordering::Acquire);
        until_ms == u64::MAX || (now_ms < until_ms && now_ms.saturating_add(clock.unnoticed_suspend_ms()) < until_ms)
    }

    /// Sets the end of trust, and the age up to which entries are served past it.
    pub(crate) fn set(&self, until_ms: u64, max_age_ms: u64) {
        self.max_age_ms.store(max_age_ms, Ordering::Release);
        self.until_ms.store(until_ms, Ordering::Release);
    }

    /// Validity of an entry whose load began at `created_ms`: without trust it may be invalid by an invalidation that
    /// was not heard. `is_trusted` must be read before the validity is.
    pub(crate) fn judge(&self, is_trusted: bool, validity: Validity, created_ms: u64, now_ms: u64) -> Validity {
        if is_trusted || validity != Validity::Valid || sabotage::is_disabled("trust") {
            return validity;
        }
        let is_young = now_ms.saturating_sub(created_ms) < self.max_age_ms.load(Ordering::Acquire);
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
        assert!(trust.holds(&clock, u64::MAX - 1), "there is no end");
        trust.set(1_000, 0);
        assert!(trust.holds(&clock, 999) && !trust.holds(&clock, 1_000));
        assert_eq!(trust.judge(true, Validity::Valid, 0, 999), Validity::Valid);
        assert_eq!(trust.judge(false, Validity::Valid, 1_000, 1_000), Validity::Invalidated);
        assert_eq!(trust.judge(false, Validity::Purged, 1_000, 1_000), Validity::Purged);
    }

    #[test]
    fn trust_ends_in_a_suspend_before_the_clock_has_noticed_it() {
        let slept_ms = Arc::new(AtomicU64::new(0));
        let read_ms = Arc::clone(&slept_ms);
        let clock = Clock::system().with_suspend_detector(SuspendDetector::counting(move || {
            read_ms.load(std::sync::atomic::Ordering::Relaxed)
        }));
        let trust = PeerTrust::default();
        trust.set(3_000, 0);
        assert!(trust.holds(&clock, 1_000));
        slept_ms.store(60_000, std::sync::atomic::Ordering::Relaxed);
        assert!(!trust.holds(&clock, 1_000), "the clock stood still, leases did not");
    }

    #[test]
    fn a_bound_lets_young_entries_be_served_past_the_end_of_trust() {
        let trust = PeerTrust::default();
        trust.set(1_000, 5_000);
        assert_eq!(trust.judge(false, Validity::Valid, 6_000, 10_000), Validity::Valid);
        assert_eq!(trust.judge(false, Validity::Valid, 5_000, 10_000), Validity::Invalidated);
    }
}
