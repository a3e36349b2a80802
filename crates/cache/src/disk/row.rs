//! A row of the store: encoding an entry, reading it and checking it.

use crate::timestamp::Timestamp;
use rusqlite::types::Value as Field;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::time::Duration;

use super::blobs::BlobStore;
use super::codec::{self, EncodedBody};
use super::disk_usage::RowSize;
use super::error::StorageError;
use super::write_batch::PendingWrite;
use crate::hybrid_timestamp::HybridTimestamp;
use crate::key::{Key, Tag};
use crate::policy::EntryDeadlines;
use crate::value::Value;

/// Bytes a row costs beside its content: its numbers, its share of the table and four indexes, and unused space in
/// pages.
const ROW_OVERHEAD: usize = 240;
/// Precision of the stored time of the last read: it is not updated more often.
const USED_EXACT: Duration = Duration::from_secs(3600);

/// Columns in the order in which [`RawRow::read`] reads them; the first is the key.
macro_rules! columns {
    () => {
        "key, created, created_ms, stored_ms, fresh_until_ms, stale_until_ms, error_until_ms, refresh_at_ms,
        adapted, seen, tags, meta, compressed, body, file, length, checksum, used_ms"
    };
}
pub(super) const COLUMNS: &str = columns!();
pub(super) const SELECT: &str = concat!("SELECT ", columns!(), " FROM entry WHERE hash = ?1");

/// Replaces any row of the same hash: [`upsert`] checks first that that one does not come from a later load.
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

/// A value read from disk, with everything of an entry that outlives the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredEntry {
    pub(crate) value: Value,
    pub(crate) tags: Vec<Tag>,
    pub(crate) created: HybridTimestamp,
    pub(crate) created_ms: Timestamp,
    pub(crate) stored_ms: Timestamp,
    pub(crate) deadlines: EntryDeadlines,
    pub(crate) adapted: bool,
    /// The newest invalidation known when its load began.
    pub(crate) known_sequence: u64,
    /// Last recorded read.
    pub(crate) used_ms: Timestamp,
}

impl StoredEntry {
    /// Whether the time of the last read is old enough to be updated.
    pub(crate) fn needs_used_update(&self, now_ms: Timestamp) -> bool {
        now_ms.duration_since(self.used_ms) > USED_EXACT
    }
}

/// Identifies a corrupt row, but no later row of its key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CorruptRow {
    /// Hash of its key.
    pub(crate) hash: i64,
    /// Its column `created`, of any type, because it may be damaged too.
    pub(crate) created: Field,
}

/// A row before its checksum is verified.
pub(super) struct RawRow {
    /// The columns from `created_ms` to `refresh_at_ms`.
    times: [i64; 6],
    created: i64,
    adapted: bool,
    known_sequence: i64,
    used_ms: i64,
    tags: Vec<u8>,
    meta: Vec<u8>,
    compressed: bool,
    body: Option<Vec<u8>>,
    file: Option<String>,
    length: i64,
    checksum: i64,
}

impl RawRow {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            created: row.get(1)?,
            times: [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?],
            adapted: row.get(8)?,
            known_sequence: row.get(9)?,
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

    /// The value, if it is intact.
    pub(super) fn check(self, key: &Key, bodies: &BlobStore) -> Option<StoredEntry> {
        let length = usize::try_from(self.length).ok()?;
        let bytes = match (self.body, self.file) {
            (Some(body), None) => body.into(),
            (None, Some(file)) => bodies.read(&file, length).ok()?,
            _ => return None,
        };
        let numbers = numbers(self.created, &self.times, self.adapted, self.known_sequence, self.length);
        if codec::checksum(key.encoded(), &bytes, &self.meta, &self.tags, &numbers) != self.checksum {
            return None;
        }
        let [created_ms, stored_ms, fresh_until_ms, stale_until_ms, error_until_ms, refresh_at_ms] =
            self.times.map(|column| Timestamp::from_millis(unsigned(column)));
        let body = codec::decode_body(EncodedBody { bytes, compressed: self.compressed }, length)?;
        Some(StoredEntry {
            value: Value { body, meta: self.meta.into() },
            tags: codec::split_tags(&self.tags)?,
            created: HybridTimestamp::from_raw(self.created.cast_unsigned()),
            created_ms,
            stored_ms,
            deadlines: EntryDeadlines { fresh_until_ms, stale_until_ms, error_until_ms, refresh_at_ms },
            adapted: self.adapted,
            known_sequence: self.known_sequence.cast_unsigned(),
            used_ms: Timestamp::from_millis(unsigned(self.used_ms)),
        })
    }
}

/// A row to be written.
pub(super) struct RowBuilder {
    pub(super) hash: i64,
    pub(super) key: Key,
    pub(super) created: i64,
    pub(super) times: [i64; 6],
    pub(super) adapted: bool,
    pub(super) known_sequence: i64,
    pub(super) used_ms: i64,
    pub(super) tags: Vec<u8>,
    pub(super) meta: bytes::Bytes,
    pub(super) body: EncodedBody,
    pub(super) file: Option<String>,
    /// True if the file is that of the row being replaced, because it holds the same bytes.
    pub(super) is_reused: bool,
    pub(super) file_bytes: i64,
    pub(super) file_hash: Option<i64>,
    pub(super) length: i64,
    pub(super) checksum: i64,
}

