//! One of the two targets of the apps: the servers themselves, or Greenroom in front of its own pair of servers.

use std::sync::Arc;

use super::clock::DemoClock;
use super::comparison::RunStats;
use super::live_stats::TargetStats;
use super::recorder::AppRequestRecorder;
use super::servers::DemoServers;
use super::upstream_requests;
use super::workload::{self, ServerAddresses, Workload};
use super::{DemoPlan, ProgressFn};

/// A target, with the records of the evening.
#[derive(Debug)]
pub(super) struct DemoTarget {
    /// Live figures.
    pub(super) stats: Arc<TargetStats>,
    /// Addresses that its apps use.
    pub(super) addresses: ServerAddresses,
    /// Records of the evening.
    pub(super) recorder: Arc<AppRequestRecorder>,
}

/// Results of the evening at one target.
#[derive(Debug)]
pub(super) struct TargetRun {
    pub(super) app_stats: Vec<(&'static str, RunStats)>,
    pub(super) reached: u64,
    pub(super) writes: u64,
    pub(super) upstream_requests: String,
}

impl DemoTarget {
    /// A target with these addresses and servers, without any requests yet.
    pub(super) fn new(doors: ServerAddresses, servers: Arc<DemoServers>) -> Self {
        let column = Arc::new(TargetStats::new(servers));
        let book = Arc::new(AppRequestRecorder::new(Arc::clone(&column)));
        Self { stats: column, addresses: doors, recorder: book }
    }

    pub(super) async fn play(&self, evening: &Workload, pace: &DemoClock, tell: ProgressFn) -> TargetRun {
        let servers = &self.stats.servers;
        let news = || {
            let (asked, reached) = (self.recorder.requests(), servers.reached());
            format!("the apps asked {asked} times, {reached} requests reached the servers")
        };
        tokio::join!(
            workload::play(evening, &self.stats, &self.addresses, pace, &self.recorder),
            workload::report_progress(evening, pace, tell, news)
        );
        // Read before the restart and the outage, which do not belong to the evening.
        let (sides, reached, writes) = (self.recorder.stats(), servers.reached(), servers.writes());
        TargetRun { app_stats: sides, reached, writes, upstream_requests: upstream_requests::render(servers) }
    }

    /// Lets the apps read on for a minute. Returns the records.
    pub(super) async fn repeat_reads(&self, plan: &DemoPlan, evening: &Workload) -> Arc<AppRequestRecorder> {
        workload::repeat_reads(plan, evening, &self.stats, &self.addresses, &workload::repeated_paths(&self.recorder))
            .await
    }
}
