//! Inspecting a store, with or without a cache that has it open: listing its entries, checking them, and shrinking it.
//! For the process that owns the directory (see [`super::lock`]).
//!
//! Beside a cache every access is short: rows are read in chunks, each in its own transaction, so that the log can
//! always be truncated. Only without a cache is the database also checked as a whole.

mod verify;

use crate::timestamp::Timestamp;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};

pub use self::verify::{StoreDamage, VerifyReport};

use super::blobs::BlobStore;
use super::codec;
use super::error::{StorageError, StorageErrorKind};
use super::row::{COLUMNS, CorruptRow, RawRow};
use super::schema::{APPLICATION, FORMAT};
use super::scope_codec;
use super::store::{DiskStore, FILE};
use super::write_batch::WriteBatch;
use crate::key::{Key, Tag};
use crate::policy::EntryDeadlines;
use crate::scope::Scope;
use crate::scope_hash::{ScopeHash, ScopeHashes};
use crate::value::Value;

/// Rows read at a time without their bodies.
const CHUNK: i64 = 500;
/// Max wait for another connection that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages freed at a time.
const PAGES: u32 = 256;
/// SQLite's number for incremental `auto_vacuum`.
const INCREMENTAL: i64 = 2;

/// A store opened for inspection.
#[derive(Debug)]
pub struct Inspection {
    db: Connection,
    bodies: BlobStore,
    dir: PathBuf,
}

/// A row without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntrySummary {
    /// The cache key.
    pub key: Key,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Bytes of the value as served.
    pub length: u64,
    /// Bytes on disk.
    pub size: u64,
    /// Whether its body is a file.
    pub has_file: bool,
    /// Whether it is compressed.
    pub compressed: bool,
    /// When its load began, in milliseconds.
    pub created_ms: Timestamp,
    /// When it was stored, in milliseconds.
    pub stored_ms: Timestamp,
    /// Last recorded read, in milliseconds: accurate to the hour.
    pub used_ms: Timestamp,
    /// When it stops being fresh, stale and usable.
    pub deadlines: EntryDeadlines,
    /// The newest invalidation known when its load began.
    pub known_sequence: u64,
    /// Hash of the key, which identifies the row, and the timestamp of the load.
    hash: i64,
    created: i64,
}

/// Sizes of a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreTotals {
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Of these, free bytes.
    pub free_bytes: u64,
    /// Bytes of the write-ahead log.
    pub log_bytes: u64,
    /// Stored invalidations.
    pub markers: u64,
}

/// An invalidation that covers a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoveringInvalidation {
    /// Its sequence number.
    pub seq: u64,
    /// Its scope.
    pub scope: Scope,
    /// Whether it is a purge: the value may not even replace a failed load.
    pub purges: bool,
    /// Whether it is newer than those known when the value's load began, so that the value is invalid.
    pub is_newer: bool,
}

/// Result of a vacuum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VacuumReport {
    /// Bytes of database and log before.
    pub before_bytes: u64,
    /// Bytes of database and log after.
    pub after_bytes: u64,
}

/// Reason of a failed inspection, in one line.
pub type InspectError = String;

impl Inspection {
    /// Opens the store in a directory; `None` if there is none.
    ///
    /// # Errors
    /// One line that says what is wrong with it.
    pub fn open(dir: &Path) -> Result<Option<Self>, InspectError> {
        let path = dir.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let open = || -> Result<Self, StorageError> {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let db = Connection::open_with_flags(&path, flags)?;
            db.busy_timeout(BUSY_TIMEOUT)?;
            let number = |pragma: &str| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
            if number("application_id")? != APPLICATION {
                return Err(StorageError::new(StorageErrorKind::Damaged, "the file is not a Greenroom cache"));
            }
            let format = number("user_version")?;
            if format != FORMAT {
                let message =
                    format!("the file has format {format}, but this version of Greenroom reads format {FORMAT}");
                return Err(StorageError::new(StorageErrorKind::Format, message));
            }
            Ok(Self { db, bodies: BlobStore::new(dir), dir: dir.to_owned() })
        };
        open().map(Some).map_err(|error| describe_error(&path, &error))
    }

