//! Playlists from elsewhere, kept on a media server: read, resolved once, written for one account or several, verified.
//!
//! Rooms: [`request`] (what somebody wants), [`sync`] (a wish carried out), `awaiting` (its library), `finding` (its rows),
//! [`plan`] (how a playlist becomes what it should
//! be), [`apply`] (one account's playlist), [`client`] (asking the server), `ownership` and
//! [`created`] (whose a playlist is), [`run`] (how far it is), [`report`] (what
//! came of it), [`error`] (what keeps it from being done), [`scheduled`] (what is kept
//! in step by itself), [`sync_status`] (what is known of that), `due` (when it is taken), `watched` (its files), `results` (what is written beside them), `turns` (one run at a time).
//!
//! A playlist is never emptied by a failure: what is added is added and seen before anything leaves, a source without
//! rows changes nothing, and where nothing was found nothing is touched. Nothing is journalled: the next run reads what
//! is there and goes on from it.

pub mod apply;
pub mod client;
pub mod created;
pub mod error;
mod lock;
mod ownership;
pub mod plan;
pub mod report;
mod report_files;
pub mod request;
mod resolve;
pub mod run;
mod schedule;
pub mod scheduled;
pub mod sync;
pub mod sync_status;
mod wait_for_index;
mod watch;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_cache::Clock;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::index::{Libraries, Library, LibraryId, SYNC_WITHOUT_INDEX, State};
use crate::matching::Matching;
use created::Made;
use greenroom_proxy::server::Server;
use greenroom_state::file_lane::FileLane;
use greenroom_state::warnings::{Action, Severity, Warning};
use lock::Turns;
use report::Failure;
use request::Wish;
use run::{Ending, Run};
use sync_status::Keeping;

/// A library that was read so lately is not read again because little was found in it.
const LOOKED_AT_LATELY_S: u64 = 3600;
/// Runs at a time.
const MAX_RUNNING: usize = 8;
/// Runs that have ended and are remembered …
const MAX_KEPT: usize = 50;
/// … and bytes that all their reports may take together; the newest is always kept.
const MAX_KEPT_BYTES: usize = 64 * 1024 * 1024;

/// How runs end, the last one before it began.
const OUTCOMES: [&str; 4] = ["done", "failed", "cancelled", "refused"];

/// Forgets the oldest runs that have ended, until what is kept is within bounds.
fn make_room(runs: &mut VecDeque<Arc<Run>>) {
    loop {
        let bytes: usize = runs.iter().map(|run| run.weight()).sum();
        let mut ended = runs.iter().enumerate().filter(|(_, run)| run.ending().is_some()).map(|(at, _)| at);
        let (oldest, is_only) = (ended.next(), ended.next().is_none());
        match oldest {
            Some(oldest) if !is_only && (runs.len() > MAX_KEPT || bytes > MAX_KEPT_BYTES) => {
                runs.remove(oldest);
            }
            _ => return,
        }
    }
}

fn already_running(run: &Run) -> Failure {
    let message = format!("this playlist is being written already, by run {}", run.id);
    Failure::new("already-running", message)
}

/// A run that is carried out. When this goes and nothing came of it, it has failed.
struct Underway {
    playlists: Arc<Playlists>,
    run: Arc<Run>,
}

impl Drop for Underway {
    fn drop(&mut self) {
        if self.run.ending().is_none() {
            tracing::error!(run = self.run.id, "a run broke off");
            let message =
                "it broke off within the gateway; the log tells more. The next run goes on from there";
            self.playlists.end(&self.run, Ending::Failed(Failure::new("broke-off", message)));
        }
    }
}

/// Keeps playlists.
#[derive(Debug)]
pub struct Playlists {
    /// What is to be found.
    pub libraries: Arc<Libraries>,
    /// Who finds it.
    pub matching: Arc<Matching>,
    /// The clock of the process.
    pub clock: Clock,
    servers: Vec<Arc<Server>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    runs: Mutex<VecDeque<Arc<Run>>>,
    begun: AtomicU64,
    ended: [AtomicU64; OUTCOMES.len()],
    made: Made,
    turns: Turns,
    /// What is kept in step by itself.
    pub keeping: Keeping,
}

