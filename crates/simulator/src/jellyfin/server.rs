//! State of this server beside the shared one: tokens, images, tasks, activity log and its users' settings.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::broadcast;

use super::activity_log::ActivityLog;
use super::dto::ImageStore;
use super::ident::{JellyfinId, digest};
use super::library::JellyfinLibrary;
use super::options::JellyfinSwitches;
use super::quick_connect::QuickConnect;
use super::socket::SocketRegistry;
use super::tasks::{self, ScheduledTasks};
use super::tokens::TokenTable;
use crate::catalogue::Section;
use crate::serve::SimulatorContext;
use crate::state::{PlayRules, SimulatedState};
use crate::users::UserId;

/// Reported version.
pub(crate) const VERSION: &str = "10.11.0";

/// Max stored settings; further ones are dropped.
const MAX_PREFERENCES: usize = 4_096;

/// Events that a slow socket may lag behind before it misses some.
const NOTICES_KEPT: usize = 256;

/// Event for sockets that is no change of the shared state.
#[derive(Debug, Clone)]
pub(crate) enum SocketEvent {
    /// A task ended: its result.
    TaskEnded(Value),
    /// An item is being refreshed: its id, and the progress in percent.
    Refreshing(String, &'static str),
    /// A token was revoked: its sockets close.
    Revoked(String),
    /// A library was added or removed. Its items are not named.
    LibrariesChanged,
    /// Sessions changed: told at once, or with the next interval.
    SessionsChanged {
        /// Whether it is more than another request of a known session.
        at_once: bool,
    },
}

/// State of this server.
#[derive(Debug)]
pub(crate) struct JellyfinServer {
    /// Its id.
    pub(crate) server_id: String,
    /// Its name.
    pub(crate) name: &'static str,
    /// Behaviour that differs between versions.
    pub(crate) switches: JellyfinSwitches,
    /// Issued tokens.
    pub(crate) tokens: TokenTable,
    /// Devices waiting for authorization.
    pub(crate) quick_connect: QuickConnect,
    /// Its images.
    pub(crate) images: ImageStore,
    /// Its scheduled tasks.
    pub(crate) tasks: ScheduledTasks,
    /// Its activity log.
    pub(crate) activity_log: ActivityLog,
    /// Events for sockets.
    pub(crate) events: broadcast::Sender<SocketEvent>,
    /// Open sockets.
    pub(crate) sockets: SocketRegistry,
    /// Capabilities of devices, by token.
    pub(crate) capabilities: Mutex<HashMap<String, Value>>,
    /// The removed libraries.
    pub(crate) removed_sections: RemovedSections,
    /// Draws so far of what is random in responses.
    draws: AtomicU64,
    preferences: Mutex<HashMap<(UserId, String, String), Value>>,
    configurations: Mutex<HashMap<UserId, Value>>,
}

/// The sections whose library was removed, as bits. Their items exist, but no user sees them.
#[derive(Debug, Default)]
pub(crate) struct RemovedSections(AtomicU32);

impl RemovedSections {
    /// Whether the section's library was removed.
    pub(crate) fn contains(&self, section: Section) -> bool {
        self.0.load(Ordering::Acquire) & bit(section) != 0
    }

    /// Removes the section's library, or adds it again.
    pub(crate) fn set(&self, section: Section, removed: bool) {
        if removed {
            self.0.fetch_or(bit(section), Ordering::AcqRel);
        } else {
            self.0.fetch_and(!bit(section), Ordering::AcqRel);
        }
    }
}

fn bit(section: Section) -> u32 {
    1 << section.number()
}

impl JellyfinServer {
    /// A server on `state`.
    pub(crate) fn new(state: &SimulatedState, seed: u64, switches: JellyfinSwitches) -> Self {
        if switches.jellyfin_play_rules {
            state.set_play_rules(PlayRules::JELLYFIN);
        }
        let now_ms = state.clock().now_ms();
        let (notices, _) = broadcast::channel(NOTICES_KEPT);
        Self {
            server_id: digest(&[seed, 0x7365_7276]),
            name: "Green Jellyfin",
            switches,
            tokens: TokenTable::new(state.users(), seed, now_ms),
            quick_connect: QuickConnect::new(seed),
            images: ImageStore::new(seed),
            tasks: ScheduledTasks::new(now_ms),
            activity_log: ActivityLog::with_history(state),
            events: notices,
            sockets: SocketRegistry::default(),
            capabilities: Mutex::default(),
            removed_sections: RemovedSections::default(),
            draws: AtomicU64::new(0),
            preferences: Mutex::default(),
            configurations: Mutex::default(),
        }
    }

