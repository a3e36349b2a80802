//! The servers' last responses across restarts: one row in `state.db`, written on change. Writes are rare, so the file
//! is opened for each. Sessions are not persisted, because they are over after a restart.

use greenroom_cache::Timestamp;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};

use super::stats::MediaTotals;
use greenroom_state::db::FILE;
use greenroom_state::file_work_queue::FileWorkQueue;
use greenroom_state::reader;

/// Max libraries stored; no installation has more.
pub(super) const MAX_LIBRARIES: usize = 1_000;

/// The persisted state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct PersistedDashboard {
    pub(super) libraries: Vec<PersistedLibrary>,
    /// Number of users per server, and when the server reported it.
    pub(super) users: BTreeMap<String, (u64, u64)>,
    /// Peak of concurrent sessions.
    pub(super) peak: u64,
    /// Time of the peak.
    pub(super) peak_ms: Option<u64>,
}

/// Media counts of one library.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PersistedLibrary {
    pub(super) server: String,
    pub(super) key: String,
    pub(super) amounts: MediaTotals,
    pub(super) generation: u64,
    pub(super) counted_ms: u64,
}

impl PersistedDashboard {
    /// The state limited to these servers. Times after `now_ms` become `now_ms`: they are from before the clock was set
    /// back.
    pub(super) fn visible_to(mut self, servers: &[&str], now_ms: Timestamp) -> Self {
        self.libraries.retain(|library| servers.contains(&library.server.as_str()));
        self.libraries.iter_mut().for_each(|library| library.counted_ms = library.counted_ms.min(now_ms.as_millis()));
        self.users.retain(|server, _| servers.contains(&server.as_str()));
        self.users.values_mut().for_each(|(_, at_ms)| *at_ms = (*at_ms).min(now_ms.as_millis()));
        self.peak_ms = self.peak_ms.map(|peak_ms| peak_ms.min(now_ms.as_millis()));
        self
    }

    /// The state of all servers except these.
    pub(super) fn unseen(mut self, servers: &[&str]) -> Self {
        self.libraries.retain(|library| !servers.contains(&library.server.as_str()));
        self.users.retain(|server, _| !servers.contains(&server.as_str()));
        self
    }

    /// Adds the state of servers that are not configured now, up to the limit, because they may return.
    pub(super) fn with(mut self, unseen: &Self) -> Self {
        let remaining = MAX_LIBRARIES.saturating_sub(self.libraries.len());
        self.libraries.extend(unseen.libraries.iter().take(remaining).cloned());
        let remaining = MAX_LIBRARIES.saturating_sub(self.users.len());
        self.users.extend(unseen.users.iter().take(remaining).map(|(server, users)| (server.clone(), *users)));
        self
    }
}

/// The persistent store.
#[derive(Debug, Clone)]
pub(super) struct DashboardStore {
    path: PathBuf,
    /// Queue of file work while the process runs.
    pub(super) file_work: FileWorkQueue,
}

impl DashboardStore {
    /// The store of this directory.
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join(FILE), file_work: FileWorkQueue::default() }
    }

    /// Reads the stored state; empty if there is none or another version wrote it.
    pub(super) fn read(&self) -> Result<PersistedDashboard, String> {
        let sql = "SELECT kept FROM dashboard WHERE id = 0";
        let query = || reader::open(&self.path)?.query_row(sql, [], |row| row.get(0)).optional();
        let text: Option<String> = query().map_err(|error| error.to_string())?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Replaces the persisted state.
    pub(super) fn write(&self, state: &PersistedDashboard) -> Result<(), String> {
        let text = serde_json::to_string(state).map_err(|error| error.to_string())?;
        let sql = "INSERT INTO dashboard (id, kept) VALUES (0, ?1)
                   ON CONFLICT (id) DO UPDATE SET kept = excluded.kept";
        let execute = || reader::open(&self.path)?.execute(sql, [text]);
        execute().map(|_| ()).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_state::db::StateDb;

    #[test]
    fn the_last_state_is_persisted_and_that_of_another_version_is_ignored() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = DashboardStore::new(dir.path());
        assert!(store.read().is_err(), "no database file is created");
        StateDb::open(dir.path()).expect("a state database");
        assert_eq!(store.read(), Ok(PersistedDashboard::default()));
        let library = |server: &str| PersistedLibrary {
            server: server.to_owned(),
            key: "1".to_owned(),
            amounts: MediaTotals { films: 7, ..MediaTotals::default() },
            generation: 0,
            counted_ms: 900,
        };
        let users = BTreeMap::from([("home".to_owned(), (3, 400))]);
        let state = PersistedDashboard {
            libraries: vec![library("gone"), library("home")],
            users,
            peak: 2,
            peak_ms: Some(500),
        };
        store.write(&PersistedDashboard::default()).expect("state written");
        store.write(&state).expect("state written");
        assert_eq!(store.read().as_ref(), Ok(&state));
        let visible = state.visible_to(&["home"], Timestamp::from_millis(450));
        assert_eq!(visible.libraries, [PersistedLibrary { counted_ms: 450, ..library("home") }]);
        assert_eq!((visible.users["home"], visible.peak_ms), ((3, 400), Some(450)), "the clock was set back");
        let db = reader::open(&store.path).expect("an open database");
        db.execute("UPDATE dashboard SET kept = 'odd'", []).expect("written");
        assert_eq!(store.read(), Ok(PersistedDashboard::default()));
    }

    #[test]
    fn state_of_unconfigured_servers_is_retained_up_to_the_limit() {
        let library = |server: &str, key: usize| PersistedLibrary {
            server: server.to_owned(),
            key: key.to_string(),
            amounts: MediaTotals::default(),
            generation: 0,
            counted_ms: 900,
        };
        let users = |server: &str, count| BTreeMap::from([(server.to_owned(), (count, 400))]);
        let earlier = PersistedDashboard {
            libraries: vec![library("attic", 1), library("attic", 2), library("home", 1)],
            users: users("attic", 5),
            peak: 2,
            peak_ms: Some(500),
        };
        let unseen = earlier.unseen(&["home"]);
        // Meanwhile the server removed its first library and reported its users.
        let current =
            PersistedDashboard { libraries: vec![library("home", 2)], users: users("home", 3), peak: 4, peak_ms: None };
        let state = current.clone().with(&unseen);
        assert_eq!(state.libraries, [library("home", 2), library("attic", 1), library("attic", 2)]);
        assert_eq!((state.users["home"], state.users["attic"]), ((3, 400), (5, 400)));
        assert_eq!((state.peak, state.peak_ms), (4, None));
        let many = (1..MAX_LIBRARIES).map(|key| library("home", key)).collect();
        let full = PersistedDashboard { libraries: many, ..current }.with(&unseen);
        assert_eq!(full.libraries.len(), MAX_LIBRARIES, "limited to the maximum");
    }
}
