//! Notices as they arrive: sent by the whole process to a receiver that notes every byte.

use std::sync::Arc;

use greenroom_cache::Clock;
use http::Method;
use ring::hmac;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::outages::{Mood, Moody, json as app, until_back, until_down};
use crate::stage::scripted::{Arrived, Reply, Scripted, answer};
use crate::stage::waiting::{patiently, until, until_told};
use crate::stage::{Script, Stage};

/// Time runs faster, but not so fast that a busy machine looks like a receiver that hangs.
const PACE: f64 = 4.0;
const SECRET: &str = "what only we and the receiver know";
const PATH: &str = "/hooks/SECRET-IN-THE-PATH?token=SECRET-IN-THE-QUERY";

/// A receiver that answers with these statuses in turn, the last of them for ever.
async fn receiver(statuses: &'static [&'static str]) -> Scripted {
    let script = move |request: &Arrived| {
        let status = statuses[request.before.min(statuses.len() - 1)];
        Reply::Last(answer(status, "text/plain", ""))
    };
    Scripted::start(&TaskTracker::new(), script).await
}

fn row(receiver: &Scripted, more: &str) -> String {
    format!("[[notice]]\nname = \"phone\"\nurl = \"http://{}{PATH}\"\ngroup_s = 1\n{more}", receiver.address)
}

async fn stage(plex: &Moody, table: &str) -> Stage {
    let url = format!("http://{}", plex.server.address);
    let script = Script::new().server("home", "plex", &url, "").table(table);
    script.start_at(Clock::scaled(PACE)).await
}

async fn until_arrived(receiver: &Scripted, count: usize) -> Vec<Arrived> {
    let arriving = async {
        loop {
            let news = receiver.news.notified();
            let arrived = receiver.arrived();
            if arrived.len() >= count {
                return arrived;
            }
            news.await;
        }
    };
    patiently(format!("{count} notices"), arriving).await
}

