//! Results of requests to run or cancel a job.

use super::report::{JobOutcome, LastRun};

/// Result of a request to run or cancel a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunRequestResult {
    /// The run starts or is being cancelled.
    Accepted,
    /// The job is already running or queued; or there is nothing to cancel.
    NoChange,
    /// Unknown job.
    Unknown,
}

impl RunRequestResult {
    /// This result, or that of `other` if the job is unknown here.
    #[must_use]
    pub fn or_else(self, other: impl FnOnce() -> Self) -> Self {
        if self == Self::Unknown { other() } else { self }
    }
}

/// Result of requesting a run and waiting for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunWaitResult {
    /// The run ended.
    Ended(LastRun),
    /// The run is still running or queued.
    StillRunning,
    /// The job was already running or queued.
    AlreadyRunning,
    /// Unknown job.
    Unknown,
}

impl RunWaitResult {
    /// True if the run succeeded.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Ended(last) if matches!(last.outcome, JobOutcome::Done | JobOutcome::CaughtUp))
    }
}
