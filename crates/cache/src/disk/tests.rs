//! Tests of the disk tier through the cache: on real files, across restarts, with one owner.

mod inspecting;
mod lives;
pub(super) mod markers;
mod removals;
mod restarts;
mod rewriting;
mod sizes;
mod warmed;
mod writing;

use std::panic::Location;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::DiskSettings;
use super::store::{DiskStore, FILE};
use crate::*;

const LONG: Duration = Duration::from_secs(20);
/// Longer than anything here takes, even on a busy machine.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Waits until a condition holds; fails with the caller's line if it never does.
#[track_caller]
fn until(mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let caller = Location::caller();
    let wait = async move {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    async move {
        let result = tokio::time::timeout(TIMEOUT, wait).await;
        assert!(result.is_ok(), "after {TIMEOUT:?} it has not come to that: {caller}");
    }
}

const POLICY: Policy = Policy {
    class: "test",
    fresh: Duration::from_hours(1),
    freshness_bound: None,
    stale: Duration::ZERO,
    stale_on_error: Duration::from_hours(24),
    refresh_ahead: false,
    warm: false,
    soft_timeout: Duration::from_secs(1),
    hard_timeout: Duration::from_secs(10),
};

/// A source that counts its loads.
#[derive(Clone, Default)]
struct CountingLoader {
    loads: Arc<AtomicU64>,
    body: Vec<u8>,
    tags: Vec<Tag>,
    is_down: bool,
}

impl CountingLoader {
    fn new(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    fn tagged(body: &str, tag: &str) -> Self {
        Self { tags: vec![Tag::new(tag)], ..Self::new(body) }
    }

    fn down() -> Self {
        Self { is_down: true, ..Self::default() }
    }
}

impl Loader for CountingLoader {
    type Pass = ();

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        if self.is_down {
            return Err(LoadError::new(LoadErrorKind::Unreachable, "down"));
        }
        let value = Value { body: self.body.clone().into(), meta: "meta".into() };
        Ok(LoadResult::Store(LoadedValue { tags: self.tags.clone(), ..LoadedValue::new(value) }))
    }
}

fn settings(dir: &Path) -> DiskSettings {
    // For slow test machines: the speed of the disk is not under test.
    DiskSettings { read_timeout: LONG, invalidation_timeout: LONG, drain_timeout: LONG, ..DiskSettings::new(dir) }
}

fn open(dir: &Path) -> Cache {
    open_with(settings(dir))
}

fn open_with(disk: DiskSettings) -> Cache {
    Cache::with_disk(CacheSettings::default(), disk, Clock::system(), TaskTracker::new()).expect("it opens")
}

fn key(text: &str) -> Key {
    Key::new("home", &Partition::new("anna"), text)
}

async fn read(cache: &Cache, text: &str, source: &CountingLoader) -> Result<CacheResponse<()>, LoadError> {
    cache.get_or_load(&key(text), &POLICY, CacheDirective::Any, || source.clone()).await
}

/// Reads, and returns how and from where the value was obtained.
async fn served(cache: &Cache, text: &str, source: &CountingLoader) -> (CacheStatus, Tier, Vec<u8>) {
    match read(cache, text, source).await.expect("an answer") {
        CacheResponse::Cached { entry, served, tier, .. } => (served, tier, entry.body().to_vec()),
        _ => panic!("not kept"),
    }
}

fn tag(name: &str) -> Scope {
    Scope::Tag { namespace: "home".into(), partition: None, tag: Tag::new(name) }
}

#[tokio::test]
async fn an_entry_loaded_before_a_restart_is_a_hit_after_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let texts = "{\"title\":\"Solaris\"}".repeat(100);
    let bodies = [b"small".to_vec(), texts.into_bytes(), vec![7u8; 300_000], Vec::new()];
    let cache = open(dir.path());
    for (at, body) in bodies.iter().enumerate() {
        served(&cache, &format!("/{at}"), &CountingLoader::new(body.clone())).await;
    }
    assert_eq!(cache.close_disk().await, 0);
    let cache = open(dir.path());
    for (at, body) in bodies.iter().enumerate() {
        let source = CountingLoader::new("another");
        let response = served(&cache, &format!("/{at}"), &source).await;
        assert_eq!(response, (CacheStatus::Hit, Tier::Disk, body.clone()));
        let response = served(&cache, &format!("/{at}"), &source).await;
        assert_eq!(response.1, Tier::Memory, "it was taken up");
        assert_eq!(source.loads.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test]
async fn a_queued_write_is_a_hit() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = DiskSettings { write_linger: Duration::from_hours(1), ..settings(dir.path()) };
    let memory = CacheSettings { max_bytes: 1 << 20, max_entry_bytes: 8 << 10, ..CacheSettings::default() };
    let cache = Cache::with_disk(memory, disk, Clock::system(), TaskTracker::new()).expect("it opens");
    let source = CountingLoader::new(vec![1; 7000]);
    for at in 0..200 {
        served(&cache, &format!("/{at}"), &source).await;
    }
    assert!(cache.disk_stats().expect("a disk").queued > 0);
    for at in 0..200 {
        let served = served(&cache, &format!("/{at}"), &source).await;
        assert_eq!(served.0, CacheStatus::Hit, "/{at}: memory is too small, the rest waits or is written");
    }
    assert_eq!(source.loads.load(Ordering::Relaxed), 200);
}

#[tokio::test]
async fn invalidated_entries_stay_invalidated_after_a_crash() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    for (text, name) in [("/marked", "a"), ("/purged", "b"), ("/kept", "c")] {
        served(&cache, text, &CountingLoader::tagged("old", name)).await;
    }
    assert!(cache.flush(LONG).await);
    cache.invalidate(&tag("a"), &Invalidation::mark_stale());
    cache.invalidate(&tag("b"), &Invalidation::purge());
    assert!(cache.flush_invalidations().await);
    // No clean shutdown: as if the process had been killed, leaving the files as they are.
    cache.crash_disk().await;
    let cache = open(dir.path());
    let new = CountingLoader::new("new");
    assert_eq!(served(&cache, "/marked", &new).await.2, b"new");
    assert_eq!(served(&cache, "/purged", &new).await.2, b"new");
    assert_eq!(served(&cache, "/kept", &new).await, (CacheStatus::Hit, Tier::Disk, b"old".to_vec()));
}

