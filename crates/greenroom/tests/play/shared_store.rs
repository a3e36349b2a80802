//! Several gateways with one Redis, each a whole process with its own data directory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::fixture::redis::RedisServer;
use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::waiting::until_async;
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};
use crate::notices;
use crate::outages::{ServerBehavior, SwitchableServer, until_down};

const ITEM: &str = "/library/metadata/5";
const COLD: &str = "/library/metadata/6";
const POSTER: &str = "/library/metadata/5/thumb/2";
const SCROBBLE: &str = "/:/scrobble?identifier=com.plexapp.plugins.library&key=5";
const SHARED: &str = "shared = true\npeer_timeout_ms = 1500\nread_timeout_ms = 1000\n\
    cluster_key = \"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"\n";

async fn gateway(server: &ScriptedServer, store: &RedisServer, more: &str) -> GatewayFixture {
    let url = format!("http://{}", server.address);
    GatewayConfigBuilder::new().table(&store.table(more)).server("home", "plex", &url, "").start().await
}

fn client(gateway: &GatewayFixture) -> TestClient {
    gateway.client().with("x-plex-token", "token").with("accept", "application/json")
}

async fn cluster(gateway: &GatewayFixture) -> Value {
    gateway.control().get("/api/v1/cluster").await.json()["store"].clone()
}

async fn three(server: &ScriptedServer, store: &RedisServer) -> Vec<GatewayFixture> {
    let gateways = join_all((0..3).map(|_| gateway(server, store, SHARED))).await;
    for gateway in &gateways {
        until_async(async || {
            let status = cluster(gateway).await;
            let live =
                status["peers"].as_array().map_or(0, |peers| peers.iter().filter(|peer| peer["live"] == true).count());
            status["trusted"] == true && live == 2
        })
        .await;
    }
    gateways
}

