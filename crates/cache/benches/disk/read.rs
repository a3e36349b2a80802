//! A hit on disk, on the reading thread alone and as seen by a caller; beside diskcache and a bare SQLite.

use greenroom_cache::Key;
use greenroom_cache::bench_support::ReaderBench;
use rusqlite::Connection;
use xxhash_rust::xxh3::xxh3_64;

use crate::diskcache::DiskcacheProcess;
use crate::fixture::{self, LONG, XorShiftRng};
use crate::measurements::{LatencyPercentiles, RoundSamples, now};

const KEYS: usize = 5_000;
/// Gets in one read transaction, as in busy reading threads.
const TOGETHER: usize = 64;
const LENGTHS: [usize; 2] = [1024, 4096];

fn hash(key: &Key) -> i64 {
    xxh3_64(key.encoded().as_bytes()).cast_signed()
}

/// A table with only what a get needs.
fn bare(dir: &std::path::Path, pairs: &[(String, Vec<u8>)]) -> Connection {
    let mut db = Connection::open(dir.join("bare.db")).expect("open");
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA mmap_size = 0; PRAGMA cache_size = -16000;
         CREATE TABLE kept (id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, key TEXT NOT NULL, body BLOB);
         CREATE UNIQUE INDEX kept_hash ON kept (hash);",
    )
    .expect("made");
    let change = db.transaction().expect("begun");
    for (name, body) in pairs {
        let key = fixture::key(name);
        change
            .prepare_cached("INSERT INTO kept (hash, key, body) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| insert.execute((hash(&key), key.encoded(), &body[..])))
            .expect("inserted");
    }
    change.commit().expect("committed");
    db
}

fn bare_gets(db: &Connection, keys: &[Key]) -> LatencyPercentiles {
    let mut times = Vec::with_capacity(keys.len());
    for some in keys.chunks(TOGETHER) {
        db.execute_batch("BEGIN").expect("begun");
        let mut get = db.prepare_cached("SELECT key, body FROM kept WHERE hash = ?1").expect("prepared");
        for key in some {
            let began = now();
            let body: Vec<u8> = get
                .query_row([hash(key)], |row| {
                    assert_eq!(row.get_ref(0)?.as_str()?, key.encoded());
                    row.get(1)
                })
                .expect("it is there");
            times.push(now() - began);
            assert!(!body.is_empty());
        }
        db.execute_batch("COMMIT").expect("ended");
    }
    LatencyPercentiles::from_durations(times)
}

fn gauge_gets(gauge: &ReaderBench, keys: &[Key]) -> LatencyPercentiles {
    let mut times = Vec::with_capacity(keys.len());
    for some in keys.chunks(TOGETHER) {
        let mut began = now();
        gauge
            .lookup(some, |length| {
                times.push(now() - began);
                assert!(length.is_some());
                began = now();
            })
            .expect("it reads");
    }
    LatencyPercentiles::from_durations(times)
}

fn cache_gets(runtime: &tokio::runtime::Runtime, cache: &greenroom_cache::Cache, keys: &[Key]) -> LatencyPercentiles {
    runtime.block_on(async {
        let mut times = Vec::with_capacity(keys.len());
        for key in keys {
            let began = now();
            let entry = fixture::read(cache, key).await;
            times.push(now() - began);
            assert!(entry.is_some(), "it is kept");
        }
        LatencyPercentiles::from_durations(times)
    })
}

/// Prints the tables.
pub(crate) fn compare(rounds: usize) {
    for length in LENGTHS {
        compare_one(rounds, length);
    }
}

fn compare_one(rounds: usize, length: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let pairs = fixture::pairs(KEYS, length);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let cache = {
        let _inside = runtime.enter();
        fixture::open(&dir.join("ours"), fixture::small(), |_| {})
    };
    runtime.block_on(async {
        for (name, body) in &pairs {
            fixture::store(&cache, &fixture::key(name), body).await;
        }
        assert!(cache.flush(LONG).await);
    });
    let gauge = ReaderBench::open(&dir.join("ours")).expect("it opens");
    let bare = bare(dir, &pairs);
    let mut peer = DiskcacheProcess::start();
    if let Some(peer) = &mut peer {
        peer.load(&pairs, dir);
        peer.fill(&dir.join("theirs"), KEYS);
    }
    let mut keys: Vec<Key> = pairs.iter().map(|(name, _)| fixture::key(name)).collect();
    let mut random = XorShiftRng(7);
    let names = ["reading thread", "bare SQLite", "get_or_load", "diskcache get", "diskcache get, awaited"];
    let mut medians = vec![RoundSamples::default(); names.len()];
    let mut tails = vec![RoundSamples::default(); names.len()];
    for round in 0..rounds {
        random.shuffle(&mut keys);
        let mut all = vec![gauge_gets(&gauge, &keys), bare_gets(&bare, &keys), cache_gets(&runtime, &cache, &keys)];
        if let Some(peer) = &mut peer {
            all.push(peer.get("get", round));
            all.push(peer.get("await", round));
        }
        for (at, times) in all.iter().enumerate() {
            medians[at].0.push(times.p50_us);
            tails[at].0.push(times.p99_us);
        }
    }
    println!("\n## A hit on disk, {length} bytes, {KEYS} keys, µs\n");
    println!("| way | p50 | p99 | diskcache's p50 over it | its p50 over bare SQLite's |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    for (at, name) in names.iter().enumerate() {
        let (over, to_bare) = (medians[at].under(&medians[3]), medians[1].under(&medians[at]));
        println!("| {name} | {} | {} | {over} | {to_bare} |", medians[at], tails[at]);
    }
    let stats = cache.disk_stats().expect("a disk");
    println!("\n{stats:?}");
}
