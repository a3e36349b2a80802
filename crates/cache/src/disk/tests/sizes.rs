//! Size of the store, eviction, and rewriting of unchanged values.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::*;
use crate::disk::write_batch::{PendingWrite, WriteBatch};

const KIB: usize = 1024;

/// Incompressible bytes.
fn incompressible(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// Total bytes of a folder's files.
fn on_disk(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).expect("listed").flatten();
    entries
        .map(|entry| match entry.metadata().expect("known") {
            folder if folder.is_dir() => on_disk(&entry.path()),
            file => file.len(),
        })
        .sum()
}

/// Fills a store with bodies of these lengths.
async fn filled(dir: &Path, lengths: impl Iterator<Item = usize>) {
    let cache = open(dir);
    for (at, length) in lengths.enumerate() {
        served(
            &cache,
            &format!("/{at}"),
            &CountingLoader::new(incompressible(u32::try_from(at).expect("few"), length)),
        )
        .await;
    }
    assert_eq!(cache.close_disk().await, 0);
}

#[tokio::test]
async fn a_store_stays_within_its_size_limit_whatever_it_holds() {
    for (length, count) in [(200, 8000), (2500, 1500), (20 * KIB, 200), (150 * KIB, 40)] {
        let dir = tempfile::tempdir().expect("a folder");
        filled(dir.path(), std::iter::repeat_n(length, count)).await;
        let mut store = DiskStore::open(dir.path(), 64 * KIB).expect("it opens");
        let before = on_disk(dir.path());
        let read_state = store.bytes().expect("told");
        assert!(read_state <= before && read_state > before - before / 10, "{length}: {read_state} of {before}");
        let max_bytes = read_state / 3;
        let now_ms = Clock::system().now_ms();
        while store.evict(Timestamp::from_millis(now_ms), max_bytes).expect("swept") {}
        store.truncate_wal().expect("cut");
        let db = rusqlite::Connection::open(dir.path().join(FILE)).expect("open");
        let number = |sql: &str| -> i64 { db.query_row(sql, [], |row| row.get(0)).expect("told") };
        for (name, column) in [("bytes", "size"), ("file_bytes", "file_bytes")] {
            let recorded = number(&format!("SELECT value FROM about WHERE name = '{name}'"));
            assert_eq!(recorded, number(&format!("SELECT sum({column}) FROM entry")), "{name}");
        }
        drop(db);
        let (read_state, after) = (store.bytes().expect("told"), on_disk(dir.path()));
        assert!(read_state <= max_bytes, "{length}: {read_state} of {max_bytes}");
        assert!(after <= max_bytes + max_bytes / 10, "{length}: {after} for {max_bytes}");
        let entries = store.count().expect("counted").entries;
        assert!(entries > count as u64 / 6, "{length}: {entries} of {count} are left, in {read_state} of {max_bytes}");
    }
}

#[tokio::test]
async fn a_flood_stays_within_a_tenth_of_the_limit_and_the_stated_bytes_are_those_on_disk() {
    const LIMIT: u64 = 16 << 20;
    for (length, count) in [(2 * KIB, 12_000), (20 * KIB, 1_600), (200 * KIB, 200)] {
        let dir = tempfile::tempdir().expect("a folder");
        let cache = open_with(DiskSettings { max_bytes: LIMIT, ..settings(dir.path()) });
        let mut largest = 0;
        for at in 0..count {
            let body = incompressible(u32::try_from(at).expect("few"), length);
            served(&cache, &format!("/{at}"), &CountingLoader::new(body)).await;
            if at % 50 == 0 {
                largest = largest.max(on_disk(dir.path()));
            }
        }
        assert!(cache.flush(LONG).await);
        largest = largest.max(on_disk(dir.path()));
        assert!(largest <= LIMIT + LIMIT / 10, "{length}: {largest} of {LIMIT}");
        until(|| {
            let (stated, present) = (cache.disk_stats().expect("a disk").bytes, on_disk(dir.path()));
            stated.abs_diff(present) <= present / 10 && present <= LIMIT
        })
        .await;
        assert!(on_disk(dir.path()) > LIMIT / 2, "{length}: it is used");
        assert_eq!(cache.close_disk().await, 0);
    }
}

