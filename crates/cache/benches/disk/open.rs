//! Time until a killed store answers.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::fixture::{self, LONG};
use crate::measurements::{RoundSamples, micros, now};

const COUNTS: [usize; 2] = [100_000, 1_000_000];
const LENGTH: usize = 1024;

/// Fills a store until it is killed.
pub(crate) fn victim(args: &[String]) {
    let [dir, count] = args else { return };
    let count: usize = count.parse().expect("a number");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let cache = fixture::open(Path::new(dir), fixture::small(), |disk| disk.max_bytes = 1 << 40);
        let mut random = fixture::XorShiftRng(count as u64 + 1);
        for at in 0..count {
            fixture::store(&cache, &fixture::key(&format!("/library/metadata/{at}")), &random.bytes(LENGTH)).await;
            if at % 1000 == 999 {
                assert!(cache.flush(LONG).await);
            }
        }
        println!("full");
        std::io::stdout().flush().expect("said");
        // Writes more until it is killed.
        for at in count.. {
            fixture::store(&cache, &fixture::key(&format!("/more/{}", at % 5_000)), &random.bytes(LENGTH)).await;
            assert!(cache.flush(LONG).await);
        }
    });
}

/// Prints the table.
pub(crate) fn measure(rounds: usize) {
    println!("\n## From opening a store whose process was killed to the first hit, ms\n");
    println!("| entries | opened | first hit |");
    println!("| ---: | ---: | ---: |");
    for count in COUNTS {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path();
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .arg("victim")
            .arg(dir)
            .arg(count.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("it says so");
        assert_eq!(line.trim(), "full");
        child.kill().expect("killed");
        child.wait().expect("dead");
        let (mut opened, mut hit) = (RoundSamples::default(), RoundSamples::default());
        for round in 0..rounds {
            // Each on a copy of what the kill left, which is what a start finds.
            let copy = tempfile::tempdir().expect("a folder");
            for file in ["cache.db", "cache.db-wal"] {
                let _ = std::fs::copy(dir.join(file), copy.path().join(file)); // Not every file exists.
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
            let _inside = runtime.enter();
            let began = now();
            let cache = fixture::open(copy.path(), fixture::small(), |disk| disk.max_bytes = 1 << 40);
            opened.0.push(micros(now() - began) / 1e3);
            let key = fixture::key(&format!("/library/metadata/{}", round * 6_007 % count));
            runtime.block_on(async { assert!(fixture::read(&cache, &key).await.is_some(), "a hit") });
            hit.0.push(micros(now() - began) / 1e3);
            runtime.block_on(cache.close_disk());
        }
        println!("| {count} | {opened} | {hit} |");
    }
}
