//! The key that gateways share, and what a store says of itself.

use std::sync::Arc;

use greenroom_config::RemoteStoreSettings;
use greenroom_dialect::credential::Secret;
use greenroom_remote_store::StoreState;
use greenroom_remote_store::probe::{ClusterFacts, KeyAgreement, StoreProduct, probe};

use crate::fixture::{Gateway, Source, StoreProcess, settings, shared};

fn with_other_key(settings: RemoteStoreSettings) -> RemoteStoreSettings {
    RemoteStoreSettings { cluster_key: Some(Secret::new("f".repeat(64))), ..settings }
}

#[tokio::test]
async fn a_gateway_with_another_cluster_key_is_told_so_and_takes_part_once_the_others_are_gone() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let first = Gateway::start(shared(&store.url()), 1, &source).await;
    let folder = tempfile::tempdir().expect("a folder");
    let second = Gateway::start_in(with_other_key(shared(&store.url())), 2, &source, folder, false);
    second.until("it is told", |gateway| gateway.state() == StoreState::OtherKey { of: "gateway-1".into() }).await;
    second.read("/a").await.expect("it works from memory");
    let epoch = first.store.status(true).epoch;
    first.stop().await;
    second.is_connected().await;
    assert_ne!(second.store.status(true).epoch, epoch, "what was numbered under the old key means nothing any more");
    second.stop().await;
}

#[tokio::test]
async fn a_probe_tells_the_store_and_whether_its_gateways_have_the_key() {
    let arguments = ["--maxmemory", "8mb", "--maxmemory-policy", "noeviction"];
    let (store, source) = (StoreProcess::start(&arguments).await, Arc::new(Source::default()));
    let key_of = async |settings: &RemoteStoreSettings| probe(settings).await.expect("it answers").key;
    let ours = shared(&store.url());
    assert_eq!(key_of(&settings(&store.url())).await, KeyAgreement::Unshared);
    assert_eq!(key_of(&ours).await, KeyAgreement::Unused);
    let gateway = Gateway::start(ours.clone(), 1, &source).await;
    assert_eq!(key_of(&ours).await, KeyAgreement::Same);
    assert_eq!(key_of(&with_other_key(ours.clone())).await, KeyAgreement::Other);
    gateway.stop().await;

    let facts = probe(&ours).await.expect("it answers");
    assert_eq!((facts.product, facts.cluster), (StoreProduct::Redis, ClusterFacts::None));
    assert_eq!((facts.max_bytes, facts.eviction_policy.as_str()), (8 << 20, "noeviction"));
    assert!(facts.version.contains('.') && !facts.round_trip.is_zero(), "{facts:?}");
    store.command(&["CONFIG", "SET", "requirepass", "right"]).await;
    let wrong = RemoteStoreSettings { password: Some(Secret::new("wrong-password")), ..ours };
    let refused = probe(&wrong).await.expect_err("it has another password");
    assert!(!refused.contains("127.0.0.1") && !refused.contains("wrong-password"), "{refused}");
    assert!(refused.contains("WRONGPASS") || refused.contains("uthentication"), "{refused}");
}
