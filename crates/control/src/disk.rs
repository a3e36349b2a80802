//! Statistics of the disk tier.

use greenroom_cache::disk::DiskStats;
use serde::Serialize;
use utoipa::ToSchema;

/// The disk tier as a whole. Counters count since start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct DiskTierStats {
    /// Bytes stored now.
    pub bytes: u64,
    /// Max bytes stored.
    pub max_bytes: u64,
    /// True if it is disabled or degraded.
    pub is_off: bool,
    /// Responses waiting to be written.
    pub queued: u64,
    /// Bytes that wait to be written.
    pub queued_bytes: u64,
    /// Reads found on disk.
    pub(crate) hits: u64,
    /// Reads not found on disk.
    pub(crate) misses: u64,
    /// Reads that did not wait for the disk.
    pub(crate) slow: u64,
    /// Responses written.
    pub(crate) written: u64,
    /// Responses that could not be written.
    pub(crate) failed: u64,
    /// Responses dropped because they were too large or the write queue was full.
    pub(crate) dropped: u64,
    /// Corrupt rows: not what was written.
    pub(crate) torn: u64,
    /// Invalidations that could not be made durable.
    pub(crate) marks_lost: u64,
    /// Damaged files set aside.
    pub(crate) set_aside: u64,
}

impl From<DiskStats> for DiskTierStats {
    fn from(stats: DiskStats) -> Self {
        Self {
            bytes: stats.bytes,
            max_bytes: stats.max_bytes,
            is_off: stats.reads_off || stats.writes_off,
            queued: stats.queued,
            queued_bytes: stats.queued_bytes,
            hits: stats.hits,
            misses: stats.misses,
            slow: stats.slow,
            written: stats.written,
            failed: stats.failed,
            dropped: stats.dropped,
            torn: stats.corrupt,
            marks_lost: stats.invalidations_lost,
            set_aside: stats.set_aside,
        }
    }
}

impl DiskTierStats {
    /// Name, help and value of every counter.
    pub fn counters(&self) -> [(&'static str, &'static str, u64); 9] {
        [
            ("disk_hits", "Reads found in the disk tier", self.hits),
            ("disk_misses", "Reads not found in the disk tier", self.misses),
            ("disk_slow", "Reads that did not wait for a slow disk", self.slow),
            ("disk_written", "Responses written to disk", self.written),
            ("disk_failed", "Responses that could not be written to disk", self.failed),
            ("disk_dropped", "Responses dropped because they were too large or the write queue was full", self.dropped),
            ("disk_torn", "Corrupt rows found on disk", self.torn),
            ("disk_invalidations_lost", "Invalidations that could not be made durable", self.marks_lost),
            ("disk_set_aside", "Damaged files set aside", self.set_aside),
        ]
    }
}
