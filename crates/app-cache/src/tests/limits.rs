//! Limits of a cache.

use std::time::Duration;

use greenroom_config::{AppCacheSettings, AppCachesSettings, EvictionPolicy};

use super::{Stage, cache, entry, key, put};
use crate::batch::{BatchOperation, BatchResult};
use crate::entry::NewEntry;
use crate::error::AppCacheError;
use crate::lookup::EntryLookup;
use crate::put::PutResult;
use crate::scope::InvalidationScope;

#[tokio::test]
async fn a_full_cache_evicts_the_oldest_and_leaves_other_caches_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = AppCacheSettings { max_entries: 3, ..AppCacheSettings::new("small") };
    let light = AppCacheSettings { max_bytes: 1000, ..AppCacheSettings::new("light") };
    let stage = Stage::open(folder.path(), vec![small, light]).await;
    stage.set("other", "a", "v").await;
    for text in ["a", "b", "c", "a", "d"] {
        stage.set("small", text, "v").await;
    }
    let mut left = Vec::new();
    for text in ["a", "b", "c", "d"] {
        left.extend(stage.text("small", text).await.map(|_| text));
    }
    assert_eq!(left, ["a", "c", "d"], "b was stored longest ago");
    assert_eq!(stage.set("light", "big", &"v".repeat(1000)).await, PutResult::TooLarge);
    for number in 0..20 {
        stage.set("light", &number.to_string(), &"v".repeat(150)).await;
        assert!(stage.caches.report(&cache("light")).expect("there").bytes <= 1000);
    }
    assert_eq!(stage.text("other", "a").await.as_deref(), Some("v"));
    stage.close().await;
}

#[tokio::test]
async fn without_eviction_a_full_cache_refuses_until_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let full = AppCacheSettings { max_entries: 1, eviction: EvictionPolicy::Off, ..AppCacheSettings::new("full") };
    let stage = Stage::open(folder.path(), vec![full]).await;
    assert!(matches!(stage.set("full", "a", "1").await, PutResult::Stored(_)));
    assert_eq!(stage.set("full", "b", "1").await, PutResult::Full);
    assert!(matches!(stage.set("full", "a", "2").await, PutResult::Stored(_)), "in its place");
    stage.caches.pop(&cache("full"), &key("a")).await.expect("it works");
    assert!(matches!(stage.set("full", "b", "1").await, PutResult::Stored(_)));
    stage.close().await;
}

#[tokio::test]
async fn large_values_after_many_small_ones_stay_within_the_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    let mixed = AppCacheSettings { max_bytes: 400_000, ..AppCacheSettings::new("mixed") };
    let stage = Stage::open(folder.path(), vec![mixed]).await;
    for first in [0, 1000, 2000] {
        let small = (first..first + 1000).map(|number| BatchOperation::Put(put(&number.to_string(), "v"))).collect();
        stage.caches.batch(&cache("mixed"), small).await.expect("it works");
    }
    for number in 0..10 {
        stage.set("mixed", &format!("large {number}"), &"v".repeat(150_000)).await;
        let bytes = stage.caches.report(&cache("mixed")).expect("there").bytes;
        assert!(bytes <= 800_000, "{bytes} after {number}");
    }
    stage.sweep().await;
    assert!(stage.caches.report(&cache("mixed")).expect("there").bytes <= 400_000);
    stage.close().await;
}

#[tokio::test]
async fn a_sum_that_is_made_counts_towards_the_limits() {
    let folder = tempfile::tempdir().expect("a folder");
    let full = AppCacheSettings { max_entries: 2, eviction: EvictionPolicy::Off, ..AppCacheSettings::new("full") };
    let few = AppCacheSettings { max_entries: 2, ..AppCacheSettings::new("few") };
    let stage = Stage::open(folder.path(), vec![full, few]).await;
    let add = async |name: &str, text: &str| {
        stage.caches.add_integer(&cache(name), key(text), (1, Some(0)), (None, None)).await
    };
    for (name, third) in [("full", Err(AppCacheError::Full)), ("few", Ok(Some(1)))] {
        assert_eq!((add(name, "a").await, add(name, "b").await), (Ok(Some(1)), Ok(Some(1))));
        assert_eq!(add(name, "c").await, third);
        assert_eq!(stage.caches.report(&cache(name)).expect("there").entries, 2);
    }
    assert_eq!(add("full", "a").await, Ok(Some(2)), "one that is there is added to");
    stage.close().await;
}

