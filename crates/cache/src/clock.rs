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

use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::Instant;

/// So much counts at most between two looks at a clock with a pace of its own. Whoever sleeps looks twice as often.
const HICCUP: Duration = Duration::from_millis(20);

/// How often the witness is asked.
const LOOK: Duration = Duration::from_secs(1);
/// A witness is ahead by this much only if the machine slept, or if somebody set the wall's clock.
const LEAP_MS: u64 = 2_000;
/// The wall's clock is believed when it was ahead by the same at so many looks in a row.
const LOOKS: u32 = 5;
/// What counts as the same.
const SAME_MS: u64 = 1_000;
/// A wall's clock that is ahead by more is not believed at all.
const MOST_AHEAD_MS: u64 = 30 * 24 * 3_600_000;

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

/// Who knows for how long the machine slept.
#[derive(Clone)]
pub struct Witness(Knows);

type Told = Arc<dyn Fn() -> u64 + Send + Sync>;

#[derive(Clone)]
enum Knows {
    /// For how many milliseconds the machine slept in all, and for how many before this witness was called.
    Sleep { told_ms: Told, before_ms: u64 },
    /// What the wall's clock says, in milliseconds since the Unix epoch.
    Wall(Told),
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

/// What the wall's clock said at the last looks.
#[derive(Debug, Default)]
struct Doubt {
    ahead_ms: u64,
    /// At how many looks in a row it said so.
    looks: u32,
    has_told: bool,
}

impl Witness {
    /// The machine's: on Linux it counts its sleep.
    #[cfg(target_os = "linux")]
    pub fn system() -> Self {
        Self::counting(slept_ms)
    }

    /// The machine's: its wall's clock.
    #[cfg(not(target_os = "linux"))]
    pub fn system() -> Self {
        Self::wall(system_ms)
    }

    /// One that counts for how many milliseconds the machine slept in all.
    pub fn counting(told_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let before_ms = told_ms();
        Self(Knows::Sleep { told_ms: Arc::new(told_ms), before_ms })
    }

    /// A wall's clock that says what it is told to say, in milliseconds since the Unix epoch.
    pub fn wall(told_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Knows::Wall(Arc::new(told_ms)))
    }
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Knows::Sleep { told_ms, .. } => f.debug_tuple("Sleep").field(&told_ms()).finish(),
            Knows::Wall(told_ms) => f.debug_tuple("Wall").field(&told_ms()).finish(),
        }
    }
}

