//! Diagnosis explains every state of a key.

use super::fixture::{CacheFixture, LoadScript, POLICY, tag_scope};
use crate::{CacheDirective, Invalidation, InvalidationCause, LoadErrorKind, Policy, Scope, Tag, Validity};

#[tokio::test(start_paused = true)]
async fn a_diagnosis_shows_the_entry_and_why_it_is_not_served() {
    let mut fixture = CacheFixture::new();
    fixture.policy = Policy { warm: true, ..POLICY };
    let key = CacheFixture::key("/a");
    let nothing = fixture.cache.diagnose(&key);
    assert!(nothing.entry.is_none() && nothing.invalidated.is_none() && !nothing.warm);

    fixture.source.tags("/a", &["item:1"]);
    fixture.read("/a").await.unwrap();
    let marked = fixture.cache.invalidate(&tag_scope("item:1"), &Invalidation::mark_stale());
    let diagnosed = fixture.cache.diagnose(&key);
    assert_eq!(diagnosed.entry.as_ref().map(|entry| entry.tags()[0].as_str()), Some("item:1"));
    assert_eq!(
        (diagnosed.validity, diagnosed.invalidated, diagnosed.warm),
        (Validity::Invalidated, Some(marked), true)
    );

    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::ServerError));
    fixture.read("/a").await.unwrap();
    assert_eq!(fixture.cache.diagnose(&key).failed, Some(LoadErrorKind::ServerError));
    fixture.advance_s(1).await;
    assert_eq!(fixture.cache.diagnose(&key).failed, None);

    fixture.source.set_response("/b", LoadScript::Pass);
    fixture.read("/b").await.unwrap();
    assert!(fixture.cache.diagnose(&CacheFixture::key("/b")).uncacheable);
    fixture.read_with(&CacheFixture::key("/b"), CacheDirective::OnlyIfCached).await.unwrap_err();
    fixture.finish(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_diagnosis_names_the_scope_of_the_newest_invalidation() {
    let fixture = CacheFixture::new();
    fixture.source.tags("/a/b", &["item:1", "items"]);
    fixture.read("/a/b").await.unwrap();
    let key = CacheFixture::key("/a/b");
    let namespace = key.namespace().to_owned();
    let (partition, all) = (Some(key.partition().clone()), None);
    let tagged = |tag: &str, partition| Scope::Tag { namespace: namespace.clone(), partition, tag: Tag::new(tag) };
    let below = Scope::Prefix { namespace: namespace.clone(), partition: None, prefix: "/a".into() };
    let annas = Scope::Partition { namespace: namespace.clone(), partition: key.partition().clone() };
    for (scope, cause) in [
        (tagged("items", all), InvalidationCause::Tag(Tag::new("items"))),
        (tagged("item:1", partition), InvalidationCause::Tag(Tag::new("item:1"))),
        (below, InvalidationCause::Prefix),
        (Scope::Key(key.clone()), InvalidationCause::Key),
        (annas, InvalidationCause::Partition),
        (Scope::Namespace(namespace.clone()), InvalidationCause::Namespace),
        (Scope::All, InvalidationCause::All),
    ] {
        let stamp = fixture.cache.invalidate(&scope, &Invalidation::mark_stale());
        let diagnosed = fixture.cache.diagnose(&key);
        assert_eq!((diagnosed.invalidated, diagnosed.cause), (Some(stamp), Some(cause)), "{scope:?}");
    }
    fixture.finish(1).await;
}
