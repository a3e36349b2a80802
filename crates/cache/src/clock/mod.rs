//! The only module that reads the time.
//!
//! Everything else receives `now` as an argument. The clock counts monotonically from the wall time at its creation, so
//! a wall clock that steps back cannot extend a lifetime. It stands still or jumps with tokio's paused time, so tests
//! of lifetimes are exact and instant.
//!
//! The monotonic clock stops while the machine is suspended. So the process runs [`Clock::follow`], which reads a
//! suspend detector and, after a suspend, makes the clock leap forward by the time that was missed. It never goes back.
//! On Linux the system counts its suspended time, and no user can set that count. Elsewhere the detector reads the wall
//! clock, which can be set and can be wrong for a moment, so it is trusted only after several consistent samples.
//!
//! Modules: `suspend_detector` (detects suspends, and decides when the wall clock is trusted), `scaled_time`
//! (accelerated time).

mod scaled_time;
mod suspend_detector;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::Instant;

use scaled_time::ScaledTime;
pub use suspend_detector::SuspendDetector;
use suspend_detector::{SkewSamples, SuspendSource};

use crate::timestamp::Timestamp;
pub use crate::timestamp::millis;

/// Interval at which the suspend detector is read.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// A detector that is ahead of the clock by more than this shows a suspend, or that the wall clock was set.
const MIN_LEAP_MS: u64 = 2_000;

/// A clock that may run faster than real time. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Wall time at creation, in milliseconds since the Unix epoch.
    base_ms: u64,
    start: Instant,
    /// `None` at normal speed.
    scaled: Option<Arc<ScaledTime>>,
    /// The detector it follows; `None` for a scaled clock.
    suspend_detector: Option<SuspendDetector>,
    leaps: Arc<ClockLeaps>,
}

/// Time by which the clock was advanced past the monotonic clock.
#[derive(Debug, Default)]
struct ClockLeaps {
    sum_ms: AtomicU64,
    /// Time of this clock at the end of the last leap.
    last_ms: AtomicU64,
    /// Wakes all sleepers.
    notify: Notify,
}

/// An event of a clock that follows a suspend detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockEvent {
    /// The clock advanced by this much.
    Advanced(Duration),
    /// The wall clock is ahead by this much, which is too much to be trusted. Reported once.
    Implausible(Duration),
}

/// The awaited future did not complete in time.
#[derive(Debug)]
pub struct ClockTimeout;

impl Clock {
    /// A clock at normal speed.
    pub fn system() -> Self {
        Self::started(None).with_suspend_detector(SuspendDetector::system())
    }

    /// A clock for demonstrations: it runs `factor` times faster than real time, but stands still while it is not read,
    /// so a machine that stalls expires nothing. A factor that is not positive and finite counts as 1. It has no
    /// suspend detector.
    pub fn scaled(factor: f64) -> Self {
        Self::started(Some(if factor.is_finite() && factor > 0.0 { factor } else { 1.0 }))
    }

    /// The same clock with this detector for [`Clock::follow`].
    #[must_use]
    pub fn with_suspend_detector(self, detector: SuspendDetector) -> Self {
        Self { suspend_detector: Some(detector), ..self }
    }

    #[expect(clippy::disallowed_methods, reason = "the one module that reads system clocks")]
    fn started(factor: Option<f64>) -> Self {
        let start = Instant::now();
        let scaled = factor.map(|factor| Arc::new(ScaledTime::new(factor, start)));
        Self { base_ms: system_ms(), start, scaled, suspend_detector: None, leaps: Arc::default() }
    }

