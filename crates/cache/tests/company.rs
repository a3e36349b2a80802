//! Two processes on one directory, with a hundred callers each at cold keys: one of them loads, the other takes what
//! it brought; and if the one that loads dies or hangs, the other loads.
//!
//! The processes are this very test binary, started again: they say what they do, line by line, and a load ends when
//! they are told so.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::disk::{DiskSettings, DiskStats};
use greenroom_cache::*;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// Set for a process: the directory, and for how long its callers wait, in milliseconds.
const DIR: &str = "GREENROOM_COMPANY_DIR";
const PATIENCE: &str = "GREENROOM_COMPANY_PATIENCE_MS";
const LONG: Duration = Duration::from_mins(1);
const CALLERS: usize = 100;

/// Answers when it is told to.
#[derive(Clone)]
struct Source(watch::Sender<bool>);

impl Loader for Source {
    type Pass = ();

    async fn load(&self, _why: LoadReason, _old: Option<Arc<Entry>>) -> Result<Load<()>, Failure> {
        say("loading");
        drop(self.0.subscribe().wait_for(|may_answer| *may_answer).await);
        Ok(Load::Store(Fill::new(Value::new("value"))))
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("said");
}

/// One process: waits for company, starts its callers when told to, and says what they got.
#[test]
#[ignore = "started by the tests below"]
fn gateway() {
    let (Ok(dir), Ok(patience)) = (std::env::var(DIR), std::env::var(PATIENCE)) else { return };
    let policy = Policy {
        class: "company",
        fresh: Duration::from_hours(1),
        earlier: None,
        stale: Duration::ZERO,
        stale_on_error: Duration::ZERO,
        refresh_ahead: false,
        warm: false,
        soft_timeout: LONG,
        hard_timeout: Duration::from_millis(patience.parse().expect("a number")),
    };
    let disk = DiskSettings { read_timeout: LONG, mark_timeout: LONG, ..DiskSettings::new(dir) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let tasks = TaskTracker::new();
        let cache =
            Cache::with_disk(Settings::default(), disk, Clock::system(), tasks.clone()).expect("it opens");
        let stats = || cache.disk_stats().expect("a disk");
        say("open");
        while !stats().has_company {
            tokio::task::yield_now().await;
        }
        say("accompanied");
        let told = orders();
        let source = Source(watch::Sender::new(false));
        let key = Key::new("home", &Partition::new("anna"), "/x");
        hear(&told, "go").await;
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (cache, key, source) = (cache.clone(), key.clone(), source.clone());
                tasks.spawn(async move {
                    cache.get_or_load(&key, &policy, Demand::Any, || source).await.expect("answered")
                })
            })
            .collect();
        let waiting = tasks.spawn({
            let cache = cache.clone();
            async move {
                while cache.disk_stats().expect("a disk").waits == 0 {
                    tokio::task::yield_now().await;
                }
                say("waiting");
            }
        });
        let answering = tasks.spawn(async move {
            hear(&told, "answer").await;
            source.0.send_replace(true);
        });
        for caller in callers {
            let answer = caller.await.expect("it ends");
            assert_eq!(answer.value().map(|value| value.body.clone()), Some("value".into()));
        }
        waiting.abort();
        answering.abort();
        assert!(cache.flush(LONG).await);
        let DiskStats { adopted, overdue, .. } = stats();
        say(&format!("served, adopted {adopted}, overdue {overdue}"));
        cache.close_disk().await;
    });
}

/// What the process is told: every line that came so far.
fn orders() -> watch::Receiver<Vec<String>> {
    let (told, orders) = watch::channel(Vec::new());
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            told.send_modify(|lines| lines.push(line));
        }
    });
    orders
}

async fn hear(told: &watch::Receiver<Vec<String>>, order: &str) {
    let is_told = |lines: &Vec<String>| lines.iter().any(|line| line == order);
    drop(told.clone().wait_for(is_told).await.expect("it is told"));
}

/// A process as the test sees it.
struct Gateway {
    child: Child,
    orders: ChildStdin,
    lines: BufReader<ChildStdout>,
}

impl Gateway {
    fn start(dir: &Path, patience: Duration) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "gateway", "--ignored", "--nocapture"])
            .env(DIR, dir)
            .env(PATIENCE, patience.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let orders = child.stdin.take().expect("its input");
        let lines = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, orders, lines }
    }

    fn tell(&mut self, order: &str) {
        writeln!(self.orders, "{order}").expect("told");
    }

    /// The first line that begins so; what comes before it is given to `other`.
    fn hear_but(&mut self, wanted: &str, mut other: impl FnMut(&str)) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).expect("readable"), 0, "it ended before {wanted:?}");
            let line = line.trim();
            if line.starts_with(wanted) {
                return line.to_owned();
            }
            other(line);
        }
    }

    fn hear(&mut self, wanted: &str) -> String {
        self.hear_but(wanted, |_| {})
    }

    fn end(&mut self) {
        assert!(self.child.wait().expect("it ends").success());
    }
}

/// Two processes that know of each other, one of which loads while the other waits for it.
fn loading_and_waiting(dir: &Path, patience: Duration) -> (Gateway, Gateway) {
    let mut loading = Gateway::start(dir, LONG);
    loading.hear("open");
    let mut waiting = Gateway::start(dir, patience);
    loading.hear("accompanied");
    waiting.hear("accompanied");
    loading.tell("go");
    loading.hear("loading");
    waiting.tell("go");
    waiting.hear_but("waiting", |line| assert_ne!(line, "loading", "two load at once"));
    (loading, waiting)
}

#[test]
fn a_hundred_cold_callers_in_each_of_two_processes_cost_one_load() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut loading, mut waiting) = loading_and_waiting(dir.path(), LONG);
    loading.tell("answer");
    loading.hear_but("served, adopted 0", |line| assert_ne!(line, "loading", "one process loads twice"));
    waiting.hear_but("served, adopted 1, overdue 0", |line| assert_ne!(line, "loading", "two have loaded"));
    loading.end();
    waiting.end();
}

#[test]
fn a_process_that_is_killed_while_it_loads_keeps_nobody_waiting() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut loading, mut waiting) = loading_and_waiting(dir.path(), LONG);
    loading.child.kill().expect("killed");
    loading.child.wait().expect("dead");
    waiting.hear("loading");
    waiting.tell("answer");
    waiting.hear("served, adopted 0, overdue 0");
    waiting.end();
}

#[test]
fn a_process_that_hangs_while_it_loads_keeps_nobody_waiting_for_long() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut loading, mut waiting) = loading_and_waiting(dir.path(), Duration::from_secs(16));
    waiting.hear("loading");
    waiting.tell("answer");
    waiting.hear("served, adopted 0, overdue 1");
    waiting.end();
    loading.child.kill().expect("killed");
    loading.child.wait().expect("dead");
}
