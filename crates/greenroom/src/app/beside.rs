//! What stands beside the servers: what is known of their libraries, what is counted, what is done by itself.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Base, of};
use greenroom_config::Settings;
use greenroom_control::dashboard::Dashboard;
use greenroom_control::history::History;
use greenroom_control::jobs::{self, Jobs};
use greenroom_control::recommendations::Advisor;
use greenroom_proxy::internal_client::Inside;
use greenroom_proxy::server::Server;
use greenroom_proxy::statistics::{self, Statistics};
use greenroom_sync::index::Libraries;
use greenroom_sync::matching::Matching;
use greenroom_sync::playlists::{self, Playlists};

/// What stands beside the servers: what is known of their libraries, what is counted, what is done by itself.
pub(super) struct Beside {
    pub(super) libraries: Arc<Libraries>,
    pub(super) playlists: Arc<Playlists>,
    pub(super) jobs: Arc<Jobs>,
    pub(super) statistics: Arc<Statistics>,
    pub(super) inside: Arc<Inside>,
    pub(super) dashboard: Arc<Dashboard>,
    pub(super) history: Arc<History>,
    pub(super) advisor: Arc<Advisor>,
}

impl Base {
    /// Libraries, playlists, jobs, statistics, and what dashboards show.
    pub(super) fn open_beside(&self, settings: &Settings, servers: &[(Arc<Server>, SocketAddr)]) -> Beside {
        let (tasks, stop, dir) = (&self.tasks, &self.stop, self.data_dir.path());
        let trouble = || self.state.trouble();
        let libraries = Arc::new(Libraries::open(dir, settings.library_memory_bytes));
        let matching = Arc::new(Matching::open(dir, trouble(), settings.matching.clone()));
        let playlists = Playlists::new(
            Arc::clone(&libraries),
            matching,
            of(servers),
            self.clock.clone(),
            tasks.clone(),
            stop.clone(),
        );
        let playlists = Arc::new(playlists.within(dir));
        if !settings.playlists.is_empty() {
            let standing = settings.playlists.clone();
            tasks.spawn(playlists::scheduled::keep(Arc::clone(&playlists), standing, stop.clone()));
        }
        let jobs = Jobs::new(settings.jobs_at_once, self.clock.clone(), tasks.clone(), stop.clone());
        let jobs = Arc::new(jobs.within(dir));
        jobs::warming::add(&jobs, &self.cache);
        jobs::indexes::add(&jobs, &libraries);
        let kept = (of(servers), self.clock.clone());
        let statistics = Statistics::open(dir, &settings.statistics, kept, Arc::clone(&self.warnings));
        let statistics = Arc::new(statistics);
        tasks.spawn(statistics::keep(Arc::clone(&statistics), stop.clone()));
        jobs::statistics::add(&jobs, &statistics);
        let inside = Arc::new(Inside::of(of(servers)));
        let dashboard = Dashboard::new(Arc::clone(&inside), Arc::clone(&libraries), self.clock.clone());
        let dashboard = Arc::new(dashboard.counting(Arc::clone(&statistics)).within(dir));
        let kept = (self.clock.clone(), tasks.clone());
        let history = History::open(dir, trouble(), settings.history_max_rows, of(servers), kept);
        let history = Arc::new(history);
        jobs::dashboards::add(&jobs, &dashboard, &history);
        let disk_dir = settings.disk.as_ref().map(|disk| disk.dir.clone());
        let dirs = std::iter::once(dir.to_owned()).chain(disk_dir.clone()).collect();
        let (cache, known) = (self.cache.clone(), Arc::clone(&libraries));
        let advisor = Advisor::new(of(servers), cache, known, Arc::clone(&self.warnings), dirs);
        let advisor = Arc::new(advisor.caching_in(disk_dir));
        advisor.add(&jobs);
        Beside { libraries, playlists, jobs, statistics, inside, dashboard, history, advisor }
    }
}
