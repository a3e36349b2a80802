//! Metrics of each server: requests, queue, prefetch.

use std::fmt;

use prometheus_client::metrics::MetricType;

use crate::metrics::encoder::MetricsEncoder;
use crate::queue_stats::PriorityStats;
use crate::servers::{ServerStats, ServerStatus as Wellbeing};
use greenroom_origin::breaker::BreakerState;

impl MetricsEncoder<'_> {
    pub(super) fn servers(&mut self, servers: &[ServerStats]) -> fmt::Result {
        type Pick = fn(&ServerStats) -> u64;
        let counters: [(&str, &str, Pick); 14] = [
            ("client_requests", "Requests that apps made", |server| server.asked),
            ("client_requests_saved", "Requests answered without asking the server", |server| server.saved),
            ("upstream_requests", "Requests that reached the server, own ones included", |server| {
                server.requests_to_server
            }),
            ("upstream_own_requests", "Requests to the server that no app waited for", |server| server.own),
            ("writes", "Writes forwarded", |server| server.writes),
            ("streams", "Requests passed through", |server| server.streams),
            ("bypassed", "Reads passed through: observed or bypassed", |server| server.bypassed),
            ("unauthorised", "Requests without a token where one is needed", |server| server.unauthorised),
            ("refused", "Requests refused for what they are", |server| server.refused),
            ("offline_refused", "Requests refused because the server was down", |server| server.offline),
            ("outages", "Times the server went down", |server| server.outages),
            ("probes", "Times the server was asked whether it is back", |server| server.probes),
            ("returns_unattached", "Times reads were let through before all event sockets attached again", |server| {
                server.unattached
            }),
            ("lists_doubted", "Lists so much shorter than before that they were not believed", |server| server.doubted),
        ];
        for (name, help, pick) in counters {
            self.counters(name, help, servers.iter().map(|server| ([("server", server.name.as_str())], pick(server))))?;
        }
        let reached = servers.iter().flat_map(|server| {
            let labels = |bound| [("server", server.name.as_str()), ("limit", bound)];
            server.limits_reached.iter().map(move |(bound, count)| (labels(bound), *count))
        });
        self.counters("client_limits_reached", "How often clients ran into a limit, by limit", reached)?;
        let gauges: [(&str, &str, Pick); 3] = [
            ("upstream_in_flight", "Requests the server works on now", |server| server.in_flight as u64),
            ("held_body_bytes", "Bytes of request bodies held in memory", |server| server.held_body_bytes),
            ("uploads", "Request bodies passed on while they arrive", |server| server.uploads as u64),
        ];
        for (name, help, pick) in gauges {
            let mut family = self.begin(name, help, MetricType::Gauge)?;
            for server in servers {
                family.encode_family(&[("server", server.name.as_str())])?.encode_gauge(&pick(server))?;
            }
        }
        let help = "Whether the last thing heard of the server was an answer; missing before anything was heard";
        let mut family = self.begin("server_well", help, MetricType::Gauge)?;
        for server in servers.iter().filter(|server| server.state != Wellbeing::Unknown) {
            let well = u64::from(server.state == Wellbeing::Well);
            family.encode_family(&[("server", server.name.as_str())])?.encode_gauge(&well)?;
        }
        let help = "Where the breaker of the server stands: 1 for the state it is in";
        let mut family = self.begin("breaker_state", help, MetricType::Gauge)?;
        for server in servers {
            for state in BreakerState::EVERY {
                let labels = [("server", server.name.as_str()), ("state", state.name())];
                let is_it = u64::from(server.breaker == state.name());
                family.encode_family(&labels)?.encode_gauge(&is_it)?;
            }
        }
        Ok(())
    }

    pub(super) fn queues(&mut self, servers: &[ServerStats]) -> fmt::Result {
        type Pick = fn(&PriorityStats) -> u64;
        let mut family = self.begin("queue_places", "Requests the server gets at a time", MetricType::Gauge)?;
        for server in servers {
            let places = server.queue.places as u64;
            family.encode_family(&[("server", server.name.as_str())])?.encode_gauge(&places)?;
        }
        let mut family = self.begin(
            "queue_overdue",
            "Requests that go on without a place because their time was over",
            MetricType::Gauge,
        )?;
        for server in servers {
            let overdue = server.queue.overdue as u64;
            family.encode_family(&[("server", server.name.as_str())])?.encode_gauge(&overdue)?;
        }
        self.counters(
            "queue_abandoned",
            "Requests given up because too many go on without a place",
            servers.iter().map(|server| ([("server", server.name.as_str())], server.queue.abandoned)),
        )?;
        let ranks = || servers.iter().flat_map(|server| server.queue.ranks.iter().map(move |rank| (server, rank)));
        let gauges: [(&str, &str, Pick); 2] = [
            ("queue_in_flight", "Requests that hold a place in the server's queue", |rank| rank.in_flight as u64),
            ("queue_waiting", "Requests that wait for a place in the server's queue", |rank| rank.waiting as u64),
        ];
        for (name, help, pick) in gauges {
            let mut family = self.begin(name, help, MetricType::Gauge)?;
            for (server, rank) in ranks() {
                family.encode_family(&at(server, rank))?.encode_gauge(&pick(rank))?;
            }
        }
        let counters: [(&str, &str, Pick); 3] = [
            ("queue_waited", "Requests that had to wait for a place", |rank| rank.waited),
            ("queue_refused", "Requests refused because too many waited", |rank| rank.refused),
            ("queue_waited_in_vain", "Requests that found no place in time", |rank| rank.waited_in_vain),
        ];
        for (name, help, pick) in counters {
            self.counters(name, help, ranks().map(|(server, rank)| (at(server, rank), pick(rank))))?;
        }
        let help = "How long requests waited for a place, all together";
        self.seconds("queue_waited_seconds", help, ranks().map(|(server, rank)| (at(server, rank), rank.waited_ms)))
    }

    pub(super) fn prefetches(&mut self, servers: &[ServerStats]) -> fmt::Result {
        type Pick = fn(&ServerStats) -> u64;
        let counters: [(&str, &str, Pick); 3] = [
            ("prefetch_started", "Loads started before anybody asked", |server| server.prefetch.started),
            ("prefetch_failed", "Of these, those that failed", |server| server.prefetch.failed),
            ("prefetch_unheard", "Answers not looked at because too many left at once", |server| {
                server.prefetch.unheard
            }),
        ];
        for (name, help, pick) in counters {
            let samples = servers.iter().map(|server| ([("server", server.name.as_str())], pick(server)));
            self.counters(name, help, samples)?;
        }
        let skipped = servers.iter().flat_map(|server| {
            let labels = |reason| [("server", server.name.as_str()), ("reason", reason)];
            server.prefetch.skipped.iter().map(move |skipped| (labels(skipped.reason), skipped.count))
        });
        self.counters("prefetch_skipped", "Likely requests that were not loaded, by reason", skipped)
    }
}

fn at<'a>(server: &'a ServerStats, rank: &PriorityStats) -> [(&'a str, &'a str); 2] {
    [("server", server.name.as_str()), ("rank", rank.rank)]
}
