//! The last run of each job across restarts, in `state.db`. Writes are rare, so the file is opened for each.

use greenroom_cache::Timestamp;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::params;

use super::report::{JobOutcome, LastRun};
use greenroom_state::codec::{signed, unsigned};
use greenroom_state::db::FILE;
use greenroom_state::reader;

/// Max rows read; no version has more jobs.
const MAX_ROWS: i64 = 1_000;

/// The last runs in one data directory.
#[derive(Debug, Clone)]
pub(super) struct LastRunStore(PathBuf);

impl LastRunStore {
    /// The store of this directory.
    pub(super) fn new(data_dir: &Path) -> Self {
        Self(data_dir.join(FILE))
    }

    /// All last runs by job id.
    pub(super) fn read(&self) -> Result<BTreeMap<String, LastRun>, String> {
        let query = || -> rusqlite::Result<BTreeMap<String, LastRun>> {
            let db = reader::open(&self.0)?;
            let mut rows = db.prepare("SELECT id, started_ms, ended_ms, outcome, message FROM job LIMIT ?1")?;
            let rows = rows.query_map([MAX_ROWS], |row| {
                let (started, ended): (i64, i64) = (row.get(1)?, row.get(2)?);
                let outcome = JobOutcome::from_name(&row.get::<_, String>(3)?).unwrap_or(JobOutcome::Done);
                let last = LastRun::new(
                    Timestamp::from_millis(unsigned(started)),
                    Timestamp::from_millis(unsigned(ended)),
                    outcome,
                    row.get(4)?,
                );
                Ok((row.get(0)?, last))
            })?;
            rows.collect()
        };
        query().map_err(|error| error.to_string())
    }

    /// Stores a job's last run.
    pub(super) fn write(&self, id: &str, last: &LastRun) -> Result<(), String> {
        let execute = || {
            reader::open(&self.0)?.execute(
                "INSERT INTO job (id, started_ms, ended_ms, outcome, message) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (id) DO UPDATE SET started_ms = excluded.started_ms, ended_ms = excluded.ended_ms,
                 outcome = excluded.outcome, message = excluded.message",
                params![id, signed(last.started_ms), signed(last.ended_ms), last.outcome.as_str(), last.message],
            )
        };
        execute().map(|_| ()).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_state::db::StateDb;

    #[test]
    fn the_last_run_of_each_job_is_persisted() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = LastRunStore::new(dir.path());
        assert!(store.read().is_err(), "no database file is created");
        StateDb::open(dir.path()).expect("a state database");
        assert!(store.read().expect("last runs").is_empty());
        let last =
            |ended_ms| LastRun::new(Timestamp::from_millis(5), ended_ms, JobOutcome::Failed, "no answer".to_owned());
        store.write("history", &last(Timestamp::from_millis(9))).expect("last run written");
        store.write("history", &last(Timestamp::from_millis(11))).expect("last run written");
        let stored = LastRunStore::new(dir.path()).read().expect("last runs");
        assert_eq!(stored, BTreeMap::from([("history".to_owned(), last(Timestamp::from_millis(11)))]));
    }
}
