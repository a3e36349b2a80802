//! 13. Exhaustion: bombs, trickles, clients that do not read, crowds of connections and of sockets. Each meets a limit,
//!     each limit is counted, and well-behaved clients are served meanwhile.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use greenroom_cache::Clock;
use greenroom_dialect::request::ServerKind;
use greenroom_proxy::server::Server;

use super::{TOKEN, client, echo, end, play, play_at};
use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, container};
use crate::fixture::waiting::{held_long, until};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, RawClient, TestClient};

fn reached(server: &Server, bound: &str) -> u64 {
    server.limits.counters.counts().iter().find(|(name, _)| *name == bound).map_or(0, |(_, count)| *count)
}

fn packed(length: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; length]).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

#[tokio::test(flavor = "multi_thread")]
async fn thirteen_a_bomb_of_the_server_is_neither_unpacked_nor_kept() {
    let bomb = packed(64 * 1024 * 1024);
    for status in ["200 OK", "404 Not Found", "500 Oops"] {
        let sent = bomb.clone();
        let (server, stage) = play(ServerKind::Plex, "", move |request: &ReceivedRequest| {
            assert_eq!(request.header("accept-encoding"), ["identity"], "nothing packed was asked for");
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
                sent.len()
            );
            ScriptedReply::Bytes([head.into_bytes(), sent.clone()].concat())
        })
        .await;
        let client = client(&stage, ServerKind::Plex, TOKEN);
        for target in ["/library/sections", "/library/metadata/1/thumb/2"] {
            for _ in 0..2 {
                let answer = client.get(target).await;
                assert!(answer.body.len() <= bomb.len(), "{status} {target}: it grew");
                assert!(!answer.was_hit() && !answer.header("cache-status").contains("stored"), "{status} {target}");
                if status == "200 OK" {
                    assert_eq!((answer.header("content-encoding"), &answer.body[..]), ("gzip", &bomb[..]));
                }
            }
        }
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thirteen_what_is_too_long_to_keep_passes_without_being_gathered() {
    let (server, stage) = play(ServerKind::Plex, "max_body_bytes = 65536", |_: &ReceivedRequest| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50000000\r\n\r\n";
        ScriptedReply::Flood(head.to_vec(), 50_000_000)
    })
    .await;
    let answer = client(&stage, ServerKind::Plex, TOKEN).get("/library/sections/1/all").await;
    assert_eq!(answer.body.len(), 50_000_000);
    assert_eq!(stage.process.cache.stats().classes.iter().map(|class| class.bytes).sum::<u64>(), 0);
    end(server, stage).await;
}

#[tokio::test(start_paused = true)]
async fn thirteen_a_head_that_trickles_is_cut_off_and_an_idle_connection_is_no_offence() {
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    let gateway = &stage.process.servers[0].0;
    let mut trickling = stage.raw().await;
    let mut idle = stage.raw().await;
    let began_ms = gateway.origin.clock.now_ms();
    trickling.send("GET /identity HTTP/1.1\r\nHost: x\r\n").await;
    for index in 0..75 {
        gateway.origin.clock.sleep(Duration::from_secs(2)).await;
        trickling.send(format!("X-{index}: 1\r\n")).await;
    }
    assert_eq!(trickling.rest_or_answer().await, "", "no answer, only an end");
    assert!(gateway.origin.clock.now_ms() - began_ms < 160_000);
    assert_eq!(idle.rest().await, "");
    until(|| gateway.limits.connections.in_use() == 0).await;
    assert_eq!(reached(gateway, "slow-head"), 1, "the idle one was not counted");
    assert_eq!(server.received().len(), 0);
    end(server, stage).await;
}

#[tokio::test(start_paused = true)]
async fn thirteen_a_client_that_stops_reading_is_disconnected_but_not_a_paused_player() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 500000000\r\n\r\n";
    let (server, stage) =
        play(ServerKind::Plex, "", |_: &ReceivedRequest| ScriptedReply::Flood(head.to_vec(), 500_000_000)).await;
    let gateway = &stage.process.servers[0].0;
    let ask = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {TOKEN}\r\n\r\n");
    let mut player = stage.raw().await;
    player.send(ask("/library/parts/1/2/a.mp4")).await;
    assert!(player.some(100).await > 0);
    let mut lazy = stage.raw().await;
    lazy.send(ask("/unknown")).await;
    gateway.origin.clock.sleep(Duration::from_secs(300)).await;
    until(|| server.cut_off.load(Ordering::SeqCst) >= 1).await;
    assert_eq!(reached(gateway, "slow-reader"), 1);
    assert_eq!(gateway.limits.connections.in_use(), 1, "the player is still there");
    let mut taken = 0;
    while taken < 10_000_000 {
        let some = player.some(1_000_000).await;
        assert!(some > 0, "the film goes on after {taken} bytes");
        taken += some;
    }
    drop(player);
    end(server, stage).await;
}

