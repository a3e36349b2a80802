//! A listener: accepts client connections, serves their requests, shuts down gracefully.

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
use crate::request::client_ip::client_network;
use crate::server::Server;
use greenroom_http_server::concurrency_limit::{ConcurrencyLimitError, ConcurrencyPermit};
use greenroom_http_server::connection::{ClientConnection, ClientStream};
use greenroom_http_server::limits::LimitKind;
use greenroom_http_server::server_certificate::ServerCertificate;

/// Timeout for a request head and for an idle connection before it. Longer than a Jellyfin's 130 s, so that no client
/// meets a connection that is being closed earlier than the server itself would.
const HEAD_TIMEOUT: Duration = Duration::from_secs(135);
/// Longest request head; a longer one gets 414 or 431.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Pause after a failed `accept` (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Response to a connection over the limit. Written once, without waiting for it to be read.
const OVERLOADED_RESPONSE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Serves clients of `server` until stopped, over TLS if there is a certificate. Once `draining`, it accepts no
/// connection, and each response asks its client to reconnect.
pub async fn serve(
    server: Arc<Server>,
    listener: TcpListener,
    certificate: Option<Arc<ServerCertificate>>,
    draining: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = server.origin.stop.cancelled() => return,
            () = draining.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => admit_connection(&server, stream, peer, certificate.clone(), draining.clone()),
            Err(error) => {
                tracing::warn!(server = server.name(), %error, "connection not accepted");
                server.origin.clock.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Acquires a permit for the connection, or rejects it.
fn admit_connection(
    server: &Arc<Server>,
    stream: TcpStream,
    peer: SocketAddr,
    certificate: Option<Arc<ServerCertificate>>,
    draining: CancellationToken,
) {
    match acquire_connection_permit(server, peer.ip()) {
        Ok(permit) => {
            let _ = stream.set_nodelay(true);
            let client = Arc::clone(server);
            server.origin.tasks.spawn(async move {
                let _permit = permit;
                accept_encrypted(client, stream, peer, certificate, draining).await;
            });
        }
        Err(limit) => {
            server.limits.counters.record(limit);
            tracing::debug!(server = server.name(), limit = limit.name(), "connection rejected: limit reached");
            let _ = stream.try_write(OVERLOADED_RESPONSE); // best effort: the connection closes anyway
        }
    }
}

fn acquire_connection_permit(server: &Server, peer: IpAddr) -> Result<ConcurrencyPermit<IpAddr>, LimitKind> {
    // A trusted proxy carries many clients.
    let is_proxy = server.origin.settings.listener_limits.trusted_proxies.contain(peer);
    server.limits.connections.try_acquire((!is_proxy).then(|| client_network(peer))).map_err(|full| match full {
        ConcurrencyLimitError::Total => LimitKind::Connections,
        ConcurrencyLimitError::PerClient => LimitKind::ConnectionsPerPeer,
    })
}

async fn accept_encrypted(
    server: Arc<Server>,
    stream: TcpStream,
    peer: SocketAddr,
    certificate: Option<Arc<ServerCertificate>>,
    draining: CancellationToken,
) {
    let Some(certificate) = certificate else { return serve_connection(server, stream, peer, draining).await };
    let handshake = tokio::select! {
        () = server.origin.stop.cancelled() => return,
        handshake = certificate.accept(stream) => handshake,
    };
    match handshake {
        Ok(stream) => serve_connection(server, stream, peer, draining).await,
        Err(error) => {
            tracing::debug!(server = server.name(), %error, "TLS handshake failed");
        }
    }
}

async fn serve_connection(
    server: Arc<Server>,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: SocketAddr,
    draining: CancellationToken,
) {
    let stop = server.origin.stop.clone();
    let client_connection = Arc::new(ClientConnection::new());
    let stream = ClientStream::new(stream, server.origin.clock.clone(), Arc::clone(&client_connection));
    let (owner, shutdown_view) = (Arc::clone(&server), Arc::clone(&client_connection));
    let service = service_fn(move |mut request| {
        let server = Arc::clone(&server);
        request.extensions_mut().insert(Arc::clone(&client_connection));
        let draining = draining.clone();
        async move {
            let mut response = dispatch::handle(server, peer, request).await;
            if draining.is_cancelled() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
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
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            shutdown_view.set_last_response(&owner.limits.passing);
            connection.await
        }
    };
    match result {
        Err(_) if shutdown_view.has_write_timed_out() => owner.limits.counters.record(LimitKind::SlowReader),
        Err(error) if error.is_timeout() && shutdown_view.is_reading_head() => {
            owner.limits.counters.record(LimitKind::SlowHead);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_kept_for_longer_than_a_jellyfin_keeps_it() {
        assert!(HEAD_TIMEOUT > Duration::from_secs(130));
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_peer() {
        let network = |text: &str| client_network(text.parse().expect("an address")).to_string();
        assert_eq!(network("192.168.1.7"), "192.168.1.7");
        assert_eq!(network("::ffff:192.168.1.7"), "192.168.1.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }
}
