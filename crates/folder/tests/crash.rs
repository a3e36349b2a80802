//! Processes killed while they scan, while they read archives and while they mark, a hundred times. Every mark that was
//! acknowledged is there, none that was never asked for is, and the saved list is whole.
//!
//! The victim is this test binary, started again to mark files and report what it did.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use greenroom_cache::Clock;
use greenroom_config::FolderSettings;
use greenroom_folder::index::StoredIndex;
use greenroom_folder::marks::{MarkAction, MarkBook, MarkChange};
use greenroom_folder::{Folder, FolderContext};
use greenroom_state::db::StateDb;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Set for a victim: the directory.
const DIR: &str = "GREENROOM_CRASH_DIR";
const ROUNDS: u64 = 102;
const FILES: u64 = 1_500;
/// Of so many marks, one is removed again.
const UNSET_EVERY: u64 = 5;

fn settings(dir: &Path) -> FolderSettings {
    FolderSettings::new("comics", dir.join("root"))
}

fn name(number: u64) -> String {
    format!("{}/{number:04}.cbz", number % 7)
}

/// Marks files one by one, and renames some of them meanwhile.
#[test]
#[ignore = "the victim of the test below"]
fn victim() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let dir = Path::new(&dir);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        StateDb::open(&dir.join("data")).expect("the state");
        let context = FolderContext {
            data_dir: dir.join("data"),
            clock: Clock::system(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            warnings: Arc::default(),
        };
        let tasks = context.tasks.clone();
        let folder = Arc::new(Folder::new(settings(dir), context));
        let say = |text: String| writeln!(std::io::stdout(), "{text}").expect("said");
        let scanned = Arc::clone(&folder);
        tasks.spawn_blocking(move || {
            while scanned.progress().is_none() && scanned.current().is_none() {
                std::thread::yield_now();
            }
            say("step scanning".into());
        });
        let mut pulse = folder.subscribe();
        tasks.spawn(async move {
            let mut enriched = 0;
            while pulse.changed().await.is_ok() {
                let now = pulse.borrow_and_update().enriched;
                if std::mem::replace(&mut enriched, now) != now {
                    say(if now as u64 == FILES { "step enriched".into() } else { "step enriching".into() });
                }
            }
        });
        folder.start();
        folder.wait_for_first().await.expect("a list");
        say("step scanned".into());
        for number in 0..FILES {
            let path = name(number);
            say(format!("marking {number}"));
            let change = |action, paths| MarkChange { mark: "processed".into(), action, paths };
            let receipt = folder.change_marks(&change(MarkAction::Set, vec![path.clone()])).expect("marked");
            assert_eq!(receipt.missing, 0, "{path}");
            say(format!("marked {number}"));
            if number % UNSET_EVERY == 0 {
                say(format!("unmarking {number}"));
                folder.change_marks(&change(MarkAction::Unset, vec![path])).expect("unmarked");
                say(format!("unmarked {number}"));
            }
            if number % 40 == 39 {
                folder.request_scan(false);
            }
        }
        // It is killed; it does not end.
        std::future::pending::<()>().await;
    });
}

/// Reports of a victim.
#[derive(Debug, Default)]
struct VictimLog {
    /// The last word of each file that is marked.
    marks: BTreeMap<u64, String>,
    /// Progress of its scan and its archives.
    steps: Vec<String>,
}

impl VictimLog {
    fn has_step(&self, step: &str) -> bool {
        self.steps.iter().any(|told| told == step)
    }

    /// The step at which it died.
    fn step(&self) -> Step {
        if self.has_step("scanned") {
            if self.has_step("enriched") { Step::Marks } else { Step::Archives }
        } else {
            Step::Scan
        }
    }
}

/// Step at which a victim is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Scan,
    Archives,
    Marks,
}

impl Step {
    /// Whether a victim is far enough to die in this step; `patience` is the number of lines that it may tell before.
    fn is_reached(self, log: &VictimLog, patience: &mut u64) -> bool {
        let is_there = match self {
            Self::Scan => log.has_step("scanning") || log.has_step("scanned"),
            Self::Archives => log.has_step("scanned"),
            Self::Marks => log.has_step("scanned") && log.marks.values().any(|verb| verb.ends_with("ing")),
        };
        if is_there {
            if *patience == 0 {
                return true;
            }
            *patience -= 1;
        }
        false
    }
}

