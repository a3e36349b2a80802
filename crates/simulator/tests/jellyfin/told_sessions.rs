//! Sessions on the socket, and which socket of a session is told.

use std::time::Duration;

use greenroom_simulator::catalogue::MediaKind;
use serde_json::{Value, json};

use crate::frames::FrameClient;
use crate::server::{JellyfinFixture, patiently, plain};

fn report(film: &str, position_s: u64, paused: bool) -> Value {
    json!({"ItemId": film, "PositionTicks": position_s * 10_000_000, "IsPaused": paused})
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_is_told_what_a_read_of_the_sessions_returns_after_each_change_and_nothing_between() {
    let server = JellyfinFixture::start().await;
    let film = server.first(MediaKind::Film);
    server.get("/Users/Me").by("sam").expect(200).await;
    server.get("/Users/Me").by("owner-b").expect(200).await;
    let mut owner = FrameClient::open(&server, "owner-a").await;
    owner.say(&json!({"MessageType": "SessionsStart", "Data": "0,1000"})).await;
    owner.until("Sessions").await;
    for (path, position_s, paused) in
        [("", 0, false), ("/Progress", 60, true), ("/Progress", 900, false), ("/Stopped", 900, false)]
    {
        let before = server.state().clock().now_ms();
        server
            .post(&format!("/Sessions/Playing{path}"))
            .by("sam")
            .json(&report(&film, position_s, paused))
            .expect(204)
            .await;
        let told = owner.until("Sessions").await;
        assert!(server.state().clock().now_ms() - before < 1_000, "{path}");
        let read = server.get("/Sessions").by("owner-b").value().await;
        let without_time = |value: Value| plain(value).to_string();
        assert_eq!(without_time(told["Data"].clone()).len(), without_time(read).len(), "{path}");
        let rows = told["Data"].as_array().expect("a list").clone();
        let playing = rows.iter().find(|row| !row["NowPlayingItem"].is_null());
        assert_eq!(
            playing.map(|row| row["PlayState"]["IsPaused"] == true),
            (path != "/Stopped").then_some(paused),
            "{path}"
        );
    }
    let quiet = tokio::time::timeout(Duration::from_secs(8), owner.until("Sessions")).await;
    assert!(quiet.is_err(), "nothing changed: {quiet:?}");
    server.leave().await;
}

#[tokio::test]
async fn of_several_sockets_of_one_session_the_last_active_one_is_told_alone() {
    let server = JellyfinFixture::start().await;
    let film = server.first(MediaKind::Film);
    let mut first = FrameClient::open(&server, "sam").await;
    let mut second = FrameClient::open(&server, "sam").await;
    server.post(&format!("/UserFavoriteItems/{film}")).by("sam").expect(200).await;
    assert_eq!(second.next().await["MessageType"], "UserDataChanged");
    assert!(first.rest().await.is_empty(), "and by this question the first is the last active one");
    server.delete(&format!("/UserFavoriteItems/{film}")).by("sam").expect(200).await;
    assert_eq!(first.next().await["MessageType"], "UserDataChanged");
    drop(first);
    // The server notices the end of a connection by reading from it.
    let closing = async {
        while server.running().request_log().sockets_open() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    patiently("the end of the first connection", closing).await;
    server.post(&format!("/UserFavoriteItems/{film}")).by("sam").expect(200).await;
    assert_eq!(second.next().await["MessageType"], "UserDataChanged");
    server.leave().await;
}

#[tokio::test]
async fn a_second_log_in_on_a_device_ends_the_older_token_and_its_socket() {
    let server = JellyfinFixture::start().await;
    let log_in = async || {
        let line = "MediaBrowser Client=\"Gate\", Device=\"rack\", DeviceId=\"same\", Version=\"1\"";
        let body = json!({"Username": "olga", "Pw": ""});
        let made = server.post("/Users/AuthenticateByName").header("authorization", line).json(&body).value().await;
        made["AccessToken"].as_str().expect("a token").to_owned()
    };
    let first = log_in().await;
    let mut socket = FrameClient::open_with(&server, &first).await;
    let second = log_in().await;
    assert_ne!(first, second);
    assert!(socket.is_ended().await);
    server.get(&format!("/Users/Me?api_key={first}")).expect(401).await;
    server.get(&format!("/Users/Me?api_key={second}")).expect(200).await;
    server.leave().await;
}
