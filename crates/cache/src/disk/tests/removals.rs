//! Values that the source no longer has stay removed, even while their rows on disk cannot be deleted.

use super::*;
use std::time::Duration;

/// A source that no longer has anything.
struct NotFoundLoader;

impl Loader for NotFoundLoader {
    type Pass = ();

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        Ok(LoadResult::NotFound(Value::default()))
    }
}

async fn expect_miss(cache: &Cache, text: &str) {
    let response = cache.get_or_load(&key(text), &POLICY, CacheDirective::Reload, || NotFoundLoader).await;
    assert!(matches!(response, Ok(CacheResponse::Shared { .. })), "{response:?}");
}

/// A cache with three entries on disk and none in memory. A reload always asks the source, however recent the entry.
async fn with_rows(dir: &Path) -> Cache {
    let memory = CacheSettings { reload_within: Duration::ZERO, ..CacheSettings::default() };
    let cache = open(dir);
    for text in ["/gone", "/gone-too", "/kept"] {
        served(&cache, text, &CountingLoader::new("old")).await;
    }
    assert_eq!(cache.close_disk().await, 0);
    let before_ms = cache.clock().now();
    until(|| cache.clock().now() > before_ms).await;
    Cache::with_disk(memory, settings(dir), Clock::system(), TaskTracker::new()).expect("it opens")
}

#[tokio::test]
async fn removed_entries_stay_removed_while_nothing_can_be_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = with_rows(dir.path()).await;
    let lock = rusqlite::Connection::open(dir.path().join(FILE)).expect("open");
    lock.execute_batch("BEGIN IMMEDIATE").expect("the lock is free");
    expect_miss(&cache, "/gone").await;
    expect_miss(&cache, "/gone-too").await;
    let new = CountingLoader::new("new");
    assert_eq!(served(&cache, "/gone", &new).await, (CacheStatus::Loaded, Tier::Source, b"new".to_vec()));
    assert_eq!(served(&cache, "/kept", &new).await, (CacheStatus::Hit, Tier::Disk, b"old".to_vec()));
    lock.execute_batch("ROLLBACK").expect("ended");
    assert_eq!(cache.close_disk().await, 0);
    let cache = open(dir.path());
    let newer = CountingLoader::new("newer");
    assert_eq!(served(&cache, "/gone", &newer).await, (CacheStatus::Hit, Tier::Disk, b"new".to_vec()));
    assert_eq!(served(&cache, "/gone-too", &newer).await.2, b"newer");
    assert_eq!(served(&cache, "/kept", &newer).await.2, b"old");
}

#[tokio::test]
async fn removed_entries_stay_removed_while_writes_fail() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = with_rows(dir.path()).await;
    let db = rusqlite::Connection::open(dir.path().join(FILE)).expect("open");
    let forbid = |what: &str| {
        let sql = format!("CREATE TRIGGER no_{what} BEFORE {what} ON entry BEGIN SELECT RAISE(ABORT, 'no'); END");
        db.execute_batch(&sql).expect("made");
    };
    forbid("DELETE");
    forbid("INSERT");
    expect_miss(&cache, "/gone").await;
    expect_miss(&cache, "/gone-too").await;
    until(|| cache.disk_error().is_some()).await;
    assert_eq!(served(&cache, "/gone", &CountingLoader::new("new")).await.2, b"new");
    assert_eq!(served(&cache, "/kept", &CountingLoader::new("new")).await.2, b"old");
    db.execute_batch("DROP TRIGGER no_DELETE; DROP TRIGGER no_INSERT").expect("gone");
    cache.flush(LONG).await;
    assert_eq!(cache.close_disk().await, 0);
    assert_eq!(served(&open(dir.path()), "/gone-too", &CountingLoader::new("newer")).await.2, b"newer");
}