#[tokio::test]
async fn clearing_frees_the_space_of_its_scope_only() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    let keep = |namespace: &'static str, text: String, seed| {
        let cache = cache.clone();
        async move {
            let key = Key::new(namespace, &Partition::new("anna"), &text);
            let source = CountingLoader::new(incompressible(seed, 20 * KIB));
            drop(cache.get_or_load(&key, &POLICY, CacheDirective::Any, || source.clone()).await.expect("loaded"));
        }
    };
    for at in 0..600 {
        keep("home", format!("/{at}"), at).await;
    }
    // One name is a prefix of the other, and needs an escape.
    keep("home|attic", "/0".into(), 1_000).await;
    assert!(cache.flush(LONG).await);
    cache.invalidate(&Scope::Namespace("home".into()), &Invalidation::purge());
    assert!(cache.flush(LONG).await);
    keep("home", "/new".into(), 1_001).await;
    assert!(cache.flush(LONG).await);
    assert_eq!(cache.close_disk().await, 0);
    let mut store = DiskStore::open(dir.path(), 64 * KIB).expect("it opens");
    let now_ms = Clock::system().now_ms();
    while store.evict(Timestamp::from_millis(now_ms), u64::MAX).expect("swept") {}
    assert_eq!(store.count().expect("counted").entries, 2, "the other server's, and what came since");
    store.truncate_wal().expect("cut");
    let remaining = on_disk(dir.path());
    assert!(remaining < 4 << 20, "{remaining} bytes of 12 MiB are left");
    let other = DiskStore::open(dir.path(), 64 * KIB).expect("it opens");
    let before = other.version().expect("told");
    assert!(!store.evict(Timestamp::from_millis(now_ms), u64::MAX).expect("swept"));
    assert_eq!(other.version().expect("told"), before, "what is done is not done again");
}

#[tokio::test]
async fn cleared_entries_are_searched_for_once_in_short_steps() {
    const OTHERS: usize = 5_000;
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    for at in 0..OTHERS {
        let key = Key::new("attic", &Partition::new("anna"), &format!("/{at}"));
        let load = || CountingLoader::new(incompressible(1, 10));
        drop(cache.get_or_load(&key, &POLICY, CacheDirective::Any, load).await.expect("loaded"));
        if at % 500 == 0 {
            assert!(cache.flush(LONG).await);
        }
    }
    assert!(cache.flush(LONG).await);
    served(&cache, "/last", &CountingLoader::new(incompressible(2, 10))).await;
    assert!(cache.flush(LONG).await);
    cache.invalidate(&Scope::Namespace("home".into()), &Invalidation::purge());
    assert!(cache.flush(LONG).await);
    assert_eq!(cache.close_disk().await, 0);
    let mut store = DiskStore::open(dir.path(), 64 * KIB).expect("it opens");
    let before = store.count().expect("counted").entries;
    let now_ms = Clock::system().now_ms();
    let mut rows = vec![store.purge_cursor.row];
    while store.evict(Timestamp::from_millis(now_ms), u64::MAX).expect("swept") {
        rows.push(store.purge_cursor.row);
        assert!(rows.is_sorted_by(|row, next| row < next), "it goes on where it stood: {rows:?}");
    }
    assert!(rows.len() >= 3 && rows.windows(2).all(|step| step[1] - step[0] <= 2_100), "{rows:?}");
    assert_eq!((before, store.count().expect("counted").entries), (5_001, 5_000));
}

#[tokio::test]
async fn a_limit_below_any_size_empties_the_store_and_eviction_ends() {
    let dir = tempfile::tempdir().expect("a folder");
    filled(dir.path(), std::iter::repeat_n(3000, 50)).await;
    let mut store = DiskStore::open(dir.path(), 64 * KIB).expect("it opens");
    while store.evict(Clock::system().now(), 1).expect("swept") {}
    assert_eq!(store.count().expect("counted").entries, 0);
}

#[tokio::test]
async fn a_sweep_with_nothing_to_do_writes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    filled(dir.path(), std::iter::repeat_n(3000, 50)).await;
    let mut store = DiskStore::open(dir.path(), 64 * KIB).expect("it opens");
    let other = DiskStore::open(dir.path(), 64 * KIB).expect("it opens");
    let before = other.version().expect("told");
    assert!(!store.evict(Clock::system().now(), u64::MAX).expect("swept"));
    assert_eq!(other.version().expect("told"), before);
}