#[tokio::test]
async fn a_put_that_a_cache_refuses_is_never_answered_as_deferred() {
    let folder = tempfile::tempdir().expect("a folder");
    let full = AppCacheSettings { max_entries: 1, eviction: EvictionPolicy::Off, ..AppCacheSettings::new("full") };
    let light = AppCacheSettings { max_bytes: 500, ..AppCacheSettings::new("light") };
    let stage = Stage::open(folder.path(), vec![full, light]).await;
    assert_eq!(stage.caches.put_later(&cache("full"), key("a"), entry("1")).await, Ok(None));
    assert_eq!(stage.caches.put_later(&cache("full"), key("b"), entry("1")).await, Err(AppCacheError::Full));
    let large = stage.caches.put_later(&cache("light"), key("a"), entry(&"v".repeat(500))).await;
    assert_eq!(large, Err(AppCacheError::ValueTooLong));
    stage.close().await;
}

#[tokio::test]
async fn one_batch_reads_no_more_bytes_than_it_may() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    stage.set("c", "large", &"v".repeat(900)).await;
    for is_deferred in [false, true] {
        if is_deferred {
            stage.caches.put_later(&cache("c"), key("large"), entry(&"v".repeat(900))).await.expect("it works");
        }
        let asked = ["none", "large", "large", "large", "none"].map(|text| BatchOperation::Get(key(text))).to_vec();
        let results = stage.caches.batch(&cache("c"), asked).await.expect("it works");
        let read = results.iter().map(|result| !matches!(result, BatchResult::NotRead)).collect::<Vec<_>>();
        assert_eq!(read, [true, true, true, false, false]);
    }
    stage.close().await;
}

#[tokio::test]
async fn markers_are_pruned_though_each_follows_a_write() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    for number in 0..800 {
        let text = format!("k{number}");
        stage.set("c", &text, "v").await;
        stage.caches.pop(&cache("c"), &key(&text)).await.expect("it works");
    }
    let db = rusqlite::Connection::open(folder.path().join("apps.db")).expect("it opens");
    let markers = db.query_row("SELECT count(*) FROM marker", [], |row| row.get::<_, i64>(0)).expect("a count");
    assert!(markers <= 600, "{markers} of 800 are kept");
    stage.close().await;
}

#[tokio::test]
async fn a_write_queued_behind_the_removal_of_its_cache_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    stage.set("c", "a", "v").await;
    let (name, registry) = (cache("c"), &stage.caches.registry);
    let own = registry.find_cache(&name).expect("there");
    assert_eq!(stage.caches.remove(&name).await, Ok(Some(1)));
    assert!(registry.find_cache(&name).is_none());
    let (late, settings) = (name.clone(), std::sync::Arc::clone(&own.settings));
    let written = registry.write(&own, move |change| crate::store::put(change, &late, &settings, &put("b", "v")));
    assert!(matches!(written.await, Ok((PutResult::Stored(_), 0))));
    assert_eq!(stage.text("c", "b").await.as_deref(), Some("v"));
    stage.close().await;
}

#[tokio::test]
async fn there_are_at_most_as_many_caches_as_may_be_and_removing_one_makes_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::with(folder.path(), AppCachesSettings { max_caches: 2, ..AppCachesSettings::default() }).await;
    stage.set("one", "k", "v").await;
    stage.set("two", "k", "v").await;
    let refused = stage.caches.put(&cache("three"), put("k", "v")).await;
    assert_eq!(refused, Err(AppCacheError::TooManyCaches));
    assert_eq!(stage.text("three", "k").await, None, "a read makes none");
    assert_eq!(stage.caches.remove(&cache("two")).await, Ok(Some(1)));
    assert_eq!(stage.caches.remove(&cache("two")).await, Ok(None));
    stage.set("three", "k", "v").await;
    assert_eq!(stage.caches.reports().iter().map(|cache| cache.name.clone()).collect::<Vec<_>>(), ["one", "three"]);
    stage.close().await;
}