    /// Sizes of the store.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn totals(&self) -> Result<StoreTotals, InspectError> {
        self.try_to(|| {
            let number = |pragma: &str| -> Result<u64, StorageError> {
                Ok(self.db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))?.max(0).cast_unsigned())
            };
            let page = number("page_size")?;
            let markers: i64 = self.db.query_row("SELECT count(*) FROM marker", [], |row| row.get(0))?;
            Ok(StoreTotals {
                database_bytes: number("page_count")? * page,
                free_bytes: number("freelist_count")? * page,
                log_bytes: self.log_bytes(),
                markers: markers.max(0).cast_unsigned(),
            })
        })
    }

    /// Visits every row until `act` stops. Unreadable rows are skipped: see [`Self::verify`].
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn for_each_entry(&self, mut act: impl FnMut(EntrySummary) -> ControlFlow<()>) -> Result<(), InspectError> {
        let sql = "SELECT id, key, tags, length, size, file IS NOT NULL, compressed, created_ms, stored_ms, used_ms,
                fresh_until_ms, stale_until_ms, error_until_ms, refresh_at_ms, seen, hash, created
            FROM entry WHERE id > ?1 ORDER BY id LIMIT ?2";
        let mut after = -1;
        loop {
            let rows = self.try_to(|| {
                let mut select = self.db.prepare_cached(sql)?;
                let rows = select
                    .query_map([after, CHUNK], |row| Ok((row.get::<_, i64>(0)?, read_summary(row).ok().flatten())))?;
                Ok(rows.collect::<Result<Vec<_>, _>>()?)
            })?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            after = *last;
            for row in rows.into_iter().filter_map(|(_, row)| row) {
                if act(row).is_break() {
                    return Ok(());
                }
            }
        }
    }

    /// The value of a row, if it is intact.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn value(&self, summary: &EntrySummary) -> Result<Option<Value>, InspectError> {
        self.try_to(|| {
            let mut select = self.db.prepare_cached(&format!("SELECT {COLUMNS} FROM entry WHERE hash = ?1"))?;
            let raw = select.query_row([summary.hash], RawRow::read).optional()?;
            Ok(raw.and_then(|raw| raw.check(&summary.key, &self.bodies)).map(|found| found.value))
        })
    }

    /// The invalidations that cover a value, newest first.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn covering_invalidations(&self, summary: &EntrySummary) -> Result<Vec<CoveringInvalidation>, InspectError> {
        self.try_to(|| {
            let scope_hashes = ScopeHashes::new(&summary.key, &summary.tags);
            let mut select = self.db.prepare_cached("SELECT seq, scope, purges FROM marker ORDER BY seq DESC")?;
            let mut rows = select.query([])?;
            let mut covering = Vec::new();
            while let Some(row) = rows.next()? {
                let (seq, line): (i64, String) = (row.get(0)?, row.get(1)?);
                let scope = scope_codec::decode(&line).unwrap_or(Scope::All);
                let target = ScopeHash::from_scope(&scope).scope;
                if scope_hashes.any(|scope| scope == target) {
                    let seq = seq.cast_unsigned();
                    covering.push(CoveringInvalidation {
                        seq,
                        scope,
                        purges: row.get(2)?,
                        is_newer: seq > summary.known_sequence,
                    });
                }
            }
            Ok(covering)
        })
    }

    /// Returns free pages to the file system. With `is_in_use`, a cache has the store open: pages are freed in small
    /// steps, and others can write in between. Otherwise the whole file is rewritten, which temporarily needs as much
    /// space again.
    ///
    /// # Errors
    /// One line that says what is in the way.
    pub fn vacuum(self, is_in_use: bool) -> Result<VacuumReport, InspectError> {
        let before_bytes = self.file_bytes();
        let path = self.dir.join(FILE);
        let Self { db, bodies, dir } = self;
        drop(db);
        let work = || -> Result<Self, StorageError> {
            let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            db.busy_timeout(BUSY_TIMEOUT)?;
            let number = |pragma: &str| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
            if is_in_use {
                if number("auto_vacuum")? != INCREMENTAL {
                    let message =
                        "a gateway has the file open, and it can only be rewritten as a whole; stop the gateway first";
                    return Err(StorageError::new(StorageErrorKind::Locked, message));
                }
                let mut free = number("freelist_count")?;
                while free > 0 {
                    db.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
                    let still_free = number("freelist_count")?;
                    if still_free >= free {
                        break;
                    }
                    free = still_free;
                }
            } else {
                db.execute_batch("VACUUM")?;
            }
            db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            Ok(Self { db, bodies, dir })
        };
        let done = work().map_err(|error| describe_error(&path, &error))?;
        Ok(VacuumReport { before_bytes, after_bytes: done.file_bytes() })
    }

    /// Removes every value that `is_chosen` selects. Returns their number.
    ///
    /// # Errors
    /// One line that says what is in the way.
    pub fn remove(
        &self,
        now_ms: Timestamp,
        mut is_chosen: impl FnMut(&EntrySummary) -> bool,
    ) -> Result<u64, InspectError> {
        let mut rows = Vec::new();
        self.for_each_entry(|summary| {
            if is_chosen(&summary) {
                rows.push(CorruptRow { hash: summary.hash, created: summary.created.into() });
            }
            ControlFlow::Continue(())
        })?;
        for chunk in rows.chunks(usize::try_from(CHUNK).unwrap_or(usize::MAX)) {
            self.delete_rows(chunk, now_ms)?;
        }
        Ok(rows.len() as u64)
    }

    fn delete_rows(&self, rows: &[CorruptRow], now_ms: Timestamp) -> Result<(), InspectError> {
        self.try_to(|| {
            let mut store = DiskStore::open(&self.dir, usize::MAX)?;
            let batch = WriteBatch { corrupt: rows.to_vec(), ..WriteBatch::default() };
            store.write(&batch, 0, now_ms).map(|_| ())
        })
    }

    fn log_bytes(&self) -> u64 {
        let bytes = |path: PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
        bytes(self.dir.join(format!("{FILE}-wal")))
    }

    fn file_bytes(&self) -> u64 {
        std::fs::metadata(self.dir.join(FILE)).map_or(0, |file| file.len()) + self.log_bytes()
    }

    fn try_to<T>(&self, work: impl FnOnce() -> Result<T, StorageError>) -> Result<T, InspectError> {
        work().map_err(|error| describe_error(&self.dir.join(FILE), &error))
    }
}

