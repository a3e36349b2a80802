//! Diagnosis explains every state of a key.

use super::fixture::{CacheFixture, LoadScript, POLICY, tag_scope};
use crate::{CacheDirective, Invalidation, InvalidationCause, LoadErrorKind, Policy, Scope, Tag, Validity};

#[tokio::test(start_paused = true)]
async fn a_diagnosis_tells_what_is_kept_and_what_speaks_against_it() {
    let mut stage = CacheFixture::new();
    stage.policy = Policy { warm: true, ..POLICY };
    let key = CacheFixture::key("/a");
    let nothing = stage.cache.diagnose(&key);
    assert!(nothing.entry.is_none() && nothing.invalidated.is_none() && !nothing.warm);

    stage.source.tags("/a", &["item:1"]);
    stage.read("/a").await.unwrap();
    let marked = stage.cache.invalidate(&tag_scope("item:1"), &Invalidation::mark_stale());
    let told = stage.cache.diagnose(&key);
    assert_eq!(told.entry.as_ref().map(|entry| entry.tags()[0].as_str()), Some("item:1"));
    assert_eq!((told.validity, told.invalidated, told.warm), (Validity::Invalidated, Some(marked), true));

    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::ServerError));
    stage.read("/a").await.unwrap();
    assert_eq!(stage.cache.diagnose(&key).failed, Some(LoadErrorKind::ServerError));
    stage.pass_s(1).await;
    assert_eq!(stage.cache.diagnose(&key).failed, None);

    stage.source.says("/b", LoadScript::Pass);
    stage.read("/b").await.unwrap();
    assert!(stage.cache.diagnose(&CacheFixture::key("/b")).uncacheable);
    stage.ask(&CacheFixture::key("/b"), CacheDirective::OnlyIfCached).await.unwrap_err();
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_diagnosis_names_the_newest_invalidation_by_what_it_reached() {
    let stage = CacheFixture::new();
    stage.source.tags("/a/b", &["item:1", "items"]);
    stage.read("/a/b").await.unwrap();
    let key = CacheFixture::key("/a/b");
    let namespace = key.namespace().to_owned();
    let (partition, all) = (Some(key.partition().clone()), None);
    let tagged = |tag: &str, partition| Scope::Tag { namespace: namespace.clone(), partition, tag: Tag::new(tag) };
    let below = Scope::Prefix { namespace: namespace.clone(), partition: None, prefix: "/a".into() };
    let hers = Scope::Partition { namespace: namespace.clone(), partition: key.partition().clone() };
    for (scope, cause) in [
        (tagged("items", all), InvalidationCause::Tag(Tag::new("items"))),
        (tagged("item:1", partition), InvalidationCause::Tag(Tag::new("item:1"))),
        (below, InvalidationCause::Prefix),
        (Scope::Key(key.clone()), InvalidationCause::Key),
        (hers, InvalidationCause::Partition),
        (Scope::Namespace(namespace.clone()), InvalidationCause::Namespace),
        (Scope::All, InvalidationCause::All),
    ] {
        let stamp = stage.cache.invalidate(&scope, &Invalidation::mark_stale());
        let told = stage.cache.diagnose(&key);
        assert_eq!((told.invalidated, told.cause), (Some(stamp), Some(cause)), "{scope:?}");
    }
    stage.strike(1).await;
}
