//! Servers of any HTTP API, in the shapes of the media servers: statistics, apps, observations, warnings.
//!
//! Modules: `route_warnings` (what would be worth a route, a used-up budget), `observed` (results of observe mode).

mod observed;
mod route_warnings;

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_http_api::ApiServer;
use greenroom_origin::breaker::UpstreamOutcome;
use greenroom_origin::client_apps::ClientApps;
use greenroom_origin::health::Health;

use crate::apps::AppStats;
use crate::outage_warning;
use crate::prefetch_stats::ServerPrefetchStats;
use crate::queue_stats::QueueStats;
use crate::servers::{OutageStatus, ServerStats, ServerStatus};
use crate::snapshot::ServerWarning;

/// Name of the kind of these servers.
const KIND: &str = "http";

/// One configured server of any HTTP API.
#[derive(Debug)]
pub struct ManagedApi {
    /// The server.
    pub server: Arc<ApiServer>,
    pub(crate) listen: SocketAddr,
}

impl ManagedApi {
    /// Its state.
    pub fn status(&self) -> ServerStatus {
        let counters = &self.server.counters;
        let (good_ms, bad_ms) =
            (counters.last_success_ms.load(Ordering::Relaxed), counters.last_failure_ms.load(Ordering::Relaxed));
        match (good_ms, bad_ms) {
            (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH) => ServerStatus::Unknown,
            _ if good_ms >= bad_ms => ServerStatus::Well,
            _ => ServerStatus::Unwell,
        }
    }

    /// Counters since start.
    pub fn stats(&self) -> ServerStats {
        let (server, counters, status) = (&self.server, &self.server.counters, self.status());
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let time_ms =
            |time: &AtomicTimestamp| Some(time.load(Ordering::Relaxed).as_millis()).filter(|at_ms| *at_ms > 0);
        let (outage, breaker) = (server.breaker().outage(), server.breaker().counters());
        let (places, busy, waiting) = server.queue();
        let is_responding = (status != ServerStatus::Unknown).then_some(status == ServerStatus::Well);
        let now_ms = server.clock.now();
        ServerStats {
            name: server.name().to_owned(),
            kind: KIND,
            listen: self.listen.to_string(),
            encrypted: server.settings.certificate.is_some(),
            state: status,
            health: Health::evaluate(outage.is_some(), is_responding, &[], now_ms),
            mode: server.mode(),
            observed: observed::report(server, now_ms),
            breaker: server.breaker().state().name(),
            outage: outage.map(|outage| OutageStatus {
                since_ms: outage.since_ms.as_millis(),
                next_try_ms: outage.next_probe_ms.as_millis(),
                why: outage.cause.and_then(UpstreamOutcome::failure),
            }),
            title: Some(server.name().to_owned()),
            last_answer_ms: time_ms(&counters.last_success_ms),
            last_failure_ms: time_ms(&counters.last_failure_ms),
            last_asked_ms: time_ms(&counters.last_request_ms),
            asked: read(&counters.requests),
            fast_path: read(&counters.fast_path),
            saved: read(&counters.saved),
            requests_to_server: server.upstream_requests(),
            own: read(&counters.own),
            in_flight: server.client().in_flight(),
            queue: QueueStats { places, busy, waiting, ..QueueStats::default() },
            writes: read(&counters.writes),
            streams: read(&counters.passed),
            bypassed: read(&counters.bypassed),
            refused: read(&counters.refused),
            offline: read(&counters.offline),
            outages: breaker.opened,
            probes: breaker.probes,
            limits_reached: server.limits.counters.counts(),
            not_stored: server.storage_refusals().into_iter().map(|(reason, count)| (reason.name(), count)).collect(),
            prefetch: ServerPrefetchStats::from_api(server),
            ..ServerStats::default()
        }
    }

    /// Counters since start of all its apps.
    pub fn apps(&self) -> impl Iterator<Item = AppStats> {
        AppStats::from_apps(self.server.name().to_owned(), &self.server.apps)
    }

    /// Warnings about it.
    pub fn warnings(&self) -> impl Iterator<Item = ServerWarning> {
        let server = &self.server;
        let outage = outage_warning::find(server.breaker(), server.mode());
        let unstored = server.unstored_routes();
        let routes = unstored.iter().take(route_warnings::MAX_ROUTES).map(route_warnings::never_fresh);
        let budget = server.budget_wait().map(|wait| route_warnings::budget_used_up(server.settings.budget, wait));
        let all: Vec<_> = outage.into_iter().chain(budget).chain(routes).collect();
        all.into_iter().map(|warning| ServerWarning::new(Some(server.name()), warning))
    }

    /// Its apps.
    pub fn client_apps(&self) -> &ClientApps {
        &self.server.apps
    }
}
