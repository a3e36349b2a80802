//! Observe mode: the server answers everything, once per request, and the report says what the cache would have done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use greenroom_config::CacheMode;
use greenroom_proxy::shadow::{ShadowCounts, ShadowReport};
use http::Method;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::waiting::{until, until_async};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};

const SECTIONS: &str = "/library/sections";
const ITEM: &str = "/library/metadata/5";
const SCROBBLE: &str = "/:/scrobble?identifier=com.plexapp.plugins.library&key=5";
const SESSIONS: &str = "/status/sessions";

async fn play(
    script: impl Fn(&ReceivedRequest) -> ScriptedReply + Send + Sync + 'static,
    more: &str,
) -> (ScriptedServer, GatewayFixture, TestClient) {
    let server = ScriptedServer::start(&TaskTracker::new(), script).await;
    let more = format!("mode = \"observe\"\n{more}");
    let stage =
        GatewayConfigBuilder::new().server("home", "plex", &format!("http://{}", server.address), &more).start().await;
    let client = stage.client().with("x-plex-token", "token").with("accept", "application/json");
    (server, stage, client)
}

/// The same response every time.
fn still(_: &ReceivedRequest) -> ScriptedReply {
    ScriptedReply::Bytes(container(1))
}

/// A different response every time.
fn moving(request: &ReceivedRequest) -> ScriptedReply {
    ScriptedReply::Bytes(container(request.before))
}

/// The report once this many requests are compared.
async fn report(stage: &GatewayFixture, judged: u64) -> ShadowReport {
    let report = || stage.process.servers[0].0.shadow_report().expect("it is observed");
    until(|| report().totals.asked >= judged).await;
    report()
}

