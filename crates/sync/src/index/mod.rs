//! The libraries of the configured servers: kept whole, and found by their ids.
//!
//! For each server with a configured token a task looks which libraries there are ([`discovery`]); for each library one
//! task keeps it ([`scheduler`]): whatever asks for a build (a person, the schedule, an event, the first lookup) only leaves
//! a wish, so there is never a second build beside the first. A build ([`build`]) fetches pages ([`crawl`], [`page_size`])
//! from the server ([`client`]) until all are there and the server says that nothing moved meanwhile; then the indexes
//! are built and the new generation takes the place of the old one in one step. What fails changes nothing but the state
//! ([`state`], [`publish`]). From then on events (`tidings`) and change counters lead to small rounds ([`incremental`]), and a
//! whole comparison follows on schedule and on doubt.
//!
//! Further rooms: [`build_deadline`], [`libraries`] (all of them), [`status`] (what is known of one), [`store`] (snapshots on disk), [`settings`] (what the user turned off), [`progress`], [`report`] (what is
//! shown), [`schedule`] (when it is compared as a whole), [`notify`] (what somebody is told at once).

mod build;
mod build_deadline;
mod client;
mod crawl;
mod discovery;
mod incremental;
mod libraries;
mod notify;
mod page_size;
mod progress;
mod publish;
mod report;
mod schedule;
mod scheduler;
mod settings;
mod state;
mod status;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use greenroom_dialect::crawl::Contents;
use greenroom_library::snapshot::Snapshot;
use greenroom_library::snapshot::diff::Diff;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use greenroom_proxy::server::Server;

pub use discovery::keep;
pub use libraries::Libraries;
pub use progress::{Phase, Progress};
pub use report::{Cost, GenerationReport, Report};
pub use schedule::Rounds;
pub use state::{Failure, State};

use scheduler::Attempt;
use state::{Signs, state_of};
use status::{Begun, Facts, News, Wishes};

/// The warning that an index is off while playlists need it. It ends when the index is turned on.
pub const SYNC_WITHOUT_INDEX: &str = "sync-without-index";

/// Which library: the server's name and the library's own key there, written `home:3`.
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

/// A published snapshot with what is known about it.
#[derive(Debug)]
pub struct Generation {
    /// Counts up with every one that is published; never repeats for one library, also over restarts. The first one has
    /// the time as its number, so that it is larger than those of a library that was kept before and is lost.
    pub number: u64,
    /// When its crawl ended, in milliseconds since 1970.
    pub taken_at_ms: u64,
    /// All items.
    pub snapshot: Snapshot,
}

/// One library of one server.
#[derive(Debug)]
pub struct Library {
    /// Which one.
    pub id: LibraryId,
    /// What it is called.
    pub title: Mutex<String>,
    /// The media server.
    pub server: Arc<Server>,
    generation: RwLock<Option<Arc<Generation>>>,
    facts: Mutex<Facts>,
    wishes: Mutex<Wishes>,
    bell: Notify,
    progress: watch::Sender<Progress>,
}

/// What became of asking for a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// One begins.
    Begun,
    /// One was under way or waiting: it is the same.
    Joined,
    /// The library is turned off.
    Off,
}

/// Why there is no snapshot to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// The library is turned off.
    Off,
    /// The build came to nothing.
    Failed(Failure),
}

impl Library {
    /// A library of which nothing is known yet.
    pub fn new(id: LibraryId, title: &str, server: Arc<Server>) -> Self {
        let known_ms = server.origin.clock.now_ms();
        Self {
            id,
            title: Mutex::new(title.to_owned()),
            server,
            generation: RwLock::default(),
            facts: Mutex::new(Facts { known_ms, ..Facts::default() }),
            wishes: Mutex::default(),
            bell: Notify::new(),
            progress: watch::Sender::new(Progress::default()),
        }
    }

    /// The newest whole snapshot, if there is one and the library is not turned off.
    pub fn generation(&self) -> Option<Arc<Generation>> {
        self.generation.read().clone()
    }

