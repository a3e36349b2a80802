//! The five cases of a read.

use super::stage::{Stage, said};
use crate::Served::{Hit, Loaded, Refreshed, Stale, StaleOnError};

#[tokio::test(start_paused = true)]
async fn a_value_is_loaded_once_and_then_hit_until_it_is_no_longer_fresh() {
    let stage = Stage::new();
    assert_eq!(said(&stage.read("/a").await), (Loaded, "anna v0".into()));
    stage.source.write("/a");
    stage.pass(75_999).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v0".into()));
    stage.strike(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_stale_value_is_answered_at_once_and_refreshed_behind() {
    let stage = Stage::new();
    stage.source.takes("/a", 500);
    assert_eq!(said(&stage.read("/a").await), (Loaded, "anna v0".into()));
    stage.source.write("/a");
    stage.pass_s(100).await;
    let before = stage.clock.now_ms();
    assert_eq!(said(&stage.read("/a").await), (Stale, "anna v0".into()));
    assert_eq!(stage.clock.now_ms(), before, "nobody waited");
    stage.pass(500).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v1".into()));
    stage.strike(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_value_is_loaded_anew_and_stands_in_when_that_is_slow() {
    let stage = Stage::new();
    stage.read("/a").await.unwrap();
    stage.source.write("/a");
    stage.pass_s(150).await;
    assert_eq!(said(&stage.read("/a").await), (Refreshed, "anna v1".into()));
    stage.pass_s(150).await;
    stage.source.write("/a");
    stage.source.takes("/a", 5000);
    let before = stage.clock.now_ms();
    assert_eq!(said(&stage.read("/a").await), (StaleOnError, "anna v1".into()));
    assert_eq!(stage.clock.now_ms() - before, 1000, "the soft timeout");
    stage.pass(4000).await;
    assert_eq!(said(&stage.read("/a").await), (Hit, "anna v2".into()), "the late result was kept");
    stage.strike(3).await;
}
