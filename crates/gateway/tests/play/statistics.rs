//! Honest statistics: every request counts once, nothing secret is told, spot checks find what is wrong, and a killed
//! process loses no more than was said.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use greenroom_cache::Clock;
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio_util::task::TaskTracker;

use crate::stage::scripted::{Arrived, Reply, Scripted, answer, container};
use crate::stage::waiting::{until, until_told};
use crate::stage::{Client, Script, Stage};

const SECTIONS: &str = "/library/sections";
const ITEM: &str = "/library/metadata/5";
const TOKEN: &str = "SECRET-token-0123456789";

fn usual(_: &Arrived) -> Reply {
    Reply::Bytes(container(1))
}

async fn play(script: fn(&Arrived) -> Reply, table: &str, clock: Clock) -> (Scripted, Stage, Client) {
    let server = Scripted::start(&TaskTracker::new(), script).await;
    let url = format!("http://{}", server.address);
    let stage =
        Script::new().server("home", "plex", &url, "load_timeout_s = 600\nauth_ttl_s = 86400\n").table(table);
    let stage = stage.start_at(clock).await;
    let client = stage.client().with("x-plex-token", TOKEN).with("accept", "application/json");
    (server, stage, client.with("x-plex-product", "Widget").with("user-agent", "Widget/1.0"))
}

