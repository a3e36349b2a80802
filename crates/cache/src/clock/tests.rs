//! The clock with paused time, scaled time, and scripted suspend detectors.

use std::sync::atomic::AtomicI64;
use std::time::Duration;

use super::suspend_detector::REQUIRED_SAMPLES;
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
async fn a_timeout_ends_a_future_that_never_completes() {
    let clock = Clock::scaled(10.0);
    let before = clock.now_ms();
    let outcome = clock.timeout(Duration::from_secs(5), std::future::pending::<()>()).await;
    assert!(outcome.is_err());
    assert_eq!(clock.now_ms() - before, 5000);
}

#[tokio::test(start_paused = true)]
async fn a_scaled_clock_stops_while_the_machine_is_suspended() {
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
fn check(clock: &Clock) -> Option<ClockEvent> {
    check_again(clock, &mut SkewSamples::default())
}

fn check_again(clock: &Clock, samples: &mut SkewSamples) -> Option<ClockEvent> {
    clock.check_suspend(clock.suspend_detector.as_ref().expect("it has one"), samples)
}

#[tokio::test(start_paused = true)]
async fn it_advances_after_a_suspend_and_never_goes_back() {
    let slept_ms = Arc::new(AtomicU64::new(0));
    let clock = sleeping(Clock::system(), &slept_ms);
    let began_ms = clock.now_ms();
    assert_eq!(check(&clock), None);
    slept_ms.store(2_000, Ordering::Relaxed);
    assert_eq!((check(&clock), clock.last_leap().as_millis()), (None, 0), "clocks are not that exact");
    slept_ms.store(millis(NIGHT), Ordering::Relaxed);
    assert_eq!(check(&clock), Some(ClockEvent::Advanced(NIGHT)));
    assert_eq!(check(&clock), None, "once");
    assert_eq!((clock.now_ms(), clock.last_leap().as_millis()), (began_ms + millis(NIGHT), began_ms + millis(NIGHT)));
    slept_ms.store(0, Ordering::Relaxed);
    assert_eq!((check(&clock), clock.now_ms()), (None, began_ms + millis(NIGHT)));
    slept_ms.store(2 * millis(NIGHT), Ordering::Relaxed);
    assert_eq!(check(&clock.clone()), Some(ClockEvent::Advanced(NIGHT)), "a clone is the same clock");
    assert_eq!(clock.now_ms(), began_ms + 2 * millis(NIGHT));
}

#[tokio::test(start_paused = true)]
async fn suspend_time_from_before_the_clock_started_is_not_added() {
    let slept_ms = Arc::new(AtomicU64::new(millis(NIGHT)));
    let clock = sleeping(Clock::system(), &slept_ms);
    assert_eq!(check(&clock), None);
}

#[tokio::test(start_paused = true)]
async fn the_wall_clock_is_accepted_after_several_equal_samples() {
    let by_ms = Arc::new(AtomicI64::new(night_ms()));
    let (clock, mut samples) = (beside_wall(Clock::system(), &by_ms), SkewSamples::default());
    let began_ms = clock.now_ms();
    for _ in 1..REQUIRED_SAMPLES {
        assert_eq!(check_again(&clock, &mut samples), None);
    }
    by_ms.store(0, Ordering::Relaxed);
    assert_eq!(check_again(&clock, &mut samples), None, "it was put right");
    by_ms.store(night_ms(), Ordering::Relaxed);
    for _ in 1..REQUIRED_SAMPLES {
        assert_eq!(check_again(&clock, &mut samples), None, "it is counted anew");
    }
    by_ms.store(2 * night_ms(), Ordering::Relaxed);
    for _ in 1..REQUIRED_SAMPLES {
        assert_eq!(check_again(&clock, &mut samples), None, "it says something else");
    }
    assert_eq!((clock.now_ms(), clock.last_leap().as_millis()), (began_ms, 0));
    by_ms.fetch_add(400, Ordering::Relaxed);
    let leap = 2 * NIGHT + Duration::from_millis(400);
    assert_eq!(check_again(&clock, &mut samples), Some(ClockEvent::Advanced(leap)));
    assert_eq!((clock.now_ms(), clock.last_leap().as_millis()), (began_ms + millis(leap), began_ms + millis(leap)));
    by_ms.store(-night_ms(), Ordering::Relaxed);
    for _ in 0..=REQUIRED_SAMPLES {
        assert_eq!(check_again(&clock, &mut samples), None, "it never goes back");
    }
}

#[tokio::test(start_paused = true)]
async fn an_implausible_wall_clock_is_ignored_and_reported_once() {
    let years = Duration::from_hours(2 * 365 * 24);
    let by_ms = Arc::new(AtomicI64::new(i64::try_from(millis(years)).expect("it fits")));
    let (clock, mut samples) = (beside_wall(Clock::system(), &by_ms), SkewSamples::default());
    let began_ms = clock.now_ms();
    let events: Vec<ClockEvent> = (0..3 * REQUIRED_SAMPLES).filter_map(|_| check_again(&clock, &mut samples)).collect();
    assert_eq!(events, [ClockEvent::Implausible(years)]);
    assert_eq!((clock.now_ms(), clock.last_leap().as_millis()), (began_ms, 0));
}

#[tokio::test(start_paused = true)]
async fn suspend_time_is_no_part_of_a_measured_duration() {
    let slept_ms = Arc::default();
    let clock = sleeping(Clock::system(), &slept_ms);
    let began_us = clock.now_us();
    slept_ms.store(millis(NIGHT), Ordering::Relaxed);
    assert!(check(&clock).is_some());
    clock.sleep(Duration::from_millis(30)).await;
    assert_eq!(clock.since(began_us), Duration::from_millis(30));
    assert_eq!(clock.wall_us(clock.now_us()) / 1000, clock.now_ms());
}

#[tokio::test(start_paused = true)]
async fn a_sleep_ends_on_time_after_a_suspend_and_a_timeout_runs_on() {
    let slept_ms = Arc::default();
    let (clock, real) = (sleeping(Clock::scaled(2.0), &slept_ms), Clock::system());
    let (short_sleep, sleep) = (clock.sleep(NIGHT), clock.sleep(NIGHT + Duration::from_mins(1)));
    let waits = clock.timeout(Duration::from_mins(10), std::future::pending::<()>());
    let falls_asleep = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        slept_ms.store(millis(NIGHT), Ordering::Relaxed);
    };
    let all = async { tokio::join!(falls_asleep, took(&real, short_sleep), took(&real, sleep), took(&real, waits)) };
    tokio::select! {
        never = clock.follow(|event| assert_eq!(event, ClockEvent::Advanced(NIGHT))) => match never {},
        ((), short_sleep, sleep, waits) = all => {
            let seconds = [short_sleep, sleep, waits].map(|took| took.as_secs());
            assert_eq!(seconds, [2, 30, 300], "after the look, half of what is left, and all of it");
        }
    }
}

async fn took(real: &Clock, work: impl Future) -> Duration {
    let began_us = real.now_us();
    work.await;
    real.since(began_us)
}
