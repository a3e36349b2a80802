//! Eviction, in steps short enough that no caller waits for one.

use rusqlite::{Connection, OptionalExtension, params};

use super::disk_usage::{self, RowSize};
use super::error::StorageError;
use super::invalidation_log::{self, BulkPurge};
use super::negative;
use super::row::{delete, hash_in, int};
use super::schema::about;
use super::store::DiskStore;

/// Max rows removed in one step.
const SWEEP_ROWS: i64 = 500;
/// Max rows scanned for purged ones in one step: most rows scanned belong to other namespaces.
const LOOKED_ROWS: i64 = 2_000;
/// Min age of an unreferenced file before it is removed: another process may be about to write its row.
pub(super) const ORPHAN_AFTER_MS: u64 = 600_000;

/// How far the rows were scanned for purged ones.
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
    /// Removes some purged or unusable rows, then some of the least recently read while there are more than
    /// `max_bytes`, and frees some pages. True if there is more to do.
    pub(crate) fn evict(&mut self, now_ms: u64, max_bytes: u64) -> Result<bool, StorageError> {
        let mut files = Vec::new();
        let change = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let clearing = invalidation_log::bulk_purges_after(&change, self.purge_cursor.done)?;
        let (mut gone, walk) = self.purge_cursor.advance(&change, &clearing)?;
        let ended = "SELECT hash FROM entry WHERE error_until_ms <= ?1 LIMIT ?2";
        gone.extend(hashes(&change, ended, int(now_ms))?);
        let mut freed = RowSize::default();
        for hash in &gone {
            freed += delete(&change, *hash, None, &mut files)?;
        }
        let ended = gone.len();
        let held_now = disk_usage::used_bytes(&change)?.saturating_sub(freed.file_bytes.unsigned_abs());
        let booked = about(&change, "bytes")? - freed.bytes;
        let too_many = disk_usage::excess(held_now, max_bytes, booked);
        if too_many > 0 {
            let oldest = "SELECT hash FROM entry WHERE used_ms <= ?1 ORDER BY used_ms LIMIT ?2";
            let mut taken = 0;
            for hash in hashes(&change, oldest, i64::MAX)? {
                if taken >= too_many {
                    break;
                }
                let one = delete(&change, hash, None, &mut files)?;
                taken += one.bytes;
                freed += one;
                gone.push(hash);
            }
        }
        // Without changes, nothing is written.
        if !gone.is_empty() {
            disk_usage::add_usage(&change, RowSize::default() - freed)?;
        }
        invalidation_log::sweep(&change, now_ms)?;
        let memos = negative::sweep(&change, now_ms)?;
        change.commit()?;
        self.purge_cursor = walk;
        self.blobs.remove_all(&files);
        let is_chunk_full = ended as u64 >= SWEEP_ROWS.cast_unsigned() || memos >= negative::SWEEP_ROWS;
        let is_walking = walk.done < walk.newest;
        // The real size of rows is known only once they are deleted.
        let is_too_much = gone.len() > ended && disk_usage::used_bytes(&self.db)? > max_bytes;
        Ok(disk_usage::vacuum_step(&self.db)? || is_chunk_full || is_walking || is_too_much)
    }

    /// Removes the bodies of one folder that no row references and that are older than a write takes.
    pub(crate) fn remove_orphans(&self, folder: u8, now_ms: u64) -> Result<u64, StorageError> {
        let mut removed = 0;
        for (name, changed_ms) in self.blobs.list_folder(folder) {
            if changed_ms.saturating_add(ORPHAN_AFTER_MS) > now_ms {
                continue;
            }
            let named: Option<i64> = self
                .db
                .prepare_cached("SELECT 1 FROM entry WHERE hash = ?1 AND file = ?2")?
                .query_row(params![hash_in(&name), name], |row| row.get(0))
                .optional()?;
            if named.is_none() {
                self.blobs.remove(&name);
                removed += 1;
            }
        }
        Ok(removed)
    }
}

impl PurgeCursor {
    /// Some purged rows, which are never used again, and the new state of the scan.
    fn advance(mut self, db: &Connection, clearing: &[BulkPurge]) -> Result<(Vec<i64>, Self), StorageError> {
        let mut found = Vec::new();
        let Some(newest) = clearing.last() else {
            // Another process removed the last of it, and with it the invalidation.
            return Ok((found, Self { done: self.newest.max(self.done), ..self }));
        };
        if newest.seq != self.newest {
            self = Self { newest: newest.seq, row: 0, ..self };
        }
        let mut select =
            db.prepare_cached("SELECT id, hash, seen, key FROM entry WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let mut rows = select.query([self.row, LOOKED_ROWS])?;
        let mut looked = 0;
        while (found.len() as u64) < SWEEP_ROWS.cast_unsigned()
            && let Some(row) = rows.next()?
        {
            looked += 1;
            self.row = row.get(0)?;
            let (seen, key): (i64, _) = (row.get(2)?, row.get_ref(3)?);
            let key = key.as_str().map_err(rusqlite::Error::from)?;
            if clearing.iter().any(|one| seen < int(one.seq) && key.starts_with(&one.keys_begin)) {
                found.push(row.get(1)?);
            }
        }
        if looked < LOOKED_ROWS && (found.len() as u64) < SWEEP_ROWS.cast_unsigned() {
            self.done = self.newest;
        }
        Ok((found, self))
    }
}

fn hashes(db: &Connection, sql: &str, until: i64) -> Result<Vec<i64>, StorageError> {
    let mut select = db.prepare_cached(sql)?;
    let rows = select.query_map([until, SWEEP_ROWS], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
