//! A row of the store: how an entry becomes one, and how it is read and checked.

use rusqlite::types::Value as Field;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::batch::Offer;
use super::bodies::Bodies;
use super::extent::Size;
use super::parcel::{self, Packed};
use super::trouble::Failing;
use crate::key::{Key, Tag};
use crate::policy::Horizons;
use crate::stamp::Stamp;
use crate::value::Value;

/// What a row costs beside its own bytes: its numbers, its places in five trees, and what pages leave empty.
const ROW_OVERHEAD: usize = 240;
/// How exact the time of the last read is kept.
const USED_EXACT_MS: u64 = 3_600_000;

/// The columns that [`Raw`] is read from, in its order.
macro_rules! columns {
    () => {
        "key, created, created_ms, stored_ms, fresh_until_ms, stale_until_ms, error_until_ms, refresh_at_ms,
        adapted, seen, tags, meta, compressed, body, file, length, checksum, used_ms"
    };
}
pub(super) const COLUMNS: &str = columns!();
pub(super) const SELECT: &str = concat!("SELECT ", columns!(), " FROM entry WHERE hash = ?1");

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

/// A row that is not what was written: that one, and no later one under its key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Torn {
    /// Of its key.
    pub(crate) hash: i64,
    /// What stands where the stamp of its load should: it may be damaged too.
    pub(crate) created: Field,
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
pub(super) struct Packing {
    pub(super) hash: i64,
    pub(super) key: Key,
    pub(super) created: i64,
    pub(super) times: [i64; 6],
    pub(super) adapted: bool,
    pub(super) seen: i64,
    pub(super) used_ms: i64,
    pub(super) tags: Vec<u8>,
    pub(super) meta: bytes::Bytes,
    pub(super) body: Packed,
    pub(super) file: Option<String>,
    /// The file belongs to the row that is to be replaced, and holds the same bytes.
    pub(super) is_reused: bool,
    pub(super) file_bytes: i64,
    pub(super) file_hash: Option<i64>,
    pub(super) length: i64,
    pub(super) checksum: i64,
}

impl Packing {
    pub(super) fn of(offer: &Offer, hash: i64, now_ms: u64) -> Option<Self> {
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
    pub(super) fn size(&self) -> Size {
        let bytes = self.key.whole().len() + self.tags.len() + self.meta.len() + self.body.bytes.len();
        Size { bytes: count(bytes + ROW_OVERHEAD), file_bytes: self.file_bytes }
    }
}

/// Writes a row, unless what is there came from a later load. Gives by how much the store grew.
pub(super) fn put(
    db: &Connection,
    row: &Packing,
    replaced: &mut Vec<String>,
) -> Result<Option<Size>, Failing> {
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
pub(super) fn take_out(
    db: &Connection,
    hash: i64,
    not_after: Option<Stamp>,
    files: &mut Vec<String>,
) -> Result<Size, Failing> {
    let than = not_after.map(|stamp| stamp.raw().cast_signed());
    let sql = "DELETE FROM entry WHERE hash = ?1 AND (?2 IS NULL OR created <= ?2) RETURNING size, file_bytes, file";
    let gone: Option<(Size, Option<String>)> = db
        .prepare_cached(sql)?
        .query_row(params![hash, than], |row| {
            Ok((Size { bytes: row.get(0)?, file_bytes: row.get(1)? }, row.get(2)?))
        })
        .optional()?;
    let Some((size, file)) = gone else { return Ok(Size::default()) };
    files.extend(file);
    Ok(size)
}

/// Takes a torn row out, unless another was written in its place; gives its size.
pub(super) fn take_out_torn(db: &Connection, torn: &Torn, files: &mut Vec<String>) -> Result<Size, Failing> {
    let sql = "SELECT 1 FROM entry WHERE hash = ?1 AND created IS ?2";
    let is_there = db.prepare_cached(sql)?.exists(params![torn.hash, torn.created])?;
    if is_there { take_out(db, torn.hash, None, files) } else { Ok(Size::default()) }
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

pub(super) fn count(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Times that never come are the largest number both ways.
fn unsigned(number: i64) -> u64 {
    if number == i64::MAX { u64::MAX } else { number.max(0).cast_unsigned() }
}
