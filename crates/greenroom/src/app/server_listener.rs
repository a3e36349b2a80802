//! A media server with its listener.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Clock;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::ProcessContext;
use crate::takeover::listening::{address_of, bind};
use crate::takeover::{InheritedListeners, ListenerHandover};
use greenroom_config::Settings;
use greenroom_config::certificate_files::CertificateFiles;
use greenroom_http_server::byte_budget::BytePool;
use greenroom_http_server::server_certificate::ServerCertificate;
use greenroom_origin::system_event::SystemEventListener;
use greenroom_origin::{Origin, prober};
use greenroom_proxy::server::Server;
use greenroom_proxy::shadow::spot_checks::SpotChecker;
use greenroom_proxy::{accept, feed_worker, prefetch_worker, ttl_overrides, warm_restart};
use greenroom_sync::index;
use greenroom_sync::index::Libraries;

/// Time that clients wait at the start for a probe of a server that was down when the last process ended.
const BREAKER_TIMEOUT: Duration = Duration::from_secs(1);

/// A media server and the listener for its clients.
pub(super) struct ServerListener {
    pub(super) server: Arc<Server>,
    pub(super) address: SocketAddr,
    listener: TcpListener,
    pub(super) certificate: Option<Arc<ServerCertificate>>,
}

impl ProcessContext {
    /// Opens every media server with its listener, in configuration order. No connection is accepted yet.
    pub(super) async fn open_listeners(
        &self,
        settings: &Settings,
        sockets: &mut InheritedListeners,
        handover: &mut ListenerHandover,
    ) -> Result<Vec<ServerListener>, String> {
        let bodies = Arc::new(BytePool::new(settings.memory.max_held_body_bytes));
        let mut server_listeners = Vec::new();
        for server_settings in settings.servers.iter().cloned() {
            let name = format!("server \"{}\"", server_settings.name);
            let listener = bind(server_settings.listen, &name, sockets, handover).await?;
            let address = address_of(&listener)?;
            let certificate = open_certificate(server_settings.certificate.as_ref(), &name, &self.clock)?;
            let server = Arc::new(self.server(server_settings, &bodies, &settings.statistics)?);
            server_listeners.push(ServerListener { server, address, listener, certificate });
        }
        Ok(server_listeners)
    }

    fn server(
        &self,
        server_settings: greenroom_config::ServerSettings,
        bodies: &Arc<BytePool>,
        statistics: &greenroom_config::StatisticsSettings,
    ) -> Result<Server, String> {
        let mode = server_settings.mode;
        let event_listener = SystemEventListener::new({
            let notifier = Arc::clone(&self.notifier);
            move |event| notifier.notify(event)
        });
        let (clock, tasks, stop) = (self.clock.clone(), self.tasks.clone(), self.stop.clone());
        let origin = Origin::new(server_settings, clock, tasks, stop, event_listener)?;
        let server = Server::with_origin(origin, self.cache.clone(), self.secrets.clone());
        let mut server = server.with_device_of(self.own_key);
        server.modes.bypasses = Arc::clone(&self.bypasses);
        server.share_bodies(bodies);
        server.known_tokens = self.state.known_tokens();
        server.recorders.otlp = Arc::clone(&self.traces);
        server.recorders.spot_checks =
            SpotChecker::new(statistics.spot_check_one_in, statistics.spot_checks_per_minute);
        self.state.restore(&server, self.has_store);
        restore_ttl_overrides(&server, &self.ttl_overrides);
        server.set_mode(mode);
        Ok(server)
    }

    /// Accepts clients of a server and starts its background work.
    pub(super) fn serve(&self, server_listener: ServerListener, libraries: &Arc<Libraries>) {
        let ServerListener { server, listener, certificate, .. } = server_listener;
        self.tasks.spawn(prober::run(Arc::clone(&server.origin)));
        self.tasks.spawn(warm_restart::resume(Arc::clone(&server)));
        self.tasks.spawn(listen(Arc::clone(&server), listener, certificate, self.draining.clone()));
        self.tasks.spawn(prefetch_worker::run(Arc::clone(&server)));
        self.tasks.spawn(index::run(Arc::clone(&server), Arc::clone(libraries)));
        self.tasks.spawn(feed_worker::run(server));
    }
}

/// Restores TTL overrides set in an earlier process.
fn restore_ttl_overrides(server: &Server, store: &ttl_overrides::TtlOverrideStore) {
    match store.read(server.name()) {
        Ok(overrides) => overrides.into_iter().for_each(|(class, ttl)| server.ttl_overrides.set(class, ttl)),
        Err(reason) => {
            tracing::warn!(
                server = server.name(),
                reason,
                "stored TTL overrides cannot be read; the configured TTL policies apply"
            );
        }
    }
}

/// Accepts clients once the state of a server that was down is known: otherwise reads that are not cached would be
/// rejected although the server is back.
async fn listen(
    server: Arc<Server>,
    listener: TcpListener,
    certificate: Option<Arc<ServerCertificate>>,
    draining: CancellationToken,
) {
    let _ = server.origin.clock.timeout(BREAKER_TIMEOUT, server.origin.breaker.wait_probed()).await; // It listens in any case.
    accept::serve(server, listener, certificate, draining).await;
}

pub(super) fn open_certificate(
    files: Option<&CertificateFiles>,
    name: &str,
    clock: &Clock,
) -> Result<Option<Arc<ServerCertificate>>, String> {
    let Some(files) = files else { return Ok(None) };
    if let Some(warning) = files.warning() {
        tracing::warn!("{name}: {warning}");
    }
    let certificate =
        ServerCertificate::open(files.clone(), clock.clone()).map_err(|reason| format!("{name}: {reason}"))?;
    Ok(Some(Arc::new(certificate)))
}
