//! The store of the disk tier: one SQLite database, a folder of files for large bodies, and the operations on them.
//! Calls block on the disk and on SQLite's locks, on nothing else. Threads are the caller's matter: the writer and each
//! reader have a connection of their own.
//!
//! The design was chosen by measurement: a rowid table with a unique index over a 64-bit hash of the key (the key
//! itself is compared in the row), a write-ahead log, prepared statements, many writes per transaction. `mmap_size` is
//! zero, because a process that reads a mapped file is killed if that file is truncated.

use crate::timestamp::Timestamp;
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::blobs::BlobStore;
use super::disk_usage;
use super::error::{StorageError, StorageErrorKind};
use super::eviction::PurgeCursor;
use super::lookup::ReadSnapshot;
#[cfg(test)]
use super::lookup::StoreLookup;
use super::row::{SELECT, int};
use super::schema::{about, prepare};
use super::write_batch::InvalidationDelta;
use super::{invalidation_log, negative};
use crate::hybrid_timestamp::HybridTimestamp;
use crate::key::Key;
use crate::negative::NegativeEntry;
use crate::stored_invalidation::NumberedInvalidation;

/// File name of the database in its directory.
pub(crate) const FILE: &str = "cache.db";
/// Max wait for another connection that holds the write lock.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Max wait for readers when the log is truncated. Short, because nothing can be written meanwhile.
const CHECKPOINT_TIMEOUT: Duration = Duration::from_millis(50);
/// Larger than SQLite's default, because writing a page takes the same number of system calls whatever its size, in the
/// log and again in the database. Most rows are at most a quarter of it.
const PAGE_BYTES: i64 = 16 * 1024;
/// Page cache of a connection that writes, and of one that only reads, in KiB.
const WRITER_CACHE_KIB: i64 = 4 * 1024;
const READER_CACHE_KIB: i64 = 16 * 1024;
/// A write-ahead log larger than this is checkpointed. The size is large to make that rare, because each checkpoint
/// waits twice until the disk has synced.
const CHECKPOINT_BYTES: i64 = 12 * 1024 * 1024;
/// The log file is not truncated below this size, because growing it again costs more than the space it takes.
const LOG_LIMIT_BYTES: i64 = 16 * 1024 * 1024;
/// Entries in the store and their bytes.
#[cfg(test)]
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoreStats {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

/// One connection to the store.
#[derive(Debug)]
pub(crate) struct DiskStore {
    pub(super) db: Connection,
    pub(super) blobs: BlobStore,
    pub(super) path: PathBuf,
    /// Inode of the opened database file. Another file may have replaced it since.
    pub(super) inode: u64,
    pub(super) seed: u64,
    pub(super) file_above: usize,
    /// Max stored invalidations.
    pub(super) max_markers: u64,
    /// Position of the scan for purged rows.
    pub(super) purge_cursor: PurgeCursor,
}

impl DiskStore {
    /// Opens the store in `dir`, creating it if necessary. Bodies longer than `file_above` bytes get a file each.
    pub(crate) fn open(dir: &Path, file_above: usize) -> Result<Self, StorageError> {
        let may_write = || OpenOptions::new().write(true).open(dir.join(FILE)).is_ok();
        Self::connect(dir, file_above).map_err(|error| match error.kind {
            // SQLite calls the file read-only, but the system allows writing to it: the file is damaged.
            StorageErrorKind::ReadOnly if may_write() => StorageError::new(StorageErrorKind::Damaged, error.message),
            _ => error,
        })
    }

    fn connect(dir: &Path, file_above: usize) -> Result<Self, StorageError> {
        let path = dir.join(FILE);
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        // Created here rather than by SQLite, so that no other user can read it. SQLite gives the log and the shared
        // memory file the same mode.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(&path, flags)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        // Otherwise closing the last connection to a file that was set aside would delete the log of its replacement.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        db.set_prepared_statement_cache_capacity(32);
        db.pragma_update(None, "mmap_size", 0)?;
        db.pragma_update(None, "page_size", PAGE_BYTES)?;
        db.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        // Takes effect only before the first page is written; on a file in use it would needlessly wait for the write
        // lock. Writes become about 5 % slower, but otherwise the file could never shrink.
        if disk_usage::is_empty(&db)? {
            db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.pragma_update(None, "journal_size_limit", LOG_LIMIT_BYTES)?;
        db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_BYTES / PAGE_BYTES)?;
        prepare(&mut db)?;
        if db.is_readonly(rusqlite::MAIN_DB)? {
            return Err(StorageError::new(StorageErrorKind::ReadOnly, "the database is marked read-only"));
        }
        let seed = about(&db, "seed")?.cast_unsigned();
        let inode = std::fs::metadata(&path)?.ino();
        let max_markers = invalidation_log::MAX_MARKERS;
        Ok(Self {
            db,
            blobs: BlobStore::new(dir),
            path,
            inode,
            seed,
            file_above,
            max_markers,
            purge_cursor: PurgeCursor::default(),
        })
    }

    /// Whether the opened file is still in its place.
    pub(crate) fn is_in_place(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|file| file.ino() == self.inode)
    }

    /// The hash by which a key's row is found.
    pub(crate) fn hash(&self, key: &Key) -> i64 {
        xxh3_64_with_seed(key.encoded().as_bytes(), self.seed).cast_signed()
    }

    /// Begins a read transaction for several lookups. [`Self::end_read`] ends it.
    pub(crate) fn begin_read(&self) -> Result<(), StorageError> {
        Ok(self.db.prepare_cached("BEGIN DEFERRED")?.execute([]).map(|_| ())?)
    }

    /// Ends the read transaction. Does nothing if there is none.
    pub(crate) fn end_read(&self) {
        let result = self.db.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        if result.is_err() {
            let _ = self.db.execute_batch("ROLLBACK"); // Fails only if the transaction is gone already.
        }
    }

    /// Enlarges the page cache, for a connection that only reads.
    pub(crate) fn with_reader_cache(self) -> Result<Self, StorageError> {
        self.db.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
        Ok(self)
    }

    /// Looks up one key.
    #[cfg(test)]
    pub(crate) fn get(&self, key: &Key) -> Result<StoreLookup, StorageError> {
        self.read_snapshot()?.get(key)
    }

    /// Begins lookups in one snapshot of the store.
    pub(crate) fn read_snapshot(&self) -> Result<ReadSnapshot<'_>, StorageError> {
        self.begin_read()?;
        match self.db.prepare_cached(SELECT) {
            Ok(select) => Ok(ReadSnapshot { store: self, select }),
            Err(error) => {
                self.end_read();
                Err(error.into())
            }
        }
    }

    /// The newest timestamp ever written. Those of this process must be newer.
    pub(crate) fn newest_stamp(&self) -> Result<HybridTimestamp, StorageError> {
        let stamp = about(&self.db, "stamp")?;
        // A valid timestamp is below 2^63, so later ones always fit. A negative number is damage.
        u64::try_from(stamp)
            .map(HybridTimestamp::from_raw)
            .map_err(|_| StorageError::new(StorageErrorKind::Damaged, "the newest timestamp is out of range"))
    }

    /// All invalidations with a sequence number above `seq`, in order.
    #[cfg(test)]
    pub(crate) fn invalidations_after(&self, seq: u64) -> Result<Vec<NumberedInvalidation>, StorageError> {
        invalidation_log::after(&self.db, seq)
    }

    /// The invalidations with a sequence number above `seq`, and the floor, in one snapshot of the store.
    pub(crate) fn invalidation_delta(&self, seq: u64) -> Result<InvalidationDelta, StorageError> {
        self.begin_read()?;
        let delta = invalidation_log::after(&self.db, seq).and_then(|invalidations| {
            Ok(InvalidationDelta { invalidations, floor: invalidation_log::floor(&self.db)?.max(0).cast_unsigned() })
        });
        self.end_read();
        delta
    }

    /// All negative entries that have not expired.
    pub(crate) fn negative_entries(&self, now_ms: Timestamp) -> Result<Vec<(Key, NegativeEntry)>, StorageError> {
        negative::read_unexpired(&self.db, now_ms)
    }

    /// The highest sequence number ever assigned.
    #[cfg(test)]
    pub(crate) fn newest_sequence(&self) -> Result<u64, StorageError> {
        invalidation_log::newest(&self.db)
    }

    /// A number that changes whenever another connection has written.
    #[cfg(test)]
    pub(crate) fn version(&self) -> Result<i64, StorageError> {
        Ok(self.db.pragma_query_value(None, "data_version", |row| row.get(0))?)
    }

    /// All invalidations in order, and the highest sequence number ever assigned. Fails if one is damaged or missing.
    pub(crate) fn all_invalidations(&self) -> Result<(Vec<NumberedInvalidation>, u64), StorageError> {
        self.begin_read()?;
        let all = invalidation_log::after(&self.db, 0).and_then(|all| {
            Ok((invalidation_log::is_intact(&self.db, &all)?, all, invalidation_log::newest(&self.db)?))
        });
        self.end_read();
        match all? {
            (true, all, newest) => Ok((all, newest)),
            (false, ..) => Err(StorageError::new(
                StorageErrorKind::Damaged,
                "the stored invalidations do not match their checksum",
            )),
        }
    }

    /// Random number that identifies this store and seeds its hashes.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether the store has no entries.
    pub(crate) fn is_empty(&self) -> Result<bool, StorageError> {
        let row = self.db.query_row("SELECT 1 FROM entry LIMIT 1", [], |_| Ok(())).optional()?;
        Ok(row.is_none())
    }

    /// Whether everything was purged, but some of the purged rows are not deleted yet.
    pub(crate) fn is_cleared(&self) -> Result<bool, StorageError> {
        invalidation_log::is_cleared(&self.db)
    }

    /// Records when the entries under these keys were last read. Eviction removes the least recently read.
    pub(crate) fn record_used(&mut self, keys: &[Key], now_ms: Timestamp) -> Result<(), StorageError> {
        let hashes: Vec<i64> = keys.iter().map(|key| self.hash(key)).collect();
        let transaction = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let sql = "UPDATE entry SET used_ms = ?2 WHERE hash = ?1 AND used_ms < ?2";
        for hash in hashes {
            transaction.prepare_cached(sql)?.execute(params![hash, int(now_ms.as_millis())])?;
        }
        Ok(transaction.commit()?)
    }

    /// Bytes of its files: pages, body files, and the write-ahead log. Fast: no row is counted.
    pub(crate) fn bytes(&self) -> Result<u64, StorageError> {
        Ok(disk_usage::total_bytes(&self.db)? + self.wal_bytes())
    }

    /// Whether used pages and body files take more than `max_bytes`.
    pub(crate) fn is_above(&self, max_bytes: u64) -> Result<bool, StorageError> {
        Ok(disk_usage::used_bytes(&self.db)? > max_bytes)
    }

    /// Bytes of the write-ahead log.
    pub(crate) fn wal_bytes(&self) -> u64 {
        std::fs::metadata(self.path.with_extension("db-wal")).map_or(0, |wal| wal.len())
    }

    /// Checkpoints and truncates the log. False if another connection blocked it for longer than
    /// [`CHECKPOINT_TIMEOUT`].
    pub(crate) fn truncate_wal(&self) -> Result<bool, StorageError> {
        self.db.busy_timeout(CHECKPOINT_TIMEOUT)?;
        let is_busy = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        self.db.busy_timeout(BUSY_TIMEOUT)?;
        Ok(is_busy? == 0)
    }

    /// Counts all rows. Slow.
    #[cfg(test)]
    pub(crate) fn count(&self) -> Result<StoreStats, StorageError> {
        let sql = "SELECT count(*), coalesce(sum(size), 0) FROM entry";
        let (entries, bytes): (i64, i64) = self.db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(StoreStats { bytes: bytes.max(0).cast_unsigned(), entries: entries.max(0).cast_unsigned() })
    }
}

