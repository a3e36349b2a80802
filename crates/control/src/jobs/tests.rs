//! The jobs as a whole, on a paused clock.

use std::future::pending;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use greenroom_cache::SuspendDetector;

use super::*;
use greenroom_state::db::StateDb;

struct JobsFixture {
    jobs: Arc<Jobs>,
    clock: Clock,
    /// Total time the machine was suspended.
    slept_ms: Arc<AtomicU64>,
    tasks: TaskTracker,
    stop: CancellationToken,
    begun: Arc<Mutex<Vec<&'static str>>>,
}

const fn plan(id: &'static str, every_s: u64) -> JobDefinition {
    let every = if every_s == 0 { None } else { Some(Duration::from_secs(every_s)) };
    JobDefinition { id, title: "A job", description: "Does something.", every, catches_up: false }
}

impl JobsFixture {
    fn new(at_once: usize) -> Self {
        Self::with_jobs(|clock, tasks, stop| Jobs::new(at_once, clock, tasks, stop))
    }

    fn with_jobs(make: impl FnOnce(Clock, TaskTracker, CancellationToken) -> Jobs) -> Self {
        let slept_ms = Arc::new(AtomicU64::new(0));
        let slept = Arc::clone(&slept_ms);
        let witness = SuspendDetector::counting(move || slept.load(Ordering::Relaxed));
        let (clock, tasks, stop) =
            (Clock::system().with_suspend_detector(witness), TaskTracker::new(), CancellationToken::new());
        let (follows, ends) = (clock.clone(), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                never = follows.follow(drop) => match never {},
                () = ends.cancelled() => {}
            }
        });
        let jobs = Arc::new(make(clock.clone(), tasks.clone(), stop.clone()));
        tasks.spawn(Arc::clone(&jobs).run_scheduler());
        Self { jobs, clock, slept_ms, tasks, stop, begun: Arc::default() }
    }

    /// A job that takes this long and honours cancellation.
    fn add(&self, plan: JobDefinition, takes_s: u64) {
        let (clock, begun) = (self.clock.clone(), Arc::clone(&self.begun));
        self.jobs.add(plan, move |turn| {
            let (clock, begun) = (clock.clone(), Arc::clone(&begun));
            async move {
                begun.lock().push(plan.id);
                turn.report_progress(1, Some(2));
                tokio::select! {
                    () = turn.cancelled() => Err("ended".to_owned()),
                    // Work stops while the machine is suspended.
                    _ = clock.timeout(Duration::from_secs(takes_s), pending::<()>()) => Ok("all of it".to_owned()),
                }
            }
        });
    }

    async fn pass(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    /// The machine is suspended for this long, then awake for three seconds.
    async fn sleep_and_wake(&self, seconds: u64) {
        self.slept_ms.fetch_add(seconds * 1000, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(3)).await;
    }

    fn started(&self) -> Vec<&'static str> {
        self.begun.lock().clone()
    }

    fn report(&self, id: &str) -> JobReport {
        self.jobs.reports().into_iter().find(|report| report.id == id).expect("it was added")
    }

    fn last(&self, id: &str) -> (JobOutcome, String) {
        self.report(id).last.map(|last| (last.outcome, last.message)).expect("it ran")
    }

    async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_runs_by_its_schedule_and_says_what_came_of_it() {
    let house = JobsFixture::new(3);
    house.add(plan("figures", 60), 2);
    house.pass(59).await;
    assert_eq!((house.started().len(), house.report("figures").state), (0, JobState::Idle));
    house.pass(2).await;
    let report = house.report("figures");
    assert_eq!(report.state, JobState::Running);
    assert_eq!(report.progress, Some(JobProgress { done: 1, total: Some(2) }));
    assert_eq!((report.next_ms, report.may_cancel), (None, true));
    house.pass(2).await;
    let report = house.report("figures");
    let last = report.last.expect("it ran");
    assert_eq!((last.outcome, last.duration_ms, last.message.as_str()), (JobOutcome::Done, 2_000, "all of it"));
    assert_eq!(report.next_ms, Some(last.ended_ms + 60_000), "counted from its end");
    house.pass(600).await;
    assert_eq!(house.started().len(), 10);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_run_at_once_than_may_and_the_others_wait_in_line() {
    let house = JobsFixture::new(2);
    for id in ["a", "b", "c", "d"] {
        house.add(plan(id, 0), 10);
    }
    for id in ["b", "d", "a", "c"] {
        assert_eq!(house.jobs.run(id), RunRequestResult::Accepted);
    }
    house.pass(1).await;
    assert_eq!((house.started(), house.jobs.running()), (vec!["b", "d"], 2));
    assert_eq!(house.report("a").state, JobState::Waiting);
    assert_eq!(house.jobs.cancel("a"), RunRequestResult::Accepted, "also while it waits");
    house.pass(10).await;
    assert_eq!(house.started(), ["b", "d", "c"]);
    assert_eq!(house.last("a").0, JobOutcome::Cancelled);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_runs_elsewhere_takes_no_place() {
    let house = JobsFixture::new(1);
    let clock = house.clock.clone();
    house.jobs.add_external(plan("elsewhere", 60), ExternalJobStatus::default, move |_| {
        let clock = clock.clone();
        async move {
            clock.sleep(Duration::from_secs(100)).await;
            Ok("all of it".to_owned())
        }
    });
    house.add(plan("here", 0), 10);
    assert_eq!(house.jobs.run("elsewhere"), RunRequestResult::Accepted);
    house.pass(1).await;
    assert_eq!((house.report("elsewhere").state, house.jobs.running()), (JobState::Running, 0));
    assert_eq!(house.jobs.run("here"), RunRequestResult::Accepted);
    house.pass(1).await;
    assert_eq!((house.started(), house.jobs.running()), (vec!["here"], 1));
    assert_eq!(house.jobs.run("elsewhere"), RunRequestResult::NoChange, "and it does not run twice");
    house.pass(150).await;
    assert_eq!(house.jobs.running(), 0);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_out_of_the_line_after_a_sleep_is_not_put_back_into_it() {
    let house = JobsFixture::new(1);
    house.add(plan("slow", 0), 1_000);
    house.add(JobDefinition { catches_up: true, ..plan("nightly", 24 * 3600) }, 1);
    house.pass(5).await;
    assert_eq!(house.jobs.run("slow"), RunRequestResult::Accepted);
    house.pass(1).await;
    house.sleep_and_wake(25 * 3600).await;
    assert_eq!(house.report("nightly").state, JobState::Waiting, "it fell due in the sleep");
    assert_eq!(house.jobs.cancel("nightly"), RunRequestResult::Accepted);
    house.pass(90).await;
    assert_eq!(house.report("nightly").state, JobState::Idle);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_runs_twice_at_once() {
    let house = JobsFixture::new(3);
    house.add(plan("slow", 5), 60);
    assert_eq!(house.jobs.run("slow"), RunRequestResult::Accepted);
    assert_eq!(house.jobs.run("slow"), RunRequestResult::NoChange, "it waits");
    house.pass(30).await;
    assert_eq!(house.jobs.run("slow"), RunRequestResult::NoChange, "it runs");
    assert_eq!(house.started().len(), 1, "also by its schedule");
    assert_eq!(house.jobs.run("absent"), RunRequestResult::Unknown);
    assert_eq!(house.jobs.cancel("absent"), RunRequestResult::Unknown);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_breaks_down_has_failed_and_takes_nothing_with_it() {
    let house = JobsFixture::new(1);
    house.jobs.add(plan("broken", 0), |_| async { panic!("as something might") });
    house.jobs.add(plan("broken at once", 0), |_| -> std::future::Ready<Result<String, String>> {
        panic!("as something might")
    });
    house.add(plan("sound", 0), 1);
    for id in ["broken", "broken at once", "sound"] {
        house.jobs.run(id);
    }
    house.pass(5).await;
    assert_eq!(house.last("broken").0, JobOutcome::Failed);
    assert_eq!(house.last("broken at once").0, JobOutcome::Failed);
    assert_eq!(house.last("sound"), (JobOutcome::Done, "all of it".to_owned()));
    assert_eq!(house.jobs.running(), 0);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_when_it_is_told_to_and_one_that_does_not_is_broken_off_and_says_so() {
    let house = JobsFixture::new(3);
    house.add(plan("heeds", 0), 600);
    house.jobs.add(plan("deaf", 0), |_| pending());
    for id in ["heeds", "deaf"] {
        assert_eq!(house.jobs.cancel(id), RunRequestResult::NoChange, "nothing runs");
        house.jobs.run(id);
    }
    house.pass(1).await;
    for id in ["heeds", "deaf"] {
        assert_eq!(house.jobs.cancel(id), RunRequestResult::Accepted);
    }
    house.pass(1).await;
    assert_eq!(house.last("heeds"), (JobOutcome::Cancelled, "ended".to_owned()));
    assert_eq!(house.report("deaf").state, JobState::Running);
    house.pass(5).await;
    assert!(house.last("deaf").1.contains("broken off"));
    assert_eq!(house.last("deaf").0, JobOutcome::Cancelled);
    assert_eq!(house.jobs.run("deaf"), RunRequestResult::Accepted, "it may be tried again");
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_while_the_process_was_off_is_made_up_for_once() {
    let folder = tempfile::tempdir().expect("a folder");
    StateDb::open(folder.path()).expect("it can be made");
    let history = JobDefinition { catches_up: true, ..plan("history", 900) };
    let start =
        || JobsFixture::with_jobs(|clock, tasks, stop| Jobs::new(3, clock, tasks, stop).with_data_dir(folder.path()));
    let house = start();
    house.add(history, 1);
    house.pass(2).await;
    assert_eq!(house.last("history").0, JobOutcome::Done, "what never ran runs at the start");
    house.close().await;

    // Paused time does not follow wall time, so the age of the last run is set in the file.
    let records = LastRunStore::new(folder.path());
    let mut last = records.read().expect("it is there").remove("history").expect("it was written down");
    last.ended_ms -= 50 * 900_000;
    records.write("history", &last).expect("it can be kept");
    let house = start();
    house.add(history, 1);
    house.pass(2).await;
    assert_eq!(house.last("history").0, JobOutcome::CaughtUp);
    house.pass(890).await;
    assert_eq!(house.started().len(), 1, "fifty were missed, and one was made up for");
    house.pass(20).await;
    assert_eq!(house.last("history").0, JobOutcome::Done);
    house.close().await;

    // The clock is set back by a year: the job neither pauses for a year nor runs twice in a row.
    let mut last = records.read().expect("it is there").remove("history").expect("it was written down");
    last.ended_ms += 365 * 24 * 3_600_000;
    records.write("history", &last).expect("it can be kept");
    let house = start();
    house.add(history, 1);
    house.pass(899).await;
    assert_eq!(house.started().len(), 0);
    house.pass(910).await;
    assert_eq!(house.started().len(), 2);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_frequent_job_that_comes_to_the_same_again_is_written_down_once_a_day() {
    let folder = tempfile::tempdir().expect("a folder");
    StateDb::open(folder.path()).expect("it can be made");
    let house =
        JobsFixture::with_jobs(|clock, tasks, stop| Jobs::new(3, clock, tasks, stop).with_data_dir(folder.path()));
    house.add(JobDefinition { catches_up: true, ..plan("history", 900) }, 1);
    house.add(JobDefinition { catches_up: true, ..plan("reconcile", 7_200) }, 1);
    let records = LastRunStore::new(folder.path());
    let mut written = std::collections::BTreeSet::new();
    for _ in 0..47 {
        house.pass(1_800).await;
        let read = records.read().expect("it is there");
        written.extend(read.into_iter().map(|(id, last)| (id, last.ended_ms)));
    }
    let times = |id: &str| written.iter().filter(|(written, _)| written == id).count();
    assert!(house.started().len() > 100);
    assert_eq!(times("history"), 1);
    assert!(times("reconcile") >= 11, "what is rare is written each time: {}", times("reconcile"));
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_process_ends_runs_and_what_it_ended_is_due_again() {
    let folder = tempfile::tempdir().expect("a folder");
    StateDb::open(folder.path()).expect("it can be made");
    let house =
        JobsFixture::with_jobs(|clock, tasks, stop| Jobs::new(3, clock, tasks, stop).with_data_dir(folder.path()));
    house.add(JobDefinition { catches_up: true, ..plan("history", 900) }, 600);
    house.pass(5).await;
    assert_eq!(house.report("history").state, JobState::Running);
    let before_ms = house.clock.now_ms();
    let (clock, jobs) = (house.clock.clone(), Arc::clone(&house.jobs));
    house.close().await;
    assert!(clock.now_ms() - before_ms < 1_000, "it heeded it");
    assert_eq!(jobs.running(), 0);
    assert!(LastRunStore::new(folder.path()).read().expect("it is there").is_empty());
}

#[tokio::test(start_paused = true)]
async fn when_the_machine_slept_what_fell_due_meanwhile_runs_once() {
    let house = JobsFixture::new(3);
    house.add(JobDefinition { catches_up: true, ..plan("history", 900) }, 1);
    house.add(plan("figures", 900), 1);
    house.pass(10).await;
    assert_eq!(house.started(), ["history"]);
    house.sleep_and_wake(8 * 3600).await;
    assert_eq!(house.started(), ["history", "history", "figures"], "thirty-two were missed");
    assert_eq!(house.last("history").0, JobOutcome::CaughtUp);
    assert_eq!(house.last("figures").0, JobOutcome::Done, "what is not made up for is due like ever");
    house.pass(800).await;
    assert_eq!(house.started().len(), 3);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_with_a_rhythm_of_its_own_is_shown_and_runs_only_when_it_is_asked_to() {
    let house = JobsFixture::new(3);
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let seen = || ExternalJobStatus {
        next_ms: Some(77),
        last: Some(LastRun::new(5, 6, JobOutcome::Done, "there".to_owned())),
    };
    house.jobs.add_external(plan("warming", 2), seen, move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok("here".to_owned()))
    });
    house.pass(60).await;
    assert_eq!(runs.load(Ordering::Relaxed), 0);
    assert_eq!((house.report("warming").next_ms, house.last("warming").1.as_str()), (Some(77), "there"));
    house.jobs.run("warming");
    house.pass(1).await;
    assert_eq!(house.last("warming").1, "here", "the later of both");
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_a_run_may_wait_for_its_end_and_leave_without_ending_it() {
    let house = JobsFixture::new(1);
    house.add(plan("history", 0), 10);
    let wait = |seconds| house.jobs.run_and_wait("history", Duration::from_secs(seconds));
    let RunWaitResult::Ended(last) = wait(20).await else { panic!("it ends in time") };
    assert_eq!((last.outcome, last.message.as_str()), (JobOutcome::Done, "all of it"));
    assert_eq!(wait(5).await, RunWaitResult::StillRunning);
    assert_eq!(wait(5).await, RunWaitResult::AlreadyRunning, "one at a time");
    assert_eq!(house.report("history").state, JobState::Running);
    house.pass(10).await;
    assert_eq!(house.last("history").0, JobOutcome::Done);
    assert_eq!(house.started().len(), 2);
    assert_eq!(house.jobs.run_and_wait("odd", Duration::from_secs(1)).await, RunWaitResult::Unknown);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_began_before_it_was_asked_for_is_followed_by_another() {
    let house = JobsFixture::new(1);
    house.add(plan("figures", 0), 10);
    let afresh = |seconds| house.jobs.run_fresh_and_wait("figures", Duration::from_secs(seconds));
    house.jobs.run("figures");
    house.pass(4).await;
    let asked_ms = house.clock.now_ms();
    let RunWaitResult::Ended(last) = afresh(60).await else { panic!("it ends in time") };
    assert!(last.ended_ms - last.duration_ms >= asked_ms, "the run that is reported began after the call");
    assert_eq!(house.started().len(), 2);
    assert!(matches!(afresh(60).await, RunWaitResult::Ended(_)), "an idle job runs once");
    assert_eq!(house.started().len(), 3);
    house.jobs.run("figures");
    house.pass(1).await;
    assert_eq!(afresh(12).await, RunWaitResult::StillRunning, "both runs share the time");
    assert_eq!(house.jobs.run_fresh_and_wait("odd", Duration::from_secs(1)).await, RunWaitResult::Unknown);
    house.close().await;
}
