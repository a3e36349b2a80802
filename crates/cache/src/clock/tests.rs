//! The clock with paused time, scaled time, and scripted suspend detectors.

use std::sync::atomic::AtomicI64;

use super::suspend_detector::LOOKS;
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

/// A clock whose machine was suspended for this many milliseconds.
fn sleeping(clock: Clock, slept_ms: &Arc<AtomicU64>) -> Clock {
    let slept_ms = Arc::clone(slept_ms);
    clock.with_suspend_detector(SuspendDetector::counting(move || slept_ms.load(Ordering::Relaxed)))
}

/// A clock with a wall clock as detector that is ahead by this many milliseconds.
fn beside_wall(clock: Clock, by_ms: &Arc<AtomicI64>) -> Clock {
    let (counts, by_ms) = (clock.clone(), Arc::clone(by_ms));
    clock.with_suspend_detector(SuspendDetector::wall(move || {
        (counts.now_us() / 1000).saturating_add_signed(by_ms.load(Ordering::Relaxed))
    }))
}

/// Reads the detector once.
fn look(clock: &Clock) -> Option<ClockEvent> {
    look_again(clock, &mut SkewSamples::default())
}

fn look_again(clock: &Clock, doubt: &mut SkewSamples) -> Option<ClockEvent> {
    clock.check_suspend(clock.suspend_detector.as_ref().expect("it has one"), doubt)
}

#[tokio::test(start_paused = true)]
async fn it_leaps_when_the_machine_slept_and_never_goes_back() {
    let slept_ms = Arc::new(AtomicU64::new(0));
    let clock = sleeping(Clock::system(), &slept_ms);
    let began_ms = clock.now_ms();
    assert_eq!(look(&clock), None);
    slept_ms.store(2_000, Ordering::Relaxed);
    assert_eq!((look(&clock), clock.last_leap_ms()), (None, 0), "clocks are not that exact");
    slept_ms.store(millis(NIGHT), Ordering::Relaxed);
    assert_eq!(look(&clock), Some(ClockEvent::Advanced(NIGHT)));
    assert_eq!(look(&clock), None, "once");
    assert_eq!((clock.now_ms(), clock.last_leap_ms()), (began_ms + millis(NIGHT), began_ms + millis(NIGHT)));
    slept_ms.store(0, Ordering::Relaxed);
    assert_eq!((look(&clock), clock.now_ms()), (None, began_ms + millis(NIGHT)));
    slept_ms.store(2 * millis(NIGHT), Ordering::Relaxed);
    assert_eq!(look(&clock.clone()), Some(ClockEvent::Advanced(NIGHT)), "a clone is the same clock");
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
    let (clock, mut doubt) = (beside_wall(Clock::system(), &by_ms), SkewSamples::default());
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
    assert_eq!((clock.now_ms(), clock.last_leap_ms()), (began_ms, 0));
    by_ms.fetch_add(400, Ordering::Relaxed);
    let leap = 2 * NIGHT + Duration::from_millis(400);
    assert_eq!(look_again(&clock, &mut doubt), Some(ClockEvent::Advanced(leap)));
    assert_eq!((clock.now_ms(), clock.last_leap_ms()), (began_ms + millis(leap), began_ms + millis(leap)));
    by_ms.store(-night_ms(), Ordering::Relaxed);
    for _ in 0..=LOOKS {
        assert_eq!(look_again(&clock, &mut doubt), None, "it never goes back");
    }
}

#[tokio::test(start_paused = true)]
async fn a_walls_clock_that_is_years_ahead_is_not_believed_and_that_is_told_once() {
    let years = Duration::from_hours(2 * 365 * 24);
    let by_ms = Arc::new(AtomicI64::new(i64::try_from(millis(years)).expect("it fits")));
    let (clock, mut doubt) = (beside_wall(Clock::system(), &by_ms), SkewSamples::default());
    let began_ms = clock.now_ms();
    let told: Vec<ClockEvent> = (0..3 * LOOKS).filter_map(|_| look_again(&clock, &mut doubt)).collect();
    assert_eq!(told, [ClockEvent::Implausible(years)]);
    assert_eq!((clock.now_ms(), clock.last_leap_ms()), (began_ms, 0));
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
    assert_eq!(clock.wall_us(clock.now_us()) / 1000, clock.now_ms());
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
    let all = async { tokio::join!(falls_asleep, took(&real, nap), took(&real, sleep), took(&real, waits)) };
    tokio::select! {
        never = clock.follow(|noticed| assert_eq!(noticed, ClockEvent::Advanced(NIGHT))) => match never {},
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
