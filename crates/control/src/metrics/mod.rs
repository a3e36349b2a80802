//! Prometheus metrics. They count since start and ignore purges. `docs/metrics.md` describes each; a test keeps both in
//! agreement. Names here lack the prefix `greenroom_` (`write`) and the suffix `_total`; names of the disk tier's
//! counters are in `crate::disk`.

mod apps;
mod classes;
mod encoder;
pub(crate) mod format;
mod job_runs;
mod libraries;
mod servers;

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, VARY};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::control::{ApiState, ControlPlane};
use crate::jobs;
use crate::metrics::format::MetricsFormat;
use crate::notifications::NotificationStats;
use crate::stats_baseline::CumulativeStats;
use encoder::MetricsEncoder;
use greenroom_proxy::statistics::TodaySummary;
use greenroom_sync::index::LibraryReport;
use greenroom_sync::matching::counters::MatchCounter;

/// All metrics.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, body = String, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8")),
)]
pub(super) async fn scrape(State(plane): State<Arc<ApiState>>, headers: HeaderMap) -> impl IntoResponse {
    let format = MetricsFormat::negotiate(headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()));
    let text = write(MetricsSnapshot::collect(&plane.control));
    let text = if format == MetricsFormat::Classic { format::classic(&text) } else { text };
    let said = [(CONTENT_TYPE, format.media_type()), (VARY, "accept")];
    (said.map(|(name, value)| (name, HeaderValue::from_static(value))), text)
}

/// All measured values at one moment.
#[derive(Debug)]
pub(super) struct MetricsSnapshot {
    pub(super) stats: CumulativeStats,
    pub(super) refused: Vec<(&'static str, u64)>,
    pub(super) matched: Vec<(&'static str, u64)>,
    /// Number of tracks remembered as missing, and bytes of the file indexes.
    pub(super) matching_sizes: (usize, usize),
    pub(super) viewers: usize,
    pub(super) sessions: usize,
    pub(super) libraries: Vec<LibraryReport>,
    pub(super) playlists: Vec<(&'static str, u64)>,
    /// Notification statistics by target.
    pub(super) notifications: Vec<NotificationStats>,
    /// Trace span counters.
    pub(super) traces: Vec<(&'static str, u64)>,
    /// Spot check results by server.
    pub(super) spot_checks: Vec<(String, Vec<(&'static str, u64)>)>,
    pub(super) statistics_dropped: u64,
    /// Rejected file work by kind.
    pub(super) file_work_refused: Vec<(&'static str, u64)>,
    pub(super) jobs: Vec<jobs::JobReport>,
    pub(super) today: TodaySummary,
}

impl MetricsSnapshot {
    fn collect(control: &ControlPlane) -> Self {
        Self {
            stats: control.cumulative_stats(),
            refused: control.refusal_counts().collect(),
            matched: MatchCounter::EVERY
                .map(|what| (what.name(), control.playlists.matching.counters().get(what)))
                .to_vec(),
            matching_sizes: control.playlists.matching.sizes(),
            viewers: control.live.viewers(),
            sessions: control.sessions.count(control.clock.now_ms()),
            libraries: control.playlists.libraries.all().iter().map(|library| library.report(false)).collect(),
            playlists: control.playlists.outcomes().collect(),
            notifications: control.notifier.stats(),
            traces: control.traces.counts().into_iter().flatten().collect(),
            spot_checks: control.spot_check_counts(),
            statistics_dropped: control.statistics.dropped(),
            file_work_refused: control.file_work_refused(),
            jobs: control.job_reports(),
            today: control.statistics.today(None),
        }
    }

    /// Results of started work.
    fn outcomes(&self, out: &mut MetricsEncoder<'_>) -> fmt::Result {
        out.counters(
            "playlist_runs",
            "Runs that synchronise a playlist, by outcome",
            self.playlists.iter().map(|(outcome, count)| ([("outcome", *outcome)], *count)),
        )?;
        let sent = self.notifications.iter().flat_map(|sent| {
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
        let spots = self.spot_checks.iter().flat_map(|(server, found)| {
            let labels = |outcome| [("server", server.as_str()), ("outcome", outcome)];
            found.iter().map(move |(outcome, count)| (labels(*outcome), *count))
        });
        out.counters("spot_checks", "Answers from the cache that were compared with the server, by outcome", spots)
    }
}

pub(super) fn write(scrape: MetricsSnapshot) -> String {
    let mut registry = Registry::with_prefix("greenroom");
    registry.register_collector(Box::new(scrape));
    let mut out = String::new();
    text::encode(&mut out, &registry).expect("a text takes whatever is written into it");
    out
}

impl Collector for MetricsSnapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = MetricsEncoder(encoder);
        out.info()?;
        out.servers(&self.stats.servers)?;
        out.queues(&self.stats.servers)?;
        out.prefetches(&self.stats.servers)?;
        out.libraries(&self.libraries)?;
        out.apps(&self.stats.apps)?;
        out.jobs(&self.jobs)?;
        out.warnings(&self.stats.warnings)?;
        out.today(&self.today)?;
        out.classes(&self.stats.engine.classes)?;
        out.loads(&self.stats.engine.classes)?;
        let engine = &self.stats.engine;
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
        self.outcomes(&mut out)?;
        let help = "Rows of statistics that went before their time, or were put together";
        out.counters("statistics_dropped", help, [([], self.statistics_dropped)])?;
        out.counters(
            "file_work_refused",
            "Work with files that was refused because too much waited for the disk, by what it was",
            self.file_work_refused.iter().map(|(work, count)| ([("work", *work)], *count)),
        )?;
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
        let (misses, bytes) = self.matching_sizes;
        out.gauge("matching_misses", "Tracks that are known not to be there", misses as u64)?;
        out.gauge("matching_index_bytes", "Memory of the indexes over files", bytes as u64)?;
        out.gauge("control_viewers", "Pages that watch the live figures", self.viewers as u64)?;
        out.gauge("control_sessions", "Open sessions of the page", self.sessions as u64)
    }
}

impl MetricsEncoder<'_> {
    fn info(&mut self) -> fmt::Result {
        let mut family = self.begin("build", "The program", MetricType::Info)?;
        family.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
    }
}
