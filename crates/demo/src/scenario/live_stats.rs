//! Live figures of one target while it is played: the servers behind it, and the results of its apps. Its size does not
//! grow with time.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;

use super::apps::DemoApp;
use super::comparison::{PlaylistResult, tenths};
use super::latencies::LatencyHistogram;
use super::recent_requests::{RecentRequests, ResponseSource};
use super::servers::{ArrivalCounts, DemoServers};

/// Figures of one target.
#[derive(Debug)]
pub(super) struct TargetStats {
    /// The servers behind it.
    pub(super) servers: Arc<DemoServers>,
    counters: Mutex<TargetCounters>,
}

#[derive(Debug)]
struct TargetCounters {
    apps: Vec<AppCounters>,
    /// Arrived requests that do not count: those before the race, and those that were not answered because the servers
    /// were down.
    rejected: ArrivalCounts,
    availability: ServerAvailability,
    /// Results of all outages.
    outages: OutageCounters,
    recent: RecentRequests,
    playlist: Option<PlaylistResult>,
}

/// One app.
#[derive(Debug)]
struct AppCounters {
    app: DemoApp,
    asked: u64,
    failed: u64,
    hits: u64,
    waited_ms: f64,
    /// Latencies of successful responses while the servers were up: a failure is quick, and says nothing good.
    took: LatencyHistogram,
}

/// Whether the servers can be reached.
#[derive(Debug, Clone, Copy)]
enum ServerAvailability {
    /// Up since the beginning.
    AlwaysUp,
    /// Down; `at` holds the arrivals when that began.
    Down { at: ArrivalCounts, dark: OutageCounters },
    /// Up again; `at` holds the requests that had reached them when that began.
    Restored { at: u64, dark: OutageCounters },
}

/// Results of the apps' requests during an outage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct OutageCounters {
    /// Answered requests.
    pub(super) answered: u64,
    /// Requests without a response, or with an error.
    pub(super) failed: u64,
    /// The highest `Age` of a response.
    pub(super) oldest_s: Option<u64>,
}

/// Result of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct AppRequestOutcome {
    /// Latency, in milliseconds of the demo's time.
    pub(super) took_ms: f64,
    /// Whether there was no response, or one with an error status.
    pub(super) failed: bool,
    /// `Age` of the response.
    pub(super) age_s: Option<u64>,
    /// Whether the response came from the cache.
    pub(super) is_hit: bool,
}

/// A target as displayed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct TargetStatsView {
    /// Requests that reached the servers.
    pub(super) reached: u64,
    asked: u64,
    answered: u64,
    failed: u64,
    /// Responses from the cache.
    hits: u64,
    pub(super) p50_ms: f64,
    p95_ms: f64,
    waited_s: u64,
    /// Results during the current or the last outage.
    dark: Option<OutageCounters>,
    /// Results during all outages, which no latency and no verdict counts.
    pub(super) outages: OutageCounters,
    /// Sources of the most recent responses, one letter each.
    recent: String,
    /// The first playlist sync that was finished.
    pub(super) playlist: Option<PlaylistResult>,
    /// Requests that reached the servers since the last outage.
    reached_since: Option<u64>,
    apps: Vec<AppStatsView>,
}

/// An app as displayed.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct AppStatsView {
    name: &'static str,
    asked: u64,
    reached: u64,
    failed: u64,
    p50_ms: f64,
    p95_ms: f64,
}

impl TargetStats {
    /// Starts with zero counts.
    pub(super) fn new(servers: Arc<DemoServers>) -> Self {
        let took = LatencyHistogram::default;
        let line = |app| AppCounters { app, asked: 0, failed: 0, hits: 0, waited_ms: 0.0, took: took() };
        let lines = DemoApp::EVERY.map(line).into();
        let counted = TargetCounters {
            apps: lines,
            rejected: ArrivalCounts::default(),
            availability: ServerAvailability::AlwaysUp,
            outages: OutageCounters::default(),
            recent: RecentRequests::default(),
            playlist: None,
        };
        Self { servers, counters: Mutex::new(counted) }
    }

    /// Leaves out the requests that have arrived so far. To be called before the first request of an app.
    pub(super) fn leave_out_arrivals(&self) {
        self.counters.lock().rejected = self.servers.arrival_counts();
    }

    /// Counts a request of an app.
    pub(super) fn record(&self, app: DemoApp, outcome: AppRequestOutcome) {
        let counted = &mut *self.counters.lock();
        let is_measured = match &mut counted.availability {
            // No cache gave it, so the servers did before they went down.
            ServerAvailability::Down { .. } if !outcome.failed && !outcome.is_hit => true,
            ServerAvailability::Down { dark, .. } => {
                dark.record(outcome);
                counted.outages.record(outcome);
                false
            }
            ServerAvailability::AlwaysUp | ServerAvailability::Restored { .. } => true,
        };
        counted.recent.push(ResponseSource::of(outcome));
        if let Some(line) = counted.apps.iter_mut().find(|line| line.app == app) {
            line.record(outcome, is_measured);
        }
    }

