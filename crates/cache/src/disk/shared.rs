//! State shared by all threads of the tier.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use super::error::StorageError;
use super::health::DiskHealth;
use super::queue::{WriteProgress, WriteQueue};
use super::rewrite::RewriteRule;
use super::settings::DiskSettings;
use super::stats::DiskCounters;
use crate::clock::Clock;

/// State shared by all threads of the tier.
#[derive(Debug)]
pub(super) struct DiskSharedState {
    pub(super) settings: DiskSettings,
    pub(super) clock: Clock,
    pub(super) queue: WriteQueue,
    pub(super) health: DiskHealth,
    pub(super) counters: DiskCounters,
    /// Incremented when the writer reopens the file, which may be another one: readers then reopen it too.
    pub(super) generation: AtomicU64,
    /// True while the writer has the file open and has replayed all its invalidations: only then may it be read.
    pub(super) is_open: AtomicBool,
    /// An error that a reader found, for the writer to handle.
    pub(super) pending_error: Mutex<Option<StorageError>>,
    /// Number of commits: grows before a committed batch leaves the queue, so that readers renew their snapshots.
    pub(super) commits: AtomicU64,
    /// True while the log is being truncated: readers then end their transactions at once.
    pub(super) truncating: AtomicBool,
    /// The tickets up to which everything queued is written or lost.
    pub(super) done: watch::Sender<WriteProgress>,
}

impl DiskSharedState {
    /// The state before the store is opened.
    pub(super) fn new(settings: DiskSettings, clock: Clock) -> Self {
        Self {
            queue: WriteQueue::with_limits(
                settings.max_queued_bytes,
                settings.max_entry_bytes(),
                RewriteRule::from_settings(&settings),
            ),
            clock,
            health: DiskHealth::default(),
            counters: DiskCounters::default(),
            generation: AtomicU64::new(0),
            is_open: AtomicBool::new(false),
            pending_error: Mutex::default(),
            commits: AtomicU64::new(0),
            truncating: AtomicBool::new(false),
            done: watch::Sender::default(),
            settings,
        }
    }

    /// Reports an error in the file of that generation to the writer. Ignored if the file was reopened since.
    pub(super) fn report_error(&self, error: StorageError, generation: u64) {
        let mut pending_error = self.pending_error.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_open.load(Ordering::Acquire) && generation == self.generation.load(Ordering::Acquire) {
            *pending_error = Some(error);
            drop(pending_error);
            self.queue.notify_writer();
        }
    }

    /// Takes the reported error.
    pub(super) fn take_pending_error(&self) -> Option<StorageError> {
        self.pending_error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
