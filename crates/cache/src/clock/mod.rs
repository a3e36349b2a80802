//! The one room where time comes from.
//!
//! Everything else receives `now` as an argument. The clock counts monotonically from the wall time at its
//! creation, so a wall clock that steps back cannot extend a life, and it stands still or jumps with tokio's paused
//! time, so tests of lifetimes are exact and instant.
//!
//! What it counts by stands still while the machine sleeps. So whoever owns the clock lets it follow a witness
//! ([`Clock::follow`]): once that knows of sleep, the clock leaps forward. It never goes back. On Linux the system counts
//! the sleep itself, and nobody can set that. Elsewhere the witness is the wall's clock, which anybody can set and
//! which may be wrong for a moment: it is believed only once it has said the same for a while.
//!
//! Rooms: `witness` (who knows of sleep, and when he is believed), `pace` (time that runs faster).

mod pace;
mod witness;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::Instant;

use pace::Pace;
pub use witness::Witness;
use witness::{Doubt, Knows};

/// How often the witness is asked.
const LOOK: Duration = Duration::from_secs(1);
/// A witness is ahead by this much only if the machine slept, or if somebody set the wall's clock.
const LEAP_MS: u64 = 2_000;
/// A clock that may run faster than the wall's. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock {
    base_ms: u64,
    start: Instant,
    /// `None` if it runs as time does.
    pace: Option<Arc<Pace>>,
    /// What it follows; `None` if nothing, because it runs faster.
    witness: Option<Witness>,
    leaps: Arc<Leaps>,
}

/// By how much the clock went ahead of what it counts by.
#[derive(Debug, Default)]
struct Leaps {
    sum_ms: AtomicU64,
    /// Where the last one ended.
    landed_ms: AtomicU64,
    /// Rings for all who sleep.
    bell: Notify,
}

/// What a clock that follows a witness tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noticed {
    /// It leapt by so much.
    Leapt(Duration),
    /// The wall's clock is ahead by so much, which is not believed. Told once.
    Incredible(Duration),
}

/// What was waited for did not come in time.
#[derive(Debug)]
pub struct Elapsed;

impl Clock {
    /// A clock that runs as fast as time does.
    pub fn system() -> Self {
        Self::started(None).beside(Witness::system())
    }

    /// A clock on which time runs `factor` times faster, and not while the machine stands still: for demonstrations.
    /// A factor that is not a positive number counts as 1. It follows no witness.
    pub fn scaled(factor: f64) -> Self {
        Self::started(Some(if factor.is_finite() && factor > 0.0 { factor } else { 1.0 }))
    }

    /// The same, which follows this witness.
    #[must_use]
    pub fn beside(self, witness: Witness) -> Self {
        Self { witness: Some(witness), ..self }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock room")]
    fn started(factor: Option<f64>) -> Self {
        let start = Instant::now();
        let pace = factor.map(|factor| Arc::new(Pace::new(factor, start)));
        Self { base_ms: system_ms(), start, pace, witness: None, leaps: Arc::default() }
    }

    /// Milliseconds since the Unix epoch: wall time when the clock was made, plus (scaled) monotonic time since, plus
    /// what it leapt.
    pub fn now_ms(&self) -> u64 {
        self.base_ms + millis(self.elapsed()) + self.leapt_ms()
    }

    /// In microseconds, for measuring how long something takes: what the clock leaps is no part of it, for nothing ran
    /// meanwhile.
    pub fn now_us(&self) -> u64 {
        let elapsed_us = u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX);
        (self.base_ms * 1000).saturating_add(elapsed_us)
    }

    /// How long it takes since [`Clock::now_us`] gave `began_us`.
    pub fn since(&self, began_us: u64) -> Duration {
        Duration::from_micros(self.now_us().saturating_sub(began_us))
    }

    /// The same in whole milliseconds.
    pub fn since_ms(&self, began_us: u64) -> u64 {
        millis(self.since(began_us))
    }

