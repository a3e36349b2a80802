//! Every limit holds, and every rejection is counted.

use super::fixture::{CacheFixture, kind, status_and_text};
use crate::CacheStatus::{Hit, Loaded, StaleOnError};
use crate::{CacheDirective, CacheResponse, CacheSettings, CacheStatusReason, LoadErrorKind, NotStoredReason};

fn refusal(outcome: &super::fixture::ReadOutcome) -> Option<NotStoredReason> {
    match outcome {
        Ok(CacheResponse::Cached { reason: Some(CacheStatusReason::NotStored(refusal)), .. }) => Some(*refusal),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_above_the_entry_limit_is_served_but_not_stored() {
    let fixture = CacheFixture::with(CacheSettings { max_entry_bytes: 10_000, ..CacheSettings::default() });
    fixture.source.set_body_bytes("/a", 10_001);
    assert_eq!(refusal(&fixture.read("/a").await), Some(NotStoredReason::TooLarge));
    assert_eq!(fixture.cache.stats().bytes, 0);
    assert_eq!(fixture.class().not_stored_for(NotStoredReason::TooLarge), 1);
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_value_with_too_many_tags_is_served_but_not_stored() {
    let fixture = CacheFixture::with(CacheSettings { max_tags: 2, ..CacheSettings::default() });
    fixture.source.tags("/a", &["1", "2", "3"]);
    assert_eq!(refusal(&fixture.read("/a").await), Some(NotStoredReason::TooManyTags));
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_value_without_a_lifetime_is_served_but_not_stored() {
    let mut fixture = CacheFixture::new();
    let none = std::time::Duration::ZERO;
    fixture.policy = crate::Policy { fresh: none, stale: none, stale_on_error: none, ..fixture.policy };
    assert_eq!(refusal(&fixture.read("/a").await), Some(NotStoredReason::NoLifetime));
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn the_tier_stays_within_its_limit() {
    let fixture = CacheFixture::with(CacheSettings { max_bytes: 1_000_000, ..CacheSettings::default() });
    for item in 0..500 {
        let text = format!("/{item}");
        fixture.source.set_body_bytes(&text, 5_000);
        fixture.read(&text).await.unwrap();
        assert!(fixture.cache.stats().bytes <= 1_000_000);
    }
    let (stats, class) = (fixture.cache.stats(), fixture.class());
    assert!(stats.bytes > 700_000, "{stats:?}");
    assert_eq!((class.bytes, class.entries), (stats.bytes, stats.entries), "the books are right");
    assert_eq!(class.entries + class.evictions, 500);
    fixture.finish(500).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_partition_evicts_its_own_entries_only() {
    let settings = CacheSettings { max_bytes: 10_000_000, max_partition_bytes: 100_000, ..CacheSettings::default() };
    let fixture = CacheFixture::with(settings);
    let berts = CacheFixture::key_of("bert", "/his");
    fixture.read_with(&berts, CacheDirective::Any).await.unwrap();
    let is_cached = |item: usize| fixture.cache.peek(&CacheFixture::key(&format!("/{item}"))).is_some();
    for item in 0..100 {
        let text = format!("/{item}");
        fixture.source.set_body_bytes(&text, 5_000);
        fixture.read(&text).await.unwrap();
        assert_eq!(status_and_text(&fixture.read("/0").await).0, Hit, "what is read again and again stays");
    }
    assert!(fixture.cache.stats().bytes <= 105_000);
    assert!(is_cached(99) && is_cached(98) && !is_cached(10) && !is_cached(50));
    assert_eq!(status_and_text(&fixture.read_with(&berts, CacheDirective::Any).await).0, Hit);
    fixture.source.set_body_bytes("/huge", 100_000);
    assert_eq!(refusal(&fixture.read("/huge").await), Some(NotStoredReason::PartitionFull));
    fixture.finish(102).await;
}

#[tokio::test(start_paused = true)]
async fn too_many_loads_are_refused_and_an_old_entry_is_served() {
    let fixture = CacheFixture::with(CacheSettings { max_flights: 2, ..CacheSettings::default() });
    fixture.read("/old").await.unwrap();
    fixture.advance_s(150).await;
    fixture.source.set_duration("/a", 500);
    fixture.source.set_duration("/b", 500);
    let (one, two) = (fixture.reader("/a").await, fixture.reader("/b").await);
    assert_eq!(kind(&fixture.read("/c").await), LoadErrorKind::Overloaded);
    assert_eq!(status_and_text(&fixture.read("/old").await).0, StaleOnError);
    assert_eq!(fixture.cache.stats().flights_refused, 2);
    one.await.unwrap().unwrap();
    two.await.unwrap().unwrap();
    assert_eq!(status_and_text(&fixture.read("/c").await).0, Loaded);
    fixture.finish(4).await;
}

#[tokio::test(start_paused = true)]
async fn too_many_waiters_are_refused() {
    let fixture = CacheFixture::with(CacheSettings { max_waiters: 2, ..CacheSettings::default() });
    fixture.source.set_duration("/a", 500);
    let starting_caller = fixture.reader("/a").await;
    let follower = fixture.reader("/a").await;
    assert_eq!(kind(&fixture.read("/a").await), LoadErrorKind::Overloaded);
    follower.abort();
    super::fixture::settle().await;
    let next = fixture.reader("/a").await;
    assert_eq!(status_and_text(&next.await.unwrap()).0, crate::CacheStatus::Joined, "a place was free again");
    assert_eq!(status_and_text(&starting_caller.await.unwrap()).0, Loaded);
    assert_eq!(fixture.cache.stats().waiters_refused, 1);
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn the_negative_cache_is_bounded() {
    let fixture = CacheFixture::with(CacheSettings { max_negative_bytes: 50_000, ..CacheSettings::default() });
    for item in 0..1000 {
        let text = format!("/{item}");
        fixture.source.set_response(&text, super::fixture::LoadScript::Fail(LoadErrorKind::Denied));
        fixture.read(&text).await.unwrap_err();
    }
    for item in 0..1000 {
        fixture.read(&format!("/{item}")).await.unwrap_err();
    }
    let again = fixture.source.load_count() - 1000;
    assert!((850..1000).contains(&again), "{again} of 1000 were forgotten");
    let loads = fixture.source.load_count();
    fixture.finish(loads).await;
}

#[tokio::test(start_paused = true)]
async fn a_miss_after_evicting_a_fresh_entry_is_counted_once() {
    let settings = CacheSettings { max_bytes: 10_000_000, max_partition_bytes: 30_000, ..CacheSettings::default() };
    let fixture = CacheFixture::with(settings);
    for item in 0..20 {
        let text = format!("/{item}");
        fixture.source.set_body_bytes(&text, 5_000);
        fixture.read(&text).await.unwrap();
    }
    assert_eq!(fixture.class().eviction_misses, 0, "nothing was asked for twice");
    fixture.read("/0").await.unwrap();
    assert_eq!(fixture.class().eviction_misses, 1);
    fixture.read("/0").await.unwrap();
    assert_eq!(fixture.class().eviction_misses, 1, "it is there again");
    fixture.finish(21).await;
}
