//! Entries that cannot be written, are found damaged, or were written by another version.

use rusqlite::Connection;
use std::time::Duration;

use super::*;
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
fn incompressible(round: u32) -> Vec<u8> {
    (0..2000u32).map(|at| ((at + 7000 * round).wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// A write of a body long enough to get a file.
fn pending(text: &str, created: u64) -> PendingWrite {
    let key = key(text);
    let body = incompressible(u32::try_from(created).expect("a small number"));
    let entry = entry_of(&key, Vec::new(), HybridTimestamp::end_of(Timestamp::from_millis(created)), &body);
    PendingWrite { key, entry, known_sequence: 0 }
}

fn batch_of(writes: Vec<PendingWrite>) -> WriteBatch {
    WriteBatch { writes, ..WriteBatch::default() }
}

fn open_store(dir: &Path) -> DiskStore {
    DiskStore::open(dir, 100).expect("it opens")
}

/// Number of body files, finished or not.
fn files(dir: &Path) -> usize {
    (0..=u8::MAX).map(|folder| BlobStore::new(dir).list_folder(folder).len()).sum()
}

#[test]
fn opening_the_store_does_not_wait_for_a_writer() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(DiskStore::open(dir.path(), 65_536).expect("it opens"));
    let writing = Connection::open(dir.path().join(FILE)).expect("open");
    let vacuum: i64 = writing.pragma_query_value(None, "auto_vacuum", |row| row.get(0)).expect("told");
    assert_eq!(vacuum, 2, "free pages can be given back");
    writing.execute_batch("BEGIN IMMEDIATE").expect("the lock is free");
    assert!(DiskStore::open(dir.path(), 65_536).is_ok());
}

#[test]
fn a_replacement_of_the_damaged_file_is_not_set_aside() {
    let dir = tempfile::tempdir().expect("a folder");
    let damaged = open_store(dir.path());
    assert!(store::set_aside(dir.path(), damaged.inode).expect("moved").is_some(), "the first to find it");
    let seed = open_store(dir.path()).seed();
    assert_eq!(store::set_aside(dir.path(), damaged.inode).expect("asked"), None, "the second");
    assert_eq!(open_store(dir.path()).seed(), seed);
}

#[test]
fn deleting_a_corrupt_row_spares_a_newer_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut writer, reader) = (open_store(dir.path()), open_store(dir.path()));
    for round in 1..5 {
        writer.write(&batch_of(vec![pending("/x", round)]), 7, Timestamp::from_millis(1)).expect("written");
        let mut snapshot = reader.read_snapshot().expect("a read begins");
        assert!(matches!(snapshot.get(&key("/x")), Ok(StoreLookup::Found(_))));
        writer.write(&batch_of(vec![pending("/x", round + 10)]), 7, Timestamp::from_millis(1)).expect("written");
        let Ok(StoreLookup::Corrupt(torn)) = snapshot.get(&key("/x")) else { panic!("its file is gone") };
        drop(snapshot);
        let batch = WriteBatch { corrupt: vec![torn], ..WriteBatch::default() };
        writer.write(&batch, 7, Timestamp::from_millis(1)).expect("written");
        assert!(matches!(reader.get(&key("/x")), Ok(StoreLookup::Found(_))), "the newer one is whole");
        let not_after = WriteBatch {
            removals: vec![(key("/x"), HybridTimestamp::end_of(Timestamp::from_millis(100)))],
            ..WriteBatch::default()
        };
        writer.write(&not_after, 7, Timestamp::from_millis(1)).expect("removed");
    }
    assert_eq!(files(dir.path()), 0);
}

#[test]
fn a_batch_that_fails_leaves_no_files() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = open_store(dir.path());
    let db = database(dir.path());
    for mode in ["ABORT", "ROLLBACK"] {
        db.execute_batch(&format!(
            "CREATE TRIGGER no BEFORE INSERT ON entry WHEN NEW.key LIKE '%/b' BEGIN SELECT RAISE({mode}, 'no'); END"
        ))
        .expect("made");
        let written = store.write(&batch_of(vec![pending("/a", 1), pending("/b", 1)]), 7, Timestamp::from_millis(1));
        let remaining = usize::from(mode == "ABORT");
        assert_eq!(written.is_ok_and(|written| written.stored == 1), remaining == 1, "{mode}");
        assert_eq!(files(dir.path()), remaining, "{mode}");
        db.execute_batch("DROP TRIGGER no; DELETE FROM entry").expect("gone");
        let _ = std::fs::remove_dir_all(dir.path().join("bodies")); // There may be none yet.
    }
}

