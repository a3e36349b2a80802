//! The door of the control plane: accepts connections, and ends them gracefully.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::gate::Peer;
use super::{Control, Plane, live, router};

/// Connections at a time. One more waits to be accepted.
const MAX_CONNECTIONS: usize = 256;
/// How long a client may take to send the head of a request; an idle connection ends after it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest head of a request.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Headers of a request at most.
const MAX_HEADERS: usize = 100;
/// After a connection could not be accepted (no file descriptors left), wait so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the control plane until it is stopped and the requests under way have ended.
pub async fn serve(control: Arc<Control>, listener: TcpListener, stop: CancellationToken) {
    let listen = match listener.local_addr() {
        Ok(listen) => listen,
        Err(error) => {
            tracing::error!(%error, "the control plane has no address, so it cannot check who calls it");
            return;
        }
    };
    let plane = Arc::new(Plane { control, listen, stop: stop.clone() });
    let router = router(Arc::clone(&plane));
    let mut tasks = JoinSet::new();
    tasks.spawn(live::tell(plane));
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = tasks.join_next() => note(ended),
            accepted = listener.accept(), if tasks.len() <= MAX_CONNECTIONS => match accepted {
                Ok((stream, peer)) => {
                    tasks.spawn(converse(router.clone(), stream, peer, stop.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection to the control plane could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while let Some(ended) = tasks.join_next().await {
        note(ended);
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a task of the control plane died");
    }
}

async fn converse(router: Router, stream: TcpStream, peer: SocketAddr, stop: CancellationToken) {
    // Without this a small answer waits for the client's delayed acknowledgement.
    drop(stream.set_nodelay(true));
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        service.call(request)
    });
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
