//! Known defects of other caches, one test each, named after what went wrong there: in the cases of a read (b1), in
//! sharing loads (b2), in refreshing (b4), in tags and invalidations (b6), at the fence (b7).

use std::time::Duration;

use super::fixture::{CacheFixture, LoadScript, POLICY, kind, said, settle, tag_scope, text};
use crate::CacheStatus::{Hit, Joined, Loaded, Refreshed, Stale, StaleOnError};
use crate::{CacheDirective, CacheResponse, Invalidation, LoadErrorKind, Policy, Scope, Tag};

#[tokio::test(start_paused = true)]
async fn b1_a_value_kept_through_failures_does_not_live_for_ever() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::Unreachable));
    let mut lived = 0;
    while stage.read("/a").await.is_ok() {
        stage.pass_s(10).await;
        lived += 10;
    }
    assert_eq!(lived, 1150, "the windows add up once, however often it stood in");
    let asked = stage.source.asked();
    stage.strike(asked).await;
}

#[tokio::test(start_paused = true)]
async fn b1_the_windows_count_from_storing_and_are_not_moved_by_reads() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    let before = stage.cache.peek(&CacheFixture::key("/a")).unwrap().deadlines();
    stage.pass_s(60).await;
    stage.read("/a").await.unwrap();
    assert_eq!(stage.cache.peek(&CacheFixture::key("/a")).unwrap().deadlines(), before);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn b1_a_load_that_timed_out_softly_is_completed_in_the_background() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.source.write("/a");
    stage.source.takes("/a", 1500);
    stage.pass_s(150).await;
    assert_eq!(said(&stage.read("/a").await), (StaleOnError, "anna v0".into()));
    stage.pass(500).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v1".into()));
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn b1_incoherent_timeouts_are_cut_to_what_can_hold() {
    let mut stage = CacheFixture::new();
    stage.policy = Policy { soft_timeout: Duration::from_mins(1), ..POLICY };
    stage.read("/a").await.unwrap();
    stage.pass_s(150).await;
    stage.source.takes("/a", 50_000);
    let before = stage.clock.now_ms();
    assert_eq!(said(&stage.read("/a").await).0, StaleOnError);
    assert_eq!(stage.clock.now_ms() - before, 30_000, "nobody waits longer than the hard timeout");
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn b2_a_load_whose_starter_was_cancelled_neither_panics_nor_strands_the_others() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 500);
    let mut crowd = Vec::new();
    for _ in 0..10 {
        crowd.push(stage.reader("/a").await);
    }
    for caller in crowd.iter().take(9) {
        caller.abort();
    }
    settle().await;
    assert_eq!(said(&crowd.pop().unwrap().await.unwrap()), (Joined, "anna v0".into()));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn b2_a_stuck_reload_does_not_freeze_the_key() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.source.takes("/a", 10_000_000);
    stage.pass_s(120).await;
    stage.read("/a").await.unwrap();
    settle().await;
    stage.source.takes("/a", 0);
    stage.source.write("/a");
    stage.pass_s(121).await;
    assert_eq!(said(&stage.read("/a").await), (Refreshed, "anna v1".into()));
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn b2_followers_of_something_uncacheable_are_not_served_one_after_the_other() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 1000);
    stage.source.says("/a", LoadScript::Pass);
    let mut crowd = Vec::new();
    for _ in 0..30 {
        crowd.push(stage.reader("/a").await);
    }
    let before = stage.clock.now_ms();
    for caller in crowd {
        assert!(matches!(caller.await.unwrap(), Ok(CacheResponse::Passed(_))));
    }
    assert_eq!(stage.clock.now_ms() - before, 2000);
    stage.strike(30).await;
}

#[tokio::test(start_paused = true)]
async fn b4_a_failed_refresh_is_not_retried_by_the_very_next_read() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::Starting));
    stage.pass_s(100).await;
    for _ in 0..50 {
        assert_eq!(said(&stage.read("/a").await).0, Stale);
        settle().await;
    }
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn b4_values_stored_together_do_not_refresh_together() {
    let stage = CacheFixture::new();
    let mut due = std::collections::BTreeSet::new();
    for item in 0..50 {
        stage.read(&format!("/{item}")).await.unwrap();
        due.insert(stage.cache.peek(&CacheFixture::key(&format!("/{item}"))).unwrap().refresh_at_ms());
    }
    assert!(due.len() > 15, "{} different moments", due.len());
    let spread = due.last().unwrap() - due.first().unwrap();
    assert!((2_000..=8_000).contains(&spread), "{spread} ms apart");
    stage.strike(50).await;
}

