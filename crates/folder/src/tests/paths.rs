//! Files by paths as other programs see them.

use greenroom_library::files::{CaseSensitivity, FileMatchConfidence, FileQuery, PathMaps, PathRule};

use super::fixture::{Running, Tree};

fn found(running: &Running, path: &str, maps: &PathMaps) -> (FileMatchConfidence, Vec<String>) {
    let query = [FileQuery { path, ..FileQuery::default() }];
    let found = running.folder.find_paths(&query, maps, CaseSensitivity::Exact).expect("there is a list");
    let rows = found.results[0].rows.iter();
    (found.results[0].confidence, rows.map(|row| found.generation.files[*row as usize].path.to_string()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_found_by_its_whole_path_a_suffix_or_a_mapped_path_and_after_a_rename_by_its_new_one() {
    let tree = Tree::new(&["Saga/Saga 1.cbz", "Saga/Saga 2.cbz", "Paper Girls/1.cbz", "Lazarus/1.cbz"]);
    let running = tree.open();
    running.fresh().await;
    let none = PathMaps::default();
    let certain = |path: &str| (FileMatchConfidence::High, vec![path.to_owned()]);
    let whole = tree.root().join("Saga/Saga 1.cbz");
    assert_eq!(found(&running, &whole.to_string_lossy(), &none), certain("Saga/Saga 1.cbz"));
    assert_eq!(found(&running, "/mnt/elsewhere/Saga/Saga 2.cbz", &none), certain("Saga/Saga 2.cbz"));
    assert_eq!(found(&running, "1.cbz", &none).0, FileMatchConfidence::Low, "two files have this name");
    assert_eq!(found(&running, "Saga/Saga 3.cbz", &none).0, FileMatchConfidence::None);
    let lazarus = tree.root().join("Lazarus").display().to_string();
    let maps = PathMaps::new([PathRule { from: "^/books/L", to: &lazarus }]).expect("a map");
    assert_eq!(found(&running, "/books/L/1.cbz", &none).0, FileMatchConfidence::Low);
    assert_eq!(found(&running, "/books/L/1.cbz", &maps), certain("Lazarus/1.cbz"));
    tree.rename("Saga/Saga 1.cbz", "Saga/One.cbz");
    running.holds(&["Lazarus/1.cbz", "Paper Girls/1.cbz", "Saga/One.cbz", "Saga/Saga 2.cbz"]).await;
    assert_eq!(found(&running, "/a/Saga/One.cbz", &none), certain("Saga/One.cbz"));
    running.stop().await;
}
