//! Never emptied by a failure; and no failure is remembered for too long.

use super::fixture::{CacheFixture, LoadScript, kind, said};
use crate::CacheStatus::{Hit, Loaded, Refreshed, StaleOnError};
use crate::{CacheDirective, CacheResponse, CacheStatusReason, Invalidation, LoadErrorKind, Scope};

const SERVES_OLD: [LoadErrorKind; 9] = [
    LoadErrorKind::Unreachable,
    LoadErrorKind::TimedOut,
    LoadErrorKind::ServerError,
    LoadErrorKind::Malformed,
    LoadErrorKind::Starting,
    LoadErrorKind::Offline,
    LoadErrorKind::Implausible,
    LoadErrorKind::Panicked,
    LoadErrorKind::Overloaded,
];

#[tokio::test(start_paused = true)]
async fn a_failed_load_never_replaces_a_value() {
    for failure in SERVES_OLD {
        let stage = CacheFixture::new();
        stage.read("/a").await.unwrap();
        stage.pass_s(150).await;
        stage.source.says("/a", LoadScript::Fail(failure));
        let outcome = stage.read("/a").await;
        assert_eq!(said(&outcome), (StaleOnError, "anna v0".into()));
        let Ok(CacheResponse::Cached { reason, .. }) = outcome else { panic!() };
        assert_eq!(reason, Some(CacheStatusReason::Failed(failure)));
        stage.pass_s(2).await;
        stage.source.says("/a", LoadScript::Value);
        assert_eq!(said(&stage.read("/a").await).0, Refreshed, "{failure:?}");
        stage.strike(3).await;
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_source_has_spoken_the_old_value_is_not_served() {
    for failure in [LoadErrorKind::Denied, LoadErrorKind::Refused] {
        let stage = CacheFixture::new();
        stage.read("/a").await.unwrap();
        stage.pass_s(150).await;
        stage.source.says("/a", LoadScript::Fail(failure));
        assert_eq!(kind(&stage.read("/a").await), failure);
        assert!(stage.cache.peek(&CacheFixture::key("/a")).is_some(), "but it is not dropped by that");
        stage.strike(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_remembered_as_long_as_its_kind_deserves() {
    for (failure, millis) in [
        (LoadErrorKind::Unreachable, 1000),
        (LoadErrorKind::TimedOut, 1000),
        (LoadErrorKind::ServerError, 1000),
        (LoadErrorKind::Denied, 10_000),
        (LoadErrorKind::Refused, 0),
        (LoadErrorKind::Malformed, 0),
        (LoadErrorKind::Starting, 0),
        (LoadErrorKind::Offline, 0),
        (LoadErrorKind::Implausible, 1000),
        (LoadErrorKind::Panicked, 0),
    ] {
        let stage = CacheFixture::new();
        stage.source.says("/a", LoadScript::Fail(failure));
        assert_eq!(kind(&stage.read("/a").await), failure);
        if millis > 0 {
            stage.pass(millis - 1).await;
            assert_eq!(kind(&stage.read("/a").await), failure);
            assert_eq!(stage.source.asked(), 1, "{failure:?} is remembered");
            stage.pass(1).await;
        }
        stage.read("/a").await.unwrap_err();
        stage.strike(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_remembered_failure_lets_the_old_value_stand_in() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.pass_s(150).await;
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::ServerError));
    stage.read("/a").await.unwrap();
    let outcome = stage.read("/a").await;
    assert_eq!(said(&outcome).0, StaleOnError);
    let Ok(CacheResponse::Cached { reason, .. }) = outcome else { panic!() };
    assert_eq!(reason, Some(CacheStatusReason::FailedRecently(LoadErrorKind::ServerError)));
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_remembered_in_its_partition_only() {
    let stage = CacheFixture::new();
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::Denied));
    assert_eq!(kind(&stage.read("/a").await), LoadErrorKind::Denied);
    stage.source.says("/a", LoadScript::Value);
    assert_eq!(said(&stage.ask(&CacheFixture::key_of("bert", "/a"), CacheDirective::Any).await).0, Loaded);
    assert_eq!(kind(&stage.read("/a").await), LoadErrorKind::Denied);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_forgets_failures_from_before() {
    let stage = CacheFixture::new();
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::Denied));
    stage.read("/a").await.unwrap_err();
    stage.source.says("/a", LoadScript::Value);
    stage.cache.invalidate(&Scope::Key(CacheFixture::key("/a")), &Invalidation::mark_stale());
    assert_eq!(said(&stage.read("/a").await).0, Loaded);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_does_not_stand_in_the_way_of_a_fresh_value() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.pass_s(5).await;
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::Denied));
    assert_eq!(kind(&stage.ask(&CacheFixture::key("/a"), CacheDirective::Reload).await), LoadErrorKind::Denied);
    assert_eq!(said(&stage.read("/a").await).0, Hit);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_fails_says_so_and_hands_out_what_is_kept() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.pass_s(5).await;
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::Unreachable));
    assert_eq!(said(&stage.ask(&CacheFixture::key("/a"), CacheDirective::Reload).await).0, StaleOnError);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn who_insists_on_being_told_gets_the_old_value_from_silence_only() {
    for failure in SERVES_OLD {
        let stage = CacheFixture::new();
        stage.read("/a").await.unwrap();
        stage.pass_s(5).await;
        stage.source.says("/a", LoadScript::Fail(failure));
        let outcome = stage.ask(&CacheFixture::key("/a"), CacheDirective::ReloadStrict).await;
        assert_eq!(outcome.is_ok(), failure.is_unanswered(), "{failure:?}");
        stage.strike(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_what_is_remembered_of_a_failure() {
    let stage = CacheFixture::new();
    let key = CacheFixture::key("/a");
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::Denied));
    stage.read("/a").await.unwrap_err();
    stage.source.says("/a", LoadScript::Value);
    stage.ask(&key, CacheDirective::LoadUnshared).await.unwrap();
    stage.pass_s(5).await;
    assert_eq!(said(&stage.ask(&key, CacheDirective::Reload).await).0, Refreshed);
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn offline_what_is_kept_is_answered_at_once_and_nothing_is_loaded() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.source.takes("/a", 5_000);
    let key = CacheFixture::key("/a");
    for (pass_s, wanted) in [(10, Hit), (100, StaleOnError), (200, StaleOnError)] {
        stage.pass_s(pass_s).await;
        let before_ms = stage.clock.now_ms();
        let outcome = stage.ask(&key, CacheDirective::Offline).await;
        assert_eq!(said(&outcome), (wanted, "anna v0".into()), "after {pass_s} s more");
        let Ok(CacheResponse::Cached { reason, .. }) = outcome else { panic!() };
        assert_eq!(reason, Some(CacheStatusReason::Offline));
        assert_eq!(stage.clock.now_ms(), before_ms, "nobody waits");
    }
    stage.cache.invalidate(&Scope::Key(key.clone()), &Invalidation::mark_stale());
    assert_eq!(said(&stage.ask(&key, CacheDirective::Offline).await).0, StaleOnError);
    stage.cache.invalidate(&Scope::Key(key.clone()), &Invalidation::purge());
    assert_eq!(kind(&stage.ask(&key, CacheDirective::Offline).await), LoadErrorKind::NotCached);
    assert_eq!(kind(&stage.ask(&CacheFixture::key("/b"), CacheDirective::Offline).await), LoadErrorKind::NotCached);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_was_not_even_tried_does_not_make_the_next_one_wait() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.pass_s(110).await;
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::Offline));
    for _ in 0..4 {
        stage.read("/a").await.unwrap();
        stage.pass(1).await;
    }
    stage.source.says("/a", LoadScript::Value);
    stage.source.write("/a");
    stage.read("/a").await.unwrap();
    stage.pass(1).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v1".into()));
    stage.strike(6).await;
}
