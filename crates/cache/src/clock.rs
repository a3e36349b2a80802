//! The one room where time comes from.
//!
//! Everything else receives `now` as an argument. The clock counts monotonically from the wall time at its
//! creation, so a wall clock that steps back cannot extend a life, and it stands still or jumps with tokio's paused
//! time, so tests of lifetimes are exact and instant.
//!
//! What it counts by stands still while the machine sleeps. So whoever owns the clock lets it follow the wall's
//! ([`Clock::follow_wall`]): once that is ahead, the clock leaps forward. It never goes back.

use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::Instant;

/// So much counts at most between two looks at a clock with a pace of its own. Whoever sleeps looks twice as often.
const HICCUP: Duration = Duration::from_millis(20);

/// How often it is looked whether the wall's clock is ahead.
const LOOK: Duration = Duration::from_secs(1);
/// The wall's clock is ahead by this much only if the machine slept, or if somebody set it.
const LEAP_MS: u64 = 2_000;

/// A clock that may run faster than the wall's. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock {
    base_ms: u64,
    start: Instant,
    /// `None` if it runs as time does.
    pace: Option<Arc<Pace>>,
    /// What it follows; `None` if nothing, because it runs faster.
    wall: Option<Wall>,
    leaps: Arc<Leaps>,
}

/// What the wall's clock says, in milliseconds since the Unix epoch.
#[derive(Clone)]
pub struct Wall(Arc<dyn Fn() -> u64 + Send + Sync>);

/// By how much the clock went ahead of what it counts by.
#[derive(Debug, Default)]
struct Leaps {
    sum_ms: AtomicU64,
    /// Where the last one ended.
    landed_ms: AtomicU64,
    /// Rings for all who sleep.
    bell: Notify,
}

impl Wall {
    /// The machine's.
    pub fn system() -> Self {
        Self::telling(system_ms)
    }

    /// One that says what it is told to say.
    pub fn telling(told_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(told_ms))
    }
}

impl std::fmt::Debug for Wall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Wall").field(&(self.0)()).finish()
    }
}

/// How time passes on a clock that is not the wall's: faster, and not while nobody looks. Where a second is a minute,
/// a machine that stops for a moment would let everything run out at once.
#[derive(Debug)]
struct Pace {
    factor: f64,
    passed: Mutex<Passed>,
}

#[derive(Debug)]
struct Passed {
    /// Of the wall's time: what counts.
    counted: Duration,
    looked: Instant,
}

/// What was waited for did not come in time.
#[derive(Debug)]
pub struct Elapsed;

impl Clock {
    /// A clock that runs as fast as time does.
    pub fn system() -> Self {
        Self::started(None).beside(Wall::system())
    }

    /// A clock on which time runs `factor` times faster, and not while the machine stands still: for demonstrations.
    /// A factor that is not a positive number counts as 1. It follows no wall's clock.
    pub fn scaled(factor: f64) -> Self {
        Self::started(Some(if factor.is_finite() && factor > 0.0 { factor } else { 1.0 }))
    }

