//! What the disk tier did, in figures.

use greenroom_cache::disk::DiskStats;
use serde::Serialize;
use utoipa::ToSchema;

/// The disk tier as a whole. What is counted grows since start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct DiskFigures {
    /// Bytes kept now, and how many may be.
    pub(super) bytes: u64,
    /// Bytes that may be kept.
    pub(super) max_bytes: u64,
    /// Whether it does less than it should.
    pub(super) is_off: bool,
    /// Answers that wait to be written, and their bytes.
    pub(super) queued: u64,
    pub(super) queued_bytes: u64,
    /// Reads that found their answer there.
    pub(super) hits: u64,
    /// Reads that did not.
    pub(super) misses: u64,
    /// Reads that did not wait for it.
    pub(super) slow: u64,
    /// Answers written.
    pub(super) written: u64,
    /// Answers that could not be written.
    pub(super) failed: u64,
    /// Answers dropped because too much waited to be written.
    pub(super) dropped: u64,
    /// Rows that were not what was written.
    pub(super) torn: u64,
    /// Invalidations that could not be made durable.
    pub(super) marks_lost: u64,
    /// Damaged files set aside.
    pub(super) set_aside: u64,
}

impl From<DiskStats> for DiskFigures {
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
            torn: stats.torn,
            marks_lost: stats.marks_lost,
            set_aside: stats.set_aside,
        }
    }
}

impl DiskFigures {
    /// Name, help and value of everything that only grows.
    pub(super) fn counters(&self) -> [(&'static str, &'static str, u64); 9] {
        [
            ("disk_hits", "Reads that found their answer on disk", self.hits),
            ("disk_misses", "Reads that did not find their answer on disk", self.misses),
            ("disk_slow", "Reads that did not wait for the disk", self.slow),
            ("disk_written", "Answers written to disk", self.written),
            ("disk_failed", "Answers that could not be written to disk", self.failed),
            ("disk_dropped", "Answers dropped because too much waited to be written", self.dropped),
            ("disk_torn", "Rows on disk that were not what was written", self.torn),
            ("disk_invalidations_lost", "Invalidations that could not be made durable", self.marks_lost),
            ("disk_set_aside", "Damaged files set aside", self.set_aside),
        ]
    }
}
