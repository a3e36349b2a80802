//! Mutable state of a server: watch states, playlists, sessions, and additions, edits and deletions. One lock, one
//! write sequence: a reader sees one moment, and its number.

mod change;
mod inner;
mod overlay;
mod play_rules;
mod playlist;
mod seeded;
mod user_directory;
mod view;
mod watch;
mod write;

use std::sync::Arc;

use parking_lot::{RwLock, RwLockReadGuard};
use tokio::sync::broadcast;

pub use change::{ItemChange, PlaylistChangeCause, SimulatedActivity, StateChange, WatchChangeCause};
pub use play_rules::PlayRules;
pub use playlist::{PlaylistAudience, PlaylistEntryRecord, PlaylistRecord};
pub use view::{SectionTimestamps, StateView, WatchSummary};
pub use watch::{PlayRecord, PlaybackUpdate, PlayerDevice, PlayerState, SimulatedSession, WatchState};
pub use write::StateWrite;

use crate::catalogue::{Catalogue, SortIndex};
use crate::clock::SimulatedClock;
use crate::users::{SimulatedUser, UserId, UserRegistry};
use inner::StateData;
use user_directory::UserDirectory;

/// Changes that a slow follower may lag behind before it misses some.
const CHANGES_KEPT: usize = 4_096;

/// The state of a server.
#[derive(Debug)]
pub struct SimulatedState {
    catalogue: Arc<Catalogue>,
    users: Arc<UserRegistry>,
    directory: RwLock<UserDirectory>,
    orders: SortIndex,
    clock: SimulatedClock,
    inner: RwLock<StateData>,
    changes: broadcast::Sender<StateChange>,
}

impl SimulatedState {
    /// The state of a freshly started server, with `plays_per_user` plays in each user's history.
    pub fn new(
        catalogue: Arc<Catalogue>,
        users: Arc<UserRegistry>,
        clock: SimulatedClock,
        plays_per_user: u32,
    ) -> Self {
        let inner = RwLock::new(seeded::seed_state(&catalogue, &users, plays_per_user));
        let (changes, _) = broadcast::channel(CHANGES_KEPT);
        let directory = RwLock::new(UserDirectory::new(&users));
        Self { catalogue, users, directory, orders: SortIndex::default(), clock, inner, changes }
    }

    /// The catalogue below it.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Users and tokens at the start.
    pub fn users(&self) -> &UserRegistry {
        &self.users
    }

    /// The user with this number, as long as there is one.
    pub fn user(&self, id: UserId) -> Option<Arc<SimulatedUser>> {
        self.directory.read().user(id)
    }

    /// The current users.
    pub fn current_users(&self) -> Vec<Arc<SimulatedUser>> {
        self.directory.read().all()
    }

    /// Whether a user may no longer log in.
    pub fn is_disabled(&self, id: UserId) -> bool {
        self.directory.read().is_disabled(id)
    }

    /// Greatest age of which a user may see content, if there is one.
    pub fn rating_limit(&self, id: UserId) -> Option<u32> {
        self.directory.read().rating_limit(id)
    }

    /// Sets what a player's report does to a user's state.
    pub fn set_play_rules(&self, rules: PlayRules) {
        self.inner.write().rules = rules;
    }

    /// Simulated clock.
    pub fn clock(&self) -> SimulatedClock {
        self.clock
    }

    /// A view of one moment. Writes wait while the view lives, so it must not be held over an `await`.
    pub fn view(&self) -> StateView<'_> {
        let inner: RwLockReadGuard<'_, StateData> = self.inner.read();
        StateView::new(self, inner)
    }

    /// Changes the state on behalf of `user`, in one step with one number. The changes are announced in order.
    pub fn write<T>(&self, user: UserId, change: impl FnOnce(&mut StateWrite<'_>) -> T) -> T {
        let mut inner = self.inner.write();
        let mut write = StateWrite::new(self, &mut inner, user);
        let made = change(&mut write);
        for announced in write.finish() {
            // It is no failure to have no listeners.
            let _ = self.changes.send(announced);
        }
        made
    }

    /// The number of writes so far.
    pub fn seq(&self) -> u64 {
        self.inner.read().seq
    }

    /// The number of writes by `user` so far.
    pub fn user_seq(&self, user: UserId) -> u64 {
        self.inner.read().user_seq(user)
    }

    /// Receives every change from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<StateChange> {
        self.changes.subscribe()
    }

    /// Notifies followers of something that changes no response (an activity, a scan).
    pub fn announce(&self, change: StateChange) {
        let _ = self.changes.send(change);
    }
}
