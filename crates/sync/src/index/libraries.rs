//! All libraries of all servers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use greenroom_library::default_library::{self, LibraryCandidate};
use greenroom_library::snapshot::Snapshot;
use parking_lot::{Mutex, RwLock};

use super::{Library, LibraryId};
use crate::index::settings::LibraryOverrides;
use greenroom_state::file_work_queue::FileWorkQueue;

/// Approximate bytes of the indexes per item.
pub(super) const INDEX_BYTES: u64 = 300;

/// Approximate bytes of a snapshot with all its indexes.
pub(super) fn memory_bytes(snapshot: &Snapshot) -> u64 {
    snapshot.memory_bytes() as u64 + snapshot.len() as u64 * INDEX_BYTES
}

/// All libraries of all servers.
#[derive(Debug)]
pub struct Libraries {
    pub(super) known: RwLock<BTreeMap<LibraryId, Arc<Library>>>,
    pub(super) data_dir: Option<PathBuf>,
    overrides: Option<LibraryOverrides>,
    pub(super) enabled_overrides: Mutex<BTreeMap<LibraryId, bool>>,
    /// Servers whose libraries were listed since the start.
    listed: RwLock<BTreeSet<String>>,
    /// Memory limit of all snapshots together, in bytes.
    pub(super) memory_limit_bytes: u64,
}

impl Default for Libraries {
    fn default() -> Self {
        Self {
            known: RwLock::default(),
            data_dir: None,
            overrides: None,
            enabled_overrides: Mutex::default(),
            listed: RwLock::default(),
            memory_limit_bytes: u64::MAX,
        }
    }
}

impl Libraries {
    /// The libraries of this data directory, within this memory limit.
    pub fn open(data_dir: &Path, memory_limit_bytes: u64) -> Self {
        let overrides = LibraryOverrides::new(data_dir);
        let enabled_overrides = overrides.read().unwrap_or_else(|reason| {
            tracing::warn!(reason, "settings of single libraries cannot be read; the configuration applies");
            BTreeMap::new()
        });
        Self {
            data_dir: Some(data_dir.to_owned()),
            overrides: Some(overrides),
            enabled_overrides: Mutex::new(enabled_overrides),
            memory_limit_bytes,
            ..Self::default()
        }
    }

    /// The library with this id.
    pub fn find(&self, id: &LibraryId) -> Option<Arc<Library>> {
        self.known.read().get(id).cloned()
    }

    /// All libraries.
    pub fn all(&self) -> Vec<Arc<Library>> {
        self.known.read().values().cloned().collect()
    }

    /// Whether this server's libraries were listed since the start.
    pub fn is_listed(&self, server: &str) -> bool {
        self.listed.read().contains(server)
    }

    /// Marks this server's libraries as listed.
    pub(super) fn mark_listed(&self, server: &str) {
        if !self.is_listed(server) {
            self.listed.write().insert(server.to_owned());
        }
    }

    /// Adds a library.
    pub fn add(&self, library: Arc<Library>) {
        self.known.write().insert(library.id.clone(), library);
    }

    /// The music library that is the default.
    pub fn music_library(&self, server: &str) -> Option<Arc<Library>> {
        let mut all = self.all();
        all.retain(|library| library.id.server == server && library.may_hold_music());
        let titles: Vec<String> = all.iter().map(|library| library.title.lock().clone()).collect();
        let candidates = all.iter().zip(&titles);
        let candidates = candidates.map(|(library, title)| LibraryCandidate { key: &library.id.key, title });
        let candidates: Vec<LibraryCandidate<'_>> = candidates.collect();
        let named = all.first().and_then(|library| library.server.origin.settings.library.music.as_deref());
        let selected = default_library::select_music_library(&candidates, named)?.key;
        all.iter().find(|library| library.id.key == selected).cloned()
    }

    /// Turns the index of a library on or off, beyond the life of the process.
    ///
    /// # Errors
    /// The choice cannot be saved; then nothing has changed.
    pub async fn set_enabled(&self, library: &Arc<Library>, is_enabled: bool) -> Result<(), String> {
        if let Some(overrides) = self.overrides.clone() {
            let (id, lane) = (library.id.clone(), overrides.lane.clone());
            let stored = lane.run(move || overrides.write(&id, is_enabled)).await;
            stored.map_err(|error| error.to_string())??;
        }
        self.enabled_overrides.lock().insert(library.id.clone(), is_enabled);
        library.set_enabled(is_enabled);
        self.warn(&library.server);
        Ok(())
    }

    /// The queue on which the user's choices are written; `None` if they are not stored.
    pub fn lane(&self) -> Option<&FileWorkQueue> {
        self.overrides.as_ref().map(|overrides| &overrides.lane)
    }

    /// Bytes of all snapshots, including those being built.
    pub(super) fn used_bytes(&self) -> u64 {
        let of = |library: &Arc<Library>| {
            let stored = library.generation().map_or(0, |generation| memory_bytes(&generation.snapshot));
            let status = library.status.lock();
            let unfinished = status.unfinished.as_ref().map_or(0, |crawl| crawl.memory_bytes());
            stored.saturating_add(unfinished).saturating_add(status.building_bytes)
        };
        self.all().iter().map(of).fold(0, u64::saturating_add)
    }

    pub(super) fn forget(&self, id: &LibraryId) {
        self.known.write().remove(id);
    }
}
