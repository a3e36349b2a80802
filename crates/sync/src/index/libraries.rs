//! All libraries of all servers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use greenroom_library::choice::{self, Candidate};
use greenroom_library::snapshot::Snapshot;
use parking_lot::{Mutex, RwLock};

use super::{Library, LibraryId};
use crate::index::settings::Choices;
use greenroom_state::file_lane::FileLane;

/// About what the indexes take for each item.
pub(super) const INDEX_BYTES: u64 = 300;

/// About what a snapshot takes with all its indexes.
pub(super) fn memory_bytes(snapshot: &Snapshot) -> u64 {
    snapshot.memory_bytes() as u64 + snapshot.len() as u64 * INDEX_BYTES
}

/// All libraries of all servers.
#[derive(Debug)]
pub struct Libraries {
    pub(super) known: RwLock<BTreeMap<LibraryId, Arc<Library>>>,
    pub(super) data_dir: Option<PathBuf>,
    choices: Option<Choices>,
    pub(super) said: Mutex<BTreeMap<LibraryId, bool>>,
    /// Servers that said which libraries they have.
    listed: RwLock<BTreeSet<String>>,
    /// What all snapshots together may take.
    pub(super) memory_limit_bytes: u64,
}

impl Default for Libraries {
    fn default() -> Self {
        Self {
            known: RwLock::default(),
            data_dir: None,
            choices: None,
            said: Mutex::default(),
            listed: RwLock::default(),
            memory_limit_bytes: u64::MAX,
        }
    }
}

impl Libraries {
    /// Those that are kept in this data directory, in so much memory at most.
    pub fn open(data_dir: &Path, memory_limit_bytes: u64) -> Self {
        let choices = Choices::of(data_dir);
        let said = choices.read().unwrap_or_else(|reason| {
            tracing::warn!(reason, "what was said of single libraries cannot be read");
            BTreeMap::new()
        });
        Self {
            data_dir: Some(data_dir.to_owned()),
            choices: Some(choices),
            said: Mutex::new(said),
            memory_limit_bytes,
            ..Self::default()
        }
    }

    /// The library with this id.
    pub fn find(&self, id: &LibraryId) -> Option<Arc<Library>> {
        self.known.read().get(id).cloned()
    }

    /// Every library there is.
    pub fn all(&self) -> Vec<Arc<Library>> {
        self.known.read().values().cloned().collect()
    }

    /// Whether this server said since the start which libraries it has.
    pub fn is_listed(&self, server: &str) -> bool {
        self.listed.read().contains(server)
    }

    /// This server said which libraries it has.
    pub(super) fn note_listed(&self, server: &str) {
        if !self.is_listed(server) {
            self.listed.write().insert(server.to_owned());
        }
    }

    /// Adds one.
    pub fn add(&self, library: Arc<Library>) {
        self.known.write().insert(library.id.clone(), library);
    }

    /// The music library that is meant where none is named.
    pub fn music_of(&self, server: &str) -> Option<Arc<Library>> {
        let mut all = self.all();
        all.retain(|library| library.id.server == server && library.may_hold_music());
        let titles: Vec<String> = all.iter().map(|library| library.title.lock().clone()).collect();
        let candidates = all.iter().zip(&titles);
        let candidates = candidates.map(|(library, title)| Candidate { key: &library.id.key, title });
        let candidates: Vec<Candidate<'_>> = candidates.collect();
        let named = all.first().and_then(|library| library.server.origin.settings.library.music.as_deref());
        let meant = choice::music(&candidates, named)?.key;
        all.iter().find(|library| library.id.key == meant).cloned()
    }

    /// The user says whether a library is kept. That outlives the process.
    ///
    /// # Errors
    /// If it cannot be kept: then nothing has changed.
    pub async fn choose(&self, library: &Arc<Library>, is_enabled: bool) -> Result<(), String> {
        if let Some(choices) = self.choices.clone() {
            let (id, lane) = (library.id.clone(), choices.lane.clone());
            let kept = lane.run(move || choices.write(&id, is_enabled)).await;
            kept.map_err(|undone| undone.to_string())??;
        }
        self.said.lock().insert(library.id.clone(), is_enabled);
        library.choose(is_enabled);
        self.warn(&library.server);
        Ok(())
    }

    /// Where what the user says of libraries is written; nothing where it is not kept.
    pub fn lane(&self) -> Option<&FileLane> {
        self.choices.as_ref().map(|choices| &choices.lane)
    }

    /// Bytes that all snapshots take, those being built included.
    pub(super) fn used_bytes(&self) -> u64 {
        let of = |library: &Arc<Library>| {
            let kept = library.generation().map_or(0, |generation| memory_bytes(&generation.snapshot));
            let facts = library.facts.lock();
            let unfinished = facts.unfinished.as_ref().map_or(0, |crawl| crawl.memory_bytes());
            kept.saturating_add(unfinished).saturating_add(facts.building_bytes)
        };
        self.all().iter().map(of).fold(0, u64::saturating_add)
    }

    pub(super) fn forget(&self, id: &LibraryId) {
        self.known.write().remove(id);
    }
}
