//! 9. Request smuggling, from clients: one interpretation of where a request begins and ends, or a rejection.

use std::sync::Arc;

use greenroom_dialect::request::ServerKind;
use tokio::sync::Notify;

use super::{TOKEN, echo, end, play};
use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, answer};

/// The smuggled request.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

fn post(headers: &str, body: &str) -> String {
    format!("POST /playlists HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {TOKEN}\r\n{headers}\r\n\r\n{body}")
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_a_request_that_can_be_read_in_two_ways_is_refused_and_nothing_is_smuggled() {
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    let length = SMUGGLED.len();
    let chunks = format!("0\r\n\r\n{SMUGGLED}");
    for (what, request) in [
        ("a length, then chunks", post(&format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"), &chunks)),
        ("chunks, then a length", post(&format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"), &chunks)),
        ("a length in other letters", post("Transfer-Encoding: chunked\r\ncONTENT-lENGTH: 3", &chunks)),
        ("two lengths that differ", post(&format!("Content-Length: 0\r\nContent-Length: {length}"), SMUGGLED)),
        ("a list of lengths", post(&format!("Content-Length: 0, {length}"), SMUGGLED)),
        ("a signed length", post("Content-Length: +4", "abcd")),
        ("a length in hexadecimal", post("Content-Length: 0x4", "abcd")),
        ("a length that overflows", post("Content-Length: 18446744073709551620", "abcd")),
        ("a length with a space in front of the colon", post(&format!("Content-Length : {length}"), SMUGGLED)),
        ("an empty length", post("Content-Length:", SMUGGLED)),
        ("an unknown encoding", post("Transfer-Encoding: xchunked", &chunks)),
        ("an encoding that ends otherwise", post("Transfer-Encoding: chunked, identity", &chunks)),
        ("an encoding twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", &chunks)),
        ("an encoding with a tab before it", post("Transfer-Encoding:\u{b}chunked", &chunks)),
        (
            "chunks in an old version",
            format!("POST /playlists HTTP/1.0\r\nX-Plex-Token: {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"),
        ),
        ("a folded header", post("X-A: 1\r\n Content-Length: 4", "abcd")),
        ("a folded encoding", post("Transfer-Encoding:\r\n chunked", &chunks)),
        ("a header without a colon", post("Content-Length", SMUGGLED)),
        ("a header name with a space", post("Bad Name: 1", "")),
        ("a bare carriage return", post("X-A: 1\rContent-Length: 4", "abcd")),
        ("a NUL in a header", post("X-A: 1\0", "")),
        ("two hosts", post("Host: y\r\nContent-Length: 0", "")),
        ("a space in the target", format!("GET /a b HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {TOKEN}\r\n\r\n")),
        ("another version", format!("GET /a HTTP/1.2\r\nHost: x\r\nX-Plex-Token: {TOKEN}\r\n\r\n")),
        ("no version", format!("GET /a\r\nHost: x\r\nX-Plex-Token: {TOKEN}\r\n\r\n")),
        ("garbage", "\u{1}\u{2}\u{3}\r\n\r\n".to_owned()),
        ("the connection claims the token", post("Connection: close, X-Plex-Token\r\nContent-Length: 0", "")),
        ("the connection claims the length", post("Connection: Content-Length\r\nContent-Length: 4", "abcd")),
    ] {
        let mut raw = stage.raw().await;
        raw.send(&request).await;
        let said = raw.rest_or_answer().await;
        let status = said.split(' ').nth(1).unwrap_or_default();
        assert!(said.is_empty() || status.starts_with('4'), "{what}: {said}");
        let arrived = server.drain();
        assert!(arrived.iter().all(|request| request.target != "/smuggled"), "{what}");
        assert!(arrived.is_empty(), "{what} went on to the server as {:?}", arrived[0].head);
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_bad_chunks_end_the_request_and_the_connection() {
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    for chunks in [
        "zz\r\nab\r\n0\r\n\r\n",
        "-1\r\nab\r\n0\r\n\r\n",
        "0x2\r\nab\r\n0\r\n\r\n",
        "2\r\nabc\r\n0\r\n\r\n",
        "2\nab\n0\n\n",
        "FFFFFFFFFFFFFFFFF\r\nab\r\n0\r\n\r\n",
        "\r\nab\r\n0\r\n\r\n",
        " 2\r\nab\r\n0\r\n\r\n",
    ] {
        let mut raw = stage.raw().await;
        raw.send(post("Transfer-Encoding: chunked", &format!("{chunks}{SMUGGLED}"))).await;
        let said = raw.rest_or_answer().await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{chunks:?}: {said}");
        assert!(server.drain().is_empty(), "{chunks:?}");
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_what_can_be_read_in_one_way_is_served() {
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    for (what, request, body) in [
        ("one length twice", post("Content-Length: 4\r\nContent-Length: 4", "abcd"), "abcd"),
        ("chunks", post("Transfer-Encoding: chunked", "2\r\nab\r\n2;x=y\r\ncd\r\n0\r\n\r\n"), "abcd"),
        ("chunks with a trailer", post("Transfer-Encoding: chunked", "4\r\nabcd\r\n0\r\nX-T: 9\r\n\r\n"), "abcd"),
        (
            "a word of lengths elsewhere",
            post("Transfer-Encoding: chunked\r\nX-A: content-length: 4", "4\r\nabcd\r\n0\r\n\r\n"),
            "abcd",
        ),
        ("nothing", post("Content-Length: 0", ""), ""),
        (
            "an old version",
            format!("POST /playlists HTTP/1.0\r\nX-Plex-Token: {TOKEN}\r\nContent-Length: 4\r\n\r\nabcd"),
            "abcd",
        ),
    ] {
        let answer = stage.raw().await.ask(request).await.unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!(answer.status(), 200, "{what}: {}", answer.head);
        let arrived = server.drain().pop().expect("it arrived");
        assert_eq!(String::from_utf8_lossy(&arrived.body), body, "{what}");
        assert_eq!(arrived.header("content-length"), [body.len().to_string()], "{what}: framing is ours");
        for name in ["transfer-encoding", "trailer", "connection", "te"] {
            assert!(arrived.header(name).is_empty(), "{what}: {}", arrived.head);
        }
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_requests_on_one_connection_are_answered_each_for_itself() {
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    let chunked = "Transfer-Encoding: chunked";
    let mut raw = stage.raw().await;
    for body in ["one", "two", "three"] {
        let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        assert_eq!(raw.ask(post(chunked, &chunks)).await.expect("an answer").status(), 200, "{body}");
        assert_eq!(server.drain().pop().expect("it arrived").body, body.as_bytes());
    }
    // Pipelined, and answered in order.
    let reads = ["/library/sections", "/unknown", "/library/sections/1/all"];
    let ask = |target| format!("GET {target} HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {TOKEN}\r\n\r\n");
    raw.send(reads.map(ask).concat()).await;
    for target in reads {
        assert_eq!(raw.answer().await.expect("an answer").status(), 200, "{target}");
    }
    let arrived: Vec<String> = server.drain().into_iter().map(|request| request.target).collect();
    assert_eq!(arrived, reads);
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_a_head_in_two_pieces_around_an_answer_is_looked_at_as_a_whole() {
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let (server, stage) = play(ServerKind::Plex, "", move |request: &ReceivedRequest| match request.target.as_str() {
        "/slow" => ScriptedReply::Held(Arc::clone(&held), answer("200 OK", "text/plain", "slow")),
        _ => ScriptedReply::Bytes(answer("200 OK", "text/plain", "")),
    })
    .await;
    let slow = format!("GET /slow HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {TOKEN}\r\n\r\n");
    for (line, expected) in [("Content-Length: 4", 400), ("X-Length: 4", 200)] {
        let whole = post(&format!("{line}\r\nTransfer-Encoding: chunked"), "4\r\nabcd\r\n0\r\n\r\n");
        let (first, second) = whole.split_at(whole.find("Transfer").expect("it is there"));
        for at_once in [true, false] {
            let mut raw = stage.raw().await;
            raw.send(if at_once { slow.clone() + first } else { slow.clone() }).await;
            server.until(|server| server.count("GET", "/slow") == 1).await;
            if !at_once {
                raw.send(first).await;
                // It is read ahead while the response is awaited.
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
            }
            go.notify_one();
            assert_eq!(raw.answer().await.expect("an answer").status(), 200);
            let said = raw.ask(second).await.expect("an answer");
            assert_eq!(said.status(), expected, "{line}, at once: {at_once}");
            assert_eq!(said.header("connection") == ["close"], expected == 400, "{}", said.head);
            server.drain();
        }
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_heads_beyond_all_measure_are_refused() {
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    for request in [
        format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(200_000)),
        format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "a".repeat(200_000)),
        format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Many: 1\r\n".repeat(500)),
    ] {
        let mut raw = stage.raw().await;
        raw.send(request).await;
        let said = raw.rest_or_answer().await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    }
    assert_eq!(server.received().len(), 0);
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_an_upgrade_that_the_server_refuses_opens_no_tunnel() {
    let (server, stage) = play(ServerKind::Jellyfin, "", |request: &ReceivedRequest| match request.target.as_str() {
        "/socket" => ScriptedReply::Bytes(answer("426 Upgrade Required", "text/plain", "no")),
        _ => ScriptedReply::Bytes(answer("200 OK", "application/json", "{}")),
    })
    .await;
    let token = format!("X-Emby-Token: {TOKEN}\r\n");
    let upgrade = "Connection: Upgrade\r\nSec-WebSocket-Version: 9\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    for (what, more, body) in [
        ("a version nobody speaks", "Upgrade: websocket\r\n".to_owned(), String::new()),
        (
            "a body with the handshake",
            format!("Upgrade: websocket\r\nContent-Length: {}\r\n", SMUGGLED.len()),
            SMUGGLED.to_owned(),
        ),
        ("another protocol", "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n".to_owned(), String::new()),
    ] {
        let mut raw = stage.raw().await;
        let request = format!("GET /socket HTTP/1.1\r\nHost: x\r\n{token}{upgrade}{more}\r\n{body}");
        let refused = raw.ask(request).await.expect("an answer");
        assert_eq!(refused.status(), 426, "{what}");
        // The rest is read as a request, without the rights of the first one.
        if let Some(answer) = raw.ask(SMUGGLED).await {
            assert_eq!(answer.status(), 401, "{what}");
        }
        let arrived = server.drain();
        assert!(arrived.iter().all(|request| request.target == "/socket" && request.body.is_empty()), "{what}");
        assert!(arrived.iter().all(|request| request.header("http2-settings").is_empty()), "{what}");
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_a_packed_body_is_refused() {
    let (server, stage) = play(ServerKind::Plex, "", echo(ServerKind::Plex)).await;
    for encoding in ["gzip", "br", "deflate", "identity, gzip", "x-bomb"] {
        let request = post(&format!("Content-Encoding: {encoding}\r\nContent-Length: 4"), "abcd");
        assert_eq!(stage.raw().await.ask(request).await.expect("an answer").status(), 415, "{encoding}");
    }
    assert_eq!(server.received().len(), 0);
    let plain = post("Content-Encoding: identity\r\nContent-Length: 4", "abcd");
    assert_eq!(stage.raw().await.ask(plain).await.expect("an answer").status(), 200);
    end(server, stage).await;
}