/// Inode of the database file in `dir`, if there is one.
pub(crate) fn inode_in(dir: &Path) -> Option<u64> {
    std::fs::metadata(dir.join(FILE)).ok().map(|file| file.ino())
}

/// Renames the database file, replacing one set aside before, and deletes its log and shared memory file. Returns the
/// new path; `None` if the file in `dir` is not `inode`, because it was replaced meanwhile.
pub(crate) fn set_aside(dir: &Path, inode: u64) -> Result<Option<PathBuf>, StorageError> {
    if inode_in(dir) != Some(inode) {
        return Ok(None);
    }
    let moved = dir.join(format!("{FILE}.set-aside"));
    std::fs::rename(dir.join(FILE), &moved)?;
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.join(format!("{FILE}{suffix}"))); // It may not exist.
    }
    Ok(Some(moved))
}

/// Deletes the database file, its log and shared memory file, a file set aside before, and all bodies. Returns `false`
/// and deletes nothing if the file in `dir` is not `inode`.
pub(crate) fn delete_files(dir: &Path, inode: u64) -> Result<bool, StorageError> {
    if inode_in(dir) != Some(inode) {
        return Ok(false);
    }
    let file = |suffix: &str| dir.join(format!("{FILE}{suffix}"));
    // Readers keep these two files open for a while, so deleting them does not free their space yet: they are truncated
    // as well. That is safe because no process maps them.
    let opened = [file(""), file("-wal")].map(|path| OpenOptions::new().write(true).open(path));
    std::fs::remove_file(file(""))?;
    for suffix in ["-wal", "-shm", ".set-aside"] {
        let _ = std::fs::remove_file(file(suffix)); // It may not exist.
    }
    for file in opened.into_iter().flatten() {
        let _ = file.set_len(0); // Otherwise the space is freed once the readers close the file.
    }
    let bodies = BlobStore::new(dir);
    for folder in 0..=u8::MAX {
        bodies.list_folder(folder).iter().for_each(|(name, _)| bodies.remove(name));
    }
    Ok(true)
}
