//! A listener: accepts clients' connections, reads their requests, ends gracefully.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::dispatch;
use crate::http::connection::{Conversation, Patient};
use crate::http::connection_limit::{Full, Seat};
use crate::http::limits::Bound;
use crate::http::server_certificate::Shown;
use crate::request::client_ip::household;
use crate::server::Server;

/// How long a client may take to send the head of a request, and how long its connection may be idle before: longer
/// than the usual poll, so that no request meets a connection that is being closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Longest head of a request; what is longer is answered with 414 or 431.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// After a connection could not be accepted (no file descriptors left), wait so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What one hears for whom there is no place. It is said once and not waited for.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Serves clients of `server` until it is stopped, encrypted where there is a certificate to show. Once `leaving`, it
/// accepts nobody more, and each response asks its client for a new connection.
pub async fn serve(
    server: Arc<Server>,
    listener: TcpListener,
    shown: Option<Arc<Shown>>,
    leaving: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = server.origin.stop.cancelled() => return,
            () = leaving.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => receive(&server, stream, peer, shown.clone(), leaving.clone()),
            Err(error) => {
                tracing::warn!(server = server.name(), %error, "a connection could not be accepted");
                server.origin.clock.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Gives the connection a place, or turns it away.
fn receive(
    server: &Arc<Server>,
    stream: TcpStream,
    peer: SocketAddr,
    shown: Option<Arc<Shown>>,
    leaving: CancellationToken,
) {
    match seat(server, peer.ip()) {
        Ok(seat) => {
            // Without this a small answer waits for the client's delayed acknowledgement.
            drop(stream.set_nodelay(true));
            let client = Arc::clone(server);
            server.origin.tasks.spawn(async move {
                let _seat = seat;
                welcome(client, stream, peer, shown, leaving).await;
            });
        }
        Err(bound) => {
            server.limits.bounds.note(bound);
            tracing::debug!(server = server.name(), bound = bound.name(), "a connection was turned away");
            drop(stream.try_write(FULL));
        }
    }
}

fn seat(server: &Server, peer: IpAddr) -> Result<Seat<IpAddr>, Bound> {
    // Behind a trusted proxy there are many.
    let is_proxy = server.origin.settings.hygiene.trusted_proxies.contain(peer);
    server.limits.connections.take((!is_proxy).then(|| household(peer))).map_err(|full| match full {
        Full::All => Bound::Connections,
        Full::Guest => Bound::ConnectionsPerPeer,
    })
}

async fn welcome(
    server: Arc<Server>,
    stream: TcpStream,
    peer: SocketAddr,
    shown: Option<Arc<Shown>>,
    leaving: CancellationToken,
) {
    let Some(shown) = shown else { return converse(server, stream, peer, leaving).await };
    let greeted = tokio::select! {
        () = server.origin.stop.cancelled() => return,
        greeted = shown.greet(stream) => greeted,
    };
    match greeted {
        Ok(stream) => converse(server, stream, peer, leaving).await,
        Err(error) => {
            tracing::debug!(server = server.name(), %error, "a client does not agree on encryption");
        }
    }
}

async fn converse(
    server: Arc<Server>,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: SocketAddr,
    leaving: CancellationToken,
) {
    let stop = server.origin.stop.clone();
    let conversation = Arc::new(Conversation::new());
    let stream = Patient::new(stream, server.origin.clock.clone(), Arc::clone(&conversation));
    let (owner, watched) = (Arc::clone(&server), Arc::clone(&conversation));
    let service = service_fn(move |mut request| {
        let server = Arc::clone(&server);
        request.extensions_mut().insert(Arc::clone(&conversation));
        let leaving = leaving.clone();
        async move {
            let mut response = dispatch::handle(server, peer, request).await;
            if leaving.is_cancelled() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    match ended {
        Err(_) if watched.was_too_slow() => owner.limits.bounds.note(Bound::SlowReader),
        Err(error) if error.is_timeout() && watched.is_in_a_head() => {
            owner.limits.bounds.note(Bound::SlowHead);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_household_is_one_peer() {
        let of = |text: &str| household(text.parse().expect("an address")).to_string();
        assert_eq!(of("192.168.1.7"), "192.168.1.7");
        assert_eq!(of("::ffff:192.168.1.7"), "192.168.1.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }
}
