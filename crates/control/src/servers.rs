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
pub(super) struct ServerStats {
    pub(super) name: String,
    pub(super) kind: &'static str,
    /// Address and port of the listener for apps.
    pub(super) listen: String,
    /// True if apps connect to it over TLS.
    pub(super) encrypted: bool,
    pub(super) state: ServerStatus,
    /// Whether it responds, and whether far slower than usual.
    pub(super) health: Health,
    /// Its cache mode.
    pub(super) mode: CacheMode,
    /// Results of observe mode, current or last.
    pub(super) observed: Option<ShadowReport>,
    /// State of its circuit breaker.
    pub(super) breaker: &'static str,
    /// The current outage.
    pub(super) outage: Option<OutageStatus>,
    /// The name it reports.
    pub(super) title: Option<String>,
    pub(super) version: Option<String>,
    /// A remark on anything unusual, as a sentence.
    pub(super) remark: Option<&'static str>,
    pub(super) last_answer_ms: Option<u64>,
    pub(super) last_failure_ms: Option<u64>,
    pub(super) last_asked_ms: Option<u64>,
    pub(super) asked: u64,
    /// Of them, those answered before they were parsed.
    pub(super) fast_path: u64,
    pub(super) saved: u64,
    pub(super) requests_to_server: u64,
    pub(super) own: u64,
    pub(super) in_flight: usize,
    /// Bytes of request bodies held in memory now.
    pub(super) held_body_bytes: u64,
    /// Write bodies being forwarded while they arrive.
    pub(super) uploads: usize,
    pub(super) queue: QueueStats,
    pub(super) prefetch: ServerPrefetchStats,
    pub(super) writes: u64,
    pub(super) streams: u64,
    pub(super) bypassed: u64,
    pub(super) unauthorised: u64,
    pub(super) refused: u64,
    /// Requests rejected because it was down.
    pub(super) offline: u64,
    /// Number of outages.
    pub(super) outages: u64,
    /// Number of probes.
    pub(super) probes: u64,
    /// Times reads were allowed before every event socket had reconnected.
    pub(super) unattached: u64,
    /// Lists rejected by the shrink guard.
    pub(super) doubted: u64,
    /// Times clients reached a limit, by limit.
    pub(super) limits_reached: Vec<(&'static str, u64)>,
}

/// A current outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct OutageStatus {
    /// When the first request failed.
    pub(super) since_ms: u64,
    /// Time of the next probe.
    pub(super) next_try_ms: u64,
    /// How it failed: `unreachable`, `unwilling` (it answers 502 to 504), `silent`; null if it was down at the start.
    pub(super) why: Option<&'static str>,
}

/// State of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Wellbeing)]
pub(super) enum ServerStatus {
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
    pub(super) fn from_server(server: &Server) -> Self {
        match server.origin.is_responding() {
            Some(true) => Self::Well,
            Some(false) => Self::Unwell,
            None => Self::Unknown,
        }
    }
}

impl ServerStats {
    /// Counters since start.
    pub(super) fn from_server(server: &Server, listen: String, identity: &ServerIdentitySummary) -> Self {
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
            limits_reached: server.limits.counters.counts(),
        }
    }

    /// The difference from an earlier snapshot.
    pub(super) fn since(&self, before: &Self) -> Self {
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
