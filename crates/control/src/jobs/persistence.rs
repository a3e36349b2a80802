//! When each job ran last, over restarts. It lies in `state.db`; written seldom, so each time the file is opened anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::params;

use super::report::{Last, Outcome};
use greenroom_state::codec::{signed, unsigned};
use greenroom_state::db::FILE;
use greenroom_state::reader;

/// More jobs than this no version has.
const MAX_ROWS: i64 = 1_000;

/// What ran last, in one data directory.
#[derive(Debug, Clone)]
pub(super) struct Records(PathBuf);

impl Records {
    /// Those of this directory.
    pub(super) fn of(data_dir: &Path) -> Self {
        Self(data_dir.join(FILE))
    }

    /// All that is known, by the word for the job.
    pub(super) fn read(&self) -> Result<BTreeMap<String, Last>, String> {
        let read = || -> rusqlite::Result<BTreeMap<String, Last>> {
            let db = reader::open(&self.0)?;
            let mut rows =
                db.prepare("SELECT id, started_ms, ended_ms, outcome, message FROM job LIMIT ?1")?;
            let rows = rows.query_map([MAX_ROWS], |row| {
                let (started, ended): (i64, i64) = (row.get(1)?, row.get(2)?);
                let outcome = Outcome::named(&row.get::<_, String>(3)?).unwrap_or(Outcome::Done);
                let last = Last::new(unsigned(started), unsigned(ended), outcome, row.get(4)?);
                Ok((row.get(0)?, last))
            })?;
            rows.collect()
        };
        read().map_err(|error| error.to_string())
    }

    /// A job has run.
    pub(super) fn write(&self, id: &str, last: &Last) -> Result<(), String> {
        let write = || {
            reader::open(&self.0)?.execute(
                "INSERT INTO job (id, started_ms, ended_ms, outcome, message) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (id) DO UPDATE SET started_ms = excluded.started_ms, ended_ms = excluded.ended_ms,
                 outcome = excluded.outcome, message = excluded.message",
                params![id, signed(last.started_ms), signed(last.ended_ms), last.outcome.word(), last.message],
            )
        };
        write().map(|_| ()).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_state::db::Book;

    #[test]
    fn what_ran_last_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let records = Records::of(folder.path());
        assert!(records.read().is_err(), "it makes no file of its own");
        Book::open(folder.path()).expect("it can be made");
        assert!(records.read().expect("it is there").is_empty());
        let last = |ended_ms| Last::new(5, ended_ms, Outcome::Failed, "no answer".to_owned());
        records.write("history", &last(9)).expect("it can be kept");
        records.write("history", &last(11)).expect("it can be kept");
        let kept = Records::of(folder.path()).read().expect("it is there");
        assert_eq!(kept, BTreeMap::from([("history".to_owned(), last(11))]));
    }
}
