//! Never emptied by a failure; and no failure for longer than it deserves.

use super::stage::{Says, Stage, kind, said};
use crate::Served::{Hit, Loaded, Refreshed, StaleOnError};
use crate::{Answer, Demand, FailureKind, Invalidation, Reason, Scope};

const SERVES_OLD: [FailureKind; 9] = [
    FailureKind::Unreachable,
    FailureKind::TimedOut,
    FailureKind::ServerError,
    FailureKind::Malformed,
    FailureKind::Starting,
    FailureKind::Offline,
    FailureKind::Doubted,
    FailureKind::Panicked,
    FailureKind::Overloaded,
];

#[tokio::test(start_paused = true)]
async fn a_failed_load_never_replaces_a_value() {
    for failure in SERVES_OLD {
        let stage = Stage::new();
        stage.read("/a").await.unwrap();
        stage.pass_s(150).await;
        stage.source.says("/a", Says::Fail(failure));
        let outcome = stage.read("/a").await;
        assert_eq!(said(&outcome), (StaleOnError, "anna v0".into()));
        let Ok(Answer::Kept { reason, .. }) = outcome else { panic!() };
        assert_eq!(reason, Some(Reason::Failed(failure)));
        stage.pass_s(2).await;
        stage.source.says("/a", Says::Value);
        assert_eq!(said(&stage.read("/a").await).0, Refreshed, "{failure:?}");
        stage.strike(3).await;
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_source_has_spoken_the_old_value_is_not_served() {
    for failure in [FailureKind::Denied, FailureKind::Refused] {
        let stage = Stage::new();
        stage.read("/a").await.unwrap();
        stage.pass_s(150).await;
        stage.source.says("/a", Says::Fail(failure));
        assert_eq!(kind(&stage.read("/a").await), failure);
        assert!(stage.cache.peek(&Stage::key("/a")).is_some(), "but it is not dropped by that");
        stage.strike(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_remembered_as_long_as_its_kind_deserves() {
    for (failure, millis) in [
        (FailureKind::Unreachable, 1000),
        (FailureKind::TimedOut, 1000),
        (FailureKind::ServerError, 1000),
        (FailureKind::Denied, 10_000),
        (FailureKind::Refused, 0),
        (FailureKind::Malformed, 0),
        (FailureKind::Starting, 0),
        (FailureKind::Offline, 0),
        (FailureKind::Doubted, 1000),
        (FailureKind::Panicked, 0),
    ] {
        let stage = Stage::new();
        stage.source.says("/a", Says::Fail(failure));
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
    let stage = Stage::new();
    stage.read("/a").await.unwrap();
    stage.pass_s(150).await;
    stage.source.says("/a", Says::Fail(FailureKind::ServerError));
    stage.read("/a").await.unwrap();
    let outcome = stage.read("/a").await;
    assert_eq!(said(&outcome).0, StaleOnError);
    let Ok(Answer::Kept { reason, .. }) = outcome else { panic!() };
    assert_eq!(reason, Some(Reason::FailedLately(FailureKind::ServerError)));
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_remembered_in_its_partition_only() {
    let stage = Stage::new();
    stage.source.says("/a", Says::Fail(FailureKind::Denied));
    assert_eq!(kind(&stage.read("/a").await), FailureKind::Denied);
    stage.source.says("/a", Says::Value);
    assert_eq!(said(&stage.ask(&Stage::key_of("bert", "/a"), Demand::Any).await).0, Loaded);
    assert_eq!(kind(&stage.read("/a").await), FailureKind::Denied);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_forgets_failures_from_before() {
    let stage = Stage::new();
    stage.source.says("/a", Says::Fail(FailureKind::Denied));
    stage.read("/a").await.unwrap_err();
    stage.source.says("/a", Says::Value);
    stage.cache.invalidate(&Scope::Key(Stage::key("/a")), &Invalidation::mark());
    assert_eq!(said(&stage.read("/a").await).0, Loaded);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_does_not_stand_in_the_way_of_a_fresh_value() {
    let stage = Stage::new();
    stage.read("/a").await.unwrap();
    stage.pass_s(5).await;
    stage.source.says("/a", Says::Fail(FailureKind::Denied));
    assert_eq!(kind(&stage.ask(&Stage::key("/a"), Demand::Reload).await), FailureKind::Denied);
    assert_eq!(said(&stage.read("/a").await).0, Hit);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_fails_says_so_and_hands_out_what_is_kept() {
    let stage = Stage::new();
    stage.read("/a").await.unwrap();
    stage.pass_s(5).await;
    stage.source.says("/a", Says::Fail(FailureKind::Unreachable));
    assert_eq!(said(&stage.ask(&Stage::key("/a"), Demand::Reload).await).0, StaleOnError);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn who_insists_on_being_told_gets_the_old_value_from_silence_only() {
    for failure in SERVES_OLD {
        let stage = Stage::new();
        stage.read("/a").await.unwrap();
        stage.pass_s(5).await;
        stage.source.says("/a", Says::Fail(failure));
        let outcome = stage.ask(&Stage::key("/a"), Demand::Ask).await;
        assert_eq!(outcome.is_ok(), failure.is_silence(), "{failure:?}");
        stage.strike(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_what_is_remembered_of_a_failure() {
    let stage = Stage::new();
    let key = Stage::key("/a");
    stage.source.says("/a", Says::Fail(FailureKind::Denied));
    stage.read("/a").await.unwrap_err();
    stage.source.says("/a", Says::Value);
    stage.ask(&key, Demand::Own).await.unwrap();
    stage.pass_s(5).await;
    assert_eq!(said(&stage.ask(&key, Demand::Reload).await).0, Refreshed);
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn offline_what_is_kept_is_answered_at_once_and_nothing_is_loaded() {
    let stage = Stage::new();
    stage.read("/a").await.unwrap();
    stage.source.takes("/a", 5_000);
    let key = Stage::key("/a");
    for (pass_s, wanted) in [(10, Hit), (100, StaleOnError), (200, StaleOnError)] {
        stage.pass_s(pass_s).await;
        let before_ms = stage.clock.now_ms();
        let outcome = stage.ask(&key, Demand::Offline).await;
        assert_eq!(said(&outcome), (wanted, "anna v0".into()), "after {pass_s} s more");
        let Ok(Answer::Kept { reason, .. }) = outcome else { panic!() };
        assert_eq!(reason, Some(Reason::Offline));
        assert_eq!(stage.clock.now_ms(), before_ms, "nobody waits");
    }
    stage.cache.invalidate(&Scope::Key(key.clone()), &Invalidation::mark());
    assert_eq!(said(&stage.ask(&key, Demand::Offline).await).0, StaleOnError);
    stage.cache.invalidate(&Scope::Key(key.clone()), &Invalidation::purge());
    assert_eq!(kind(&stage.ask(&key, Demand::Offline).await), FailureKind::NotCached);
    assert_eq!(kind(&stage.ask(&Stage::key("/b"), Demand::Offline).await), FailureKind::NotCached);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_was_not_even_tried_does_not_make_the_next_one_wait() {
    let stage = Stage::new();
    stage.read("/a").await.unwrap();
    stage.pass_s(110).await;
    stage.source.says("/a", Says::Fail(FailureKind::Offline));
    for _ in 0..4 {
        stage.read("/a").await.unwrap();
        stage.pass(1).await;
    }
    stage.source.says("/a", Says::Value);
    stage.source.write("/a");
    stage.read("/a").await.unwrap();
    stage.pass(1).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v1".into()));
    stage.strike(6).await;
}
