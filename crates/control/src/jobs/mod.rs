//! Scheduled jobs. One list shows all jobs with their last run, its duration and result, and the next run; each job can
//! be started and cancelled.
//!
//! - [`schedule`] decides when a job is due: a pure function. Runs missed while the process was off are made up for by
//!   a single run.
//! - A configured number of jobs runs at a time; the others queue first in, first out. No job runs twice at once, and a
//!   run that panics has failed without affecting anything else.
//! - [`definition`] is what a job is, [`context`] one run of it. [`persistence`] stores the last runs across restarts.
//!   [`registry`] holds the state of every job and the queue, [`report`] is what is shown of a job, [`run_request`] the
//!   result of requesting a run.
//! - Work with its own schedule can be seen and started here too: [`warming`], [`statistics`], library indexes
//!   ([`indexes`]) and scheduled playlist syncs ([`playlists`]). [`dashboards`]: dashboard statistics and the playback
//!   history.

mod context;
pub mod dashboards;
mod definition;
pub mod indexes;
mod persistence;
pub mod playlists;
mod registry;
mod report;
mod run_request;
mod schedule;
pub mod statistics;
#[cfg(test)]
mod tests;
pub mod warming;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use greenroom_cache::Clock;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use context::JobContext;
pub use definition::{ExternalJobStatus, JobDefinition};
use persistence::LastRunStore;
use registry::{Job, JobRegistry, JobRunState};
pub use report::{JobOutcome, JobProgress, JobReport, JobState, LastRun};
pub use run_request::{RunRequestResult, RunWaitResult};
use schedule::{RunReason, ScheduleDecision, decide};

/// Time a cancelled run has to end before it is aborted.
const GRACE: Duration = Duration::from_secs(5);
/// The scheduler wakes at least this often, because a job without a due time must not let it sleep forever.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// Longest stored message of a run, in characters.
const MAX_MESSAGE: usize = 500;

type JobFuture = Pin<Box<dyn Future<Output = Result<String, String>> + Send>>;
type JobFn = Arc<dyn Fn(JobContext) -> JobFuture + Send + Sync>;

