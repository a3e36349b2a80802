//! Access rhythm of a key: when clients read it, and at which interval.
//!
//! Warming a key is worth a load only if that load replaces one that a read would have caused. Reads without a rhythm
//! cannot be predicted: every load made ahead of them may be one too many.

use crate::clock::millis;
use crate::timestamp::{AtomicTimestamp, Timestamp};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Reads closer together than this are one visit: a page that requests twice is not polling.
const SAME_READ_MS: u64 = 1000;
/// Max deviation of the last interval from the average, as one part in this many, for a steady rhythm.
const STEADY_SHARE: u64 = 5;

/// Reads of one warm key. Outlives its entries.
#[derive(Debug, Default)]
#[expect(clippy::struct_field_names, reason = "the unit is part of the name")]
pub(crate) struct AccessRhythm {
    last_read_ms: AtomicTimestamp,
    /// Moving average over the last few intervals; 0 after a single visit.
    average_ms: AtomicU64,
    /// The last interval; 0 before there were two.
    latest_ms: AtomicU64,
}

/// When and at which interval a key was read, to be saved across a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessRhythmSnapshot {
    /// The last read, in milliseconds.
    pub last_read_ms: Timestamp,
    /// The average interval; 0 after a single visit.
    pub average_ms: Duration,
    /// The last interval; 0 before there were two.
    pub latest_ms: Duration,
}

impl AccessRhythm {
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn from_snapshot(rhythm: AccessRhythmSnapshot) -> Self {
        Self {
            last_read_ms: AtomicTimestamp::new(rhythm.last_read_ms),
            average_ms: AtomicU64::new(millis(rhythm.average_ms)),
            latest_ms: AtomicU64::new(millis(rhythm.latest_ms)),
        }
    }

    pub(crate) fn snapshot(&self) -> AccessRhythmSnapshot {
        AccessRhythmSnapshot {
            last_read_ms: self.last_read_ms(),
            average_ms: Duration::from_millis(self.average_ms.load(Ordering::Relaxed)),
            latest_ms: Duration::from_millis(self.latest_ms.load(Ordering::Relaxed)),
        }
    }

    /// Records a read. Two concurrent reads may count as one: these are hints, not exact counts.
    pub(crate) fn record_read(&self, now_ms: Timestamp) {
        let last = self.last_read_ms.load(Ordering::Relaxed);
        let interval_ms = now_ms.millis_since(last);
        if interval_ms == 0 {
            return;
        }
        self.last_read_ms.store(now_ms, Ordering::Relaxed);
        if last == Timestamp::UNIX_EPOCH || interval_ms < SAME_READ_MS {
            return;
        }
        let average = self.average_ms.load(Ordering::Relaxed);
        if average == 0 {
            self.average_ms.store(interval_ms, Ordering::Relaxed);
        } else {
            self.average_ms.store((average * 3 + interval_ms) / 4, Ordering::Relaxed);
            self.latest_ms.store(interval_ms, Ordering::Relaxed);
        }
    }

    pub(crate) fn last_read_ms(&self) -> Timestamp {
        self.last_read_ms.load(Ordering::Relaxed)
    }

    /// The interval of reads, if it is steady.
    fn rhythm_ms(&self) -> Option<Duration> {
        let average = self.average_ms.load(Ordering::Relaxed);
        let latest = self.latest_ms.load(Ordering::Relaxed);
        (latest > 0 && latest.abs_diff(average) <= average / STEADY_SHARE).then_some(Duration::from_millis(average))
    }

    /// Whether a load now would replace the load of the next read. `window_ms`: a read within this time after a load is
    /// answered at once, and causes the refresh itself. `fresh_ms`: a read within this time after a load causes none.
    pub(crate) fn is_worth_a_load(&self, now_ms: Timestamp, window_ms: Duration, fresh_ms: Duration) -> bool {
        let Some(rhythm_ms) = self.rhythm_ms() else { return false };
        let next_ms = self.last_read_ms().saturating_add(rhythm_ms);
        rhythm_ms >= window_ms && next_ms >= now_ms && next_ms.duration_since(now_ms) <= fresh_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_at(times_s: &[u64]) -> AccessRhythm {
        let access_rhythm = AccessRhythm::default();
        for at_s in times_s {
            access_rhythm.record_read(Timestamp::from_millis(at_s * 1000));
        }
        access_rhythm
    }

    #[test]
    fn one_read_predicts_no_other() {
        let access_rhythm = read_at(&[10]);
        access_rhythm.record_read(Timestamp::from_millis(10_300));
        assert_eq!(access_rhythm.rhythm_ms(), None);
        assert_eq!(access_rhythm.last_read_ms(), Timestamp::from_millis(10_300));
    }

    #[test]
    fn polling_is_a_rhythm_and_browsing_is_not() {
        assert_eq!(read_at(&[100, 400, 700]).rhythm_ms(), Some(Duration::from_millis(300_000)));
        assert_eq!(read_at(&[100, 400]).rhythm_ms(), None);
        assert_eq!(read_at(&[100, 400, 420, 1700]).rhythm_ms(), None);
    }

    #[test]
    fn a_load_pays_just_before_a_read_that_would_miss() {
        let every_300_s = read_at(&[100, 400, 700]);
        let worth = |now_s: u64| {
            every_300_s.is_worth_a_load(
                Timestamp::from_millis(now_s * 1000),
                Duration::from_millis(120_000),
                Duration::from_millis(48_000),
            )
        };
        assert!(!worth(760), "too early: it would be old again when the read comes");
        assert!(worth(960));
        assert!(!worth(1_001), "the read did not come");
    }

    #[test]
    fn an_entry_that_reads_refresh_is_not_warmed() {
        let every_5_s = read_at(&[5, 10, 15, 20]);
        assert!(!every_5_s.is_worth_a_load(
            Timestamp::from_millis(24_000),
            Duration::from_millis(20_000),
            Duration::from_millis(8_000)
        ));
    }
}
