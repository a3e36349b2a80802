//! One run of a job.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::report::Progress;

/// One run of a job, as its work sees it.
#[derive(Debug, Clone)]
pub struct Turn {
    pub(super) cancel: CancellationToken,
    progress: Arc<Mutex<Option<Progress>>>,
}

impl Turn {
    /// A run that this ends.
    pub(super) fn new(cancel: CancellationToken) -> Self {
        Self { cancel, progress: Arc::default() }
    }

    /// It is to end.
    pub(super) fn end(&self) {
        self.cancel.cancel();
    }

    /// How far it said it is.
    pub(super) fn told(&self) -> Option<Progress> {
        *self.progress.lock()
    }

    /// Ends when the run is to end. Whoever does not heed it is broken off five seconds later.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// Whether the run is to end.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// So much is done, of so much as far as that is known.
    pub fn progress(&self, done: u64, total: Option<u64>) {
        *self.progress.lock() = Some(Progress { done, total });
    }
}
