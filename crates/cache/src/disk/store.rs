//! The store: one SQLite file beside a folder of large bodies, and everything that is read from it or written to it.
//! Nothing here waits for anybody but the disk, and nothing here knows threads: readers and the writer own one each.
//!
//! What made it fast was measured: a rowid table with a unique index over a 64-bit hash of the key (the key itself
//! is compared in the row), a write-ahead log, prepared statements, many writes in one transaction. `mmap_size` is
//! zero: a file that is cut while it is mapped kills the process.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::Value as Field;
use rusqlite::{CachedStatement, Connection, OpenFlags, OptionalExtension, Row, params};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::bodies::Bodies;
use super::extent::{self, Size};
use super::markers;
use super::memos;
use super::parcel::{self, Packed};
use super::trouble::{Failing, Trouble};
use crate::key::{Key, Tag};
use crate::memo::Memo;
use crate::policy::Horizons;
use crate::stamp::Stamp;
use crate::value::{Entry, Value};

/// The database's name in its directory.
pub(crate) const FILE: &str = "cache.db";
/// Locked by the process that is opening the store.
const TURN_FILE: &str = "cache.lock";
/// How often, and with which pause, a process asks for its turn.
const TURN_TRIES: u32 = 1_000;
const TURN_PAUSE: Duration = Duration::from_millis(2);
/// Marks a file as ours: "Grnr".
pub(super) const APPLICATION: i64 = 0x4772_6e72;
/// The layout below. A file with another is set aside, whichever is newer.
pub(super) const FORMAT: i64 = 1;
/// How long a lock of another process is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Larger than usual: a page is written with two calls, and twice, whatever its length, and most rows fit four times.
const PAGE_BYTES: i64 = 16 * 1024;
/// Pages that a connection keeps in memory at most, in KiB: one that writes, and one that only reads.
const PAGES_KEPT_KIB: i64 = 4 * 1024;
const PAGES_READ_KIB: i64 = 16 * 1024;
/// From here on the log is moved into the database: rarely, because whoever moves it waits for the disk twice.
const LOG_MOVED_BYTES: i64 = 12 * 1024 * 1024;
/// What of the log's file is kept for the next turn: cutting it and making it again costs more than it takes.
const LOG_KEPT_BYTES: i64 = 16 * 1024 * 1024;
/// What a row costs beside its own bytes: its numbers, its places in four trees, and what pages leave empty.
const ROW_OVERHEAD: usize = 240;
/// Rows that one sweep takes out at most, so that it is never long.
const SWEEP_ROWS: i64 = 500;
/// A file that no row names is left alone for so long: another process may be about to write its row.
pub(super) const ORPHAN_AFTER_MS: u64 = 600_000;
/// How exact the time of the last read is kept.
const USED_EXACT_MS: u64 = 3_600_000;

