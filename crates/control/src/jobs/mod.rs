//! Jobs: what is done by itself from time to time. One list says what there is, when it ran last, how long that took,
//! what came of it and when it runs next; each can be run at once, and ended.
//!
//! - [`schedule`] decides when a job is due: a pure function. A run that fell due while nobody was there is made up for
//!   once, however many were missed.
//! - At most so many run at a time as was configured; the others wait in line, first come, first served. Nothing runs
//!   twice at once, and a run that breaks down has failed and nothing else.
//! - [`definition`] is what a job is, [`context`] one run of it. [`persistence`] keeps what ran last over restarts. [`report`] is what is shown;
//!   [`run_request`] is what whoever asks for a run is told.
//! - What has a rhythm of its own is shown here and can be run here: [`warming`], and the indexes of libraries
//!   ([`indexes`]), and [`playlists`] that are kept in step. [`dashboards`]: their figures and the history of what was played.

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

pub use context::Turn;
pub use definition::{Plan, Seen};
use persistence::Records;
use registry::{Board, Job, Stage};
pub use report::{Last, Outcome, Progress, Report, State};
pub use run_request::{Asked, Awaited};
use schedule::{Due, Why, due};

/// A run that is to end may take so long for it; then it is broken off.
const GRACE: Duration = Duration::from_secs(5);
/// The keeper looks at least this often: a rest without end is no time to sleep.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// Longest message of a run that is kept, in characters.
const MAX_MESSAGE: usize = 500;

type Working = Pin<Box<dyn Future<Output = Result<String, String>> + Send>>;
type Work = Arc<dyn Fn(Turn) -> Working + Send + Sync>;

type Elsewhere = Arc<dyn Fn() -> Seen + Send + Sync>;

/// All jobs.
pub struct Jobs {
    at_once: usize,
    clock: Clock,
    tasks: TaskTracker,
    stop: CancellationToken,
    records: Option<Records>,
    /// What ran last in earlier processes.
    recorded: BTreeMap<String, Last>,
    board: Mutex<Board>,
    bell: Notify,
    /// Held by whoever warms all at once.
    warming: Arc<tokio::sync::Mutex<()>>,
    /// Rings for all who wait when a run has ended.
    ends: Notify,
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jobs").field("at_once", &self.at_once).finish_non_exhaustive()
    }
}

impl Jobs {
    /// No jobs yet; so many run at a time.
    pub fn new(at_once: usize, clock: Clock, tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self {
            at_once: at_once.max(1),
            clock,
            tasks,
            stop,
            records: None,
            recorded: BTreeMap::new(),
            board: Mutex::default(),
            bell: Notify::new(),
            warming: Arc::default(),
            ends: Notify::new(),
        }
    }

    /// The same, which remembers in this data directory what ran last.
    #[must_use]
    pub fn within(self, data_dir: &Path) -> Self {
        let records = Records::of(data_dir);
        let recorded = records.read().unwrap_or_else(|reason| {
            tracing::warn!(reason, "when the jobs ran last cannot be read: they are due");
            BTreeMap::new()
        });
        Self { records: Some(records), recorded, ..self }
    }

    /// Adds a job. What it does is asked for a future for each run, which says what was done or why it was not.
    pub fn add<W, F>(&self, plan: Plan, work: W)
    where
        W: Fn(Turn) -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, String>> + Send + 'static,
    {
        self.insert(plan, Arc::new(move |turn| Box::pin(work(turn))), None);
    }

    /// Adds a job that runs in a rhythm of its own, of which `seen` tells; here it is shown, and run when it is asked to.
    pub fn add_elsewhere<S, W, F>(&self, plan: Plan, seen: S, work: W)
    where
        S: Fn() -> Seen + Send + Sync + 'static,
        W: Fn(Turn) -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, String>> + Send + 'static,
    {
        self.insert(plan, Arc::new(move |turn| Box::pin(work(turn))), Some(Arc::new(seen)));
    }

