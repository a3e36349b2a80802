//! Persistent data, and that no request waits for it to be written.

use std::path::Path;
use std::sync::Arc;

use greenroom_cache::{Clock, Invalidation, Scope, disk::DiskStats};
use greenroom_simulator::catalogue::CatalogueSize;
use greenroom_simulator::jellyfin::Jellyfin;
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use greenroom_simulator::simulated_server::SimulatedServer;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::waiting::{until, until_async};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};
use crate::outages::json;

/// For slow test machines: disk speed is not tested.
pub const PATIENT: &str = "[disk]\nread_timeout_ms = 20000\ndrain_timeout_ms = 60000\n";

/// More than the system buffers on a connection that is not read.
const LONG_BYTES: usize = 24 << 20;

async fn plex() -> SimulatedServer {
    let anywhere = "127.0.0.1:0".parse().expect("an address");
    Plex::new(SimulatorOptions::quick()).start(anywhere, &TaskTracker::new()).await.expect("it starts")
}

/// A gateway in front of it, with its files in `folder`.
async fn before(url: &str, folder: &Path, clock: &Clock) -> GatewayFixture {
    let script = GatewayConfigBuilder::new().table(PATIENT).server("home", "plex", url, "").data_dir(folder);
    script.start_at(clock.clone()).await
}

fn disk(stage: &GatewayFixture) -> DiskStats {
    stage.process.cache.disk_stats().expect("there is a disk")
}

/// Lets the writer pass once: an invalidation is written at once, together with all that is ready.
async fn one_pass(stage: &GatewayFixture) {
    let nothing = Scope::Namespace("nobody".into());
    stage.process.cache.invalidate(&nothing, &Invalidation::mark_stale());
    until_async(async || stage.process.cache.flush_invalidations().await).await;
}

