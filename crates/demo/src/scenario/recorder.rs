//! Records every request of every app: its latency, and whether it failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::apps::DemoApp;
use super::comparison::{PlaylistResult, RunStats, tenths};
use super::live_stats::{AppRequestOutcome, TargetStats};
use super::measure::percentile;

/// The records of one run.
#[derive(Debug)]
pub(super) struct AppRequestRecorder {
    stats: Arc<TargetStats>,
    records: Mutex<Vec<AppRecord>>,
    requests: AtomicU64,
    playlist: Mutex<Option<PlaylistResult>>,
}

/// One app, or a part of its work.
#[derive(Debug)]
struct AppRecord {
    name: &'static str,
    app: DemoApp,
    /// Requests with the app's token that had reached the server when the record began.
    reached_before: u64,
    took_ms: Vec<f64>,
    failed: u64,
    /// Paths that were read, in their order.
    read: Vec<String>,
}

/// Index of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordId(usize);

impl AppRequestRecorder {
    /// An empty recorder. Requests are counted in `live_stats` as well.
    pub(super) fn new(column: Arc<TargetStats>) -> Self {
        Self { stats: column, records: Mutex::default(), requests: AtomicU64::new(0), playlist: Mutex::default() }
    }

    /// Begins a record. Further requests with the app's token that reach the server belong to it, no longer to the
    /// app's record before.
    pub(super) fn start_record(&self, app: DemoApp, name: &'static str) -> RecordId {
        let reached_before = self.stats.servers.reached_by(app);
        let mut pages = self.records.lock();
        pages.push(AppRecord { name, app, reached_before, took_ms: Vec::new(), failed: 0, read: Vec::new() });
        RecordId(pages.len() - 1)
    }

    /// Records a request; `read` is the path if it was a read.
    pub(super) fn record(&self, page: RecordId, read: Option<&str>, outcome: AppRequestOutcome) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut pages = self.records.lock();
        let page = &mut pages[page.0];
        page.took_ms.push(outcome.took_ms);
        page.failed += u64::from(outcome.failed);
        page.read.extend(read.map(str::to_owned));
        let app = page.app;
        drop(pages);
        self.stats.record(app, outcome);
    }

    /// Records the result of a playlist sync; only the first counts, because later ones have less to do.
    pub(super) fn record_playlist(&self, kept: PlaylistResult) {
        self.stats.record_playlist(kept);
        self.playlist.lock().get_or_insert(kept);
    }

    /// Result of the first playlist sync, if there was one.
    pub(super) fn playlist_result(&self) -> Option<PlaylistResult> {
        *self.playlist.lock()
    }

    /// Paths read in the record of this name, in their order.
    pub(super) fn reads_of(&self, name: &str) -> Vec<String> {
        self.records.lock().iter().filter(|page| page.name == name).flat_map(|page| page.read.clone()).collect()
    }

    /// Requests recorded so far.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests that failed so far.
    pub(super) fn failed(&self) -> u64 {
        self.records.lock().iter().map(|page| page.failed).sum()
    }

    /// The figures of every record, in the order of [`DemoApp::EVERY`]. To be read after the last request.
    pub(super) fn stats(&self) -> Vec<(&'static str, RunStats)> {
        let pages = self.records.lock();
        let mut figures = Vec::new();
        for app in DemoApp::EVERY {
            let own: Vec<&AppRecord> = pages.iter().filter(|page| page.app == app).collect();
            for (at, page) in own.iter().enumerate() {
                let reached_after =
                    own.get(at + 1).map_or_else(|| self.stats.servers.reached_by(app), |next| next.reached_before);
                figures.push((page.name, page.side(reached_after - page.reached_before)));
            }
        }
        figures
    }
}

impl AppRequestRecorder {
    /// Sum of all records, with this number of upstream requests.
    pub(super) fn total(&self, upstream_requests: u64) -> RunStats {
        let pages = self.records.lock();
        let took_ms: Vec<f64> = pages.iter().flat_map(|page| page.took_ms.iter().copied()).collect();
        let failed = pages.iter().map(|page| page.failed).sum();
        side(&took_ms, upstream_requests, failed)
    }
}

fn side(took_ms: &[f64], upstream_requests: u64, failed: u64) -> RunStats {
    RunStats {
        requests: took_ms.len() as u64,
        upstream_requests,
        p50_ms: tenths(percentile(took_ms, 50)),
        p95_ms: tenths(percentile(took_ms, 95)),
        failed,
    }
}

impl AppRecord {
    fn side(&self, upstream_requests: u64) -> RunStats {
        side(&self.took_ms, upstream_requests, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use greenroom_dialect::request::ServerKind;
    use tokio_util::task::TaskTracker;

    use super::super::DemoPlan;
    use super::super::app_client::AppClient;
    use super::super::clock::DemoClock;
    use super::super::servers::DemoServers;
    use super::*;

    async fn column() -> Arc<TargetStats> {
        let servers = DemoServers::start(&DemoPlan::SMALLEST, &TaskTracker::new()).await.expect("there are free ports");
        Arc::new(TargetStats::new(servers))
    }

    fn menus(column: &Arc<TargetStats>, book: &Arc<AppRequestRecorder>) -> AppClient {
        let servers = &column.servers;
        let door = servers.address(ServerKind::Jellyfin);
        let pace = DemoClock::start(1_000.0, Duration::ZERO);
        AppClient::new(DemoApp::Menus, door, servers.token(DemoApp::Menus), Arc::clone(book), pace)
    }

    #[tokio::test]
    async fn a_new_page_counts_only_what_comes_after_it() {
        let column = column().await;
        let book = Arc::new(AppRequestRecorder::new(Arc::clone(&column)));
        let mut visitor = menus(&column, &book);
        assert!(visitor.get("/Users/Me").await.is_success());
        assert!(visitor.get("/UserViews").await.is_success());
        visitor.start_record("later");
        assert!(visitor.get("/Users/Me").await.is_success());
        let figures = book.stats();
        let requests: Vec<(u64, u64)> =
            figures.iter().map(|(_, side)| (side.requests, side.upstream_requests)).collect();
        assert_eq!(requests, [(2, 2), (1, 1)]);
        assert_eq!(book.reads_of("later"), ["/Users/Me"]);
    }

    #[tokio::test]
    async fn what_is_refused_or_not_answered_has_failed() {
        let column = column().await;
        let book = Arc::new(AppRequestRecorder::new(Arc::clone(&column)));
        let visitor = menus(&column, &book);
        assert!(!visitor.get("/Items/00000000000000000000000000000000").await.is_success());
        column.servers.take_down();
        assert!(!visitor.get("/Users/Me").await.is_success());
        column.servers.restore();
        assert!(visitor.get("/Users/Me").await.is_success());
        assert_eq!((book.requests(), book.failed()), (3, 2));
    }
}
