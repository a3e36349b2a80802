//! Time that passes faster than real time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Max real time counted between two reads of a scaled clock. Sleepers read it twice as often.
const HICCUP: Duration = Duration::from_millis(20);

/// Accelerated time that does not pass while it is not read. Where a second is a minute, a machine that stalls for a
/// moment would otherwise let everything expire at once.
#[derive(Debug)]
pub(super) struct ScaledTime {
    pub(super) factor: f64,
    passed: Mutex<ScaledElapsed>,
}

#[derive(Debug)]
struct ScaledElapsed {
    /// Real time counted so far.
    counted: Duration,
    looked: Instant,
}

impl ScaledTime {
    /// Time that runs `factor` times faster from `start` on.
    pub(super) fn new(factor: f64, start: Instant) -> Self {
        Self { factor, passed: Mutex::new(ScaledElapsed { counted: Duration::ZERO, looked: start }) }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock room")]
    pub(super) fn counted(&self) -> Duration {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let gone = now.saturating_duration_since(passed.looked);
        passed.counted += gone.min(HICCUP);
        passed.looked += gone;
        passed.counted
    }

    /// Reads the clock repeatedly, so that time passes for every caller while one sleeps.
    pub(super) async fn sleep(&self, duration: Duration) {
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
