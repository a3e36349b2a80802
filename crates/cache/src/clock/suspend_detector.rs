//! Detects how long the machine was suspended, and decides when a wall clock is trusted.

use std::sync::Arc;
use std::time::Duration;

use super::ClockEvent;

/// Consecutive equal samples after which the wall clock is trusted.
pub(super) const REQUIRED_SAMPLES: u32 = 5;
/// Samples this close count as equal.
const SAMPLE_TOLERANCE_MS: u64 = 1_000;
/// A wall clock further ahead than this is never trusted.
const MAX_LEAP_MS: u64 = 30 * 24 * 3_600_000;

/// Source of the time the machine was suspended.
#[derive(Clone)]
pub struct SuspendDetector(pub(super) SuspendSource);

type ReadMillisFn = Arc<dyn Fn() -> u64 + Send + Sync>;

#[derive(Clone)]
pub(super) enum SuspendSource {
    /// Milliseconds the machine was suspended in total, and of these before the detector was created.
    Sleep { read_ms: ReadMillisFn, before_ms: u64 },
    /// The wall clock, in milliseconds since the Unix epoch.
    Wall(ReadMillisFn),
}

/// The wall clock's skew at the last samples.
#[derive(Debug, Default)]
pub(super) struct SkewSamples {
    ahead_ms: u64,
    /// Consecutive samples with this skew.
    count: u32,
    is_reported: bool,
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
    pub fn counting(read_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let before_ms = read_ms();
        Self(SuspendSource::Sleep { read_ms: Arc::new(read_ms), before_ms })
    }

    /// A wall clock read from `read_ms`, in milliseconds since the Unix epoch.
    pub fn wall(read_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(SuspendSource::Wall(Arc::new(read_ms)))
    }
}

impl std::fmt::Debug for SuspendDetector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            SuspendSource::Sleep { read_ms, .. } => f.debug_tuple("Sleep").field(&read_ms()).finish(),
            SuspendSource::Wall(read_ms) => f.debug_tuple("Wall").field(&read_ms()).finish(),
        }
    }
}

impl SkewSamples {
    /// The event caused by a sample at which the wall clock was ahead by `ahead_ms`, or was not ahead.
    pub(super) fn add_sample(&mut self, ahead_ms: Option<u64>) -> Option<ClockEvent> {
        let Some(ahead_ms) = ahead_ms else {
            self.count = 0;
            return None;
        };
        let is_same = self.count > 0 && ahead_ms.abs_diff(self.ahead_ms) <= SAMPLE_TOLERANCE_MS;
        if !is_same {
            (self.ahead_ms, self.count) = (ahead_ms, 0);
        }
        self.count = self.count.saturating_add(1);
        if self.count < REQUIRED_SAMPLES {
            return None;
        }
        let ahead = Duration::from_millis(ahead_ms);
        if ahead_ms <= MAX_LEAP_MS {
            self.count = 0;
            return Some(ClockEvent::Advanced(ahead));
        }
        let is_reported = std::mem::replace(&mut self.is_reported, true);
        (!is_reported).then_some(ClockEvent::Implausible(ahead))
    }
}

/// Time suspended since boot: the lag of the clock that counts only while the machine is awake.
#[cfg(target_os = "linux")]
fn slept_ms() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    let clock_ms = |clock| {
        let time = clock_gettime(clock);
        let whole_ms = u64::try_from(time.tv_sec).unwrap_or_default().saturating_mul(1000);
        whole_ms.saturating_add(u64::try_from(time.tv_nsec / 1_000_000).unwrap_or_default())
    };
    // In this order a delay between the two reads makes the result smaller, never larger.
    let boot_ms = clock_ms(ClockId::Boottime);
    boot_ms.saturating_sub(clock_ms(ClockId::Monotonic))
}
