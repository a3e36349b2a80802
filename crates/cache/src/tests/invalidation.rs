//! Never undone: a load that began before an invalidation has no effect after it.

use std::time::Duration;

use super::fixture::{CacheFixture, LoadScript, NAMESPACE, kind, status_and_text, tag_scope, text};
use crate::CacheStatus::{Hit, Joined, Loaded, Refreshed, StaleOnError};
use crate::{
    CacheDirective, CacheResponse, CacheStatusReason, GracePeriod, Invalidation, LoadErrorKind, NotStoredReason,
    Partition, Scope, Tag,
};

fn of_anna(tag: &str) -> Scope {
    Scope::Tag { namespace: NAMESPACE.into(), partition: Some(Partition::new("anna")), tag: Tag::new(tag) }
}

#[tokio::test(start_paused = true)]
async fn a_load_that_began_before_an_invalidation_is_not_stored_after_it() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 500);
    fixture.source.tags("/a", &["item:1"]);
    let early = fixture.reader("/a").await;
    fixture.source.write("/a");
    fixture.mark_tag("item:1");
    let early = early.await.unwrap();
    assert_eq!(status_and_text(&early), (Loaded, "anna v0".into()), "he came before: it is his");
    let Ok(CacheResponse::Cached { reason, .. }) = early else { panic!() };
    assert_eq!(reason, Some(CacheStatusReason::NotStored(NotStoredReason::Invalidated)));
    assert!(fixture.cache.peek(&CacheFixture::key("/a")).is_none());
    assert_eq!(status_and_text(&fixture.read("/a").await), (Loaded, "anna v1".into()));
    assert_eq!(fixture.class().not_stored_for(NotStoredReason::Invalidated), 1);
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_after_an_invalidation_never_joins_a_load_from_before() {
    for scope in [
        Scope::All,
        Scope::Namespace(NAMESPACE.into()),
        Scope::Partition { namespace: NAMESPACE.into(), partition: Partition::new("anna") },
        Scope::Key(CacheFixture::key("/a/b")),
        Scope::Prefix { namespace: NAMESPACE.into(), partition: None, prefix: "/a".into() },
        tag_scope("item:1"),
        of_anna("item:1"),
    ] {
        let fixture = CacheFixture::new();
        fixture.source.set_duration("/a/b", 500);
        fixture.source.tags("/a/b", &["item:1"]);
        let early = fixture.reader("/a/b").await;
        fixture.source.write("/a/b");
        fixture.cache.invalidate(&scope, &Invalidation::mark_stale());
        let late = fixture.reader("/a/b").await;
        assert_eq!(status_and_text(&early.await.unwrap()).1, "anna v0");
        assert_eq!(status_and_text(&late.await.unwrap()).1, "anna v1", "{scope:?}");
        assert_eq!(status_and_text(&fixture.read("/a/b").await), (Hit, "anna v1".into()), "{scope:?}");
        fixture.finish(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn callers_after_an_invalidation_share_one_load_too() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 500);
    fixture.source.tags("/a", &["item:1"]);
    let mut callers = Vec::new();
    for _ in 0..50 {
        callers.push(fixture.reader("/a").await);
    }
    fixture.source.write("/a");
    fixture.mark_tag("item:1");
    for _ in 0..50 {
        callers.push(fixture.reader("/a").await);
    }
    for (at, caller) in callers.into_iter().enumerate() {
        let expected = if at < 50 { "anna v0" } else { "anna v1" };
        assert_eq!(status_and_text(&caller.await.unwrap()).1, expected);
    }
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_shared_response_from_before_an_invalidation_is_not_served_to_later_callers() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 500);
    fixture.source.set_response("/a", LoadScript::Share);
    let early = fixture.reader("/a").await;
    fixture.source.write("/a");
    fixture.mark_tag("a tag that the damaged entry may have had");
    let late = fixture.reader("/a").await;
    assert_eq!(status_and_text(&early.await.unwrap()).1, "anna v0");
    assert_eq!(status_and_text(&late.await.unwrap()).1, "anna v1");
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_invalidated_entry_is_not_served_stale_nor_after_the_soft_timeout() {
    let fixture = CacheFixture::new();
    fixture.source.tags("/a", &["item:1"]);
    fixture.read("/a").await.unwrap();
    fixture.source.write("/a");
    fixture.mark_tag("item:1");
    fixture.source.set_duration("/a", 20_000);
    let before = fixture.clock.now();
    assert_eq!(status_and_text(&fixture.read("/a").await), (Refreshed, "anna v1".into()));
    assert_eq!(fixture.clock.now() - before, Duration::from_millis(20_000));
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_invalidated_while_waiting_is_not_served_after_the_soft_timeout() {
    let fixture = CacheFixture::new();
    fixture.source.tags("/a", &["item:1"]);
    fixture.read("/a").await.unwrap();
    fixture.advance_s(150).await;
    fixture.source.set_duration("/a", 5000);
    let waiting = fixture.reader("/a").await;
    fixture.advance(500).await;
    fixture.mark_tag("item:1");
    let outcome = waiting.await.unwrap();
    assert_eq!(
        status_and_text(&outcome),
        (Refreshed, "anna v0".into()),
        "the load's own result, which he came early for"
    );
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_while_waiting_does_not_lengthen_the_wait() {
    let fixture = CacheFixture::new();
    fixture.source.tags("/a", &["item:1"]);
    fixture.read("/a").await.unwrap();
    fixture.advance_s(150).await;
    fixture.source.set_duration("/a", 50_000);
    let before = fixture.clock.now();
    let waiting = fixture.reader("/a").await;
    fixture.advance(500).await;
    fixture.mark_tag("item:1");
    let outcome = waiting.await.unwrap();
    assert_eq!(fixture.clock.now() - before, Duration::from_millis(30_000));
    assert_eq!(status_and_text(&outcome), (StaleOnError, "anna v0".into()));
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_invalidated_entry_is_served_when_loading_fails_and_a_purged_one_is_not() {
    let fixture = CacheFixture::new();
    fixture.source.tags("/a", &["item:1"]);
    fixture.read("/a").await.unwrap();
    fixture.mark_tag("item:1");
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Unreachable));
    let outcome = fixture.read("/a").await;
    assert_eq!(status_and_text(&outcome), (StaleOnError, "anna v0".into()));
    let Ok(CacheResponse::Cached { reason, .. }) = outcome else { panic!() };
    assert_eq!(reason, Some(CacheStatusReason::Failed(LoadErrorKind::Unreachable)));

    fixture.cache.invalidate(&tag_scope("item:1"), &Invalidation::purge());
    assert_eq!(kind(&fixture.read("/a").await), LoadErrorKind::Unreachable);
    assert!(fixture.cache.peek(&CacheFixture::key("/a")).is_none(), "and it is not kept either");
    fixture.finish(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_purged_entry_does_not_come_back_through_a_later_invalidation() {
    let fixture = CacheFixture::new();
    fixture.source.tags("/a", &["item:1"]);
    fixture.read("/a").await.unwrap();
    fixture.cache.invalidate(&tag_scope("item:1"), &Invalidation::purge());
    fixture.mark_tag("item:1");
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::TimedOut));
    assert_eq!(kind(&fixture.read("/a").await), LoadErrorKind::TimedOut);
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn purging_a_key_frees_its_memory_at_once() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    assert_eq!(fixture.cache.stats().entries, 1);
    fixture.cache.invalidate(&Scope::Key(CacheFixture::key("/a")), &Invalidation::purge());
    assert_eq!((fixture.cache.stats().entries, fixture.cache.stats().bytes, fixture.class().bytes), (0, 0, 0));
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_covers_its_scope_and_nothing_else() {
    let fixture = CacheFixture::new();
    let (anna, bert) = (CacheFixture::key_of("anna", "/a/1"), CacheFixture::key_of("bert", "/a/1"));
    let other = CacheFixture::key_of("anna", "/b/1");
    for text in ["/a/1", "/b/1"] {
        fixture.source.tags(text, &[text]);
    }
    for key in [&anna, &bert, &other] {
        fixture.read_with(key, CacheDirective::Any).await.unwrap();
    }
    for (scope, annas, berts, others) in [
        (of_anna("/a/1"), Refreshed, Hit, Hit),
        (tag_scope("/a/1"), Refreshed, Refreshed, Hit),
        (tag_scope("/a"), Hit, Hit, Hit),
        (Scope::Key(bert.clone()), Hit, Refreshed, Hit),
        (
            Scope::Prefix { namespace: NAMESPACE.into(), partition: None, prefix: "/a".into() },
            Refreshed,
            Refreshed,
            Hit,
        ),
        (
            Scope::Prefix {
                namespace: NAMESPACE.into(),
                partition: Some(Partition::new("anna")),
                prefix: "/b/".into(),
            },
            Hit,
            Hit,
            Refreshed,
        ),
        (
            Scope::Partition { namespace: NAMESPACE.into(), partition: Partition::new("anna") },
            Refreshed,
            Hit,
            Refreshed,
        ),
        (Scope::Namespace("elsewhere".into()), Hit, Hit, Hit),
        (Scope::Namespace(NAMESPACE.into()), Refreshed, Refreshed, Refreshed),
        (Scope::All, Refreshed, Refreshed, Refreshed),
    ] {
        fixture.cache.invalidate(&scope, &Invalidation::mark_stale());
        for (key, expected) in [(&anna, annas), (&bert, berts), (&other, others)] {
            assert_eq!(
                status_and_text(&fixture.read_with(key, CacheDirective::Any).await).0,
                expected,
                "{key:?} after {scope:?}"
            );
        }
    }
    let loads = fixture.source.load_count();
    fixture.finish(loads).await;
}

#[tokio::test(start_paused = true)]
async fn loads_soon_after_a_confirmed_write_live_shortly() {
    let fixture = CacheFixture::new();
    fixture.source.tags("/a", &["item:1"]);
    let grace_period = GracePeriod { duration: Duration::from_secs(3), max_fresh: Duration::from_secs(1) };
    let invalidation = Invalidation { grace_period: Some(grace_period), ..Invalidation::mark_stale() };
    fixture.cache.invalidate(&tag_scope("item:1"), &invalidation);
    fixture.advance(2999).await;
    fixture.read("/a").await.unwrap();
    fixture.advance(999).await;
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Hit);
    fixture.advance(1).await;
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Refreshed, "no stale window either");
    fixture.advance_s(70).await;
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Hit, "that load began later and lives as usual");
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_write_of_unknown_outcome_nothing_is_stored_during_the_hold() {
    let fixture = CacheFixture::new();
    fixture.source.tags("/a", &["item:1"]);
    fixture.read("/a").await.unwrap();
    let invalidation = Invalidation { unstorable_for: Some(Duration::from_secs(30)), ..Invalidation::mark_stale() };
    fixture.cache.invalidate(&tag_scope("item:1"), &invalidation);
    fixture.advance(29_500).await;
    fixture.source.set_duration("/a", 100);
    let (one, two) = (fixture.reader("/a").await, fixture.reader("/a").await);
    let one = one.await.unwrap();
    assert_eq!(status_and_text(&one).0, Refreshed);
    let Ok(CacheResponse::Cached { reason, .. }) = one else { panic!() };
    assert_eq!(reason, Some(CacheStatusReason::NotStored(NotStoredReason::WriteInDoubt)));
    assert_eq!(status_and_text(&two.await.unwrap()).0, Joined, "callers share the load all the same");
    assert_eq!(fixture.source.load_count(), 2);

    fixture.source.set_duration("/a", 1000);
    let across = fixture.reader("/a").await;
    fixture.advance(401).await;
    let after = fixture.reader("/a").await;
    across.await.unwrap().unwrap();
    assert_eq!(
        text(fixture.cache.peek(&CacheFixture::key("/a")).unwrap().value()),
        "anna v0",
        "begun inside, not kept"
    );
    assert_eq!(
        status_and_text(&after.await.unwrap()).0,
        Refreshed,
        "a load that began inside is not for a later caller"
    );
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Hit);
    fixture.finish(4).await;
}

