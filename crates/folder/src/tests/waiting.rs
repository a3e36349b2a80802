//! The first list.

use std::time::Duration;

use super::fixture::Tree;
use crate::folder::ListAnswer;
use crate::list::ListQuery;

#[tokio::test(flavor = "multi_thread")]
async fn a_first_request_waits_for_the_first_complete_list_and_is_never_answered_with_an_empty_one() {
    let names: Vec<String> = (0..500).map(|at| format!("{}/{at}.cbz", at % 20)).collect();
    let tree = Tree::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let running = tree.prepare(tree.settings());
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let folder = running.folder.clone();
            async move { folder.list(&ListQuery::default()).await }
        })
        .collect();
    running.folder.start();
    for answer in asking {
        let Ok(ListAnswer::Page(page, _)) = answer.await else { panic!("a page") };
        assert_eq!(page.total_files, 500);
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_was_never_read_says_so() {
    let tree = Tree::new(&[]);
    let mut settings = tree.settings();
    (settings.path, settings.first_wait) = (tree.root().join("missing"), Duration::from_millis(10));
    let running = tree.open_with(settings);
    let answer = running.folder.list(&ListQuery::default()).await;
    assert!(matches!(answer, Ok(ListAnswer::NotYet)));
    running.stop().await;
}
