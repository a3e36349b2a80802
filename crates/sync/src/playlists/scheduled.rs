//! Scheduled syncs: polled files and folders, and playlists of other servers.
//!
//! Network drives report no changes, so folders are polled. A file is synced once two polls in a row find it the same,
//! because then its writer has finished. The report is written beside it or into the configured folder, under a name
//! that is never read as a playlist. Only the process that owns the data directory runs the scheduler.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::PlaylistService;
use super::report::PlaylistFailure;
use super::report_files;
use super::run::RunResult;
use crate::index::LibraryState;
use crate::playlists::request::{SyncRequest, SyncSource};
use crate::playlists::schedule::{HOUR_MS, ScheduleState, is_due, retry_after_ms};
use crate::playlists::sync_status::{LastSync, ScheduledSyncStatus, SyncedPlaylistStatus};
use crate::playlists::watch;
use crate::playlists::watch::{FileStat, WatchScan};
use greenroom_config::playlists::{ScheduledPlaylist, ScheduledPlaylistSource};
use greenroom_state::warnings::{Severity, Warning};

/// Poll interval.
const POLL_INTERVAL: Duration = Duration::from_secs(30);
/// Timeout of one sync; the others wait for it.
const RUN_TIMEOUT: Duration = Duration::from_secs(3600);
/// Timeout of listing a drive or reading a file.
const FILE_TIMEOUT: Duration = Duration::from_secs(60);
/// Max wait for a server's list of libraries.
const LIBRARIES_TIMEOUT_MS: u64 = 10 * 60_000;
/// Code of the warning that a source cannot be read.
const UNREADABLE_CODE: &str = "playlist-unreadable";

/// Location of a source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum SourceLocation {
    File(PathBuf),
    Server,
}

impl SourceLocation {
    fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Server => None,
        }
    }
}

