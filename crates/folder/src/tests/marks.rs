//! Marks follow their files.

use super::fixture::{Tree, remove};
use crate::marks::{FollowedList, MarkAction, MarkChange, MarkError, MarkExport};

#[tokio::test(flavor = "multi_thread")]
async fn marks_go_to_the_other_name_of_a_file_that_was_listed_under_both_while_it_was_renamed() {
    let tree = Tree::new(&["a.cbz", "c.cbz"]);
    let running = tree.open();
    running.fresh().await;
    running.mark("processed", &["a.cbz", "c.cbz"]);
    // As a scan that reads the directory during the rename finds it.
    std::fs::hard_link(tree.root().join("a.cbz"), tree.root().join("b.cbz")).expect("linked");
    running.holds(&["a.cbz", "b.cbz", "c.cbz"]).await;
    assert_eq!(running.processed(), ["a.cbz", "c.cbz"]);
    remove(&tree.root().join("a.cbz"));
    running.holds(&["b.cbz", "c.cbz"]).await;
    assert_eq!(running.processed(), ["b.cbz", "c.cbz"]);
    running.stop().await;
    let running = tree.open();
    running.fresh().await;
    assert_eq!(running.processed(), ["b.cbz", "c.cbz"], "also after a restart");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_follow_renames_replacements_and_restarts() {
    let tree = Tree::new(&["1.cbz", "2.cbz", "3.cbz"]);
    let running = tree.open();
    running.fresh().await;
    assert_eq!(running.mark("processed", &["1.cbz", "2.cbz", "gone.cbz"]), 2);
    tree.rename("1.cbz", "x/one.cbz");
    // Written anew beside it and renamed over it, as tools do.
    tree.write("2.tmp", "another content");
    tree.rename("2.tmp", "2.cbz");
    running.holds(&["2.cbz", "3.cbz", "x/one.cbz"]).await;
    assert_eq!(running.processed(), ["2.cbz", "x/one.cbz"]);
    running.stop().await;
    // Renamed while no process watches the folder; and the saved list is lost as well.
    tree.rename("x/one.cbz", "uno.cbz");
    std::fs::remove_dir_all(tree.data().join("folders")).expect("removed");
    let running = tree.open();
    running.holds(&["2.cbz", "3.cbz", "uno.cbz"]).await;
    assert_eq!(running.processed(), ["2.cbz", "uno.cbz"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_away_gets_its_marks_back_and_a_new_one_at_another_path_none() {
    let tree = Tree::new(&["1.cbz", "2.cbz"]);
    let running = tree.open();
    running.fresh().await;
    running.mark("processed", &["1.cbz"]);
    let aside = tree.root().with_extension("aside");
    std::fs::rename(tree.root().join("1.cbz"), &aside).expect("away");
    running.holds(&["2.cbz"]).await;
    std::fs::rename(&aside, tree.root().join("back.cbz")).expect("back");
    tree.write("new.cbz", "new");
    running.holds(&["2.cbz", "back.cbz", "new.cbz"]).await;
    assert_eq!(running.processed(), ["back.cbz"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_change_can_be_undone_once_also_after_a_rename() {
    let tree = Tree::new(&["1.cbz", "2.cbz", "3.cbz"]);
    let running = tree.open();
    running.fresh().await;
    running.mark("processed", &["1.cbz"]);
    running.mark("processed", &["1.cbz", "2.cbz", "3.cbz"]);
    tree.rename("2.cbz", "two.cbz");
    running.holds(&["1.cbz", "3.cbz", "two.cbz"]).await;
    assert_eq!(running.folder.undo_marks().expect("undone").changed, 2);
    assert_eq!(running.processed(), ["1.cbz"]);
    assert_eq!(running.folder.undo_marks(), Err(MarkError::NothingToUndo));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_are_exported_and_imported_also_from_the_marker_files_of_the_comic_app() {
    let tree = Tree::new(&["1.cbz", "2.cbz"]);
    let running = tree.open();
    running.fresh().await;
    running.mark("processed", &["1.cbz"]);
    let export = running.folder.export_marks();
    assert_eq!((export.files.len(), export.files[0].path.as_str()), (1, "1.cbz"));
    let marker = MarkExport::parse(br#"{"files": ["2.cbz", "gone.cbz"]}"#, "duplicate").expect("read");
    let receipt = running.folder.import_marks(&marker).expect("imported");
    assert_eq!((receipt.changed, receipt.missing), (1, 1));
    let again = serde_json::to_vec(&running.folder.export_marks()).expect("text");
    assert_eq!(MarkExport::parse(&again, "x").expect("read").files.len(), 2);
    assert!(MarkExport::parse(b"{}", "x").is_err() && MarkExport::parse(b"[1]", "x").is_err());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_is_a_short_plain_word_and_there_are_at_most_32() {
    let tree = Tree::new(&["1.cbz", "2.cbz"]);
    let running = tree.open();
    running.fresh().await;
    let set = |mark: &str| {
        let change = MarkChange { mark: mark.into(), action: MarkAction::Set, paths: vec!["1.cbz".into()] };
        running.folder.change_marks(&change)
    };
    assert_eq!(set("Not Plain"), Err(MarkError::Name));
    for number in 3..32 {
        set(&format!("mark-{number}")).expect("there is room");
    }
    assert_eq!(set("one-more"), Err(MarkError::TooMany));
    remove(&tree.root().join("1.cbz"));
    running.holds(&["2.cbz"]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_comic_apps_own_marker_files_are_followed_and_are_no_change_to_undo() {
    let tree = Tree::new(&["1.cbz", "2.cbz"]);
    let markers = tree.data().join("markers");
    std::fs::create_dir(&markers).expect("made");
    let write = |paths: &[&str]| {
        let files: Vec<_> = paths.iter().map(|path| tree.root().join(path)).collect();
        let text = serde_json::json!({ "files": files }).to_string();
        std::fs::write(markers.join("processed_files.tmp"), text).expect("written");
        std::fs::rename(markers.join("processed_files.tmp"), markers.join("processed_files.json")).expect("renamed");
    };
    write(&["1.cbz"]);
    let mut settings = tree.settings();
    settings.marker_dir = Some(markers.clone());
    let running = tree.open_with(settings);
    running.fresh().await;
    let marked = |paths: &[&str]| running.folder.current().is_some() && running.processed() == paths;
    running.wait(|_| marked(&["1.cbz"])).await;
    write(&["2.cbz"]);
    running.wait(|_| marked(&["2.cbz"])).await;
    assert_eq!(running.folder.undo_marks(), Err(MarkError::NothingToUndo));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_comic_apps_own_database_of_marks_is_followed_in_place_of_its_old_files() {
    let tree = Tree::new(&["1.cbz", "2.cbz", "3.cbz"]);
    let (settings, write_file) = markers_of(&tree);
    write_file(&["3.cbz"]);
    let db = rusqlite::Connection::open(settings.marker_dir.as_ref().expect("set").join("comicmaintainer.db"));
    let db = db.expect("a database");
    let table = "PRAGMA journal_mode = WAL; CREATE TABLE markers (filepath TEXT NOT NULL, marker_type TEXT NOT NULL,
        PRIMARY KEY (filepath, marker_type));";
    db.execute_batch(table).expect("made");
    let mark = |path: &str| {
        let path = tree.root().join(path).display().to_string();
        db.execute("INSERT INTO markers VALUES (?1, 'processed')", [path]).expect("written");
    };
    mark("1.cbz");
    let running = tree.open_with(settings);
    running.fresh().await;
    running.wait(|_| running.processed() == ["1.cbz"]).await;
    mark("2.cbz");
    running.wait(|_| running.processed() == ["1.cbz", "2.cbz"]).await;
    db.execute("DELETE FROM markers WHERE filepath LIKE '%1.cbz'", []).expect("removed");
    running.wait(|_| running.processed() == ["2.cbz"]).await;
    running.stop().await;
}

#[tokio::test]
async fn what_the_comic_app_has_written_is_marked_when_a_look_that_was_asked_for_returns() {
    let tree = Tree::new(&["1.cbz", "2.cbz"]);
    let (settings, write) = markers_of(&tree);
    let running = tree.open_with(settings);
    running.fresh().await;
    for path in ["1.cbz", "2.cbz", "1.cbz"] {
        write(&[path]);
        running.folder.look_at_markers().await;
        assert_eq!(running.processed(), [path]);
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_link_of_a_marked_file_takes_no_mark_from_it() {
    let tree = Tree::new(&["1.cbz", "2.cbz"]);
    let running = tree.open();
    running.fresh().await;
    running.mark("processed", &["1.cbz"]);
    std::fs::hard_link(tree.root().join("1.cbz"), tree.root().join("link.cbz")).expect("linked");
    running.holds(&["1.cbz", "2.cbz", "link.cbz"]).await;
    assert_eq!(running.processed(), ["1.cbz"]);
    let export = running.folder.export_marks();
    assert_eq!(export.files.iter().map(|row| row.path.as_str()).collect::<Vec<_>>(), ["1.cbz"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_links_that_come_back_together_each_get_the_marks_of_one() {
    let tree = Tree::new(&["1.cbz", "3.cbz"]);
    std::fs::hard_link(tree.root().join("1.cbz"), tree.root().join("2.cbz")).expect("linked");
    let running = tree.open();
    running.fresh().await;
    running.mark("processed", &["1.cbz", "2.cbz"]);
    let aside = |name: &str| tree.root().with_extension(name);
    for name in ["1.cbz", "2.cbz"] {
        std::fs::rename(tree.root().join(name), aside(name)).expect("away");
    }
    running.holds(&["3.cbz"]).await;
    let staged = tree.root().with_extension("staged");
    std::fs::create_dir(&staged).expect("made");
    for (from, to) in [("1.cbz", "7.cbz"), ("2.cbz", "8.cbz")] {
        std::fs::rename(aside(from), staged.join(to)).expect("moved");
    }
    std::fs::rename(&staged, tree.root().join("back")).expect("back");
    running.holds(&["3.cbz", "back/7.cbz", "back/8.cbz"]).await;
    assert_eq!(running.processed(), ["back/7.cbz", "back/8.cbz"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_file_at_the_path_that_a_marked_one_left_has_no_marks() {
    let tree = Tree::new(&["1.cbz", "2.cbz"]);
    let running = tree.open();
    running.fresh().await;
    running.mark("processed", &["1.cbz"]);
    running.stop().await;
    // Seen together, by the first scan.
    tree.rename("1.cbz", "one.cbz");
    tree.write("1.cbz", "a new content");
    let running = tree.open();
    running.holds(&["1.cbz", "2.cbz", "one.cbz"]).await;
    assert_eq!(running.processed(), ["one.cbz"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn undoing_restores_only_the_marks_that_the_change_changed() {
    let tree = Tree::new(&["1.cbz"]);
    let markers = tree.data().join("markers");
    std::fs::create_dir(&markers).expect("made");
    let mut settings = tree.settings();
    settings.marker_dir = Some(markers.clone());
    let running = tree.open_with(settings);
    running.fresh().await;
    running.mark("duplicate", &["1.cbz"]);
    // Another program marks it meanwhile.
    std::fs::write(markers.join("processed_files.json"), r#"{"files": ["1.cbz"]}"#).expect("written");
    running.wait(|_| running.processed() == ["1.cbz"]).await;
    assert_eq!(running.folder.undo_marks().expect("undone").changed, 1);
    assert_eq!(running.folder.export_marks().files[0].marks, ["processed"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_away_while_a_change_is_undone_can_be_undone_when_it_is_back() {
    let tree = Tree::new(&["1.cbz", "2.cbz"]);
    let running = tree.open();
    running.fresh().await;
    running.mark("processed", &["1.cbz", "2.cbz"]);
    let aside = tree.root().with_extension("aside");
    std::fs::rename(tree.root().join("1.cbz"), &aside).expect("away");
    running.holds(&["2.cbz"]).await;
    let receipt = running.folder.undo_marks().expect("undone");
    assert_eq!((receipt.changed, receipt.missing), (1, 1));
    std::fs::rename(&aside, tree.root().join("1.cbz")).expect("back");
    running.holds(&["1.cbz", "2.cbz"]).await;
    assert_eq!(running.processed(), ["1.cbz"]);
    assert_eq!(running.folder.undo_marks().expect("undone").changed, 1);
    assert!(running.processed().is_empty());
    assert_eq!(running.folder.undo_marks(), Err(MarkError::NothingToUndo));
    running.stop().await;
}

/// A folder whose comic app writes marker files.
fn markers_of(tree: &Tree) -> (greenroom_config::FolderSettings, impl Fn(&[&str])) {
    let directory = tree.data().join("markers");
    std::fs::create_dir_all(&directory).expect("made");
    let mut settings = tree.settings();
    settings.marker_dir = Some(directory.clone());
    let write = move |paths: &[&str]| {
        let text = serde_json::json!({ "files": paths }).to_string();
        std::fs::write(directory.join("new.tmp"), text).expect("written");
        std::fs::rename(directory.join("new.tmp"), directory.join("processed_files.json")).expect("renamed");
    };
    (settings, write)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_of_a_marker_file_that_is_not_there_yet_gets_its_mark_when_it_is() {
    let tree = Tree::new(&["1.cbz"]);
    let (settings, write) = markers_of(&tree);
    write(&["1.cbz", "late.cbz"]);
    let running = tree.open_with(settings);
    running.fresh().await;
    running.wait(|_| running.processed() == ["1.cbz"]).await;
    tree.write("late.cbz", "late");
    running.wait(|_| running.processed() == ["1.cbz", "late.cbz"]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_a_person_removed_does_not_come_back_from_a_marker_file_at_the_next_start() {
    let tree = Tree::new(&["1.cbz", "2.cbz"]);
    let (settings, write) = markers_of(&tree);
    write(&["1.cbz"]);
    let running = tree.open_with(settings.clone());
    running.fresh().await;
    running.wait(|_| running.processed() == ["1.cbz"]).await;
    let change = MarkChange { mark: "processed".into(), action: MarkAction::Unset, paths: vec!["1.cbz".into()] };
    running.folder.change_marks(&change).expect("unset");
    running.stop().await;
    // Another file shows when the list was followed.
    write(&["1.cbz", "2.cbz"]);
    let running = tree.open_with(settings);
    running.fresh().await;
    running.wait(|_| !running.processed().is_empty()).await;
    assert_eq!(running.processed(), ["2.cbz"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_marker_file_takes_no_marks_away() {
    let tree = Tree::new(&["1.cbz", "2.cbz", "3.cbz"]);
    let running = tree.open();
    running.fresh().await;
    let follow = |paths: &[&str]| {
        let listed = paths.iter().map(|path| (*path).to_owned()).collect();
        running.folder.follow_marks("processed", &listed).expect("followed")
    };
    assert_eq!(follow(&["1.cbz", "2.cbz"]), FollowedList::Whole);
    assert_eq!(follow(&[]), FollowedList::Emptied);
    assert_eq!(running.processed(), ["1.cbz", "2.cbz"]);
    assert_eq!(follow(&["3.cbz"]), FollowedList::Whole);
    assert_eq!(running.processed(), ["3.cbz"]);
    assert_eq!(follow(&[]), FollowedList::Whole);
    assert!(running.processed().is_empty());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_the_marks_is_none_of_the_process_before() {
    let tree = Tree::new(&["1.cbz"]);
    let versions: std::collections::HashSet<u64> =
        (0..20).map(|_| tree.prepare(tree.settings()).folder.marks_version()).collect();
    assert!(versions.len() > 18, "{versions:?}");
}
