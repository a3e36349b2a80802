//! Writes a batch as one transaction: large bodies to their files first, then the rows that reference them.

use rusqlite::{OptionalExtension, params};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::blobs::BlobStore;
use super::disk_usage::{self, RowSize};
use super::error::{StorageError, StorageErrorKind};
use super::row::{RowBuilder, count, delete, delete_corrupt, int, put};
use super::store::DiskStore;
use super::write_batch::{BatchResult, WriteBatch};
use super::{invalidation_log, negative};

impl DiskStore {
    /// Writes a batch as one transaction. An entry that cannot be written is counted; the others are written.
    pub(crate) fn write(&mut self, batch: &WriteBatch, origin: i64, now_ms: u64) -> Result<BatchResult, StorageError> {
        let (mut written, mut packed) = (BatchResult::default(), Vec::new());
        let done = self
            .pack(batch, now_ms, &mut packed, &mut written)
            .and_then(|()| self.commit(batch, &packed, origin, now_ms, &mut written));
        match done {
            Ok(()) => Ok(written),
            Err(failing) => {
                // A batch that only waits for the write lock is retried with the same files.
                if failing.kind != StorageErrorKind::Locked {
                    let made = packed.into_iter().filter(|row| !row.is_reused);
                    self.blobs.remove_all(&made.filter_map(|row| row.file).collect::<Vec<_>>());
                }
                Err(failing)
            }
        }
    }

    fn commit(
        &mut self,
        batch: &WriteBatch,
        packed: &[RowBuilder],
        origin: i64,
        now_ms: u64,
        written: &mut BatchResult,
    ) -> Result<(), StorageError> {
        let mut replaced = Vec::new();
        let seed = self.seed;
        let change = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut grown = RowSize::default();
        for mark in &batch.invalidations {
            invalidation_log::append(&change, mark, origin, now_ms)?;
        }
        if !batch.invalidations.is_empty() {
            invalidation_log::fold(&change, self.max_markers)?;
        }
        let floor = invalidation_log::floor(&change)?;
        for (key, than) in &batch.removals {
            let hash = xxh3_64_with_seed(key.encoded().as_bytes(), seed).cast_signed();
            grown -= delete(&change, hash, Some(*than), &mut replaced)?;
        }
        for (key, memo) in &batch.negative {
            let hash = xxh3_64_with_seed(key.encoded().as_bytes(), seed).cast_signed();
            negative::write(&change, hash, key, memo)?;
        }
        for torn in &batch.corrupt {
            grown -= delete_corrupt(&change, torn, &mut replaced)?;
        }
        for hash in &batch.used {
            change
                .prepare_cached("UPDATE entry SET used_ms = ?2 WHERE hash = ?1")?
                .execute(params![hash, int(now_ms)])?;
        }
        for row in packed {
            // An invalidation it did not know may have been swept.
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
                // If the whole transaction is gone, so are the others.
                Err(failing) if failing.kind == StorageErrorKind::Io && !change.is_autocommit() => {
                    replaced.extend(row.file.clone().filter(|_| !row.is_reused));
                    written.failed += 1;
                }
                Err(failing) => return Err(failing),
            }
        }
        let stamps = batch.writes.iter().map(|offer| offer.entry.created());
        let newest = stamps.chain(batch.invalidations.iter().map(|mark| mark.stamp)).max().unwrap_or_default();
        change
            .prepare_cached("UPDATE about SET value = max(value, ?1) WHERE name = 'stamp'")?
            .execute([newest.raw().cast_signed()])?;
        disk_usage::add_usage(&change, grown)?;
        change.commit()?;
        self.blobs.remove_all(&replaced);
        Ok(())
    }

    /// Encodes queued entries, and writes large bodies to their files.
    fn pack(
        &self,
        batch: &WriteBatch,
        now_ms: u64,
        rows: &mut Vec<RowBuilder>,
        written: &mut BatchResult,
    ) -> Result<(), StorageError> {
        rows.reserve(batch.writes.len());
        for offer in &batch.writes {
            let Some(mut row) = RowBuilder::from_write(offer, self.hash(&offer.key), now_ms) else {
                written.failed += 1;
                continue;
            };
            if row.body.bytes.len() > self.file_above {
                let hash = xxh3_64(&row.body.bytes).cast_signed();
                (row.file_bytes, row.file_hash) = (count(row.body.bytes.len()), Some(hash));
                let is_going = batch.removes(&row.key) || batch.corrupt.iter().any(|torn| torn.hash == row.hash);
                if let (false, Some(name)) = (is_going, self.same_file(&row)?) {
                    (row.file, row.is_reused) = (Some(name), true);
                    rows.push(row);
                    continue;
                }
                let name = BlobStore::name(row.hash, offer.entry.created());
                match self.blobs.write(&name, &row.body.bytes).map_err(StorageError::from) {
                    Ok(()) => row.file = Some(name),
                    Err(failing) if failing.kind == StorageErrorKind::Io => {
                        written.failed += 1;
                        continue;
                    }
                    Err(failing) => return Err(failing),
                }
            }
            rows.push(row);
        }
        Ok(())
    }

    /// The file of the row to be replaced, if it holds the same bytes: then only the row is written.
    fn same_file(&self, row: &RowBuilder) -> Result<Option<String>, StorageError> {
        let sql = "SELECT file FROM entry WHERE hash = ?1 AND file_hash = ?2 AND file_bytes = ?3";
        let mut select = self.db.prepare_cached(sql)?;
        let same = select.query_row(params![row.hash, row.file_hash, row.file_bytes], |row| row.get(0));
        let same: Option<String> = same.optional()?.flatten();
        Ok(same.filter(|name| self.blobs.length(name) == Some(row.file_bytes.unsigned_abs())))
    }
}
