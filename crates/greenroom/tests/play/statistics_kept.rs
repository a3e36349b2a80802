//! Statistics of the program itself: a killed process loses no more than documented; a busy one takes no more memory
//! than allowed.

use greenroom_cache::Timestamp;
use std::path::Path;

use futures_util::future::join_all;
use greenroom_request_log::counts::RequestCounter;
use greenroom_request_log::minute_bucket::RowKind;
use greenroom_request_log::time_series::TimeStep;
use greenroom_statistics::db::{StatisticsDb, TimeRange};
use serde_json::Value;
use tokio::process::Child;
use tokio_util::task::TaskTracker;

use crate::binary::configured;
use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, container};
use crate::fixture::waiting::until;
use crate::fixture::{RawClient, TestClient};

const SECTIONS: &str = "/library/sections";
const TOKEN: &str = "SECRET-token-0123456789";

fn usual(_: &ReceivedRequest) -> ScriptedReply {
    ScriptedReply::Bytes(container(1))
}

/// Address of the first server's listener.
async fn listener(control: &TestClient) -> std::net::SocketAddr {
    let servers = control.get("/api/v1/servers").await.json();
    servers[0]["listen"].as_str().expect("an address").parse().expect("an address")
}

/// Requests in the file.
fn written(folder: &Path) -> u64 {
    let Ok(book) = StatisticsDb::open(&folder.join("data"), u64::MAX) else { return 0 };
    let ever = TimeRange { step: TimeStep::Day, since_ms: Timestamp::UNIX_EPOCH, until_ms: Timestamp::MAX };
    let rows = book.rows(Some("home"), RowKind::Class, &ever).unwrap_or_default();
    rows.iter().map(|row| row.counts.get(RequestCounter::Asked)).sum()
}

/// Configuration of one server, with statistics written every second.
fn configure(folder: &Path, server: &ScriptedServer) {
    let toml = format!(
        "data_dir = \"{}\"\n[statistics]\nwrite_every_s = 1\n[control]\nlisten = \"127.0.0.1:0\"\n[[server]]\n\
         name = \"home\"\nkind = \"plex\"\nurl = \"http://{}\"\nlisten = \"127.0.0.1:0\"\n",
        folder.join("data").display(),
        server.address
    );
    std::fs::write(folder.join("greenroom.toml"), toml).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_killed_loses_no_more_than_was_not_written_yet() {
    let server = ScriptedServer::start(&TaskTracker::new(), usual).await;
    let folder = tempfile::tempdir().expect("a folder");
    configure(folder.path(), &server);
    let (mut first, control, _printed) = configured(folder.path()).await;
    let client = TestClient::new(listener(&control).await).with("x-plex-token", TOKEN);
    for _ in 0..20 {
        client.get(SECTIONS).await;
    }
    let asked = |today: &Value| today["asked"].as_u64().expect("a number");
    assert_eq!(asked(&control.get("/api/v1/statistics/today").await.json()), 20);
    until(|| written(folder.path()) >= 20).await;
    for _ in 0..10 {
        client.get(SECTIONS).await;
    }
    first.kill().await.expect("it dies");
    let (mut second, control, _printed_again) = configured(folder.path()).await;
    let kept = asked(&control.get("/api/v1/statistics/today").await.json());
    assert!((20..=30).contains(&kept), "{kept}: 20 were written, and 30 asked");
    for (by, range) in [("class", "hour"), ("app", "day"), ("user", "year")] {
        let rows = control.get(&format!("/api/v1/statistics?by={by}&range={range}")).await.json();
        let asked = rows["rows"].as_array().expect("rows").iter().map(|row| row["asked"].as_u64());
        assert_eq!(asked.flatten().sum::<u64>(), kept, "{by} and {range} say the same: {rows}");
    }
    second.kill().await.expect("it dies");
}

/// Resident anonymous memory of a process, in bytes; 0 where the system does not tell.
fn resident(process: &Child) -> u64 {
    let status = process.id().and_then(|id| std::fs::read_to_string(format!("/proc/{id}/status")).ok());
    let line = status.as_deref().and_then(|status| status.lines().find(|line| line.starts_with("RssAnon:")));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Through the program itself: two hundred users with fifty apps, each on a persistent connection.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_requests_over_kept_connections_are_all_counted_within_bounds() {
    const USERS: usize = 200;
    const ROUNDS: usize = 100;
    const MOST_BYTES: u64 = 64 << 20;
    let server = ScriptedServer::start(&TaskTracker::new(), usual).await;
    let folder = tempfile::tempdir().expect("a folder");
    configure(folder.path(), &server);
    let (mut program, control, _printed) = configured(folder.path()).await;
    let address = listener(&control).await;
    let before = resident(&program);
    let user = |number: usize| async move {
        let mut raw = RawClient::connect(address).await;
        for round in 0..ROUNDS {
            let item = (number * 37 + round) % 50;
            let request = format!(
                "GET /library/metadata/{item} HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\
                 X-Plex-Product: app{}\r\nX-Plex-Token: token-{number}\r\n\r\n",
                number % 50
            );
            let answer = raw.ask(request).await.expect("the connection stays open");
            assert_eq!(answer.status(), 200, "{}", answer.text());
        }
    };
    for users in (0..USERS).collect::<Vec<_>>().chunks(20) {
        join_all(users.iter().copied().map(user)).await;
    }
    let asked = (USERS * ROUNDS) as u64;
    for (by, rows) in [("app", 50), ("user", USERS), ("class", 1)] {
        let table = control.get(&format!("/api/v1/statistics?by={by}&range=hour")).await.json();
        let told = table["rows"].as_array().expect("rows");
        let sum: u64 = told.iter().filter_map(|row| row["asked"].as_u64()).sum();
        // Requests that reached the server before their app was accepted count as `strangers`.
        let names = told.iter().filter(|row| row["asked"].as_u64() > Some(0)).count();
        assert_eq!((names, sum), (rows, asked), "{by}");
    }
    until(|| written(folder.path()) >= asked).await;
    let grown = resident(&program).saturating_sub(before);
    assert!(grown < MOST_BYTES, "{grown} bytes more than before");
    let file = std::fs::metadata(folder.path().join("data/state.db")).expect("it is there").len();
    assert!(file < 4 << 20, "{file} bytes on disk");
    program.kill().await.expect("it dies");
}
