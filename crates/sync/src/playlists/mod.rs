//! Syncs playlists to a media server: parses them, matches their rows once, writes them for one or several users, and
//! verifies the result.
//!
//! Modules of one sync: [`request`] (what to sync), [`sync`] (executes a request), `wait_for_index` (waits until the
//! library has an index), `resolve` (matches the rows), [`plan`] (computes the changes to a playlist), [`apply`]
//! (writes one user's playlist), [`client`] (requests to the media server), `ownership` and [`created`] (which
//! playlists Greenroom may write), `lock` (one run at a time per playlist), `repetition` (runs it again after a
//! scan), [`run`] (its progress), [`report`] with [`account_report`] (its
//! result) and [`error`].
//!
//! Modules of scheduled syncs: [`scheduled`] (runs them), `scheduled_sync` (one of them), `schedule` (when each is due), `watch` (finds and reads
//! files), `report_files` (writes reports beside the files) and [`sync_status`] (their status).
//!
//! A failure never empties a playlist: additions are made and verified before anything is removed, a source without
//! rows changes nothing, and if no row matched nothing is changed. There is no journal: after a failure the next run
//! reads the playlist from the server and continues from there.

pub mod account_report;
pub mod apply;
pub mod client;
pub mod created;
pub mod error;
mod lock;
mod ownership;
pub mod plan;
mod repetition;
pub mod report;
mod report_files;
pub mod request;
mod resolve;
pub mod run;
mod schedule;
pub mod scheduled;
mod scheduled_sync;
pub mod sync;
pub mod sync_status;
mod wait_for_index;
mod watch;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_cache::Clock;
use greenroom_cache::remote::Leadership;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::index::{Libraries, Library, LibraryId, LibraryState, SYNC_WITHOUT_INDEX};
use crate::matching::Matcher;
use created::CreatedPlaylists;
use greenroom_proxy::server::Server;
use greenroom_state::file_work_queue::FileWorkQueue;
use greenroom_state::warnings::{Severity, Warning, WarningAction};
use lock::PlaylistLocks;
use repetition::SyncRepetition;
use report::PlaylistFailure;
use request::SyncRequest;
use run::{RunResult, SyncRun};
use sync_status::ScheduledSyncs;

/// If few rows match, the library's index is rebuilt, unless it was read from the server within this time.
const MIN_BUILD_AGE_S: u64 = 3600;
/// Max concurrent runs.
const MAX_RUNNING: usize = 8;
/// Max finished runs in memory …
const MAX_FINISHED: usize = 50;
/// … and max bytes of all their reports together; the newest is never evicted.
const MAX_FINISHED_BYTES: usize = 64 * 1024 * 1024;

/// Outcomes of runs. A `refused` run was never started.
const OUTCOMES: [&str; 4] = ["done", "failed", "cancelled", "refused"];

/// Evicts the oldest finished runs until [`MAX_FINISHED`] and [`MAX_FINISHED_BYTES`] hold.
fn evict_oldest(runs: &mut VecDeque<Arc<SyncRun>>) {
    loop {
        let bytes: usize = runs.iter().map(|run| run.approx_bytes()).sum();
        let mut ended = runs.iter().enumerate().filter(|(_, run)| run.result().is_some()).map(|(at, _)| at);
        let (oldest, is_only) = (ended.next(), ended.next().is_none());
        match oldest {
            Some(oldest) if !is_only && (runs.len() > MAX_FINISHED || bytes > MAX_FINISHED_BYTES) => {
                runs.remove(oldest);
            }
            _ => return,
        }
    }
}

fn already_running(run: &SyncRun) -> PlaylistFailure {
    let message = format!("run {} is already writing this playlist", run.id);
    PlaylistFailure::new("already-running", message)
}

/// Marks a run as failed if it is dropped before the run has a result.
struct RunGuard {
    playlists: Arc<PlaylistService>,
    run: Arc<SyncRun>,
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        if self.run.result().is_none() {
            tracing::error!(run = self.run.id, "a playlist run panicked");
            let message = "the run failed inside the gateway; see its log. The next run continues from there";
            self.playlists.finish(&self.run, RunResult::Failed(PlaylistFailure::new("broke-off", message)));
        }
    }
}