/// Runs all scheduled syncs until the process stops.
pub async fn run_scheduler(playlists: Arc<PlaylistService>, standing: Vec<ScheduledPlaylist>, stop: CancellationToken) {
    for one in &standing {
        playlists.scheduled.set(entry_of(one));
    }
    let mut runner = ScheduledSyncRunner {
        started_ms: playlists.clock.now_ms(),
        playlists,
        known: HashMap::new(),
        problems: HashMap::new(),
        hanging: HashMap::new(),
    };
    let polling = async {
        loop {
            runner.poll(&standing).await;
            tokio::select! {
                () = runner.playlists.clock.sleep(POLL_INTERVAL) => {}
                () = runner.playlists.scheduled.wake.notified() => {}
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = polling => {}
    }
}

fn entry_of(standing: &ScheduledPlaylist) -> ScheduledSyncStatus {
    let from = match &standing.origin {
        ScheduledPlaylistSource::File(path) | ScheduledPlaylistSource::Folder(path) => path.display().to_string(),
        ScheduledPlaylistSource::Server { server, playlist } => format!("{server}/{playlist}"),
    };
    let (name, server, every_hours) = (standing.title.clone(), standing.server.clone(), standing.every_hours);
    ScheduledSyncStatus { name, server, from, every_hours, ..ScheduledSyncStatus::default() }
}

/// State of the runner.
struct ScheduledSyncRunner {
    playlists: Arc<PlaylistService>,
    started_ms: u64,
    known: HashMap<(usize, SourceLocation), ScheduleState>,
    /// Problems for a person to fix, by the server that shows them.
    problems: HashMap<String, Vec<String>>,
    /// Drives that have not answered yet.
    hanging: HashMap<usize, JoinHandle<Option<WatchScan>>>,
}

impl ScheduledSyncRunner {
    /// Polls all sources once, and syncs those that are due one by one.
    async fn poll(&mut self, standing: &[ScheduledPlaylist]) {
        let mut present = HashSet::new();
        let mut problems: HashMap<String, Vec<String>> = HashMap::new();
        for (number, one) in standing.iter().enumerate() {
            let (locations, source_problems) = self.list_sources(number, one).await;
            if self.hanging.contains_key(&number) {
                // The content is unknown at the moment, so none of it counts as removed.
                present.extend(self.known.keys().filter(|(of, _)| *of == number).cloned());
            }
            let is_requested_now = self.playlists.scheduled.take_request(&one.title);
            let mut entry = ScheduledSyncStatus { problems: source_problems.clone(), ..entry_of(one) };
            problems.entry(one.server.clone()).or_default().extend(source_problems);
            for (location, stat) in locations {
                let key = (number, location);
                present.insert(key.clone());
                let status = self.poll_source(one, &key, stat, is_requested_now).await;
                entry.playlists.push(status);
            }
            self.playlists.scheduled.set(entry);
        }
        self.known.retain(|key, _| present.contains(key));
        self.warn(problems);
    }

    /// Sources to poll, with their attributes and problems.
    async fn list_sources(
        &mut self,
        number: usize,
        standing: &ScheduledPlaylist,
    ) -> (Vec<(SourceLocation, Option<FileStat>)>, Vec<String>) {
        let no_response = || vec![format!("{}: the file system does not respond", entry_of(standing).from)];
        // A hanging drive is not asked again meanwhile, because each request occupies a thread.
        if self.hanging.get(&number).is_some_and(|task| !task.is_finished()) {
            return (Vec::new(), no_response());
        }
        self.hanging.remove(&number);
        let origin = standing.origin.clone();
        let mut scan_task = self.playlists.tasks.spawn_blocking(move || match origin {
            ScheduledPlaylistSource::Server { .. } => None,
            ScheduledPlaylistSource::File(path) => Some(watch::scan_file(&path)),
            ScheduledPlaylistSource::Folder(folder) => Some(watch::scan_folder(&folder)),
        });
        let Ok(scan) = self.playlists.clock.timeout(FILE_TIMEOUT, &mut scan_task).await else {
            self.hanging.insert(number, scan_task);
            return (Vec::new(), no_response());
        };
        match scan.unwrap_or_default() {
            None => (vec![(SourceLocation::Server, None)], Vec::new()),
            Some(scan) => {
                let locations = scan.files.into_iter().map(|(path, stat)| (SourceLocation::File(path), Some(stat)));
                (locations.collect(), scan.problems)
            }
        }
    }

    /// Polls one source, and syncs it if it is due.
    async fn poll_source(
        &mut self,
        one: &ScheduledPlaylist,
        key: &(usize, SourceLocation),
        stat: Option<FileStat>,
        is_requested_now: bool,
    ) -> SyncedPlaylistStatus {
        let playlists = Arc::clone(&self.playlists);
        let every_ms = one.every_hours.saturating_mul(HOUR_MS);
        let is_due = is_requested_now || is_due(self.known.get(key), stat, playlists.clock.now_ms(), every_ms);
        let awaits_library = is_due && self.awaits_library(one);
        let existing = self.known.entry(key.clone()).or_default();
        existing.seen = stat;
        if is_due && !awaits_library {
            playlists.scheduled.set_running(Some(&one.title));
            let (last, may_recover) = sync_source(&playlists, one, &key.1).await;
            playlists.scheduled.set_running(None);
            let now_ms = last.at_ms;
            existing.last_source = Some((stat, now_ms));
            existing.failures = if may_recover { existing.failures.saturating_add(1) } else { 0 };
            existing.retry_at_ms = may_recover.then(|| now_ms.saturating_add(retry_after_ms(existing.failures)));
            existing.last_sync = Some(last);
        }
        let regular_ms = existing.last_source.map(|(_, at_ms)| at_ms.saturating_add(every_ms));
        SyncedPlaylistStatus {
            file: key.1.file().map(|path| path.display().to_string()),
            awaits_library,
            last: existing.last_sync.clone(),
            next_ms: existing.retry_at_ms.into_iter().chain(regular_ms).min(),
        }
    }

    /// Whether the library has no snapshot yet but will get one: the sync is postponed, and the others do not wait.
    fn awaits_library(&self, one: &ScheduledPlaylist) -> bool {
        let Ok(server) = self.playlists.server(&one.server) else { return false };
        let Some(library) = self.playlists.library(&server, one.library.as_deref()) else {
            let age_ms = self.playlists.clock.now_ms().saturating_sub(self.started_ms);
            return server.origin.settings.token.is_some() && age_ms < LIBRARIES_TIMEOUT_MS;
        };
        if library.generation().is_some() || matches!(library.state(), LibraryState::Off | LibraryState::Failed) {
            return false;
        }
        library.record_lookup();
        true
    }

    /// Shows unreadable sources as warnings while they last, and logs each once.
    fn warn(&mut self, problems: HashMap<String, Vec<String>>) {
        for (name, problems) in problems {
            if self.problems.get(&name).map_or(&[][..], Vec::as_slice) == problems.as_slice() {
                continue;
            }
            if let Ok(server) = self.playlists.server(&name) {
                server.origin.warnings.lower(UNREADABLE_CODE);
                if let Some(first) = problems.first() {
                    let more = match problems.len() {
                        1 => String::new(),
                        all => format!(" (and {} more)", all - 1),
                    };
                    tracing::warn!(
                        server = name,
                        first,
                        problems = problems.len(),
                        "a scheduled playlist cannot be read"
                    );
                    server.origin.warnings.raise(Warning {
                        code: UNREADABLE_CODE,
                        severity: Severity::Notice,
                        action: None,
                        subject: None,
                        text: format!("A scheduled playlist cannot be read: {first}{more}.").into(),
                        remedy: "Put the file there and let Greenroom read it, or remove [playlist.*] from the \
                                 configuration; GET /api/v1/playlists/standing lists all of them."
                            .into(),
                    });
                }
            }
            self.problems.insert(name, problems);
        }
    }
}

/// Syncs one source and writes its report. Also returns whether it failed transiently.
async fn sync_source(
    playlists: &Arc<PlaylistService>,
    standing: &ScheduledPlaylist,
    location: &SourceLocation,
) -> (LastSync, bool) {
    let result = attempt(playlists, standing, location).await;
    let may_recover = match &result {
        Ok(RunResult::Done(report)) => report.has_failed(),
        Ok(RunResult::Failed(failure)) | Err(failure) => !matches!(
            failure.code.as_str(),
            "unreadable" | "no-rows" | "no-name" | "unknown-account" | "unknown-library" | "no-playlist"
        ),
        // Cancelled by a person.
        Ok(RunResult::Cancelled) => false,
    };
    let last = LastSync {
        at_ms: playlists.clock.now_ms(),
        state: report_files::result_name(&result),
        counts: match &result {
            Ok(RunResult::Done(report)) => Some(report.counts),
            _ => None,
        },
        error: match &result {
            Ok(RunResult::Done(report)) => report.accounts.iter().find_map(|account| account.error.clone()),
            Ok(RunResult::Failed(failure)) | Err(failure) => Some(failure.clone()),
            Ok(RunResult::Cancelled) => None,
        },
    };
    let Some((folder, name)) = report_files::report_path(standing, location.file()) else {
        return (last, may_recover);
    };
    let title = standing.title.clone();
    let written = playlists.tasks.spawn_blocking(move || report_files::write(&folder, &name, &result));
    if let Ok(Err(error)) = written.await {
        tracing::warn!(playlist = title, %error, "the report of a scheduled playlist cannot be written");
    }
    (last, may_recover)
}

async fn attempt(
    playlists: &Arc<PlaylistService>,
    standing: &ScheduledPlaylist,
    location: &SourceLocation,
) -> Result<RunResult, PlaylistFailure> {
    let (source, stem) = match (location, &standing.origin) {
        (SourceLocation::File(path), _) => {
            let opened = path.clone();
            let read_task = playlists.tasks.spawn_blocking(move || watch::read(&opened));
            let read = playlists.clock.timeout(FILE_TIMEOUT, read_task).await;
            let read =
                read.map_err(|_| PlaylistFailure::new("slow-file", "the file could not be read within a minute"))?;
            let broke_off = |_| PlaylistFailure::new("unreadable", "reading the file was interrupted");
            let playlist = read.map_err(broke_off)?.map_err(|message| PlaylistFailure::new("unreadable", message))?;
            (SyncSource::Rows(Box::new(playlist)), path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))
        }
        (SourceLocation::Server, ScheduledPlaylistSource::Server { server, playlist }) => {
            let (server, playlist) = (server.clone(), playlist.clone());
            (SyncSource::Server { server, playlist, account: None }, None)
        }
        (SourceLocation::Server, _) => return Err(PlaylistFailure::new("no-rows", "there is no playlist")),
    };
    let own_name = match &source {
        SyncSource::Rows(playlist) => playlist.name.clone(),
        SyncSource::Server { .. } => None,
    };
    let request = SyncRequest {
        source,
        server: standing.server.clone(),
        library: standing.library.clone(),
        name: standing.name.clone().or(own_name).or(stem),
        mode: standing.mode,
        shrink: standing.shrink,
        accounts: standing.accounts.clone(),
        policy: standing.policy,
        dry_run: false,
        live: 0,
        wait: false,
    };
    let run = playlists.start(request)?;
    let result = playlists.clock.timeout(RUN_TIMEOUT, run.wait()).await;
    result.map_err(|_| {
        run.cancel.cancel();
        PlaylistFailure::new(
            "too-slow",
            "the run took longer than an hour and was cancelled; the next run continues from there",
        )
    })
}
