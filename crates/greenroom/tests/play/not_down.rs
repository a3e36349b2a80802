//! Conditions that are no outage: errors of one path, hanging responses of one request type, a slow server.

use std::sync::Arc;

use futures_util::future::join_all;
use greenroom_cache::Clock;
use greenroom_origin::breaker::{BreakerCounters, BreakerState};
use greenroom_simulator::faults::Fault;
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::fixture::GatewayConfigBuilder;
use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, answer, container};
use crate::outages::{gateway, identity, json};

#[tokio::test(flavor = "multi_thread")]
async fn broken_image_transcodes_of_five_users_never_open_the_breaker() {
    let server = ScriptedServer::start(&TaskTracker::new(), |request: &ReceivedRequest| {
        match request.target.split('/').nth(1).unwrap_or_default() {
            "photo" => ScriptedReply::Bytes(answer("500 Internal Server Error", "text/html", "<html>")),
            // Any request would open the breaker.
            "identity" => ScriptedReply::Close,
            _ => ScriptedReply::Bytes(container(1)),
        }
    })
    .await;
    let stage =
        GatewayConfigBuilder::new().server("home", "plex", &format!("http://{}", server.address), "").start().await;
    for user in ["ann", "ben", "cleo", "dan", "eve"] {
        for item in 1..=10 {
            let url = format!("/photo/:/transcode?width=9&height=9&url=%2Flibrary%2Fmetadata%2F{item}%2Fthumb%2F1");
            assert_eq!(json(&stage, user).get(&url).await.status, 500);
        }
    }
    assert_eq!(server.count("GET", "/photo"), 50);
    assert_eq!(
        (server.count("GET", "/identity"), gateway(&stage, 0).origin.breaker.state()),
        (0, BreakerState::Closed)
    );
    server.stop();
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn image_transcodes_that_are_unwilling_or_hang_are_overruled_by_the_probe() {
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let server = ScriptedServer::start(&TaskTracker::new(), move |request: &ReceivedRequest| {
        match request.target.split('/').nth(1).unwrap_or_default() {
            "photo" if request.target.contains("width=502") => {
                ScriptedReply::Bytes(answer("502 Bad Gateway", "text/html", "<html>"))
            }
            "photo" if request.target.contains("width=503") => {
                ScriptedReply::Bytes(answer("503 Service Unavailable", "text/html", "<html>"))
            }
            "photo" => ScriptedReply::Held(Arc::clone(&held), container(1)),
            "identity" => ScriptedReply::Bytes(identity()),
            _ => ScriptedReply::Bytes(container(1)),
        }
    })
    .await;
    let stage = GatewayConfigBuilder::new()
        .server("home", "plex", &format!("http://{}", server.address), "load_timeout_s = 10\n")
        .start_at(Clock::system())
        .await;
    let client = json(&stage, "ann");
    let image = |width: u32, item: u32| {
        format!("/photo/:/transcode?width={width}&height=9&url=%2Flibrary%2Fmetadata%2F{item}%2Fthumb%2F1")
    };
    for width in [502, 503, 9] {
        let probes = server.count("GET", "/identity");
        let (client, image) = (&client, &image);
        let asked = (1..=6).map(|item| async move { client.get(&image(width, item)).await.status });
        for status in join_all(asked).await {
            assert!(status.is_server_error(), "{width}: {status}");
        }
        server.until(|server| server.count("GET", "/identity") > probes).await;
        assert_eq!(client.get(&format!("/library/metadata/{width}")).await.status, 200);
        assert!(gateway(&stage, 0).origin.breaker.allows_requests());
    }
    assert_eq!(gateway(&stage, 0).origin.breaker.counters().opened, 0, "the server said each time that it is well");
    for _ in 0..6 {
        go.notify_one();
    }
    server.stop();
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_hung_class_neither_opens_the_breaker_nor_slows_another() {
    let (go, mood) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let held = Arc::clone(&go);
    let server = ScriptedServer::start(&TaskTracker::new(), move |request: &ReceivedRequest| {
        match request.target.split('/').nth(1).unwrap_or_default() {
            "hubs" => ScriptedReply::Held(Arc::clone(&held), container(1)),
            "identity" => ScriptedReply::Bytes(identity()),
            _ => ScriptedReply::Bytes(container(1)),
        }
    })
    .await;
    let stage = GatewayConfigBuilder::new()
        .server("home", "plex", &format!("http://{}", server.address), "load_timeout_s = 10\n")
        .start_at(Clock::system())
        .await;
    let client = json(&stage, "anna");
    // A token that is not known to the server leaves one of the permits of a type.
    assert_eq!(client.get("/playlists").await.status, 200);
    let tasks = TaskTracker::new();
    let hung: Vec<_> = (1..=5)
        .map(|section| {
            let (client, mood) = (client.clone(), Arc::clone(&mood));
            tasks.spawn(async move {
                let status = client.get(&format!("/hubs/sections/{section}")).await.status;
                mood.notify_one();
                status
            })
        })
        .collect();
    // One request type holds at most half of the permits.
    server.until(|server| server.count("GET", "/hubs") >= 4).await;
    assert_eq!(client.get("/library/sections").await.status, 200);
    assert!(hung.iter().filter(|load| !load.is_finished()).count() >= 4, "it did not wait for what hangs");
    for status in join_all(hung).await {
        assert_eq!(status.expect("it did not panic"), 503);
    }
    // The fifth may have waited for its permit until its timeout, and the server failed to answer four times only.
    assert_eq!(client.get("/hubs/sections/6").await.status, 503);
    server.until(|server| server.count("GET", "/identity") == 1).await;
    for number in 0..50 {
        assert_eq!(client.get(&format!("/library/metadata/{number}")).await.status, 200);
        assert!(gateway(&stage, 0).origin.breaker.allows_requests());
    }
    assert_eq!(
        gateway(&stage, 0).origin.breaker.counters(),
        BreakerCounters { probes: 1, ..BreakerCounters::default() },
        "the probe that the timeouts caused was answered"
    );
    for _ in 0..5 {
        go.notify_one();
    }
    server.stop();
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_is_not_down() {
    let tasks = TaskTracker::new();
    let plex = Plex::new(SimulatorOptions::quick()).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
    let plex = plex.expect("it starts");
    let at_once = "[server.lifetimes.item]\nfresh_s = 0\nstale_s = 0\n";
    let stage =
        GatewayConfigBuilder::new().server("home", "plex", &plex.url(), at_once).start_at(Clock::system()).await;
    let client = json(&stage, plex.tokens().owner_a());
    let reads: Vec<String> = (1..=6).map(|id| format!("/library/metadata/{id}")).collect();
    for target in &reads {
        assert_eq!(client.get(target).await.status, 200);
    }
    plex.faults().set(Fault::Slow(10_000));
    for _ in 0..3 {
        for said in join_all(reads.iter().map(|target| client.get(target))).await {
            assert_eq!(said.status, 200);
            assert!(said.header("cache-status").contains("slow-load"), "{}", said.header("cache-status"));
        }
    }
    let first = client.get("/playlists").await;
    assert_eq!(first.status, 200, "what is not kept is waited for");
    assert_eq!(gateway(&stage, 0).origin.breaker.counters(), BreakerCounters::default());
    plex.faults().clear();
    plex.stop().await;
    stage.stop().await;
}
