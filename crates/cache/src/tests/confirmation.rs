//! Confirmation: an entry from before a gap is not served until a load confirms or replaces it; a confirmed entry is as
//! new as the check, and an invalidated one is never confirmed.

use super::fixture::{CacheFixture, LoadScript, status_and_text};
use crate::{CacheResponse, CacheStatus, CacheStatusReason, LoadErrorKind, LoadReason};
use std::time::Duration;

/// A cached value, and a gap after it.
async fn after_a_gap() -> CacheFixture {
    let mut fixture = CacheFixture::new();
    fixture.source.tags("/a", &["t"]);
    fixture.read("/a").await.unwrap();
    fixture.advance_s(1).await;
    fixture.open_gap();
    fixture
}

fn reason(outcome: &super::fixture::ReadOutcome) -> Option<CacheStatusReason> {
    match outcome {
        Ok(CacheResponse::Cached { reason, .. }) => *reason,
        other => panic!("no value: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_from_before_a_gap_is_loaded_and_the_reason_says_so() {
    let fixture = after_a_gap().await;
    fixture.source.write("/a");
    let outcome = fixture.read("/a").await;
    assert_eq!(status_and_text(&outcome), (CacheStatus::Refreshed, "anna v1".into()));
    assert_eq!(reason(&outcome), Some(CacheStatusReason::Unconfirmed));
    assert_eq!(fixture.source.reasons("/a"), [LoadReason::Absent, LoadReason::Unconfirmed]);
    assert_eq!(status_and_text(&fixture.read("/a").await).0, CacheStatus::Hit);
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_entry_is_served_to_all_who_wait_and_is_as_new_as_the_check() {
    let fixture = after_a_gap().await;
    fixture.source.set_response("/a", LoadScript::Confirm);
    fixture.source.set_duration("/a", 200);
    let (first, second) = (fixture.reader("/a").await, fixture.reader("/a").await);
    for outcome in [first.await.unwrap(), second.await.unwrap()] {
        assert_eq!(status_and_text(&outcome), (CacheStatus::Hit, "anna v0".into()));
        assert_eq!(reason(&outcome), Some(CacheStatusReason::Confirmed));
    }
    let entry = fixture.cache.peek(&CacheFixture::key("/a")).unwrap();
    let age_ms = fixture.clock.now() - entry.created_ms();
    assert_eq!(
        (age_ms, entry.stored_ms()),
        (Duration::from_millis(200), entry.created_ms()),
        "it is as old as the check"
    );
    assert_eq!(status_and_text(&fixture.read("/a").await).0, CacheStatus::Hit);
    let class = fixture.class();
    assert_eq!((class.confirmed, class.loads_confirmed, class.loads_ok), (2, 1, 1));
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_cannot_be_checked_is_served_only_if_the_load_fails() {
    let fixture = after_a_gap().await;
    fixture.source.set_duration("/a", 5_000);
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Unreachable));
    let outcome = fixture.read("/a").await;
    assert_eq!(status_and_text(&outcome), (CacheStatus::StaleOnError, "anna v0".into()));
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_invalidated_entry_is_never_confirmed() {
    let fixture = after_a_gap().await;
    fixture.source.set_response("/a", LoadScript::Confirm);
    fixture.source.set_duration("/a", 200);
    let reader = fixture.reader("/a").await;
    fixture.advance(100).await;
    fixture.source.write("/a");
    fixture.mark_tag("t");
    let outcome = reader.await.unwrap();
    assert_eq!(status_and_text(&outcome), (CacheStatus::Refreshed, "anna v1".into()), "it was loaded after all");
    let reasons = [LoadReason::Absent, LoadReason::Unconfirmed, LoadReason::Invalidated];
    assert_eq!(fixture.source.reasons("/a"), reasons);
    fixture.source.write("/a");
    assert_eq!(status_and_text(&fixture.read("/a").await).1, "anna v2", "nor is the overtaken value kept");
    fixture.finish(4).await;
}

#[tokio::test(start_paused = true)]
async fn a_stale_entry_is_confirmed_behind_the_read() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.source.set_response("/a", LoadScript::Confirm);
    fixture.advance_s(120).await;
    assert_eq!(status_and_text(&fixture.read("/a").await).0, CacheStatus::Stale);
    fixture.settle_tasks().await;
    assert_eq!(status_and_text(&fixture.read("/a").await).0, CacheStatus::Hit);
    assert_eq!(fixture.source.reasons("/a"), [LoadReason::Absent, LoadReason::Refresh]);
    fixture.finish(2).await;
}
