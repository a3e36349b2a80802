//! The five cases of a read.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use super::fixture::{CacheFixture, LoadScript, POLICY, ScriptedLoader, kind, status_and_text, text};
use crate::CacheStatus::{Hit, Joined, Loaded, Refreshed, Stale, StaleOnError};
use crate::{
    CacheDirective, CacheResponse, CacheStatusReason, Entry, LoadError, LoadErrorKind, LoadReason, LoadResult,
    LoadedValue, Loader, Policy, Tier, Value,
};

#[tokio::test(start_paused = true)]
async fn a_value_is_loaded_once_and_then_hit_until_it_is_no_longer_fresh() {
    let fixture = CacheFixture::new();
    assert_eq!(status_and_text(&fixture.read("/a").await), (Loaded, "anna v0".into()));
    fixture.source.write("/a");
    fixture.advance(75_999).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (Hit, "anna v0".into()));
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_stale_entry_is_served_at_once_and_refreshed_in_the_background() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 500);
    assert_eq!(status_and_text(&fixture.read("/a").await), (Loaded, "anna v0".into()));
    fixture.source.write("/a");
    fixture.advance_s(100).await;
    let before = fixture.clock.now();
    assert_eq!(status_and_text(&fixture.read("/a").await), (Stale, "anna v0".into()));
    assert_eq!(fixture.clock.now(), before, "no reader waited");
    fixture.advance(500).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (Hit, "anna v1".into()));
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_entry_is_loaded_again_and_served_if_the_load_is_slow() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.source.write("/a");
    fixture.advance_s(150).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (Refreshed, "anna v1".into()));
    fixture.advance_s(150).await;
    fixture.source.write("/a");
    fixture.source.set_duration("/a", 5000);
    let before = fixture.clock.now();
    assert_eq!(status_and_text(&fixture.read("/a").await), (StaleOnError, "anna v1".into()));
    assert_eq!(fixture.clock.now() - before, Duration::from_millis(1000), "the soft timeout");
    fixture.advance(4000).await;
    assert_eq!(status_and_text(&fixture.read("/a").await), (Hit, "anna v2".into()), "the late result was kept");
    fixture.finish(3).await;
}