    /// Wall time when the clock was made, plus (scaled) monotonic time since, plus all leaps.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.base_ms + millis(self.elapsed()) + self.leapt_ms())
    }

    /// Milliseconds since the Unix epoch, now.
    pub fn now_ms(&self) -> u64 {
        self.now().as_millis()
    }

    /// Microseconds for measuring durations. Leaps are excluded, because nothing ran during a suspend.
    pub fn now_us(&self) -> u64 {
        let elapsed_us = u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX);
        (self.base_ms * 1000).saturating_add(elapsed_us)
    }

    /// The system's time, for what other machines read; this clock may differ from it.
    #[expect(clippy::disallowed_methods, reason = "the one module that reads system clocks")]
    pub fn system_time(&self) -> SystemTime {
        SystemTime::now()
    }

    /// Duration since [`Clock::now_us`] returned `began_us`.
    pub fn since(&self, began_us: u64) -> Duration {
        Duration::from_micros(self.now_us().saturating_sub(began_us))
    }

    /// Whole milliseconds since [`Clock::now_us`] returned `began_us`.
    pub fn since_ms(&self, began_us: u64) -> u64 {
        millis(self.since(began_us))
    }

    /// Converts a result of [`Clock::now_us`] to microseconds since the Unix epoch. Exact only until the next leap,
    /// because it adds all leaps so far.
    pub fn wall_us(&self, measured_us: u64) -> u64 {
        measured_us.saturating_add(self.leapt_ms().saturating_mul(1000))
    }

    #[expect(clippy::disallowed_methods, reason = "the one module that reads system clocks")]
    fn elapsed(&self) -> Duration {
        match &self.scaled {
            None => Instant::now().saturating_duration_since(self.start),
            Some(scaled) => scaled.elapsed().mul_f64(scaled.factor),
        }
    }

    fn leapt_ms(&self) -> u64 {
        self.leaps.sum_ms.load(Ordering::Relaxed)
    }

    /// Time of this clock at the end of the last leap; the epoch if there was none. Anything due before it that did not
    /// run was missed during a suspend.
    pub fn last_leap(&self) -> Timestamp {
        Timestamp::from_millis(self.leaps.last_ms.load(Ordering::Relaxed))
    }

    /// Follows the suspend detector while this is awaited. Within a second after the machine wakes, the clock leaps and
    /// `on_event` is called; with the wall clock as detector it takes some seconds more. A wall clock that is set back
    /// is ignored. Without a detector nothing happens.
    pub async fn follow(&self, on_event: impl Fn(ClockEvent)) -> Infallible {
        let Some(detector) = &self.suspend_detector else { return std::future::pending().await };
        let mut samples = SkewSamples::default();
        loop {
            if let Some(event) = self.check_suspend(detector, &mut samples) {
                on_event(event);
            }
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
    }

    /// Reads the detector, and lets the clock leap if a suspend is detected.
    fn check_suspend(&self, detector: &SuspendDetector, samples: &mut SkewSamples) -> Option<ClockEvent> {
        let leapt_ms = self.leapt_ms();
        let ahead_ms = self.behind_ms(detector).checked_sub(leapt_ms).filter(|ahead_ms| *ahead_ms > MIN_LEAP_MS);
        let event = match &detector.0 {
            SuspendSource::Sleep { .. } => ClockEvent::Advanced(Duration::from_millis(ahead_ms?)),
            SuspendSource::Wall(_) => samples.add_sample(ahead_ms)?,
        };
        if let ClockEvent::Advanced(leap) = event {
            // Concurrent checks of one suspend count it once.
            self.leaps.sum_ms.fetch_max(leapt_ms + millis(leap), Ordering::Relaxed);
            self.leaps.last_ms.fetch_max(self.now_ms(), Ordering::Relaxed);
            self.leaps.notify.notify_waiters();
        }
        Some(event)
    }

    /// Time for which the machine was suspended and that this clock does not count yet: it leaps up to a second after the
    /// machine wakes. Zero where the system does not count it.
    pub fn unnoticed_suspend(&self) -> Duration {
        match &self.suspend_detector {
            Some(detector) if matches!(detector.0, SuspendSource::Sleep { .. }) => {
                Duration::from_millis(self.behind_ms(detector).saturating_sub(self.leapt_ms()))
            }
            _ => Duration::ZERO,
        }
    }

    /// Time that the detector counts and the clock without its leaps has missed.
    fn behind_ms(&self, detector: &SuspendDetector) -> u64 {
        match &detector.0 {
            SuspendSource::Sleep { read_ms, before_ms } => read_ms().saturating_sub(*before_ms),
            SuspendSource::Wall(read_ms) => read_ms().saturating_sub(self.base_ms + millis(self.elapsed())),
        }
    }

    /// Sleeps for `duration` of this clock's time. Leaps meanwhile count as slept.
    pub async fn sleep(&self, duration: Duration) {
        let before_ms = self.leapt_ms();
        let end = self.elapsed().saturating_add(duration);
        loop {
            let mut leap = std::pin::pin!(self.leaps.notify.notified());
            // From here on a leap wakes this sleeper; earlier leaps are added up below.
            leap.as_mut().enable();
            let leapt = Duration::from_millis(self.leapt_ms().saturating_sub(before_ms));
            let remaining = end.saturating_sub(leapt).saturating_sub(self.elapsed());
            if !leapt.is_zero() && remaining.is_zero() {
                return;
            }
            tokio::select! {
                () = self.sleep_monotonic(remaining) => return,
                () = leap => {}
            }
        }
    }

    /// Sleeps for `duration` of this clock's time, leaps ignored.
    async fn sleep_monotonic(&self, duration: Duration) {
        match &self.scaled {
            None => tokio::time::sleep(duration).await,
            Some(scaled) => scaled.sleep(duration.div_f64(scaled.factor)).await,
        }
    }

    /// Awaits `future`, at most for `duration` of this clock's time. Leaps do not count: nothing could arrive during a
    /// suspend.
    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Result<F::Output, ClockTimeout> {
        match &self.scaled {
            None => tokio::time::timeout(duration, future).await.map_err(|_| ClockTimeout),
            Some(scaled) => tokio::select! {
                biased;
                output = future => Ok(output),
                () = scaled.sleep(duration.div_f64(scaled.factor)) => Err(ClockTimeout),
            },
        }
    }

    /// Real time that `duration` of this clock's time takes.
    pub fn real(&self, duration: Duration) -> Duration {
        self.scaled.as_ref().map_or(duration, |scaled| duration.div_f64(scaled.factor))
    }
}

#[expect(clippy::disallowed_methods, reason = "the one module that reads system clocks")]
fn system_ms() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests;