    /// Number of a new draw.
    pub(crate) fn next_draw(&self) -> u64 {
        self.draws.fetch_add(1, Ordering::Relaxed)
    }

    /// Revokes a token, and closes its sockets.
    pub(crate) fn revoke(&self, secret: &str) -> bool {
        self.capabilities.lock().remove(secret);
        let ended = self.tokens.revoke(secret);
        if ended {
            self.notify(SocketEvent::Revoked(secret.to_owned()));
        }
        ended
    }

    /// Revokes all tokens of a user.
    pub(crate) fn revoke_user(&self, user: UserId) {
        for grant in self.tokens.all().into_iter().filter(|grant| grant.user == Some(user)) {
            self.revoke(&grant.secret);
        }
    }

    /// Notifies every socket. It is no failure to have none.
    pub(crate) fn notify(&self, notice: SocketEvent) {
        let _ = self.events.send(notice);
    }

    /// Stored configuration of a user.
    pub(crate) fn configuration(&self, user: UserId) -> Option<Value> {
        self.configurations.lock().get(&user).cloned()
    }

    /// Stores the configuration of a user.
    pub(crate) fn set_configuration(&self, user: UserId, value: Value) {
        self.configurations.lock().insert(user, value);
    }

    /// Stored setting of a user's client.
    pub(crate) fn preference(&self, user: UserId, id: &str, client: &str) -> Option<Value> {
        self.preferences.lock().get(&(user, id.to_owned(), client.to_owned())).cloned()
    }

    /// Stores a setting of a user's client.
    pub(crate) fn set_preference(&self, user: UserId, id: &str, client: &str, value: Value) {
        let mut held = self.preferences.lock();
        let key = (user, id.to_owned(), client.to_owned());
        if held.len() < MAX_PREFERENCES || held.contains_key(&key) {
            held.insert(key, value);
        }
    }
}

/// Starts a task, unless it runs. At its end the sockets are notified; a scan also marks the sections.
pub(crate) fn run_task(house: &Arc<JellyfinServer>, ground: &Arc<SimulatorContext>, key: &str, now_ms: u64) {
    let Some(lasts_ms) = house.tasks.start(key, now_ms) else { return };
    let scans = key == tasks::SCAN;
    if scans {
        mark_sections(&ground.state, true);
        for library in JellyfinLibrary::EVERY {
            tell_progress(house, library.id());
        }
    }
    let (house, held, key) = (Arc::clone(house), Arc::clone(ground), key.to_owned());
    ground.spawn(async move {
        held.state.clock().sleep(Duration::from_millis(lasts_ms)).await;
        if scans {
            mark_sections(&held.state, false);
        }
        if let Some(result) = house.tasks.result(&key, held.state.clock().now_ms()) {
            house.notify(SocketEvent::TaskEnded(result));
        }
    });
}

/// Stops a task.
pub(crate) fn cancel_task(house: &JellyfinServer, ground: &SimulatorContext, key: &str, now_ms: u64) {
    house.tasks.cancel(key, now_ms);
    if key == tasks::SCAN {
        mark_sections(&ground.state, false);
    }
}

/// Tells administrators of the refresh of a library. Nothing is told of a refresh of one item.
pub(crate) fn tell_progress(server: &JellyfinServer, library: JellyfinId) {
    for percent in ["0", "100"] {
        server.notify(SocketEvent::Refreshing(library.hex(), percent));
    }
}

fn mark_sections(state: &SimulatedState, running: bool) {
    state.write(UserId::OWNER, |write| {
        for section in Section::EVERY {
            write.set_scanning(section, running);
        }
    });
}
