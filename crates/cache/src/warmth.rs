//! How warm a key is: when clients read it, and in which rhythm.
//!
//! Keeping a key warm is worth a load only if that load takes the place of one that a read would have caused. A
//! reader without a rhythm cannot be foreseen: every load made for him ahead of time may be one too many.

use std::sync::atomic::{AtomicU64, Ordering};

/// Reads that follow each other faster than this are one visit: a page that asks twice is not a poll.
const VISIT_MS: u64 = 1000;
/// The last interval may differ from the average by one part in so many, and there is still a rhythm.
const STEADY_PART: u64 = 5;

/// The reads of one warm key. Outlives its entries.
#[derive(Debug, Default)]
#[expect(clippy::struct_field_names, reason = "a unit belongs in a name")]
pub(crate) struct Warmth {
    last_read_ms: AtomicU64,
    /// Moving average over the last few intervals; 0 while there was only one visit.
    average_ms: AtomicU64,
    /// The last interval, once there were two; 0 before.
    latest_ms: AtomicU64,
}

/// When and how often a key was read, to be kept over a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// The last read, in milliseconds.
    pub last_read_ms: u64,
    /// The usual interval; 0 while there was only one visit.
    pub average_ms: u64,
    /// The last interval; 0 before there were two.
    pub latest_ms: u64,
}

impl Warmth {
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn of(rhythm: Rhythm) -> Self {
        Self {
            last_read_ms: AtomicU64::new(rhythm.last_read_ms),
            average_ms: AtomicU64::new(rhythm.average_ms),
            latest_ms: AtomicU64::new(rhythm.latest_ms),
        }
    }

    pub(crate) fn rhythm(&self) -> Rhythm {
        Rhythm {
            last_read_ms: self.last_read_ms(),
            average_ms: self.average_ms.load(Ordering::Relaxed),
            latest_ms: self.latest_ms.load(Ordering::Relaxed),
        }
    }

    /// Notes a read. Two at once may count as one: these are hints, not accounts.
    pub(crate) fn note_read(&self, now_ms: u64) {
        let last = self.last_read_ms.load(Ordering::Relaxed);
        let gap = now_ms.saturating_sub(last);
        if gap == 0 {
            return;
        }
        self.last_read_ms.store(now_ms, Ordering::Relaxed);
        if last == 0 || gap < VISIT_MS {
            return;
        }
        let average = self.average_ms.load(Ordering::Relaxed);
        if average == 0 {
            self.average_ms.store(gap, Ordering::Relaxed);
        } else {
            self.average_ms.store((average * 3 + gap) / 4, Ordering::Relaxed);
            self.latest_ms.store(gap, Ordering::Relaxed);
        }
    }

    pub(crate) fn last_read_ms(&self) -> u64 {
        self.last_read_ms.load(Ordering::Relaxed)
    }

    /// The interval at which the key is read, if it is read in a rhythm.
    fn rhythm_ms(&self) -> Option<u64> {
        let average = self.average_ms.load(Ordering::Relaxed);
        let latest = self.latest_ms.load(Ordering::Relaxed);
        (latest > 0 && latest.abs_diff(average) <= average / STEADY_PART).then_some(average)
    }

    /// Whether a load now would take the place of the next read's. `window_ms`: a read within this time after a
    /// load is answered at once, and causes the refresh itself. `fresh_ms`: a read within this time after a load
    /// causes none at all.
    pub(crate) fn is_worth_a_load(&self, now_ms: u64, window_ms: u64, fresh_ms: u64) -> bool {
        let Some(rhythm_ms) = self.rhythm_ms() else { return false };
        let next_ms = self.last_read_ms().saturating_add(rhythm_ms);
        rhythm_ms >= window_ms && next_ms >= now_ms && next_ms - now_ms <= fresh_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_at(times_s: &[u64]) -> Warmth {
        let warmth = Warmth::default();
        for at_s in times_s {
            warmth.note_read(at_s * 1000);
        }
        warmth
    }

    #[test]
    fn one_visit_says_nothing_about_the_next() {
        let warmth = read_at(&[10]);
        warmth.note_read(10_300);
        assert_eq!(warmth.rhythm_ms(), None);
        assert_eq!(warmth.last_read_ms(), 10_300);
    }

    #[test]
    fn a_poll_is_a_rhythm_and_a_visitor_is_none() {
        assert_eq!(read_at(&[100, 400, 700]).rhythm_ms(), Some(300_000));
        assert_eq!(read_at(&[100, 400]).rhythm_ms(), None);
        assert_eq!(read_at(&[100, 400, 420, 1700]).rhythm_ms(), None);
    }

    #[test]
    fn a_load_is_worth_it_just_before_a_read_that_would_find_nothing() {
        let every_300_s = read_at(&[100, 400, 700]);
        let worth = |now_s: u64| every_300_s.is_worth_a_load(now_s * 1000, 120_000, 48_000);
        assert!(!worth(760), "too early: it would be old again when the read comes");
        assert!(worth(960));
        assert!(!worth(1_001), "the read did not come");
    }

    #[test]
    fn what_a_read_refreshes_by_itself_is_left_to_the_read() {
        let every_5_s = read_at(&[5, 10, 15, 20]);
        assert!(!every_5_s.is_worth_a_load(24_000, 20_000, 8_000));
    }
}
