//! Status of scheduled syncs, and requests to run one now.

use std::collections::{BTreeMap, HashSet};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;
use utoipa::ToSchema;

use super::report::{PlaylistFailure, RowCounts};

/// Result of the last sync of one playlist.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = PlaylistLast)]
pub struct LastSync {
    /// Its end, in milliseconds since 1970.
    pub at_ms: u64,
    /// Its result: `done`, `failed`, `cancelled`.
    pub state: &'static str,
    /// Rows by outcome, if any were matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<RowCounts>,
    /// What failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<PlaylistFailure>,
}

/// Status of one playlist.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = PlaylistKept)]
pub struct SyncedPlaylistStatus {
    /// Its file; `None` for a server's playlist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// It waits for the library's first build.
    pub awaits_library: bool,
    /// Result of the last sync.
    pub last: Option<LastSync>,
    /// Next sync if nothing changes, in milliseconds since 1970.
    pub next_ms: Option<u64>,
}

/// Status of one entry of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = PlaylistEntry)]
pub struct ScheduledSyncStatus {
    /// Its name in the configuration.
    pub name: String,
    /// The target server.
    pub server: String,
    /// Its source.
    pub from: String,
    /// Interval of syncs without a change, in hours.
    #[serde(skip)]
    pub every_hours: u64,
    /// Problems for a person to fix.
    pub problems: Vec<String>,
    /// Its playlists.
    pub playlists: Vec<SyncedPlaylistStatus>,
}

/// Status of all scheduled syncs.
#[derive(Debug, Default)]
pub struct ScheduledSyncs {
    entries: Mutex<BTreeMap<String, ScheduledSyncStatus>>,
    requested: Mutex<HashSet<String>>,
    /// The entry being synced.
    running: Mutex<Option<String>>,
    /// Notified on a request.
    pub(super) wake: Notify,
}

impl ScheduledSyncs {
    /// Status of all entries.
    pub fn all(&self) -> Vec<ScheduledSyncStatus> {
        self.entries.lock().values().cloned().collect()
    }

    /// Requests a sync of all the entry's playlists as soon as possible; false if there is no such entry.
    pub fn request_now(&self, name: &str) -> bool {
        if !self.entries.lock().contains_key(name) {
            return false;
        }
        self.requested.lock().insert(name.to_owned());
        self.wake.notify_one();
        true
    }

    /// Whether this entry is being synced.
    pub fn is_running(&self, name: &str) -> bool {
        self.running.lock().as_deref() == Some(name)
    }

    /// Whether a sync of this entry was requested and has not begun.
    pub fn is_requested(&self, name: &str) -> bool {
        self.requested.lock().contains(name)
    }

    /// Sets the entry being synced.
    pub(super) fn set_running(&self, name: Option<&str>) {
        *self.running.lock() = name.map(str::to_owned);
    }

    /// Takes a pending request for this entry; returns whether there was one.
    pub(super) fn take_request(&self, name: &str) -> bool {
        self.requested.lock().remove(name)
    }

    /// Sets the status of an entry.
    pub fn set(&self, entry: ScheduledSyncStatus) {
        self.entries.lock().insert(entry.name.clone(), entry);
    }
}
