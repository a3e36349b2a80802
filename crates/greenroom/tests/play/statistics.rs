//! Honest statistics: every request counts once, no secret is shown, and spot checks find wrong responses.

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_simulator::faults::Fault;
use http::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::waiting::{until_async, with_deadline};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};
use crate::outages::{jellyfin_client, json as json_client, simulated, until_down};
use crate::sockets_kept;

const SECTIONS: &str = "/library/sections";
const ITEM: &str = "/library/metadata/5";
const TOKEN: &str = "SECRET-token-0123456789";

fn usual(_: &ReceivedRequest) -> ScriptedReply {
    ScriptedReply::Bytes(container(1))
}

async fn play(
    script: fn(&ReceivedRequest) -> ScriptedReply,
    table: &str,
    clock: Clock,
) -> (ScriptedServer, GatewayFixture, TestClient) {
    let server = ScriptedServer::start(&TaskTracker::new(), script).await;
    let url = format!("http://{}", server.address);
    let stage = GatewayConfigBuilder::new()
        .server("home", "plex", &url, "load_timeout_s = 600\nauth_ttl_s = 86400\n")
        .table(table);
    let stage = stage.start_at(clock).await;
    let client = stage.client().with("x-plex-token", TOKEN).with("accept", "application/json");
    (server, stage, client.with("x-plex-product", "Widget").with("user-agent", "Widget/1.0"))
}

