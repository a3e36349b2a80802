//! Processes killed while they write, a hundred times at random moments. Every flushed value is there, no invalidated
//! one is, and none is corrupt.
//!
//! The victim is this test binary, started again to write and report what it did.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::disk::DiskSettings;
use greenroom_cache::disk::lock::{self, DirectoryLock};
use greenroom_cache::*;
use tokio_util::task::TaskTracker;

/// Set for a victim: the directory, and its number.
const DIR: &str = "GREENROOM_CRASH_DIR";
const NUMBER: &str = "GREENROOM_CRASH_NUMBER";
const LONG: Duration = Duration::from_secs(30);
const ROUNDS: u64 = 100;

const POLICY: Policy = Policy {
    class: "crash",
    fresh: Duration::from_hours(1),
    freshness_bound: None,
    stale: Duration::ZERO,
    stale_on_error: Duration::ZERO,
    refresh_ahead: false,
    warm: false,
    soft_timeout: Duration::from_secs(1),
    hard_timeout: Duration::from_secs(10),
};

struct BodyLoader {
    body: Vec<u8>,
    tag: String,
}

impl Loader for BodyLoader {
    type Pass = ();

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        let loaded = LoadedValue::new(Value::new(self.body.clone()));
        Ok(LoadResult::Store(LoadedValue { tags: vec![Tag::new(self.tag.clone())], ..loaded }))
    }
}

struct EmptyLoader;

impl Loader for EmptyLoader {
    type Pass = ();

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        Err(LoadError::new(LoadErrorKind::Refused, "only what is kept counts"))
    }
}

fn open(dir: &Path) -> Cache {
    let disk =
        DiskSettings { read_timeout: LONG, invalidation_timeout: LONG, drain_timeout: LONG, ..DiskSettings::new(dir) };
    Cache::with_disk(CacheSettings::default(), disk, Clock::system(), TaskTracker::new()).expect("it opens")
}

fn key(name: &str) -> Key {
    Key::new("home", &Partition::new("anna"), name)
}

/// A body that identifies its key, sometimes long enough for a file of its own.
fn body(name: &str, number: u64) -> Vec<u8> {
    let length = match number % 11 {
        0 => 150_000,
        5 => 20_000,
        _ => 700,
    };
    name.bytes().chain([0]).cycle().take(length).collect()
}

/// The victim: stores, flushes and reports; invalidates, waits and reports.
#[test]
#[ignore = "the victim of the test below"]
fn victim() {
    let (Ok(dir), Ok(victim)) = (std::env::var(DIR), std::env::var(NUMBER)) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let cache = open(Path::new(&dir));
        let mut out = std::io::stdout();
        let mut log_line = |caller: String| writeln!(out, "{caller}").and_then(|()| out.flush()).expect("said");
        for number in 0..u64::MAX {
            let name = format!("{victim}-{number}");
            let source = BodyLoader { body: body(&name, number), tag: name.clone() };
            cache.get_or_load(&key(&name), &POLICY, CacheDirective::Any, || source).await.expect("kept");
            if number % 4 == 3 {
                assert!(cache.flush(LONG).await);
                log_line(format!("flushed {number}"));
            }
            if number % 8 == 7 {
                let killed = format!("{victim}-{}", number - 2);
                let tag = Tag::new(killed);
                let scope = Scope::Tag { namespace: "home".into(), partition: None, tag };
                log_line(format!("invalidating {}", number - 2));
                cache.invalidate(&scope, &Invalidation::mark_stale());
                assert!(cache.flush_invalidations().await);
                log_line(format!("invalidated {}", number - 2));
            }
        }
    });
}

/// Reports of a victim before it died.
#[derive(Default)]
struct VictimLog {
    flushed: Option<u64>,
    invalidating: BTreeSet<u64>,
    invalidated: BTreeSet<u64>,
}

fn start(dir: &Path, number: &str) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "victim", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .env(NUMBER, number)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let out = BufReader::new(child.stdout.take().expect("its output"));
    (child, out)
}

impl VictimLog {
    /// Reads one line; false at the end.
    fn read_line(&mut self, out: &mut BufReader<ChildStdout>) -> bool {
        let mut caller = String::new();
        if out.read_line(&mut caller).expect("readable") == 0 {
            return false;
        }
        if let Some((verb, number)) = caller.trim().split_once(' ')
            && let Ok(number) = number.parse()
        {
            match verb {
                "flushed" => self.flushed = Some(number),
                "invalidating" => drop(self.invalidating.insert(number)),
                "invalidated" => drop(self.invalidated.insert(number)),
                _ => {}
            }
        }
        true
    }
}

async fn cached_body(cache: &Cache, name: &str) -> Option<Vec<u8>> {
    match cache.get_or_load(&key(name), &POLICY, CacheDirective::OnlyIfCached, || EmptyLoader).await {
        Ok(CacheResponse::Cached { entry, .. }) => Some(entry.body().to_vec()),
        _ => None,
    }
}

async fn check(cache: &Cache, victim: &str, warnings: &VictimLog) {
    for number in 0..=warnings.flushed.unwrap_or(0) {
        let name = format!("{victim}-{number}");
        let found = cached_body(cache, &name).await;
        if warnings.invalidated.contains(&number) {
            assert_eq!(found, None, "{name} was invalidated and came back");
        } else if warnings.flushed.is_some() && !warnings.invalidating.contains(&number) {
            assert_eq!(found.as_ref().map(Vec::len), Some(body(&name, number).len()), "{name} was flushed");
            assert!(found == Some(body(&name, number)), "{name} is torn");
        }
    }
    let stats = cache.disk_stats().expect("a disk");
    assert_eq!((stats.corrupt, stats.set_aside), (0, 0), "{stats:?}");
}

/// Kills a process after a few lines, and checks what is left, `rounds` times.
async fn kill_and_check(rounds: u64) {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..rounds {
        let dir = tempfile::tempdir().expect("a folder");
        let (name, mut warnings) = (format!("{round}-0"), VictimLog::default());
        let (mut child, mut out) = start(dir.path(), &name);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        for _ in 0..4 + (random >> 33) % 40 {
            assert!(warnings.read_line(&mut out), "the victim died by itself");
        }
        let taken = DirectoryLock::holder(dir.path(), lock::FILE).and_then(|holder| holder.pid);
        assert_eq!(taken, Some(child.id()), "the directory is locked");
        child.kill().expect("killed");
        child.wait().expect("dead");
        // Lines not read yet were reported before it died.
        while warnings.read_line(&mut out) {}
        assert_eq!(DirectoryLock::holder(dir.path(), lock::FILE), None, "the system freed the lock");
        let cache = open(dir.path());
        check(&cache, &name, &warnings).await;
        cache.close_disk().await;
    }
}

#[tokio::test]
async fn a_process_killed_while_writing_loses_nothing_flushed_and_frees_its_directory() {
    kill_and_check(ROUNDS).await;
}
