//! One load per key, owned by none of its waiters.

use super::fixture::{CacheFixture, LoadScript, kind, settle, status_and_text};
use crate::CacheStatus::{Hit, Joined, Loaded, StaleOnError};
use crate::{CacheDirective, CacheResponse, LoadErrorKind, LoadReason};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn concurrent_reads_of_an_absent_key_share_one_load_and_end_together() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 500);
    let mut callers = Vec::new();
    for _ in 0..200 {
        callers.push(fixture.reader("/a").await);
    }
    let before = fixture.clock.now();
    let mut words = Vec::new();
    for caller in callers {
        words.push(status_and_text(&caller.await.unwrap()).0);
    }
    assert_eq!(fixture.clock.now() - before, Duration::from_millis(500));
    assert_eq!(words.iter().filter(|word| **word == Loaded).count(), 1);
    assert_eq!(words.iter().filter(|word| **word == Joined).count(), 199);
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn the_caller_that_started_a_load_may_leave_without_affecting_the_others() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 500);
    let starting_caller = fixture.reader("/a").await;
    let follower = fixture.reader("/a").await;
    starting_caller.abort();
    settle().await;
    assert_eq!(status_and_text(&follower.await.unwrap()), (Joined, "anna v0".into()));
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_continues_when_all_callers_have_left() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 500);
    let starting_caller = fixture.reader("/a").await;
    starting_caller.abort();
    fixture.advance(500).await;
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Hit);
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn an_uncacheable_result_releases_all_waiters_at_once_and_is_cached_as_such() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 500);
    fixture.source.set_response("/a", LoadScript::Pass);
    let mut callers = Vec::new();
    for _ in 0..10 {
        callers.push(fixture.reader("/a").await);
    }
    let before = fixture.clock.now();
    for caller in callers {
        let Ok(CacheResponse::Passed(passed)) = caller.await.unwrap() else { panic!("not passed") };
        assert_eq!(passed, "passed v0");
    }
    assert_eq!(fixture.clock.now() - before, Duration::from_millis(1000), "one after the first, all side by side");
    assert_eq!(fixture.source.load_count(), 10);

    let (one, two) = (fixture.reader("/a").await, fixture.reader("/a").await);
    let before = fixture.clock.now();
    assert!(matches!(one.await.unwrap(), Ok(CacheResponse::Passed(_))));
    assert!(matches!(two.await.unwrap(), Ok(CacheResponse::Passed(_))));
    assert_eq!(fixture.clock.now() - before, Duration::from_millis(500), "neither load waited for the other");

    fixture.advance_s(60).await;
    fixture.source.set_response("/a", LoadScript::Value);
    let (one, two) = (fixture.reader("/a").await, fixture.reader("/a").await);
    assert_eq!((status_and_text(&one.await.unwrap()).0, status_and_text(&two.await.unwrap()).0), (Loaded, Joined));
    fixture.finish(13).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_cacheable_again_is_coalesced_again() {
    let fixture = CacheFixture::new();
    fixture.source.set_response("/a", LoadScript::Pass);
    assert!(matches!(fixture.read("/a").await, Ok(CacheResponse::Passed(_))));
    fixture.source.set_response("/a", LoadScript::Value);
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Loaded);
    fixture.advance_s(2000).await;
    fixture.source.set_duration("/a", 100);
    let (one, two) = (fixture.reader("/a").await, fixture.reader("/a").await);
    assert_eq!((status_and_text(&one.await.unwrap()).0, status_and_text(&two.await.unwrap()).0), (Loaded, Joined));
    fixture.finish(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_panicking_loader_is_an_error_for_all_and_no_end_for_the_key() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 500);
    fixture.source.set_response("/a", LoadScript::Panic);
    let (one, two) = (fixture.reader("/a").await, fixture.reader("/a").await);
    assert_eq!(kind(&one.await.unwrap()), LoadErrorKind::Panicked);
    assert_eq!(kind(&two.await.unwrap()), LoadErrorKind::Panicked);
    fixture.source.set_response("/a", LoadScript::Value);
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Loaded);
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_loader_that_cannot_be_created_is_an_error_for_all_waiters() {
    let fixture = CacheFixture::new();
    let key = CacheFixture::key("/a");
    let (cache, policy) = (fixture.cache.clone(), fixture.policy);
    let broken = tokio::task::JoinSet::new();
    let mut broken = broken;
    broken.spawn(async move {
        let loader = || -> super::fixture::ScriptedLoader { panic!("no loader") };
        cache.get_or_load(&key, &policy, CacheDirective::Any, loader).await.map(|_| ())
    });
    assert!(broken.join_next().await.unwrap().unwrap_err().is_panic());
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Loaded, "the key is free again");
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_stuck_load_ages_out() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 1_000_000);
    let stuck_caller = fixture.reader("/a").await;
    assert_eq!(kind(&stuck_caller.await.unwrap()), LoadErrorKind::TimedOut, "the hard timeout");
    fixture.advance_s(80).await;
    let late = fixture.reader("/a").await;
    assert_eq!(fixture.source.load_count(), 1, "still the same load");
    fixture.advance_s(10).await;
    assert_eq!(kind(&late.await.unwrap()), LoadErrorKind::TimedOut, "the load was dropped at 120 s");
    fixture.source.set_duration("/a", 0);
    fixture.advance_s(1).await;
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Loaded);
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_result_after_the_hard_timeout_is_stored() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 40_000);
    let before = fixture.clock.now();
    assert_eq!(kind(&fixture.read("/a").await), LoadErrorKind::TimedOut);
    assert_eq!(fixture.clock.now() - before, Duration::from_millis(30_000));
    fixture.advance_s(10).await;
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Hit);
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn every_caller_has_its_own_timeout() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 40_000);
    let first = fixture.reader("/a").await;
    fixture.advance_s(20).await;
    let second = fixture.reader("/a").await;
    assert_eq!(kind(&first.await.unwrap()), LoadErrorKind::TimedOut);
    assert_eq!(status_and_text(&second.await.unwrap()), (Joined, "anna v0".into()));
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_joins_a_slow_load_waits_only_the_rest_of_the_soft_timeout() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.advance_s(150).await;
    fixture.source.set_duration("/a", 20_000);
    let first = fixture.reader("/a").await;
    fixture.advance(400).await;
    let before = fixture.clock.now();
    assert_eq!(status_and_text(&fixture.read("/a").await).0, StaleOnError);
    assert_eq!(fixture.clock.now() - before, Duration::from_millis(600));
    assert_eq!(status_and_text(&first.await.unwrap()).0, StaleOnError);
    let before = fixture.clock.now();
    assert_eq!(status_and_text(&fixture.read("/a").await).0, StaleOnError);
    assert_eq!(fixture.clock.now(), before, "no reader waits for a load that is known to be slow");
    assert_eq!(fixture.source.reasons("/a"), [LoadReason::Absent, LoadReason::Expired]);
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_shared_value_goes_to_all_waiters_and_leaves_the_entry_in_place() {
    let fixture = CacheFixture::new();
    let key = CacheFixture::key("/a");
    fixture.read("/a").await.unwrap();
    fixture.advance_s(5).await;
    fixture.source.set_duration("/a", 500);
    fixture.source.write("/a");
    fixture.source.set_response("/a", LoadScript::Share);
    let one = fixture.caller(&key, CacheDirective::Reload).await;
    let two = fixture.caller(&key, CacheDirective::Reload).await;
    assert!(matches!(one.await.unwrap(), Ok(CacheResponse::Shared { .. })));
    assert_eq!(status_and_text(&two.await.unwrap()), (Joined, "anna v1".into()));
    assert_eq!(status_and_text(&fixture.read("/a").await), (Hit, "anna v0".into()));
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_not_found_removes_the_entry() {
    let fixture = CacheFixture::new();
    let key = CacheFixture::key("/a");
    fixture.read("/a").await.unwrap();
    fixture.advance_s(5).await;
    fixture.source.set_response("/a", LoadScript::Gone);
    assert_eq!(status_and_text(&fixture.read_with(&key, CacheDirective::Reload).await).1, "gone");
    assert!(fixture.cache.peek(&key).is_none());
    fixture.finish(2).await;
}
