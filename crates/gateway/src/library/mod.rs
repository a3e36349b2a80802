//! The libraries of the configured servers: kept whole, and found by their ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use greenroom_library::snapshot::Snapshot;
use parking_lot::{Mutex, RwLock};

use crate::server::Server;

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
    /// Counts up with every one that is published; never repeats for one library, also over restarts.
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
}

impl Library {
    /// A library of which nothing is known yet.
    pub fn new(id: LibraryId, title: &str, server: Arc<Server>) -> Self {
        Self { id, title: Mutex::new(title.to_owned()), server, generation: RwLock::default() }
    }

    /// The newest whole snapshot, if there is one.
    pub fn generation(&self) -> Option<Arc<Generation>> {
        self.generation.read().clone()
    }

    /// Replaces the snapshot.
    pub fn publish(&self, snapshot: Snapshot, taken_at_ms: u64) {
        let mut held = self.generation.write();
        let number = held.as_ref().map_or(1, |held| held.number + 1);
        *held = Some(Arc::new(Generation { number, taken_at_ms, snapshot }));
    }

    /// Rows of the newest generation whose items came or changed since the generation of this number; `None` if that is
    /// not known any more (then all may have).
    pub fn changed_since(&self, number: u64) -> Option<Vec<u32>> {
        let generation = self.generation()?;
        (generation.number == number).then(Vec::new)
    }
}

/// All libraries of all servers.
#[derive(Debug, Default)]
pub struct Libraries {
    known: RwLock<BTreeMap<LibraryId, Arc<Library>>>,
}

impl Libraries {
    /// The library with this id.
    pub fn find(&self, id: &LibraryId) -> Option<Arc<Library>> {
        self.known.read().get(id).cloned()
    }

    /// Every library there is.
    pub fn all(&self) -> Vec<Arc<Library>> {
        self.known.read().values().cloned().collect()
    }

    /// Adds one.
    pub fn add(&self, library: Arc<Library>) {
        self.known.write().insert(library.id.clone(), library);
    }

    /// The music library that is meant where none is named.
    pub fn music_of(&self, server: &str) -> Option<Arc<Library>> {
        self.known.read().values().find(|library| library.id.server == server).cloned()
    }
}
