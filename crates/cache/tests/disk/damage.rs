//! Damage done while no process uses the store: flipped bits, files truncated, removed, or replaced by foreign ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::fixture::{next_random, open, wait_until};
use crate::warning_log::warnings_for;

const ENTRIES: usize = 120;
/// Trials per image of a store.
const TRIALS: u64 = 60;
/// Bytes of a page of the database.
const PAGE: u64 = 16 * 1024;

/// Small, compressible or not, and some in files of their own.
fn length(at: usize) -> usize {
    match at % 12 {
        3 => 90_000,
        7 => 9_000,
        _ => 200 + at * 11,
    }
}

fn name(at: usize) -> String {
    format!("/item/{at}")
}

fn is_invalidated(at: usize) -> bool {
    at % 5 == 2
}

/// A store with entries of edition 0, some of them invalidated; copied in the middle of the work, when most of it is in
/// the log, or after it was closed.
async fn store_copy(is_closed: bool) -> tempfile::TempDir {
    let (dir, copy) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let fixture = open(dir.path());
    for at in 0..ENTRIES {
        fixture.store(&name(at), length(at)).await;
    }
    fixture.flush().await;
    for at in (0..ENTRIES).filter(|at| is_invalidated(*at)) {
        fixture.invalidate(&name(at)).await;
    }
    if is_closed {
        assert_eq!(fixture.cache.close_disk().await, 0);
    }
    copy_all(dir.path(), copy.path());
    copy
}

/// Copies what outlives a process: the map of the log is rebuilt from the log.
fn copy_all(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).expect("it lies there"));
        fs::create_dir_all(target.parent().expect("it lies in a folder")).expect("made");
        fs::copy(&file, target).expect("copied");
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("listed").flatten() {
        match entry.path() {
            path if path.is_dir() => files.extend(self::files(&path)),
            path if path.extension().is_some_and(|tail| tail == "db-shm") => {}
            path => files.push(path),
        }
    }
    files.sort();
    files
}

/// Flips some bits of one file, at the start of pages and of the file as often as elsewhere. Returns where.
fn flip(dir: &Path, random: &mut u64) -> String {
    let files: Vec<PathBuf> =
        files(dir).into_iter().filter(|file| fs::metadata(file).is_ok_and(|file| file.len() > 0)).collect();
    // The database and its log as often as all bodies together.
    let large: Vec<&PathBuf> = files.iter().filter(|file| file.to_string_lossy().contains("cache.db")).collect();
    let file = match next_random(random) % 3 {
        0 => &files[usize::try_from(next_random(random)).expect("64 bits") % files.len()],
        _ => large[usize::try_from(next_random(random)).expect("64 bits") % large.len()],
    };
    let mut bytes = fs::read(file).expect("read");
    let length = bytes.len() as u64;
    let mut places = Vec::new();
    for _ in 0..=next_random(random) % 4 {
        let place = match next_random(random) % 4 {
            0 => next_random(random) % 100.min(length),
            1 => (next_random(random) % length / PAGE * PAGE + next_random(random) % 64).min(length - 1),
            _ => next_random(random) % length,
        };
        bytes[usize::try_from(place).expect("64 bits")] ^= 1 << (next_random(random) % 8);
        places.push(place);
    }
    fs::write(file, bytes).expect("written");
    format!("{} at {places:?}", file.display())
}

/// Reads everything from a damaged store: every response is complete and correct, and nothing invalidated comes back.
/// What is stored then is there after another restart.
async fn survives(dir: &Path, what: &str) {
    let fixture = open(dir);
    let mut old = BTreeSet::new();
    for at in 0..ENTRIES {
        let edition = fixture.read(&name(at), 1, length(at)).await;
        if edition == 0 {
            old.insert(at);
        }
    }
    let undone: Vec<&usize> = old.iter().filter(|at| is_invalidated(**at)).collect();
    assert!(undone.is_empty(), "{what}: invalidated, and came back: {undone:?}");
    fixture.drain().await;
    fixture.wait_written("/later").await;
    let warnings = warnings_for(dir);
    assert!(warnings.len() <= 2, "{what}: said once, not: {warnings:#?}");
    assert_eq!(fixture.cache.close_disk().await, 0, "{what}");
    let fixture = open(dir);
    for at in 0..ENTRIES {
        fixture.read(&name(at), 2, length(at)).await;
    }
    fixture.cache.close_disk().await;
}

async fn flips(is_closed: bool, seed: u64) {
    let store_copy = store_copy(is_closed).await;
    let mut random = seed;
    for trial in 0..TRIALS {
        let dir = tempfile::tempdir().expect("a folder");
        copy_all(store_copy.path(), dir.path());
        let place = flip(dir.path(), &mut random);
        survives(dir.path(), &format!("trial {trial}: {place}")).await;
    }
}