impl Default for Playlists {
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

impl Playlists {
    /// Keeps the playlists of these servers.
    pub fn new(
        libraries: Arc<Libraries>,
        matching: Arc<Matching>,
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
            begun: AtomicU64::new(0),
            ended: Default::default(),
            made: Made::default(),
            turns: Turns::default(),
            keeping: Keeping::default(),
        }
    }

    /// Keeps in this directory what has to outlive the process.
    #[must_use]
    pub fn within(mut self, data_dir: &Path) -> Self {
        let lane = FileLane::new(self.tasks.clone());
        self.made = Made::within(data_dir).working_in(lane);
        self
    }

    /// Begins to carry out a wish.
    ///
    /// # Errors
    /// If it names what is not there, or too much runs, or that playlist is being written already.
    pub fn begin(self: &Arc<Self>, wish: Wish) -> Result<Arc<Run>, Failure> {
        let server = self.server(&wish.server)?;
        if let Some(unknown) =
            wish.accounts.iter().find(|name| !server.origin.settings.accounts.contains_key(*name))
        {
            let shown: String = unknown.chars().filter(|letter| !letter.is_control()).take(40).collect();
            let message = format!("no account \"{shown}\" is configured for the server {}", server.name());
            return Err(Failure::new("unknown-account", message));
        }
        if let request::Source::Server { server, .. } = &wish.source {
            self.server(server)?;
        }
        let name = wish.name.clone().or_else(|| match &wish.source {
            request::Source::Rows(playlist) => playlist.name.clone(),
            request::Source::Server { playlist, .. } => Some(playlist.clone()),
        });
        let run = self.admit(&wish.server, &name.unwrap_or_default())?;
        let (playlists, begun) = (Arc::clone(self), Arc::clone(&run));
        self.tasks.spawn(async move {
            // Whatever breaks on the way: a run that nobody carries out any more has ended.
            let underway = Underway { playlists, run: begun };
            sync::carry_out(&underway.playlists, &underway.run, wish).await;
        });
        Ok(run)
    }

    fn admit(&self, server: &str, name: &str) -> Result<Arc<Run>, Failure> {
        let mut runs = self.runs.lock();
        let running = || runs.iter().filter(|run| run.ending().is_none());
        let refusal = if running().count() >= MAX_RUNNING {
            Some(Failure::new(
                "too-many-runs",
                "too many playlists are being written; try again when one is done",
            ))
        } else {
            running().find(|run| run.is_of(server, name)).map(|run| already_running(run))
        };
        if let Some(refusal) = refusal {
            self.note("refused");
            return Err(refusal);
        }
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let now_ms = self.clock.now_ms();
        // The time makes it differ from those of an earlier process.
        let id = format!("{:x}-{number}", now_ms / 1000);
        let run = Arc::new(Run::new(id, server, name, now_ms, self.stop.child_token()));
        runs.push_back(Arc::clone(&run));
        make_room(&mut runs);
        Ok(run)
    }

    /// Now it is known what the playlist is called: no other run may write one of that name on the same server.
    fn claim(&self, run: &Run, name: &str) -> Result<(), Failure> {
        let runs = self.runs.lock();
        let mut others = runs.iter().filter(|other| other.id != run.id && other.ending().is_none());
        if let Some(other) = others.find(|other| other.is_of(&run.server, name)) {
            return Err(already_running(other));
        }
        name.clone_into(&mut run.name.lock());
        Ok(())
    }

    /// A run ended.
    fn end(&self, run: &Run, ending: Ending) {
        run.end(ending);
        self.note(run.word());
        make_room(&mut self.runs.lock());
    }

