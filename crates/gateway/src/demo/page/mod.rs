//! The demo's page: a listener of its own on this machine, and nothing that another machine or another page could use.
//!
//! - `gate`: who may ask here. `answers`: what is answered. The document, its style and its script lie beside them.

mod answers;
mod gate;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::board::Board;

/// Connections at a time. One more waits to be accepted.
const MAX_CONNECTIONS: usize = 64;
/// How long a client may take to send the head of a request; an idle connection ends after it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest head of a request.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// After a connection could not be accepted (no file descriptors left), wait so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The page, as long as it is open.
#[derive(Debug)]
pub(super) struct Page {
    address: SocketAddr,
    stop: CancellationToken,
    door: JoinHandle<()>,
}

impl Page {
    /// Opens it on a free port of this machine.
    pub(super) async fn open(board: &Arc<Board>, tasks: &TaskTracker) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("the demo's page cannot be opened: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| failed(&error))?;
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        let stop = CancellationToken::new();
        let pass = gate::Pass::new(address.port()).map_err(|error| failed(&error))?;
        let router = answers::router(Arc::clone(board), pass, stop.clone());
        let door = tasks.spawn(serve(listener, router, stop.clone()));
        Ok(Self { address, stop, door })
    }

    /// Where it is found.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes it. Nobody looks at the board any more when this returns.
    pub(super) async fn close(self) {
        self.stop.cancel();
        if let Err(error) = self.door.await {
            tracing::error!(%error, "the demo's page died");
        }
    }
}

async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = tasks.join_next() => {}
            accepted = listener.accept(), if tasks.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => drop(tasks.spawn(converse(stream, router.clone(), stop.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "a connection to the demo's page could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

async fn converse(stream: TcpStream, router: Router, stop: CancellationToken) {
    // Without this a small answer waits for the client's delayed acknowledgement.
    drop(stream.set_nodelay(true));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    drop(connection.await);
}
