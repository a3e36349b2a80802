//! Everything stored and flushed is read back, without a restart and after one. The bench reads back two hundred
//! thousand entries (`cargo bench -p greenroom-cache --bench disk -- back`): in a debug build that takes too long.

use crate::fixture::{next_random, open};

/// Stores them all, flushes regularly, and reads them back twice.
async fn comes_back(what: &str, lengths: &[usize], flush_every: usize) {
    let dir = tempfile::tempdir().expect("a folder");
    let fixture = open(dir.path());
    for (at, length) in lengths.iter().enumerate() {
        fixture.store(&format!("/{at}"), *length).await;
        if at % flush_every == flush_every - 1 {
            fixture.flush().await;
        }
    }
    fixture.flush().await;
    let stats = fixture.stats();
    assert_eq!((stats.written, stats.dropped, stats.failed), (lengths.len() as u64, 0, 0), "{what}: {stats:?}");
    let loads = fixture.loads();
    for (at, length) in lengths.iter().enumerate() {
        assert_eq!(fixture.read(&format!("/{at}"), 1, *length).await, 0, "{what}: /{at}");
    }
    assert_eq!(fixture.loads(), loads, "{what}: nothing was loaded again");
    fixture.cache.close_disk().await;
    let fixture = open(dir.path());
    for (at, length) in lengths.iter().enumerate() {
        assert_eq!(fixture.read(&format!("/{at}"), 1, *length).await, 0, "{what}: /{at} after a restart");
    }
    assert_eq!((fixture.loads(), fixture.stats().corrupt), (0, 0), "{what}: all of them are hits");
}

#[tokio::test]
async fn twenty_thousand_entries_of_4_kib_are_read_back() {
    comes_back("4 KiB", &vec![4096; 20_000], 1_000).await;
}

#[tokio::test]
async fn twenty_thousand_entries_of_1_kib_are_read_back() {
    comes_back("1 KiB", &vec![1024; 20_000], 5_000).await;
}

#[tokio::test]
async fn bodies_from_a_fifth_of_a_kib_to_two_mib_are_read_back() {
    let mut random = 0x2545_f491_4f6c_dd1d;
    let lengths: Vec<usize> = (0..600)
        .map(|at| {
            // Every order of magnitude equally often, and both ends.
            let most = 205usize << (next_random(&mut random) % 14);
            let length = 205 + usize::try_from(next_random(&mut random)).expect("64 bits") % most;
            match at {
                0 => 205,
                1 => 2 << 20,
                _ => length.min(2 << 20),
            }
        })
        .collect();
    assert!(lengths.iter().filter(|length| **length > 64 * 1024).count() > 50, "many lie in files");
    comes_back("mixed", &lengths, 20).await;
}
