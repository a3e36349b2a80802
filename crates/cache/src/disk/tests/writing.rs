//! Entries that cannot be written, are found damaged, or were written by another version.

use rusqlite::Connection;

use super::*;
use crate::clock::millis;
use crate::disk::DiskStats;
use crate::disk::blobs::BlobStore;
use crate::disk::error::StorageErrorKind;
use crate::disk::lookup::StoreLookup;
use crate::disk::store;
use crate::disk::tests::markers::entry_of;
use crate::disk::write_batch::{PendingWrite, WriteBatch};

fn stats(cache: &Cache) -> DiskStats {
    cache.disk_stats().expect("a disk")
}

fn database(dir: &Path) -> Connection {
    Connection::open(dir.join(FILE)).expect("open")
}

/// An incompressible body, different each time.
fn noise(round: u32) -> Vec<u8> {
    (0..2000u32).map(|at| ((at + 7000 * round).wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// A write of a body long enough to get a file.
fn offer(text: &str, created: u64) -> PendingWrite {
    let key = key(text);
    let body = noise(u32::try_from(created).expect("a small number"));
    let entry = entry_of(&key, Vec::new(), HybridTimestamp::end_of(created), &body);
    PendingWrite { key, entry, known_sequence: 0 }
}

fn offers(offers: Vec<PendingWrite>) -> WriteBatch {
    WriteBatch { writes: offers, ..WriteBatch::default() }
}

fn open_store(dir: &Path) -> DiskStore {
    DiskStore::open(dir, 100).expect("it opens")
}

/// Number of body files, finished or not.
fn files(dir: &Path) -> usize {
    (0..=u8::MAX).map(|folder| BlobStore::new(dir).list_folder(folder).len()).sum()
}

#[test]
fn whoever_opens_the_store_does_not_wait_for_who_writes() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(DiskStore::open(dir.path(), 65_536).expect("it opens"));
    let writing = Connection::open(dir.path().join(FILE)).expect("open");
    let vacuum: i64 = writing.pragma_query_value(None, "auto_vacuum", |row| row.get(0)).expect("told");
    assert_eq!(vacuum, 2, "free pages can be given back");
    writing.execute_batch("BEGIN IMMEDIATE").expect("nobody else can write");
    assert!(DiskStore::open(dir.path(), 65_536).is_ok());
}

#[test]
fn who_finds_the_damaged_file_replaced_leaves_the_new_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let damaged = open_store(dir.path());
    assert!(store::set_aside(dir.path(), damaged.inode).expect("moved").is_some(), "the first to find it");
    let seed = open_store(dir.path()).seed();
    assert_eq!(store::set_aside(dir.path(), damaged.inode).expect("asked"), None, "the second");
    assert_eq!(open_store(dir.path()).seed(), seed);
}

#[test]
fn a_row_found_torn_takes_no_newer_one_with_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut writer, reader) = (open_store(dir.path()), open_store(dir.path()));
    for round in 1..5 {
        writer.write(&offers(vec![offer("/x", round)]), 7, 1).expect("written");
        let mut looks = reader.read_snapshot().expect("a read begins");
        assert!(matches!(looks.get(&key("/x")), Ok(StoreLookup::Found(_))));
        writer.write(&offers(vec![offer("/x", round + 10)]), 7, 1).expect("written");
        let Ok(StoreLookup::Corrupt(torn)) = looks.get(&key("/x")) else { panic!("its file is gone") };
        drop(looks);
        let batch = WriteBatch { corrupt: vec![torn], ..WriteBatch::default() };
        writer.write(&batch, 7, 1).expect("written");
        assert!(matches!(reader.get(&key("/x")), Ok(StoreLookup::Found(_))), "the newer one is whole");
        let than = WriteBatch { removals: vec![(key("/x"), HybridTimestamp::end_of(100))], ..WriteBatch::default() };
        writer.write(&than, 7, 1).expect("removed");
    }
    assert_eq!(files(dir.path()), 0);
}

#[test]
fn a_batch_that_fails_leaves_no_files() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = open_store(dir.path());
    let db = database(dir.path());
    for how in ["ABORT", "ROLLBACK"] {
        db.execute_batch(&format!(
            "CREATE TRIGGER no BEFORE INSERT ON entry WHEN NEW.key LIKE '%/b' BEGIN SELECT RAISE({how}, 'no'); END"
        ))
        .expect("made");
        let written = store.write(&offers(vec![offer("/a", 1), offer("/b", 1)]), 7, 1);
        let left = usize::from(how == "ABORT");
        assert_eq!(written.is_ok_and(|written| written.stored == 1), left == 1, "{how}");
        assert_eq!(files(dir.path()), left, "{how}");
        db.execute_batch("DROP TRIGGER no; DELETE FROM entry").expect("gone");
        drop(std::fs::remove_dir_all(dir.path().join("bodies")));
    }
}

#[test]
fn files_that_never_came_to_their_place_are_swept() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = open_store(dir.path());
    store.write(&offers(vec![offer("/x", 1)]), 7, 1).expect("written");
    let name = BlobStore::name(0x0102, HybridTimestamp::from_raw(9));
    let begun = dir.path().join("bodies").join(format!("{name}.new"));
    std::fs::create_dir_all(begun.parent().expect("a folder")).expect("made");
    std::fs::write(&begun, "half").expect("written");
    let sweep = |now_ms| (0..=u8::MAX).map(|folder| store.remove_orphans(folder, now_ms).expect("swept")).sum();
    let young: u64 = sweep(Clock::system().now_ms());
    assert!(young == 0 && begun.exists(), "somebody may be writing it");
    let old: u64 = sweep(u64::MAX);
    assert!(old == 1 && !begun.exists());
    assert_eq!(files(dir.path()), 1, "what a row names stays");
}

