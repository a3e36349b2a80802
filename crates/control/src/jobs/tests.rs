//! The jobs as a whole, on a paused clock.

use std::future::pending;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use greenroom_cache::Witness;

use super::*;
use greenroom_state::db::Book;

struct House {
    jobs: Arc<Jobs>,
    clock: Clock,
    /// For so long the machine slept.
    slept_ms: Arc<AtomicU64>,
    tasks: TaskTracker,
    stop: CancellationToken,
    begun: Arc<Mutex<Vec<&'static str>>>,
}

const fn plan(id: &'static str, every_s: u64) -> Plan {
    let every = if every_s == 0 { None } else { Some(Duration::from_secs(every_s)) };
    Plan { id, title: "A job", what: "Does something.", every, catches_up: false }
}

impl House {
    fn new(at_once: usize) -> Self {
        Self::of(|clock, tasks, stop| Jobs::new(at_once, clock, tasks, stop))
    }

    fn of(make: impl FnOnce(Clock, TaskTracker, CancellationToken) -> Jobs) -> Self {
        let slept_ms = Arc::new(AtomicU64::new(0));
        let slept = Arc::clone(&slept_ms);
        let witness = Witness::counting(move || slept.load(Ordering::Relaxed));
        let (clock, tasks, stop) =
            (Clock::system().beside(witness), TaskTracker::new(), CancellationToken::new());
        let (follows, ends) = (clock.clone(), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                never = follows.follow(drop) => match never {},
                () = ends.cancelled() => {}
            }
        });
        let jobs = Arc::new(make(clock.clone(), tasks.clone(), stop.clone()));
        tasks.spawn(Arc::clone(&jobs).keep());
        Self { jobs, clock, slept_ms, tasks, stop, begun: Arc::default() }
    }

    /// A job that takes so long and minds being ended.
    fn add(&self, plan: Plan, takes_s: u64) {
        let (clock, begun) = (self.clock.clone(), Arc::clone(&self.begun));
        self.jobs.add(plan, move |turn| {
            let (clock, begun) = (clock.clone(), Arc::clone(&begun));
            async move {
                begun.lock().push(plan.id);
                turn.progress(1, Some(2));
                tokio::select! {
                    () = turn.cancelled() => Err("ended".to_owned()),
                    // Work does not go on while the machine sleeps.
                    _ = clock.timeout(Duration::from_secs(takes_s), pending::<()>()) => Ok("all of it".to_owned()),
                }
            }
        });
    }

    async fn pass(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    /// The machine sleeps for so long, and is awake for three seconds.
    async fn sleep_and_wake(&self, seconds: u64) {
        self.slept_ms.fetch_add(seconds * 1000, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(3)).await;
    }

    fn begun(&self) -> Vec<&'static str> {
        self.begun.lock().clone()
    }

    fn report(&self, id: &str) -> Report {
        self.jobs.reports().into_iter().find(|report| report.id == id).expect("it was added")
    }

    fn last(&self, id: &str) -> (Outcome, String) {
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
    let house = House::new(3);
    house.add(plan("figures", 60), 2);
    house.pass(59).await;
    assert_eq!((house.begun().len(), house.report("figures").state), (0, State::Idle));
    house.pass(2).await;
    let report = house.report("figures");
    assert_eq!(report.state, State::Running);
    assert_eq!(report.progress, Some(Progress { done: 1, total: Some(2) }));
    assert_eq!((report.next_ms, report.may_cancel), (None, true));
    house.pass(2).await;
    let report = house.report("figures");
    let last = report.last.expect("it ran");
    assert_eq!((last.outcome, last.duration_ms, last.message.as_str()), (Outcome::Done, 2_000, "all of it"));
    assert_eq!(report.next_ms, Some(last.ended_ms + 60_000), "counted from its end");
    house.pass(600).await;
    assert_eq!(house.begun().len(), 10);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_run_at_once_than_may_and_the_others_wait_in_line() {
    let house = House::new(2);
    for id in ["a", "b", "c", "d"] {
        house.add(plan(id, 0), 10);
    }
    for id in ["b", "d", "a", "c"] {
        assert_eq!(house.jobs.run(id), Asked::Heard);
    }
    house.pass(1).await;
    assert_eq!((house.begun(), house.jobs.running()), (vec!["b", "d"], 2));
    assert_eq!(house.report("a").state, State::Waiting);
    assert_eq!(house.jobs.cancel("a"), Asked::Heard, "also while it waits");
    house.pass(10).await;
    assert_eq!(house.begun(), ["b", "d", "c"]);
    assert_eq!(house.last("a").0, Outcome::Cancelled);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_runs_elsewhere_takes_no_place() {
    let house = House::new(1);
    let clock = house.clock.clone();
    house.jobs.add_elsewhere(plan("elsewhere", 60), Seen::default, move |_| {
        let clock = clock.clone();
        async move {
            clock.sleep(Duration::from_secs(100)).await;
            Ok("all of it".to_owned())
        }
    });
    house.add(plan("here", 0), 10);
    assert_eq!(house.jobs.run("elsewhere"), Asked::Heard);
    house.pass(1).await;
    assert_eq!((house.report("elsewhere").state, house.jobs.running()), (State::Running, 0));
    assert_eq!(house.jobs.run("here"), Asked::Heard);
    house.pass(1).await;
    assert_eq!((house.begun(), house.jobs.running()), (vec!["here"], 1));
    assert_eq!(house.jobs.run("elsewhere"), Asked::Already, "and it does not run twice");
    house.pass(150).await;
    assert_eq!(house.jobs.running(), 0);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_out_of_the_line_after_a_sleep_is_not_put_back_into_it() {
    let house = House::new(1);
    house.add(plan("slow", 0), 1_000);
    house.add(Plan { catches_up: true, ..plan("nightly", 24 * 3600) }, 1);
    house.pass(5).await;
    assert_eq!(house.jobs.run("slow"), Asked::Heard);
    house.pass(1).await;
    house.sleep_and_wake(25 * 3600).await;
    assert_eq!(house.report("nightly").state, State::Waiting, "it fell due in the sleep");
    assert_eq!(house.jobs.cancel("nightly"), Asked::Heard);
    house.pass(90).await;
    assert_eq!(house.report("nightly").state, State::Idle);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_runs_twice_at_once() {
    let house = House::new(3);
    house.add(plan("slow", 5), 60);
    assert_eq!(house.jobs.run("slow"), Asked::Heard);
    assert_eq!(house.jobs.run("slow"), Asked::Already, "it waits");
    house.pass(30).await;
    assert_eq!(house.jobs.run("slow"), Asked::Already, "it runs");
    assert_eq!(house.begun().len(), 1, "also by its schedule");
    assert_eq!(house.jobs.run("absent"), Asked::Unknown);
    assert_eq!(house.jobs.cancel("absent"), Asked::Unknown);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_breaks_down_has_failed_and_takes_nothing_with_it() {
    let house = House::new(1);
    house.jobs.add(plan("broken", 0), |_| async { panic!("as something might") });
    house.jobs.add(plan("broken at once", 0), |_| -> std::future::Ready<Result<String, String>> {
        panic!("as something might")
    });
    house.add(plan("sound", 0), 1);
    for id in ["broken", "broken at once", "sound"] {
        house.jobs.run(id);
    }
    house.pass(5).await;
    assert_eq!(house.last("broken").0, Outcome::Failed);
    assert_eq!(house.last("broken at once").0, Outcome::Failed);
    assert_eq!(house.last("sound"), (Outcome::Done, "all of it".to_owned()));
    assert_eq!(house.jobs.running(), 0);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_when_it_is_told_to_and_one_that_does_not_is_broken_off_and_says_so() {
    let house = House::new(3);
    house.add(plan("heeds", 0), 600);
    house.jobs.add(plan("deaf", 0), |_| pending());
    for id in ["heeds", "deaf"] {
        assert_eq!(house.jobs.cancel(id), Asked::Already, "nothing runs");
        house.jobs.run(id);
    }
    house.pass(1).await;
    for id in ["heeds", "deaf"] {
        assert_eq!(house.jobs.cancel(id), Asked::Heard);
    }
    house.pass(1).await;
    assert_eq!(house.last("heeds"), (Outcome::Cancelled, "ended".to_owned()));
    assert_eq!(house.report("deaf").state, State::Running);
    house.pass(5).await;
    assert!(house.last("deaf").1.contains("broken off"));
    assert_eq!(house.last("deaf").0, Outcome::Cancelled);
    assert_eq!(house.jobs.run("deaf"), Asked::Heard, "it may be tried again");
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_while_the_process_was_off_is_made_up_for_once() {
    let folder = tempfile::tempdir().expect("a folder");
    Book::open(folder.path()).expect("it can be made");
    let history = Plan { catches_up: true, ..plan("history", 900) };
    let start = || House::of(|clock, tasks, stop| Jobs::new(3, clock, tasks, stop).within(folder.path()));
    let house = start();
    house.add(history, 1);
    house.pass(2).await;
    assert_eq!(house.last("history").0, Outcome::Done, "what never ran runs at the start");
    house.close().await;

    // Paused time does not pass the wall's, so the file is what says how long ago it was.
    let records = Records::of(folder.path());
    let mut last = records.read().expect("it is there").remove("history").expect("it was written down");
    last.ended_ms -= 50 * 900_000;
    records.write("history", &last).expect("it can be kept");
    let house = start();
    house.add(history, 1);
    house.pass(2).await;
    assert_eq!(house.last("history").0, Outcome::CaughtUp);
    house.pass(890).await;
    assert_eq!(house.begun().len(), 1, "fifty were missed, and one was made up for");
    house.pass(20).await;
    assert_eq!(house.last("history").0, Outcome::Done);
    house.close().await;

    // The clock is set back by a year: neither a year without a run, nor a run after the other.
    let mut last = records.read().expect("it is there").remove("history").expect("it was written down");
    last.ended_ms += 365 * 24 * 3_600_000;
    records.write("history", &last).expect("it can be kept");
    let house = start();
    house.add(history, 1);
    house.pass(899).await;
    assert_eq!(house.begun().len(), 0);
    house.pass(910).await;
    assert_eq!(house.begun().len(), 2);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_frequent_job_that_comes_to_the_same_again_is_written_down_once_a_day() {
    let folder = tempfile::tempdir().expect("a folder");
    Book::open(folder.path()).expect("it can be made");
    let house = House::of(|clock, tasks, stop| Jobs::new(3, clock, tasks, stop).within(folder.path()));
    house.add(Plan { catches_up: true, ..plan("history", 900) }, 1);
    house.add(Plan { catches_up: true, ..plan("reconcile", 7_200) }, 1);
    let records = Records::of(folder.path());
    let mut written = std::collections::BTreeSet::new();
    for _ in 0..47 {
        house.pass(1_800).await;
        let read = records.read().expect("it is there");
        written.extend(read.into_iter().map(|(id, last)| (id, last.ended_ms)));
    }
    let times = |id: &str| written.iter().filter(|(written, _)| written == id).count();
    assert!(house.begun().len() > 100);
    assert_eq!(times("history"), 1);
    assert!(times("reconcile") >= 11, "what is rare is written each time: {}", times("reconcile"));
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_process_ends_runs_and_what_it_ended_is_due_again() {
    let folder = tempfile::tempdir().expect("a folder");
    Book::open(folder.path()).expect("it can be made");
    let house = House::of(|clock, tasks, stop| Jobs::new(3, clock, tasks, stop).within(folder.path()));
    house.add(Plan { catches_up: true, ..plan("history", 900) }, 600);
    house.pass(5).await;
    assert_eq!(house.report("history").state, State::Running);
    let before_ms = house.clock.now_ms();
    let (clock, jobs) = (house.clock.clone(), Arc::clone(&house.jobs));
    house.close().await;
    assert!(clock.now_ms() - before_ms < 1_000, "it heeded it");
    assert_eq!(jobs.running(), 0);
    assert!(Records::of(folder.path()).read().expect("it is there").is_empty());
}

#[tokio::test(start_paused = true)]
async fn when_the_machine_slept_what_fell_due_meanwhile_runs_once() {
    let house = House::new(3);
    house.add(Plan { catches_up: true, ..plan("history", 900) }, 1);
    house.add(plan("figures", 900), 1);
    house.pass(10).await;
    assert_eq!(house.begun(), ["history"]);
    house.sleep_and_wake(8 * 3600).await;
    assert_eq!(house.begun(), ["history", "history", "figures"], "thirty-two were missed");
    assert_eq!(house.last("history").0, Outcome::CaughtUp);
    assert_eq!(house.last("figures").0, Outcome::Done, "what is not made up for is due like ever");
    house.pass(800).await;
    assert_eq!(house.begun().len(), 3);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_with_a_rhythm_of_its_own_is_shown_and_runs_only_when_it_is_asked_to() {
    let house = House::new(3);
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let seen = || Seen { next_ms: Some(77), last: Some(Last::new(5, 6, Outcome::Done, "there".to_owned())) };
    house.jobs.add_elsewhere(plan("warming", 2), seen, move |_| {
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
    let house = House::new(1);
    house.add(plan("history", 0), 10);
    let wait = |seconds| house.jobs.run_to_its_end("history", Duration::from_secs(seconds));
    let Awaited::Ended(last) = wait(20).await else { panic!("it ends in time") };
    assert_eq!((last.outcome, last.message.as_str()), (Outcome::Done, "all of it"));
    assert_eq!(wait(5).await, Awaited::GoesOn);
    assert_eq!(wait(5).await, Awaited::Already, "one at a time");
    assert_eq!(house.report("history").state, State::Running);
    house.pass(10).await;
    assert_eq!(house.last("history").0, Outcome::Done);
    assert_eq!(house.begun().len(), 2);
    assert_eq!(house.jobs.run_to_its_end("odd", Duration::from_secs(1)).await, Awaited::Unknown);
    house.close().await;
}
