//! A listener: accepts client connections, serves their requests, shuts down gracefully.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_config::Networks;
use greenroom_origin::body::Body;
use http::header::{CONNECTION, EXPECT, HeaderValue, UPGRADE};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client_limits::ClientLimits;
use crate::client_network::client_network;
use crate::concurrency_limit::{ConcurrencyLimitError, ConcurrencyPermit};
use crate::connection::{BodyFraming, ClientConnection, ClientStream, FastPath, PARSER_TURN_US};
use crate::limits::LimitKind;
use crate::server_certificate::ServerCertificate;

/// Timeout for a request head and for an idle connection before it. Longer than a Jellyfin's 130 s, so that no client
/// meets a connection that is being closed earlier than the server itself would.
///
/// It runs since the parser read its last request, so it is as much longer as that may be before the last response.
const HEAD_TIMEOUT: Duration = Duration::from_micros(135_000_000 + PARSER_TURN_US);
/// Longest request head; a longer one gets 414 or 431.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Pause after a failed `accept` (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Response to a connection over the limit. Written once, without waiting for it to be read.
const OVERLOADED_RESPONSE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Owner of a listener's connections; they end with it.
#[derive(Debug, Clone)]
pub struct ListenerOwner {
    /// Name of the server, for the log.
    pub server: Arc<str>,
    /// The clock of the process.
    pub clock: Clock,
    /// Tracks the task of each connection.
    pub tasks: TaskTracker,
    /// Stops accepting, and ends connections after their current response.
    pub stop: CancellationToken,
    /// Stops accepting; each response asks its client to reconnect.
    pub draining: CancellationToken,
    /// Limits on connections.
    pub limits: Arc<ClientLimits>,
    /// Peers that carry many clients, so that the limit per client is not theirs.
    pub trusted_proxies: Networks,
    /// Certificate, if connections are encrypted.
    pub certificate: Option<Arc<ServerCertificate>>,
    /// Answers requests before they are parsed, if any are.
    pub fast_path: Option<FastPath>,
}