impl RowBuilder {
    pub(super) fn from_write(pending: &PendingWrite, hash: i64, now_ms: Timestamp) -> Option<Self> {
        let entry = &pending.entry;
        let deadlines = entry.deadlines();
        let times = [
            entry.created_ms(),
            entry.stored_ms(),
            deadlines.fresh_until_ms,
            deadlines.stale_until_ms,
            deadlines.error_until_ms,
            deadlines.refresh_at_ms,
        ]
        .map(|moment| int(moment.as_millis()));
        let tags = codec::join_tags(entry.tags())?;
        let body = codec::encode_body(entry.body());
        let (created, known_sequence) = (entry.created().raw().cast_signed(), pending.known_sequence.cast_signed());
        let length = i64::try_from(entry.body().len()).ok()?;
        let numbers = numbers(created, &times, entry.adapted(), known_sequence, length);
        Some(Self {
            checksum: codec::checksum(pending.key.encoded(), &body.bytes, entry.meta(), &tags, &numbers),
            hash,
            key: pending.key.clone(),
            created,
            times,
            adapted: entry.adapted(),
            known_sequence,
            used_ms: int(now_ms.as_millis()),
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

    /// Approximate size, including its file.
    pub(super) fn size(&self) -> RowSize {
        let bytes = self.key.encoded().len() + self.tags.len() + self.meta.len() + self.body.bytes.len();
        RowSize { bytes: count(bytes + ROW_OVERHEAD), file_bytes: self.file_bytes }
    }
}

/// Writes a row, unless the current one comes from the same or a later load. Returns the growth of the store; `None` if
/// nothing was written. `replaced` receives the file that is no longer referenced, if any.
pub(super) fn upsert(
    db: &Connection,
    row: &RowBuilder,
    replaced: &mut Vec<String>,
) -> Result<Option<RowSize>, StorageError> {
    let replaced_row: Option<(i64, RowSize, Option<String>)> = db
        .prepare_cached("SELECT created, size, file_bytes, file FROM entry WHERE hash = ?1")?
        .query_row([row.hash], |row| {
            Ok((row.get(0)?, RowSize { bytes: row.get(1)?, file_bytes: row.get(2)? }, row.get(3)?))
        })
        .optional()?;
    if replaced_row.as_ref().is_some_and(|(created, ..)| *created >= row.created) {
        return Ok(None);
    }
    let (_, size_before, file_before) = replaced_row.unwrap_or_default();
    // The row whose file was to be reused may have been removed since, for example by `greenroom cache`.
    if row.is_reused && file_before != row.file {
        return Ok(None);
    }
    let body = if row.file.is_some() { None } else { Some(&row.body.bytes[..]) };
    let [created_ms, stored_ms, fresh_ms, stale_ms, error_ms, refresh_ms] = row.times;
    db.prepare_cached(UPSERT)?.execute(params![
        row.hash,
        row.key.encoded(),
        row.created,
        created_ms,
        stored_ms,
        fresh_ms,
        stale_ms,
        error_ms,
        refresh_ms,
        row.adapted,
        row.known_sequence,
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

/// Deletes the row with this hash, unless it comes from a load after `not_after`. Returns its size; `files` receives
/// its file.
pub(super) fn delete(
    db: &Connection,
    hash: i64,
    not_after: Option<HybridTimestamp>,
    files: &mut Vec<String>,
) -> Result<RowSize, StorageError> {
    let not_after = not_after.map(|stamp| stamp.raw().cast_signed());
    let sql = "DELETE FROM entry WHERE hash = ?1 AND (?2 IS NULL OR created <= ?2) RETURNING size, file_bytes, file";
    let deleted: Option<(RowSize, Option<String>)> = db
        .prepare_cached(sql)?
        .query_row(params![hash, not_after], |row| {
            Ok((RowSize { bytes: row.get(0)?, file_bytes: row.get(1)? }, row.get(2)?))
        })
        .optional()?;
    let Some((size, file)) = deleted else { return Ok(RowSize::default()) };
    files.extend(file);
    Ok(size)
}

/// Deletes a corrupt row, unless another replaced it; returns its size.
pub(super) fn delete_corrupt(
    db: &Connection,
    corrupt_row: &CorruptRow,
    files: &mut Vec<String>,
) -> Result<RowSize, StorageError> {
    let sql = "SELECT 1 FROM entry WHERE hash = ?1 AND created IS ?2";
    let exists = db.prepare_cached(sql)?.exists(params![corrupt_row.hash, corrupt_row.created])?;
    if exists { delete(db, corrupt_row.hash, None, files) } else { Ok(RowSize::default()) }
}

pub(super) fn hash_in(file: &str) -> i64 {
    let digits = file.get(3..19).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or_default().cast_signed()
}

fn numbers(created: i64, times: &[i64; 6], adapted: bool, known_sequence: i64, length: i64) -> [i64; 10] {
    let mut numbers = [0; 10];
    numbers[..6].copy_from_slice(times);
    numbers[6..].copy_from_slice(&[created, i64::from(adapted), known_sequence, length]);
    numbers
}

pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn count(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Inverse of [`int`]: the maximum, which means never, is mapped to the maximum.
fn unsigned(number: i64) -> u64 {
    if number == i64::MAX { u64::MAX } else { number.max(0).cast_unsigned() }
}