#[tokio::test]
async fn an_entry_invalidated_before_a_crash_is_served_on_error_and_a_purged_one_is_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    served(&cache, "/marked", &CountingLoader::tagged("old", "a")).await;
    served(&cache, "/purged", &CountingLoader::tagged("old", "b")).await;
    assert!(cache.flush(LONG).await);
    cache.invalidate(&tag("a"), &Invalidation::mark_stale());
    cache.invalidate(&tag("b"), &Invalidation::purge());
    assert!(cache.flush_invalidations().await);
    // No clean shutdown: as if the process had been killed, leaving the files as they are.
    cache.crash_disk().await;
    let cache = open(dir.path());
    assert_eq!(served(&cache, "/marked", &CountingLoader::down()).await.0, CacheStatus::StaleOnError);
    assert_eq!(
        read(&cache, "/purged", &CountingLoader::down()).await.expect_err("gone").kind,
        LoadErrorKind::Unreachable
    );
}

#[tokio::test]
async fn an_entry_loaded_after_an_invalidation_is_not_affected() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    served(&cache, "/x", &CountingLoader::tagged("old", "a")).await;
    cache.invalidate(&tag("a"), &Invalidation::mark_stale());
    assert!(cache.flush_invalidations().await);
    served(&cache, "/x", &CountingLoader::tagged("new", "a")).await;
    cache.close_disk().await;
    let cache = open(dir.path());
    let served = served(&cache, "/x", &CountingLoader::new("newer")).await;
    assert_eq!(served, (CacheStatus::Hit, Tier::Disk, b"new".to_vec()));
}

#[tokio::test]
async fn a_directory_has_one_owner_and_is_free_when_its_owner_ends() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache_one = open(dir.path());
    served(&cache_one, "/x", &CountingLoader::new("value")).await;
    let cache_two =
        Cache::with_disk(CacheSettings::default(), settings(dir.path()), Clock::system(), TaskTracker::new());
    let reason = cache_two.expect_err("it is refused");
    assert!(reason.contains(&format!("is in use by process {}", std::process::id())), "{reason}");
    assert_eq!(cache_one.close_disk().await, 0);
    let cache_two = open(dir.path());
    assert_eq!(served(&cache_two, "/x", &CountingLoader::new("no")).await.0, CacheStatus::Hit);
}

#[tokio::test]
async fn the_newest_of_many_values_of_a_key_is_stored() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    for round in 0..50 {
        cache.invalidate(&Scope::Key(key("/x")), &Invalidation::mark_stale());
        assert!(cache.flush_invalidations().await);
        served(&cache, "/x", &CountingLoader::new(format!("{round}"))).await;
    }
    assert!(cache.flush(LONG).await);
    // No clean shutdown: as if the process had been killed, leaving the files as they are.
    cache.crash_disk().await;
    let cache = open(dir.path());
    assert_eq!(served(&cache, "/x", &CountingLoader::new("no")).await, (CacheStatus::Hit, Tier::Disk, b"49".to_vec()));
    assert_eq!(DiskStore::open(dir.path(), 1).expect("it opens").count().expect("counted").entries, 1);
}

