//! Reports of the system are judged as scans are, and none is lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::fixture::{Running, Tree, paths, remove};
use crate::cover_store::{CoverResult, CoverStore};
use crate::dirty_paths::ReportedChanges;
use crate::enrichment::EnrichmentQueue;
use crate::folder_work::{FoundTree, ReportsEnd, ScanEnd, WorkState};
use crate::index::SuspicionReason;
use crate::scan::{FileFacts, Root, ScanControl, ScanLimits, ScanRules, ScannedFile, scan_tree};

/// A folder that was scanned once, and whose task does not run.
fn scanned(tree: &Tree) -> (Running, WorkState) {
    let mut settings = tree.settings();
    settings.enrich = true;
    let (running, mut work) = (tree.prepare(settings), WorkState::default());
    assert_eq!(running.folder.scan(&mut work), ScanEnd::Accepted);
    (running, work)
}

fn listed(running: &Running) -> Vec<String> {
    paths(&running.folder.current().expect("a list")).into_iter().map(str::to_owned).collect()
}

fn found(tree: &Tree, changes: ReportedChanges) -> FoundTree {
    let root = Root::open(&tree.root()).expect("it opens");
    let rules = ScanRules::new(&tree.settings()).0;
    let limits = ScanLimits { threads: 1, max_files: 1000 };
    let result = scan_tree(&root, &rules, limits, &ScanControl::default(), &|_| {}).expect("it is read");
    FoundTree { root, rules, result, changes }
}