const SCHEMA: &str = "
    CREATE TABLE about (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    CREATE TABLE entry (
        id INTEGER PRIMARY KEY,
        hash INTEGER NOT NULL,
        key TEXT NOT NULL,
        created INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        stored_ms INTEGER NOT NULL,
        fresh_until_ms INTEGER NOT NULL,
        stale_until_ms INTEGER NOT NULL,
        error_until_ms INTEGER NOT NULL,
        refresh_at_ms INTEGER NOT NULL,
        adapted INTEGER NOT NULL,
        seen INTEGER NOT NULL,
        used_ms INTEGER NOT NULL,
        tags BLOB NOT NULL,
        meta BLOB NOT NULL,
        compressed INTEGER NOT NULL,
        body BLOB,
        file TEXT,
        file_bytes INTEGER NOT NULL DEFAULT 0,
        file_hash INTEGER,
        length INTEGER NOT NULL,
        size INTEGER NOT NULL,
        checksum INTEGER NOT NULL
    );
    CREATE UNIQUE INDEX entry_hash ON entry (hash);
    CREATE INDEX entry_end ON entry (error_until_ms);
    CREATE INDEX entry_used ON entry (used_ms);
    CREATE INDEX entry_seen ON entry (seen);
    CREATE TABLE marker (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        scope TEXT NOT NULL,
        purges INTEGER NOT NULL,
        stamp INTEGER NOT NULL,
        hold_until INTEGER NOT NULL,
        settle_until_ms INTEGER NOT NULL DEFAULT 0,
        settle_fresh_ms INTEGER NOT NULL DEFAULT 0,
        origin INTEGER NOT NULL,
        UNIQUE (scope, purges)
    );
";

/// The columns that [`Raw`] is read from, in its order.
macro_rules! columns {
    () => {
        "key, created, created_ms, stored_ms, fresh_until_ms, stale_until_ms, error_until_ms, refresh_at_ms,
        adapted, seen, tags, meta, compressed, body, file, length, checksum, used_ms"
    };
}
pub(super) const COLUMNS: &str = columns!();
const SELECT: &str = concat!("SELECT ", columns!(), " FROM entry WHERE hash = ?1");

/// A newer load replaces an older one, whoever writes last.
const UPSERT: &str = "
    INSERT INTO entry (hash, key, created, created_ms, stored_ms, fresh_until_ms, stale_until_ms, error_until_ms,
        refresh_at_ms, adapted, seen, used_ms, tags, meta, compressed, body, file, length, size, checksum, file_bytes,
        file_hash)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)
    ON CONFLICT (hash) DO UPDATE SET key = excluded.key, created = excluded.created,
        created_ms = excluded.created_ms, stored_ms = excluded.stored_ms, fresh_until_ms = excluded.fresh_until_ms,
        stale_until_ms = excluded.stale_until_ms, error_until_ms = excluded.error_until_ms,
        refresh_at_ms = excluded.refresh_at_ms, adapted = excluded.adapted, seen = excluded.seen,
        used_ms = excluded.used_ms, tags = excluded.tags, meta = excluded.meta, compressed = excluded.compressed,
        body = excluded.body, file = excluded.file, length = excluded.length, size = excluded.size,
        checksum = excluded.checksum, file_bytes = excluded.file_bytes, file_hash = excluded.file_hash";

/// A value as it was found on disk, with all of an entry that outlives the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) value: Value,
    pub(crate) tags: Vec<Tag>,
    pub(crate) created: Stamp,
    pub(crate) created_ms: u64,
    pub(crate) stored_ms: u64,
    pub(crate) horizons: Horizons,
    pub(crate) adapted: bool,
    /// The newest marker that was known when its load began.
    pub(crate) seen: u64,
    /// When it was last noted as read.
    pub(crate) used_ms: u64,
}

impl Found {
    /// Whether its time of last read is worth being written down again.
    pub(crate) fn is_use_news(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.used_ms) > USED_EXACT_MS
    }
}

/// What a look into the store shows.
#[derive(Debug)]
pub(crate) enum Sight {
    /// A value.
    Found(Box<Found>),
    /// Nothing under this key.
    Nothing,
    /// A row that is not what was written; it is to be taken out.
    Torn,
}

/// An entry on its way to the disk.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) key: Key,
    pub(crate) entry: Arc<Entry>,
    /// The newest marker that was known when its load began.
    pub(crate) seen: u64,
}

/// A marker on its way to the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The scope as it is spelled.
    pub(crate) scope: String,
    pub(crate) purges: bool,
    pub(crate) stamp: Stamp,
    /// Until when nothing it covers may be stored; zero if it may.
    pub(crate) hold_until: Stamp,
    /// Until when loads of what it covers live for `settle_fresh_ms` at most; zero if as long as ever.
    pub(crate) settle_until_ms: u64,
    pub(crate) settle_fresh_ms: u64,
}

/// A marker with its place in the order of all processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) seq: u64,
    pub(crate) origin: i64,
    pub(crate) mark: Mark,
}

/// What is written in one transaction.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) marks: Vec<Mark>,
    pub(crate) offers: Vec<Offer>,
    /// Keys to take out if what is kept is not from a later load than this.
    pub(crate) removals: Vec<(Key, Stamp)>,
    /// What is remembered of keys beside values.
    pub(crate) memos: Vec<(Key, Arc<Memo>)>,
    /// Rows that were torn, by hash of their key.
    pub(crate) torn: Vec<i64>,
    /// Rows that were read, by hash of their key.
    pub(crate) used: Vec<i64>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.marks.is_empty()
            && self.offers.is_empty()
            && self.removals.is_empty()
            && self.memos.is_empty()
            && self.torn.is_empty()
            && self.used.is_empty()
    }
}

