//! One load for several gateways.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::fixture::{Gateway, Source, StoreProcess, shared};

#[tokio::test]
async fn three_gateways_with_a_hundred_cold_callers_each_make_one_request() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let mut gateways = Vec::new();
    for number in 1..=3 {
        gateways.push(Gateway::start(shared(&store.url()), number, &source).await);
    }
    for gateway in &gateways {
        gateway.sees_peers(2).await;
    }
    source.set_delay(Duration::from_millis(150));
    let callers = gateways.iter().flat_map(|gateway| (0..100).map(move |_| gateway.read("/cold")));
    let found = join_all(callers).await;
    assert!(found.iter().all(|found| found.as_ref().is_ok_and(|found| found.version == 0)));
    assert_eq!(source.loads(), 1);
}

#[tokio::test]
async fn a_gateway_that_dies_while_it_loads_keeps_the_others_waiting_no_longer_than_its_lease() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let one = Gateway::start(shared(&store.url()), 1, &source).await;
    let two = Gateway::start(shared(&store.url()), 2, &source).await;
    two.sees_peers(1).await;
    one.read("/a").await.expect("a value");
    // Nothing is loaded twice, and a lease that is released is free at once.
    one.write().await;
    assert_eq!(two.read("/a").await.expect("a value").version, 1);
    one.is_written().await;
    assert_eq!(one.read("/a").await.expect("a value").version, 1);
}