#[test]
fn who_reads_for_long_is_not_waited_for_when_the_log_is_cut() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut writer, reader) = (open_store(dir.path()), open_store(dir.path()));
    writer.write(&offers(vec![offer("/x", 1)]), 7, 1).expect("written");
    let mut looks = reader.read_snapshot().expect("a read begins");
    assert!(matches!(looks.get(&key("/x")), Ok(StoreLookup::Found(_))));
    writer.write(&offers(vec![offer("/y", 1)]), 7, 1).expect("written");
    let clock = Clock::system();
    // The database itself waits in real time. A machine may stall for a moment, but not in each of three tries.
    let quickest_ms = (0..3).map(|_| {
        let began_ms = clock.now_ms();
        assert!(!writer.truncate_wal().expect("tried"), "a reader is in the way");
        clock.now_ms() - began_ms
    });
    let quickest_ms = quickest_ms.min().expect("three");
    assert!(quickest_ms < millis(store::BUSY_TIMEOUT), "{quickest_ms} ms");
    drop(looks);
    assert!(writer.truncate_wal().expect("tried"));
}

#[tokio::test]
async fn a_flush_says_whether_all_of_it_was_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    let db = database(dir.path());
    db.execute_batch("CREATE TRIGGER no BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'no'); END").expect("made");
    // While its response is being delivered, only a flush writes it.
    let answer = read(&cache, "/a", &CountingLoader::of("a")).await;
    assert!(!cache.flush(LONG).await, "it could not be written");
    drop(answer);
    db.execute_batch("DROP TRIGGER no").expect("gone");
    served(&cache, "/b", &CountingLoader::of("b")).await;
    assert!(cache.flush(LONG).await);
}

#[tokio::test]
async fn a_removal_that_cannot_be_written_is_tried_until_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    served(&cache, "/x", &CountingLoader::of("value")).await;
    assert!(cache.flush(LONG).await);
    let db = database(dir.path());
    db.execute_batch("CREATE TRIGGER no BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'no'); END").expect("made");
    let disk = &cache.0.coordinator.disk_tier.as_ref().expect("there is a disk").disk;
    disk.enqueue_removal(&key("/x"), HybridTimestamp::end_of(Clock::system().now_ms()));
    until(|| cache.disk_error() == Some(StorageErrorKind::Io)).await;
    db.execute_batch("DROP TRIGGER no").expect("gone");
    assert!(cache.flush(LONG).await);
    assert_eq!(open_store(dir.path()).count().expect("counted").entries, 0);
}

#[tokio::test]
async fn what_is_locked_at_the_end_is_tried_until_it_is_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    let lock = database(dir.path());
    lock.execute_batch("BEGIN IMMEDIATE").expect("nobody else can write");
    cache.invalidate(&tag("a"), &Invalidation::mark_stale());
    let unlock = async {
        until(|| cache.disk_error() == Some(StorageErrorKind::Locked)).await;
        lock.execute_batch("ROLLBACK").expect("ended");
    };
    tokio::join!(cache.close_disk(), unlock);
    assert_eq!(open_store(dir.path()).newest_sequence().expect("told"), 1);
    assert_eq!(stats(&cache).invalidations_lost, 0);
}

#[tokio::test]
async fn markers_that_are_left_at_the_end_are_counted() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = DiskSettings { drain_timeout: Duration::from_millis(100), ..settings(dir.path()) };
    let cache = open_with(disk);
    let lock = database(dir.path());
    lock.execute_batch("BEGIN IMMEDIATE").expect("nobody else can write");
    cache.invalidate(&tag("a"), &Invalidation::mark_stale());
    cache.close_disk().await;
    assert_eq!(stats(&cache).invalidations_lost, 1);
}

fn set_format(dir: &Path, format: i64) {
    database(dir).pragma_update(None, "user_version", format).expect("set");
}

#[tokio::test]
async fn a_cache_of_another_version_is_set_aside_at_the_start() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(open_store(dir.path()));
    set_format(dir.path(), 99);
    let cache = open(dir.path());
    assert_eq!((cache.disk_error(), stats(&cache).set_aside), (None, 1));
    served(&cache, "/y", &CountingLoader::of("value")).await;
    assert!(cache.flush(LONG).await);
}

#[tokio::test]
async fn who_meets_another_format_while_he_runs_goes_without() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    let other = tempfile::tempdir().expect("a folder");
    let store = open_store(other.path());
    set_format(other.path(), 99);
    assert!(store.truncate_wal().expect("cut"));
    std::fs::copy(other.path().join(FILE), dir.path().join("theirs")).expect("copied");
    for tail in ["-wal", "-shm"] {
        std::fs::remove_file(dir.path().join(format!("{FILE}{tail}"))).expect("of the one before");
    }
    std::fs::rename(dir.path().join("theirs"), dir.path().join(FILE)).expect("put in its place");
    served(&cache, "/w", &CountingLoader::of("value")).await;
    until(|| cache.disk_error() == Some(StorageErrorKind::Format)).await;
    assert_eq!(served(&cache, "/x", &CountingLoader::of("value")).await.2, b"value");
    assert_eq!(stats(&cache).set_aside, 0);
    let format: i64 = database(dir.path()).pragma_query_value(None, "user_version", |row| row.get(0)).expect("told");
    assert_eq!(format, 99);
}