fn number(answer: &crate::fixture::TestResponse) -> i64 {
    answer.json()["MediaContainer"]["number"].as_i64().unwrap_or_else(|| panic!("{}", answer.text()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_through_one_gateway_is_seen_through_the_others_and_what_one_loaded_all_find() {
    let (tasks, store) = (TaskTracker::new(), RedisServer::start().await);
    let server = ScriptedServer::start(&tasks, |request: &ReceivedRequest| {
        if request.target.starts_with("/library") {
            ScriptedReply::Bytes(container(request.before))
        } else {
            ScriptedReply::Bytes(answer("200 OK", "text/html", ""))
        }
    })
    .await;
    let gateways = three(&server, &store).await;
    for gateway in &gateways {
        // Each asks once for itself: a token must have been accepted through the gateway that answers it.
        assert_eq!(client(gateway).get(ITEM).await.status, 200);
    }
    for writer in &gateways {
        let before = server.count("GET", ITEM);
        assert_eq!(client(writer).get(SCROBBLE).await.status, 200);
        for reader in &gateways {
            let found = number(&client(reader).get(ITEM).await);
            assert!(usize::try_from(found).expect("a count") >= before, "number {found} is from before the write");
        }
    }
    let warned = gateways[0].control().get("/api/v1/warnings").await.text();
    assert!(!warned.contains("remote-store"), "{warned}");
    let stats = gateways[0].control().get("/api/plex/cache/stats").await.json();
    assert_eq!((&stats["redis"]["type"], &stats["redis"]["connected"]), (&"redis".into(), &true.into()));
    let cleared = gateways[0].control().send(http::Method::POST, "/api/plex/cache/clear", "").await.json();
    assert_eq!(cleared["redis_cleared"], true, "{cleared}");
    server.stop();
    for gateway in gateways {
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_gateways_with_a_hundred_cold_callers_each_make_one_request() {
    let (tasks, store, go) = (TaskTracker::new(), RedisServer::start().await, Arc::new(Notify::new()));
    let held = Arc::clone(&go);
    let server = ScriptedServer::start(&tasks, move |request: &ReceivedRequest| {
        if request.target.starts_with(COLD) {
            ScriptedReply::Held(Arc::clone(&held), container(6))
        } else {
            ScriptedReply::Bytes(container(5))
        }
    })
    .await;
    let gateways = three(&server, &store).await;
    for gateway in &gateways {
        assert_eq!(client(gateway).get(ITEM).await.status, 200);
    }
    let askers: Vec<TestClient> = gateways.iter().flat_map(|gateway| (0..100).map(|_| client(gateway))).collect();
    let asking = join_all(askers.iter().map(|asker| asker.get(COLD)));
    let releasing = async {
        server.until(|server| server.count("GET", COLD) == 1).await;
        go.notify_waiters();
        go.notify_one();
    };
    let (answers, ()) = tokio::join!(asking, releasing);
    assert!(answers.iter().all(|answer| answer.status == 200), "{:?}", answers[0]);
    assert_eq!(server.count("GET", COLD), 1);
    server.stop();
    for gateway in gateways {
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_on_the_prefix_of_one_that_shares_with_no_other_is_told_so_and_works_without() {
    let (tasks, store) = (TaskTracker::new(), RedisServer::start().await);
    let server = ScriptedServer::start(&tasks, |_: &ReceivedRequest| ScriptedReply::Bytes(container(5))).await;
    let first = gateway(&server, &store, "").await;
    until_async(async || cluster(&first).await["state"] == "connected").await;
    let second = gateway(&server, &store, "").await;
    until_async(async || cluster(&second).await["state"] == "taken").await;
    let warned = second.control().get("/api/v1/warnings").await.text();
    assert!(warned.contains("remote-store-taken") && warned.contains("cluster key"), "{warned}");
    assert_eq!(client(&second).get(ITEM).await.status, 200);
    server.stop();
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_on_while_the_store_is_gone() {
    let (tasks, mut store) = (TaskTracker::new(), RedisServer::start().await);
    let server = ScriptedServer::start(&tasks, |_: &ReceivedRequest| ScriptedReply::Bytes(container(5))).await;
    let gateway = gateway(&server, &store, "").await;
    until_async(async || cluster(&gateway).await["state"] == "connected").await;
    assert_eq!(client(&gateway).get(ITEM).await.status, 200);
    store.kill();
    for _ in 0..20 {
        assert_eq!(client(&gateway).get(ITEM).await.status, 200);
        assert_eq!(client(&gateway).get(COLD).await.status, 200);
    }
    until_async(async || cluster(&gateway).await["state"] == "away").await;
    let warned = gateway.control().get("/api/v1/warnings").await.text();
    assert!(warned.contains("remote-store-away"), "{warned}");
    assert_eq!((server.count("GET", ITEM), server.count("GET", COLD)), (1, 1), "memory answers as before");
    server.stop();
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_one_gateway_saw_rejected_is_served_by_none_any_more() {
    let (tasks, store) = (TaskTracker::new(), RedisServer::start().await);
    let (is_rejected, said) =
        (Arc::new(AtomicBool::new(false)), "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    let rejects = Arc::clone(&is_rejected);
    let server = ScriptedServer::start(&tasks, move |request: &ReceivedRequest| {
        ScriptedReply::Bytes(match (rejects.load(Ordering::SeqCst), request.target.starts_with(POSTER)) {
            (true, _) => said.into(),
            (false, true) => answer("200 OK", "image/gif", "GIF89a;"),
            (false, false) => container(5),
        })
    })
    .await;
    let gateways = three(&server, &store).await;
    for gateway in &gateways {
        // Bodies of images are shared by all tokens: only the grant says that this one may have it.
        assert_eq!(client(gateway).get(POSTER).await.status, 200);
        assert_eq!(client(gateway).get(POSTER).await.status, 200);
    }
    is_rejected.store(true, Ordering::SeqCst);
    assert_eq!(client(&gateways[0]).get(COLD).await.status, 401);
    for gateway in &gateways {
        assert_eq!(client(gateway).get(POSTER).await.status, 401);
    }
    server.stop();
    for gateway in gateways {
        gateway.stop().await;
    }
}

/// The bypasses of a gateway, and the seconds for which it takes sessions for fresh.
async fn settings_of(gateway: &GatewayFixture) -> (Value, Value) {
    let bypasses = gateway.control().get("/api/v1/bypass").await.json()["bypasses"].clone();
    let policies = gateway.control().get("/api/v1/cache/policies").await.json();
    let sessions = policies["items"].as_array().expect("a list").iter().find(|item| item["class"] == "sessions");
    (bypasses, sessions.expect("the type")["fresh_s"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_through_one_gateway_holds_on_every_other_once_it_is_answered_and_on_those_that_join() {
    let (tasks, store) = (TaskTracker::new(), RedisServer::start().await);
    let server = ScriptedServer::start(&tasks, |_: &ReceivedRequest| ScriptedReply::Bytes(container(5))).await;
    let gateways = three(&server, &store).await;
    let (put, delete) = (http::Method::PUT, http::Method::DELETE);
    let bypass = r#"{"class":"lists"}"#;
    assert_eq!(gateways[0].control().send(put.clone(), "/api/v1/bypass", bypass).await.status, 200);
    let policy = r#"{"class":"sessions","fresh_s":7}"#;
    assert_eq!(gateways[1].control().send(put.clone(), "/api/v1/cache/policies", policy).await.status, 200);
    let joined = gateway(&server, &store, SHARED).await;
    // The gateway that joins takes them over one kind after the other; the others had them when the caller was answered.
    until_async(async || settings_of(&joined).await == settings_of(&gateways[1]).await).await;
    for (index, gateway) in gateways.iter().enumerate() {
        let expected = (serde_json::json!([{"class": "lists"}]), serde_json::json!(7));
        assert_eq!(settings_of(gateway).await, expected, "gateway {index}");
    }
    assert_eq!(gateways[2].control().send(delete, "/api/v1/bypass", "").await.status, 200);
    assert_eq!(gateways[2].control().send(put, "/api/v1/mode", r#"{"mode":"observe"}"#).await.status, 200);
    for gateway in gateways.iter().chain([&joined]) {
        assert_eq!(gateway.control().get("/api/v1/bypass").await.json()["bypasses"], serde_json::json!([]));
        assert_eq!(gateway.control().get("/api/v1/observe").await.json()[0]["mode"], "observe");
    }
    server.stop();
    for gateway in gateways.into_iter().chain([joined]) {
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_notified_by_one_of_two_gateways() {
    let (plex, store, phone) = (SwitchableServer::start().await, RedisServer::start().await, notices::phone().await);
    let url = format!("http://{}", plex.server.address);
    let tables = format!("{}{}", store.table(SHARED), notices::row(&phone, ""));
    let start = || GatewayConfigBuilder::new().table(&tables).server("home", "plex", &url, "").start();
    let mut gateways = [start().await, start().await];
    for gateway in &gateways {
        until_async(async || {
            ["leader", "follower"].contains(&cluster(gateway).await["role"].as_str().unwrap_or_default())
        })
        .await;
    }
    assert_ne!(cluster(&gateways[0]).await["role"], cluster(&gateways[1]).await["role"]);
    if cluster(&gateways[0]).await["role"] == "leader" {
        gateways.swap(0, 1);
    }
    plex.set(ServerBehavior::HangsUp);
    for gateway in &gateways {
        until_down(gateway, 0, &client(gateway)).await;
    }
    notices::until_arrived(&phone, 1).await;
    // What waits is sent before a gateway ends: the follower ends first, while the other leads.
    for gateway in gateways {
        gateway.stop().await;
    }
    assert_eq!(phone.received().len(), 1);
}
