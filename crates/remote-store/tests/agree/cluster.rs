//! A Cluster of three primaries, each with a replica.

use std::process::Command;
use std::sync::Arc;

use greenroom_cache::{CacheStatus, Tier};
use greenroom_config::RemoteStoreSettings;
use greenroom_dialect::credential::Secret;
use greenroom_remote_store::StoreState;
use greenroom_remote_store::probe::{ClusterFacts, ClusterSlots, KeyAgreement, probe};

use crate::fixture::{Gateway, Source, StoreProcess, shared};

async fn six_nodes() -> Vec<StoreProcess> {
    let mut nodes = Vec::new();
    for _ in 0..6 {
        let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
        nodes.push(StoreProcess::start(&arguments).await);
    }
    let addresses: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
    let joined = Command::new("redis-cli")
        .args(["--cluster", "create"])
        .args(&addresses)
        .args(["--cluster-replicas", "1", "--cluster-yes"])
        .output()
        .expect("redis-cli is installed with redis-server");
    assert!(joined.status.success(), "{}", String::from_utf8_lossy(&joined.stdout));
    nodes
}

fn settings(nodes: &[StoreProcess]) -> RemoteStoreSettings {
    RemoteStoreSettings { nodes: nodes.iter().map(|node| Secret::new(node.url())).collect(), ..shared("") }
}

#[tokio::test]
async fn gateways_share_a_cluster_and_go_on_after_a_failover() {
    let (mut nodes, source) = (six_nodes().await, Arc::new(Source::default()));
    let one = Gateway::start(settings(&nodes), 1, &source).await;
    let two = Gateway::start(settings(&nodes), 2, &source).await;
    one.sees_peers(1).await;
    two.sees_peers(1).await;
    assert_eq!(one.store.status(true).kind, "cluster");
    let facts = probe(&settings(&nodes)).await.expect("it answers");
    let all_served = ClusterSlots { is_ok: true, served: 16_384, primaries: 3, nodes: 6 };
    assert_eq!((facts.cluster, facts.key), (ClusterFacts::Cluster(all_served), KeyAgreement::Same));
    let one_node = probe(&shared(&nodes[0].url())).await.expect("it answers");
    assert_eq!(one_node.cluster, ClusterFacts::Unconfigured);
    for number in 0..30 {
        one.read(&format!("/{number}")).await.expect("a value");
    }
    one.is_written().await;
    for number in 0..30 {
        let found = two.read(&format!("/{number}")).await.expect("a value");
        assert_eq!((found.served, found.tier), (CacheStatus::Hit, Tier::Remote));
    }
    let version = two.write().await;
    assert_eq!(one.read("/1").await.expect("a value").version, version);

    for node in nodes.iter_mut().take(3) {
        // Whichever has the agreement: a replica takes over for each that is gone.
        node.signal("STOP");
        for number in 0..10 {
            let version = one.write().await;
            for gateway in [&two, &one] {
                let found = gateway.read(&format!("/{number}")).await.expect("no read fails");
                assert!(found.version >= version, "{found:?} is older than v{version}");
            }
        }
        node.signal("CONT");
        for gateway in [&one, &two] {
            gateway.until("it goes on", |gateway| gateway.state() == StoreState::Connected).await;
            gateway.is_connected().await;
        }
    }
}
