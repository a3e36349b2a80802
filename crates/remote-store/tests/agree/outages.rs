//! A store that is stopped, killed, paused or full costs hits, never reads.

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{CacheStatus, Clock};
use greenroom_config::{RemoteStoreSettings, StoreOutageMode};
use greenroom_remote_store::StoreState;

use crate::fixture::{Gateway, Source, StoreProcess, settings, shared};

/// Reads new and old paths for a while, and returns the longest read.
async fn load(gateway: &Gateway, label: &str, reads: u32) -> Duration {
    let (clock, mut longest) = (Clock::system(), Duration::ZERO);
    for number in 0..reads {
        for path in [format!("/{label}/{number}"), "/known".to_owned()] {
            let began = clock.now_us();
            gateway.read(&path).await.unwrap_or_else(|failure| panic!("{path}: {failure:?}"));
            longest = longest.max(clock.since(began));
        }
    }
    longest
}

#[tokio::test]
async fn no_read_fails_while_the_store_is_paused_killed_and_back() {
    let (mut store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let gateway = Gateway::start(settings(&store.url()), 1, &source).await;
    load(&gateway, "before", 20).await;
    store.signal("STOP");
    let longest = load(&gateway, "paused", 60).await;
    assert!(longest < Duration::from_millis(400), "a read waited {longest:?}");
    gateway.until("it notices", |gateway| matches!(gateway.state(), StoreState::Away(_))).await;
    let longest = load(&gateway, "away", 60).await;
    assert!(longest < Duration::from_millis(200), "nothing asks a store that is away, but a read took {longest:?}");
    store.signal("CONT");
    gateway.is_connected().await;
    store.kill();
    load(&gateway, "killed", 60).await;
    store.restart().await;
    gateway.until("it is back", |gateway| gateway.state() == StoreState::Connected).await;
    load(&gateway, "back", 20).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_full_store_refuses_entries_and_still_numbers_invalidations() {
    let arguments = ["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"];
    let (store, source) = (StoreProcess::start(&arguments).await, Arc::new(Source::default()));
    let gateway = Gateway::start(settings(&store.url()), 1, &source).await;
    let client = redis::Client::open(store.url()).expect("an address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("it answers");
    for bytes in [200_000, 20_000, 2_000, 200, 20] {
        for number in 0..200 {
            let mut command = redis::cmd("SET");
            command.arg(format!("filler{bytes}-{number}")).arg("x".repeat(bytes));
            if command.query_async::<()>(&mut connection).await.is_err() {
                break;
            }
        }
    }
    gateway.read("/a").await.expect("a value");
    gateway.until("it is refused", |gateway| gateway.store.status(true).full > 0).await;
    let version = gateway.write().await;
    assert_eq!(gateway.read("/a").await.expect("a value").version, version);
    assert_eq!(gateway.store.status(true).unacknowledged, 0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_gateway_with_peers_reads_through_while_the_store_is_away_and_serves_its_cache_when_the_server_is_down_too() {
    let (mut store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let one = Gateway::start(shared(&store.url()), 1, &source).await;
    let two = Gateway::start(shared(&store.url()), 2, &source).await;
    for gateway in [&one, &two] {
        gateway.sees_peers(1).await;
        gateway.read("/a").await.expect("a value");
    }
    store.kill();
    let version = one.write().await;
    for gateway in [&two, &one] {
        assert_eq!(gateway.read("/a").await.expect("a value").version, version, "the write was answered");
    }
    let loads = source.loads();
    two.read("/a").await.expect("a value");
    assert_eq!(source.loads(), loads + 1, "it asks the server");
    source.set_down(true);
    assert_eq!(two.read("/a").await.expect("a value").served, CacheStatus::StaleOnError);
    source.set_down(false);
    store.restart().await;
    for gateway in [&one, &two] {
        gateway.is_connected().await;
    }
}

#[tokio::test]
async fn a_gateway_may_serve_what_is_young_while_the_store_is_away() {
    let (mut store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let bounded = StoreOutageMode::Bounded(Duration::from_secs(600));
    let settings = RemoteStoreSettings { when_away: bounded, ..shared(&store.url()) };
    let gateway = Gateway::start(settings, 1, &source).await;
    gateway.read("/a").await.expect("a value");
    store.kill();
    gateway.until("its trust ends", |gateway| !gateway.cache.is_trusted()).await;
    assert_eq!(gateway.read("/a").await.expect("a value").served, CacheStatus::Hit);
    assert_eq!(source.loads(), 1);
}