/// What became of a batch.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// Entries in the store now.
    pub(crate) stored: u64,
    /// Entries for which a newer load was there already.
    pub(crate) outdated: u64,
    /// Entries that could not be written, while the others could.
    pub(crate) failed: u64,
}

/// What the store holds.
#[cfg(test)]
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holds {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

/// One connection to the store.
#[derive(Debug)]
pub(crate) struct Store {
    db: Connection,
    bodies: Bodies,
    path: PathBuf,
    /// Which file was opened: another may lie at the same place by now.
    inode: u64,
    seed: u64,
    file_above: usize,
    /// Markers it may hold.
    pub(super) max_markers: u64,
}

impl Store {
    /// Opens the store in `dir`, making it if there is none. Bodies longer than `file_above` get a file each.
    pub(crate) fn open(dir: &Path, file_above: usize) -> Result<Self, Failing> {
        let may_write = || OpenOptions::new().write(true).open(dir.join(FILE)).is_ok();
        Self::connect(dir, file_above).map_err(|failing| match failing.trouble {
            // Where the system would let us write, it is a damaged file that says so.
            Trouble::ReadOnly if may_write() => Failing::new(Trouble::Damaged, failing.message),
            _ => failing,
        })
    }

    fn connect(dir: &Path, file_above: usize) -> Result<Self, Failing> {
        let path = dir.join(FILE);
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let _turn = Turn::take(dir)?;
        // Made by us, so that nobody else may read it; the files beside it get the same mode from SQLite.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(&path, flags)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        // The last to close a file that was set aside would remove the log of the one in its place.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        db.set_prepared_statement_cache_capacity(32);
        db.pragma_update(None, "mmap_size", 0)?;
        db.pragma_update(None, "page_size", PAGE_BYTES)?;
        db.pragma_update(None, "cache_size", -PAGES_KEPT_KIB)?;
        // Before the first page is written, or never. It costs a write about a twentieth, and without it a file that
        // was large once would stay so whatever the settings say.
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.pragma_update(None, "journal_size_limit", LOG_KEPT_BYTES)?;
        db.pragma_update(None, "wal_autocheckpoint", LOG_MOVED_BYTES / PAGE_BYTES)?;
        prepare(&mut db)?;
        let seed = about(&db, "seed")?.cast_unsigned();
        let inode = std::fs::metadata(&path)?.ino();
        let max_markers = markers::MAX_MARKERS;
        Ok(Self { db, bodies: Bodies::new(dir), path, inode, seed, file_above, max_markers })
    }

    /// Whether the file at this place is still the one that was opened.
    pub(crate) fn is_in_place(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|there| there.ino() == self.inode)
    }

    /// The hash a key is found by.
    pub(crate) fn hash(&self, key: &Key) -> i64 {
        xxh3_64_with_seed(key.whole().as_bytes(), self.seed).cast_signed()
    }

    /// Begins a read over several looks; ended with [`Self::end_read`].
    pub(crate) fn begin_read(&self) -> Result<(), Failing> {
        Ok(self.db.prepare_cached("BEGIN DEFERRED")?.execute([]).map(|_| ())?)
    }

    /// Ends it. Fails where nothing was begun, which hurts nobody.
    pub(crate) fn end_read(&self) {
        let ended = self.db.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        if ended.is_err() {
            drop(self.db.execute_batch("ROLLBACK"));
        }
    }

    /// Keeps more pages in memory: this connection will only read.
    pub(crate) fn only_read(self) -> Result<Self, Failing> {
        self.db.pragma_update(None, "cache_size", -PAGES_READ_KIB)?;
        Ok(self)
    }

    /// One look.
    #[cfg(test)]
    pub(crate) fn look(&self, key: &Key) -> Result<Sight, Failing> {
        self.looks()?.look(key)
    }

    /// Begins to look keys up, all of them in the state the store has now.
    pub(crate) fn looks(&self) -> Result<Looks<'_>, Failing> {
        self.begin_read()?;
        match self.db.prepare_cached(SELECT) {
            Ok(select) => Ok(Looks { store: self, select }),
            Err(error) => {
                self.end_read();
                Err(error.into())
            }
        }
    }

    /// Writes a batch as one transaction. An entry that cannot be written is counted; the others are.
    pub(crate) fn write(&mut self, batch: &Batch, origin: i64, now_ms: u64) -> Result<Written, Failing> {
        let mut written = Written::default();
        let mut replaced = Vec::new();
        let packed = self.pack(&batch.offers, now_ms, &mut written)?;
        let seed = self.seed;
        let change = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut grown = Size::default();
        for mark in &batch.marks {
            markers::place(&change, mark, origin)?;
        }
        if !batch.marks.is_empty() {
            markers::fold(&change, self.max_markers)?;
        }
        let floor = markers::floor(&change)?;
        for (key, than) in &batch.removals {
            let hash = xxh3_64_with_seed(key.whole().as_bytes(), seed).cast_signed();
            grown -= take_out(&change, hash, Some(*than), &mut replaced)?;
        }
        for (key, memo) in &batch.memos {
            let hash = xxh3_64_with_seed(key.whole().as_bytes(), seed).cast_signed();
            memos::write(&change, hash, key, memo)?;
        }
        for hash in &batch.torn {
            grown -= take_out(&change, *hash, None, &mut replaced)?;
        }
        for hash in &batch.used {
            change
                .prepare_cached("UPDATE entry SET used_ms = ?2 WHERE hash = ?1")?
                .execute(params![hash, int(now_ms)])?;
        }
        for row in &packed {
            // A marker that it did not know may have been swept.
            let put = if row.seen < floor { Ok(None) } else { put(&change, row, &mut replaced) };
            match put {
                Ok(Some(more)) => {
                    grown += more;
                    written.stored += 1;
                }
                Ok(None) => {
                    replaced.extend(row.file.clone().filter(|_| !row.is_reused));
                    written.outdated += 1;
                }
                // Where the whole transaction is gone, so are the others.
                Err(failing) if failing.trouble == Trouble::Failing && !change.is_autocommit() => {
                    written.failed += 1;
                }
                Err(failing) => return Err(failing),
            }
        }
        let stamps = batch.offers.iter().map(|offer| offer.entry.created());
        let newest = stamps.chain(batch.marks.iter().map(|mark| mark.stamp)).max().unwrap_or_default();
        change
            .prepare_cached("UPDATE about SET value = max(value, ?1) WHERE name = 'stamp'")?
            .execute([newest.raw().cast_signed()])?;
        extent::grow(&change, grown)?;
        change.commit()?;
        self.bodies.remove_all(&replaced);
        Ok(written)
    }

    /// Packs what is offered, and writes large bodies to their files.
    fn pack(&self, offers: &[Offer], now_ms: u64, written: &mut Written) -> Result<Vec<Packing>, Failing> {
        let mut rows = Vec::with_capacity(offers.len());
        for offer in offers {
            let Some(mut row) = Packing::of(offer, self.hash(&offer.key), now_ms) else {
                written.failed += 1;
                continue;
            };
            if row.body.bytes.len() > self.file_above {
                let hash = xxh3_64(&row.body.bytes).cast_signed();
                (row.file_bytes, row.file_hash) = (count(row.body.bytes.len()), Some(hash));
                if let Some(name) = self.same_file(&row)? {
                    (row.file, row.is_reused) = (Some(name), true);
                    rows.push(row);
                    continue;
                }
                let name = Bodies::name(row.hash, offer.entry.created());
                match self.bodies.write(&name, &row.body.bytes).map_err(Failing::from) {
                    Ok(()) => row.file = Some(name),
                    Err(failing) if failing.trouble == Trouble::Failing => {
                        written.failed += 1;
                        continue;
                    }
                    Err(failing) => return Err(failing),
                }
            }
            rows.push(row);
        }
        Ok(rows)
    }

    /// The file of the row that is to be replaced, if it holds the very same bytes: then only the row is written.
    fn same_file(&self, row: &Packing) -> Result<Option<String>, Failing> {
        let sql = "SELECT file FROM entry WHERE hash = ?1 AND file_hash = ?2 AND file_bytes = ?3";
        let mut select = self.db.prepare_cached(sql)?;
        let same = select.query_row(params![row.hash, row.file_hash, row.file_bytes], |row| row.get(0));
        Ok(same.optional()?.flatten())
    }

    /// The newest stamp that was ever written: ours begin after it.
    pub(crate) fn newest_stamp(&self) -> Result<Stamp, Failing> {
        Ok(Stamp::from_raw(about(&self.db, "stamp")?.cast_unsigned()))
    }

    /// All markers after `seq`, in order.
    pub(crate) fn marks_after(&self, seq: u64) -> Result<Vec<Placed>, Failing> {
        markers::after(&self.db, seq)
    }

    /// What is remembered of keys beside values, as far as it is alive.
    pub(crate) fn memos(&self, now_ms: u64) -> Result<Vec<(Key, Memo)>, Failing> {
        memos::alive(&self.db, now_ms)
    }

    /// The number of the newest marker there ever was.
    #[cfg(test)]
    pub(crate) fn newest_mark(&self) -> Result<u64, Failing> {
        markers::newest(&self.db)
    }

    /// A number that changes whenever another connection has written.
    pub(crate) fn version(&self) -> Result<i64, Failing> {
        Ok(self.db.pragma_query_value(None, "data_version", |row| row.get(0))?)
    }

    /// Takes out some of what has ended, then some of what was read longest ago while there is more than
    /// `max_bytes`, and gives some free pages back. True if there is more to do.
    pub(crate) fn sweep(&mut self, now_ms: u64, max_bytes: u64) -> Result<bool, Failing> {
        let mut files = Vec::new();
        let change = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let ended = "SELECT hash FROM entry WHERE error_until_ms <= ?1 LIMIT ?2";
        let mut gone = hashes(&change, ended, int(now_ms))?;
        let mut freed = Size::default();
        for hash in &gone {
            freed += take_out(&change, *hash, None, &mut files)?;
        }
        let ended = gone.len();
        let held_now = extent::held(&change)?.saturating_sub(freed.file_bytes.unsigned_abs());
        let booked = about(&change, "bytes")? - freed.bytes;
        let too_many = extent::excess(held_now, max_bytes, booked);
        if too_many > 0 {
            let oldest = "SELECT hash FROM entry WHERE used_ms <= ?1 ORDER BY used_ms LIMIT ?2";
            let mut taken = 0;
            for hash in hashes(&change, oldest, i64::MAX)? {
                if taken >= too_many {
                    break;
                }
                let one = take_out(&change, hash, None, &mut files)?;
                taken += one.bytes;
                freed += one;
                gone.push(hash);
            }
        }
        // Where nothing is to be done, nothing is written.
        if !gone.is_empty() {
            extent::grow(&change, Size::default() - freed)?;
        }
        markers::sweep(&change, now_ms)?;
        let memos = memos::sweep(&change, now_ms)?;
        change.commit()?;
        self.bodies.remove_all(&files);
        let is_chunk_full = ended as u64 >= SWEEP_ROWS.cast_unsigned() || memos >= memos::SWEEP_ROWS;
        // How much rows take is known only when they are gone.
        let is_too_much = gone.len() > ended && extent::held(&self.db)? > max_bytes;
        Ok(extent::give_back(&self.db)? || is_chunk_full || is_too_much)
    }

    /// Removes the bodies of one folder that no row names and that are older than a write takes.
    pub(crate) fn sweep_folder(&self, folder: u8, now_ms: u64) -> Result<u64, Failing> {
        let mut removed = 0;
        for (name, changed_ms) in self.bodies.in_folder(folder) {
            if changed_ms.saturating_add(ORPHAN_AFTER_MS) > now_ms {
                continue;
            }
            let named: Option<i64> = self
                .db
                .prepare_cached("SELECT 1 FROM entry WHERE hash = ?1 AND file = ?2")?
                .query_row(params![hash_in(&name), name], |row| row.get(0))
                .optional()?;
            if named.is_none() {
                self.bodies.remove(&name);
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// All markers, in order, and the number of the newest there ever was. Damaged ones are a failure.
    pub(crate) fn all_marks(&self) -> Result<(Vec<Placed>, u64), Failing> {
        self.begin_read()?;
        let all = markers::after(&self.db, 0)
            .and_then(|all| Ok((markers::are_whole(&self.db, &all)?, all, markers::newest(&self.db)?)));
        self.end_read();
        match all? {
            (true, all, newest) => Ok((all, newest)),
            (false, ..) => Err(Failing::new(Trouble::Damaged, "its invalidations are not what was written")),
        }
    }

    /// By which it is told from every other store.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether it holds no entry at all.
    pub(crate) fn is_empty(&self) -> Result<bool, Failing> {
        let any = self.db.query_row("SELECT 1 FROM entry LIMIT 1", [], |_| Ok(())).optional()?;
        Ok(any.is_none())
    }

    /// Notes that rows were read.
    pub(crate) fn note_used(&mut self, keys: &[Key], now_ms: u64) -> Result<(), Failing> {
        let hashes: Vec<i64> = keys.iter().map(|key| self.hash(key)).collect();
        let change = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let sql = "UPDATE entry SET used_ms = ?2 WHERE hash = ?1 AND used_ms < ?2";
        for hash in hashes {
            change.prepare_cached(sql)?.execute(params![hash, int(now_ms)])?;
        }
        Ok(change.commit()?)
    }

    /// What is held, without counting rows: pages in use, and bodies in files.
    pub(crate) fn bytes(&self) -> Result<u64, Failing> {
        extent::held(&self.db)
    }

    /// Bytes in the write-ahead log.
    pub(crate) fn wal_bytes(&self) -> u64 {
        std::fs::metadata(self.path.with_extension("db-wal")).map_or(0, |wal| wal.len())
    }

    /// Moves the log into the database and cuts it, if no reader is in its way.
    pub(crate) fn truncate_wal(&self) -> Result<(), Failing> {
        Ok(self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    /// Every row, counted: slow.
    #[cfg(test)]
    pub(crate) fn count(&self) -> Result<Holds, Failing> {
        let sql = "SELECT count(*), coalesce(sum(size), 0) FROM entry";
        let (entries, bytes): (i64, i64) =
            self.db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Holds { bytes: bytes.max(0).cast_unsigned(), entries: entries.max(0).cast_unsigned() })
    }
}

/// Looks at one state of the store. The statement is kept at hand: finding it anew is a tenth of a look.
pub(crate) struct Looks<'a> {
    store: &'a Store,
    select: CachedStatement<'a>,
}

impl Looks<'_> {
    /// What is kept under a key.
    pub(crate) fn look(&mut self, key: &Key) -> Result<Sight, Failing> {
        let row = self
            .select
            .query_row([self.store.hash(key)], |row| {
                if !row.get_ref(0)?.as_bytes().is_ok_and(|kept| kept == key.whole().as_bytes()) {
                    return Ok(Sight::Nothing);
                }
                let found = Raw::read(row).ok().and_then(|raw| raw.check(key, &self.store.bodies));
                Ok(found.map_or(Sight::Torn, |found| Sight::Found(Box::new(found))))
            })
            .optional()?;
        Ok(row.unwrap_or(Sight::Nothing))
    }

    /// From here on the state is the one the store has now.
    pub(crate) fn renew(&self) -> Result<(), Failing> {
        self.store.end_read();
        self.store.begin_read()
    }
}

impl Drop for Looks<'_> {
    fn drop(&mut self) {
        self.store.end_read();
    }
}

