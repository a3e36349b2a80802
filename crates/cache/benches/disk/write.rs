//! What a write costs: until it is offered, and until all is written.

use greenroom_cache::Key;

use crate::figures::{Rounds, cpu_time, micros, now};
use crate::house::{self, LONG};
use crate::peer::Peer;

const KEYS: usize = 20_000;
const LENGTHS: [usize; 2] = [1024, 4096];

/// Prints the tables.
pub(crate) fn compare(rounds: usize) {
    for length in LENGTHS {
        compare_one(rounds, length);
    }
}

fn compare_one(rounds: usize, length: usize) {
    let pairs = house::pairs(KEYS, length);
    let keys: Vec<Key> = pairs.iter().map(|(name, _)| house::key(name)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _inside = runtime.enter();
    let mut peer = Peer::start();
    let [mut memory, mut offered, mut written, mut theirs] = [const { Rounds(Vec::new()) }; 4];
    let [mut our_cpu, mut their_cpu] = [const { Rounds(Vec::new()) }; 2];
    for _ in 0..rounds {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path();
        let keep_all = |cache: &greenroom_cache::Cache| {
            let began = now();
            runtime.block_on(async {
                for (key, (_, body)) in keys.iter().zip(&pairs) {
                    house::keep(cache, key, body).await;
                }
            });
            micros(now() - began) / KEYS as f64
        };
        let without = greenroom_cache::Cache::new(
            greenroom_cache::Settings::default(),
            greenroom_cache::Clock::system(),
            tokio_util::task::TaskTracker::new(),
        );
        memory.0.push(keep_all(&without));
        let cache = house::open(&dir.join("ours"), greenroom_cache::Settings::default(), |disk| {
            disk.max_queued_bytes = 1 << 30;
        });
        let (began, cpu) = (now(), cpu_time());
        offered.0.push(keep_all(&cache));
        runtime.block_on(async { assert!(cache.flush(LONG).await) });
        written.0.push(micros(now() - began) / KEYS as f64);
        our_cpu.0.push(micros(cpu_time().saturating_sub(cpu)) / KEYS as f64);
        assert_eq!(cache.disk_stats().expect("a disk").written, KEYS as u64, "everything is written");
        runtime.block_on(cache.close_disk());
        if let Some(peer) = &mut peer {
            peer.load(&pairs, dir);
            let (time, cpu) = peer.fill(&dir.join("theirs"), KEYS);
            theirs.0.push(time);
            their_cpu.0.push(cpu);
        }
    }
    println!("\n## A write, {length} bytes, {KEYS} keys, µs each\n");
    println!("| way | time | diskcache's over it | CPU | diskcache's over it |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    println!("| a load that is kept in memory | {memory} | {} | | |", memory.under(&theirs));
    println!("| the same, offered to the disk too | {offered} | {} | | |", offered.under(&theirs));
    let (times, cpus) = (written.under(&theirs), our_cpu.under(&their_cpu));
    println!("| the same, until `flush` returned | {written} | {times} | {our_cpu} | {cpus} |");
    println!("| diskcache `set` | {theirs} | 1 | {their_cpu} | 1 |");
}
