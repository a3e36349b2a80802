//! Everything that changes while the server runs: what users watched, playlists, who plays what, and what was
//! added, edited and deleted. One lock, one write sequence: a reader sees one moment, and its number.

mod change;
mod inner;
mod playlist;
mod seeded;
mod shelf;
mod view;
mod watch;
mod write;

use std::sync::Arc;

use parking_lot::{RwLock, RwLockReadGuard};
use tokio::sync::broadcast;

pub use change::{Activity, Cause, Change, Moved};
pub use playlist::{Entry, Playlist};
pub use view::{Stamps, View, Watched};
pub use watch::{Device, Play, Playing, Progress, Session, Watch};
pub use write::Write;

use crate::catalogue::{Catalogue, Orders};
use crate::clock::Clock;
use crate::users::{UserId, Users};
use inner::Inner;

/// Changes a slow follower may be behind before it misses some.
const CHANGES_KEPT: usize = 4_096;

/// The state of a server.
#[derive(Debug)]
pub struct State {
    catalogue: Arc<Catalogue>,
    users: Arc<Users>,
    orders: Orders,
    clock: Clock,
    inner: RwLock<Inner>,
    changes: broadcast::Sender<Change>,
}

impl State {
    /// The state of a server that has just been started, with `plays_per_user` plays in each user's past.
    pub fn new(catalogue: Arc<Catalogue>, users: Arc<Users>, clock: Clock, plays_per_user: u32) -> Self {
        let inner = RwLock::new(seeded::begin(&catalogue, &users, plays_per_user));
        let (changes, _) = broadcast::channel(CHANGES_KEPT);
        Self { catalogue, users, orders: Orders::default(), clock, inner, changes }
    }

    /// What it is about.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Who may ask.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// What time it is.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// One moment of it. Writes wait while the view lives, so it must not be kept over an `await`.
    pub fn view(&self) -> View<'_> {
        let inner: RwLockReadGuard<'_, Inner> = self.inner.read();
        View::new(self, inner)
    }

    /// Changes it on behalf of `user`, in one step with one number. The changes are announced in order.
    pub fn write<T>(&self, user: UserId, change: impl FnOnce(&mut Write<'_>) -> T) -> T {
        let mut inner = self.inner.write();
        let mut write = Write::new(self, &mut inner, user);
        let made = change(&mut write);
        for announced in write.finish() {
            // Nobody listening is no failure.
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

    /// Every change from now on.
    pub fn follow(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Tells followers something that changes no answer (an activity, a scan).
    pub fn announce(&self, change: Change) {
        let _ = self.changes.send(change);
    }
}
