//! Values that are stored under another key than the requested one.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use crate::{
    Cache, CacheDirective, CacheResponse, CacheSettings, CacheStatus, Clock, Entry, Invalidation, Key, LoadError,
    LoadReason, LoadResult, LoadedValue, Loader, Partition, Policy, Scope, Value,
};

const POLICY: Policy = Policy {
    class: "test",
    fresh: Duration::from_secs(60),
    freshness_bound: None,
    stale: Duration::ZERO,
    stale_on_error: Duration::from_secs(60),
    refresh_ahead: false,
    warm: false,
    soft_timeout: Duration::from_secs(1),
    hard_timeout: Duration::from_secs(30),
};

struct VariantLoader {
    stored_under: Key,
    clock: Clock,
}

impl Loader for VariantLoader {
    type Pass = ();

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        self.clock.sleep(Duration::from_millis(100)).await;
        let stored_under = Some(self.stored_under.clone());
        Ok(LoadResult::Store(LoadedValue { stored_under, ..LoadedValue::new(Value::new("variant")) }))
    }
}

struct Fixture {
    cache: Cache,
    clock: Clock,
}

impl Fixture {
    fn new() -> Self {
        let clock = Clock::system();
        Self { cache: Cache::new(CacheSettings::default(), clock.clone(), TaskTracker::new()), clock }
    }

    fn key(partition: &str, text: &str) -> Key {
        Key::new("api", &Partition::new(partition), text)
    }

    async fn read(&self, key: &Key, stored_under: &Key) -> Option<CacheStatus> {
        let loader = || VariantLoader { stored_under: stored_under.clone(), clock: self.clock.clone() };
        let response = self.cache.get_or_load(key, &POLICY, CacheDirective::Any, loader).await;
        response.as_ref().ok().and_then(CacheResponse::served)
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_is_found_under_the_key_that_its_loader_names_and_all_waiters_get_it() {
    let fixture = Fixture::new();
    let (asked, variant) = (Fixture::key("anna", "/a"), Fixture::key("anna", "/a in German"));
    let both = tokio::join!(fixture.read(&asked, &variant), fixture.read(&asked, &variant));
    assert_eq!(both, (Some(CacheStatus::Loaded), Some(CacheStatus::Joined)));
    assert_eq!(fixture.read(&variant, &variant).await, Some(CacheStatus::Hit));
    assert!(fixture.cache.peek(&asked).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_of_that_key_during_the_load_keeps_the_value_out() {
    let fixture = Fixture::new();
    let (asked, variant) = (Fixture::key("anna", "/a"), Fixture::key("anna", "/a in German"));
    let invalidate = async {
        fixture.clock.sleep(Duration::from_millis(50)).await;
        fixture.cache.invalidate(&Scope::Key(variant.clone()), &Invalidation::mark_stale());
    };
    tokio::join!(fixture.read(&asked, &variant), invalidate);
    assert!(fixture.cache.peek(&variant).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_loader_cannot_store_in_another_partition() {
    let fixture = Fixture::new();
    let (asked, foreign) = (Fixture::key("anna", "/a"), Fixture::key("bert", "/a"));
    fixture.read(&asked, &foreign).await;
    assert!(fixture.cache.peek(&foreign).is_none());
    assert!(fixture.cache.peek(&asked).is_some());
}
