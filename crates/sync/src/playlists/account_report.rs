//! Report of one user's playlist: what was done to it, or what a dry run would do.

use serde::Serialize;
use utoipa::ToSchema;

use super::plan::HeldBackReason;
use super::report::PlaylistFailure;

/// Result for one user's playlist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = PlaylistStanding)]
pub enum PlaylistSyncStatus {
    /// Written and verified.
    Written,
    /// Already as wanted.
    #[default]
    Unchanged,
    /// Would be written (dry run).
    Planned,
    /// No row matched, so nothing was written.
    NothingFound,
    /// Cancelled.
    Cancelled,
    /// Failed; completed writes stay.
    Failed,
}

/// Report of one user's playlist.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PlaylistAccount)]
pub struct AccountReport {
    /// The account; `None` is the owner's token.
    pub account: Option<String>,
    /// Result.
    pub standing: PlaylistSyncStatus,
    /// The playlist's id.
    pub playlist: Option<String>,
    /// Whether it was created (or would be).
    pub is_new: bool,
    /// Tracks added, or to be added.
    pub added: usize,
    /// Entries removed, or to be removed.
    pub removed: usize,
    /// Entries that were not removed.
    pub held_back: usize,
    /// Reason for which they were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_back_reason: Option<HeldBackReason>,
    /// Tracks that the playlist already had.
    pub already: usize,
    /// Tracks that the user cannot see, or that the server did not accept.
    pub not_visible: Vec<String>,
    /// Tracks in the playlist after the run.
    pub length: usize,
    /// Keys of the tracks that the run wrote, or may have written.
    #[serde(skip)]
    pub written: Vec<String>,
    /// Changes of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<PlaylistDiff>,
    /// The error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<PlaylistFailure>,
}

/// Changes of a dry run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PlaylistDiff)]
pub struct PlaylistDiff {
    /// Keys to be added.
    pub add: Vec<String>,
    /// Keys to be removed.
    pub remove: Vec<String>,
    /// Whether the order would change.
    pub reorder: bool,
    /// Write requests needed.
    pub writes: usize,
    /// These requests in their order.
    pub requests: Vec<PlannedRequests>,
}

/// Effect of a planned request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = PlaylistAction)]
pub enum PlannedAction {
    /// Creates a playlist with tracks.
    Create,
    /// Adds tracks at its end.
    Add,
    /// Removes entries.
    Remove,
    /// Moves an entry.
    Move,
    /// Sets the whole content.
    Set,
    /// Deletes the playlist whose place a new one takes.
    Delete,
    /// Renames the new one.
    Rename,
}

/// Planned requests of one kind, one after another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PlaylistRequests)]
pub struct PlannedRequests {
    /// The effect of each.
    pub action: PlannedAction,
    /// Number of requests.
    pub requests: usize,
    /// Tracks or entries in all of them.
    pub tracks: usize,
}
