//! Statistics of all servers: requests, their results, and requests saved.
//!
//! | module | content |
//! |---|---|
//! | [`mod@db`], `retention`, `labels` and `db_handle` | storage |
//! | [`local_midnight`] | start of the local day |
//! | [`what_if`] | what other TTLs would have saved |
//! | [`recorded_server`] | a server whose requests are counted |
//! | [`report`] and `queries` | reports |
//! | [`mod@user_names`] | names of users |
//!
//! [`greenroom_request_log`] records the requests of one server; [`greenroom_proxy::shadow::spot_checks`] compares cached responses with
//! the server's.

pub mod db;
mod db_handle;
#[cfg(test)]
mod idle_tests;
mod labels;
pub mod local_midnight;
mod queries;
pub mod recorded_server;
pub mod report;
mod retention;
#[cfg(test)]
mod tests;
pub mod user_names;
pub mod what_if;

use greenroom_cache::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::class::Class;
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

pub use recorded_server::RecordedServer;
pub use report::{SampledTraffic, SpotCheckSummary, TodaySummary, WhatIfReport};

use db_handle::LazyDb;
use greenroom_proxy::feed::EventStreamState;
use greenroom_proxy::server::Server;
use greenroom_proxy::shadow::spot_checks::SpotChecker;
use greenroom_request_log::Decision;
use greenroom_request_log::counts::RequestCounter;
use greenroom_request_log::minute_bucket::MinuteBucket;
use greenroom_request_log::recent_decisions::NumberedDecision;
use greenroom_request_log::time_series;
use greenroom_request_log::time_series::TimeSeries;
use greenroom_state::error::StateError;
use greenroom_state::file_work_queue::FileWorkQueue;
use greenroom_state::warnings::Warnings;
use local_midnight::{local_midnight_ms, system_zone};
use what_if::TtlWindows;

/// Max delay of writing minutes with own requests only, so that an idle process does not write every minute.
const OWN_WAITS: Duration = Duration::from_secs(3600);
/// Name of the setting that enables spot checks.
const SPOT_CHECKS: &str = "spot-checks";

/// Statistics of all servers.
#[derive(Debug)]
pub struct Statistics {
    servers: Vec<RecordedServer>,
    clock: Clock,
    /// Local time zone, as it was at start.
    zone: TimeZone,
    write_every: Duration,
    db: Mutex<LazyDb>,
    /// Reads and writes the database.
    lane: FileWorkQueue,
    /// Last known number of rows deleted before the end of their retention.
    dropped: AtomicU64,
    last_flush: Mutex<Option<StatisticsFlush>>,
}

/// Result of the last write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatisticsFlush {
    /// Start.
    pub started_ms: Timestamp,
    /// End.
    pub ended_ms: Timestamp,
    /// Summary, or the error.
    pub outcome: Result<String, String>,
}

/// Selection of counts to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FlushScope {
    /// All.
    All,
    /// All once a client was counted; own requests alone wait for that, or for their hour.
    Due,
}

/// Writes the statistics periodically until shutdown.
pub async fn run_writer(statistics: Arc<Statistics>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = statistics.clock.sleep(statistics.write_every) => {}
        }
        if let Err(reason) = statistics.flush_scope(FlushScope::Due).await {
            tracing::debug!(reason, "statistics could not be written yet");
        }
    }
}

/// Filter of decisions; an unset field matches any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DecisionFilter {
    /// Server.
    pub server: Option<String>,
    /// Class.
    pub class: Option<String>,
    /// App.
    pub app: Option<String>,
}

impl Statistics {
    /// Statistics of these servers, stored in this directory, with the stored counts.
    pub fn open(
        dir: &Path,
        settings: &greenroom_config::StatisticsSettings,
        (servers, clock): (impl IntoIterator<Item: Into<RecordedServer>>, Clock),
        warnings: Arc<Warnings>,
    ) -> Self {
        let handle = LazyDb::new(Some(dir.to_owned()), settings.max_bytes, warnings);
        let statistics = Self { write_every: settings.write_every, ..Self::with_db(handle, servers, clock) };
        if let Err(error) = statistics.restore(&mut statistics.db.lock()) {
            tracing::warn!(reason = error.message, "stored statistics cannot be read yet");
        }
        statistics
    }

    /// Statistics of these servers, in memory only.
    pub fn new(servers: Vec<Arc<Server>>, clock: Clock) -> Self {
        let defaults = greenroom_config::StatisticsSettings::default();
        Self::with_db(LazyDb::new(None, defaults.max_bytes, Arc::default()), servers, clock)
    }

    fn with_db(handle: LazyDb, servers: impl IntoIterator<Item: Into<RecordedServer>>, clock: Clock) -> Self {
        let write_every = greenroom_config::StatisticsSettings::default().write_every;
        Self {
            servers: servers.into_iter().map(Into::into).collect(),
            clock,
            zone: system_zone(),
            write_every,
            db: Mutex::new(handle),
            lane: FileWorkQueue::default(),
            dropped: AtomicU64::default(),
            last_flush: Mutex::default(),
        }
    }