#[tokio::test]
async fn a_value_that_is_too_long_is_refused_before_it_is_stored() {
    let folder = tempfile::tempdir().expect("a folder");
    let short = AppCacheSettings { max_value_bytes: 3, ..AppCacheSettings::new("short") };
    let stage = Stage::open(folder.path(), vec![short]).await;
    assert_eq!(stage.caches.put(&cache("short"), put("k", "long")).await, Err(AppCacheError::ValueTooLong));
    let later = stage.caches.put_later(&cache("short"), key("k"), entry("long")).await;
    assert_eq!(later, Err(AppCacheError::ValueTooLong));
    assert!(matches!(stage.set("short", "k", "").await, PutResult::Stored(_)), "an empty value is one");
    assert_eq!(stage.text("short", "k").await.as_deref(), Some(""));
    stage.close().await;
}

#[tokio::test]
async fn an_entry_is_fresh_then_stale_then_gone_and_another_version_is_a_miss() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    let now_ms = stage.caches.now_ms();
    let times = [
        ("fresh", Some(now_ms + Duration::from_millis(60_000)), Some(now_ms + Duration::from_millis(60_000))),
        ("stale", Some(now_ms - Duration::from_millis(1)), Some(now_ms + Duration::from_millis(60_000))),
        ("dead", Some(now_ms - Duration::from_millis(2)), Some(now_ms - Duration::from_millis(1))),
    ];
    for (text, expires_ms, dies_ms) in times {
        let entry = NewEntry { expires_ms, dies_ms, version: "2".into(), ..entry(text) };
        let put = crate::put::Put { entry, ..put(text, "") };
        stage.caches.put(&cache("c"), put).await.expect("it works");
        let other = stage.caches.get(&cache("c"), &key(text), Some("")).await.expect("it works");
        assert_eq!(other, EntryLookup::Miss, "{text}");
    }
    let state = |found: &EntryLookup| match found {
        EntryLookup::Hit(_) => "fresh",
        EntryLookup::Stale(_) => "stale",
        EntryLookup::Miss => "dead",
    };
    for (text, ..) in times {
        let found = stage.caches.get(&cache("c"), &key(text), Some("2")).await.expect("it works");
        assert_eq!(state(&found), text);
    }
    let counts = stage.caches.report(&cache("c")).expect("there").counts;
    assert_eq!((counts.hits, counts.stale, counts.misses), (1, 1, 4));
    stage.close().await;
}

#[tokio::test]
async fn a_listing_has_every_key_with_the_prefix_once_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    for text in ["b", "a/2", "a/10", "a", "a0", "ä"] {
        stage.set("c", text, "v").await;
        stage.set("d", text, "v").await;
    }
    let mut keys = Vec::new();
    let mut after = None;
    loop {
        let (page, is_more) = stage.caches.list(&cache("c"), "a", after.clone(), 2).await.expect("it works");
        keys.extend(page.iter().map(|entry| entry.key.clone()));
        after = page.last().map(|entry| entry.key.clone());
        if !is_more {
            break;
        }
    }
    assert_eq!(keys, ["a", "a/10", "a/2", "a0"]);
    let (all, _) = stage.caches.list(&cache("c"), "", None, 100).await.expect("it works");
    assert_eq!(all.len(), 6);
    stage.close().await;
}

#[tokio::test]
async fn an_emptied_cache_leaves_no_rows_once_it_is_swept() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    let operations = |from: usize| {
        let put = |number: usize| {
            let entry = NewEntry { tags: super::tags(&["t"]), ..entry("v") };
            crate::batch::BatchOperation::Put(crate::put::Put { entry, ..put(&number.to_string(), "") })
        };
        (from..from + 600).map(put).collect::<Vec<_>>()
    };
    stage.caches.batch(&cache("c"), operations(0)).await.expect("it works");
    stage.caches.batch(&cache("c"), operations(600)).await.expect("it works");
    let done = stage.caches.invalidate(&cache("c"), InvalidationScope::All).await;
    assert_eq!(done.map(|done| done.removed), Ok(1200));
    assert_eq!(stage.caches.report(&cache("c")).expect("there").entries, 0);
    let rows = || {
        let db = rusqlite::Connection::open(folder.path().join("apps.db")).expect("it opens");
        let count = |table: &str| {
            db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).expect("a count")
        };
        count("entry") + count("entry_tag") + count("dropped")
    };
    let swept = async {
        while rows() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), swept).await.expect("it is swept");
    stage.close().await;
}
