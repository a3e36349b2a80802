//! Recommendations: what is misconfigured or of little use, and the remedy. Facts are gathered once a minute and on
//! request; pure functions derive the warnings.
//!
//! Modules: [`servers`] (server settings, and whether Jellyfin trusts Greenroom as a proxy), [`classes`] (TTL policies
//! without effect), [`tiers`] (memory and disk), [`window`] (counters of the last hour).

mod classes;
mod servers;
#[cfg(test)]
mod tests;
mod tiers;
mod window;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Cache;
use greenroom_cache::disk::network_file_system;
use parking_lot::Mutex;

use greenroom_jobs::{JobDefinition, Jobs};
use greenroom_proxy::server::Server;
use greenroom_state::file_work_queue::FileWorkQueue;
use greenroom_state::warnings::{Warning, Warnings};
use greenroom_sync::index::SYNC_WITHOUT_INDEX;
use greenroom_sync::index::{Libraries, LibraryId, LibraryState};
use window::SlidingWindow;

/// Interval at which facts are evaluated.
const INTERVAL: Duration = Duration::from_secs(60);

/// Time limit for reading the free space. Real time: disks do not run faster with the process clock.
const DISK_TIMEOUT: Duration = Duration::from_secs(2);

const DEFINITION: JobDefinition = JobDefinition {
    id: "advice",
    title: "Recommendations",
    description: "Checks for misconfiguration and settings without effect, and warns with the remedy.",
    every: Some(INTERVAL),
    catches_up: false,
};

/// Evaluates the facts and raises warnings.
#[derive(Debug)]
pub struct Recommender {
    servers: Vec<Arc<Server>>,
    cache: Cache,
    libraries: Arc<Libraries>,
    /// Warnings about the process itself.
    warnings: Arc<Warnings>,
    /// Directories in use.
    dirs: Vec<PathBuf>,
    /// The directory of the disk tier, if any.
    disk_dir: Option<PathBuf>,
    /// Free space as last measured.
    free_space: Mutex<Vec<tiers::FreeSpace>>,
    /// Queue of the measurements: one at a time.
    file_work: FileWorkQueue,
    window: Mutex<SlidingWindow>,
}

impl Recommender {
    /// Creates the recommender.
    pub fn new(
        servers: Vec<Arc<Server>>,
        cache: Cache,
        libraries: Arc<Libraries>,
        warnings: Arc<Warnings>,
        dirs: Vec<PathBuf>,
    ) -> Self {
        // Reading the free space of a network file system may block forever.
        let dirs = dirs.into_iter().filter(|dir| network_file_system(dir).is_none()).collect();
        let tasks = servers.first().map(|server| server.origin.tasks.clone()).unwrap_or_default();
        let file_work = FileWorkQueue::new(tasks).with_limit(1);
        let (free_space, window) = (Mutex::default(), Mutex::default());
        Self { servers, cache, libraries, warnings, dirs, disk_dir: None, free_space, file_work, window }
    }

    /// Sets the directory of the disk tier.
    #[must_use]
    pub fn with_disk_dir(self, disk_dir: Option<PathBuf>) -> Self {
        Self { disk_dir, ..self }
    }

    /// Size of the disk tier.
    fn disk_usage(&self) -> Option<tiers::DiskTierUsage> {
        let (dir, stats) = (self.disk_dir.clone()?, self.cache.disk_stats()?);
        Some(tiers::DiskTierUsage { dir, bytes: stats.bytes, max_bytes: stats.max_bytes })
    }

    /// Adds the job that evaluates once a minute.
    pub fn add(self: &Arc<Self>, jobs: &Jobs) {
        let recommender = Arc::clone(self);
        jobs.add(DEFINITION, move |_| {
            let recommender = Arc::clone(&recommender);
            async move {
                recommender.measure().await;
                let count = recommender.evaluate();
                Ok(if count == 1 { "1 warning".to_owned() } else { format!("{count} warnings") })
            }
        });
    }

    /// Measures the free space. If the disk does not respond, the last values stay.
    pub async fn measure(&self) {
        let dirs = self.dirs.clone();
        let measure = move || dirs.iter().filter_map(|dir| tiers::FreeSpace::measure(dir)).collect::<Vec<_>>();
        if let Ok(Ok(free_space)) = tokio::time::timeout(DISK_TIMEOUT, self.file_work.run(measure)).await {
            *self.free_space.lock() = free_space;
        }
    }

    /// Evaluates now, and raises or clears warnings. Returns how many are active.
    pub fn evaluate(&self) -> usize {
        let stats = self.cache.stats();
        let free_space = self.free_space.lock().clone();
        let is_active = self.warnings.active().iter().any(|warning| warning.code == tiers::CODES[0]);
        let Some(now_ms) = self.servers.first().map(|server| server.origin.clock.now()) else {
            return self.warnings.active().len();
        };
        let mut window = self.window.lock();
        window.record(now_ms, window::recent_counts(&stats, &self.servers));
        let counts = window.counts();
        drop(window);
        let mut process_warnings: Vec<Warning> =
            tiers::advise_on_disk(&free_space, self.disk_usage().as_ref(), is_active).into_iter().collect();
        process_warnings.extend(tiers::advise_on_memory(&tiers::MemoryTierUsage::from_stats(&stats, &counts)));
        update_warnings(None, &self.warnings, &tiers::CODES, process_warnings);
        for server in &self.servers {
            let mut server_warnings = servers::advise(&servers::ServerRecommendationInput::from_server(server));
            let server_counts = counts.iter().filter(|class| class.server == server.name());
            server_warnings.extend(server_counts.filter_map(classes::advise));
            let codes = [servers::CODES.as_slice(), &classes::CODES].concat();
            update_warnings(Some(server.name()), &server.origin.warnings, &codes, server_warnings);
            server.origin.warnings.retain(SYNC_WITHOUT_INDEX, |warning| self.is_off(warning));
            self.libraries.warn(server);
        }
        let server_count: usize = self.servers.iter().map(|server| server.origin.warnings.active().len()).sum();
        server_count + self.warnings.active().len()
    }

    /// True if the library of this warning is turned off.
    fn is_off(&self, warning: &Warning) -> bool {
        let id = warning.subject.as_deref().and_then(|id| id.parse::<LibraryId>().ok());
        let library = id.and_then(|id| self.libraries.find(&id));
        library.is_some_and(|library| library.state() == LibraryState::Off)
    }
}

/// Raises and clears warnings, and logs the new ones.
fn update_warnings(server: Option<&str>, warnings: &Warnings, codes: &[&str], current: Vec<Warning>) {
    for warning in warnings.replace(codes, current) {
        tracing::warn!(server, code = warning.code, remedy = %warning.remedy, "{}", warning.text);
    }
}
