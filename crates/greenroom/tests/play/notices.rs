//! Notifications as received: sent by the whole process to a receiver that records every byte.

use std::sync::Arc;

use greenroom_cache::Clock;
use http::Method;
use ring::hmac;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, answer};
use crate::fixture::waiting::{until, until_async, with_deadline};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture};
use crate::outages::{ServerBehavior, SwitchableServer, json as app, until_back, until_down};

const SECRET: &str = "what only we and the receiver know";
const PATH: &str = "/hooks/SECRET-IN-THE-PATH?token=SECRET-IN-THE-QUERY";

/// A receiver that answers with these statuses in turn, the last of them for ever.
async fn receiver(statuses: &'static [&'static str]) -> ScriptedServer {
    let script = move |request: &ReceivedRequest| {
        let status = statuses[request.before.min(statuses.len() - 1)];
        ScriptedReply::Last(answer(status, "text/plain", ""))
    };
    ScriptedServer::start(&TaskTracker::new(), script).await
}

/// A receiver that accepts everything.
pub(crate) async fn phone() -> ScriptedServer {
    receiver(&["204 No Content"]).await
}

pub(crate) fn row(receiver: &ScriptedServer, more: &str) -> String {
    format!("[[notice]]\nname = \"phone\"\nurl = \"http://{}{PATH}\"\ngroup_s = 1\n{more}", receiver.address)
}

async fn stage(plex: &SwitchableServer, table: &str) -> GatewayFixture {
    let url = format!("http://{}", plex.server.address);
    let script = GatewayConfigBuilder::new().server("home", "plex", &url, "").table(table);
    script.start_at(Clock::system()).await
}

pub(crate) async fn until_arrived(receiver: &ScriptedServer, count: usize) -> Vec<ReceivedRequest> {
    let arriving = async {
        loop {
            let news = receiver.changed.notified();
            let arrived = receiver.received();
            if arrived.len() >= count {
                return arrived;
            }
            news.await;
        }
    };
    with_deadline(format!("{count} notices"), arriving).await
}

fn body(arrived: &ReceivedRequest) -> Value {
    serde_json::from_slice(&arrived.body).expect("it is JSON")
}

#[tokio::test(start_paused = true)]
async fn an_outage_and_its_end_are_notified_once_each_and_signed() {
    let (plex, phone) = (SwitchableServer::start().await, receiver(&["204 No Content"]).await);
    let stage =
        stage(&plex, &row(&phone, &format!("secret = \"{SECRET}\"\nevents = [\"server-down\", \"server-up\"]\n")))
            .await;
    plex.set(ServerBehavior::HangsUp);
    until_down(&stage, 0, &app(&stage, "somebody")).await;
    until_arrived(&phone, 1).await;
    plex.set(ServerBehavior::Well);
    until_back(&stage, 0).await;
    let arrived = until_arrived(&phone, 2).await;
    stage.stop().await;
    assert_eq!(arrived.len(), 2);
    for (one, event) in arrived.iter().zip(["server-down", "server-up"]) {
        assert_eq!((one.method.as_str(), one.target.as_str()), ("POST", PATH));
        let said = body(one);
        assert_eq!(said["events"][0]["event"], event);
        assert_eq!((&said["events"][0]["server"], &said["version"]), (&json!("home"), &json!(1)));
        check_signature(one);
    }
    assert!(body(&arrived[1])["title"].as_str().expect("a title").starts_with("home is back after"));
}