#[tokio::test(start_paused = true)]
async fn an_unusable_entry_counts_as_absent() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.advance_s(1150).await;
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Unreachable));
    assert_eq!(kind(&fixture.read("/a").await), LoadErrorKind::Unreachable);
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_response_has_its_age_and_remaining_fresh_time() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 300);
    fixture.read("/a").await.unwrap();
    fixture.advance_s(10).await;
    let Ok(CacheResponse::Cached { age, left_ms, tier, reason, .. }) = fixture.read("/a").await else { panic!() };
    assert_eq!((age.as_millis(), left_ms, tier, reason), (10_300, 90_000, Tier::Memory, None));
    fixture.advance_s(110).await;
    let Ok(CacheResponse::Cached { left_ms, reason, .. }) = fixture.read("/a").await else { panic!() };
    assert_eq!((left_ms, reason), (-20_000, Some(CacheStatusReason::Age)));
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn two_partitions_never_share_a_response() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 500);
    let (anna, bert) = (CacheFixture::key_of("anna", "/a"), CacheFixture::key_of("bert", "/a"));
    let annas = fixture.caller(&anna, CacheDirective::Any).await;
    let berts = fixture.caller(&bert, CacheDirective::Any).await;
    assert_eq!(status_and_text(&annas.await.unwrap()).1, "anna v0", "not while coalescing");
    assert_eq!(status_and_text(&berts.await.unwrap()).1, "bert v0", "not while coalescing");
    assert_eq!(status_and_text(&fixture.read_with(&anna, CacheDirective::Any).await), (Hit, "anna v0".into()));
    assert_eq!(status_and_text(&fixture.read_with(&bert, CacheDirective::Any).await), (Hit, "bert v0".into()));
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_loads_again_unless_the_entry_was_just_loaded() {
    let fixture = CacheFixture::new();
    let key = CacheFixture::key("/a");
    fixture.read("/a").await.unwrap();
    fixture.advance_s(2).await;
    assert_eq!(status_and_text(&fixture.read_with(&key, CacheDirective::Reload).await).0, Hit);
    fixture.advance(1).await;
    fixture.source.write("/a");
    assert_eq!(status_and_text(&fixture.read_with(&key, CacheDirective::Reload).await), (Refreshed, "anna v1".into()));
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_joins_a_load_under_way() {
    let fixture = CacheFixture::new();
    fixture.source.set_duration("/a", 500);
    let first = fixture.reader("/a").await;
    let second = fixture.caller(&CacheFixture::key("/a"), CacheDirective::Reload).await;
    assert_eq!(status_and_text(&first.await.unwrap()).0, Loaded);
    assert_eq!(status_and_text(&second.await.unwrap()).0, Joined);
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn an_unshared_load_neither_reads_the_cache_nor_joins_but_stores_its_result() {
    let fixture = CacheFixture::new();
    let key = CacheFixture::key("/a");
    fixture.source.set_duration("/a", 500);
    fixture.read("/a").await.unwrap();
    fixture.source.write("/a");
    let first = fixture.caller(&key, CacheDirective::LoadUnshared).await;
    let second = fixture.caller(&key, CacheDirective::LoadUnshared).await;
    assert_eq!(status_and_text(&first.await.unwrap()), (Refreshed, "anna v1".into()));
    assert_eq!(status_and_text(&second.await.unwrap()), (Refreshed, "anna v1".into()));
    assert_eq!(status_and_text(&fixture.read("/a").await), (Hit, "anna v1".into()));
    fixture.finish(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_unshared_load_is_never_answered_from_the_cache() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    fixture.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Unreachable));
    let outcome = fixture.read_with(&CacheFixture::key("/a"), CacheDirective::LoadUnshared).await;
    assert_eq!(kind(&outcome), LoadErrorKind::Unreachable);
    fixture.finish(2).await;
}

#[tokio::test(start_paused = true)]
async fn only_if_cached_serves_cached_entries_only() {
    let fixture = CacheFixture::new();
    let key = CacheFixture::key("/a");
    assert_eq!(kind(&fixture.read_with(&key, CacheDirective::OnlyIfCached).await), LoadErrorKind::NotCached);
    fixture.read("/a").await.unwrap();
    assert_eq!(status_and_text(&fixture.read_with(&key, CacheDirective::OnlyIfCached).await).0, Hit);
    fixture.advance_s(150).await;
    assert_eq!(kind(&fixture.read_with(&key, CacheDirective::OnlyIfCached).await), LoadErrorKind::NotCached);
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_hit_does_not_ask_for_a_loader() {
    let fixture = CacheFixture::new();
    fixture.read("/a").await.unwrap();
    let key = CacheFixture::key("/a");
    let response =
        fixture.cache.get_or_load(&key, &POLICY, CacheDirective::Any, || -> ScriptedLoader { panic!("asked for") });
    assert_eq!(response.await.unwrap().served(), Some(Hit));
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn peeking_leaves_no_trace() {
    let fixture = CacheFixture::new();
    assert!(fixture.cache.peek(&CacheFixture::key("/a")).is_none());
    fixture.read("/a").await.unwrap();
    let before = fixture.cache.stats();
    fixture.advance_s(5000).await;
    assert_eq!(text(fixture.cache.peek(&CacheFixture::key("/a")).unwrap().value()), "anna v0");
    assert_eq!(fixture.cache.stats(), before);
    fixture.finish(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_loader_may_return_its_own_policy() {
    let fixture = CacheFixture::new();
    fixture.source.set_policy("/a", Policy { fresh: Duration::from_secs(500), ..POLICY });
    fixture.source.set_policy("/b", Policy { fresh: Duration::from_secs(1), stale: Duration::ZERO, ..POLICY });
    fixture.read("/a").await.unwrap();
    fixture.read("/b").await.unwrap();
    fixture.advance_s(300).await;
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Hit);
    assert_eq!(status_and_text(&fixture.read("/b").await).0, Refreshed);
    fixture.finish(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_shortened_at_run_time_applies_to_stored_entries() {
    let mut fixture = CacheFixture::new();
    fixture.source.set_policy("/own", POLICY);
    fixture.read("/a").await.unwrap();
    fixture.read("/own").await.unwrap();
    fixture.policy = Policy { fresh: Duration::from_secs(10), stale: Duration::ZERO, ..POLICY };
    fixture.advance_s(10).await;
    assert_eq!(status_and_text(&fixture.read("/a").await).0, Refreshed);
    assert_eq!(status_and_text(&fixture.read("/own").await).0, Hit, "but not to a life the loader set");
    fixture.finish(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_stored_value_keeps_no_larger_buffer_alive() {
    let fixture = CacheFixture::new();
    let key = CacheFixture::key("/a");
    let large = Bytes::from(vec![7_u8; 1 << 20]);
    let slice = large.slice(..10);
    let loader = || OnceLoader(Mutex::new(Some(Value::new(slice))));
    let response = fixture.cache.get_or_load(&key, &POLICY, CacheDirective::Any, loader).await.unwrap();
    assert_eq!(response.value().unwrap().body, large.slice(..10));
    assert_ne!(response.value().unwrap().body.as_ptr(), large.as_ptr());
    fixture.settle_tasks().await;
    assert!(large.try_into_mut().is_ok(), "there is no other reference to the large buffer");
    fixture.finish(0).await;
}

/// Loads a value prepared in advance, once.
struct OnceLoader(Mutex<Option<Value>>);

impl Loader for OnceLoader {
    type Pass = ();

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        Ok(LoadResult::Store(LoadedValue::new(self.0.lock().unwrap().take().unwrap())))
    }
}

#[test]
fn a_read_can_be_made_from_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    let fixture = CacheFixture::new();
    let key = CacheFixture::key("/a");
    let read = fixture.cache.get_or_load(&key, &POLICY, CacheDirective::Any, || OnceLoader(Mutex::new(None)));
    is_send(&read);
}
