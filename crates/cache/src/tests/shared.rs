//! Caches that share a store: here a naive one in memory, which numbers invalidations and forgets nothing.

use crate::timestamp::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fixture::{CacheFixture, LoadScript, status_and_text, tag_scope};
use crate::remote::{LoadClaim, RemoteEntry, RemoteStore, RemoteWrite, SharedInvalidation, StoreFuture};
use crate::{CacheDirective, CacheStatus, Invalidation, Key, LoadErrorKind};

/// A store that the test plays by hand: nothing travels before the test lets it.
#[derive(Debug, Default)]
struct NaiveStore(Mutex<NaiveState>);

#[derive(Debug, Default)]
struct NaiveState {
    entries: HashMap<String, RemoteEntry>,
    waiting: Vec<SharedInvalidation>,
    removals: Vec<(Key, u64)>,
    /// Too many removals wait already.
    is_full: bool,
    seq: u64,
}

impl RemoteStore for Arc<NaiveStore> {
    fn get<'a>(&'a self, key: &'a Key, _is_last_resort: bool) -> StoreFuture<'a, Option<RemoteEntry>> {
        Box::pin(async { self.0.lock().unwrap().entries.get(key.encoded()).cloned() })
    }

    fn put(&self, key: &Key, write: RemoteWrite) {
        let entry = &write.entry;
        let stored = RemoteEntry {
            value: entry.value().clone(),
            tags: entry.tags().to_vec(),
            created_ms: entry.created_ms(),
            stored_ms: entry.stored_ms(),
            deadlines: entry.deadlines(),
            adapted: entry.adapted(),
            known: write.known,
        };
        self.0.lock().unwrap().entries.insert(key.encoded().into(), stored);
    }

    fn remove(&self, key: &Key, ticket: u64) -> bool {
        let mut state = self.0.lock().unwrap();
        if !state.is_full {
            state.removals.push((key.clone(), ticket));
        }
        !state.is_full
    }

    fn invalidate(&self, invalidation: SharedInvalidation) {
        self.0.lock().unwrap().waiting.push(invalidation);
    }

    fn flush_invalidations(&self) -> StoreFuture<'_, bool> {
        Box::pin(async { self.0.lock().unwrap().waiting.is_empty() })
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn claim_load<'a>(&'a self, _key: &'a Key) -> StoreFuture<'a, LoadClaim> {
        Box::pin(async { LoadClaim::Unclaimed })
    }
}

impl NaiveStore {
    /// Numbers what waits: the sender learns its numbers, and the others hear them.
    fn deliver(&self, sender: &CacheFixture, others: &[&CacheFixture]) {
        let mut state = self.0.lock().unwrap();
        for waiting in std::mem::take(&mut state.waiting) {
            state.seq += 1;
            sender.cache.record_number(state.seq, &waiting.scope, waiting.ticket);
            for other in others {
                other.cache.hear(state.seq, &waiting);
            }
        }
        for cache in others.iter().chain([&sender]) {
            cache.cache.record_heard(state.seq);
        }
    }
}

/// Two caches with one source and one store.
fn pair() -> (CacheFixture, CacheFixture, Arc<NaiveStore>) {
    let (one, other, store) = (CacheFixture::new(), CacheFixture::new(), Arc::new(NaiveStore::default()));
    let other = CacheFixture { source: one.source.clone(), ..other };
    for fixture in [&one, &other] {
        assert!(fixture.cache.attach_remote(Arc::new(Arc::clone(&store))));
        fixture.cache.begin_remote_epoch(1);
        fixture.cache.record_heard(0);
    }
    one.source.tags("/a", &["item"]);
    (one, other, store)
}

async fn served(fixture: &CacheFixture) -> (CacheStatus, String) {
    status_and_text(&fixture.read("/a").await)
}

fn invalidate(fixture: &CacheFixture) {
    fixture.cache.invalidate(&tag_scope("item"), &Invalidation::mark_stale());
}

fn from_source(status: CacheStatus, version: u32) -> (CacheStatus, String) {
    (status, format!("anna v{version}"))
}

