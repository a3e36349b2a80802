//! Background refreshes: one at a time, ahead of expiry, and with growing backoff while they fail.

use crate::clock::millis;
use std::time::Duration;

use super::fixture::{CacheFixture, LoadScript, POLICY, settle, status_and_text};
use crate::CacheStatus::{Hit, Refreshed, Stale};
use crate::{CacheResponse, CacheSettings, CacheStatusReason, LoadErrorKind, LoadReason, Policy};

#[tokio::test(start_paused = true)]
async fn a_read_late_in_the_fresh_time_starts_a_background_refresh() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.source.write("/a");
    let due_ms = fixture.cache.peek(&CacheFixture::key("/a")).unwrap().refresh_at_ms();
    fixture.advance(millis((due_ms - fixture.clock.now()).checked_sub(Duration::from_millis(1)).unwrap())).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (Hit, "anna v0".into()));
    fixture.advance(1).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (Hit, "anna v0".into()));
    fixture.advance(1).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (Hit, "anna v1".into()));
    assert_eq!(fixture.source.reasons("/a"), [LoadReason::Absent, LoadReason::Refresh]);
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn many_reads_cause_one_refresh() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.source.set_duration("/a", 5000);
    fixture.advance_s(110).await;
    for _ in 0..100 {
        assert_eq!(status_and_text(&fixture.read("/a").await).0, Stale);
        fixture.advance(10).await;
    }
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn without_refresh_ahead_the_fresh_time_is_used_up() {
    let mut fixture = CacheFixture::new();
    fixture.policy = Policy { refresh_ahead: false, ..POLICY };
    fixture.read("/a").await.unwrap();
    fixture.advance(99_999).await;
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Hit);
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn failing_refreshes_back_off() {
    let mut fixture = CacheFixture::new();
    fixture.policy = Policy { stale: Duration::from_secs(1000), ..POLICY };
    fixture.read("/a").await.unwrap();
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Malformed));
    fixture.advance_s(100).await;
    for _ in 0..400 {
        assert_eq!(status_and_text(&fixture.read("/a").await).0, Stale);
        fixture.advance_s(1).await;
    }
    let attempts = fixture.source.load_count() - 1;
    // 1, 2, 4, 8, 16, 32, then 60 s apart, each 10 % more or less.
    assert!((10..=14).contains(&attempts), "{attempts} tries in 400 s");
    let Ok(CacheResponse::Cached { reason, .. }) = fixture.read("/a").await else { panic!() };
    assert_eq!(reason, Some(CacheStatusReason::BackingOff));
    fixture.source.set_response("/a", LoadScript::Value);
    fixture.advance_s(70).await;
    fixture.read("/a").await.unwrap();
    fixture.advance(1).await;
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Hit, "one success ends it");
    let loads = fixture.source.load_count();
    fixture.finish(loads).await;
}

#[tokio::test(start_paused = true)]
async fn a_refresh_without_a_storable_value_backs_off_too() {
    for response in [LoadScript::Share, LoadScript::Pass, LoadScript::Panic] {
        let mut fixture = CacheFixture::new();
        fixture.policy = Policy { stale: Duration::from_secs(1000), ..POLICY };
        fixture.read("/a").await.unwrap();
        fixture.source.set_response("/a", response.clone());
        fixture.advance_s(100).await;
        for _ in 0..20 {
            assert_eq!(status_and_text(&fixture.read("/a").await).0, Stale);
            settle().await;
        }
        assert_eq!(fixture.source.load_count(), 2, "{response:?}");
        fixture.finish(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_grew_too_large_is_not_refreshed_at_every_read() {
    let mut fixture = CacheFixture::with(CacheSettings { max_entry_bytes: 10_000, ..CacheSettings::default() });
    fixture.policy = Policy { stale: Duration::from_secs(1000), ..POLICY };
    fixture.read("/a").await.unwrap();
    fixture.source.set_body_bytes("/a", 20_000);
    fixture.advance_s(100).await;
    for _ in 0..20 {
        fixture.read("/a").await.unwrap();
        settle().await;
    }
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn after_the_stale_window_the_reader_waits() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.source.set_duration("/a", 700);
    fixture.source.write("/a");
    fixture.advance_s(150).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (Refreshed, "anna v1".into()));
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn after_shutdown_no_refresh_starts() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.advance_s(120).await;
    fixture.cache.shutdown();
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Stale);
    fixture.finish(1).await;
}
