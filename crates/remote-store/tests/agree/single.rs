//! One gateway with a store of its own.

use std::sync::Arc;

use greenroom_cache::{CacheStatus, Tier};
use greenroom_config::RemoteStoreSettings;
use greenroom_remote_store::StoreState;

use crate::fixture::{Gateway, Source, StoreProcess, settings};

#[tokio::test]
async fn an_answer_outlives_the_gateway_and_its_disk() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let first = Gateway::start(settings(&store.url()), 1, &source).await;
    assert_eq!(first.read("/a").await.expect("a value").served, CacheStatus::Loaded);
    first.is_written().await;
    drop(first.stop().await);

    let second = Gateway::start(settings(&store.url()), 1, &source).await;
    let found = second.read("/a").await.expect("a value");
    assert_eq!((found.served, found.tier, source.loads()), (CacheStatus::Hit, Tier::Remote, 1));
    assert_eq!(second.read("/a").await.expect("a value").tier, Tier::Memory);
    second.stop().await;
}

#[tokio::test]
async fn both_protocols_are_spoken() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    for (number, resp3) in [(1, true), (1, false)] {
        let settings = RemoteStoreSettings { resp3, ..settings(&store.url()) };
        let gateway = Gateway::start(settings, number, &source).await;
        gateway.read("/a").await.expect("a value");
        gateway.write().await;
        gateway.read("/a").await.expect("a value");
        gateway.is_written().await;
        gateway.stop().await;
    }
    assert_eq!(source.loads(), 3, "the second finds what the first stored last");
}

#[tokio::test]
async fn an_invalidated_answer_is_never_served_after_a_restart_with_the_disk_lost() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let first = Gateway::start(settings(&store.url()), 1, &source).await;
    first.read("/a").await.expect("a value");
    first.is_written().await;
    let version = first.write().await;
    drop(first.stop().await);

    let second = Gateway::start(settings(&store.url()), 1, &source).await;
    let found = second.read("/a").await.expect("a value");
    assert_eq!((found.version, source.loads()), (version, 2));
    second.stop().await;
}

#[tokio::test]
async fn what_was_invalidated_while_the_store_was_away_is_not_served_from_it_after_a_crash() {
    let (mut store, source) =
        (StoreProcess::start(&["--appendonly", "yes", "--appendfsync", "always"]).await, Arc::new(Source::default()));
    let first = Gateway::start(settings(&store.url()), 1, &source).await;
    first.read("/a").await.expect("a value");
    first.is_written().await;
    store.kill();
    let version = first.write().await;
    // The process dies: what it had queued is lost, but not that there was something.
    let mut first = first;
    let dir = first.dir.take().expect("a folder");
    drop(first);

    store.restart().await;
    let second = Gateway::start_in(settings(&store.url()), 1, &source, dir, false);
    second.is_connected().await;
    assert_eq!(second.read("/a").await.expect("a value").version, version);
    second.stop().await;
}

#[tokio::test]
async fn an_older_answer_never_replaces_a_newer_one_and_a_foreign_one_is_none() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let gateway = Gateway::start(settings(&store.url()), 1, &source).await;
    gateway.read("/a").await.expect("a value");
    gateway.is_written().await;
    let redis::Value::Array(keys) = store.command(&["KEYS", "greenroom:e:*"]).await else { panic!("a list") };
    let redis::Value::BulkString(name) = &keys[0] else { panic!("a name") };
    let name = String::from_utf8(name.clone()).expect("text");
    assert!(!name.contains("anna") && !name.contains("/a"), "{name}");
    store.command(&["SETRANGE", &name, "200", "forged"]).await;
    gateway.stop().await;

    let second = Gateway::start(settings(&store.url()), 1, &source).await;
    assert_eq!(second.read("/a").await.expect("a value").served, CacheStatus::Loaded);
    assert_eq!(second.store.status(true).damaged, 1);
    second.stop().await;
}

#[tokio::test]
async fn a_second_gateway_on_the_same_prefix_is_told_and_runs_without_the_store() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let first = Gateway::start(settings(&store.url()), 1, &source).await;
    let folder = tempfile::tempdir().expect("a folder");
    let second = Gateway::start_in(settings(&store.url()), 2, &source, folder, false);
    second.until("it is told", |gateway| gateway.state() == StoreState::Taken { by: "gateway-1".into() }).await;
    assert_eq!(second.read("/a").await.expect("a value").served, CacheStatus::Loaded, "it works from memory");
    first.stop().await;
    second.is_connected().await;
    second.stop().await;
}
