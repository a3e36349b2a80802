//! Sizes of entries, and that a cache's size is that of its entries whatever was done with them.

use std::path::Path;

use greenroom_cache::Timestamp;
use greenroom_config::AppCacheSettings;

use super::{Stage, cache, entry, key, put, tags};
use crate::entry::{NewEntry, USUAL_MEDIA_TYPE};
use crate::name::MAX_TAG_BYTES;
use crate::put::{Put, PutResult};
use crate::scope::InvalidationScope;

/// A put with tags and a version.
fn tagged(text: &str, names: &[&str], version: &str) -> Put {
    let entry = NewEntry { tags: tags(names), version: version.to_owned(), ..entry("v") };
    Put { entry, ..put(text, "v") }
}

/// Bytes of the entries of a cache, from their parts as they are in the file.
fn counted(folder: &Path, name: &str) -> u64 {
    let db = rusqlite::Connection::open(folder.join("apps.db")).expect("it opens");
    let sql = "SELECT CAST(key AS TEXT), value, media_type, version, tags FROM entry
        JOIN cache ON cache.id = entry.cache WHERE cache.name = ?1";
    let mut rows = db.prepare(sql).expect("valid");
    let mut rows = rows.query([name]).expect("it works");
    let mut bytes = 0;
    while let Some(row) = rows.next().expect("it works") {
        let text = |column: usize| row.get::<_, Option<String>>(column).expect("text").unwrap_or_default().len();
        let value: Vec<u8> = row.get(1).expect("bytes");
        bytes += text(0) + value.len() + text(2) + text(3) + 2 * text(4) + 100;
    }
    bytes as u64
}

async fn assert_counted(stage: &Stage, folder: &Path, name: &str) {
    // After all that was queued.
    stage.caches.flush(&cache(name), None).await.expect("it works");
    let told = stage.caches.report(&cache(name)).map(|report| report.bytes);
    assert_eq!(told, Some(counted(folder, name)));
}

#[tokio::test]
async fn the_size_of_a_cache_is_that_of_its_entries_whatever_was_done_with_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    let c = cache("c");
    let long = "ü\"\n".repeat(50);
    for number in 0..20 {
        stage.caches.put(&c, tagged(&format!("k{number}"), &["a", &long], "version")).await.expect("stored");
    }
    assert_counted(&stage, folder.path(), "c").await;
    assert!(stage.caches.retag(&c, key("k0"), tags(&["b"])).await.expect("it works"));
    assert!(stage.caches.retag(&c, key("k1"), tags(&["a", "b", "c", &long])).await.expect("it works"));
    assert_counted(&stage, folder.path(), "c").await;
    stage.caches.put(&c, tagged("k2", &[], "")).await.expect("stored");
    let usual = NewEntry { media_type: USUAL_MEDIA_TYPE.into(), ..entry("v") };
    stage.caches.put(&c, Put { entry: usual.clone(), ..put("k4", "") }).await.expect("stored");
    let found = stage.caches.get(&c, &key("k4"), None).await.expect("it works").into_entry();
    assert_eq!(found.map(|found| found.entry), Some(usual));
    stage.caches.pop(&c, &key("k3")).await.expect("it works").expect("there");
    stage.caches.add_integer(&c, key("n"), (1, Some(999)), (None, None)).await.expect("it works");
    stage.caches.add_integer(&c, key("n"), (1, None), (None, None)).await.expect("it works");
    stage.caches.put_later(&c, key("later"), tagged("x", &["a"], "1").entry).await.expect("accepted");
    assert_counted(&stage, folder.path(), "c").await;
    let dead = NewEntry {
        expires_ms: Some(Timestamp::UNIX_EPOCH),
        dies_ms: Some(Timestamp::UNIX_EPOCH),
        ..tagged("x", &[&long], "").entry
    };
    stage.caches.put(&c, Put { entry: dead, ..put("dead", "") }).await.expect("stored");
    stage.sweep().await;
    assert_counted(&stage, folder.path(), "c").await;
    stage.caches.invalidate(&c, InvalidationScope::Tag("b".into())).await.expect("it works");
    assert_counted(&stage, folder.path(), "c").await;
    stage.caches.invalidate(&c, InvalidationScope::Prefix("k1".into())).await.expect("it works");
    assert_counted(&stage, folder.path(), "c").await;
    stage.caches.invalidate(&c, InvalidationScope::Tag("a".into())).await.expect("it works");
    for text in ["k2", "k4"] {
        stage.caches.pop(&c, &key(text)).await.expect("it works");
    }
    stage.caches.pop(&c, &key("n")).await.expect("it works");
    let report = stage.caches.report(&c).expect("there");
    assert_eq!((report.entries, report.bytes), (0, 0));
    stage.close().await;
}

#[tokio::test]
async fn tags_fill_a_cache_like_values() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = AppCacheSettings { max_bytes: 100_000, ..AppCacheSettings::new("small") };
    let stage = Stage::open(folder.path(), vec![small]).await;
    let long = "t".repeat(MAX_TAG_BYTES);
    for number in 0..40 {
        let stored = stage.caches.put(&cache("small"), tagged(&number.to_string(), &[&long], "")).await;
        assert!(matches!(stored, Ok(PutResult::Stored(_))), "{stored:?}");
        assert!(stage.caches.report(&cache("small")).expect("there").bytes <= 100_000);
    }
    assert_counted(&stage, folder.path(), "small").await;
    assert_eq!(stage.keys("small").await.len(), 6, "each has its tag twice");
    stage.close().await;
}

#[tokio::test]
async fn sizes_of_an_older_file_are_counted_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    stage.caches.put(&cache("c"), tagged("k", &["a", "b"], "version")).await.expect("stored");
    stage.set("other", "k", "value").await;
    stage.close().await;
    let db = rusqlite::Connection::open(folder.path().join("apps.db")).expect("it opens");
    db.execute_batch("UPDATE cache SET bytes = 102; PRAGMA user_version = 2;").expect("it was so");
    drop(db);
    let stage = Stage::open(folder.path(), Vec::new()).await;
    for name in ["c", "other"] {
        assert_counted(&stage, folder.path(), name).await;
    }
    stage.close().await;
}
