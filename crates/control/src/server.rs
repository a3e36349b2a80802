//! The door of the control plane: accepts connections, and ends them gracefully.

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

use super::{Control, Plane, live, router};
use crate::auth::middleware::Peer;
use crate::base_path;
use crate::base_path::Way;
use greenroom_proxy::http::server_certificate::Shown;
use greenroom_proxy::http::write_timeout::Taking;

/// Connections at a time. One more waits to be accepted.
const MAX_CONNECTIONS: usize = 256;
/// How long a client may take to send the head of a request; an idle connection ends after it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest head of a request.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Headers of a request at most.
const MAX_HEADERS: usize = 100;
/// How long a client may take nothing while something is to be said.
const PATIENCE: Duration = Duration::from_secs(30);
/// After a connection could not be accepted (no file descriptors left), wait so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the control plane, encrypted where there is a certificate to show,
/// until it is stopped and the requests under way have ended. Once `leaving`,
/// it accepts nobody more, and each response asks its client for a new connection.
pub async fn serve(
    control: Arc<Control>,
    listener: TcpListener,
    settings: greenroom_config::Control,
    shown: Option<Arc<Shown>>,
    (stop, leaving): (CancellationToken, CancellationToken),
) {
    let listen = match listener.local_addr() {
        Ok(listen) => listen,
        Err(error) => {
            tracing::error!(%error, "the control plane has no address, so it cannot check who calls it");
            return;
        }
    };
    let base_path: Arc<str> = settings.base_path.as_str().into();
    let plane = Arc::new(Plane { control, settings, listen, stop: stop.clone() });
    let entrance = Entrance { router: router(Arc::clone(&plane)), base_path };
    let mut tasks = JoinSet::new();
    tasks.spawn(live::tell(plane));
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = leaving.cancelled() => break,
            Some(ended) = tasks.join_next() => note(ended),
            accepted = listener.accept(), if tasks.len() <= MAX_CONNECTIONS => match accepted {
                Ok((stream, peer)) => {
                    let ends = (stop.clone(), leaving.clone());
                    tasks.spawn(welcome(entrance.clone(), stream, peer, shown.clone(), ends));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection to the control plane could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    // What is under way ends when it is stopped.
    while let Some(ended) = tasks.join_next().await {
        note(ended);
    }
}

/// All paths, and the one before them.
#[derive(Clone)]
struct Entrance {
    router: Router,
    base_path: Arc<str>,
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a task of the control plane died");
    }
}

async fn welcome(
    entrance: Entrance,
    stream: TcpStream,
    address: SocketAddr,
    shown: Option<Arc<Shown>>,
    ends: (CancellationToken, CancellationToken),
) {
    // Without this a small answer waits for the client's delayed acknowledgement.
    drop(stream.set_nodelay(true));
    let Some(shown) = shown else {
        return converse(entrance, stream, Peer::new(address, false), ends).await;
    };
    let greeted = tokio::select! {
        () = ends.0.cancelled() => return,
        greeted = shown.greet(stream) => greeted,
    };
    match greeted {
        Ok(stream) => converse(entrance, stream, Peer::new(address, true), ends).await,
        Err(error) => tracing::debug!(%error, "a caller of the control plane does not agree on encryption"),
    }
}

async fn converse<S>(
    entrance: Entrance,
    stream: S,
    peer: Peer,
    (stop, leaving): (CancellationToken, CancellationToken),
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = TowerToHyperService::new(entrance.router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let way = base_path::way(request.uri(), &entrance.base_path);
        let mut peer = peer;
        if let Way::Below(target) = &way {
            *request.uri_mut() = target.clone();
            peer.came_below_base_path = true;
        }
        request.extensions_mut().insert(peer);
        let (service, base_path) = (service.clone(), Arc::clone(&entrance.base_path));
        let leaving = leaving.clone();
        async move {
            let response =
                if way == Way::NeedsSlash { Ok(with_slash(&base_path)) } else { service.call(request).await };
            response.map(|mut response| {
                if leaving.is_cancelled() {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                response
            })
        }
    });
    // Browsers live in the system's time, also where the demo has a quicker one.
    let stream = Taking::new(stream, Clock::system(), PATIENCE);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    drop(connection.await);
}

/// Leads to the page itself.
fn with_slash(base_path: &str) -> Response {
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    if let Ok(to) = format!("{base_path}/").parse() {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}
