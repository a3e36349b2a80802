//! Short-lived values are written rarely: what that leaves after a restart, and that it revives nothing.

use super::*;
use crate::disk::tests::markers::entry_of;
use crate::disk::write_batch::{PendingWrite, WriteBatch};
use std::time::Duration;

/// For responses that are loaded at every read.
const SHORT: Policy = Policy { fresh: Duration::ZERO, ..POLICY };

async fn load(cache: &Cache, body: &str) -> (CacheStatus, Vec<u8>) {
    load_from(cache, &CountingLoader::tagged(body, "a")).await.expect("an answer")
}

async fn load_from(cache: &Cache, source: &CountingLoader) -> Result<(CacheStatus, Vec<u8>), LoadError> {
    match cache.get_or_load(&key("/x"), &SHORT, CacheDirective::Any, || source.clone()).await? {
        CacheResponse::Cached { entry, served, .. } => Ok((served, entry.body().to_vec())),
        _ => panic!("not kept"),
    }
}

/// Waits until everything that is not deferred is written, without forcing it.
async fn written(cache: &Cache) {
    let disk = &cache.0.coordinator.disk_tier.as_ref().expect("there is a disk").disk;
    assert!(disk.written(LONG).await);
}

fn count(cache: &Cache) -> u64 {
    cache.disk_stats().expect("a disk").written
}

async fn after_a_crash(dir: &Path, cache: Cache) -> Cache {
    cache.crash_disk().await;
    drop(cache);
    open(dir)
}

#[tokio::test]
async fn after_a_restart_during_an_outage_an_older_copy_of_a_short_lived_value_is_served() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    load(&cache, "first").await;
    written(&cache).await;
    for round in 0..20 {
        load(&cache, &format!("{round}")).await;
        // Other writes do not take it along.
        served(&cache, &format!("/other/{round}"), &CountingLoader::new("long-lived")).await;
        cache.invalidate(&tag("other"), &Invalidation::mark_stale());
        assert!(cache.flush_invalidations().await);
    }
    written(&cache).await;
    assert_eq!(count(&cache), 21, "each other one, and the first of this");
    assert_eq!(load(&cache, "newest").await.1, b"newest");
    let cache = after_a_crash(dir.path(), cache).await;
    let served_older = load_from(&cache, &CountingLoader::down()).await.expect("the older copy");
    assert_eq!(served_older, (CacheStatus::StaleOnError, b"first".to_vec()));
}

#[tokio::test]
async fn a_clean_end_and_a_flush_write_the_newest_value() {
    for is_clean in [true, false] {
        let dir = tempfile::tempdir().expect("a folder");
        let cache = open(dir.path());
        load(&cache, "first").await;
        written(&cache).await;
        load(&cache, "second").await;
        load(&cache, "newest").await;
        assert_eq!((count(&cache), cache.disk_stats().expect("a disk").queued), (1, 1), "it rests");
        let cache = if is_clean {
            assert_eq!(cache.close_disk().await, 0);
            open(dir.path())
        } else {
            assert!(cache.flush(LONG).await);
            after_a_crash(dir.path(), cache).await
        };
        let served_older = load_from(&cache, &CountingLoader::down()).await.expect("the newest copy");
        assert_eq!(served_older, (CacheStatus::StaleOnError, b"newest".to_vec()));
    }
}

#[tokio::test]
async fn an_invalidated_short_lived_value_does_not_come_back_after_a_restart() {
    for is_clean in [true, false] {
        let dir = tempfile::tempdir().expect("a folder");
        let cache = open(dir.path());
        load(&cache, "written").await;
        written(&cache).await;
        load(&cache, "resting").await;
        cache.invalidate(&tag("a"), &Invalidation::purge());
        assert!(cache.flush_invalidations().await);
        let cache = if is_clean {
            cache.close_disk().await;
            open(dir.path())
        } else {
            after_a_crash(dir.path(), cache).await
        };
        let refused = load_from(&cache, &CountingLoader::down()).await.expect_err("neither copy may be served");
        assert_eq!(refused.kind, LoadErrorKind::Unreachable, "clean: {is_clean}");
        cache.close_disk().await;
    }
}

#[tokio::test]
async fn the_first_value_after_a_purge_is_written_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    load(&cache, "before").await;
    written(&cache).await;
    cache.invalidate(&tag("a"), &Invalidation::purge());
    assert!(cache.flush_invalidations().await);
    load(&cache, "after").await;
    written(&cache).await;
    let cache = after_a_crash(dir.path(), cache).await;
    let served_older = load_from(&cache, &CountingLoader::down()).await.expect("it is on disk");
    assert_eq!(served_older, (CacheStatus::StaleOnError, b"after".to_vec()));
}

#[tokio::test]
async fn a_deferred_value_is_found_when_memory_has_evicted_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let memory = CacheSettings { max_bytes: 1 << 20, max_entry_bytes: 8 << 10, ..CacheSettings::default() };
    let disk = settings(dir.path());
    let cache = Cache::with_disk(memory, disk, Clock::system(), TaskTracker::new()).expect("it opens");
    load(&cache, "first").await;
    written(&cache).await;
    load(&cache, "newest").await;
    for at in 0..300 {
        served(&cache, &format!("/{at}"), &CountingLoader::new(vec![1; 7000])).await;
    }
    let found = load_from(&cache, &CountingLoader::down()).await.expect("it waits to be written");
    assert_eq!(found, (CacheStatus::StaleOnError, b"newest".to_vec()));
}

#[test]
fn an_idle_hour_of_sweeps_writes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = DiskStore::open(dir.path(), 65_536).expect("it opens");
    let entry = entry_of(&key("/x"), Vec::new(), HybridTimestamp::end_of(Timestamp::from_millis(1)), b"value");
    let batch_of = vec![PendingWrite { key: key("/x"), entry, known_sequence: 0 }];
    store
        .write(&WriteBatch { writes: batch_of, ..WriteBatch::default() }, 7, Timestamp::from_millis(1))
        .expect("written");
    let logged = store.wal_bytes();
    for round in 0..120 {
        store.evict(Timestamp::from_millis(round * 30_000), u64::MAX).expect("swept");
    }
    assert_eq!(store.wal_bytes(), logged);
}
