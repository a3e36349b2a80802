//! Indexes of the libraries of the configured servers, searchable by track, path and external id.
//!
//! For each server with a configured token, a task polls the list of libraries ([`discovery`]); each library has one
//! worker task ([`scheduler`]). Every trigger of a build (a person, the schedule, an event, the first lookup) only
//! leaves a request, so two builds of one library never run at the same time. A build ([`build`]) fetches pages
//! ([`crawl`], [`page_size`]) from the server ([`client`]) until all are there and the server reports no change
//! meanwhile; then the indexes are built and the new generation replaces the old one in one step. A failed build
//! changes only the state ([`state`], [`publish`]). After that, events and change counters trigger incremental rounds
//! ([`incremental`]), and a full comparison follows on schedule or on a mismatch.
//!
//! Further modules: [`build_deadline`], [`libraries`] (all of them), [`status`] (what is known of one), [`store`]
//! (snapshots on disk), [`settings`] (libraries the user turned off), [`progress`], [`report`] (for API and page),
//! [`schedule`] (times of full comparisons), [`notify`] (notifications), [`lookup_counters`], [`missing_episodes`],
//! [`worker_scan`] (apps that list whole libraries), [`pictured_item`] (whose picture is shown for an item).

mod build;
mod build_deadline;
mod change_record;
mod client;
mod crawl;
mod discovery;
mod incremental;
mod libraries;
mod lookup_counters;
mod missing_episodes;
mod notify;
mod page_size;
mod pictured_item;
mod progress;
mod publish;
mod report;
mod scan_state;
mod schedule;
mod scheduler;
mod settings;
mod state;
mod status;
mod store;
#[cfg(test)]
pub(crate) mod tests;
mod worker_scan;

use greenroom_cache::Timestamp;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use greenroom_dialect::crawl::LibraryContents;
use greenroom_library::snapshot::Snapshot;
use greenroom_library::snapshot::diff::SnapshotDiff;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use greenroom_proxy::server::Server;

pub use discovery::run;
pub use libraries::Libraries;
pub use lookup_counters::{LookupCounters, LookupCounts};
pub use pictured_item::PicturedItem;
pub use progress::{BuildPhase, BuildProgress};
pub use report::{GenerationReport, LibraryCost, LibraryReport};
pub use schedule::CompareSchedule;
pub use state::{IndexError, LibraryState};

use scan_state::ScanState;
use scheduler::AttemptKind;
use state::{StateInputs, state_of};
use status::{BuildHandle, ItemChanges, LibraryStatus, PendingWork};

/// Code of the warning that an index is off while playlists need it. It ends when the index is turned on.
pub const SYNC_WITHOUT_INDEX: &str = "sync-without-index";

/// Identifies a library by server name and the server's own library key, written `home:3`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LibraryId {
    /// Name of the server.
    pub server: String,
    /// The library's key there.
    pub key: String,
}

impl std::fmt::Display for LibraryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.server, self.key)
    }
}

impl std::str::FromStr for LibraryId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (server, key) = text.split_once(':').ok_or(())?;
        if server.is_empty() || key.is_empty() {
            return Err(());
        }
        Ok(Self { server: server.to_owned(), key: key.to_owned() })
    }
}

/// A published snapshot with its number and time.
#[derive(Debug)]
pub struct Generation {
    /// Increases with every published generation; never repeats for one library, also over restarts. The first number
    /// is the current time, so that it exceeds those of an earlier index that was lost.
    pub number: u64,
    /// End of its crawl, in milliseconds since 1970.
    pub taken_at_ms: Timestamp,
    /// All items.
    pub snapshot: Snapshot,
}

/// One library of one server.
#[derive(Debug)]
pub struct Library {
    /// Its id.
    pub id: LibraryId,
    /// Its title on the server.
    pub title: Mutex<String>,
    /// The media server.
    pub server: Arc<Server>,
    /// Lookups in its index.
    pub lookups: LookupCounters,
    generation: RwLock<Option<Arc<Generation>>>,
    status: Mutex<LibraryStatus>,
    pending: Mutex<PendingWork>,
    wake: Notify,
    progress: watch::Sender<BuildProgress>,
}

/// Result of requesting a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildRequestResult {
    /// A new build was requested.
    Started,
    /// A build was already running or waiting; the request joined it.
    Joined,
    /// The library is turned off.
    Off,
}

/// Reason why no snapshot can be waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexNotReadyError {
    /// The library is turned off.
    Off,
    /// The build failed.
    Failed(IndexError),
}

