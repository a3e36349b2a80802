//! Access rhythm of a key: when clients read it, and at which interval.
//!
//! Warming a key is worth a load only if that load replaces one that a read would have caused. Reads without a rhythm
//! cannot be predicted: every load made ahead of them may be one too many.

use std::sync::atomic::{AtomicU64, Ordering};

/// Reads closer together than this are one visit: a page that requests twice is not polling.
const SAME_READ_MS: u64 = 1000;
/// Max deviation of the last interval from the average, as one part in this many, for a steady rhythm.
const STEADY_SHARE: u64 = 5;

/// Reads of one warm key. Outlives its entries.
#[derive(Debug, Default)]
#[expect(clippy::struct_field_names, reason = "the unit is part of the name")]
pub(crate) struct AccessRhythm {
    last_read_ms: AtomicU64,
    /// Moving average over the last few intervals; 0 after a single visit.
    average_ms: AtomicU64,
    /// The last interval; 0 before there were two.
    latest_ms: AtomicU64,
}

/// When and at which interval a key was read, to be saved across a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessRhythmSnapshot {
    /// The last read, in milliseconds.
    pub last_read_ms: u64,
    /// The average interval; 0 after a single visit.
    pub average_ms: u64,
    /// The last interval; 0 before there were two.
    pub latest_ms: u64,
}

impl AccessRhythm {
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn from_snapshot(rhythm: AccessRhythmSnapshot) -> Self {
        Self {
            last_read_ms: AtomicU64::new(rhythm.last_read_ms),
            average_ms: AtomicU64::new(rhythm.average_ms),
            latest_ms: AtomicU64::new(rhythm.latest_ms),
        }
    }

    pub(crate) fn snapshot(&self) -> AccessRhythmSnapshot {
        AccessRhythmSnapshot {
            last_read_ms: self.last_read_ms(),
            average_ms: self.average_ms.load(Ordering::Relaxed),
            latest_ms: self.latest_ms.load(Ordering::Relaxed),
        }
    }

    /// Records a read. Two concurrent reads may count as one: these are hints, not exact counts.
    pub(crate) fn record_read(&self, now_ms: u64) {
        let last = self.last_read_ms.load(Ordering::Relaxed);
        let interval = now_ms.saturating_sub(last);
        if interval == 0 {
            return;
        }
        self.last_read_ms.store(now_ms, Ordering::Relaxed);
        if last == 0 || interval < SAME_READ_MS {
            return;
        }
        let average = self.average_ms.load(Ordering::Relaxed);
        if average == 0 {
            self.average_ms.store(interval, Ordering::Relaxed);
        } else {
            self.average_ms.store((average * 3 + interval) / 4, Ordering::Relaxed);
            self.latest_ms.store(interval, Ordering::Relaxed);
        }
    }

    pub(crate) fn last_read_ms(&self) -> u64 {
        self.last_read_ms.load(Ordering::Relaxed)
    }

    /// The interval of reads, if it is steady.
    fn rhythm_ms(&self) -> Option<u64> {
        let average = self.average_ms.load(Ordering::Relaxed);
        let latest = self.latest_ms.load(Ordering::Relaxed);
        (latest > 0 && latest.abs_diff(average) <= average / STEADY_SHARE).then_some(average)
    }

    /// Whether a load now would replace the load of the next read. `window_ms`: a read within this time after a load is
    /// answered at once, and causes the refresh itself. `fresh_ms`: a read within this time after a load causes none.
    pub(crate) fn is_worth_a_load(&self, now_ms: u64, window_ms: u64, fresh_ms: u64) -> bool {
        let Some(rhythm_ms) = self.rhythm_ms() else { return false };
        let next_ms = self.last_read_ms().saturating_add(rhythm_ms);
        rhythm_ms >= window_ms && next_ms >= now_ms && next_ms - now_ms <= fresh_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_at(times_s: &[u64]) -> AccessRhythm {
        let access_rhythm = AccessRhythm::default();
        for at_s in times_s {
            access_rhythm.record_read(at_s * 1000);
        }
        access_rhythm
    }

    #[test]
    fn one_read_predicts_no_other() {
        let access_rhythm = read_at(&[10]);
        access_rhythm.record_read(10_300);
        assert_eq!(access_rhythm.rhythm_ms(), None);
        assert_eq!(access_rhythm.last_read_ms(), 10_300);
    }

    #[test]
    fn polling_is_a_rhythm_and_browsing_is_not() {
        assert_eq!(read_at(&[100, 400, 700]).rhythm_ms(), Some(300_000));
        assert_eq!(read_at(&[100, 400]).rhythm_ms(), None);
        assert_eq!(read_at(&[100, 400, 420, 1700]).rhythm_ms(), None);
    }

    #[test]
    fn a_load_pays_just_before_a_read_that_would_miss() {
        let every_300_s = read_at(&[100, 400, 700]);
        let worth = |now_s: u64| every_300_s.is_worth_a_load(now_s * 1000, 120_000, 48_000);
        assert!(!worth(760), "too early: it would be old again when the read comes");
        assert!(worth(960));
        assert!(!worth(1_001), "the read did not come");
    }

    #[test]
    fn an_entry_that_reads_refresh_is_not_warmed() {
        let every_5_s = read_at(&[5, 10, 15, 20]);
        assert!(!every_5_s.is_worth_a_load(24_000, 20_000, 8_000));
    }
}
