//! A disk that does not respond. Time is paused and passes only while a task waits for it, so the duration of a request
//! is exact; that the disk is still blocked when the last request ends follows from the order of events.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use greenroom_cache::disk::DiskSettings;
use greenroom_cache::disk::error::StorageErrorKind;
use greenroom_cache::{Invalidation, Scope, Tag};

use crate::fixture::{DiskFixture, open, wait_until};
use crate::warning_log::warnings_for;

/// Max duration of a lookup; timers count whole milliseconds.
const LOOKUP_MS: u64 = 21;

/// Reads, and returns how long that took.
async fn timed(fixture: &DiskFixture, name: &str, length: usize) -> u64 {
    let before = fixture.cache.clock().now();
    fixture.read(name, 1, length).await;
    fixture.cache.clock().now().millis_since(before)
}

fn lock_database(dir: &Path) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(dir.join("cache.db")).expect("open");
    other.busy_timeout(crate::fixture::LONG).expect("set");
    other.execute_batch("BEGIN IMMEDIATE").expect("held");
    other
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_cannot_be_written_delays_no_request_and_catches_up_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let fixture = DiskFixture::open(DiskSettings::new(dir));
    let other = lock_database(dir);
    for at in 0..600 {
        let took = timed(&fixture, &format!("/{at}"), 2_000).await;
        assert!(took <= LOOKUP_MS, "/{at} took {took} ms");
    }
    let scope = Scope::Tag { namespace: "home".into(), partition: None, tag: Tag::new("/7") };
    fixture.cache.invalidate(&scope, &Invalidation::mark_stale());
    let before = fixture.cache.clock().now();
    assert!(!fixture.cache.flush_invalidations().await, "it cannot be durable");
    assert!(
        fixture.cache.clock().now() - before <= Duration::from_millis(50),
        "and its caller waits no longer than that"
    );
    let stats = fixture.stats();
    assert_eq!((stats.written, stats.dropped, stats.failed), (0, 0, 0), "still blocked: {stats:?}");
    other.execute_batch("ROLLBACK").expect("let go");
    tokio::time::resume();
    fixture.flush().await;
    let stats = fixture.stats();
    assert_eq!((stats.written, stats.dropped, stats.failed), (600, 0, 0), "{stats:?}");
    assert_eq!(fixture.cache.disk_error(), None);
    fixture.cache.close_disk().await;
    let again = open(dir);
    for at in 0..600 {
        assert_eq!(again.read(&format!("/{at}"), 2, 2_000).await, if at == 7 { 2 } else { 1 }, "/{at}");
    }
}

#[tokio::test]
async fn a_database_locked_by_another_program_is_logged_once_and_retried() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let fixture = open(dir);
    let other = lock_database(dir);
    fixture.store("/first", 500).await;
    // Twice the database's own busy timeout.
    wait_until(async || {
        fixture.read("/first", 1, 500).await;
        fixture.cache.disk_error() == Some(StorageErrorKind::Locked)
    })
    .await;
    fixture.store("/second", 500).await;
    let flushed = fixture.cache.flush(std::time::Duration::from_secs(3)).await;
    assert!(!flushed, "it is still held");
    assert_eq!(fixture.stats().queued, 2, "what waits goes on waiting, and is read meanwhile");
    assert_eq!(fixture.read("/second", 1, 500).await, 0);
    other.execute_batch("ROLLBACK").expect("let go");
    fixture.flush().await;
    let stats = fixture.stats();
    assert_eq!((stats.written, stats.failed, stats.queued), (2, 0, 0), "{stats:?}");
    assert_eq!(fixture.cache.disk_error(), None);
    let warnings = warnings_for(dir);
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains("other program"), "{warnings:#?}");
}

fn body_files(dir: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(dir.join("bodies")).expect("listed").flatten();
    folders.flat_map(|folder| fs::read_dir(folder.path()).expect("listed").flatten()).map(|file| file.path()).collect()
}

#[tokio::test(start_paused = true)]
async fn hanging_disk_reads_delay_three_requests_by_a_timeout_and_no_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    tokio::time::resume();
    let fixture = open(dir);
    for at in 0..40 {
        fixture.store(&format!("/{at}"), 100_000).await;
    }
    fixture.cache.close_disk().await;
    tokio::time::pause();
    // Opening a pipe blocks until its other end is opened: that is how a disk hangs.
    let files = body_files(dir);
    assert_eq!(files.len(), 40);
    // Each pipe has a second name: the writer may remove the first while a reader waits there.
    let pipes: Vec<PathBuf> = (0..files.len()).map(|at| dir.join(format!("pipe-{at}"))).collect();
    for (file, pipe) in files.iter().zip(&pipes) {
        fs::remove_file(file).expect("removed");
        assert!(Command::new("mkfifo").arg(file).status().expect("it is everywhere").success());
        fs::hard_link(file, pipe).expect("linked");
    }
    let fixture = DiskFixture::open(DiskSettings::new(dir));
    let mut slow = 0;
    for at in 0..40 {
        let took = timed(&fixture, &format!("/{at}"), 100_000).await;
        assert!(took <= LOOKUP_MS, "/{at} took {took} ms");
        slow += u32::from(took > 0);
    }
    assert!((1..=3).contains(&slow), "three slow looks turn looks off: {slow}");
    assert!(fixture.stats().reads_off);
    assert_eq!(fixture.loads(), 40, "everything was loaded");
    // The disk comes back: readers of the pipes are released, and find nothing there.
    let ends: Vec<_> = pipes
        .iter()
        .map(|file| fs::File::options().read(true).write(true).open(file).expect("a pipe opens both ways"))
        .collect();
    // First the pipes go, then their ends: otherwise a late reader would wait at a pipe that is never opened again.
    for file in &files {
        let _ = fs::remove_file(file); // It may be gone.
    }
    drop(ends);
    tokio::time::resume();
    let resumed = fixture.cache.clock().now();
    while fixture.stats().reads_off {
        let waited = fixture.cache.clock().now().duration_since(resumed);
        assert!(waited < std::time::Duration::from_mins(1), "the disk is not read again");
        fixture.cache.clock().sleep(std::time::Duration::from_millis(1)).await;
        fixture.read("/none", 0, 10).await;
        let scope = Scope::Key(crate::fixture::key("/none"));
        fixture.cache.invalidate(&scope, &Invalidation::purge());
    }
}
