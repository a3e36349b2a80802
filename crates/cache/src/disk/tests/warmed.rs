//! Warm keys stay warm after a restart, if the caller provides a loader.

use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::{CountingLoader, LONG, POLICY, key, settings};
use crate::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_access_rhythm_outlives_the_process_and_counts_no_read() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::scaled(40.0));
    let open = || {
        Cache::with_disk(CacheSettings::default(), settings(folder.path()), clock.clone(), TaskTracker::new())
            .expect("it opens")
    };
    let policy = Policy { warm: true, fresh: Duration::from_secs(100), stale: Duration::from_secs(50), ..POLICY };
    let source = CountingLoader::new("body");
    let cache = open();
    cache.get_or_load(&key("/a"), &policy, CacheDirective::Any, || source.clone()).await.expect("it loads");
    assert!(cache.flush(LONG).await);
    let warm_keys = cache.warm_keys("home", &Partition::new("anna"));
    assert_eq!((warm_keys.len(), warm_keys[0].0.clone()), (1, key("/a")));
    assert!(cache.warm_keys("home", &Partition::new("bert")).is_empty());
    cache.shutdown();
    cache.close_disk().await;

    // It was read every 200 s, so the next read is due 200 s after the last one.
    let rhythm = AccessRhythmSnapshot {
        average_ms: Duration::from_millis(200_000),
        latest_ms: Duration::from_millis(200_000),
        ..warm_keys[0].1
    };
    let cache = open();
    cache.resume_warm(&key("/nothing"), &policy, source.clone(), rhythm).await;
    cache.resume_warm(&key("/a"), &policy, source.clone(), rhythm).await;
    assert_eq!(cache.warm_keys("home", &Partition::new("anna")), [(key("/a"), rhythm)]);
    cache.run_warmer();
    let warmed = async {
        while source.loads.load(std::sync::atomic::Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, warmed).await.expect("it is warmed before its next read");
    let stats = cache.stats();
    let loads: u64 = stats.classes.iter().map(|class| class.hits + class.misses_total()).sum();
    assert_eq!(loads, 0, "no value was read");
    assert_eq!(stats.classes.iter().map(|class| class.warm_loads).sum::<u64>(), 1);
    cache.shutdown();
    cache.close_disk().await;
}
