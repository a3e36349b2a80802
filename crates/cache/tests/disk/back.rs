//! Everything stored and flushed is read back, without a restart and after one. The bench reads back two hundred
//! thousand entries (`cargo bench -p greenroom-cache --bench disk -- back`): in a debug build that takes too long.

use crate::fixture::{draw, open};

/// Stores them all, flushes regularly, and reads them back twice.
async fn comes_back(what: &str, lengths: &[usize], flush_every: usize) {
    let dir = tempfile::tempdir().expect("a folder");
    let stage = open(dir.path());
    for (at, length) in lengths.iter().enumerate() {
        stage.keep(&format!("/{at}"), *length).await;
        if at % flush_every == flush_every - 1 {
            stage.flush().await;
        }
    }
    stage.flush().await;
    let stats = stage.stats();
    assert_eq!((stats.written, stats.dropped, stats.failed), (lengths.len() as u64, 0, 0), "{what}: {stats:?}");
    let asked = stage.asked();
    for (at, length) in lengths.iter().enumerate() {
        assert_eq!(stage.read(&format!("/{at}"), 1, *length).await, 0, "{what}: /{at}");
    }
    assert_eq!(stage.asked(), asked, "{what}: nothing was loaded again");
    stage.cache.close_disk().await;
    let stage = open(dir.path());
    for (at, length) in lengths.iter().enumerate() {
        assert_eq!(stage.read(&format!("/{at}"), 1, *length).await, 0, "{what}: /{at} after a restart");
    }
    assert_eq!((stage.asked(), stage.stats().corrupt), (0, 0), "{what}: all of them are hits");
}

#[tokio::test]
async fn twenty_thousand_of_4_kib_come_back() {
    comes_back("4 KiB", &vec![4096; 20_000], 1_000).await;
}

#[tokio::test]
async fn twenty_thousand_of_1_kib_come_back() {
    comes_back("1 KiB", &vec![1024; 20_000], 5_000).await;
}

#[tokio::test]
async fn lengths_from_a_fifth_of_a_kib_to_two_mib_come_back() {
    let mut random = 0x2545_f491_4f6c_dd1d;
    let lengths: Vec<usize> = (0..600)
        .map(|at| {
            // Every order of magnitude equally often, and both ends.
            let most = 205usize << (draw(&mut random) % 14);
            let length = 205 + usize::try_from(draw(&mut random)).expect("64 bits") % most;
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
