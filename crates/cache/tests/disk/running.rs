//! Damage done during constant reads and writes.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio_util::task::TaskTracker;

use crate::fixture::{DiskFixture, next_random, open, wait_until};
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

/// Damage to a directory with an open store.
type DamageFn = fn(&Path);

/// Reads and writes constantly while the directory is damaged. No request is affected, and in the end stored values
/// survive a restart.
async fn goes_on(what: &str, damage: DamageFn, warnings: std::ops::RangeInclusive<usize>) {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("cache");
    let fixture = open(&dir);
    for at in 0..NAMES {
        fixture.store(&format!("/{at}"), length(at)).await;
    }
    fixture.flush().await;
    let (steps, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let tracker = TaskTracker::new();
    let start = |reader| run_actor(fixture.clone(), reader, Arc::clone(&steps), Arc::clone(&is_over));
    let tasks: Vec<_> = (0..READERS).map(|reader| tracker.spawn(start(reader))).collect();
    let wait_steps = async |most: u64| {
        wait_until(async || {
            let is_gone = tasks.iter().any(tokio::task::JoinHandle::is_finished);
            assert!(!is_gone, "{what}: a reader got no result");
            steps.load(Ordering::Relaxed) >= most
        })
        .await;
    };
    wait_steps(ACTS).await;
    damage(&dir);
    let before = steps.load(Ordering::Relaxed);
    wait_steps(before + ACTS).await;
    fixture.wait_written("/later").await;
    is_over.store(true, Ordering::Relaxed);
    for actor in tasks {
        actor.await.unwrap_or_else(|_| panic!("{what}: a reader got no result"));
    }
    let last = fixture.store_until_written("/last", 500).await;
    assert_eq!(fixture.cache.close_disk().await, 0, "{what}");
    let again = open(&dir);
    assert_eq!(again.read(&last, 1, 500).await, 0, "{what}: it was written after the trouble");
    for at in 0..NAMES {
        again.read(&format!("/{at}"), 9, length(at)).await;
    }
    let logged = warnings_for(&dir);
    assert!(warnings.contains(&logged.len()), "{what}: {logged:#?}");
}

async fn run_actor(fixture: DiskFixture, reader: u64, steps: Arc<AtomicU64>, is_over: Arc<AtomicBool>) {
    let mut random = reader + 0x51_7c_c1_b7;
    while !is_over.load(Ordering::Relaxed) {
        let at = next_random(&mut random) % NAMES;
        match next_random(&mut random) % 8 {
            0 => fixture.store(&format!("/{reader}/{at}"), length(at)).await,
            _ => drop(fixture.read(&format!("/{at}"), 0, length(at)).await),
        }
        steps.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}

fn cut(file: &Path, part: u64) {
    let file = fs::File::options().write(true).open(file).expect("open");
    let length = file.metadata().expect("known").len();
    file.set_len(length / 4 * part).expect("cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_truncated_while_in_use_is_survived() {
    goes_on("half", |dir| cut(&dir.join("cache.db"), 2), 0..=2).await;
    goes_on("nothing left", |dir| cut(&dir.join("cache.db"), 0), 0..=2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_truncated_while_in_use_is_survived() {
    goes_on("half", |dir| cut(&dir.join("cache.db-wal"), 2), 0..=2).await;
    goes_on("nothing left", |dir| cut(&dir.join("cache.db-wal"), 0), 0..=2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_overwritten_while_in_use_is_set_aside() {
    let overwrite: DamageFn = |dir| {
        use std::os::unix::fs::FileExt;
        for name in ["cache.db", "cache.db-wal"] {
            let file = fs::File::options().write(true).open(dir.join(name)).expect("open");
            let length = usize::try_from(file.metadata().expect("known").len()).expect("64 bits");
            let noise: Vec<u8> = (0..length).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
            file.write_all_at(&noise, 0).expect("overwritten");
        }
    };
    goes_on("noise", overwrite, 1..=2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_deleted_while_in_use_is_created_again() {
    let delete: DamageFn = |dir| fs::remove_file(dir.join("cache.db")).expect("removed");
    goes_on("the file", delete, 1..=1).await;
    let delete_all: DamageFn = |dir| {
        for tail in ["", "-wal", "-shm"] {
            fs::remove_file(dir.join(format!("cache.db{tail}"))).expect("removed");
        }
    };
    goes_on("all files", delete_all, 1..=1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_removed_or_moved_while_in_use_is_created_again() {
    let moved: DamageFn = |dir| fs::rename(dir, dir.with_extension("moved")).expect("moved");
    goes_on("moved", moved, 1..=1).await;
    // Files may be created in it while it is being removed.
    let removed: DamageFn = |dir| while dir.exists() && fs::remove_dir_all(dir).is_err() {};
    goes_on("removed", removed, 1..=2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_replaced_by_a_file_is_logged_and_used_again_once_it_is_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("cache");
    let fixture = open(&dir);
    fixture.store("/x", 300).await;
    fixture.flush().await;
    fs::rename(&dir, folder.path().join("moved")).expect("moved");
    fs::write(&dir, "in the way").expect("written");
    wait_until(async || {
        fixture.read("/x", 1, 300).await;
        fixture.cache.disk_error().is_some()
    })
    .await;
    for at in 0..50 {
        fixture.read(&format!("/{at}"), 0, 300).await;
    }
    let warnings = warnings_for(&dir);
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains("remedy="), "{warnings:#?}");
    fs::remove_file(&dir).expect("removed");
    fixture.wait_written("/later").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_copy_that_replaces_a_running_store_revives_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (dir, copy) = (folder.path().join("cache"), folder.path().join("copy"));
    let fixture = open(&dir);
    for at in 0..50 {
        fixture.store(&format!("/{at}"), 300).await;
    }
    fixture.cache.close_disk().await;
    fs::copy(dir.join("cache.db"), &copy).expect("copied");
    let fixture = open(&dir);
    for at in 0..50 {
        fixture.invalidate(&format!("/{at}")).await;
        assert_eq!(fixture.read(&format!("/{at}"), 1, 300).await, 1);
    }
    fixture.flush().await;
    fs::rename(&copy, dir.join("cache.db")).expect("put there");
    for tail in ["-wal", "-shm"] {
        fs::remove_file(dir.join(format!("cache.db{tail}"))).expect("removed");
    }
    fixture.wait_written("/later").await;
    for at in 0..50 {
        assert_eq!(fixture.read(&format!("/{at}"), 1, 300).await, 1, "/{at} while it runs");
    }
    fixture.cache.close_disk().await;
    let fixture = open(&dir);
    for at in 0..50 {
        assert_ne!(fixture.read(&format!("/{at}"), 2, 300).await, 0, "/{at} after a restart");
    }
}
