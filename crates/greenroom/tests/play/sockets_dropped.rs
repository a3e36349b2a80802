//! Sockets that fail: closed at once, orphaned by a server that vanished, refused, or of a token that was revoked
//! meanwhile.

use greenroom_cache::Timestamp;
use std::sync::Arc;

use greenroom_cache::Clock;
use greenroom_origin::breaker::BreakerCounters;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::waiting::until;
use crate::fixture::{GatewayConfigBuilder, GatewayFixture};
use crate::outages::{gateway, identity, json, until_back, until_down};
use crate::sockets_kept::open;

const SOCKETS: &str = "/:/websockets";

/// Current behaviour of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SocketBehavior {
    Well,
    /// Sockets are closed as soon as they are open.
    Drops,
    /// No response, but connections stay open.
    Gone,
    /// Every token is refused.
    Refuses,
    /// Sockets and media are refused, nothing else.
    RefusesSockets,
}

struct SocketServer {
    server: ScriptedServer,
    mood: Arc<Mutex<SocketBehavior>>,
}

impl SocketServer {
    async fn start(mood: SocketBehavior) -> Self {
        let mood = Arc::new(Mutex::new(mood));
        let now = Arc::clone(&mood);
        let server = ScriptedServer::start(&TaskTracker::new(), move |request: &ReceivedRequest| {
            let is_socket = request.target.starts_with(SOCKETS);
            let is_media = request.target.starts_with("/library/parts");
            let refused = || ScriptedReply::Bytes(answer("401 Unauthorized", "text/html", "<html>"));
            match *now.lock() {
                SocketBehavior::Gone => ScriptedReply::Close,
                _ if request.target.starts_with("/identity") => ScriptedReply::Bytes(identity()),
                SocketBehavior::Refuses => refused(),
                SocketBehavior::RefusesSockets if is_socket || is_media => refused(),
                SocketBehavior::Drops if is_socket => ScriptedReply::Last(switch(request)),
                _ if is_socket => ScriptedReply::Bytes(switch(request)),
                _ => ScriptedReply::Bytes(container(request.before)),
            }
        })
        .await;
        Self { server, mood }
    }

    fn is(&self, mood: SocketBehavior) {
        *self.mood.lock() = mood;
    }

    async fn stage(&self, more: &str) -> GatewayFixture {
        let url = format!("http://{}", self.server.address);
        GatewayConfigBuilder::new().server("home", "plex", &url, more).start_at(Clock::system()).await
    }

    async fn until_sockets(&self, count: usize) {
        self.server.until(|server| server.count("GET", SOCKETS) >= count).await;
    }
}