/// Starts playlist syncs and knows their runs.
#[derive(Debug)]
pub struct PlaylistService {
    /// The library indexes.
    pub libraries: Arc<Libraries>,
    /// Matches rows to items.
    pub matching: Arc<Matcher>,
    /// The process's clock.
    pub clock: Clock,
    servers: Vec<Arc<Server>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    runs: Mutex<VecDeque<Arc<SyncRun>>>,
    started: AtomicU64,
    outcome_counts: [AtomicU64; OUTCOMES.len()],
    created: CreatedPlaylists,
    locks: PlaylistLocks,
    /// Number of syncs that wait for the end of a scan.
    waiting_for_scan: AtomicU64,
    /// The scheduled syncs.
    pub scheduled: ScheduledSyncs,
    /// Whether this gateway runs them.
    leadership: Leadership,
}

impl Default for PlaylistService {
    fn default() -> Self {
        Self::new(
            Arc::default(),
            Arc::default(),
            Vec::new(),
            Clock::system(),
            TaskTracker::new(),
            CancellationToken::new(),
        )
    }
}

impl PlaylistService {
    /// A service for these servers. It stores nothing on disk; see [`Self::with_data_dir`].
    pub fn new(
        libraries: Arc<Libraries>,
        matching: Arc<Matcher>,
        servers: Vec<Arc<Server>>,
        clock: Clock,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            libraries,
            matching,
            clock,
            servers,
            tasks,
            stop,
            runs: Mutex::default(),
            started: AtomicU64::new(0),
            outcome_counts: Default::default(),
            created: CreatedPlaylists::default(),
            locks: PlaylistLocks::default(),
            waiting_for_scan: AtomicU64::new(0),
            scheduled: ScheduledSyncs::default(),
            leadership: Leadership::without_peers(),
        }
    }

    /// Syncs on schedule only while this gateway leads.
    #[must_use]
    pub fn with_leadership(self, leadership: Leadership) -> Self {
        Self { leadership, ..self }
    }

    /// Stores the list of playlists that Greenroom created in this directory.
    #[must_use]
    pub fn with_data_dir(mut self, data_dir: &Path) -> Self {
        let lane = FileWorkQueue::new(self.tasks.clone());
        self.created = CreatedPlaylists::open(data_dir).with_lane(lane);
        self
    }

    /// Starts a run in the background.
    ///
    /// # Errors
    /// The request names an unknown server or account, too many runs are active, or another run writes the same
    /// playlist.
    pub fn start(self: &Arc<Self>, request: SyncRequest) -> Result<Arc<SyncRun>, PlaylistFailure> {
        let server = self.server(&request.server)?;
        if let Some(unknown) = request.accounts.iter().find(|name| !server.origin.settings.accounts.contains_key(*name))
        {
            let shown: String = unknown.chars().filter(|letter| !letter.is_control()).take(40).collect();
            let message = format!("no account \"{shown}\" is configured for the server {}", server.name());
            return Err(PlaylistFailure::new("unknown-account", message));
        }
        if let request::SyncSource::Server { server, .. } = &request.source {
            self.server(server)?;
        }
        let name = request.name.clone().or_else(|| match &request.source {
            request::SyncSource::Rows(playlist) => playlist.name.clone(),
            request::SyncSource::Server { playlist, .. } => Some(playlist.clone()),
        });
        let run = self.register(&request.server, &name.unwrap_or_default())?;
        let (playlists, started_run) = (Arc::clone(self), Arc::clone(&run));
        self.tasks.spawn(async move {
            // If the task panics or is dropped, the guard marks the run as failed.
            let guard = RunGuard { playlists, run: started_run };
            let again = SyncRepetition::of(&request);
            sync::run_sync(&guard.playlists, &guard.run, request).await;
            if let Some(again) = again {
                again.run_after_scan(&guard.playlists, &guard.run).await;
            }
        });
        Ok(run)
    }

    fn register(&self, server: &str, name: &str) -> Result<Arc<SyncRun>, PlaylistFailure> {
        let mut runs = self.runs.lock();
        let running = || runs.iter().filter(|run| run.result().is_none());
        let rejection = if running().count() >= MAX_RUNNING {
            Some(PlaylistFailure::new(
                "too-many-runs",
                "too many playlists are being written; try again when one is done",
            ))
        } else {
            running().find(|run| run.writes_to(server, name)).map(|run| already_running(run))
        };
        if let Some(rejection) = rejection {
            self.count_outcome("refused");
            return Err(rejection);
        }
        let number = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        let now_ms = self.clock.now();
        // The time distinguishes the ids of this process from those of earlier ones.
        let id = format!("{:x}-{number}", now_ms.as_secs());
        let run = Arc::new(SyncRun::new(id, server, name, now_ms, self.stop.child_token()));
        runs.push_back(Arc::clone(&run));
        evict_oldest(&mut runs);
        Ok(run)
    }

    /// Sets the name of the run's playlist, once it is known. Fails if another run writes a playlist of that name on
    /// the same server.
    fn reserve_name(&self, run: &SyncRun, name: &str) -> Result<(), PlaylistFailure> {
        let runs = self.runs.lock();
        let mut others = runs.iter().filter(|other| other.id != run.id && other.result().is_none());
        if let Some(other) = others.find(|other| other.writes_to(&run.server, name)) {
            return Err(already_running(other));
        }
        name.clone_into(&mut run.name.lock());
        Ok(())
    }

    /// Records the end of a run.
    fn finish(&self, run: &SyncRun, result: RunResult) {
        run.finish(result);
        self.count_outcome(run.status_name());
        evict_oldest(&mut self.runs.lock());
    }

    fn count_outcome(&self, outcome: &str) {
        if let Some(index) = OUTCOMES.iter().position(|known| *known == outcome) {
            self.outcome_counts[index].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Number of runs by outcome, since the process started.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        OUTCOMES.into_iter().zip(self.outcome_counts.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// The queue that reads and writes the list of created playlists.
    pub fn lane(&self) -> &FileWorkQueue {
        &self.created.lane
    }

    /// Active runs and those finished that are still in memory, newest first.
    pub fn runs(&self) -> Vec<Arc<SyncRun>> {
        self.runs.lock().iter().rev().cloned().collect()
    }

    /// The run with this id.
    pub fn run(&self, id: &str) -> Option<Arc<SyncRun>> {
        self.runs.lock().iter().find(|run| run.id == id).cloned()
    }

    /// The server of this name.
    fn server(&self, name: &str) -> Result<Arc<Server>, PlaylistFailure> {
        let found = self.servers.iter().find(|server| server.name() == name).cloned();
        found.ok_or_else(|| {
            let known: Vec<&str> = self.servers.iter().map(|server| server.name()).collect();
            PlaylistFailure::new(
                "unknown-server",
                format!("no such server is configured; the servers are: {}", known.join(", ")),
            )
        })
    }

    /// The only server, which is the default if a request names none; `None` if there are several.
    pub fn only_server(&self) -> Option<&str> {
        match self.servers.as_slice() {
            [only] => Some(only.name()),
            _ => None,
        }
    }

    /// The server's library that `name_or_id` names by its key, its title, or `SERVER:KEY`. Its music library without `name_or_id`.
    fn library(&self, server: &Arc<Server>, name_or_id: Option<&str>) -> Option<Arc<Library>> {
        let Some(name_or_id) = name_or_id else { return self.libraries.music_library(server.name()) };
        let named = name_or_id.parse::<LibraryId>().ok().filter(|id| id.server == server.name());
        let by_key = LibraryId { server: server.name().to_owned(), key: name_or_id.to_owned() };
        named.and_then(|id| self.libraries.find(&id)).or_else(|| self.libraries.find(&by_key)).or_else(|| {
            let all = self.libraries.all();
            all.into_iter().find(|library| {
                library.id.server == server.name() && library.title.lock().eq_ignore_ascii_case(name_or_id)
            })
        })
    }

    /// Requests a new build of the library's index because few rows matched. `age_s` is the time since the library was
    /// read from the server; if it is short, only a warning is logged.
    fn request_build_if_old(library: &Library, age_s: u64) {
        if age_s > MIN_BUILD_AGE_S {
            library.build(false);
        }
        tracing::warn!(library = %library.id, age_s, "few rows of a playlist were found; check that it is the right library");
    }

    /// Raises a warning if the library's index is turned off, because syncs then fail or match against an old snapshot.
    /// Ends the warning otherwise.
    fn warn_if_off(library: &Library) {
        let warnings = &library.server.origin.warnings;
        if library.state() != LibraryState::Off {
            let id = library.id.to_string();
            warnings.retain(SYNC_WITHOUT_INDEX, |existing| existing.subject.as_deref() != Some(&*id));
            return;
        }
        let warning = Warning {
            code: SYNC_WITHOUT_INDEX,
            severity: Severity::Urgent,
            action: Some(
                WarningAction::new("Turn it on", "PUT", format!("libraries/{}", library.id))
                    .with_body(serde_json::json!({"enabled": true})),
            ),
            subject: Some(library.id.to_string()),
            text: format!(
                "Playlists are synchronised to {}, but the index of library {} is turned off.",
                library.id.server, library.id
            )
            .into(),
            remedy: format!(
                "Turn it on: [library] enabled = true, or PUT /api/v1/libraries/{} with \"enabled\": true.",
                library.id
            )
            .into(),
        };
        if warnings.raise(warning) {
            tracing::warn!(library = %library.id, "playlists are synchronised to a library whose index is turned off");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::report::{AccountReport, PlaylistReport};
    use super::*;

    #[test]
    fn two_runs_never_write_the_same_playlist_at_once() {
        let playlists = PlaylistService::default();
        let first = playlists.register("home", "Weekly").expect("no other run exists");
        // A run whose source playlist is given by its id; its name is not known yet.
        let second = playlists.register("home", "4711").expect("the name is free");
        let rejection = playlists.reserve_name(&second, "Weekly ").expect_err("the name is taken");
        assert_eq!(rejection.code, "already-running");
        playlists.reserve_name(&second, "Daily").expect("the name is free");
        assert!(playlists.register("home", " Daily").is_err());
        first.finish(RunResult::Cancelled);
        playlists.reserve_name(&second, "Weekly").expect("the name is free");
        assert!(playlists.register("attic", "Weekly").is_ok(), "another server's is another playlist");
    }

    #[test]
    fn a_run_that_panicked_has_failed_and_releases_its_name() {
        let playlists = Arc::new(PlaylistService::default());
        let run = playlists.register("home", "Weekly").expect("no other run exists");
        let guard = RunGuard { playlists: Arc::clone(&playlists), run: Arc::clone(&run) };
        let panicked = std::thread::spawn(move || {
            let _underway = guard;
            panic!("as matching might");
        });
        assert!(panicked.join().is_err());
        assert_eq!(run.status_name(), "failed");
        assert!(playlists.register("home", "Weekly").is_ok());
    }

    #[test]
    fn the_reports_of_ended_runs_are_limited_by_bytes() {
        let playlists = PlaylistService::default();
        for number in 0..4 {
            let run = playlists.register("home", &format!("{number}")).expect("register a run");
            let mut report = PlaylistReport::default();
            report.accounts.push(AccountReport {
                not_visible: vec!["x".repeat(MAX_FINISHED_BYTES / 2)],
                ..AccountReport::default()
            });
            playlists.finish(&run, RunResult::Done(Arc::new(report)));
        }
        assert_eq!(playlists.runs().len(), 1, "two are more than may be kept");
    }
}