    /// Restores stored counts of earlier processes, all or none, once.
    fn restore(&self, handle: &mut LazyDb) -> Result<(), StateError> {
        if handle.is_restored {
            return Ok(());
        }
        let db = handle.db()?;
        let now_ms = self.clock.now();
        let is_enabled = db.setting(SPOT_CHECKS)?;
        let stored = self.servers.iter().map(|server| db.points(server.name(), now_ms));
        let stored: Vec<TimeSeries> = stored.collect::<Result<_, _>>()?;
        for (server, points) in self.servers.iter().zip(stored) {
            server.recorder().restore(points);
            if let (Some(is_enabled), Some(server)) = (is_enabled, server.media()) {
                server.recorders.spot_checks.enable(is_enabled != 0);
            }
        }
        handle.is_restored = true;
        Ok(())
    }

    /// Writes the counts since the last time; returns a summary in one sentence.
    ///
    /// # Errors
    /// If they could not be written; they stay in memory then.
    pub async fn flush(self: &Arc<Self>) -> Result<String, String> {
        self.flush_scope(FlushScope::All).await
    }

    async fn flush_scope(self: &Arc<Self>, scope: FlushScope) -> Result<String, String> {
        let own = Arc::clone(self);
        let started_ms = self.clock.now();
        let written = self.lane.run(move || own.write(scope)).await;
        let outcome = written.unwrap_or_else(|error| Err(error.to_string()));
        let ended_ms = self.clock.now();
        *self.last_flush.lock() = Some(StatisticsFlush { started_ms, ended_ms, outcome: outcome.clone() });
        outcome
    }

    /// Result of the last write.
    pub fn last_flush(&self) -> Option<StatisticsFlush> {
        self.last_flush.lock().clone()
    }

    /// Interval of writes.
    pub fn write_every(&self) -> Duration {
        self.write_every
    }

    fn write_every_ms(&self) -> Duration {
        self.write_every
    }

    /// The same, on this thread.
    fn write(&self, scope: FlushScope) -> Result<String, String> {
        let mut handle = self.db.lock();
        let now_ms = self.clock.now();
        self.collect_external(&mut handle, now_ms);
        // Before this process's first write, or its counts would be restored twice.
        if let Err(error) = self.restore(&mut handle) {
            handle.close_after_error(&error);
            return Err(error.message);
        }
        let mut drained: Vec<_> =
            self.servers.iter().map(|server| (server.clone(), server.recorder().drain_buckets())).collect();
        let before_ms = now_ms.saturating_add(self.write_every_ms()).saturating_sub(OWN_WAITS);
        if scope == FlushScope::Due && drained.iter().all(|(_, buckets)| may_wait(buckets, before_ms)) {
            for (server, buckets) in drained.drain(..) {
                server.recorder().requeue(buckets);
            }
        }
        match handle.write(&drained, now_ms) {
            Ok(rows) => Ok(format!("{rows} rows were written.")),
            Err(error) => {
                for (server, buckets) in drained {
                    server.recorder().requeue(buckets);
                }
                Err(error.message)
            }
        }
    }

    /// Collects counts from elsewhere: own requests, and useful and useless refreshes.
    fn collect_external(&self, handle: &mut LazyDb, now_ms: Timestamp) {
        for server in &self.servers {
            server.record_own_requests(now_ms);
        }
        let Some(first) = self.servers.first() else { return };
        for class in first.cache().stats().classes {
            let useful = class.refreshes_useful + class.warm_useful + class.prefetch_useful;
            let useless = class.refreshes_useless + class.warm_useless + class.prefetch_useless;
            let server = self.servers.iter().find(|server| server.name() == class.namespace);
            let Some((server, category)) = server.and_then(|server| Some((server, server.category(class.class)?)))
            else {
                continue;
            };
            let before = handle.refreshes.insert((class.namespace, class.class), (useful, useless));
            let (useful_before, useless_before) = before.unwrap_or_default();
            let recorder = server.recorder();
            recorder.record_count(
                category,
                RequestCounter::RefreshesUseful,
                useful.saturating_sub(useful_before),
                now_ms,
            );
            recorder.record_count(
                category,
                RequestCounter::RefreshesUseless,
                useless.saturating_sub(useless_before),
                now_ms,
            );
        }
    }

    /// Enables or disables spot checks; survives a restart.
    ///
    /// # Errors
    /// If it cannot be stored; nothing has changed then.
    pub async fn enable_spot_checks(self: &Arc<Self>, is_enabled: bool) -> Result<(), String> {
        let own = Arc::clone(self);
        let store = move || own.db.lock().db()?.set_setting(SPOT_CHECKS, i64::from(is_enabled));
        let result = self.lane.run(store).await;
        result.map_err(|error| error.to_string())?.map_err(|error: StateError| error.message)?;
        self.media().for_each(|server| server.recorders.spot_checks.enable(is_enabled));
        Ok(())
    }

