//! A client's socket outlives the server: nobody closes it, pings are answered, and when the server is back it tells
//! what happens again.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use greenroom_cache::Clock;
use greenroom_simulator::faults::Fault;
use greenroom_simulator::options::Options;
use greenroom_simulator::plex::Plex;
use greenroom_simulator::running::Running;
use http::Method;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::task::TaskTracker;

use crate::outages::{json, until_back, until_down};
use crate::stage::{Client, Script, Stage};

const PATH: &str = "/:/websockets/notifications?X-Plex-Token=";

async fn play() -> (Running, Stage) {
    let plex = Plex::new(Options::quick());
    let plex = plex.start("127.0.0.1:0".parse().expect("an address"), &TaskTracker::new()).await;
    let plex = plex.expect("it starts");
    let stage = Script::new().server("home", "plex", &plex.url(), "").start_at(Clock::scaled(20.0)).await;
    (plex, stage)
}

async fn open(address: SocketAddr, token: &str) -> Result<WebSocketStream<TcpStream>, Error> {
    let request = format!("ws://{address}{PATH}{token}").into_client_request()?;
    let stream = TcpStream::connect(address).await.map_err(Error::Io)?;
    tokio_tungstenite::client_async(request, stream).await.map(|(socket, _)| socket)
}

async fn frame_with(socket: &mut WebSocketStream<TcpStream>, part: &str) {
    loop {
        let message = socket.next().await.expect("it stays open").expect("it is no error");
        if matches!(&message, Message::Text(text) if text.contains(part)) {
            return;
        }
    }
}

async fn pong(socket: &mut WebSocketStream<TcpStream>) {
    socket.send(Message::Ping("there?".into())).await.expect("it is open");
    loop {
        match socket.next().await.expect("it stays open").expect("it is no error") {
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

async fn rename(server: &Running, item: &str, to: &str) {
    let direct = Client::new(server.address()).with("x-plex-token", server.tokens().owner_a());
    let said = direct.send(Method::PUT, &format!("{item}?title.value={to}&title.locked=1"), "").await;
    assert_eq!(said.status, 200);
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
    plex.ledger().reset();
    plex.faults().clear();
    // Before anybody attached: nobody is told of this.
    rename(&plex, item, "Missed").await;
    until_back(&stage, 0).await;
    assert_eq!(title(&client, item).await, "Missed");
    while plex.ledger().sockets_open() < 2 {
        tokio::task::yield_now().await;
    }
    rename(&plex, item, "Told").await;
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
