//! Mutable state of a server: watch states, playlists, sessions, and additions, edits and deletions. One lock, one
//! write sequence: a reader sees one moment, and its number.

mod change;
mod inner;
mod overlay;
mod playlist;
mod seeded;
mod view;
mod watch;
mod write;

use std::sync::Arc;

use parking_lot::{RwLock, RwLockReadGuard};
use tokio::sync::broadcast;

pub use change::{ItemChange, SimulatedActivity, StateChange, WatchChangeCause};
pub use playlist::{PlaylistEntryRecord, PlaylistRecord};
pub use view::{SectionTimestamps, StateView, WatchSummary};
pub use watch::{PlayRecord, PlaybackUpdate, PlayerDevice, PlayerState, SimulatedSession, WatchState};
pub use write::StateWrite;

use crate::catalogue::{Catalogue, SortIndex};
use crate::clock::SimulatedClock;
use crate::users::{UserId, UserRegistry};
use inner::StateData;

/// Changes that a slow follower may lag behind before it misses some.
const CHANGES_KEPT: usize = 4_096;

/// The state of a server.
#[derive(Debug)]
pub struct SimulatedState {
    catalogue: Arc<Catalogue>,
    users: Arc<UserRegistry>,
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
        Self { catalogue, users, orders: SortIndex::default(), clock, inner, changes }
    }

    /// The catalogue below it.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Users and tokens.
    pub fn users(&self) -> &UserRegistry {
        &self.users
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