#[tokio::test]
async fn a_hit_in_memory_counts_as_use_of_the_copy_on_disk() {
    let dir = tempfile::tempdir().expect("a folder");
    // An hour in 36 ms.
    let clock = Clock::scaled(100_000.0);
    let cache = Cache::with_disk(CacheSettings::default(), settings(dir.path()), clock, TaskTracker::new());
    let cache = cache.expect("it opens");
    let long = Policy { fresh: Duration::from_hours(100_000), ..POLICY };
    let get = async |text: &str| {
        let loader = || CountingLoader::new("value");
        let response = cache.get_or_load(&key(text), &long, CacheDirective::Any, loader).await.expect("an answer");
        response.served()
    };
    get("/hot").await;
    get("/cold").await;
    assert!(cache.flush(LONG).await);
    let db = rusqlite::Connection::open(dir.path().join(FILE)).expect("open");
    let used = |text: &str| -> i64 {
        let sql = "SELECT used_ms FROM entry WHERE key LIKE '%' || ?1";
        db.query_row(sql, [text], |row| row.get(0)).expect("it is there")
    };
    let (hot, cold) = (used("/hot"), used("/cold"));
    while used("/hot") < hot + 2 * 3_600_000 {
        assert_eq!(get("/hot").await, Some(CacheStatus::Hit));
    }
    assert_eq!(used("/cold"), cold);
    assert_eq!(cache.disk_stats().expect("a disk").hits, 0, "all of it came from memory");
}

/// Writes one body at a time under one key, directly to the store.
struct RewriteFixture {
    store: DiskStore,
    at: u64,
}

impl RewriteFixture {
    fn write(&mut self, body: &[u8]) {
        self.write_with(body, WriteBatch::default());
    }

    fn write_with(&mut self, body: &[u8], others: WriteBatch) {
        self.at += 1;
        let name = key("/x");
        let entry =
            super::markers::entry_of(&name, Vec::new(), HybridTimestamp::end_of(Timestamp::from_millis(self.at)), body);
        let batch = WriteBatch { writes: vec![PendingWrite { key: name, entry, known_sequence: 0 }], ..others };
        assert_eq!(self.store.write(&batch, 7, Timestamp::from_millis(self.at)).expect("written").stored, 1);
    }
}

#[test]
fn a_large_body_that_did_not_change_is_not_written_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut rewrites = RewriteFixture { store: DiskStore::open(dir.path(), 64 * KIB).expect("it opens"), at: 0 };
    let files = || {
        let bodies = dir.path().join("bodies");
        let folders = std::fs::read_dir(bodies).expect("listed").flatten();
        let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).expect("listed").flatten());
        files.map(|file| file.metadata().expect("known").ino()).collect::<Vec<_>>()
    };
    let found = |store: &DiskStore| match store.get(&key("/x")).expect("looked") {
        crate::disk::lookup::StoreLookup::Found(found) => found,
        other => panic!("{other:?}"),
    };
    let (first_body, second_body) = (incompressible(1, 100_000), incompressible(2, 100_000));
    rewrites.write(&first_body);
    let before = files();
    let without_log = |store: &DiskStore| store.bytes().expect("told") - store.wal_bytes();
    let used_bytes = without_log(&rewrites.store);
    rewrites.write(&first_body);
    assert_eq!(files(), before);
    assert_eq!(
        found(&rewrites.store).created,
        HybridTimestamp::end_of(Timestamp::from_millis(2)),
        "the row is the new one"
    );
    assert_eq!(found(&rewrites.store).value.body, first_body);
    rewrites.write(&second_body);
    assert_ne!(files(), before);
    assert_eq!((files().len(), &found(&rewrites.store).value.body[..]), (1, &second_body[..]));
    assert_eq!(without_log(&rewrites.store), used_bytes, "the old one is gone");
}

#[test]
fn a_large_body_is_written_again_if_its_file_is_being_removed_or_is_missing() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut rewrites = RewriteFixture { store: DiskStore::open(dir.path(), 64 * KIB).expect("it opens"), at: 0 };
    let body = incompressible(1, 100_000);
    let is_there = |store: &DiskStore| match store.get(&key("/x")).expect("looked") {
        crate::disk::lookup::StoreLookup::Found(found) => found.value.body == body,
        _ => false,
    };
    rewrites.write(&body);
    let removals = vec![(key("/x"), HybridTimestamp::end_of(Timestamp::from_millis(1)))];
    rewrites.write_with(&body, WriteBatch { removals, ..WriteBatch::default() });
    assert!(is_there(&rewrites.store), "purged, and loaded again at once");
    let hash = rewrites.store.hash(&key("/x"));
    let crate::disk::lookup::StoreLookup::Found(found) = rewrites.store.get(&key("/x")).expect("looked") else {
        panic!("it is there")
    };
    let torn = vec![crate::disk::row::CorruptRow { hash, created: found.created.raw().cast_signed().into() }];
    rewrites.write_with(&body, WriteBatch { corrupt: torn, ..WriteBatch::default() });
    assert!(is_there(&rewrites.store), "found torn, and loaded again at once");
    std::fs::remove_dir_all(dir.path().join("bodies")).expect("the files are gone");
    rewrites.write(&body);
    assert!(is_there(&rewrites.store), "the loss is not noticed yet");
}
