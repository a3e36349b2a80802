//! Playback history: a mirror of the servers' own histories. The first sync is complete, later ones resume where the
//! last ended; views never ask a server.
//!
//! Plex has a history, which is read oldest first: if a sync is interrupted, everything up to there is stored, and the
//! next one continues. A regular full comparison finds deletions. Jellyfin has only its activity log, which names each
//! finished playback and drops old entries (after 30 days by default); mirrored rows stay.
//!
//! Modules: [`store`] (tables of `state.db`), `sync` (reads the servers), `item_details` (what their rows lack),
//! `details_sync` (reads it), `cursor` (sync progress), [`playback`] (one playback), [`query`] (queries for display).

mod cursor;
mod details_sync;
mod item_details;
pub mod playback;
pub mod query;
pub mod store;
mod sync;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use greenroom_cache::Clock;
use parking_lot::RwLock;
use tokio_util::task::TaskTracker;

use cursor::LastSyncTimes;
use greenroom_proxy::server::Server;
use greenroom_state::error::{StateError, StateErrorKind};
use greenroom_state::file_work_queue::FileWorkQueue;
use query::{HistoryPage, HistoryQuery};
use store::HistoryStore;

pub use sync::SyncObserver;

/// The mirror of the playback history.
#[derive(Debug)]
pub struct PlaybackHistory {
    /// `None` if the file cannot be used.
    store: Option<Arc<HistoryStore>>,
    /// True if the history is disabled.
    is_off: bool,
    servers: Vec<Arc<Server>>,
    clock: Clock,
    /// Queue of the store's file work.
    file_work: FileWorkQueue,
    /// One sync at a time.
    sync_lock: tokio::sync::Mutex<()>,
    last_syncs: RwLock<LastSyncTimes>,
}

impl PlaybackHistory {
    /// A disabled history.
    pub fn disabled(clock: Clock) -> Self {
        Self {
            store: None,
            is_off: false,
            servers: Vec::new(),
            clock,
            file_work: FileWorkQueue::default(),
            sync_lock: tokio::sync::Mutex::default(),
            last_syncs: RwLock::default(),
        }
    }

    /// Opens the mirror of these servers; rows of others are hidden. Stores at most `max_rows`, the newest; zero
    /// disables it.
    pub fn open(
        data_dir: &Path,
        state_error: Option<StateErrorKind>,
        max_rows: u64,
        servers: Vec<Arc<Server>>,
        (clock, tasks): (Clock, TaskTracker),
    ) -> Self {
        let names: Vec<&str> = servers.iter().map(|server| server.name()).collect();
        let result = match state_error {
            _ if max_rows == 0 => None,
            None => Some(HistoryStore::open(data_dir, max_rows, &names, clock.now())),
            Some(state_error) => Some(Err(StateError::new(state_error, "the state database cannot be used"))),
        };
        let store = result.and_then(|result| {
            let store = result.inspect_err(|error| {
                tracing::warn!(reason = %error, "playback history disabled: the state database cannot be used");
            });
            store.ok().map(Arc::new)
        });
        let last_syncs = store.as_ref().and_then(|store| store.last_sync_times().ok()).unwrap_or_default();
        Self {
            store,
            is_off: max_rows == 0,
            servers,
            clock,
            file_work: FileWorkQueue::new(tasks),
            sync_lock: tokio::sync::Mutex::default(),
            last_syncs: RwLock::new(last_syncs),
        }
    }

    /// True if the configuration disables the history.
    pub fn is_off(&self) -> bool {
        self.is_off
    }

    /// The time up to which all of these servers are mirrored, in milliseconds since 1970: the oldest of their last
    /// completed syncs. `None` if one of them was never mirrored.
    pub fn synced_ms<'a>(&self, servers: impl IntoIterator<Item = &'a Arc<Server>>) -> Option<u64> {
        let servers = servers.into_iter().map(|server| (server.name(), server.origin.settings.token.is_some()));
        self.last_syncs.read().oldest(servers)
    }

    /// Queue of its file work.
    pub fn file_work(&self) -> &FileWorkQueue {
        &self.file_work
    }

    /// A page of playbacks.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn page(&self, query: HistoryQuery) -> Result<HistoryPage, String> {
        let Some(store) = self.store.clone() else { return Err("the playback history is disabled".to_owned()) };
        let page = self.file_work.run(move || store.page(&query)).await;
        page.map_err(|error| error.to_string())?.map_err(|error| error.message)
    }

    /// The users of this server, as pairs of its id and the name; empty while the history is disabled.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn user_names(&self, server: &str) -> Result<Vec<(String, String)>, String> {
        let (Some(store), server) = (self.store.clone(), server.to_owned()) else { return Ok(Vec::new()) };
        let names = self.file_work.run(move || store.user_names(&server)).await;
        names.map_err(|error| error.to_string())?.map_err(|error| error.message)
    }
}
