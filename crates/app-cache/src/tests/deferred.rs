//! Deferred puts.

use super::{Stage, cache, entry, key};
use crate::entry::EntryTier;
use crate::lookup::EntryLookup;
use crate::scope::InvalidationScope;

#[tokio::test]
async fn a_deferred_put_is_readable_at_once_and_on_disk_after_its_barrier() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    let barrier = stage.caches.put_later(&cache("c"), key("k"), entry("v")).await.expect("it works");
    let found = stage.caches.get(&cache("c"), &key("k"), Some("")).await.expect("it works");
    assert!(matches!(&found, EntryLookup::Hit(found) if found.tier == EntryTier::Memory), "{found:?}");
    assert_eq!(stage.caches.flush(&cache("c"), barrier.as_deref()).await, Ok(true));
    let found = stage.caches.get(&cache("c"), &key("k"), Some("")).await.expect("it works");
    assert!(matches!(&found, EntryLookup::Hit(found) if found.tier == EntryTier::Disk), "{found:?}");
    for unknown in ["", "x", "0-1", &barrier.expect("deferred").replace('-', "-f")] {
        assert_eq!(stage.caches.flush(&cache("c"), Some(unknown)).await, Ok(false), "{unknown}");
    }
    stage.close().await;
}

#[tokio::test]
async fn a_later_write_is_never_undone_by_a_deferred_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    for number in 0..100 {
        let later = stage.caches.put_later(&cache("c"), key("k"), entry("deferred")).await.expect("it works");
        assert!(later.is_some());
        let value = format!("direct {number}");
        stage.set("c", "k", &value).await;
        assert_eq!(stage.text("c", "k").await, Some(value));
        stage.caches.put_later(&cache("c"), key("k"), entry("deferred")).await.expect("it works");
        let done = stage.caches.invalidate(&cache("c"), InvalidationScope::Prefix("k".into())).await;
        assert_eq!(done.map(|done| done.removed), Ok(1));
        assert_eq!(stage.text("c", "k").await, None);
    }
    stage.close().await;
}

#[tokio::test]
async fn the_end_of_the_process_writes_what_is_deferred() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    for number in 0..300 {
        stage.caches.put_later(&cache("c"), key(&format!("k{number}")), entry("v")).await.expect("it works");
    }
    stage.close().await;
    let stage = Stage::open(folder.path(), Vec::new()).await;
    assert_eq!(stage.caches.report(&cache("c")).expect("it is there").entries, 300);
    stage.close().await;
}
