//! Processes killed while they scan, read archives, save and mark, a hundred times at random moments. Every mark that
//! was acknowledged is there, none that was never asked for is, and the saved list is whole.
//!
//! The victim is this test binary, started again to mark files and report what it did.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
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
const ROUNDS: u64 = 100;
const FILES: u64 = 300;
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
        let folder = Arc::new(Folder::new(settings(dir), context));
        folder.start();
        folder.wait_for_first().await.expect("a list");
        let mut out = std::io::stdout();
        let mut say = |text: String| writeln!(out, "{text}").and_then(|()| out.flush()).expect("said");
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

/// What a victim reported last of each file.
type VictimLog = BTreeMap<u64, String>;

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
    if let Some((verb, number)) = line.trim().split_once(' ')
        && let Ok(number) = number.parse()
    {
        log.insert(number, verb.to_owned());
    }
    true
}

fn check(dir: &Path, log: &VictimLog) {
    StateDb::open(&dir.join("data")).expect("the state");
    let book = MarkBook::open(&dir.join("data"), "comics", &settings(dir).marks).expect("the marks");
    let export = book.export();
    let marked = |number: u64| export.files.iter().any(|row| row.path == name(number));
    for number in 0..FILES {
        match log.get(&number).map(String::as_str) {
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

#[test]
fn a_process_killed_at_any_moment_loses_no_mark_it_acknowledged_and_leaves_a_whole_list() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let tree = tempfile::tempdir().expect("a directory");
    for number in 0..FILES {
        let file = tree.path().join("root").join(name(number));
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("made");
        std::fs::write(file, b"PK\x05\x06 no archive").expect("written");
    }
    let mut killed_while_marking = 0;
    for _ in 0..ROUNDS {
        let data = tree.path().join("data");
        if data.exists() {
            std::fs::remove_dir_all(&data).expect("removed");
        }
        std::fs::create_dir(&data).expect("made");
        // How state.db is made at the first start is tested elsewhere.
        StateDb::open(&data).expect("the state");
        let (mut log, (mut child, mut out)) = (VictimLog::new(), start(tree.path()));
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        for _ in 0..(random >> 33) % 400 {
            assert!(read_line(&mut log, &mut out), "the victim died by itself");
        }
        child.kill().expect("killed");
        child.wait().expect("dead");
        // Lines not read yet were reported before it died.
        while read_line(&mut log, &mut out) {}
        killed_while_marking += u64::from(log.values().any(|verb| verb.ends_with("ing")));
        check(tree.path(), &log);
    }
    assert!(killed_while_marking > ROUNDS / 10, "only {killed_while_marking} died within a change");
}
