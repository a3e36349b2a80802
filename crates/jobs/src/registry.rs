//! The state of every job, and the run queue.

use greenroom_cache::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

use super::report::{JobReport, JobState, LastRun};
use super::schedule::{RunReason, ScheduleDecision, ScheduleInput, decide};
use crate::context::JobContext;
use crate::definition::JobDefinition;
use crate::job_work::{ExternalJobStatusFn, JobFn};
use greenroom_cache::clock::millis;

/// Jobs with a shorter interval are soon due anyway: their last run is not stored.
const MIN_PERSISTED_INTERVAL: Duration = Duration::from_secs(300);
/// A run with the same result as the stored one is stored again only if the job's interval is longer than this …
const FREQUENT_INTERVAL: Duration = Duration::from_hours(1);
/// … or the stored run is older than this. After a crash, a frequent job may run once more than needed, which is
/// harmless.
const REPEAT_PERSIST: Duration = Duration::from_millis(24 * 3_600_000);

/// The state of every job.
#[derive(Default)]
pub(super) struct JobRegistry {
    pub(super) jobs: Vec<Job>,
    /// Queued jobs by number.
    pub(super) queue: VecDeque<usize>,
    pub(super) running: usize,
}

/// One job: its work and its state.
pub(super) struct Job {
    pub(super) definition: JobDefinition,
    pub(super) work: JobFn,
    pub(super) external: Option<ExternalJobStatusFn>,
    pub(super) added_ms: Timestamp,
    pub(super) run_state: JobRunState,
    pub(super) last: Option<LastRun>,
    /// The last run that was stored.
    pub(super) last_persisted: Option<LastRun>,
}

/// The current state of a job.
pub(super) enum JobRunState {
    Idle,
    Waiting(RunReason),
    Running { since_ms: Timestamp, context: JobContext },
}

impl JobRegistry {
    pub(super) fn find(&self, id: &str) -> Option<usize> {
        self.jobs.iter().position(|job| job.definition.id == id)
    }

    /// Removes from the queue the jobs that need no slot.
    pub(super) fn dequeue_external(&mut self) -> Vec<usize> {
        let Self { jobs, queue, .. } = self;
        let external: Vec<usize> = queue.iter().copied().filter(|number| !jobs[*number].uses_slot()).collect();
        queue.retain(|number| jobs[*number].uses_slot());
        external
    }

    /// Queues an idle job.
    pub(super) fn queue(&mut self, number: usize, reason: RunReason) {
        self.jobs[number].run_state = JobRunState::Waiting(reason);
        self.queue.push_back(number);
    }
}

impl Job {
    /// The scheduler's input for this job, given since when the machine is awake.
    pub(super) fn schedule_input(&self, awake_ms: Timestamp) -> ScheduleInput {
        ScheduleInput {
            every_ms: self.definition.every.filter(|_| self.external.is_none()).map(millis).map(Duration::from_millis),
            is_active: !matches!(self.run_state, JobRunState::Idle),
            catches_up: self.definition.catches_up,
            added_ms: self.added_ms,
            ended_ms: self.last.as_ref().map(|last| last.ended_ms).map(Timestamp::from_millis),
            awake_ms: awake_ms.max(self.added_ms),
        }
    }

    /// External jobs need no slot: their run is only awaited.
    pub(super) fn uses_slot(&self) -> bool {
        self.external.is_none()
    }

    /// True if a run is worth a write: an idle process must not write.
    pub(super) fn should_persist(&self, last: &LastRun) -> bool {
        let is_frequent = self.definition.every.is_some_and(|every| every < FREQUENT_INTERVAL);
        let is_same = |before: &LastRun| {
            before.outcome == last.outcome
                && before.message == last.message
                && last.ended_ms.saturating_sub(before.ended_ms) < millis(REPEAT_PERSIST)
        };
        let is_known = is_frequent && self.last_persisted.as_ref().is_some_and(is_same);
        self.definition.catches_up
            && self.definition.every.is_none_or(|every| every >= MIN_PERSISTED_INTERVAL)
            && !is_known
    }

    pub(super) fn report(&self, now_ms: Timestamp, awake_ms: Timestamp) -> JobReport {
        let (state, progress) = match &self.run_state {
            JobRunState::Idle => (JobState::Idle, None),
            JobRunState::Waiting(_) => (JobState::Waiting, None),
            JobRunState::Running { context, .. } => (JobState::Running, context.reported_progress()),
        };
        let next_ms = match decide(&self.schedule_input(awake_ms), now_ms) {
            ScheduleDecision::At(at_ms) => Some(at_ms),
            ScheduleDecision::Now(_) => Some(Timestamp::as_millis(now_ms)),
            ScheduleDecision::Never => None,
        };
        JobReport {
            id: self.definition.id.to_owned(),
            title: self.definition.title.to_owned(),
            what: self.definition.description.to_owned(),
            every_s: self.definition.every.map(|every| every.as_secs()),
            state,
            next_ms,
            progress,
            last: self.last.clone(),
            may_cancel: state != JobState::Idle,
        }
    }
}
