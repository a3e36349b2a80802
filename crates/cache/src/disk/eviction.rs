//! Eviction, in steps short enough that no caller waits for one.

use crate::timestamp::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

use super::disk_usage::{self, RowSize};
use super::error::StorageError;
use super::invalidation_log::{self, BulkPurge};
use super::negative;
use super::row::{delete, hash_in, int};
use super::schema::about;
use super::store::DiskStore;

/// Max rows removed in one step.
const SWEEP_ROWS: i64 = 500;
/// An eviction removes one part of this many more than it has to.
const SLACK_SHARE: u64 = 32;
/// Max rows scanned for purged ones in one step: most rows scanned belong to other namespaces.
const SCAN_ROWS: i64 = 2_000;
/// Min age of an unreferenced file before it is removed: its row may not be committed yet.
pub(super) const ORPHAN_AFTER: Duration = Duration::from_secs(600);

/// Position up to which the rows were scanned for purged ones.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct PurgeCursor {
    /// Everything purged up to this invalidation is removed.
    done: u64,
    /// The newest invalidation of the scan, and the last row scanned. A newer one restarts it, because it covers
    /// earlier rows too.
    newest: u64,
    pub(super) row: i64,
}

impl DiskStore {
    /// Removes some purged or unusable rows. If used pages and body files take more than `max_bytes`, removes some of the
    /// least recently read rows, a little more than needed, so that not every batch is followed by an eviction. Then
    /// frees some pages. True if there is more to do.
    pub(crate) fn evict(&mut self, now_ms: Timestamp, max_bytes: u64) -> Result<bool, StorageError> {
        let mut files = Vec::new();
        let transaction = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let bulk_purges = invalidation_log::bulk_purges_after(&transaction, self.purge_cursor.done)?;
        let (mut deleted, cursor) = self.purge_cursor.advance(&transaction, &bulk_purges)?;
        let expired = "SELECT hash FROM entry WHERE error_until_ms <= ?1 LIMIT ?2";
        deleted.extend(hashes(&transaction, expired, int(now_ms.as_millis()))?);
        let mut freed = RowSize::default();
        for hash in &deleted {
            freed += delete(&transaction, *hash, None, &mut files)?;
        }
        let expired = deleted.len();
        let used_bytes = disk_usage::used_bytes(&transaction)?.saturating_sub(freed.file_bytes.unsigned_abs());
        let recorded = about(&transaction, "bytes")? - freed.bytes;
        if used_bytes > max_bytes {
            let excess = disk_usage::excess(used_bytes, max_bytes - max_bytes / SLACK_SHARE, recorded);
            let oldest = "SELECT hash FROM entry WHERE used_ms <= ?1 ORDER BY used_ms LIMIT ?2";
            let mut freed_bytes = 0;
            for hash in hashes(&transaction, oldest, i64::MAX)? {
                if freed_bytes >= excess {
                    break;
                }
                let size = delete(&transaction, hash, None, &mut files)?;
                freed_bytes += size.bytes;
                freed += size;
                deleted.push(hash);
            }
        }
        // Without changes, nothing is written.
        if !deleted.is_empty() {
            disk_usage::add_usage(&transaction, RowSize::default() - freed)?;
        }
        invalidation_log::sweep(&transaction, now_ms)?;
        let swept = negative::sweep(&transaction, now_ms)?;
        transaction.commit()?;
        self.purge_cursor = cursor;
        self.blobs.remove_all(&files);
        let is_chunk_full = expired as u64 >= SWEEP_ROWS.cast_unsigned() || swept >= negative::SWEEP_ROWS;
        let is_unfinished = cursor.done < cursor.newest;
        // The real size of rows is known only once they are deleted.
        let is_above_limit = deleted.len() > expired && disk_usage::used_bytes(&self.db)? > max_bytes;
        Ok(disk_usage::vacuum_step(&self.db, max_bytes)? || is_chunk_full || is_unfinished || is_above_limit)
    }

    /// Removes the bodies of one folder that no row references and that are older than a write takes.
    pub(crate) fn remove_orphans(&self, folder: u8, now_ms: Timestamp) -> Result<u64, StorageError> {
        let mut removed = 0;
        for (name, modified_ms) in self.blobs.list_folder(folder) {
            if modified_ms.saturating_add(ORPHAN_AFTER) > now_ms {
                continue;
            }
            let referenced: Option<i64> = self
                .db
                .prepare_cached("SELECT 1 FROM entry WHERE hash = ?1 AND file = ?2")?
                .query_row(params![hash_in(&name), name], |row| row.get(0))
                .optional()?;
            if referenced.is_none() {
                self.blobs.remove(&name);
                removed += 1;
            }
        }
        Ok(removed)
    }
}

impl PurgeCursor {
    /// Some purged rows, which are never used again, and the new state of the scan.
    fn advance(mut self, db: &Connection, bulk_purges: &[BulkPurge]) -> Result<(Vec<i64>, Self), StorageError> {
        let mut deleted = Vec::new();
        let Some(newest) = bulk_purges.last() else {
            // None is pending: the last one was swept together with the entries it covered.
            return Ok((deleted, Self { done: self.newest.max(self.done), ..self }));
        };
        if newest.seq != self.newest {
            self = Self { newest: newest.seq, row: 0, ..self };
        }
        let mut select =
            db.prepare_cached("SELECT id, hash, seen, key FROM entry WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let mut rows = select.query([self.row, SCAN_ROWS])?;
        let mut scanned = 0;
        while (deleted.len() as u64) < SWEEP_ROWS.cast_unsigned()
            && let Some(row) = rows.next()?
        {
            scanned += 1;
            self.row = row.get(0)?;
            let (seen, key): (i64, _) = (row.get(2)?, row.get_ref(3)?);
            let key = key.as_str().map_err(rusqlite::Error::from)?;
            if bulk_purges.iter().any(|size| seen < int(size.seq) && key.starts_with(&size.key_prefix)) {
                deleted.push(row.get(1)?);
            }
        }
        if scanned < SCAN_ROWS && (deleted.len() as u64) < SWEEP_ROWS.cast_unsigned() {
            self.done = self.newest;
        }
        Ok((deleted, self))
    }
}

fn hashes(db: &Connection, sql: &str, until: i64) -> Result<Vec<i64>, StorageError> {
    let mut select = db.prepare_cached(sql)?;
    let rows = select.query_map([until, SWEEP_ROWS], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
