//! Prefetch: loads only what is missing, needs no caller, and is counted by its use.

use super::fixture::{CacheFixture, LoadScript, POLICY, ScriptedLoader, kind, said, settle};
use crate::CacheStatus::{Hit, Joined};
use crate::{CacheDirective, CacheSettings, LoadError, LoadErrorKind, LoadReason, PrefetchResult};

async fn load(stage: &CacheFixture, text: &str) -> Result<PrefetchResult<String>, LoadError> {
    let key = CacheFixture::key(text);
    stage.cache.prefetch(&key, &stage.policy, || ScriptedLoader::new(stage, &key)).await
}

#[tokio::test(start_paused = true)]
async fn what_was_loaded_ahead_is_a_hit_and_useful_once_it_is_read() {
    let stage = CacheFixture::new();
    assert!(!stage.cache.is_cached(&CacheFixture::key("/a"), &POLICY).await);
    assert!(matches!(load(&stage, "/a").await, Ok(PrefetchResult::Loaded(_))));
    assert!(stage.cache.is_cached(&CacheFixture::key("/a"), &POLICY).await);
    let class = stage.class();
    assert_eq!((class.prefetch_loads, class.prefetch_useful, class.requests()), (1, 0, 0), "nobody asked");
    for _ in 0..3 {
        assert_eq!(said(&stage.read("/a").await), (Hit, "anna v0".into()));
    }
    let class = stage.class();
    assert_eq!((class.prefetch_loads, class.prefetch_useful, class.prefetch_useless), (1, 1, 0));
    assert_eq!((class.hits, class.misses_total()), (3, 0));
    assert_eq!(stage.source.reasons("/a"), [LoadReason::Prefetch]);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_read_would_find_is_not_loaded_ahead_and_what_it_would_not_is() {
    let stage = CacheFixture::new();
    stage.source.tags("/a", &["t"]);
    stage.read("/a").await.unwrap();
    assert!(matches!(load(&stage, "/a").await, Ok(PrefetchResult::AlreadyCached)), "fresh");
    stage.pass_s(120).await;
    assert!(matches!(load(&stage, "/a").await, Ok(PrefetchResult::AlreadyCached)), "stale is answered at once as well");
    stage.pass_s(60).await;
    assert!(matches!(load(&stage, "/a").await, Ok(PrefetchResult::Loaded(_))), "expired");
    stage.mark_tag("t");
    assert!(matches!(load(&stage, "/a").await, Ok(PrefetchResult::Loaded(_))), "invalidated");
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn what_nobody_read_is_useless_once_it_is_gone() {
    let stage = CacheFixture::with(CacheSettings { max_partition_bytes: 4096, ..CacheSettings::default() });
    for index in 0..8 {
        stage.source.weighs(&format!("/{index}"), 1500);
        load(&stage, &format!("/{index}")).await.unwrap();
    }
    stage.read("/7").await.unwrap();
    let class = stage.class();
    assert_eq!((class.prefetch_loads, class.prefetch_useful), (8, 1));
    assert!(class.prefetch_useless >= 5, "{} had to make room", class.prefetch_useless);
    stage.strike(8).await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_meanwhile_joins_and_that_is_a_read() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 500);
    let other = stage.clone();
    let ahead = stage.tasks.spawn(async move { load(&other, "/a").await });
    settle().await;
    assert!(matches!(load(&stage, "/a").await, Ok(PrefetchResult::InFlight)), "it is not loaded twice");
    let reader = stage.reader("/a").await;
    stage.pass(500).await;
    assert_eq!(said(&reader.await.unwrap()), (Joined, "anna v0".into()));
    assert!(matches!(ahead.await, Ok(Ok(PrefetchResult::Loaded(_)))));
    assert_eq!(stage.class().prefetch_useful, 1);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_and_replaces_nothing() {
    let stage = CacheFixture::new();
    stage.source.tags("/a", &["t"]);
    stage.read("/a").await.unwrap();
    stage.mark_tag("t");
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::ServerError));
    let failed = load(&stage, "/a").await.expect_err("the source failed");
    assert_eq!(failed.kind, LoadErrorKind::ServerError);
    assert!(matches!(load(&stage, "/a").await, Ok(PrefetchResult::Skipped)), "not tried again at once");
    let answer = stage.read("/a").await;
    assert_eq!(said(&answer).1, "anna v0");
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_for_keeping_is_told_and_not_loaded_ahead_again() {
    let stage = CacheFixture::new();
    stage.source.says("/a", LoadScript::Pass);
    assert!(matches!(load(&stage, "/a").await, Ok(PrefetchResult::Passed(_))));
    assert!(matches!(load(&stage, "/a").await, Ok(PrefetchResult::Skipped)));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_ahead_never_shows_after_an_invalidation() {
    let stage = CacheFixture::new();
    stage.source.tags("/a", &["t"]);
    stage.source.takes("/a", 500);
    let other = stage.clone();
    let ahead = stage.tasks.spawn(async move { load(&other, "/a").await });
    settle().await;
    stage.source.write("/a");
    stage.mark_tag("t");
    stage.pass(500).await;
    drop(ahead.await);
    assert!(!stage.cache.is_cached(&CacheFixture::key("/a"), &POLICY).await, "it began before the write");
    assert_eq!(said(&stage.read("/a").await).1, "anna v1");
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn who_was_given_it_by_another_way_has_read_it() {
    let stage = CacheFixture::new();
    load(&stage, "/a").await.unwrap();
    stage.cache.record_read(&CacheFixture::key("/b"));
    assert_eq!(stage.class().prefetch_useful, 0);
    stage.cache.record_read(&CacheFixture::key("/a"));
    stage.cache.record_read(&CacheFixture::key("/a"));
    assert_eq!((stage.class().prefetch_useful, stage.class().hits), (1, 0));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_of_ones_own_is_joined_by_nobody() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 500);
    let (other, key) = (stage.clone(), CacheFixture::key("/a"));
    let ahead = stage.tasks.spawn(async move {
        let key = CacheFixture::key("/a");
        other.cache.prefetch_unshared(&key, &POLICY, || ScriptedLoader::new(&other, &key)).await
    });
    settle().await;
    let asked = stage.ask(&key, CacheDirective::OnlyIfCached).await;
    assert_eq!(kind(&asked), LoadErrorKind::NotCached);
    let reader = stage.reader("/a").await;
    stage.pass(500).await;
    reader.await.unwrap().unwrap();
    assert!(matches!(ahead.await, Ok(Ok(PrefetchResult::Loaded(_)))));
    stage.strike(2).await;
}