    /// Records a finished playlist sync; only the first counts, because later ones have less to do.
    pub(super) fn record_playlist(&self, result: PlaylistResult) {
        self.counters.lock().playlist.get_or_insert(result);
    }

    /// Takes the servers down. No effect if they are.
    pub(super) fn take_servers_down(&self) {
        let mut counted = self.counters.lock();
        if matches!(counted.availability, ServerAvailability::Down { .. }) {
            return;
        }
        self.servers.take_down();
        counted.availability =
            ServerAvailability::Down { at: self.servers.arrival_counts(), dark: OutageCounters::default() };
    }

    /// Restores the servers. No effect if they are up.
    pub(super) fn restore_servers(&self) {
        let mut counted = self.counters.lock();
        let ServerAvailability::Down { at, dark } = counted.availability else { return };
        let now = self.servers.arrival_counts();
        counted.rejected = counted.rejected.plus(&now.since(&at));
        counted.availability = ServerAvailability::Restored { at: now.since(&counted.rejected).total, dark };
        self.servers.restore();
    }

    /// Current figures.
    pub(super) fn snapshot(&self) -> TargetStatsView {
        let counted = self.counters.lock();
        let come = match counted.availability {
            ServerAvailability::Down { at, .. } => at,
            ServerAvailability::AlwaysUp | ServerAvailability::Restored { .. } => self.servers.arrival_counts(),
        };
        counted.show(&come.since(&counted.rejected))
    }
}

impl TargetStatsView {
    /// Requests of all apps.
    #[cfg(test)]
    pub(super) fn requests(&self) -> u64 {
        self.asked
    }

    /// Whether the servers are down.
    #[cfg(test)]
    pub(super) fn is_down(&self) -> bool {
        self.dark.is_some() && self.reached_since.is_none()
    }
}

impl TargetCounters {
    fn show(&self, reached: &ArrivalCounts) -> TargetStatsView {
        let mut took = LatencyHistogram::default();
        for line in &self.apps {
            took.add(&line.took);
        }
        let asked = self.apps.iter().map(|line| line.asked).sum();
        let failed = self.apps.iter().map(|line| line.failed).sum();
        let hits = self.apps.iter().map(|line| line.hits).sum();
        let waited_ms: f64 = self.apps.iter().map(|line| line.waited_ms).sum();
        let (dark, reached_since) = match self.availability {
            ServerAvailability::AlwaysUp => (None, None),
            ServerAvailability::Down { dark, .. } => (Some(dark), None),
            ServerAvailability::Restored { at, dark } => (Some(dark), Some(reached.total.saturating_sub(at))),
        };
        TargetStatsView {
            reached: reached.total,
            asked,
            answered: asked - failed,
            failed,
            hits,
            p50_ms: tenths(took.percentile(50)),
            p95_ms: tenths(took.percentile(95)),
            waited_s: std::time::Duration::from_secs_f64(waited_ms / 1_000.0).as_secs(),
            dark,
            outages: self.outages,
            recent: self.recent.letters(),
            playlist: self.playlist,
            reached_since,
            apps: self.apps.iter().map(|line| line.show(reached.for_app(line.app))).collect(),
        }
    }
}

impl AppCounters {
    /// Records a request. Its latency counts only if `is_measured`.
    fn record(&mut self, outcome: AppRequestOutcome, is_measured: bool) {
        self.asked += 1;
        self.failed += u64::from(outcome.failed);
        self.hits += u64::from(outcome.is_hit && !outcome.failed);
        if is_measured {
            self.waited_ms += outcome.took_ms;
            if !outcome.failed {
                self.took.record(outcome.took_ms);
            }
        }
    }

    fn show(&self, reached: u64) -> AppStatsView {
        AppStatsView {
            name: self.app.whole_name(),
            asked: self.asked,
            reached,
            failed: self.failed,
            p50_ms: tenths(self.took.percentile(50)),
            p95_ms: tenths(self.took.percentile(95)),
        }
    }
}

