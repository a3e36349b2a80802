//! Markers in the store: placed in one order, whichever process placed them, folded when there are too many, swept when no
//! entry needs them any more.
//!
//! A marker concerns the entries whose load knew none as new as it (`seen` is less than its number). So one that is
//! no newer than the least `seen` in the store concerns nothing there. What is not there yet (it waits to be written)
//! is compared with the *floor* when it comes: the newest marker that was swept. Who knew less
//! than that is not stored.

use rusqlite::{Connection, OptionalExtension, params};
use xxhash_rust::xxh3::Xxh3;

use super::layout::about;
use super::row::int;
use super::spelling;
use super::trouble::Failing;
use crate::stamp::Stamp;
use crate::stored_marker::{Mark, Placed};

/// Markers in a store. Of more, the oldest become markers of their whole namespaces, then of everything.
pub(crate) const MAX_MARKERS: u64 = 16_384;
/// Markers that are folded or swept at a time, at most.
const CHUNK: u64 = 500;
/// A marker is swept no sooner: loads that take no longer than this are always stored.
const KEPT_MS: u64 = 600_000;

const INSERT: &str = "
    INSERT INTO marker (seq, scope, purges, stamp, hold_until, settle_until_ms, settle_fresh_ms, origin)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const COLUMNS: &str = "seq, scope, purges, stamp, hold_until, settle_until_ms, settle_fresh_ms, origin";
/// The origin of a marker that was folded: it is nobody's own any more.
const FOLDED: i64 = 0;

impl Placed {
    /// A number that stands for all of it; positive, so that SQLite can add and subtract without an overflow.
    fn digest(&self) -> i64 {
        let Mark { scope, purges, stamp, hold_until, settle_until_ms, settle_fresh_ms } = &self.mark;
        let numbers = [
            self.seq,
            self.origin.cast_unsigned(),
            u64::from(*purges),
            stamp.raw(),
            hold_until.raw(),
            *settle_until_ms,
            *settle_fresh_ms,
        ];
        let mut hasher = Xxh3::new();
        for number in numbers {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(scope.as_bytes());
        (hasher.digest() >> 2).cast_signed()
    }
}

impl Mark {
    /// Whether nothing that was loaded before is of use any more, of all or of a whole namespace.
    pub(super) fn clears(&self) -> bool {
        self.purges && (self.scope == "all" || self.scope.starts_with("namespace|"))
    }

    /// The same of everything.
    pub(super) fn clears_all(&self) -> bool {
        self.purges && self.scope == "all"
    }

    /// Takes over all that `other` forbids.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.stamp = self.stamp.max(other.stamp);
        self.hold_until = self.hold_until.max(other.hold_until);
        if other.settle_until_ms > 0 {
            let is_settling = self.settle_until_ms > 0;
            let fresh_ms = other.settle_fresh_ms;
            self.settle_fresh_ms = if is_settling { self.settle_fresh_ms.min(fresh_ms) } else { fresh_ms };
            self.settle_until_ms = self.settle_until_ms.max(other.settle_until_ms);
        }
    }
}

/// Writes a marker behind all others. One of the same scope and kind is replaced: what it says, the new one says.
pub(crate) fn place(db: &Connection, mark: &Mark, origin: i64, now_ms: u64) -> Result<(), Failing> {
    let (mut mark, before) = (mark.clone(), take_out(db, &mark.scope, mark.purges)?);
    if let Some(mut before) = before {
        // A settling time that is over counts no more.
        if before.mark.settle_until_ms <= now_ms {
            before.mark.settle_until_ms = 0;
        }
        mark.absorb(&before.mark);
    }
    insert(db, None, &mark, origin)
}

/// Whether these are all markers, as they were written: one that is lost or altered would bring back what it
/// invalidated.
pub(crate) fn are_whole(db: &Connection, all: &[Placed]) -> Result<bool, Failing> {
    Ok(about(db, "digest")? == all.iter().fold(0, |digest, one| digest ^ one.digest()))
}

