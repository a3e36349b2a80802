//! The store: one SQLite file beside a folder of large bodies, and everything that is read from it or written to it.
//! Nothing here waits for anybody but the disk, and nothing here knows threads: readers and the writer own one each.
//!
//! What made it fast was measured: a rowid table with a unique index over a 64-bit hash of the key (the key itself
//! is compared in the row), a write-ahead log, prepared statements, many writes in one transaction. `mmap_size` is
//! zero: a file that is cut while it is mapped kills the process.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::batch::News;
use super::bodies::Bodies;
use super::extent;
use super::layout::{about, prepare};
use super::row::{SELECT, int};
use super::sight::Looks;
#[cfg(test)]
use super::sight::Sight;
use super::sweep::Walk;
use super::trouble::{Failing, Trouble};
use super::{markers, memos};
use crate::key::Key;
use crate::memo::Memo;
use crate::stamp::Stamp;
use crate::stored_marker::Placed;

/// The database's name in its directory.
pub(crate) const FILE: &str = "cache.db";
/// How long another connection that writes is waited for.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a reader is waited for where the log is to be cut: nothing is written meanwhile.
const CUT_PATIENCE: Duration = Duration::from_millis(50);
/// Larger than usual: a page is written with two calls, and twice, whatever its length, and most rows fit four times.
const PAGE_BYTES: i64 = 16 * 1024;
/// Pages that a connection keeps in memory at most, in KiB: one that writes, and one that only reads.
const PAGES_KEPT_KIB: i64 = 4 * 1024;
const PAGES_READ_KIB: i64 = 16 * 1024;
/// From here on the log is moved into the database: rarely, because whoever moves it waits for the disk twice.
const LOG_MOVED_BYTES: i64 = 12 * 1024 * 1024;
/// What of the log's file is kept for the next turn: cutting it and making it again costs more than it takes.
const LOG_KEPT_BYTES: i64 = 16 * 1024 * 1024;
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
    pub(super) db: Connection,
    pub(super) bodies: Bodies,
    pub(super) path: PathBuf,
    /// Which file was opened: another may lie at the same place by now.
    pub(super) inode: u64,
    pub(super) seed: u64,
    pub(super) file_above: usize,
    /// Markers it may hold.
    pub(super) max_markers: u64,
    /// How far the rows were looked through for what was cleared.
    pub(super) walk: Walk,
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
        // Asked for of a file that is in use, it would wait for its turn to write.
        if extent::is_empty(&db)? {
            db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.pragma_update(None, "journal_size_limit", LOG_KEPT_BYTES)?;
        db.pragma_update(None, "wal_autocheckpoint", LOG_MOVED_BYTES / PAGE_BYTES)?;
        prepare(&mut db)?;
        if db.is_readonly(rusqlite::MAIN_DB)? {
            return Err(Failing::new(Trouble::ReadOnly, "the file says that it may not be written"));
        }
        let seed = about(&db, "seed")?.cast_unsigned();
        let inode = std::fs::metadata(&path)?.ino();
        let max_markers = markers::MAX_MARKERS;
        Ok(Self {
            db,
            bodies: Bodies::new(dir),
            path,
            inode,
            seed,
            file_above,
            max_markers,
            walk: Walk::default(),
        })
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

    /// The newest stamp that was ever written: ours begin after it.
    pub(crate) fn newest_stamp(&self) -> Result<Stamp, Failing> {
        let stamp = about(&self.db, "stamp")?;
        // There is room to count from any that was ever drawn.
        u64::try_from(stamp)
            .map(Stamp::from_raw)
            .map_err(|_| Failing::new(Trouble::Damaged, "its order has no end"))
    }

    /// All markers after `seq`, in order.
    #[cfg(test)]
    pub(crate) fn marks_after(&self, seq: u64) -> Result<Vec<Placed>, Failing> {
        markers::after(&self.db, seq)
    }

    /// All that came after the marker `seq`, in one state of the store.
    pub(crate) fn news_after(&self, seq: u64) -> Result<News, Failing> {
        self.begin_read()?;
        let news = markers::after(&self.db, seq)
            .and_then(|placed| Ok(News { placed, floor: markers::floor(&self.db)?.max(0).cast_unsigned() }));
        self.end_read();
        news
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
    #[cfg(test)]
    pub(crate) fn version(&self) -> Result<i64, Failing> {
        Ok(self.db.pragma_query_value(None, "data_version", |row| row.get(0))?)
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

    /// Whether everything was cleared, and something of it lies here yet.
    pub(crate) fn is_cleared(&self) -> Result<bool, Failing> {
        markers::is_cleared(&self.db)
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

    /// Moves the log into the database and cuts it. False if somebody was in its way for longer than a moment.
    pub(crate) fn truncate_wal(&self) -> Result<bool, Failing> {
        self.db.busy_timeout(CUT_PATIENCE)?;
        let cut = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        self.db.busy_timeout(BUSY_TIMEOUT)?;
        Ok(cut? == 0)
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

/// Which file lies in the store's place, if any.
pub(crate) fn inode_in(dir: &Path) -> Option<u64> {
    std::fs::metadata(dir.join(FILE)).ok().map(|file| file.ino())
}

/// Moves the file out of the way, and what belongs to it; what was set aside before goes. Tells where it lies now;
/// `None` if another file than `inode` is there by now: somebody else was quicker.
pub(crate) fn set_aside(dir: &Path, inode: u64) -> Result<Option<PathBuf>, Failing> {
    if inode_in(dir) != Some(inode) {
        return Ok(None);
    }
    let aside = dir.join(format!("{FILE}.set-aside"));
    std::fs::rename(dir.join(FILE), &aside)?;
    for tail in ["-wal", "-shm"] {
        drop(std::fs::remove_file(dir.join(format!("{FILE}{tail}"))));
    }
    Ok(Some(aside))
}

/// Throws the file away with all that belongs to it, and what was set aside before. `false` if another file than `inode`
/// is there by now.
pub(crate) fn throw_away(dir: &Path, inode: u64) -> Result<bool, Failing> {
    if inode_in(dir) != Some(inode) {
        return Ok(false);
    }
    let named = |tail: &str| dir.join(format!("{FILE}{tail}"));
    // Readers keep them open for a while, and the room is wanted now. Nobody maps these two.
    let emptied = [named(""), named("-wal")].map(|path| OpenOptions::new().write(true).open(path));
    std::fs::remove_file(named(""))?;
    for tail in ["-wal", "-shm", ".set-aside"] {
        drop(std::fs::remove_file(named(tail)));
    }
    for file in emptied.into_iter().flatten() {
        drop(file.set_len(0));
    }
    let bodies = Bodies::new(dir);
    for folder in 0..=u8::MAX {
        bodies.in_folder(folder).iter().for_each(|(name, _)| bodies.remove(name));
    }
    Ok(true)
}