    /// Which moment it is if [`Clock::now_us`] just gave `measured_us`: microseconds since the Unix epoch.
    pub fn moment_us(&self, measured_us: u64) -> u64 {
        measured_us.saturating_add(self.leapt_ms().saturating_mul(1000))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock room")]
    fn elapsed(&self) -> Duration {
        match &self.pace {
            None => Instant::now().saturating_duration_since(self.start),
            Some(pace) => pace.counted().mul_f64(pace.factor),
        }
    }

    fn leapt_ms(&self) -> u64 {
        self.leaps.sum_ms.load(Ordering::Relaxed)
    }

    /// To which moment it leapt last; 0 if it never did. What fell due before that and did not run was slept over.
    pub fn landed_ms(&self) -> u64 {
        self.leaps.landed_ms.load(Ordering::Relaxed)
    }

    /// Follows its witness as long as this is awaited. Within a second after the machine woke, this clock leaps there,
    /// and `tell` hears of it; by the wall's clock it takes some seconds more. One that was set back is ignored.
    pub async fn follow(&self, tell: impl Fn(Noticed)) -> Infallible {
        let Some(witness) = &self.witness else { return std::future::pending().await };
        let mut doubt = Doubt::default();
        loop {
            if let Some(noticed) = self.look(witness, &mut doubt) {
                tell(noticed);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Asks the witness, and leaps if that is to be.
    fn look(&self, witness: &Witness, doubt: &mut Doubt) -> Option<Noticed> {
        let leapt_ms = self.leapt_ms();
        let ahead_ms = self.behind_ms(witness).checked_sub(leapt_ms).filter(|ahead_ms| *ahead_ms > LEAP_MS);
        let noticed = match &witness.0 {
            Knows::Sleep { .. } => Noticed::Leapt(Duration::from_millis(ahead_ms?)),
            Knows::Wall(_) => doubt.weigh(ahead_ms)?,
        };
        if let Noticed::Leapt(leap) = noticed {
            // However many look at once: all leap to the same place.
            self.leaps.sum_ms.fetch_max(leapt_ms + millis(leap), Ordering::Relaxed);
            self.leaps.landed_ms.fetch_max(self.now_ms(), Ordering::Relaxed);
            self.leaps.bell.notify_waiters();
        }
        Some(noticed)
    }

    /// By how much what it counts by is behind the witness.
    fn behind_ms(&self, witness: &Witness) -> u64 {
        match &witness.0 {
            Knows::Sleep { told_ms, before_ms } => told_ms().saturating_sub(*before_ms),
            Knows::Wall(told_ms) => told_ms().saturating_sub(self.base_ms + millis(self.elapsed())),
        }
    }

    /// Sleeps for `duration` of this clock's time. What it leaps meanwhile is slept.
    pub async fn sleep(&self, duration: Duration) {
        let before_ms = self.leapt_ms();
        let end = self.elapsed().saturating_add(duration);
        loop {
            let mut leap = std::pin::pin!(self.leaps.bell.notified());
            // From here on no leap goes unheard; and those until here are looked at.
            leap.as_mut().enable();
            let leapt = Duration::from_millis(self.leapt_ms().saturating_sub(before_ms));
            let left = end.saturating_sub(leapt).saturating_sub(self.elapsed());
            if !leapt.is_zero() && left.is_zero() {
                return;
            }
            tokio::select! {
                () = self.nap(left) => return,
                () = leap => {}
            }
        }
    }

    /// Sleeps for so long of what it counts by.
    async fn nap(&self, duration: Duration) {
        match &self.pace {
            None => tokio::time::sleep(duration).await,
            Some(pace) => pace.sleep(duration.div_f64(pace.factor)).await,
        }
    }

    /// Waits for `future`, but no longer than `duration` of this clock's time. What it leaps does not count: while the
    /// machine slept, nothing could come.
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

#[expect(clippy::disallowed_methods, reason = "this is the clock room")]
fn system_ms() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Whole milliseconds, saturating.
pub(crate) fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1000).saturating_add(u64::from(duration.subsec_millis()))
}

#[cfg(test)]
mod tests;