    fn note(&self, outcome: &str) {
        if let Some(place) = OUTCOMES.iter().position(|known| *known == outcome) {
            self.ended[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many runs ended how.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        OUTCOMES.into_iter().zip(self.ended.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// Where its files are read and written.
    pub fn lane(&self) -> &FileLane {
        &self.made.lane
    }

    /// Runs that are known, the newest first.
    pub fn runs(&self) -> Vec<Arc<Run>> {
        self.runs.lock().iter().rev().cloned().collect()
    }

    /// The run with this id.
    pub fn run(&self, id: &str) -> Option<Arc<Run>> {
        self.runs.lock().iter().find(|run| run.id == id).cloned()
    }

    /// The server of this name.
    fn server(&self, name: &str) -> Result<Arc<Server>, Failure> {
        let found = self.servers.iter().find(|server| server.name() == name).cloned();
        found.ok_or_else(|| {
            let known: Vec<&str> = self.servers.iter().map(|server| server.name()).collect();
            Failure::new(
                "unknown-server",
                format!("no such server is configured; there are: {}", known.join(", ")),
            )
        })
    }

    /// The server that is meant where none is named: the only one.
    pub fn only_server(&self) -> Option<&str> {
        match self.servers.as_slice() {
            [only] => Some(only.name()),
            _ => None,
        }
    }

    /// The library that is meant by its key, its title, or `SERVER:KEY`; by nothing: the music library.
    fn library(&self, server: &Arc<Server>, word: Option<&str>) -> Option<Arc<Library>> {
        let Some(word) = word else { return self.libraries.music_of(server.name()) };
        let named = word.parse::<LibraryId>().ok().filter(|id| id.server == server.name());
        let by_key = LibraryId { server: server.name().to_owned(), key: word.to_owned() };
        named.and_then(|id| self.libraries.find(&id)).or_else(|| self.libraries.find(&by_key)).or_else(|| {
            let all = self.libraries.all();
            all.into_iter().find(|library| {
                library.id.server == server.name() && library.title.lock().eq_ignore_ascii_case(word)
            })
        })
    }

    /// So little was found in it that it should be compared with the server, unless that was done a moment ago.
    fn doubt(library: &Library, age_s: u64) {
        if age_s > LOOKED_AT_LATELY_S {
            library.build(false);
        }
        tracing::warn!(library = %library.id, age_s, "few rows of a playlist were found; is it the right library?");
    }

    /// A sync into a library whose index is turned off cannot work, or works with what was known long ago.
    fn warn_of(library: &Library) {
        let warnings = &library.server.origin.warnings;
        if library.state() != State::Off {
            let id = library.id.to_string();
            warnings.keep_only(SYNC_WITHOUT_INDEX, |held| held.subject.as_deref() != Some(&*id));
            return;
        }
        let warning = Warning {
            code: SYNC_WITHOUT_INDEX,
            severity: Severity::Urgent,
            action: Some(
                Action::new("Turn it on", "PUT", format!("libraries/{}", library.id))
                    .saying(serde_json::json!({"enabled": true})),
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
    use super::report::{AccountReport, Report};
    use super::*;

    #[test]
    fn two_runs_that_come_to_the_same_name_do_not_write_at_once() {
        let playlists = Playlists::default();
        let first = playlists.admit("home", "Weekly").expect("nothing runs");
        // It comes from a playlist that was named by its id.
        let second = playlists.admit("home", "4711").expect("another name");
        let refusal = playlists.claim(&second, "Weekly ").expect_err("the first writes it");
        assert_eq!(refusal.code, "already-running");
        playlists.claim(&second, "Daily").expect("nobody writes it");
        assert!(playlists.admit("home", " Daily").is_err());
        first.end(Ending::Cancelled);
        playlists.claim(&second, "Weekly").expect("the first has ended");
        assert!(playlists.admit("attic", "Weekly").is_ok(), "another server's is another playlist");
    }

    #[test]
    fn a_run_that_broke_off_has_failed_and_its_name_is_free() {
        let playlists = Arc::new(Playlists::default());
        let run = playlists.admit("home", "Weekly").expect("nothing runs");
        let underway = Underway { playlists: Arc::clone(&playlists), run: Arc::clone(&run) };
        let broke = std::thread::spawn(move || {
            let _underway = underway;
            panic!("as matching might");
        });
        assert!(broke.join().is_err());
        assert_eq!(run.word(), "failed");
        assert!(playlists.admit("home", "Weekly").is_ok());
    }

    #[test]
    fn what_is_kept_of_runs_is_bounded_by_bytes() {
        let playlists = Playlists::default();
        for number in 0..4 {
            let run = playlists.admit("home", &format!("{number}")).expect("few run");
            let mut report = Report::default();
            report.accounts.push(AccountReport {
                not_visible: vec!["x".repeat(MAX_KEPT_BYTES / 2)],
                ..AccountReport::default()
            });
            playlists.end(&run, Ending::Done(Arc::new(report)));
        }
        assert_eq!(playlists.runs().len(), 1, "two are more than may be kept");
    }
}
