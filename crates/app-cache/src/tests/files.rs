//! The file of the store.

use std::os::unix::fs::PermissionsExt;

use super::{Stage, cache, key, put, tags};
use crate::put::{Put, PutResult};

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("it is there").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn nothing_is_made_before_the_first_write_and_then_only_for_the_owner() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    assert_eq!(stage.text("c", "k").await, None);
    assert_eq!(stage.caches.sequence().await, Ok(0));
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
    stage.set("c", "k", "v").await;
    for name in names(folder.path()) {
        let mode = std::fs::metadata(folder.path().join(&name)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    stage.close().await;
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_a_new_one_is_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let garbage = b"this is no database, whatever its name says".repeat(100);
    std::fs::write(folder.path().join("apps.db"), &garbage).expect("written");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    stage.set("c", "k", "v").await;
    assert_eq!(stage.text("c", "k").await.as_deref(), Some("v"));
    stage.close().await;
    let aside = names(folder.path()).into_iter().find(|name| name.starts_with("replaced-")).expect("kept");
    assert_eq!(std::fs::read(folder.path().join(aside)).expect("it is there"), garbage);
}

#[tokio::test]
async fn a_value_that_changed_on_disk_is_a_miss() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    stage.set("c", "k", "value").await;
    stage.set("c", "other", "value").await;
    let db = rusqlite::Connection::open(folder.path().join("apps.db")).expect("it opens");
    db.execute("UPDATE entry SET value = CAST('VALUE' AS BLOB) WHERE key = CAST('k' AS BLOB)", []).expect("changed");
    assert_eq!(stage.text("c", "k").await, None);
    assert_eq!(stage.text("c", "other").await.as_deref(), Some("value"));
    stage.set("c", "k", "new").await;
    assert_eq!(stage.text("c", "k").await.as_deref(), Some("new"));
    stage.close().await;
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_fails_its_calls_and_works_once_it_can() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("data");
    let caches =
        crate::AppCaches::new(&at, greenroom_config::AppCachesSettings::default(), greenroom_cache::Clock::system());
    let refused = caches.put(&cache("c"), put("k", "v")).await;
    assert_eq!(refused, Err(crate::AppCacheError::Unavailable));
    std::fs::create_dir(&at).expect("made");
    assert!(caches.put(&cache("c"), put("k", "v")).await.is_ok());
    assert!(caches.close().await);
    assert_eq!(caches.put(&cache("c"), put("k", "v")).await, Err(crate::AppCacheError::ShuttingDown));
}

#[tokio::test]
async fn numbers_of_a_damaged_file_fence_in_the_one_that_takes_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    for number in 0..10 {
        stage.set("c", &number.to_string(), "v").await;
    }
    let begun = stage.caches.sequence().await.expect("it works");
    stage.close().await;
    std::fs::write(folder.path().join("apps.db"), b"no database").expect("damaged");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    assert!(stage.caches.sequence().await.expect("it works") > begun, "numbers go on");
    stage.caches.pop(&cache("c"), &key("k")).await.expect("it works");
    let late = Put { begun: Some(begun), ..put("k", "older") };
    assert_eq!(stage.caches.put(&cache("c"), late).await, Ok(PutResult::Fenced));
    assert_eq!(stage.caches.is_fenced(&cache("c"), key("k"), tags(&[]), begun).await, Ok(true));
    stage.close().await;
}

#[tokio::test]
async fn a_fence_knows_removed_caches_and_numbers_that_were_never_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    stage.set("c", "k", "v").await;
    stage.set("other", "k", "v").await;
    let begun = stage.caches.sequence().await.expect("it works");
    let fenced = async |name: &str, begun: u64| stage.caches.is_fenced(&cache(name), key("k"), tags(&[]), begun).await;
    for name in ["c", "other"] {
        assert_eq!(fenced(name, begun).await, Ok(false));
        assert_eq!(fenced(name, begun + 1000).await, Ok(true), "it is of another file");
    }
    stage.caches.remove(&cache("other")).await.expect("it works");
    assert_eq!(
        stage.caches.put(&cache("other"), Put { begun: Some(begun), ..put("k", "older") }).await,
        Ok(PutResult::Fenced)
    );
    stage.caches.remove(&cache("other")).await.expect("it works");
    assert_eq!(fenced("other", begun).await, Ok(true));
    assert_eq!(fenced("c", begun).await, Ok(false));
    stage.close().await;
}
