//! Pooled connections that the server closes in the moment when a request is sent on them.

use std::collections::HashSet;
use std::time::Duration;

use greenroom_simulator::faults::Fault;
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use http::Method;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, container};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture};
use crate::outages::{identity, json};

/// Reads that are not cached yet: each reaches the server.
const ITEMS: &str = "/library/metadata/";
/// A request whose meaning is unknown: it may act.
const UNKNOWN: &str = "/player/playback/skipNext";

/// The read of an item.
fn item(id: usize) -> String {
    format!("{ITEMS}{id}")
}

async fn gateway(server: &ScriptedServer) -> GatewayFixture {
    let url = format!("http://{}", server.address);
    GatewayConfigBuilder::new().server("home", "plex", &url, "").start().await
}

/// Connections of the requests for items, in order.
fn connections(server: &ScriptedServer) -> Vec<usize> {
    let requests = server.received().into_iter().filter(|request| request.target.starts_with(ITEMS));
    requests.map(|request| request.connection).collect()
}

fn reply(request: &ReceivedRequest) -> ScriptedReply {
    ScriptedReply::Bytes(if request.target == "/identity" { identity() } else { container(1) })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_meets_a_closing_connection_is_sent_again_once() {
    let used = Mutex::new(HashSet::new());
    let server = ScriptedServer::start(&TaskTracker::new(), move |request: &ReceivedRequest| {
        if used.lock().insert(request.connection) { reply(request) } else { ScriptedReply::Close }
    })
    .await;
    let gateway = gateway(&server).await;
    let app = json(&gateway, "ann");
    for id in 1..=5 {
        assert_eq!(app.get(&item(id)).await.status, 200);
    }
    let connections = connections(&server);
    let fresh: HashSet<usize> = connections.iter().copied().collect();
    assert!(fresh.len() == 5 && connections.len() > 5, "some met a closing connection: {connections:?}");
    server.stop();
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_a_new_connection_drops_is_not_repeated() {
    let server = ScriptedServer::start(&TaskTracker::new(), |request: &ReceivedRequest| {
        if request.target.starts_with(ITEMS) { ScriptedReply::Close } else { reply(request) }
    })
    .await;
    let gateway = gateway(&server).await;
    let unpooled = |request: &ReceivedRequest| request.target.starts_with(ITEMS);
    assert!(json(&gateway, "ann").get(&item(1)).await.status.is_server_error());
    let requests = server.received();
    let dropped: Vec<&ReceivedRequest> = requests.iter().filter(|request| unpooled(request)).collect();
    let reused =
        |one: &ReceivedRequest| requests.iter().any(|other| other.connection == one.connection && !unpooled(other));
    assert_eq!(dropped.iter().filter(|one| !reused(one)).count(), 1, "{requests:?}");
    server.stop();
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_unknown_meaning_is_not_repeated() {
    let server = ScriptedServer::start(&TaskTracker::new(), |request: &ReceivedRequest| {
        if request.target == UNKNOWN { ScriptedReply::Close } else { reply(request) }
    })
    .await;
    let gateway = gateway(&server).await;
    let app = json(&gateway, "ann");
    assert_eq!(app.get(&item(1)).await.status, 200);
    assert!(app.get(UNKNOWN).await.status.is_server_error());
    assert_eq!(server.count("GET", UNKNOWN), 1);
    server.stop();
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_a_connection_drops_is_not_repeated() {
    let server = ScriptedServer::start(&TaskTracker::new(), |request: &ReceivedRequest| {
        if request.method == "PUT" { ScriptedReply::Close } else { reply(request) }
    })
    .await;
    let gateway = gateway(&server).await;
    let app = json(&gateway, "ann");
    assert_eq!(app.get(&item(1)).await.status, 200);
    assert!(app.send(Method::PUT, "/library/sections/1/refresh", "").await.status.is_server_error());
    assert_eq!(server.count("PUT", "/library"), 1);
    server.stop();
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_read_is_asked_for_again() {
    let tasks = TaskTracker::new();
    let plex = Plex::new(SimulatorOptions::quick()).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
    let plex = plex.expect("a free port");
    let gateway = GatewayConfigBuilder::new().server("home", "plex", &plex.url(), "").start().await;
    let app = json(&gateway, "ann");
    let app = app.with("x-plex-token", plex.tokens().owner_a());
    assert_eq!(app.get("/library/sections").await.status, 200);
    plex.faults().set_times(Fault::AnswerLost, 1);
    assert_eq!(app.get("/library/sections/1/all").await.status, 200);
    gateway.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_given_up_before_the_server_closes_it() {
    let server = ScriptedServer::start(&TaskTracker::new(), |request: &ReceivedRequest| match reply(request) {
        ScriptedReply::Bytes(bytes) => {
            let text = String::from_utf8(bytes).expect("it is text");
            ScriptedReply::Bytes(text.replacen("\r\n", "\r\nKeep-Alive: timeout=5, max=100\r\n", 1).into_bytes())
        }
        other => other,
    })
    .await;
    let gateway = gateway(&server).await;
    let app = json(&gateway, "ann");
    for id in 1..=2 {
        // The first announces it.
        assert_eq!(app.get(&item(id)).await.status, 200);
    }
    tokio::time::advance(Duration::from_millis(3_900)).await;
    assert_eq!(app.get(&item(3)).await.status, 200);
    tokio::time::advance(Duration::from_millis(4_100)).await;
    assert_eq!(app.get(&item(4)).await.status, 200);
    let connections = connections(&server);
    assert_eq!(connections[1], connections[2], "{connections:?}");
    assert_ne!(connections[2], connections[3], "{connections:?}");
    server.stop();
    gateway.stop().await;
}
