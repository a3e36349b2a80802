//! The live page: its frames, the viewer limit, and when viewers are disconnected.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::fixture::{ControlFixture, LOCAL};
use crate::{live_api, serve};

#[tokio::test(start_paused = true)]
async fn live_clients_get_statistics_every_two_seconds_until_shutdown() {
    let fixture = ControlFixture::new();
    fixture.state.stop.cancel();
    let mut stopped_stream = fixture.send("GET", "/api/v1/events", &[LOCAL], "").await.into_body().into_data_stream();
    assert!(
        stopped_stream.next().await.expect("the first frame").expect("bytes").starts_with(b"event: figures\ndata: {")
    );
    assert!(stopped_stream.next().await.is_none());

    let fixture = ControlFixture::new();
    let broadcast = live_api::broadcast_stats(Arc::clone(&fixture.state));
    let reader = async {
        let response = fixture.send("GET", "/api/v1/events", &[LOCAL], "").await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut frames = response.into_body().into_data_stream();
        for _ in 0..3 {
            let frame = frames.next().await.expect("another frame").expect("bytes");
            let json = frame.strip_prefix(b"event: figures\ndata: ").expect("an event");
            let stats: Value = serde_json::from_slice(json).expect("valid JSON");
            assert_eq!(stats["servers"][0]["name"], "home");
        }
        fixture.state.stop.cancel();
        assert!(frames.next().await.is_none());
    };
    tokio::join!(broadcast, reader);
}

#[tokio::test]
async fn live_clients_are_limited_and_release_their_permit() {
    let fixture = ControlFixture::new();
    let mut viewers = Vec::new();
    for _ in 0..64 {
        viewers.push(fixture.send("GET", "/api/v1/events", &[LOCAL], "").await);
    }
    assert_eq!(fixture.get("/api/v1/events").await.code(), "too-many-viewers");
    viewers.pop();
    assert_eq!(fixture.send("GET", "/api/v1/events", &[LOCAL], "").await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_live_stream_ends_with_its_session() {
    let mut fixture = ControlFixture::new();
    fixture.peer = "192.168.1.9:50000".parse().expect("an address");
    let cookie = fixture.log_in().await;
    let with = [LOCAL, ("cookie", cookie.as_str())];
    let broadcast = live_api::broadcast_stats(Arc::clone(&fixture.state));
    let reader = async {
        let mut frames = fixture.send("GET", "/api/v1/events", &with, "").await.into_body().into_data_stream();
        frames.next().await.expect("the first frame").expect("bytes");
        fixture.request("DELETE", "/api/v1/session", &with, "").await;
        assert!(frames.next().await.is_none());
        fixture.state.stop.cancel();
    };
    tokio::join!(broadcast, reader);
}

#[tokio::test]
async fn shutdown_completes_while_a_live_stream_is_open() {
    let fixture = ControlFixture::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = serve(
        Arc::clone(&fixture.state.control),
        listener,
        fixture.state.settings.clone(),
        None,
        (fixture.state.stop.clone(), CancellationToken::new()),
    );
    let client = async {
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
        let head = format!("GET /api/v1/events HTTP/1.1\r\nhost: {address}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("request sent");
        let mut received = Vec::new();
        while !received.windows(5).any(|bytes| bytes == b"data:") {
            assert_ne!(stream.read_buf(&mut received).await.expect("a response"), 0, "the stream ended early");
        }
        assert!(received.starts_with(b"HTTP/1.1 200"));
        fixture.state.stop.cancel();
        stream.read_to_end(&mut received).await.expect("the end of the stream");
    };
    let both = async { tokio::join!(serving, client) };
    tokio::time::timeout(Duration::from_mins(1), both).await.expect("the stream ends with the process");
}