#[tokio::test(start_paused = true)]
async fn during_a_hold_the_old_entry_is_served_if_the_source_is_down() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    let invalidation = Invalidation { unstorable_for: Some(Duration::from_secs(30)), ..Invalidation::mark_stale() };
    fixture.cache.invalidate(&Scope::Key(CacheFixture::key("/a")), &invalidation);
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Unreachable));
    assert_eq!(status_and_text(&fixture.read("/a").await), (StaleOnError, "anna v0".into()));
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn the_result_of_a_refresh_is_fenced_like_any_load() {
    let fixture = CacheFixture::new();
    fixture.source.tags("/a", &["item:1"]);
    fixture.read("/a").await.unwrap();
    fixture.advance_s(100).await;
    fixture.source.set_duration("/a", 500);
    fixture.read("/a").await.unwrap();
    fixture.source.write("/a");
    fixture.mark_tag("item:1");
    fixture.advance(500).await;
    let entry = fixture.cache.peek(&CacheFixture::key("/a")).unwrap();
    assert!(entry.created_ms() < fixture.clock.now() - Duration::from_millis(50_000), "the refresh was not kept");
    assert_eq!(status_and_text(&fixture.read("/a").await), (Refreshed, "anna v1".into()));
    fixture.finish(3).await;
}

#[tokio::test(start_paused = true)]
async fn too_many_invalidations_are_folded_into_broader_ones() {
    let fixture = CacheFixture::with(crate::CacheSettings { max_markers: 64, ..crate::CacheSettings::default() });
    fixture.source.tags("/old", &["item:1"]);
    fixture.read("/old").await.unwrap();
    for item in 0..1000 {
        fixture.mark_tag(&format!("item:{item}"));
    }
    let stats = fixture.cache.stats();
    assert!(stats.markers <= 64 && stats.markers_folded > 900, "{stats:?}");
    assert_eq!(status_and_text(&fixture.read("/old").await).0, Refreshed, "nothing invalid comes back");
    fixture.source.tags("/new", &["item:7"]);
    fixture.read("/new").await.unwrap();
    assert_eq!(status_and_text(&fixture.read("/new").await).0, Hit, "what is loaded after is valid");
    fixture.finish(3).await;
}
