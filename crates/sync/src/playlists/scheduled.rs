//! Scheduled syncs: polled files and folders, and playlists of other servers.
//!
//! Network drives report no changes, so folders are polled. A file is synced once two polls in a row find it the same,
//! because then its writer has finished. The report is written beside it or into the configured folder, under a name
//! that is never read as a playlist. Of several gateways that share a store, only the leader syncs on schedule; a sync that
//! was requested runs where it was requested.

use greenroom_cache::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::PlaylistService;
use crate::index::LibraryState;
use crate::playlists::schedule::{HOUR_MS, ScheduleState, is_due, retry_after_ms};
use crate::playlists::scheduled_sync::{FILE_TIMEOUT, SourceLocation, SyncTrigger, sync_source};
use crate::playlists::sync_status::{ScheduledSyncStatus, SyncedPlaylistStatus};
use crate::playlists::watch;
use crate::playlists::watch::{FileStat, WatchScan};
use greenroom_config::playlists::{ScheduledPlaylist, ScheduledPlaylistSource};
use greenroom_state::warnings::{Severity, Warning};

/// Poll interval.
const POLL_INTERVAL: Duration = Duration::from_secs(30);
/// Max wait for a server's list of libraries.
const LIBRARIES_TIMEOUT: Duration = Duration::from_millis(10 * 60_000);
/// Code of the warning that a source cannot be read.
const UNREADABLE_CODE: &str = "playlist-unreadable";

