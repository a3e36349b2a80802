//! Bodies of writes: short ones are read whole before they are sent, long ones are streamed, and their memory is
//! limited per unauthenticated app, address, server and process.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use greenroom_cache::Clock;
use greenroom_proxy::server::Server;
use tokio_util::task::TaskTracker;

use crate::fixture::receiver::CountingServer;
use crate::fixture::waiting::{until, until_async};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, RawClient, TestClient};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// A token that the server refuses.
const MADE_UP: &str = "made-up";
const KNOWN: &str = "known";
const UPLOAD: &str = "/library/metadata/7/posters";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

async fn play_at(clock: Clock, more: &str, memory: &str) -> (CountingServer, GatewayFixture) {
    let server = CountingServer::start(&TaskTracker::new(), MADE_UP).await;
    let url = format!("http://{}", server.address);
    let stage = GatewayConfigBuilder::new().table(memory).server("home", "plex", &url, more).start_at(clock).await;
    let read = client(&stage).get("/library/sections").await;
    assert_eq!(read.status, 200, "the known token is accepted");
    (server, stage)
}

async fn play(more: &str) -> (CountingServer, GatewayFixture) {
    play_at(Clock::system(), more, "").await
}

async fn end(server: CountingServer, stage: GatewayFixture) {
    server.stop();
    stage.stop().await;
}

fn client(stage: &GatewayFixture) -> TestClient {
    stage.client().with("x-plex-token", KNOWN).with("accept", "application/json")
}

fn gateway(stage: &GatewayFixture) -> &Arc<Server> {
    &stage.process.servers[0].0
}

fn reached(stage: &GatewayFixture, bound: &str) -> u64 {
    gateway(stage).limits.counters.counts().iter().find(|(name, _)| *name == bound).map_or(0, |(_, count)| *count)
}

fn head(target: &str, token: &str, length: usize, more: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {token}\r\nContent-Length: {length}\r\n{more}\r\n")
}

/// A client that has sent half of a body.
async fn in_the_middle(stage: &GatewayFixture, head: &str, sent: usize) -> RawClient {
    let mut raw = stage.raw().await;
    raw.send(head).await;
    raw.send(vec![b'x'; sent]).await;
    raw
}