impl OutageCounters {
    fn record(&mut self, outcome: AppRequestOutcome) {
        if outcome.failed {
            self.failed += 1;
        } else {
            self.answered += 1;
            self.oldest_s = self.oldest_s.max(outcome.age_s);
        }
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
    use super::super::recorder::AppRequestRecorder;
    use super::*;

    const GOOD: AppRequestOutcome = AppRequestOutcome { took_ms: 10.0, failed: false, age_s: Some(7), is_hit: true };
    const BAD: AppRequestOutcome = AppRequestOutcome { took_ms: 1.0, failed: true, age_s: None, is_hit: false };

    async fn column() -> Arc<TargetStats> {
        let servers = DemoServers::start(&DemoPlan::SMALLEST, &TaskTracker::new()).await.expect("there are free ports");
        Arc::new(TargetStats::new(servers))
    }

    fn menus(column: &Arc<TargetStats>) -> AppClient {
        let door = column.servers.address(ServerKind::Jellyfin);
        let pace = DemoClock::start(1_000.0, Duration::ZERO);
        let book = Arc::new(AppRequestRecorder::new(Arc::clone(column)));
        AppClient::new(DemoApp::Menus, door, column.servers.token(DemoApp::Menus), book, pace)
    }

    #[tokio::test]
    async fn each_request_is_counted_for_its_app_and_for_all() {
        let column = column().await;
        column.record(DemoApp::Widget, GOOD);
        column.record(DemoApp::Widget, BAD);
        column.record(DemoApp::Menus, AppRequestOutcome { took_ms: 2_000.0, ..GOOD });
        let shown = column.snapshot();
        assert_eq!((shown.asked, shown.answered, shown.failed, shown.waited_s), (3, 2, 1, 2));
        assert_eq!((shown.hits, shown.recent.as_str()), (2, "cfc"));
        let widget = shown.apps.iter().find(|line| line.name == DemoApp::Widget.whole_name()).expect("it is there");
        assert_eq!((widget.asked, widget.failed, widget.reached), (2, 1, 0));
        // The failure took a millisecond, and does not make the app look quick.
        assert!((9.0..11.0).contains(&widget.p50_ms), "{widget:?}");
        let silent = shown.apps.iter().find(|line| line.name == DemoApp::Requests.whole_name()).expect("it is there");
        assert_eq!((silent.asked, silent.p95_ms), (0, 0.0));
    }

    #[tokio::test]
    async fn what_is_asked_while_the_servers_are_down_fails_and_reaches_nobody() {
        let column = column().await;
        let visitor = menus(&column);
        assert!(visitor.get("/Users/Me").await.is_success());
        column.take_servers_down();
        for _ in 0..3 {
            assert!(!visitor.get("/Users/Me").await.is_success());
        }
        let shown = column.snapshot();
        assert_eq!((shown.asked, shown.reached, shown.failed), (4, 1, 3));
        assert_eq!(shown.dark, Some(OutageCounters { answered: 0, failed: 3, oldest_s: None }));
        assert_eq!(shown.reached_since, None);
        column.restore_servers();
        assert!(visitor.get("/Users/Me").await.is_success());
        let shown = column.snapshot();
        assert_eq!((shown.reached, shown.failed, shown.reached_since), (2, 3, Some(1)));
        // The figures of the last outage stay visible.
        assert_eq!(shown.dark, Some(OutageCounters { answered: 0, failed: 3, oldest_s: None }));
    }

    #[tokio::test]
    async fn an_answer_of_the_servers_that_arrives_when_they_are_down_is_not_of_the_outage() {
        let column = column().await;
        column.take_servers_down();
        column.record(DemoApp::Widget, AppRequestOutcome { is_hit: false, ..GOOD });
        let shown = column.snapshot();
        assert_eq!(shown.dark, Some(OutageCounters::default()));
        assert_eq!((shown.asked, shown.answered), (1, 1));
    }

    #[tokio::test]
    async fn the_oldest_answer_without_servers_is_remembered() {
        let column = column().await;
        column.record(DemoApp::Widget, AppRequestOutcome { age_s: Some(900), ..GOOD });
        column.take_servers_down();
        column.record(DemoApp::Widget, AppRequestOutcome { is_hit: true, ..GOOD });
        column.record(DemoApp::Widget, AppRequestOutcome { age_s: Some(3), is_hit: true, ..GOOD });
        column.record(DemoApp::Widget, AppRequestOutcome { age_s: None, is_hit: true, ..GOOD });
        assert_eq!(column.snapshot().dark, Some(OutageCounters { answered: 3, failed: 0, oldest_s: Some(7) }));
    }

    #[tokio::test]
    async fn requests_before_the_race_are_left_out() {
        let column = column().await;
        let visitor = menus(&column);
        assert!(visitor.get("/Users/Me").await.is_success());
        column.leave_out_arrivals();
        assert!(visitor.get("/Users/Me").await.is_success());
        assert_eq!(column.snapshot().reached, 1);
    }

    #[tokio::test]
    async fn latencies_without_servers_are_left_out_and_the_outages_add_up() {
        let column = column().await;
        column.record(DemoApp::Widget, GOOD);
        for _ in 0..2 {
            column.take_servers_down();
            column.record(DemoApp::Widget, AppRequestOutcome { took_ms: 60_000.0, ..GOOD });
            column.record(DemoApp::Widget, BAD);
            column.restore_servers();
        }
        let shown = column.snapshot();
        assert_eq!((shown.asked, shown.waited_s, shown.outages.answered, shown.outages.failed), (5, 0, 2, 2));
        assert!(shown.p95_ms < 12.0, "{shown:?}");
    }

    #[tokio::test]
    async fn the_servers_can_go_any_number_of_times() {
        let column = column().await;
        let visitor = menus(&column);
        for round in 1..=3 {
            column.take_servers_down();
            column.take_servers_down();
            assert!(!visitor.get("/Users/Me").await.is_success());
            column.restore_servers();
            column.restore_servers();
            assert!(visitor.get("/Users/Me").await.is_success());
            let shown = column.snapshot();
            assert_eq!((shown.reached, shown.failed, shown.reached_since), (round, round, Some(1)));
        }
    }
}
