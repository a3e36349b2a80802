//! Stored invalidations: appended in one order that outlives the process, folded when there are too many, swept once no
//! entry needs them.
//!
//! An invalidation affects entries whose load did not know it (their `seen` is below its number). So one that is not
//! newer than the lowest `seen` in the store affects nothing there. Entries still waiting to be written are compared
//! with the *floor* when they arrive: the newest invalidation swept. An entry that knew less than that is not stored.

use crate::clock::millis;
use crate::timestamp::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;
use xxhash_rust::xxh3::Xxh3;

use super::error::StorageError;
use super::row::int;
use super::schema::about;
use super::scope_codec;
use crate::hybrid_timestamp::HybridTimestamp;
use crate::stored_invalidation::{NumberedInvalidation, PendingInvalidation};

/// Max stored invalidations. Beyond it, the oldest are folded into their whole namespaces, then into everything.
pub(crate) const MAX_MARKERS: u64 = 16_384;
/// Max invalidations folded or swept at a time.
const CHUNK: u64 = 500;
/// Min age of a swept invalidation, so loads shorter than this are always stored.
const MIN_AGE: Duration = Duration::from_secs(600);

const INSERT: &str = "
    INSERT INTO marker (seq, scope, purges, stamp, hold_until, settle_until_ms, settle_fresh_ms, origin)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const COLUMNS: &str = "seq, scope, purges, stamp, hold_until, settle_until_ms, settle_fresh_ms, origin";
/// Origin of a folded invalidation, which belongs to no process.
const FOLDED: i64 = 0;

impl NumberedInvalidation {
    /// Digest of the whole invalidation; positive, so that SQLite can add and subtract without overflow.
    fn digest(&self) -> i64 {
        let PendingInvalidation { scope, purges, stamp, hold_until, grace_until_ms, grace_fresh_ms } =
            &self.invalidation;
        let numbers = [
            self.seq,
            self.origin.cast_unsigned(),
            u64::from(*purges),
            stamp.raw(),
            hold_until.raw(),
            (*grace_until_ms).as_millis(),
            millis(*grace_fresh_ms),
        ];
        let mut hasher = Xxh3::new();
        for number in numbers {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(scope.as_bytes());
        (hasher.digest() >> 2).cast_signed()
    }
}

impl PendingInvalidation {
    /// Whether it purges everything, or a whole namespace.
    pub(super) fn is_bulk_purge(&self) -> bool {
        self.purges && (self.scope == "all" || self.scope.starts_with("namespace|"))
    }

    /// Whether it purges everything.
    pub(super) fn is_full_purge(&self) -> bool {
        self.purges && self.scope == "all"
    }

    /// Merges all restrictions of `other`.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.stamp = self.stamp.max(other.stamp);
        self.hold_until = self.hold_until.max(other.hold_until);
        if other.grace_until_ms > Timestamp::UNIX_EPOCH {
            let has_grace_period = self.grace_until_ms > Timestamp::UNIX_EPOCH;
            let fresh_ms = other.grace_fresh_ms;
            self.grace_fresh_ms = if has_grace_period { self.grace_fresh_ms.min(fresh_ms) } else { fresh_ms };
            self.grace_until_ms = self.grace_until_ms.max(other.grace_until_ms);
        }
    }
}

/// Appends an invalidation. It replaces an earlier one of the same scope and kind, and includes its restrictions.
pub(crate) fn append(
    db: &Connection,
    invalidation: &PendingInvalidation,
    origin: i64,
    now_ms: Timestamp,
) -> Result<(), StorageError> {
    let (mut invalidation, earlier) = (invalidation.clone(), delete(db, &invalidation.scope, invalidation.purges)?);
    if let Some(mut earlier) = earlier {
        // A grace period that is over no longer counts.
        if earlier.invalidation.grace_until_ms <= now_ms {
            earlier.invalidation.grace_until_ms = Timestamp::UNIX_EPOCH;
        }
        invalidation.absorb(&earlier.invalidation);
    }
    insert(db, None, &invalidation, origin)
}

