//! Bypass: a plain proxy at once, also after a restart, and nothing stale when it ends.

use http::Method;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};

const SECTIONS: &str = "/library/sections";
const ITEM: &str = "/library/metadata/5";
const SCROBBLE: &str = "/:/scrobble?identifier=com.plexapp.plugins.library&key=5";
const EVERYTHING: &str = "{}";

/// A different response every time.
fn moving(request: &ReceivedRequest) -> ScriptedReply {
    ScriptedReply::Bytes(container(request.before))
}

async fn play(
    script: impl Fn(&ReceivedRequest) -> ScriptedReply + Send + Sync + 'static,
) -> (ScriptedServer, GatewayFixture, TestClient) {
    let server = ScriptedServer::start(&TaskTracker::new(), script).await;
    let stage =
        GatewayConfigBuilder::new().server("home", "plex", &format!("http://{}", server.address), "").start().await;
    let client = stage.client().with("x-plex-token", "token").with("accept", "application/json");
    (server, stage, client)
}

async fn set(stage: &GatewayFixture, method: Method, body: &str) -> String {
    let done = stage.control().send(method, "/api/v1/bypass", body).await;
    assert_eq!(done.status, 200, "{}", done.text());
    done.text()
}

fn number(answer: &crate::fixture::TestResponse) -> i64 {
    answer.json()["MediaContainer"]["number"].as_i64().unwrap_or_else(|| panic!("{}", answer.text()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bypassed_read_goes_to_the_server_every_time() {
    let (server, stage, client) = play(moving).await;
    assert_eq!(number(&client.get(SECTIONS).await), 0);
    assert!(client.get(SECTIONS).await.was_hit());
    assert_eq!(set(&stage, Method::PUT, EVERYTHING).await, r#"{"bypasses":[{}]}"#);
    for asked in 1..4 {
        let past = client.get(SECTIONS).await;
        assert_eq!(number(&past), asked);
        assert!(past.header("cache-status").contains("detail=bypass"), "{}", past.header("cache-status"));
    }
    assert_eq!(set(&stage, Method::DELETE, EVERYTHING).await, r#"{"bypasses":[]}"#);
    assert!(client.get(SECTIONS).await.was_hit(), "what was kept is as good as before");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_named_is_bypassed() {
    let (server, stage, client) = play(moving).await;
    let (kometa, other) = (client.with("x-plex-product", "Kometa"), client.with("x-plex-product", "Other"));
    for target in [SECTIONS, ITEM] {
        client.get(target).await;
    }
    set(&stage, Method::PUT, r#"{"server":"home","class":"item"}"#).await;
    assert!(client.get(SECTIONS).await.was_hit());
    assert!(!client.get(ITEM).await.was_hit());
    set(&stage, Method::DELETE, EVERYTHING).await;
    set(&stage, Method::PUT, r#"{"app":"Kometa"}"#).await;
    assert!(!kometa.get(ITEM).await.was_hit());
    assert!(other.get(ITEM).await.was_hit());
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_while_bypassed_still_makes_stale_what_was_kept() {
    let (server, stage, client) = play(moving).await;
    assert_eq!(number(&client.get(ITEM).await), 0);
    set(&stage, Method::PUT, r#"{"server":"home"}"#).await;
    assert_eq!(client.get(SCROBBLE).await.status, 200);
    set(&stage, Method::DELETE, r#"{"server":"home"}"#).await;
    let after = client.get(ITEM).await;
    assert!(!after.was_hit(), "the older answer does not come back");
    assert_eq!(number(&after), 1);
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_refused_while_bypassed_is_refused_afterwards() {
    let (server, stage, client) = play(|request| match request.before {
        0 => ScriptedReply::Bytes(container(0)),
        _ => ScriptedReply::Bytes(answer("401 Unauthorized", "text/html", "no")),
    })
    .await;
    assert_eq!(client.get(SECTIONS).await.status, 200);
    set(&stage, Method::PUT, EVERYTHING).await;
    assert_eq!(client.get(SECTIONS).await.status, 401);
    set(&stage, Method::DELETE, EVERYTHING).await;
    assert_eq!(client.get(SECTIONS).await.status, 401, "never again from what was kept");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bypass_survives_a_restart() {
    let server = ScriptedServer::start(&TaskTracker::new(), moving).await;
    let folder = tempfile::tempdir().expect("a folder");
    let start = || {
        let script = GatewayConfigBuilder::new().server("home", "plex", &format!("http://{}", server.address), "");
        script.data_dir(folder.path()).start()
    };
    let stage = start().await;
    set(&stage, Method::PUT, r#"{"server":"home"}"#).await;
    stage.stop().await;
    let stage = start().await;
    let client = stage.client().with("x-plex-token", "token").with("accept", "application/json");
    for asked in 0..2 {
        assert_eq!(number(&client.get(SECTIONS).await), asked);
    }
    let shown = stage.control().get("/api/v1/servers").await.json();
    assert_eq!(shown[0]["mode"], "bypass");
    stage.stop().await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mode_is_turned_over_the_api_and_ends_a_bypass() {
    let (server, stage, client) = play(moving).await;
    let control = stage.control();
    let mode = async |mode: &str| {
        let body = format!(r#"{{"server":"home","mode":"{mode}"}}"#);
        let done = control.send(Method::PUT, "/api/v1/mode", &body).await;
        assert_eq!(done.status, 200, "{}", done.text());
        control.get("/api/v1/servers").await.json()[0]["mode"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(mode("bypass").await, "bypass");
    client.get(SECTIONS).await;
    assert_eq!(mode("observe").await, "observe");
    client.get(SECTIONS).await;
    assert_eq!(mode("cache").await, "cache");
    assert_eq!(server.count("GET", SECTIONS), 2);
    assert!(!client.get(SECTIONS).await.was_hit(), "nothing of before is answered");
    assert!(client.get(SECTIONS).await.was_hit());
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_targets_cannot_be_bypassed_and_a_bypass_needs_the_token() {
    let (server, stage, _) = play(moving).await;
    let control = stage.control();
    for (path, body, code) in [
        ("/api/v1/bypass", r#"{"server":"attic"}"#, "unknown-server"),
        ("/api/v1/bypass", r#"{"class":"everything"}"#, "unknown-class"),
        ("/api/v1/bypass", r#"{"klass":"item"}"#, "bad-body"),
        ("/api/v1/mode", r#"{"mode":"off"}"#, "bad-body"),
        ("/api/v1/mode", r#"{"server":"attic","mode":"cache"}"#, "unknown-server"),
    ] {
        let refused = control.send(Method::PUT, path, body).await;
        assert_eq!(refused.json()["code"], code, "{body}");
    }
    let stranger = control.without("authorization");
    for (method, path) in [
        (Method::PUT, "/api/v1/bypass"),
        (Method::DELETE, "/api/v1/bypass"),
        (Method::PUT, "/api/v1/mode"),
        (Method::POST, "/api/v1/why"),
    ] {
        let refused = stranger.send(method, path, EVERYTHING).await;
        assert_eq!(refused.json()["code"], "token-missing", "{path}");
    }
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_can_be_cleared_alone() {
    let (server, stage, client) = play(moving).await;
    for target in [SECTIONS, ITEM] {
        client.get(target).await;
    }
    let cleared = stage.control().send(Method::POST, "/api/v1/cache/clear", r#"{"class":"item"}"#).await;
    assert_eq!(cleared.status, 200, "{}", cleared.text());
    assert!(client.get(SECTIONS).await.was_hit());
    assert!(!client.get(ITEM).await.was_hit());
    server.stop();
    stage.stop().await;
}
