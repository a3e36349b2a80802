//! Leases.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Stage, cache, entry, key, put, request, tags};
use crate::error::AppCacheError;
use crate::lease::{LeaseResult, MAX_LEASES_PER_CACHE};
use crate::put::{Put, PutCondition, PutResult};
use crate::scope::InvalidationScope;

const LONG: Duration = Duration::from_secs(30);

fn loaded(text: &str, value: &str, token: u64) -> Put {
    Put { lease: Some(token), ..put(text, value) }
}

async fn held(stage: &Stage, text: &str) -> u64 {
    let result = stage.caches.acquire(&cache("c"), &request(text, 60), Duration::ZERO).await.expect("it works");
    let LeaseResult::Held { token, .. } = result else { panic!("held: {result:?}") };
    token
}

#[tokio::test]
async fn of_many_callers_one_loads_and_the_others_get_its_value() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    let loads = Arc::new(AtomicUsize::new(0));
    let calls = (0..50).map(|_| {
        let (caches, loads) = (stage.caches.clone(), Arc::clone(&loads));
        async move {
            match caches.acquire(&cache("c"), &request("k", 60), LONG).await.expect("it works") {
                LeaseResult::Held { token, .. } => {
                    loads.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    caches.put(&cache("c"), loaded("k", "v", token)).await.expect("it works");
                }
                LeaseResult::Unneeded(found) => assert_eq!(found.entry.value, b"v"),
                taken @ LeaseResult::Taken { .. } => panic!("waited in vain: {taken:?}"),
            }
        }
    });
    let tasks = tokio_util::task::TaskTracker::new();
    let calls: Vec<_> = calls.map(|call| tasks.spawn(call)).collect();
    for call in calls {
        call.await.expect("no panic");
    }
    assert_eq!(loads.load(Ordering::Relaxed), 1);
    stage.close().await;
}

#[tokio::test]
async fn a_lease_that_is_given_back_wakes_a_waiting_caller() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    let token = held(&stage, "k").await;
    let (name, wanted) = (cache("c"), request("k", 60));
    let waiting = stage.caches.acquire(&name, &wanted, LONG);
    let given_back = async {
        assert_eq!(stage.caches.release(&cache("c"), &key("k"), (token, None)).await, Ok(true));
    };
    let (next, ()) = tokio::join!(waiting, given_back);
    assert!(matches!(next, Ok(LeaseResult::Held { token: next, .. }) if next > token), "{next:?}");
    assert_eq!(stage.caches.put(&cache("c"), loaded("k", "late", token)).await, Ok(PutResult::Fenced));
    stage.close().await;
}

#[tokio::test]
async fn a_lease_dies_with_its_deadline_and_its_holder_cannot_store_once_it_is_taken_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    let short = crate::lease::LeaseRequest { duration: Duration::from_millis(30), ..request("k", 0) };
    let first = stage.caches.acquire(&cache("c"), &short, Duration::ZERO).await.expect("it works");
    let LeaseResult::Held { token, .. } = first else { panic!("held: {first:?}") };
    let second = stage.caches.acquire(&cache("c"), &request("k", 60), LONG).await.expect("it works");
    assert!(matches!(second, LeaseResult::Held { .. }), "{second:?}");
    assert_eq!(stage.caches.put(&cache("c"), loaded("k", "late", token)).await, Ok(PutResult::Fenced));
    assert_eq!(stage.text("c", "k").await, None);
    stage.close().await;
}

#[tokio::test]
async fn what_is_invalidated_while_it_is_loaded_is_not_stored_and_its_lease_is_free() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    for scope in [
        InvalidationScope::Key("k".into()),
        InvalidationScope::Prefix("k".into()),
        InvalidationScope::Tag("red".into()),
        InvalidationScope::All,
    ] {
        let wanted = crate::lease::LeaseRequest { tags: tags(&["red"]), ..request("k", 60) };
        let result = stage.caches.acquire(&cache("c"), &wanted, Duration::ZERO).await.expect("it works");
        let LeaseResult::Held { token, .. } = result else { panic!("{scope:?}: {result:?}") };
        stage.caches.invalidate(&cache("c"), scope.clone()).await.expect("it works");
        assert_eq!(stage.caches.is_fenced(&cache("c"), key("k"), tags(&["red"]), token).await, Ok(true), "{scope:?}");
        let again = stage.caches.acquire(&cache("c"), &wanted, Duration::ZERO).await.expect("it works");
        let LeaseResult::Held { token: next, .. } = again else { panic!("{scope:?}: it is free: {again:?}") };
        let put = Put {
            entry: crate::entry::NewEntry { tags: tags(&["red"]), ..entry("old") },
            condition: PutCondition::Always,
            ..loaded("k", "old", token)
        };
        assert_eq!(stage.caches.put(&cache("c"), put).await, Ok(PutResult::Fenced), "{scope:?}");
        stage.caches.release(&cache("c"), &key("k"), (next, None)).await.expect("it works");
    }
    assert_eq!(stage.text("c", "k").await, None);
    stage.close().await;
}

#[tokio::test]
async fn a_lease_outlives_the_process_and_a_cache_that_is_removed_fences_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    let token = held(&stage, "k").await;
    stage.close().await;
    let stage = Stage::open(folder.path(), Vec::new()).await;
    assert!(matches!(stage.caches.put(&cache("c"), loaded("k", "v", token)).await, Ok(PutResult::Stored(_))));
    let token = held(&stage, "other").await;
    assert_eq!(stage.caches.remove(&cache("c")).await, Ok(Some(1)));
    assert_eq!(stage.caches.put(&cache("c"), loaded("other", "v", token)).await, Ok(PutResult::Fenced));
    let begun = Put { begun: Some(token), ..put("k", "v") };
    assert_eq!(stage.caches.put(&cache("c"), begun).await, Ok(PutResult::Fenced));
    stage.close().await;
}

#[tokio::test]
async fn leases_of_a_cache_are_bounded_and_those_that_are_over_make_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::open(folder.path(), Vec::new()).await;
    let (name, more) = (cache("c"), request("more", 60));
    let first = held(&stage, "k0").await;
    let tasks = tokio_util::task::TaskTracker::new();
    for part in (1..MAX_LEASES_PER_CACHE).collect::<Vec<_>>().chunks(256) {
        let calls: Vec<_> = part
            .iter()
            .map(|number| {
                let (caches, wanted) = (stage.caches.clone(), request(&format!("k{number}"), 60));
                tasks.spawn(async move { caches.acquire(&cache("c"), &wanted, Duration::ZERO).await })
            })
            .collect();
        for call in calls {
            let result = call.await.expect("no panic");
            assert!(matches!(result, Ok(LeaseResult::Held { .. })), "{result:?}");
        }
    }
    let refused = stage.caches.acquire(&name, &more, Duration::ZERO).await;
    assert!(matches!(refused, Err(AppCacheError::TooManyLeases)), "{refused:?}");
    let taken = stage.caches.acquire(&name, &request("k1", 60), Duration::ZERO).await;
    assert!(matches!(taken, Ok(LeaseResult::Taken { .. })), "{taken:?}");
    assert!(stage.caches.acquire(&cache("d"), &more, Duration::ZERO).await.is_ok(), "of another cache");
    let long_ago = stage.caches.now_ms() - Duration::from_millis(120_000);
    assert_eq!(stage.caches.release(&name, &key("k0"), (first, Some(long_ago.as_millis()))).await, Ok(true));
    held(&stage, "more").await;
    stage.close().await;
}