#[tokio::test(start_paused = true)]
async fn five_long_bodies_of_a_stranger_pass_while_they_arrive_and_none_is_held() {
    let (server, stage) = play("").await;
    let mut strangers = Vec::new();
    for _ in 0..5 {
        strangers.push(in_the_middle(&stage, &head(UPLOAD, MADE_UP, 64 * MIB, ""), MIB).await);
    }
    let mut most_held = 0;
    until(|| {
        most_held = most_held.max(gateway(&stage).limits.bodies.held());
        server.counters.body_bytes.load(Ordering::SeqCst) == 5 * MIB as u64
    })
    .await;
    assert_eq!(gateway(&stage).limits.uploads.in_use(), 5);
    let rest = vec![b'x'; MIB];
    for stranger in &mut strangers {
        for _ in 1..64 {
            stranger.send(&rest).await;
            most_held = most_held.max(gateway(&stage).limits.bodies.held());
        }
        assert_eq!(stranger.answer().await.expect("an answer").status(), 401, "the server's own word");
    }
    assert_eq!(server.counters.body_bytes.load(Ordering::SeqCst), 5 * 64 * MIB as u64);
    assert!(most_held <= 5 * 64 * KIB as u64, "{most_held} bytes were held");
    until(|| gateway(&stage).limits.uploads.in_use() == 0).await;
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_long_by_itself_is_refused_with_413_and_counted() {
    let (server, stage) = play("max_request_body_bytes = 2000000").await;
    let cases = [
        (head(UPLOAD, KNOWN, 2_000_001, ""), "body-length"),
        (head(UPLOAD, MADE_UP, 2_000_001, ""), "body-length"),
        (head("/:/scrobble", MADE_UP, 64 * KIB + 1, FORM), "body-length-unproven"),
    ];
    let before = server.counters.count("POST");
    for (head, bound) in cases {
        let counted = reached(&stage, bound);
        let answer = stage.raw().await.ask(&head).await.expect("an answer");
        assert_eq!((answer.status(), reached(&stage, bound)), (413, counted + 1), "{bound}");
        assert!(answer.text().contains("<Response code=\"413\""), "{}", answer.text());
    }
    assert_eq!(server.counters.count("POST"), before, "nothing of them was sent on");
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_turns_out_too_long_on_the_way_is_cut_off_with_413_and_counted() {
    let (server, stage) = play("max_request_body_bytes = 2000000").await;
    let mut raw = stage.raw().await;
    raw.send(format!(
        "POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {KNOWN}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ))
    .await;
    let chunk = [b"10000\r\n".to_vec(), vec![b'x'; 64 * KIB], b"\r\n".to_vec()].concat();
    for _ in 0..30 {
        raw.send(&chunk).await;
    }
    until(|| server.counters.body_bytes.load(Ordering::SeqCst) > 1_500_000).await;
    raw.send(&chunk).await;
    assert_eq!(raw.answer().await.expect("an answer").status(), 413);
    assert_eq!(reached(&stage, "body-length"), 1);
    until(|| server.counters.cut_off.load(Ordering::SeqCst) == 1).await;
    assert_eq!(server.counters.whole.load(Ordering::SeqCst), 0, "the server has no whole request of it");
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_on_held_bytes_refuses_with_503_and_is_counted_and_a_hang_up_gives_them_back() {
    let memory = "[memory]\nmax_held_body_bytes = 1500";
    let cases = [
        ("", memory, KNOWN, "held-bytes-of-process"),
        ("max_held_body_bytes = 1500", "", KNOWN, "held-bytes"),
        ("max_held_body_bytes_per_peer = 1500", "", KNOWN, "held-bytes-per-peer"),
        ("max_held_body_bytes_unproven = 1500", "", MADE_UP, "held-bytes-unproven"),
        ("max_held_body_bytes_unproven_per_peer = 1500", "", MADE_UP, "held-bytes-unproven-per-peer"),
    ];
    for (more, memory, token, bound) in cases {
        let (server, stage) = play_at(Clock::system(), more, memory).await;
        let form = head("/:/scrobble", token, 1000, FORM);
        let first = in_the_middle(&stage, &form, 1).await;
        until(|| gateway(&stage).limits.bodies.held() == 1000).await;
        let refused = stage.raw().await.ask(&form).await.expect("an answer");
        assert_eq!((refused.status(), reached(&stage, bound)), (503, 1), "{bound}");
        assert_eq!(refused.header("retry-after"), ["2"], "{bound}");
        drop(first);
        until(|| gateway(&stage).limits.bodies.held() == 0).await;
        let whole = format!("{form}{}", "x".repeat(1000));
        let status = if token == KNOWN { 200 } else { 401 };
        assert_eq!(stage.raw().await.ask(whole).await.expect("an answer").status(), status, "{bound}");
        assert_eq!(server.counters.count("POST"), 1, "what was refused or broken off was never sent");
        until(|| gateway(&stage).limits.bodies.held() == 0).await;
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_with_made_up_tokens_has_a_quarter_of_the_room_for_them() {
    let (server, stage) = play("").await;
    let form = |token: &str| head("/:/scrobble", token, 64 * KIB, FORM);
    let mut strangers = Vec::new();
    for number in 0..8 {
        strangers.push(in_the_middle(&stage, &form(&format!("made-up-{number}")), 1).await);
    }
    until(|| gateway(&stage).limits.bodies.held() == 512 * KIB as u64).await;
    let refused = stage.raw().await.ask(&form("made-up-8")).await.expect("an answer");
    assert_eq!((refused.status(), reached(&stage, "held-bytes-unproven-per-peer")), (503, 1));
    let known = in_the_middle(&stage, &form(KNOWN), 1).await;
    until(|| gateway(&stage).limits.bodies.held() == 576 * KIB as u64).await;
    drop((strangers, known));
    until(|| gateway(&stage).limits.bodies.held() == 0).await;
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_writes_the_server_accepts_counts_as_accepted_and_one_it_refuses_does_not() {
    let (server, stage) = play("").await;
    let write = |token: &str| format!("{}x", head("/:/scrobble", token, 1, FORM));
    let long = |token: &str| head("/:/scrobble", token, 64 * KIB + 1, FORM);
    let only_writes = "only-writes";
    let refused = stage.raw().await.ask(long(only_writes)).await.expect("an answer");
    assert_eq!(refused.status(), 413, "the server has not accepted it yet");
    for (token, status) in [(only_writes, 200), (MADE_UP, 401)] {
        let answer = stage.raw().await.ask(write(token)).await.expect("an answer");
        assert_eq!(answer.status(), status, "{token}");
    }
    let refused = stage.raw().await.ask(long(MADE_UP)).await.expect("an answer");
    assert_eq!(refused.status(), 413, "the server refused it");
    let plugin = "only-a-plugin";
    let answer = stage.raw().await.ask(head("/a/plugin/of/its/own", plugin, 0, "")).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let refused = stage.raw().await.ask(long(plugin)).await.expect("an answer");
    assert_eq!(refused.status(), 413, "what no table knows may be open to anyone");
    let mut raw = stage.raw().await;
    raw.send(long(only_writes)).await;
    raw.send(vec![b'x'; 64 * KIB + 1]).await;
    assert_eq!(raw.answer().await.expect("an answer").status(), 200, "its writes were accepted");
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_on_uploads_refuses_with_503_and_is_counted_and_a_hang_up_gives_the_place_back() {
    let cases = [
        ("max_uploads = 1", KNOWN, "uploads"),
        ("max_uploads_per_peer = 1", KNOWN, "uploads-per-peer"),
        ("max_uploads_unproven = 1", MADE_UP, "uploads-unproven"),
    ];
    for (more, token, bound) in cases {
        let (server, stage) = play(more).await;
        let upload = head(UPLOAD, token, 2 * MIB, "");
        let first = in_the_middle(&stage, &upload, KIB).await;
        until(|| server.counters.body_bytes.load(Ordering::SeqCst) == KIB as u64).await;
        let refused = stage.raw().await.ask(&upload).await.expect("an answer");
        assert_eq!((refused.status(), reached(&stage, bound)), (503, 1), "{bound}");
        assert_eq!(refused.header("retry-after"), ["2"], "{bound}");
        if token == MADE_UP {
            let mut known = in_the_middle(&stage, &head(UPLOAD, KNOWN, 2 * MIB, ""), 2 * MIB).await;
            assert_eq!(known.answer().await.expect("an answer").status(), 200, "strangers take no place of others");
        }
        drop(first);
        until(|| gateway(&stage).limits.uploads.in_use() == 0).await;
        until(|| server.counters.cut_off.load(Ordering::SeqCst) == 1).await;
        let mut second = in_the_middle(&stage, &upload, 2 * MIB).await;
        let status = if token == KNOWN { 200 } else { 401 };
        assert_eq!(second.answer().await.expect("an answer").status(), status, "{bound}");
        assert_ne!(
            gateway(&stage).origin.is_responding(),
            Some(false),
            "a client that goes away is no failure of the server"
        );
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_irrelevant_to_invalidation_is_streamed_where_none_may_be_held() {
    let (server, stage) = play("max_held_body_bytes = 1500").await;
    let form = head("/:/scrobble", KNOWN, 1000, FORM);
    let first = in_the_middle(&stage, &form, 1).await;
    until(|| gateway(&stage).limits.bodies.held() == 1000).await;
    let mut poster = in_the_middle(&stage, &head(UPLOAD, KNOWN, 1000, ""), 1000).await;
    assert_eq!(poster.answer().await.expect("an answer").status(), 200);
    drop(first);
    end(server, stage).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_sender_is_given_up_holds_no_place_in_the_queue_and_is_counted() {
    let (server, stage) = play_at(Clock::system(), "upstream_concurrency = 2", "").await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(in_the_middle(&stage, &head(UPLOAD, KNOWN, 2 * MIB, ""), KIB).await);
    }
    until(|| server.counters.count("POST") == 4).await;
    assert_eq!(client(&stage).get("/library/metadata/1").await.status, 200, "others are served meanwhile");
    for slow in &mut slow {
        assert_eq!(slow.answer().await.expect("an answer").status(), 408);
    }
    assert_eq!(reached(&stage, "slow-body"), 4);
    until(|| server.counters.cut_off.load(Ordering::SeqCst) == 4).await;
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_passes_while_it_arrives_keeps_its_framing_and_makes_stale_what_it_changes() {
    let (server, stage) = play("").await;
    let client = client(&stage);
    let item = "/library/metadata/7";
    let kept = async || {
        until_async(async || client.get(item).await.was_hit()).await;
    };
    kept().await;
    let asked = server.counters.count(&format!("GET {item} "));
    let mut raw = in_the_middle(&stage, &head(UPLOAD, KNOWN, 2 * MIB, ""), 2 * MIB).await;
    assert_eq!(raw.answer().await.expect("an answer").status(), 200);
    let sent = server.counters.last("POST").to_ascii_lowercase();
    assert!(sent.contains("content-length: 2097152") && !sent.contains("transfer-encoding"), "{sent}");
    assert!(!client.get(item).await.was_hit(), "the writer reads what it wrote");
    assert_eq!(server.counters.count(&format!("GET {item} ")), asked + 1);
    kept().await;
    let before = server.counters.body_bytes.load(Ordering::SeqCst);
    let mut raw = stage.raw().await;
    raw.send(format!(
        "POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {KNOWN}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ))
    .await;
    let chunk = [b"10000\r\n".to_vec(), vec![b'x'; 64 * KIB], b"\r\n".to_vec()].concat();
    for _ in 0..32 {
        raw.send(&chunk).await;
    }
    raw.send("0\r\n\r\n").await;
    assert_eq!(raw.answer().await.expect("an answer").status(), 200);
    let sent = server.counters.last("POST").to_ascii_lowercase();
    assert!(sent.contains("transfer-encoding: chunked") && !sent.contains("content-length"), "{sent}");
    assert!(server.counters.body_bytes.load(Ordering::SeqCst) - before > 2 * MIB as u64);
    assert!(!client.get(item).await.was_hit(), "the writer reads what it wrote");
    end(server, stage).await;
}

/// Films that are cached, and still served without asking after a form was sent.
async fn kept_beside_a_form(stage: &GatewayFixture, form: &str) -> Vec<u32> {
    let client = client(stage);
    let get = async |film: u32| client.get(&format!("/library/metadata/{film}")).await;
    for film in [5, 6, 7] {
        until_async(async || get(film).await.was_hit()).await;
    }
    let mut raw = stage.raw().await;
    raw.send(head("/:/scrobble", KNOWN, form.len(), FORM)).await;
    raw.send(form).await;
    assert_eq!(raw.answer().await.expect("an answer").status(), 200);
    let mut kept = Vec::new();
    for film in [5, 6, 7] {
        if get(film).await.was_hit() {
            kept.push(film);
        }
    }
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_makes_stale_what_it_names_and_nothing_else() {
    let (server, stage) = play("").await;
    let padding = "x".repeat(60 * KIB);
    assert_eq!(kept_beside_a_form(&stage, &format!("key=5&padding={padding}")).await, [6, 7]);
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_form_makes_stale_whatever_the_part_that_passes_unread_may_name() {
    // Sent whole but not read whole, and forwarded while it arrives.
    for length in [128 * KIB, 2 * MIB] {
        let (server, stage) = play("").await;
        let form = format!("key=5&padding={}&key=6", "x".repeat(length));
        assert_eq!(kept_beside_a_form(&stage, &form).await, [0; 0], "it names 5 and 6, and might name 7");
        assert_eq!(server.counters.body_bytes.load(Ordering::SeqCst), form.len() as u64, "all of it was sent on");
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_broken_off_body_makes_nothing_stale_and_a_known_tokens_does() {
    let (server, stage) = play("").await;
    let client = client(&stage);
    let item = "/library/metadata/7";
    until_async(async || client.get(item).await.was_hit()).await;
    for (round, token) in [MADE_UP, KNOWN].into_iter().enumerate() {
        let broken = in_the_middle(&stage, &head(UPLOAD, token, 2 * MIB, ""), KIB).await;
        until(|| server.counters.count("POST") == round + 1).await;
        drop(broken);
        until(|| server.counters.cut_off.load(Ordering::SeqCst) == round + 1).await;
        if token == MADE_UP {
            until(|| gateway(&stage).counters.refused.load(Ordering::SeqCst) == 1).await;
            assert!(client.get(item).await.was_hit(), "any stranger can hang up");
        } else {
            until_async(async || !client.get(item).await.was_hit()).await;
        }
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn held_bytes_are_shown_in_the_metrics() {
    let (server, stage) = play("").await;
    let held = in_the_middle(&stage, &head("/:/scrobble", KNOWN, 1000, FORM), 1).await;
    let passing = in_the_middle(&stage, &head(UPLOAD, KNOWN, 2 * MIB, ""), KIB).await;
    until(|| gateway(&stage).limits.bodies.held() == 1000 && gateway(&stage).limits.uploads.in_use() == 1).await;
    let metrics = TestClient::new(stage.process.control).get("/metrics").await.text();
    for line in ["greenroom_held_body_bytes{server=\"home\"} 1000", "greenroom_uploads{server=\"home\"} 1"] {
        assert!(metrics.contains(line), "{metrics}");
    }
    drop((held, passing));
    until(|| gateway(&stage).limits.bodies.held() == 0).await;
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_held_within_the_same_limits() {
    let (server, stage) = play("max_held_body_bytes_per_peer = 1500").await;
    let target = format!("/hooks/plex/{}", gateway(&stage).webhook_secret.expose());
    let hook = head(&target, "none", 1000, "Content-Type: application/json\r\n");
    let first = in_the_middle(&stage, &hook, 1).await;
    until(|| gateway(&stage).limits.bodies.held() == 1000).await;
    let refused = stage.raw().await.ask(&hook).await.expect("an answer");
    assert_eq!((refused.status(), reached(&stage, "held-bytes-per-peer")), (503, 1));
    drop(first);
    until(|| gateway(&stage).limits.bodies.held() == 0).await;
    end(server, stage).await;
}