impl Library {
    /// A library without a snapshot yet.
    pub fn new(id: LibraryId, title: &str, server: Arc<Server>) -> Self {
        let known_ms = server.origin.clock.now();
        Self {
            id,
            title: Mutex::new(title.to_owned()),
            server,
            lookups: LookupCounters::default(),
            generation: RwLock::default(),
            status: Mutex::new(LibraryStatus { known_ms, ..LibraryStatus::default() }),
            pending: Mutex::default(),
            wake: Notify::new(),
            progress: watch::Sender::new(BuildProgress::default()),
        }
    }

    /// The newest complete snapshot; `None` if there is none or the library is turned off.
    pub fn generation(&self) -> Option<Arc<Generation>> {
        self.generation.read().clone()
    }

    /// Replaces the snapshot.
    pub fn publish(&self, snapshot: Snapshot, taken_at_ms: Timestamp) {
        let number = self.next_number(taken_at_ms);
        self.status.lock().changes.clear();
        self.set_generation(Generation { number, taken_at_ms, snapshot });
    }

    /// Replaces the snapshot and names the items that were added or changed.
    #[cfg(test)]
    pub(crate) fn publish_changed(&self, snapshot: Snapshot, taken_at_ms: Timestamp, changed: &[&str]) {
        let number = self.next_number(taken_at_ms);
        self.status.lock().record_changes(number, changed.iter().map(|key| (*key).into()).collect());
        self.set_generation(Generation { number, taken_at_ms, snapshot });
    }

    /// Rows of the newest generation that were added or changed since the generation of this number; `None` if that is
    /// no longer known (then any row may have changed).
    pub fn changed_since(&self, number: u64) -> Option<Vec<u32>> {
        let status = self.status.lock();
        let generation = self.generation()?;
        if generation.number == number {
            return Some(Vec::new());
        }
        let oldest = status.changes.front()?.0;
        if number > generation.number || number + 1 < oldest {
            return None;
        }
        let changed = status.changes.iter().filter(|(since, _)| *since > number).flat_map(|(_, keys)| keys);
        let rows: BTreeSet<u32> = changed.filter_map(|key| generation.snapshot.row_of(key)).collect();
        Some(rows.into_iter().collect())
    }

    /// Kind of its items.
    pub fn contents(&self) -> LibraryContents {
        self.status.lock().info.as_ref().map_or(LibraryContents::Other, |info| info.contents)
    }

    /// True also for a library that the server has not listed yet, because it may hold anything.
    pub fn may_hold_music(&self) -> bool {
        self.status.lock().info.as_ref().is_none_or(|info| info.contents == LibraryContents::Music)
    }

    /// State of the index.
    pub fn state(&self) -> LibraryState {
        self.state_with(&self.status.lock())
    }

    fn state_with(&self, status: &LibraryStatus) -> LibraryState {
        state_of(StateInputs {
            is_on: self.is_on(status),
            has_snapshot: self.generation.read().is_some(),
            is_confirmed: status.is_confirmed,
            is_building: self.progress.borrow().is_building(),
            has_failed: Self::failure_of(status).is_some(),
            is_changing: status.scan != ScanState::Idle || self.pending.lock().has_waiting_changes(),
        })
    }

    /// The error that stands, of the last build or incremental round, and since when, in milliseconds since 1970.
    pub fn failure(&self) -> Option<(IndexError, u64)> {
        Self::failure_of(&self.status.lock())
    }

    /// Changes from the previous generation to the newest.
    pub fn diff(&self) -> Option<Arc<SnapshotDiff>> {
        self.status.lock().diff.clone()
    }

    /// Watches the progress of builds.
    pub fn progress(&self) -> watch::Receiver<BuildProgress> {
        self.progress.subscribe()
    }

    /// Records a lookup: starts indexing on the first one, or warns if the index is off.
    pub fn record_lookup(&self) {
        if !self.is_looked_up() {
            let warning = scheduler::index_off_warning(&[self.display_name()]).with(Some(scheduler::turn_on(self)));
            self.server.origin.warnings.raise(warning);
        }
    }

    /// Whether the index is enabled; records the lookup in any case.
    fn is_looked_up(&self) -> bool {
        let mut status = self.status.lock();
        if !self.is_on(&status) {
            if !std::mem::replace(&mut status.was_requested_while_off, true) {
                self.wake.notify_one();
            }
            return false;
        }
        if !std::mem::replace(&mut status.is_auto_indexed, true) {
            self.wake.notify_one();
        }
        true
    }

