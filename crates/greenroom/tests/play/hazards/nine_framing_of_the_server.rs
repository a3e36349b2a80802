//! 9. Response smuggling, from the server: responses with one interpretation are accepted, duplicate lengths included;
//!    a connection with an ambiguous one is not used again.

use greenroom_dialect::request::ServerKind;

use super::{TOKEN, client, end, play};
use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, container};

const JSON: &str = "Content-Type: application/json";
const BODY: &str = r#"{"MediaContainer":{"size":0}}"#;
/// A read, and a pass-through.
const TARGETS: [&str; 2] = ["/library/sections", "/unknown"];

fn response(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{JSON}\r\n{headers}\r\n\r\n{body}")
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_one_length_twice_is_one_length() {
    let length = BODY.len();
    for headers in [
        format!("Content-Length: {length}\r\nContent-Length: {length}"),
        format!("Content-Length: {length}, {length}"),
        format!("Content-Length: {length}\r\nContent-Length: {length}\r\nContent-Length: {length}"),
    ] {
        let said = response(&headers, BODY).into_bytes();
        let (server, stage) =
            play(ServerKind::Plex, "", move |_: &ReceivedRequest| ScriptedReply::Bytes(said.clone())).await;
        for target in TARGETS {
            let request = format!(
                "GET {target} HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nX-Plex-Token: {TOKEN}\r\n\r\n"
            );
            let answer = stage.raw().await.ask(request).await.expect("an answer");
            assert_eq!((answer.status(), answer.text().as_str()), (200, BODY), "{headers} {target}");
            assert_eq!(answer.header("content-length"), [length.to_string()], "{headers} {target}");
        }
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_an_answer_that_can_be_read_in_two_ways_is_an_error_and_not_kept() {
    let chunked = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    let length = BODY.len();
    for (what, said) in [
        ("two lengths", response(&format!("Content-Length: {length}\r\nContent-Length: 4"), BODY)),
        ("a list of two lengths", response(&format!("Content-Length: {length}, 4"), BODY)),
        ("a signed length", response("Content-Length: +29", BODY)),
        ("a length and chunks", response(&format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"), &chunked)),
        ("chunks and a length", response(&format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"), &chunked)),
        ("packed chunks", response("Transfer-Encoding: gzip, chunked", &chunked)),
        ("an unknown encoding", response("Transfer-Encoding: identity", BODY)),
        ("bad chunks", response("Transfer-Encoding: chunked", "zz\r\nabc\r\n0\r\n\r\n")),
        ("a chunk that is too short", response("Transfer-Encoding: chunked", "ff\r\nabc\r\n0\r\n\r\n")),
        ("a folded header", response(&format!("X-A: 1\r\n two\r\nContent-Length: {length}"), BODY)),
        ("a bare carriage return", response(&format!("X-A: 1\rX-B: 2\r\nContent-Length: {length}"), BODY)),
        ("a NUL", response(&format!("X-A: \0\r\nContent-Length: {length}"), BODY)),
        (
            "a protocol nobody asked for",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".to_owned(),
        ),
        ("no version", format!("200 OK\r\n\r\n{BODY}")),
        ("a head without end", format!("HTTP/1.1 200 OK\r\nX-Long: {}", "a".repeat(2_000_000))),
        ("too many headers", response(&"X-Many: 1\r\n".repeat(2_000), BODY)),
        ("half a body", response("Content-Length: 400", BODY)),
    ] {
        let bytes = said.into_bytes();
        let (server, stage) =
            play(ServerKind::Plex, "", move |_: &ReceivedRequest| ScriptedReply::Last(bytes.clone())).await;
        let client = client(&stage, ServerKind::Plex, TOKEN);
        for target in TARGETS {
            match client.try_send(http::Method::GET, target, "").await {
                Ok(answer) => assert!(answer.status.is_server_error(), "{what} {target}: {}", answer.status),
                // A response that has begun to pass can only be cut off.
                Err(_) => assert_eq!(target, "/unknown", "{what}"),
            }
        }
        let entries: u64 = stage.process.cache.stats().classes.iter().map(|class| class.bytes).sum();
        assert_eq!(entries, 0, "{what}: it was kept");
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_a_surplus_response_reaches_no_client() {
    let poison = r#"{"MediaContainer":{"size":0,"number":666}}"#;
    let one_more = response(&format!("Content-Length: {}", poison.len()), poison);
    for target in TARGETS {
        let more = one_more.clone();
        let (server, stage) = play(ServerKind::Plex, "", move |request: &ReceivedRequest| {
            ScriptedReply::Bytes([container(request.connection), more.clone().into_bytes()].concat())
        })
        .await;
        let client = client(&stage, ServerKind::Plex, TOKEN);
        for index in 0..20 {
            let answer = client.get(&format!("{target}?n={index}")).await;
            let number = answer.json()["MediaContainer"]["number"].as_u64();
            assert!(number.is_some_and(|number| number < 100), "{target}: {}", answer.text());
        }
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_a_connection_that_an_answer_broke_off_on_is_not_used_again() {
    let (server, stage) = play(ServerKind::Plex, "", |request: &ReceivedRequest| match request.target.as_str() {
        // The rest of an aborted response must not reach the next client.
        "/library/parts/1/2/a.mp4" => {
            ScriptedReply::Flood(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n".to_vec(), 100_000_000)
        }
        _ => ScriptedReply::Bytes(container(request.connection)),
    })
    .await;
    let mut raw = stage.raw().await;
    raw.send(format!("GET /library/parts/1/2/a.mp4 HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {TOKEN}\r\n\r\n")).await;
    assert!(raw.some(1000).await > 0);
    drop(raw);
    server.until(|server| server.cut_off.load(std::sync::atomic::Ordering::SeqCst) == 1).await;
    let used = server.drain()[0].connection;
    let client = client(&stage, ServerKind::Plex, TOKEN);
    for index in 0..5 {
        assert_eq!(client.get(&format!("/library/sections/{index}/all")).await.status, 200);
    }
    assert!(server.drain().iter().all(|request| request.connection != used));
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_news_before_the_answer_is_not_the_answer_and_an_old_version_ends_with_its_connection() {
    let (server, stage) = play(ServerKind::Plex, "", |request: &ReceivedRequest| {
        let answer = container(7);
        match request.target.as_str() {
            "/library/sections" => ScriptedReply::Bytes(
                [b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n".to_vec(), answer]
                    .concat(),
            ),
            _ => ScriptedReply::Last(format!("HTTP/1.0 200 OK\r\n{JSON}\r\n\r\n{BODY}").into_bytes()),
        }
    })
    .await;
    let client = client(&stage, ServerKind::Plex, TOKEN);
    assert_eq!(client.get("/library/sections").await.json()["MediaContainer"]["number"], 7);
    for target in ["/library/sections/1/all", "/unknown"] {
        let answer = client.get(target).await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, BODY), "{target}");
    }
    end(server, stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_headers_of_the_servers_connection_are_not_the_clients() {
    let (server, stage) = play(ServerKind::Plex, "", |_: &ReceivedRequest| {
        let hops = "Connection: keep-alive, X-Hop\r\nKeep-Alive: timeout=20\r\nX-Hop: 1\r\nProxy-Connection: x\r\n\
                    Trailer: X-T\r\nProxy-Authenticate: Basic";
        let body = BODY.len();
        ScriptedReply::Bytes(response(&format!("{hops}\r\nContent-Length: {body}"), BODY).into_bytes())
    })
    .await;
    for target in TARGETS {
        let answer = client(&stage, ServerKind::Plex, TOKEN).get(target).await;
        for name in ["connection", "keep-alive", "x-hop", "proxy-connection", "trailer", "proxy-authenticate"] {
            assert_eq!(answer.header(name), "", "{target}: {name}");
        }
    }
    end(server, stage).await;
}
