//! Limits of the disk tier.

use std::path::PathBuf;
use std::time::Duration;

use super::rewrite;

const MIB: u64 = 1024 * 1024;

/// Limits of the disk tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskSettings {
    /// The directory of the store. Created if missing, accessible to this user only.
    pub dir: PathBuf,
    /// Max bytes of the store, in used pages and body files; beyond it, the least recently read entries are evicted.
    /// The write-ahead log is extra (see [`DiskSettings::max_wal_bytes`]), and free pages stay in the file until they
    /// are a quarter of it.
    pub max_bytes: u64,
    /// Longer bodies get a file of their own.
    pub file_above_bytes: usize,
    /// Max bytes waiting to be written; beyond it, the oldest writes are dropped and counted.
    pub max_queued_bytes: u64,
    /// How long the writer waits for further entries before it begins a transaction.
    pub write_linger: Duration,
    /// Min time between two writes of a value that is short-lived, or equal to its copy on disk. Until then the newest
    /// value waits in memory; a flush or clean shutdown writes it. Zero writes every value.
    pub rewrite_after: Duration,
    /// A value is short-lived if its fresh and stale time together are below this.
    pub short_life: Duration,
    /// Max keys whose last write is remembered; beyond it, the oldest are forgotten, and their next value is written at
    /// once.
    pub max_rewrite_keys: usize,
    /// Max wait for a disk lookup; after that it is a miss.
    pub read_timeout: Duration,
    /// Reading threads.
    pub readers: usize,
    /// Max lookups waiting for a reading thread.
    pub max_pending_reads: usize,
    /// The write-ahead log is truncated above this size.
    pub max_wal_bytes: u64,
    /// Max time that the caller of an invalidation waits for it to be durable.
    pub invalidation_timeout: Duration,
    /// Max time for writing what is queued at shutdown.
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
            max_pending_reads: 1024,
            max_wal_bytes: 16 * MIB,
            invalidation_timeout: Duration::from_millis(50),
            drain_timeout: Duration::from_secs(5),
        }
    }
}
