//! Response bodies of the playlist API.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use greenroom_sync::playlists::report::{AccountReport, PlaylistFailure, PlaylistReport, RowCounts};
use greenroom_sync::playlists::run::{PlaylistProgress, RunResult, SyncRun};
use greenroom_sync::playlists::sync_status::ScheduledSyncStatus;

/// State of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PlaylistRunState)]
enum PlaylistRunState {
    Running,
    Done,
    Failed,
    Cancelled,
}

/// A run: its progress or its report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlaylistRun)]
pub(crate) struct PlaylistRunResponse {
    /// Its id.
    run: String,
    state: PlaylistRunState,
    /// The server it writes to.
    server: String,
    /// The playlist's name, if known.
    name: String,
    begun_ms: u64,
    progress: PlaylistProgress,
    /// The report; in lists of runs without its rows.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "serialize_report")]
    #[schema(value_type = Option<PlaylistReport>)]
    report: Option<Arc<PlaylistReport>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<RowCounts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<Vec<AccountReport>>,
    /// Reason for which it could not begin to write.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<PlaylistFailure>,
}

#[expect(clippy::ref_option, reason = "the field is one")]
fn serialize_report<S: Serializer>(report: &Option<Arc<PlaylistReport>>, to: S) -> Result<S::Ok, S::Error> {
    report.as_deref().serialize(to)
}

impl PlaylistRunResponse {
    /// A run; with its report if requested and available.
    pub(super) fn from_run(run: &SyncRun, with_report: bool) -> Self {
        let result = run.result();
        let state = match result.as_ref().map(RunResult::name) {
            None => PlaylistRunState::Running,
            Some("done") => PlaylistRunState::Done,
            Some("cancelled") => PlaylistRunState::Cancelled,
            Some(_) => PlaylistRunState::Failed,
        };
        let mut response = Self {
            run: run.id.clone(),
            state,
            server: run.server.clone(),
            name: run.name.lock().clone(),
            begun_ms: run.started_ms.as_millis(),
            progress: run.subscribe().borrow().clone(),
            report: None,
            counts: None,
            accounts: None,
            error: None,
        };
        match result {
            Some(RunResult::Done(report)) if with_report => response.report = Some(report),
            Some(RunResult::Done(report)) => {
                response.counts = Some(report.counts);
                response.accounts = Some(report.accounts.clone());
            }
            Some(RunResult::Failed(failure)) => response.error = Some(failure),
            Some(RunResult::Cancelled) | None => {}
        }
        response
    }
}

/// A page of the runs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlaylistRuns)]
pub(crate) struct PlaylistRunsResponse {
    /// Total number of runs.
    pub(super) total: usize,
    /// Number of runs skipped.
    pub(super) offset: usize,
    pub(super) runs: Vec<PlaylistRunResponse>,
}

/// Scheduled playlist syncs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlaylistsStanding)]
pub(crate) struct ScheduledSyncsResponse {
    pub(super) standing: Vec<ScheduledSyncStatus>,
}

/// The scheduled sync that was started.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlaylistTaken)]
pub(crate) struct SyncAcceptedResponse {
    /// Its name in the configuration.
    pub(super) standing: String,
}

/// Rows as a JSPF playlist. The library serialises it; this type only describes it.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only the OpenAPI document uses it")]
pub(crate) struct Jspf {
    playlist: JspfPlaylist,
}

/// The playlist.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only the OpenAPI document uses it")]
struct JspfPlaylist {
    title: String,
    track: Vec<JspfTrack>,
}

/// A row.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only the OpenAPI document uses it")]
struct JspfTrack {
    title: String,
    /// The full artist credit.
    creator: String,
    album: String,
    /// External ids.
    identifier: Vec<String>,
    /// The credited artists one by one.
    #[schema(required = false)]
    artists: Vec<String>,
    /// In milliseconds.
    #[schema(required = false)]
    duration: u64,
    /// Its file.
    #[schema(required = false)]
    location: Vec<String>,
}
