//! Advice: what is set up badly or does little, and what to do about it. Facts are gathered once a minute and whenever
//! somebody asks; pure functions say what follows from them.
//!
//! Rooms: [`servers`] (what is so of a server), [`classes`] (lifetimes that are of no use), [`tiers`] (memory and disk),
//! [`window`] (what was counted in the last hour), `forwarding` (whether Jellyfin trusts us as a proxy).

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

use crate::jobs::{Jobs, Plan};
use greenroom_proxy::server::Server;
use greenroom_state::file_lane::FileLane;
use greenroom_state::warnings::{Warning, Warnings};
use greenroom_sync::index::SYNC_WITHOUT_INDEX;
use greenroom_sync::index::{Libraries, LibraryId, State};
use window::Window;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(60);

/// So long a disk may take to say how much room there is. It is real time: disks do not run faster with our clock.
const DISK_PATIENCE: Duration = Duration::from_secs(2);

const PLAN: Plan = Plan {
    id: "advice",
    title: "Look for what could be better",
    what: "Looks for what is set up badly or does little, and warns of it with what to do.",
    every: Some(EVERY),
    catches_up: false,
};

/// Looks for what could be better.
#[derive(Debug)]
pub struct Advisor {
    servers: Vec<Arc<Server>>,
    cache: Cache,
    libraries: Arc<Libraries>,
    /// What is wrong with the process itself.
    warnings: Arc<Warnings>,
    /// Where things are kept.
    dirs: Vec<PathBuf>,
    /// Where the cache is, if it is on disk.
    disk_dir: Option<PathBuf>,
    /// How much room there was when it was measured last.
    rooms: Mutex<Vec<tiers::Room>>,
    /// Where that is measured: one question to the disk at a time.
    lane: FileLane,
    window: Mutex<Window>,
}

impl Advisor {
    /// Advises on these.
    pub fn new(
        servers: Vec<Arc<Server>>,
        cache: Cache,
        libraries: Arc<Libraries>,
        warnings: Arc<Warnings>,
        dirs: Vec<PathBuf>,
    ) -> Self {
        // Where a file system lies elsewhere, asking it may take for ever.
        let dirs = dirs.into_iter().filter(|dir| network_file_system(dir).is_none()).collect();
        let tasks = servers.first().map(|server| server.origin.tasks.clone()).unwrap_or_default();
        let lane = FileLane::new(tasks).with_limit(1);
        let (rooms, window) = (Mutex::default(), Mutex::default());
        Self { servers, cache, libraries, warnings, dirs, disk_dir: None, rooms, lane, window }
    }

    /// With the place where the cache is.
    #[must_use]
    pub fn caching_in(self, disk_dir: Option<PathBuf>) -> Self {
        Self { disk_dir, ..self }
    }

    /// What the cache keeps on disk.
    fn kept(&self) -> Option<tiers::Kept> {
        let (dir, stats) = (self.disk_dir.clone()?, self.cache.disk_stats()?);
        Some(tiers::Kept { dir, bytes: stats.bytes, max_bytes: stats.max_bytes })
    }

    /// Looks once a minute, as a job.
    pub fn add(self: &Arc<Self>, jobs: &Jobs) {
        let advisor = Arc::clone(self);
        jobs.add(PLAN, move |_| {
            let advisor = Arc::clone(&advisor);
            async move {
                advisor.measure().await;
                let count = advisor.look();
                Ok(if count == 1 { "1 warning".to_owned() } else { format!("{count} warnings") })
            }
        });
    }

    /// Measures how much room there is. Where the disk does not answer, what was measured last holds.
    pub async fn measure(&self) {
        let dirs = self.dirs.clone();
        let measuring = move || dirs.iter().filter_map(|dir| tiers::Room::of(dir)).collect::<Vec<_>>();
        if let Ok(Ok(rooms)) = tokio::time::timeout(DISK_PATIENCE, self.lane.run(measuring)).await {
            *self.rooms.lock() = rooms;
        }
    }

    /// Looks now, and raises and lowers what follows. Returns how many warnings hold.
    pub fn look(&self) -> usize {
        let stats = self.cache.stats();
        let free = self.rooms.lock().clone();
        let is_said = self.warnings.holding().iter().any(|held| held.code == tiers::CODES[0]);
        let Some(now_ms) = self.servers.first().map(|server| server.origin.clock.now_ms()) else {
            return self.warnings.holding().len();
        };
        let mut window = self.window.lock();
        window.note(now_ms, window::counted(&stats, &self.servers));
        let counted = window.counted();
        drop(window);
        let mut own: Vec<Warning> =
            tiers::advise_on_disk(&free, self.kept().as_ref(), is_said).into_iter().collect();
        own.extend(tiers::advise_on_memory(&tiers::Memory::of(&stats, &counted)));
        tell(None, &self.warnings, &tiers::CODES, own);
        for server in &self.servers {
            let mut found = servers::advise(&servers::Facts::of(server));
            let of_server = counted.iter().filter(|class| class.server == server.name());
            found.extend(of_server.filter_map(classes::advise));
            let codes = [servers::CODES.as_slice(), &classes::CODES].concat();
            tell(Some(server.name()), &server.origin.warnings, &codes, found);
            server.origin.warnings.keep_only(SYNC_WITHOUT_INDEX, |held| self.is_off(held));
            self.libraries.warn(server);
        }
        let of_servers: usize =
            self.servers.iter().map(|server| server.origin.warnings.holding().len()).sum();
        of_servers + self.warnings.holding().len()
    }

    /// Whether the library a warning is about is turned off.
    fn is_off(&self, held: &Warning) -> bool {
        let id = held.subject.as_deref().and_then(|id| id.parse::<LibraryId>().ok());
        let library = id.and_then(|id| self.libraries.find(&id));
        library.is_some_and(|library| library.state() == State::Off)
    }
}

/// Raises and lowers, and says in the log what is news.
fn tell(server: Option<&str>, warnings: &Warnings, codes: &[&str], now: Vec<Warning>) {
    for news in warnings.settle(codes, now) {
        tracing::warn!(server, code = news.code, remedy = %news.remedy, "{}", news.text);
    }
}
