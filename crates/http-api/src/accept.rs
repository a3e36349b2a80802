//! A listener: client connections, and the requests on them.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use greenroom_http_server::accept::{self, ListenerOwner};
use greenroom_http_server::interim::InterimSender;
use greenroom_http_server::server_certificate::ServerCertificate;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api_server::ApiServer;
use crate::{dispatch, fast_path, prober};

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
    let owner = ListenerOwner {
        server: server.name().into(),
        clock: server.clock.clone(),
        tasks: server.tasks.clone(),
        stop: server.stop.clone(),
        draining,
        limits: Arc::clone(&server.limits),
        trusted_proxies: server.settings.listener_limits.trusted_proxies.clone(),
        certificate,
        fast_path: fast_path::of(&server),
    };
    accept::serve(owner, listener, move |_, request, connection| {
        let server = Arc::clone(&server);
        async move {
            // The task that writes to this connection is the one that polls this.
            let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
            let interim = InterimSender::new(Arc::clone(&connection), waker);
            dispatch::handle(server, request, &connection, interim).await
        }
    })
    .await;
}
