//! All jobs: starts those that are due or asked for, and ends them.

use greenroom_cache::Timestamp;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use greenroom_cache::Clock;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::context::JobContext;
use crate::definition::JobDefinition;
use crate::job_work::{ExternalJobStatusFn, JobFn};
use crate::persistence::LastRunStore;
use crate::registry::{Job, JobRegistry, JobRunState};
use crate::report::{ExternalJobStatus, JobOutcome, JobReport, LastRun};
use crate::run_request::{RunRequestResult, RunWaitResult};
use crate::schedule::{RunReason, ScheduleDecision, decide};

/// Time a cancelled run has to end before it is aborted.
const GRACE: Duration = Duration::from_secs(5);
/// The scheduler wakes at least this often, because a job without a due time must not let it sleep forever.
const MAX_SLEEP: Duration = Duration::from_secs(60);
/// Longest stored message of a run, in characters.
const MAX_MESSAGE: usize = 500;

/// All jobs.
pub struct Jobs {
    at_once: usize,
    clock: Clock,
    tasks: TaskTracker,
    stop: CancellationToken,
    last_run_store: Option<LastRunStore>,
    /// Last runs of earlier processes.
    recorded: BTreeMap<String, LastRun>,
    registry: Mutex<JobRegistry>,
    wake: Notify,
    /// Held while everything is warmed.
    pub(crate) warming: Arc<tokio::sync::Mutex<()>>,
    /// Notifies all waiters when a run has ended.
    run_ended: Notify,
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jobs").field("at_once", &self.at_once).finish_non_exhaustive()
    }
}

impl Jobs {
    /// An empty job list; at most `at_once` jobs run at a time.
    pub fn new(at_once: usize, clock: Clock, tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self {
            at_once: at_once.max(1),
            clock,
            tasks,
            stop,
            last_run_store: None,
            recorded: BTreeMap::new(),
            registry: Mutex::default(),
            wake: Notify::new(),
            warming: Arc::default(),
            run_ended: Notify::new(),
        }
    }

    /// Stores the last runs in this data directory.
    #[must_use]
    pub fn with_data_dir(self, data_dir: &Path) -> Self {
        let store = LastRunStore::new(data_dir);
        let recorded = store.read().unwrap_or_else(|reason| {
            tracing::warn!(reason, "last runs of jobs cannot be read; all jobs are due");
            BTreeMap::new()
        });
        Self { last_run_store: Some(store), recorded, ..self }
    }

    /// Adds a job. `work` is called for each run; its result is a summary or an error message.
    pub fn add<W, F>(&self, definition: JobDefinition, work: W)
    where
        W: Fn(JobContext) -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, String>> + Send + 'static,
    {
        self.insert(definition, Arc::new(move |context| Box::pin(work(context))), None);
    }

    /// Adds a job with its own schedule. `status` returns its status; runs requested here call `work`.
    pub fn add_external<S, W, F>(&self, definition: JobDefinition, status: S, work: W)
    where
        S: Fn() -> ExternalJobStatus + Send + Sync + 'static,
        W: Fn(JobContext) -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, String>> + Send + 'static,
    {
        self.insert(definition, Arc::new(move |context| Box::pin(work(context))), Some(Arc::new(status)));
    }

    fn insert(&self, definition: JobDefinition, work: JobFn, status: Option<ExternalJobStatusFn>) {
        let added_ms = self.clock.now();
        // A last run in the future is from before the clock was set back: it counts as ending now.
        let last = self.recorded.get(definition.id).cloned();
        let last = last.map(|last| LastRun { ended_ms: last.ended_ms.min(added_ms.as_millis()), ..last });
        let last_persisted = last.clone();
        let job =
            Job { definition, work, external: status, added_ms, run_state: JobRunState::Idle, last, last_persisted };
        self.registry.lock().jobs.push(job);
        self.wake.notify_one();
    }

