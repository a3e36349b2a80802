//! Stamps: the order in which loads began and invalidations happened.
//!
//! A stamp is a hybrid of wall time and a counter, drawn from one sequence that only goes forward. Loads are
//! stamped *before* they begin, invalidations when they are called, and an entry whose stamp is not newer than a
//! marker's is invalid: equal counts as older.

use crate::sync::atomic::{AtomicU64, Ordering};

/// Bits of the counter below the milliseconds.
const COUNTER_BITS: u32 = 16;

/// A point in the one order: 48 bits of milliseconds, 16 bits of counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp(pub(crate) u64);

impl Stamp {
    /// Before everything.
    pub const ZERO: Self = Self(0);

    /// The milliseconds in it.
    pub fn ms(self) -> u64 {
        self.0 >> COUNTER_BITS
    }

    /// The raw 64 bits, ordered like the stamp, for storage.
    pub fn raw(self) -> u64 {
        self.0
    }

    /// A stamp from its raw bits.
    pub fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The stamp right after this one.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The last stamp that can be drawn in that millisecond.
    pub(crate) fn end_of(ms: u64) -> Self {
        Self((ms << COUNTER_BITS) | ((1 << COUNTER_BITS) - 1))
    }
}

/// A point in the one order, and what the clock said then. Stamps run ahead of a clock that was set back, for as
/// long as it takes to catch up: so how long something lasts is told by the clock alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) stamp: Stamp,
    pub(crate) ms: u64,
}

/// Where stamps come from.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    last: AtomicU64,
}

impl Sequence {
    /// The next stamp: newer than every stamp drawn or observed before, and not before `now_ms`.
    pub(crate) fn next(&self, now_ms: u64) -> Stamp {
        let wall = now_ms << COUNTER_BITS;
        let step = |last: u64| Some((last + 1).max(wall));
        let last = self.last.fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
        let last = last.expect("the step always yields a stamp");
        Stamp((last + 1).max(wall))
    }

    /// Draws nothing, but goes on after `stamp`.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn observe(&self, stamp: Stamp) {
        self.last.fetch_max(stamp.0, Ordering::AcqRel);
    }
}

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use super::*;

    #[test]
    fn stamps_go_forward_when_the_wall_clock_steps_back() {
        let sequence = Sequence::default();
        let first = sequence.next(1_000);
        let second = sequence.next(400);
        assert!(second > first);
        assert_eq!(second.ms(), 1_000);
    }

    #[test]
    fn more_stamps_than_fit_a_millisecond_borrow_from_the_next() {
        let sequence = Sequence::default();
        let first = sequence.next(7);
        let last = (0..70_000).map(|_| sequence.next(7)).last().unwrap();
        assert!(last > first);
        assert_eq!(last.ms(), 8);
    }

    #[test]
    fn the_end_of_a_millisecond_is_not_older_than_any_stamp_in_it() {
        let sequence = Sequence::default();
        assert!(sequence.next(5) <= Stamp::end_of(5));
        assert!(sequence.next(6) > Stamp::end_of(5));
    }
}