/// Damage done to a file while no cache has it open.
type DamageFn = fn(&Path);

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_service_goes_on() {
    let corruptions: [(&str, DamageFn); 5] = [
        ("cut", |file| {
            let length = std::fs::metadata(file).expect("it is there").len();
            std::fs::File::options().write(true).open(file).expect("open").set_len(length / 2).expect("cut");
        }),
        ("empty pages", |file| std::fs::write(file, vec![0u8; 8192]).expect("written")),
        ("text", |file| {
            std::fs::write(file, "this is no database, it is a text of some length").expect("written");
        }),
        ("newer", |file| {
            let db = rusqlite::Connection::open(file).expect("open");
            db.pragma_update(None, "user_version", 99).expect("set");
        }),
        ("foreign", |file| {
            std::fs::remove_file(file).expect("removed");
            let db = rusqlite::Connection::open(file).expect("open");
            db.execute_batch("CREATE TABLE theirs (x)").expect("made");
        }),
    ];
    for (name, damage) in corruptions {
        let dir = tempfile::tempdir().expect("a folder");
        let cache = open(dir.path());
        for at in 0..200 {
            served(&cache, &format!("/{at}"), &CountingLoader::new(format!("{at}").repeat(100))).await;
        }
        cache.close_disk().await;
        drop(cache);
        damage(&dir.path().join(FILE));
        let cache = open(dir.path());
        for at in 0..200 {
            served(&cache, &format!("/{at}"), &CountingLoader::new("new")).await;
        }
        assert!(cache.flush(LONG).await, "{name}");
        let stats = cache.disk_stats().expect("a disk");
        assert!(stats.set_aside >= 1, "{name}: {stats:?}");
        assert!(dir.path().join(format!("{FILE}.set-aside")).exists(), "{name}");
        assert_eq!(cache.close_disk().await, 0, "{name}");
    }
}

#[tokio::test]
async fn a_corrupt_row_is_a_miss_and_is_deleted() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    served(&cache, "/small", &CountingLoader::new("old")).await;
    served(&cache, "/large", &CountingLoader::new(vec![1; 200_000])).await;
    served(&cache, "/whole", &CountingLoader::new("old")).await;
    cache.close_disk().await;
    let db = rusqlite::Connection::open(dir.path().join(FILE)).expect("open");
    db.execute("UPDATE entry SET body = 'xxx' WHERE key LIKE '%/small'", []).expect("flipped");
    drop(db);
    std::fs::remove_dir_all(dir.path().join("bodies")).expect("the file behind a row is gone");
    let cache = open(dir.path());
    assert_eq!(served(&cache, "/small", &CountingLoader::new("new")).await.2, b"new");
    assert_eq!(served(&cache, "/large", &CountingLoader::new("new")).await.2, b"new");
    assert_eq!(served(&cache, "/whole", &CountingLoader::new("new")).await.2, b"old");
    assert_eq!(cache.disk_stats().expect("a disk").corrupt, 2);
}

#[tokio::test]
async fn a_store_deleted_while_running_is_created_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    served(&cache, "/a", &CountingLoader::new("a")).await;
    assert!(cache.flush(LONG).await);
    for file in std::fs::read_dir(dir.path()).expect("listed").flatten() {
        let _ = std::fs::remove_file(file.path()); // Folders stay.
    }
    for round in 0..3 {
        served(&cache, &format!("/b{round}"), &CountingLoader::new("b")).await;
        let is_written = cache.flush(LONG).await;
        assert!(is_written || round == 0, "what knew the markers of the old one is not for the new one");
    }
    cache.close_disk().await;
    let cache = open(dir.path());
    assert_eq!(served(&cache, "/b2", &CountingLoader::new("no")).await.2, b"b");
}

#[tokio::test]
async fn the_store_stays_within_its_bytes_and_keeps_what_is_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    for at in 0..300u32 {
        let incompressible: Vec<u8> =
            (0..4000u32).map(|byte| ((byte + at).wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        served(&cache, &format!("/{at}"), &CountingLoader::new(incompressible)).await;
    }
    cache.close_disk().await;
    let mut store = DiskStore::open(dir.path(), 65_536).expect("it opens");
    let now_ms = Clock::system().now_ms();
    let db = rusqlite::Connection::open(dir.path().join(FILE)).expect("open");
    db.execute("UPDATE entry SET used_ms = used_ms + 1000000 WHERE key LIKE '%/7%'", []).expect("read later");
    while store.evict(Timestamp::from_millis(now_ms), 600_000).expect("swept") {}
    let holds = store.count().expect("counted");
    let bytes = store.bytes().expect("told") - store.wal_bytes();
    assert!(bytes <= 600_000 && holds.entries > 50, "{bytes} of {holds:?}");
    let read_later: i64 =
        db.query_row("SELECT count(*) FROM entry WHERE key LIKE '%/7%'", [], |row| row.get(0)).expect("counted");
    assert_eq!(read_later, 11, "/7 and /70 to /79");
    while store.evict(Timestamp::from_millis(u64::MAX / 2), u64::MAX / 2).expect("swept") {}
    assert_eq!(store.count().expect("counted").entries, 0, "what has ended goes whatever there is room for");
}

#[tokio::test]
async fn a_read_only_directory_stops_writes_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    let db = rusqlite::Connection::open(dir.path().join(FILE)).expect("open");
    // Root may write anywhere, so the refusal comes from the database itself.
    db.execute_batch("CREATE TRIGGER no BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'no'); END").expect("made");
    for at in 0..20 {
        served(&cache, &format!("/{at}"), &CountingLoader::new("x")).await;
    }
    cache.flush(LONG).await;
    let stats = cache.disk_stats().expect("a disk");
    assert_eq!((stats.written, stats.failed), (0, 20), "{stats:?}");
    db.execute_batch("DROP TRIGGER no").expect("gone");
}