    /// Runs due jobs until the process stops.
    pub async fn run_scheduler(self: Arc<Self>) {
        while !self.stop.is_cancelled() {
            let next_ms = self.poll();
            let sleep_ms = next_ms.map_or(u64::MAX, |at_ms| at_ms.saturating_sub(self.clock.now().as_millis()));
            let sleep_for = Duration::from_millis(sleep_ms.max(1)).min(MAX_SLEEP);
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.wake.notified() => {}
                () = self.clock.sleep(sleep_for) => {}
            }
        }
    }

    /// Queues due jobs and starts those with a free slot. Returns when the next job is due.
    fn poll(self: &Arc<Self>) -> Option<u64> {
        let now_ms = self.clock.now();
        let awake_ms = self.clock.last_leap();
        let mut next_ms = None;
        let mut registry = self.registry.lock();
        for number in 0..registry.jobs.len() {
            match decide(&registry.jobs[number].schedule_input(awake_ms), now_ms) {
                ScheduleDecision::Now(reason) => registry.queue(number, reason),
                ScheduleDecision::At(at_ms) => {
                    next_ms = Some(next_ms.map_or(at_ms, |earliest: u64| earliest.min(at_ms)));
                }
                ScheduleDecision::Never => {}
            }
        }
        for number in registry.dequeue_external() {
            self.start(&mut registry, number, now_ms);
        }
        while registry.running < self.at_once
            && let Some(number) = registry.queue.pop_front()
        {
            self.start(&mut registry, number, now_ms);
        }
        next_ms
    }

    fn start(self: &Arc<Self>, registry: &mut JobRegistry, number: usize, now_ms: Timestamp) {
        let job = &mut registry.jobs[number];
        let reason = match &job.run_state {
            JobRunState::Waiting(reason) => *reason,
            JobRunState::Idle | JobRunState::Running { .. } => return,
        };
        let context = JobContext::new(self.stop.child_token());
        job.run_state = JobRunState::Running { since_ms: now_ms, context: context.clone() };
        let (work, id) = (Arc::clone(&job.work), job.definition.id);
        registry.running += usize::from(job.uses_slot());
        let jobs = Arc::clone(self);
        self.tasks.spawn(async move {
            let (outcome, message) = jobs.execute(id, &work, &context, reason).await;
            jobs.end(number, outcome, &message);
        });
    }

    async fn execute(&self, id: &str, work: &JobFn, context: &JobContext, reason: RunReason) -> (JobOutcome, String) {
        let work_done = AssertUnwindSafe(async { work(context.clone()).await }).catch_unwind();
        let grace_over = async {
            context.cancelled().await;
            self.clock.sleep(GRACE).await;
        };
        let ended = tokio::select! {
            biased;
            ended = work_done => ended,
            () = grace_over => {
                let message = format!("It did not end within {} s and was aborted.", GRACE.as_secs());
                return (JobOutcome::Cancelled, message);
            }
        };
        match ended {
            Ok(Ok(message)) if reason == RunReason::Missed => (JobOutcome::CaughtUp, message),
            Ok(Ok(message)) => (JobOutcome::Done, message),
            Ok(Err(message)) if context.is_cancelled() => (JobOutcome::Cancelled, message),
            Ok(Err(message)) => (JobOutcome::Failed, message),
            Err(_panic) => {
                tracing::error!(job = id, "job panicked");
                (JobOutcome::Failed, "It panicked; the log says where.".to_owned())
            }
        }
    }

    /// Records the end of a run. A run ended by shutdown is not recorded, so that it is due again.
    fn end(self: &Arc<Self>, number: usize, outcome: JobOutcome, message: &str) {
        let ended_ms = self.clock.now();
        let message = message.chars().take(MAX_MESSAGE).collect();
        let mut registry = self.registry.lock();
        let slots = usize::from(registry.jobs[number].uses_slot());
        registry.running = registry.running.saturating_sub(slots);
        let job = &mut registry.jobs[number];
        let started_ms = match std::mem::replace(&mut job.run_state, JobRunState::Idle) {
            JobRunState::Running { since_ms, .. } => since_ms,
            JobRunState::Idle | JobRunState::Waiting(_) => ended_ms,
        };
        let last = LastRun::new(started_ms, ended_ms, outcome, message);
        job.last = Some(last.clone());
        let (id, should_persist) = (job.definition.id, job.should_persist(&last) && !self.stop.is_cancelled());
        if should_persist {
            job.last_persisted = Some(last.clone());
        }
        drop(registry);
        if outcome == JobOutcome::Failed {
            tracing::warn!(job = id, reason = last.message, "job failed");
        } else {
            tracing::debug!(job = id, outcome = outcome.as_str(), message = last.message, "job ended");
        }
        if should_persist {
            self.persist(id, last);
        }
        self.wake.notify_one();
        self.run_ended.notify_waiters();
    }

    fn persist(&self, id: &'static str, last: LastRun) {
        let Some(store) = self.last_run_store.clone() else { return };
        self.tasks.spawn_blocking(move || {
            if let Err(reason) = store.write(id, &last) {
                tracing::warn!(job = id, reason, "last run of a job cannot be saved");
            }
        });
    }

    /// Requests a run: it begins as soon as a slot is free.
    pub fn run(&self, id: &str) -> RunRequestResult {
        let mut registry = self.registry.lock();
        let Some(number) = registry.find(id) else { return RunRequestResult::Unknown };
        if !matches!(registry.jobs[number].run_state, JobRunState::Idle) {
            return RunRequestResult::NoChange;
        }
        registry.queue(number, RunReason::Requested);
        drop(registry);
        self.wake.notify_one();
        RunRequestResult::Accepted
    }

    /// Cancels a running job, or removes it from the queue.
    pub fn cancel(&self, id: &str) -> RunRequestResult {
        let now_ms = self.clock.now();
        let mut registry = self.registry.lock();
        let Some(number) = registry.find(id) else { return RunRequestResult::Unknown };
        match &registry.jobs[number].run_state {
            JobRunState::Idle => return RunRequestResult::NoChange,
            JobRunState::Running { context, .. } => context.cancel(),
            JobRunState::Waiting(_) => {
                registry.queue.retain(|other| *other != number);
                let job = &mut registry.jobs[number];
                job.run_state = JobRunState::Idle;
                let message = "Removed from the queue.".to_owned();
                job.last = Some(LastRun::new(now_ms, now_ms, JobOutcome::Cancelled, message));
            }
        }
        drop(registry);
        self.wake.notify_one();
        self.run_ended.notify_waiters();
        RunRequestResult::Accepted
    }

    /// Requests a run and waits for its end, at most `timeout`. The run goes on if the caller stops waiting.
    pub async fn run_and_wait(&self, id: &str, timeout: Duration) -> RunWaitResult {
        match self.run(id) {
            RunRequestResult::Accepted => {}
            RunRequestResult::NoChange => return RunWaitResult::AlreadyRunning,
            RunRequestResult::Unknown => return RunWaitResult::Unknown,
        }
        self.wait_for_end(id, timeout).await
    }

    /// Waits for the end of a run that begins after this call, at most `timeout` in all. A run in progress may have
    /// read its input before the call: it is awaited and followed by another. A queued run will do.
    pub async fn run_fresh_and_wait(&self, id: &str, timeout: Duration) -> RunWaitResult {
        let started_us = self.clock.now_us();
        if self.is_running(id)
            && let RunWaitResult::StillRunning = self.wait_for_end(id, timeout).await
        {
            return RunWaitResult::StillRunning;
        }
        match self.run(id) {
            RunRequestResult::Accepted | RunRequestResult::NoChange => {
                self.wait_for_end(id, timeout.saturating_sub(self.clock.since(started_us))).await
            }
            RunRequestResult::Unknown => RunWaitResult::Unknown,
        }
    }

    fn is_running(&self, id: &str) -> bool {
        let registry = self.registry.lock();
        registry.find(id).is_some_and(|number| matches!(registry.jobs[number].run_state, JobRunState::Running { .. }))
    }

    async fn wait_for_end(&self, id: &str, timeout: Duration) -> RunWaitResult {
        let deadline = self.clock.sleep(timeout);
        tokio::pin!(deadline);
        loop {
            let ended = self.run_ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if let Some(last) = self.last_if_idle(id) {
                return RunWaitResult::Ended(last);
            }
            tokio::select! {
                () = &mut ended => {}
                () = &mut deadline => return RunWaitResult::StillRunning,
            }
        }
    }

    fn last_if_idle(&self, id: &str) -> Option<LastRun> {
        let registry = self.registry.lock();
        let job = &registry.jobs[registry.find(id)?];
        job.last.clone().filter(|_| matches!(job.run_state, JobRunState::Idle))
    }

    /// Max concurrent runs.
    pub fn at_once(&self) -> usize {
        self.at_once
    }

    /// Slots in use.
    pub fn running(&self) -> usize {
        self.registry.lock().running
    }

    /// Reports of all jobs, in the order in which they were added.
    pub fn reports(&self) -> Vec<JobReport> {
        let (now_ms, awake_ms) = (self.clock.now(), self.clock.last_leap());
        let registry = self.registry.lock();
        let status: Vec<Option<ExternalJobStatusFn>> = registry.jobs.iter().map(|job| job.external.clone()).collect();
        let reports: Vec<JobReport> = registry.jobs.iter().map(|job| job.report(now_ms, awake_ms)).collect();
        drop(registry);
        // External status is read without holding the registry lock.
        let with_status = |(report, status): (JobReport, Option<ExternalJobStatusFn>)| match status {
            Some(status) => report.with_external_status(status()),
            None => report,
        };
        reports.into_iter().zip(status).map(with_status).collect()
    }
}

#[cfg(test)]
mod tests;
