//! The five cases of a read.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use super::stage::{FromSource, POLICY, Says, Stage, kind, said, text};
use crate::Served::{Hit, Joined, Loaded, Refreshed, Stale, StaleOnError};
use crate::{
    Answer, Demand, Entry, Failure, FailureKind, Fill, Load, LoadReason, Loader, Policy, Reason, Tier, Value,
};

#[tokio::test(start_paused = true)]
async fn a_value_is_loaded_once_and_then_hit_until_it_is_no_longer_fresh() {
    let stage = Stage::new();
    assert_eq!(said(&stage.read("/a").await), (Loaded, "anna v0".into()));
    stage.source.write("/a");
    stage.pass(75_999).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v0".into()));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_stale_value_is_answered_at_once_and_refreshed_behind() {
    let stage = Stage::new();
    stage.source.takes("/a", 500);
    assert_eq!(said(&stage.read("/a").await), (Loaded, "anna v0".into()));
    stage.source.write("/a");
    stage.pass_s(100).await;
    let before = stage.clock.now_ms();
    assert_eq!(said(&stage.read("/a").await), (Stale, "anna v0".into()));
    assert_eq!(stage.clock.now_ms(), before, "nobody waited");
    stage.pass(500).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v1".into()));
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_value_is_loaded_anew_and_stands_in_when_that_is_slow() {
    let stage = Stage::new();
    stage.read("/a").await.unwrap();
    stage.source.write("/a");
    stage.pass_s(150).await;
    assert_eq!(said(&stage.read("/a").await), (Refreshed, "anna v1".into()));
    stage.pass_s(150).await;
    stage.source.write("/a");
    stage.source.takes("/a", 5000);
    let before = stage.clock.now_ms();
    assert_eq!(said(&stage.read("/a").await), (StaleOnError, "anna v1".into()));
    assert_eq!(stage.clock.now_ms() - before, 1000, "the soft timeout");
    stage.pass(4000).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v2".into()), "the late result was kept");
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_value_is_as_good_as_none() {
    let stage = Stage::new();
    stage.read("/a").await.unwrap();
    stage.pass_s(1150).await;
    stage.source.says("/a", Says::Fail(FailureKind::Unreachable));
    assert_eq!(kind(&stage.read("/a").await), FailureKind::Unreachable);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn the_answer_tells_its_age_and_what_is_left() {
    let stage = Stage::new();
    stage.source.takes("/a", 300);
    stage.read("/a").await.unwrap();
    stage.pass_s(10).await;
    let Ok(Answer::Kept { age, left_ms, tier, reason, .. }) = stage.read("/a").await else { panic!() };
    assert_eq!((age.as_millis(), left_ms, tier, reason), (10_300, 90_000, Tier::Memory, None));
    stage.pass_s(110).await;
    let Ok(Answer::Kept { left_ms, reason, .. }) = stage.read("/a").await else { panic!() };
    assert_eq!((left_ms, reason), (-20_000, Some(Reason::Age)));
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn two_partitions_never_share_an_answer() {
    let stage = Stage::new();
    stage.source.takes("/a", 500);
    let (anna, bert) = (Stage::key_of("anna", "/a"), Stage::key_of("bert", "/a"));
    let hers = stage.caller(&anna, Demand::Any).await;
    let his = stage.caller(&bert, Demand::Any).await;
    assert_eq!(said(&hers.await.unwrap()).1, "anna v0", "not while coalescing");
    assert_eq!(said(&his.await.unwrap()).1, "bert v0", "not while coalescing");
    assert_eq!(said(&stage.ask(&anna, Demand::Any).await), (Hit, "anna v0".into()));
    assert_eq!(said(&stage.ask(&bert, Demand::Any).await), (Hit, "bert v0".into()));
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_asks_again_unless_it_was_loaded_a_moment_ago() {
    let stage = Stage::new();
    let key = Stage::key("/a");
    stage.read("/a").await.unwrap();
    stage.pass_s(2).await;
    assert_eq!(said(&stage.ask(&key, Demand::Reload).await).0, Hit);
    stage.pass(1).await;
    stage.source.write("/a");
    assert_eq!(said(&stage.ask(&key, Demand::Reload).await), (Refreshed, "anna v1".into()));
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_joins_a_load_under_way() {
    let stage = Stage::new();
    stage.source.takes("/a", 500);
    let first = stage.reader("/a").await;
    let second = stage.caller(&Stage::key("/a"), Demand::Reload).await;
    assert_eq!(said(&first.await.unwrap()).0, Loaded);
    assert_eq!(said(&second.await.unwrap()).0, Joined);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn an_own_load_neither_takes_what_is_kept_nor_joins_but_keeps_what_it_brings() {
    let stage = Stage::new();
    let key = Stage::key("/a");
    stage.source.takes("/a", 500);
    stage.read("/a").await.unwrap();
    stage.source.write("/a");
    let first = stage.caller(&key, Demand::Own).await;
    let second = stage.caller(&key, Demand::Own).await;
    assert_eq!(said(&first.await.unwrap()), (Refreshed, "anna v1".into()));
    assert_eq!(said(&second.await.unwrap()), (Refreshed, "anna v1".into()));
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v1".into()));
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn an_own_load_that_fails_is_never_answered_from_the_cache() {
    let stage = Stage::new();
    stage.read("/a").await.unwrap();
    stage.source.says("/a", Says::Fail(FailureKind::Unreachable));
    let outcome = stage.ask(&Stage::key("/a"), Demand::Own).await;
    assert_eq!(kind(&outcome), FailureKind::Unreachable);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn only_if_cached_answers_what_is_kept_and_nothing_else() {
    let stage = Stage::new();
    let key = Stage::key("/a");
    assert_eq!(kind(&stage.ask(&key, Demand::OnlyIfCached).await), FailureKind::NotCached);
    stage.read("/a").await.unwrap();
    assert_eq!(said(&stage.ask(&key, Demand::OnlyIfCached).await).0, Hit);
    stage.pass_s(150).await;
    assert_eq!(kind(&stage.ask(&key, Demand::OnlyIfCached).await), FailureKind::NotCached);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_hit_does_not_ask_for_a_loader() {
    let stage = Stage::new();
    stage.read("/a").await.unwrap();
    let key = Stage::key("/a");
    let answer =
        stage.cache.get_or_load(&key, &POLICY, Demand::Any, || -> FromSource { panic!("asked for") });
    assert_eq!(answer.await.unwrap().served(), Some(Hit));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn peeking_leaves_no_trace() {
    let stage = Stage::new();
    assert!(stage.cache.peek(&Stage::key("/a")).is_none());
    stage.read("/a").await.unwrap();
    let before = stage.cache.stats();
    stage.pass_s(5000).await;
    assert_eq!(text(stage.cache.peek(&Stage::key("/a")).unwrap().value()), "anna v0");
    assert_eq!(stage.cache.stats(), before);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_loader_may_set_a_lifetime_of_its_own() {
    let stage = Stage::new();
    stage.source.lives("/a", Policy { fresh: Duration::from_secs(500), ..POLICY });
    stage.source.lives("/b", Policy { fresh: Duration::from_secs(1), stale: Duration::ZERO, ..POLICY });
    stage.read("/a").await.unwrap();
    stage.read("/b").await.unwrap();
    stage.pass_s(300).await;
    assert_eq!(said(&stage.read("/a").await).0, Hit);
    assert_eq!(said(&stage.read("/b").await).0, Refreshed);
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_shortened_at_run_time_applies_to_what_is_kept() {
    let mut stage = Stage::new();
    stage.source.lives("/own", POLICY);
    stage.read("/a").await.unwrap();
    stage.read("/own").await.unwrap();
    stage.policy = Policy { fresh: Duration::from_secs(10), stale: Duration::ZERO, ..POLICY };
    stage.pass_s(10).await;
    assert_eq!(said(&stage.read("/a").await).0, Refreshed);
    assert_eq!(said(&stage.read("/own").await).0, Hit, "but not to a life the loader set");
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_value_keeps_nothing_alive_but_its_own_bytes() {
    let stage = Stage::new();
    let key = Stage::key("/a");
    let large = Bytes::from(vec![7_u8; 1 << 20]);
    let slice = large.slice(..10);
    let loader = || Ready(Mutex::new(Some(Value::new(slice))));
    let answer = stage.cache.get_or_load(&key, &POLICY, Demand::Any, loader).await.unwrap();
    assert_eq!(answer.value().unwrap().body, large.slice(..10));
    assert_ne!(answer.value().unwrap().body.as_ptr(), large.as_ptr());
    stage.settle_tasks().await;
    assert!(large.try_into_mut().is_ok(), "nobody else holds the large buffer");
    stage.strike(0).await;
}

/// Loads a value that is there already, once.
struct Ready(Mutex<Option<Value>>);

impl Loader for Ready {
    type Pass = ();

    async fn load(&self, _why: LoadReason, _old: Option<Arc<Entry>>) -> Result<Load<()>, Failure> {
        Ok(Load::Store(Fill::new(self.0.lock().unwrap().take().unwrap())))
    }
}

#[test]
fn a_read_can_be_made_from_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    let stage = Stage::new();
    let key = Stage::key("/a");
    let read = stage.cache.get_or_load(&key, &POLICY, Demand::Any, || Ready(Mutex::new(None)));
    is_send(&read);
}
