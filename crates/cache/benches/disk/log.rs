//! Length of the write-ahead log under a minute of constant reads and writes, and whether everything flushed is read
//! back.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::fixture::{self, LONG, XorShiftRng};
use crate::measurements::{micros, now};

const FOR: Duration = Duration::from_secs(60);
const LENGTH: usize = 4096;
const MANY: usize = 200_000;

fn length_of(wal: &Path) -> u64 {
    std::fs::metadata(wal).map_or(0, |wal| wal.len())
}

/// Two readers and two writers, in back-to-back transactions.
pub(crate) fn measure(is_quick: bool) {
    let length = if is_quick { FOR / 20 } else { FOR };
    let folder = tempfile::tempdir().expect("a folder");
    let wal = folder.path().join("cache.db-wal");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.expect("a runtime");
    let _inside = runtime.enter();
    let cache = fixture::open(folder.path(), fixture::small(), |_| {});
    let (written, read, longest) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let began = now();
    let write = |side: u64| {
        let mut random = XorShiftRng(side + 1);
        while now() - began < length {
            let at = written.fetch_add(1, Ordering::Relaxed);
            let body = random.bytes(LENGTH);
            runtime.block_on(fixture::store(&cache, &fixture::key(&format!("/{}", at % 50_000)), &body));
            longest.fetch_max(length_of(&wal), Ordering::Relaxed);
            if at % 256 == 0 {
                runtime.block_on(async { assert!(cache.flush(LONG).await) });
            }
        }
    };
    let record = |side: u64| {
        let mut random = XorShiftRng(side + 100);
        while now() - began < length {
            let at = random.random() % written.load(Ordering::Relaxed).clamp(1, 50_000);
            runtime.block_on(fixture::read(&cache, &fixture::key(&format!("/{at}"))));
            read.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        for side in 0..2 {
            scope.spawn(move || write(side));
            scope.spawn(move || record(side));
        }
    });
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let (written, read) = (written.into_inner(), read.into_inner());
    println!("\n## The write-ahead log\n");
    println!(
        "{} s, {written} writes ({:.0} MiB) and {read} reads: {:.1} MiB at most; its bound is {:.0} MiB.",
        length.as_secs(),
        mib(written * LENGTH as u64),
        mib(longest.into_inner()),
        mib(greenroom_cache::disk::DiskSettings::new("").max_wal_bytes),
    );
    runtime.block_on(cache.close_disk());
}

/// Stores many entries, flushes, and reads them all back, also after a restart.
pub(crate) fn read_back(is_quick: bool) {
    let many = if is_quick { MANY / 20 } else { MANY };
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let began = now();
    let found = |cache: &greenroom_cache::Cache| {
        let mut random = XorShiftRng(3);
        let is_back = async |at: usize, body: &[u8]| {
            let entry = fixture::read(cache, &fixture::key(&format!("/{at}"))).await;
            entry.is_some_and(|entry| entry.body()[..] == *body)
        };
        (0..many).filter(|at| runtime.block_on(is_back(*at, &random.bytes(1024)))).count()
    };
    let cache = runtime.block_on(async { fixture::open(folder.path(), fixture::small(), |_| {}) });
    let mut random = XorShiftRng(3);
    runtime.block_on(async {
        for at in 0..many {
            fixture::store(&cache, &fixture::key(&format!("/{at}")), &random.bytes(1024)).await;
            if at % 10_000 == 9_999 {
                assert!(cache.flush(LONG).await);
            }
        }
        assert!(cache.flush(LONG).await);
    });
    let before = found(&cache);
    runtime.block_on(cache.close_disk());
    let cache = runtime.block_on(async { fixture::open(folder.path(), fixture::small(), |_| {}) });
    let after = found(&cache);
    assert_eq!((before, after), (many, many), "everything comes back");
    let seconds = micros(now() - began) / 1e6;
    println!(
        "\n## Read back\n\nOf {many} x 1 KiB {before} came back, {after} after a restart ({seconds:.1} s in all)."
    );
}
