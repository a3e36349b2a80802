//! What is answered about playlists, field by field.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use greenroom_sync::playlists::report::{AccountReport, Counts, Failure, Report};
use greenroom_sync::playlists::run::{Ending, Progress, Run};
use greenroom_sync::playlists::sync_status::Entry;

/// How a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PlaylistRunState)]
enum State {
    Running,
    Done,
    Failed,
    Cancelled,
}

/// A run: how far it is, or what came of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlaylistRun)]
pub(crate) struct Told {
    /// Its number.
    run: String,
    state: State,
    /// The server it writes to.
    server: String,
    /// The playlist's name, as far as it is known.
    name: String,
    begun_ms: u64,
    progress: Progress,
    /// What came of it; where runs are listed only how many and where.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole")]
    #[schema(value_type = Option<Report>)]
    report: Option<Arc<Report>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<Counts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<Vec<AccountReport>>,
    /// Why it could not begin to write.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

#[expect(clippy::ref_option, reason = "the field is one")]
fn whole<S: Serializer>(report: &Option<Arc<Report>>, to: S) -> Result<S::Ok, S::Error> {
    report.as_deref().serialize(to)
}

impl Told {
    /// A run; with its report if that is wanted and there.
    pub(super) fn of(run: &Run, in_full: bool) -> Self {
        let ending = run.ending();
        let state = match ending.as_ref().map(Ending::word) {
            None => State::Running,
            Some("done") => State::Done,
            Some("cancelled") => State::Cancelled,
            Some(_) => State::Failed,
        };
        let mut told = Self {
            run: run.id.clone(),
            state,
            server: run.server.clone(),
            name: run.name.lock().clone(),
            begun_ms: run.begun_ms,
            progress: run.watch().borrow().clone(),
            report: None,
            counts: None,
            accounts: None,
            error: None,
        };
        match ending {
            Some(Ending::Done(report)) if in_full => told.report = Some(report),
            Some(Ending::Done(report)) => {
                told.counts = Some(report.counts);
                told.accounts = Some(report.accounts.clone());
            }
            Some(Ending::Failed(failure)) => told.error = Some(failure),
            Some(Ending::Cancelled) | None => {}
        }
        told
    }
}

/// Some of the runs that are known.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlaylistRuns)]
pub(crate) struct Runs {
    /// All there are.
    pub(super) total: usize,
    /// So many were left out at the beginning.
    pub(super) offset: usize,
    pub(super) runs: Vec<Told>,
}

/// What is kept in step by itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlaylistsStanding)]
pub(crate) struct Kept {
    pub(super) standing: Vec<Entry>,
}

/// What is taken now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlaylistTaken)]
pub(crate) struct Taken {
    /// What the configuration calls it.
    pub(super) standing: String,
}

/// Rows as a playlist in JSPF. The library writes it; here it is described.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it is only described")]
pub(crate) struct Jspf {
    playlist: JspfPlaylist,
}

/// The playlist.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it is only described")]
struct JspfPlaylist {
    title: String,
    track: Vec<JspfTrack>,
}

/// A row.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it is only described")]
struct JspfTrack {
    title: String,
    /// The whole credit.
    creator: String,
    album: String,
    /// Its names elsewhere.
    identifier: Vec<String>,
    /// Who is credited, one by one.
    #[schema(required = false)]
    artists: Vec<String>,
    /// In milliseconds.
    #[schema(required = false)]
    duration: u64,
    /// Its file.
    #[schema(required = false)]
    location: Vec<String>,
}
