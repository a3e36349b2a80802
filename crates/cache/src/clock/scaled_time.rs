//! Time that passes faster than real time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Max real time counted between two reads of a scaled clock. Sleepers read it twice as often.
const MAX_STEP: Duration = Duration::from_millis(20);

/// Accelerated time that does not pass while it is not read. Where a second is a minute, a machine that stalls for a
/// moment would otherwise let everything expire at once.
#[derive(Debug)]
pub(super) struct ScaledTime {
    pub(super) factor: f64,
    elapsed: Mutex<ScaledElapsed>,
}

#[derive(Debug)]
struct ScaledElapsed {
    /// Real time counted so far.
    elapsed: Duration,
    updated: Instant,
}

impl ScaledTime {
    /// Time that runs `factor` times faster from `start` on.
    pub(super) fn new(factor: f64, start: Instant) -> Self {
        Self { factor, elapsed: Mutex::new(ScaledElapsed { elapsed: Duration::ZERO, updated: start }) }
    }

    #[expect(clippy::disallowed_methods, reason = "the one module that reads system clocks")]
    pub(super) fn elapsed(&self) -> Duration {
        let mut elapsed = self.elapsed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let step = now.saturating_duration_since(elapsed.updated);
        elapsed.elapsed += step.min(MAX_STEP);
        elapsed.updated += step;
        elapsed.elapsed
    }

    /// Reads the clock repeatedly, so that time passes for every caller while one sleeps.
    pub(super) async fn sleep(&self, duration: Duration) {
        let due = self.elapsed().saturating_add(duration);
        loop {
            let remaining = due.saturating_sub(self.elapsed());
            if remaining.is_zero() {
                return;
            }
            tokio::time::sleep(remaining.min(MAX_STEP / 2)).await;
        }
    }
}
