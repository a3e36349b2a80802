//! Simulated time, the only module that reads the clock. It runs `time_factor` times faster than the runtime's clock,
//! so an evening can pass in minutes, and stands still where a test pauses the runtime.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Start of a wait.
#[derive(Debug, Clone, Copy)]
pub struct SimulatedInstant(Instant);

/// Clock of simulated time.
#[derive(Debug, Clone, Copy)]
pub struct SimulatedClock {
    origin: Instant,
    origin_ms: u64,
    factor: f64,
}

impl SimulatedClock {
    /// A clock that shows `origin_s` (seconds since 1970) now and runs `factor` times as fast as the runtime's. A
    /// factor that is not a positive number counts as 1.
    #[expect(clippy::disallowed_methods, reason = "this is the clock room")]
    pub fn starting_at(origin_s: u64, factor: f64) -> Self {
        let factor = if factor.is_finite() && factor > 0.0 { factor } else { 1.0 };
        Self { origin: Instant::now(), origin_ms: origin_s * 1_000, factor }
    }

    /// A clock that shows the system's time now.
    #[expect(clippy::disallowed_methods, reason = "this is the clock room")]
    pub fn system(factor: f64) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::starting_at(since.as_secs(), factor)
    }

    /// Milliseconds since 1970 in simulated time.
    #[expect(clippy::disallowed_methods, reason = "this is the clock room")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and far below 2^64")]
    pub fn now_ms(&self) -> u64 {
        let real = Instant::now().saturating_duration_since(self.origin);
        self.origin_ms + (real.as_secs_f64() * self.factor * 1_000.0) as u64
    }

    /// Seconds since 1970 in simulated time.
    pub fn now_s(&self) -> u64 {
        self.now_ms() / 1_000
    }

    /// Real time that passes during `simulated`.
    pub fn to_real(&self, simulated: Duration) -> Duration {
        simulated.div_f64(self.factor)
    }

    /// The current time, as the start of a wait.
    #[expect(clippy::disallowed_methods, reason = "this is the clock room")]
    pub fn instant(&self) -> SimulatedInstant {
        SimulatedInstant(Instant::now())
    }

    /// Waits until `simulated` time has passed since a start. Consecutive waits from one start do not accumulate their
    /// delays, which are about a millisecond each: a lot where time runs fast.
    pub async fn wait(&self, since: SimulatedInstant, simulated: Duration) {
        if !simulated.is_zero() {
            tokio::time::sleep_until(since.0 + self.to_real(simulated)).await;
        }
    }

    /// Waits for `simulated` time.
    pub async fn sleep(&self, simulated: Duration) {
        if !simulated.is_zero() {
            tokio::time::sleep(self.to_real(simulated)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_factor_makes_time_pass_faster() {
        let clock = SimulatedClock::starting_at(1_000, 60.0);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(clock.now_s(), 1_120);
        assert_eq!(clock.to_real(Duration::from_mins(1)), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_senseless_factor_counts_as_one() {
        let clock = SimulatedClock::starting_at(5, -3.0);
        assert_eq!(clock.to_real(Duration::from_secs(7)), Duration::from_secs(7));
    }
}