#[test]
fn unfinished_files_are_swept() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = open_store(dir.path());
    store.write(&batch_of(vec![pending("/x", 1)]), 7, Timestamp::from_millis(1)).expect("written");
    let name = BlobStore::name(0x0102, HybridTimestamp::from_raw(9));
    let begun = dir.path().join("bodies").join(format!("{name}.new"));
    std::fs::create_dir_all(begun.parent().expect("a folder")).expect("made");
    std::fs::write(&begun, "half").expect("written");
    let sweep = |now_ms| (0..=u8::MAX).map(|folder| store.remove_orphans(folder, now_ms).expect("swept")).sum();
    let recent: u64 = sweep(Clock::system().now());
    assert!(recent == 0 && begun.exists(), "it may be being written");
    let old: u64 = sweep(Timestamp::MAX);
    assert!(old == 1 && !begun.exists());
    assert_eq!(files(dir.path()), 1, "what a row names stays");
}

#[test]
fn truncating_the_log_does_not_wait_for_a_long_reader() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut writer, reader) = (open_store(dir.path()), open_store(dir.path()));
    writer.write(&batch_of(vec![pending("/x", 1)]), 7, Timestamp::from_millis(1)).expect("written");
    let mut snapshot = reader.read_snapshot().expect("a read begins");
    assert!(matches!(snapshot.get(&key("/x")), Ok(StoreLookup::Found(_))));
    writer.write(&batch_of(vec![pending("/y", 1)]), 7, Timestamp::from_millis(1)).expect("written");
    let clock = Clock::system();
    // The database itself waits in real time. A machine may stall for a moment, but not in each of three tries.
    let fastest_ms = (0..3).map(|_| {
        let began_ms = clock.now();
        assert!(!writer.truncate_wal().expect("tried"), "a reader is in the way");
        clock.now() - began_ms
    });
    let fastest_ms = fastest_ms.min().expect("three");
    assert!(fastest_ms < store::BUSY_TIMEOUT, "{fastest_ms:?}");
    drop(snapshot);
    assert!(writer.truncate_wal().expect("tried"));
}

#[tokio::test]
async fn a_flush_reports_whether_everything_was_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    let db = database(dir.path());
    db.execute_batch("CREATE TRIGGER no BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'no'); END").expect("made");
    // While its response is being delivered, only a flush writes it.
    let response = read(&cache, "/a", &CountingLoader::new("a")).await;
    assert!(!cache.flush(LONG).await, "it could not be written");
    drop(response);
    db.execute_batch("DROP TRIGGER no").expect("gone");
    served(&cache, "/b", &CountingLoader::new("b")).await;
    assert!(cache.flush(LONG).await);
}

#[tokio::test]
async fn a_removal_that_cannot_be_written_is_retried() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    served(&cache, "/x", &CountingLoader::new("value")).await;
    assert!(cache.flush(LONG).await);
    let db = database(dir.path());
    db.execute_batch("CREATE TRIGGER no BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'no'); END").expect("made");
    let disk = &cache.0.coordinator.disk_tier.as_ref().expect("there is a disk").disk;
    disk.enqueue_removal(&key("/x"), HybridTimestamp::end_of(Clock::system().now()));
    until(|| cache.disk_error() == Some(StorageErrorKind::Io)).await;
    db.execute_batch("DROP TRIGGER no").expect("gone");
    assert!(cache.flush(LONG).await);
    assert_eq!(open_store(dir.path()).count().expect("counted").entries, 0);
}

#[tokio::test]
async fn a_database_locked_at_shutdown_is_retried() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    let lock = database(dir.path());
    lock.execute_batch("BEGIN IMMEDIATE").expect("the lock is free");
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
async fn invalidations_left_at_shutdown_are_counted() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = DiskSettings { drain_timeout: Duration::from_millis(100), ..settings(dir.path()) };
    let cache = open_with(disk);
    let lock = database(dir.path());
    lock.execute_batch("BEGIN IMMEDIATE").expect("the lock is free");
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
    served(&cache, "/y", &CountingLoader::new("value")).await;
    assert!(cache.flush(LONG).await);
}

#[tokio::test]
async fn another_format_met_while_running_turns_the_tier_off() {
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
    served(&cache, "/w", &CountingLoader::new("value")).await;
    until(|| cache.disk_error() == Some(StorageErrorKind::Format)).await;
    assert_eq!(served(&cache, "/x", &CountingLoader::new("value")).await.2, b"value");
    assert_eq!(stats(&cache).set_aside, 0);
    let format: i64 = database(dir.path()).pragma_query_value(None, "user_version", |row| row.get(0)).expect("told");
    assert_eq!(format, 99);
}
