//! Detects how long the machine was suspended, and decides when a wall clock is trusted.

use std::sync::Arc;
use std::time::Duration;

use super::ClockEvent;

/// Consecutive equal samples after which the wall clock is trusted.
pub(super) const LOOKS: u32 = 5;
/// Samples this close count as equal.
const SAME_MS: u64 = 1_000;
/// A wall clock further ahead than this is never trusted.
const MOST_AHEAD_MS: u64 = 30 * 24 * 3_600_000;

/// Source of the time the machine was suspended.
#[derive(Clone)]
pub struct SuspendDetector(pub(super) SuspendSource);

type ReadMillisFn = Arc<dyn Fn() -> u64 + Send + Sync>;

#[derive(Clone)]
pub(super) enum SuspendSource {
    /// Milliseconds the machine was suspended in total, and of these before the detector was created.
    Sleep { told_ms: ReadMillisFn, before_ms: u64 },
    /// The wall clock, in milliseconds since the Unix epoch.
    Wall(ReadMillisFn),
}

/// The wall clock's skew at the last samples.
#[derive(Debug, Default)]
pub(super) struct SkewSamples {
    ahead_ms: u64,
    /// Consecutive samples with this skew.
    looks: u32,
    has_told: bool,
}

impl SuspendDetector {
    /// The system's: Linux counts its suspended time.
    #[cfg(target_os = "linux")]
    pub fn system() -> Self {
        Self::counting(slept_ms)
    }

    /// The system's: its wall clock.
    #[cfg(not(target_os = "linux"))]
    pub fn system() -> Self {
        Self::wall(super::system_ms)
    }

    /// A counter of the milliseconds the machine was suspended in total.
    pub fn counting(told_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let before_ms = told_ms();
        Self(SuspendSource::Sleep { told_ms: Arc::new(told_ms), before_ms })
    }

    /// A wall clock read from `told_ms`, in milliseconds since the Unix epoch.
    pub fn wall(told_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(SuspendSource::Wall(Arc::new(told_ms)))
    }
}

impl std::fmt::Debug for SuspendDetector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            SuspendSource::Sleep { told_ms, .. } => f.debug_tuple("Sleep").field(&told_ms()).finish(),
            SuspendSource::Wall(told_ms) => f.debug_tuple("Wall").field(&told_ms()).finish(),
        }
    }
}

impl SkewSamples {
    /// The event caused by a sample at which the wall clock was ahead by `ahead_ms`, or was not ahead.
    pub(super) fn add_sample(&mut self, ahead_ms: Option<u64>) -> Option<ClockEvent> {
        let Some(ahead_ms) = ahead_ms else {
            self.looks = 0;
            return None;
        };
        let is_same = self.looks > 0 && ahead_ms.abs_diff(self.ahead_ms) <= SAME_MS;
        if !is_same {
            (self.ahead_ms, self.looks) = (ahead_ms, 0);
        }
        self.looks = self.looks.saturating_add(1);
        if self.looks < LOOKS {
            return None;
        }
        let ahead = Duration::from_millis(ahead_ms);
        if ahead_ms <= MOST_AHEAD_MS {
            self.looks = 0;
            return Some(ClockEvent::Advanced(ahead));
        }
        let has_told = std::mem::replace(&mut self.has_told, true);
        (!has_told).then_some(ClockEvent::Implausible(ahead))
    }
}

/// Time suspended since boot: the lag of the clock that counts only while the machine is awake.
#[cfg(target_os = "linux")]
fn slept_ms() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    let whole_ms = |clock| {
        let told = clock_gettime(clock);
        let seconds_ms = u64::try_from(told.tv_sec).unwrap_or_default().saturating_mul(1000);
        seconds_ms.saturating_add(u64::try_from(told.tv_nsec / 1_000_000).unwrap_or_default())
    };
    // In this order a delay between the two reads makes the result smaller, never larger.
    let in_all_ms = whole_ms(ClockId::Boottime);
    in_all_ms.saturating_sub(whole_ms(ClockId::Monotonic))
}
