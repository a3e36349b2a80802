//! One run of a job.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::report::JobProgress;

/// One run of a job, as seen by its work.
#[derive(Debug, Clone)]
pub struct JobContext {
    pub(super) cancel: CancellationToken,
    progress: Arc<Mutex<Option<JobProgress>>>,
}

impl JobContext {
    /// A run that this token cancels.
    pub(super) fn new(cancel: CancellationToken) -> Self {
        Self { cancel, progress: Arc::default() }
    }

    /// Cancels the run.
    pub(super) fn cancel(&self) {
        self.cancel.cancel();
    }

    /// The reported progress.
    pub(super) fn reported_progress(&self) -> Option<JobProgress> {
        *self.progress.lock()
    }

    /// Completes when the run is cancelled. Work that ignores it is aborted five seconds later.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// True if the run is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Reports progress: units done, and the total if known.
    pub fn report_progress(&self, done: u64, total: Option<u64>) {
        *self.progress.lock() = Some(JobProgress { done, total });
    }
}