    fn insert(&self, plan: Plan, work: Work, elsewhere: Option<Elsewhere>) {
        let known_ms = self.clock.now_ms();
        // A run of the future is from before the clock was set back: it counts as one of now.
        let last = self.recorded.get(plan.id).cloned();
        let last = last.map(|last| Last { ended_ms: last.ended_ms.min(known_ms), ..last });
        let written = last.clone();
        let job = Job { plan, work, elsewhere, known_ms, stage: Stage::Idle, last, written };
        self.board.lock().jobs.push(job);
        self.bell.notify_one();
    }

    /// Runs what is due, until the process is told to stop.
    pub async fn keep(self: Arc<Self>) {
        while !self.stop.is_cancelled() {
            let next_ms = self.look();
            let rest_ms = next_ms.map_or(u64::MAX, |at_ms| at_ms.saturating_sub(self.clock.now_ms()));
            let rest = Duration::from_millis(rest_ms.max(1)).min(LONGEST_REST);
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.bell.notified() => {}
                () = self.clock.sleep(rest) => {}
            }
        }
    }

    /// Puts into line what is due, and runs who has a place; when the next is due.
    fn look(self: &Arc<Self>) -> Option<u64> {
        let now_ms = self.clock.now_ms();
        let awake_ms = self.clock.landed_ms();
        let mut next_ms = None;
        let mut board = self.board.lock();
        for number in 0..board.jobs.len() {
            match due(&board.jobs[number].sight(awake_ms), now_ms) {
                Due::Now(why) => board.queue(number, why),
                Due::At(at_ms) => next_ms = Some(next_ms.map_or(at_ms, |soonest: u64| soonest.min(at_ms))),
                Due::Never => {}
            }
        }
        for number in board.take_free() {
            self.begin(&mut board, number, now_ms);
        }
        while board.running < self.at_once
            && let Some(number) = board.line.pop_front()
        {
            self.begin(&mut board, number, now_ms);
        }
        next_ms
    }

    fn begin(self: &Arc<Self>, board: &mut Board, number: usize, now_ms: u64) {
        let job = &mut board.jobs[number];
        let why = match &job.stage {
            Stage::Waiting(why) => *why,
            Stage::Idle | Stage::Running { .. } => return,
        };
        let turn = Turn::new(self.stop.child_token());
        job.stage = Stage::Running { since_ms: now_ms, turn: turn.clone() };
        let (work, id) = (Arc::clone(&job.work), job.plan.id);
        board.running += usize::from(job.takes_place());
        let jobs = Arc::clone(self);
        self.tasks.spawn(async move {
            let (outcome, message) = jobs.carry_out(id, &work, &turn, why).await;
            jobs.end(number, outcome, &message);
        });
    }

    async fn carry_out(&self, id: &str, work: &Work, turn: &Turn, why: Why) -> (Outcome, String) {
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
                return (Outcome::Cancelled, message);
            }
        };
        match ended {
            Ok(Ok(message)) if why == Why::Missed => (Outcome::CaughtUp, message),
            Ok(Ok(message)) => (Outcome::Done, message),
            Ok(Err(message)) if turn.is_cancelled() => (Outcome::Cancelled, message),
            Ok(Err(message)) => (Outcome::Failed, message),
            Err(_panic) => {
                tracing::error!(job = id, "a job broke down by a fault of this program");
                (Outcome::Failed, "It broke down by a fault of this program; the log says where.".to_owned())
            }
        }
    }

    /// A run has ended. What the end of the process ended is due again, so it is as if it had not been.
    fn end(self: &Arc<Self>, number: usize, outcome: Outcome, message: &str) {
        let ended_ms = self.clock.now_ms();
        let message = message.chars().take(MAX_MESSAGE).collect();
        let mut board = self.board.lock();
        let place = usize::from(board.jobs[number].takes_place());
        board.running = board.running.saturating_sub(place);
        let job = &mut board.jobs[number];
        let started_ms = match std::mem::replace(&mut job.stage, Stage::Idle) {
            Stage::Running { since_ms, .. } => since_ms,
            Stage::Idle | Stage::Waiting(_) => ended_ms,
        };
        let last = Last::new(started_ms, ended_ms, outcome, message);
        job.last = Some(last.clone());
        let (id, is_news) = (job.plan.id, job.is_worth_writing(&last) && !self.stop.is_cancelled());
        if is_news {
            job.written = Some(last.clone());
        }
        drop(board);
        if outcome == Outcome::Failed {
            tracing::warn!(job = id, reason = last.message, "a job came to nothing");
        } else {
            tracing::debug!(job = id, outcome = outcome.word(), message = last.message, "a job has run");
        }
        if is_news {
            self.write_down(id, last);
        }
        self.bell.notify_one();
        self.ends.notify_waiters();
    }

    fn write_down(&self, id: &'static str, last: Last) {
        let Some(records) = self.records.clone() else { return };
        self.tasks.spawn_blocking(move || {
            if let Err(reason) = records.write(id, &last) {
                tracing::warn!(job = id, reason, "that a job has run cannot be written down");
            }
        });
    }

    /// Asks for a run: it begins as soon as there is a place.
    pub fn run(&self, id: &str) -> Asked {
        let mut board = self.board.lock();
        let Some(number) = board.find(id) else { return Asked::Unknown };
        if !matches!(board.jobs[number].stage, Stage::Idle) {
            return Asked::Already;
        }
        board.queue(number, Why::Asked);
        drop(board);
        self.bell.notify_one();
        Asked::Heard
    }

    /// Ends a run that is under way, or takes one out of the line.
    pub fn cancel(&self, id: &str) -> Asked {
        let now_ms = self.clock.now_ms();
        let mut board = self.board.lock();
        let Some(number) = board.find(id) else { return Asked::Unknown };
        match &board.jobs[number].stage {
            Stage::Idle => return Asked::Already,
            Stage::Running { turn, .. } => turn.end(),
            Stage::Waiting(_) => {
                board.line.retain(|other| *other != number);
                let job = &mut board.jobs[number];
                job.stage = Stage::Idle;
                let message = "It was taken out of the line.".to_owned();
                job.last = Some(Last::new(now_ms, now_ms, Outcome::Cancelled, message));
            }
        }
        drop(board);
        self.bell.notify_one();
        self.ends.notify_waiters();
        Asked::Heard
    }

    /// Asks for a run and waits for its end, at most so long. It is the job's own: it goes on when nobody waits any more.
    pub async fn run_to_its_end(&self, id: &str, most: Duration) -> Awaited {
        match self.run(id) {
            Asked::Heard => {}
            Asked::Already => return Awaited::Already,
            Asked::Unknown => return Awaited::Unknown,
        }
        self.end_of(id, most).await
    }

    /// The same, but a run that is under way already will do.
    pub async fn run_or_join(&self, id: &str, most: Duration) -> Awaited {
        match self.run(id) {
            Asked::Heard | Asked::Already => self.end_of(id, most).await,
            Asked::Unknown => Awaited::Unknown,
        }
    }

    async fn end_of(&self, id: &str, most: Duration) -> Awaited {
        let late = self.clock.sleep(most);
        tokio::pin!(late);
        loop {
            let ended = self.ends.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if let Some(last) = self.last_if_idle(id) {
                return Awaited::Ended(last);
            }
            tokio::select! {
                () = &mut ended => {}
                () = &mut late => return Awaited::GoesOn,
            }
        }
    }

    fn last_if_idle(&self, id: &str) -> Option<Last> {
        let board = self.board.lock();
        let job = &board.jobs[board.find(id)?];
        job.last.clone().filter(|_| matches!(job.stage, Stage::Idle))
    }

    /// How many run at a time at most.
    pub fn at_once(&self) -> usize {
        self.at_once
    }

    /// How many places are taken.
    pub fn running(&self) -> usize {
        self.board.lock().running
    }

    /// How every job stands, in the order in which they were added.
    pub fn reports(&self) -> Vec<Report> {
        let (now_ms, awake_ms) = (self.clock.now_ms(), self.clock.landed_ms());
        let board = self.board.lock();
        let seen: Vec<Option<Elsewhere>> = board.jobs.iter().map(|job| job.elsewhere.clone()).collect();
        let reports: Vec<Report> = board.jobs.iter().map(|job| job.report(now_ms, awake_ms)).collect();
        drop(board);
        // What is kept elsewhere is asked without holding anything of ours.
        let tell = |(report, seen): (Report, Option<Elsewhere>)| match seen {
            Some(seen) => report.with(seen()),
            None => report,
        };
        reports.into_iter().zip(seen).map(tell).collect()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
