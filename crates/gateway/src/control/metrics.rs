//! The figures for Prometheus. They count since start, whatever was cleared. What each is, is said in `docs/metrics.md`;
//! a test holds the two together.

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, VARY};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::exposition::{self, Format};
use super::figures::{ClassFigures, Detail};
use super::queueing::RankFigures;
use super::snapshot::{AppFigures, Counted, ServerFigures, State as Wellbeing};
use super::{Control, Plane};
use crate::breaker::State as BreakerState;
use crate::library::{Report, State as LibraryState};
use crate::matching::tally::Count;
use crate::notices::Sent;

/// All metrics.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, body = String, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8")),
)]
pub(super) async fn scrape(State(plane): State<Arc<Plane>>, headers: HeaderMap) -> impl IntoResponse {
    let format = Format::wanted(headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()));
    let text = write(Scrape::of(&plane.control));
    let text = if format == Format::Classic { exposition::classic(&text) } else { text };
    let said = [(CONTENT_TYPE, format.media_type()), (VARY, "accept")];
    (said.map(|(name, value)| (name, HeaderValue::from_static(value))), text)
}

/// What is measured, at one moment.
#[derive(Debug)]
pub(super) struct Scrape {
    pub(super) counted: Counted,
    pub(super) refused: Vec<(&'static str, u64)>,
    pub(super) matched: Vec<(&'static str, u64)>,
    /// Tracks that are known not to be there, and bytes of the indexes over files.
    pub(super) matching_holds: (usize, usize),
    pub(super) viewers: usize,
    pub(super) sessions: usize,
    pub(super) libraries: Vec<Report>,
    pub(super) playlists: Vec<(&'static str, u64)>,
    /// What became of notices, by target.
    pub(super) notices: Vec<Sent>,
    /// What became of spans.
    pub(super) traces: Vec<(&'static str, u64)>,
    /// What spot checks found, by server.
    pub(super) spots: Vec<(String, Vec<(&'static str, u64)>)>,
    pub(super) statistics_dropped: u64,
}

impl Scrape {
    fn of(control: &Control) -> Self {
        Self {
            counted: control.counted(),
            refused: control.refused().collect(),
            matched: Count::EVERY
                .map(|what| (what.word(), control.playlists.matching.tally().of(what)))
                .to_vec(),
            matching_holds: control.playlists.matching.held(),
            viewers: control.live.viewers(),
            sessions: control.sessions.count(control.clock.now_ms()),
            libraries: control
                .playlists
                .libraries
                .all()
                .iter()
                .map(|library| library.report(false))
                .collect(),
            playlists: control.playlists.outcomes().collect(),
            notices: control.notices.sent(),
            traces: control.traces.counts().into_iter().flatten().collect(),
            spots: control.spots_found(),
            statistics_dropped: control.statistics.dropped(),
        }
    }
}

pub(super) fn write(scrape: Scrape) -> String {
    let mut registry = Registry::with_prefix("greenroom");
    registry.register_collector(Box::new(scrape));
    let mut out = String::new();
    text::encode(&mut out, &registry).expect("a text takes whatever is written into it");
    out
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Out(encoder);
        out.info()?;
        out.servers(&self.counted.servers)?;
        out.queues(&self.counted.servers)?;
        out.prefetches(&self.counted.servers)?;
        out.libraries(&self.libraries)?;
        out.apps(&self.counted.apps)?;
        out.classes(&self.counted.engine.classes)?;
        out.loads(&self.counted.engine.classes)?;
        let engine = &self.counted.engine;
        out.gauge("cache_bytes", "Bytes kept in memory", engine.memory.bytes)?;
        out.gauge("cache_max_bytes", "Bytes that may be kept in memory", engine.memory.max_bytes)?;
        if let Some(disk) = &engine.disk {
            out.gauge("disk_bytes", "Bytes kept on disk", disk.bytes)?;
            out.gauge("disk_max_bytes", "Bytes that may be kept on disk", disk.max_bytes)?;
            out.gauge("disk_off", "Whether the disk does less than it should", u64::from(disk.is_off))?;
            out.gauge("disk_queued", "Answers that wait to be written to disk", disk.queued)?;
            out.gauge("disk_queued_bytes", "Bytes that wait to be written to disk", disk.queued_bytes)?;
            for (name, help, count) in disk.counters() {
                out.counters(name, help, [([], count)])?;
            }
        }
        out.gauge("cache_loads_under_way", "Loads under way", engine.loads_under_way)?;
        out.counters(
            "playlist_runs",
            "Runs that synchronise a playlist, by outcome",
            self.playlists.iter().map(|(outcome, count)| ([("outcome", *outcome)], *count)),
        )?;
        let sent = self.notices.iter().flat_map(|sent| {
            let labels = |outcome| [("target", sent.target.as_str()), ("outcome", outcome)];
            let counts = [("delivered", sent.delivered), ("failed", sent.failed), ("dropped", sent.dropped)];
            counts.map(|(outcome, count)| (labels(outcome), count))
        });
        out.counters("notices", "Notices to a target, by what became of them", sent)?;
        out.counters(
            "trace_spans",
            "Spans for a collector of traces, by what became of them",
            self.traces.iter().map(|(outcome, count)| ([("outcome", *outcome)], *count)),
        )?;
        let spots = self.spots.iter().flat_map(|(server, found)| {
            let labels = |outcome| [("server", server.as_str()), ("outcome", outcome)];
            found.iter().map(move |(outcome, count)| (labels(*outcome), *count))
        });
        out.counters(
            "spot_checks",
            "Answers from the cache that were compared with the server, by outcome",
            spots,
        )?;
        let help = "Rows of statistics that went before their time, or were put together";
        out.counters("statistics_dropped", help, [([], self.statistics_dropped)])?;
        out.counters("cache_invalidations", "Times something went stale", [([], engine.invalidations)])?;
        out.counters(
            "cache_limits_reached",
            "What was refused because a limit was reached, by limit",
            engine.limits_reached.iter().map(|(limit, count)| ([("limit", *limit)], *count)),
        )?;
        out.counters(
            "control_refusals",
            "Requests that the control plane refused, by reason",
            self.refused.iter().map(|(reason, count)| ([("reason", *reason)], *count)),
        )?;
        out.counters(
            "matching",
            "What looking up tracks, paths and ids did, by what it was",
            self.matched.iter().map(|(what, count)| ([("what", *what)], *count)),
        )?;
        let (misses, bytes) = self.matching_holds;
        out.gauge("matching_misses", "Tracks that are known not to be there", misses as u64)?;
        out.gauge("matching_index_bytes", "Memory of the indexes over files", bytes as u64)?;
        out.gauge("control_viewers", "Pages that watch the live figures", self.viewers as u64)?;
        out.gauge("control_sessions", "Open sessions of the page", self.sessions as u64)
    }
}

/// Where metrics are written to.
struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn info(&mut self) -> fmt::Result {
        let mut family = self.begin("build", "The program", MetricType::Info)?;
        family.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
    }

    fn servers(&mut self, servers: &[ServerFigures]) -> fmt::Result {
        type Pick = fn(&ServerFigures) -> u64;
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
            (
                "returns_unattached",
                "Times reads were let through before all event sockets attached again",
                |server| server.unattached,
            ),
            ("lists_doubted", "Lists so much shorter than before that they were not believed", |server| {
                server.doubted
            }),
        ];
        for (name, help, pick) in counters {
            self.counters(
                name,
                help,
                servers.iter().map(|server| ([("server", server.name.as_str())], pick(server))),
            )?;
        }
        let reached = servers.iter().flat_map(|server| {
            let labels = |bound| [("server", server.name.as_str()), ("limit", bound)];
            server.limits_reached.iter().map(move |(bound, count)| (labels(bound), *count))
        });
        self.counters("client_limits_reached", "How often clients ran into a limit, by limit", reached)?;
        let mut family =
            self.begin("upstream_in_flight", "Requests the server works on now", MetricType::Gauge)?;
        for server in servers {
            family
                .encode_family(&[("server", server.name.as_str())])?
                .encode_gauge(&(server.in_flight as u64))?;
        }
        let help =
            "Whether the last thing heard of the server was an answer; missing before anything was heard";
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

    fn queues(&mut self, servers: &[ServerFigures]) -> fmt::Result {
        type Pick = fn(&RankFigures) -> u64;
        let mut family =
            self.begin("queue_places", "Requests the server gets at a time", MetricType::Gauge)?;
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
        let ranks =
            || servers.iter().flat_map(|server| server.queue.ranks.iter().map(move |rank| (server, rank)));
        let gauges: [(&str, &str, Pick); 2] = [
            ("queue_in_flight", "Requests that hold a place in the server's queue", |rank| {
                rank.in_flight as u64
            }),
            ("queue_waiting", "Requests that wait for a place in the server's queue", |rank| {
                rank.waiting as u64
            }),
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
        self.seconds(
            "queue_waited_seconds",
            help,
            ranks().map(|(server, rank)| (at(server, rank), rank.waited_ms)),
        )
    }

    fn prefetches(&mut self, servers: &[ServerFigures]) -> fmt::Result {
        type Pick = fn(&ServerFigures) -> u64;
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

    fn apps(&mut self, apps: &[AppFigures]) -> fmt::Result {
        fn named(app: &AppFigures) -> [(&'static str, &str); 2] {
            [("server", app.server.as_str()), ("app", app.name.as_str())]
        }
        // What was never let in calls itself as it likes, and would make series without end.
        let apps: Vec<&AppFigures> = apps.iter().filter(|app| !app.is_stranger).collect();
        type Pick = fn(&AppFigures) -> u64;
        let counters: [(&str, &str, Pick); 4] = [
            ("app_requests", "Requests the app made", |app| app.asked),
            ("app_requests_reached", "Requests to the server the app caused", |app| app.reached),
            ("app_requests_saved", "Requests of the app answered without asking the server", |app| app.saved),
            ("app_requests_failed", "Requests of the app that ended in an error", |app| app.failed),
        ];
        for (name, help, pick) in counters {
            self.counters(name, help, apps.iter().map(|app| (named(app), pick(app))))?;
        }
        let mut family = self.begin(
            "app_requests_waiting",
            "Requests of the app that wait for a place",
            MetricType::Gauge,
        )?;
        for app in &apps {
            family.encode_family(&named(app))?.encode_gauge(&(app.waiting as u64))?;
        }
        let help = "How long requests of the app waited for a place, all together";
        self.seconds("app_waited_seconds", help, apps.iter().map(|app| (named(app), app.waited_ms)))
    }

    fn classes(&mut self, classes: &[ClassFigures]) -> fmt::Result {
        type Pick = fn(&ClassFigures) -> u64;
        let mut family =
            self.begin("cache_answers", "Answers to clients, by how they came about", MetricType::Counter)?;
        for class in classes {
            for (served, count) in [
                ("hit", class.hits),
                ("stale", class.stale),
                ("joined", class.joined),
                ("loaded", class.loaded),
            ] {
                write_counter(&mut family, &labels(class, "served", served), count)?;
            }
        }
        let counters: [(&str, &str, Pick); 8] = [
            ("cache_prefetched", "Answers loaded before anybody asked for them", |class| class.ahead_loads),
            ("cache_prefetched_useful", "Of these, those that an app has read", |class| class.ahead_useful),
            ("cache_prefetched_useless", "Of these, those that were let go unread", |class| {
                class.ahead_useless
            }),
            ("cache_stale_on_error", "Answers that stood in for a server that did not answer", |class| {
                class.stale_on_error
            }),
            ("cache_failed_answers", "Questions answered with an error", |class| class.failed),
            ("cache_refreshes", "Own loads behind a read", |class| class.refreshes),
            ("cache_warm_loads", "Own loads that nobody waited for", |class| class.warm_loads),
            ("cache_evictions", "Answers that had to make room", |class| class.evictions),
        ];
        for (name, help, pick) in counters {
            let samples = classes
                .iter()
                .map(|class| ([("server", &*class.server), ("class", class.class)], pick(class)));
            self.counters(name, help, samples)?;
        }
        let mut family =
            self.begin("cache_own_loads", "Own loads whose answer was let go, by use", MetricType::Counter)?;
        for class in classes {
            write_counter(&mut family, &labels(class, "read", "yes"), class.refreshes_useful)?;
            write_counter(&mut family, &labels(class, "read", "no"), class.refreshes_useless)?;
        }
        let mut family =
            self.begin("cache_class_bytes", "Bytes kept in memory, by class", MetricType::Gauge)?;
        for class in classes {
            let labels = [("server", class.server.as_str()), ("class", class.class)];
            family.encode_family(&labels)?.encode_gauge(&class.bytes)?;
        }
        Ok(())
    }

    fn loads(&mut self, classes: &[ClassFigures]) -> fmt::Result {
        type Pick = fn(&Detail) -> &[(&'static str, u64)];
        let families: [(&str, &str, &str, Pick); 3] = [
            ("cache_misses", "Questions not answered at once, by reason", "reason", |detail| &detail.misses),
            ("cache_loads", "Loads, own ones included, by outcome", "outcome", |detail| &detail.loads),
            ("cache_not_stored", "Answers not kept, by reason", "reason", |detail| &detail.refusals),
        ];
        for (name, help, label, pick) in families {
            let mut family = self.begin(name, help, MetricType::Counter)?;
            for class in classes {
                for (word, count) in pick(&class.detail) {
                    write_counter(&mut family, &labels(class, label, word), *count)?;
                }
            }
        }
        let mut family = self.begin("cache_load_seconds", "How long loads took", MetricType::Histogram)?;
        for class in classes {
            let times = &class.detail.load_times;
            let count = times.buckets.iter().map(|(_, count)| count).sum();
            let labels = [("server", class.server.as_str()), ("class", class.class)];
            let mut one = family.encode_family(&labels)?;
            one.encode_histogram::<NoLabelSet>(times.sum_s, count, &times.buckets, None)?;
        }
        Ok(())
    }

    fn libraries(&mut self, libraries: &[Report]) -> fmt::Result {
        let mut family =
            self.begin("library_items", "Items of the newest snapshot, by kind", MetricType::Gauge)?;
        for library in libraries {
            for (kind, count) in &library.items {
                let labels = [("library", library.id.as_str()), ("kind", *kind)];
                family.encode_family(&labels)?.encode_gauge(count)?;
            }
        }
        let help = "How long ago the server confirmed the newest snapshot";
        let mut family = self.begin("library_generation_age_seconds", help, MetricType::Gauge)?;
        for library in libraries {
            if let Some(generation) = &library.generation {
                let labels = [("library", library.id.as_str())];
                family.encode_family(&labels)?.encode_gauge(&generation.age_s)?;
            }
        }
        let mut family =
            self.begin("library_bytes", "Memory that the newest snapshot takes", MetricType::Gauge)?;
        for library in libraries {
            if let Some(generation) = &library.generation {
                let labels = [("library", library.id.as_str())];
                family.encode_family(&labels)?.encode_gauge(&generation.memory_bytes)?;
            }
        }
        let help = "How the library does: 1 for the state it is in";
        let mut family = self.begin("library_state", help, MetricType::Gauge)?;
        for library in libraries {
            for state in LibraryState::EVERY {
                let labels = [("library", library.id.as_str()), ("state", state.word())];
                family.encode_family(&labels)?.encode_gauge(&u64::from(library.state == state.word()))?;
            }
        }
        self.counters(
            "library_build_requests",
            "Requests that building and following a library took",
            libraries.iter().map(|library| ([("library", library.id.as_str())], library.cost.requests)),
        )?;
        let outcomes = libraries.iter().flat_map(|library| {
            let labels = |outcome| [("library", library.id.as_str()), ("outcome", outcome)];
            library.builds.iter().map(move |(outcome, count)| (labels(*outcome), *count))
        });
        self.counters("library_builds", "Builds, by outcome", outcomes)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.begin(name, help, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn counters<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = ([(&'a str, &'a str); N], u64)>,
    ) -> fmt::Result {
        let mut family = self.begin(name, help, MetricType::Counter)?;
        samples.into_iter().try_for_each(|(labels, count)| write_counter(&mut family, &labels, count))
    }

    fn seconds<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples_ms: impl IntoIterator<Item = ([(&'a str, &'a str); N], u64)>,
    ) -> fmt::Result {
        let mut family = self.begin(name, help, MetricType::Counter)?;
        samples_ms.into_iter().try_for_each(|(labels, ms)| {
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&(ms as f64 / 1000.0), None)
        })
    }

    fn begin<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        // A name ends in its unit; the encoder wants the two apart.
        match (name.strip_suffix("_seconds"), name.strip_suffix("_bytes")) {
            (Some(bare), _) => self.0.encode_descriptor(bare, help, Some(&Unit::Seconds), kind),
            (_, Some(bare)) => self.0.encode_descriptor(bare, help, Some(&Unit::Bytes), kind),
            _ => self.0.encode_descriptor(name, help, None, kind),
        }
    }
}

fn at<'a>(server: &'a ServerFigures, rank: &RankFigures) -> [(&'a str, &'a str); 2] {
    [("server", server.name.as_str()), ("rank", rank.rank)]
}

fn labels<'a>(class: &'a ClassFigures, name: &'a str, word: &'a str) -> [(&'a str, &'a str); 3] {
    [("server", class.server.as_str()), ("class", class.class), (name, word)]
}

fn write_counter<const N: usize>(
    family: &mut MetricEncoder<'_>,
    labels: &[(&str, &str); N],
    count: u64,
) -> fmt::Result {
    if N == 0 {
        return family.encode_counter::<NoLabelSet, _, u64>(&count, None);
    }
    family.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)
}