#[tokio::test]
async fn flipped_bits_in_a_closed_store_never_reach_a_response() {
    flips(true, 0x1234_5678_9abc_def1).await;
}

#[tokio::test]
async fn flipped_bits_in_a_store_with_a_full_log_never_reach_a_response() {
    flips(false, 0x0fed_cba9_8765_4321).await;
}

#[tokio::test]
async fn any_changed_byte_of_the_header_is_survived() {
    let store_copy = store_copy(true).await;
    for place in 0..100 {
        let dir = tempfile::tempdir().expect("a folder");
        copy_all(store_copy.path(), dir.path());
        let file = dir.path().join("cache.db");
        let mut bytes = fs::read(&file).expect("read");
        // The lowest bit of byte 18 makes SQLite treat the file as read-only.
        bytes[place] ^= 1;
        fs::write(&file, bytes).expect("written");
        survives(dir.path(), &format!("{} at {place}", file.display())).await;
    }
}

#[tokio::test]
async fn an_undamaged_store_serves_everything_it_stored() {
    for is_closed in [true, false] {
        let store_copy = store_copy(is_closed).await;
        let fixture = open(store_copy.path());
        for at in 0..ENTRIES {
            let edition = fixture.read(&name(at), 1, length(at)).await;
            assert_eq!(edition, u64::from(is_invalidated(at)), "{at}");
        }
    }
}

#[tokio::test]
async fn a_store_truncated_anywhere_is_survived() {
    for is_closed in [true, false] {
        let store_copy = store_copy(is_closed).await;
        for part in 0..16u64 {
            let dir = tempfile::tempdir().expect("a folder");
            copy_all(store_copy.path(), dir.path());
            let file = dir.path().join(if is_closed { "cache.db" } else { "cache.db-wal" });
            let length = fs::metadata(&file).expect("it is there").len() * part / 16 + part % 3;
            fs::File::options().write(true).open(&file).expect("open").set_len(length).expect("cut");
            survives(dir.path(), &format!("{} cut to {length}", file.display())).await;
        }
    }
}

#[tokio::test]
async fn missing_truncated_or_empty_bodies_are_loaded_again() {
    let store_copy = store_copy(true).await;
    let dir = store_copy.path();
    let bodies: Vec<PathBuf> = files(dir).into_iter().filter(|file| file.starts_with(dir.join("bodies"))).collect();
    assert!(bodies.len() >= 5, "long bodies lie in files: {bodies:?}");
    for (at, file) in bodies.iter().enumerate() {
        match at % 3 {
            0 => fs::remove_file(file).expect("removed"),
            1 => fs::write(file, "").expect("emptied"),
            _ => fs::write(file, &fs::read(file).expect("read")[1..]).expect("cut"),
        }
    }
    let fixture = open(dir);
    for at in 0..ENTRIES {
        let edition = fixture.read(&name(at), 1, length(at)).await;
        assert_eq!(edition, u64::from(is_invalidated(at) || length(at) == 90_000), "{at}");
    }
    assert_eq!(fixture.stats().corrupt, bodies.len() as u64);
    assert_eq!(fixture.stats().set_aside, 0, "the store itself is whole");
}

#[tokio::test]
async fn a_file_set_aside_is_logged_once_with_a_remedy_and_not_deleted() {
    let store_copy = store_copy(true).await;
    let dir = store_copy.path();
    fs::write(dir.join("cache.db"), "this is no database, it is a text of some length").expect("written");
    let fixture = open(dir);
    fixture.wait_written("/later").await;
    let warnings = warnings_for(dir);
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains("set aside") && warnings[0].contains("disk's health"), "{warnings:#?}");
    let cached_body = fs::read(dir.join("cache.db.set-aside")).expect("it is kept");
    assert!(cached_body.starts_with(b"this is no database"));
}

#[tokio::test]
async fn a_clock_that_was_set_back_keeps_nothing_fresh_for_longer() {
    use greenroom_cache::Clock;

    use crate::fixture::{DiskFixture, disk};
    let dir = tempfile::tempdir().expect("a folder");
    // A clock that runs ahead by hours within moments.
    let ahead = Clock::scaled(1e7);
    let fixture = DiskFixture::open_at(disk(dir.path()), ahead.clone());
    wait_until(async || ahead.now_ms() >= Clock::system().now_ms() + 10 * 3_600_000).await;
    fixture.store("/x", 500).await;
    fixture.cache.close_disk().await;
    let fixture = open(dir.path());
    assert_eq!(fixture.read("/x", 1, 500).await, 1, "its age is unknown");
    assert_eq!(fixture.read("/x", 2, 500).await, 1);
    fixture.cache.close_disk().await;
    assert_eq!(open(dir.path()).read("/x", 2, 500).await, 1, "what is kept now is fresh as long as ever");
}
