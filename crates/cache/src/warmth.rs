//! How warm a key is: when it was last read by a client, and how often that happens.

use std::sync::atomic::{AtomicU64, Ordering};

/// Reads that follow each other faster than this are one visit: a page that asks twice is not a poll.
const VISIT_MS: u64 = 1000;

/// The reads of one warm key. Outlives its entries.
#[derive(Debug, Default)]
pub(crate) struct Warmth {
    last_read_ms: AtomicU64,
    /// Moving average over the last few intervals; 0 while there was only one visit.
    interval_ms: AtomicU64,
}

impl Warmth {
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
        let average = self.interval_ms.load(Ordering::Relaxed);
        let next = if average == 0 { gap } else { (average * 3 + gap) / 4 };
        self.interval_ms.store(next, Ordering::Relaxed);
    }

    pub(crate) fn last_read_ms(&self) -> u64 {
        self.last_read_ms.load(Ordering::Relaxed)
    }

    /// How long the next read is to be expected away from the last one: the usual interval, or the present silence
    /// where that is longer. `None` while nothing is known.
    pub(crate) fn expected_interval_ms(&self, now_ms: u64) -> Option<u64> {
        let usual = self.interval_ms.load(Ordering::Relaxed);
        let silence = now_ms.saturating_sub(self.last_read_ms());
        (usual > 0).then(|| usual.max(silence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_visit_says_nothing_about_the_next() {
        let warmth = Warmth::default();
        warmth.note_read(10_000);
        warmth.note_read(10_300);
        assert_eq!(warmth.expected_interval_ms(20_000), None);
        assert_eq!(warmth.last_read_ms(), 10_300);
    }

    #[test]
    fn a_poll_is_recognised_and_forgotten_when_it_stops() {
        let warmth = Warmth::default();
        for tick in 1..=20 {
            warmth.note_read(tick * 5_000);
        }
        assert_eq!(warmth.expected_interval_ms(101_000), Some(5_000));
        assert_eq!(warmth.expected_interval_ms(400_000), Some(300_000));
    }
}
