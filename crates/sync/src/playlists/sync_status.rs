//! What is known of everything that is kept in step, for whoever asks; and who asks for it to be taken now.

use std::collections::{BTreeMap, HashSet};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;
use utoipa::ToSchema;

use super::report::{Counts, Failure};

/// What came of one playlist the last time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = PlaylistLast)]
pub struct Last {
    /// When it ended, in milliseconds since 1970.
    pub at_ms: u64,
    /// How: `done`, `failed`, `cancelled`.
    pub state: &'static str,
    /// How many rows were found, if it came to that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// One playlist.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = PlaylistKept)]
pub struct Kept {
    /// Its file; nothing for a playlist of a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// It waits for the library's first build.
    pub awaits_library: bool,
    /// What came of it.
    pub last: Option<Last>,
    /// When it is taken next if nothing changes, in milliseconds since 1970.
    pub next_ms: Option<u64>,
}

/// One entry of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = PlaylistEntry)]
pub struct Entry {
    /// What the configuration calls it.
    pub name: String,
    /// The server it is written to.
    pub server: String,
    /// Where it comes from.
    pub from: String,
    /// How often it is taken even if nothing changed, in hours.
    #[serde(skip)]
    pub every_hours: u64,
    /// What a person should change.
    pub problems: Vec<String>,
    /// Its playlists.
    pub playlists: Vec<Kept>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Keeping {
    entries: Mutex<BTreeMap<String, Entry>>,
    asked: Mutex<HashSet<String>>,
    /// The one that is being taken.
    taking: Mutex<Option<String>>,
    /// Somebody asked.
    pub(super) wake: Notify,
}

impl Keeping {
    /// What is known.
    pub fn all(&self) -> Vec<Entry> {
        self.entries.lock().values().cloned().collect()
    }

    /// Whether there is such an entry; then all its playlists are taken as soon as may be.
    pub fn ask(&self, name: &str) -> bool {
        if !self.entries.lock().contains_key(name) {
            return false;
        }
        self.asked.lock().insert(name.to_owned());
        self.wake.notify_one();
        true
    }

    /// Whether this entry is being taken.
    pub fn is_taking(&self, name: &str) -> bool {
        self.taking.lock().as_deref() == Some(name)
    }

    /// Whether somebody asked for this entry, and it was not its turn yet.
    pub fn is_asked(&self, name: &str) -> bool {
        self.asked.lock().contains(name)
    }

    /// This one is being taken now, or none.
    pub(super) fn take(&self, name: Option<&str>) {
        *self.taking.lock() = name.map(str::to_owned);
    }

    /// Whether somebody has asked for this entry since.
    pub(super) fn take_asked(&self, name: &str) -> bool {
        self.asked.lock().remove(name)
    }

    /// This is so now.
    pub fn tell(&self, entry: Entry) {
        self.entries.lock().insert(entry.name.clone(), entry);
    }
}
