//! Statistics of the disk tier.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Disk;

/// Statistics of the disk tier. All counters only grow; queue, size and health are current values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskStats {
    /// Lookups that found an entry.
    pub hits: u64,
    /// Lookups that found none.
    pub misses: u64,
    /// Lookups that took too long, found no free reader, or were skipped because reads are off.
    pub slow: u64,
    /// Corrupt rows.
    pub corrupt: u64,
    /// Entries written.
    pub written: u64,
    /// Entries that could not be written.
    pub failed: u64,
    /// Entries dropped because they are too large for the store, or too many bytes waited to be written.
    pub dropped: u64,
    /// Invalidations and removals that could not be made durable: what they cover may reappear.
    pub invalidations_lost: u64,
    /// Times a damaged file was set aside.
    pub set_aside: u64,
    /// Entries waiting to be written.
    pub queued: u64,
    /// Bytes of [`DiskStats::queued`].
    pub queued_bytes: u64,
    /// Bytes in the store.
    pub bytes: u64,
    /// Max bytes of the store.
    pub max_bytes: u64,
    /// Whether reads are off.
    pub reads_off: bool,
    /// Whether writes are off.
    pub writes_off: bool,
}

/// Counters shared by the threads.
#[derive(Debug, Default)]
pub(super) struct DiskCounters {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) slow: AtomicU64,
    pub(super) corrupt: AtomicU64,
    pub(super) written: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) set_aside: AtomicU64,
    pub(super) bytes: AtomicU64,
}

impl Disk {
    /// Statistics at this moment.
    pub(crate) fn stats(&self) -> DiskStats {
        let shared = &self.shared;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (counters, depth) = (&shared.counters, shared.queue.depth());
        DiskStats {
            hits: read(&counters.hits),
            misses: read(&counters.misses),
            slow: read(&counters.slow),
            corrupt: read(&counters.corrupt),
            written: read(&counters.written),
            failed: read(&counters.failed),
            dropped: depth.dropped,
            invalidations_lost: depth.invalidations_lost,
            set_aside: read(&counters.set_aside),
            queued: depth.writes,
            queued_bytes: depth.bytes,
            bytes: read(&counters.bytes),
            max_bytes: shared.settings.max_bytes,
            reads_off: shared.health.reads_are_off(),
            writes_off: shared.health.writes_are_off(),
        }
    }
}
