//! Damage done during constant reads and writes.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio_util::task::TaskTracker;

use crate::fixture::{DiskFixture, draw, open, until};
use crate::warning_log::warnings_for;

const NAMES: u64 = 400;
const READERS: u64 = 4;
/// Reads and writes before the damage and after it.
const ACTS: u64 = 1_500;

fn length(at: u64) -> usize {
    match at % 40 {
        7 => 150_000,
        at => 300 + usize::try_from(at * 37).expect("small"),
    }
}

/// What is done to a directory with an open store.
type DamageFn = fn(&Path);

/// Reads and writes constantly while the directory is damaged. No request is affected, and in the end stored values
/// survive a restart.
async fn carries_on(what: &str, blow: DamageFn, warnings: std::ops::RangeInclusive<usize>) {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("cache");
    let stage = open(&dir);
    for at in 0..NAMES {
        stage.keep(&format!("/{at}"), length(at)).await;
    }
    stage.flush().await;
    let (acts, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let crowd = TaskTracker::new();
    let start = |reader| act(stage.clone(), reader, Arc::clone(&acts), Arc::clone(&is_over));
    let actors: Vec<_> = (0..READERS).map(|reader| crowd.spawn(start(reader))).collect();
    let acted = async |most: u64| {
        until(async || {
            let is_gone = actors.iter().any(tokio::task::JoinHandle::is_finished);
            assert!(!is_gone, "{what}: somebody was not answered");
            acts.load(Ordering::Relaxed) >= most
        })
        .await;
    };
    acted(ACTS).await;
    blow(&dir);
    let before = acts.load(Ordering::Relaxed);
    acted(before + ACTS).await;
    stage.until_written("/later").await;
    is_over.store(true, Ordering::Relaxed);
    for actor in actors {
        actor.await.unwrap_or_else(|_| panic!("{what}: somebody was not answered"));
    }
    let last = stage.kept_for_sure("/last", 500).await;
    assert_eq!(stage.cache.close_disk().await, 0, "{what}");
    let again = open(&dir);
    assert_eq!(again.read(&last, 1, 500).await, 0, "{what}: it was written after the trouble");
    for at in 0..NAMES {
        again.read(&format!("/{at}"), 9, length(at)).await;
    }
    let said = warnings_for(&dir);
    assert!(warnings.contains(&said.len()), "{what}: {said:#?}");
}

async fn act(stage: DiskFixture, reader: u64, acts: Arc<AtomicU64>, is_over: Arc<AtomicBool>) {
    let mut random = reader + 0x51_7c_c1_b7;
    while !is_over.load(Ordering::Relaxed) {
        let at = draw(&mut random) % NAMES;
        match draw(&mut random) % 8 {
            0 => stage.keep(&format!("/{reader}/{at}"), length(at)).await,
            _ => drop(stage.read(&format!("/{at}"), 0, length(at)).await),
        }
        acts.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}

fn cut(file: &Path, part: u64) {
    let file = fs::File::options().write(true).open(file).expect("open");
    let length = file.metadata().expect("known").len();
    file.set_len(length / 4 * part).expect("cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_cut_while_it_is_used_is_survived() {
    carries_on("half", |dir| cut(&dir.join("cache.db"), 2), 0..=2).await;
    carries_on("nothing left", |dir| cut(&dir.join("cache.db"), 0), 0..=2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_cut_while_it_is_used_is_survived() {
    carries_on("half", |dir| cut(&dir.join("cache.db-wal"), 2), 0..=2).await;
    carries_on("nothing left", |dir| cut(&dir.join("cache.db-wal"), 0), 0..=2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_overwritten_while_it_is_used_is_set_aside() {
    let overwrite: DamageFn = |dir| {
        use std::os::unix::fs::FileExt;
        for name in ["cache.db", "cache.db-wal"] {
            let file = fs::File::options().write(true).open(dir.join(name)).expect("open");
            let length = usize::try_from(file.metadata().expect("known").len()).expect("64 bits");
            let noise: Vec<u8> = (0..length).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
            file.write_all_at(&noise, 0).expect("overwritten");
        }
    };
    carries_on("noise", overwrite, 1..=2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_deleted_while_it_is_used_is_begun_anew() {
    let delete: DamageFn = |dir| fs::remove_file(dir.join("cache.db")).expect("removed");
    carries_on("the file", delete, 1..=1).await;
    let delete_all: DamageFn = |dir| {
        for tail in ["", "-wal", "-shm"] {
            fs::remove_file(dir.join(format!("cache.db{tail}"))).expect("removed");
        }
    };
    carries_on("all files", delete_all, 1..=1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_removed_or_moved_while_it_is_used_is_made_anew() {
    let moved: DamageFn = |dir| fs::rename(dir, dir.with_extension("moved")).expect("moved");
    carries_on("moved", moved, 1..=1).await;
    // Files may be created in it while it is being removed.
    let removed: DamageFn = |dir| while dir.exists() && fs::remove_dir_all(dir).is_err() {};
    carries_on("removed", removed, 1..=2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_in_whose_place_a_file_lies_is_said_and_taken_again_when_it_is_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("cache");
    let stage = open(&dir);
    stage.keep("/x", 300).await;
    stage.flush().await;
    fs::rename(&dir, folder.path().join("moved")).expect("moved");
    fs::write(&dir, "in the way").expect("written");
    until(async || {
        stage.read("/x", 1, 300).await;
        stage.cache.disk_error().is_some()
    })
    .await;
    for at in 0..50 {
        stage.read(&format!("/{at}"), 0, 300).await;
    }
    let said = warnings_for(&dir);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains("remedy="), "{said:#?}");
    fs::remove_file(&dir).expect("removed");
    stage.until_written("/later").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_copy_put_in_the_place_of_a_running_store_brings_nothing_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (dir, copy) = (folder.path().join("cache"), folder.path().join("copy"));
    let stage = open(&dir);
    for at in 0..50 {
        stage.keep(&format!("/{at}"), 300).await;
    }
    stage.cache.close_disk().await;
    fs::copy(dir.join("cache.db"), &copy).expect("copied");
    let stage = open(&dir);
    for at in 0..50 {
        stage.invalidate(&format!("/{at}")).await;
        assert_eq!(stage.read(&format!("/{at}"), 1, 300).await, 1);
    }
    stage.flush().await;
    fs::rename(&copy, dir.join("cache.db")).expect("put there");
    for tail in ["-wal", "-shm"] {
        fs::remove_file(dir.join(format!("cache.db{tail}"))).expect("removed");
    }
    stage.until_written("/later").await;
    for at in 0..50 {
        assert_eq!(stage.read(&format!("/{at}"), 1, 300).await, 1, "/{at} while it runs");
    }
    stage.cache.close_disk().await;
    let stage = open(&dir);
    for at in 0..50 {
        assert_ne!(stage.read(&format!("/{at}"), 2, 300).await, 0, "/{at} after a restart");
    }
}