async fn told(stage: &Stage, path: &str) -> Value {
    let told = stage.control().get(path).await;
    assert_eq!(told.status, 200, "{path}: {}", told.text());
    assert!(!told.text().contains("SECRET") && !told.text().contains("metadata"), "{}", told.text());
    told.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_before_its_answer_counts_as_well() {
    let (server, stage, _) =
        play(|_: &Arrived| Reply::Held(Arc::default(), container(1)), "", Clock::system()).await;
    let mut client = TcpStream::connect(stage.address(0)).await.expect("it listens");
    let request = format!("GET {SECTIONS} HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {TOKEN}\r\n\r\n");
    client.write_all(request.as_bytes()).await.expect("it is open");
    server.until(|server| server.count("GET", SECTIONS) == 1).await;
    drop(client);
    let first = async || told(&stage, "/api/v1/decisions").await["items"][0].clone();
    until_told(async || first().await.is_object()).await;
    let row = first().await;
    assert_eq!(
        (&row["verdict"], &row["reason"], &row["status"]),
        (&json!("failed"), &json!("left"), &json!(499))
    );
    let today = told(&stage, "/api/v1/statistics/today").await;
    assert_eq!((&today["asked"], &today["reached"], &today["saved"]), (&json!(1), &json!(1), &json!(0)));
    server.stop();
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_a_decision_and_counts_under_its_class_app_and_user() {
    let (_server, stage, client) = play(usual, "", Clock::system()).await;
    client.get(SECTIONS).await;
    client.get(SECTIONS).await;
    client.without("x-plex-token").get(SECTIONS).await;
    client.send(Method::PUT, "/library/metadata/5?title.value=x", "").await;
    client.get("/video/:/transcode/universal/start.m3u8").await;
    let decisions = told(&stage, "/api/v1/decisions").await;
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
    let of_class = told(&stage, "/api/v1/decisions?class=sections&limit=1").await;
    assert_eq!(of_class["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(stage.control().get("/api/v1/decisions?limit=501").await.status, 400);
    assert_eq!(stage.control().get("/api/v1/decisions?server=attic").await.status, 404);
    let today = told(&stage, "/api/v1/statistics/today").await;
    assert_eq!((&today["asked"], &today["reached"], &today["saved"]), (&json!(5), &json!(3), &json!(1)));
    for (by, name, asked) in [("class", "sections", 3), ("app", "Widget", 5), ("server", "home", 5)] {
        let table = told(&stage, &format!("/api/v1/statistics?by={by}&range=hour")).await;
        let row = table["rows"].as_array().expect("rows").iter().find(|row| row["name"] == name);
        assert_eq!(row.expect("it is there")["asked"], asked, "{by}");
    }
    let apps = told(&stage, "/api/v1/statistics?by=app").await;
    assert!(apps["rows"][0]["latency"]["p95_ms"].is_number(), "{apps}");
    let curve = told(&stage, "/api/v1/statistics/series?range=hour").await;
    let asked = curve["points"].as_array().expect("points").iter().map(|point| point["asked"].as_u64());
    assert_eq!((asked.flatten().sum::<u64>(), &curve["step_s"]), (5, &json!(60)));
    let what_if = told(&stage, "/api/v1/statistics/what-if?server=home&class=sections").await;
    assert_eq!(what_if["recorded"]["asked"], 2, "{what_if}");
    assert!(what_if["options"][0]["text"].as_str().expect("a sentence").starts_with("sections 60 → "));
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_greenroom_asks_itself_is_no_hit_and_no_question() {
    let off = "[statistics]\nspot_check_one_in = 0\n";
    let (server, stage, client) = play(usual, off, Clock::scaled(100.0)).await;
    // Once it is past its fresh time, a read is answered at once, and we ask behind it.
    let mut asked = 0;
    while server.count("GET", ITEM) < 2 {
        client.get(ITEM).await;
        asked += 1;
    }
    let table = told(&stage, "/api/v1/statistics?by=class&range=hour").await;
    let rows = table["rows"].as_array().expect("rows");
    let sum = |of: &str| rows.iter().filter_map(|row| row[of].as_u64()).sum::<u64>();
    assert_eq!((sum("asked"), sum("missed"), sum("reached")), (asked, 1, 1), "{table}");
    assert!(table["own"]["reached"].as_u64() > Some(0), "{table}");
    stage.down().await;
}

/// Spot checks as they stand once this many were made.
async fn checked(stage: &Stage, client: &Client, made: u64) -> Value {
    loop {
        client.get(ITEM).await;
        let spots = told(stage, "/api/v1/statistics/spot-checks").await;
        if spots["made"].as_u64() >= Some(made) {
            return spots;
        }
    }
}

const ALWAYS: &str = "[statistics]\nspot_check_one_in = 1\nspot_checks_per_minute = 600\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_spot_check_finds_the_same_and_changes_nothing_that_is_kept() {
    let (server, stage, client) = play(usual, ALWAYS, Clock::scaled(100.0)).await;
    let spots = checked(&stage, &client, 2).await;
    assert_eq!((&spots["made"], &spots["wrong"]), (&spots["same"], &json!(0)), "{spots}");
    assert_eq!(spots["classes"][0]["class"], "item");
    assert!(server.count("GET", ITEM) > 2, "the server was asked for them");
    let switch = json!({"enabled": false}).to_string();
    let turned = stage.control().send(Method::PUT, "/api/v1/statistics/spot-checks", &switch).await;
    assert_eq!(turned.status, 200, "{}", turned.text());
    assert_eq!(told(&stage, "/api/v1/statistics/spot-checks").await["enabled"], false);
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_by_what_the_key_leaves_out_is_found_by_a_spot_check() {
    fn by_agent(request: &Arrived) -> Reply {
        let is_ours = request.header("user-agent").iter().any(|agent| agent.starts_with("Greenroom"));
        Reply::Bytes(container(if is_ours { 1 } else { 2 }))
    }
    let (_server, stage, client) = play(by_agent, ALWAYS, Clock::scaled(100.0)).await;
    let spots = checked(&stage, &client, 1).await;
    assert_eq!((&spots["made"], &spots["changed"]), (&spots["wrong"], &json!(0)), "{spots}");
    let today = told(&stage, "/api/v1/statistics/today").await;
    assert!(today["spot_checks"]["wrong"].as_u64() > Some(0), "{today}");
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_on_the_server_within_the_allowed_age_is_no_mistake() {
    fn ever_new(request: &Arrived) -> Reply {
        if request.target.starts_with(ITEM) {
            return Reply::Bytes(container(request.before.min(1)));
        }
        Reply::Bytes(answer("200 OK", "application/json", "{}"))
    }
    let (_server, stage, client) = play(ever_new, ALWAYS, Clock::scaled(100.0)).await;
    let spots = checked(&stage, &client, 1).await;
    assert_eq!(spots["wrong"], 0, "{spots}");
    assert!(spots["changed"].as_u64() > Some(0), "{spots}");
    stage.down().await;
}

/// The program with this configuration: itself, its control plane and its first server's listener.
async fn start(folder: &Path) -> (Child, Client, Lines<BufReader<ChildStdout>>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenroom"));
    command.env_clear().env("HOME", folder).env("GREENROOM_CONFIG", folder.join("greenroom.toml"));
    command.arg("serve").stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it has an output")).lines();
    let address = loop {
        let line = lines.next_line().await.expect("it prints text").expect("it prints more");
        if let Some((_, page)) = line.split_once("page: http://") {
            break page.trim().trim_end_matches('/').parse().expect("an address");
        }
    };
    let token = std::fs::read_to_string(folder.join("data/control.token")).expect("it is there");
    (child, Client::new(address).with("authorization", &format!("Bearer {}", token.trim())), lines)
}

/// Where apps find the first server.
async fn listener(control: &Client) -> std::net::SocketAddr {
    let servers = control.get("/api/v1/servers").await.json();
    servers[0]["listen"].as_str().expect("an address").parse().expect("an address")
}

/// What the file holds by the minute of the class that is asked for.
fn written(folder: &Path) -> i64 {
    let file = folder.join("data/state.db");
    let Ok(db) = rusqlite::Connection::open(file) else { return 0 };
    let rows = "SELECT count(*) FROM statistics_row JOIN statistics_name ON id = statistics_row.name
                WHERE step = 0 AND statistics_name.name = 'sections'";
    db.query_row(rows, [], |row| row.get(0)).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_killed_loses_no_more_than_was_not_written_yet() {
    let server = Scripted::start(&TaskTracker::new(), usual).await;
    let folder = tempfile::tempdir().expect("a folder");
    let toml = format!(
        "data_dir = \"{}\"\n[statistics]\nwrite_every_s = 1\n[control]\nlisten = \"127.0.0.1:0\"\n[[server]]\n\
         name = \"home\"\nkind = \"plex\"\nurl = \"http://{}\"\nlisten = \"127.0.0.1:0\"\n",
        folder.path().join("data").display(),
        server.address
    );
    std::fs::write(folder.path().join("greenroom.toml"), toml).expect("written");
    let (mut first, control, _printed) = start(folder.path()).await;
    let client = Client::new(listener(&control).await).with("x-plex-token", TOKEN);
    for _ in 0..20 {
        client.get(SECTIONS).await;
    }
    let asked = |today: &Value| today["asked"].as_u64().expect("a number");
    assert_eq!(asked(&control.get("/api/v1/statistics/today").await.json()), 20);
    // Of the twenty as many as were asked by then.
    until(|| written(folder.path()) > 0).await;
    first.kill().await.expect("it dies");
    let (mut second, control, _printed_again) = start(folder.path()).await;
    let kept = asked(&control.get("/api/v1/statistics/today").await.json());
    assert!((1..=20).contains(&kept), "{kept} of 20");
    let rows = control.get("/api/v1/statistics?by=class&range=year").await.json();
    assert_eq!(rows["rows"][0]["asked"].as_u64(), Some(kept), "days and minutes say the same: {rows}");
    second.kill().await.expect("it dies");
}
