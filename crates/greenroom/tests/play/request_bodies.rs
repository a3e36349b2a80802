//! Bodies of writes: short ones are read whole before they are sent, long ones pass while they arrive, and what is held
//! of them in memory is limited for a stranger, an address, a server and the process.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use greenroom_cache::Clock;
use greenroom_proxy::server::Server;
use tokio_util::task::TaskTracker;

use crate::stage::receiver::Receiver;
use crate::stage::waiting::{until, until_told};
use crate::stage::{Client, Raw, Script, Stage};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// A token that the server refuses.
const MADE_UP: &str = "made-up";
const KNOWN: &str = "known";
const UPLOAD: &str = "/library/metadata/7/posters";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

async fn play_at(clock: Clock, more: &str, memory: &str) -> (Receiver, Stage) {
    let server = Receiver::start(&TaskTracker::new(), MADE_UP).await;
    let url = format!("http://{}", server.address);
    let stage = Script::new().table(memory).server("home", "plex", &url, more).start_at(clock).await;
    let read = client(&stage).get("/library/sections").await;
    assert_eq!(read.status, 200, "the known token is accepted");
    (server, stage)
}

async fn play(more: &str) -> (Receiver, Stage) {
    play_at(Clock::system(), more, "").await
}

async fn end(server: Receiver, stage: Stage) {
    server.stop();
    stage.down().await;
}

fn client(stage: &Stage) -> Client {
    stage.client().with("x-plex-token", KNOWN).with("accept", "application/json")
}

fn gateway(stage: &Stage) -> &Arc<Server> {
    &stage.process.servers[0].0
}

fn reached(stage: &Stage, bound: &str) -> u64 {
    gateway(stage)
        .limits
        .bounds
        .reached()
        .iter()
        .find(|(name, _)| *name == bound)
        .map_or(0, |(_, count)| *count)
}

fn head(target: &str, token: &str, length: usize, more: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {token}\r\nContent-Length: {length}\r\n{more}\r\n"
    )
}

/// A client in the middle of a body.
async fn in_the_middle(stage: &Stage, head: &str, sent: usize) -> Raw {
    let mut raw = stage.raw().await;
    raw.send(head).await;
    raw.send(vec![b'x'; sent]).await;
    raw
}

