//! What was played: a mirror of the servers' own histories, complete from the first sync on and taken up where it ended
//! from then on, so that nobody who looks at it asks a server.
//!
//! A Plex has a history of its own and is asked for it oldest first: whatever breaks a sync off, all up to there is kept,
//! and the next one goes on. A whole comparison now and then finds what was deleted there. A Jellyfin has only its
//! activity log, which names every playback that ended and forgets after a while (30 days, unless it is told
//! otherwise); what was mirrored stays.
//!
//! Rooms: [`store`] (tables of `state.db`), `sync` (how it comes there), `reached` (how far it is), [`row`] (one playback),
//! [`page`] (what of it is shown).

mod cursor;
pub mod page;
pub mod row;
pub mod store;
mod sync;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_cache::Clock;
use parking_lot::RwLock;
use tokio_util::task::TaskTracker;

use cursor::Synced;
use greenroom_proxy::server::Server;
use greenroom_state::error::{Failing, Trouble};
use greenroom_state::file_lane::FileLane;
use page::{Asked, Page};
use store::Store;

pub use sync::Watch;

/// The mirror of what was played.
#[derive(Debug)]
pub struct History {
    /// Nothing where the file cannot be used.
    store: Option<Arc<Store>>,
    /// Nobody wants it kept.
    is_off: bool,
    servers: Vec<Arc<Server>>,
    clock: Clock,
    /// Where the store is read and written.
    lane: FileLane,
    /// One sync at a time.
    turn: tokio::sync::Mutex<()>,
    forgotten: AtomicU64,
    synced: RwLock<Synced>,
}

impl History {
    /// Nothing is mirrored.
    pub fn none(clock: Clock) -> Self {
        Self {
            store: None,
            is_off: false,
            servers: Vec::new(),
            clock,
            lane: FileLane::default(),
            turn: tokio::sync::Mutex::default(),
            forgotten: AtomicU64::new(0),
            synced: RwLock::default(),
        }
    }

    /// Opens the mirror of these servers; what is kept of others is hidden. At most `max_rows` are kept, the newest;
    /// none if that is zero.
    pub fn open(
        data_dir: &Path,
        trouble: Option<Trouble>,
        max_rows: u64,
        servers: Vec<Arc<Server>>,
        (clock, tasks): (Clock, TaskTracker),
    ) -> Self {
        let names: Vec<&str> = servers.iter().map(|server| server.name()).collect();
        let opened = match trouble {
            _ if max_rows == 0 => None,
            None => Some(Store::open(data_dir, max_rows, &names, clock.now_ms())),
            Some(trouble) => Some(Err(Failing::new(trouble, "the state cannot be used"))),
        };
        let store = opened.and_then(|opened| {
            let said = opened.inspect_err(|failing| {
                tracing::warn!(reason = %failing, "what was played is neither known nor kept");
            });
            said.ok().map(Arc::new)
        });
        let synced = store.as_ref().and_then(|store| store.synced().ok()).unwrap_or_default();
        Self {
            store,
            is_off: max_rows == 0,
            servers,
            clock,
            lane: FileLane::new(tasks),
            turn: tokio::sync::Mutex::default(),
            forgotten: AtomicU64::new(0),
            synced: RwLock::new(synced),
        }
    }

    /// Whether the configuration says that nothing is to be kept.
    pub fn is_off(&self) -> bool {
        self.is_off
    }

    /// When all that is kept of these servers was last as they had it, in milliseconds since 1970: the oldest of their
    /// last syncs that came to an end. `None` if one of them never was mirrored.
    pub fn synced_ms<'a>(&self, servers: impl IntoIterator<Item = &'a Arc<Server>>) -> Option<u64> {
        let asked = servers.into_iter().map(|server| (server.name(), server.origin.settings.token.is_some()));
        self.synced.read().of_all(asked)
    }

    /// Where its files are read and written.
    pub fn lane(&self) -> &FileLane {
        &self.lane
    }

    /// Rows that were forgotten for want of room.
    pub fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Relaxed)
    }

    /// A page of what was played.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn page(&self, asked: Asked) -> Result<Page, String> {
        let Some(store) = self.store.clone() else { return Err("the history is not kept".to_owned()) };
        let read = self.lane.run(move || store.page(&asked)).await;
        read.map_err(|undone| undone.to_string())?.map_err(|failing| failing.message)
    }
}