/// Runs all scheduled syncs until the process stops.
pub async fn run_scheduler(playlists: Arc<PlaylistService>, standing: Vec<ScheduledPlaylist>, stop: CancellationToken) {
    for one in &standing {
        playlists.scheduled.set(entry_of(one));
    }
    let mut runner = ScheduledSyncRunner {
        started_ms: playlists.clock.now(),
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
    started_ms: Timestamp,
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
            let is_hanging = self.hanging.contains_key(&number);
            if is_hanging {
                // The content is unknown at the moment, so none of it counts as removed.
                present.extend(self.known.keys().filter(|(of, _)| *of == number).cloned());
            }
            // While the drive hangs, a request waits with it.
            let is_requested_now = !is_hanging && self.playlists.scheduled.take_request(&one.title);
            let mut entry = ScheduledSyncStatus { problems: source_problems.clone(), ..entry_of(one) };
            problems.entry(one.server.clone()).or_default().extend(source_problems);
            for (location, stat) in locations {
                let key = (number, location);
                present.insert(key.clone());
                let status = self.poll_source(one, &key, stat, is_requested_now).await;
                entry.playlists.push(status);
            }
            let is_postponed = self.known.iter().any(|((of, _), state)| *of == number && state.is_requested);
            self.playlists.scheduled.set_postponed(&one.title, is_postponed);
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
        let known = self.known.get(key);
        let is_requested = is_requested_now || known.is_some_and(|known| known.is_requested);
        // Also after a scan a file is read only if it is the same as at the last poll.
        let awaits_scan = known.is_some_and(|known| known.awaits_scan && known.seen == stat);
        let is_after_scan = awaits_scan && !self.is_changing(one);
        let is_due = is_after_scan || is_due(known, stat, playlists.clock.now(), Duration::from_millis(every_ms));
        let is_due = is_requested || (is_due && playlists.leadership.is_leader(playlists.clock.now()));
        let awaits_library = is_due && self.awaits_library(one);
        let existing = self.known.entry(key.clone()).or_default();
        existing.seen = stat;
        existing.is_requested = is_requested && awaits_library;
        if is_due && !awaits_library {
            playlists.scheduled.set_running(Some(&one.title));
            let trigger = if is_requested { SyncTrigger::Request } else { SyncTrigger::Schedule };
            let (last, may_recover) = sync_source(&playlists, one, &key.1, trigger).await;
            playlists.scheduled.set_running(None);
            let now_ms = Timestamp::from_millis(last.at_ms);
            existing.last_source = Some((stat, now_ms));
            existing.failures = if may_recover { existing.failures.saturating_add(1) } else { 0 };
            existing.retry_at_ms = may_recover.then(|| now_ms.saturating_add(retry_after_ms(existing.failures)));
            existing.awaits_scan = last.is_changing;
            existing.last_sync = Some(last);
        }
        let regular_ms = existing.last_source.map(|(_, at_ms)| at_ms.saturating_add(Duration::from_millis(every_ms)));
        SyncedPlaylistStatus {
            file: key.1.file().map(|path| path.display().to_string()),
            awaits_library,
            last: existing.last_sync.clone(),
            next_ms: existing.retry_at_ms.into_iter().chain(regular_ms).min().map(Timestamp::as_millis),
        }
    }

    /// Whether the server scans the library.
    fn is_changing(&self, one: &ScheduledPlaylist) -> bool {
        let Ok(server) = self.playlists.server(&one.server) else { return false };
        let library = self.playlists.library(&server, one.library.as_deref());
        library.is_some_and(|library| library.is_changing())
    }

    /// Whether the library has no snapshot yet but will get one: the sync is postponed, and the others do not wait.
    fn awaits_library(&self, one: &ScheduledPlaylist) -> bool {
        let Ok(server) = self.playlists.server(&one.server) else { return false };
        let Some(library) = self.playlists.library(&server, one.library.as_deref()) else {
            let age_ms = self.playlists.clock.now().duration_since(self.started_ms);
            return server.origin.settings.token.is_some() && age_ms < LIBRARIES_TIMEOUT;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::tests::{known, server};
    use crate::index::{Libraries, Library};
    use crate::playlists::request::SyncSource;
    use crate::playlists::scheduled_sync::{attempt, may_recover, read_sources};
    use greenroom_cache::Clock;
    use greenroom_cache::remote::{ClusterRole, Leadership};
    use greenroom_config::playlist_mode::PlaylistMode;
    use greenroom_library::matching::MatchPolicy;
    use tokio_util::task::TaskTracker;

    /// The runner of one scheduled file, and the library it is synced to, whose index is off.
    struct RunnerFixture {
        folder: tempfile::TempDir,
        standing: [ScheduledPlaylist; 1],
        runner: ScheduledSyncRunner,
        libraries: Arc<Libraries>,
        library: Arc<Library>,
    }

    impl RunnerFixture {
        async fn new() -> Self {
            let folder = tempfile::tempdir().expect("create a temporary folder");
            let file = folder.path().join("weekly.csv");
            std::fs::write(&file, "title,artist\nAsh,Ash\n").expect("write the playlist");
            let (server, libraries) = (server(), Arc::new(Libraries::default()));
            let library = known(&libraries, &server, "3");
            let (clock, tasks, stop) = (Clock::system(), TaskTracker::new(), CancellationToken::new());
            let servers = vec![server];
            let playlists = PlaylistService::new(Arc::clone(&libraries), Arc::default(), servers, clock, tasks, stop);
            let standing = ScheduledPlaylist {
                title: "weekly".to_owned(),
                origin: ScheduledPlaylistSource::File(file),
                server: "home".to_owned(),
                library: None,
                name: Some("Weekly".to_owned()),
                mode: PlaylistMode::default(),
                shrink: false,
                accounts: Vec::new(),
                policy: MatchPolicy::Strict,
                every_hours: 24,
                results: None,
            };
            playlists.scheduled.set(entry_of(&standing));
            let runner = ScheduledSyncRunner {
                started_ms: playlists.clock.now(),
                playlists: Arc::new(playlists),
                known: HashMap::new(),
                problems: HashMap::new(),
                hanging: HashMap::new(),
            };
            let fixture = Self { folder, standing: [standing], runner, libraries, library };
            fixture.set_index(false).await;
            fixture
        }

        async fn set_index(&self, is_on: bool) {
            self.libraries.set_enabled(&self.library, is_on).await.expect("set the choice");
        }

        /// Polls once. Returns whether the playlist was synced; without an index it fails and reports that.
        async fn poll(&mut self) -> bool {
            let report = self.folder.path().join("weekly.csv.report.json");
            let _ = std::fs::remove_file(&report); // there may be none
            self.runner.poll(&self.standing).await;
            report.exists()
        }

        fn request(&self) {
            assert!(self.runner.playlists.scheduled.request_now("weekly"), "it is listed");
        }

        fn is_requested(&self) -> bool {
            self.runner.playlists.scheduled.is_requested("weekly")
        }
    }

    #[tokio::test]
    async fn a_requested_run_waits_for_a_drive_that_hangs() {
        let mut fixture = RunnerFixture::new().await;
        assert!(!fixture.poll().await && fixture.poll().await, "it is synced once it is found unchanged");
        fixture.runner.hanging.insert(0, TaskTracker::new().spawn(std::future::pending()));
        fixture.request();
        assert!(!fixture.poll().await && fixture.is_requested(), "the drive does not respond");
        if let Some(scan) = fixture.runner.hanging.remove(&0) {
            scan.abort();
        }
        assert!(fixture.poll().await && !fixture.is_requested(), "it responds again");
        assert!(!fixture.poll().await, "the request is served once");
    }

    #[tokio::test]
    async fn only_the_leader_of_several_gateways_syncs_on_schedule_and_any_on_request() {
        let mut fixture = RunnerFixture::new().await;
        let leadership = Leadership::among_peers();
        let playlists = Arc::get_mut(&mut fixture.runner.playlists).expect("no run has begun");
        playlists.leadership = leadership.clone();
        assert!(!fixture.poll().await && !fixture.poll().await, "it is not known which gateway leads");
        leadership.set(ClusterRole::Follower, Timestamp::MAX);
        assert!(!fixture.poll().await, "another gateway leads");
        fixture.request();
        assert!(fixture.poll().await, "it is requested here");
        fixture.runner.known.clear();
        leadership.set(ClusterRole::Leader, Timestamp::MAX);
        assert!(!fixture.poll().await && fixture.poll().await, "it leads now");
    }

    #[tokio::test]
    async fn of_several_playlists_of_a_file_none_is_synced_once_another_gateway_may_lead() {
        let mut fixture = RunnerFixture::new().await;
        let leadership = Leadership::among_peers();
        Arc::get_mut(&mut fixture.runner.playlists).expect("no run has begun").leadership = leadership.clone();
        let list = r#"{"name":"Road","tracks":[{"title":"Ash","artist":"Ash"}]}"#;
        let path = fixture.folder.path().join("weekly.csv");
        std::fs::write(&path, format!(r#"{{"playlists":[{list},{list}]}}"#)).expect("write the playlists");
        let (playlists, location) = (Arc::clone(&fixture.runner.playlists), SourceLocation::File(path));
        let codes = async |trigger| {
            let results = attempt(&playlists, &fixture.standing[0], &location, trigger).await;
            results.iter().map(|result| result.as_ref().err().map(|failure| failure.code.clone())).collect::<Vec<_>>()
        };
        let lost = Some("leadership-lost".to_owned());
        assert_eq!(codes(SyncTrigger::Schedule).await, [lost.clone(), lost]);
        assert_eq!(codes(SyncTrigger::Request).await, [None, None]);
    }

    #[tokio::test]
    async fn a_requested_run_waits_for_the_index_of_its_library() {
        let mut fixture = RunnerFixture::new().await;
        assert!(!fixture.poll().await && fixture.poll().await, "it is synced once it is found unchanged");
        fixture.set_index(true).await;
        fixture.request();
        assert!(!fixture.poll().await && fixture.is_requested(), "the library is not indexed yet");
        assert!(!fixture.poll().await && fixture.is_requested(), "nor a moment later");
        fixture.set_index(false).await;
        assert!(fixture.poll().await && !fixture.is_requested(), "there is nothing to wait for");
        assert!(!fixture.poll().await, "the request is served once");
    }

    #[tokio::test]
    async fn a_file_that_is_still_being_written_is_not_read_because_a_scan_has_ended() {
        let mut fixture = RunnerFixture::new().await;
        assert!(!fixture.poll().await && fixture.poll().await, "it is synced once it is found unchanged");
        let await_scan = |fixture: &mut RunnerFixture| {
            fixture.runner.known.values_mut().for_each(|known| known.awaits_scan = true);
        };
        await_scan(&mut fixture);
        std::fs::write(fixture.folder.path().join("weekly.csv"), "title,artist\nAsh,Ash\nOa").expect("write half");
        assert!(!fixture.poll().await, "it has changed since the last poll");
        assert!(fixture.poll().await, "it has not changed any more");
        await_scan(&mut fixture);
        assert!(fixture.poll().await, "an unchanged file is synced again after the scan");
    }

    #[tokio::test]
    async fn playlists_of_one_name_are_several_and_one_without_readable_rows_is_reported() {
        let fixture = RunnerFixture::new().await;
        let list = r#"{"name":"Road","tracks":[{"title":"Ash","artist":"Ash"}]}"#;
        let file = format!(r#"{{"playlists":[{list},{{"name":"Bad","tracks":[7]}},{list}]}}"#);
        let path = fixture.folder.path().join("weekly.csv");
        std::fs::write(&path, file).expect("write the playlists");
        let location = SourceLocation::File(path);
        let playlists = Arc::clone(&fixture.runner.playlists);
        let (sources, _) = read_sources(&playlists, &fixture.standing[0], &location).await.expect("they are read");
        let name = |source: &SyncSource| match source {
            SyncSource::Rows(playlist) => playlist.name.clone(),
            SyncSource::Server { .. } => None,
        };
        let names: Vec<_> = sources.iter().filter_map(name).collect();
        assert_eq!(names, ["Road", "Bad", "Road (2)"]);
        let results = attempt(&playlists, &fixture.standing[0], &location, SyncTrigger::Request).await;
        let Err(failure) = &results[1] else { panic!("it has no row") };
        assert_eq!((results.len(), failure.code.as_str()), (3, "unreadable"));
        assert!(failure.message.starts_with("Bad: none of the 1 rows"), "{}", failure.message);
        assert!(!may_recover(&results[1]), "reading it again changes nothing");
    }
}