#[tokio::test(flavor = "multi_thread")]
async fn five_long_bodies_of_a_stranger_pass_while_they_arrive_and_none_is_held() {
    // A slow clock, so that a busy machine is no slow sender.
    let (server, stage) = play_at(Clock::scaled(0.1), "", "").await;
    let mut strangers = Vec::new();
    for _ in 0..5 {
        strangers.push(in_the_middle(&stage, &head(UPLOAD, MADE_UP, 64 * MIB, ""), MIB).await);
    }
    let mut most_held = 0;
    until(|| {
        most_held = most_held.max(gateway(&stage).limits.bodies.held());
        server.seen.body_bytes.load(Ordering::SeqCst) == 5 * MIB as u64
    })
    .await;
    assert_eq!(gateway(&stage).limits.uploads.taken(), 5);
    let rest = vec![b'x'; MIB];
    for stranger in &mut strangers {
        for _ in 1..64 {
            stranger.send(&rest).await;
            most_held = most_held.max(gateway(&stage).limits.bodies.held());
        }
        assert_eq!(stranger.answer().await.expect("an answer").status(), 401, "the server's own word");
    }
    assert_eq!(server.seen.body_bytes.load(Ordering::SeqCst), 5 * 64 * MIB as u64);
    assert!(most_held <= 5 * 64 * KIB as u64, "{most_held} bytes were held");
    until(|| gateway(&stage).limits.uploads.taken() == 0).await;
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
    let before = server.seen.count("POST");
    for (head, bound) in cases {
        let counted = reached(&stage, bound);
        let answer = stage.raw().await.ask(&head).await.expect("an answer");
        assert_eq!((answer.status(), reached(&stage, bound)), (413, counted + 1), "{bound}");
        assert!(answer.text().contains("<Response code=\"413\""), "{}", answer.text());
    }
    assert_eq!(server.seen.count("POST"), before, "nothing of them was sent on");
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
    until(|| server.seen.body_bytes.load(Ordering::SeqCst) > 1_500_000).await;
    raw.send(&chunk).await;
    assert_eq!(raw.answer().await.expect("an answer").status(), 413);
    assert_eq!(reached(&stage, "body-length"), 1);
    until(|| server.seen.cut_off.load(Ordering::SeqCst) == 1).await;
    assert_eq!(server.seen.whole.load(Ordering::SeqCst), 0, "the server has no whole request of it");
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
        assert_eq!(server.seen.count("POST"), 1, "what was refused or broken off was never sent");
        until(|| gateway(&stage).limits.bodies.held() == 0).await;
        end(server, stage).await;
    }
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
        until(|| server.seen.body_bytes.load(Ordering::SeqCst) == KIB as u64).await;
        let refused = stage.raw().await.ask(&upload).await.expect("an answer");
        assert_eq!((refused.status(), reached(&stage, bound)), (503, 1), "{bound}");
        assert_eq!(refused.header("retry-after"), ["2"], "{bound}");
        if token == MADE_UP {
            let mut known = in_the_middle(&stage, &head(UPLOAD, KNOWN, 2 * MIB, ""), 2 * MIB).await;
            assert_eq!(
                known.answer().await.expect("an answer").status(),
                200,
                "strangers take no place of others"
            );
        }
        drop(first);
        until(|| gateway(&stage).limits.uploads.taken() == 0).await;
        until(|| server.seen.cut_off.load(Ordering::SeqCst) == 1).await;
        let mut second = in_the_middle(&stage, &upload, 2 * MIB).await;
        let status = if token == KNOWN { 200 } else { 401 };
        assert_eq!(second.answer().await.expect("an answer").status(), status, "{bound}");
        assert_ne!(
            gateway(&stage).origin.is_well(),
            Some(false),
            "a client that goes away is no failure of the server"
        );
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_says_nothing_about_what_goes_stale_passes_where_nothing_may_be_held() {
    let (server, stage) = play("max_held_body_bytes = 1500").await;
    let form = head("/:/scrobble", KNOWN, 1000, FORM);
    let first = in_the_middle(&stage, &form, 1).await;
    until(|| gateway(&stage).limits.bodies.held() == 1000).await;
    let mut poster = in_the_middle(&stage, &head(UPLOAD, KNOWN, 1000, ""), 1000).await;
    assert_eq!(poster.answer().await.expect("an answer").status(), 200);
    drop(first);
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_sender_is_given_up_holds_no_place_in_the_queue_and_is_counted() {
    let (server, stage) = play_at(Clock::scaled(20.0), "upstream_concurrency = 2", "").await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(in_the_middle(&stage, &head(UPLOAD, KNOWN, 2 * MIB, ""), KIB).await);
    }
    until(|| server.seen.count("POST") == 4).await;
    assert_eq!(client(&stage).get("/library/metadata/1").await.status, 200, "others are served meanwhile");
    for slow in &mut slow {
        assert_eq!(slow.answer().await.expect("an answer").status(), 408);
    }
    assert_eq!(reached(&stage, "slow-body"), 4);
    until(|| server.seen.cut_off.load(Ordering::SeqCst) == 4).await;
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_passes_while_it_arrives_keeps_its_framing_and_makes_stale_what_it_changes() {
    let (server, stage) = play("").await;
    let client = client(&stage);
    let item = "/library/metadata/7";
    let kept = async || {
        until_told(async || client.get(item).await.was_hit()).await;
    };
    kept().await;
    let asked = server.seen.count(&format!("GET {item} "));
    let mut raw = in_the_middle(&stage, &head(UPLOAD, KNOWN, 2 * MIB, ""), 2 * MIB).await;
    assert_eq!(raw.answer().await.expect("an answer").status(), 200);
    let sent = server.seen.last("POST").to_ascii_lowercase();
    assert!(sent.contains("content-length: 2097152") && !sent.contains("transfer-encoding"), "{sent}");
    assert!(!client.get(item).await.was_hit(), "the writer reads what it wrote");
    assert_eq!(server.seen.count(&format!("GET {item} ")), asked + 1);
    kept().await;
    let before = server.seen.body_bytes.load(Ordering::SeqCst);
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
    let sent = server.seen.last("POST").to_ascii_lowercase();
    assert!(sent.contains("transfer-encoding: chunked") && !sent.contains("content-length"), "{sent}");
    assert!(server.seen.body_bytes.load(Ordering::SeqCst) - before > 2 * MIB as u64);
    assert!(!client.get(item).await.was_hit(), "the writer reads what it wrote");
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_form_is_still_read_for_what_it_makes_stale() {
    let (server, stage) = play("").await;
    let client = client(&stage);
    let named = "/library/metadata/5";
    until_told(async || client.get(named).await.was_hit()).await;
    let form = format!("key=5&padding={}", "x".repeat(2 * MIB));
    let mut raw = stage.raw().await;
    raw.send(head("/:/scrobble", KNOWN, form.len(), FORM)).await;
    raw.send(&form).await;
    assert_eq!(raw.answer().await.expect("an answer").status(), 200);
    assert_eq!(server.seen.body_bytes.load(Ordering::SeqCst), form.len() as u64, "all of it was sent on");
    assert!(!client.get(named).await.was_hit(), "the form names it");
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_broken_off_body_makes_nothing_stale_and_a_known_tokens_does() {
    let (server, stage) = play("").await;
    let client = client(&stage);
    let item = "/library/metadata/7";
    until_told(async || client.get(item).await.was_hit()).await;
    for (round, token) in [MADE_UP, KNOWN].into_iter().enumerate() {
        let broken = in_the_middle(&stage, &head(UPLOAD, token, 2 * MIB, ""), KIB).await;
        until(|| server.seen.count("POST") == round + 1).await;
        drop(broken);
        until(|| server.seen.cut_off.load(Ordering::SeqCst) == round + 1).await;
        if token == MADE_UP {
            until(|| gateway(&stage).counters.refused.load(Ordering::SeqCst) == 1).await;
            assert!(client.get(item).await.was_hit(), "any stranger can hang up");
        } else {
            until_told(async || !client.get(item).await.was_hit()).await;
        }
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_shown_in_the_metrics() {
    let (server, stage) = play("").await;
    let held = in_the_middle(&stage, &head("/:/scrobble", KNOWN, 1000, FORM), 1).await;
    let passing = in_the_middle(&stage, &head(UPLOAD, KNOWN, 2 * MIB, ""), KIB).await;
    until(|| gateway(&stage).limits.bodies.held() == 1000 && gateway(&stage).limits.uploads.taken() == 1)
        .await;
    let metrics = Client::new(stage.process.control).get("/metrics").await.text();
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
    let target = format!("/hooks/plex/{}", gateway(&stage).hook_secret.expose());
    let hook = head(&target, "none", 1000, "Content-Type: application/json\r\n");
    let first = in_the_middle(&stage, &hook, 1).await;
    until(|| gateway(&stage).limits.bodies.held() == 1000).await;
    let refused = stage.raw().await.ask(&hook).await.expect("an answer");
    assert_eq!((refused.status(), reached(&stage, "held-bytes-per-peer")), (503, 1));
    drop(first);
    until(|| gateway(&stage).limits.bodies.held() == 0).await;
    end(server, stage).await;
}
