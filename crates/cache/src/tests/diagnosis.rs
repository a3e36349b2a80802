//! Whoever asks why is told.

use super::stage::{POLICY, Says, Stage, tag_scope};
use crate::{Demand, FailureKind, Invalidation, Marking, Policy};

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
