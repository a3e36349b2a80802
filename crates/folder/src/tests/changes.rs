//! Recent changes.

use greenroom_cache::Timestamp;
use std::sync::Arc;

use super::fixture::{Running, Tree, remove};
use crate::change_history::{ChangeCounts, ChangeHistory, ChangeKind, DAY_MS, FileChange};
use crate::file_entry::FileEntry;
use crate::index::Difference;
use crate::scan::FileFacts;

/// Kind, path before and path of each change, newest first.
fn told(changes: &[FileChange]) -> Vec<(ChangeKind, Option<&str>, &str)> {
    changes.iter().map(|change| (change.kind, change.previous_path.as_deref(), &*change.path)).collect()
}

fn all(running: &Running) -> Vec<FileChange> {
    running.folder.changes.page(Timestamp::UNIX_EPOCH, None, 500).expect("read").changes
}

fn file(path: &str) -> Arc<FileEntry> {
    let stat = FileFacts { inode: 1, birth_ns: 1, size: 1, mtime_ns: 1, is_directory: false };
    Arc::new(FileEntry::new(1, path, stat, Timestamp::UNIX_EPOCH))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_went_and_was_renamed_is_told_newest_first_and_the_first_list_is_no_change() {
    let tree = Tree::new(&["1.cbz", "2.cbz"]);
    let running = tree.open();
    running.fresh().await;
    assert_eq!(all(&running), []);
    tree.write("3.cbz", "new");
    running.holds(&["1.cbz", "2.cbz", "3.cbz"]).await;
    remove(&tree.root().join("2.cbz"));
    running.holds(&["1.cbz", "3.cbz"]).await;
    tree.rename("1.cbz", "x/one.cbz");
    running.holds(&["3.cbz", "x/one.cbz"]).await;
    running.stop().await;
    // Also after a restart, and with what changed meanwhile.
    tree.write("4.cbz", "newer");
    let running = tree.open();
    running.holds(&["3.cbz", "4.cbz", "x/one.cbz"]).await;
    running.stop().await;
    let running = tree.prepare(tree.settings());
    let expected = [
        (ChangeKind::Added, None, "4.cbz"),
        (ChangeKind::Renamed, Some("1.cbz"), "x/one.cbz"),
        (ChangeKind::Removed, None, "2.cbz"),
        (ChangeKind::Added, None, "3.cbz"),
    ];
    assert_eq!(told(&all(&running)), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_found_again_after_a_crash_are_told_once() {
    let tree = Tree::new(&["1.cbz"]);
    let running = tree.open();
    running.fresh().await;
    running.stop().await;
    let index = tree.data().join("folders/comics.index");
    let saved = std::fs::read(&index).expect("saved");
    let running = tree.open();
    running.fresh().await;
    tree.write("2.cbz", "new");
    tree.rename("1.cbz", "one.cbz");
    running.holds(&["2.cbz", "one.cbz"]).await;
    running.stop().await;
    // The list of before the change, as a process leaves it that was killed before it saved.
    std::fs::write(&index, saved).expect("written");
    let running = tree.open();
    running.holds(&["2.cbz", "one.cbz"]).await;
    running.stop().await;
    let mut changes = all(&tree.prepare(tree.settings()));
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(told(&changes), [(ChangeKind::Added, None, "2.cbz"), (ChangeKind::Renamed, Some("1.cbz"), "one.cbz")]);
}

#[test]
fn a_page_counts_the_period_and_continues_before_its_last_change() {
    let tree = Tree::new(&[]);
    let history = ChangeHistory::open(&tree.data(), "comics");
    let other = ChangeHistory::open(&tree.data(), "books");
    let now_ms = 100 * DAY_MS;
    for (day, path) in [(1, "old"), (60, "a"), (95, "b"), (96, "c"), (97, "d")] {
        let added = Difference { added: vec![file(path)], ..Difference::default() };
        history.record(&added, Timestamp::from_millis(day * DAY_MS)).expect("recorded");
        other.record(&added, Timestamp::from_millis(day * DAY_MS)).expect("recorded");
    }
    let removed = Difference { removed: vec![file("b")], ..Difference::default() };
    history.record(&removed, Timestamp::from_millis(now_ms)).expect("recorded");
    let page = history.page(Timestamp::from_millis(95 * DAY_MS), None, 2).expect("read");
    assert_eq!(page.counts, ChangeCounts { added: 3, removed: 1, ..ChangeCounts::default() });
    assert_eq!(told(&page.changes), [(ChangeKind::Removed, None, "b"), (ChangeKind::Added, None, "d")]);
    let next = history.page(Timestamp::from_millis(95 * DAY_MS), page.next_before, 2).expect("read");
    assert_eq!(told(&next.changes), [(ChangeKind::Added, None, "c"), (ChangeKind::Added, None, "b")]);
    assert_eq!(next.next_before, None);
    let everything = history.page(Timestamp::UNIX_EPOCH, None, 500).expect("read");
    assert_eq!(everything.changes.len(), 4, "older than 31 days is deleted");
}

#[test]
fn a_history_is_bounded() {
    let tree = Tree::new(&[]);
    let history = ChangeHistory::open(&tree.data(), "comics");
    for part in 0..5 {
        let added = (0..6_000).map(|at| file(&format!("{part}/{at}"))).collect();
        history
            .record(&Difference { added, ..Difference::default() }, Timestamp::from_millis(1_000))
            .expect("recorded");
    }
    let page = history.page(Timestamp::UNIX_EPOCH, None, 1).expect("read");
    assert_eq!((page.counts.added, &*page.changes[0].path), (20_000, "4/5999"));
}
