//! Pass-through of media: every byte the same, memory flat, and a client that disconnects ends it.

use std::sync::atomic::Ordering;

use http_body_util::BodyExt;
use http_body_util::Empty;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::TokioExecutor;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{PERIOD, ScriptedReply, ScriptedServer, pattern};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture};

const GIB: u64 = 1 << 30;
const LENGTH: u64 = 2 * GIB;
/// Allowed growth of resident memory while two gibibytes pass: socket buffers and the allocator's slack.
const MAX_GROWTH_KIB: u64 = 48 * 1024;

async fn play() -> (ScriptedServer, GatewayFixture) {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |request| {
        assert!(request.head.to_ascii_lowercase().contains("range: bytes=0-"), "the range is passed on");
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Type: video/mp4\r\nContent-Range: bytes 0-{}/{LENGTH}\r\n\
             Content-Length: {LENGTH}\r\n\r\n",
            LENGTH - 1
        );
        ScriptedReply::Flood(head.into_bytes(), LENGTH)
    })
    .await;
    let stage =
        GatewayConfigBuilder::new().server("home", "plex", &format!("http://{}", server.address), "").start().await;
    (server, stage)
}

fn request(stage: &GatewayFixture) -> http::Request<Empty<bytes::Bytes>> {
    http::Request::builder()
        .uri(format!("http://{}/library/parts/7/1700000000/film.mp4", stage.address(0)))
        .header("x-plex-token", "token")
        .header("range", "bytes=0-")
        .body(Empty::new())
        .expect("a request")
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the system tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it is told");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gibibytes_pass_unchanged_while_memory_stays_flat() {
    let (server, stage) = play().await;
    let pool: Pool<_, Empty<bytes::Bytes>> = Pool::builder(TokioExecutor::new()).build_http();
    let mut response = pool.request(request(&stage)).await.expect("an answer");
    assert_eq!(response.status(), 206);
    assert_eq!(response.headers()["content-length"], LENGTH.to_string().as_str());
    let period: Vec<u8> = (0..PERIOD).map(pattern).collect();
    let before = resident_kib();
    let (mut seen, mut most) = (0_u64, before);
    while let Some(frame) = response.body_mut().frame().await {
        let data = frame.expect("it does not break off").into_data().expect("only data");
        let mut rest = &data[..];
        while !rest.is_empty() {
            let at = usize::try_from(seen % PERIOD).expect("it fits");
            let part = rest.len().min(period.len() - at);
            assert!(rest[..part] == period[at..at + part], "a byte is out of place after {seen}");
            seen += part as u64;
            rest = &rest[part..];
        }
        if seen % (64 << 20) < 65_536 {
            most = most.max(resident_kib());
        }
    }
    assert_eq!(seen, LENGTH);
    assert!(most - before < MAX_GROWTH_KIB, "memory grew by {} KiB", most - before);
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_ends_the_servers_work() {
    let (server, stage) = play().await;
    let pool: Pool<_, Empty<bytes::Bytes>> = Pool::builder(TokioExecutor::new()).build_http();
    let mut response = pool.request(request(&stage)).await.expect("an answer");
    response.body_mut().frame().await.expect("a beginning").expect("it does not break off");
    drop(response);
    drop(pool);
    server.until(|server| server.cut_off.load(Ordering::SeqCst) == 1).await;
    server.stop();
    stage.stop().await;
}
