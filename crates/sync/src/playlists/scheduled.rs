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
const LONGEST_RUN: Duration = Duration::from_secs(3600);
/// Timeout of listing a drive or reading a file.
const FILE_TIMEOUT: Duration = Duration::from_secs(60);
/// Max wait for a server's list of libraries.
const LIBRARIES_TIMEOUT_MS: u64 = 10 * 60_000;
/// Code of the warning that a source cannot be read.
const UNREADABLE: &str = "playlist-unreadable";

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
    let mut keeper = ScheduledSyncRunner {
        began_ms: playlists.clock.now_ms(),
        playlists,
        known: HashMap::new(),
        problems: HashMap::new(),
        hanging: HashMap::new(),
    };
    let keeps = async {
        loop {
            keeper.poll(&standing).await;
            tokio::select! {
                () = keeper.playlists.clock.sleep(POLL_INTERVAL) => {}
                () = keeper.playlists.scheduled.wake.notified() => {}
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = keeps => {}
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
    began_ms: u64,
    known: HashMap<(usize, SourceLocation), ScheduleState>,
    /// Problems for a person to fix, by the server that shows them.
    problems: HashMap<String, Vec<String>>,
    /// Drives that have not answered yet.
    hanging: HashMap<usize, JoinHandle<Option<WatchScan>>>,
}

impl ScheduledSyncRunner {
    /// Polls all sources once, and syncs those that are due one by one.
    async fn poll(&mut self, standing: &[ScheduledPlaylist]) {
        let mut there = HashSet::new();
        let mut problems: HashMap<String, Vec<String>> = HashMap::new();
        for (number, one) in standing.iter().enumerate() {
            let (places, wrong) = self.list_sources(number, one).await;
            if self.hanging.contains_key(&number) {
                // The content is unknown at the moment, so none of it counts as removed.
                there.extend(self.known.keys().filter(|(of, _)| *of == number).cloned());
            }
            let is_asked = self.playlists.scheduled.take_request(&one.title);
            let mut entry = ScheduledSyncStatus { problems: wrong.clone(), ..entry_of(one) };
            problems.entry(one.server.clone()).or_default().extend(wrong);
            for (place, look) in places {
                let key = (number, place);
                there.insert(key.clone());
                let kept = self.poll_source(one, &key, look, is_asked).await;
                entry.playlists.push(kept);
            }
            self.playlists.scheduled.set(entry);
        }
        self.known.retain(|key, _| there.contains(key));
        self.warn(problems);
    }

    /// Sources to poll, with their attributes and problems.
    async fn list_sources(
        &mut self,
        number: usize,
        standing: &ScheduledPlaylist,
    ) -> (Vec<(SourceLocation, Option<FileStat>)>, Vec<String>) {
        let silent = || vec![format!("{}: it does not answer", entry_of(standing).from)];
        // A hanging drive is not asked again meanwhile, because each request occupies a thread.
        if self.hanging.get(&number).is_some_and(|asked| !asked.is_finished()) {
            return (Vec::new(), silent());
        }
        self.hanging.remove(&number);
        let origin = standing.origin.clone();
        let mut looking = self.playlists.tasks.spawn_blocking(move || match origin {
            ScheduledPlaylistSource::Server { .. } => None,
            ScheduledPlaylistSource::File(path) => Some(watch::scan_file(&path)),
            ScheduledPlaylistSource::Folder(folder) => Some(watch::scan_folder(&folder)),
        });
        let Ok(looked) = self.playlists.clock.timeout(FILE_TIMEOUT, &mut looking).await else {
            self.hanging.insert(number, looking);
            return (Vec::new(), silent());
        };
        match looked.unwrap_or_default() {
            None => (vec![(SourceLocation::Server, None)], Vec::new()),
            Some(looked) => {
                let places = looked.files.into_iter().map(|(path, look)| (SourceLocation::File(path), Some(look)));
                (places.collect(), looked.problems)
            }
        }
    }

    /// Polls one source, and syncs it if it is due.
    async fn poll_source(
        &mut self,
        one: &ScheduledPlaylist,
        key: &(usize, SourceLocation),
        look: Option<FileStat>,
        is_asked: bool,
    ) -> SyncedPlaylistStatus {
        let playlists = Arc::clone(&self.playlists);
        let every_ms = one.every_hours.saturating_mul(HOUR_MS);
        let is_due = is_asked || is_due(self.known.get(key), look, playlists.clock.now_ms(), every_ms);
        let awaits_library = is_due && self.awaits_library(one);
        let held = self.known.entry(key.clone()).or_default();
        held.seen = look;
        if is_due && !awaits_library {
            playlists.scheduled.set_running(Some(&one.title));
            let (last, may_pass) = sync_source(&playlists, one, &key.1).await;
            playlists.scheduled.set_running(None);
            let now_ms = last.at_ms;
            held.last_run = Some((look, now_ms));
            held.failures = if may_pass { held.failures.saturating_add(1) } else { 0 };
            held.retry_at_ms = may_pass.then(|| now_ms.saturating_add(retry_after_ms(held.failures)));
            held.last_sync = Some(last);
        }
        let regular_ms = held.last_run.map(|(_, at_ms)| at_ms.saturating_add(every_ms));
        SyncedPlaylistStatus {
            file: key.1.file().map(|path| path.display().to_string()),
            awaits_library,
            last: held.last_sync.clone(),
            next_ms: held.retry_at_ms.into_iter().chain(regular_ms).min(),
        }
    }

    /// Whether the library has no snapshot yet but will get one: the sync is postponed, and the others do not wait.
    fn awaits_library(&self, one: &ScheduledPlaylist) -> bool {
        let Ok(server) = self.playlists.server(&one.server) else { return false };
        let Some(library) = self.playlists.library(&server, one.library.as_deref()) else {
            let age_ms = self.playlists.clock.now_ms().saturating_sub(self.began_ms);
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
                server.origin.warnings.lower(UNREADABLE);
                if let Some(first) = problems.first() {
                    let more = match problems.len() {
                        1 => String::new(),
                        all => format!(" (and {} more)", all - 1),
                    };
                    tracing::warn!(
                        server = name,
                        first,
                        problems = problems.len(),
                        "a playlist cannot be kept in step"
                    );
                    server.origin.warnings.raise(Warning {
                        code: UNREADABLE,
                        severity: Severity::Notice,
                        action: None,
                        subject: None,
                        text: format!("A playlist that is to be kept in step cannot be: {first}{more}.").into(),
                        remedy: "Put the file there and let Greenroom read it, or take [playlist.*] out of the \
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
    place: &SourceLocation,
) -> (LastSync, bool) {
    let ended = attempt(playlists, standing, place).await;
    let may_pass = match &ended {
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
        state: report_files::result_name(&ended),
        counts: match &ended {
            Ok(RunResult::Done(report)) => Some(report.counts),
            _ => None,
        },
        error: match &ended {
            Ok(RunResult::Done(report)) => report.accounts.iter().find_map(|account| account.error.clone()),
            Ok(RunResult::Failed(failure)) | Err(failure) => Some(failure.clone()),
            Ok(RunResult::Cancelled) => None,
        },
    };
    let Some((folder, name)) = report_files::report_path(standing, place.file()) else {
        return (last, may_pass);
    };
    let title = standing.title.clone();
    let written = playlists.tasks.spawn_blocking(move || report_files::write(&folder, &name, &ended));
    if let Ok(Err(error)) = written.await {
        tracing::warn!(playlist = title, %error, "what came of a playlist cannot be written beside it");
    }
    (last, may_pass)
}

async fn attempt(
    playlists: &Arc<PlaylistService>,
    standing: &ScheduledPlaylist,
    place: &SourceLocation,
) -> Result<RunResult, PlaylistFailure> {
    let (source, stem) = match (place, &standing.origin) {
        (SourceLocation::File(path), _) => {
            let opened = path.clone();
            let reading = playlists.tasks.spawn_blocking(move || watch::read(&opened));
            let read = playlists.clock.timeout(FILE_TIMEOUT, reading).await;
            let read = read.map_err(|_| PlaylistFailure::new("slow-file", "the file is not given within a minute"))?;
            let broke_off = |_| PlaylistFailure::new("unreadable", "reading it broke off");
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
    let wish = SyncRequest {
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
    let run = playlists.start(wish)?;
    let ended = playlists.clock.timeout(LONGEST_RUN, run.wait()).await;
    ended.map_err(|_| {
        run.cancel.cancel();
        PlaylistFailure::new(
            "too-slow",
            "it took longer than an hour and was told to stop; the next run goes on from there",
        )
    })
}