/// Moves the file out of the way, and what belongs to it; what was set aside before goes. Tells where it lies now.
pub(crate) fn set_aside(dir: &Path) -> Result<PathBuf, Failing> {
    let _turn = Turn::take(dir)?;
    let aside = dir.join(format!("{FILE}.set-aside"));
    std::fs::rename(dir.join(FILE), &aside)?;
    for tail in ["-wal", "-shm"] {
        drop(std::fs::remove_file(dir.join(format!("{FILE}{tail}"))));
    }
    Ok(aside)
}

/// The turn of one process to open the store: two that make it, or turn its log on, at once would fail each other.
struct Turn(#[expect(dead_code, reason = "held until it is dropped")] File);

impl Turn {
    fn take(dir: &Path) -> Result<Self, Failing> {
        let path = dir.join(TURN_FILE);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        for _ in 0..TURN_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) => std::thread::park_timeout(TURN_PAUSE),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        Err(Failing::new(Trouble::Locked, "another process is opening it and does not end"))
    }
}

/// A row before it is checked.
pub(super) struct Raw {
    times: [i64; 6],
    created: i64,
    adapted: bool,
    seen: i64,
    used_ms: i64,
    tags: Vec<u8>,
    meta: Vec<u8>,
    compressed: bool,
    body: Option<Vec<u8>>,
    file: Option<String>,
    length: i64,
    checksum: i64,
}

