//! The fast path beside the HTTP parser, on one connection: whatever a client sends, and however it is cut into packets,
//! it receives the same bytes as without it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use greenroom_origin::body::BodyError;
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};

use super::tests::owner;
use super::*;
use crate::connection::{FastRequest, FastResponse};

const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

/// The request that the fast path knows for a body of this length.
fn known(length: usize) -> String {
    format!("GET /{length} HTTP/1.1\r\nHost: x\r\n\r\n")
}

fn body_of(length: usize) -> Bytes {
    (0..length).map(|at| b'a' + u8::try_from(at % 26).expect("a letter")).collect::<Vec<u8>>().into()
}

/// A body of three parts that are not ready at once.
struct Parts(VecDeque<Bytes>, bool);

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.1 = !self.1;
        if self.1 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.0.pop_front().map(|part| Ok(Frame::data(part))))
    }
}

/// Answers by the path, as the fast path does: `/LENGTH`, `/late/LENGTH`, `/parts/LENGTH`, `/close/LENGTH`.
async fn respond(request: Request<Incoming>, connection: Arc<ClientConnection>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    connection.has_conflicting_length(BodyFraming::from_headers(&parts.headers));
    let path = parts.uri.path();
    let length = path.rsplit('/').next().and_then(|length| length.parse().ok()).unwrap_or(0);
    let whole = body_of(length);
    let read = body.collect().await.map_or(0, |body| body.to_bytes().len());
    if path.starts_with("/late") {
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
    }
    let mut response = Response::new(if path.starts_with("/parts") {
        let part = |at: usize| whole.slice(length * at / 3..length * (at + 1) / 3);
        Body::Boxed(UnsyncBoxBody::new(Parts((0..3).map(part).collect(), false)))
    } else {
        Body::from(whole)
    });
    if path.starts_with("/close") {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if parts.method == http::Method::POST {
        response.headers_mut().insert("read", HeaderValue::from(read));
    }
    response
}

/// A connection to a server with the fast path, or without, and the number of responses of the fast path.
struct TestConnection {
    owner: ListenerOwner,
    client: DuplexStream,
    fast: Arc<AtomicUsize>,
}

fn connect(buffer: usize, has_fast_path: bool) -> TestConnection {
    let fast = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fast);
    let answer = move |request: FastRequest<'_>, out: &mut Vec<u8>| {
        let length = (1..=LONGEST).find(|length| known(*length).as_bytes() == request.head)?;
        out.extend_from_slice(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n").as_bytes());
        count.fetch_add(1, Ordering::Relaxed);
        Some(FastResponse { body: body_of(length), has_date: false })
    };
    let fast_path = has_fast_path.then(|| FastPath::new(answer));
    let owner = ListenerOwner { fast_path, ..owner("") };
    let (client, server) = duplex(buffer);
    let handle = |_, request, connection| respond(request, connection);
    owner.tasks.spawn(serve_connection(owner.clone(), server, PEER, handle));
    TestConnection { owner, client, fast }
}

/// Longest body that the fast path knows.
const LONGEST: usize = 300;

async fn read_to_end(mut reader: ReadHalf<DuplexStream>) -> String {
    let mut received = Vec::new();
    let _ = reader.read_to_end(&mut received).await; // a connection that is closed early ends it as well
    let received = String::from_utf8(received).expect("it is text");
    received.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect()
}

/// Sends each part once the server had `turns` turns since the last one.
async fn send_parts(mut writer: WriteHalf<DuplexStream>, parts: &[Vec<u8>], turns: &[usize]) {
    for (at, part) in parts.iter().enumerate() {
        for _ in 0..turns[at % turns.len()] {
            tokio::task::yield_now().await;
        }
        if writer.write_all(part).await.is_err() {
            return;
        }
    }
    // Once nothing is left to do: the parser drops responses to a client that has gone.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let _ = writer.shutdown().await; // the server may have closed before
}

