//! Whoever asks why is told.

use super::stage::{POLICY, Says, Stage, tag_scope};
use crate::{Cause, Demand, FailureKind, Invalidation, Marking, Policy, Scope, Tag};

#[tokio::test(start_paused = true)]
async fn a_diagnosis_tells_what_is_kept_and_what_speaks_against_it() {
    let mut stage = Stage::new();
    stage.policy = Policy { warm: true, ..POLICY };
    let key = Stage::key("/a");
    let nothing = stage.cache.diagnose(&key);
    assert!(nothing.entry.is_none() && nothing.invalidated.is_none() && !nothing.warm);

    stage.source.tags("/a", &["item:1"]);
    stage.read("/a").await.unwrap();
    let marked = stage.cache.invalidate(&tag_scope("item:1"), &Invalidation::mark());
    let told = stage.cache.diagnose(&key);
    assert_eq!(told.entry.as_ref().map(|entry| entry.tags()[0].as_str()), Some("item:1"));
    assert_eq!((told.marking, told.invalidated, told.warm), (Marking::Marked, Some(marked), true));

    stage.source.says("/a", Says::Fail(FailureKind::ServerError));
    stage.read("/a").await.unwrap();
    assert_eq!(stage.cache.diagnose(&key).failed, Some(FailureKind::ServerError));
    stage.pass_s(1).await;
    assert_eq!(stage.cache.diagnose(&key).failed, None);

    stage.source.says("/b", Says::Pass);
    stage.read("/b").await.unwrap();
    assert!(stage.cache.diagnose(&Stage::key("/b")).uncacheable);
    stage.ask(&Stage::key("/b"), Demand::OnlyIfCached).await.unwrap_err();
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_diagnosis_names_the_newest_invalidation_by_what_it_reached() {
    let stage = Stage::new();
    stage.source.tags("/a/b", &["item:1", "items"]);
    stage.read("/a/b").await.unwrap();
    let key = Stage::key("/a/b");
    let namespace = key.namespace().to_owned();
    let (partition, all) = (Some(key.partition().clone()), None);
    let tagged =
        |tag: &str, partition| Scope::Tag { namespace: namespace.clone(), partition, tag: Tag::new(tag) };
    let below = Scope::Prefix { namespace: namespace.clone(), partition: None, prefix: "/a".into() };
    let hers = Scope::Partition { namespace: namespace.clone(), partition: key.partition().clone() };
    for (scope, cause) in [
        (tagged("items", all), Cause::Tag(Tag::new("items"))),
        (tagged("item:1", partition), Cause::Tag(Tag::new("item:1"))),
        (below, Cause::Prefix),
        (Scope::Key(key.clone()), Cause::Key),
        (hers, Cause::Partition),
        (Scope::Namespace(namespace.clone()), Cause::Namespace),
        (Scope::All, Cause::All),
    ] {
        let stamp = stage.cache.invalidate(&scope, &Invalidation::mark());
        let told = stage.cache.diagnose(&key);
        assert_eq!((told.invalidated, told.cause), (Some(stamp), Some(cause)), "{scope:?}");
    }
    stage.strike(1).await;
}