/// Accepts connections until stopped or draining, and answers their requests with `handle`, whose task is the
/// connection's.
pub async fn serve<H, F>(owner: ListenerOwner, listener: TcpListener, handle: H)
where
    H: Fn(SocketAddr, Request<Incoming>, Arc<ClientConnection>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            () = owner.stop.cancelled() => return,
            () = owner.draining.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => admit_connection(&owner, stream, peer, handle.clone()),
            Err(error) => {
                tracing::warn!(server = &*owner.server, %error, "connection not accepted");
                owner.clock.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Acquires a permit for the connection, or rejects it.
fn admit_connection<H, F>(owner: &ListenerOwner, stream: TcpStream, peer: SocketAddr, handle: H)
where
    H: Fn(SocketAddr, Request<Incoming>, Arc<ClientConnection>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    match acquire_permit(owner, peer.ip()) {
        Ok(permit) => {
            let _ = stream.set_nodelay(true);
            let connection_owner = owner.clone();
            owner.tasks.spawn(async move {
                let _permit = permit;
                accept_encrypted(connection_owner, stream, peer, handle).await;
            });
        }
        Err(limit) => {
            owner.limits.counters.record(limit);
            tracing::debug!(server = &*owner.server, limit = limit.name(), "connection rejected: limit reached");
            let _ = stream.try_write(OVERLOADED_RESPONSE); // best effort: the connection closes anyway
        }
    }
}

fn acquire_permit(owner: &ListenerOwner, peer: IpAddr) -> Result<ConcurrencyPermit<IpAddr>, LimitKind> {
    let is_proxy = owner.trusted_proxies.contain(peer);
    owner.limits.connections.try_acquire((!is_proxy).then(|| client_network(peer))).map_err(|full| match full {
        ConcurrencyLimitError::Total => LimitKind::Connections,
        ConcurrencyLimitError::PerClient => LimitKind::ConnectionsPerPeer,
    })
}

async fn accept_encrypted<H, F>(owner: ListenerOwner, stream: TcpStream, peer: SocketAddr, handle: H)
where
    H: Fn(SocketAddr, Request<Incoming>, Arc<ClientConnection>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let Some(certificate) = owner.certificate.clone() else {
        return serve_connection(owner, stream, peer, handle).await;
    };
    let handshake = tokio::select! {
        () = owner.stop.cancelled() => return,
        handshake = certificate.accept(stream) => handshake,
    };
    match handshake {
        Ok(stream) => serve_connection(owner, stream, peer, handle).await,
        Err(error) => tracing::debug!(server = &*owner.server, %error, "TLS handshake failed"),
    }
}

async fn serve_connection<H, F>(
    owner: ListenerOwner,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: SocketAddr,
    handle: H,
) where
    H: Fn(SocketAddr, Request<Incoming>, Arc<ClientConnection>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let client_connection = Arc::new(ClientConnection::new());
    let endings = [owner.draining.clone(), owner.stop.clone()];
    let stream = ClientStream::new(stream, owner.clock.clone(), Arc::clone(&client_connection)).with_fast_path(
        owner.fast_path.clone(),
        owner.clock.clone(),
        endings,
    );
    let (view, draining) = (Arc::clone(&client_connection), owner.draining.clone());
    let service = service_fn(move |request| {
        let keeps_connection = keeps_connection(&request);
        let response = handle(peer, request, Arc::clone(&client_connection));
        let (draining, connection) = (draining.clone(), Arc::clone(&client_connection));
        async move {
            let mut response = response.await;
            if draining.is_cancelled() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            } else if keeps_connection && is_whole(&response) {
                connection.record_whole_response();
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
        () = owner.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            view.set_last_response(&owner.limits.passing);
            connection.await
        }
    };
    match result {
        // The parser takes a failed response of the fast path for the end of the connection.
        _ if view.has_write_timed_out() => owner.limits.counters.record(LimitKind::SlowReader),
        Err(error) if error.is_timeout() && view.is_reading_head() => owner.limits.counters.record(LimitKind::SlowHead),
        _ => {}
    }
}

/// Whether nothing of the request follows its head, and the next request may follow its response.
fn keeps_connection<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let is_keep_alive = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"keep-alive");
    request.version() == Version::HTTP_11
        && BodyFraming::from_headers(headers) == BodyFraming::Nothing
        && headers.get_all(CONNECTION).iter().all(is_keep_alive)
        && !headers.contains_key(UPGRADE)
        && !headers.contains_key(EXPECT)
}

/// Whether all of the response is there, and the connection stays open after it.
fn is_whole(response: &Response<Body>) -> bool {
    matches!(response.body(), Body::Whole(_))
        && !response.headers().contains_key(CONNECTION)
        && response.status() != StatusCode::SWITCHING_PROTOCOLS
}

#[cfg(test)]
mod fast_path_tests;

#[cfg(test)]
mod tests {
    use greenroom_config::{ConfigSource, Settings};

    use super::*;

    pub(super) fn owner(lines: &str) -> ListenerOwner {
        let mut source = ConfigSource::default();
        let (first, lines) = lines.split_once('\n').unwrap_or_default();
        let server = "[[server]]\nname = \"api\"\nkind = \"http\"\nurl = \"http://127.0.0.1:1\"\n";
        source.add_toml("test.toml", &format!("{first}\n{server}{lines}"));
        let settings = Settings::read(source).expect("valid settings").http_apis.remove(0).listener_limits;
        ListenerOwner {
            server: "api".into(),
            clock: Clock::system(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            draining: CancellationToken::new(),
            limits: Arc::new(ClientLimits::new(&settings)),
            trusted_proxies: settings.trusted_proxies,
            certificate: None,
            fast_path: None,
        }
    }

    #[test]
    fn an_idle_connection_is_kept_for_longer_than_a_jellyfin_keeps_it() {
        assert!(HEAD_TIMEOUT > Duration::from_secs(130) + Duration::from_micros(PARSER_TURN_US));
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_share_one_limit() {
        let owner = owner("trusted_proxies = [\"192.168.1.1/32\"]\nmax_connections_per_peer = 2\n");
        let permit = |peer: &str| acquire_permit(&owner, peer.parse().expect("an address"));
        let held = [permit("2001:db8:1:2::1"), permit("2001:db8:1:2::2")];
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(permit("2001:db8:1:2:ffff::3").expect_err("two are in use"), LimitKind::ConnectionsPerPeer);
        assert!(permit("2001:db8:1:3::1").is_ok());
        let proxied: Vec<_> = (0..5).map(|_| permit("192.168.1.1")).collect();
        assert!(proxied.iter().all(Result::is_ok), "a trusted proxy carries many clients");
    }
}
