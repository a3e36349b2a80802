//! Library indexes: built once for all requests, never partly published, updated, and persistent.

mod builds;
mod changes;
mod processes;
mod troubles;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use greenroom_cache::Clock;
use greenroom_simulator::catalogue::{CatalogueSize, ItemId, MediaKind, Section, SortKey};
use greenroom_simulator::jellyfin::{Jellyfin, JellyfinSwitches, item_id};
use greenroom_simulator::options::DialectSwitches;
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::{Plex, PlexSwitches};
use greenroom_simulator::simulated_server::SimulatedServer;
use greenroom_simulator::users::UserRegistry;
use greenroom_sync::index::{Generation, Library, LibraryReport, LibraryState};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use crate::fixture::waiting;
use crate::fixture::{GatewayConfigBuilder, GatewayFixture};

/// A media server with music, and a gateway in front of it that has its owner's token.
pub struct LibraryFixture {
    pub server: SimulatedServer,
    pub stage: GatewayFixture,
    kind: &'static str,
    data: TempDir,
    clock: Clock,
}

/// This many tracks and few films.
pub fn music(tracks: u32) -> CatalogueSize {
    CatalogueSize { tracks, ..CatalogueSize::tiny() }
}

impl LibraryFixture {
    pub async fn plex(size: CatalogueSize) -> Self {
        Self::plex_with(size, "").await
    }

    /// `more` is added to the server's table.
    pub async fn plex_with(size: CatalogueSize, more: &str) -> Self {
        Self::plex_as(Clock::system(), size, more).await
    }

    /// Its gateway runs on this clock.
    pub async fn plex_at(clock: Clock, size: CatalogueSize) -> Self {
        Self::plex_as(clock, size, "").await
    }

    async fn plex_as(clock: Clock, size: CatalogueSize, more: &str) -> Self {
        let tasks = TaskTracker::new();
        let options = SimulatorOptions { size, now: None, ..SimulatorOptions::quick() };
        let server = Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
        Self::before("plex", server.expect("it starts"), more, clock).await
    }

    pub async fn jellyfin(size: CatalogueSize) -> Self {
        let tasks = TaskTracker::new();
        let options = SimulatorOptions { size, now: None, ..SimulatorOptions::quick() };
        let server = Jellyfin::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
        Self::before("jellyfin", server.expect("it starts"), "", Clock::system()).await
    }

    /// A server that lists its shows without seasons and episodes.
    pub async fn without_episodes(kind: &'static str) -> Self {
        let tasks = TaskTracker::new();
        let address = "127.0.0.1:0".parse().expect("an address");
        let size = CatalogueSize::tiny();
        let server = if kind == "plex" {
            let switches = PlexSwitches { shows_without_episodes: true, ..PlexSwitches::default() };
            let options = SimulatorOptions { size, now: None, switches, ..SimulatorOptions::quick() };
            Plex::new(options).start(address, &tasks).await
        } else {
            let switches = JellyfinSwitches { shows_without_episodes: true, ..JellyfinSwitches::quick() };
            let options = SimulatorOptions { size, now: None, switches, ..SimulatorOptions::quick() };
            Jellyfin::new(options).start(address, &tasks).await
        };
        Self::before(kind, server.expect("it starts"), "", Clock::system()).await
    }

    /// A Plex whose user Kim sees no music.
    pub async fn with_films_only_user(size: CatalogueSize) -> Self {
        let tasks = TaskTracker::new();
        let mut users = UserRegistry::standard("plx");
        for user in users.users.iter_mut().filter(|user| user.name == "kim") {
            user.sections = vec![Section::Films];
        }
        let options = SimulatorOptions { size, now: None, users: Some(users), ..SimulatorOptions::quick() };
        let server = Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
        Self::before("plex", server.expect("it starts"), "", Clock::system()).await
    }

    /// `table` is added beside the server's.
    pub async fn with_table(size: CatalogueSize, table: &str) -> Self {
        let tasks = TaskTracker::new();
        let options = SimulatorOptions { size, now: None, ..SimulatorOptions::quick() };
        let server = Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
        let server = server.expect("it starts");
        let (data, clock) = (tempfile::tempdir().expect("a folder"), Clock::system());
        let token = format!("token = \"{}\"\n", server.tokens().owner_a());
        let script = GatewayConfigBuilder::new().data_dir(data.path()).table(table);
        let stage = script.server("home", "plex", &server.url(), &token).start_at(clock.clone()).await;
        Self { server, stage, kind: "plex", data, clock }
    }

