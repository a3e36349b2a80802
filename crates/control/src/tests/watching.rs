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
async fn the_live_page_is_told_every_two_seconds_until_the_process_stops() {
    let house = ControlFixture::new();
    house.plane.stop.cancel();
    let mut ended = house.send("GET", "/api/v1/events", &[LOCAL], "").await.into_body().into_data_stream();
    assert!(ended.next().await.expect("the first figures").expect("bytes").starts_with(b"event: figures\ndata: {"));
    assert!(ended.next().await.is_none());

    let house = ControlFixture::new();
    let teller = live_api::broadcast_stats(Arc::clone(&house.plane));
    let reader = async {
        let response = house.send("GET", "/api/v1/events", &[LOCAL], "").await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut frames = response.into_body().into_data_stream();
        for _ in 0..3 {
            let frame = frames.next().await.expect("it goes on").expect("bytes");
            let json = frame.strip_prefix(b"event: figures\ndata: ").expect("it is an event");
            let figures: Value = serde_json::from_slice(json).expect("it is JSON");
            assert_eq!(figures["servers"][0]["name"], "home");
        }
        house.plane.stop.cancel();
        assert!(frames.next().await.is_none());
    };
    tokio::join!(teller, reader);
}

#[tokio::test]
async fn viewers_are_bounded_and_leave_their_place() {
    let house = ControlFixture::new();
    let mut viewers = Vec::new();
    for _ in 0..64 {
        viewers.push(house.send("GET", "/api/v1/events", &[LOCAL], "").await);
    }
    assert_eq!(house.get("/api/v1/events").await.code(), "too-many-viewers");
    viewers.pop();
    assert_eq!(house.send("GET", "/api/v1/events", &[LOCAL], "").await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_is_let_go_when_the_session_ends() {
    let mut house = ControlFixture::new();
    house.peer = "192.168.1.9:50000".parse().expect("an address");
    let cookie = house.log_in().await;
    let with = [LOCAL, ("cookie", cookie.as_str())];
    let teller = live_api::broadcast_stats(Arc::clone(&house.plane));
    let reader = async {
        let mut frames = house.send("GET", "/api/v1/events", &with, "").await.into_body().into_data_stream();
        frames.next().await.expect("the first figures").expect("bytes");
        house.ask("DELETE", "/api/v1/session", &with, "").await;
        assert!(frames.next().await.is_none());
        house.plane.stop.cancel();
    };
    tokio::join!(teller, reader);
}

#[tokio::test]
async fn the_door_closes_when_the_process_stops_though_a_page_watches() {
    let house = ControlFixture::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = serve(
        Arc::clone(&house.plane.control),
        listener,
        house.plane.settings.clone(),
        None,
        (house.plane.stop.clone(), CancellationToken::new()),
    );
    let watching = async {
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("it is open");
        let head = format!("GET /api/v1/events HTTP/1.1\r\nhost: {address}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("it is sent");
        let mut seen = Vec::new();
        while !seen.windows(5).any(|bytes| bytes == b"data:") {
            assert_ne!(stream.read_buf(&mut seen).await.expect("it answers"), 0, "it ended early");
        }
        assert!(seen.starts_with(b"HTTP/1.1 200"));
        house.plane.stop.cancel();
        stream.read_to_end(&mut seen).await.expect("it ends");
    };
    let closing = async { tokio::join!(serving, watching) };
    tokio::time::timeout(Duration::from_mins(1), closing).await.expect("the page is served, and let go");
}
