//! One scheduled sync: reads its source, syncs each playlist of it to the end, and writes the report.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use greenroom_config::playlists::{ScheduledPlaylist, ScheduledPlaylistSource};
use greenroom_library::playlist::{Playlist, set_unique_names};

use super::PlaylistService;
use super::report::PlaylistFailure;
use super::report_files;
use super::run::RunResult;
use crate::playlists::request::{SyncRequest, SyncSource};
use crate::playlists::sync_status::LastSync;
use crate::playlists::watch;

/// Timeout of one sync; the others wait for it.
const RUN_TIMEOUT: Duration = Duration::from_secs(3600);
/// Timeout of listing a drive or reading a file.
pub(super) const FILE_TIMEOUT: Duration = Duration::from_secs(60);

/// Location of a source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum SourceLocation {
    File(PathBuf),
    Server,
}

impl SourceLocation {
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Server => None,
        }
    }
}

/// Reason for a run of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SyncTrigger {
    /// It is due: only the leader of several gateways may run it.
    Schedule,
    /// It was requested here.
    Request,
}

/// Syncs one source and writes its report. Also returns whether it failed transiently.
pub(super) async fn sync_source(
    playlists: &Arc<PlaylistService>,
    standing: &ScheduledPlaylist,
    location: &SourceLocation,
    trigger: SyncTrigger,
) -> (LastSync, bool) {
    let results = attempt(playlists, standing, location, trigger).await;
    let last = LastSync::from_results(playlists.clock.now(), &results);
    let may_recover = results.iter().any(may_recover);
    let Some((folder, name)) = report_files::report_path(standing, location.file()) else {
        return (last, may_recover);
    };
    let title = standing.title.clone();
    let written = playlists.tasks.spawn_blocking(move || report_files::write(&folder, &name, &results));
    if let Ok(Err(error)) = written.await {
        tracing::warn!(playlist = title, %error, "the report of a scheduled playlist cannot be written");
    }
    (last, may_recover)
}

/// Whether a sync failed for a reason that may pass.
pub(super) fn may_recover(result: &Result<RunResult, PlaylistFailure>) -> bool {
    match result {
        Ok(RunResult::Done(report)) => report.has_failed(),
        Ok(RunResult::Failed(failure)) | Err(failure) => !matches!(
            failure.code.as_str(),
            "unreadable" | "no-rows" | "no-name" | "unknown-account" | "unknown-library" | "no-playlist"
        ),
        // Cancelled by a person.
        Ok(RunResult::Cancelled) => false,
    }
}

/// Syncs all playlists of a source one after another.
pub(super) async fn attempt(
    playlists: &Arc<PlaylistService>,
    standing: &ScheduledPlaylist,
    location: &SourceLocation,
    trigger: SyncTrigger,
) -> Vec<Result<RunResult, PlaylistFailure>> {
    let (sources, stem) = match read_sources(playlists, standing, location).await {
        Ok(sources) => sources,
        Err(failure) => return vec![Err(failure)],
    };
    let is_only = sources.len() == 1;
    let mut results = Vec::with_capacity(sources.len());
    for source in sources {
        let own_name = match &source {
            SyncSource::Rows(playlist) => {
                if let Some(failure) = unreadable_rows(playlist) {
                    results.push(Err(failure));
                    continue;
                }
                playlist.name.clone()
            }
            SyncSource::Server { .. } => None,
        };
        // Of several, each has its own name.
        let name = standing.name.clone().filter(|_| is_only).or(own_name).or_else(|| stem.clone());
        let request = SyncRequest {
            source,
            server: standing.server.clone(),
            library: standing.library.clone(),
            name,
            mode: standing.mode,
            shrink: standing.shrink,
            accounts: standing.accounts.clone(),
            policy: standing.policy,
            dry_run: false,
            live: 0,
            wait: false,
            // The scheduler does it, so that the report follows.
            repeats: 0,
            written_before: Vec::new(),
        };
        results.push(run_to_end(playlists, request, trigger).await);
    }
    results
}

/// The failure of a playlist of which no row can be read.
fn unreadable_rows(playlist: &Playlist) -> Option<PlaylistFailure> {
    let error = playlist.only_bad_rows()?;
    let name = playlist.name.as_deref().unwrap_or("(no name)");
    Some(PlaylistFailure::new("unreadable", format!("{name}: {error}")))
}

/// The playlists of a source, and the name of its file.
pub(super) async fn read_sources(
    playlists: &Arc<PlaylistService>,
    standing: &ScheduledPlaylist,
    location: &SourceLocation,
) -> Result<(Vec<SyncSource>, Option<String>), PlaylistFailure> {
    match (location, &standing.origin) {
        (SourceLocation::File(path), _) => {
            let opened = path.clone();
            let read_task = playlists.tasks.spawn_blocking(move || watch::read(&opened));
            let read = playlists.clock.timeout(FILE_TIMEOUT, read_task).await;
            let read =
                read.map_err(|_| PlaylistFailure::new("slow-file", "the file could not be read within a minute"))?;
            let broke_off = |_| PlaylistFailure::new("unreadable", "reading the file was interrupted");
            let mut read = read.map_err(broke_off)?.map_err(|message| PlaylistFailure::new("unreadable", message))?;
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            set_unique_names(&mut read, stem.as_deref());
            let sources = read.into_iter().map(|playlist| SyncSource::Rows(Box::new(playlist))).collect();
            Ok((sources, stem))
        }
        (SourceLocation::Server, ScheduledPlaylistSource::Server { server, playlist }) => {
            let (server, playlist) = (server.clone(), playlist.clone());
            Ok((vec![SyncSource::Server { server, playlist, account: None }], None))
        }
        (SourceLocation::Server, _) => Err(PlaylistFailure::new("no-rows", "there is no playlist")),
    }
}

/// Runs one sync to its end. One that is due ends when another gateway may lead.
async fn run_to_end(
    playlists: &Arc<PlaylistService>,
    request: SyncRequest,
    trigger: SyncTrigger,
) -> Result<RunResult, PlaylistFailure> {
    let (clock, leadership) = (&playlists.clock, &playlists.leadership);
    let needs_leadership = trigger == SyncTrigger::Schedule;
    let leadership_lost = || {
        let message = "the remote store could not be heard, so another gateway may sync the playlist now";
        PlaylistFailure::new("leadership-lost", message)
    };
    // It may have ended since the source was found due.
    if needs_leadership && !leadership.is_leader(clock.now()) {
        return Err(leadership_lost());
    }
    let run = playlists.start(request)?;
    let failure = tokio::select! {
        result = clock.timeout(RUN_TIMEOUT, run.wait()) => match result {
            Ok(result) => return Ok(result),
            Err(_) => PlaylistFailure::new(
                "too-slow",
                "the run took longer than an hour and was cancelled; the next run continues from there",
            ),
        },
        () = leadership.lost(clock), if needs_leadership => leadership_lost(),
    };
    run.cancel.cancel();
    Err(failure)
}
