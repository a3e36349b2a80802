//! A client's socket outlives the server: nobody closes it, pings are answered, and when the server is back it tells
//! what happens again.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use greenroom_cache::Clock;
use greenroom_simulator::catalogue::ItemId;
use greenroom_simulator::faults::Fault;
use greenroom_simulator::jellyfin::Jellyfin;
use greenroom_simulator::options::Options;
use greenroom_simulator::plex::Plex;
use greenroom_simulator::running::Running;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::task::TaskTracker;

use crate::outages::{gateway, json, until_back, until_down};
use crate::stage::waiting::{patiently, until};
use crate::stage::{Client, Script, Stage};

const PATH: &str = "/:/websockets/notifications?X-Plex-Token=";

async fn play() -> (Running, Stage) {
    let plex = Plex::new(Options::quick());
    let plex = plex.start("127.0.0.1:0".parse().expect("an address"), &TaskTracker::new()).await;
    let plex = plex.expect("it starts");
    let stage = Script::new().server("home", "plex", &plex.url(), "").start_at(Clock::scaled(20.0)).await;
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
    patiently(format!("a frame with {part:?}"), reading).await;
}

async fn pong(socket: &mut WebSocketStream<TcpStream>) {
    socket.send(Message::Ping("there?".into())).await.expect("it is open");
    loop {
        let message = patiently("a pong", socket.next()).await;
        match message.expect("it stays open").expect("it is no error") {
            Message::Pong(said) => return assert_eq!(&said[..], b"there?"),
            Message::Close(_) => panic!("it was closed"),
            _ => {}
        }
    }
}

async fn title(client: &Client, item: &str) -> String {
    let said = client.get(item).await.json();
    said["MediaContainer"]["Metadata"][0]["title"].as_str().expect("a title").to_owned()
}

/// Behind everybody's back, whether the server can be reached or not.
fn rename(server: &Running, to: &str) {
    assert!(server.edit_item(ItemId(1), |record| to.clone_into(&mut record.title)));
}

#[tokio::test(flavor = "multi_thread")]
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
    // Nobody is told of this.
    rename(&plex, "Missed");
    plex.faults().clear();
    until_back(&stage, 0).await;
    assert_eq!(title(&client, item).await, "Missed");
    until(|| plex.ledger().sockets_open() >= 2).await;
    rename(&plex, "Told");
    frame_with(&mut socket, "timeline").await;
    frame_with(&mut late, "timeline").await;
    assert_eq!(title(&client, item).await, "Told");
    drop((socket, late));
    stage.down().await;
    plex.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_of_a_token_that_was_revoked_meanwhile_is_closed_when_the_server_is_back() {
    let (plex, stage) = play().await;
    let owner = json(&stage, plex.tokens().owner_a());
    let mut socket = open(stage.address(0), plex.tokens().sam()).await.expect("it is a socket");
    plex.faults().set(Fault::Gone);
    until_down(&stage, 0, &owner).await;
    plex.revoke_token("sam");
    plex.faults().clear();
    let closed = loop {
        match socket.next().await {
            Some(Ok(Message::Close(frame))) => break frame.expect("it says why"),
            Some(Ok(_)) => {}
            other => panic!("it ended without a word: {other:?}"),
        }
    };
    assert_eq!(u16::from(closed.code), 1008);
    stage.down().await;
    plex.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_jellyfin_client_subscribed_to_is_told_again_after_an_outage() {
    let jellyfin = Jellyfin::new(Options::quick());
    let jellyfin = jellyfin.start("127.0.0.1:0".parse().expect("an address"), &TaskTracker::new()).await;
    let jellyfin = jellyfin.expect("it starts");
    let stage =
        Script::new().server("den", "jellyfin", &jellyfin.url(), "").start_at(Clock::scaled(20.0)).await;
    let token = jellyfin.tokens().owner_a();
    let client = stage.client().with("x-emby-token", token);
    let socket = open_at(stage.address(0), &format!("/socket?api_key={token}&deviceId=t")).await;
    let mut socket = socket.expect("it is a socket");
    let subscribe = r#"{"MessageType":"SessionsStart","Data":"0,200"}"#;
    socket.send(Message::text(subscribe)).await.expect("it is open");
    frame_with(&mut socket, "\"Sessions\"").await;
    jellyfin.faults().set(Fault::Gone);
    let server = gateway(&stage, 0);
    for number in 0.. {
        if !server.origin.breaker.admits() {
            break;
        }
        client.get(&format!("/Items?parentId={number:032x}")).await;
    }
    // Whatever came before the end of the server is read; then there is silence.
    let quiet = async { while socket.next().await.is_some() {} };
    let silence = stage.process.clock.timeout(std::time::Duration::from_secs(5), quiet);
    assert!(silence.await.is_err(), "the socket stays open");
    jellyfin.faults().clear();
    frame_with(&mut socket, "\"Sessions\"").await;
    drop(socket);
    stage.down().await;
    jellyfin.stop().await;
}
