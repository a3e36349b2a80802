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
use greenroom_origin::system_event::SystemEventListener;
use greenroom_origin::{Origin, prober};
use greenroom_proxy::http::byte_budget::BytePool;
use greenroom_proxy::http::server_certificate::ServerCertificate;
use greenroom_proxy::server::Server;
use greenroom_proxy::shadow::spot_checks::SpotChecker;
use greenroom_proxy::{accept, events, prefetch_worker, ttl_overrides, warm_restart};
use greenroom_sync::index;
use greenroom_sync::index::Libraries;

/// Time that clients wait at the start for a probe of a server that was down when the last process ended.
const WORD: Duration = Duration::from_secs(1);

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
        offer: &mut ListenerHandover,
    ) -> Result<Vec<ServerListener>, String> {
        let bodies = Arc::new(BytePool::new(settings.memory.max_held_body_bytes));
        let mut doors = Vec::new();
        for told in settings.servers.iter().cloned() {
            let place = format!("server \"{}\"", told.name);
            let listener = bind(told.listen, &place, sockets, offer).await?;
            let address = address_of(&listener)?;
            let shown = open_certificate(told.certificate.as_ref(), &place, &self.clock)?;
            let server = Arc::new(self.server(told, &bodies, &settings.statistics)?);
            doors.push(ServerListener { server, address, listener, certificate: shown });
        }
        Ok(doors)
    }

    fn server(
        &self,
        told: greenroom_config::ServerSettings,
        bodies: &Arc<BytePool>,
        spots: &greenroom_config::StatisticsSettings,
    ) -> Result<Server, String> {
        let mode = told.mode;
        let facts = SystemEventListener::new({
            let notices = Arc::clone(&self.notifier);
            move |fact| notices.notify(fact)
        });
        let (clock, tasks, stop) = (self.clock.clone(), self.tasks.clone(), self.stop.clone());
        let origin = Origin::new(told, clock, tasks, stop, facts)?;
        let mut server = Server::with_origin(origin, self.cache.clone(), self.secrets.clone());
        server.modes.bypasses = Arc::clone(&self.bypasses);
        server.share_bodies(bodies);
        server.known_tokens = self.state.known_tokens();
        server.recorders.otlp = Arc::clone(&self.traces);
        server.recorders.spot_checks = SpotChecker::new(spots.spot_check_one_in, spots.spot_checks_per_minute);
        self.state.restore(&server, self.has_store);
        restore_ttl_overrides(&server, &self.ttl_overrides);
        server.set_mode(mode);
        Ok(server)
    }

    /// Accepts clients of a server and starts its background work.
    pub(super) fn serve(&self, door: ServerListener, libraries: &Arc<Libraries>) {
        let ServerListener { server, listener, certificate: shown, .. } = door;
        self.tasks.spawn(prober::run(Arc::clone(&server.origin)));
        self.tasks.spawn(warm_restart::resume(Arc::clone(&server)));
        self.tasks.spawn(listen(Arc::clone(&server), listener, shown, self.leaving.clone()));
        self.tasks.spawn(prefetch_worker::run(Arc::clone(&server)));
        self.tasks.spawn(index::run(Arc::clone(&server), Arc::clone(libraries)));
        self.tasks.spawn(events::subscribe(server));
    }
}

/// Restores TTL overrides set in an earlier process.
fn restore_ttl_overrides(server: &Server, lifetimes: &ttl_overrides::TtlOverrideStore) {
    match lifetimes.read(server.name()) {
        Ok(all) => all.into_iter().for_each(|(class, said)| server.ttl_overrides.set(class, said)),
        Err(reason) => {
            tracing::warn!(server = server.name(), reason, "lifetimes that were said cannot be read");
        }
    }
}

/// Accepts clients once the state of a server that was down is known: otherwise reads that are not cached would be
/// rejected although the server is back.
async fn listen(
    server: Arc<Server>,
    listener: TcpListener,
    shown: Option<Arc<ServerCertificate>>,
    leaving: CancellationToken,
) {
    drop(server.origin.clock.timeout(WORD, server.origin.breaker.wait_judged()).await);
    accept::serve(server, listener, shown, leaving).await;
}

pub(super) fn open_certificate(
    files: Option<&CertificateFiles>,
    place: &str,
    clock: &Clock,
) -> Result<Option<Arc<ServerCertificate>>, String> {
    let Some(files) = files else { return Ok(None) };
    if let Some(warning) = files.warning() {
        tracing::warn!("{place}: {warning}");
    }
    let shown = ServerCertificate::open(files.clone(), clock.clone()).map_err(|reason| format!("{place}: {reason}"))?;
    Ok(Some(Arc::new(shown)))
}
