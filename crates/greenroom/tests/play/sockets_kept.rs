//! A client's socket outlives the server: it stays open, pings are answered, and events continue when the server is
//! back.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use greenroom_cache::Clock;
use greenroom_simulator::catalogue::ItemId;
use greenroom_simulator::faults::Fault;
use greenroom_simulator::jellyfin::Jellyfin;
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use greenroom_simulator::simulated_server::SimulatedServer;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::task::TaskTracker;

use crate::fixture::waiting::{moment, until, with_deadline};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};
use crate::outages::{gateway, json, until_back, until_down};

const PATH: &str = "/:/websockets/notifications?X-Plex-Token=";

async fn play() -> (SimulatedServer, GatewayFixture) {
    let plex = Plex::new(SimulatorOptions::quick());
    let plex = plex.start("127.0.0.1:0".parse().expect("an address"), &TaskTracker::new()).await;
    let plex = plex.expect("it starts");
    let stage = GatewayConfigBuilder::new().server("home", "plex", &plex.url(), "").start_at(Clock::system()).await;
    (plex, stage)
}

pub async fn open(address: SocketAddr, token: &str) -> Result<WebSocketStream<TcpStream>, Error> {
    open_at(address, &format!("{PATH}{token}")).await
}

async fn open_at(address: SocketAddr, target: &str) -> Result<WebSocketStream<TcpStream>, Error> {
    let request = format!("ws://{address}{target}").into_client_request()?;
    let stream = TcpStream::connect(address).await.map_err(Error::Io)?;
    tokio_tungstenite::client_async(request, stream).await.map(|(socket, _)| socket)
}

async fn frame_with(socket: &mut WebSocketStream<TcpStream>, part: &str) {
    let reading = async {
        loop {
            let message = socket.next().await.expect("it stays open").expect("it is no error");
            if matches!(&message, Message::Text(text) if text.contains(part)) {
                return;
            }
        }
    };
    with_deadline(format!("a frame with {part:?}"), reading).await;
}

async fn pong(socket: &mut WebSocketStream<TcpStream>) {
    socket.send(Message::Ping("there?".into())).await.expect("it is open");
    loop {
        let message = with_deadline("a pong", socket.next()).await;
        match message.expect("it stays open").expect("it is no error") {
            Message::Pong(said) => return assert_eq!(&said[..], b"there?"),
            Message::Close(_) => panic!("it was closed"),
            _ => {}
        }
    }
}

async fn title(client: &TestClient, item: &str) -> String {
    let said = client.get(item).await.json();
    said["MediaContainer"]["Metadata"][0]["title"].as_str().expect("a title").to_owned()
}

/// Renames without a request, whether the server can be reached or not.
fn rename(server: &SimulatedServer, to: &str) {
    assert!(server.edit_item(ItemId(1), |record| to.clone_into(&mut record.title)));
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_kept_and_attached_again_and_what_was_missed_is_asked_again() {
    let (plex, stage) = play().await;
    let token = plex.tokens().owner_a().to_owned();
    let client = json(&stage, &token);
    let item = "/library/metadata/1";
    title(&client, item).await;
    let mut socket = open(stage.address(0), &token).await.expect("it is a socket");
    pong(&mut socket).await;
    plex.faults().set(Fault::Gone);
    until_down(&stage, 0, &client).await;
    pong(&mut socket).await;
    let mut late = open(stage.address(0), &token).await.expect("a token that was good may open one now");
    pong(&mut late).await;
    for bad in ["stranger", plex.tokens().kim()] {
        let refused = open(stage.address(0), bad).await;
        assert!(matches!(refused, Err(Error::Http(said)) if said.status() == 503), "{bad}");
    }
    // No event reports this.
    rename(&plex, "Missed");
    plex.faults().clear();
    until_back(&stage, 0).await;
    assert_eq!(title(&client, item).await, "Missed");
    until(|| plex.request_log().sockets_open() >= 2).await;
    rename(&plex, "Told");
    frame_with(&mut socket, "timeline").await;
    frame_with(&mut late, "timeline").await;
    assert_eq!(title(&client, item).await, "Told");
    drop((socket, late));
    stage.stop().await;
    plex.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_socket_of_a_token_that_was_revoked_meanwhile_is_closed_when_the_server_is_back() {
    let (plex, stage) = play().await;
    let owner = json(&stage, plex.tokens().owner_a());
    let mut socket = open(stage.address(0), plex.tokens().sam()).await.expect("it is a socket");
    plex.faults().set(Fault::Gone);
    until_down(&stage, 0, &owner).await;
    plex.revoke_token("sam");
    plex.faults().clear();
    let closing = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => break frame.expect("it says why"),
                Some(Ok(_)) => {}
                other => panic!("it ended without a word: {other:?}"),
            }
        }
    };
    let closed = with_deadline("the end of the socket", closing).await;
    assert_eq!(u16::from(closed.code), 1008);
    stage.stop().await;
    plex.stop().await;
}

#[tokio::test(start_paused = true)]
async fn subscriptions_of_a_jellyfin_client_are_repeated_after_an_outage() {
    let jellyfin = Jellyfin::new(SimulatorOptions::quick());
    let jellyfin = jellyfin.start("127.0.0.1:0".parse().expect("an address"), &TaskTracker::new()).await;
    let jellyfin = jellyfin.expect("it starts");
    let stage =
        GatewayConfigBuilder::new().server("den", "jellyfin", &jellyfin.url(), "").start_at(Clock::system()).await;
    let token = jellyfin.tokens().owner_a();
    let client = stage.client().with("x-emby-token", token);
    let socket = open_at(stage.address(0), &format!("/socket?api_key={token}&deviceId=t")).await;
    let mut socket = socket.expect("it is a socket");
    let subscribe = r#"{"MessageType":"SessionsStart","Data":"0,200"}"#;
    socket.send(Message::text(subscribe)).await.expect("it is open");
    frame_with(&mut socket, "\"Sessions\"").await;
    jellyfin.faults().set(Fault::Gone);
    let server = gateway(&stage, 0);
    let mut number = 0;
    let asking = async {
        while server.origin.breaker.allows_requests() {
            client.get(&format!("/Items?parentId={number:032x}")).await;
            number += 1;
            moment().await;
        }
    };
    with_deadline("an outage", asking).await;
    // Read everything sent before the server ended; then there is silence.
    let quiet = async { while socket.next().await.is_some() {} };
    let silence = stage.process.clock.timeout(std::time::Duration::from_secs(5), quiet);
    assert!(silence.await.is_err(), "the socket stays open");
    jellyfin.faults().clear();
    frame_with(&mut socket, "\"Sessions\"").await;
    drop(socket);
    stage.stop().await;
    jellyfin.stop().await;
}
