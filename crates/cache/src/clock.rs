//! The one room where time comes from.
//!
//! Everything else receives `now` as an argument. The clock counts monotonically from the wall time at its
//! creation, so a wall clock that steps back cannot extend a life, and it stands still or jumps with tokio's paused
//! time, so tests of lifetimes are exact and instant.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// So much counts at most between two looks at a clock with a pace of its own. Whoever sleeps looks twice as often.
const HICCUP: Duration = Duration::from_millis(20);

/// A clock that may run faster than the wall's.
#[derive(Debug, Clone)]
pub struct Clock {
    base_ms: u64,
    start: Instant,
    /// `None` if it runs as time does.
    pace: Option<Arc<Pace>>,
}

/// How time passes on a clock that is not the wall's: faster, and not while nobody looks. Where a second is a minute,
/// a machine that stops for a moment would let everything run out at once.
#[derive(Debug)]
struct Pace {
    factor: f64,
    passed: Mutex<Passed>,
}

#[derive(Debug)]
struct Passed {
    /// Of the wall's time: what counts.
    counted: Duration,
    looked: Instant,
}

/// What was waited for did not come in time.
#[derive(Debug)]
pub struct Elapsed;

impl Clock {
    /// A clock that runs as fast as time does.
    pub fn system() -> Self {
        Self::started(None)
    }

    /// A clock on which time runs `factor` times faster, and not while the machine stands still: for demonstrations.
    /// A factor that is not a positive number counts as 1.
    pub fn scaled(factor: f64) -> Self {
        Self::started(Some(if factor.is_finite() && factor > 0.0 { factor } else { 1.0 }))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock room")]
    fn started(factor: Option<f64>) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = Instant::now();
        let passed = Passed { counted: Duration::ZERO, looked: start };
        let pace = factor.map(|factor| Arc::new(Pace { factor, passed: Mutex::new(passed) }));
        Self { base_ms: millis(since_epoch), start, pace }
    }

    /// Milliseconds since the Unix epoch: wall time when the clock was made, plus (scaled) monotonic time since.
    pub fn now_ms(&self) -> u64 {
        self.base_ms + millis(self.elapsed())
    }

    /// The same moment in microseconds, for measuring how long something takes.
    pub fn now_us(&self) -> u64 {
        let elapsed_us = u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX);
        (self.base_ms * 1000).saturating_add(elapsed_us)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock room")]
    fn elapsed(&self) -> Duration {
        match &self.pace {
            None => Instant::now().saturating_duration_since(self.start),
            Some(pace) => pace.counted().mul_f64(pace.factor),
        }
    }

    /// By how much the wall's clock is ahead of this one: it grows while the machine sleeps, and when somebody sets it.
    /// A clock that runs faster than the wall's has nothing to compare.
    #[expect(clippy::disallowed_methods, reason = "this is the clock room")]
    pub fn behind_wall_ms(&self) -> i64 {
        if self.pace.is_some() {
            return 0;
        }
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(millis(since_epoch)).unwrap_or(i64::MAX).saturating_sub_unsigned(self.now_ms())
    }

    /// Sleeps for `duration` of this clock's time.
    pub async fn sleep(&self, duration: Duration) {
        match &self.pace {
            None => tokio::time::sleep(duration).await,
            Some(pace) => pace.sleep(duration.div_f64(pace.factor)).await,
        }
    }

    /// Waits for `future`, but no longer than `duration` of this clock's time.
    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Result<F::Output, Elapsed> {
        match &self.pace {
            None => tokio::time::timeout(duration, future).await.map_err(|_| Elapsed),
            Some(pace) => tokio::select! {
                biased;
                output = future => Ok(output),
                () = pace.sleep(duration.div_f64(pace.factor)) => Err(Elapsed),
            },
        }
    }

    /// How long `duration` of this clock's time really takes.
    pub fn real(&self, duration: Duration) -> Duration {
        self.pace.as_ref().map_or(duration, |pace| duration.div_f64(pace.factor))
    }
}

impl Pace {
    #[expect(clippy::disallowed_methods, reason = "this is the clock room")]
    fn counted(&self) -> Duration {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let gone = now.saturating_duration_since(passed.looked);
        passed.counted += gone.min(HICCUP);
        passed.looked += gone;
        passed.counted
    }

    /// Looks again and again, so that time passes for everybody while somebody sleeps.
    async fn sleep(&self, duration: Duration) {
        let due = self.counted().saturating_add(duration);
        loop {
            let left = due.saturating_sub(self.counted());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(HICCUP / 2)).await;
        }
    }
}

/// Whole milliseconds, saturating.
pub(crate) fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1000).saturating_add(u64::from(duration.subsec_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_follows_paused_time() {
        let clock = Clock::system();
        let before = clock.now_ms();
        clock.sleep(Duration::from_millis(1500)).await;
        assert_eq!(clock.now_ms() - before, 1500);
        assert_eq!(clock.now_us() / 1000, clock.now_ms());
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_runs_faster_and_sleeps_shorter() {
        let (clock, wall) = (Clock::scaled(60.0), Clock::system());
        let (before, wall_before) = (clock.now_ms(), wall.now_ms());
        clock.sleep(Duration::from_mins(2)).await;
        assert_eq!(wall.now_ms() - wall_before, 2000);
        assert_eq!(clock.now_ms() - before, 120_000);
        assert_eq!(clock.real(Duration::from_mins(1)), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_ends_what_never_ends() {
        let clock = Clock::scaled(10.0);
        let before = clock.now_ms();
        let outcome = clock.timeout(Duration::from_secs(5), std::future::pending::<()>()).await;
        assert!(outcome.is_err());
        assert_eq!(clock.now_ms() - before, 5000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_does_not_run_while_the_machine_stands_still() {
        let (clock, wall) = (Clock::scaled(30.0), Clock::system());
        let (before, wall_before) = (clock.now_ms(), wall.now_ms());
        let mut sleeping = std::pin::pin!(clock.sleep(Duration::from_secs(30)));
        assert!(futures_util::poll!(sleeping.as_mut()).is_pending());
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(futures_util::poll!(sleeping.as_mut()).is_pending(), "five seconds were one look");
        assert_eq!(clock.now_ms() - before, 600);
        sleeping.await;
        assert_eq!((clock.now_ms() - before, wall.now_ms() - wall_before), (30_000, 5_980));
    }

    #[test]
    fn a_nonsense_factor_counts_as_one() {
        for factor in [0.0, -3.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Clock::scaled(factor).real(Duration::from_secs(1)), Duration::from_secs(1));
        }
    }
}
