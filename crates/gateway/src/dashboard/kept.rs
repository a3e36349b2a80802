//! What servers said last, over restarts: one row in `state.db`, written when it changes, so seldom, and each time the
//! file is opened anew. Who plays what is no part of it: that is over by then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::figures::Amounts;
use crate::state::book::FILE;

/// How long another process that writes is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Libraries that are kept; more than that nobody has.
pub(super) const MAX_LIBRARIES: usize = 1_000;

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    pub(super) libraries: Vec<Library>,
    /// How many users each server has, and when it said so.
    pub(super) users: BTreeMap<String, (u64, u64)>,
    /// Most that played at once.
    pub(super) peak: u64,
    /// When that was.
    pub(super) peak_ms: Option<u64>,
}

/// How much there is in one library.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Library {
    pub(super) server: String,
    pub(super) key: String,
    pub(super) amounts: Amounts,
    pub(super) generation: u64,
    pub(super) counted_ms: u64,
}

impl Kept {
    /// The same for who sees these servers only, and the clock now: what lies ahead of it was said before it was set back.
    pub(super) fn seen(mut self, servers: &[&str], now_ms: u64) -> Self {
        self.libraries.retain(|library| servers.contains(&library.server.as_str()));
        self.libraries.iter_mut().for_each(|library| library.counted_ms = library.counted_ms.min(now_ms));
        self.users.retain(|server, _| servers.contains(&server.as_str()));
        self.users.values_mut().for_each(|(_, asked_ms)| *asked_ms = (*asked_ms).min(now_ms));
        self.peak_ms = self.peak_ms.map(|peak_ms| peak_ms.min(now_ms));
        self
    }
}

/// Where it is kept.
#[derive(Debug, Clone)]
pub(super) struct Row(PathBuf);

impl Row {
    /// That of this directory.
    pub(super) fn of(data_dir: &Path) -> Self {
        Self(data_dir.join(FILE))
    }

    /// What was kept; nothing if nothing ever was, or in words that another version used.
    pub(super) fn read(&self) -> Result<Kept, String> {
        let read = || -> rusqlite::Result<Option<String>> {
            let sql = "SELECT kept FROM dashboard WHERE id = 0";
            self.open()?.query_row(sql, [], |row| row.get(0)).optional()
        };
        let text = read().map_err(|error| error.to_string())?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Keeps this in place of what was.
    pub(super) fn write(&self, kept: &Kept) -> Result<(), String> {
        let text = serde_json::to_string(kept).map_err(|error| error.to_string())?;
        let write = || {
            let sql = "INSERT INTO dashboard (id, kept) VALUES (0, ?1)
                       ON CONFLICT (id) DO UPDATE SET kept = excluded.kept";
            self.open()?.execute(sql, [text])
        };
        write().map(|_| ()).map_err(|error| error.to_string())
    }

    /// The file is made and brought up to date by who keeps the state, never here.
    fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&self.0, flags)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        Ok(db)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::book::Book;

    #[test]
    fn what_was_said_last_is_kept_and_what_another_version_wrote_is_as_good_as_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let row = Row::of(folder.path());
        assert!(row.read().is_err(), "it makes no file of its own");
        Book::open(folder.path()).expect("it can be made");
        assert_eq!(row.read(), Ok(Kept::default()));
        let library = |server: &str| Library {
            server: server.to_owned(),
            key: "1".to_owned(),
            amounts: Amounts { films: 7, ..Amounts::default() },
            generation: 0,
            counted_ms: 900,
        };
        let users = BTreeMap::from([("home".to_owned(), (3, 400))]);
        let kept =
            Kept { libraries: vec![library("home"), library("gone")], users, peak: 2, peak_ms: Some(500) };
        row.write(&Kept::default()).expect("it can be kept");
        row.write(&kept).expect("it can be kept");
        assert_eq!(row.read().as_ref(), Ok(&kept));
        let seen = kept.seen(&["home"], 450);
        assert_eq!(seen.libraries, [Library { counted_ms: 450, ..library("home") }]);
        assert_eq!((seen.users["home"], seen.peak_ms), ((3, 400), Some(450)), "the clock was set back");
        row.open().expect("it opens").execute("UPDATE dashboard SET kept = 'odd'", []).expect("written");
        assert_eq!(row.read(), Ok(Kept::default()));
    }
}
