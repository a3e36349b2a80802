//! Memory of the program after a flood of hostile requests: it goes back to the system.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

use crate::binary::{self, GatewayProgram};
use crate::fixture::scripted::{ScriptedReply, ScriptedServer, answer};

/// Concurrent connections of the flood.
const CONNECTIONS: usize = 200;
/// Requests on each.
const REQUESTS: usize = 12;
/// Bytes of the filler in each head.
const HEAD_BYTES: usize = 24 * 1024;
/// Bytes of each body.
const BODY_BYTES: usize = 60 * 1024;
/// Time within which memory has to be returned.
const RETURN_TIME: Duration = Duration::from_secs(20);

/// One hostile client: long heads, made-up tokens, unknown paths, long bodies.
async fn attack(address: String, client: usize) {
    let Ok(mut stream) = TcpStream::connect(&address).await else { return };
    let filler = "f".repeat(HEAD_BYTES);
    let body = vec![b'b'; BODY_BYTES];
    let mut response = vec![0; 64 * 1024];
    for number in 0..REQUESTS {
        let head = format!(
            "PUT /library/metadata/{number}/{client} HTTP/1.1\r\nHost: {address}\r\nX-Plex-Token: made-up-{client}-{number}\r\n\
             X-Filler: {filler}\r\nContent-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
        );
        let sent = async {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body).await?;
            stream.read(&mut response).await
        };
        if !matches!(sent.await, Ok(1..)) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_flood_memory_goes_back() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |request| {
        ScriptedReply::Bytes(if request.header("x-plex-token").is_empty() {
            binary::identity()
        } else {
            answer("401 Unauthorized", "text/html", &"<p>no</p>".repeat(8 * 1024))
        })
    })
    .await;
    let mut program = binary::serve_quietly(&["--plex", &format!("http://{}", server.address)]);
    let address = program.after("point your apps at http://").await;
    let address = address.split_whitespace().next().expect("an address").trim_end_matches('/').to_owned();
    // What is remembered of so many tokens is there before the flood.
    for few in 0..CONNECTIONS / 4 {
        join_all((4 * few..4 * few + 4).map(|client| attack(address.clone(), client))).await;
    }
    let before = program.resident_kib();

    let flood = tasks.spawn(join_all((0..CONNECTIONS).map(|client| attack(address.clone(), client))));
    let mut peak = before;
    while !flood.is_finished() {
        peak = peak.max(program.resident_kib());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let growth = peak.saturating_sub(before);
    let after = resident_after(&program, before + growth / 4).await;
    println!("resident KiB: before {before}, at most {peak}, afterwards {after}");
    assert!(growth > 8 * 1024, "a flood that takes {growth} KiB shows nothing");
    assert!(after <= before + growth / 4, "of {growth} KiB, {} are left", after.saturating_sub(before));
    program.end().await;
}

/// Resident memory once it is below `goal_kib`, or when the time is over.
async fn resident_after(program: &GatewayProgram, goal_kib: u64) -> u64 {
    let returned = async {
        while program.resident_kib() > goal_kib {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let _ = tokio::time::timeout(RETURN_TIME, returned).await;
    program.resident_kib()
}
