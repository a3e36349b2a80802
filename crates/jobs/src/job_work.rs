//! The work of a job, and durations in milliseconds.

use std::pin::Pin;
use std::sync::Arc;

use crate::context::JobContext;
use crate::report::ExternalJobStatus;

/// A run in progress; it gives the message of the run, or of its failure.
pub(crate) type JobFuture = Pin<Box<dyn Future<Output = Result<String, String>> + Send>>;
/// Starts a run.
pub(crate) type JobFn = Arc<dyn Fn(JobContext) -> JobFuture + Send + Sync>;
/// Tells the status of a job with its own schedule.
pub(crate) type ExternalJobStatusFn = Arc<dyn Fn() -> ExternalJobStatus + Send + Sync>;