async fn totals(stage: &GatewayFixture, judged: u64) -> ShadowCounts {
    report(stage, judged).await.totals
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_the_servers_own_and_every_question_reaches_it_once() {
    let (server, stage, client) = play(moving, "").await;
    for round in 0..4 {
        let through = client.get(SECTIONS).await;
        assert_eq!(through.json()["MediaContainer"]["number"], round, "nothing is answered from the cache");
        assert!(through.header("cache-status").contains("detail=observe"), "{:?}", through.headers);
        assert!(through.header("age").is_empty());
    }
    assert_eq!(server.count("GET", SECTIONS), 4);
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_reach_the_server_unchanged() {
    let (server, stage, client) = play(still, "").await;
    let asked = client.with("accept-language", "de").with("x-plex-client-identifier", "abc");
    asked.get("/library/sections?b=2&a=1").await;
    let arrived = server.received();
    assert_eq!(arrived[0].target, "/library/sections?b=2&a=1");
    for line in ["accept-language: de", "x-plex-client-identifier: abc", "x-plex-token: token"] {
        assert!(arrived[0].head.to_ascii_lowercase().contains(line), "{}", arrived[0].head);
    }
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_states_savings_by_class_and_app() {
    let (server, stage, client) = play(still, "").await;
    let (kometa, tautulli) = (client.with("x-plex-product", "Kometa"), client.with("x-plex-product", "Tautulli"));
    for judged in 1..=3 {
        kometa.get(SECTIONS).await;
        report(&stage, judged).await;
    }
    tautulli.get(ITEM).await;
    let report = report(&stage, 4).await;
    assert_eq!(report.verdict, "Would have saved 50 % of 4 requests; 0 would have differed");
    assert_eq!((report.totals.hits, report.totals.missed, report.totals.reached), (2, 2, 2));
    assert_eq!((report.totals.compared, report.totals.differed), (2, 0));
    let named = |name: &str| {
        let rows = report.classes.iter().chain(&report.apps);
        let found: Vec<_> = rows.filter(|row| row.name == name).collect();
        found.first().map(|row| (row.counts.asked, row.counts.hits)).expect("there is a row")
    };
    assert_eq!((named("sections"), named("item")), ((3, 2), (1, 0)));
    assert_eq!((named("Kometa"), named("Tautulli")), ((3, 2), (1, 0)));
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_would_have_joined_and_each_of_it_still_asks_for_itself() {
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    // All five have room, so that each asks at once.
    let more = "upstream_concurrency = 16";
    let (server, stage, client) = play(move |_| ScriptedReply::Held(Arc::clone(&held), container(1)), more).await;
    let tasks = TaskTracker::new();
    let crowd: Vec<_> = (0..5)
        .map(|_| {
            let client = client.clone();
            tasks.spawn(async move { client.get(SECTIONS).await.status })
        })
        .collect();
    server.until(|server| server.count("GET", SECTIONS) == 5).await;
    until_async(async || {
        go.notify_waiters();
        server.count("GET", SECTIONS) != 5 || report(&stage, 0).await.totals.asked >= 5
    })
    .await;
    for one in crowd {
        assert_eq!(one.await.expect("it did not panic"), 200);
    }
    let totals = totals(&stage, 5).await;
    assert_eq!((totals.missed, totals.joined, totals.reached), (1, 4, 1));
    assert_eq!(totals.compared, 4);
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_makes_stale_what_is_observed() {
    let (server, stage, client) = play(still, "").await;
    client.get(ITEM).await;
    totals(&stage, 1).await;
    client.get(ITEM).await;
    assert_eq!(totals(&stage, 2).await.hits, 1);
    assert_eq!(client.get(SCROBBLE).await.status, 200);
    client.get(ITEM).await;
    let totals = totals(&stage, 4).await;
    assert_eq!((totals.hits, totals.missed), (1, 2), "the cache would not have answered from before the write");
    assert_eq!(server.count("GET", ITEM), 3);
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn differences_are_reported_with_the_rule_that_explains_them() {
    let (server, stage, client) = play(moving, "").await;
    for (asked, target) in (1..).zip([SESSIONS, SESSIONS, ITEM, ITEM]) {
        client.get(target).await;
        totals(&stage, asked).await;
    }
    // The same key in another spelling, and a different response: the spelling may be the cause.
    client.with("x-plex-client-identifier", "other").get(ITEM).await;
    let totals = totals(&stage, 5).await;
    assert_eq!((totals.moved, totals.changed, totals.differed), (1, 1, 1), "{totals:?}");
    assert_eq!(totals.compared, 3);
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_are_counted_and_not_sent() {
    let old_at_once = "[server.lifetimes.sections]\nfresh_s = 0\nstale_s = 600\n";
    let (server, stage, client) = play(still, old_at_once).await;
    for asked in 1..=3 {
        // Stored in this very millisecond, a response is not yet older than its lifetime of nothing.
        let before_ms = stage.process.clock.now_ms();
        until(|| stage.process.clock.now_ms() > before_ms + 1).await;
        client.get(SECTIONS).await;
        // A running refresh is not started twice.
        until_async(async || totals(&stage, asked).await.own >= asked - 1).await;
    }
    let totals = totals(&stage, 3).await;
    assert_eq!((totals.stale, totals.missed, totals.reached), (2, 1, 3), "{totals:?}");
    assert_eq!(server.count("GET", SECTIONS), 3, "the client's own questions and no other");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn observed_responses_are_never_served() {
    let (server, stage, client) = play(moving, "").await;
    client.get(SECTIONS).await;
    totals(&stage, 1).await;
    let home = Arc::clone(&stage.process.servers[0].0);
    assert!(home.set_mode(CacheMode::Cache));
    let first = client.get(SECTIONS).await;
    assert!(!first.was_hit(), "{}", first.header("cache-status"));
    assert_eq!(first.json()["MediaContainer"]["number"], 1);
    assert!(client.get(SECTIONS).await.was_hit());
    assert_eq!(home.shadow_report().expect("the last outcome stays").totals.asked, 1);
    assert!(home.set_mode(CacheMode::Observe));
    client.get(SECTIONS).await;
    assert_eq!(totals(&stage, 1).await.hits, 0, "a new observation begins with nothing");
    assert!(!home.set_mode(CacheMode::Observe), "it was so already");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_refused_while_observing_is_refused_afterwards() {
    let (server, stage, client) = play(
        |request| match request.before {
            0 => ScriptedReply::Bytes(container(1)),
            _ => ScriptedReply::Bytes(answer("401 Unauthorized", "text/html", "no")),
        },
        "",
    )
    .await;
    let home = Arc::clone(&stage.process.servers[0].0);
    home.set_mode(CacheMode::Cache);
    assert_eq!(client.get(SECTIONS).await.status, 200);
    home.set_mode(CacheMode::Observe);
    assert_eq!(client.get(SECTIONS).await.status, 401);
    home.set_mode(CacheMode::Cache);
    assert_eq!(client.get(SECTIONS).await.status, 401, "never again from what was kept");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_failures_are_reported_as_bridged_by_the_cache() {
    let (server, stage, client) = play(
        |request| match request.before {
            0 => ScriptedReply::Bytes(container(1)),
            _ => ScriptedReply::Bytes(answer("503 Service Unavailable", "text/html", "down")),
        },
        "",
    )
    .await;
    client.get(SECTIONS).await;
    totals(&stage, 1).await;
    let down = client.get(SECTIONS).await;
    assert_eq!((down.status.as_u16(), down.text().as_str()), (503, "down"), "the server's own words");
    let report = report(&stage, 2).await;
    assert_eq!(report.totals.rescued, 1);
    assert!(report.verdict.ends_with("1 would have been answered while the server failed"), "{}", report.verdict);
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_reported_as_bridged_by_the_cache() {
    let down = Arc::new(AtomicBool::new(false));
    let is_down = Arc::clone(&down);
    let (server, stage, client) = play(
        move |request| {
            if is_down.load(Ordering::SeqCst) {
                ScriptedReply::Close
            } else {
                ScriptedReply::Bytes(container(request.before))
            }
        },
        "",
    )
    .await;
    client.get(SECTIONS).await;
    totals(&stage, 1).await;
    down.store(true, Ordering::SeqCst);
    let breaker = &stage.process.servers[0].0.origin.breaker;
    let mut item = 0;
    until_async(async || {
        client.get(&format!("/library/metadata/{item}")).await;
        item += 1;
        breaker.outage().is_some()
    })
    .await;
    let asked = stage.process.servers[0].0.counters.requests.load(Ordering::SeqCst);
    totals(&stage, asked).await;
    assert_eq!(client.get(SECTIONS).await.status, 503, "nothing is answered from the cache");
    assert_eq!(totals(&stage, asked + 1).await.rescued, 1);
    assert_eq!(server.count("GET", SECTIONS), 1, "while it is down it is only probed");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_and_unread_responses_are_predicted_without_being_compared() {
    let (server, stage, client) = play(
        |request| match request.method.as_str() {
            "HEAD" => ScriptedReply::Bytes(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n".to_vec(),
            ),
            _ if request.head.to_ascii_lowercase().contains("if-none-match") => {
                ScriptedReply::Bytes(b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n".to_vec())
            }
            _ => ScriptedReply::Bytes(container(1)),
        },
        "",
    )
    .await;
    let again = client.with("if-none-match", "\"a\"");
    assert_eq!(again.get(SECTIONS).await.status, 304);
    totals(&stage, 1).await;
    assert_eq!(client.get(SECTIONS).await.status, 200);
    totals(&stage, 2).await;
    assert_eq!(client.send(Method::HEAD, SECTIONS, "").await.status, 200);
    let totals = totals(&stage, 3).await;
    assert_eq!((totals.missed, totals.hits, totals.unread), (1, 2, 2), "{totals:?}");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_disconnects_changes_nothing_for_others_with_the_same_request() {
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let (server, stage, client) = play(
        move |request| match request.before {
            0 => ScriptedReply::Held(Arc::clone(&held), container(1)),
            _ => ScriptedReply::Bytes(container(1)),
        },
        "",
    )
    .await;
    let leaving = client.clone();
    let tasks = TaskTracker::new();
    let leaving = tasks.spawn(async move { leaving.get(SECTIONS).await });
    server.until(|server| server.count("GET", SECTIONS) == 1).await;
    leaving.abort();
    go.notify_one();
    assert_eq!(totals(&stage, 1).await.missed, 1);
    client.get(SECTIONS).await;
    assert_eq!(totals(&stage, 2).await.hits, 1);
    server.stop();
    stage.stop().await;
}
