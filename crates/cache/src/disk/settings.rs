//! The disk tier's bounds.

use std::path::PathBuf;
use std::time::Duration;

use super::rewrite;

const MIB: u64 = 1024 * 1024;

/// The disk tier's bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskSettings {
    /// The directory of the store. Made if need be, for this user only.
    pub dir: PathBuf,
    /// Bytes the store may hold, in pages that are used and in files of their own; beyond, what was read longest ago
    /// makes room. Beside it lies the write-ahead log (see [`DiskSettings::max_wal_bytes`]), and free pages stay in
    /// the file until they are a quarter of it.
    pub max_bytes: u64,
    /// Longer bodies get a file of their own.
    pub file_above_bytes: usize,
    /// Bytes that may wait to be written; beyond, the oldest are dropped and counted.
    pub max_queued_bytes: u64,
    /// How long an entry waits for others to be written with.
    pub write_linger: Duration,
    /// A value that is short-lived, or says the same as its copy on disk, is not written again before this; until then
    /// the newest waits in memory, and a flush or a clean end writes it. Zero writes every value.
    pub rewrite_after: Duration,
    /// A value is short-lived if it is served without its source (fresh and stale together) for less than this.
    pub short_life: Duration,
    /// Keys of which it is remembered what was written last; beyond, the oldest are forgotten, and their next value is
    /// written at once.
    pub max_rewrite_keys: usize,
    /// How long a reader waits for the disk before it is a miss.
    pub read_timeout: Duration,
    /// Threads that read.
    pub readers: usize,
    /// Looks that wait for one of them.
    pub max_looks: usize,
    /// The write-ahead log is cut above this.
    pub max_wal_bytes: u64,
    /// How long an invalidation's call waits to be durable.
    pub mark_timeout: Duration,
    /// How long writing what is left may take at the end.
    pub drain_timeout: Duration,
}

impl DiskSettings {
    /// The defaults, for a store in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            max_bytes: 2048 * MIB,
            file_above_bytes: 64 * 1024,
            max_queued_bytes: 64 * MIB,
            write_linger: Duration::from_secs(1),
            rewrite_after: rewrite::REWRITE_AFTER,
            short_life: rewrite::SHORT_LIFE,
            max_rewrite_keys: rewrite::MAX_REWRITE_KEYS,
            read_timeout: Duration::from_millis(20),
            readers: 2,
            max_looks: 1024,
            max_wal_bytes: 16 * MIB,
            mark_timeout: Duration::from_millis(50),
            drain_timeout: Duration::from_secs(5),
        }
    }
}
