//! What was kept warm goes on being kept warm after a restart, by whoever has a loader for it.

use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::{LONG, POLICY, Source, key, settings};
use crate::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_rhythm_outlives_the_process_and_no_read_is_counted_for_it() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::scaled(40.0));
    let open = || {
        Cache::with_disk(Settings::default(), settings(folder.path()), clock.clone(), TaskTracker::new())
            .expect("it opens")
    };
    let policy =
        Policy { warm: true, fresh: Duration::from_secs(100), stale: Duration::from_secs(50), ..POLICY };
    let source = Source::of("body");
    let cache = open();
    cache.get_or_load(&key("/a"), &policy, Demand::Any, || source.clone()).await.expect("it loads");
    assert!(cache.flush(LONG).await);
    let kept = cache.warm_keys("home", &Partition::new("anna"));
    assert_eq!((kept.len(), kept[0].0.clone()), (1, key("/a")));
    assert!(cache.warm_keys("home", &Partition::new("bert")).is_empty());
    cache.shutdown();
    cache.close_disk().await;

    // It was read every 200 s, so the next read is due 200 s after the last one.
    let rhythm = Rhythm { average_ms: 200_000, latest_ms: 200_000, ..kept[0].1 };
    let cache = open();
    cache.resume_warm(&key("/nothing"), &policy, source.clone(), rhythm).await;
    cache.resume_warm(&key("/a"), &policy, source.clone(), rhythm).await;
    assert_eq!(cache.warm_keys("home", &Partition::new("anna")), [(key("/a"), rhythm)]);
    cache.run_warmer();
    let warmed = async {
        while source.asked.load(std::sync::atomic::Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, warmed).await.expect("it is warmed before its next read");
    let stats = cache.stats();
    let asked: u64 = stats.classes.iter().map(|class| class.hits + class.missed()).sum();
    assert_eq!(asked, 0, "nobody read anything");
    assert_eq!(stats.classes.iter().map(|class| class.warm_loads).sum::<u64>(), 1);
    cache.shutdown();
    cache.close_disk().await;
}