impl Raw {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            created: row.get(1)?,
            times: [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?],
            adapted: row.get(8)?,
            seen: row.get(9)?,
            tags: row.get(10)?,
            meta: row.get(11)?,
            compressed: row.get(12)?,
            body: row.get(13)?,
            file: row.get(14)?,
            length: row.get(15)?,
            checksum: row.get(16)?,
            used_ms: row.get(17)?,
        })
    }

    /// The value, if all of it is what was written.
    pub(super) fn check(self, key: &Key, bodies: &Bodies) -> Option<Found> {
        let length = usize::try_from(self.length).ok()?;
        let bytes = match (self.body, self.file) {
            (Some(body), None) => body.into(),
            (None, Some(file)) => bodies.read(&file, length).ok()?,
            _ => return None,
        };
        let numbers = numbers(self.created, &self.times, self.adapted, self.seen, self.length);
        if parcel::checksum(key.whole(), &bytes, &self.meta, &self.tags, &numbers) != self.checksum {
            return None;
        }
        let [created_ms, stored_ms, fresh_until_ms, stale_until_ms, error_until_ms, refresh_at_ms] =
            self.times.map(unsigned);
        let body = parcel::unpack(Packed { bytes, compressed: self.compressed }, length)?;
        Some(Found {
            value: parcel::value(body, self.meta),
            tags: parcel::split_tags(&self.tags)?,
            created: Stamp::from_raw(self.created.cast_unsigned()),
            created_ms,
            stored_ms,
            horizons: Horizons { fresh_until_ms, stale_until_ms, error_until_ms, refresh_at_ms },
            adapted: self.adapted,
            seen: self.seen.cast_unsigned(),
            used_ms: unsigned(self.used_ms),
        })
    }
}

