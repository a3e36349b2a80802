//! Disks that are full or read-only, real ones where this machine permits.
//!
//! Each test starts this binary again as its child: in its own namespace with a small file system; or, which needs no
//! privileges and therefore always runs, with a limit on file length, and as a user without write permission.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use greenroom_cache::disk::error::StorageErrorKind;
use greenroom_cache::{Invalidation, Scope, Tag};

use crate::fixture::{DiskFixture, disk, open};
use crate::warning_log::warnings_for;

/// Set for a child: its directory.
const DIR: &str = "GREENROOM_STRAITS_DIR";
/// The user id of `nobody`.
const NOBODY_UID: u32 = 65_534;
const ENTRIES: usize = 300;

fn this_binary() -> PathBuf {
    std::env::current_exe().expect("this binary")
}

/// Runs one of the ignored tests below, and shows its output if it failed.
fn run(command: &mut Command, child: &str, dir: &Path) {
    let arguments = ["--exact", child, "--ignored", "--nocapture"];
    let output = command.args(arguments).env(DIR, dir).output().expect("it starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}\n{stderr}");
}

fn dir() -> Option<PathBuf> {
    std::env::var_os(DIR).map(PathBuf::from)
}

fn run_shell(caller: &str) {
    assert!(Command::new("sh").args(["-c", caller]).status().expect("a shell").success(), "{caller}");
}

/// Whether a process here may mount its own file systems.
fn has_namespaces() -> bool {
    let tried = Command::new("unshare").args(["-Urm", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    let may = tried.is_ok_and(|tried| tried.status.success());
    if !may {
        println!("no file systems of one's own on this machine: only the tests without them say anything here");
    }
    may
}

fn in_namespace(child: &str) {
    if has_namespaces() {
        let folder = tempfile::tempdir().expect("a folder");
        run(Command::new("unshare").arg("-Urm").arg(this_binary()), child, folder.path());
    }
}

/// Stores much more than there is room for; every request is answered; and with more room the error ends by itself.
async fn fills(fixture: DiskFixture, dir: &Path, kinds: &[StorageErrorKind], make_room: impl FnOnce()) {
    for at in 0..ENTRIES {
        let length = if at % 10 == 0 { 100_000 } else { 9_000 };
        fixture.store(&format!("/{at}"), length).await;
        assert_eq!(fixture.read(&format!("/{at}"), 0, length).await, 0);
        fixture.drain().await;
    }
    let stats = fixture.stats();
    assert!(stats.written > 0 && stats.failed > 0, "some found room: {stats:?}");
    let kind = fixture.cache.disk_error();
    assert!(kind.is_some_and(|kind| kinds.contains(&kind)), "{kind:?}");
    assert_eq!(stats.set_aside, 0, "nothing is damaged: {stats:?}");
    let warnings = warnings_for(dir);
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains("remedy="), "{warnings:#?}");
    // Entries that found room are served, though nothing is written.
    let loads = fixture.loads();
    for at in 0..ENTRIES {
        let length = if at % 10 == 0 { 100_000 } else { 9_000 };
        fixture.read(&format!("/{at}"), 0, length).await;
    }
    assert!(fixture.loads() < loads + ENTRIES as u64, "some are hits");
    make_room();
    fixture.wait_written("/later").await;
    fixture.store("/last", 100_000).await;
    fixture.flush().await;
    fixture.cache.close_disk().await;
    assert_eq!(open(dir).read("/last", 1, 100_000).await, 0, "it was written");
}

#[tokio::test]
#[ignore = "the child of a test below"]
async fn fills_a_small_disk() {
    let Some(dir) = dir() else { return };
    let at = dir.display();
    run_shell(&format!("mount -t tmpfs -o size=1m none {at}"));
    let store = dir.join("cache");
    let more = || run_shell(&format!("mount -o remount,size=64m {at}"));
    fills(open(&store), &store, &[StorageErrorKind::Full], more).await;
}

/// Clearing leaves not a byte beside the store.
#[tokio::test]
#[ignore = "the child of a test below"]
async fn clears_a_disk_without_room() {
    let Some(dir) = dir() else { return };
    let at = dir.display();
    run_shell(&format!("mount -t tmpfs -o size=2m none {at}"));
    let store = dir.join("cache");
    let fixture = open(&store);
    for index in 0..ENTRIES {
        fixture.store(&format!("/{index}"), if index % 10 == 0 { 100_000 } else { 9_000 }).await;
        fixture.drain().await;
    }
    assert_eq!(fixture.cache.disk_error(), Some(StorageErrorKind::Full));
    run_shell(&format!("cat /dev/zero > {at}/others 2>/dev/null || true"));
    fixture.cache.invalidate(&Scope::All, &Invalidation::purge());
    fixture.wait_written("/later").await;
    assert_eq!(fixture.stats().set_aside, 0, "nothing was damaged");
    fixture.store("/last", 100_000).await;
    fixture.flush().await;
    fixture.cache.close_disk().await;
    let fixture = open(&store);
    assert_eq!(fixture.read("/last", 1, 100_000).await, 0, "there is room again");
    assert_eq!(fixture.read("/1", 1, 9_000).await, 1, "what was cleared is gone");
}

#[test]
fn clearing_everything_frees_space_on_a_full_disk() {
    in_namespace("straits::clears_a_disk_without_room");
}

#[test]
fn a_full_disk_stops_writes_and_nothing_else() {
    in_namespace("straits::fills_a_small_disk");
}

#[tokio::test]
#[ignore = "the child of a test below"]
async fn fills_short_files() {
    let Some(dir) = dir() else { return };
    let store = dir.join("cache");
    // The log exceeds the limit, or the database does at a checkpoint.
    let more = || run_shell(&format!("prlimit --pid {} --fsize=unlimited", std::process::id()));
    fills(open(&store), &store, &[StorageErrorKind::Full, StorageErrorKind::Io], more).await;
}

#[test]
fn a_file_size_limit_stops_writes_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    // The limit's signal is ignored, so that it is an error like others.
    let limited = "trap '' XFSZ; ulimit -S -f 1024; exec \"$0\" \"$@\"";
    let mut run_shell = Command::new("sh");
    run(run_shell.args(["-c", limited]).arg(this_binary()), "straits::fills_short_files", folder.path());
}

