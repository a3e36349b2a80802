//! Prometheus metrics. They count since start and ignore purges. `docs/metrics.md` describes each; a test keeps both in
//! agreement. Names here lack the prefix `greenroom_` (`write`) and the suffix `_total`; names of the disk tier's
//! counters are in `greenroom_control::disk`.

mod app_caches;
mod apps;
mod classes;
mod encoder;
mod folders;
pub(crate) mod format;
mod job_runs;
mod libraries;
pub(crate) mod log_errors;
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

use crate::cluster;
use crate::metrics::format::MetricsFormat;
use encoder::MetricsEncoder;
use greenroom_app_cache::AppCacheReport;
use greenroom_cache::remote::ClusterRole;
use greenroom_control::ControlPlane;
use greenroom_control::state::ApiState;
use greenroom_control::stats_baseline::CumulativeStats;
use greenroom_folder::folder_status::FolderReport;
use greenroom_jobs as jobs;
use greenroom_notifications::NotificationStats;
use greenroom_remote_store::{StoreState, StoreStatus};
use greenroom_statistics::TodaySummary;
use greenroom_sync::index::LibraryReport;
use greenroom_sync::matching::counters::MatchCounter;

/// All metrics.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, body = String, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8")),
)]
pub(super) async fn scrape(State(state): State<Arc<ApiState>>, headers: HeaderMap) -> impl IntoResponse {
    let format = MetricsFormat::negotiate(headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()));
    let text = write(MetricsSnapshot::collect(&state.control));
    let text = if format == MetricsFormat::Classic { format::classic(&text) } else { text };
    let headers_out = [(CONTENT_TYPE, format.media_type()), (VARY, "accept")];
    (headers_out.map(|(name, value)| (name, HeaderValue::from_static(value))), text)
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
    /// Caches for apps.
    pub(super) app_caches: Vec<AppCacheReport>,
    /// Folders of files.
    pub(super) folders: Vec<FolderReport>,
    pub(super) playlists: Vec<(&'static str, u64)>,
    /// Notification statistics by target.
    pub(super) notifications: Vec<NotificationStats>,
    /// Trace span counters.
    pub(super) traces: Vec<(&'static str, u64)>,
    /// Spot check results by server.
    pub(super) spot_checks: Vec<(String, Vec<(&'static str, u64)>)>,
    pub(super) statistics_dropped: u64,
    /// Lines of the log that were dropped.
    pub(super) log_lines_dropped: u64,
    /// Rejected file work by kind.
    pub(super) file_work_refused: Vec<(&'static str, u64)>,
    pub(super) jobs: Vec<jobs::JobReport>,
    pub(super) today: TodaySummary,
    /// The remote store, if there is one.
    pub(super) remote_store: Option<StoreStatus>,
}

impl MetricsSnapshot {
    fn collect(control: &ControlPlane) -> Self {
        Self {
            stats: control.cumulative_stats(),
            refused: control.refusal_counts().collect(),
            matched: MatchCounter::EVERY
                .map(|counter| (counter.name(), control.playlists.matching.counters().get(counter)))
                .to_vec(),
            matching_sizes: control.playlists.matching.sizes(),
            viewers: control.live.viewers(),
            sessions: control.sessions.count(control.clock.now()),
            app_caches: control.app_caches.reports(),
            folders: control.folders.all().iter().map(|folder| folder.report()).collect(),
            libraries: control.playlists.libraries.all().iter().map(|library| library.report(false)).collect(),
            playlists: control.playlists.outcomes().collect(),
            notifications: control.notifier.stats(),
            traces: control.traces.counts().into_iter().flatten().collect(),
            spot_checks: control.spot_check_counts(),
            statistics_dropped: control.statistics.dropped(),
            log_lines_dropped: log_errors::dropped_lines(),
            file_work_refused: crate::metrics::job_runs::file_work_refused(control),
            jobs: control.job_reports(),
            today: control.statistics.today(None),
            remote_store: control.store_status(),
        }
    }

    /// The remote store and the gateways that share it.
    fn remote_store(&self, out: &mut MetricsEncoder<'_>) -> fmt::Result {
        let Some(status) = &self.remote_store else { return Ok(()) };
        let is_connected = u64::from(status.state == StoreState::Connected);
        let live = status.peers.iter().filter(|peer| !peer.lease_ms.is_zero()).count();
        out.gauge("remote_connected", "1 while the remote store is used, else 0", is_connected)?;
        let help = "1 while the cache is served, 0 while other gateways cannot be heard";
        out.gauge("remote_trusted", help, u64::from(status.trusted))?;
        out.gauge("remote_gateways", "Other live gateways that share the remote store", live as u64)?;
        let leads = u64::from(status.role == ClusterRole::Leader);
        out.gauge("remote_leader", "1 while this gateway leads: it syncs scheduled playlists", leads)?;
        out.gauge("remote_queued", "Responses waiting to be written to the remote store", status.queued)?;
        out.gauge("remote_keys", "Keys in the remote store", status.total_keys.unwrap_or(0))?;
        out.gauge("remote_latency_us", "Last round trip to the remote store", status.latency_us)?;
        for (name, help, count) in cluster::counters(status) {
            out.counters(name, help, [([], count)])?;
        }
        Ok(())
    }

    /// Results of started work.
    fn outcomes(&self, out: &mut MetricsEncoder<'_>) -> fmt::Result {
        out.counters(
            "playlist_runs",
            "Playlist sync runs, by outcome",
            self.playlists.iter().map(|(outcome, count)| ([("outcome", *outcome)], *count)),
        )?;
        let delivered = self.notifications.iter().flat_map(|delivered| {
            let labels = |outcome| [("target", delivered.target.as_str()), ("outcome", outcome)];
            let counts =
                [("delivered", delivered.delivered), ("failed", delivered.failed), ("dropped", delivered.dropped)];
            counts.map(|(outcome, count)| (labels(outcome), count))
        });
        out.counters("notices", "Notifications to a target, by outcome", delivered)?;
        out.counters(
            "trace_spans",
            "Trace spans, by outcome",
            self.traces.iter().map(|(outcome, count)| ([("outcome", *outcome)], *count)),
        )?;
        let spot_checks = self.spot_checks.iter().flat_map(|(server, results)| {
            let labels = |outcome| [("server", server.as_str()), ("outcome", outcome)];
            results.iter().map(move |(outcome, count)| (labels(*outcome), *count))
        });
        out.counters("spot_checks", "Cached responses compared with the server, by outcome", spot_checks)
    }
}

pub(super) fn write(scrape: MetricsSnapshot) -> String {
    let mut registry = Registry::with_prefix("greenroom");
    registry.register_collector(Box::new(scrape));
    let mut out = String::new();
    text::encode(&mut out, &registry).expect("writing to a string cannot fail");
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
        out.folders(&self.folders)?;
        out.app_caches(&self.app_caches)?;
        out.apps(&self.stats.apps)?;
        out.jobs(&self.jobs)?;
        out.warnings(&self.stats.warnings)?;
        out.today(&self.today)?;
        out.classes(&self.stats.engine.classes)?;
        out.loads(&self.stats.engine.classes)?;
        let engine = &self.stats.engine;
        out.gauge("cache_bytes", "Bytes cached in memory", engine.memory.bytes)?;
        out.gauge("cache_max_bytes", "Maximum bytes cached in memory", engine.memory.max_bytes)?;
        if let Some(disk) = &engine.disk {
            out.gauge("disk_bytes", "Bytes stored on disk", disk.bytes)?;
            out.gauge("disk_max_bytes", "Maximum bytes stored on disk", disk.max_bytes)?;
            out.gauge("disk_off", "1 while the disk tier is disabled or degraded, else 0", u64::from(disk.is_off))?;
            out.gauge("disk_queued", "Responses waiting to be written to disk", disk.queued)?;
            out.gauge("disk_queued_bytes", "Bytes waiting to be written to disk", disk.queued_bytes)?;
            for (name, help, count) in disk.counters() {
                out.counters(name, help, [([], count)])?;
            }
        }
        self.remote_store(&mut out)?;
        out.gauge("cache_loads_under_way", "Loads in progress", engine.loads_under_way)?;
        self.outcomes(&mut out)?;
        let help = "Statistics rows dropped or merged because a limit was reached";
        out.counters("statistics_dropped", help, [([], self.statistics_dropped)])?;
        let help = "Lines of the log dropped because standard error was not read";
        out.counters("log_lines_dropped", help, [([], self.log_lines_dropped)])?;
        out.counters(
            "file_work_refused",
            "File work rejected because its queue was full, by kind",
            self.file_work_refused.iter().map(|(work, count)| ([("work", *work)], *count)),
        )?;
        out.counters("cache_invalidations", "Invalidations", [([], engine.invalidations)])?;
        out.counters(
            "cache_limits_reached",
            "Rejections because a limit of the cache was reached, by limit",
            engine.limits_reached.iter().map(|(limit, count)| ([("limit", *limit)], *count)),
        )?;
        out.counters(
            "control_refusals",
            "Requests and connections rejected by the control plane, by reason",
            self.refused.iter().map(|(reason, count)| ([("reason", *reason)], *count)),
        )?;
        out.counters(
            "matching",
            "Lookups of tracks, paths and ids, by result",
            self.matched.iter().map(|(counter, count)| ([("what", *counter)], *count)),
        )?;
        let (misses, bytes) = self.matching_sizes;
        out.gauge("matching_misses", "Tracks in the negative cache of the matcher", misses as u64)?;
        out.gauge("matching_index_bytes", "Memory of the file indexes", bytes as u64)?;
        out.gauge("control_viewers", "Pages with live updates", self.viewers as u64)?;
        out.gauge("control_sessions", "Open sessions of the page", self.sessions as u64)
    }
}

impl MetricsEncoder<'_> {
    fn info(&mut self) -> fmt::Result {
        let mut family = self.begin("build", "The program", MetricType::Info)?;
        family.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
    }
}
