//! Never undone: an entry invalidated by a write does not come back, whichever client leaves and whatever is in flight.

use std::sync::Arc;

use http::Method;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::waiting::until;
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};

const ITEM: &str = "/library/metadata/5";
const SCROBBLE: &str = "/:/scrobble?identifier=com.plexapp.plugins.library&key=5";

fn ok() -> ScriptedReply {
    ScriptedReply::Bytes(answer("200 OK", "text/html", ""))
}

async fn play(server: &ScriptedServer, more: &str) -> (GatewayFixture, TestClient) {
    let stage =
        GatewayConfigBuilder::new().server("home", "plex", &format!("http://{}", server.address), more).start().await;
    let client = stage.client().with("x-plex-token", "token").with("accept", "application/json");
    (stage, client)
}

fn number(answer: &crate::fixture::TestResponse) -> i64 {
    answer.json()["MediaContainer"]["number"].as_i64().unwrap_or_else(|| panic!("{}", answer.text()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_began_before_a_write_never_repopulates_the_cache() {
    let tasks = TaskTracker::new();
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let server = ScriptedServer::start(&tasks, move |request: &ReceivedRequest| {
        match (request.target.as_str(), request.before) {
            (target, 0) if target.starts_with(ITEM) => ScriptedReply::Held(Arc::clone(&held), container(0)),
            (target, before) if target.starts_with(ITEM) => ScriptedReply::Bytes(container(before)),
            _ => ok(),
        }
    })
    .await;
    let (stage, client) = play(&server, "").await;
    let early = client.clone();
    let early = tasks.spawn(async move { early.get(ITEM).await });
    server.until(|server| server.count("GET", ITEM) == 1).await;
    assert_eq!(client.get(SCROBBLE).await.status, 200);
    let after = client.get(ITEM).await;
    assert_eq!(number(&after), 1, "a caller after the write does not join a load from before it");
    go.notify_one();
    assert_eq!(number(&early.await.expect("it did not panic")), 0, "who asked before may hear the older answer");
    assert!(number(&client.get(ITEM).await) >= 1, "and it is not kept");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_client_disconnects_still_invalidates_reads() {
    let tasks = TaskTracker::new();
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let server = ScriptedServer::start(&tasks, move |request: &ReceivedRequest| {
        if request.target.starts_with(ITEM) {
            ScriptedReply::Bytes(container(request.before))
        } else {
            ScriptedReply::Held(Arc::clone(&held), answer("200 OK", "text/html", ""))
        }
    })
    .await;
    let (stage, client) = play(&server, "").await;
    assert_eq!(number(&client.get(ITEM).await), 0);
    assert!(client.get(ITEM).await.was_hit());
    let mut writer = TcpStream::connect(stage.address(0)).await.expect("it listens");
    let request = format!("GET {SCROBBLE} HTTP/1.1\r\nHost: x\r\nX-Plex-Token: token\r\n\r\n");
    writer.write_all(request.as_bytes()).await.expect("it is sent");
    server.until(|server| server.count("GET", "/:/scrobble") == 1).await;
    drop(writer);
    go.notify_one();
    let cache = &stage.process.cache;
    until(|| cache.stats().invalidations > 0).await;
    assert_eq!(number(&client.get(ITEM).await), 1);
    assert_eq!(server.count("GET", "/:/scrobble"), 1, "a write is sent once");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_confirmed_write_the_writer_gets_an_error_rather_than_the_older_answer() {
    let tasks = TaskTracker::new();
    let server =
        ScriptedServer::start(&tasks, |request: &ReceivedRequest| match (request.target.as_str(), request.before) {
            (target, 0) if target.starts_with(ITEM) => ScriptedReply::Bytes(container(0)),
            (target, _) if target.starts_with(ITEM) => ScriptedReply::Close,
            _ => ok(),
        })
        .await;
    let (stage, writer) = play(&server, "").await;
    assert_eq!(number(&writer.get(ITEM).await), 0);
    assert_eq!(writer.get(SCROBBLE).await.status, 200);
    assert_eq!(writer.get(ITEM).await.status, 503);
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_write_of_unknown_outcome_nothing_is_kept_but_the_older_answer_may_stand_in() {
    let tasks = TaskTracker::new();
    let server =
        ScriptedServer::start(&tasks, |request: &ReceivedRequest| match (request.target.as_str(), request.before) {
            (target, before) if target.starts_with(ITEM) && before < 3 => ScriptedReply::Bytes(container(before)),
            _ => ScriptedReply::Close,
        })
        .await;
    let (stage, writer) = play(&server, "").await;
    assert_eq!(number(&writer.get(ITEM).await), 0);
    assert_eq!(writer.get(SCROBBLE).await.status, 502);
    assert_eq!(number(&writer.get(ITEM).await), 1, "asked again");
    assert_eq!(number(&writer.get(ITEM).await), 2, "and again: nothing is kept yet");
    let stand_in = writer.get(ITEM).await;
    assert_eq!(stand_in.status, 200, "{}", stand_in.text());
    assert!(stand_in.header("cache-status").contains("stale-on-error"), "{}", stand_in.header("cache-status"));
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_refused_makes_nothing_stale() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |request: &ReceivedRequest| {
        if request.target.starts_with(ITEM) {
            ScriptedReply::Bytes(container(request.before))
        } else {
            ScriptedReply::Bytes(answer("400 Bad Request", "text/html", "no"))
        }
    })
    .await;
    let (stage, client) = play(&server, "").await;
    assert_eq!(number(&client.get(ITEM).await), 0);
    assert_eq!(client.get(SCROBBLE).await.status, 400);
    assert!(client.get(ITEM).await.was_hit());
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_write_makes_everything_stale() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |request: &ReceivedRequest| {
        if request.method == "GET" { ScriptedReply::Bytes(container(request.before)) } else { ok() }
    })
    .await;
    let (stage, client) = play(&server, "").await;
    assert_eq!(number(&client.get("/library/sections").await), 0);
    assert_eq!(client.send(Method::POST, "/brand/new/thing", "x").await.status, 200);
    assert_eq!(number(&client.get("/library/sections").await), 1);
    server.stop();
    stage.stop().await;
}