/// Whether these are all invalidations, exactly as written: a lost or altered one would revive what it invalidated.
pub(crate) fn is_intact(db: &Connection, all: &[NumberedInvalidation]) -> Result<bool, StorageError> {
    Ok(about(db, "digest")? == all.iter().fold(0, |digest, numbered| digest ^ numbered.digest()))
}

/// All invalidations after `seq`, in order.
pub(crate) fn after(db: &Connection, seq: u64) -> Result<Vec<NumberedInvalidation>, StorageError> {
    let mut select = db.prepare_cached(&format!("SELECT {COLUMNS} FROM marker WHERE seq > ?1 ORDER BY seq"))?;
    let rows = select.query_map([int(seq)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The highest sequence number ever assigned.
pub(crate) fn newest(db: &Connection) -> Result<u64, StorageError> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'marker'";
    let newest: Option<i64> = db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
    Ok(newest.unwrap_or(0).cast_unsigned())
}

/// The newest swept invalidation: entries that knew less are not stored.
pub(crate) fn floor(db: &Connection) -> Result<i64, StorageError> {
    about(db, "floor")
}

/// Folds the oldest invalidations until there are at most `max`.
pub(crate) fn fold(db: &Connection, max: u64) -> Result<(), StorageError> {
    let chunk = (max / 4).clamp(1, CHUNK);
    while about(db, "markers")? > int(max.max(2)) {
        let narrow = "scope <> 'all' AND scope NOT LIKE 'namespace|%'";
        let mut oldest = first(db, narrow, chunk)?;
        if oldest.is_empty() {
            oldest = first(db, "scope <> 'all'", chunk)?;
        }
        if oldest.is_empty() {
            return Ok(());
        }
        for numbered in oldest {
            fold_one(db, numbered)?;
        }
    }
    Ok(())
}

/// Merges an invalidation into a broader one, which then affects what the newer of the two affected.
fn fold_one(db: &Connection, mut numbered: NumberedInvalidation) -> Result<(), StorageError> {
    delete(db, &numbered.invalidation.scope, numbered.invalidation.purges)?;
    numbered.invalidation.scope = scope_codec::broader(&numbered.invalidation.scope);
    if let Some(broader) = delete(db, &numbered.invalidation.scope, numbered.invalidation.purges)? {
        numbered.invalidation.absorb(&broader.invalidation);
        numbered.seq = numbered.seq.max(broader.seq);
    }
    insert(db, Some(numbered.seq), &numbered.invalidation, FOLDED)
}

/// A purge of everything, or of a whole namespace.
#[derive(Debug)]
pub(crate) struct BulkPurge {
    pub(crate) seq: u64,
    /// Prefix of the keys it covers.
    pub(crate) key_prefix: String,
}

/// All bulk purges newer than `seq`, in order.
pub(crate) fn bulk_purges_after(db: &Connection, seq: u64) -> Result<Vec<BulkPurge>, StorageError> {
    let sql = "SELECT seq, scope FROM marker WHERE seq > ?1 AND purges
        AND (scope = 'all' OR scope LIKE 'namespace|%') ORDER BY seq";
    let mut select = db.prepare_cached(sql)?;
    let rows = select.query_map([int(seq)], |row| {
        let (seq, scope): (i64, String) = (row.get(0)?, row.get(1)?);
        Ok(BulkPurge { seq: seq.cast_unsigned(), key_prefix: scope_codec::key_prefix(&scope) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether everything was purged, but rows of it remain.
pub(crate) fn is_cleared(db: &Connection) -> Result<bool, StorageError> {
    let sql = "SELECT 1 FROM marker WHERE purges AND scope = 'all' AND seq > (SELECT min(seen) FROM entry)";
    Ok(db.prepare_cached(sql)?.query_row([], |_| Ok(())).optional()?.is_some())
}

/// Deletes some of the invalidations that affect nothing in the store any more.
pub(crate) fn sweep(db: &Connection, now_ms: Timestamp) -> Result<(), StorageError> {
    let oldest_known: Option<i64> =
        db.prepare_cached("SELECT min(seen) FROM entry")?.query_row([], |row| row.get(0))?;
    let oldest_known = oldest_known.unwrap_or(i64::MAX);
    let old_stamp = HybridTimestamp::end_of(now_ms.saturating_sub(MIN_AGE)).raw().cast_signed();
    let now_stamp = HybridTimestamp::end_of(now_ms).raw().cast_signed();
    let mut delete = db.prepare_cached(&format!(
        "DELETE FROM marker WHERE seq IN (
            SELECT seq FROM marker
            WHERE seq <= ?1 AND stamp < ?2 AND hold_until <= ?3 AND settle_until_ms <= ?4 ORDER BY seq LIMIT ?5)
         RETURNING {COLUMNS}",
    ))?;
    let swept: Vec<NumberedInvalidation> = delete
        .query_map(params![oldest_known, old_stamp, now_stamp, int(now_ms.as_millis()), int(CHUNK)], read)?
        .collect::<Result<_, _>>()?;
    if let Some(newest) = swept.iter().map(|numbered| numbered.seq).max() {
        db.prepare_cached("UPDATE about SET value = max(value, ?1) WHERE name = 'floor'")?.execute([int(newest)])?;
    }
    swept.iter().try_for_each(|numbered| count(db, -1, numbered))
}

fn first(db: &Connection, condition: &str, chunk: u64) -> Result<Vec<NumberedInvalidation>, StorageError> {
    let sql = format!("SELECT {COLUMNS} FROM marker WHERE {condition} ORDER BY seq LIMIT ?1");
    let mut select = db.prepare_cached(&sql)?;
    let rows = select.query_map([int(chunk)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn delete(db: &Connection, scope: &str, purges: bool) -> Result<Option<NumberedInvalidation>, StorageError> {
    let sql = format!("DELETE FROM marker WHERE scope = ?1 AND purges = ?2 RETURNING {COLUMNS}");
    let deleted = db.prepare_cached(&sql)?.query_row(params![scope, purges], read).optional()?;
    if let Some(deleted) = &deleted {
        count(db, -1, deleted)?;
    }
    Ok(deleted)
}

/// Writes an invalidation with this number, or after all others.
fn insert(
    db: &Connection,
    seq: Option<u64>,
    invalidation: &PendingInvalidation,
    origin: i64,
) -> Result<(), StorageError> {
    db.prepare_cached(INSERT)?.execute(params![
        seq.map(int),
        invalidation.scope,
        invalidation.purges,
        invalidation.stamp.raw().cast_signed(),
        invalidation.hold_until.raw().cast_signed(),
        int(invalidation.grace_until_ms.as_millis()),
        int(millis(invalidation.grace_fresh_ms)),
        origin
    ])?;
    let seq = db.last_insert_rowid().cast_unsigned();
    count(db, 1, &NumberedInvalidation { seq, origin, invalidation: invalidation.clone() })
}

/// Updates count and digest for an added or deleted invalidation.
fn count(db: &Connection, more: i64, numbered: &NumberedInvalidation) -> Result<(), StorageError> {
    db.prepare_cached("UPDATE about SET value = value + ?1 WHERE name = 'markers'")?.execute([more])?;
    // Exclusive or: adding and deleting cancel out.
    let sql = "UPDATE about SET value = (value | ?1) - (value & ?1) WHERE name = 'digest'";
    db.prepare_cached(sql)?.execute([numbered.digest()])?;
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<NumberedInvalidation> {
    let number = |at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
    Ok(NumberedInvalidation {
        seq: number(0)?,
        origin: row.get(7)?,
        invalidation: PendingInvalidation {
            scope: row.get(1)?,
            purges: row.get(2)?,
            stamp: HybridTimestamp::from_raw(number(3)?),
            hold_until: HybridTimestamp::from_raw(number(4)?),
            grace_until_ms: Timestamp::from_millis(number(5)?),
            grace_fresh_ms: Duration::from_millis(number(6)?),
        },
    })
}