#[test]
fn files_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a folder");
    let place = dir.path().join("cache");
    let store = DiskStore::open(&place, 10).expect("it opens");
    store.begin_read().expect("begun");
    for file in std::fs::read_dir(&place).expect("listed").flatten() {
        let mode = file.metadata().expect("known").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
    assert_eq!(std::fs::metadata(&place).expect("known").permissions().mode() & 0o777, 0o700);
}

/// A source of values that are shared but not cacheable, which responds only once permitted.
struct ShareOnlyLoader(Arc<AtomicU64>, Arc<tokio::sync::Semaphore>);

impl Loader for ShareOnlyLoader {
    type Pass = ();

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let _ = self.1.acquire().await; // The semaphore is never closed.
        Ok(LoadResult::Share(Value::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_disk_lookups_share_one_load_even_if_it_is_not_stored() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    for round in 0..50 {
        let (loads, go) = (Arc::new(AtomicU64::new(0)), Arc::new(tokio::sync::Semaphore::new(0)));
        let key = key(&format!("/{round}"));
        let mut reads = Vec::new();
        for _ in 0..50 {
            let (loads, go) = (Arc::clone(&loads), Arc::clone(&go));
            let loader = move || ShareOnlyLoader(loads, go);
            let mut read = Box::pin(cache.get_or_load(&key, &POLICY, CacheDirective::Any, loader));
            assert!(futures_util::poll!(read.as_mut()).is_pending());
            reads.push(read);
        }
        // All of them have arrived. From here on the load may be over before the last of them sees the lookup's result.
        go.add_permits(1);
        for response in futures_util::future::join_all(reads).await {
            assert!(matches!(response, Ok(CacheResponse::Shared { .. })));
        }
        assert_eq!(loads.load(Ordering::Relaxed), 1, "round {round}");
    }
}

#[tokio::test]
async fn a_loaded_value_is_written_once_the_responses_waiting_for_it_are_delivered() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    let response = read(&cache, "/a", &CountingLoader::new("large")).await.expect("an answer");
    // An invalidation arrives after the write, and everything ready is written with it.
    cache.invalidate(&tag("other"), &Invalidation::mark_stale());
    assert!(cache.flush_invalidations().await);
    let stats = cache.disk_stats().expect("there is a disk");
    assert_eq!((stats.queued, stats.written), (1, 0), "its answer is on its way");
    assert_eq!(served(&cache, "/a", &CountingLoader::down()).await.0, CacheStatus::Hit, "others are answered");
    drop(response);
    let disk = &cache.0.coordinator.disk_tier.as_ref().expect("there is a disk").disk;
    assert!(disk.written(LONG).await, "it is written without a request for it");
    assert_eq!(cache.disk_stats().expect("there is a disk").written, 1);
}

#[tokio::test]
async fn a_flush_does_not_wait_for_clients() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    let response = read(&cache, "/a", &CountingLoader::new("large")).await.expect("an answer");
    assert!(cache.flush(LONG).await);
    assert_eq!(cache.disk_stats().expect("there is a disk").written, 1);
    drop(response);
    assert_eq!(cache.close_disk().await, 0);
}

#[tokio::test]
async fn during_an_outage_a_slow_disk_is_waited_for() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    served(&cache, "/a", &CountingLoader::new("kept")).await;
    assert_eq!(cache.close_disk().await, 0);
    // So slow that no other read would wait for it.
    let cache = open_with(DiskSettings { read_timeout: Duration::ZERO, ..settings(dir.path()) });
    let response = cache.get_or_load(&key("/a"), &POLICY, CacheDirective::Offline, CountingLoader::down).await;
    let value = response.as_ref().ok().and_then(CacheResponse::value).expect("it is there");
    assert_eq!(value.body, "kept");
}
