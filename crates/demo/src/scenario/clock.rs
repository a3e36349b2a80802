//! Clock of the evening, of servers and gateway too: all run faster by one factor.

use std::time::Duration;

use greenroom_cache::{Clock, Timestamp};

/// A clock that runs `factor` times faster than real time. A scaled clock stands still while it is not read, so real
/// time is the system's.
pub(super) fn clock_of(factor: f64) -> Clock {
    if factor > 1.0 { Clock::scaled(factor) } else { Clock::system() }
}

/// Time since the evening began.
#[derive(Debug, Clone)]
pub(super) struct DemoClock {
    clock: Clock,
    factor: f64,
    began: Timestamp,
}

impl DemoClock {
    /// An evening of which `passed` is already over.
    pub(super) fn start(factor: f64, passed: Duration) -> Self {
        let clock = clock_of(factor);
        let began = clock.now() - passed;
        Self { clock, factor, began }
    }

    /// Ratio of this time to real time.
    pub(super) fn factor(&self) -> f64 {
        self.factor
    }

    /// Elapsed time of the evening.
    pub(super) fn passed(&self) -> Duration {
        self.clock.now().duration_since(self.began)
    }

    /// Waits until `at`; returns immediately if that has passed.
    pub(super) async fn sleep_until(&self, at: Duration) {
        self.clock.sleep(at.saturating_sub(self.passed())).await;
    }

    /// The times `first`, `first + every` and so on that lie between `from` (inclusive) and `to` (exclusive).
    pub(super) fn ticks(
        &self,
        (first, every): (Duration, Duration),
        (from, to): (Duration, Duration),
    ) -> ClockTicks<'_> {
        let missed = from.saturating_sub(first).as_nanos().div_ceil(every.as_nanos().max(1));
        let next = first + every * u32::try_from(missed).unwrap_or(u32::MAX);
        ClockTicks { clock: self, next, every, to }
    }

    pub(super) async fn sleep(&self, length: Duration) {
        self.clock.sleep(length).await;
    }
}

/// Evenly spaced times of the evening.
#[derive(Debug)]
pub(super) struct ClockTicks<'a> {
    clock: &'a DemoClock,
    next: Duration,
    every: Duration,
    to: Duration,
}

impl ClockTicks<'_> {
    /// Waits for the next one; false after the last. A time that has passed meanwhile is not skipped, so that the
    /// number of ticks does not depend on latency.
    pub(super) async fn next(&mut self) -> bool {
        let at = self.next;
        if at >= self.to {
            return false;
        }
        self.next += self.every;
        self.clock.sleep_until(at).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_moment_of_the_evening_is_waited_for_once() {
        let wall = Clock::system();
        let pace = DemoClock::start(60.0, Duration::ZERO);
        let before = wall.now_ms();
        pace.sleep_until(Duration::from_secs(120)).await;
        pace.sleep_until(Duration::from_secs(60)).await;
        pace.sleep(Duration::from_secs(60)).await;
        assert_eq!(wall.now_ms() - before, 3_000);
    }

    #[tokio::test(start_paused = true)]
    async fn real_time_passes_while_nothing_reads_it() {
        let pace = DemoClock::start(1.0, Duration::ZERO);
        tokio::time::advance(Duration::from_mins(5)).await;
        assert_eq!(pace.passed(), Duration::from_mins(5));
    }

    #[tokio::test(start_paused = true)]
    async fn an_evening_can_be_joined_late() {
        let wall = Clock::system();
        let pace = DemoClock::start(1.0, Duration::from_secs(600));
        let before = wall.now_ms();
        pace.sleep_until(Duration::from_secs(605)).await;
        assert_eq!(wall.now_ms() - before, 5_000);
    }
    #[tokio::test(start_paused = true)]
    async fn moments_go_on_where_the_evening_is_joined() {
        let secs = Duration::from_secs;
        let all = DemoClock::start(1.0, Duration::ZERO);
        let mut moments = all.ticks((secs(2), secs(5)), (secs(0), secs(20)));
        let mut count = 0;
        while moments.next().await {
            count += 1;
        }
        assert_eq!(count, 4);
        let wall = Clock::system();
        let late = DemoClock::start(1.0, secs(20));
        let before = wall.now_ms();
        let mut moments = late.ticks((secs(2), secs(5)), (secs(20), secs(30)));
        assert!(moments.next().await);
        assert_eq!(wall.now_ms() - before, 2_000);
        assert!(moments.next().await);
        assert!(!moments.next().await);
    }
}
