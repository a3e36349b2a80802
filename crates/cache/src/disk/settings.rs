//! Limits of the disk tier.

use std::path::PathBuf;
use std::time::Duration;

use super::rewrite;

const MIB: u64 = 1024 * 1024;
/// The log and a batch each have at most one part of this many of the store's bytes.
const RESERVED_SHARE: u64 = 16;
/// Max bytes kept free for a batch.
const MAX_BATCH_RESERVE: u64 = 4 * MIB;

/// Limits of the disk tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskSettings {
    /// The directory of the store. Created if missing, accessible to this user only.
    pub dir: PathBuf,
    /// Max bytes of the store's files, the write-ahead log among them; before it is reached, the least recently read
    /// entries are evicted.
    pub max_bytes: u64,
    /// Longer bodies get a file of their own.
    pub file_above_bytes: usize,
    /// Max bytes waiting to be written; beyond it, the oldest writes are dropped and counted.
    pub max_queued_bytes: u64,
    /// Time for which the writer waits for further entries before it begins a transaction.
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
    /// The write-ahead log is truncated above this size, or above a sixteenth of [`DiskSettings::max_bytes`].
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

    /// The write-ahead log is truncated above this size, in bytes.
    pub(super) fn wal_limit(&self) -> u64 {
        self.max_wal_bytes.min(self.max_bytes / RESERVED_SHARE)
    }

    /// Entries are evicted while pages and body files take more bytes: the rest is for the log, and for the batch that
    /// is written before the next eviction.
    pub(super) fn data_limit(&self) -> u64 {
        let batch = MAX_BATCH_RESERVE.min(self.max_bytes / RESERVED_SHARE);
        self.max_bytes.saturating_sub(self.wal_limit()).saturating_sub(batch)
    }

    /// Max bytes of one entry on disk: a longer one would evict too much at once.
    pub(super) fn max_entry_bytes(&self) -> u64 {
        self.max_queued_bytes.min(self.max_bytes / RESERVED_SHARE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_log_and_a_batch_are_the_limit_together() {
        for max_bytes in [16 * MIB, 64 * MIB, 2048 * MIB, 1 << 40] {
            let settings = DiskSettings { max_bytes, ..DiskSettings::new("/nowhere") };
            let (data, log) = (settings.data_limit(), settings.wal_limit());
            assert!(data + log < max_bytes && data >= max_bytes / 8 * 7, "{max_bytes}: {data} and {log}");
        }
        let large = DiskSettings::new("/nowhere");
        assert_eq!((large.wal_limit(), large.max_entry_bytes()), (16 * MIB, 64 * MIB));
    }
}
