//! What the source says is gone, while the disk cannot be told.

use super::*;

/// A source that has nothing any more.
struct Gone;

impl Loader for Gone {
    type Pass = ();

    async fn load(&self, _why: LoadReason, _old: Option<Arc<Entry>>) -> Result<Load<()>, Failure> {
        Ok(Load::Gone(Value::default()))
    }
}

async fn find_gone(cache: &Cache, text: &str) {
    let answer = cache.get_or_load(&key(text), &POLICY, Demand::Reload, || Gone).await;
    assert!(matches!(answer, Ok(Answer::Shared { .. })), "{answer:?}");
}

/// A cache with a few keys on disk, and nothing in memory but what the settings let be there.
async fn with_rows(dir: &Path) -> Cache {
    let settled = Settings { reload_within: Duration::ZERO, ..Settings::default() };
    let cache = open(dir);
    for text in ["/gone", "/gone-too", "/kept"] {
        served(&cache, text, &Source::of("old")).await;
    }
    assert_eq!(cache.close_disk().await, 0);
    let before_ms = cache.clock().now_ms();
    while cache.clock().now_ms() <= before_ms {
        tokio::task::yield_now().await;
    }
    Cache::with_disk(settled, settings(dir), Clock::system(), TaskTracker::new()).expect("it opens")
}

#[tokio::test]
async fn what_is_gone_stays_gone_while_nothing_can_be_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = with_rows(dir.path()).await;
    let lock = rusqlite::Connection::open(dir.path().join(FILE)).expect("open");
    lock.execute_batch("BEGIN IMMEDIATE").expect("nobody else can write");
    find_gone(&cache, "/gone").await;
    find_gone(&cache, "/gone-too").await;
    let new = Source::of("new");
    assert_eq!(served(&cache, "/gone", &new).await, (Served::Loaded, Tier::Source, b"new".to_vec()));
    assert_eq!(served(&cache, "/kept", &new).await, (Served::Hit, Tier::Disk, b"old".to_vec()));
    lock.execute_batch("ROLLBACK").expect("ended");
    assert_eq!(cache.close_disk().await, 0);
    let cache = open(dir.path());
    let newer = Source::of("newer");
    assert_eq!(served(&cache, "/gone", &newer).await, (Served::Hit, Tier::Disk, b"new".to_vec()));
    assert_eq!(served(&cache, "/gone-too", &newer).await.2, b"newer");
    assert_eq!(served(&cache, "/kept", &newer).await.2, b"old");
}

#[tokio::test]
async fn what_is_gone_stays_gone_while_writes_fail() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = with_rows(dir.path()).await;
    let db = rusqlite::Connection::open(dir.path().join(FILE)).expect("open");
    let no = |what: &str| {
        let sql =
            format!("CREATE TRIGGER no_{what} BEFORE {what} ON entry BEGIN SELECT RAISE(ABORT, 'no'); END");
        db.execute_batch(&sql).expect("made");
    };
    no("DELETE");
    no("INSERT");
    find_gone(&cache, "/gone").await;
    find_gone(&cache, "/gone-too").await;
    while cache.disk_trouble().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(served(&cache, "/gone", &Source::of("new")).await.2, b"new");
    assert_eq!(served(&cache, "/kept", &Source::of("new")).await.2, b"old");
    db.execute_batch("DROP TRIGGER no_DELETE; DROP TRIGGER no_INSERT").expect("gone");
    cache.flush(LONG).await;
    assert_eq!(cache.close_disk().await, 0);
    assert_eq!(served(&open(dir.path()), "/gone-too", &Source::of("newer")).await.2, b"newer");
}
