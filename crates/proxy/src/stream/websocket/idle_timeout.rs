//! Idle timeout of a socket.

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;

/// A socket without a message for this time is closed. Both servers and all known clients ping more often.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// Time since the last message, without system suspend.
#[derive(Debug)]
pub(super) struct IdleTimer {
    clock: Clock,
    active_us: AtomicU64,
}

impl IdleTimer {
    /// Starts now.
    pub(super) fn start(clock: Clock) -> Self {
        Self { active_us: AtomicU64::new(clock.now_us()), clock }
    }

    /// Records a message.
    pub(super) fn reset(&self) {
        self.active_us.store(self.clock.now_us(), Ordering::Relaxed);
    }

    /// Ends when neither side has sent a message for [`IDLE_TIMEOUT`]: one of them vanished.
    pub(super) async fn expired(&self) {
        loop {
            let left = IDLE_TIMEOUT.saturating_sub(self.clock.since(self.active_us.load(Ordering::Relaxed)));
            if left.is_zero() {
                return;
            }
            drop(self.clock.timeout(left, pending::<()>()).await);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use greenroom_cache::SuspendDetector;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_socket_is_too_quiet_half_an_hour_after_the_last_word() {
        let clock = Clock::system();
        let (quiet, began_us) = (IdleTimer::start(clock.clone()), clock.now_us());
        let speaks = async {
            clock.sleep(IDLE_TIMEOUT / 2).await;
            quiet.reset();
        };
        tokio::join!(quiet.expired(), speaks);
        assert_eq!(clock.since(began_us).as_secs(), (IDLE_TIMEOUT + IDLE_TIMEOUT / 2).as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_outlives_the_night_over_which_the_machine_slept() {
        let slept_ms = Arc::new(AtomicU64::new(0));
        let told_ms = Arc::clone(&slept_ms);
        let clock =
            Clock::system().with_suspend_detector(SuspendDetector::counting(move || told_ms.load(Ordering::Relaxed)));
        let (quiet, began_us) = (IdleTimer::start(clock.clone()), clock.now_us());
        let falls_asleep = async {
            tokio::time::sleep(IDLE_TIMEOUT / 3).await;
            slept_ms.store(8 * 3_600_000, Ordering::Relaxed);
        };
        tokio::select! {
            never = clock.follow(drop) => match never {},
            _ = async { tokio::join!(quiet.expired(), falls_asleep) } => {}
        }
        assert!(clock.last_leap_ms() > 0);
        assert_eq!(clock.since(began_us).as_secs(), IDLE_TIMEOUT.as_secs());
    }
}
