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
            let remaining = IDLE_TIMEOUT.saturating_sub(self.clock.since(self.active_us.load(Ordering::Relaxed)));
            if remaining.is_zero() {
                return;
            }
            let _ = self.clock.timeout(remaining, pending::<()>()).await; // a sleep that leaves out system suspend
        }
    }
}

#[cfg(test)]
mod tests {
    use greenroom_cache::Timestamp;
    use std::sync::Arc;

    use greenroom_cache::SuspendDetector;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_socket_expires_half_an_hour_after_the_last_message() {
        let clock = Clock::system();
        let (timer, started_us) = (IdleTimer::start(clock.clone()), clock.now_us());
        let send_message = async {
            clock.sleep(IDLE_TIMEOUT / 2).await;
            timer.reset();
        };
        tokio::join!(timer.expired(), send_message);
        assert_eq!(clock.since(started_us).as_secs(), (IDLE_TIMEOUT + IDLE_TIMEOUT / 2).as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn system_suspend_does_not_count_as_idle_time() {
        let suspended_ms = Arc::new(AtomicU64::new(0));
        let detector_ms = Arc::clone(&suspended_ms);
        let clock = Clock::system()
            .with_suspend_detector(SuspendDetector::counting(move || detector_ms.load(Ordering::Relaxed)));
        let (timer, started_us) = (IdleTimer::start(clock.clone()), clock.now_us());
        let suspend = async {
            tokio::time::sleep(IDLE_TIMEOUT / 3).await;
            suspended_ms.store(8 * 3_600_000, Ordering::Relaxed);
        };
        tokio::select! {
            never = clock.follow(drop) => match never {},
            _ = async { tokio::join!(timer.expired(), suspend) } => {}
        }
        assert!(clock.last_leap() > Timestamp::UNIX_EPOCH);
        assert_eq!(clock.since(started_us).as_secs(), IDLE_TIMEOUT.as_secs());
    }
}
