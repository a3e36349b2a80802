//! A listener: accepts client connections, serves their requests, shuts down gracefully.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use greenroom_http_server::concurrency_limit::ConcurrencyLimitError;
use greenroom_http_server::connection::{ClientConnection, ClientStream};
use greenroom_http_server::interim::InterimSender;
use greenroom_http_server::limits::LimitKind;
use greenroom_http_server::server_certificate::ServerCertificate;
use http::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::api_server::ApiServer;
use crate::{dispatch, prober};

/// Timeout for a request head and for an idle connection before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(135);
/// Longest request head.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Pause after a failed `accept`.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Response to a connection over the limit.
const OVERLOADED_RESPONSE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Serves clients of `server` until stopped, over TLS if there is a certificate, and probes the server while it is down.
/// Once `draining`, it accepts no connection, and each response asks its client to reconnect.
pub async fn serve(
    server: Arc<ApiServer>,
    listener: TcpListener,
    certificate: Option<Arc<ServerCertificate>>,
    draining: CancellationToken,
) {
    let probed = Arc::clone(&server);
    server.tasks.spawn(async move { prober::run(&probed).await });
    loop {
        let accepted = tokio::select! {
            () = server.stop.cancelled() => return,
            () = draining.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => admit_connection(&server, stream, peer, certificate.clone(), draining.clone()),
            Err(error) => {
                tracing::warn!(server = server.name(), %error, "connection not accepted");
                server.clock.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit_connection(
    server: &Arc<ApiServer>,
    stream: TcpStream,
    peer: SocketAddr,
    certificate: Option<Arc<ServerCertificate>>,
    draining: CancellationToken,
) {
    // A trusted proxy carries many clients.
    let is_proxy = server.settings.listener_limits.trusted_proxies.contain(peer.ip());
    let permit = server.limits.connections.try_acquire((!is_proxy).then(|| peer.ip().to_canonical()));
    let permit = match permit {
        Ok(permit) => permit,
        Err(full) => {
            server.limits.counters.record(match full {
                ConcurrencyLimitError::Total => LimitKind::Connections,
                ConcurrencyLimitError::PerClient => LimitKind::ConnectionsPerPeer,
            });
            let _ = stream.try_write(OVERLOADED_RESPONSE); // best effort: the connection closes anyway
            return;
        }
    };
    let _ = stream.set_nodelay(true);
    let client = Arc::clone(server);
    server.tasks.spawn(async move {
        let _permit = permit;
        let Some(certificate) = certificate else { return serve_connection(client, stream, draining).await };
        let handshake = tokio::select! {
            () = client.stop.cancelled() => return,
            handshake = certificate.accept(stream) => handshake,
        };
        match handshake {
            Ok(stream) => serve_connection(client, stream, draining).await,
            Err(error) => tracing::debug!(server = client.name(), %error, "TLS handshake failed"),
        }
    });
}

async fn serve_connection(
    server: Arc<ApiServer>,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    draining: CancellationToken,
) {
    let (stop, owner) = (server.stop.clone(), Arc::clone(&server));
    let connection = Arc::new(ClientConnection::new());
    let view = Arc::clone(&connection);
    let stream = ClientStream::new(stream, server.clock.clone(), Arc::clone(&connection));
    let service = service_fn(move |request| {
        let (server, connection, draining) = (Arc::clone(&server), Arc::clone(&connection), draining.clone());
        async move {
            // The task that writes to this connection is the one that polls this.
            let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
            let interim = InterimSender::new(Arc::clone(&connection), waker);
            let mut response = dispatch::handle(server, request, &connection, interim).await;
            if draining.is_cancelled() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            view.set_last_response(&owner.limits.passing);
            connection.await
        }
    };
    match result {
        Err(_) if view.has_write_timed_out() => owner.limits.counters.record(LimitKind::SlowReader),
        Err(error) if error.is_timeout() && view.is_reading_head() => owner.limits.counters.record(LimitKind::SlowHead),
        _ => {}
    }
}
