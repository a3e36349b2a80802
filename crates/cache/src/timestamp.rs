//! Moments in wall time.

use std::ops::{Add, Sub};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Whole milliseconds, saturating.
#[inline]
pub fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1000).saturating_add(u64::from(duration.subsec_millis()))
}

/// A moment in wall time, in whole milliseconds since the Unix epoch. Arithmetic saturates, so a wrong setting or a
/// clock that was set back can neither overflow a deadline nor make a negative age.
///
/// In JSON, in files and in rows a moment is the bare number of [`Timestamp::as_millis`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The beginning of 1970. Fields in which zero means "never" or "none" hold it for that.
    pub const UNIX_EPOCH: Self = Self(0);
    /// Later than every moment of a clock: the deadline of what has none.
    pub const MAX: Self = Self(u64::MAX);

    /// The moment at this number of milliseconds after the Unix epoch.
    #[inline]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[inline]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    #[inline]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// The moment `duration` later, at most [`Timestamp::MAX`].
    #[inline]
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The moment `duration` earlier, at least [`Timestamp::UNIX_EPOCH`].
    #[inline]
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// Start of the period that contains this moment, of all periods of this length since the Unix epoch.
    #[must_use]
    pub fn start_of_period(self, length: Duration) -> Self {
        Self(self.0 - self.0 % millis(length).max(1))
    }

    /// Time from `earlier` to this moment; zero if `earlier` is later.
    #[inline]
    pub fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.millis_since(earlier))
    }

    /// Milliseconds from `earlier` to this moment; zero if `earlier` is later.
    #[inline]
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A [`Timestamp`] that threads share.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct AtomicTimestamp(AtomicU64);

impl AtomicTimestamp {
    /// Holds `moment`.
    pub const fn new(moment: Timestamp) -> Self {
        Self(AtomicU64::new(moment.0))
    }

    /// The moment it holds.
    #[inline]
    pub fn load(&self, order: Ordering) -> Timestamp {
        Timestamp(self.0.load(order))
    }

    /// Replaces the moment it holds.
    #[inline]
    pub fn store(&self, moment: Timestamp, order: Ordering) {
        self.0.store(moment.0, order);
    }

    /// Replaces the moment it holds; returns the one before.
    pub fn swap(&self, moment: Timestamp, order: Ordering) -> Timestamp {
        Timestamp(self.0.swap(moment.0, order))
    }

    /// Keeps the later of both moments; returns the one before.
    pub fn fetch_max(&self, moment: Timestamp, order: Ordering) -> Timestamp {
        Timestamp(self.0.fetch_max(moment.0, order))
    }

    /// Replaces `current`, and only that, by `new`.
    ///
    /// # Errors
    /// With the moment that it holds, if that is another.
    pub fn compare_exchange(
        &self,
        current: Timestamp,
        new: Timestamp,
        success: Ordering,
        failure: Ordering,
    ) -> Result<Timestamp, Timestamp> {
        self.0.compare_exchange(current.0, new.0, success, failure).map(Timestamp).map_err(Timestamp)
    }
}

/// Saturates like [`Timestamp::saturating_add`].
impl Add<Duration> for Timestamp {
    type Output = Self;

    #[inline]
    fn add(self, duration: Duration) -> Self {
        self.saturating_add(duration)
    }
}

/// Saturates like [`Timestamp::saturating_sub`].
impl Sub<Duration> for Timestamp {
    type Output = Self;

    #[inline]
    fn sub(self, duration: Duration) -> Self {
        self.saturating_sub(duration)
    }
}

/// Saturates like [`Timestamp::duration_since`].
impl Sub for Timestamp {
    type Output = Duration;

    #[inline]
    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_of_moments_saturates_at_both_ends() {
        let moment = Timestamp::from_millis(1_000);
        assert_eq!(moment + Duration::from_millis(500), Timestamp::from_millis(1_500));
        assert_eq!(moment - Duration::from_secs(2), Timestamp::UNIX_EPOCH);
        assert_eq!(moment + Duration::MAX, Timestamp::MAX);
        assert_eq!(moment.duration_since(Timestamp::from_millis(400)), Duration::from_millis(600));
        assert_eq!(moment.duration_since(Timestamp::MAX), Duration::ZERO);
        assert_eq!(Timestamp::from_millis(1_999).start_of_period(Duration::from_secs(1)), moment);
        assert_eq!(Timestamp::from_millis(1_999).as_secs(), 1);
        assert_eq!(Timestamp::MAX.millis_since(Timestamp::UNIX_EPOCH), u64::MAX);
    }

    #[test]
    fn a_moment_is_as_large_as_the_number_it_holds() {
        assert_eq!((size_of::<Timestamp>(), align_of::<Timestamp>()), (size_of::<u64>(), align_of::<u64>()));
    }
}
