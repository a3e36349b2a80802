//! The five cases of a read.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use super::fixture::{CacheFixture, LoadScript, POLICY, ScriptedLoader, kind, said, text};
use crate::CacheStatus::{Hit, Joined, Loaded, Refreshed, Stale, StaleOnError};
use crate::{
    CacheDirective, CacheResponse, CacheStatusReason, Entry, LoadError, LoadErrorKind, LoadReason, LoadResult,
    LoadedValue, Loader, Policy, Tier, Value,
};

#[tokio::test(start_paused = true)]
async fn a_value_is_loaded_once_and_then_hit_until_it_is_no_longer_fresh() {
    let stage = CacheFixture::new();
    assert_eq!(said(&stage.read("/a").await), (Loaded, "anna v0".into()));
    stage.source.write("/a");
    stage.pass(75_999).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v0".into()));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_stale_value_is_answered_at_once_and_refreshed_behind() {
    let stage = CacheFixture::new();
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
    let stage = CacheFixture::new();
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
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.pass_s(1150).await;
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::Unreachable));
    assert_eq!(kind(&stage.read("/a").await), LoadErrorKind::Unreachable);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn the_answer_tells_its_age_and_what_is_left() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 300);
    stage.read("/a").await.unwrap();
    stage.pass_s(10).await;
    let Ok(CacheResponse::Cached { age, left_ms, tier, reason, .. }) = stage.read("/a").await else { panic!() };
    assert_eq!((age.as_millis(), left_ms, tier, reason), (10_300, 90_000, Tier::Memory, None));
    stage.pass_s(110).await;
    let Ok(CacheResponse::Cached { left_ms, reason, .. }) = stage.read("/a").await else { panic!() };
    assert_eq!((left_ms, reason), (-20_000, Some(CacheStatusReason::Age)));
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn two_partitions_never_share_an_answer() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 500);
    let (anna, bert) = (CacheFixture::key_of("anna", "/a"), CacheFixture::key_of("bert", "/a"));
    let hers = stage.caller(&anna, CacheDirective::Any).await;
    let his = stage.caller(&bert, CacheDirective::Any).await;
    assert_eq!(said(&hers.await.unwrap()).1, "anna v0", "not while coalescing");
    assert_eq!(said(&his.await.unwrap()).1, "bert v0", "not while coalescing");
    assert_eq!(said(&stage.ask(&anna, CacheDirective::Any).await), (Hit, "anna v0".into()));
    assert_eq!(said(&stage.ask(&bert, CacheDirective::Any).await), (Hit, "bert v0".into()));
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_asks_again_unless_it_was_loaded_a_moment_ago() {
    let stage = CacheFixture::new();
    let key = CacheFixture::key("/a");
    stage.read("/a").await.unwrap();
    stage.pass_s(2).await;
    assert_eq!(said(&stage.ask(&key, CacheDirective::Reload).await).0, Hit);
    stage.pass(1).await;
    stage.source.write("/a");
    assert_eq!(said(&stage.ask(&key, CacheDirective::Reload).await), (Refreshed, "anna v1".into()));
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_joins_a_load_under_way() {
    let stage = CacheFixture::new();
    stage.source.takes("/a", 500);
    let first = stage.reader("/a").await;
    let second = stage.caller(&CacheFixture::key("/a"), CacheDirective::Reload).await;
    assert_eq!(said(&first.await.unwrap()).0, Loaded);
    assert_eq!(said(&second.await.unwrap()).0, Joined);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn an_own_load_neither_takes_what_is_kept_nor_joins_but_keeps_what_it_brings() {
    let stage = CacheFixture::new();
    let key = CacheFixture::key("/a");
    stage.source.takes("/a", 500);
    stage.read("/a").await.unwrap();
    stage.source.write("/a");
    let first = stage.caller(&key, CacheDirective::LoadUnshared).await;
    let second = stage.caller(&key, CacheDirective::LoadUnshared).await;
    assert_eq!(said(&first.await.unwrap()), (Refreshed, "anna v1".into()));
    assert_eq!(said(&second.await.unwrap()), (Refreshed, "anna v1".into()));
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v1".into()));
    stage.strike(3).await;
}

#[tokio::test(start_paused = true)]
async fn an_own_load_that_fails_is_never_answered_from_the_cache() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    stage.source.says("/a", LoadScript::Fail(LoadErrorKind::Unreachable));
    let outcome = stage.ask(&CacheFixture::key("/a"), CacheDirective::LoadUnshared).await;
    assert_eq!(kind(&outcome), LoadErrorKind::Unreachable);
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn only_if_cached_answers_what_is_kept_and_nothing_else() {
    let stage = CacheFixture::new();
    let key = CacheFixture::key("/a");
    assert_eq!(kind(&stage.ask(&key, CacheDirective::OnlyIfCached).await), LoadErrorKind::NotCached);
    stage.read("/a").await.unwrap();
    assert_eq!(said(&stage.ask(&key, CacheDirective::OnlyIfCached).await).0, Hit);
    stage.pass_s(150).await;
    assert_eq!(kind(&stage.ask(&key, CacheDirective::OnlyIfCached).await), LoadErrorKind::NotCached);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_hit_does_not_ask_for_a_loader() {
    let stage = CacheFixture::new();
    stage.read("/a").await.unwrap();
    let key = CacheFixture::key("/a");
    let answer =
        stage.cache.get_or_load(&key, &POLICY, CacheDirective::Any, || -> ScriptedLoader { panic!("asked for") });
    assert_eq!(answer.await.unwrap().served(), Some(Hit));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn peeking_leaves_no_trace() {
    let stage = CacheFixture::new();
    assert!(stage.cache.peek(&CacheFixture::key("/a")).is_none());
    stage.read("/a").await.unwrap();
    let before = stage.cache.stats();
    stage.pass_s(5000).await;
    assert_eq!(text(stage.cache.peek(&CacheFixture::key("/a")).unwrap().value()), "anna v0");
    assert_eq!(stage.cache.stats(), before);
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_loader_may_set_a_lifetime_of_its_own() {
    let stage = CacheFixture::new();
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
    let mut stage = CacheFixture::new();
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
    let stage = CacheFixture::new();
    let key = CacheFixture::key("/a");
    let large = Bytes::from(vec![7_u8; 1 << 20]);
    let slice = large.slice(..10);
    let loader = || OnceLoader(Mutex::new(Some(Value::new(slice))));
    let answer = stage.cache.get_or_load(&key, &POLICY, CacheDirective::Any, loader).await.unwrap();
    assert_eq!(answer.value().unwrap().body, large.slice(..10));
    assert_ne!(answer.value().unwrap().body.as_ptr(), large.as_ptr());
    stage.settle_tasks().await;
    assert!(large.try_into_mut().is_ok(), "nobody else holds the large buffer");
    stage.strike(0).await;
}

/// Loads a value prepared in advance, once.
struct OnceLoader(Mutex<Option<Value>>);

impl Loader for OnceLoader {
    type Pass = ();

    async fn load(&self, _why: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        Ok(LoadResult::Store(LoadedValue::new(self.0.lock().unwrap().take().unwrap())))
    }
}

#[test]
fn a_read_can_be_made_from_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    let stage = CacheFixture::new();
    let key = CacheFixture::key("/a");
    let read = stage.cache.get_or_load(&key, &POLICY, CacheDirective::Any, || OnceLoader(Mutex::new(None)));
    is_send(&read);
}