    async fn before(kind: &'static str, server: SimulatedServer, more: &str, clock: Clock) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let token = server.tokens().owner_a().to_owned();
        let stage = open(kind, &server, data.path(), &clock, &token, more).await;
        Self { server, stage, kind, data, clock }
    }

    /// The same gateway after a restart.
    pub async fn restart(self, more: &str) -> Self {
        let token = self.server.tokens().owner_a().to_owned();
        self.reopen(&token, more).await
    }

    /// After a restart with another token; without one if it is empty.
    pub async fn restart_as(self, token: &str) -> Self {
        let token = token.to_owned();
        self.reopen(&token, "").await
    }

    /// After a restart with an empty data directory.
    pub async fn restart_without_data(self) -> Self {
        let token = self.server.tokens().owner_a().to_owned();
        self.restart_without_data_as(&token).await
    }

    /// After a restart with an empty data directory and another token.
    pub async fn restart_without_data_as(self, token: &str) -> Self {
        let Self { server, stage, kind, clock, .. } = self;
        stage.stop().await;
        let data = tempfile::tempdir().expect("a folder");
        let token = token.to_owned();
        let stage = open(kind, &server, data.path(), &clock, &token, "").await;
        Self { server, stage, kind, data, clock }
    }

    /// After a restart with another token and other settings.
    pub async fn reopen(self, token: &str, more: &str) -> Self {
        let Self { server, stage, kind, data, clock } = self;
        stage.stop().await;
        let stage = open(kind, &server, data.path(), &clock, token, more).await;
        Self { server, stage, kind, data, clock }
    }

    /// Prefix of targets for lists and items.
    pub fn lists(&self) -> &'static str {
        if self.kind == "plex" { "/library/sections/" } else { "/Items" }
    }

    /// Keys of all tracks on the server, in the order of a snapshot.
    pub fn tracks(&self) -> Vec<String> {
        let view = self.server.state().view();
        let mut ids: Vec<ItemId> = view.list(MediaKind::Track, SortKey::Id).iter().copied().collect();
        ids.sort_unstable();
        if self.kind == "plex" {
            return ids.iter().map(ToString::to_string).collect();
        }
        let mut keys: Vec<String> = ids.into_iter().map(item_id).collect();
        keys.sort_unstable();
        keys
    }

    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// The music library, once it is known.
    pub async fn music(&self) -> Arc<Library> {
        let libraries = &self.stage.process.libraries;
        waiting::until(|| libraries.music_library("home").is_some()).await;
        libraries.music_library("home").expect("it is found")
    }

    /// The music library, once it is current.
    pub async fn current(&self) -> Arc<Library> {
        let library = self.music().await;
        until(&library, |library| library.state() == LibraryState::Current).await;
        library
    }

    /// Requests for lists and items of libraries that reached the server.
    pub fn pages(&self) -> usize {
        // Without the counts of libraries that are not indexed, made for dashboards.
        let is_page = |target: &str| {
            let target = target.to_ascii_lowercase();
            (target.contains("/all?type=") || target.starts_with("/items?"))
                && !target.ends_with("x-plex-container-start=0&x-plex-container-size=0")
                && !target.ends_with("&recursive=true&limit=0")
        };
        self.server.request_log().count(|seen| is_page(&seen.target))
    }

    pub async fn end(self) {
        self.stage.stop().await;
    }
}

async fn open(
    kind: &str,
    server: &SimulatedServer,
    data: &Path,
    clock: &Clock,
    token: &str,
    more: &str,
) -> GatewayFixture {
    let token = format!("token = \"{token}\"\n{more}");
    GatewayConfigBuilder::new().data_dir(data).server("home", kind, &server.url(), &token).start_at(clock.clone()).await
}

/// Waits until a condition on a library holds.
pub async fn until(library: &Arc<Library>, is_so: impl Fn(&Arc<Library>) -> bool) {
    let mut progress = library.progress();
    let changing = async {
        loop {
            progress.borrow_and_update();
            if is_so(library) {
                return;
            }
            progress.changed().await.expect("it lives");
        }
    };
    waiting::with_deadline(ReportText(library), changing).await;
}

/// A library's progress, for failures.
pub struct ReportText<'a>(pub &'a Arc<Library>);

impl fmt::Display for ReportText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#?}", report(self.0))
    }
}

pub fn report(library: &Arc<Library>) -> LibraryReport {
    library.report(true)
}

/// Keys of all indexed items, in order.
pub fn keys(library: &Arc<Library>) -> Vec<String> {
    keys_of(&library.generation().expect("something is kept"))
}

/// Keys of all items of a generation, in order.
pub fn keys_of(generation: &Generation) -> Vec<String> {
    generation.snapshot.items().map(|item| item.key.to_string()).collect()
}
