//! A disk that does not respond. Time is paused and passes only while a task waits for it, so the duration of a request
//! is exact; that the disk is still blocked when the last request ends follows from the order of events.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use greenroom_cache::disk::DiskSettings;
use greenroom_cache::disk::error::StorageErrorKind;
use greenroom_cache::{Invalidation, Scope, Tag};

use crate::fixture::{DiskFixture, open, until};
use crate::warning_log::warnings_for;

/// Max duration of a lookup; timers count whole milliseconds.
const LOOK_MS: u64 = 21;

/// Reads, and returns how long that took.
async fn timed(stage: &DiskFixture, name: &str, length: usize) -> u64 {
    let before = stage.cache.clock().now_ms();
    stage.read(name, 1, length).await;
    stage.cache.clock().now_ms() - before
}

fn hold(dir: &Path) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(dir.join("cache.db")).expect("open");
    other.busy_timeout(crate::fixture::LONG).expect("set");
    other.execute_batch("BEGIN IMMEDIATE").expect("held");
    other
}

#[tokio::test(start_paused = true)]
async fn a_disk_on_which_nothing_can_be_written_delays_nobody_and_gets_it_all_in_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let stage = DiskFixture::open(DiskSettings::new(dir));
    let other = hold(dir);
    for at in 0..600 {
        let took = timed(&stage, &format!("/{at}"), 2_000).await;
        assert!(took <= LOOK_MS, "/{at} took {took} ms");
    }
    let scope = Scope::Tag { namespace: "home".into(), partition: None, tag: Tag::new("/7") };
    stage.cache.invalidate(&scope, &Invalidation::mark_stale());
    let before = stage.cache.clock().now_ms();
    assert!(!stage.cache.flush_invalidations().await, "it cannot be durable");
    assert!(stage.cache.clock().now_ms() - before <= 50, "and its caller waits no longer than that");
    let stats = stage.stats();
    assert_eq!((stats.written, stats.dropped, stats.failed), (0, 0, 0), "still blocked: {stats:?}");
    other.execute_batch("ROLLBACK").expect("let go");
    tokio::time::resume();
    stage.flush().await;
    let stats = stage.stats();
    assert_eq!((stats.written, stats.dropped, stats.failed), (600, 0, 0), "{stats:?}");
    assert_eq!(stage.cache.disk_error(), None);
    stage.cache.close_disk().await;
    let again = open(dir);
    for at in 0..600 {
        assert_eq!(again.read(&format!("/{at}"), 2, 2_000).await, if at == 7 { 2 } else { 1 }, "/{at}");
    }
}

#[tokio::test]
async fn a_database_that_somebody_else_holds_is_said_once_and_not_given_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let stage = open(dir);
    let other = hold(dir);
    stage.keep("/first", 500).await;
    // Twice the database's own busy timeout.
    until(async || {
        stage.read("/first", 1, 500).await;
        stage.cache.disk_error() == Some(StorageErrorKind::Locked)
    })
    .await;
    stage.keep("/second", 500).await;
    let hurried = stage.cache.flush(std::time::Duration::from_secs(3)).await;
    assert!(!hurried, "it is still held");
    assert_eq!(stage.stats().queued, 2, "what waits goes on waiting, and is read meanwhile");
    assert_eq!(stage.read("/second", 1, 500).await, 0);
    other.execute_batch("ROLLBACK").expect("let go");
    stage.flush().await;
    let stats = stage.stats();
    assert_eq!((stats.written, stats.failed, stats.queued), (2, 0, 0), "{stats:?}");
    assert_eq!(stage.cache.disk_error(), None);
    let said = warnings_for(dir);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains("other program"), "{said:#?}");
}

fn body_files(dir: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(dir.join("bodies")).expect("listed").flatten();
    folders.flat_map(|folder| fs::read_dir(folder.path()).expect("listed").flatten()).map(|file| file.path()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_disk_on_which_reads_hang_delays_three_requests_by_a_look_and_the_others_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    tokio::time::resume();
    let stage = open(dir);
    for at in 0..40 {
        stage.keep(&format!("/{at}"), 100_000).await;
    }
    stage.cache.close_disk().await;
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
    let stage = DiskFixture::open(DiskSettings::new(dir));
    let mut slow = 0;
    for at in 0..40 {
        let took = timed(&stage, &format!("/{at}"), 100_000).await;
        assert!(took <= LOOK_MS, "/{at} took {took} ms");
        slow += u32::from(took > 0);
    }
    assert!((1..=3).contains(&slow), "three slow looks turn looks off: {slow}");
    assert!(stage.stats().reads_off);
    assert_eq!(stage.asked(), 40, "everything was loaded");
    // The disk comes back: readers of the pipes are released, and find nothing there.
    let ends: Vec<_> = pipes
        .iter()
        .map(|file| fs::File::options().read(true).write(true).open(file).expect("a pipe opens both ways"))
        .collect();
    // First the pipes go, then their ends: otherwise a late reader would wait at a pipe that is never opened again.
    for file in &files {
        drop(fs::remove_file(file));
    }
    drop(ends);
    tokio::time::resume();
    while stage.stats().reads_off {
        stage.cache.clock().sleep(std::time::Duration::from_millis(1)).await;
        stage.read("/none", 0, 10).await;
        let scope = Scope::Key(crate::fixture::key("/none"));
        stage.cache.invalidate(&scope, &Invalidation::purge());
    }
}