/// A row to be.
struct Packing {
    hash: i64,
    key: Key,
    created: i64,
    times: [i64; 6],
    adapted: bool,
    seen: i64,
    used_ms: i64,
    tags: Vec<u8>,
    meta: bytes::Bytes,
    body: Packed,
    file: Option<String>,
    /// The file belongs to the row that is to be replaced, and holds the same bytes.
    is_reused: bool,
    file_bytes: i64,
    file_hash: Option<i64>,
    length: i64,
    checksum: i64,
}

impl Packing {
    fn of(offer: &Offer, hash: i64, now_ms: u64) -> Option<Self> {
        let entry = &offer.entry;
        let horizons = entry.horizons();
        let times = [
            entry.created_ms(),
            entry.stored_ms(),
            horizons.fresh_until_ms,
            horizons.stale_until_ms,
            horizons.error_until_ms,
            horizons.refresh_at_ms,
        ]
        .map(int);
        let tags = parcel::join_tags(entry.tags())?;
        let body = parcel::pack(entry.body());
        let (created, seen) = (entry.created().raw().cast_signed(), offer.seen.cast_signed());
        let length = i64::try_from(entry.body().len()).ok()?;
        let numbers = numbers(created, &times, entry.adapted(), seen, length);
        Some(Self {
            checksum: parcel::checksum(offer.key.whole(), &body.bytes, entry.meta(), &tags, &numbers),
            hash,
            key: offer.key.clone(),
            created,
            times,
            adapted: entry.adapted(),
            seen,
            used_ms: int(now_ms),
            tags,
            meta: entry.meta().clone(),
            body,
            file: None,
            is_reused: false,
            file_bytes: 0,
            file_hash: None,
            length,
        })
    }

