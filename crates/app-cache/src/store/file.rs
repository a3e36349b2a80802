//! The file: opened, made, or set aside if it is damaged.

use greenroom_cache::Timestamp;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::schema::{APPLICATION_ID, FORMAT, REMOVAL_TABLE, ROW_BYTES, TABLES};
use super::to_sql;
use crate::entry::ENTRY_OVERHEAD_BYTES;
use crate::error::AppCacheError;

/// Name of the file in the data directory.
pub(crate) const FILE: &str = "apps.db";
/// Max wait for another connection's write, such as a checkpoint.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Size to which SQLite cuts its log after a checkpoint.
const MAX_WAL_BYTES: u64 = 16 * 1024 * 1024;

/// The file of a data directory.
#[derive(Debug, Clone)]
pub(crate) struct StoreFile {
    path: PathBuf,
}

impl StoreFile {
    /// The file in this folder. Nothing is opened.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { path: folder.join(FILE) }
    }

    /// Opens the file, which is made if there is none. One that is no database, or not ours, is set aside under another
    /// name, which is returned.
    ///
    /// # Errors
    /// It cannot be opened or made.
    pub(crate) fn open(&self, now_ms: Timestamp) -> Result<(Connection, Option<PathBuf>), AppCacheError> {
        match self.try_open() {
            Err(AppCacheError::Damaged) => {
                let aside = self.set_aside(now_ms)?;
                let db = self.try_open()?;
                // Numbers go on above those of the file in whose place this one is: callers may still hold some.
                db.execute("UPDATE store SET sequence = ?1, floor = ?1", [to_sql(now_ms.as_millis())])?;
                Ok((db, Some(aside)))
            }
            opened => Ok((opened?, None)),
        }
    }

    /// Another connection to the file, which must be open already.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn connect(&self) -> Result<Connection, AppCacheError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&self.path, flags)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        db.set_prepared_statement_cache_capacity(64);
        Ok(db)
    }

    fn try_open(&self) -> Result<Connection, AppCacheError> {
        if !self.path.exists() {
            let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path);
            made.map_err(|_| AppCacheError::Unavailable)?;
        }
        let db = self.connect()?;
        let number = |pragma: &str| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        match (number("application_id")?, number("user_version")?, number("schema_version")?) {
            (APPLICATION_ID, FORMAT, _) => {}
            (APPLICATION_ID, old @ 1..=2, _) => {
                let table = if old == 1 { REMOVAL_TABLE } else { "" };
                // Entries count more than they did.
                let sizes = format!(
                    "UPDATE cache SET bytes = coalesce((SELECT sum({ROW_BYTES} + {ENTRY_OVERHEAD_BYTES}) FROM entry \
                     WHERE entry.cache = cache.id), 0);"
                );
                db.execute_batch(&format!("BEGIN IMMEDIATE; {table} {sizes} PRAGMA user_version = {FORMAT}; COMMIT;"))?;
            }
            (_, _, 0) => {
                db.pragma_update(None, "journal_mode", "WAL")?;
                db.execute_batch(&format!(
                    "BEGIN IMMEDIATE; {TABLES} {REMOVAL_TABLE} PRAGMA application_id = {APPLICATION_ID}; \
                     PRAGMA user_version = {FORMAT}; COMMIT;"
                ))?;
            }
            _ => return Err(AppCacheError::Damaged),
        }
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.pragma_update(None, "journal_size_limit", MAX_WAL_BYTES.cast_signed())?;
        Ok(db)
    }

    fn set_aside(&self, now_ms: Timestamp) -> Result<PathBuf, AppCacheError> {
        let aside = self.path.with_file_name(format!("replaced-{}-{FILE}", now_ms.as_millis()));
        std::fs::rename(&self.path, &aside).map_err(|_| AppCacheError::Unavailable)?;
        for suffix in ["-wal", "-shm"] {
            let beside = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
            if beside(&self.path).exists() {
                std::fs::rename(beside(&self.path), beside(&aside)).map_err(|_| AppCacheError::Unavailable)?;
            }
        }
        Ok(aside)
    }
}
