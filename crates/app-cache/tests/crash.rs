//! Processes killed while they write, a hundred times at random moments. Every entry that was acknowledged is there, none
//! is torn, and a barrier that was reached has lost nothing.
//!
//! The victim is this test binary, started again to write and report what it did.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use greenroom_app_cache::entry::NewEntry;
use greenroom_app_cache::put::{Put, PutCondition};
use greenroom_app_cache::{AppCaches, CacheName, EntryKey, EntryTags};
use greenroom_cache::Clock;
use greenroom_config::AppCachesSettings;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Set for a victim: the directory, and the number of its first entry.
const DIR: &str = "GREENROOM_APP_CACHE_CRASH_DIR";
const FIRST: &str = "GREENROOM_APP_CACHE_CRASH_FIRST";
const ROUNDS: u64 = 100;
/// Of so many entries one is deferred, and its barrier is waited for.
const DEFERRED_EVERY: u64 = 5;

fn name() -> CacheName {
    CacheName::parse("worker").expect("valid")
}

fn key(number: u64) -> EntryKey {
    EntryKey::parse(&format!("key {number}")).expect("valid")
}

/// A value whose every part says which entry it belongs to; some have several pages.
fn value(number: u64) -> Vec<u8> {
    let length = if number.is_multiple_of(7) { 20_000 } else { 200 };
    format!("{number:08}").into_bytes().into_iter().cycle().take(length).collect()
}

fn entry(number: u64) -> NewEntry {
    NewEntry {
        value: value(number),
        media_type: "text/plain".into(),
        expires_ms: None,
        dies_ms: None,
        tags: EntryTags::parse(vec![format!("tag {}", number % 3)]).expect("valid"),
        version: String::new(),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

async fn open(dir: &Path) -> (AppCaches, CancellationToken) {
    let caches = AppCaches::new(dir, AppCachesSettings::default(), Clock::system());
    let stop = CancellationToken::new();
    caches.start(&TaskTracker::new(), &stop).await.expect("the store opens");
    (caches, stop)
}

/// Writes entries until it is killed.
#[test]
#[ignore = "the victim of the test below"]
fn victim() {
    let (Ok(dir), Ok(first)) = (std::env::var(DIR), std::env::var(FIRST)) else { return };
    runtime().block_on(async {
        let (caches, _stop) = open(Path::new(&dir)).await;
        let mut out = std::io::stdout();
        for number in first.parse::<u64>().expect("a number").. {
            if number.is_multiple_of(DEFERRED_EVERY) {
                let barrier = caches.put_later(&name(), key(number), entry(number)).await.expect("accepted");
                assert_eq!(caches.flush(&name(), barrier.as_deref()).await, Ok(true));
            } else {
                let (condition, begun, lease) = (PutCondition::Absent, None, None);
                let put = Put { key: key(number), entry: entry(number), condition, begun, lease };
                caches.put(&name(), put).await.expect("stored");
            }
            writeln!(out, "stored {number}").and_then(|()| out.flush()).expect("said");
        }
    });
}

fn start(dir: &Path, first: u64) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "victim", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let out = BufReader::new(child.stdout.take().expect("its output"));
    (child, out)
}

/// Lets a victim write until it has reported some entries, kills it, and returns the number of the last one it reported.
fn kill_one(dir: &Path, first: u64, after: u64) -> u64 {
    let (mut child, out) = start(dir, first);
    let mut lines = out.lines().map_while(Result::ok).filter_map(|line| line.strip_prefix("stored ")?.parse().ok());
    let reported = lines.by_ref().take(usize::try_from(after).expect("a small number")).last();
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    // Lines not read yet were reported before it died.
    lines.last().or(reported).expect("it reported some entries")
}

#[test]
fn no_acknowledged_entry_is_lost_and_none_is_torn_when_the_process_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = 0;
    for round in 0..ROUNDS {
        let last = kill_one(folder.path(), first, 1 + round * 37 % 50);
        runtime().block_on(async {
            let (caches, stop) = open(folder.path()).await;
            for number in first..=last {
                let found = caches.get(&name(), &key(number), None).await.expect("it reads").into_entry();
                let found = found.unwrap_or_else(|| panic!("round {round}: {number} was acknowledged and is lost"));
                assert!(found.entry.value == value(number), "round {round}: {number} is torn");
            }
            // The one that was being written is whole or not there.
            let next = caches.get(&name(), &key(last + 1), None).await.expect("it reads").into_entry();
            assert!(next.is_none_or(|found| found.entry.value == value(last + 1)), "round {round}");
            stop.cancel();
            assert!(caches.close().await);
        });
        first = last + 2;
    }
    assert!(first > ROUNDS * 5, "too few entries were written: {first}");
    let db = rusqlite::Connection::open(folder.path().join("apps.db")).expect("it opens");
    let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("it is checked");
    let counted: i64 = db.query_row("SELECT entries FROM cache", [], |row| row.get(0)).expect("a size");
    let rows: i64 = db.query_row("SELECT count(*) FROM entry", [], |row| row.get(0)).expect("a count");
    assert_eq!((check.as_str(), counted), ("ok", rows));
}