#[tokio::test(start_paused = true)]
async fn what_one_cache_loaded_the_other_finds() {
    let (one, other, _store) = pair();
    assert_eq!(served(&one).await, from_source(CacheStatus::Loaded, 0));
    assert_eq!(served(&other).await, from_source(CacheStatus::Hit, 0));
    assert_eq!(one.source.load_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_holds_for_the_store_before_it_has_its_number_and_after() {
    let (one, other, store) = pair();
    served(&one).await;
    one.source.write("/a");
    invalidate(&other);
    assert_eq!(served(&other).await, from_source(CacheStatus::Loaded, 1), "its number is not known yet");
    store.deliver(&other, &[&one]);
    let found = served(&one).await;
    assert_eq!(found, from_source(CacheStatus::Refreshed, 1), "it heard, and the store's entry knew too little");
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_has_nothing_itself_does_not_find_what_was_invalidated() {
    let (one, other, store) = pair();
    served(&one).await;
    one.source.write("/a");
    invalidate(&one);
    store.deliver(&one, &[&other]);
    assert_eq!(served(&other).await, from_source(CacheStatus::Loaded, 1));
}

#[tokio::test(start_paused = true)]
async fn an_entry_below_the_floor_or_of_another_epoch_is_not_served() {
    let (one, other, _store) = pair();
    served(&one).await;
    other.cache.raise_remote_floor(1);
    assert_eq!(served(&other).await.0, CacheStatus::Loaded);
    let (one, other, _store) = pair();
    served(&one).await;
    other.cache.begin_remote_epoch(2);
    assert_eq!(served(&other).await.0, CacheStatus::Loaded);
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_cannot_hear_the_others_serves_its_entry_only_if_the_source_fails() {
    let (one, _other, _store) = pair();
    served(&one).await;
    one.cache.trust_until(one.clock.now() + Duration::from_millis(1_000), Duration::ZERO);
    assert_eq!(served(&one).await.0, CacheStatus::Hit);
    one.advance_s(1).await;
    one.source.write("/a");
    assert_eq!(served(&one).await, from_source(CacheStatus::Refreshed, 1));
    one.source.set_response("/a", LoadScript::Fail(LoadErrorKind::Unreachable));
    assert_eq!(served(&one).await, from_source(CacheStatus::StaleOnError, 1));
    one.cache.trust_until(Timestamp::MAX, Duration::ZERO);
    assert_eq!(served(&one).await.0, CacheStatus::Hit);
}

#[tokio::test(start_paused = true)]
async fn without_trust_no_caller_gets_a_load_from_before_it_arrived_and_none_loads_alone() {
    let (one, _other, _store) = pair();
    one.cache.trust_until(Timestamp::UNIX_EPOCH, Duration::ZERO);
    one.source.set_duration("/a", 100);
    let first = one.reader("/a").await;
    one.advance(50).await;
    // A write through another cache is answered now, and this one cannot know.
    one.source.write("/a");
    let mut later = Vec::new();
    for _ in 0..20 {
        later.push(one.reader("/a").await);
    }
    one.advance(1_000).await;
    assert!(first.await.expect("it ends").is_ok());
    for read in later {
        assert_eq!(status_and_text(&read.await.expect("it ends")).1, "anna v1");
    }
    assert_eq!(one.source.load_count(), 2, "one for each moment, not one for each caller");
}

#[tokio::test(start_paused = true)]
async fn what_the_source_no_longer_has_is_not_found_in_the_store() {
    let (one, _other, store) = pair();
    served(&one).await;
    one.advance_s(10).await;
    one.source.set_response("/a", LoadScript::Gone);
    let gone = one.read_with(&CacheFixture::key("/a"), CacheDirective::Reload).await;
    assert!(gone.is_ok_and(|gone| gone.value().is_some_and(|value| value.body.as_ref() == b"gone")));
    let removals = store.0.lock().unwrap().removals.clone();
    assert_eq!(removals.len(), 1);
    one.source.set_response("/a", LoadScript::Value);
    one.source.write("/a");
    assert_eq!(served(&one).await.1, "anna v1", "the entry in the store waits for its removal");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_wait_for_its_removal_is_invalidated_and_found_again_later() {
    let (one, other, store) = pair();
    served(&one).await;
    one.advance_s(10).await;
    store.0.lock().unwrap().is_full = true;
    one.source.set_response("/a", LoadScript::Gone);
    let gone = one.read_with(&CacheFixture::key("/a"), CacheDirective::Reload).await;
    assert!(gone.is_ok());
    store.deliver(&one, &[&other]);
    one.source.set_response("/a", LoadScript::Value);
    one.source.write("/a");
    assert_eq!(served(&one).await.1, "anna v1", "the entry in the store knew too little");
    assert_eq!(served(&other).await, from_source(CacheStatus::Hit, 1), "what was loaded since is found");
    let loads = one.source.load_count();
    one.cache.invalidate(&tag_scope("another"), &Invalidation::purge());
    assert_eq!((served(&one).await.0, one.source.load_count()), (CacheStatus::Hit, loads));
}