    /// About what it takes, its file included.
    fn size(&self) -> Size {
        let bytes = self.key.whole().len() + self.tags.len() + self.meta.len() + self.body.bytes.len();
        Size { bytes: count(bytes + ROW_OVERHEAD), file_bytes: self.file_bytes }
    }
}

/// Writes a row, unless what is there came from a later load. Gives by how much the store grew.
fn put(db: &Connection, row: &Packing, replaced: &mut Vec<String>) -> Result<Option<Size>, Failing> {
    let before: Option<(i64, Size, Option<String>)> = db
        .prepare_cached("SELECT created, size, file_bytes, file FROM entry WHERE hash = ?1")?
        .query_row([row.hash], |row| {
            Ok((row.get(0)?, Size { bytes: row.get(1)?, file_bytes: row.get(2)? }, row.get(3)?))
        })
        .optional()?;
    if before.as_ref().is_some_and(|(created, ..)| *created >= row.created) {
        return Ok(None);
    }
    let (_, size_before, file_before) = before.unwrap_or_default();
    // Another process may have replaced the file that was to be used again.
    if row.is_reused && file_before != row.file {
        return Ok(None);
    }
    let body = if row.file.is_some() { None } else { Some(&row.body.bytes[..]) };
    let [created_ms, stored_ms, fresh_ms, stale_ms, error_ms, refresh_ms] = row.times;
    db.prepare_cached(UPSERT)?.execute(params![
        row.hash,
        row.key.whole(),
        row.created,
        created_ms,
        stored_ms,
        fresh_ms,
        stale_ms,
        error_ms,
        refresh_ms,
        row.adapted,
        row.seen,
        row.used_ms,
        row.tags,
        &row.meta[..],
        row.body.compressed,
        body,
        row.file,
        row.length,
        row.size().bytes,
        row.checksum,
        row.file_bytes,
        row.file_hash,
    ])?;
    if !row.is_reused {
        replaced.extend(file_before);
    }
    Ok(Some(row.size() - size_before))
}

