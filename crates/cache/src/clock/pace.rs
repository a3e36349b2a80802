//! How time passes on a clock that is not the wall's.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So much counts at most between two looks at a clock with a pace of its own. Whoever sleeps looks twice as often.
const HICCUP: Duration = Duration::from_millis(20);

/// Time passes faster, and not while nobody looks. Where a second is a minute,
/// a machine that stops for a moment would let everything run out at once.
#[derive(Debug)]
pub(super) struct Pace {
    pub(super) factor: f64,
    passed: Mutex<Passed>,
}

#[derive(Debug)]
struct Passed {
    /// Of the wall's time: what counts.
    counted: Duration,
    looked: Instant,
}

impl Pace {
    /// Time that runs `factor` times faster from `start` on.
    pub(super) fn new(factor: f64, start: Instant) -> Self {
        Self { factor, passed: Mutex::new(Passed { counted: Duration::ZERO, looked: start }) }
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

    /// Looks again and again, so that time passes for everybody while somebody sleeps.
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