fn body(arrived: &Arrived) -> Value {
    serde_json::from_slice(&arrived.body).expect("it is JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_and_its_end_are_told_once_each_and_signed() {
    let (plex, phone) = (Moody::start().await, receiver(&["204 No Content"]).await);
    let stage = stage(
        &plex,
        &row(&phone, &format!("secret = \"{SECRET}\"\nevents = [\"server-down\", \"server-up\"]\n")),
    )
    .await;
    plex.is(Mood::HangsUp);
    until_down(&stage, 0, &app(&stage, "somebody")).await;
    until_arrived(&phone, 1).await;
    plex.is(Mood::Well);
    until_back(&stage, 0).await;
    let arrived = until_arrived(&phone, 2).await;
    stage.down().await;
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

/// As a receiver does it: the header is taken apart, the code is computed over time, dot and body.
fn check_signature(arrived: &Arrived) {
    let [said] = arrived.header("greenroom-signature")[..] else { panic!("one signature: {}", arrived.head) };
    let (time, code) = said.split_once(',').expect("two parts");
    let (time, code) = (time.strip_prefix("t=").expect("a time"), code.strip_prefix("v1=").expect("a code"));
    let code: Vec<u8> = (0..code.len() / 2)
        .map(|at| u8::from_str_radix(&code[2 * at..2 * at + 2], 16).expect("hexadecimal"))
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signed = [time.as_bytes(), b".", &arrived.body].concat();
    assert!(hmac::verify(&key, &signed, &code).is_ok());
    let sent_s = body(arrived)["sent_ms"].as_u64().expect("a time") / 1000;
    assert_eq!(time.parse(), Ok(sent_s));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_in_trouble_is_tried_again_and_one_that_refuses_is_not() {
    let plex = Moody::start().await;
    let slow = receiver(&["503 Service Unavailable", "429 Too Many Requests", "200 OK"]).await;
    let strict = receiver(&["302 Found\r\nlocation: http://127.0.0.1:1/"]).await;
    let other = row(&strict, "").replace("phone", "strict");
    let stage = stage(&plex, &format!("{}{other}", row(&slow, ""))).await;
    plex.is(Mood::HangsUp);
    until_down(&stage, 0, &app(&stage, "somebody")).await;
    let tries = until_arrived(&slow, 3).await;
    assert!(
        tries.iter().all(|one| body(one)["events"] == body(&tries[0])["events"]),
        "it is the same message"
    );
    until_arrived(&strict, 1).await;
    let control = stage.control();
    until_told(async || {
        let stats = control.get("/api/v1/cache/stats").await.json();
        let warnings = stats["warnings"].as_array().expect("a list");
        let warning = warnings.iter().find(|one| one["code"] == "notice-undelivered");
        assert!(warning.is_none_or(|one| one["text"] == "Notices do not get through to strict."));
        warning.is_some()
    })
    .await;
    let metrics = control.get("/metrics").await.text();
    assert!(
        metrics.contains("greenroom_notices_total{target=\"strict\",outcome=\"failed\"} 1\n"),
        "{metrics}"
    );
    assert_eq!(strict.arrived().len(), 1, "it leads elsewhere, and nobody follows");
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_token_is_told_once_however_often_it_is_refused() {
    let phone = receiver(&["200 OK"]).await;
    let tasks = TaskTracker::new();
    let refusing = |_: &Arrived| Reply::Bytes(answer("401 Unauthorized", "text/html", "<html>"));
    let plex = Scripted::start(&tasks, refusing).await;
    let url = format!("http://{}", plex.address);
    let script =
        Script::new().server("home", "plex", &url, "token = \"the-owner\"\n").table(&row(&phone, ""));
    let stage = script.start_at(Clock::scaled(PACE)).await;
    let app = app(&stage, "the-owner");
    let arrived = until_arrived(&phone, 1).await;
    for number in 0..5 {
        assert_eq!(app.get(&format!("/library/metadata/{number}")).await.status, 401);
    }
    assert_eq!(body(&arrived[0])["events"][0]["event"], "token-rejected");
    assert_eq!(body(&arrived[0])["title"], "home rejects the configured token");
    let notices = Arc::clone(&stage.process.notices);
    until(|| notices.sent()[0].delivered > 0).await;
    stage.down().await;
    assert_eq!((notices.sent()[0].delivered, phone.arrived().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn trying_out_sends_one_message_and_tells_what_came_of_it() {
    let (plex, phone) = (Moody::start().await, receiver(&["200 OK"]).await);
    let strict = receiver(&["403 Forbidden"]).await;
    let other = row(&strict, "template = \"ntfy\"\n").replace("phone", "strict");
    let stage = stage(&plex, &format!("{}{other}", row(&phone, ""))).await;
    let control = stage.control();
    let test = async |said: &str| control.send(Method::POST, "/api/v1/notices/test", said).await;
    let one = test(r#"{"target":"phone"}"#).await;
    assert_eq!((one.status.as_u16(), &one.json()["success"]), (200, &json!(true)));
    assert_eq!(body(&phone.arrived()[0])["title"], "Greenroom: a test");
    let all = test("").await.json();
    assert_eq!(all["success"], false);
    assert_eq!(all["targets"][1]["target"], "strict");
    assert_eq!(all["targets"][1]["reason"], "it answers 403: it does not let us in");
    assert_eq!(strict.arrived()[0].header("title"), ["Greenroom: a test"]);
    let unknown = test(r#"{"target":"attic"}"#).await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["code"]), (404, &json!("unknown-target")));
    for path in ["/api/v1/cache/stats", "/metrics", "/api/v1/servers"] {
        assert!(!control.get(path).await.text().contains("SECRET"), "{path}");
    }
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_when_the_process_ends_is_sent_before() {
    let (plex, phone) = (Moody::start().await, receiver(&["200 OK"]).await);
    let table = row(&phone, "").replace("group_s = 1", "group_s = 3600");
    let stage = stage(&plex, &table).await;
    plex.is(Mood::HangsUp);
    until_down(&stage, 0, &app(&stage, "somebody")).await;
    assert!(phone.arrived().is_empty());
    stage.down().await;
    assert_eq!(body(&phone.arrived()[0])["events"][0]["event"], "server-down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_holds_nobody_up() {
    let plex = Moody::start().await;
    let never = std::sync::Arc::new(tokio::sync::Notify::new());
    let hanging = {
        let never = std::sync::Arc::clone(&never);
        Scripted::start(&TaskTracker::new(), move |_: &Arrived| Reply::Held(never.clone(), Vec::new())).await
    };
    let stage = stage(&plex, &row(&hanging, "")).await;
    plex.is(Mood::HangsUp);
    until_down(&stage, 0, &app(&stage, "somebody")).await;
    until_arrived(&hanging, 1).await;
    plex.is(Mood::Well);
    until_back(&stage, 0).await;
    assert_eq!(app(&stage, "somebody").get("/library/sections").await.status, 200);
    stage.down().await;
}