type ExternalJobStatusFn = Arc<dyn Fn() -> ExternalJobStatus + Send + Sync>;

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
    warming: Arc<tokio::sync::Mutex<()>>,
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
        let records = LastRunStore::new(data_dir);
        let recorded = records.read().unwrap_or_else(|reason| {
            tracing::warn!(reason, "when the jobs ran last cannot be read: they are due");
            BTreeMap::new()
        });
        Self { last_run_store: Some(records), recorded, ..self }
    }

    /// Adds a job. `work` is called for each run; its result is a summary or an error message.
    pub fn add<W, F>(&self, plan: JobDefinition, work: W)
    where
        W: Fn(JobContext) -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, String>> + Send + 'static,
    {
        self.insert(plan, Arc::new(move |turn| Box::pin(work(turn))), None);
    }

    /// Adds a job with its own schedule. `seen` returns its status; runs requested here call `work`.
    pub fn add_external<S, W, F>(&self, plan: JobDefinition, seen: S, work: W)
    where
        S: Fn() -> ExternalJobStatus + Send + Sync + 'static,
        W: Fn(JobContext) -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, String>> + Send + 'static,
    {
        self.insert(plan, Arc::new(move |turn| Box::pin(work(turn))), Some(Arc::new(seen)));
    }

    fn insert(&self, plan: JobDefinition, work: JobFn, elsewhere: Option<ExternalJobStatusFn>) {
        let known_ms = self.clock.now_ms();
        // A last run in the future is from before the clock was set back: it counts as ending now.
        let last = self.recorded.get(plan.id).cloned();
        let last = last.map(|last| LastRun { ended_ms: last.ended_ms.min(known_ms), ..last });
        let written = last.clone();
        let job = Job {
            definition: plan,
            work,
            external: elsewhere,
            known_ms,
            run_state: JobRunState::Idle,
            last,
            last_persisted: written,
        };
        self.registry.lock().jobs.push(job);
        self.wake.notify_one();
    }

    /// Runs due jobs until the process stops.
    pub async fn run_scheduler(self: Arc<Self>) {
        while !self.stop.is_cancelled() {
            let next_ms = self.poll();
            let rest_ms = next_ms.map_or(u64::MAX, |at_ms| at_ms.saturating_sub(self.clock.now_ms()));
            let rest = Duration::from_millis(rest_ms.max(1)).min(LONGEST_REST);
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.wake.notified() => {}
                () = self.clock.sleep(rest) => {}
            }
        }
    }

    /// Queues due jobs and starts those with a free slot. Returns when the next job is due.
    fn poll(self: &Arc<Self>) -> Option<u64> {
        let now_ms = self.clock.now_ms();
        let awake_ms = self.clock.last_leap_ms();
        let mut next_ms = None;
        let mut board = self.registry.lock();
        for number in 0..board.jobs.len() {
            match decide(&board.jobs[number].schedule_input(awake_ms), now_ms) {
                ScheduleDecision::Now(why) => board.queue(number, why),
                ScheduleDecision::At(at_ms) => {
                    next_ms = Some(next_ms.map_or(at_ms, |soonest: u64| soonest.min(at_ms)));
                }
                ScheduleDecision::Never => {}
            }
        }
        for number in board.dequeue_external() {
            self.begin(&mut board, number, now_ms);
        }
        while board.running < self.at_once
            && let Some(number) = board.queue.pop_front()
        {
            self.begin(&mut board, number, now_ms);
        }
        next_ms
    }

    fn begin(self: &Arc<Self>, board: &mut JobRegistry, number: usize, now_ms: u64) {
        let job = &mut board.jobs[number];
        let why = match &job.run_state {
            JobRunState::Waiting(why) => *why,
            JobRunState::Idle | JobRunState::Running { .. } => return,
        };
        let turn = JobContext::new(self.stop.child_token());
        job.run_state = JobRunState::Running { since_ms: now_ms, turn: turn.clone() };
        let (work, id) = (Arc::clone(&job.work), job.definition.id);
        board.running += usize::from(job.uses_slot());
        let jobs = Arc::clone(self);
        self.tasks.spawn(async move {
            let (outcome, message) = jobs.execute(id, &work, &turn, why).await;
            jobs.end(number, outcome, &message);
        });
    }

    async fn execute(&self, id: &str, work: &JobFn, turn: &JobContext, why: RunReason) -> (JobOutcome, String) {
        let working = AssertUnwindSafe(async { work(turn.clone()).await }).catch_unwind();
        let overdue = async {
            turn.cancelled().await;
            self.clock.sleep(GRACE).await;
        };
        let ended = tokio::select! {
            biased;
            ended = working => ended,
            () = overdue => {
                let message = format!("It did not end within {} s and was broken off.", GRACE.as_secs());
                return (JobOutcome::Cancelled, message);
            }
        };
        match ended {
            Ok(Ok(message)) if why == RunReason::Missed => (JobOutcome::CaughtUp, message),
            Ok(Ok(message)) => (JobOutcome::Done, message),
            Ok(Err(message)) if turn.is_cancelled() => (JobOutcome::Cancelled, message),
            Ok(Err(message)) => (JobOutcome::Failed, message),
            Err(_panic) => {
                tracing::error!(job = id, "a job broke down by a fault of this program");
                (JobOutcome::Failed, "It broke down by a fault of this program; the log says where.".to_owned())
            }
        }
    }

    /// Records the end of a run. A run ended by shutdown is not recorded, so that it is due again.
    fn end(self: &Arc<Self>, number: usize, outcome: JobOutcome, message: &str) {
        let ended_ms = self.clock.now_ms();
        let message = message.chars().take(MAX_MESSAGE).collect();
        let mut board = self.registry.lock();
        let place = usize::from(board.jobs[number].uses_slot());
        board.running = board.running.saturating_sub(place);
        let job = &mut board.jobs[number];
        let started_ms = match std::mem::replace(&mut job.run_state, JobRunState::Idle) {
            JobRunState::Running { since_ms, .. } => since_ms,
            JobRunState::Idle | JobRunState::Waiting(_) => ended_ms,
        };
        let last = LastRun::new(started_ms, ended_ms, outcome, message);
        job.last = Some(last.clone());
        let (id, is_news) = (job.definition.id, job.should_persist(&last) && !self.stop.is_cancelled());
        if is_news {
            job.last_persisted = Some(last.clone());
        }
        drop(board);
        if outcome == JobOutcome::Failed {
            tracing::warn!(job = id, reason = last.message, "a job came to nothing");
        } else {
            tracing::debug!(job = id, outcome = outcome.as_str(), message = last.message, "a job has run");
        }
        if is_news {
            self.persist(id, last);
        }
        self.wake.notify_one();
        self.run_ended.notify_waiters();
    }

    fn persist(&self, id: &'static str, last: LastRun) {
        let Some(records) = self.last_run_store.clone() else { return };
        self.tasks.spawn_blocking(move || {
            if let Err(reason) = records.write(id, &last) {
                tracing::warn!(job = id, reason, "that a job has run cannot be written down");
            }
        });
    }

    /// Requests a run: it begins as soon as a slot is free.
    pub fn run(&self, id: &str) -> RunRequestResult {
        let mut board = self.registry.lock();
        let Some(number) = board.find(id) else { return RunRequestResult::Unknown };
        if !matches!(board.jobs[number].run_state, JobRunState::Idle) {
            return RunRequestResult::NoChange;
        }
        board.queue(number, RunReason::Requested);
        drop(board);
        self.wake.notify_one();
        RunRequestResult::Accepted
    }

    /// Cancels a running job, or removes it from the queue.
    pub fn cancel(&self, id: &str) -> RunRequestResult {
        let now_ms = self.clock.now_ms();
        let mut board = self.registry.lock();
        let Some(number) = board.find(id) else { return RunRequestResult::Unknown };
        match &board.jobs[number].run_state {
            JobRunState::Idle => return RunRequestResult::NoChange,
            JobRunState::Running { turn, .. } => turn.cancel(),
            JobRunState::Waiting(_) => {
                board.queue.retain(|other| *other != number);
                let job = &mut board.jobs[number];
                job.run_state = JobRunState::Idle;
                let message = "It was taken out of the line.".to_owned();
                job.last = Some(LastRun::new(now_ms, now_ms, JobOutcome::Cancelled, message));
            }
        }
        drop(board);
        self.wake.notify_one();
        self.run_ended.notify_waiters();
        RunRequestResult::Accepted
    }

    /// Requests a run and waits for its end, at most `most`. The run goes on if the caller stops waiting.
    pub async fn run_and_wait(&self, id: &str, most: Duration) -> RunWaitResult {
        match self.run(id) {
            RunRequestResult::Accepted => {}
            RunRequestResult::NoChange => return RunWaitResult::AlreadyRunning,
            RunRequestResult::Unknown => return RunWaitResult::Unknown,
        }
        self.wait_for_end(id, most).await
    }

    /// Waits for the end of a run that begins after this call, at most `most` in all. A run in progress may have read
    /// its input before the call: it is awaited and followed by another. A queued run will do.
    pub async fn run_fresh_and_wait(&self, id: &str, most: Duration) -> RunWaitResult {
        let asked_us = self.clock.now_us();
        if self.is_running(id)
            && let RunWaitResult::StillRunning = self.wait_for_end(id, most).await
        {
            return RunWaitResult::StillRunning;
        }
        match self.run(id) {
            RunRequestResult::Accepted | RunRequestResult::NoChange => {
                self.wait_for_end(id, most.saturating_sub(self.clock.since(asked_us))).await
            }
            RunRequestResult::Unknown => RunWaitResult::Unknown,
        }
    }

    fn is_running(&self, id: &str) -> bool {
        let board = self.registry.lock();
        board.find(id).is_some_and(|number| matches!(board.jobs[number].run_state, JobRunState::Running { .. }))
    }

    async fn wait_for_end(&self, id: &str, most: Duration) -> RunWaitResult {
        let late = self.clock.sleep(most);
        tokio::pin!(late);
        loop {
            let ended = self.run_ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if let Some(last) = self.last_if_idle(id) {
                return RunWaitResult::Ended(last);
            }
            tokio::select! {
                () = &mut ended => {}
                () = &mut late => return RunWaitResult::StillRunning,
            }
        }
    }

    fn last_if_idle(&self, id: &str) -> Option<LastRun> {
        let board = self.registry.lock();
        let job = &board.jobs[board.find(id)?];
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
        let (now_ms, awake_ms) = (self.clock.now_ms(), self.clock.last_leap_ms());
        let board = self.registry.lock();
        let seen: Vec<Option<ExternalJobStatusFn>> = board.jobs.iter().map(|job| job.external.clone()).collect();
        let reports: Vec<JobReport> = board.jobs.iter().map(|job| job.report(now_ms, awake_ms)).collect();
        drop(board);
        // External status is read without holding the registry lock.
        let tell = |(report, seen): (JobReport, Option<ExternalJobStatusFn>)| match seen {
            Some(seen) => report.with_external_status(seen()),
            None => report,
        };
        reports.into_iter().zip(seen).map(tell).collect()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
