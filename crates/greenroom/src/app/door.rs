//! A media server with its listener.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Clock;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Base;
use crate::takeover::listening::{address_of, bind};
use crate::takeover::{Offer, Sockets};
use greenroom_config::Settings;
use greenroom_config::certificate_files::Files;
use greenroom_origin::fact::FactListener;
use greenroom_origin::{Origin, breaker};
use greenroom_proxy::http::byte_budget::Pool;
use greenroom_proxy::http::server_certificate::Shown;
use greenroom_proxy::server::Server;
use greenroom_proxy::shadow::spot_checks::Spots;
use greenroom_proxy::{accept, events, prefetch_worker, ttl_overrides, warm_restart};
use greenroom_sync::index;
use greenroom_sync::index::Libraries;

/// For so long clients wait at the start for word of a server that was down when the last process ended.
const WORD: Duration = Duration::from_secs(1);

/// A media server, and where its clients come in.
pub(super) struct Door {
    pub(super) server: Arc<Server>,
    pub(super) address: SocketAddr,
    listener: TcpListener,
    pub(super) shown: Option<Arc<Shown>>,
}

impl Base {
    /// Every media server with its listener, in the order they were written. No client is taken in yet.
    pub(super) async fn open_doors(
        &self,
        settings: &Settings,
        sockets: &mut Sockets,
        offer: &mut Offer,
    ) -> Result<Vec<Door>, String> {
        let bodies = Arc::new(Pool::new(settings.memory.max_held_body_bytes));
        let mut doors = Vec::new();
        for told in settings.servers.iter().cloned() {
            let place = format!("server \"{}\"", told.name);
            let listener = bind(told.listen, &place, sockets, offer).await?;
            let address = address_of(&listener)?;
            let shown = open_shown(told.shown.as_ref(), &place, &self.clock)?;
            let server = Arc::new(self.server(told, &bodies, &settings.statistics)?);
            doors.push(Door { server, address, listener, shown });
        }
        Ok(doors)
    }

    fn server(
        &self,
        told: greenroom_config::Server,
        bodies: &Arc<Pool>,
        spots: &greenroom_config::Statistics,
    ) -> Result<Server, String> {
        let mode = told.mode;
        let facts = FactListener::new({
            let notices = Arc::clone(&self.notices);
            move |fact| notices.tell(fact)
        });
        let (clock, tasks, stop) = (self.clock.clone(), self.tasks.clone(), self.stop.clone());
        let origin = Origin::new(told, clock, tasks, stop, facts)?;
        let mut server = Server::before(origin, self.cache.clone(), self.secrets.clone());
        server.modes.bypasses = Arc::clone(&self.bypasses);
        server.share_bodies(bodies);
        server.known_tokens = self.state.known_tokens();
        server.record.traces = Arc::clone(&self.traces);
        server.record.spots = Spots::new(spots.spot_check_one_in, spots.spot_checks_per_minute);
        self.state.restore(&server, self.has_store);
        take_up(&server, &self.lifetimes);
        server.turn_to(mode);
        Ok(server)
    }

    /// Takes clients of a server in, and does for it what is done without being asked.
    pub(super) fn serve(&self, door: Door, libraries: &Arc<Libraries>) {
        let Door { server, listener, shown, .. } = door;
        self.tasks.spawn(breaker::keep(Arc::clone(&server.origin)));
        self.tasks.spawn(warm_restart::resume(Arc::clone(&server)));
        self.tasks.spawn(listen(Arc::clone(&server), listener, shown, self.leaving.clone()));
        self.tasks.spawn(prefetch_worker::keep(Arc::clone(&server)));
        self.tasks.spawn(index::keep(Arc::clone(&server), Arc::clone(libraries)));
        self.tasks.spawn(events::follow(server));
    }
}

/// Lifetimes that an earlier process was told hold on.
fn take_up(server: &Server, lifetimes: &ttl_overrides::Book) {
    match lifetimes.read(server.name()) {
        Ok(all) => all.into_iter().for_each(|(class, said)| server.lifetimes.say(class, said)),
        Err(reason) => {
            tracing::warn!(server = server.name(), reason, "lifetimes that were said cannot be read");
        }
    }
}

/// Takes clients in, once it is known whether a server that was down still is: what is not kept would be refused to
/// them although it is back.
async fn listen(
    server: Arc<Server>,
    listener: TcpListener,
    shown: Option<Arc<Shown>>,
    leaving: CancellationToken,
) {
    drop(server.origin.clock.timeout(WORD, server.origin.breaker.is_judged()).await);
    accept::serve(server, listener, shown, leaving).await;
}

pub(super) fn open_shown(
    files: Option<&Files>,
    place: &str,
    clock: &Clock,
) -> Result<Option<Arc<Shown>>, String> {
    let Some(files) = files else { return Ok(None) };
    if let Some(warning) = files.warning() {
        tracing::warn!("{place}: {warning}");
    }
    let shown = Shown::open(files.clone(), clock.clone()).map_err(|reason| format!("{place}: {reason}"))?;
    Ok(Some(Arc::new(shown)))
}