/// A start in a read-only directory with a store: every request is answered, the error is logged once; and earlier
/// entries are back when it is writable again.
async fn check_read_only(dir: &Path, allow: impl FnOnce()) {
    let fixture = open(dir);
    for at in 0..50 {
        assert_eq!(fixture.read(&format!("/{at}"), 1, 300).await, 1, "nothing can be read there either");
    }
    fixture.store("/1", 300).await;
    let scope = Scope::Tag { namespace: "home".into(), partition: None, tag: Tag::new("/1") };
    fixture.cache.invalidate(&scope, &Invalidation::mark_stale());
    assert!(!fixture.cache.flush_invalidations().await, "it is not durable, and the caller does not wait for it");
    assert_eq!(fixture.cache.disk_error(), Some(StorageErrorKind::ReadOnly));
    let warnings = warnings_for(dir);
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains("writable"), "{warnings:#?}");
    allow();
    fixture.wait_written("/later").await;
    fixture.cache.close_disk().await;
    let fixture = open(dir);
    assert_eq!(fixture.read("/2", 2, 300).await, 0, "what was kept before is there again");
    assert_eq!(fixture.read("/1", 2, 300).await, 2, "but for what was invalidated meanwhile");
}

#[tokio::test]
#[ignore = "the child of a test below"]
async fn starts_on_a_read_only_disk() {
    let Some(dir) = dir() else { return };
    let (at, store) = (dir.display(), dir.join("cache"));
    run_shell(&format!("mount -t tmpfs -o size=64m none {at}"));
    store_some(&store).await;
    run_shell(&format!("mount -o remount,ro {at}"));
    check_read_only(&store, || run_shell(&format!("mount -o remount,rw {at}"))).await;
}

#[test]
fn a_read_only_disk_turns_the_tier_off_until_it_is_writable() {
    in_namespace("straits::starts_on_a_read_only_disk");
}

async fn store_some(store: &Path) {
    let fixture = DiskFixture::open(disk(store));
    for at in 0..50 {
        fixture.store(&format!("/{at}"), 300).await;
    }
    fixture.cache.close_disk().await;
}

#[tokio::test]
#[ignore = "the child of a test below"]
async fn starts_in_a_folder_that_is_read_only() {
    let Some(dir) = dir() else { return };
    let store = dir.join("cache");
    store_some(&store).await;
    let mode = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    let files: Arc<[PathBuf]> = fs::read_dir(&store).expect("listed").flatten().map(|file| file.path()).collect();
    let files = Arc::clone(&files);
    for file in files.iter().filter(|file| file.is_file()) {
        mode(file, 0o400);
    }
    mode(&store, 0o500);
    check_read_only(&store, || {
        mode(&store, 0o700);
        for file in files.iter().filter(|file| file.is_file()) {
            mode(file, 0o600);
        }
    })
    .await;
}

/// Root may write anywhere; so for root the child runs as `nobody`, with a copy of this binary that `nobody` may start.
#[test]
fn a_folder_without_write_permission_turns_the_tier_off_until_it_is_granted() {
    let folder = tempfile::tempdir().expect("a folder");
    let work = folder.path().join("work");
    fs::create_dir(&work).expect("made");
    let is_root = fs::metadata("/proc/self").expect("Linux").uid() == 0;
    let child = "straits::starts_in_a_folder_that_is_read_only";
    if is_root {
        let binary = folder.path().join("binary");
        fs::copy(this_binary(), &binary).expect("copied");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("opened");
        std::os::unix::fs::chown(&work, Some(NOBODY_UID), Some(NOBODY_UID)).expect("given away");
        run(Command::new(binary).uid(NOBODY_UID).gid(NOBODY_UID).current_dir("/"), child, &work);
    } else {
        run(&mut Command::new(this_binary()), child, &work);
    }
}
