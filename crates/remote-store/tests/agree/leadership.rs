//! One gateway leads, and another takes over when it is gone.

use std::sync::Arc;

use greenroom_cache::Clock;
use greenroom_cache::remote::ClusterRole;
use greenroom_remote_store::StoreState;

use crate::fixture::{Gateway, Source, StoreProcess, shared};

fn role(gateway: &Gateway) -> ClusterRole {
    gateway.store.leadership.role(Clock::system().now())
}

/// Waits until one of these gateways leads and the others say its name. Returns its place.
async fn until_one_leads(gateways: &[&Gateway]) -> usize {
    let leader = || gateways.iter().position(|gateway| role(gateway) == ClusterRole::Leader);
    gateways[0].until("one leads", |_| leader().is_some()).await;
    let leader = leader().expect("its lease is renewed");
    let name = gateways[leader].store.status(true).gateway;
    for (_, gateway) in gateways.iter().enumerate().filter(|(at, _)| *at != leader) {
        let is_told = |gateway: &Gateway| gateway.store.status(true).leader.as_ref() == Some(&name);
        gateway.until("it follows", |gateway| role(gateway) == ClusterRole::Follower && is_told(gateway)).await;
    }
    leader
}

#[tokio::test]
async fn one_of_three_gateways_leads_and_another_takes_over_from_one_that_leaves() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let mut gateways = Vec::new();
    for number in 1..=3 {
        gateways.push(Gateway::start(shared(&store.url()), number, &source).await);
    }
    for left in (1..=3).rev() {
        let leader = until_one_leads(&gateways.iter().collect::<Vec<_>>()).await;
        assert_eq!(gateways.len(), left);
        gateways.remove(leader).stop().await;
    }
}

#[tokio::test]
async fn no_gateway_leads_while_the_store_is_away_and_one_does_when_it_is_back() {
    let (mut store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let one = Gateway::start(shared(&store.url()), 1, &source).await;
    let two = Gateway::start(shared(&store.url()), 2, &source).await;
    until_one_leads(&[&one, &two]).await;
    store.kill();
    for gateway in [&one, &two] {
        gateway.until("its lease ends", |gateway| role(gateway) == ClusterRole::Unknown).await;
    }
    store.restart().await;
    until_one_leads(&[&one, &two]).await;
}

#[tokio::test]
async fn a_gateway_that_shares_with_no_other_always_leads() {
    let (mut store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let alone = greenroom_config::RemoteStoreSettings { shared: false, cluster_key: None, ..shared(&store.url()) };
    let gateway = Gateway::start(alone, 1, &source).await;
    assert_eq!(role(&gateway), ClusterRole::Leader);
    store.kill();
    gateway.until("the store is away", |gateway| gateway.state() != StoreState::Connected).await;
    assert_eq!(role(&gateway), ClusterRole::Leader);
}
