//! Every limit holds, and every rejection is counted.

use super::fixture::{CacheFixture, kind, said};
use crate::CacheStatus::{Hit, Loaded, StaleOnError};
use crate::{CacheDirective, CacheResponse, CacheSettings, CacheStatusReason, LoadErrorKind, NotStoredReason};

fn refusal(outcome: &super::fixture::ReadOutcome) -> Option<NotStoredReason> {
    match outcome {
        Ok(CacheResponse::Cached { reason: Some(CacheStatusReason::NotStored(refusal)), .. }) => Some(*refusal),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_larger_than_an_entry_may_be_is_answered_but_not_kept() {
    let stage = CacheFixture::with(CacheSettings { max_entry_bytes: 10_000, ..CacheSettings::default() });
    stage.source.weighs("/a", 10_001);
    assert_eq!(refusal(&stage.read("/a").await), Some(NotStoredReason::TooLarge));
    assert_eq!(stage.cache.stats().bytes, 0);
    assert_eq!(stage.class().not_stored_for(NotStoredReason::TooLarge), 1);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_value_with_too_many_tags_is_answered_but_not_kept() {
    let stage = CacheFixture::with(CacheSettings { max_tags: 2, ..CacheSettings::default() });
    stage.source.tags("/a", &["1", "2", "3"]);
    assert_eq!(refusal(&stage.read("/a").await), Some(NotStoredReason::TooManyTags));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_value_without_a_lifetime_is_answered_but_not_kept() {
    let mut stage = CacheFixture::new();
    let none = std::time::Duration::ZERO;
    stage.policy = crate::Policy { fresh: none, stale: none, stale_on_error: none, ..stage.policy };
    assert_eq!(refusal(&stage.read("/a").await), Some(NotStoredReason::NoLifetime));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn the_tier_never_holds_more_than_it_may() {
    let stage = CacheFixture::with(CacheSettings { max_bytes: 1_000_000, ..CacheSettings::default() });
    for item in 0..500 {
        let text = format!("/{item}");
        stage.source.weighs(&text, 5_000);
        stage.read(&text).await.unwrap();
        assert!(stage.cache.stats().bytes <= 1_000_000);
    }
    let (stats, class) = (stage.cache.stats(), stage.class());
    assert!(stats.bytes > 700_000, "{stats:?}");
    assert_eq!((class.bytes, class.entries), (stats.bytes, stats.entries), "the books are right");
    assert_eq!(class.entries + class.evictions, 500);
    stage.strike(500).await;
}

#[tokio::test(start_paused = true)]
async fn a_partition_makes_room_for_itself_and_leaves_the_others_alone() {
    let settings = CacheSettings { max_bytes: 10_000_000, max_partition_bytes: 100_000, ..CacheSettings::default() };
    let stage = CacheFixture::with(settings);
    let his = CacheFixture::key_of("bert", "/his");
    stage.ask(&his, CacheDirective::Any).await.unwrap();
    let kept = |item: usize| stage.cache.peek(&CacheFixture::key(&format!("/{item}"))).is_some();
    for item in 0..100 {
        let text = format!("/{item}");
        stage.source.weighs(&text, 5_000);
        stage.read(&text).await.unwrap();
        assert_eq!(said(&stage.read("/0").await).0, Hit, "what is read again and again stays");
    }
    assert!(stage.cache.stats().bytes <= 105_000);
    assert!(kept(99) && kept(98) && !kept(10) && !kept(50));
    assert_eq!(said(&stage.ask(&his, CacheDirective::Any).await).0, Hit);
    stage.source.weighs("/huge", 100_000);
    assert_eq!(refusal(&stage.read("/huge").await), Some(NotStoredReason::PartitionFull));
    stage.strike(102).await;
}

#[tokio::test(start_paused = true)]
async fn too_many_loads_are_refused_and_an_old_value_stands_in() {
    let stage = CacheFixture::with(CacheSettings { max_flights: 2, ..CacheSettings::default() });
    stage.read("/old").await.unwrap();
    stage.pass_s(150).await;
    stage.source.takes("/a", 500);
    stage.source.takes("/b", 500);
    let (one, two) = (stage.reader("/a").await, stage.reader("/b").await);
    assert_eq!(kind(&stage.read("/c").await), LoadErrorKind::Overloaded);
    assert_eq!(said(&stage.read("/old").await).0, StaleOnError);
    assert_eq!(stage.cache.stats().flights_refused, 2);
    one.await.unwrap().unwrap();
    two.await.unwrap().unwrap();
    assert_eq!(said(&stage.read("/c").await).0, Loaded);
    stage.strike(4).await;
}

#[tokio::test(start_paused = true)]
async fn too_many_waiters_are_turned_away() {
    let stage = CacheFixture::with(CacheSettings { max_waiters: 2, ..CacheSettings::default() });
    stage.source.takes("/a", 500);
    let starter = stage.reader("/a").await;
    let follower = stage.reader("/a").await;
    assert_eq!(kind(&stage.read("/a").await), LoadErrorKind::Overloaded);
    follower.abort();
    super::fixture::settle().await;
    let next = stage.reader("/a").await;
    assert_eq!(said(&next.await.unwrap()).0, crate::CacheStatus::Joined, "a place was free again");
    assert_eq!(said(&starter.await.unwrap()).0, Loaded);
    assert_eq!(stage.cache.stats().waiters_refused, 1);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_of_failures_is_bounded() {
    let stage = CacheFixture::with(CacheSettings { max_negative_bytes: 50_000, ..CacheSettings::default() });
    for item in 0..1000 {
        let text = format!("/{item}");
        stage.source.says(&text, super::fixture::LoadScript::Fail(LoadErrorKind::Denied));
        stage.read(&text).await.unwrap_err();
    }
    for item in 0..1000 {
        stage.read(&format!("/{item}")).await.unwrap_err();
    }
    let again = stage.source.asked() - 1000;
    assert!((850..1000).contains(&again), "{again} of 1000 were forgotten");
    let asked = stage.source.asked();
    stage.strike(asked).await;
}

#[tokio::test(start_paused = true)]
async fn what_had_to_make_room_while_it_was_fresh_and_is_asked_for_again_is_counted_once() {
    let settings = CacheSettings { max_bytes: 10_000_000, max_partition_bytes: 30_000, ..CacheSettings::default() };
    let stage = CacheFixture::with(settings);
    for item in 0..20 {
        let text = format!("/{item}");
        stage.source.weighs(&text, 5_000);
        stage.read(&text).await.unwrap();
    }
    assert_eq!(stage.class().eviction_misses, 0, "nothing was asked for twice");
    stage.read("/0").await.unwrap();
    assert_eq!(stage.class().eviction_misses, 1);
    stage.read("/0").await.unwrap();
    assert_eq!(stage.class().eviction_misses, 1, "it is there again");
    stage.strike(21).await;
}
