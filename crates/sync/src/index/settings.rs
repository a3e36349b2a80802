//! The user's choices which libraries to index, in `state.db`. They are rare, so the file is opened for each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::params;

use super::LibraryId;
use greenroom_state::db::FILE;
use greenroom_state::file_work_queue::FileWorkQueue;
use greenroom_state::reader;

/// The choices of one data directory.
#[derive(Debug, Clone)]
pub(super) struct LibraryOverrides {
    path: PathBuf,
    /// The queue of their writes.
    pub(super) lane: FileWorkQueue,
}

impl LibraryOverrides {
    /// The choices of this directory.
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join(FILE), lane: FileWorkQueue::default() }
    }

    /// All choices.
    pub(super) fn read(&self) -> Result<BTreeMap<LibraryId, bool>, String> {
        let read = || -> rusqlite::Result<BTreeMap<LibraryId, bool>> {
            let db = reader::open(&self.path)?;
            let mut rows = db.prepare("SELECT server, key, is_enabled FROM library")?;
            let rows =
                rows.query_map([], |row| Ok((LibraryId { server: row.get(0)?, key: row.get(1)? }, row.get(2)?)))?;
            rows.collect()
        };
        read().map_err(|error| error.to_string())
    }

    /// Saves whether a library is indexed.
    pub(super) fn write(&self, id: &LibraryId, is_enabled: bool) -> Result<(), String> {
        let write = || {
            reader::open(&self.path)?.execute(
                "INSERT INTO library (server, key, is_enabled) VALUES (?1, ?2, ?3)
                 ON CONFLICT (server, key) DO UPDATE SET is_enabled = excluded.is_enabled",
                params![id.server, id.key, is_enabled],
            )
        };
        write().map(|_| ()).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_state::db::StateDb;

    #[test]
    fn the_last_override_of_a_library_is_stored() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let overrides = LibraryOverrides::new(folder.path());
        assert!(overrides.read().is_err(), "no file is created");
        StateDb::open(folder.path()).expect("create the state database");
        let id = LibraryId { server: "home".into(), key: "3".into() };
        assert!(overrides.read().expect("read what was written").is_empty());
        overrides.write(&id, false).expect("write the override");
        overrides.write(&id, true).expect("write the override");
        overrides.write(&id, false).expect("write the override");
        assert_eq!(LibraryOverrides::new(folder.path()).read(), Ok(BTreeMap::from([(id, false)])));
    }
}
