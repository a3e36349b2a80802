//! Several gateways with one store.

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{CacheStatus, Clock, Tier};

use crate::fixture::{Gateway, ServedVersion, Source, StoreProcess, shared};

async fn three(store: &StoreProcess, source: &Arc<Source>) -> [Gateway; 3] {
    let one = Gateway::start(shared(&store.url()), 1, source).await;
    let two = Gateway::start(shared(&store.url()), 2, source).await;
    let three = Gateway::start(shared(&store.url()), 3, source).await;
    for gateway in [&one, &two, &three] {
        gateway.sees_peers(2).await;
    }
    [one, two, three]
}

#[tokio::test]
async fn what_one_gateway_loaded_the_others_find() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let [one, two, three] = three(&store, &source).await;
    one.read("/a").await.expect("a value");
    one.is_written().await;
    let found = ServedVersion { version: 0, served: CacheStatus::Hit, tier: Tier::Remote };
    assert_eq!(two.read("/a").await.expect("a value"), found);
    assert_eq!(three.read("/a").await.expect("a value"), found);
    assert_eq!(source.loads(), 1);
}

#[tokio::test]
async fn a_write_through_one_gateway_is_seen_through_every_other_once_it_is_answered() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let gateways = three(&store, &source).await;
    for round in 0..60 {
        for gateway in &gateways {
            gateway.read("/a").await.expect("a value");
        }
        let version = gateways[round % 3].write().await;
        for gateway in &gateways {
            let found = gateway.read("/a").await.expect("a value");
            assert!(found.version >= version, "round {round}: {found:?} is older than v{version}");
        }
    }
    let unacknowledged: u64 = gateways.iter().map(|gateway| gateway.store.status(true).unacknowledged).sum();
    assert_eq!(unacknowledged, 0, "each was heard by all before it was answered");
}

#[tokio::test]
async fn a_paused_gateway_trusts_nothing_when_it_wakes_and_no_write_waits_for_it_longer_than_its_lease() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let awake = Gateway::start(shared(&store.url()), 1, &source).await;
    // The other gateway's tasks run on a thread of their own, which stands still for longer than the lease.
    let (url, its_source) = (store.url(), Arc::clone(&source));
    let (to_gateway, from_test) = std::sync::mpsc::channel::<()>();
    let (to_test, mut from_gateway) = tokio::sync::mpsc::unbounded_channel::<u64>();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let paused = Gateway::start(shared(&url), 2, &its_source).await;
            paused.sees_peers(1).await;
            to_test.send(paused.read("/a").await.expect("a value").version).expect("the test listens");
            from_test.recv().expect("the test goes on");
            // No other task has run here since: nothing was heard.
            to_test.send(paused.read("/a").await.expect("a value").version).expect("the test listens");
        });
    });
    assert_eq!(from_gateway.recv().await, Some(0));
    let clock = Clock::system();
    let began = clock.now_us();
    let version = awake.write().await;
    assert!(clock.since(began) < Duration::from_secs(5), "{:?}", clock.since(began));
    to_gateway.send(()).expect("the gateway waits");
    assert_eq!(from_gateway.recv().await, Some(version));
    thread.join().expect("it ends");
}

#[tokio::test]
async fn a_gateway_that_restarts_hears_what_it_missed() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let one = Gateway::start(shared(&store.url()), 1, &source).await;
    let folder = tempfile::tempdir().expect("a folder");
    let two = Gateway::start_in(shared(&store.url()), 2, &source, folder, true);
    two.is_connected().await;
    two.read("/a").await.expect("a value");
    two.cache.flush(Duration::from_secs(5)).await;
    let folder = two.stop().await;
    let version = one.write().await;
    let two = Gateway::start_in(shared(&store.url()), 2, &source, folder, true);
    // At once, before it has heard anything: its disk is not trusted.
    assert_eq!(two.read("/a").await.expect("a value").version, version);
    two.is_connected().await;
    assert_eq!(two.read("/a").await.expect("a value").version, version);
    two.stop().await;
}

#[tokio::test]
async fn a_store_that_lost_what_it_had_numbered_begins_another_epoch() {
    let (mut store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let one = Gateway::start(shared(&store.url()), 1, &source).await;
    let two = Gateway::start(shared(&store.url()), 2, &source).await;
    one.sees_peers(1).await;
    one.read("/a").await.expect("a value");
    one.write().await;
    let epoch = one.store.status(true).epoch;
    store.kill();
    store.restart().await;
    for gateway in [&one, &two] {
        gateway.until("another epoch", |gateway| ![0, epoch].contains(&gateway.store.status(true).epoch)).await;
        gateway.is_connected().await;
    }
    for gateway in [&two, &one] {
        let version = gateway.write().await;
        for reader in [&one, &two] {
            assert_eq!(reader.read("/a").await.expect("a value").version, version);
        }
    }
}
