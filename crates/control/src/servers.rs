//! The servers as they are shown: how each does, and what was counted of it.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use utoipa::ToSchema;

use super::prefetching::PrefetchFigures;
use crate::queue_stats::QueueFigures;
use crate::server_identity::Introduced;
use greenroom_config::Mode;
use greenroom_origin::breaker::Outcome;
use greenroom_origin::health::Health;
use greenroom_proxy::server::Server;
use greenroom_proxy::shadow::Report;

/// One server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(super) struct ServerFigures {
    pub(super) name: String,
    pub(super) kind: &'static str,
    /// Where apps find it: address and port of our listener.
    pub(super) listen: String,
    /// Whether apps are answered encrypted there.
    pub(super) encrypted: bool,
    pub(super) state: State,
    /// Whether it answers, and whether far slower than it usually does.
    pub(super) health: Health,
    /// How its reads are answered.
    pub(super) mode: Mode,
    /// What was observed, now or the last time.
    pub(super) observed: Option<Report>,
    /// Where its breaker stands.
    pub(super) breaker: &'static str,
    /// The outage, while it is down.
    pub(super) outage: Option<OutageFigures>,
    /// What the server calls itself.
    pub(super) title: Option<String>,
    pub(super) version: Option<String>,
    /// What is odd about it, in a sentence.
    pub(super) remark: Option<&'static str>,
    pub(super) last_answer_ms: Option<u64>,
    pub(super) last_failure_ms: Option<u64>,
    pub(super) last_asked_ms: Option<u64>,
    pub(super) asked: u64,
    pub(super) saved: u64,
    pub(super) requests_to_server: u64,
    pub(super) own: u64,
    pub(super) in_flight: usize,
    /// Bytes of request bodies held in memory now.
    pub(super) held_body_bytes: u64,
    /// Bodies of writes that are passed on while they arrive, now.
    pub(super) uploads: usize,
    pub(super) queue: QueueFigures,
    pub(super) prefetch: PrefetchFigures,
    pub(super) writes: u64,
    pub(super) streams: u64,
    pub(super) bypassed: u64,
    pub(super) unauthorised: u64,
    pub(super) refused: u64,
    /// Requests refused because it was down.
    pub(super) offline: u64,
    /// How often it went down.
    pub(super) outages: u64,
    /// How often it was asked whether it is back.
    pub(super) probes: u64,
    /// Times reads were let through before every event socket had attached again.
    pub(super) unattached: u64,
    /// Lists that came back so short that they were not believed.
    pub(super) doubted: u64,
    /// How often clients ran into a bound, by bound.
    pub(super) limits_reached: Vec<(&'static str, u64)>,
}

/// An outage under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct OutageFigures {
    /// When the first request failed.
    pub(super) since_ms: u64,
    /// When the server is tried next.
    pub(super) next_try_ms: u64,
    /// How it failed: `unreachable`, `unwilling` (it answers 502 to 504), `silent`; null if it was down at the start.
    pub(super) why: Option<&'static str>,
}

/// How a server does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Wellbeing)]
pub(super) enum State {
    /// The last thing heard of it was an answer.
    Well,
    /// The last thing that happened was that it did not answer, or not as itself.
    Unwell,
    /// Nothing was heard yet.
    #[default]
    Unknown,
}

impl State {
    /// How this server does.
    pub(super) fn of(server: &Server) -> Self {
        match server.origin.is_well() {
            Some(true) => Self::Well,
            Some(false) => Self::Unwell,
            None => Self::Unknown,
        }
    }
}

impl ServerFigures {
    /// Reads what was counted since start.
    pub(super) fn read(server: &Server, listen: String, introduced: &Introduced) -> Self {
        let counters = &server.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let moment = |counter: &AtomicU64| Some(read(counter)).filter(|at_ms| *at_ms > 0);
        let state = State::of(server);
        let breaker = server.origin.breaker.counts();
        let outage = server.origin.breaker.outage();
        let (title, version) = server.origin.title_and_version();
        Self {
            name: server.name().to_owned(),
            kind: server.origin.settings.kind.name(),
            listen,
            encrypted: server.origin.settings.shown.is_some(),
            state,
            health: Health::of(
                outage.is_some(),
                server.origin.is_well(),
                &server.origin.first_bytes.samples(),
                server.origin.clock.now_ms(),
            ),
            mode: server.mode(),
            observed: server.observed(),
            breaker: server.origin.breaker.state().name(),
            outage: outage.map(|outage| OutageFigures {
                since_ms: outage.since_ms,
                next_try_ms: outage.next_probe_ms,
                why: outage.why.and_then(Outcome::failure),
            }),
            title: introduced.title.clone().or(title),
            version: introduced.version.clone().or(version),
            remark: introduced.remark.filter(|_| state != State::Well),
            last_answer_ms: moment(&server.origin.counters.last_success_ms),
            last_failure_ms: moment(&server.origin.counters.last_failure_ms),
            last_asked_ms: moment(&counters.last_asked_ms),
            asked: read(&counters.asked),
            saved: read(&counters.saved),
            requests_to_server: server.origin.client.requests(),
            own: read(&server.origin.counters.own),
            in_flight: server.origin.client.in_flight(),
            held_body_bytes: server.limits.bodies.held(),
            uploads: server.limits.uploads.taken(),
            queue: QueueFigures::read(&server.origin.queue),
            prefetch: PrefetchFigures::read(server),
            writes: read(&counters.writes),
            streams: read(&counters.streams),
            bypassed: read(&counters.bypassed),
            unauthorised: read(&counters.unauthorised),
            refused: read(&counters.refused),
            offline: read(&counters.offline),
            outages: breaker.opened,
            probes: breaker.probes,
            unattached: breaker.unattached,
            doubted: server.doubts.counted(),
            limits_reached: server.limits.bounds.reached(),
        }
    }

    /// What was counted since it stood so.
    pub(super) fn since(&self, before: &Self) -> Self {
        let less = |pick: fn(&Self) -> u64| pick(self).saturating_sub(pick(before));
        Self {
            asked: less(|server| server.asked),
            saved: less(|server| server.saved),
            requests_to_server: less(|server| server.requests_to_server),
            own: less(|server| server.own),
            writes: less(|server| server.writes),
            streams: less(|server| server.streams),
            bypassed: less(|server| server.bypassed),
            unauthorised: less(|server| server.unauthorised),
            queue: self.queue.since(&before.queue),
            prefetch: self.prefetch.since(&before.prefetch),
            refused: less(|server| server.refused),
            offline: less(|server| server.offline),
            outages: less(|server| server.outages),
            probes: less(|server| server.probes),
            unattached: less(|server| server.unattached),
            doubted: less(|server| server.doubted),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_words() {
        for (state, word) in [(State::Well, "well"), (State::Unwell, "unwell"), (State::Unknown, "unknown")] {
            assert_eq!(serde_json::to_value(state).expect("a word"), word);
        }
    }
}