    /// Whether spot checks are enabled, and one in how many hits is checked.
    pub fn spot_checks(&self) -> (bool, u64) {
        let mut spots = self.media().map(|server| &server.recorders.spot_checks);
        (spots.clone().any(SpotChecker::is_enabled), spots.next().map_or(0, SpotChecker::one_in))
    }

    /// Savings that other TTLs of a class would have brought; `None` if there is no such server.
    pub fn what_if(&self, server: &str, class: Class) -> Option<WhatIfReport> {
        let server = self.media().find(|media| media.name() == server)?;
        let lifetime = server.lifetime(class, class.lifetime(server.origin.settings.kind));
        let is_signalled = !lifetime.user_state || server.events_state() == EventStreamState::Subscribed;
        let (window, fresh_s) = if is_signalled && lifetime.fresh_with_signal_s > lifetime.fresh_s {
            ("fresh_with_signal_s", lifetime.fresh_with_signal_s)
        } else {
            ("fresh_s", lifetime.fresh_s)
        };
        let windows = TtlWindows {
            fresh_ms: Duration::from_millis(u64::from(fresh_s) * 1000),
            stale_ms: Duration::from_millis(u64::from(lifetime.stale_s) * 1000),
        };
        let recorded = server.recorders.requests.trace(class, self.clock.now());
        let now = what_if::replay_all(&recorded, windows);
        Some(WhatIfReport {
            server: server.name().to_owned(),
            class: class.name(),
            window,
            fresh_s: u64::from(fresh_s),
            recorded: SampledTraffic {
                since_ms: recorded.since_ms.as_millis(),
                asked: now.asked,
                reached: now.reached,
            },
            options: what_if::choices(class.name(), &recorded, windows),
        })
    }

    /// Rows deleted before the end of their retention, and minutes merged because too many waited.
    pub fn dropped(&self) -> u64 {
        let merged: u64 = self.servers.iter().map(|server| server.recorder().merged()).sum();
        // A write may be waiting for the disk: then the last known number is used.
        if let Some(handle) = self.db.try_lock() {
            self.dropped.store(handle.dropped(), Ordering::Relaxed);
        }
        self.dropped.load(Ordering::Relaxed) + merged
    }

    /// Summary since midnight, of one server or of all.
    pub fn today(&self, only: Option<&str>) -> TodaySummary {
        let now_ms = self.clock.now();
        let since_ms = local_midnight_ms(&self.zone, now_ms);
        let mut sum = time_series::SeriesPoint::default();
        for server in self.selected(only) {
            server.record_own_requests(now_ms);
            sum.add(&server.recorder().sum(since_ms));
        }
        let share = |part: u64| (sum.judged > 0).then(|| part as f64 / sum.judged as f64);
        TodaySummary {
            since_ms: since_ms.as_millis(),
            asked: sum.asked,
            reached: sum.reached,
            own: sum.own,
            saved: sum.saved,
            seconds_saved: sum.saved_ms.as_secs(),
            stale: sum.stale,
            hit_rate: share(sum.hits + sum.stale),
            stale_share: share(sum.stale),
            oldest_s: sum.oldest_ms.as_secs(),
            spot_checks: SpotCheckSummary { made: sum.spots, wrong: sum.spots_wrong },
        }
    }

    /// The last decisions with a greater number, newest first, each with its server's name.
    pub fn decisions<'a>(
        &'a self,
        filter: &'a DecisionFilter,
        after: u64,
        limit: usize,
    ) -> Vec<(&'a str, NumberedDecision)> {
        let matches_filter = |decision: &Decision| {
            filter.class.as_deref().is_none_or(|class| class == decision.category.name())
                && filter.app.as_deref().is_none_or(|app| app == decision.app.name)
        };
        let mut decisions: Vec<_> = self
            .selected(filter.server.as_deref())
            .flat_map(|server| {
                let of_server = server.recorder().decisions(after, limit, matches_filter).into_iter();
                of_server.map(|decision| (server.name(), decision))
            })
            .collect();
        decisions.sort_by_key(|(_, decision)| std::cmp::Reverse(decision.number));
        decisions.truncate(limit);
        decisions
    }

    fn media(&self) -> impl Iterator<Item = &Arc<Server>> + Clone {
        self.servers.iter().filter_map(RecordedServer::media)
    }

    fn selected<'a>(&'a self, only: Option<&'a str>) -> impl Iterator<Item = &'a RecordedServer> {
        self.servers.iter().filter(move |server| only.is_none_or(|only| only == server.name()))
    }
}

/// Whether these buckets hold own requests only, and none is older than this moment.
fn may_wait(buckets: &[Arc<MinuteBucket>], before_ms: Timestamp) -> bool {
    buckets.iter().all(|bucket| bucket.is_own_only() && bucket.minute_ms > before_ms)
}
