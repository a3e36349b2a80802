//! Single-flight: many equal requests cost one upstream request, and a client that leaves does not affect the others.

use std::sync::Arc;

use crate::fixture::scripted::{ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::{GatewayConfigBuilder, TestClient};
use futures_util::future::join_all;
use greenroom_cache::Clock;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

const SESSIONS: &str = "/status/sessions";

async fn play(server: &ScriptedServer) -> crate::fixture::GatewayFixture {
    GatewayConfigBuilder::new().server("home", "plex", &format!("http://{}", server.address), "").start().await
}

fn asker(stage: &crate::fixture::GatewayFixture, token: &str, accept: &str) -> TestClient {
    stage.client().with("x-plex-token", token).with("accept", accept)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_cold_callers_cost_one_request_per_identity_and_representation() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |request| {
        let lower = request.head.to_ascii_lowercase();
        if lower.contains("accept: application/json") {
            ScriptedReply::Bytes(container(1))
        } else {
            ScriptedReply::Bytes(answer("200 OK", "text/xml", "<MediaContainer size=\"0\"></MediaContainer>"))
        }
    })
    .await;
    // However long two hundred take, the first response is still fresh for the last one.
    let fresh = "[server.lifetimes.sessions]\nfresh_s = 3600\n";
    let url = format!("http://{}", server.address);
    let stage = GatewayConfigBuilder::new().server("home", "plex", &url, fresh).start().await;
    let askers: Vec<TestClient> = (0..200)
        .map(|index| {
            let token = if index % 2 == 0 { "token-one" } else { "token-two" };
            let accept = if index % 4 < 2 { "application/json" } else { "text/xml" };
            asker(&stage, token, accept)
        })
        .collect();
    let answers = join_all(askers.iter().map(|asker| asker.get(SESSIONS))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{:?}", answers[0]);
    assert_eq!(server.count("GET", SESSIONS), 4, "two identities, two representations");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_that_started_a_load_may_disconnect_without_effect_on_the_others() {
    let tasks = TaskTracker::new();
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let server = ScriptedServer::start(&tasks, move |_| ScriptedReply::Held(Arc::clone(&held), container(7))).await;
    let stage = play(&server).await;
    let first = asker(&stage, "token", "application/json");
    let leaver = tasks.spawn(async move { first.get(SESSIONS).await });
    server.until(|server| server.count("GET", SESSIONS) == 1).await;
    let follower = asker(&stage, "token", "application/json");
    let follower = tasks.spawn(async move { follower.get(SESSIONS).await });
    leaver.abort();
    assert!(leaver.await.is_err(), "it left");
    go.notify_one();
    assert_eq!(follower.await.expect("it did not panic").json()["MediaContainer"]["number"], 7);
    assert_eq!(server.count("GET", SESSIONS), 1);
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uncacheable_response_is_not_shared() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |request| {
        let body = format!(r#"{{"MediaContainer":{{"size":0,"number":{}}}}}"#, request.before);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n";
        ScriptedReply::Bytes(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
    })
    .await;
    let stage = play(&server).await;
    let asker = asker(&stage, "token", "application/json");
    let answers = join_all((0..20).map(|_| asker.get(SESSIONS))).await;
    let mut numbers: Vec<i64> =
        answers.iter().map(|answer| answer.json()["MediaContainer"]["number"].as_i64().expect("a number")).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 20, "everybody got an answer of their own");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_hit_takes_no_upstream_request_and_states_its_age() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |request| ScriptedReply::Bytes(container(request.before))).await;
    let stage = GatewayConfigBuilder::new()
        .server("home", "plex", &format!("http://{}", server.address), "")
        .start_at(Clock::system())
        .await;
    let asker = asker(&stage, "token", "application/json");
    let cold = asker.get(SESSIONS).await;
    assert!(cold.header("cache-status").contains("fwd=uri-miss; stored"), "{}", cold.header("cache-status"));
    let warm = asker.get(SESSIONS).await;
    assert!(warm.was_hit(), "{}", warm.header("cache-status"));
    assert_eq!(warm.body, cold.body);
    assert!(warm.headers.contains_key("age"));
    assert_eq!(warm.header("cache-control"), "private, no-cache");
    assert_eq!(server.count("GET", SESSIONS), 1);
    server.stop();
    stage.stop().await;
}
