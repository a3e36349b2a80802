//! A run: its progress and its result.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::report::{PlaylistFailure, PlaylistReport};

/// Progress of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "stage")]
#[schema(as = PlaylistProgress)]
pub enum PlaylistProgress {
    /// It waits to start.
    Queued,
    /// It waits for the library's first build.
    WaitingForLibrary {
        /// Percentage of the library read.
        percent: Option<u64>,
        /// Estimated remaining time, in milliseconds.
        left_ms: Option<u64>,
    },
    /// It reads the source playlist.
    ReadingSource,
    /// It matches rows.
    Resolving {
        /// Rows done.
        done: usize,
        /// All rows.
        total: usize,
    },
    /// It writes an account's playlist.
    Writing {
        /// The account; `None` is the owner's token.
        account: Option<String>,
        /// Tracks sent.
        done: usize,
        /// Tracks to be sent, as far as known.
        total: usize,
    },
    /// It ended.
    Ended,
}

/// Result of a run.
#[derive(Debug, Clone)]
pub enum RunResult {
    /// It completed with a report.
    Done(Arc<PlaylistReport>),
    /// It failed before writing anything.
    Failed(PlaylistFailure),
    /// It was cancelled before writing anything.
    Cancelled,
}

impl RunResult {
    /// Its name in API and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done(report) if report.has_failed() => "failed",
            Self::Done(report) if report.was_cancelled() => "cancelled",
            Self::Done(_) => "done",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A run.
#[derive(Debug)]
pub struct SyncRun {
    /// Its id.
    pub id: String,
    /// Name of the target server.
    pub server: String,
    /// The playlist's name as far as known.
    pub name: Mutex<String>,
    /// Start, in milliseconds since 1970.
    pub started_ms: Timestamp,
    /// Cancels it between two writes.
    pub cancel: CancellationToken,
    progress: watch::Sender<PlaylistProgress>,
    result: Mutex<Option<RunResult>>,
    report_bytes: AtomicUsize,
}

impl SyncRun {
    /// A run that starts now.
    pub fn new(id: String, server: &str, name: &str, started_ms: Timestamp, cancel: CancellationToken) -> Self {
        Self {
            id,
            server: server.to_owned(),
            name: Mutex::new(name.to_owned()),
            started_ms,
            cancel,
            progress: watch::Sender::new(PlaylistProgress::Queued),
            result: Mutex::default(),
            report_bytes: AtomicUsize::new(0),
        }
    }

    /// Whether it writes a playlist of this name on this server, as far as known.
    pub fn writes_to(&self, server: &str, name: &str) -> bool {
        let name = name.trim();
        self.server == server && !name.is_empty() && self.name.lock().trim() == name
    }

    /// Sets the progress.
    pub fn set_progress(&self, progress: PlaylistProgress) {
        self.progress.send_replace(progress);
    }

    /// Watches the progress.
    pub fn subscribe(&self) -> watch::Receiver<PlaylistProgress> {
        self.progress.subscribe()
    }

    /// Ends the run.
    pub fn finish(&self, result: RunResult) {
        if let RunResult::Done(report) = &result {
            self.report_bytes.store(report.approx_bytes(), Ordering::Relaxed);
        }
        *self.result.lock() = Some(result);
        self.set_progress(PlaylistProgress::Ended);
    }

    /// The result, once it has ended.
    pub fn result(&self) -> Option<RunResult> {
        self.result.lock().clone()
    }

    /// Approximate size of its report in bytes.
    pub fn approx_bytes(&self) -> usize {
        self.report_bytes.load(Ordering::Relaxed)
    }

    /// Waits until it ends.
    pub async fn wait(&self) -> RunResult {
        let mut progress = self.subscribe();
        loop {
            if let Some(result) = self.result() {
                return result;
            }
            // The sender lives as long as `self`.
            let _ = progress.changed().await; // The sender lives as long as this run.
        }
    }

    /// Name of its state.
    pub fn status_name(&self) -> &'static str {
        self.result().map_or("running", |result| result.name())
    }
}
