//! The jobs as a whole, on a paused clock.

use greenroom_cache::Timestamp;
use std::future::pending;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use greenroom_cache::SuspendDetector;

use super::*;
use crate::report::{JobProgress, JobState};
use greenroom_state::db::StateDb;

struct JobsFixture {
    jobs: Arc<Jobs>,
    clock: Clock,
    /// Total time the machine was suspended.
    suspended_ms: Arc<AtomicU64>,
    tasks: TaskTracker,
    stop: CancellationToken,
    started_ids: Arc<Mutex<Vec<&'static str>>>,
}

const fn definition(id: &'static str, every_s: u64) -> JobDefinition {
    let every = if every_s == 0 { None } else { Some(Duration::from_secs(every_s)) };
    JobDefinition { id, title: "A job", description: "Does something.", every, catches_up: false }
}

impl JobsFixture {
    fn new(at_once: usize) -> Self {
        Self::with_jobs(|clock, tasks, stop| Jobs::new(at_once, clock, tasks, stop))
    }

    fn with_jobs(new_jobs: impl FnOnce(Clock, TaskTracker, CancellationToken) -> Jobs) -> Self {
        let suspended_ms = Arc::new(AtomicU64::new(0));
        let suspended = Arc::clone(&suspended_ms);
        let detector = SuspendDetector::counting(move || suspended.load(Ordering::Relaxed));
        let (clock, tasks, stop) =
            (Clock::system().with_suspend_detector(detector), TaskTracker::new(), CancellationToken::new());
        let (following_clock, end) = (clock.clone(), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                never = following_clock.follow(drop) => match never {},
                () = end.cancelled() => {}
            }
        });
        let jobs = Arc::new(new_jobs(clock.clone(), tasks.clone(), stop.clone()));
        tasks.spawn(Arc::clone(&jobs).run_scheduler());
        Self { jobs, clock, suspended_ms, tasks, stop, started_ids: Arc::default() }
    }

    /// A job that takes this long and honours cancellation.
    fn add(&self, definition: JobDefinition, duration_s: u64) {
        let (clock, started_ids) = (self.clock.clone(), Arc::clone(&self.started_ids));
        self.jobs.add(definition, move |context| {
            let (clock, started_ids) = (clock.clone(), Arc::clone(&started_ids));
            async move {
                started_ids.lock().push(definition.id);
                context.report_progress(1, Some(2));
                tokio::select! {
                    () = context.cancelled() => Err("cancelled".to_owned()),
                    // Work stops while the machine is suspended.
                    _ = clock.timeout(Duration::from_secs(duration_s), pending::<()>()) => Ok("complete".to_owned()),
                }
            }
        });
    }

    async fn advance(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    /// The machine is suspended for this long, then awake for three seconds.
    async fn sleep_and_wake(&self, seconds: u64) {
        self.suspended_ms.fetch_add(seconds * 1000, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(3)).await;
    }

    fn started(&self) -> Vec<&'static str> {
        self.started_ids.lock().clone()
    }

    fn report(&self, id: &str) -> JobReport {
        self.jobs.reports().into_iter().find(|report| report.id == id).expect("a known job")
    }

    fn last(&self, id: &str) -> (JobOutcome, String) {
        self.report(id).last.map(|last| (last.outcome, last.message)).expect("a last run")
    }

    async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_runs_on_schedule_and_reports_its_result() {
    let fixture = JobsFixture::new(3);
    fixture.add(definition("figures", 60), 2);
    fixture.advance(59).await;
    assert_eq!((fixture.started().len(), fixture.report("figures").state), (0, JobState::Idle));
    fixture.advance(2).await;
    let report = fixture.report("figures");
    assert_eq!(report.state, JobState::Running);
    assert_eq!(report.progress, Some(JobProgress { done: 1, total: Some(2) }));
    assert_eq!((report.next_ms, report.may_cancel), (None, true));
    fixture.advance(2).await;
    let report = fixture.report("figures");
    let last = report.last.expect("a last run");
    assert_eq!((last.outcome, last.duration_ms, last.message.as_str()), (JobOutcome::Done, 2_000, "complete"));
    assert_eq!(report.next_ms, Some(last.ended_ms + 60_000), "counted from its end");
    fixture.advance(600).await;
    assert_eq!(fixture.started().len(), 10);
    fixture.close().await;
}

