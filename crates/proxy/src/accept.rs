//! A listener: client connections, and the requests on them.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::dispatch;
use crate::read::fast_path;
use crate::server::Server;
use greenroom_http_server::accept::{self, ListenerOwner};
use greenroom_http_server::server_certificate::ServerCertificate;

/// Serves clients of `server` until stopped, over TLS if there is a certificate. Once `draining`, it accepts no
/// connection, and each response asks its client to reconnect.
pub async fn serve(
    server: Arc<Server>,
    listener: TcpListener,
    certificate: Option<Arc<ServerCertificate>>,
    draining: CancellationToken,
) {
    let owner = ListenerOwner {
        server: server.name().into(),
        clock: server.origin.clock.clone(),
        tasks: server.origin.tasks.clone(),
        stop: server.origin.stop.clone(),
        draining,
        limits: Arc::clone(&server.limits),
        trusted_proxies: server.origin.settings.listener_limits.trusted_proxies.clone(),
        certificate,
        fast_path: fast_path::of(&server),
    };
    accept::serve(owner, listener, move |peer, mut request, connection| {
        let server = Arc::clone(&server);
        async move {
            request.extensions_mut().insert(connection);
            dispatch::handle(server, peer, request).await
        }
    })
    .await;
}
