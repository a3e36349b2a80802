//! `doctor --compare` finds no difference, in whichever position a switch of the simulated server is.

use greenroom_simulator::simulated_server::SimulatedServer;
use greenroom_simulator::switch_names::{JELLYFIN_SWITCHES, PLEX_SWITCHES, SwitchTable};
use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::doctor::{compared, jellyfin, plex};
use crate::fixture::GatewayConfigBuilder;

/// Switches that the comparison cannot bear in the named position, with the reason.
const EXCLUDED: [(&str, bool, &str); 0] = [];

/// The positions of each switch that differ from a default server's, which another test compares.
fn turns<S: Default>(switches: &'static SwitchTable<S>) -> impl Iterator<Item = (&'static str, impl FnOnce(&mut S))> {
    let turn = |(name, place): &'static (&'static str, fn(&mut S) -> &mut bool)| {
        let on = !*place(&mut S::default());
        let is_excluded = EXCLUDED.iter().any(|(excluded, position, _)| excluded == name && *position == on);
        (!is_excluded).then_some((*name, move |switches: &mut S| *place(switches) = on))
    };
    switches.iter().filter_map(turn)
}

/// Findings of the comparison of this server.
async fn differences(kind: &str, server: SimulatedServer) -> Option<Value> {
    let stage = GatewayConfigBuilder::new().server(kind, kind, &server.url(), "").start().await;
    let token = server.tokens().owner_a().to_owned();
    let (code, report) = compared(&stage, kind, &server, &token).await;
    stage.stop().await;
    server.stop().await;
    let total = &report[kind]["total"];
    let is_well = code == 0 && total["different"] == 0 && total["compared"].as_u64() >= Some(200);
    (!is_well).then(|| report[kind].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_say_the_same_in_every_position_of_a_plex_switch() {
    let tasks = TaskTracker::new();
    let mut wrong = Vec::new();
    for (name, turn) in turns(PLEX_SWITCHES) {
        wrong.extend(differences("plex", plex(&tasks, turn).await).await.map(|report| format!("{name}: {report}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_say_the_same_in_every_position_of_a_jellyfin_switch() {
    let tasks = TaskTracker::new();
    let mut wrong = Vec::new();
    for (name, turn) in turns(JELLYFIN_SWITCHES) {
        let server = jellyfin(&tasks, turn).await;
        wrong.extend(differences("jellyfin", server).await.map(|report| format!("{name}: {report}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
