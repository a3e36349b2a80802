//! What only this server has beside the shared state: tokens, images, tasks, its journal and its people's settings.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::broadcast;

use super::dto::Art;
use super::ident::digest;
use super::journal::Journal;
use super::options::Switches;
use super::quick_connect::QuickConnect;
use super::tasks::{self, Tasks};
use super::tokens::Tokens;
use crate::catalogue::Section;
use crate::serve::Ground;
use crate::state::State;
use crate::users::UserId;

/// The version the server says it has.
pub(crate) const VERSION: &str = "10.11.0";

/// Settings that are kept at the most; further ones are not remembered.
const MAX_PREFERENCES: usize = 4_096;

/// Notices a slow socket may be behind before it misses some.
const NOTICES_KEPT: usize = 256;

/// Something sockets are told that is no change of the shared state.
#[derive(Debug, Clone)]
pub(crate) enum Notice {
    /// A task ended: its result.
    TaskEnded(Value),
    /// An item is being looked up again: its id, and how far that is in percent.
    Refreshing(String, &'static str),
    /// A token ended: sockets opened with it close.
    Revoked(String),
}

/// The server's own part.
#[derive(Debug)]
pub(crate) struct House {
    /// Its id.
    pub(crate) server_id: String,
    /// Its name.
    pub(crate) name: &'static str,
    /// How it behaves where versions differ.
    pub(crate) switches: Switches,
    /// The tokens it gave out.
    pub(crate) tokens: Tokens,
    /// Devices that wait to be let in.
    pub(crate) quick: QuickConnect,
    /// Its images.
    pub(crate) art: Art,
    /// Its scheduled tasks.
    pub(crate) tasks: Tasks,
    /// What happened on it.
    pub(crate) journal: Journal,
    /// What sockets are told.
    pub(crate) notices: broadcast::Sender<Notice>,
    /// What devices said they can do, by token.
    pub(crate) capabilities: Mutex<HashMap<String, Value>>,
    preferences: Mutex<HashMap<(UserId, String, String), Value>>,
}

impl House {
    /// A house on `state`.
    pub(crate) fn new(state: &State, seed: u64, switches: Switches) -> Self {
        let now_ms = state.clock().now_ms();
        let (notices, _) = broadcast::channel(NOTICES_KEPT);
        Self {
            server_id: digest(&[seed, 0x7365_7276]),
            name: "Green Jellyfin",
            switches,
            tokens: Tokens::of(state.users(), seed, now_ms),
            quick: QuickConnect::new(seed),
            art: Art::new(seed),
            tasks: Tasks::new(now_ms),
            journal: Journal::begun(state),
            notices,
            capabilities: Mutex::default(),
            preferences: Mutex::default(),
        }
    }

    /// Ends a token, and the sockets opened with it.
    pub(crate) fn revoke(&self, secret: &str) -> bool {
        self.capabilities.lock().remove(secret);
        let ended = self.tokens.revoke(secret);
        if ended {
            self.notify(Notice::Revoked(secret.to_owned()));
        }
        ended
    }

    /// Tells every socket. Nobody listening is no failure.
    pub(crate) fn notify(&self, notice: Notice) {
        let _ = self.notices.send(notice);
    }

    /// What a user's program keeps under `id`.
    pub(crate) fn preference(&self, user: UserId, id: &str, client: &str) -> Option<Value> {
        self.preferences.lock().get(&(user, id.to_owned(), client.to_owned())).cloned()
    }

    /// Keeps something for a user's program.
    pub(crate) fn keep_preference(&self, user: UserId, id: &str, client: &str, value: Value) {
        let mut held = self.preferences.lock();
        let key = (user, id.to_owned(), client.to_owned());
        if held.len() < MAX_PREFERENCES || held.contains_key(&key) {
            held.insert(key, value);
        }
    }
}

/// Starts a task, unless it runs. When it ends the sockets are told; a scan also marks the sections.
pub(crate) fn run_task(house: &Arc<House>, ground: &Arc<Ground>, key: &str, now_ms: u64) {
    let Some(lasts_ms) = house.tasks.start(key, now_ms) else { return };
    let scans = key == tasks::SCAN;
    if scans {
        mark_sections(&ground.state, true);
    }
    let (house, held, key) = (Arc::clone(house), Arc::clone(ground), key.to_owned());
    ground.spawn(async move {
        held.state.clock().sleep(Duration::from_millis(lasts_ms)).await;
        if scans {
            mark_sections(&held.state, false);
        }
        if let Some(result) = house.tasks.result(&key, held.state.clock().now_ms()) {
            house.notify(Notice::TaskEnded(result));
        }
    });
}

fn mark_sections(state: &State, running: bool) {
    state.write(UserId::OWNER, |write| {
        for section in Section::EVERY {
            write.scan(section, running);
        }
    });
}
