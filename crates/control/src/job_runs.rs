//! Runs of jobs that a request waits for.

use std::time::Duration;

use greenroom_jobs::RunWaitResult;

use crate::control::ControlPlane;

/// Requests for one of these runs wait at most this long for its end.
const MAX_WAIT: Duration = Duration::from_secs(20);

impl ControlPlane {
    /// Runs the playback history sync as its job.
    pub async fn sync_history(&self) -> RunWaitResult {
        self.jobs.run_and_wait("history", MAX_WAIT).await
    }

    /// Waits for the end of a run that begins now or later.
    pub async fn run_fresh_and_wait(&self, id: &str) -> RunWaitResult {
        self.jobs.run_fresh_and_wait(id, MAX_WAIT).await
    }
}
