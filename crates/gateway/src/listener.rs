//! A listener: accepts clients' connections, reads their requests, ends gracefully.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::proxy;
use crate::server::Server;
use crate::tls::Shown;

/// Connections of clients at a time, per server. One more waits to be accepted.
const MAX_CONNECTIONS: usize = 4096;
/// How long a client may take to send the head of a request, and how long its connection may be idle before: longer
/// than the usual poll, so that no request meets a connection that is being closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Longest head of a request; what is longer is answered with 414 or 431.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Headers of a request at most.
const MAX_HEADERS: usize = 128;
/// After a connection could not be accepted (no file descriptors left), wait so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves clients of `server` until it is stopped, encrypted where there is a certificate to show.
pub async fn serve(server: Arc<Server>, listener: TcpListener, shown: Option<Shown>) {
    let shown = shown.map(Arc::new);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = tokio::select! {
            () = server.stop.cancelled() => return,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = server.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (client, shown) = (Arc::clone(&server), shown.clone());
                server.tasks.spawn(async move {
                    let _place = place;
                    welcome(client, stream, peer, shown).await;
                });
            }
            Err(error) => {
                tracing::warn!(server = server.name(), %error, "a connection could not be accepted");
                server.clock.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn welcome(server: Arc<Server>, stream: TcpStream, peer: SocketAddr, shown: Option<Arc<Shown>>) {
    // Without this a small answer waits for the client's delayed acknowledgement.
    drop(stream.set_nodelay(true));
    let Some(shown) = shown else { return converse(server, stream, peer).await };
    let greeted = tokio::select! {
        () = server.stop.cancelled() => return,
        greeted = shown.greet(stream) => greeted,
    };
    match greeted {
        Ok(stream) => converse(server, stream, peer).await,
        Err(error) => {
            tracing::debug!(server = server.name(), %error, "a client does not agree on encryption");
        }
    }
}

async fn converse<S>(server: Arc<Server>, stream: S, peer: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stop = server.stop.clone();
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(proxy::handle(server, peer, request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    drop(connection.await);
}
