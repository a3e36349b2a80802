//! Changes of the tree are followed, and a scan of a disk that is away is suspicious.

use std::time::Duration;

use greenroom_config::WatchMode;

use super::fixture::{Tree, paths, remove};
use crate::folder_status::{FolderState, TreeWatchState};
use crate::index::SuspicionReason;

#[tokio::test(flavor = "multi_thread")]
async fn additions_removals_renames_and_moves_of_trees_are_seen_live_and_files_keep_their_numbers() {
    let tree = Tree::new(&["a/1.cbz", "a/2.cbz", "3.cbz"]);
    let running = tree.open();
    let list = running.fresh().await;
    let number = list.find("a/1.cbz").expect("it is there").id;
    assert_eq!(running.folder.report().watch, TreeWatchState::Events);
    tree.write("new/deep/4.cbz", "x");
    remove(&tree.root().join("3.cbz"));
    tree.rename("a", "b");
    let list = running.holds(&["b/1.cbz", "b/2.cbz", "new/deep/4.cbz"]).await;
    assert_eq!(list.find("b/1.cbz").expect("it is there").id, number);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_that_are_new_moved_or_made_again_are_watched_as_those_before() {
    let tree = Tree::new(&["a/deep/1.cbz", "b/2.cbz"]);
    let running = tree.open();
    running.fresh().await;
    tree.rename("a", "moved/here");
    running.holds(&["b/2.cbz", "moved/here/deep/1.cbz"]).await;
    tree.write("moved/here/deep/3.cbz", "x");
    tree.write("new/deep/4.cbz", "x");
    running.holds(&["b/2.cbz", "moved/here/deep/1.cbz", "moved/here/deep/3.cbz", "new/deep/4.cbz"]).await;
    tree.write("new/deep/5.cbz", "x");
    remove(&tree.root().join("b/2.cbz"));
    std::fs::remove_dir(tree.root().join("b")).expect("removed");
    running.holds(&["moved/here/deep/1.cbz", "moved/here/deep/3.cbz", "new/deep/4.cbz", "new/deep/5.cbz"]).await;
    tree.write("b/6.cbz", "x");
    tree.rename("moved/here/deep", "b/deep");
    running.holds(&["b/6.cbz", "b/deep/1.cbz", "b/deep/3.cbz", "new/deep/4.cbz", "new/deep/5.cbz"]).await;
    tree.write("b/7.cbz", "x");
    tree.write("b/deep/8.cbz", "x");
    let all =
        ["b/6.cbz", "b/7.cbz", "b/deep/1.cbz", "b/deep/3.cbz", "b/deep/8.cbz", "new/deep/4.cbz", "new/deep/5.cbz"];
    running.holds(&all).await;
    assert_eq!(running.folder.report().watch, TreeWatchState::Events);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_was_not_read_whole_is_polled_until_it_was() {
    let tree = Tree::new(&["a/1.cbz"]);
    let running = tree.prepare(tree.settings());
    let folder = &running.folder;
    folder.watch().await;
    folder.directory_watcher()("a");
    folder.check_watch();
    assert_eq!(folder.report().watch, TreeWatchState::Polling);
    let end = folder.scan(&mut crate::folder_work::WorkState::default());
    assert_eq!(end, crate::folder_work::ScanEnd::Accepted);
    folder.check_watch();
    assert_eq!(folder.report().watch, TreeWatchState::Events);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polled_folder_sees_the_same() {
    let tree = Tree::new(&["a/1.cbz", "2.cbz"]);
    let mut settings = tree.settings();
    (settings.watch, settings.poll_interval) = (WatchMode::Poll, Duration::from_millis(50));
    let running = tree.open_with(settings);
    let number = running.fresh().await.find("a/1.cbz").expect("it is there").id;
    tree.rename("a/1.cbz", "c/9.cbz");
    tree.write("d.cbz", "x");
    remove(&tree.root().join("2.cbz"));
    let list = running.holds(&["c/9.cbz", "d.cbz"]).await;
    assert_eq!(list.find("c/9.cbz").expect("it is there").id, number);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_served_as_confirming_after_a_restart_and_numbers_stay() {
    let tree = Tree::new(&["1.cbz", "2.cbz"]);
    let running = tree.open();
    let number = running.fresh().await.find("1.cbz").expect("it is there").id;
    running.stop().await;
    tree.rename("1.cbz", "renamed.cbz");
    let running = tree.prepare(tree.settings());
    let mut work = crate::folder_work::WorkState::default();
    running.folder.load(&mut work);
    assert_eq!(running.folder.state(), FolderState::Confirming);
    assert_eq!(paths(&running.folder.current().expect("the saved list")), ["1.cbz", "2.cbz"]);
    running.folder.start();
    let list = running.holds(&["2.cbz", "renamed.cbz"]).await;
    assert_eq!(list.find("renamed.cbz").expect("it is there").id, number);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_away_or_empty_never_empties_the_list() {
    let tree = Tree::new(&["1.cbz", "2.cbz"]);
    let running = tree.open();
    running.fresh().await;
    running.stop().await;
    let aside = tree.root().with_extension("aside");
    std::fs::rename(tree.root(), &aside).expect("away");
    let running = tree.open();
    let list = running.wait(|pulse| pulse.state == FolderState::Suspicious).await;
    assert_eq!(paths(&list), ["1.cbz", "2.cbz"]);
    assert_eq!(running.folder.report().suspicion, Some(SuspicionReason::RootAway));
    running.stop().await;
    std::fs::create_dir(tree.root()).expect("an empty mount point");
    let running = tree.open();
    let list = running.wait(|pulse| pulse.state == FolderState::Suspicious).await;
    assert_eq!(paths(&list), ["1.cbz", "2.cbz"]);
    assert_eq!(running.folder.report().suspicion, Some(SuspicionReason::RootEmpty));
    // A person says that it is so.
    running.folder.request_scan(true);
    running.holds(&[]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_came_back_is_watched_again() {
    let tree = Tree::new(&["1.cbz", "2.cbz"]);
    let running = tree.open();
    running.fresh().await;
    let aside = tree.root().with_extension("aside");
    std::fs::rename(tree.root(), &aside).expect("away");
    running.folder.request_scan(false);
    running.wait(|pulse| pulse.state == FolderState::Suspicious).await;
    // Another disk with the same files.
    std::fs::create_dir(tree.root()).expect("made");
    tree.write("1.cbz", "1.cbz");
    tree.write("2.cbz", "2.cbz");
    running.folder.request_scan(false);
    running.fresh().await;
    // The scan that follows the new watch may find this one; nothing but an event tells of the next.
    tree.write("3.cbz", "new");
    running.holds(&["1.cbz", "2.cbz", "3.cbz"]).await;
    tree.write("4.cbz", "newer");
    running.holds(&["1.cbz", "2.cbz", "3.cbz", "4.cbz"]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_are_read_in_the_background_and_the_list_tells_how_many() {
    let tree = Tree::new(&["1.cbz", "2.pdf"]);
    let mut settings = tree.settings();
    (settings.enrich, settings.extensions) = (true, vec!["cbz".into(), "pdf".into()]);
    let running = tree.open_with(settings);
    let list = running.wait(|pulse| pulse.enriched == 2).await;
    let state = |path: &str| list.find(path).and_then(|file| Some(file.details.as_ref()?.metadata));
    assert_eq!(state("1.cbz"), Some(crate::file_details::MetadataState::Unreadable));
    assert_eq!(state("2.pdf"), Some(crate::file_details::MetadataState::Unsupported));
    assert_eq!((running.folder.enriched().done, running.folder.enriched().of), (2, 2));
    running.stop().await;
}
