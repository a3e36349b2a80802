//! `why`: the explanation of one read, which shows no secret and leaves no trace.

use greenroom_config::CacheMode;
use http::Method;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, container};
use crate::fixture::waiting::until;
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};

const SECTIONS: &str = "/library/sections";
const ITEM: &str = "/library/metadata/5";
const SCROBBLE: &str = "/:/scrobble?identifier=com.plexapp.plugins.library&key=5";
const TOKEN: &str = "SECRET-token-0123456789";

/// The sections never change, an item always does.
fn script(request: &ReceivedRequest) -> ScriptedReply {
    let number = if request.target.starts_with(SECTIONS) { 1 } else { request.before };
    ScriptedReply::Bytes(container(number))
}

async fn play() -> (ScriptedServer, GatewayFixture, TestClient) {
    let server = ScriptedServer::start(&TaskTracker::new(), script).await;
    let stage =
        GatewayConfigBuilder::new().server("home", "plex", &format!("http://{}", server.address), "").start().await;
    let client = stage.client().with("x-plex-token", TOKEN).with("accept", "application/json");
    (server, stage, client)
}

async fn why(stage: &GatewayFixture, body: Value) -> Value {
    let told = stage.control().send(Method::POST, "/api/v1/why", &body.to_string()).await;
    assert_eq!(told.status, 200, "{}", told.text());
    assert!(!told.text().contains("SECRET"), "{}", told.text());
    told.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_is_explained_with_key_age_deadlines_and_tags_and_compared_with_the_server() {
    let (server, stage, client) = play().await;
    client.get(SECTIONS).await;
    assert!(client.get(SECTIONS).await.was_hit());
    let told = why(&stage, json!({"url": SECTIONS, "token": TOKEN})).await;
    assert_eq!((&told["kind"], &told["class"], &told["outcome"]), (&json!("read"), &json!("sections"), &json!("hit")));
    assert_eq!(told["identity"], json!({"token": "given", "known": true, "proof": "holds", "live_signal": false}));
    assert!(told["key"]["text"].as_str().expect("a text").contains(SECTIONS));
    assert_eq!(told["key"]["representation"], "json", "the one that is kept");
    let entry = &told["entry"];
    assert!(entry["fresh_left_ms"].as_i64() > Some(50_000) && entry["age_ms"].as_u64() < Some(10_000), "{entry}");
    assert!(entry["tags"].as_array().expect("a list").contains(&json!("sections")), "{entry}");
    assert_eq!(entry["loaded_because"], "absent");
    assert_eq!(told["server_says"]["word"], "same");
    assert_eq!(server.count("GET", SECTIONS), 2, "asked once for the telling");
    assert!(client.get(SECTIONS).await.was_hit());
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_address_identifies_the_caller_and_is_not_repeated() {
    let (server, stage, client) = play().await;
    client.get(SECTIONS).await;
    let url = format!("http://{}{SECTIONS}?X-Plex-Token={TOKEN}", stage.address(0));
    let told = why(&stage, json!({"url": url})).await;
    assert_eq!((&told["identity"]["token"], &told["outcome"]), (&json!("address"), &json!("hit")));
    assert_eq!(told["asked"], "/library/sections?X-Plex-Token=***");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidated_entry_is_explained_with_the_tag_and_the_difference_from_the_server() {
    let (server, stage, client) = play().await;
    client.get(ITEM).await;
    let told = why(&stage, json!({"url": ITEM, "token": TOKEN})).await;
    assert_eq!(told["server_says"]["word"], "different");
    assert_eq!(told["server_says"]["detail"], "at MediaContainer.number");
    assert!(told["invalidation"].is_null());
    assert_eq!(client.get(SCROBBLE).await.status, 200);
    let told = why(&stage, json!({"url": ITEM, "token": TOKEN})).await;
    assert_eq!(told["outcome"], "load");
    assert!(told["sentence"].as_str().expect("a sentence").contains("invalidated"), "{told}");
    assert_eq!(told["invalidation"]["effect"], "purged");
    assert!(told["invalidation"]["by"].as_str().expect("a text").starts_with("the tag "), "{told}");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_observe_mode_the_shadow_entry_is_explained() {
    let (server, stage, client) = play().await;
    let home = &stage.process.servers[0].0;
    home.set_mode(CacheMode::Observe);
    client.get(SECTIONS).await;
    until(|| home.shadow_report().expect("it is observed").totals.asked > 0).await;
    let told = why(&stage, json!({"url": SECTIONS, "token": TOKEN})).await;
    assert_eq!(told["outcome"], "hit");
    assert!(told["sentence"].as_str().expect("a sentence").starts_with("The server answers every request"), "{told}");
    assert_eq!(told["server_says"]["word"], "same");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_token_is_reported_as_such_and_stays_unknown() {
    let (server, stage, client) = play().await;
    client.get(SECTIONS).await;
    let home = &stage.process.servers[0].0;
    let before = home.identities.all().len();
    let told = why(&stage, json!({"url": SECTIONS, "token": "SECRET-of-a-stranger"})).await;
    assert_eq!((&told["identity"]["known"], &told["outcome"]), (&json!(false), &json!("unproven")));
    assert!(told["entry"].is_null(), "nothing of anybody else's is shown");
    assert_eq!(told["server_says"]["word"], "nothing-kept");
    assert_eq!(home.identities.all().len(), before);
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_no_reads_are_explained_without_an_upstream_request() {
    let (server, stage, _) = play().await;
    for (url, kind) in [(SCROBBLE, "write"), ("/library/parts/7/1/film.mp4", "stream"), ("/a/../b", "refused")] {
        let told = why(&stage, json!({"url": url})).await;
        assert_eq!(told["kind"], kind, "{told}");
        assert!(told["server_says"].is_null());
    }
    assert!(server.received().is_empty());
    let refused = stage.control().send(Method::POST, "/api/v1/why", r#"{"url":"no path"}"#).await;
    assert_eq!(refused.json()["code"], "no-address");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_several_servers_the_address_or_the_name_selects_one() {
    let server = ScriptedServer::start(&TaskTracker::new(), script).await;
    let url = format!("http://{}", server.address);
    let script = GatewayConfigBuilder::new().server("home", "plex", &url, "").server("attic", "plex", &url, "");
    let stage = script.start().await;
    let unclear = stage.control().send(Method::POST, "/api/v1/why", r#"{"url":"/library/sections"}"#).await;
    assert_eq!(unclear.json()["code"], "which-server");
    let named = why(&stage, json!({"url": SECTIONS, "server": "attic"})).await;
    assert_eq!(named["server"], "attic");
    let found = why(&stage, json!({"url": format!("http://{}{SECTIONS}", stage.address(1))})).await;
    assert_eq!(found["server"], "attic");
    server.stop();
    stage.stop().await;
}