fn switch(request: &ReceivedRequest) -> Vec<u8> {
    let accept = derive_accept_key(request.header("sec-websocket-key")[0].as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes()
}

#[tokio::test(start_paused = true)]
async fn reconnects_to_a_socket_dropped_at_once_back_off() {
    let moody = SocketServer::start(SocketBehavior::Drops).await;
    let stage = moody.stage("").await;
    let began_ms = stage.process.clock.now_ms();
    let socket = open(stage.address(0), "anna").await.expect("it is a socket");
    moody.until_sockets(5).await;
    let took_ms = stage.process.clock.now_ms() - began_ms;
    assert!(took_ms >= 3_000 + 6_000 + 12_000 + 24_000, "five sockets in {took_ms} ms");
    drop(socket);
    moody.server.stop();
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn sockets_to_a_server_that_vanished_without_a_word_are_given_up() {
    let moody = SocketServer::start(SocketBehavior::Well).await;
    let stage = moody.stage("token = \"owner\"\n").await;
    moody.until_sockets(1).await;
    let socket = open(stage.address(0), "anna").await.expect("it is a socket");
    moody.until_sockets(2).await;
    moody.is(SocketBehavior::Gone);
    until_down(&stage, 0, &json(&stage, "anna")).await;
    let before = moody.server.count("GET", SOCKETS);
    moody.is(SocketBehavior::Well);
    until_back(&stage, 0).await;
    // The client's, and our own.
    moody.until_sockets(before + 2).await;
    drop(socket);
    moody.server.stop();
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_token_refused_while_its_socket_was_open_is_not_proven_by_the_end_of_it() {
    let moody = SocketServer::start(SocketBehavior::Well).await;
    let stage = moody.stage("").await;
    let client = json(&stage, "anna");
    assert_eq!(client.get("/library/sections").await.status, 200);
    let socket = open(stage.address(0), "anna").await.expect("it is a socket");
    moody.is(SocketBehavior::Refuses);
    assert_eq!(client.get("/library/metadata/1").await.status, 401);
    drop(socket);
    until(|| gateway(&stage, 0).limits.sockets.in_use() == 0).await;
    moody.is(SocketBehavior::Gone);
    until_down(&stage, 0, &json(&stage, "ben")).await;
    let late = open(stage.address(0), "anna").await;
    assert!(matches!(late, Err(Error::Http(said)) if said.status() == 503), "she was refused");
    moody.server.stop();
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_socket_or_stream_ends_what_is_kept_for_its_token() {
    let moody = SocketServer::start(SocketBehavior::Well).await;
    let stage = moody.stage("").await;
    let client = json(&stage, "anna");
    let sections = "/library/sections";
    for through_socket in [true, false] {
        moody.is(SocketBehavior::Well);
        client.get(sections).await;
        assert!(client.get(sections).await.was_hit());
        moody.is(SocketBehavior::RefusesSockets);
        if through_socket {
            let refused = open(stage.address(0), "anna").await;
            assert!(matches!(refused, Err(Error::Http(said)) if said.status() == 401));
        } else {
            assert_eq!(client.get("/library/parts/1/2/file.mkv").await.status, 401);
        }
        assert!(!client.get(sections).await.was_hit(), "through a socket: {through_socket}");
    }
    moody.server.stop();
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn reads_do_not_wait_for_events_that_the_server_refuses() {
    let moody = SocketServer::start(SocketBehavior::Well).await;
    let stage = moody.stage("token = \"owner\"\n").await;
    let client = json(&stage, "anna");
    moody.until_sockets(1).await;
    for (round, least_sockets) in [(1, 2), (2, 2)] {
        moody.is(SocketBehavior::Gone);
        until_down(&stage, 0, &client).await;
        moody.is(SocketBehavior::RefusesSockets);
        until_back(&stage, 0).await;
        let unattached = gateway(&stage, 0).origin.breaker.counters().unattached;
        assert_eq!(unattached, 0, "round {round}: reads waited until nobody was waited for any more");
        moody.until_sockets(least_sockets).await;
    }
    moody.server.stop();
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clients_broken_upload_is_no_trouble_of_the_server() {
    let moody = SocketServer::start(SocketBehavior::Well).await;
    let stage = moody.stage("").await;
    let mut stream = TcpStream::connect(stage.address(0)).await.expect("it listens");
    let request = "POST /photo/:/transcode?url=x HTTP/1.1\r\nHost: x\r\nX-Plex-Token: anna\r\n\
                   Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnot a chunk\r\n";
    stream.write_all(request.as_bytes()).await.expect("it is open");
    let mut said = [0; 12];
    stream.read_exact(&mut said).await.expect("an answer");
    assert_eq!(&said, b"HTTP/1.1 400");
    assert_eq!(gateway(&stage, 0).origin.breaker.last_restart_sign_ms(), Timestamp::UNIX_EPOCH);
    moody.server.stop();
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn answers_that_cannot_be_read_in_one_way_are_answers() {
    let odd = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n";
    let server = ScriptedServer::start(&TaskTracker::new(), |request: &ReceivedRequest| {
        if request.target.starts_with("/identity") { ScriptedReply::Close } else { ScriptedReply::Bytes(odd.to_vec()) }
    })
    .await;
    let stage =
        GatewayConfigBuilder::new().server("home", "plex", &format!("http://{}", server.address), "").start().await;
    for number in 0..10 {
        let said = json(&stage, "anna").get(&format!("/library/metadata/{number}")).await;
        assert!(said.status.is_server_error());
    }
    let breaker = &gateway(&stage, 0).origin.breaker;
    assert_eq!(
        (breaker.last_restart_sign_ms(), breaker.counters(), server.count("GET", "/identity")),
        (Timestamp::UNIX_EPOCH, BreakerCounters::default(), 0)
    );
    server.stop();
    stage.stop().await;
}
