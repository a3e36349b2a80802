//! A running server, and its control from code.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalogue::{Catalogue, ItemId, ItemRecord, Section};
use crate::clock::SimulatedClock;
use crate::faults::FaultInjector;
use crate::latency::LatencyProfile;
use crate::options::SimulatorOptions;
use crate::request_log::RequestLog;
use crate::serve::{Dialect, SimulatorContext, accept};
use crate::state::{SimulatedState, StateWrite};
use crate::users::{UserId, UserRegistry};

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct SimulatedServer {
    context: Arc<SimulatorContext>,
}

impl SimulatedServer {
    /// Starts a server. Its tasks run on `tracker`; `make` creates the dialect from the context.
    pub async fn start<S, D: Dialect>(
        options: &SimulatorOptions<S>,
        users: UserRegistry,
        address: SocketAddr,
        tracker: &TaskTracker,
        make: impl FnOnce(&SimulatorContext) -> D,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let clock = match options.now {
            Some(now) => SimulatedClock::starting_at(now, options.time_factor),
            None => SimulatedClock::system(options.time_factor),
        };
        let catalogue = Arc::new(Catalogue::new(options.seed, options.size, options.newest_at));
        let ground = Arc::new(SimulatorContext {
            state: SimulatedState::new(catalogue, Arc::new(users), clock, options.plays_per_user),
            request_log: RequestLog::default(),
            faults: FaultInjector::default(),
            latency: Mutex::new(options.latency),
            revoked: Mutex::default(),
            cancel: CancellationToken::new(),
            own: TaskTracker::new(),
            lent: tracker.clone(),
            address: listener.local_addr()?,
        });
        let dialect = Arc::new(make(&ground));
        ground.spawn(accept(listener, dialect, Arc::clone(&ground)));
        Ok(Self { context: ground })
    }

    /// Listening address.
    pub fn address(&self) -> SocketAddr {
        self.context.address
    }

    /// `http://127.0.0.1:32400`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.context.address)
    }

    /// Request log.
    pub fn request_log(&self) -> &RequestLog {
        &self.context.request_log
    }

    /// Fault injection.
    pub fn faults(&self) -> &FaultInjector {
        &self.context.faults
    }

    /// Users and their tokens.
    pub fn tokens(&self) -> &UserRegistry {
        self.context.state.users()
    }

    /// The state.
    pub fn state(&self) -> &SimulatedState {
        &self.context.state
    }

    /// Sets the response latency.
    pub fn set_latency(&self, latency: LatencyProfile) {
        *self.context.latency.lock() = latency;
    }

    /// Revokes the token with this label.
    pub fn revoke_token(&self, label: &str) {
        self.context.revoked.lock().insert(label.into());
    }

    /// Restores the token with this label.
    pub fn restore_token(&self, label: &str) {
        self.context.revoked.lock().remove(label);
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
    pub fn edit_item(&self, item: ItemId, change: impl FnOnce(&mut ItemRecord)) -> bool {
        self.state().write(UserId::OWNER, |write| write.edit(item, change))
    }

    /// Deletes an item and everything below it. False if there is none.
    pub fn delete_item(&self, item: ItemId) -> bool {
        self.state().write(UserId::OWNER, |write| write.delete(item))
    }

    /// Changes the library in one step: a change to 500 items is a single one as well.
    pub fn change<T>(&self, change: impl FnOnce(&mut StateWrite<'_>) -> T) -> T {
        self.state().write(UserId::OWNER, change)
    }

    /// The same without notifying followers.
    pub fn change_quietly<T>(&self, change: impl FnOnce(&mut StateWrite<'_>) -> T) -> T {
        self.change(|write| {
            write.silence();
            change(write)
        })
    }

    /// Begins a scan of a section, or ends it, and notifies followers.
    pub fn scan(&self, section: Section, running: bool) {
        self.change(|write| write.scan_with_activity(section, running));
    }

    /// Stops it: connections are cut, the port is free when this returns.
    pub async fn stop(self) {
        self.context.cancel.cancel();
        self.context.own.close();
        self.context.own.wait().await;
    }
}

impl Drop for SimulatedServer {
    fn drop(&mut self) {
        self.context.cancel.cancel();
    }
}
