//! Libraries kept whole: built once whatever asks, never partly, followed, and kept over restarts.

mod builds;
mod changes;
mod processes;
mod troubles;

use std::path::Path;
use std::sync::Arc;

use greenroom_cache::Clock;
use greenroom_simulator::catalogue::{CatalogueSize, ItemId, Kind, Section, SortKey};
use greenroom_simulator::jellyfin::{Jellyfin, item_id};
use greenroom_simulator::options::Options;
use greenroom_simulator::plex::Plex;
use greenroom_simulator::running::Running;
use greenroom_simulator::users::Users;
use greenroom_sync::index::{Generation, Library, Report, State};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use crate::stage::waiting::{self, PATIENCE};
use crate::stage::{Script, Stage};

/// Nothing here takes so long unless it is stuck.
/// How much faster time runs for the gateway.
pub const FACTOR: f64 = 100.0;
/// It does not run faster: pages come in time.
pub const REAL: f64 = 1.0;
/// Slower than life: here every page comes in time, however busy this machine is. What comes late is followed by smaller
/// ones, and these are counted.
pub const SLOW: f64 = 0.25;

/// A media server with music, and a gateway in front of it that has its owner's token.
pub struct House {
    pub server: Running,
    pub stage: Stage,
    kind: &'static str,
    data: TempDir,
    clock: Clock,
}

/// So many tracks and few films.
pub fn music(tracks: u32) -> CatalogueSize {
    CatalogueSize { tracks, ..CatalogueSize::tiny() }
}

impl House {
    pub async fn plex(size: CatalogueSize) -> Self {
        Self::plex_with(size, "", FACTOR).await
    }

    /// `more` stands below the server's table; time runs so much faster for the gateway.
    pub async fn plex_with(size: CatalogueSize, more: &str, factor: f64) -> Self {
        let tasks = TaskTracker::new();
        let options = Options { size, now: None, ..Options::quick() };
        let server = Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
        Self::before("plex", server.expect("it starts"), more, factor).await
    }

    pub async fn jellyfin(size: CatalogueSize, factor: f64) -> Self {
        let tasks = TaskTracker::new();
        let options = Options { size, now: None, ..Options::quick() };
        let server = Jellyfin::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
        Self::before("jellyfin", server.expect("it starts"), "", factor).await
    }

    /// A Plex whose user Kim sees no music.
    pub async fn with_kim_who_sees_films_only(size: CatalogueSize) -> Self {
        let tasks = TaskTracker::new();
        let mut users = Users::standard("plx");
        for user in users.users.iter_mut().filter(|user| user.name == "kim") {
            user.sections = vec![Section::Films];
        }
        let options = Options { size, now: None, users: Some(users), ..Options::quick() };
        let server = Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
        Self::before("plex", server.expect("it starts"), "", FACTOR).await
    }

    /// `table` stands beside the server's.
    pub async fn with_table(size: CatalogueSize, table: &str) -> Self {
        let tasks = TaskTracker::new();
        let options = Options { size, now: None, ..Options::quick() };
        let server = Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
        let server = server.expect("it starts");
        let (data, clock) = (tempfile::tempdir().expect("a folder"), Clock::scaled(FACTOR));
        let token = format!("token = \"{}\"\n", server.tokens().owner_a());
        let script = Script::new().data_dir(data.path()).table(table);
        let stage = script.server("home", "plex", &server.url(), &token).start_at(clock.clone()).await;
        Self { server, stage, kind: "plex", data, clock }
    }

    async fn before(kind: &'static str, server: Running, more: &str, factor: f64) -> Self {
        let (data, clock) = (tempfile::tempdir().expect("a folder"), Clock::scaled(factor));
        let token = server.tokens().owner_a().to_owned();
        let stage = open(kind, &server, data.path(), &clock, &token, more).await;
        Self { server, stage, kind, data, clock }
    }

    /// The same gateway, a process later.
    pub async fn restarted(self, more: &str) -> Self {
        let token = self.server.tokens().owner_a().to_owned();
        self.reopened(&token, more).await
    }

    /// A process later, with another token; with none if it is empty.
    pub async fn restarted_as(self, token: &str) -> Self {
        let token = token.to_owned();
        self.reopened(&token, "").await
    }

    /// A process later that knows nothing of the one before.
    pub async fn forgotten(self) -> Self {
        let Self { server, stage, kind, clock, .. } = self;
        stage.down().await;
        let data = tempfile::tempdir().expect("a folder");
        let token = server.tokens().owner_a().to_owned();
        let stage = open(kind, &server, data.path(), &clock, &token, "").await;
        Self { server, stage, kind, data, clock }
    }

    /// A process later, with another token and other settings.
    pub async fn reopened(self, token: &str, more: &str) -> Self {
        let Self { server, stage, kind, data, clock } = self;
        stage.down().await;
        let stage = open(kind, &server, data.path(), &clock, token, more).await;
        Self { server, stage, kind, data, clock }
    }

    /// What targets of lists and of what is asked about items begin with.
    pub fn lists(&self) -> &'static str {
        if self.kind == "plex" { "/library/sections/" } else { "/Items" }
    }

    /// Keys of all tracks the server has, in the order of a snapshot.
    pub fn tracks(&self) -> Vec<String> {
        let view = self.server.state().view();
        let mut ids: Vec<ItemId> = view.list(Kind::Track, SortKey::Id).iter().copied().collect();
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
        waiting::until(|| libraries.music_of("home").is_some()).await;
        libraries.music_of("home").expect("it is found")
    }

    /// The music library, once it is as the server has it.
    pub async fn current(&self) -> Arc<Library> {
        let library = self.music().await;
        until(&library, |library| library.state() == State::Current).await;
        library
    }

    /// Requests that reached the server for lists and items of libraries.
    pub fn pages(&self) -> usize {
        // Not the counts that dashboards are shown of what is not indexed.
        let is_page = |target: &str| {
            let target = target.to_ascii_lowercase();
            (target.contains("/all?type=") || target.starts_with("/items?"))
                && !target.ends_with("x-plex-container-start=0&x-plex-container-size=0")
                && !target.ends_with("&recursive=true&limit=0")
        };
        self.server.ledger().count(|seen| is_page(&seen.target))
    }

    pub async fn end(self) {
        self.stage.down().await;
    }
}

async fn open(kind: &str, server: &Running, data: &Path, clock: &Clock, token: &str, more: &str) -> Stage {
    let token = format!("token = \"{token}\"\n{more}");
    Script::new().data_dir(data).server("home", kind, &server.url(), &token).start_at(clock.clone()).await
}

/// Waits until a library is so.
pub async fn until(library: &Arc<Library>, is_so: impl Fn(&Arc<Library>) -> bool) {
    let mut progress = library.progress();
    let waiting = async {
        loop {
            progress.borrow_and_update();
            if is_so(library) {
                return;
            }
            progress.changed().await.expect("it lives");
        }
    };
    let outcome = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(outcome.is_ok(), "it never came: {:#?}", report(library));
}

pub fn report(library: &Arc<Library>) -> Report {
    library.report(true)
}

/// Keys of all that is kept, in order.
pub fn keys(library: &Arc<Library>) -> Vec<String> {
    keys_of(&library.generation().expect("something is kept"))
}

/// Keys of all that a generation holds, in order.
pub fn keys_of(generation: &Generation) -> Vec<String> {
    generation.snapshot.items().map(|item| item.key.to_string()).collect()
}