#[tokio::test(start_paused = true)]
async fn thirteen_a_body_that_trickles_is_given_up_and_never_sent_on() {
    let (server, stage) = play_at(Clock::system(), ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    let head = format!("POST /playlists HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {TOKEN}\r\nContent-Length: 1000\r\n\r\n");
    let mut raw = stage.raw().await;
    raw.send(head).await;
    raw.send("a").await;
    assert_eq!(raw.answer().await.expect("an answer").status(), 408);
    assert_eq!(server.received().len(), 0);
    end(server, stage).await;
}

/// A connection that is known to hold its permit.
async fn established_connection(stage: &GatewayFixture) -> RawClient {
    let before = stage.process.servers[0].0.limits.connections.in_use();
    let raw = stage.raw().await;
    until(|| stage.process.servers[0].0.limits.connections.in_use() > before).await;
    raw
}

#[tokio::test(flavor = "multi_thread")]
async fn thirteen_too_many_connections_are_turned_away_with_a_word_and_counted() {
    for (setting, bound) in
        [("max_connections = 2", "connections"), ("max_connections_per_peer = 2", "connections-per-peer")]
    {
        let (server, stage) = play(ServerKind::Plex, setting, echo(ServerKind::Plex)).await;
        let gateway = &stage.process.servers[0].0;
        let (mut first, second) = (established_connection(&stage).await, established_connection(&stage).await);
        for turned_away in 1..=3 {
            let said = stage.raw().await.rest().await;
            assert!(said.is_empty() || said.starts_with("HTTP/1.1 503 "), "{said}");
            until(|| reached(gateway, bound) == turned_away).await;
        }
        let ask = format!("GET /library/sections HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {TOKEN}\r\n\r\n");
        assert_eq!(first.ask(&ask).await.expect("an answer").status(), 200, "who is in is served");
        drop(second);
        until(|| gateway.limits.connections.in_use() == 1).await;
        assert_eq!(established_connection(&stage).await.ask(&ask).await.expect("an answer").status(), 200);
        end(server, stage).await;
    }
}

fn sockets(request: &ReceivedRequest) -> ScriptedReply {
    let is_socket = !request.header("sec-websocket-key").is_empty();
    let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    match request.target.as_str() {
        target if target.contains("eventsource") => ScriptedReply::Bytes(events.into()),
        _ if is_socket => ScriptedReply::Bytes(switch.into()),
        _ => ScriptedReply::Bytes(container(0)),
    }
}

async fn socket(stage: &GatewayFixture, token: &str) -> (u16, RawClient) {
    let mut raw = stage.raw().await;
    let request = format!(
        "GET /:/websockets/notifications HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {token}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    );
    let status = raw.ask(request).await.expect("an answer").status();
    (status, raw)
}

async fn events(stage: &GatewayFixture, token: &str) -> (u16, RawClient) {
    let mut raw = stage.raw().await;
    raw.send(format!("GET /:/eventsource/notifications HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {token}\r\n\r\n")).await;
    let said = raw.rest_or_answer().await;
    (said.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default(), raw)
}

#[tokio::test(flavor = "multi_thread")]
async fn thirteen_sockets_fan_out_only_so_far() {
    let bounds = "max_sockets_per_identity = 2\nmax_sockets = 3";
    let (server, stage): (ScriptedServer, GatewayFixture) = play(ServerKind::Plex, bounds, sockets).await;
    let gateway = &stage.process.servers[0].0;
    let (status, first) = socket(&stage, "one").await;
    assert_eq!(status, 101);
    let (status, _second) = events(&stage, "one").await;
    assert_eq!(status, 200, "an event stream is a socket too");
    assert_eq!(socket(&stage, "one").await.0, 503);
    assert_eq!(events(&stage, "one").await.0, 503);
    let (status, _third) = socket(&stage, "other").await;
    assert_eq!(status, 101, "another identity has places of its own");
    assert_eq!(socket(&stage, "third").await.0, 503, "but there are only so many");
    assert_eq!((reached(gateway, "sockets-per-identity"), reached(gateway, "sockets")), (2, 1));
    assert_eq!(server.count("GET", "/:/websockets"), 2, "a socket that is refused does not reach the server");
    let metrics = TestClient::new(stage.process.control).get("/metrics").await.text();
    let line = "greenroom_client_limits_reached_total{server=\"home\",limit=\"sockets-per-identity\"} 2";
    assert!(metrics.contains(line), "{metrics}");
    drop(first);
    until(|| gateway.limits.sockets.in_use() == 2).await;
    assert_eq!(socket(&stage, "one").await.0, 101, "who leaves makes room");
    let reads = client(&stage, ServerKind::Plex, "one");
    assert_eq!(reads.get("/library/sections").await.status, 200, "reads go on");
    end(server, stage).await;
}

#[tokio::test(start_paused = true)]
async fn thirteen_half_sent_heads_cannot_silence_the_control_port() {
    // A trusted proxy has only the limit of all.
    for (trusted, limit, most) in [("10.0.0.1", "connections-per-peer", 64), ("127.0.0.1", "connections", 256)] {
        let stage = GatewayConfigBuilder::new().top(&format!("trusted_proxies = \"{trusted}\""));
        let stage = stage.server("home", "plex", "http://127.0.0.1:9", "").start_at(Clock::system()).await;
        let clock = stage.process.servers[0].0.origin.clock.clone();
        let began_ms = clock.now_ms();
        let mut half_sent = Vec::new();
        let metrics = held_long(async {
            for _ in 0..400 {
                let mut raw = RawClient::connect(stage.process.control).await;
                raw.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n").await;
                half_sent.push(raw);
            }
            stage.control().get("/metrics").await.text()
        })
        .await;
        assert!(clock.now_ms() - began_ms < 10_000, "no head timed out");
        let line = format!("greenroom_control_refusals_total{{reason=\"{limit}\"}} {}", 401 - most);
        assert!(metrics.lines().any(|other| other == line), "{metrics}");
        let mut last = half_sent.pop().expect("there are many");
        assert!(last.ask("\r\n").await.is_some(), "it is still open");
        drop((half_sent, last));
        stage.stop().await;
    }
}
