//! Invalidations of more rows than one transaction removes.

use super::{Stage, cache, entry, key, put, request, tags};
use crate::error::AppCacheError;
use crate::lease::LeaseResult;
use crate::put::{Put, PutCondition, PutResult};
use crate::scope::InvalidationScope;
use crate::store::{MAX_REMOVALS, ROWS_PER_REMOVAL};
use std::time::Duration;

/// Entries that take several transactions.
const MANY: usize = ROWS_PER_REMOVAL * 3 + 1;

fn prefix(text: &str) -> InvalidationScope {
    InvalidationScope::Prefix(text.into())
}

fn tag(text: &str) -> InvalidationScope {
    InvalidationScope::Tag(text.into())
}

async fn tagged(stage: &Stage, text: &str, names: &[&str]) {
    let entry = crate::entry::NewEntry { tags: tags(names), ..entry(text) };
    let put = Put { key: key(text), entry, condition: PutCondition::Always, begun: None, lease: None };
    stage.caches.put(&cache("c"), put).await.expect("it works");
}

async fn many(stage: &Stage, start: &str) {
    for number in 0..MANY {
        tagged(stage, &format!("{start}{number:03}"), &["t"]).await;
    }
}

#[tokio::test]
async fn a_large_invalidation_counts_all_that_it_removed_in_several_transactions() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    for scope in [prefix("a/"), tag("t")] {
        many(&stage, "a/").await;
        stage.set("c", "b", "other").await;
        let done = stage.caches.invalidate(&cache("c"), scope).await.expect("it works");
        assert_eq!((done.removed, done.is_finished), (MANY as u64, true));
        assert_eq!(stage.keys("c").await, ["b"]);
        assert_eq!(stage.caches.report(&cache("c")).map(|report| report.entries), Some(1));
    }
    stage.close().await;
}

#[tokio::test]
async fn a_sweep_between_two_transactions_of_an_invalidation_takes_nothing_of_its_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    let name = cache("c");
    for scope in [prefix("a/"), tag("t")] {
        many(&stage, "a/").await;
        // The sweep is queued right behind the first transaction of the call.
        let (done, ()) = tokio::join!(stage.caches.invalidate(&name, scope), stage.sweep());
        let done = done.expect("it works");
        assert_eq!((done.removed, done.is_finished), (MANY as u64, true));
    }
    stage.close().await;
}

#[tokio::test]
async fn what_was_invalidated_is_in_no_answer_after_a_kill_between_two_transactions() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    for scope in [prefix("a/"), tag("t")] {
        many(&stage, "a/").await;
        let begun = stage.begin_invalidation("c", scope).await.expect("it works");
        assert_eq!(begun.removed, ROWS_PER_REMOVAL as u64);
        let (name, at) = (cache("c"), |number: usize| format!("a/{:03}", MANY - number));
        let last = at(1);
        assert_eq!(stage.text("c", &last).await, None);
        assert!(stage.keys("c").await.is_empty());
        assert_eq!(stage.caches.touch(&name, key(&last), (None, None)).await, Ok(false));
        assert_eq!(stage.caches.retag(&name, key(&last), tags(&["u"])).await, Ok(false));
        assert_eq!(stage.caches.pop(&name, &key(&at(2))).await, Ok(None));
        let conditional = |condition| Put { condition, ..put(&at(3), "again") };
        let present = stage.caches.put(&name, conditional(PutCondition::Present)).await;
        assert_eq!(present, Ok(PutResult::ConditionFailed));
        let absent = stage.caches.put(&name, conditional(PutCondition::Absent)).await.expect("it works");
        assert!(matches!(absent, PutResult::Stored(_)));
        let lease = stage.caches.acquire(&name, &request(&last, 1), Duration::ZERO).await.expect("it works");
        assert!(matches!(lease, LeaseResult::Held { .. }), "{lease:?}");
        assert_eq!(stage.keys("c").await, [at(3)]);
        stage.sweep().await;
        assert_eq!(stage.keys("c").await, [at(3)], "what was stored since remains");
        assert_eq!(stage.caches.report(&name).map(|report| report.entries), Some(1));
        stage.caches.invalidate(&name, InvalidationScope::All).await.expect("it works");
    }
    stage.close().await;
}

#[tokio::test]
async fn a_row_that_an_unfinished_invalidation_hides_overtakes_no_load() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    let name = cache("c");
    for is_finished in [false, true] {
        let begun = stage.caches.sequence().await.expect("it works");
        many(&stage, "a/").await;
        stage.begin_invalidation("c", tag("t")).await.expect("it works");
        if is_finished {
            stage.sweep().await;
        }
        let last = format!("a/{:03}", MANY - 1);
        let loaded = Put { begun: Some(begun), ..put(&last, "loaded") };
        let stored = stage.caches.put(&name, loaded).await.expect("it works");
        assert!(matches!(stored, PutResult::Stored(_)), "{stored:?} after a finished removal: {is_finished}");
        stage.caches.invalidate(&name, InvalidationScope::All).await.expect("it works");
    }
    stage.close().await;
}

#[tokio::test]
async fn a_removal_goes_on_in_the_next_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    many(&stage, "a/").await;
    stage.begin_invalidation("c", prefix("a/")).await.expect("it works");
    stage.close().await;
    let stage = Stage::open(folder.path(), Vec::new()).await;
    assert!(stage.keys("c").await.is_empty());
    stage.sweep().await;
    assert_eq!(stage.caches.report(&cache("c")).map(|report| (report.entries, report.bytes)), Some((0, 0)));
    stage.close().await;
}

#[tokio::test]
async fn an_entry_that_gets_a_tag_after_its_invalidation_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    many(&stage, "a/").await;
    tagged(&stage, "z", &["u"]).await;
    stage.begin_invalidation("c", tag("t")).await.expect("it works");
    assert_eq!(stage.caches.retag(&cache("c"), key("z"), tags(&["t"])).await, Ok(true));
    assert_eq!(stage.keys("c").await, ["z"]);
    stage.sweep().await;
    assert_eq!(stage.text("c", "z").await.as_deref(), Some("z"));
    stage.close().await;
}

#[tokio::test]
async fn of_too_many_unfinished_removals_a_large_one_is_refused_and_a_small_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    for number in 0..=MAX_REMOVALS {
        many(&stage, &format!("{number:02}/")).await;
    }
    for number in 0..MAX_REMOVALS {
        stage.begin_invalidation("c", prefix(&format!("{number:02}/"))).await.expect("there is room");
    }
    let last = format!("{MAX_REMOVALS:02}/");
    assert_eq!(stage.begin_invalidation("c", prefix(&last)).await, Err(AppCacheError::Busy));
    assert_eq!(stage.keys("c").await.len(), MANY, "a refused invalidation changes nothing");
    let small = stage.begin_invalidation("c", prefix(&format!("{last}000"))).await.expect("it is small");
    assert_eq!(small.removed, 1);
    stage.sweep().await;
    assert!(stage.begin_invalidation("c", prefix(&last)).await.is_ok());
    stage.close().await;
}

#[tokio::test]
async fn a_file_of_the_first_format_keeps_its_entries() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    stage.set("c", "k", "v").await;
    stage.close().await;
    let db = rusqlite::Connection::open(folder.path().join("apps.db")).expect("it opens");
    db.execute_batch("DROP TABLE removal; PRAGMA user_version = 1;").expect("it was so");
    drop(db);
    let stage = Stage::open(folder.path(), Vec::new()).await;
    assert_eq!(stage.text("c", "k").await.as_deref(), Some("v"));
    stage.close().await;
}
