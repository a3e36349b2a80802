//! Status of the scheduled playlist syncs, and pending requests to run one now.

use greenroom_cache::Timestamp;
use std::collections::{BTreeMap, HashSet};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;
use utoipa::ToSchema;

use super::report::{PlaylistFailure, RowCounts};
use super::run::RunResult;

/// Result of the last sync of one playlist.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = PlaylistLast)]
pub struct LastSync {
    /// Time at which it ended, in milliseconds since 1970.
    pub at_ms: u64,
    /// Its result: `done`, `failed` or `cancelled`.
    pub state: &'static str,
    /// Whether the server was scanning its files: it runs again once that has ended.
    pub is_changing: bool,
    /// Number of rows by outcome; `None` if it ended before a report was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<RowCounts>,
    /// The failure; if only some accounts failed, that of the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<PlaylistFailure>,
}

impl LastSync {
    /// The result of all playlists of a source: the worst state, the sum of the rows, and the first failure.
    pub(super) fn from_results(at_ms: Timestamp, results: &[Result<RunResult, PlaylistFailure>]) -> Self {
        let counts = results.iter().filter_map(|result| match result {
            Ok(RunResult::Done(report)) => Some(report.counts),
            _ => None,
        });
        let error = results.iter().find_map(|result| match result {
            Ok(RunResult::Done(report)) => report.accounts.iter().find_map(|account| account.error.clone()),
            Ok(RunResult::Failed(failure)) | Err(failure) => Some(failure.clone()),
            Ok(RunResult::Cancelled) => None,
        });
        let is_changing =
            results.iter().any(|result| matches!(result, Ok(RunResult::Done(report)) if report.is_changing));
        Self {
            at_ms: at_ms.as_millis(),
            state: worst_state(results),
            is_changing,
            counts: counts.reduce(RowCounts::plus),
            error,
        }
    }
}

/// Name of the worst result.
pub(super) fn worst_state(results: &[Result<RunResult, PlaylistFailure>]) -> &'static str {
    let name = |result: &Result<RunResult, PlaylistFailure>| result.as_ref().map_or("failed", RunResult::name);
    let names: Vec<&'static str> = results.iter().map(name).collect();
    ["failed", "cancelled"].into_iter().find(|state| names.contains(state)).unwrap_or("done")
}

/// Status of one playlist that is synced on a schedule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = PlaylistKept)]
pub struct SyncedPlaylistStatus {
    /// The file it is read from; `None` if its source is a media server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Whether its sync waits for the first build of the library's index.
    pub awaits_library: bool,
    /// Result of the last sync.
    pub last: Option<LastSync>,
    /// Time of its next sync unless its file changes before, in milliseconds since 1970.
    pub next_ms: Option<u64>,
}

/// Status of one scheduled sync of the configuration. If its source is a folder, it has several playlists.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = PlaylistEntry)]
pub struct ScheduledSyncStatus {
    /// Its name in the configuration.
    pub name: String,
    /// The server it writes to.
    pub server: String,
    /// Source of its playlists.
    pub from: String,
    /// Hours between two syncs of a playlist that did not change.
    #[serde(skip)]
    pub every_hours: u64,
    /// Problems for a person to fix.
    pub problems: Vec<String>,
    /// Its playlists.
    pub playlists: Vec<SyncedPlaylistStatus>,
}

/// Status of all scheduled syncs, by name.
#[derive(Debug, Default)]
pub struct ScheduledSyncs {
    entries: Mutex<BTreeMap<String, ScheduledSyncStatus>>,
    requested: Mutex<HashSet<String>>,
    /// Names whose requested run waits for the library's index.
    postponed: Mutex<HashSet<String>>,
    /// Name of the scheduled sync that runs now.
    running: Mutex<Option<String>>,
    /// Notified when a sync is requested.
    pub(super) wake: Notify,
}

impl ScheduledSyncs {
    /// Status of all scheduled syncs.
    pub fn all(&self) -> Vec<ScheduledSyncStatus> {
        self.entries.lock().values().cloned().collect()
    }

    /// Requests that a scheduled sync runs as soon as possible, for all its playlists. False if it does not exist.
    pub fn request_now(&self, name: &str) -> bool {
        if !self.entries.lock().contains_key(name) {
            return false;
        }
        self.requested.lock().insert(name.to_owned());
        self.wake.notify_one();
        true
    }

    /// Whether this scheduled sync runs now.
    pub fn is_running(&self, name: &str) -> bool {
        self.running.lock().as_deref() == Some(name)
    }

    /// Whether this scheduled sync was requested and has not begun.
    pub fn is_requested(&self, name: &str) -> bool {
        self.requested.lock().contains(name) || self.postponed.lock().contains(name)
    }

    /// Sets the scheduled sync that runs now.
    pub(super) fn set_running(&self, name: Option<&str>) {
        *self.running.lock() = name.map(str::to_owned);
    }

    /// Removes the pending request for this scheduled sync. Returns whether there was one.
    pub(super) fn take_request(&self, name: &str) -> bool {
        self.requested.lock().remove(name)
    }

    /// Sets whether a requested run of this scheduled sync waits.
    pub(super) fn set_postponed(&self, name: &str, is_postponed: bool) {
        let mut postponed = self.postponed.lock();
        if is_postponed {
            postponed.insert(name.to_owned());
        } else {
            postponed.remove(name);
        }
    }

    /// Replaces the status of a scheduled sync.
    pub fn set(&self, entry: ScheduledSyncStatus) {
        self.entries.lock().insert(entry.name.clone(), entry);
    }
}