impl Doubt {
    /// What comes of a look at which the wall's clock was ahead by so much, or was not.
    fn weigh(&mut self, ahead_ms: Option<u64>) -> Option<Noticed> {
        let Some(ahead_ms) = ahead_ms else {
            self.looks = 0;
            return None;
        };
        let is_same = self.looks > 0 && ahead_ms.abs_diff(self.ahead_ms) <= SAME_MS;
        if !is_same {
            (self.ahead_ms, self.looks) = (ahead_ms, 0);
        }
        self.looks = self.looks.saturating_add(1);
        if self.looks < LOOKS {
            return None;
        }
        let ahead = Duration::from_millis(ahead_ms);
        if ahead_ms <= MOST_AHEAD_MS {
            self.looks = 0;
            return Some(Noticed::Leapt(ahead));
        }
        let has_told = std::mem::replace(&mut self.has_told, true);
        (!has_told).then_some(Noticed::Incredible(ahead))
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
        let passed = Passed { counted: Duration::ZERO, looked: start };
        let pace = factor.map(|factor| Arc::new(Pace { factor, passed: Mutex::new(passed) }));
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

/// For how long the machine slept since it started: what only counts while it is awake is behind by that.
#[cfg(target_os = "linux")]
fn slept_ms() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    let whole_ms = |clock| {
        let told = clock_gettime(clock);
        let seconds_ms = u64::try_from(told.tv_sec).unwrap_or_default().saturating_mul(1000);
        seconds_ms.saturating_add(u64::try_from(told.tv_nsec / 1_000_000).unwrap_or_default())
    };
    // In this order whatever holds us up between the two makes it less, never more.
    let in_all_ms = whole_ms(ClockId::Boottime);
    in_all_ms.saturating_sub(whole_ms(ClockId::Monotonic))
}

/// Whole milliseconds, saturating.
pub(crate) fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1000).saturating_add(u64::from(duration.subsec_millis()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

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

    fn night_ms() -> i64 {
        i64::try_from(NIGHT.as_millis()).expect("it fits")
    }

    /// A clock whose machine slept for so many milliseconds.
    fn sleeping(clock: Clock, slept_ms: &Arc<AtomicU64>) -> Clock {
        let slept_ms = Arc::clone(slept_ms);
        clock.beside(Witness::counting(move || slept_ms.load(Ordering::Relaxed)))
    }

    /// A clock beside a wall's that runs with it, and stands so many milliseconds beside it.
    fn beside_wall(clock: Clock, by_ms: &Arc<AtomicI64>) -> Clock {
        let (counts, by_ms) = (clock.clone(), Arc::clone(by_ms));
        clock.beside(Witness::wall(move || {
            (counts.now_us() / 1000).saturating_add_signed(by_ms.load(Ordering::Relaxed))
        }))
    }

    /// Asks the witness once.
    fn look(clock: &Clock) -> Option<Noticed> {
        look_again(clock, &mut Doubt::default())
    }

    fn look_again(clock: &Clock, doubt: &mut Doubt) -> Option<Noticed> {
        clock.look(clock.witness.as_ref().expect("it has one"), doubt)
    }

    #[tokio::test(start_paused = true)]
    async fn it_leaps_when_the_machine_slept_and_never_goes_back() {
        let slept_ms = Arc::new(AtomicU64::new(0));
        let clock = sleeping(Clock::system(), &slept_ms);
        let began_ms = clock.now_ms();
        assert_eq!(look(&clock), None);
        slept_ms.store(2_000, Ordering::Relaxed);
        assert_eq!((look(&clock), clock.landed_ms()), (None, 0), "clocks are not that exact");
        slept_ms.store(millis(NIGHT), Ordering::Relaxed);
        assert_eq!(look(&clock), Some(Noticed::Leapt(NIGHT)));
        assert_eq!(look(&clock), None, "once");
        assert_eq!((clock.now_ms(), clock.landed_ms()), (began_ms + millis(NIGHT), began_ms + millis(NIGHT)));
        slept_ms.store(0, Ordering::Relaxed);
        assert_eq!((look(&clock), clock.now_ms()), (None, began_ms + millis(NIGHT)));
        slept_ms.store(2 * millis(NIGHT), Ordering::Relaxed);
        assert_eq!(look(&clock.clone()), Some(Noticed::Leapt(NIGHT)), "a clone is the same clock");
        assert_eq!(clock.now_ms(), began_ms + 2 * millis(NIGHT));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_slept_before_the_clock_was_made_is_in_its_beginning_already() {
        let slept_ms = Arc::new(AtomicU64::new(millis(NIGHT)));
        let clock = sleeping(Clock::system(), &slept_ms);
        assert_eq!(look(&clock), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_walls_clock_is_believed_when_it_says_the_same_for_a_while() {
        let by_ms = Arc::new(AtomicI64::new(night_ms()));
        let (clock, mut doubt) = (beside_wall(Clock::system(), &by_ms), Doubt::default());
        let began_ms = clock.now_ms();
        for _ in 1..LOOKS {
            assert_eq!(look_again(&clock, &mut doubt), None);
        }
        by_ms.store(0, Ordering::Relaxed);
        assert_eq!(look_again(&clock, &mut doubt), None, "it was put right");
        by_ms.store(night_ms(), Ordering::Relaxed);
        for _ in 1..LOOKS {
            assert_eq!(look_again(&clock, &mut doubt), None, "it is counted anew");
        }
        by_ms.store(2 * night_ms(), Ordering::Relaxed);
        for _ in 1..LOOKS {
            assert_eq!(look_again(&clock, &mut doubt), None, "it says something else");
        }
        assert_eq!((clock.now_ms(), clock.landed_ms()), (began_ms, 0));
        by_ms.fetch_add(400, Ordering::Relaxed);
        let leap = 2 * NIGHT + Duration::from_millis(400);
        assert_eq!(look_again(&clock, &mut doubt), Some(Noticed::Leapt(leap)));
        assert_eq!((clock.now_ms(), clock.landed_ms()), (began_ms + millis(leap), began_ms + millis(leap)));
        by_ms.store(-night_ms(), Ordering::Relaxed);
        for _ in 0..=LOOKS {
            assert_eq!(look_again(&clock, &mut doubt), None, "it never goes back");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_walls_clock_that_is_years_ahead_is_not_believed_and_that_is_told_once() {
        let years = Duration::from_hours(2 * 365 * 24);
        let by_ms = Arc::new(AtomicI64::new(i64::try_from(millis(years)).expect("it fits")));
        let (clock, mut doubt) = (beside_wall(Clock::system(), &by_ms), Doubt::default());
        let began_ms = clock.now_ms();
        let told: Vec<Noticed> = (0..3 * LOOKS).filter_map(|_| look_again(&clock, &mut doubt)).collect();
        assert_eq!(told, [Noticed::Incredible(years)]);
        assert_eq!((clock.now_ms(), clock.landed_ms()), (began_ms, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_it_leaps_is_no_part_of_how_long_something_takes() {
        let slept_ms = Arc::default();
        let clock = sleeping(Clock::system(), &slept_ms);
        let began_us = clock.now_us();
        slept_ms.store(millis(NIGHT), Ordering::Relaxed);
        assert!(look(&clock).is_some());
        clock.sleep(Duration::from_millis(30)).await;
        assert_eq!(clock.since(began_us), Duration::from_millis(30));
        assert_eq!(clock.moment_us(clock.now_us()) / 1000, clock.now_ms());
    }

    #[tokio::test(start_paused = true)]
    async fn who_sleeps_wakes_after_a_leap_when_he_would_have_and_who_waits_goes_on() {
        let slept_ms = Arc::default();
        let (clock, real) = (sleeping(Clock::scaled(2.0), &slept_ms), Clock::system());
        let (nap, sleep) = (clock.sleep(NIGHT), clock.sleep(NIGHT + Duration::from_mins(1)));
        let waits = clock.timeout(Duration::from_mins(10), std::future::pending::<()>());
        let falls_asleep = async {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            slept_ms.store(millis(NIGHT), Ordering::Relaxed);
        };
        let all =
            async { tokio::join!(falls_asleep, took(&real, nap), took(&real, sleep), took(&real, waits)) };
        tokio::select! {
            never = clock.follow(|noticed| assert_eq!(noticed, Noticed::Leapt(NIGHT))) => match never {},
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
