//! A server that runs, and what can be done to it from code.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalogue::{Catalogue, ItemId, Record, Section};
use crate::clock::Clock;
use crate::faults::Faults;
use crate::latency::Latency;
use crate::ledger::Ledger;
use crate::options::Options;
use crate::serve::{Dialect, Ground, accept};
use crate::state::{State, Write};
use crate::users::{UserId, Users};

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    ground: Arc<Ground>,
}

impl Running {
    /// Starts a server. Its tasks run on `tracker`; `make` makes the dialect once the ground is laid.
    pub async fn start<S, D: Dialect>(
        options: &Options<S>,
        users: Users,
        address: SocketAddr,
        tracker: &TaskTracker,
        make: impl FnOnce(&Ground) -> D,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let clock = match options.now {
            Some(now) => Clock::starting_at(now, options.time_factor),
            None => Clock::system(options.time_factor),
        };
        let catalogue = Arc::new(Catalogue::new(options.seed, options.size, options.newest_at));
        let ground = Arc::new(Ground {
            state: State::new(catalogue, Arc::new(users), clock, options.plays_per_user),
            ledger: Ledger::default(),
            faults: Faults::default(),
            latency: Mutex::new(options.latency),
            revoked: Mutex::default(),
            cancel: CancellationToken::new(),
            own: TaskTracker::new(),
            lent: tracker.clone(),
            address: listener.local_addr()?,
        });
        let dialect = Arc::new(make(&ground));
        ground.spawn(accept(listener, dialect, Arc::clone(&ground)));
        Ok(Self { ground })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.ground.address
    }

    /// `http://127.0.0.1:32400`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.ground.address)
    }

    /// The count of every request.
    pub fn ledger(&self) -> &Ledger {
        &self.ground.ledger
    }

    /// What is to go wrong.
    pub fn faults(&self) -> &Faults {
        &self.ground.faults
    }

    /// Who may ask, with which tokens.
    pub fn tokens(&self) -> &Users {
        self.ground.state.users()
    }

    /// The state.
    pub fn state(&self) -> &State {
        &self.ground.state
    }

    /// From now on answers take this long.
    pub fn set_latency(&self, latency: Latency) {
        *self.ground.latency.lock() = latency;
    }

    /// From now on the token with this label is not accepted any more.
    pub fn revoke_token(&self, label: &str) {
        self.ground.revoked.lock().insert(label.into());
    }

    /// From now on the token with this label is accepted again.
    pub fn restore_token(&self, label: &str) {
        self.ground.revoked.lock().remove(label);
    }

    /// Adds a film.
    pub fn add_film(&self, title: &str, year: u16) -> ItemId {
        self.state().write(UserId::OWNER, |write| write.add_film(title, year))
    }

    /// Adds an episode to a season, if there is such a season.
    pub fn add_episode(&self, season: ItemId, title: &str) -> Option<ItemId> {
        self.state().write(UserId::OWNER, |write| write.add_episode(season, title))
    }

    /// Adds a track to an album, if there is such an album.
    pub fn add_track(&self, album: ItemId, title: &str) -> Option<ItemId> {
        self.state().write(UserId::OWNER, |write| write.add_track(album, title))
    }

    /// Edits an item. False if there is none.
    pub fn edit_item(&self, item: ItemId, change: impl FnOnce(&mut Record)) -> bool {
        self.state().write(UserId::OWNER, |write| write.edit(item, change))
    }

    /// Deletes an item and everything below it. False if there is none.
    pub fn delete_item(&self, item: ItemId) -> bool {
        self.state().write(UserId::OWNER, |write| write.delete(item))
    }

    /// Changes the library in one step: what happens to 500 items is one change as well.
    pub fn change<T>(&self, change: impl FnOnce(&mut Write<'_>) -> T) -> T {
        self.state().write(UserId::OWNER, change)
    }

    /// The same without telling anybody.
    pub fn change_quietly<T>(&self, change: impl FnOnce(&mut Write<'_>) -> T) -> T {
        self.change(|write| {
            write.quietly();
            change(write)
        })
    }

    /// Begins a scan of a section, or ends it, and tells followers.
    pub fn scan(&self, section: Section, running: bool) {
        self.change(|write| write.scan_told(section, running));
    }

    /// Stops it: connections are cut, the port is free when this returns.
    pub async fn stop(self) {
        self.ground.cancel.cancel();
        self.ground.own.close();
        self.ground.own.wait().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ground.cancel.cancel();
    }
}