/// Verifies as a receiver does: splits the header, computes the code over time, dot and body.
fn check_signature(arrived: &ReceivedRequest) {
    let [said] = arrived.header("greenroom-signature")[..] else { panic!("one signature: {}", arrived.head) };
    let (time, code) = said.split_once(',').expect("two parts");
    let (time, code) = (time.strip_prefix("t=").expect("a time"), code.strip_prefix("v1=").expect("a code"));
    let code: Vec<u8> =
        (0..code.len() / 2).map(|at| u8::from_str_radix(&code[2 * at..2 * at + 2], 16).expect("hexadecimal")).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signed = [time.as_bytes(), b".", &arrived.body].concat();
    assert!(hmac::verify(&key, &signed, &code).is_ok());
    let sent_s = body(arrived)["sent_ms"].as_u64().expect("a time") / 1000;
    assert_eq!(time.parse(), Ok(sent_s));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_in_trouble_is_tried_again_and_one_that_refuses_is_not() {
    let plex = SwitchableServer::start().await;
    let slow = receiver(&["503 Service Unavailable", "429 Too Many Requests", "200 OK"]).await;
    let strict = receiver(&["302 Found\r\nlocation: http://127.0.0.1:1/"]).await;
    let other = row(&strict, "").replace("phone", "strict");
    let stage = stage(&plex, &format!("{}{other}", row(&slow, ""))).await;
    plex.set(ServerBehavior::HangsUp);
    until_down(&stage, 0, &app(&stage, "somebody")).await;
    let tries = until_arrived(&slow, 3).await;
    assert!(tries.iter().all(|one| body(one)["events"] == body(&tries[0])["events"]), "it is the same message");
    until_arrived(&strict, 1).await;
    let control = stage.control();
    until_async(async || {
        let stats = control.get("/api/v1/cache/stats").await.json();
        let warnings = stats["warnings"].as_array().expect("a list");
        let warning = warnings.iter().find(|one| one["code"] == "notice-undelivered");
        assert!(warning.is_none_or(|one| one["text"] == "Notifications to strict cannot be delivered."));
        warning.is_some()
    })
    .await;
    let metrics = control.get("/metrics").await.text();
    assert!(metrics.contains("greenroom_notices_total{target=\"strict\",outcome=\"failed\"} 1\n"), "{metrics}");
    assert_eq!(strict.received().len(), 1, "it leads elsewhere, and nobody follows");
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_rejected_token_is_notified_once_however_often_it_is_rejected() {
    let phone = receiver(&["200 OK"]).await;
    let tasks = TaskTracker::new();
    let refusing = |_: &ReceivedRequest| ScriptedReply::Bytes(answer("401 Unauthorized", "text/html", "<html>"));
    let plex = ScriptedServer::start(&tasks, refusing).await;
    let url = format!("http://{}", plex.address);
    let script =
        GatewayConfigBuilder::new().server("home", "plex", &url, "token = \"the-owner\"\n").table(&row(&phone, ""));
    let stage = script.start_at(Clock::system()).await;
    let app = app(&stage, "the-owner");
    let arrived = until_arrived(&phone, 1).await;
    for number in 0..5 {
        assert_eq!(app.get(&format!("/library/metadata/{number}")).await.status, 401);
    }
    assert_eq!(body(&arrived[0])["events"][0]["event"], "token-rejected");
    assert_eq!(body(&arrived[0])["title"], "home rejects the configured token");
    let notices = Arc::clone(&stage.process.notifier);
    until(|| notices.stats()[0].delivered > 0).await;
    stage.stop().await;
    assert_eq!((notices.stats()[0].delivered, phone.received().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_test_notification_is_sent_once_and_its_result_returned() {
    let (plex, phone) = (SwitchableServer::start().await, receiver(&["200 OK"]).await);
    let strict = receiver(&["403 Forbidden"]).await;
    let other = row(&strict, "template = \"ntfy\"\n").replace("phone", "strict");
    let stage = stage(&plex, &format!("{}{other}", row(&phone, ""))).await;
    let control = stage.control();
    let test = async |said: &str| control.send(Method::POST, "/api/v1/notices/test", said).await;
    let one = test(r#"{"target":"phone"}"#).await;
    assert_eq!((one.status.as_u16(), &one.json()["success"]), (200, &json!(true)));
    assert_eq!(body(&phone.received()[0])["title"], "Greenroom: a test");
    let all = test("").await.json();
    assert_eq!(all["success"], false);
    assert_eq!(all["targets"][1]["target"], "strict");
    assert_eq!(all["targets"][1]["reason"], "it responded with status 403: access denied");
    assert_eq!(strict.received()[0].header("title"), ["Greenroom: a test"]);
    let unknown = test(r#"{"target":"attic"}"#).await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["code"]), (404, &json!("unknown-target")));
    for path in ["/api/v1/cache/stats", "/metrics", "/api/v1/servers"] {
        assert!(!control.get(path).await.text().contains("SECRET"), "{path}");
    }
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn queued_notifications_are_sent_before_the_process_ends() {
    let (plex, phone) = (SwitchableServer::start().await, receiver(&["200 OK"]).await);
    let table = row(&phone, "").replace("group_s = 1", "group_s = 3600");
    let stage = stage(&plex, &table).await;
    plex.set(ServerBehavior::HangsUp);
    until_down(&stage, 0, &app(&stage, "somebody")).await;
    assert!(phone.received().is_empty());
    stage.stop().await;
    assert_eq!(body(&phone.received()[0])["events"][0]["event"], "server-down");
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_hangs_delays_no_other() {
    let plex = SwitchableServer::start().await;
    let never = std::sync::Arc::new(tokio::sync::Notify::new());
    let hanging = {
        let never = std::sync::Arc::clone(&never);
        ScriptedServer::start(&TaskTracker::new(), move |_: &ReceivedRequest| {
            ScriptedReply::Held(never.clone(), Vec::new())
        })
        .await
    };
    let stage = stage(&plex, &row(&hanging, "")).await;
    plex.set(ServerBehavior::HangsUp);
    until_down(&stage, 0, &app(&stage, "somebody")).await;
    until_arrived(&hanging, 1).await;
    plex.set(ServerBehavior::Well);
    until_back(&stage, 0).await;
    assert_eq!(app(&stage, "somebody").get("/library/sections").await.status, 200);
    stage.stop().await;
}
