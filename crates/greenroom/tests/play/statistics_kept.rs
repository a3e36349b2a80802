//! Statistics of the program itself: killed, it loses no more than was said; busy, it takes no more than it may.

use std::path::Path;

use futures_util::future::join_all;
use greenroom_proxy::record::counts::Count;
use greenroom_proxy::record::minute_bucket::By;
use greenroom_proxy::record::time_series::Step;
use greenroom_proxy::statistics::db::{Book, Range};
use serde_json::Value;
use tokio::process::Child;
use tokio_util::task::TaskTracker;

use crate::binary::configured;
use crate::stage::scripted::{Arrived, Reply, Scripted, container};
use crate::stage::waiting::until;
use crate::stage::{Client, Raw};

const SECTIONS: &str = "/library/sections";
const TOKEN: &str = "SECRET-token-0123456789";

fn usual(_: &Arrived) -> Reply {
    Reply::Bytes(container(1))
}

/// Where apps find the first server.
async fn listener(control: &Client) -> std::net::SocketAddr {
    let servers = control.get("/api/v1/servers").await.json();
    servers[0]["listen"].as_str().expect("an address").parse().expect("an address")
}

/// How many requests the file holds.
fn written(folder: &Path) -> u64 {
    let Ok(book) = Book::open(&folder.join("data"), u64::MAX) else { return 0 };
    let ever = Range { step: Step::Day, since_ms: 0, until_ms: u64::MAX };
    let rows = book.rows(Some("home"), By::Class, &ever).unwrap_or_default();
    rows.iter().map(|row| row.counts.of(Count::Asked)).sum()
}

/// The configuration of one server that is written about every second.
fn configure(folder: &Path, server: &Scripted) {
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
    let server = Scripted::start(&TaskTracker::new(), usual).await;
    let folder = tempfile::tempdir().expect("a folder");
    configure(folder.path(), &server);
    let (mut first, control, _printed) = configured(folder.path()).await;
    let client = Client::new(listener(&control).await).with("x-plex-token", TOKEN);
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

/// Resident memory of a process that is not a file's, in bytes; 0 where the system does not tell.
fn resident(process: &Child) -> u64 {
    let status = process.id().and_then(|id| std::fs::read_to_string(format!("/proc/{id}/status")).ok());
    let line = status.as_deref().and_then(|status| status.lines().find(|line| line.starts_with("RssAnon:")));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Through the program itself: two hundred users with fifty apps, each on a connection that stays open.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_requests_over_kept_connections_are_all_counted_within_bounds() {
    const USERS: usize = 200;
    const ROUNDS: usize = 100;
    const MOST_BYTES: u64 = 64 << 20;
    let server = Scripted::start(&TaskTracker::new(), usual).await;
    let folder = tempfile::tempdir().expect("a folder");
    configure(folder.path(), &server);
    let (mut program, control, _printed) = configured(folder.path()).await;
    let address = listener(&control).await;
    let before = resident(&program);
    let user = |number: usize| async move {
        let mut raw = Raw::connect(address).await;
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
        // What reached the server before an app was let in is the strangers'.
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
