//! Never emptied by a failure; and no failure is remembered for too long.

use super::fixture::{CacheFixture, LoadScript, kind, status_and_text};
use crate::CacheStatus::{Hit, Loaded, Refreshed, StaleOnError};
use crate::{CacheDirective, CacheResponse, CacheStatusReason, Invalidation, LoadErrorKind, Scope};

const SERVES_OLD: [LoadErrorKind; 11] = [
    LoadErrorKind::Unreachable,
    LoadErrorKind::TimedOut,
    LoadErrorKind::ServerError,
    LoadErrorKind::Malformed,
    LoadErrorKind::Starting,
    LoadErrorKind::Offline,
    LoadErrorKind::Implausible,
    LoadErrorKind::Panicked,
    LoadErrorKind::Overloaded,
    LoadErrorKind::Redirected,
    LoadErrorKind::Unrequested,
];

#[tokio::test(start_paused = true)]
async fn a_failed_load_never_replaces_a_value() {
    for failure in SERVES_OLD {
        let fixture = CacheFixture::new();
        fixture.read("/a").await.unwrap();
        fixture.advance_s(150).await;
        fixture.source.set_response("/a", LoadScript::Fail(failure));
        let outcome = fixture.read("/a").await;
        assert_eq!(status_and_text(&outcome), (StaleOnError, "anna v0".into()));
        let Ok(CacheResponse::Cached { reason, .. }) = outcome else { panic!() };
        assert_eq!(reason, Some(CacheStatusReason::Failed(failure)));
        fixture.advance_s(2).await;
        fixture.source.set_response("/a", LoadScript::Value);
        assert_eq!(status_and_text(&fixture.read("/a").await).0, Refreshed, "{failure:?}");
        fixture.finish(3).await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_definite_refusal_the_old_entry_is_not_served() {
    for failure in [LoadErrorKind::Denied, LoadErrorKind::Refused] {
        let fixture = CacheFixture::new();
        fixture.read("/a").await.unwrap();
        fixture.advance_s(150).await;
        fixture.source.set_response("/a", LoadScript::Fail(failure));
        assert_eq!(kind(&fixture.read("/a").await), failure);
        assert!(fixture.cache.peek(&CacheFixture::key("/a")).is_some(), "but it is not dropped by that");
        fixture.finish(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_cached_for_the_ttl_of_its_kind() {
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
        (LoadErrorKind::Redirected, 0),
        (LoadErrorKind::Unrequested, 0),
    ] {
        let fixture = CacheFixture::new();
        fixture.source.set_response("/a", LoadScript::Fail(failure));
        assert_eq!(kind(&fixture.read("/a").await), failure);
        if millis > 0 {
            fixture.advance(millis - 1).await;
            assert_eq!(kind(&fixture.read("/a").await), failure);
            assert_eq!(fixture.source.load_count(), 1, "{failure:?} is remembered");
            fixture.advance(1).await;
        }
        fixture.read("/a").await.unwrap_err();
        fixture.finish(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cached_failure_is_answered_with_the_old_entry() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.advance_s(150).await;
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::ServerError));
    fixture.read("/a").await.unwrap();
    let outcome = fixture.read("/a").await;
    assert_eq!(status_and_text(&outcome).0, StaleOnError);
    let Ok(CacheResponse::Cached { reason, .. }) = outcome else { panic!() };
    assert_eq!(reason, Some(CacheStatusReason::FailedRecently(LoadErrorKind::ServerError)));
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_value_is_remembered_briefly_and_forgotten_by_a_write() {
    let fixture = CacheFixture::new();
    fixture.source.tags("/a", &["picture"]);
    fixture.source.set_response("/a", LoadScript::Absent);
    let absent = |served| (served, "absent".to_owned());
    assert_eq!(status_and_text(&fixture.read("/a").await), absent(Loaded));
    assert_eq!(status_and_text(&fixture.read("/a").await), absent(Hit));
    assert_eq!(
        status_and_text(&fixture.read_with(&CacheFixture::key_of("bert", "/a"), CacheDirective::Any).await),
        absent(Loaded),
        "it says nothing to another partition"
    );
    fixture.mark_tag("other");
    fixture.advance_s(59).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), absent(Hit));
    fixture.advance_s(1).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), absent(Loaded), "a minute later");
    fixture.mark_tag("picture");
    assert_eq!(status_and_text(&fixture.read("/a").await), absent(Loaded), "what could make it was written");
    let reload = fixture.read_with(&CacheFixture::key("/a"), CacheDirective::Reload).await;
    assert_eq!(status_and_text(&reload), absent(Loaded), "it is demanded anew");
    assert_eq!(status_and_text(&fixture.read("/a").await), absent(Hit));
    fixture.source.set_response("/a", LoadScript::Value);
    fixture.mark_tag("picture");
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Loaded);
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Hit);
    assert_eq!(fixture.class().hits, 4);
    fixture.finish(6).await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_value_that_was_written_meanwhile_is_not_remembered() {
    let fixture = CacheFixture::new();
    fixture.source.tags("/a", &["picture"]);
    fixture.source.set_response("/a", LoadScript::Absent);
    fixture.source.set_duration("/a", 1000);
    let reading = fixture.reader("/a").await;
    fixture.mark_tag("picture");
    fixture.advance(1000).await;
    reading.await.unwrap().unwrap();
    fixture.source.set_duration("/a", 0);
    fixture.source.set_response("/a", LoadScript::Value);
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Loaded);
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_value_drops_the_entry_and_a_shared_one_ends_its_absence() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.source.set_response("/a", LoadScript::Absent);
    let reload = fixture.read_with(&CacheFixture::key("/a"), CacheDirective::Reload).await;
    assert_eq!(status_and_text(&reload).0, Hit, "an entry that was just loaded");
    fixture.advance_s(5).await;
    fixture.read_with(&CacheFixture::key("/a"), CacheDirective::Reload).await.unwrap();
    assert!(fixture.cache.peek(&CacheFixture::key("/a")).is_none());
    assert!(fixture.cache.diagnose(&CacheFixture::key("/a")).absent);
    fixture.source.set_response("/a", LoadScript::Share);
    fixture.read_with(&CacheFixture::key("/a"), CacheDirective::Reload).await.unwrap();
    assert!(!fixture.cache.diagnose(&CacheFixture::key("/a")).absent);
    fixture.finish(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_cached_for_its_partition_only() {
    let fixture = CacheFixture::new();
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Denied));
    assert_eq!(kind(&fixture.read("/a").await), LoadErrorKind::Denied);
    fixture.source.set_response("/a", LoadScript::Value);
    assert_eq!(
        status_and_text(&fixture.read_with(&CacheFixture::key_of("bert", "/a"), CacheDirective::Any).await).0,
        Loaded
    );
    assert_eq!(kind(&fixture.read("/a").await), LoadErrorKind::Denied);
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_ends_earlier_cached_failures() {
    let fixture = CacheFixture::new();
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Denied));
    fixture.read("/a").await.unwrap_err();
    fixture.source.set_response("/a", LoadScript::Value);
    fixture.cache.invalidate(&Scope::Key(CacheFixture::key("/a")), &Invalidation::mark_stale());
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Loaded);
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_cached_failure_does_not_hide_a_fresh_value() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.advance_s(5).await;
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Denied));
    assert_eq!(kind(&fixture.read_with(&CacheFixture::key("/a"), CacheDirective::Reload).await), LoadErrorKind::Denied);
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Hit);
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_reload_says_so_and_serves_the_cached_entry() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.advance_s(5).await;
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Unreachable));
    assert_eq!(
        status_and_text(&fixture.read_with(&CacheFixture::key("/a"), CacheDirective::Reload).await).0,
        StaleOnError
    );
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_strict_reload_gets_the_old_entry_only_if_the_source_does_not_answer() {
    for failure in SERVES_OLD {
        let fixture = CacheFixture::new();
        fixture.read("/a").await.unwrap();
        fixture.advance_s(5).await;
        fixture.source.set_response("/a", LoadScript::Fail(failure));
        let outcome = fixture.read_with(&CacheFixture::key("/a"), CacheDirective::ReloadStrict).await;
        assert_eq!(outcome.is_ok(), failure.is_unanswered(), "{failure:?}");
        fixture.finish(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_a_cached_failure() {
    let fixture = CacheFixture::new();
    let key = CacheFixture::key("/a");
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Denied));
    fixture.read("/a").await.unwrap_err();
    fixture.source.set_response("/a", LoadScript::Value);
    fixture.read_with(&key, CacheDirective::LoadUnshared).await.unwrap();
    fixture.advance_s(5).await;
    assert_eq!(status_and_text(&fixture.read_with(&key, CacheDirective::Reload).await).0, Refreshed);
    fixture.finish(3).await;
}

#[tokio::test(start_paused = true)]
async fn offline_reads_are_answered_from_the_cache_at_once_and_nothing_is_loaded() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.source.set_duration("/a", 5_000);
    let key = CacheFixture::key("/a");
    for (pass_s, expected) in [(10, Hit), (100, StaleOnError), (200, StaleOnError)] {
        fixture.advance_s(pass_s).await;
        let before_ms = fixture.clock.now();
        let outcome = fixture.read_with(&key, CacheDirective::Offline).await;
        assert_eq!(status_and_text(&outcome), (expected, "anna v0".into()), "after {pass_s} s more");
        let Ok(CacheResponse::Cached { reason, .. }) = outcome else { panic!() };
        assert_eq!(reason, Some(CacheStatusReason::Offline));
        assert_eq!(fixture.clock.now(), before_ms, "no reader waits");
    }
    fixture.cache.invalidate(&Scope::Key(key.clone()), &Invalidation::mark_stale());
    assert_eq!(status_and_text(&fixture.read_with(&key, CacheDirective::Offline).await).0, StaleOnError);
    fixture.cache.invalidate(&Scope::Key(key.clone()), &Invalidation::purge());
    assert_eq!(kind(&fixture.read_with(&key, CacheDirective::Offline).await), LoadErrorKind::NotCached);
    assert_eq!(
        kind(&fixture.read_with(&CacheFixture::key("/b"), CacheDirective::Offline).await),
        LoadErrorKind::NotCached
    );
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_was_not_even_tried_does_not_make_the_next_one_wait() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.advance_s(110).await;
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Offline));
    for _ in 0..4 {
        fixture.read("/a").await.unwrap();
        fixture.advance(1).await;
    }
    fixture.source.set_response("/a", LoadScript::Value);
    fixture.source.write("/a");
    fixture.read("/a").await.unwrap();
    fixture.advance(1).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (Hit, "anna v1".into()));
    fixture.finish(6).await;
}
