//! A client that refetches on every event always sees the new state: events are applied before they are forwarded.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use greenroom_simulator::jellyfin::Jellyfin;
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use greenroom_simulator::simulated_server::SimulatedServer;
use http::Method;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_util::task::TaskTracker;

use crate::fixture::waiting::{until, until_async, with_deadline};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};

async fn plex(more: &str) -> (SimulatedServer, GatewayFixture) {
    let tasks = TaskTracker::new();
    let server = Plex::new(SimulatorOptions::quick()).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
    let server = server.expect("it starts");
    let stage = GatewayConfigBuilder::new().server("home", "plex", &server.url(), more).start().await;
    (server, stage)
}

pub async fn socket(address: SocketAddr, path: &str, headers: &[(&'static str, &str)]) -> WebSocketStream<TcpStream> {
    let mut request = format!("ws://{address}{path}").into_client_request().expect("a request");
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a header value"));
    }
    let stream = TcpStream::connect(address).await.expect("it listens");
    tokio_tungstenite::client_async(request, stream).await.expect("it is a socket").0
}

/// Reads frames until one contains all of these.
async fn frame_with(socket: &mut WebSocketStream<TcpStream>, parts: &[&str]) -> String {
    let reading = async {
        loop {
            let message = socket.next().await.expect("it stays open").expect("it is no error");
            if let Message::Text(text) = message
                && parts.iter().all(|part| text.contains(part))
            {
                return text.to_string();
            }
        }
    };
    with_deadline(format!("a frame with {parts:?}"), reading).await
}

fn reader(stage: &GatewayFixture, token: &str) -> TestClient {
    stage.client().with("x-plex-token", token).with("accept", "application/json")
}

async fn first_film(client: &TestClient) -> (String, String) {
    let list = client.get("/library/sections/1/all").await.json();
    let row = &list["MediaContainer"]["Metadata"][0];
    let text = |name: &str| row[name].as_str().expect("a text").to_owned();
    (text("ratingKey"), text("title"))
}

async fn title(client: &TestClient, key: &str) -> String {
    let answer = client.get(&format!("/library/metadata/{key}")).await.json();
    answer["MediaContainer"]["Metadata"][0]["title"].as_str().expect("a title").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plex_client_that_refetches_on_a_frame_sees_what_was_edited_behind_our_back() {
    let (server, stage) = plex("").await;
    let token = server.tokens().owner_a().to_owned();
    let client = reader(&stage, &token);
    let (key, before) = first_film(&client).await;
    assert_eq!(title(&client, &key).await, before);
    assert!(client.get(&format!("/library/metadata/{key}")).await.was_hit());
    let mut frames = socket(stage.address(0), &format!("/:/websockets/notifications?X-Plex-Token={token}"), &[]).await;
    let direct = TestClient::new(server.address()).with("x-plex-token", &token);
    let edit = format!("/library/metadata/{key}?title.value=Renamed&title.locked=1");
    assert_eq!(direct.send(Method::PUT, &edit, "").await.status, 200);
    frame_with(&mut frames, &["timeline", &format!("\"itemID\":{key}")]).await;
    assert_eq!(title(&client, &key).await, "Renamed");
    drop(frames);
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plex_client_that_refetches_on_an_event_sees_what_was_edited_behind_our_back() {
    let (server, stage) = plex("").await;
    let token = server.tokens().owner_a().to_owned();
    let client = reader(&stage, &token);
    let (key, before) = first_film(&client).await;
    assert_eq!(title(&client, &key).await, before);
    let pool: Pool<_, Empty<bytes::Bytes>> = Pool::builder(TokioExecutor::new()).build_http();
    let request = http::Request::builder()
        .uri(format!("http://{}/:/eventsource/notifications?X-Plex-Token={token}", stage.address(0)))
        .body(Empty::new())
        .expect("a request");
    let mut events = pool.request(request).await.expect("an answer").into_body();
    let direct = TestClient::new(server.address()).with("x-plex-token", &token);
    let edit = format!("/library/metadata/{key}?title.value=Renamed&title.locked=1");
    assert_eq!(direct.send(Method::PUT, &edit, "").await.status, 200);
    let mut heard = String::new();
    while !heard.contains(&format!("\"itemID\":{key}")) {
        let frame = with_deadline("the item's event", events.frame()).await;
        let frame = frame.expect("it stays open").expect("it is no error");
        heard += &String::from_utf8_lossy(&frame.into_data().unwrap_or_default());
    }
    assert_eq!(title(&client, &key).await, "Renamed");
    drop(events);
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_owners_token_a_change_on_the_server_is_noticed_without_any_client() {
    let (server, stage) = plex("token = \"plx-owner-a\"").await;
    assert_eq!(server.tokens().owner_a(), "plx-owner-a");
    let client = reader(&stage, server.tokens().sam());
    let (key, before) = first_film(&client).await;
    assert_eq!(title(&client, &key).await, before);
    // Our own socket: the simulator counts it.
    until(|| server.request_log().sockets_open() > 0).await;
    let marked = stage.process.cache.stats().invalidations;
    let direct = TestClient::new(server.address()).with("x-plex-token", server.tokens().owner_a());
    let edit = format!("/library/metadata/{key}?title.value=Renamed&title.locked=1");
    assert_eq!(direct.send(Method::PUT, &edit, "").await.status, 200);
    until(|| stage.process.cache.stats().invalidations > marked).await;
    until_async(async || title(&client, &key).await == "Renamed").await;
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jellyfin_client_that_refetches_on_a_frame_sees_what_was_played_behind_our_back() {
    let tasks = TaskTracker::new();
    let server =
        Jellyfin::new(SimulatorOptions::quick()).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
    let server = server.expect("it starts");
    let stage = GatewayConfigBuilder::new().server("den", "jellyfin", &server.url(), "").start().await;
    let token = server.tokens().sam().to_owned();
    let said = format!("MediaBrowser Client=\"T\", Device=\"T\", DeviceId=\"t\", Version=\"1\", Token=\"{token}\"");
    let client = stage.client().with("authorization", &said);
    let direct = TestClient::new(server.address()).with("authorization", &said);
    let list = client.get("/Items?recursive=true&includeItemTypes=Movie&limit=1&filters=IsUnplayed").await.json();
    let id = list["Items"][0]["Id"].as_str().expect("an id").to_owned();
    let played = async || client.get(&format!("/Items/{id}")).await.json()["UserData"]["Played"].clone();
    assert_eq!(played().await, false);
    let mut frames = socket(stage.address(0), &format!("/socket?api_key={token}&deviceId=t"), &[]).await;
    frame_with(&mut frames, &["ForceKeepAlive"]).await;
    assert!(direct.send(Method::POST, &format!("/UserPlayedItems/{id}"), "").await.status.is_success());
    frame_with(&mut frames, &["UserDataChanged", &id]).await;
    assert_eq!(played().await, true);
    drop(frames);
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_ping_gets_one_pong_and_its_handshake_says_that_it_was_passed_on() {
    let (server, stage) = plex("").await;
    let token = server.tokens().owner_a().to_owned();
    let address = stage.address(0);
    let request = format!("ws://{address}/:/websockets/notifications?X-Plex-Token={token}");
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (mut client, handshake) = tokio_tungstenite::client_async(request, stream).await.expect("it is a socket");
    let said = handshake.headers().get("cache-status").expect("the header").to_str().expect("text");
    assert_eq!(said, "Greenroom; fwd=bypass; detail=socket");
    let pongs = async {
        for round in ["1", "2", "3"] {
            client.send(Message::Ping(round.into())).await.expect("it stays open");
            let pong = client.next().await.expect("it stays open").expect("it is no error");
            assert_eq!(pong, Message::Pong(round.into()));
        }
        let film = first_film(&reader(&stage, &token)).await.0;
        let film = greenroom_simulator::catalogue::ItemId(film.parse().expect("a number"));
        assert!(server.edit_item(film, |record| record.title = "Renamed".into()));
        // Whatever the server answered to the pings came before this.
        let message = client.next().await.expect("it stays open").expect("it is no error");
        assert!(matches!(&message, Message::Text(text) if text.contains("timeline")), "{message:?}");
    };
    with_deadline("a pong of each ping".to_owned(), pongs).await;
    drop(client);
    stage.stop().await;
    server.stop().await;
}