    /// Replaces the snapshot.
    pub fn publish(&self, snapshot: Snapshot, taken_at_ms: u64) {
        let number = self.next_number(taken_at_ms);
        self.facts.lock().changes.clear();
        self.put(Generation { number, taken_at_ms, snapshot });
    }

    /// Replaces the snapshot, of which these items came or changed.
    #[cfg(test)]
    pub(crate) fn publish_changed(&self, snapshot: Snapshot, taken_at_ms: u64, changed: &[&str]) {
        let number = self.next_number(taken_at_ms);
        self.facts.lock().note_changes(number, changed.iter().map(|key| (*key).into()).collect());
        self.put(Generation { number, taken_at_ms, snapshot });
    }

    /// Rows of the newest generation whose items came or changed since the generation of this number; `None` if that is
    /// not known any more (then all may have).
    pub fn changed_since(&self, number: u64) -> Option<Vec<u32>> {
        let facts = self.facts.lock();
        let generation = self.generation()?;
        if generation.number == number {
            return Some(Vec::new());
        }
        let oldest = facts.changes.front()?.0;
        if number > generation.number || number + 1 < oldest {
            return None;
        }
        let changed = facts.changes.iter().filter(|(since, _)| *since > number).flat_map(|(_, keys)| keys);
        let rows: BTreeSet<u32> = changed.filter_map(|key| generation.snapshot.row_of(key)).collect();
        Some(rows.into_iter().collect())
    }

    /// What it holds.
    pub fn contents(&self) -> Contents {
        self.facts.lock().shelf.as_ref().map_or(Contents::Other, |shelf| shelf.contents)
    }

    /// What was never shown by a server may hold anything.
    pub fn may_hold_music(&self) -> bool {
        self.facts.lock().shelf.as_ref().is_none_or(|shelf| shelf.contents == Contents::Music)
    }

    /// How it does.
    pub fn state(&self) -> State {
        self.state_with(&self.facts.lock())
    }

    fn state_with(&self, facts: &Facts) -> State {
        state_of(Signs {
            is_on: self.is_on(facts),
            is_kept: self.generation.read().is_some(),
            is_confirmed: facts.is_confirmed,
            is_building: self.progress.borrow().is_building(),
            has_failed: facts.failure.is_some(),
        })
    }

    /// Why the last attempt to build or follow it came to nothing, and since when it is so, in milliseconds.
    pub fn failure(&self) -> Option<(Failure, u64)> {
        self.facts.lock().failure.clone()
    }

    /// What changed with the newest generation.
    pub fn diff(&self) -> Option<Arc<Diff>> {
        self.facts.lock().diff.clone()
    }

    /// How far a build is, now and whenever that changes.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Somebody looks something up: what is not indexed yet is from now on.
    pub fn look_up(&self) {
        if !self.is_looked_up() {
            let warning = scheduler::off(&[self.named()]).with(Some(scheduler::turn_on(self)));
            self.server.origin.warnings.raise(warning);
        }
    }

    /// Whether it is kept; either way it is remembered that somebody asked.
    fn is_looked_up(&self) -> bool {
        let mut facts = self.facts.lock();
        if !self.is_on(&facts) {
            if !std::mem::replace(&mut facts.is_missed, true) {
                self.bell.notify_one();
            }
            return false;
        }
        if !std::mem::replace(&mut facts.is_wanted, true) {
            self.bell.notify_one();
        }
        true
    }

    /// Waits for a snapshot: of a build that is under way or has to begin for it.
    pub async fn ready(&self) -> Result<Arc<Generation>, NotReady> {
        let mut progress = self.progress();
        self.look_up();
        if self.state() == State::Failed {
            // Whoever waits is reason enough to try it once more.
            self.build(false);
        }
        loop {
            let is_building = progress.borrow_and_update().is_building() || self.is_asked();
            if let Some(generation) = self.generation() {
                return Ok(generation);
            }
            match (self.state(), self.failure()) {
                (State::Off, _) => return Err(NotReady::Off),
                (State::Failed, Some((failure, _))) if !is_building => return Err(NotReady::Failed(failure)),
                _ => {}
            }
            if progress.changed().await.is_err() {
                return Err(NotReady::Off);
            }
        }
    }

