//! The control plane's HTTP server: accepts connections and shuts down gracefully.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse, Response};
use greenroom_cache::Clock;
use http::header::{CONNECTION, HeaderValue, LOCATION};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::base_path;
use crate::base_path::BasePathMatch;
use crate::live_api;
use crate::router::router;
use greenroom_control::ControlPlane;
use greenroom_control::auth::caller::ConnectionInfo;
use greenroom_control::connections::{AcceptedConnection, ConnectionTable};
use greenroom_control::state::ApiState;
use greenroom_http_server::server_certificate::ServerCertificate;
use greenroom_http_server::write_timeout::WriteTimeoutStream;

/// Time limit for a request head; also the idle timeout of a connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Maximum size of a request head.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Maximum number of request headers.
const MAX_HEADERS: usize = 100;
/// Write timeout: closes connections whose client stops reading.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Response to a connection over a limit. Written once, without waiting for it to be read.
const OVERLOADED_RESPONSE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
/// Pause after a failed accept, such as when no file descriptors are left.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the control plane, over TLS where a certificate is configured, until it is stopped and the requests in
/// progress have ended. Once `draining` is set, it accepts no new connections, and each response asks its client to
/// reconnect.
pub async fn serve(
    control: Arc<ControlPlane>,
    listener: TcpListener,
    settings: greenroom_config::ControlSettings,
    certificate: Option<Arc<ServerCertificate>>,
    (stop, draining): (CancellationToken, CancellationToken),
) {
    let listen = match listener.local_addr() {
        Ok(listen) => listen,
        Err(error) => {
            tracing::error!(%error, "the control plane's listener has no address, so hosts cannot be checked; the control plane is not served");
            return;
        }
    };
    let base_path: Arc<str> = settings.base_path.as_str().into();
    let connections = ConnectionTable::new(settings.clone());
    let state = Arc::new(ApiState { control, settings, listen, stop: stop.clone() });
    let routes = BasePathRouter { router: router(Arc::clone(&state)), base_path };
    let mut tasks = JoinSet::new();
    tasks.spawn(live_api::broadcast_stats(Arc::clone(&state)));
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = draining.cancelled() => break,
            Some(ended) = tasks.join_next() => log_task_end(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match connections.accept(peer.ip(), &state.control.connection_refusals) {
                    Ok(connection) => {
                        let shutdown = (stop.clone(), draining.clone());
                        let connection = (stream, peer, Arc::new(connection));
                        tasks.spawn(accept_connection(routes.clone(), connection, certificate.clone(), shutdown));
                    }
                    Err(bound) => {
                        tracing::debug!(limit = bound.name(), "connection to the control plane refused");
                        let _ = stream.try_write(OVERLOADED_RESPONSE); // best effort: the connection closes anyway
                    }
                },
                Err(error) => {
                    tracing::warn!(%error, "connection to the control plane not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    // Requests in progress finish after the stop.
    while let Some(ended) = tasks.join_next().await {
        log_task_end(ended);
    }
}

/// The routes and the base path before them.
#[derive(Clone)]
pub(crate) struct BasePathRouter {
    pub(crate) router: Router,
    pub(crate) base_path: Arc<str>,
}

pub(crate) fn log_task_end(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a task of the control plane panicked");
    }
}

async fn accept_connection(
    router: BasePathRouter,
    (stream, address, accepted): (TcpStream, SocketAddr, Arc<AcceptedConnection>),
    certificate: Option<Arc<ServerCertificate>>,
    shutdown: (CancellationToken, CancellationToken),
) {
    let _ = stream.set_nodelay(true); // an optimisation
    let Some(certificate) = certificate else {
        return serve_connection(router, stream, (ConnectionInfo::new(address, false), accepted), shutdown).await;
    };
    let handshake = tokio::select! {
        () = shutdown.0.cancelled() => return,
        () = accepted.closed() => return,
        handshake = certificate.accept(stream) => handshake,
    };
    match handshake {
        Ok(stream) => {
            serve_connection(router, stream, (ConnectionInfo::new(address, true), accepted), shutdown).await;
        }
        Err(error) => tracing::debug!(%error, "TLS handshake with a client of the control plane failed"),
    }
}

pub(crate) async fn serve_connection<S>(
    router: BasePathRouter,
    stream: S,
    (peer, accepted): (ConnectionInfo, Arc<AcceptedConnection>),
    (stop, draining): (CancellationToken, CancellationToken),
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = TowerToHyperService::new(router.router);
    let owner = Arc::clone(&accepted);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let busy = owner.begin_request();
        let path_match = base_path::match_base_path(request.uri(), &router.base_path);
        let mut peer = peer;
        if let BasePathMatch::Prefixed(target) = &path_match {
            *request.uri_mut() = target.clone();
            peer.is_under_base_path = true;
        }
        request.extensions_mut().insert(peer);
        let (service, base_path) = (service.clone(), Arc::clone(&router.base_path));
        let draining = draining.clone();
        async move {
            let response = if path_match == BasePathMatch::NeedsSlash {
                Ok(with_slash(&base_path))
            } else {
                service.call(request).await
            };
            response.map(|mut response| {
                if draining.is_cancelled() {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                busy.attach_to(response)
            })
        }
    });
    // Browsers live in system time, even where the demo runs on a faster clock.
    let stream = WriteTimeoutStream::new(stream, Clock::system(), WRITE_TIMEOUT);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = accepted.closed() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await; // the client's errors do not matter at shutdown
}

/// Redirects to the page itself.
fn with_slash(base_path: &str) -> Response {
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    if let Ok(location) = format!("{base_path}/").parse() {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Answers one request from `peer` without a connection, with this control plane.
pub async fn handle_request(
    control: Arc<ControlPlane>,
    settings: greenroom_config::ControlSettings,
    peer: SocketAddr,
    mut request: axum::extract::Request,
) -> Response {
    request.extensions_mut().insert(ConnectionInfo::new(peer, false));
    let listen = settings.listen;
    let state = Arc::new(ApiState { control, settings, listen, stop: CancellationToken::new() });
    let service = TowerToHyperService::new(router(state));
    service.call(request).await.unwrap_or_else(|never| match never {})
}