async fn fetch_json(stage: &GatewayFixture, path: &str) -> Value {
    let told = stage.control().get(path).await;
    assert_eq!(told.status, 200, "{path}: {}", told.text());
    assert!(!told.text().contains("SECRET") && !told.text().contains("metadata"), "{}", told.text());
    told.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_before_its_answer_counts_as_well() {
    let (server, stage, _) =
        play(|_: &ReceivedRequest| ScriptedReply::Held(Arc::default(), container(1)), "", Clock::system()).await;
    let mut client = TcpStream::connect(stage.address(0)).await.expect("it listens");
    let request = format!("GET {SECTIONS} HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {TOKEN}\r\n\r\n");
    client.write_all(request.as_bytes()).await.expect("it is open");
    server.until(|server| server.count("GET", SECTIONS) == 1).await;
    drop(client);
    let first = async || fetch_json(&stage, "/api/v1/decisions").await["items"][0].clone();
    until_async(async || first().await.is_object()).await;
    let row = first().await;
    assert_eq!((&row["verdict"], &row["reason"], &row["status"]), (&json!("failed"), &json!("left"), &json!(499)));
    let today = fetch_json(&stage, "/api/v1/statistics/today").await;
    assert_eq!((&today["asked"], &today["reached"], &today["saved"]), (&json!(1), &json!(1), &json!(0)));
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_a_decision_and_counts_under_its_class_app_and_user() {
    let (_server, stage, client) = play(usual, "", Clock::system()).await;
    client.get(SECTIONS).await;
    client.get(SECTIONS).await;
    client.without("x-plex-token").get(SECTIONS).await;
    client.send(Method::PUT, "/library/metadata/5?title.value=x", "").await;
    client.get("/video/:/transcode/universal/start.m3u8").await;
    let decisions = fetch_json(&stage, "/api/v1/decisions").await;
    let items = decisions["items"].as_array().expect("a list");
    let words: Vec<_> = items
        .iter()
        .rev()
        .map(|item| (item["class"].as_str(), item["verdict"].as_str(), item["reason"].as_str()))
        .collect();
    assert_eq!(
        words,
        [
            (Some("sections"), Some("loaded"), Some("absent")),
            (Some("sections"), Some("hit"), None),
            (Some("sections"), Some("refused"), Some("no-token")),
            (Some("writes"), Some("write"), Some("write")),
            (Some("streams"), Some("passed"), Some("media")),
        ]
    );
    assert!(items.iter().all(|item| item["app"] == "Widget" && item["server"] == "home"), "{items:?}");
    let hit = &items[3];
    assert_eq!((hit["user"].as_str().map(str::len), &hit["status"]), (Some(8), &json!(200)));
    assert!(items[2]["user"].is_null(), "nobody without a token");
    let of_class = fetch_json(&stage, "/api/v1/decisions?class=sections&limit=1").await;
    assert_eq!(of_class["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(stage.control().get("/api/v1/decisions?limit=501").await.status, 400);
    assert_eq!(stage.control().get("/api/v1/decisions?server=attic").await.status, 404);
    let today = fetch_json(&stage, "/api/v1/statistics/today").await;
    assert_eq!((&today["asked"], &today["reached"], &today["saved"]), (&json!(5), &json!(3), &json!(1)));
    for (by, name, asked) in [("class", "sections", 3), ("app", "Widget", 5), ("server", "home", 5)] {
        let table = fetch_json(&stage, &format!("/api/v1/statistics?by={by}&range=hour")).await;
        let row = table["rows"].as_array().expect("rows").iter().find(|row| row["name"] == name);
        assert_eq!(row.expect("it is there")["asked"], asked, "{by}");
    }
    let apps = fetch_json(&stage, "/api/v1/statistics?by=app").await;
    assert!(apps["rows"][0]["latency"]["p95_ms"].is_number(), "{apps}");
    let curve = fetch_json(&stage, "/api/v1/statistics/series?range=hour").await;
    let asked = curve["points"].as_array().expect("points").iter().map(|point| point["asked"].as_u64());
    assert_eq!((asked.flatten().sum::<u64>(), &curve["step_s"]), (5, &json!(60)));
    let what_if = fetch_json(&stage, "/api/v1/statistics/what-if?server=home&class=sections").await;
    assert_eq!(what_if["recorded"]["asked"], 2, "{what_if}");
    assert!(what_if["options"][0]["text"].as_str().expect("a sentence").starts_with("sections 60 → "));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_a_token_before_its_proof_are_attributed_to_its_user() {
    let (server, stage, client) = play(usual, "", Clock::system()).await;
    for token in ["one", "two", "three"] {
        let viewer = client.without("x-plex-token").with("x-plex-token", token);
        viewer.get(SECTIONS).await;
        viewer.get(SECTIONS).await;
        viewer.get(ITEM).await;
    }
    let sums = async |by: &str| {
        let table = fetch_json(&stage, &format!("/api/v1/statistics?by={by}&range=hour")).await;
        let rows = table["rows"].as_array().expect("rows").clone();
        ["asked", "reached", "saved"].map(|of| rows.iter().filter_map(|row| row[of].as_u64()).sum::<u64>())
    };
    assert_eq!(sums("app").await, [9, 6, 3]);
    assert_eq!(sums("user").await, [9, 6, 3], "the first load of each token counts for its user, too");
    server.stop();
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn own_requests_count_neither_as_hits_nor_as_requests_of_apps() {
    let off = "[statistics]\nspot_check_one_in = 0\n";
    let (server, stage, client) = play(usual, off, Clock::system()).await;
    // A read past its fresh time is answered at once, followed by a background refresh.
    let mut asked = 0;
    until_async(async || {
        client.get(ITEM).await;
        asked += 1;
        stage.process.clock.sleep(Duration::from_secs(1)).await;
        server.count("GET", ITEM) >= 2
    })
    .await;
    let table = fetch_json(&stage, "/api/v1/statistics?by=class&range=hour").await;
    let rows = table["rows"].as_array().expect("rows");
    let sum = |of: &str| rows.iter().filter_map(|row| row[of].as_u64()).sum::<u64>();
    assert_eq!((sum("asked"), sum("missed"), sum("reached")), (asked, 1, 1), "{table}");
    assert!(table["own"]["reached"].as_u64() > Some(0), "{table}");
    stage.stop().await;
}

/// Spot checks once this many were made.
async fn checked(stage: &GatewayFixture, client: &TestClient, made: u64) -> Value {
    let checking = async {
        loop {
            client.get(ITEM).await;
            let spots = fetch_json(stage, "/api/v1/statistics/spot-checks").await;
            if spots["made"].as_u64() >= Some(made) {
                return spots;
            }
            stage.process.clock.sleep(Duration::from_millis(100)).await;
        }
    };
    with_deadline(format!("{made} spot checks"), checking).await
}

const ALWAYS: &str = "[statistics]\nspot_check_one_in = 1\nspot_checks_per_minute = 600\n";

#[tokio::test(start_paused = true)]
async fn spot_checks_find_the_same_and_can_be_turned_off() {
    let (server, stage, client) = play(usual, ALWAYS, Clock::system()).await;
    let spots = checked(&stage, &client, 2).await;
    assert_eq!((&spots["made"], &spots["wrong"]), (&spots["same"], &json!(0)), "{spots}");
    assert_eq!(spots["classes"][0]["class"], "item");
    assert!(server.count("GET", ITEM) > 2, "the server was asked for them");
    let switch = json!({"enabled": false}).to_string();
    let turned = stage.control().send(Method::PUT, "/api/v1/statistics/spot-checks", &switch).await;
    assert_eq!(turned.status, 200, "{}", turned.text());
    assert_eq!(fetch_json(&stage, "/api/v1/statistics/spot-checks").await["enabled"], false);
    stage.stop().await;
}

/// Whether the request is in Greenroom's canonical form, as loads are, and not in the client's.
fn is_ours(request: &ReceivedRequest) -> bool {
    request.header("user-agent").iter().any(|agent| agent.starts_with("Greenroom"))
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_by_what_the_key_leaves_out_is_found_by_a_check_that_changes_nothing_kept() {
    fn by_agent(request: &ReceivedRequest) -> ScriptedReply {
        ScriptedReply::Bytes(container(if is_ours(request) { 1 } else { 2 }))
    }
    let (server, stage, client) = play(by_agent, ALWAYS, Clock::system()).await;
    until_async(async || {
        let answer = client.get(ITEM).await;
        assert_eq!(answer.json()["MediaContainer"]["number"], 1, "what a check was told is not kept");
        stage.process.clock.sleep(Duration::from_millis(100)).await;
        fetch_json(&stage, "/api/v1/statistics/spot-checks").await["made"].as_u64() >= Some(5)
    })
    .await;
    let spots = fetch_json(&stage, "/api/v1/statistics/spot-checks").await;
    assert_eq!((&spots["made"], &spots["changed"]), (&spots["wrong"], &json!(0)), "{spots}");
    let checks = server.received().iter().filter(|one| one.target.starts_with(ITEM) && !is_ours(one)).count();
    assert!(checks >= 5, "{checks}: they were asked in the client's words");
    let today = fetch_json(&stage, "/api/v1/statistics/today").await;
    assert!(today["spot_checks"]["wrong"].as_u64() > Some(0), "{today}");
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_spot_check_sends_the_credential_of_the_checked_request_only() {
    fn by_token(request: &ReceivedRequest) -> ScriptedReply {
        ScriptedReply::Bytes(container(if request.head.contains("token-of-anna") { 1 } else { 2 }))
    }
    let (server, stage, client) = play(by_token, ALWAYS, Clock::system()).await;
    let [anna, bert] = [("token-of-anna", "Anna/1"), ("token-of-bert", "Bert/1")]
        .map(|(token, agent)| client.with("x-plex-token", token).with("user-agent", agent));
    let checks = |agent: &str| {
        let all = server.received().into_iter().filter(|one| one.target.starts_with(ITEM));
        all.filter(|one| one.header("user-agent") == [agent]).collect::<Vec<_>>()
    };
    until_async(async || {
        assert_eq!(anna.get(ITEM).await.json()["MediaContainer"]["number"], 1);
        assert_eq!(bert.get(ITEM).await.json()["MediaContainer"]["number"], 2);
        stage.process.clock.sleep(Duration::from_millis(100)).await;
        checks("Anna/1").len() >= 2 && checks("Bert/1").len() >= 2
    })
    .await;
    for (agent, own, other) in
        [("Anna/1", "token-of-anna", "token-of-bert"), ("Bert/1", "token-of-bert", "token-of-anna")]
    {
        for check in checks(agent) {
            assert_eq!(check.header("x-plex-token"), [own], "{}", check.head);
            assert!(!check.head.contains(other) && !check.target.contains(other), "{}", check.head);
        }
    }
    let spots = fetch_json(&stage, "/api/v1/statistics/spot-checks").await;
    assert_eq!((&spots["wrong"], &spots["changed"]), (&json!(0), &json!(0)), "{spots}");
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_change_on_the_server_within_the_allowed_age_is_no_mistake() {
    fn ever_new(request: &ReceivedRequest) -> ScriptedReply {
        if request.target.starts_with(ITEM) {
            return ScriptedReply::Bytes(container(request.before.min(1)));
        }
        ScriptedReply::Bytes(answer("200 OK", "application/json", "{}"))
    }
    let (_server, stage, client) = play(ever_new, ALWAYS, Clock::system()).await;
    let spots = checked(&stage, &client, 1).await;
    assert_eq!(spots["wrong"], 0, "{spots}");
    assert!(spots["changed"].as_u64() > Some(0), "{spots}");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unauthorised_clients_take_no_label_from_the_apps() {
    let (server, stage, client) = play(usual, "", Clock::system()).await;
    let stranger = client.without("x-plex-token");
    for number in 0..150 {
        let stranger = stranger.with("x-plex-product", &format!("Nobody{number}"));
        // Neither rejected requests nor public reads make an app known by name.
        let (path, status) = if number % 2 == 0 { (SECTIONS, 401) } else { ("/identity", 200) };
        assert_eq!(stranger.get(path).await.status, status);
    }
    // In such a crowd it is known by its second request, after the first was accepted.
    client.get(SECTIONS).await;
    client.get(SECTIONS).await;
    let table = fetch_json(&stage, "/api/v1/statistics?by=app&range=hour").await;
    let rows = table["rows"].as_array().expect("rows").iter().map(|row| (&row["name"], &row["asked"]));
    let (stranger, app) = (json!("strangers"), json!("Widget"));
    assert_eq!(rows.collect::<Vec<_>>(), [(&stranger, &json!(151)), (&app, &json!(1))]);
    let figures = stage.process.servers[0].0.apps.counters();
    assert!(figures.len() <= 23, "{}", figures.len());
    assert_eq!(figures.iter().map(|(_, counted)| counted.requests).sum::<u64>(), 152);
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_responses_do_not_count_as_passed_and_are_marked() {
    let (plex, jellyfin, stage) = simulated("").await;
    let (app, viewer) =
        (json_client(&stage, plex.tokens().owner_a()), jellyfin_client(&stage, jellyfin.tokens().sam()));
    app.get(SECTIONS).await;
    assert_eq!(viewer.get("/UserViews").await.status, 200);
    assert_eq!(viewer.get("/System/Ping").await.status, 200);
    let streams = async |server: &str, most: usize| {
        let path = format!("/api/v1/decisions?server={server}&class=streams&limit={most}");
        let rows = fetch_json(&stage, &path).await["items"].as_array().expect("rows").clone();
        let words = |row: &Value| (row["verdict"].clone(), row["reason"].clone(), row["status"].clone());
        rows.iter().map(words).collect::<Vec<_>>()
    };
    let passed = streams("den", 10).await;
    assert!(passed.iter().all(|(verdict, ..)| verdict == "passed") && !passed.is_empty(), "{passed:?}");
    plex.faults().set(Fault::Gone);
    jellyfin.faults().set(Fault::Gone);
    until_down(&stage, 0, &app).await;
    until_down(&stage, 1, &viewer).await;
    let path = "/api/v1/statistics?by=class&range=hour";
    let of_streams = async |stage: &GatewayFixture| {
        let table = fetch_json(stage, path).await;
        let rows = table["rows"].as_array().expect("rows").iter().filter(|row| row["name"] == "streams");
        let sum = |of: &str| rows.clone().filter_map(|row| row[of].as_u64()).sum::<u64>();
        [sum("asked"), sum("saved"), sum("stale"), sum("failed"), sum("reached")]
    };
    let before = of_streams(&stage).await;
    assert_eq!(viewer.get("/System/Ping").await.status, 200);
    let socket = sockets_kept::open(stage.address(0), plex.tokens().owner_a()).await.expect("it was good");
    assert!(sockets_kept::open(stage.address(0), "stranger").await.is_err());
    let stood_in = |status: u16| (json!("stale-on-error"), json!("offline"), json!(status));
    assert_eq!(streams("den", 1).await, [stood_in(200)]);
    let failed = (json!("failed"), json!("unanswered"), json!(503));
    assert_eq!(streams("home", 2).await, [failed, stood_in(101)]);
    let after = of_streams(&stage).await;
    let more: Vec<u64> = before.iter().zip(after).map(|(before, after)| after - before).collect();
    assert_eq!(more, [3, 2, 2, 1, 0], "asked, saved, stale, failed, reached");
    drop(socket);
    stage.stop().await;
    plex.stop().await;
    jellyfin.stop().await;
}
