//! One load per key, owned by none of its waiters.

use super::fixture::{CacheFixture, LoadScript, kind, said, settle};
use crate::CacheStatus::{Hit, Joined, Loaded, StaleOnError};
use crate::{CacheDirective, CacheResponse, LoadErrorKind, LoadReason};

#[tokio::test(start_paused = true)]
async fn a_crowd_at_a_cold_key_costs_one_load_and_is_answered_in_one_moment() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 500);
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(stage.reader("/a").await);
    }
    let before = stage.clock.now_ms();
    let mut words = Vec::new();
    for caller in crowd {
        words.push(said(&caller.await.unwrap()).0);
    }
    assert_eq!(stage.clock.now_ms() - before, 500);
    assert_eq!(words.iter().filter(|word| **word == Loaded).count(), 1);
    assert_eq!(words.iter().filter(|word| **word == Joined).count(), 199);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn the_caller_that_started_a_load_may_leave_without_hurting_the_others() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 500);
    let starter = stage.reader("/a").await;
    let follower = stage.reader("/a").await;
    starter.abort();
    settle().await;
    assert_eq!(said(&follower.await.unwrap()), (Joined, "anna v0".into()));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_goes_on_when_everybody_has_left() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 500);
    let starter = stage.reader("/a").await;
    starter.abort();
    stage.pass(500).await;
    assert_eq!(said(&stage.read("/a").await).0, Hit);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_for_keeping_releases_everybody_at_once_and_is_remembered() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 500);
    stage.source.says("/a", LoadScript::Pass);
    let mut crowd = Vec::new();
    for _ in 0..10 {
        crowd.push(stage.reader("/a").await);
    }
    let before = stage.clock.now_ms();
    for caller in crowd {
        let Ok(CacheResponse::Passed(passed)) = caller.await.unwrap() else { panic!("not passed") };
        assert_eq!(passed, "passed v0");
    }
    assert_eq!(stage.clock.now_ms() - before, 1000, "one after the first, all side by side");
    assert_eq!(stage.source.asked(), 10);

    let (one, two) = (stage.reader("/a").await, stage.reader("/a").await);
    let before = stage.clock.now_ms();
    assert!(matches!(one.await.unwrap(), Ok(CacheResponse::Passed(_))));
    assert!(matches!(two.await.unwrap(), Ok(CacheResponse::Passed(_))));
    assert_eq!(stage.clock.now_ms() - before, 500, "nobody waited for the other");

    stage.pass_s(60).await;
    stage.source.says("/a", LoadScript::Value);
    let (one, two) = (stage.reader("/a").await, stage.reader("/a").await);
    assert_eq!((said(&one.await.unwrap()).0, said(&two.await.unwrap()).0), (Loaded, Joined));
    stage.strike(13).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_can_be_kept_again_is_coalesced_again() {
    let stage = CacheFixture::new();
    stage.source.says("/a", LoadScript::Pass);
    assert!(matches!(stage.read("/a").await, Ok(CacheResponse::Passed(_))));
    stage.source.says("/a", LoadScript::Value);
    assert_eq!(said(&stage.read("/a").await).0, Loaded);
    stage.pass_s(2000).await;
    stage.source.takes("/a", 100);
    let (one, two) = (stage.reader("/a").await, stage.reader("/a").await);
    assert_eq!((said(&one.await.unwrap()).0, said(&two.await.unwrap()).0), (Loaded, Joined));
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_panicking_loader_is_an_error_for_all_and_no_end_for_the_key() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 500);
    stage.source.says("/a", LoadScript::Panic);
    let (one, two) = (stage.reader("/a").await, stage.reader("/a").await);
    assert_eq!(kind(&one.await.unwrap()), LoadErrorKind::Panicked);
    assert_eq!(kind(&two.await.unwrap()), LoadErrorKind::Panicked);
    stage.source.says("/a", LoadScript::Value);
    assert_eq!(said(&stage.read("/a").await).0, Loaded);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_loader_that_cannot_be_made_is_an_error_for_those_who_wait() {
    let stage = CacheFixture::new();
    let key = CacheFixture::key("/a");
    let (cache, policy) = (stage.cache.clone(), stage.policy);
    let broken = tokio::task::JoinSet::new();
    let mut broken = broken;
    broken.spawn(async move {
        let loader = || -> super::fixture::ScriptedLoader { panic!("no loader") };
        cache.get_or_load(&key, &policy, CacheDirective::Any, loader).await.map(|_| ())
    });
    assert!(broken.join_next().await.unwrap().unwrap_err().is_panic());
    assert_eq!(said(&stage.read("/a").await).0, Loaded, "the key is free again");
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_stuck_load_ages_out() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 1_000_000);
    let stuck = stage.reader("/a").await;
    assert_eq!(kind(&stuck.await.unwrap()), LoadErrorKind::TimedOut, "the hard timeout");
    stage.pass_s(80).await;
    let late = stage.reader("/a").await;
    assert_eq!(stage.source.asked(), 1, "still the same load");
    stage.pass_s(10).await;
    assert_eq!(kind(&late.await.unwrap()), LoadErrorKind::TimedOut, "the load was dropped at 120 s");
    stage.source.takes("/a", 0);
    stage.pass_s(1).await;
    assert_eq!(said(&stage.read("/a").await).0, Loaded);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_result_after_the_hard_timeout_is_kept() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 40_000);
    let before = stage.clock.now_ms();
    assert_eq!(kind(&stage.read("/a").await), LoadErrorKind::TimedOut);
    assert_eq!(stage.clock.now_ms() - before, 30_000);
    stage.pass_s(10).await;
    assert_eq!(said(&stage.read("/a").await).0, Hit);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn every_caller_has_a_timeout_of_his_own() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 40_000);
    let first = stage.reader("/a").await;
    stage.pass_s(20).await;
    let second = stage.reader("/a").await;
    assert_eq!(kind(&first.await.unwrap()), LoadErrorKind::TimedOut);
    assert_eq!(said(&second.await.unwrap()), (Joined, "anna v0".into()));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_finds_a_slow_load_under_way_waits_only_the_rest_of_the_soft_timeout() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.pass_s(150).await;
    stage.source.takes("/a", 20_000);
    let first = stage.reader("/a").await;
    stage.pass(400).await;
    let before = stage.clock.now_ms();
    assert_eq!(said(&stage.read("/a").await).0, StaleOnError);
    assert_eq!(stage.clock.now_ms() - before, 600);
    assert_eq!(said(&first.await.unwrap()).0, StaleOnError);
    let before = stage.clock.now_ms();
    assert_eq!(said(&stage.read("/a").await).0, StaleOnError);
    assert_eq!(stage.clock.now_ms(), before, "nobody waits for what is known to be slow");
    assert_eq!(stage.source.reasons("/a"), [LoadReason::Absent, LoadReason::Expired]);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_value_for_now_is_shared_with_those_who_wait_and_leaves_what_is_kept() {
    let stage = CacheFixture::new();
    let key = CacheFixture::key("/a");
    stage.read("/a").await.unwrap();
    stage.pass_s(5).await;
    stage.source.takes("/a", 500);
    stage.source.write("/a");
    stage.source.says("/a", LoadScript::Share);
    let one = stage.caller(&key, CacheDirective::Reload).await;
    let two = stage.caller(&key, CacheDirective::Reload).await;
    assert!(matches!(one.await.unwrap(), Ok(CacheResponse::Shared { .. })));
    assert_eq!(said(&two.await.unwrap()), (Joined, "anna v1".into()));
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v0".into()));
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_dropped() {
    let stage = CacheFixture::new();
    let key = CacheFixture::key("/a");
    stage.read("/a").await.unwrap();
    stage.pass_s(5).await;
    stage.source.says("/a", LoadScript::Gone);
    assert_eq!(said(&stage.ask(&key, CacheDirective::Reload).await).1, "gone");
    assert!(stage.cache.peek(&key).is_none());
    stage.strike(2).await;
}
