//! Progress of a scan while it runs, and its cancellation.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Progress of a scan while it runs, and its cancellation.
#[derive(Debug, Default)]
pub struct ScanControl {
    files: AtomicU64,
    directories: AtomicU64,
    is_cancelled: AtomicBool,
}

impl ScanControl {
    /// Files found so far.
    pub fn files(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    /// Directories read so far.
    pub fn directories(&self) -> u64 {
        self.directories.load(Ordering::Relaxed)
    }

    /// Ends the scan; what it found is dropped.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    pub(super) fn count_file(&self) -> u64 {
        self.files.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn count_directory(&self) {
        self.directories.fetch_add(1, Ordering::Relaxed);
    }
}
