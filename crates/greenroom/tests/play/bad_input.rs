//! Bad input: each gets a clear response, loses nothing and leaks nothing.

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ScriptedReply, ScriptedServer, container};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture};

async fn play() -> (ScriptedServer, GatewayFixture) {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |request| ScriptedReply::Bytes(container(request.before))).await;
    let stage =
        GatewayConfigBuilder::new().server("home", "plex", &format!("http://{}", server.address), "").start().await;
    (server, stage)
}

/// Sends bytes and reads until the peer closes or has answered.
async fn raw(stage: &GatewayFixture, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(stage.address(0)).await.expect("it listens");
    // The peer may stop reading before everything was sent.
    drop(stream.write_all(request).await);
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while let Ok(length) = stream.read(&mut part).await {
        answer.extend_from_slice(&part[..length]);
        if length == 0 || answer.windows(4).any(|four| four == b"\r\n\r\n") {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_refused_and_the_next_one_is_served() {
    let (server, stage) = play().await;
    for request in [
        "GARBAGE\r\n\r\n".to_owned(),
        "GET /library/sections HTTP/1.1\r\nHost: x\r\nX-Plex-Token: t\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            .to_owned(),
        "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".to_owned(),
        format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(10 * 1024 * 1024)),
        format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "a".repeat(200_000)),
        format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Many: 1\r\n".repeat(5_000)),
    ] {
        let answer = raw(&stage, request.as_bytes()).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        let shown: String = request.chars().take(60).collect();
        assert!(answer.is_empty() || status.starts_with('4'), "{shown:?} got {answer:?}");
    }
    assert_eq!(server.received().len(), 0, "none of it reached the server");
    assert_eq!(stage.client().with("x-plex-token", "t").get("/library/sections").await.status, 200);
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_paths_are_never_answered_from_the_cache() {
    let (server, stage) = play().await;
    let client = stage.client().with("x-plex-token", "token").with("accept", "application/json");
    client.get("/library/sections").await;
    for path in ["/library/../library/sections", "/library%2Fsections", "/library//sections", "/library/sections;x=1"] {
        let answer = client.get(path).await;
        assert!(!answer.was_hit(), "{path} was answered from the cache");
    }
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_nothing_reaches_the_server_but_what_is_open() {
    let (server, stage) = play().await;
    let client = stage.client();
    for (method, path) in [
        (Method::GET, "/library/sections"),
        (Method::GET, "/:/scrobble?key=1"),
        (Method::DELETE, "/library/metadata/1"),
        (Method::GET, "/library/parts/1/1/a.mp4"),
        (Method::POST, "/myplex/claim?token=claim-x"),
    ] {
        let answer = client.send(method, path, "").await;
        assert!(answer.status == 401 || answer.status == 403, "{path}: {}", answer.status);
        assert!(!answer.body.is_empty(), "one line says why");
    }
    assert_eq!(server.received().len(), 0);
    assert_ne!(client.get("/identity").await.status, 401);
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_long_is_refused() {
    let (server, stage) = play().await;
    let head = "POST /playlists HTTP/1.1\r\nHost: x\r\nX-Plex-Token: t\r\nContent-Length: 99999999999\r\n\r\n";
    let answer = raw(&stage, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    server.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn identical_lengths_twice_from_the_server_are_taken_as_one() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |_| {
        let body = r#"{"MediaContainer":{"size":0}}"#;
        let length = body.len();
        ScriptedReply::Bytes(
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
                 Content-Length: {length}\r\n\r\n{body}"
            )
            .into_bytes(),
        )
    })
    .await;
    let stage =
        GatewayConfigBuilder::new().server("home", "plex", &format!("http://{}", server.address), "").start().await;
    let client = stage.client().with("x-plex-token", "t").with("accept", "application/json");
    assert_eq!(client.get("/library/sections").await.status, 200);
    assert_eq!(client.get("/something/unknown").await.status, 200);
    server.stop();
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_body_times_out_and_nothing_is_forwarded() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |request| ScriptedReply::Bytes(container(request.before))).await;
    let url = format!("http://{}", server.address);
    let stage = GatewayConfigBuilder::new().server("home", "plex", &url, "").start().await;
    let head = "POST /playlists HTTP/1.1\r\nHost: x\r\nX-Plex-Token: t\r\nContent-Length: 10\r\n\r\nab";
    let answer = raw(&stage, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(server.count("POST", "/playlists"), 0, "half a write is no write");
    server.stop();
    stage.stop().await;
}
