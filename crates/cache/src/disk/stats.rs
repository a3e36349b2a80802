//! What the disk tier counts.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Disk;

/// What is counted. All of it only grows, but for what waits and what is held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskStats {
    /// Looks that found something.
    pub hits: u64,
    /// Looks that found nothing.
    pub misses: u64,
    /// Looks that took too long, found no free reader, or were not tried because reads are off.
    pub slow: u64,
    /// Rows that were not what was written.
    pub torn: u64,
    /// Entries written.
    pub written: u64,
    /// Entries that could not be written.
    pub failed: u64,
    /// Entries dropped because too much waited to be written.
    pub dropped: u64,
    /// Invalidations and removals that could not be made durable: what they cover may come back.
    pub marks_lost: u64,
    /// Times a damaged file was set aside.
    pub set_aside: u64,
    /// Entries that wait to be written, and their bytes.
    pub queued: u64,
    /// See [`DiskStats::queued`].
    pub queued_bytes: u64,
    /// Bytes the store holds, and may hold.
    pub bytes: u64,
    /// Bytes that may be kept.
    pub max_bytes: u64,
    /// What is off at the moment, if anything.
    pub reads_off: bool,
    /// See [`DiskStats::reads_off`].
    pub writes_off: bool,
}

/// Counters shared by the threads.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) slow: AtomicU64,
    pub(super) torn: AtomicU64,
    pub(super) written: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) set_aside: AtomicU64,
    pub(super) bytes: AtomicU64,
}

impl Disk {
    /// The figures at this moment.
    pub(crate) fn stats(&self) -> DiskStats {
        let shared = &self.shared;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (counters, depth) = (&shared.counters, shared.queue.depth());
        DiskStats {
            hits: read(&counters.hits),
            misses: read(&counters.misses),
            slow: read(&counters.slow),
            torn: read(&counters.torn),
            written: read(&counters.written),
            failed: read(&counters.failed),
            dropped: depth.dropped,
            marks_lost: depth.marks_lost,
            set_aside: read(&counters.set_aside),
            queued: depth.offers,
            queued_bytes: depth.bytes,
            bytes: read(&counters.bytes),
            max_bytes: shared.settings.max_bytes,
            reads_off: shared.health.reads_are_off(),
            writes_off: shared.health.writes_are_off(),
        }
    }
}
