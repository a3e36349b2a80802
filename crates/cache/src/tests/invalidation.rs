//! Never undone: a load that began before an invalidation has no effect after it.

use std::time::Duration;

use super::fixture::{CacheFixture, LoadScript, NAMESPACE, kind, said, tag_scope, text};
use crate::CacheStatus::{Hit, Joined, Loaded, Refreshed, StaleOnError};
use crate::{
    CacheDirective, CacheResponse, CacheStatusReason, GracePeriod, Invalidation, LoadErrorKind, NotStoredReason,
    Partition, Scope, Tag,
};

fn of_anna(tag: &str) -> Scope {
    Scope::Tag { namespace: NAMESPACE.into(), partition: Some(Partition::new("anna")), tag: Tag::new(tag) }
}

#[tokio::test(start_paused = true)]
async fn a_load_that_began_before_an_invalidation_is_not_kept_behind_it() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 500);
    stage.source.tags("/a", &["item:1"]);
    let early = stage.reader("/a").await;
    stage.source.write("/a");
    stage.mark_tag("item:1");
    let early = early.await.unwrap();
    assert_eq!(said(&early), (Loaded, "anna v0".into()), "he came before: it is his");
    let Ok(CacheResponse::Cached { reason, .. }) = early else { panic!() };
    assert_eq!(reason, Some(CacheStatusReason::NotStored(NotStoredReason::Invalidated)));
    assert!(stage.cache.peek(&CacheFixture::key("/a")).is_none());
    assert_eq!(said(&stage.read("/a").await), (Loaded, "anna v1".into()));
    assert_eq!(stage.class().not_stored_for(NotStoredReason::Invalidated), 1);
    stage.strike(2).await;
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
        let stage = CacheFixture::new();
        stage.source.takes("/a/b", 500);
        stage.source.tags("/a/b", &["item:1"]);
        let early = stage.reader("/a/b").await;
        stage.source.write("/a/b");
        stage.cache.invalidate(&scope, &Invalidation::mark_stale());
        let late = stage.reader("/a/b").await;
        assert_eq!(said(&early.await.unwrap()).1, "anna v0");
        assert_eq!(said(&late.await.unwrap()).1, "anna v1", "{scope:?}");
        assert_eq!(said(&stage.read("/a/b").await), (Hit, "anna v1".into()), "{scope:?}");
        stage.strike(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_come_after_an_invalidation_are_no_crowd_either() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 500);
    stage.source.tags("/a", &["item:1"]);
    let mut crowd = Vec::new();
    for _ in 0..50 {
        crowd.push(stage.reader("/a").await);
    }
    stage.source.write("/a");
    stage.mark_tag("item:1");
    for _ in 0..50 {
        crowd.push(stage.reader("/a").await);
    }
    for (at, caller) in crowd.into_iter().enumerate() {
        let wanted = if at < 50 { "anna v0" } else { "anna v1" };
        assert_eq!(said(&caller.await.unwrap()).1, wanted);
    }
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_shared_answer_from_before_is_not_for_whoever_came_after() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 500);
    stage.source.says("/a", LoadScript::Share);
    let early = stage.reader("/a").await;
    stage.source.write("/a");
    stage.mark_tag("some tag nobody can know it had");
    let late = stage.reader("/a").await;
    assert_eq!(said(&early.await.unwrap()).1, "anna v0");
    assert_eq!(said(&late.await.unwrap()).1, "anna v1");
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_marked_value_is_not_served_stale_nor_after_the_soft_timeout() {
    let stage = CacheFixture::new();
    stage.source.tags("/a", &["item:1"]);
    stage.read("/a").await.unwrap();
    stage.source.write("/a");
    stage.mark_tag("item:1");
    stage.source.takes("/a", 20_000);
    let before = stage.clock.now_ms();
    assert_eq!(said(&stage.read("/a").await), (Refreshed, "anna v1".into()));
    assert_eq!(stage.clock.now_ms() - before, 20_000);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_while_waiting_takes_the_old_value_from_the_soft_timeout() {
    let stage = CacheFixture::new();
    stage.source.tags("/a", &["item:1"]);
    stage.read("/a").await.unwrap();
    stage.pass_s(150).await;
    stage.source.takes("/a", 5000);
    let waiting = stage.reader("/a").await;
    stage.pass(500).await;
    stage.mark_tag("item:1");
    let outcome = waiting.await.unwrap();
    assert_eq!(said(&outcome), (Refreshed, "anna v0".into()), "the load's own result, which he came early for");
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_while_waiting_does_not_lengthen_the_wait() {
    let stage = CacheFixture::new();
    stage.source.tags("/a", &["item:1"]);
    stage.read("/a").await.unwrap();
    stage.pass_s(150).await;
    stage.source.takes("/a", 50_000);
    let before = stage.clock.now_ms();
    let waiting = stage.reader("/a").await;
    stage.pass(500).await;
    stage.mark_tag("item:1");
    let outcome = waiting.await.unwrap();
    assert_eq!(stage.clock.now_ms() - before, 30_000);
    assert_eq!(said(&outcome), (StaleOnError, "anna v0".into()));
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_marked_value_stands_in_when_loading_fails_and_a_purged_one_never() {
    let stage = CacheFixture::new();
    stage.source.tags("/a", &["item:1"]);
    stage.read("/a").await.unwrap();
    stage.mark_tag("item:1");
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::Unreachable));
    let outcome = stage.read("/a").await;
    assert_eq!(said(&outcome), (StaleOnError, "anna v0".into()));
    let Ok(CacheResponse::Cached { reason, .. }) = outcome else { panic!() };
    assert_eq!(reason, Some(CacheStatusReason::Failed(LoadErrorKind::Unreachable)));

    stage.cache.invalidate(&tag_scope("item:1"), &Invalidation::purge());
    assert_eq!(kind(&stage.read("/a").await), LoadErrorKind::Unreachable);
    assert!(stage.cache.peek(&CacheFixture::key("/a")).is_none(), "and it is not kept either");
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_purged_value_does_not_come_back_by_a_later_mark() {
    let stage = CacheFixture::new();
    stage.source.tags("/a", &["item:1"]);
    stage.read("/a").await.unwrap();
    stage.cache.invalidate(&tag_scope("item:1"), &Invalidation::purge());
    stage.mark_tag("item:1");
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::TimedOut));
    assert_eq!(kind(&stage.read("/a").await), LoadErrorKind::TimedOut);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn purging_a_key_frees_it_at_once() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    assert_eq!(stage.cache.stats().entries, 1);
    stage.cache.invalidate(&Scope::Key(CacheFixture::key("/a")), &Invalidation::purge());
    assert_eq!((stage.cache.stats().entries, stage.cache.stats().bytes, stage.class().bytes), (0, 0, 0));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_reaches_its_scope_and_nothing_else() {
    let stage = CacheFixture::new();
    let (anna, bert) = (CacheFixture::key_of("anna", "/a/1"), CacheFixture::key_of("bert", "/a/1"));
    let other = CacheFixture::key_of("anna", "/b/1");
    for text in ["/a/1", "/b/1"] {
        stage.source.tags(text, &[text]);
    }
    for key in [&anna, &bert, &other] {
        stage.ask(key, CacheDirective::Any).await.unwrap();
    }
    for (scope, hers, his, others) in [
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
        stage.cache.invalidate(&scope, &Invalidation::mark_stale());
        for (key, wanted) in [(&anna, hers), (&bert, his), (&other, others)] {
            assert_eq!(said(&stage.ask(key, CacheDirective::Any).await).0, wanted, "{key:?} after {scope:?}");
        }
    }
    let asked = stage.source.asked();
    stage.strike(asked).await;
}

#[tokio::test(start_paused = true)]
async fn loads_soon_after_a_confirmed_write_live_shortly() {
    let stage = CacheFixture::new();
    stage.source.tags("/a", &["item:1"]);
    let settle = GracePeriod { duration: Duration::from_secs(3), max_fresh: Duration::from_secs(1) };
    let how = Invalidation { grace_period: Some(settle), ..Invalidation::mark_stale() };
    stage.cache.invalidate(&tag_scope("item:1"), &how);
    stage.pass(2999).await;
    stage.read("/a").await.unwrap();
    stage.pass(999).await;
    assert_eq!(said(&stage.read("/a").await).0, Hit);
    stage.pass(1).await;
    assert_eq!(said(&stage.read("/a").await).0, Refreshed, "no stale window either");
    stage.pass_s(70).await;
    assert_eq!(said(&stage.read("/a").await).0, Hit, "that load began later and lives as usual");
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_write_of_unknown_outcome_nothing_is_stored_for_a_while() {
    let stage = CacheFixture::new();
    stage.source.tags("/a", &["item:1"]);
    stage.read("/a").await.unwrap();
    let how = Invalidation { unstorable_for: Some(Duration::from_secs(30)), ..Invalidation::mark_stale() };
    stage.cache.invalidate(&tag_scope("item:1"), &how);
    stage.pass(29_500).await;
    stage.source.takes("/a", 100);
    let (one, two) = (stage.reader("/a").await, stage.reader("/a").await);
    let one = one.await.unwrap();
    assert_eq!(said(&one).0, Refreshed);
    let Ok(CacheResponse::Cached { reason, .. }) = one else { panic!() };
    assert_eq!(reason, Some(CacheStatusReason::NotStored(NotStoredReason::WriteInDoubt)));
    assert_eq!(said(&two.await.unwrap()).0, Joined, "callers share the load all the same");
    assert_eq!(stage.source.asked(), 2);

    stage.source.takes("/a", 1000);
    let across = stage.reader("/a").await;
    stage.pass(401).await;
    let after = stage.reader("/a").await;
    across.await.unwrap().unwrap();
    assert_eq!(text(stage.cache.peek(&CacheFixture::key("/a")).unwrap().value()), "anna v0", "begun inside, not kept");
    assert_eq!(said(&after.await.unwrap()).0, Refreshed, "what began inside is not for him who came after");
    assert_eq!(said(&stage.read("/a").await).0, Hit);
    stage.strike(4).await;
}

#[tokio::test(start_paused = true)]
async fn during_an_unknown_outcome_the_old_value_stands_in_for_a_dead_source() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    let how = Invalidation { unstorable_for: Some(Duration::from_secs(30)), ..Invalidation::mark_stale() };
    stage.cache.invalidate(&Scope::Key(CacheFixture::key("/a")), &how);
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::Unreachable));
    assert_eq!(said(&stage.read("/a").await), (StaleOnError, "anna v0".into()));
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_refresh_brings_is_fenced_like_any_load() {
    let stage = CacheFixture::new();
    stage.source.tags("/a", &["item:1"]);
    stage.read("/a").await.unwrap();
    stage.pass_s(100).await;
    stage.source.takes("/a", 500);
    stage.read("/a").await.unwrap();
    stage.source.write("/a");
    stage.mark_tag("item:1");
    stage.pass(500).await;
    let entry = stage.cache.peek(&CacheFixture::key("/a")).unwrap();
    assert!(entry.created_ms() < stage.clock.now_ms() - 50_000, "the refresh was not kept");
    assert_eq!(said(&stage.read("/a").await), (Refreshed, "anna v1".into()));
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn too_many_markers_become_few_that_cover_more() {
    let stage = CacheFixture::with(crate::CacheSettings { max_markers: 64, ..crate::CacheSettings::default() });
    stage.source.tags("/old", &["item:1"]);
    stage.read("/old").await.unwrap();
    for item in 0..1000 {
        stage.mark_tag(&format!("item:{item}"));
    }
    let stats = stage.cache.stats();
    assert!(stats.markers <= 64 && stats.markers_folded > 900, "{stats:?}");
    assert_eq!(said(&stage.read("/old").await).0, Refreshed, "nothing invalid comes back");
    stage.source.tags("/new", &["item:7"]);
    stage.read("/new").await.unwrap();
    assert_eq!(said(&stage.read("/new").await).0, Hit, "what is loaded after is valid");
    stage.strike(3).await;
}