    /// Waits for a snapshot: from the build that is running, or from a new one.
    pub async fn ready(&self) -> Result<Arc<Generation>, IndexNotReadyError> {
        let mut progress = self.progress();
        self.record_lookup();
        if self.state() == LibraryState::Failed {
            // A waiting caller is reason enough for another attempt.
            self.build(false);
        }
        loop {
            let is_building = progress.borrow_and_update().is_building() || self.is_build_requested();
            if let Some(generation) = self.generation() {
                return Ok(generation);
            }
            match (self.state(), self.failure()) {
                (LibraryState::Off, _) => return Err(IndexNotReadyError::Off),
                (LibraryState::Failed, Some((failure, _))) if !is_building => {
                    return Err(IndexNotReadyError::Failed(failure));
                }
                _ => {}
            }
            if progress.changed().await.is_err() {
                return Err(IndexNotReadyError::Off);
            }
        }
    }

    /// Requests a build. `has_force` discards the interrupted crawl and accepts the result however short it is.
    pub fn build(&self, has_force: bool) -> BuildRequestResult {
        let mut status = self.status.lock();
        if !self.is_on(&status) {
            return BuildRequestResult::Off;
        }
        let mut pending = self.pending.lock();
        let is_building = self.progress.borrow().is_building();
        let is_joined = pending.build.is_some() || is_building;
        if is_building {
            status.has_force |= has_force;
        } else {
            pending.build.get_or_insert_default().has_force |= has_force;
        }
        drop((pending, status));
        self.wake.notify_one();
        if is_joined { BuildRequestResult::Joined } else { BuildRequestResult::Started }
    }

    /// Whether a build was requested that has not begun yet.
    pub fn is_build_requested(&self) -> bool {
        self.pending.lock().build.is_some()
    }

    /// Cancels a running or waiting build. Returns whether there was one.
    pub fn cancel(&self) -> bool {
        let was_there = {
            let mut status = self.status.lock();
            let was_requested = self.pending.lock().build.take().is_some();
            let under_way = status.cancel.take_if(|(attempt, _)| *attempt == AttemptKind::Build);
            if let Some((_, cancel)) = &under_way {
                cancel.cancel();
            }
            was_requested || under_way.is_some()
        };
        if was_there {
            // Wakes callers that wait for a build that was only requested.
            self.update_progress(|_| {});
        }
        was_there
    }

    /// Takes the pending request and starts its work, which can be cancelled from here on. `None` if the library was
    /// turned off.
    fn begin(&self, attempt: AttemptKind) -> Option<BuildHandle> {
        let mut status = self.status.lock();
        if !self.is_on(&status) {
            return None;
        }
        let cancel = CancellationToken::new();
        status.cancel = Some((attempt, cancel.clone()));
        status.scan = status.scan.begun();
        if attempt == AttemptKind::Build {
            status.has_force |= self.pending.lock().build.take().is_some_and(|request| request.has_force);
        }
        Some(BuildHandle { cancel, turned_off: status.turned_off })
    }

    /// Cancels whatever is requested or running.
    fn cancel_all(&self, status: &mut LibraryStatus) {
        self.pending.lock().build = None;
        if let Some((_, cancel)) = status.cancel.take() {
            cancel.cancel();
        }
    }

    fn is_on(&self, status: &LibraryStatus) -> bool {
        status.enabled_override.unwrap_or(self.server.origin.settings.library.enabled)
    }

    /// Applies the user's choice whether a library index was built.
    fn set_enabled(&self, is_enabled: bool) {
        {
            let mut status = self.status.lock();
            status.enabled_override = Some(is_enabled);
            status.is_auto_indexed |= is_enabled;
            status.was_requested_while_off &= !is_enabled;
            (status.build_at_ms, status.follow_at_ms) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
            if !is_enabled {
                status.turned_off += 1;
                self.cancel_all(&mut status);
                *self.generation.write() = None;
                (status.is_confirmed, status.failure, status.unfinished, status.diff) = (false, None, None, None);
                (status.suspect, status.stable_items, status.compare_at_ms) = (None, 0, None);
                (status.has_force, status.attempts, status.scan) = (false, 0, ScanState::Idle);
                (status.without_episodes, status.changes) = (None, VecDeque::new());
            }
        }
        self.update_progress(|_| {});
        self.wake.notify_one();
    }

    fn set_generation(&self, generation: Generation) {
        *self.generation.write() = Some(Arc::new(generation));
        self.update_progress(|_| {});
    }

    fn next_number(&self, now_ms: Timestamp) -> u64 {
        let last = self.generation.read().as_ref().map_or(0, |current| current.number);
        let last = last.max(self.status.lock().metadata.number);
        if last == 0 { (now_ms.as_secs()).max(1) } else { last + 1 }
    }

    /// Changes the progress and wakes all waiters.
    fn update_progress(&self, change: impl FnOnce(&mut BuildProgress)) {
        self.progress.send_modify(|progress| {
            change(progress);
            progress.turns += 1;
        });
    }
}