    /// Asks for a build. `has_force` begins anew where one was broken off, and believes what comes however short it is.
    pub fn build(&self, has_force: bool) -> Asked {
        let mut facts = self.facts.lock();
        if !self.is_on(&facts) {
            return Asked::Off;
        }
        let mut wishes = self.wishes.lock();
        let is_building = self.progress.borrow().is_building();
        let is_joined = wishes.build.is_some() || is_building;
        if is_building {
            facts.has_force |= has_force;
        } else {
            wishes.build.get_or_insert_default().has_force |= has_force;
        }
        drop((wishes, facts));
        self.bell.notify_one();
        if is_joined { Asked::Joined } else { Asked::Begun }
    }

    /// Whether a build was asked for that has not begun yet.
    pub fn is_asked(&self) -> bool {
        self.wishes.lock().build.is_some()
    }

    /// Ends a build that is under way or waiting. Returns whether there was one.
    pub fn cancel(&self) -> bool {
        let was_there = {
            let mut facts = self.facts.lock();
            let had_wish = self.wishes.lock().build.take().is_some();
            let under_way = facts.cancel.take_if(|(attempt, _)| *attempt == Attempt::Build);
            if let Some((_, cancel)) = &under_way {
                cancel.cancel();
            }
            had_wish || under_way.is_some()
        };
        if was_there {
            // Whoever waits for what was only wished looks again.
            self.turn(|_| {});
        }
        was_there
    }

    /// Begins what is due, and takes the wish for it: from here on it can be ended. `None` if the library was turned off.
    fn begin(&self, attempt: Attempt) -> Option<Begun> {
        let mut facts = self.facts.lock();
        if !self.is_on(&facts) {
            return None;
        }
        let cancel = CancellationToken::new();
        facts.cancel = Some((attempt, cancel.clone()));
        if attempt == Attempt::Build {
            facts.has_force |= self.wishes.lock().build.take().is_some_and(|wish| wish.has_force);
        }
        Some(Begun { cancel, turned_off: facts.turned_off })
    }

    /// Ends whatever is wished or under way.
    fn give_up(&self, facts: &mut Facts) {
        self.wishes.lock().build = None;
        if let Some((_, cancel)) = facts.cancel.take() {
            cancel.cancel();
        }
    }

    fn is_on(&self, facts: &Facts) -> bool {
        facts.choice.unwrap_or(self.server.origin.settings.library.enabled)
    }

    /// The user says whether it is kept.
    fn choose(&self, is_enabled: bool) {
        {
            let mut facts = self.facts.lock();
            facts.choice = Some(is_enabled);
            facts.is_wanted |= is_enabled;
            facts.is_missed &= !is_enabled;
            (facts.build_at_ms, facts.follow_at_ms) = (0, 0);
            if !is_enabled {
                facts.turned_off += 1;
                self.give_up(&mut facts);
                *self.generation.write() = None;
                (facts.is_confirmed, facts.failure, facts.unfinished, facts.diff) = (false, None, None, None);
                (facts.shrunk, facts.settled_items, facts.doubted_at_ms) = (None, 0, None);
                (facts.has_force, facts.attempts) = (false, 0);
                facts.changes.clear();
            }
        }
        self.turn(|_| {});
        self.bell.notify_one();
    }

    fn put(&self, generation: Generation) {
        *self.generation.write() = Some(Arc::new(generation));
        self.turn(|_| {});
    }

    fn next_number(&self, now_ms: u64) -> u64 {
        let last = self.generation.read().as_ref().map_or(0, |held| held.number);
        let last = last.max(self.facts.lock().about.number);
        if last == 0 { (now_ms / 1000).max(1) } else { last + 1 }
    }

    /// Something became of it: whoever waits looks again.
    fn turn(&self, change: impl FnOnce(&mut Progress)) {
        self.progress.send_modify(|progress| {
            change(progress);
            progress.turns += 1;
        });
    }
}
