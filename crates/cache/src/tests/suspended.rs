//! System suspend: entries age meanwhile, although the monotonic clock stood still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::fixture::{CacheFixture, POLICY, ScriptedSource, settle, status_and_text};
use crate::CacheStatus::{Hit, Loaded, Stale};
use crate::*;

/// A fixture, and the seconds its machine was suspended.
fn fixture(open: impl FnOnce(Clock, TaskTracker) -> Cache) -> (CacheFixture, Arc<AtomicU64>) {
    let suspended_s = Arc::new(AtomicU64::new(0));
    let suspended = Arc::clone(&suspended_s);
    let witness = SuspendDetector::counting(move || 1000 * suspended.load(Ordering::Relaxed));
    let (clock, tasks) = (Clock::system().with_suspend_detector(witness), TaskTracker::new());
    let cache = open(clock.clone(), tasks.clone());
    (CacheFixture { cache, source: ScriptedSource::default(), clock, policy: POLICY, tasks }, suspended_s)
}

/// Suspends the machine for this long, and wakes it.
async fn sleep(fixture: &CacheFixture, suspended_s: &AtomicU64, seconds: u64) {
    suspended_s.fetch_add(seconds, Ordering::Relaxed);
    let landed_ms = fixture.clock.last_leap();
    tokio::select! {
        never = fixture.clock.follow(drop) => match never {},
        () = settle() => {}
    }
    assert_ne!(fixture.clock.last_leap(), landed_ms, "it looks at once, and leaps");
}

#[tokio::test(start_paused = true)]
async fn after_a_suspend_entries_have_their_true_age() {
    let (fixture, suspended_s) = fixture(|clock, tasks| Cache::new(CacheSettings::default(), clock, tasks));
    assert_eq!(status_and_text(&fixture.read("/a").await), (Loaded, "anna v0".into()));
    fixture.source.write("/a");
    sleep(&fixture, &suspended_s, 60).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (Hit, "anna v0".into()), "fresh for 100 s");
    sleep(&fixture, &suspended_s, 60).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (Stale, "anna v0".into()));
    fixture.settle_tasks().await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (Hit, "anna v1".into()), "it was refreshed behind");
    fixture.source.write("/a");
    sleep(&fixture, &suspended_s, 8 * 3600).await;
    assert_eq!(status_and_text(&fixture.read("/a").await).1, "anna v2", "after a night it is as good as none");
    fixture.finish(3).await;
}

#[tokio::test(start_paused = true)]
async fn suspend_time_is_not_counted_as_load_time() {
    let (fixture, suspended_s) = fixture(|clock, tasks| Cache::new(CacheSettings::default(), clock, tasks));
    fixture.source.set_duration("/a", 2_000);
    let reader = fixture.reader("/a").await;
    sleep(&fixture, &suspended_s, 8 * 3600).await;
    assert_eq!(status_and_text(&reader.await.expect("it ends")), (Loaded, "anna v0".into()));
    let took_ms = fixture.class().load_times.sum_ms;
    assert!(took_ms <= Duration::from_millis(2_000), "no work was done while it slept: {took_ms:?}");
    fixture.finish(1).await;
}
