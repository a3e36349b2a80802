//! For how long nobody says anything on a socket.

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;

/// A socket on which nobody says anything for so long is closed. Both servers and all clients known ping more often.
const SILENCE: Duration = Duration::from_secs(30 * 60);

/// The quiet since somebody last said something. While the machine sleeps nobody can, so that is no part of it.
#[derive(Debug)]
pub(super) struct Quiet {
    clock: Clock,
    heard_us: AtomicU64,
}

impl Quiet {
    /// From now on.
    pub(super) fn begin(clock: Clock) -> Self {
        Self { heard_us: AtomicU64::new(clock.now_us()), clock }
    }

    /// Somebody said something.
    pub(super) fn heard(&self) {
        self.heard_us.store(self.clock.now_us(), Ordering::Relaxed);
    }

    /// Ends when neither side has said anything for [`SILENCE`]: one of them is gone without a word.
    pub(super) async fn is_too_long(&self) {
        loop {
            let left = SILENCE.saturating_sub(self.clock.since(self.heard_us.load(Ordering::Relaxed)));
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

    use greenroom_cache::Witness;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_socket_is_too_quiet_half_an_hour_after_the_last_word() {
        let clock = Clock::system();
        let (quiet, began_us) = (Quiet::begin(clock.clone()), clock.now_us());
        let speaks = async {
            clock.sleep(SILENCE / 2).await;
            quiet.heard();
        };
        tokio::join!(quiet.is_too_long(), speaks);
        assert_eq!(clock.since(began_us).as_secs(), (SILENCE + SILENCE / 2).as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_outlives_the_night_over_which_the_machine_slept() {
        let slept_ms = Arc::new(AtomicU64::new(0));
        let told_ms = Arc::clone(&slept_ms);
        let clock = Clock::system().beside(Witness::counting(move || told_ms.load(Ordering::Relaxed)));
        let (quiet, began_us) = (Quiet::begin(clock.clone()), clock.now_us());
        let falls_asleep = async {
            tokio::time::sleep(SILENCE / 3).await;
            slept_ms.store(8 * 3_600_000, Ordering::Relaxed);
        };
        tokio::select! {
            never = clock.follow(drop) => match never {},
            _ = async { tokio::join!(quiet.is_too_long(), falls_asleep) } => {}
        }
        assert!(clock.landed_ms() > 0);
        assert_eq!(clock.since(began_us).as_secs(), SILENCE.as_secs());
    }
}
