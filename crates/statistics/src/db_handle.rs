//! Handle of the statistics database: opens it lazily, reopens it when the file was replaced, and uses one in memory
//! where the file is not writable. Everything here blocks.

use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::db::StatisticsDb;
use crate::recorded_server::RecordedServer;
use greenroom_request_log::minute_bucket::MinuteBucket;
use greenroom_state::error::StateError;
use greenroom_state::warnings::{Warning, Warnings};

/// Size limit of a database in memory.
const MEMORY_BYTES: u64 = 8 * 1024 * 1024;
/// Interval of deleting old rows while nothing is counted.
const IDLE_SWEEP: Duration = Duration::from_secs(3600);
/// Code of the warning.
const UNWRITTEN: &str = "statistics-unwritten";

/// The database, or how to open it.
#[derive(Debug)]
pub(crate) struct LazyDb {
    /// Directory of the file; `None`: in memory.
    dir: Option<PathBuf>,
    max_bytes: u64,
    db: Option<StatisticsDb>,
    /// Whether the stored rows of earlier processes were restored.
    pub(crate) is_restored: bool,
    /// Rows dropped by databases closed since.
    dropped_before: u64,
    /// The engine's last counts of refreshes: useful and useless, by server and class.
    pub(crate) refreshes: HashMap<(String, &'static str), (u64, u64)>,
    /// Time of the last write or deletion.
    written_ms: Timestamp,
    warnings: Arc<Warnings>,
}

impl LazyDb {
    /// A handle; opens nothing yet.
    pub(crate) fn new(dir: Option<PathBuf>, max_bytes: u64, warnings: Arc<Warnings>) -> Self {
        Self {
            dir,
            max_bytes,
            db: None,
            is_restored: false,
            dropped_before: 0,
            written_ms: Timestamp::UNIX_EPOCH,
            refreshes: HashMap::new(),
            warnings,
        }
    }

    /// The database, opened if needed.
    pub(crate) fn db(&mut self) -> Result<&mut StatisticsDb, StateError> {
        let db = match self.db.take().filter(StatisticsDb::is_same_file) {
            Some(db) => db,
            None => self.open()?,
        };
        Ok(self.db.insert(db))
    }

    fn open(&mut self) -> Result<StatisticsDb, StateError> {
        let Some(dir) = &self.dir else { return StatisticsDb::in_memory(self.max_bytes.min(MEMORY_BYTES)) };
        match StatisticsDb::open(dir, self.max_bytes) {
            Ok(db) => Ok(db),
            Err(error) if error.kind.is_final() => {
                self.warn(&error, "They are counted in memory, and lost with a restart.");
                self.dir = None;
                StatisticsDb::in_memory(self.max_bytes.min(MEMORY_BYTES))
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the buckets, all or none; returns the number of rows.
    pub(crate) fn write(
        &mut self,
        drained: &[(RecordedServer, Vec<Arc<MinuteBucket>>)],
        now_ms: Timestamp,
    ) -> Result<usize, StateError> {
        let buckets: Vec<(&str, &MinuteBucket)> = drained
            .iter()
            .flat_map(|(server, buckets)| buckets.iter().map(|bucket| (server.name(), &**bucket)))
            .collect();
        // Old rows are deleted with each write; while nothing is counted, once an hour is enough.
        let is_idle = buckets.is_empty() && now_ms.duration_since(self.written_ms) < IDLE_SWEEP;
        let result = self.db().and_then(|db| if is_idle { Ok(0) } else { db.write(&buckets, now_ms) });
        if result.is_ok() && !is_idle {
            self.written_ms = now_ms;
        }
        match &result {
            Ok(_) if self.dir.is_some() => self.warnings.lower(UNWRITTEN),
            Ok(_) => {}
            Err(error) => self.close_after_error(error),
        }
        result
    }

    /// Closes a failed file, so that the next use reopens it.
    pub(crate) fn close_after_error(&mut self, error: &StateError) {
        self.warn(error, "They stay in memory; writing is retried automatically.");
        if let Some(db) = self.db.take() {
            self.dropped_before += db.dropped();
        }
    }

    /// Rows deleted before the end of their retention.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped_before + self.db.as_ref().map_or(0, StatisticsDb::dropped)
    }

    fn warn(&self, error: &StateError, consequence: &str) {
        let warning = Warning::notice(
            UNWRITTEN,
            format!("Statistics cannot be written to state.db. {consequence}"),
            "Check whether the disk is full, the data directory is read-only or state.db is damaged.",
        )
        .urgent();
        if self.warnings.raise(warning) {
            tracing::warn!(reason = error.message, "statistics cannot be written to state.db");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::time_series::{DAY_MS, MINUTE_MS, TimeStep};
    use super::*;
    use greenroom_state::db::{FILE, StateDb};

    const NOW_MS: u64 = 1_700_000_000_000 / DAY_MS * DAY_MS;

    #[test]
    fn while_idle_old_rows_are_deleted_once_an_hour_and_nothing_else_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(StateDb::open(folder.path()).expect("a state database"));
        let mut handle = LazyDb::new(Some(folder.path().to_owned()), 1 << 30, Arc::default());
        let mut write = |minute: u64, is_busy: bool| {
            let now_ms = NOW_MS + minute * MINUTE_MS;
            let mut bucket = MinuteBucket::new(Timestamp::from_millis(now_ms));
            bucket.add_own(1);
            if is_busy {
                handle
                    .db()
                    .and_then(|db| db.write(&[("home", &bucket)], Timestamp::from_millis(now_ms)))
                    .expect("it is written");
            } else {
                handle.write(&[], Timestamp::from_millis(now_ms)).expect("nothing to write");
            }
        };
        (0..180).for_each(|minute| write(minute, true));
        let other = rusqlite::Connection::open(folder.path().join(FILE)).expect("it opens");
        let version =
            || -> i64 { other.pragma_query_value(None, "data_version", |row| row.get(0)).expect("a version") };
        // From here on each minute that passes ends the retention of one.
        let old = TimeStep::Minute.retained() + 2;
        // In steps too small to count as a clock jump.
        (180..old).step_by(600).for_each(|minute| write(minute, false));
        let mut changes = 0;
        for minute in old..old + 120 {
            let before = version();
            write(minute, false);
            changes += u32::from(version() != before);
        }
        assert_eq!(changes, 2, "two idle hours");
    }
}