/// Lets the writer pass until something was written.
async fn until_written(stage: &GatewayFixture) {
    until_async(async || {
        one_pass(stage).await;
        disk(stage).written > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_without_user_state_read_before_a_restart_is_a_hit_after_it() {
    let (server, folder, clock) = (plex().await, tempfile::tempdir().expect("a folder"), Clock::system());
    let reads = ["/library/sections", "/library/sections/1/all", "/hubs", "/"];
    let stage = before(&server.url(), folder.path(), &clock).await;
    let mut bodies = Vec::new();
    for target in reads {
        bodies.push(json(&stage, server.tokens().owner_a()).get(target).await.body);
    }
    stage.stop().await;
    let asked = server.request_log().total();
    let stage = before(&server.url(), folder.path(), &clock).await;
    let client = json(&stage, server.tokens().owner_a());
    for (target, body) in reads.into_iter().zip(bodies) {
        let answer = client.get(target).await;
        let is_unconfirmed = answer.header("cache-status").contains("detail=unconfirmed");
        let has_user_state = matches!(target, "/library/sections/1/all" | "/hubs");
        assert_eq!((answer.was_hit(), is_unconfirmed), (!has_user_state, has_user_state), "{target}");
        assert_eq!(answer.body, body);
    }
    assert_eq!(server.request_log().total(), asked + 2, "the server was asked for what has user state");
    assert!(!json(&stage, server.tokens().sam()).get("/hubs").await.was_hit(), "nobody else gets it");
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_byte_of_an_answer_has_left_before_its_write_begins() {
    let padding = "a".repeat(LONG_BYTES);
    let body = format!("{{\"MediaContainer\":{{\"size\":0,\"padding\":\"{padding}\"}}}}");
    let server = ScriptedServer::start(&TaskTracker::new(), move |_: &ReceivedRequest| {
        ScriptedReply::Bytes(answer("200 OK", "application/json", &body))
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let stage = before(&format!("http://{}", server.address), folder.path(), &Clock::system()).await;
    let mut slow = stage.raw().await;
    slow.send("GET /hubs HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nX-Plex-Token: t\r\n\r\n").await;
    // Its response is on its way when another client can get it from memory; a part larger than the system's buffers
    // waits for its client.
    let quick = json(&stage, "t");
    assert!(quick.get("/hubs").await.header("cache-status").contains("Greenroom"));
    one_pass(&stage).await;
    assert_eq!((disk(&stage).queued, disk(&stage).written), (1, 0));
    let taken = slow.answer().await.expect("the answer");
    assert!(taken.body.len() > LONG_BYTES);
    until_written(&stage).await;
    stage.stop().await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_keeps_nothing_from_being_written() {
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let tasks = TaskTracker::new();
    let script = move |_: &ReceivedRequest| ScriptedReply::Held(Arc::clone(&held), container(1));
    let (server, folder) = (ScriptedServer::start(&tasks, script).await, tempfile::tempdir().expect("a folder"));
    let stage = before(&format!("http://{}", server.address), folder.path(), &Clock::system()).await;
    let mut gone = stage.raw().await;
    gone.send("GET /hubs HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nX-Plex-Token: t\r\n\r\n").await;
    server.until(|server| server.count("GET", "/hubs") == 1).await;
    drop(gone);
    go.notify_one();
    until_written(&stage).await;
    stage.stop().await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_had_costs_hits_after_a_restart_and_nothing_else() {
    let server = plex().await;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("cache"), "this is no folder").expect("written");
    let stage = before(&server.url(), folder.path(), &Clock::system()).await;
    let client = json(&stage, server.tokens().owner_a());
    assert_eq!(client.get("/hubs").await.status, 200);
    assert!(client.get("/hubs").await.was_hit());
    let figures = stage.control().get("/api/v1/cache/stats").await.json();
    let warning = &figures["warnings"][0];
    assert_eq!((&warning["code"], &warning["server"]), (&"disk-writes-off".into(), &serde_json::Value::Null));
    assert!(warning["remedy"].as_str().expect("a text").contains("To fix this: "), "{warning}");
    stage.stop().await;
    server.stop().await;
}

/// Requests of an add-on while a user looks through every show, season and list of episodes. Returns the number of
/// episodes shown.
async fn browse(client: &TestClient) -> usize {
    let me = client.get("/Users/Me").await.json();
    let user = format!("userId={}", me["Id"].as_str().expect("an id"));
    let fields = "fields=DateCreated%2COverview%2CGenres%2CMediaStreams%2CPath";
    for menu in ["/UserViews?", "/UserItems/Resume?limit=20&", "/Shows/NextUp?limit=24&"] {
        assert_eq!(client.get(&format!("{menu}{user}")).await.status, 200);
    }
    let ids = |list: &serde_json::Value| -> Vec<String> {
        let rows = list["Items"].as_array().expect("a list");
        rows.iter().map(|row| row["Id"].as_str().expect("an id").to_owned()).collect()
    };
    let mut count = 0;
    let shows = format!("/Items?{user}&includeItemTypes=Series&recursive=true&sortBy=SortName&{fields}");
    for show in ids(&client.get(&shows).await.json()) {
        let seasons = client.get(&format!("/Shows/{show}/Seasons?{user}&{fields}")).await.json();
        for season in ids(&seasons) {
            let episodes = format!("/Shows/{show}/Episodes?{user}&seasonId={season}&{fields}");
            count += ids(&client.get(&episodes).await.json()).len();
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_an_evening_of_two_thousand_items_costs_the_server_a_few_small_requests() {
    let size = CatalogueSize { shows: 50, seasons_per_show: 4, episodes_per_season: 10, ..CatalogueSize::tiny() };
    let anywhere = "127.0.0.1:0".parse().expect("an address");
    let server = Jellyfin::new(SimulatorOptions { size, ..SimulatorOptions::quick() })
        .start(anywhere, &TaskTracker::new())
        .await;
    let (server, folder) = (server.expect("it starts"), tempfile::tempdir().expect("a folder"));
    // However slow this machine is, all of it happens while it is fresh.
    let clock = Clock::scaled(0.05);
    let open = async || {
        let token = server.tokens().sam();
        let more = format!("token = \"{token}\"\n");
        let script = GatewayConfigBuilder::new().table(PATIENT).server("den", "jellyfin", &server.url(), &more);
        let stage = script.data_dir(folder.path()).start_at(clock.clone()).await;
        let home = Arc::clone(&stage.process.servers[0].0);
        until(|| home.feed.is_whole()).await;
        let said = format!("MediaBrowser Client=\"K\", Device=\"K\", DeviceId=\"k\", Version=\"1\", Token=\"{token}\"");
        let client = stage.client().with("authorization", &said);
        (stage, client)
    };
    let (stage, client) = open().await;
    assert_eq!(browse(&client).await, 2_000);
    let asked = server.request_log().total();
    assert!(asked > 250, "{asked}");
    stage.stop().await;
    let (stage, client) = open().await;
    let before = server.request_log().total();
    assert_eq!(browse(&client).await, 2_000);
    let more = server.request_log().total() - before;
    // What is loaded before an account's first fingerprint is taken, some ten reads, is loaded again.
    assert!(more < 40, "{more} requests: the menus, the fingerprint, what changed in the library");
    let first = disk(&stage);
    assert!(first.hits > 250, "the rest came from the disk: {first:?}");
    stage.stop().await;
    server.stop().await;
}
