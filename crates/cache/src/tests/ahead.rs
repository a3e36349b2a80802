//! Prefetch: loads only what is missing, needs no caller, and is counted by its use.

use super::fixture::{CacheFixture, LoadScript, POLICY, ScriptedLoader, kind, settle, status_and_text};
use crate::CacheStatus::{Hit, Joined};
use crate::{CacheDirective, CacheSettings, LoadError, LoadErrorKind, LoadReason, PrefetchResult};

async fn load(fixture: &CacheFixture, text: &str) -> Result<PrefetchResult<String>, LoadError> {
    let key = CacheFixture::key(text);
    fixture.cache.prefetch(&key, &fixture.policy, || ScriptedLoader::new(fixture, &key)).await
}

#[tokio::test(start_paused = true)]
async fn a_prefetched_entry_is_a_hit_and_useful_once_read() {
    let fixture = CacheFixture::new();
    assert!(!fixture.cache.is_cached(&CacheFixture::key("/a"), &POLICY).await);
    assert!(matches!(load(&fixture, "/a").await, Ok(PrefetchResult::Loaded(_))));
    assert!(fixture.cache.is_cached(&CacheFixture::key("/a"), &POLICY).await);
    let class = fixture.class();
    assert_eq!((class.prefetch_loads, class.prefetch_useful, class.requests()), (1, 0, 0), "no client asked");
    for _ in 0..3 {
        assert_eq!(status_and_text(&fixture.read("/a").await), (Hit, "anna v0".into()));
    }
    let class = fixture.class();
    assert_eq!((class.prefetch_loads, class.prefetch_useful, class.prefetch_useless), (1, 1, 0));
    assert_eq!((class.hits, class.misses_total()), (3, 0));
    assert_eq!(fixture.source.reasons("/a"), [LoadReason::Prefetch]);
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_usable_entry_is_not_prefetched_and_any_other_is() {
    let fixture = CacheFixture::new();
    fixture.source.tags("/a", &["t"]);
    fixture.read("/a").await.unwrap();
    assert!(matches!(load(&fixture, "/a").await, Ok(PrefetchResult::AlreadyCached)), "fresh");
    fixture.advance_s(120).await;
    assert!(
        matches!(load(&fixture, "/a").await, Ok(PrefetchResult::AlreadyCached)),
        "stale is answered at once as well"
    );
    fixture.advance_s(60).await;
    assert!(matches!(load(&fixture, "/a").await, Ok(PrefetchResult::Loaded(_))), "expired");
    fixture.mark_tag("t");
    assert!(matches!(load(&fixture, "/a").await, Ok(PrefetchResult::Loaded(_))), "invalidated");
    fixture.finish(3).await;
}

#[tokio::test(start_paused = true)]
async fn an_unread_prefetch_counts_as_useless_once_it_is_evicted() {
    let fixture = CacheFixture::with(CacheSettings { max_partition_bytes: 4096, ..CacheSettings::default() });
    for index in 0..8 {
        fixture.source.set_body_bytes(&format!("/{index}"), 1500);
        load(&fixture, &format!("/{index}")).await.unwrap();
    }
    fixture.read("/7").await.unwrap();
    let class = fixture.class();
    assert_eq!((class.prefetch_loads, class.prefetch_useful), (8, 1));
    assert!(class.prefetch_useless >= 5, "{} had to make room", class.prefetch_useless);
    fixture.finish(8).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_joins_a_prefetch_counts_as_a_read() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 500);
    let other = fixture.clone();
    let ahead = fixture.tasks.spawn(async move { load(&other, "/a").await });
    settle().await;
    assert!(matches!(load(&fixture, "/a").await, Ok(PrefetchResult::InFlight)), "it is not loaded twice");
    let reader = fixture.reader("/a").await;
    fixture.advance(500).await;
    assert_eq!(status_and_text(&reader.await.unwrap()), (Joined, "anna v0".into()));
    assert!(matches!(ahead.await, Ok(Ok(PrefetchResult::Loaded(_)))));
    assert_eq!(fixture.class().prefetch_useful, 1);
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_prefetch_is_reported_and_replaces_nothing() {
    let fixture = CacheFixture::new();
    fixture.source.tags("/a", &["t"]);
    fixture.read("/a").await.unwrap();
    fixture.mark_tag("t");
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::ServerError));
    let failed = load(&fixture, "/a").await.expect_err("the source failed");
    assert_eq!(failed.kind, LoadErrorKind::ServerError);
    assert!(matches!(load(&fixture, "/a").await, Ok(PrefetchResult::Skipped)), "not tried again at once");
    let response = fixture.read("/a").await;
    assert_eq!(status_and_text(&response).1, "anna v0");
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_uncacheable_prefetch_is_reported_and_not_repeated() {
    let fixture = CacheFixture::new();
    fixture.source.set_response("/a", LoadScript::Pass);
    assert!(matches!(load(&fixture, "/a").await, Ok(PrefetchResult::Passed(_))));
    assert!(matches!(load(&fixture, "/a").await, Ok(PrefetchResult::Skipped)));
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_prefetched_value_is_not_served_after_an_invalidation() {
    let fixture = CacheFixture::new();
    fixture.source.tags("/a", &["t"]);
    fixture.source.set_duration("/a", 500);
    let other = fixture.clone();
    let ahead = fixture.tasks.spawn(async move { load(&other, "/a").await });
    settle().await;
    fixture.source.write("/a");
    fixture.mark_tag("t");
    fixture.advance(500).await;
    drop(ahead.await);
    assert!(!fixture.cache.is_cached(&CacheFixture::key("/a"), &POLICY).await, "it began before the write");
    assert_eq!(status_and_text(&fixture.read("/a").await).1, "anna v1");
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_read_recorded_by_the_caller_makes_a_prefetch_useful() {
    let fixture = CacheFixture::new();
    load(&fixture, "/a").await.unwrap();
    fixture.cache.record_read(&CacheFixture::key("/b"));
    assert_eq!(fixture.class().prefetch_useful, 0);
    fixture.cache.record_read(&CacheFixture::key("/a"));
    fixture.cache.record_read(&CacheFixture::key("/a"));
    assert_eq!((fixture.class().prefetch_useful, fixture.class().hits), (1, 0));
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn an_unshared_load_cannot_be_joined() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 500);
    let (other, key) = (fixture.clone(), CacheFixture::key("/a"));
    let ahead = fixture.tasks.spawn(async move {
        let key = CacheFixture::key("/a");
        other.cache.prefetch_unshared(&key, &POLICY, || ScriptedLoader::new(&other, &key)).await
    });
    settle().await;
    let outcome = fixture.read_with(&key, CacheDirective::OnlyIfCached).await;
    assert_eq!(kind(&outcome), LoadErrorKind::NotCached);
    let reader = fixture.reader("/a").await;
    fixture.advance(500).await;
    reader.await.unwrap().unwrap();
    assert!(matches!(ahead.await, Ok(Ok(PrefetchResult::Loaded(_)))));
    fixture.finish(2).await;
}