#[test]
fn files_that_cannot_be_opened_stay_pending_until_they_can_be_read() {
    let tree = Tree::new(&["1.cbz", "2.cbz", "3.cbz"]);
    let (running, work) = scanned(&tree);
    let (folder, aside) = (&running.folder, tree.root().with_extension("aside"));
    let mut queue = EnrichmentQueue::default();
    queue.refill(folder);
    let files = queue.take_batch();
    std::fs::rename(tree.root(), &aside).expect("away");
    assert_eq!(folder.read_details(files.clone(), work.device).len(), 0, "the root is away");
    std::fs::rename(&aside, tree.root()).expect("back");
    assert_eq!(folder.read_details(files.clone(), work.device + 1).len(), 0, "on another file system");
    remove(&tree.root().join("1.cbz"));
    tree.write("2.cbz", "something else");
    assert_eq!(folder.read_details(files.clone(), work.device).len(), 1, "one gone, one changed");
    folder.status.lock().suspicion = Some(SuspicionReason::RootAway);
    assert_eq!(folder.read_details(files, work.device).len(), 0, "the list is suspicious");
    assert!(queue.collect(HashMap::new(), folder).is_none());
    queue.refill(folder);
    assert!(!queue.has_work());
    queue.retry();
    queue.refill(folder);
    assert_eq!(queue.take_batch().len(), 3);
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_not_remembered_as_one_without_a_cover() {
    let tree = Tree::new(&["1.cbz"]);
    let (running, _) = scanned(&tree);
    let file = Arc::clone(&running.folder.current().expect("a list").files[0]);
    let (key, aside) = (CoverStore::key(&file), tree.root().with_extension("aside"));
    std::fs::rename(tree.root(), &aside).expect("away");
    assert_eq!(running.folder.cover(&file).await, CoverResult::Absent);
    assert!(!running.folder.covers.has_failed(&key));
    std::fs::rename(&aside, tree.root()).expect("back");
    assert_eq!(running.folder.cover(&file).await, CoverResult::Absent);
    assert!(running.folder.covers.has_failed(&key), "it is no archive");
}

#[test]
fn reports_that_were_lost_while_a_scan_ran_make_another_scan() {
    let tree = Tree::new(&["1.cbz"]);
    let (running, mut work) = scanned(&tree);
    // What was lost before a scan began is made good by it.
    running.folder.dirty.lose();
    assert_eq!(running.folder.scan(&mut work), ScanEnd::Accepted);
    assert!(!running.folder.status.lock().is_scan_wanted && !work.is_scan_owed);
    let lost = ReportedChanges { are_incomplete: true, ..ReportedChanges::default() };
    assert_eq!(running.folder.judge(found(&tree, lost), &mut work, false, 0), ScanEnd::Accepted);
    assert!(running.folder.status.lock().is_scan_wanted);
}

#[test]
fn a_scan_that_failed_keeps_the_reports_it_took() {
    let tree = Tree::new(&["1.cbz", "2.cbz"]);
    let (running, mut work) = scanned(&tree);
    let number = running.folder.current().and_then(|list| Some(list.find("1.cbz")?.id));
    remove(&tree.root().join("1.cbz"));
    tree.write("9.cbz", "written anew");
    running.folder.dirty.add_rename("1.cbz".into(), "9.cbz".into());
    let aside = tree.root().with_extension("aside");
    std::fs::rename(tree.root(), &aside).expect("away");
    assert_eq!(running.folder.apply_reports(&mut work), ReportsEnd::ScanWanted);
    assert_eq!(running.folder.scan(&mut work), ScanEnd::Suspicious);
    assert!(work.is_scan_owed);
    std::fs::rename(&aside, tree.root()).expect("back");
    assert_eq!(running.folder.scan(&mut work), ScanEnd::Accepted);
    assert_eq!(listed(&running), ["2.cbz", "9.cbz"]);
    assert_eq!(running.folder.current().and_then(|list| Some(list.find("9.cbz")?.id)), number);
    assert!(!work.is_scan_owed && work.renames.is_empty());
}

#[test]
fn files_below_a_path_that_cannot_be_read_again_stay_in_the_list() {
    let tree = Tree::new(&["1.cbz"]);
    let (running, mut work) = scanned(&tree);
    // No file system reads a name of this length: an error that is no absence.
    let long = "d".repeat(300);
    let changes = ReportedChanges { paths: [long.clone()].into(), ..ReportedChanges::default() };
    let mut tree_found = found(&tree, changes);
    let stat = FileFacts { size: 1, mtime_ns: 1, inode: 1, birth_ns: 1, is_directory: false };
    tree_found.result.files.push(ScannedFile { path: format!("{long}/2.cbz"), stat });
    assert_eq!(running.folder.judge(tree_found, &mut work, false, 0), ScanEnd::Accepted);
    assert_eq!(listed(&running), ["1.cbz".to_owned(), format!("{long}/2.cbz")]);
    let problems = running.folder.report().last_scan.expect("a scan").problems;
    assert_eq!(problems.unreadable_files, 1);
    // Nor does a further scan remove it, as long as that is so.
    let changes = ReportedChanges { paths: [long].into(), ..ReportedChanges::default() };
    assert_eq!(running.folder.judge(found(&tree, changes), &mut work, false, 0), ScanEnd::Accepted);
    assert_eq!(listed(&running).len(), 2);
}

#[test]
fn a_tree_that_is_reported_as_empty_or_mostly_gone_is_scanned_whole_before_it_is_accepted() {
    let names: Vec<String> = (0..300).map(|at| format!("{}/{at:03}.cbz", at % 3)).collect();
    let tree = Tree::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let (running, mut work) = scanned(&tree);
    let folder = &running.folder;
    let aside = tree.root().with_extension("aside");
    std::fs::create_dir(&aside).expect("made");
    for directory in ["0", "1"] {
        std::fs::rename(tree.root().join(directory), aside.join(directory)).expect("moved out");
        folder.dirty.add(directory.to_owned());
    }
    assert_eq!(folder.apply_reports(&mut work), ReportsEnd::ScanWanted);
    assert_eq!(listed(&running).len(), 300);
    assert_eq!(folder.scan(&mut work), ScanEnd::Suspicious);
    // As long as that is in suspicion, nothing else is published either.
    remove(&tree.root().join("2/002.cbz"));
    folder.dirty.add("2/002.cbz".into());
    assert_eq!(folder.apply_reports(&mut work), ReportsEnd::Deferred);
    assert_eq!(listed(&running).len(), 300);
    folder.request_scan(true);
    assert_eq!(folder.scan(&mut work), ScanEnd::Accepted);
    assert_eq!(listed(&running).len(), 99);
    std::fs::remove_dir_all(tree.root().join("2")).expect("removed");
    folder.dirty.add("2".into());
    assert_eq!(folder.apply_reports(&mut work), ReportsEnd::ScanWanted);
    assert_eq!(listed(&running).len(), 99);
}

#[test]
fn reports_add_no_files_beyond_the_limit() {
    let tree = Tree::new(&["1.cbz", "2.cbz"]);
    let mut settings = tree.settings();
    settings.max_files = 3;
    let (running, mut work) = (tree.prepare(settings), WorkState::default());
    assert_eq!(running.folder.scan(&mut work), ScanEnd::Accepted);
    for name in ["0.cbz", "3.cbz", "4.cbz"] {
        tree.write(name, name);
        running.folder.dirty.add(name.into());
    }
    assert_eq!(running.folder.apply_reports(&mut work), ReportsEnd::Published);
    assert_eq!(listed(&running), ["0.cbz", "1.cbz", "2.cbz"]);
    assert_eq!(running.folder.report().last_scan.expect("a scan").problems.beyond_limit, 2);
}

#[test]
fn a_list_that_was_just_compared_is_not_scanned_again_for_a_refresh() {
    let tree = Tree::new(&["1.cbz"]);
    let (running, _) = scanned(&tree);
    assert!(!running.folder.refresh() && !running.folder.status.lock().is_scan_wanted);
    {
        let mut status = running.folder.status.lock();
        status.compared_ms = status.compared_ms - Duration::from_secs(5);
    }
    assert!(running.folder.refresh() && running.folder.status.lock().is_scan_wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_makes_one_scan() {
    let tree = Tree::new(&["1.cbz"]);
    let running = tree.prepare(tree.settings());
    running.folder.request_scan(false);
    running.folder.start();
    running.fresh().await;
    tree.write("2.cbz", "new");
    running.holds(&["1.cbz", "2.cbz"]).await;
    assert_eq!(running.folder.report().counters.scans, 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_takes_the_place_of_the_root_is_watched() {
    let (tree, other) = (Tree::new(&["1.cbz"]), Tree::new(&["1.cbz"]));
    let (link, next) = (tree.data().join("link"), tree.data().join("next"));
    std::os::unix::fs::symlink(tree.root(), &link).expect("linked");
    std::os::unix::fs::symlink(other.root(), &next).expect("linked");
    let mut settings = tree.settings();
    (settings.path, settings.compare_interval) = (link.clone(), Duration::from_secs(3_600));
    let running = tree.open_with(settings);
    running.fresh().await;
    std::fs::rename(&next, &link).expect("replaced");
    running.folder.request_scan(false);
    // The scan that follows the new watch may find this one; nothing but an event tells of the next.
    other.write("2.cbz", "new");
    running.holds(&["1.cbz", "2.cbz"]).await;
    other.write("3.cbz", "newer");
    running.holds(&["1.cbz", "2.cbz", "3.cbz"]).await;
    running.stop().await;
}
