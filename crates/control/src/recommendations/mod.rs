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

use crate::jobs::{JobDefinition, Jobs};
use greenroom_proxy::server::Server;
use greenroom_state::file_work_queue::FileWorkQueue;
use greenroom_state::warnings::{Warning, Warnings};
use greenroom_sync::index::SYNC_WITHOUT_INDEX;
use greenroom_sync::index::{Libraries, LibraryId, LibraryState};
use window::SlidingWindow;

/// How often facts are evaluated.
const EVERY: Duration = Duration::from_secs(60);

/// Time limit for reading the free space. Real time: disks do not run faster with the process clock.
const DISK_PATIENCE: Duration = Duration::from_secs(2);

const PLAN: JobDefinition = JobDefinition {
    id: "advice",
    title: "Look for what could be better",
    description: "Looks for what is set up badly or does little, and warns of it with what to do.",
    every: Some(EVERY),
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
    lane: FileWorkQueue,
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
        let lane = FileWorkQueue::new(tasks).with_limit(1);
        let (rooms, window) = (Mutex::default(), Mutex::default());
        Self { servers, cache, libraries, warnings, dirs, disk_dir: None, free_space: rooms, lane, window }
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
        let advisor = Arc::clone(self);
        jobs.add(PLAN, move |_| {
            let advisor = Arc::clone(&advisor);
            async move {
                advisor.measure().await;
                let count = advisor.evaluate();
                Ok(if count == 1 { "1 warning".to_owned() } else { format!("{count} warnings") })
            }
        });
    }

    /// Measures the free space. If the disk does not respond, the last values stay.
    pub async fn measure(&self) {
        let dirs = self.dirs.clone();
        let measuring = move || dirs.iter().filter_map(|dir| tiers::FreeSpace::measure(dir)).collect::<Vec<_>>();
        if let Ok(Ok(rooms)) = tokio::time::timeout(DISK_PATIENCE, self.lane.run(measuring)).await {
            *self.free_space.lock() = rooms;
        }
    }

    /// Evaluates now, and raises or clears warnings. Returns how many are active.
    pub fn evaluate(&self) -> usize {
        let stats = self.cache.stats();
        let free = self.free_space.lock().clone();
        let is_said = self.warnings.active().iter().any(|held| held.code == tiers::CODES[0]);
        let Some(now_ms) = self.servers.first().map(|server| server.origin.clock.now_ms()) else {
            return self.warnings.active().len();
        };
        let mut window = self.window.lock();
        window.record(now_ms, window::recent_counts(&stats, &self.servers));
        let counted = window.counted();
        drop(window);
        let mut own: Vec<Warning> =
            tiers::advise_on_disk(&free, self.disk_usage().as_ref(), is_said).into_iter().collect();
        own.extend(tiers::advise_on_memory(&tiers::MemoryTierUsage::from_stats(&stats, &counted)));
        update_warnings(None, &self.warnings, &tiers::CODES, own);
        for server in &self.servers {
            let mut found = servers::advise(&servers::ServerRecommendationInput::from_server(server));
            let of_server = counted.iter().filter(|class| class.server == server.name());
            found.extend(of_server.filter_map(classes::advise));
            let codes = [servers::CODES.as_slice(), &classes::CODES].concat();
            update_warnings(Some(server.name()), &server.origin.warnings, &codes, found);
            server.origin.warnings.retain(SYNC_WITHOUT_INDEX, |held| self.is_off(held));
            self.libraries.warn(server);
        }
        let of_servers: usize = self.servers.iter().map(|server| server.origin.warnings.active().len()).sum();
        of_servers + self.warnings.active().len()
    }

    /// True if the library of this warning is turned off.
    fn is_off(&self, held: &Warning) -> bool {
        let id = held.subject.as_deref().and_then(|id| id.parse::<LibraryId>().ok());
        let library = id.and_then(|id| self.libraries.find(&id));
        library.is_some_and(|library| library.state() == LibraryState::Off)
    }
}

/// Raises and clears warnings, and logs the new ones.
fn update_warnings(server: Option<&str>, warnings: &Warnings, codes: &[&str], now: Vec<Warning>) {
    for news in warnings.replace(codes, now) {
        tracing::warn!(server, code = news.code, remedy = %news.remedy, "{}", news.text);
    }
}
