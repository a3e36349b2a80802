//! Background refreshes: one at a time, ahead of expiry, and with growing backoff while they fail.

use std::time::Duration;

use super::fixture::{CacheFixture, LoadScript, POLICY, said, settle};
use crate::CacheStatus::{Hit, Refreshed, Stale};
use crate::{CacheResponse, CacheSettings, CacheStatusReason, LoadErrorKind, LoadReason, Policy};

#[tokio::test(start_paused = true)]
async fn a_read_late_in_the_fresh_time_refreshes_behind() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.source.write("/a");
    let due_ms = stage.cache.peek(&CacheFixture::key("/a")).unwrap().refresh_at_ms();
    stage.pass(due_ms - stage.clock.now_ms() - 1).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v0".into()));
    stage.pass(1).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v0".into()));
    stage.pass(1).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v1".into()));
    assert_eq!(stage.source.reasons("/a"), [LoadReason::Absent, LoadReason::Refresh]);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn many_reads_cause_one_refresh() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.source.takes("/a", 5000);
    stage.pass_s(110).await;
    for _ in 0..100 {
        assert_eq!(said(&stage.read("/a").await).0, Stale);
        stage.pass(10).await;
    }
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn without_refresh_ahead_the_fresh_time_is_used_up() {
    let mut stage = CacheFixture::new();
    stage.policy = Policy { refresh_ahead: false, ..POLICY };
    stage.read("/a").await.unwrap();
    stage.pass(99_999).await;
    assert_eq!(said(&stage.read("/a").await).0, Hit);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn failing_refreshes_back_off() {
    let mut stage = CacheFixture::new();
    stage.policy = Policy { stale: Duration::from_secs(1000), ..POLICY };
    stage.read("/a").await.unwrap();
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::Malformed));
    stage.pass_s(100).await;
    for _ in 0..400 {
        assert_eq!(said(&stage.read("/a").await).0, Stale);
        stage.pass_s(1).await;
    }
    let tried = stage.source.asked() - 1;
    // 1, 2, 4, 8, 16, 32, then 60 s apart, each 10 % more or less.
    assert!((10..=14).contains(&tried), "{tried} tries in 400 s");
    let Ok(CacheResponse::Cached { reason, .. }) = stage.read("/a").await else { panic!() };
    assert_eq!(reason, Some(CacheStatusReason::BackingOff));
    stage.source.says("/a", LoadScript::Value);
    stage.pass_s(70).await;
    stage.read("/a").await.unwrap();
    stage.pass(1).await;
    assert_eq!(said(&stage.read("/a").await).0, Hit, "one success ends it");
    let asked = stage.source.asked();
    stage.strike(asked).await;
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_brings_nothing_to_keep_backs_off_too() {
    for says in [LoadScript::Share, LoadScript::Pass, LoadScript::Panic] {
        let mut stage = CacheFixture::new();
        stage.policy = Policy { stale: Duration::from_secs(1000), ..POLICY };
        stage.read("/a").await.unwrap();
        stage.source.says("/a", says.clone());
        stage.pass_s(100).await;
        for _ in 0..20 {
            assert_eq!(said(&stage.read("/a").await).0, Stale);
            settle().await;
        }
        assert_eq!(stage.source.asked(), 2, "{says:?}");
        stage.strike(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_grew_too_large_to_keep_is_not_refreshed_at_every_read() {
    let mut stage = CacheFixture::with(CacheSettings { max_entry_bytes: 10_000, ..CacheSettings::default() });
    stage.policy = Policy { stale: Duration::from_secs(1000), ..POLICY };
    stage.read("/a").await.unwrap();
    stage.source.weighs("/a", 20_000);
    stage.pass_s(100).await;
    for _ in 0..20 {
        stage.read("/a").await.unwrap();
        settle().await;
    }
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn after_the_stale_window_the_reader_waits() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.source.takes("/a", 700);
    stage.source.write("/a");
    stage.pass_s(150).await;
    assert_eq!(said(&stage.read("/a").await), (Refreshed, "anna v1".into()));
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn after_shutdown_no_refresh_starts() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.pass_s(120).await;
    stage.cache.shutdown();
    assert_eq!(said(&stage.read("/a").await).0, Stale);
    stage.strike(1).await;
}
