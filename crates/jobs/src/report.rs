//! The report of a job.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use serde::Serialize;
use utoipa::ToSchema;

/// Status of a job with its own schedule.
#[derive(Debug, Clone, Default)]
pub struct ExternalJobStatus {
    /// Next run, in milliseconds.
    pub next_ms: Option<Timestamp>,
    /// The last run.
    pub last: Option<LastRun>,
}

/// The state of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobReport {
    /// Its identifier, such as `history` or `library:home:3`.
    pub id: String,
    /// Display name.
    pub title: String,
    /// One sentence on what it does.
    pub what: String,
    /// Interval in seconds; null if it runs on request only.
    pub every_s: Option<u64>,
    /// Its current state.
    pub state: JobState,
    /// Its next scheduled run, in milliseconds since 1970; null if unknown.
    pub next_ms: Option<u64>,
    /// Progress of the current run, if reported.
    pub progress: Option<JobProgress>,
    /// The last run.
    pub last: Option<LastRun>,
    /// True if a run can be cancelled.
    pub may_cancel: bool,
}

impl JobReport {
    /// Merges the external status: the later run counts.
    #[must_use]
    pub(super) fn with_external_status(self, status: ExternalJobStatus) -> Self {
        let ended_ms = |last: &Option<LastRun>| last.as_ref().map_or(0, |last| last.ended_ms);
        let last = if ended_ms(&status.last) > ended_ms(&self.last) { status.last } else { self.last };
        Self { next_ms: status.next_ms.map(Timestamp::as_millis), last, ..self }
    }
}

/// Current state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = JobState)]
pub enum JobState {
    /// Nothing.
    Idle,
    /// Waiting for a slot.
    Waiting,
    /// Running.
    Running,
}

/// Progress of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = JobProgress)]
pub struct JobProgress {
    /// Units done.
    pub done: u64,
    /// Total units, if known.
    pub total: Option<u64>,
}

/// Result of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = JobOutcome)]
pub enum JobOutcome {
    /// Success.
    Done,
    /// Failure; the message says why.
    Failed,
    /// Cancelled by a caller or by shutdown.
    Cancelled,
    /// Success, in place of a missed run.
    CaughtUp,
}

impl JobOutcome {
    /// All outcomes.
    pub const EVERY: [Self; 4] = [Self::Done, Self::Failed, Self::Cancelled, Self::CaughtUp];

    /// Identifier of the outcome.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::CaughtUp => "caught-up",
        }
    }

    /// Parses an identifier.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// The last run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = JobRun)]
pub struct LastRun {
    /// Start, in milliseconds since 1970.
    pub started_ms: u64,
    /// End, in milliseconds since 1970.
    pub ended_ms: u64,
    /// Duration.
    pub duration_ms: u64,
    /// Its result.
    pub outcome: JobOutcome,
    /// Summary of the work, or the reason of the failure.
    pub message: String,
}

impl LastRun {
    /// A run between these times.
    pub fn new(started_ms: Timestamp, ended_ms: Timestamp, outcome: JobOutcome, message: String) -> Self {
        let duration_ms = ended_ms.duration_since(started_ms);
        Self {
            started_ms: started_ms.as_millis(),
            ended_ms: ended_ms.as_millis(),
            duration_ms: millis(duration_ms),
            outcome,
            message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_has_the_same_name_in_code_and_json() {
        for outcome in JobOutcome::EVERY {
            assert_eq!(JobOutcome::from_name(outcome.as_str()), Some(outcome));
            assert_eq!(serde_json::to_value(outcome).expect("a string"), outcome.as_str());
        }
        assert_eq!(JobOutcome::from_name("odd"), None);
    }
}