#[tokio::test(start_paused = true)]
async fn b6_a_marker_is_compared_with_the_entrys_creation_and_not_with_the_read() {
    let stage = CacheFixture::new();
    stage.mark_tag("item:1");
    stage.pass_s(5).await;
    stage.source.tags("/a", &["item:1"]);
    stage.read("/a").await.unwrap();
    for _ in 0..10 {
        stage.pass_s(5).await;
        assert_eq!(said(&stage.read("/a").await).0, Hit);
    }
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn b6_a_purged_value_is_not_used_by_any_path() {
    let stage = CacheFixture::new();
    stage.source.tags("/a", &["item:1"]);
    stage.read("/a").await.unwrap();
    stage.cache.invalidate(&tag_scope("item:1"), &Invalidation::purge());
    let key = CacheFixture::key("/a");
    for failure in [LoadErrorKind::Unreachable, LoadErrorKind::TimedOut, LoadErrorKind::Panicked] {
        stage.source.says("/a", LoadScript::Fail(failure));
        assert_eq!(kind(&stage.ask(&key, CacheDirective::Reload).await), failure);
        stage.pass_s(2).await;
        assert_eq!(kind(&stage.ask(&key, CacheDirective::Any).await), failure);
        stage.pass_s(2).await;
    }
    stage.source.takes("/a", 50_000);
    assert_eq!(kind(&stage.read("/a").await), LoadErrorKind::TimedOut);
    stage.strike(8).await;
}

#[tokio::test(start_paused = true)]
async fn b6_values_without_tags_are_not_found_under_an_empty_one() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.cache.invalidate(&tag_scope(""), &Invalidation::purge());
    assert_eq!(said(&stage.read("/a").await).0, Hit);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn b6_the_same_tag_in_another_namespace_is_another_tag() {
    let stage = CacheFixture::new();
    stage.source.tags("/a", &["item:1"]);
    stage.read("/a").await.unwrap();
    let elsewhere = Scope::Tag { namespace: "other".into(), partition: None, tag: Tag::new("item:1") };
    stage.cache.invalidate(&elsewhere, &Invalidation::purge());
    assert_eq!(said(&stage.read("/a").await).0, Hit);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn b7_a_late_put_does_not_undo_an_invalidation_by_a_tag_only_the_late_value_has() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.pass_s(150).await;
    stage.source.takes("/a", 500);
    stage.source.tags("/a", &["new"]);
    let early = stage.reader("/a").await;
    stage.source.write("/a");
    stage.mark_tag("new");
    early.await.unwrap().unwrap();
    assert_eq!(said(&stage.read("/a").await), (Refreshed, "anna v1".into()));
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn b7_a_value_from_an_older_load_never_replaces_one_from_a_newer() {
    let stage = CacheFixture::new();
    let key = CacheFixture::key("/a");
    stage.source.takes("/a", 900);
    let slow = stage.caller(&key, CacheDirective::LoadUnshared).await;
    stage.source.write("/a");
    stage.source.takes("/a", 100);
    assert_eq!(said(&stage.ask(&key, CacheDirective::LoadUnshared).await), (Loaded, "anna v1".into()));
    assert_eq!(said(&slow.await.unwrap()).1, "anna v0", "his own load's result");
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v1".into()));
    assert_eq!(stage.class().not_stored_for(crate::NotStoredReason::Superseded), 1);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn b7_what_an_older_load_found_gone_does_not_drop_what_a_newer_brought() {
    let stage = CacheFixture::new();
    let key = CacheFixture::key("/a");
    stage.source.takes("/a", 900);
    stage.source.says("/a", LoadScript::Gone);
    let slow = stage.caller(&key, CacheDirective::LoadUnshared).await;
    stage.source.says("/a", LoadScript::Value);
    stage.source.takes("/a", 100);
    stage.ask(&key, CacheDirective::LoadUnshared).await.unwrap();
    assert_eq!(said(&slow.await.unwrap()).1, "gone");
    assert_eq!(text(stage.cache.peek(&key).unwrap().value()), "anna v0");
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn b7_whoever_writes_reads_his_own_write() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 300);
    stage.source.tags("/a", &["item:1"]);
    for written in 1..=20 {
        let reader = stage.reader("/a").await;
        stage.pass(120).await;
        stage.source.write("/a");
        stage.mark_tag("item:1");
        let writer = stage.reader("/a").await;
        stage.pass(200).await;
        reader.await.unwrap().unwrap();
        let other = stage.read("/a").await;
        let wanted = format!("anna v{written}");
        assert_eq!(said(&other).1, wanted, "what the slow reader brought is not found in between");
        assert_eq!(said(&writer.await.unwrap()).1, wanted);
        stage.pass(700).await;
        assert_eq!(said(&stage.read("/a").await).1, wanted, "and nothing older comes back");
    }
    let asked = stage.source.asked();
    stage.strike(asked).await;
}
