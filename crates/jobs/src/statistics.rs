//! Writing statistics, as a job with its own schedule, so that no other job delays it.

use std::sync::Arc;
use std::time::Duration;

use super::{ExternalJobStatus, JobDefinition, JobOutcome, Jobs, LastRun};
use greenroom_statistics::Statistics;

/// Adds the job.
pub fn add(jobs: &Jobs, statistics: &Arc<Statistics>) {
    let (watched, work) = (Arc::clone(statistics), Arc::clone(statistics));
    let definition = JobDefinition {
        id: "statistics",
        title: "Statistics",
        description: "Writes the request statistics since the last run.",
        every: Some(statistics.write_every()),
        catches_up: false,
    };
    jobs.add_external(
        definition,
        move || status(&watched),
        move |_| {
            let statistics = Arc::clone(&work);
            async move { statistics.flush().await }
        },
    );
}

fn status(statistics: &Statistics) -> ExternalJobStatus {
    let Some(flush) = statistics.last_flush() else { return ExternalJobStatus::default() };
    let every_ms = u64::try_from(statistics.write_every().max(Duration::from_secs(1)).as_millis()).unwrap_or(0);
    let (outcome, message) = match flush.outcome {
        Ok(message) => (JobOutcome::Done, message),
        Err(reason) => (JobOutcome::Failed, reason),
    };
    ExternalJobStatus {
        next_ms: Some(flush.ended_ms.saturating_add(Duration::from_millis(every_ms))),
        last: Some(LastRun::new(flush.started_ms, flush.ended_ms, outcome, message)),
    }
}
