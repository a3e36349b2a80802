//! Cost of a write: until it is queued, and until all is written.

use std::sync::Arc;

use greenroom_cache::bench_support;
use greenroom_cache::{Cache, CacheSettings, Clock, Entry, Key};
use tokio_util::task::TaskTracker;

use crate::diskcache::DiskcacheProcess;
use crate::fixture::{self, LONG};
use crate::measurements::{LatencyPercentiles, RoundSamples, cpu_time, micros, now};

const KEYS: usize = 20_000;
const LENGTHS: [usize; 2] = [1024, 4096];

/// Prints the tables.
pub(crate) fn compare(rounds: usize) {
    for length in LENGTHS {
        compare_one(rounds, length);
    }
}

/// Entries loaded by another cache.
fn entries(runtime: &tokio::runtime::Runtime, pairs: &[(String, Vec<u8>)]) -> Vec<(Key, Arc<Entry>)> {
    let cache = Cache::new(CacheSettings::default(), Clock::system(), TaskTracker::new());
    let store = async |(name, body): &(String, Vec<u8>)| {
        let key = fixture::key(name);
        fixture::store(&cache, &key, body).await;
        let entry = cache.peek(&key).expect("it is kept");
        (key, entry)
    };
    pairs.iter().map(|pair| runtime.block_on(store(pair))).collect()
}

fn compare_one(rounds: usize, length: usize) {
    let pairs = fixture::pairs(KEYS, length);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _inside = runtime.enter();
    let entries = entries(&runtime, &pairs);
    let mut peer = DiskcacheProcess::start();
    let [mut offered, mut written, mut diskcache] = [const { RoundSamples(Vec::new()) }; 3];
    let [mut our_cpu, mut their_cpu] = [const { RoundSamples(Vec::new()) }; 2];
    for _ in 0..rounds {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path();
        let cache = fixture::open(&dir.join("ours"), CacheSettings::default(), |disk| {
            disk.max_queued_bytes = 1 << 30;
        });
        let mut times = Vec::with_capacity(KEYS);
        let (began, cpu) = (now(), cpu_time());
        for (key, entry) in &entries {
            let began = now();
            bench_support::enqueue_write(&cache, key, entry);
            times.push(now() - began);
        }
        runtime.block_on(async { assert!(cache.flush(LONG).await) });
        written.0.push(micros(now() - began) / KEYS as f64);
        our_cpu.0.push(micros(cpu_time().saturating_sub(cpu)) / KEYS as f64);
        offered.0.push(LatencyPercentiles::from_durations(times).p50_us);
        assert_eq!(cache.disk_stats().expect("a disk").written, KEYS as u64, "everything is written");
        runtime.block_on(cache.close_disk());
        if let Some(peer) = &mut peer {
            peer.load(&pairs, dir);
            let (time, cpu) = peer.fill(&dir.join("theirs"), KEYS);
            diskcache.0.push(time);
            their_cpu.0.push(cpu);
        }
    }
    println!("\n## A write, {length} bytes, {KEYS} keys, µs each\n");
    println!("| way | time | diskcache's over it | CPU | diskcache's over it |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    println!("| `offer` alone, p50 | {offered} | {} | | |", offered.under(&diskcache));
    let (times, cpus) = (written.under(&diskcache), our_cpu.under(&their_cpu));
    println!("| all offered, until `flush` returned | {written} | {times} | {our_cpu} | {cpus} |");
    println!("| diskcache `set` | {diskcache} | 1 | {their_cpu} | 1 |");
}
