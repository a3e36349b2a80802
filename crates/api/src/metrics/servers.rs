//! Metrics of each server: requests, queue, prefetch.

use std::fmt;

use crate::metrics::encoder::MetricsEncoder;
use greenroom_control::queue_stats::PriorityStats;
use greenroom_control::servers::{ServerStats, ServerStatus};
use greenroom_origin::breaker::BreakerState;

impl MetricsEncoder<'_> {
    pub(super) fn servers(&mut self, servers: &[ServerStats]) -> fmt::Result {
        type Getter = fn(&ServerStats) -> u64;
        let counters: [(&str, &str, Getter); 15] = [
            ("client_requests", "Requests of apps", |server| server.asked),
            ("client_requests_fast_path", "Requests of apps answered before they were parsed", |server| {
                server.fast_path
            }),
            ("client_requests_saved", "Requests answered without asking the server", |server| server.saved),
            ("upstream_requests", "Requests that reached the server, own requests included", |server| {
                server.requests_to_server
            }),
            ("upstream_own_requests", "Own requests to the server: no app waited for them", |server| server.own),
            ("writes", "Writes forwarded", |server| server.writes),
            ("streams", "Requests passed through", |server| server.streams),
            ("bypassed", "Reads forwarded because of observe mode or a bypass", |server| server.bypassed),
            ("unauthorised", "Requests without a token where one is needed", |server| server.unauthorised),
            ("refused", "Requests rejected by the gateway", |server| server.refused),
            ("offline_refused", "Requests rejected because the server was down", |server| server.offline),
            ("outages", "Outages of the server", |server| server.outages),
            ("probes", "Probes of the server", |server| server.probes),
            (
                "returns_unattached",
                "Times reads were allowed after an outage before all event sockets had reconnected",
                |server| server.unattached,
            ),
            ("lists_doubted", "Lists rejected by the shrink guard", |server| server.doubted),
        ];
        for (name, help, get) in counters {
            self.counters(name, help, servers.iter().map(|server| (server_label(server), get(server))))?;
        }
        let limits = servers.iter().flat_map(|server| {
            let labels = |limit| [("server", server.name.as_str()), ("limit", limit)];
            server.limits_reached.iter().map(move |(limit, count)| (labels(limit), *count))
        });
        self.counters("client_limits_reached", "Times clients reached a limit, by limit", limits)?;
        let not_stored = servers.iter().flat_map(|server| {
            let labels = |reason| [("server", server.name.as_str()), ("reason", reason)];
            server.not_stored.iter().map(move |(reason, count)| (labels(reason), *count))
        });
        let help = "Responses of an HTTP API that were not stored, by reason";
        self.counters("api_responses_not_stored", help, not_stored)?;
        let gauges: [(&str, &str, Getter); 3] = [
            ("upstream_in_flight", "Requests to the server in progress", |server| server.in_flight as u64),
            ("held_body_bytes", "Bytes of request bodies held in memory", |server| server.held_body_bytes),
            ("uploads", "Request bodies being forwarded while they arrive", |server| server.uploads as u64),
        ];
        for (name, help, get) in gauges {
            self.gauges(name, help, servers.iter().map(|server| (server_label(server), get(server))))?;
        }
        let help = "1 if the server responded to the last request, else 0; absent before the first request";
        let known = servers.iter().filter(|server| server.state != ServerStatus::Unknown);
        let up = known.map(|server| (server_label(server), u64::from(server.state == ServerStatus::Well)));
        self.gauges("server_well", help, up)?;
        let states = servers.iter().flat_map(|server| {
            BreakerState::EVERY.map(|state| {
                let labels = [("server", server.name.as_str()), ("state", state.name())];
                (labels, u64::from(server.breaker == state.name()))
            })
        });
        self.gauges("breaker_state", "State of the circuit breaker: 1 for the current state", states)
    }

    pub(super) fn queues(&mut self, servers: &[ServerStats]) -> fmt::Result {
        type Getter = fn(&PriorityStats) -> u64;
        let slots = servers.iter().map(|server| (server_label(server), server.queue.places as u64));
        self.gauges("queue_places", "Maximum concurrent requests to the server", slots)?;
        let detached = servers.iter().map(|server| (server_label(server), server.queue.overdue as u64));
        let help = "Requests in progress without a permit, because they exceeded their time";
        self.gauges("queue_overdue", help, detached)?;
        let aborted = servers.iter().map(|server| (server_label(server), server.queue.abandoned));
        self.counters("queue_abandoned", "Requests aborted because too many continue without a permit", aborted)?;
        let priorities =
            || servers.iter().flat_map(|server| server.queue.ranks.iter().map(move |priority| (server, priority)));
        let gauges: [(&str, &str, Getter); 2] = [
            ("queue_in_flight", "Requests that hold a permit of the request queue", |priority| {
                priority.in_flight as u64
            }),
            ("queue_waiting", "Requests waiting in the request queue", |priority| priority.waiting as u64),
        ];
        for (name, help, get) in gauges {
            let samples = priorities().map(|(server, priority)| (labels(server, priority), get(priority)));
            self.gauges(name, help, samples)?;
        }
        let counters: [(&str, &str, Getter); 3] = [
            ("queue_waited", "Requests that had to wait in the request queue", |priority| priority.waited),
            ("queue_refused", "Requests rejected because the request queue was full", |priority| priority.refused),
            ("queue_waited_in_vain", "Requests that timed out in the request queue", |priority| {
                priority.waited_in_vain
            }),
        ];
        for (name, help, get) in counters {
            let samples = priorities().map(|(server, priority)| (labels(server, priority), get(priority)));
            self.counters(name, help, samples)?;
        }
        let help = "Total time requests waited in the request queue";
        let waited = priorities().map(|(server, priority)| (labels(server, priority), priority.waited_ms));
        self.seconds("queue_waited_seconds", help, waited)
    }

    pub(super) fn prefetches(&mut self, servers: &[ServerStats]) -> fmt::Result {
        type Getter = fn(&ServerStats) -> u64;
        let counters: [(&str, &str, Getter); 3] = [
            ("prefetch_started", "Prefetch loads started", |server| server.prefetch.started),
            ("prefetch_failed", "Prefetch loads that failed", |server| server.prefetch.failed),
            ("prefetch_unheard", "Responses not evaluated for prefetch because too many were sent at once", |server| {
                server.prefetch.unheard
            }),
        ];
        for (name, help, get) in counters {
            self.counters(name, help, servers.iter().map(|server| (server_label(server), get(server))))?;
        }
        let skipped = servers.iter().flat_map(|server| {
            let labels = |reason| [("server", server.name.as_str()), ("reason", reason)];
            server.prefetch.skipped.iter().map(move |skipped| (labels(skipped.reason), skipped.count))
        });
        self.counters("prefetch_skipped", "Predicted requests that were not prefetched, by reason", skipped)
    }
}

fn server_label(server: &ServerStats) -> [(&'static str, &str); 1] {
    [("server", server.name.as_str())]
}

fn labels<'a>(server: &'a ServerStats, priority: &PriorityStats) -> [(&'a str, &'a str); 2] {
    [("server", server.name.as_str()), ("rank", priority.rank)]
}