/// Takes a row out; gives its size.
fn take_out(
    db: &Connection,
    hash: i64,
    not_after: Option<Stamp>,
    files: &mut Vec<String>,
) -> Result<Size, Failing> {
    let than = not_after.map_or(i64::MAX, |stamp| stamp.raw().cast_signed());
    let sql = "DELETE FROM entry WHERE hash = ?1 AND created <= ?2 RETURNING size, file_bytes, file";
    let gone: Option<(Size, Option<String>)> = db
        .prepare_cached(sql)?
        .query_row([hash, than], |row| {
            Ok((Size { bytes: row.get(0)?, file_bytes: row.get(1)? }, row.get(2)?))
        })
        .optional()?;
    let Some((size, file)) = gone else { return Ok(Size::default()) };
    files.extend(file);
    Ok(size)
}

fn hashes(db: &Connection, sql: &str, until: i64) -> Result<Vec<i64>, Failing> {
    let mut select = db.prepare_cached(sql)?;
    let rows = select.query_map([until, SWEEP_ROWS], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Sees to it that the file is ours and has the layout we know.
fn prepare(db: &mut Connection) -> Result<(), Failing> {
    let number = |db: &Connection, pragma: &str| -> Result<i64, Failing> {
        Ok(db.pragma_query_value(None, pragma, |row| row.get(0))?)
    };
    if number(db, "application_id")? == 0 && number(db, "schema_version")? == 0 {
        // Two processes may be here at once: the second finds the work done.
        let change = db.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive)?;
        if number(&change, "schema_version")? == 0 {
            change.execute_batch(SCHEMA)?;
            change.execute_batch(memos::SCHEMA)?;
            change.execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT};
                 INSERT INTO about VALUES ('seed', random()), ('bytes', 0), ('stamp', 0),
                    ('file_bytes', 0), ('markers', 0), ('digest', 0), ('floor', 0);"
            ))?;
        }
        change.commit()?;
    }
    let (application, format) = (number(db, "application_id")?, number(db, "user_version")?);
    if application != APPLICATION {
        return Err(Failing::new(Trouble::Damaged, "it is a database of another program"));
    }
    if format != FORMAT {
        let message =
            format!("its format is {format}, and this version of the program reads format {FORMAT}");
        return Err(Failing::new(Trouble::Damaged, message));
    }
    Ok(())
}

pub(super) fn about(db: &Connection, name: &str) -> Result<i64, Failing> {
    let value = db
        .prepare_cached("SELECT value FROM about WHERE name = ?1")?
        .query_row([Field::Text(name.into())], |row| row.get(0));
    Ok(value?)
}

pub(super) fn hash_in(file: &str) -> i64 {
    let digits = file.get(3..19).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or_default().cast_signed()
}

fn numbers(created: i64, times: &[i64; 6], adapted: bool, seen: i64, length: i64) -> [i64; 10] {
    let mut all = [0; 10];
    all[..6].copy_from_slice(times);
    all[6..].copy_from_slice(&[created, i64::from(adapted), seen, length]);
    all
}

pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Times that never come are the largest number both ways.
fn unsigned(number: i64) -> u64 {
    if number == i64::MAX { u64::MAX } else { number.max(0).cast_unsigned() }
}
