//! Statistics since start, and the snapshot that is shown.

use greenroom_proxy::cache_setup;
use greenroom_state::bypass::Bypass;

use super::{ControlPlane, ManagedServer};
use crate::apps::AppStats;
use crate::http_apis::ManagedApi;
use crate::outage_warning;
use crate::servers::ServerStats;
use crate::snapshot::{ServerWarning, StatsSnapshot};
use crate::stats::CacheEngineStats;
use crate::stats_baseline::CumulativeStats;
use greenroom_jobs::{JobReport, JobState, folders, indexes, playlists};

impl ControlPlane {
    /// The current snapshot.
    pub fn snapshot(&self) -> StatsSnapshot {
        let snapshot = self.baseline.snapshot_since(self.cumulative_stats(), self.clock.now());
        let libraries = self.playlists.libraries.all();
        let libraries = libraries.iter().map(|library| library.report(false)).collect();
        let today = Some(self.statistics.today(None));
        let (bypasses, (jobs_running, builds_running)) = (self.bypasses(), self.running());
        let dashboard_ms = self.dashboard.as_of_ms();
        StatsSnapshot {
            bypasses,
            libraries,
            jobs_running,
            builds_running,
            today,
            dashboard_ms: dashboard_ms.as_millis(),
            ..snapshot
        }
    }

    /// Counters since start.
    pub fn cumulative_stats(&self) -> CumulativeStats {
        let server_stats = |managed: &ManagedServer| {
            ServerStats::from_server(&managed.server, managed.listen.to_string(), &managed.identity_cache.get())
        };
        CumulativeStats {
            servers: self.servers.iter().map(server_stats).chain(self.apis.iter().map(ManagedApi::stats)).collect(),
            apps: self
                .servers
                .iter()
                .flat_map(|managed| AppStats::from_server(&managed.server))
                .chain(self.apis.iter().flat_map(ManagedApi::apps))
                .collect(),
            engine: CacheEngineStats::from_cache(&self.cache),
            warnings: self.sorted_warnings(),
        }
    }

    /// Warnings about the process itself.
    pub fn own_warnings(&self) -> impl Iterator<Item = ServerWarning> {
        let active = self.warnings.active().into_iter().chain(cache_setup::disk_warnings(&self.cache));
        active.chain(self.store_warnings()).map(|warning| ServerWarning::new(None, warning))
    }

    /// All warnings: outages first, then the others by urgency.
    pub fn sorted_warnings(&self) -> Vec<ServerWarning> {
        let mut all: Vec<ServerWarning> =
            self.own_warnings().chain(self.servers.iter().flat_map(ManagedServer::warnings)).collect();
        all.extend(self.apis.iter().flat_map(ManagedApi::warnings));
        all.sort_by_key(|warning| (warning.warning.code != outage_warning::CODE, warning.warning.severity));
        all
    }

    /// Reads the names of users again if that is due.
    pub async fn refresh_user_names(&self) {
        if !self.user_names.is_due(self.clock.now()) {
            return;
        }
        for server in self.select_servers(None) {
            match self.history.user_names(server.name()).await {
                Ok(users) => self.user_names.set(server, &users),
                Err(reason) => tracing::debug!(reason, "user names cannot be read"),
            }
        }
    }

    /// Spot check results by server.
    pub fn spot_check_counts(&self) -> Vec<(String, Vec<(&'static str, u64)>)> {
        let results = |managed: &ManagedServer| {
            (managed.server.name().to_owned(), managed.server.recorders.spot_checks.results().collect())
        };
        self.servers.iter().map(results).collect()
    }

    /// Active bypasses of all servers.
    pub fn bypasses(&self) -> Vec<Bypass> {
        self.shared_bypasses().map(|bypasses| bypasses.list()).unwrap_or_default()
    }

    /// All jobs, library indexes, folders and scheduled playlists.
    pub fn job_reports(&self) -> Vec<JobReport> {
        let mut all = self.jobs.reports();
        all.extend(indexes::reports(&self.playlists.libraries));
        all.extend(folders::reports(&self.folders));
        all.extend(playlists::reports(&self.playlists.scheduled));
        all
    }

    /// Numbers of running jobs and of running index builds.
    pub fn running(&self) -> (usize, usize) {
        let jobs = self.job_reports();
        let (builds, others): (Vec<&JobReport>, Vec<&JobReport>) =
            jobs.iter().filter(|job| job.state == JobState::Running).partition(|job| indexes::is_index(&job.id));
        (others.len(), builds.len())
    }
}

impl ManagedServer {
    /// Warnings about this server.
    pub fn warnings(&self) -> impl Iterator<Item = ServerWarning> {
        let server = self.server.name().to_owned();
        let outage = outage_warning::find(&self.server.origin.breaker, self.server.mode());
        let active = outage.into_iter().chain(self.server.origin.warnings.active());
        active.map(move |warning| ServerWarning::new(Some(&server), warning))
    }
}