fn read_summary(row: &Row<'_>) -> rusqlite::Result<Option<EntrySummary>> {
    let (key_text, tags): (String, Vec<u8>) = (row.get(1)?, row.get(2)?);
    let (Some(key), Some(tags)) = (scope_codec::decode_key(&key_text), codec::split_tags(&tags)) else {
        return Ok(None);
    };
    let number = |at: usize| row.get::<_, i64>(at).map(|number| number.max(0).cast_unsigned());
    Ok(Some(EntrySummary {
        key,
        tags,
        length: number(3)?,
        size: number(4)?,
        has_file: row.get(5)?,
        compressed: row.get(6)?,
        created_ms: Timestamp::from_millis(number(7)?),
        stored_ms: Timestamp::from_millis(number(8)?),
        used_ms: Timestamp::from_millis(number(9)?),
        deadlines: EntryDeadlines {
            fresh_until_ms: Timestamp::from_millis(number(10)?),
            stale_until_ms: Timestamp::from_millis(number(11)?),
            error_until_ms: Timestamp::from_millis(number(12)?),
            refresh_at_ms: Timestamp::from_millis(number(13)?),
        },
        known_sequence: number(14)?,
        hash: row.get(15)?,
        created: row.get(16)?,
    }))
}

fn describe_error(path: &Path, error: &StorageError) -> InspectError {
    format!("{}: {}", path.display(), error.message)
}
