//! Known defects of other caches, one test each, named after what went wrong there: in the cases of a read (b1), in
//! sharing loads (b2), in refreshing (b4), in tags and invalidations (b6), at the fence (b7).

use std::time::Duration;

use super::fixture::{CacheFixture, LoadScript, POLICY, kind, settle, status_and_text, tag_scope, text};
use crate::CacheStatus::{Hit, Joined, Loaded, Refreshed, Stale, StaleOnError};
use crate::{CacheDirective, CacheResponse, Invalidation, LoadErrorKind, Policy, Scope, Tag};

#[tokio::test(start_paused = true)]
async fn b1_a_value_served_through_failures_does_not_live_forever() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Unreachable));
    let mut lived = 0;
    while fixture.read("/a").await.is_ok() {
        fixture.advance_s(10).await;
        lived += 10;
    }
    assert_eq!(lived, 1150, "the windows add up once, however often it stood in");
    let loads = fixture.source.load_count();
    fixture.finish(loads).await;
}

#[tokio::test(start_paused = true)]
async fn b1_the_windows_count_from_storing_and_are_not_moved_by_reads() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    let before = fixture.cache.peek(&CacheFixture::key("/a")).unwrap().deadlines();
    fixture.advance_s(60).await;
    fixture.read("/a").await.unwrap();
    assert_eq!(fixture.cache.peek(&CacheFixture::key("/a")).unwrap().deadlines(), before);
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn b1_a_load_that_timed_out_softly_is_completed_in_the_background() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.source.write("/a");
    fixture.source.set_duration("/a", 1500);
    fixture.advance_s(150).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (StaleOnError, "anna v0".into()));
    fixture.advance(500).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (Hit, "anna v1".into()));
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn b1_incoherent_timeouts_are_cut_to_what_can_hold() {
    let mut fixture = CacheFixture::new();
    fixture.policy = Policy { soft_timeout: Duration::from_mins(1), ..POLICY };
    fixture.read("/a").await.unwrap();
    fixture.advance_s(150).await;
    fixture.source.set_duration("/a", 50_000);
    let before = fixture.clock.now();
    assert_eq!(status_and_text(&fixture.read("/a").await).0, StaleOnError);
    assert_eq!(
        fixture.clock.now() - before,
        Duration::from_millis(30_000),
        "no reader waits longer than the hard timeout"
    );
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn b2_a_load_whose_starter_was_cancelled_neither_panics_nor_blocks_its_waiters() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 500);
    let mut callers = Vec::new();
    for _ in 0..10 {
        callers.push(fixture.reader("/a").await);
    }
    for caller in callers.iter().take(9) {
        caller.abort();
    }
    settle().await;
    assert_eq!(status_and_text(&callers.pop().unwrap().await.unwrap()), (Joined, "anna v0".into()));
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn b2_a_stuck_reload_does_not_freeze_the_key() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.source.set_duration("/a", 10_000_000);
    fixture.advance_s(120).await;
    fixture.read("/a").await.unwrap();
    settle().await;
    fixture.source.set_duration("/a", 0);
    fixture.source.write("/a");
    fixture.advance_s(121).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (Refreshed, "anna v1".into()));
    fixture.finish(3).await;
}

#[tokio::test(start_paused = true)]
async fn b2_followers_of_something_uncacheable_are_not_served_one_after_the_other() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 1000);
    fixture.source.set_response("/a", LoadScript::Pass);
    let mut callers = Vec::new();
    for _ in 0..30 {
        callers.push(fixture.reader("/a").await);
    }
    let before = fixture.clock.now();
    for caller in callers {
        assert!(matches!(caller.await.unwrap(), Ok(CacheResponse::Passed(_))));
    }
    assert_eq!(fixture.clock.now() - before, Duration::from_millis(2000));
    fixture.finish(30).await;
}

#[tokio::test(start_paused = true)]
async fn b4_a_failed_refresh_is_not_retried_by_the_very_next_read() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Starting));
    fixture.advance_s(100).await;
    for _ in 0..50 {
        assert_eq!(status_and_text(&fixture.read("/a").await).0, Stale);
        settle().await;
    }
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn b4_values_stored_together_do_not_refresh_together() {
    let fixture = CacheFixture::new();
    let mut due = std::collections::BTreeSet::new();
    for item in 0..50 {
        fixture.read(&format!("/{item}")).await.unwrap();
        due.insert(fixture.cache.peek(&CacheFixture::key(&format!("/{item}"))).unwrap().refresh_at_ms());
    }
    assert!(due.len() > 15, "{} different moments", due.len());
    let spread = due.last().unwrap().millis_since(*due.first().unwrap());
    assert!((2_000..=8_000).contains(&spread), "{spread} ms apart");
    fixture.finish(50).await;
}

