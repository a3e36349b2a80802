//! Looking at a store beside the cache that has it open, or in place of one: what lies there, what of it is good, and
//! giving room back. It is for the process that owns the directory (see [`super::lock`]).
//!
//! Beside a cache every look is short: rows come in chunks, each with a read of its own, so that the log is never kept
//! from ending. Only without one the database is checked as a whole as well.

mod verify;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};

pub use self::verify::{Damage, Verified};

use super::batch::Batch;
use super::bodies::Bodies;
use super::layout::{APPLICATION, FORMAT};
use super::parcel;
use super::row::{COLUMNS, Raw, Torn};
use super::spelling;
use super::store::{FILE, Store};
use super::trouble::{Failing, Trouble};
use crate::key::{Key, Partition, Tag};
use crate::policy::Horizons;
use crate::reach::{Reach, Target};
use crate::scope::Scope;
use crate::value::Value;

/// Rows that are read in one go without their bodies.
const CHUNK: i64 = 500;
/// How long another connection that writes is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages that are given back in one go.
const PAGES: u32 = 256;
/// The number of an incremental vacuum among SQLite's settings.
const INCREMENTAL: i64 = 2;

/// A store, seen from outside.
#[derive(Debug)]
pub struct Inspection {
    db: Connection,
    bodies: Bodies,
    dir: PathBuf,
}

/// What a row says of its value, without the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Under which key it lies.
    pub key: Key,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Bytes of the value as it is answered.
    pub length: u64,
    /// Bytes it takes on disk.
    pub size: u64,
    /// Whether its body is a file.
    pub has_file: bool,
    /// Whether it is compressed.
    pub compressed: bool,
    /// When its load began, in milliseconds.
    pub created_ms: u64,
    /// When it was stored.
    pub stored_ms: u64,
    /// When it was last noted as read: exact to the hour.
    pub used_ms: u64,
    /// How long it lives.
    pub horizons: Horizons,
    /// Markers up to this one were known when its load began.
    pub seen: u64,
    /// Where the row is found, and of which load it is.
    hash: i64,
    created: i64,
}

/// What is on disk, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Of these, bytes that are free.
    pub free_bytes: u64,
    /// Bytes of the write-ahead log.
    pub log_bytes: u64,
    /// Markers that are kept.
    pub markers: u64,
}

/// A marker that covers a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covering {
    /// Its place in the order of all markers.
    pub seq: u64,
    /// What it covers.
    pub scope: Scope,
    /// Whether the value may not even stand in for a failure.
    pub purges: bool,
    /// Whether it is newer than what was known when the value's load began: the value is not used.
    pub is_newer: bool,
}

/// What giving room back did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vacuumed {
    /// Bytes of database and log before.
    pub before_bytes: u64,
    /// And after.
    pub after_bytes: u64,
}

/// Why room cannot be given back, or anything else be done.
pub type Reason = String;

impl Inspection {
    /// Opens the store in a directory; `None` if there is none.
    ///
    /// # Errors
    /// One line that says what is wrong with it.
    pub fn open(dir: &Path) -> Result<Option<Self>, Reason> {
        let path = dir.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let open = || -> Result<Self, Failing> {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let db = Connection::open_with_flags(&path, flags)?;
            db.busy_timeout(BUSY_TIMEOUT)?;
            let number = |pragma: &str| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
            if number("application_id")? != APPLICATION {
                return Err(Failing::new(Trouble::Damaged, "it is no cache of ours"));
            }
            let format = number("user_version")?;
            if format != FORMAT {
                let message = format!("its format is {format}, and this version reads format {FORMAT}");
                return Err(Failing::new(Trouble::Format, message));
            }
            Ok(Self { db, bodies: Bodies::new(dir), dir: dir.to_owned() })
        };
        open().map(Some).map_err(|failing| told(&path, &failing))
    }

