//! Timestamps that order loads and invalidations.
//!
//! A timestamp combines wall time and a counter (a hybrid logical clock). All come from one `HybridClock`, which only
//! goes forward. A load gets its timestamp *before* it begins and passes it to its entry; an invalidation gets one when
//! it is called. An entry is invalid if its timestamp is not newer than that of an invalidation that covers it: equal
//! counts as older.

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::timestamp::Timestamp;

/// Bits of the counter below the milliseconds.
const COUNTER_BITS: u32 = 16;

/// A timestamp: 48 bits of milliseconds since 1970, then 16 bits of counter. All timestamps are totally ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HybridTimestamp(pub(crate) u64);

impl HybridTimestamp {
    /// Older than every timestamp that is drawn.
    pub const ZERO: Self = Self(0);

    /// Its moment in wall time. It may be ahead of the clock.
    pub fn wall_time(self) -> Timestamp {
        Timestamp::from_millis(self.0 >> COUNTER_BITS)
    }

    /// Its 64 bits, for storage. They sort as the timestamps do.
    pub fn raw(self) -> u64 {
        self.0
    }

    /// A timestamp from its raw bits.
    pub fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The timestamp right after this one.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The last timestamp of a millisecond.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn end_of(moment: Timestamp) -> Self {
        Self((moment.as_millis() << COUNTER_BITS) | ((1 << COUNTER_BITS) - 1))
    }
}

/// A timestamp, and the time of the clock when it was drawn. After the clock is set back, timestamps stay ahead of it
/// until it catches up, so durations are measured by the clock alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventTime {
    pub(crate) stamp: HybridTimestamp,
    pub(crate) at: Timestamp,
}

/// Source of timestamps. Each is newer than all before it, even if the wall clock is set back.
#[derive(Debug, Default)]
pub(crate) struct HybridClock {
    last: AtomicU64,
}

impl HybridClock {
    /// Draws a timestamp: newer than every one drawn or observed before, and not before `now_ms`.
    pub(crate) fn next(&self, now_ms: Timestamp) -> HybridTimestamp {
        let wall = now_ms.as_millis() << COUNTER_BITS;
        let step = |last: u64| Some((last + 1).max(wall));
        let last = self.last.fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
        let last = last.expect("the update always yields a timestamp");
        HybridTimestamp((last + 1).max(wall))
    }

    /// Makes all further timestamps newer than `stamp`, which was drawn before the last restart.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn observe(&self, stamp: HybridTimestamp) {
        self.last.fetch_max(stamp.0, Ordering::AcqRel);
    }
}

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use super::*;

    #[test]
    fn stamps_go_forward_when_the_wall_clock_steps_back() {
        let sequence = HybridClock::default();
        let first = sequence.next(Timestamp::from_millis(1_000));
        let second = sequence.next(Timestamp::from_millis(400));
        assert!(second > first);
        assert_eq!(second.wall_time(), Timestamp::from_millis(1_000));
    }

    #[test]
    fn more_stamps_than_fit_a_millisecond_borrow_from_the_next() {
        let sequence = HybridClock::default();
        let first = sequence.next(Timestamp::from_millis(7));
        let last = (0..70_000).map(|_| sequence.next(Timestamp::from_millis(7))).last().unwrap();
        assert!(last > first);
        assert_eq!(last.wall_time(), Timestamp::from_millis(8));
    }

    #[test]
    fn the_end_of_a_millisecond_is_not_older_than_any_stamp_in_it() {
        let sequence = HybridClock::default();
        assert!(sequence.next(Timestamp::from_millis(5)) <= HybridTimestamp::end_of(Timestamp::from_millis(5)));
        assert!(sequence.next(Timestamp::from_millis(6)) > HybridTimestamp::end_of(Timestamp::from_millis(5)));
    }
}