/// Responses to a client that sends these parts, and the number of those from the fast path.
fn received(parts: &[Vec<u8>], turns: &[usize], buffer: usize, has_fast_path: bool) -> (String, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let TestConnection { client, fast, owner } = connect(buffer, has_fast_path);
        let (reader, writer) = split(client);
        let talk = async { tokio::join!(read_to_end(reader), send_parts(writer, parts, turns)).0 };
        let text = tokio::time::timeout(10 * HEAD_TIMEOUT, talk).await.expect("the connection ends");
        owner.tasks.close();
        owner.tasks.wait().await;
        (text, fast.load(Ordering::Relaxed))
    })
}

/// One request of any kind.
fn request() -> impl Strategy<Value = String> {
    let length = 1..=LONGEST;
    let bodiless =
        |line: &'static str| (1..=LONGEST).prop_map(move |length| line.replace("LENGTH", &length.to_string()));
    prop_oneof![
        12 => length.clone().prop_map(known),
        2 => bodiless("GET /late/LENGTH HTTP/1.1\r\nHost: x\r\n\r\n"),
        2 => bodiless("GET /parts/LENGTH HTTP/1.1\r\nHost: x\r\n\r\n"),
        1 => bodiless("GET /LENGTH HTTP/1.1\nHost: x\n\n"),
        1 => bodiless("\r\nGET /LENGTH HTTP/1.1\r\nhost: x\r\n\r\n"),
        1 => bodiless("HEAD /LENGTH HTTP/1.1\r\nHost: x\r\n\r\n"),
        1 => bodiless("GET /close/LENGTH HTTP/1.1\r\nHost: x\r\n\r\n"),
        1 => bodiless("GET /LENGTH HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        1 => bodiless("GET /LENGTH HTTP/1.0\r\nHost: x\r\n\r\n"),
        1 => bodiless("GET /LENGTH HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"),
        1 => bodiless("GET /LENGTH HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"),
        1 => bodiless("BAD LENGTH\r\n\r\n"),
        // Bodies that look like requests.
        2 => (length.clone(), length.clone()).prop_map(|(at, inner)| {
            let inner = known(inner);
            format!("POST /{at} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{inner}", inner.len())
        }),
        1 => (length.clone(), length.clone()).prop_map(|(at, inner)| {
            let inner = known(inner);
            format!("GET /{at} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{inner}", inner.len())
        }),
        1 => (length.clone(), length).prop_map(|(at, inner)| {
            let inner = known(inner);
            let head = format!("POST /{at} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
            format!("{head}{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len())
        }),
    ]
}

/// The bytes of all requests in parts: each request ends one, and so does each cut.
fn parts_of(requests: &[String], joined: &[bool], cuts: &[usize]) -> Vec<Vec<u8>> {
    let (mut parts, mut part) = (Vec::new(), Vec::new());
    for (at, request) in requests.iter().enumerate() {
        let cut = cuts[at % cuts.len()];
        if cut > 0 && cut < request.len() {
            part.extend_from_slice(&request.as_bytes()[..cut]);
            parts.push(std::mem::take(&mut part));
            part.extend_from_slice(&request.as_bytes()[cut..]);
        } else {
            part.extend_from_slice(request.as_bytes());
        }
        if !joined[at % joined.len()] {
            parts.push(std::mem::take(&mut part));
        }
    }
    parts.push(part);
    parts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_client_receives_the_same_bytes_with_the_fast_path_and_without(
        requests in proptest::collection::vec(request(), 1..12),
        joined in proptest::collection::vec(proptest::bool::weighted(0.3), 1..6),
        cuts in proptest::collection::vec(prop_oneof![3 => Just(0), 1 => 1_usize..80], 1..6),
        turns in proptest::collection::vec(0_usize..12, 1..6),
        buffer in prop_oneof![16_usize..400, Just(64 * 1024)],
    ) {
        let parts = parts_of(&requests, &joined, &cuts);
        let (without, _) = received(&parts, &turns, buffer, false);
        let (with, _) = received(&parts, &turns, buffer, true);
        prop_assert_eq!(with, without, "{:?}", parts);
    }
}

#[test]
fn a_known_request_is_answered_before_the_parser_also_after_one_that_was_parsed() {
    let [other, chunked] = ["GET /late/9 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /parts/9 HTTP/1.1\r\nHost: x\r\n\r\n"];
    let requests =
        [known(1), known(2), other.into(), known(3), chunked.into(), known(4), known(5)].map(String::into_bytes);
    let (text, fast) = received(&requests, &[50], 1024, true);
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 7, "{text}");
    assert_eq!(fast, 4, "all known ones but that after a response whose end nobody here sees");
    let pipelined = requests.concat();
    assert_eq!(received(&[pipelined], &[50], 1024, true), (text, 0), "what arrives together is parsed");
}

async fn ask(client: &mut DuplexStream, request: &str, length: usize) -> String {
    client.write_all(request.as_bytes()).await.expect("it reads");
    let mut text = String::new();
    while text.split_once("\r\n\r\n").is_none_or(|(_, body)| body.len() != length) {
        let mut byte = [0];
        client.read_exact(&mut byte).await.expect("an answer");
        text.push(char::from(byte[0]));
    }
    text
}

#[tokio::test(start_paused = true)]
async fn a_connection_in_use_outlives_the_timeout_of_the_parser_and_an_idle_one_ends() {
    let TestConnection { owner, mut client, fast } = connect(1024, true);
    let clock = owner.clock.clone();
    for _ in 0..100 {
        ask(&mut client, &known(7), 7).await;
        clock.sleep(Duration::from_secs(7)).await;
    }
    let answered = fast.load(Ordering::Relaxed);
    assert!((50..100).contains(&answered), "the parser got one now and then: {answered}");
    clock.sleep(Duration::from_secs(125)).await;
    ask(&mut client, &known(7), 7).await;
    let idle_since_us = clock.now_us();
    assert_eq!(client.read(&mut [0; 8]).await.expect("an end"), 0);
    assert!(clock.since(idle_since_us) <= HEAD_TIMEOUT);
    owner.tasks.close();
    owner.tasks.wait().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_its_response_is_cut_off_and_counted() {
    let TestConnection { owner, mut client, fast } = connect(64, true);
    client.write_all(known(LONGEST).as_bytes()).await.expect("it reads");
    owner.tasks.close();
    owner.tasks.wait().await;
    assert_eq!(fast.load(Ordering::Relaxed), 1);
    let counted = owner.limits.counters.counts().into_iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>();
    assert_eq!(counted, [("slow-reader", 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_has_begun_is_sent_to_its_end_when_the_listener_stops() {
    let TestConnection { owner, mut client, fast } = connect(64, true);
    client.write_all(known(LONGEST).as_bytes()).await.expect("it reads");
    client.read_exact(&mut [0; 16]).await.expect("a part of it");
    owner.stop.cancel();
    let (reader, _writer) = split(client);
    let rest = read_to_end(reader).await;
    assert!(rest.ends_with(std::str::from_utf8(&body_of(LONGEST)).expect("it is text")), "{rest}");
    owner.tasks.close();
    owner.tasks.wait().await;
    assert_eq!(fast.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn while_the_listener_drains_the_parser_asks_each_client_to_reconnect() {
    let TestConnection { owner, mut client, fast } = connect(1024, true);
    assert!(!ask(&mut client, &known(7), 7).await.contains("connection: close"));
    owner.draining.cancel();
    assert!(ask(&mut client, &known(7), 7).await.contains("connection: close"));
    assert_eq!(client.read(&mut [0; 8]).await.expect("an end"), 0);
    assert_eq!(fast.load(Ordering::Relaxed), 1);
}
