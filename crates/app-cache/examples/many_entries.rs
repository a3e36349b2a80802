//! A cache of many small entries: how large its file is, how fast it opens, what a lookup takes, and how much memory.
//!
//! `cargo run --release -p greenroom-app-cache --example many_entries -- FOLDER [ENTRIES]` fills a cache in this folder with
//! entries of 200 bytes (ten million without a number), unless it has them already, then opens it in another process and
//! looks entries up at random. Needs 400 bytes of disk for each entry.

#![expect(clippy::disallowed_methods, reason = "it measures real time")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use greenroom_app_cache::batch::BatchOperation;
use greenroom_app_cache::entry::NewEntry;
use greenroom_app_cache::lookup::EntryLookup;
use greenroom_app_cache::put::{Put, PutCondition};
use greenroom_app_cache::{AppCaches, CacheName, EntryKey, EntryTags};
use greenroom_cache::Clock;
use greenroom_config::{AppCacheSettings, AppCachesSettings};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const USUAL_ENTRIES: u64 = 10_000_000;
const VALUE_BYTES: usize = 200;
const PER_BATCH: u64 = 1000;
const LOOKUPS: u64 = 100_000;
/// Given to the process that opens the cache.
const LOOK_UP: &str = "look-up";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(folder) = words.next().map(PathBuf::from) else {
        println!("usage: many_entries FOLDER [ENTRIES]");
        return ExitCode::from(2);
    };
    let entries = words.next().and_then(|word| word.parse().ok()).unwrap_or(USUAL_ENTRIES);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if words.next().as_deref() == Some(LOOK_UP) {
        runtime.block_on(look_up(&folder, entries));
        return ExitCode::SUCCESS;
    }
    std::fs::create_dir_all(&folder).expect("the folder is there");
    runtime.block_on(fill(&folder, entries));
    show_size(&folder, entries);
    let program = std::env::current_exe().expect("this program");
    let status = Command::new(program).arg(&folder).arg(entries.to_string()).arg(LOOK_UP).status();
    if status.is_ok_and(|status| status.success()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn name() -> CacheName {
    CacheName::parse("many").expect("valid")
}

fn key(number: u64) -> EntryKey {
    EntryKey::parse(&format!("item/{number:09}")).expect("valid")
}

/// A number that is as good as random.
fn scattered(number: u64) -> u64 {
    let mixed = (number ^ (number >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 27)).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 16
}

fn value(number: u64) -> Vec<u8> {
    let mut value = Vec::with_capacity(VALUE_BYTES + 8);
    for part in 0..(VALUE_BYTES as u64).div_ceil(8) {
        value.extend_from_slice(&scattered(number * 64 + part).to_le_bytes());
    }
    value.truncate(VALUE_BYTES);
    value
}

async fn open(folder: &Path) -> (AppCaches, CancellationToken, TaskTracker) {
    let many = AppCacheSettings { max_bytes: 1 << 40, max_entries: 1_000_000_000, ..AppCacheSettings::new("many") };
    let settings = AppCachesSettings { caches: vec![many], ..AppCachesSettings::default() };
    let caches = AppCaches::new(folder, settings, Clock::system());
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    caches.start(&tasks, &stop).await.expect("the store opens");
    (caches, stop, tasks)
}

async fn close((caches, stop, tasks): (AppCaches, CancellationToken, TaskTracker)) {
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    assert!(caches.close().await, "all is written in time");
}

fn put(number: u64) -> BatchOperation {
    let entry = NewEntry {
        value: value(number),
        media_type: "application/octet-stream".into(),
        expires_ms: None,
        dies_ms: None,
        tags: EntryTags::default(),
        version: String::new(),
    };
    BatchOperation::Put(Put { key: key(number), entry, condition: PutCondition::Always, begun: None, lease: None })
}

async fn fill(folder: &Path, entries: u64) {
    let opened = open(folder).await;
    let present = opened.0.report(&name()).map_or(0, |report| report.entries);
    let began = Instant::now();
    for first in (present..entries).step_by(usize::try_from(PER_BATCH).unwrap_or(1)) {
        let batch = (first..entries.min(first + PER_BATCH)).map(put).collect();
        opened.0.batch(&name(), batch).await.expect("stored");
        let stored = first + PER_BATCH;
        if stored.is_multiple_of((entries / 10).max(PER_BATCH)) {
            println!("{stored} entries after {:.0} s; {} MiB of memory", began.elapsed().as_secs_f64(), memory_mib());
        }
    }
    close(opened).await;
}

fn show_size(folder: &Path, entries: u64) {
    let size = |file: &str| std::fs::metadata(folder.join(file)).map_or(0, |found| found.len());
    let file = size("apps.db") + size("apps.db-wal");
    let (values, keys) = (entries * VALUE_BYTES as u64, entries * key(0).as_str().len() as u64);
    #[expect(clippy::cast_precision_loss, reason = "ratios are rounded")]
    let ratio = |data: u64| file as f64 / data as f64;
    println!(
        "file: {} MiB, {:.2} of its keys and values, {:.2} of its values",
        file >> 20,
        ratio(keys + values),
        ratio(values)
    );
}

async fn look_up(folder: &Path, entries: u64) {
    let began = Instant::now();
    let opened = open(folder).await;
    let first = opened.0.get(&name(), &key(entries / 2), None).await;
    let first_ms = began.elapsed().as_secs_f64() * 1000.0;
    assert!(matches!(first, Ok(EntryLookup::Hit(_))), "the first lookup hits");
    println!("open to the first lookup: {first_ms:.1} ms; {} MiB of memory", memory_mib());
    let mut times: Vec<Duration> = Vec::new();
    for turn in 0..LOOKUPS {
        let number = scattered(turn) % entries;
        let key = key(number);
        let began = Instant::now();
        let found = opened.0.get(&name(), &key, None).await;
        times.push(began.elapsed());
        assert!(matches!(found, Ok(EntryLookup::Hit(found)) if found.entry.value == value(number)), "{number}");
    }
    times.sort_unstable();
    let at = |share: usize| times[times.len() * share / 1000].as_secs_f64() * 1000.0;
    println!(
        "lookups: p50 {:.3} ms, p99 {:.3} ms, p99.9 {:.3} ms; {} MiB of memory",
        at(500),
        at(990),
        at(999),
        memory_mib()
    );
    close(opened).await;
}

/// Memory of this process that is its own, in MiB.
fn memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or_default() / 1024
}