    /// What is on disk in all.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn totals(&self) -> Result<Totals, Reason> {
        self.try_to(|| {
            let number = |pragma: &str| -> Result<u64, Failing> {
                Ok(self
                    .db
                    .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))?
                    .max(0)
                    .cast_unsigned())
            };
            let page = number("page_size")?;
            let markers: i64 = self.db.query_row("SELECT count(*) FROM marker", [], |row| row.get(0))?;
            Ok(Totals {
                database_bytes: number("page_count")? * page,
                free_bytes: number("freelist_count")? * page,
                log_bytes: self.log_bytes(),
                markers: markers.max(0).cast_unsigned(),
            })
        })
    }

    /// Shows every row, until `visit` has seen enough. Rows that cannot be read are passed over: see
    /// [`Self::verify`].
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn each(&self, mut visit: impl FnMut(Listed) -> ControlFlow<()>) -> Result<(), Reason> {
        let sql = "SELECT id, key, tags, length, size, file IS NOT NULL, compressed, created_ms, stored_ms, used_ms,
                fresh_until_ms, stale_until_ms, error_until_ms, refresh_at_ms, seen, hash, created
            FROM entry WHERE id > ?1 ORDER BY id LIMIT ?2";
        let mut after = -1;
        loop {
            let rows = self.try_to(|| {
                let mut select = self.db.prepare_cached(sql)?;
                let rows = select.query_map([after, CHUNK], |row| {
                    Ok((row.get::<_, i64>(0)?, listed(row).ok().flatten()))
                })?;
                Ok(rows.collect::<Result<Vec<_>, _>>()?)
            })?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            after = *last;
            for row in rows.into_iter().filter_map(|(_, row)| row) {
                if visit(row).is_break() {
                    return Ok(());
                }
            }
        }
    }

    /// The value of a row, if all of it is what was written.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn value(&self, listed: &Listed) -> Result<Option<Value>, Reason> {
        self.try_to(|| {
            let mut select =
                self.db.prepare_cached(&format!("SELECT {COLUMNS} FROM entry WHERE hash = ?1"))?;
            let raw = select.query_row([listed.hash], Raw::read).optional()?;
            Ok(raw.and_then(|raw| raw.check(&listed.key, &self.bodies)).map(|found| found.value))
        })
    }

    /// The markers that cover a value, newest first.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn covering(&self, listed: &Listed) -> Result<Vec<Covering>, Reason> {
        self.try_to(|| {
            let reach = Reach::new(&listed.key, &listed.tags);
            let mut select =
                self.db.prepare_cached("SELECT seq, scope, purges FROM marker ORDER BY seq DESC")?;
            let mut rows = select.query([])?;
            let mut covering = Vec::new();
            while let Some(row) = rows.next()? {
                let (seq, line): (i64, String) = (row.get(0)?, row.get(1)?);
                let scope = spelling::read(&line).unwrap_or(Scope::All);
                let target = Target::of(&scope).scope;
                if reach.any(|scope| scope == target) {
                    let seq = seq.cast_unsigned();
                    covering.push(Covering { seq, scope, purges: row.get(2)?, is_newer: seq > listed.seen });
                }
            }
            Ok(covering)
        })
    }

    /// Gives free pages back to the file system. With `others` a cache has the store open: then pages go
    /// in small steps, each of which lets others write between; else the whole file is written anew, which takes as
    /// much room again while it lasts.
    ///
    /// # Errors
    /// One line that says what is in the way.
    pub fn vacuum(self, others: bool) -> Result<Vacuumed, Reason> {
        let before_bytes = self.file_bytes();
        let path = self.dir.join(FILE);
        let Self { db, bodies, dir } = self;
        drop(db);
        let work = || -> Result<Self, Failing> {
            let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            db.busy_timeout(BUSY_TIMEOUT)?;
            let number = |pragma: &str| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
            if others {
                if number("auto_vacuum")? != INCREMENTAL {
                    let message = "a gateway has it open, and this file can only be written anew as a whole; stop the gateway first";
                    return Err(Failing::new(Trouble::Locked, message));
                }
                let mut free = number("freelist_count")?;
                while free > 0 {
                    db.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
                    let left = number("freelist_count")?;
                    if left >= free {
                        break;
                    }
                    free = left;
                }
            } else {
                db.execute_batch("VACUUM")?;
            }
            db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            Ok(Self { db, bodies, dir })
        };
        let done = work().map_err(|failing| told(&path, &failing))?;
        Ok(Vacuumed { before_bytes, after_bytes: done.file_bytes() })
    }

    /// Takes out every value that `chosen` says yes to. Gives how many.
    ///
    /// # Errors
    /// One line that says what is in the way.
    pub fn remove(&self, now_ms: u64, mut chosen: impl FnMut(&Listed) -> bool) -> Result<u64, Reason> {
        let mut rows = Vec::new();
        self.each(|listed| {
            if chosen(&listed) {
                rows.push(Torn { hash: listed.hash, created: listed.created.into() });
            }
            ControlFlow::Continue(())
        })?;
        for chunk in rows.chunks(usize::try_from(CHUNK).unwrap_or(usize::MAX)) {
            self.take_out(chunk, now_ms)?;
        }
        Ok(rows.len() as u64)
    }

    fn take_out(&self, rows: &[Torn], now_ms: u64) -> Result<(), Reason> {
        self.try_to(|| {
            let mut store = Store::open(&self.dir, usize::MAX)?;
            let batch = Batch { torn: rows.to_vec(), ..Batch::default() };
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

    fn try_to<T>(&self, work: impl FnOnce() -> Result<T, Failing>) -> Result<T, Reason> {
        work().map_err(|failing| told(&self.dir.join(FILE), &failing))
    }
}

fn listed(row: &Row<'_>) -> rusqlite::Result<Option<Listed>> {
    let (whole, tags): (String, Vec<u8>) = (row.get(1)?, row.get(2)?);
    let (Some(key), Some(tags)) = (key_of(&whole), parcel::split_tags(&tags)) else { return Ok(None) };
    let number = |at: usize| row.get::<_, i64>(at).map(|number| number.max(0).cast_unsigned());
    Ok(Some(Listed {
        key,
        tags,
        length: number(3)?,
        size: number(4)?,
        has_file: row.get(5)?,
        compressed: row.get(6)?,
        created_ms: number(7)?,
        stored_ms: number(8)?,
        used_ms: number(9)?,
        horizons: Horizons {
            fresh_until_ms: number(10)?,
            stale_until_ms: number(11)?,
            error_until_ms: number(12)?,
            refresh_at_ms: number(13)?,
        },
        seen: number(14)?,
        hash: row.get(15)?,
        created: row.get(16)?,
    }))
}

/// Reads a key back from how it is written.
fn key_of(whole: &str) -> Option<Key> {
    let mut parts = whole.splitn(3, '|');
    let (namespace, partition, text) = (parts.next()?, parts.next()?, parts.next()?);
    let plain = |part: &str| part.replace("%7C", "|").replace("%25", "%");
    Some(Key::new(&plain(namespace), &Partition::new(plain(partition)), text))
}

fn told(path: &Path, failing: &Failing) -> Reason {
    format!("{}: {}", path.display(), failing.message)
}
