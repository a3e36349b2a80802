//! 11. Managed users and shared tokens: the server decides for each token what its user may see. A response from the
//!     owner's view is never served to another user, whatever is cached and however old it is.

use greenroom_dialect::request::ServerKind;
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use tokio_util::task::TaskTracker;

use super::client;
use crate::fixture::{GatewayConfigBuilder, TestClient};

/// Number of rows in a list.
async fn size(client: &TestClient, target: &str) -> (u64, bool) {
    let answer = client.get(target).await;
    let size = answer.json()["MediaContainer"]["size"].as_u64().unwrap_or_default();
    (size, answer.was_hit())
}

#[tokio::test(flavor = "multi_thread")]
async fn eleven_a_restricted_user_never_gets_the_owners_view() {
    let tasks = TaskTracker::new();
    let server = Plex::new(SimulatorOptions::quick()).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
    let server = server.expect("it starts");
    let stage = GatewayConfigBuilder::new().server("home", "plex", &server.url(), "").start().await;
    let owner = client(&stage, ServerKind::Plex, server.tokens().owner_a());
    let kim = client(&stage, ServerKind::Plex, server.tokens().kim());
    let direct = TestClient::new(server.address()).with("accept", "application/json");
    let direct = direct.with("x-plex-token", server.tokens().kim());
    let mut differs = 0;
    for target in
        ["/library/sections", "/library/all?type=1", "/hubs/search?query=a", "/library/recentlyAdded", "/playlists"]
    {
        let of_owner = size(&owner, target).await.0;
        assert!(size(&owner, target).await.1, "{target}: it is kept");
        let expected = direct.get(target).await.json()["MediaContainer"]["size"].as_u64().unwrap_or_default();
        for _ in 0..2 {
            assert_eq!(size(&kim, target).await.0, expected, "{target}");
        }
        differs += u32::from(expected != of_owner);
        assert_eq!(size(&owner, target).await.0, of_owner, "{target}: nor does the owner get the restricted one");
    }
    assert!(differs > 0, "the two see different things, or nothing was shown here");
    stage.stop().await;
    server.stop().await;
}
