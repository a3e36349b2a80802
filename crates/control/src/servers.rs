//! Statistics and state of each server.

use greenroom_cache::AtomicTimestamp;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use utoipa::ToSchema;

use crate::counters::since;
use crate::prefetch_stats::ServerPrefetchStats;
use crate::queue_stats::QueueStats;
use crate::server_identity::ServerIdentitySummary;
use greenroom_config::CacheMode;
use greenroom_dashboard::stats::health_of;
use greenroom_origin::breaker::UpstreamOutcome;
use greenroom_origin::health::Health;
use greenroom_proxy::server::Server;
use greenroom_proxy::shadow::ShadowReport;

/// One server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct ServerStats {
    /// Name of the server.
    pub name: String,
    /// plex, jellyfin or http
    pub kind: &'static str,
    /// Address and port of the listener for apps.
    pub listen: String,
    /// True if apps connect to it over TLS.
    pub encrypted: bool,
    /// Its state.
    pub state: ServerStatus,
    /// Whether it responds, and whether far slower than usual.
    pub health: Health,
    /// Its cache mode.
    pub mode: CacheMode,
    /// Results of observe mode, current or last.
    pub observed: Option<ShadowReport>,
    /// State of its circuit breaker.
    pub breaker: &'static str,
    /// The current outage.
    pub outage: Option<OutageStatus>,
    /// The name it reports.
    pub title: Option<String>,
    /// The version it reported.
    pub version: Option<String>,
    /// A remark on anything unusual, as a sentence.
    pub remark: Option<&'static str>,
    /// Time of its last response.
    pub last_answer_ms: Option<u64>,
    /// Time of its last failure.
    pub last_failure_ms: Option<u64>,
    /// Time of the last request to it.
    pub last_asked_ms: Option<u64>,
    /// Requests of apps.
    pub asked: u64,
    /// Of them, those answered before they were parsed.
    pub fast_path: u64,
    /// Requests of apps answered without the server.
    pub saved: u64,
    /// Requests to the server, own ones included.
    pub requests_to_server: u64,
    /// Greenroom's own requests to the server.
    pub own: u64,
    /// Requests at the server now.
    pub in_flight: usize,
    /// Bytes of request bodies held in memory now.
    pub held_body_bytes: u64,
    /// Write bodies being forwarded while they arrive.
    pub uploads: usize,
    /// Its queue.
    pub queue: QueueStats,
    /// Requests ahead of the apps.
    pub prefetch: ServerPrefetchStats,
    /// Writes of apps.
    pub writes: u64,
    /// Streams and files passed through.
    pub streams: u64,
    /// Reads that bypassed the cache.
    pub bypassed: u64,
    /// Requests without a token where one is needed.
    pub unauthorised: u64,
    /// Requests rejected by the gateway.
    pub refused: u64,
    /// Requests rejected because it was down.
    pub offline: u64,
    /// Number of outages.
    pub outages: u64,
    /// Number of probes.
    pub probes: u64,
    /// Times reads were allowed before every event socket had reconnected.
    pub unattached: u64,
    /// Lists rejected by the shrink guard.
    pub doubted: u64,
    /// Times clients reached a limit, by limit.
    pub limits_reached: Vec<(&'static str, u64)>,
    /// Responses of an HTTP API that were not stored, by reason. For the metrics only.
    #[serde(skip)]
    pub not_stored: Vec<(&'static str, u64)>,
}

/// A current outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct OutageStatus {
    /// When the first request failed.
    pub(crate) since_ms: u64,
    /// Time of the next probe.
    pub(crate) next_try_ms: u64,
    /// Kind of the failure: `unreachable`, `unwilling` (it answers 502 to 504), `silent`; null if it was down at the
    /// start.
    pub(crate) why: Option<&'static str>,
}

/// State of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Wellbeing)]
pub enum ServerStatus {
    /// It responded last time.
    Well,
    /// It last failed to respond, or responded as something else.
    Unwell,
    /// Not contacted yet.
    #[default]
    Unknown,
}

impl ServerStatus {
    /// The state of this server.
    pub fn from_server(server: &Server) -> Self {
        match server.origin.is_responding() {
            Some(true) => Self::Well,
            Some(false) => Self::Unwell,
            None => Self::Unknown,
        }
    }
}

impl ServerStats {
    /// Counters since start.
    pub fn from_server(server: &Server, listen: String, identity: &ServerIdentitySummary) -> Self {
        let counters = &server.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let time_ms =
            |time: &AtomicTimestamp| Some(time.load(Ordering::Relaxed).as_millis()).filter(|at_ms| *at_ms > 0);
        let state = ServerStatus::from_server(server);
        let breaker = server.origin.breaker.counters();
        let outage = server.origin.breaker.outage();
        let (title, version) = server.origin.title_and_version();
        Self {
            name: server.name().to_owned(),
            kind: server.origin.settings.kind.name(),
            listen,
            encrypted: server.origin.settings.certificate.is_some(),
            state,
            health: health_of(server, server.origin.clock.now()),
            mode: server.mode(),
            observed: server.shadow_report(),
            breaker: server.origin.breaker.state().name(),
            outage: outage.map(|outage| OutageStatus {
                since_ms: outage.since_ms.as_millis(),
                next_try_ms: outage.next_probe_ms.as_millis(),
                why: outage.cause.and_then(UpstreamOutcome::failure),
            }),
            title: identity.title.clone().or(title),
            version: identity.version.clone().or(version),
            remark: identity.remark.filter(|_| state != ServerStatus::Well),
            last_answer_ms: time_ms(&server.origin.counters.last_success_ms),
            last_failure_ms: time_ms(&server.origin.counters.last_failure_ms),
            last_asked_ms: time_ms(&counters.last_request_ms),
            asked: read(&counters.requests),
            fast_path: read(&counters.fast_path),
            saved: read(&counters.saved),
            requests_to_server: server.origin.client.requests(),
            own: read(&server.origin.counters.own),
            in_flight: server.origin.client.in_flight(),
            held_body_bytes: server.limits.bodies.held(),
            uploads: server.limits.uploads.in_use(),
            queue: QueueStats::from_queue(&server.origin.queue),
            prefetch: ServerPrefetchStats::from_server(server),
            writes: read(&counters.writes),
            streams: read(&counters.streams),
            bypassed: read(&counters.bypassed),
            unauthorised: read(&counters.unauthorised),
            refused: read(&counters.refused),
            offline: read(&counters.offline),
            outages: breaker.opened,
            probes: breaker.probes,
            unattached: breaker.unattached,
            doubted: server.shrink_guard.rejected(),
            not_stored: Vec::new(),
            limits_reached: server.limits.counters.counts(),
        }
    }

    /// The difference from an earlier snapshot.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let stats = since!(
            self, before;
            asked fast_path saved requests_to_server own writes streams bypassed unauthorised refused offline outages
            probes unattached doubted
        );
        let (queue, prefetch) = (self.queue.since(&before.queue), self.prefetch.since(&before.prefetch));
        Self { queue, prefetch, ..stats }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_states_serialize_to_their_names() {
        for (state, name) in
            [(ServerStatus::Well, "well"), (ServerStatus::Unwell, "unwell"), (ServerStatus::Unknown, "unknown")]
        {
            assert_eq!(serde_json::to_value(state).expect("a string"), name);
        }
    }
}