fn start(dir: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "victim", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let out = BufReader::new(child.stdout.take().expect("its output"));
    (child, out)
}

fn read_line(log: &mut VictimLog, out: &mut BufReader<ChildStdout>) -> bool {
    let mut line = String::new();
    if out.read_line(&mut line).expect("readable") == 0 {
        return false;
    }
    match line.trim().split_once(' ') {
        Some(("step", step)) => log.steps.push(step.to_owned()),
        Some((verb, number)) => {
            if let Ok(number) = number.parse() {
                log.marks.insert(number, verb.to_owned());
            }
        }
        None => {}
    }
    true
}

fn check(dir: &Path, log: &VictimLog) {
    StateDb::open(&dir.join("data")).expect("the state");
    let book = MarkBook::open(&dir.join("data"), "comics", &settings(dir).marks).expect("the marks");
    let export = book.export();
    let marked = |number: u64| export.files.iter().any(|row| row.path == name(number));
    for number in 0..FILES {
        match log.marks.get(&number).map(String::as_str) {
            Some("marked") => assert!(marked(number), "the mark of {number} was acknowledged"),
            Some("unmarked") => assert!(!marked(number), "{number} was unmarked"),
            // It was asked for, and may or may not be there.
            Some(_) => {}
            None => assert!(!marked(number), "nobody marked {number}"),
        }
    }
    let index = dir.join("data/folders/comics.index");
    if index.exists() {
        let stored = StoredIndex::load(&index, &dir.join("root")).expect("the saved list is whole");
        assert_eq!(stored.files.len() as u64, FILES);
    }
}

/// A comic of one page.
fn comic(number: u64) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in
        [("1.jpg", String::new()), ("ComicInfo.xml", format!("<ComicInfo><Number>{number}</Number></ComicInfo>"))]
    {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("an entry");
        zip.write_all(text.as_bytes()).expect("written");
    }
    zip.finish().expect("an archive").into_inner()
}

#[test]
fn a_process_killed_in_a_scan_among_archives_or_in_a_mark_loses_no_mark_it_acknowledged_and_leaves_a_whole_list() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let tree = tempfile::tempdir().expect("a directory");
    for number in 0..FILES {
        let file = tree.path().join("root").join(name(number));
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("made");
        std::fs::write(file, comic(number)).expect("written");
    }
    let (mut killed_in, mut killed_while_marking) = ([0_u64; 3], 0);
    for round in 0..ROUNDS {
        let data = tree.path().join("data");
        if data.exists() {
            std::fs::remove_dir_all(&data).expect("removed");
        }
        std::fs::create_dir(&data).expect("made");
        // How state.db is made at the first start is tested elsewhere.
        StateDb::open(&data).expect("the state");
        let (mut log, (mut child, mut out)) = (VictimLog::default(), start(tree.path()));
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let step = [Step::Scan, Step::Archives, Step::Marks][(round % 3) as usize];
        let mut patience = match step {
            Step::Scan => 0,
            Step::Archives => (random >> 33) % 40,
            Step::Marks => (random >> 33) % 400,
        };
        while !step.is_reached(&log, &mut patience) {
            assert!(read_line(&mut log, &mut out), "the victim died by itself");
        }
        child.kill().expect("killed");
        child.wait().expect("dead");
        // Lines not read yet were reported before it died.
        while read_line(&mut log, &mut out) {}
        killed_in[log.step() as usize] += 1;
        killed_while_marking += u64::from(log.marks.values().any(|verb| verb.ends_with("ing")));
        check(tree.path(), &log);
    }
    let [scan, archives, _] = killed_in;
    assert!(scan > ROUNDS / 10, "only {scan} died in a scan");
    assert!(archives > ROUNDS / 10, "only {archives} died while archives were read");
    assert!(killed_while_marking > ROUNDS / 10, "only {killed_while_marking} died within a change");
}
