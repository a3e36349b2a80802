//! Counts the memory allocations of a hit, from the socket to the socket: on the fast path, and through the parser.

use std::net::SocketAddr;

use allocation_counter::measure;
use greenroom_http_server::accept::{self, ListenerOwner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::tests::LearnedRequest;
use super::*;
use crate::dispatch;
use crate::server::fixture::jellyfins;

/// Measured hits.
const HITS: u64 = 200;
/// Hits before them: buffers grow, and statistics get their rows.
const WARM_UP: u64 = 50;

/// A listener of the server in this thread, and a client of it.
async fn connect(server: &Arc<Server>, fast_path: Option<FastPath>) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let owner = ListenerOwner {
        server: server.name().into(),
        clock: server.origin.clock.clone(),
        tasks: server.origin.tasks.clone(),
        stop: server.origin.stop.clone(),
        draining: server.origin.stop.child_token(),
        limits: Arc::clone(&server.limits),
        trusted_proxies: server.origin.settings.listener_limits.trusted_proxies.clone(),
        certificate: None,
        fast_path,
    };
    let handled = Arc::clone(server);
    let handle = move |peer: SocketAddr, mut request: http::Request<hyper::body::Incoming>, connection| {
        let server = Arc::clone(&handled);
        async move {
            request.extensions_mut().insert::<Arc<ClientConnection>>(connection);
            dispatch::handle(server, peer, request).await
        }
    };
    server.origin.tasks.spawn(accept::serve(owner, listener, handle));
    TcpStream::connect(address).await.expect("it listens")
}

/// Asks so many times. The client allocates nothing.
async fn ask(client: &mut TcpStream, head: &[u8], times: u64) {
    let mut buffer = [0; 4096];
    for _ in 0..times {
        client.write_all(head).await.expect("it is open");
        let mut length = 0;
        while !buffer[..length].ends_with(b"\r\n\r\nanna") {
            let read = client.read(&mut buffer[length..]).await.expect("it is open");
            assert!(read > 0, "{}", String::from_utf8_lossy(&buffer[..length]));
            length += read;
        }
    }
}

/// Allocations of all hits, and how many of the hits were the fast path's.
fn allocations_of(has_fast_path: bool) -> (u64, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let [server] = jellyfins(["den"]);
    let learned = runtime.block_on(LearnedRequest::of(&server, "anna"));
    let fast_path = has_fast_path.then(|| of(&server).expect("it is on"));
    let client = runtime.block_on(connect(&server, fast_path));
    let fast_before = server.counters.fast_path.load(Ordering::Relaxed);
    let allocations = count(&runtime, client, &learned.head);
    let fast = server.counters.fast_path.load(Ordering::Relaxed) - fast_before;
    server.origin.stop.cancel();
    (allocations, fast)
}

/// Allocations of this thread while a client asks, once everything is warm.
fn count(runtime: &tokio::runtime::Runtime, mut client: TcpStream, head: &[u8]) -> u64 {
    runtime.block_on(ask(&mut client, head, WARM_UP));
    measure(|| runtime.block_on(ask(&mut client, head, HITS))).count_total
}

/// Allocations of a bare hyper that answers from memory.
fn allocations_of_hyper() -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let tasks = tokio_util::task::TaskTracker::new();
    let client = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tasks.spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            let answer = |_| async {
                let body = http_body_util::Full::new(Bytes::from_static(b"anna"));
                Ok::<_, std::convert::Infallible>(http::Response::new(body))
            };
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(hyper_util::rt::TokioIo::new(stream), hyper::service::service_fn(answer));
            connection.await.expect("a whole connection");
        });
        TcpStream::connect(address).await.expect("it listens")
    });
    count(&runtime, client, b"GET /UserViews HTTP/1.1\r\nHost: x\r\nX-Emby-Token: anna\r\n\r\n")
}

#[test]
fn a_hit_before_the_parser_allocates_nothing() {
    let (allocations, fast) = allocations_of(true);
    assert_eq!(fast, WARM_UP + HITS);
    // The date is formatted once a second, and statistics begin a row each minute.
    assert!(allocations < HITS / 4, "{allocations} allocations of {HITS} hits");
}

#[test]
fn a_hit_through_the_parser_allocates_little_more_than_the_parser() {
    let (allocations, fast) = allocations_of(false);
    let of_hyper = allocations_of_hyper();
    assert_eq!(fast, 0);
    assert!(of_hyper >= HITS, "the parser allocates: {of_hyper}");
    assert!(
        allocations <= of_hyper + MAX_MORE * HITS,
        "{allocations} allocations of {HITS} hits, {of_hyper} of them the parser's"
    );
}

/// Allocations of a hit through the parser beyond those of a bare hyper: its own headers, the record, the timeouts.
const MAX_MORE: u64 = 13;