#[tokio::test(start_paused = true)]
async fn jobs_above_the_limit_wait_in_the_queue() {
    let fixture = JobsFixture::new(2);
    for id in ["a", "b", "c", "d"] {
        fixture.add(definition(id, 0), 10);
    }
    for id in ["b", "d", "a", "c"] {
        assert_eq!(fixture.jobs.run(id), RunRequestResult::Accepted);
    }
    fixture.advance(1).await;
    assert_eq!((fixture.started(), fixture.jobs.running()), (vec!["b", "d"], 2));
    assert_eq!(fixture.report("a").state, JobState::Waiting);
    assert_eq!(fixture.jobs.cancel("a"), RunRequestResult::Accepted, "a queued run can be cancelled");
    fixture.advance(10).await;
    assert_eq!(fixture.started(), ["b", "d", "c"]);
    assert_eq!(fixture.last("a").0, JobOutcome::Cancelled);
    fixture.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_external_job_takes_no_slot() {
    let fixture = JobsFixture::new(1);
    let clock = fixture.clock.clone();
    fixture.jobs.add_external(definition("elsewhere", 60), ExternalJobStatus::default, move |_| {
        let clock = clock.clone();
        async move {
            clock.sleep(Duration::from_secs(100)).await;
            Ok("complete".to_owned())
        }
    });
    fixture.add(definition("here", 0), 10);
    assert_eq!(fixture.jobs.run("elsewhere"), RunRequestResult::Accepted);
    fixture.advance(1).await;
    assert_eq!((fixture.report("elsewhere").state, fixture.jobs.running()), (JobState::Running, 0));
    assert_eq!(fixture.jobs.run("here"), RunRequestResult::Accepted);
    fixture.advance(1).await;
    assert_eq!((fixture.started(), fixture.jobs.running()), (vec!["here"], 1));
    assert_eq!(fixture.jobs.run("elsewhere"), RunRequestResult::NoChange, "a running job does not run twice");
    fixture.advance(150).await;
    assert_eq!(fixture.jobs.running(), 0);
    fixture.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_cancelled_after_a_suspension_is_not_queued_again() {
    let fixture = JobsFixture::new(1);
    fixture.add(definition("slow", 0), 1_000);
    fixture.add(JobDefinition { catches_up: true, ..definition("nightly", 24 * 3600) }, 1);
    fixture.advance(5).await;
    assert_eq!(fixture.jobs.run("slow"), RunRequestResult::Accepted);
    fixture.advance(1).await;
    fixture.sleep_and_wake(25 * 3600).await;
    assert_eq!(fixture.report("nightly").state, JobState::Waiting, "it fell due during the suspension");
    assert_eq!(fixture.jobs.cancel("nightly"), RunRequestResult::Accepted);
    fixture.advance(90).await;
    assert_eq!(fixture.report("nightly").state, JobState::Idle);
    fixture.close().await;
}

#[tokio::test(start_paused = true)]
async fn no_job_runs_twice_at_once() {
    let fixture = JobsFixture::new(3);
    fixture.add(definition("slow", 5), 60);
    assert_eq!(fixture.jobs.run("slow"), RunRequestResult::Accepted);
    assert_eq!(fixture.jobs.run("slow"), RunRequestResult::NoChange, "queued");
    fixture.advance(30).await;
    assert_eq!(fixture.jobs.run("slow"), RunRequestResult::NoChange, "running");
    assert_eq!(fixture.started().len(), 1, "the schedule starts no second run");
    assert_eq!(fixture.jobs.run("absent"), RunRequestResult::Unknown);
    assert_eq!(fixture.jobs.cancel("absent"), RunRequestResult::Unknown);
    fixture.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_panics_fails_without_affecting_others() {
    let fixture = JobsFixture::new(1);
    fixture.jobs.add(definition("broken", 0), |_| async { panic!("a fault in a job") });
    fixture.jobs.add(definition("broken at once", 0), |_| -> std::future::Ready<Result<String, String>> {
        panic!("a fault in a job")
    });
    fixture.add(definition("sound", 0), 1);
    for id in ["broken", "broken at once", "sound"] {
        fixture.jobs.run(id);
    }
    fixture.advance(5).await;
    assert_eq!(fixture.last("broken").0, JobOutcome::Failed);
    assert_eq!(fixture.last("broken at once").0, JobOutcome::Failed);
    assert_eq!(fixture.last("sound"), (JobOutcome::Done, "complete".to_owned()));
    assert_eq!(fixture.jobs.running(), 0);
    fixture.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_ends_and_one_that_ignores_it_is_aborted() {
    let fixture = JobsFixture::new(3);
    fixture.add(definition("heeds", 0), 600);
    fixture.jobs.add(definition("deaf", 0), |_| pending());
    for id in ["heeds", "deaf"] {
        assert_eq!(fixture.jobs.cancel(id), RunRequestResult::NoChange, "not running");
        fixture.jobs.run(id);
    }
    fixture.advance(1).await;
    for id in ["heeds", "deaf"] {
        assert_eq!(fixture.jobs.cancel(id), RunRequestResult::Accepted);
    }
    fixture.advance(1).await;
    assert_eq!(fixture.last("heeds"), (JobOutcome::Cancelled, "cancelled".to_owned()));
    assert_eq!(fixture.report("deaf").state, JobState::Running);
    fixture.advance(5).await;
    assert!(fixture.last("deaf").1.contains("aborted"));
    assert_eq!(fixture.last("deaf").0, JobOutcome::Cancelled);
    assert_eq!(fixture.jobs.run("deaf"), RunRequestResult::Accepted, "it can run again");
    fixture.close().await;
}

#[tokio::test(start_paused = true)]
async fn runs_missed_while_the_process_was_off_are_made_up_for_once() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    StateDb::open(dir.path()).expect("a state database");
    let history = JobDefinition { catches_up: true, ..definition("history", 900) };
    let start =
        || JobsFixture::with_jobs(|clock, tasks, stop| Jobs::new(3, clock, tasks, stop).with_data_dir(dir.path()));
    let fixture = start();
    fixture.add(history, 1);
    fixture.advance(2).await;
    assert_eq!(fixture.last("history").0, JobOutcome::Done, "a job that never ran runs at start");
    fixture.close().await;

    // Paused time does not follow wall time, so the age of the last run is set in the file.
    let store = LastRunStore::new(dir.path());
    let mut last = store.read().expect("last runs").remove("history").expect("a stored last run");
    last.ended_ms -= 50 * 900_000;
    store.write("history", &last).expect("last run written");
    let fixture = start();
    fixture.add(history, 1);
    fixture.advance(2).await;
    assert_eq!(fixture.last("history").0, JobOutcome::CaughtUp);
    fixture.advance(890).await;
    assert_eq!(fixture.started().len(), 1, "fifty missed runs are made up for by one");
    fixture.advance(20).await;
    assert_eq!(fixture.last("history").0, JobOutcome::Done);
    fixture.close().await;

    // The clock is set back by a year: the job neither pauses for a year nor runs twice in a row.
    let mut last = store.read().expect("last runs").remove("history").expect("a stored last run");
    last.ended_ms += 365 * 24 * 3_600_000;
    store.write("history", &last).expect("last run written");
    let fixture = start();
    fixture.add(history, 1);
    fixture.advance(899).await;
    assert_eq!(fixture.started().len(), 0);
    fixture.advance(910).await;
    assert_eq!(fixture.started().len(), 2);
    fixture.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_frequent_job_with_unchanged_results_is_persisted_once_a_day() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    StateDb::open(dir.path()).expect("a state database");
    let fixture =
        JobsFixture::with_jobs(|clock, tasks, stop| Jobs::new(3, clock, tasks, stop).with_data_dir(dir.path()));
    fixture.add(JobDefinition { catches_up: true, ..definition("history", 900) }, 1);
    fixture.add(JobDefinition { catches_up: true, ..definition("reconcile", 7_200) }, 1);
    let store = LastRunStore::new(dir.path());
    let mut runs_written = std::collections::BTreeSet::new();
    for _ in 0..47 {
        fixture.advance(1_800).await;
        let read = store.read().expect("last runs");
        runs_written.extend(read.into_iter().map(|(id, last)| (id, last.ended_ms)));
    }
    let count = |id: &str| runs_written.iter().filter(|(run_id, _)| run_id == id).count();
    assert!(fixture.started().len() > 100);
    assert_eq!(count("history"), 1);
    assert!(count("reconcile") >= 11, "a rare job is written each time: {}", count("reconcile"));
    fixture.close().await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_runs_and_they_are_due_again() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    StateDb::open(dir.path()).expect("a state database");
    let fixture =
        JobsFixture::with_jobs(|clock, tasks, stop| Jobs::new(3, clock, tasks, stop).with_data_dir(dir.path()));
    fixture.add(JobDefinition { catches_up: true, ..definition("history", 900) }, 600);
    fixture.advance(5).await;
    assert_eq!(fixture.report("history").state, JobState::Running);
    let before_ms = fixture.clock.now();
    let (clock, jobs) = (fixture.clock.clone(), Arc::clone(&fixture.jobs));
    fixture.close().await;
    assert!(clock.now() - before_ms < Duration::from_millis(1_000), "the run honoured the cancellation");
    assert_eq!(jobs.running(), 0);
    assert!(LastRunStore::new(dir.path()).read().expect("last runs").is_empty());
}

#[tokio::test(start_paused = true)]
async fn runs_missed_during_a_suspension_are_made_up_for_once() {
    let fixture = JobsFixture::new(3);
    fixture.add(JobDefinition { catches_up: true, ..definition("history", 900) }, 1);
    fixture.add(definition("figures", 900), 1);
    fixture.advance(10).await;
    assert_eq!(fixture.started(), ["history"]);
    fixture.sleep_and_wake(8 * 3600).await;
    assert_eq!(fixture.started(), ["history", "history", "figures"], "thirty-two missed runs");
    assert_eq!(fixture.last("history").0, JobOutcome::CaughtUp);
    assert_eq!(fixture.last("figures").0, JobOutcome::Done, "a job without catch-up is due as usual");
    fixture.advance(800).await;
    assert_eq!(fixture.started().len(), 3);
    fixture.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_with_its_own_schedule_is_listed_and_runs_here_on_request_only() {
    let fixture = JobsFixture::new(3);
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let status = || ExternalJobStatus {
        next_ms: Some(Timestamp::from_millis(77)),
        last: Some(LastRun::new(
            Timestamp::from_millis(5),
            Timestamp::from_millis(6),
            JobOutcome::Done,
            "there".to_owned(),
        )),
    };
    fixture.jobs.add_external(definition("warming", 2), status, move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok("here".to_owned()))
    });
    fixture.advance(60).await;
    assert_eq!(runs.load(Ordering::Relaxed), 0);
    assert_eq!((fixture.report("warming").next_ms, fixture.last("warming").1.as_str()), (Some(77), "there"));
    fixture.jobs.run("warming");
    fixture.advance(1).await;
    assert_eq!(fixture.last("warming").1, "here", "the later run counts");
    fixture.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_may_wait_for_a_run_and_stop_waiting_without_ending_it() {
    let fixture = JobsFixture::new(1);
    fixture.add(definition("history", 0), 10);
    let run_and_wait = |seconds| fixture.jobs.run_and_wait("history", Duration::from_secs(seconds));
    let RunWaitResult::Ended(last) = run_and_wait(20).await else { panic!("the run ends in time") };
    assert_eq!((last.outcome, last.message.as_str()), (JobOutcome::Done, "complete"));
    assert_eq!(run_and_wait(5).await, RunWaitResult::StillRunning);
    assert_eq!(run_and_wait(5).await, RunWaitResult::AlreadyRunning, "one at a time");
    assert_eq!(fixture.report("history").state, JobState::Running);
    fixture.advance(10).await;
    assert_eq!(fixture.last("history").0, JobOutcome::Done);
    assert_eq!(fixture.started().len(), 2);
    assert_eq!(fixture.jobs.run_and_wait("odd", Duration::from_secs(1)).await, RunWaitResult::Unknown);
    fixture.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_began_before_the_request_is_followed_by_another() {
    let fixture = JobsFixture::new(1);
    fixture.add(definition("figures", 0), 10);
    let run_fresh = |seconds| fixture.jobs.run_fresh_and_wait("figures", Duration::from_secs(seconds));
    fixture.jobs.run("figures");
    fixture.advance(4).await;
    let called_ms = fixture.clock.now();
    let RunWaitResult::Ended(last) = run_fresh(60).await else { panic!("the run ends in time") };
    assert!(last.ended_ms - last.duration_ms >= called_ms.as_millis(), "the reported run began after the call");
    assert_eq!(fixture.started().len(), 2);
    assert!(matches!(run_fresh(60).await, RunWaitResult::Ended(_)), "an idle job runs once");
    assert_eq!(fixture.started().len(), 3);
    fixture.jobs.run("figures");
    fixture.advance(1).await;
    assert_eq!(run_fresh(12).await, RunWaitResult::StillRunning, "both runs share the time");
    assert_eq!(fixture.jobs.run_fresh_and_wait("odd", Duration::from_secs(1)).await, RunWaitResult::Unknown);
    fixture.close().await;
}
