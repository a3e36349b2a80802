//! System suspend: entries age meanwhile, although the monotonic clock stood still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::task::TaskTracker;

use super::fixture::{CacheFixture, POLICY, ScriptedSource, said, settle};
use crate::CacheStatus::{Hit, Loaded, Stale};
use crate::*;

/// A fixture, and the seconds its machine was suspended.
fn stage(open: impl FnOnce(Clock, TaskTracker) -> Cache) -> (CacheFixture, Arc<AtomicU64>) {
    let slept_s = Arc::new(AtomicU64::new(0));
    let slept = Arc::clone(&slept_s);
    let witness = SuspendDetector::counting(move || 1000 * slept.load(Ordering::Relaxed));
    let (clock, tasks) = (Clock::system().with_suspend_detector(witness), TaskTracker::new());
    let cache = open(clock.clone(), tasks.clone());
    (CacheFixture { cache, source: ScriptedSource::default(), clock, policy: POLICY, tasks }, slept_s)
}

/// Suspends the machine for this long, and wakes it.
async fn sleep(stage: &CacheFixture, slept_s: &AtomicU64, seconds: u64) {
    slept_s.fetch_add(seconds, Ordering::Relaxed);
    let landed_ms = stage.clock.last_leap_ms();
    tokio::select! {
        never = stage.clock.follow(drop) => match never {},
        () = settle() => {}
    }
    assert_ne!(stage.clock.last_leap_ms(), landed_ms, "it looks at once, and leaps");
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_is_as_old_as_it_is_when_the_machine_wakes() {
    let (stage, slept_s) = stage(|clock, tasks| Cache::new(CacheSettings::default(), clock, tasks));
    assert_eq!(said(&stage.read("/a").await), (Loaded, "anna v0".into()));
    stage.source.write("/a");
    sleep(&stage, &slept_s, 60).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v0".into()), "fresh for 100 s");
    sleep(&stage, &slept_s, 60).await;
    assert_eq!(said(&stage.read("/a").await), (Stale, "anna v0".into()));
    stage.settle_tasks().await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v1".into()), "it was refreshed behind");
    stage.source.write("/a");
    sleep(&stage, &slept_s, 8 * 3600).await;
    assert_eq!(said(&stage.read("/a").await).1, "anna v2", "after a night it is as good as none");
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_during_which_the_machine_slept_took_as_long_as_it_ran() {
    let (stage, slept_s) = stage(|clock, tasks| Cache::new(CacheSettings::default(), clock, tasks));
    stage.source.takes("/a", 2_000);
    let reader = stage.reader("/a").await;
    sleep(&stage, &slept_s, 8 * 3600).await;
    assert_eq!(said(&reader.await.expect("it ends")), (Loaded, "anna v0".into()));
    let took_ms = stage.class().load_times.sum_ms;
    assert!(took_ms <= 2_000, "nobody worked while it slept: {took_ms}");
    stage.strike(1).await;
}
