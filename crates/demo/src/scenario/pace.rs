//! The time an evening runs by. It is the time of servers and gateway too: all run faster by one factor.

use std::time::Duration;

use greenroom_cache::Clock;

/// Time since the evening began.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    clock: Clock,
    factor: f64,
    began_ms: u64,
}

impl Pace {
    /// An evening of which so much has passed now.
    pub(super) fn begin(factor: f64, passed: Duration) -> Self {
        let clock = Clock::scaled(factor);
        let passed_ms = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        let began_ms = clock.now_ms().saturating_sub(passed_ms);
        Self { clock, factor, began_ms }
    }

    /// How much faster than the wall's this time runs.
    pub(super) fn factor(&self) -> f64 {
        self.factor
    }

    /// How much of the evening has passed.
    pub(super) fn passed(&self) -> Duration {
        Duration::from_millis(self.clock.now_ms().saturating_sub(self.began_ms))
    }

    /// Waits until so much of the evening has passed; not at all if it has.
    pub(super) async fn until(&self, at: Duration) {
        self.clock.sleep(at.saturating_sub(self.passed())).await;
    }

    /// The moments `first`, `first + every` and so on that lie from `from` on and before `to`.
    pub(super) fn moments(
        &self,
        (first, every): (Duration, Duration),
        (from, to): (Duration, Duration),
    ) -> Moments<'_> {
        let missed = from.saturating_sub(first).as_nanos().div_ceil(every.as_nanos().max(1));
        let next = first + every * u32::try_from(missed).unwrap_or(u32::MAX);
        Moments { pace: self, next, every, to }
    }

    /// Waits for so long.
    pub(super) async fn rest(&self, length: Duration) {
        self.clock.sleep(length).await;
    }
}

/// Moments of the evening at the same distance from each other.
#[derive(Debug)]
pub(super) struct Moments<'a> {
    pace: &'a Pace,
    next: Duration,
    every: Duration,
    to: Duration,
}

impl Moments<'_> {
    /// Waits for the next one; false if there is none any more. A moment that has passed meanwhile is not left out:
    /// how many there are does not depend on how fast answers are.
    pub(super) async fn next(&mut self) -> bool {
        let at = self.next;
        if at >= self.to {
            return false;
        }
        self.next += self.every;
        self.pace.until(at).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_moment_of_the_evening_is_waited_for_once() {
        let wall = Clock::system();
        let pace = Pace::begin(60.0, Duration::ZERO);
        let before = wall.now_ms();
        pace.until(Duration::from_secs(120)).await;
        pace.until(Duration::from_secs(60)).await;
        pace.rest(Duration::from_secs(60)).await;
        assert_eq!(wall.now_ms() - before, 3_000);
    }

    #[tokio::test(start_paused = true)]
    async fn an_evening_can_be_joined_late() {
        let wall = Clock::system();
        let pace = Pace::begin(1.0, Duration::from_secs(600));
        let before = wall.now_ms();
        pace.until(Duration::from_secs(605)).await;
        assert_eq!(wall.now_ms() - before, 5_000);
    }
    #[tokio::test(start_paused = true)]
    async fn moments_go_on_where_the_evening_is_joined() {
        let secs = Duration::from_secs;
        let all = Pace::begin(1.0, Duration::ZERO);
        let mut moments = all.moments((secs(2), secs(5)), (secs(0), secs(20)));
        let mut count = 0;
        while moments.next().await {
            count += 1;
        }
        assert_eq!(count, 4);
        let wall = Clock::system();
        let late = Pace::begin(1.0, secs(20));
        let before = wall.now_ms();
        let mut moments = late.moments((secs(2), secs(5)), (secs(20), secs(30)));
        assert!(moments.next().await);
        assert_eq!(wall.now_ms() - before, 2_000);
        assert!(moments.next().await);
        assert!(!moments.next().await);
    }
}
