//! Writes a batch as one transaction: large bodies to their files first, then the rows that reference them.

use crate::timestamp::Timestamp;
use rusqlite::{OptionalExtension, params};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::blobs::BlobStore;
use super::disk_usage::{self, RowSize};
use super::error::{StorageError, StorageErrorKind};
use super::row::{RowBuilder, count, delete, delete_corrupt, int, upsert};
use super::store::DiskStore;
use super::write_batch::{BatchResult, WriteBatch};
use super::{invalidation_log, negative};

impl DiskStore {
    /// Writes a batch as one transaction. An entry that cannot be written is counted; the others are written.
    pub(crate) fn write(
        &mut self,
        batch: &WriteBatch,
        origin: i64,
        now_ms: Timestamp,
    ) -> Result<BatchResult, StorageError> {
        let (mut result, mut rows) = (BatchResult::default(), Vec::new());
        let committed = self
            .encode_rows(batch, now_ms, &mut rows, &mut result)
            .and_then(|()| self.commit(batch, &rows, origin, now_ms, &mut result));
        match committed {
            Ok(()) => Ok(result),
            Err(error) => {
                // A batch that only waits for the write lock is retried with the same files.
                if error.kind != StorageErrorKind::Locked {
                    let created = rows.into_iter().filter(|row| !row.is_reused);
                    self.blobs.remove_all(&created.filter_map(|row| row.file).collect::<Vec<_>>());
                }
                Err(error)
            }
        }
    }

    fn commit(
        &mut self,
        batch: &WriteBatch,
        rows: &[RowBuilder],
        origin: i64,
        now_ms: Timestamp,
        result: &mut BatchResult,
    ) -> Result<(), StorageError> {
        let mut replaced = Vec::new();
        let seed = self.seed;
        let transaction = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut grown = RowSize::default();
        for invalidation in &batch.invalidations {
            invalidation_log::append(&transaction, invalidation, origin, now_ms)?;
        }
        if !batch.invalidations.is_empty() {
            invalidation_log::fold(&transaction, self.max_markers)?;
        }
        let floor = invalidation_log::floor(&transaction)?;
        for (key, not_after) in &batch.removals {
            let hash = xxh3_64_with_seed(key.encoded().as_bytes(), seed).cast_signed();
            grown -= delete(&transaction, hash, Some(*not_after), &mut replaced)?;
        }
        for (key, negative) in &batch.negative {
            let hash = xxh3_64_with_seed(key.encoded().as_bytes(), seed).cast_signed();
            negative::write(&transaction, hash, key, negative)?;
        }
        for corrupt_row in &batch.corrupt {
            grown -= delete_corrupt(&transaction, corrupt_row, &mut replaced)?;
        }
        for hash in &batch.used {
            transaction
                .prepare_cached("UPDATE entry SET used_ms = ?2 WHERE hash = ?1")?
                .execute(params![hash, int(now_ms.as_millis())])?;
        }
        for row in rows {
            // An invalidation it did not know may have been swept.
            let upsert = if row.known_sequence < floor { Ok(None) } else { upsert(&transaction, row, &mut replaced) };
            match upsert {
                Ok(Some(added)) => {
                    grown += added;
                    result.stored += 1;
                }
                Ok(None) => {
                    replaced.extend(row.file.clone().filter(|_| !row.is_reused));
                    result.outdated += 1;
                }
                // If the whole transaction is gone, so are the others.
                Err(error) if error.kind == StorageErrorKind::Io && !transaction.is_autocommit() => {
                    replaced.extend(row.file.clone().filter(|_| !row.is_reused));
                    result.failed += 1;
                }
                Err(error) => return Err(error),
            }
        }
        let stamps = batch.writes.iter().map(|pending| pending.entry.created());
        let newest =
            stamps.chain(batch.invalidations.iter().map(|invalidation| invalidation.stamp)).max().unwrap_or_default();
        transaction
            .prepare_cached("UPDATE about SET value = max(value, ?1) WHERE name = 'stamp'")?
            .execute([newest.raw().cast_signed()])?;
        disk_usage::add_usage(&transaction, grown)?;
        transaction.commit()?;
        self.blobs.remove_all(&replaced);
        Ok(())
    }

    /// Encodes queued entries, and writes large bodies to their files.
    fn encode_rows(
        &self,
        batch: &WriteBatch,
        now_ms: Timestamp,
        rows: &mut Vec<RowBuilder>,
        result: &mut BatchResult,
    ) -> Result<(), StorageError> {
        rows.reserve(batch.writes.len());
        for pending in &batch.writes {
            let Some(mut row) = RowBuilder::from_write(pending, self.hash(&pending.key), now_ms) else {
                result.failed += 1;
                continue;
            };
            if row.body.bytes.len() > self.file_above {
                let hash = xxh3_64(&row.body.bytes).cast_signed();
                (row.file_bytes, row.file_hash) = (count(row.body.bytes.len()), Some(hash));
                let is_removed =
                    batch.removes(&row.key) || batch.corrupt.iter().any(|corrupt_row| corrupt_row.hash == row.hash);
                if let (false, Some(name)) = (is_removed, self.same_file(&row)?) {
                    (row.file, row.is_reused) = (Some(name), true);
                    rows.push(row);
                    continue;
                }
                let name = BlobStore::name(row.hash, pending.entry.created());
                match self.blobs.write(&name, &row.body.bytes).map_err(StorageError::from) {
                    Ok(()) => row.file = Some(name),
                    Err(error) if error.kind == StorageErrorKind::Io => {
                        result.failed += 1;
                        continue;
                    }
                    Err(error) => return Err(error),
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
        let file = select.query_row(params![row.hash, row.file_hash, row.file_bytes], |row| row.get(0));
        let file: Option<String> = file.optional()?.flatten();
        Ok(file.filter(|name| self.blobs.length(name) == Some(row.file_bytes.unsigned_abs())))
    }
}
