//! The write-ahead log, which readers in back-to-back transactions could keep from ever being truncated. The bench runs
//! the same for a minute (`cargo bench -p greenroom-cache --bench disk -- log`).

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use greenroom_cache::disk::DiskSettings;
use tokio_util::task::TaskTracker;

use crate::fixture::{DiskFixture, disk, next_random};

const MAX_WAL_BYTES: u64 = 4 << 20;
const WRITES: u64 = 8_000;
const LENGTH: usize = 4_096;
const READERS: u64 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_stays_below_twice_its_limit_under_reads_and_writes() {
    let dir = tempfile::tempdir().expect("a folder");
    let fixture = DiskFixture::open(DiskSettings { max_wal_bytes: MAX_WAL_BYTES, ..disk(dir.path()) });
    let wal = dir.path().join("cache.db-wal");
    let (written, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let tracker = TaskTracker::new();
    for reader in 0..READERS {
        let (fixture, written, is_over) = (fixture.clone(), Arc::clone(&written), Arc::clone(&is_over));
        tracker.spawn(async move {
            let mut random = reader + 99;
            while !is_over.load(Ordering::Relaxed) {
                let most = written.load(Ordering::Relaxed).max(1);
                fixture.read(&format!("/{}", next_random(&mut random) % most), 0, LENGTH).await;
                tokio::task::yield_now().await;
            }
        });
    }
    tracker.close();
    let mut longest = 0;
    for at in 0..WRITES {
        fixture.store(&format!("/{at}"), LENGTH).await;
        written.store(at + 1, Ordering::Relaxed);
        longest = longest.max(fs::metadata(&wal).map_or(0, |wal| wal.len()));
        assert!(longest < 2 * MAX_WAL_BYTES, "the log is {longest} bytes long after {at} writes");
        if at % 512 == 511 {
            fixture.flush().await;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    tracker.wait().await;
    let stats = fixture.stats();
    assert!(stats.hits > 500, "there were readers: {stats:?}");
    assert!(stats.written * LENGTH as u64 > 6 * MAX_WAL_BYTES, "much more went through it: {stats:?}");
    assert!(longest > MAX_WAL_BYTES / 2, "it was in use: {longest}");
}