    /// The same, which follows this wall's clock.
    #[must_use]
    pub fn beside(self, wall: Wall) -> Self {
        Self { wall: Some(wall), ..self }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock room")]
    fn started(factor: Option<f64>) -> Self {
        let start = Instant::now();
        let passed = Passed { counted: Duration::ZERO, looked: start };
        let pace = factor.map(|factor| Arc::new(Pace { factor, passed: Mutex::new(passed) }));
        Self { base_ms: system_ms(), start, pace, wall: None, leaps: Arc::default() }
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

    /// Follows the wall's clock as long as this is awaited. Within a second after the machine woke, or after somebody
    /// set its clock ahead, this clock leaps there, and `tell` hears by how much. One that was set back is ignored.
    pub async fn follow_wall(&self, tell: impl Fn(Duration)) -> Infallible {
        if self.wall.is_none() {
            std::future::pending::<()>().await;
        }
        loop {
            if let Some(leap) = self.catch_up() {
                tell(leap);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Leaps to where the wall's clock is, if that is ahead.
    fn catch_up(&self) -> Option<Duration> {
        let wall_ms = (self.wall.as_ref()?.0)();
        let leapt_ms = self.leapt_ms();
        let own_ms = self.base_ms + millis(self.elapsed()) + leapt_ms;
        let ahead_ms = wall_ms.checked_sub(own_ms).filter(|ahead_ms| *ahead_ms > LEAP_MS)?;
        // However many look at once: all leap to the same place.
        self.leaps.sum_ms.fetch_max(leapt_ms + ahead_ms, Ordering::Relaxed);
        self.leaps.landed_ms.fetch_max(wall_ms, Ordering::Relaxed);
        self.leaps.bell.notify_waiters();
        Some(Duration::from_millis(ahead_ms))
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

impl Pace {
    #[expect(clippy::disallowed_methods, reason = "this is the clock room")]
    fn counted(&self) -> Duration {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let gone = now.saturating_duration_since(passed.looked);
        passed.counted += gone.min(HICCUP);
        passed.looked += gone;
        passed.counted
    }

    /// Looks again and again, so that time passes for everybody while somebody sleeps.
    async fn sleep(&self, duration: Duration) {
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

#[expect(clippy::disallowed_methods, reason = "this is the clock room")]
fn system_ms() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Whole milliseconds, saturating.
pub(crate) fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1000).saturating_add(u64::from(duration.subsec_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_follows_paused_time() {
        let clock = Clock::system();
        let before = clock.now_ms();
        clock.sleep(Duration::from_millis(1500)).await;
        assert_eq!(clock.now_ms() - before, 1500);
        assert_eq!(clock.now_us() / 1000, clock.now_ms());
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_runs_faster_and_sleeps_shorter() {
        let (clock, wall) = (Clock::scaled(60.0), Clock::system());
        let (before, wall_before) = (clock.now_ms(), wall.now_ms());
        clock.sleep(Duration::from_mins(2)).await;
        assert_eq!(wall.now_ms() - wall_before, 2000);
        assert_eq!(clock.now_ms() - before, 120_000);
        assert_eq!(clock.real(Duration::from_mins(1)), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_ends_what_never_ends() {
        let clock = Clock::scaled(10.0);
        let before = clock.now_ms();
        let outcome = clock.timeout(Duration::from_secs(5), std::future::pending::<()>()).await;
        assert!(outcome.is_err());
        assert_eq!(clock.now_ms() - before, 5000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_does_not_run_while_the_machine_stands_still() {
        let (clock, wall) = (Clock::scaled(30.0), Clock::system());
        let (before, wall_before) = (clock.now_ms(), wall.now_ms());
        let mut sleeping = std::pin::pin!(clock.sleep(Duration::from_secs(30)));
        assert!(futures_util::poll!(sleeping.as_mut()).is_pending());
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(futures_util::poll!(sleeping.as_mut()).is_pending(), "five seconds were one look");
        assert_eq!(clock.now_ms() - before, 600);
        sleeping.await;
        assert_eq!((clock.now_ms() - before, wall.now_ms() - wall_before), (30_000, 5_980));
    }

    #[test]
    fn a_nonsense_factor_counts_as_one() {
        for factor in [0.0, -3.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Clock::scaled(factor).real(Duration::from_secs(1)), Duration::from_secs(1));
        }
    }

    const NIGHT: Duration = Duration::from_hours(8);

    /// A wall's clock that runs with `clock`, and stands so many milliseconds beside it.
    fn beside(clock: Clock, by_ms: &Arc<std::sync::atomic::AtomicI64>) -> Clock {
        let (counts, by_ms) = (clock.clone(), Arc::clone(by_ms));
        clock.beside(Wall::telling(move || {
            (counts.now_us() / 1000).saturating_add_signed(by_ms.load(Ordering::Relaxed))
        }))
    }

    fn night_ms() -> i64 {
        i64::try_from(NIGHT.as_millis()).expect("it fits")
    }

    #[tokio::test(start_paused = true)]
    async fn it_leaps_when_the_machine_slept_and_never_goes_back() {
        let by_ms = Arc::default();
        let clock = beside(Clock::system(), &by_ms);
        let began_ms = clock.now_ms();
        assert_eq!(clock.catch_up(), None);
        by_ms.store(2_000, Ordering::Relaxed);
        assert_eq!((clock.catch_up(), clock.landed_ms()), (None, 0), "clocks are not that exact");
        by_ms.store(night_ms(), Ordering::Relaxed);
        assert_eq!(clock.catch_up(), Some(NIGHT));
        assert_eq!(clock.catch_up(), None, "once");
        assert_eq!((clock.now_ms(), clock.landed_ms()), (began_ms + millis(NIGHT), began_ms + millis(NIGHT)));
        by_ms.store(-night_ms(), Ordering::Relaxed);
        assert_eq!((clock.catch_up(), clock.now_ms()), (None, began_ms + millis(NIGHT)));
        by_ms.store(2 * night_ms(), Ordering::Relaxed);
        assert_eq!(clock.clone().catch_up(), Some(NIGHT), "a clone is the same clock");
        assert_eq!(clock.now_ms(), began_ms + 2 * millis(NIGHT));
    }

    #[tokio::test(start_paused = true)]
    async fn what_it_leaps_is_no_part_of_how_long_something_takes() {
        let by_ms = Arc::default();
        let clock = beside(Clock::system(), &by_ms);
        let began_us = clock.now_us();
        by_ms.store(night_ms(), Ordering::Relaxed);
        clock.catch_up();
        clock.sleep(Duration::from_millis(30)).await;
        assert_eq!(clock.since(began_us), Duration::from_millis(30));
        assert_eq!(clock.moment_us(clock.now_us()) / 1000, clock.now_ms());
    }

    #[tokio::test(start_paused = true)]
    async fn who_sleeps_wakes_after_a_leap_when_he_would_have_and_who_waits_goes_on() {
        let by_ms = Arc::default();
        let (clock, real) = (beside(Clock::scaled(2.0), &by_ms), Clock::system());
        let (nap, sleep) = (clock.sleep(NIGHT), clock.sleep(NIGHT + Duration::from_mins(1)));
        let waits = clock.timeout(Duration::from_mins(10), std::future::pending::<()>());
        let falls_asleep = async {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            by_ms.store(night_ms(), Ordering::Relaxed);
        };
        let all =
            async { tokio::join!(falls_asleep, took(&real, nap), took(&real, sleep), took(&real, waits)) };
        tokio::select! {
            never = clock.follow_wall(|leap| assert_eq!(leap, NIGHT)) => match never {},
            ((), nap, sleep, waits) = all => {
                let seconds = [nap, sleep, waits].map(|took| took.as_secs());
                assert_eq!(seconds, [2, 30, 300], "after the look, half of what is left, and all of it");
            }
        }
    }

    async fn took(real: &Clock, work: impl Future) -> Duration {
        let began_us = real.now_us();
        work.await;
        real.since(began_us)
    }
}