/// All markers after `seq`, in order.
pub(crate) fn after(db: &Connection, seq: u64) -> Result<Vec<Placed>, Failing> {
    let mut select =
        db.prepare_cached(&format!("SELECT {COLUMNS} FROM marker WHERE seq > ?1 ORDER BY seq"))?;
    let rows = select.query_map([int(seq)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The number of the newest marker there ever was.
pub(crate) fn newest(db: &Connection) -> Result<u64, Failing> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'marker'";
    let newest: Option<i64> = db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
    Ok(newest.unwrap_or(0).cast_unsigned())
}

/// The newest marker that was swept: who knew less is not stored.
pub(crate) fn floor(db: &Connection) -> Result<i64, Failing> {
    about(db, "floor")
}

/// Folds the oldest markers until there are no more than `max`.
pub(crate) fn fold(db: &Connection, max: u64) -> Result<(), Failing> {
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
        for one in oldest {
            fold_one(db, one)?;
        }
    }
    Ok(())
}

/// Makes a marker part of a broader one, which then concerns what the newer of both concerned.
fn fold_one(db: &Connection, mut one: Placed) -> Result<(), Failing> {
    take_out(db, &one.mark.scope, one.mark.purges)?;
    one.mark.scope = spelling::broader(&one.mark.scope);
    if let Some(broader) = take_out(db, &one.mark.scope, one.mark.purges)? {
        one.mark.absorb(&broader.mark);
        one.seq = one.seq.max(broader.seq);
    }
    insert(db, Some(one.seq), &one.mark, FOLDED)
}

/// A purge of everything, or of a whole namespace.
#[derive(Debug)]
pub(crate) struct Clearing {
    pub(crate) seq: u64,
    /// What the keys begin with that it concerns.
    pub(crate) keys_begin: String,
}

/// All of them that are newer than this one, in order.
pub(crate) fn clearing_after(db: &Connection, seq: u64) -> Result<Vec<Clearing>, Failing> {
    let sql = "SELECT seq, scope FROM marker WHERE seq > ?1 AND purges
        AND (scope = 'all' OR scope LIKE 'namespace|%') ORDER BY seq";
    let mut select = db.prepare_cached(sql)?;
    let rows = select.query_map([int(seq)], |row| {
        let (seq, scope): (i64, String) = (row.get(0)?, row.get(1)?);
        Ok(Clearing { seq: seq.cast_unsigned(), keys_begin: spelling::keys_below(&scope) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether everything was cleared, and something of it lies here yet.
pub(crate) fn is_cleared(db: &Connection) -> Result<bool, Failing> {
    let sql = "SELECT 1 FROM marker WHERE purges AND scope = 'all' AND seq > (SELECT min(seen) FROM entry)";
    Ok(db.prepare_cached(sql)?.query_row([], |_| Ok(())).optional()?.is_some())
}

/// Takes out some of the markers that concern nothing in the store any more.
pub(crate) fn sweep(db: &Connection, now_ms: u64) -> Result<(), Failing> {
    let least: Option<i64> =
        db.prepare_cached("SELECT min(seen) FROM entry")?.query_row([], |row| row.get(0))?;
    let least = least.unwrap_or(i64::MAX);
    let old = Stamp::end_of(now_ms.saturating_sub(KEPT_MS)).raw().cast_signed();
    let now = Stamp::end_of(now_ms).raw().cast_signed();
    let mut delete = db.prepare_cached(&format!(
        "DELETE FROM marker WHERE seq IN (
            SELECT seq FROM marker
            WHERE seq <= ?1 AND stamp < ?2 AND hold_until <= ?3 AND settle_until_ms <= ?4 ORDER BY seq LIMIT ?5)
         RETURNING {COLUMNS}",
    ))?;
    let gone: Vec<Placed> = delete
        .query_map(params![least, old, now, int(now_ms), int(CHUNK)], read)?
        .collect::<Result<_, _>>()?;
    if let Some(newest) = gone.iter().map(|one| one.seq).max() {
        db.prepare_cached("UPDATE about SET value = max(value, ?1) WHERE name = 'floor'")?
            .execute([int(newest)])?;
    }
    gone.iter().try_for_each(|one| count(db, -1, one))
}

fn first(db: &Connection, which: &str, chunk: u64) -> Result<Vec<Placed>, Failing> {
    let sql = format!("SELECT {COLUMNS} FROM marker WHERE {which} ORDER BY seq LIMIT ?1");
    let mut select = db.prepare_cached(&sql)?;
    let rows = select.query_map([int(chunk)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn take_out(db: &Connection, scope: &str, purges: bool) -> Result<Option<Placed>, Failing> {
    let sql = format!("DELETE FROM marker WHERE scope = ?1 AND purges = ?2 RETURNING {COLUMNS}");
    let taken = db.prepare_cached(&sql)?.query_row(params![scope, purges], read).optional()?;
    if let Some(taken) = &taken {
        count(db, -1, taken)?;
    }
    Ok(taken)
}

/// Writes a marker with that number, or behind all others.
fn insert(db: &Connection, seq: Option<u64>, mark: &Mark, origin: i64) -> Result<(), Failing> {
    db.prepare_cached(INSERT)?.execute(params![
        seq.map(int),
        mark.scope,
        mark.purges,
        mark.stamp.raw().cast_signed(),
        mark.hold_until.raw().cast_signed(),
        int(mark.settle_until_ms),
        int(mark.settle_fresh_ms),
        origin
    ])?;
    let seq = db.last_insert_rowid().cast_unsigned();
    count(db, 1, &Placed { seq, origin, mark: mark.clone() })
}

/// Books a marker that came or went.
fn count(db: &Connection, more: i64, one: &Placed) -> Result<(), Failing> {
    db.prepare_cached("UPDATE about SET value = value + ?1 WHERE name = 'markers'")?.execute([more])?;
    // Exclusive or: what comes and goes leaves no trace.
    let sql = "UPDATE about SET value = (value | ?1) - (value & ?1) WHERE name = 'digest'";
    db.prepare_cached(sql)?.execute([one.digest()])?;
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Placed> {
    let number = |at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
    Ok(Placed {
        seq: number(0)?,
        origin: row.get(7)?,
        mark: Mark {
            scope: row.get(1)?,
            purges: row.get(2)?,
            stamp: Stamp::from_raw(number(3)?),
            hold_until: Stamp::from_raw(number(4)?),
            settle_until_ms: number(5)?,
            settle_fresh_ms: number(6)?,
        },
    })
}