#[tokio::test(start_paused = true)]
async fn b6_an_invalidation_is_compared_with_the_creation_of_the_entry_and_not_with_the_read() {
    let fixture = CacheFixture::new();
    fixture.mark_tag("item:1");
    fixture.advance_s(5).await;
    fixture.source.tags("/a", &["item:1"]);
    fixture.read("/a").await.unwrap();
    for _ in 0..10 {
        fixture.advance_s(5).await;
        assert_eq!(status_and_text(&fixture.read("/a").await).0, Hit);
    }
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn b6_a_purged_value_is_not_used_by_any_path() {
    let fixture = CacheFixture::new();
    fixture.source.tags("/a", &["item:1"]);
    fixture.read("/a").await.unwrap();
    fixture.cache.invalidate(&tag_scope("item:1"), &Invalidation::purge());
    let key = CacheFixture::key("/a");
    for failure in [LoadErrorKind::Unreachable, LoadErrorKind::TimedOut, LoadErrorKind::Panicked] {
        fixture.source.set_response("/a", LoadScript::Fail(failure));
        assert_eq!(kind(&fixture.read_with(&key, CacheDirective::Reload).await), failure);
        fixture.advance_s(2).await;
        assert_eq!(kind(&fixture.read_with(&key, CacheDirective::Any).await), failure);
        fixture.advance_s(2).await;
    }
    fixture.source.set_duration("/a", 50_000);
    assert_eq!(kind(&fixture.read("/a").await), LoadErrorKind::TimedOut);
    fixture.finish(8).await;
}

#[tokio::test(start_paused = true)]
async fn b6_values_without_tags_are_not_found_under_an_empty_one() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.cache.invalidate(&tag_scope(""), &Invalidation::purge());
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Hit);
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn b6_the_same_tag_in_another_namespace_is_another_tag() {
    let fixture = CacheFixture::new();
    fixture.source.tags("/a", &["item:1"]);
    fixture.read("/a").await.unwrap();
    let elsewhere = Scope::Tag { namespace: "other".into(), partition: None, tag: Tag::new("item:1") };
    fixture.cache.invalidate(&elsewhere, &Invalidation::purge());
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Hit);
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn b7_a_late_put_does_not_undo_an_invalidation_by_a_tag_only_the_late_value_has() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.advance_s(150).await;
    fixture.source.set_duration("/a", 500);
    fixture.source.tags("/a", &["new"]);
    let early = fixture.reader("/a").await;
    fixture.source.write("/a");
    fixture.mark_tag("new");
    early.await.unwrap().unwrap();
    assert_eq!(status_and_text(&fixture.read("/a").await), (Refreshed, "anna v1".into()));
    fixture.finish(3).await;
}

#[tokio::test(start_paused = true)]
async fn b7_a_value_from_an_older_load_never_replaces_one_from_a_newer() {
    let fixture = CacheFixture::new();
    let key = CacheFixture::key("/a");
    fixture.source.set_duration("/a", 900);
    let slow = fixture.caller(&key, CacheDirective::LoadUnshared).await;
    fixture.source.write("/a");
    fixture.source.set_duration("/a", 100);
    assert_eq!(
        status_and_text(&fixture.read_with(&key, CacheDirective::LoadUnshared).await),
        (Loaded, "anna v1".into())
    );
    assert_eq!(status_and_text(&slow.await.unwrap()).1, "anna v0", "his own load's result");
    assert_eq!(status_and_text(&fixture.read("/a").await), (Hit, "anna v1".into()));
    assert_eq!(fixture.class().not_stored_for(crate::NotStoredReason::Superseded), 1);
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn b7_a_not_found_of_an_older_load_does_not_remove_the_value_of_a_newer_one() {
    let fixture = CacheFixture::new();
    let key = CacheFixture::key("/a");
    fixture.source.set_duration("/a", 900);
    fixture.source.set_response("/a", LoadScript::Gone);
    let slow = fixture.caller(&key, CacheDirective::LoadUnshared).await;
    fixture.source.set_response("/a", LoadScript::Value);
    fixture.source.set_duration("/a", 100);
    fixture.read_with(&key, CacheDirective::LoadUnshared).await.unwrap();
    assert_eq!(status_and_text(&slow.await.unwrap()).1, "gone");
    assert_eq!(text(fixture.cache.peek(&key).unwrap().value()), "anna v0");
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn b7_a_writer_reads_its_own_write() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 300);
    fixture.source.tags("/a", &["item:1"]);
    for written in 1..=20 {
        let reader = fixture.reader("/a").await;
        fixture.advance(120).await;
        fixture.source.write("/a");
        fixture.mark_tag("item:1");
        let writer = fixture.reader("/a").await;
        fixture.advance(200).await;
        reader.await.unwrap().unwrap();
        let other = fixture.read("/a").await;
        let expected = format!("anna v{written}");
        assert_eq!(status_and_text(&other).1, expected, "what the slow reader brought is not found in between");
        assert_eq!(status_and_text(&writer.await.unwrap()).1, expected);
        fixture.advance(700).await;
        assert_eq!(status_and_text(&fixture.read("/a").await).1, expected, "and nothing older comes back");
    }
    let loads = fixture.source.load_count();
    fixture.finish(loads).await;
}
