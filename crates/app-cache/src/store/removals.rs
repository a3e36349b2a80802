//! Large invalidations: they are on disk at once and hide what they cover from then on; its rows are removed in several
//! transactions, so that no write waits for millions of rows.

use rusqlite::{Connection, OptionalExtension, params};

use super::entries::{remove_row, tags_of};
use super::invalidations::mark;
use super::schema::ROW_BYTES;
use super::sweeps::name_of;
use super::transaction::WriteTransaction;
use super::{from_sql, to_sql};
use crate::entry::ENTRY_OVERHEAD_BYTES;
use crate::error::AppCacheError;
use crate::name::{CacheName, EntryTags};
use crate::scope::{InvalidationScope, key_range};

/// Max rows that one transaction looks at.
pub(crate) const ROWS_PER_REMOVAL: usize = if cfg!(test) { 2 } else { 500 };
/// Max removals of one cache that are not finished, because every lookup compares them. Further large invalidations are
/// refused until one is finished.
pub(crate) const MAX_REMOVALS: usize = 32;

const PREFIX_KIND: i64 = 2;
const TAG_KIND: i64 = 3;

/// Rows removed so far, and what is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RemovalStep {
    /// Entries removed in this transaction.
    pub(crate) removed: u64,
    /// Number of the removal that continues; `None` if it is finished.
    pub(crate) continues: Option<u64>,
}

/// Removals of one cache that are not finished.
#[derive(Debug, Default)]
pub(super) struct Removals(Vec<(InvalidationScope, u64)>);

/// Position at which the next transaction continues.
enum Position {
    /// After this key, in the order of keys.
    Key(Vec<u8>),
    /// After this row of a tag.
    Row(i64),
}

impl Removals {
    /// Those of a cache.
    pub(super) fn of(db: &Connection, cache: i64) -> rusqlite::Result<Self> {
        let mut find = db.prepare_cached("SELECT kind, value, sequence FROM removal WHERE cache = ?1")?;
        let read = |row: &rusqlite::Row<'_>| Ok((scope(row.get(0)?, row.get(1)?), from_sql(row.get(2)?)));
        Ok(Self(find.query_map([cache], read)?.collect::<Result<_, _>>()?))
    }

    /// Whether an entry that was stored with this number is invalidated.
    pub(super) fn cover(&self, key: &str, tags: &EntryTags, sequence: u64) -> bool {
        self.0.iter().any(|(scope, at)| *at > sequence && scope.covers(key, tags))
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn scope(kind: i64, value: Vec<u8>) -> InvalidationScope {
    let value = String::from_utf8(value).unwrap_or_default();
    if kind == PREFIX_KIND { InvalidationScope::Prefix(value) } else { InvalidationScope::Tag(value) }
}

/// Remembers that what a scope covers is to be removed, if there is more than one transaction's worth, and removes the
/// first rows. A key and everything are not removed here.
///
/// # Errors
/// The store failed, or too many removals are not finished; then nothing has changed.
pub(super) fn begin(
    change: &mut WriteTransaction<'_>,
    cache: &CacheName,
    scope: &InvalidationScope,
) -> Result<RemovalStep, AppCacheError> {
    let id = change.cache(cache)?.id;
    let (kind, value, start) = match scope {
        InvalidationScope::Prefix(prefix) => (PREFIX_KIND, prefix, Position::Key(Vec::new())),
        InvalidationScope::Tag(tag) => (TAG_KIND, tag, Position::Row(i64::MIN)),
        InvalidationScope::Key(_) | InvalidationScope::All => return Ok(RemovalStep::default()),
    };
    let rows = candidates(change.db, id, scope, &start)?;
    if rows.len() == ROWS_PER_REMOVAL && !has_room(change.db, id, kind, value)? {
        return Err(AppCacheError::Busy);
    }
    let sequence = mark(change, cache, scope)?;
    let (removed, position) = remove(change, cache, scope, sequence, rows)?;
    let Some(position) = position else {
        // An earlier removal of the same scope is finished with this one.
        let sql = "DELETE FROM removal WHERE cache = ?1 AND kind = ?2 AND value = ?3";
        change.db.prepare_cached(sql)?.execute(params![id, kind, value.as_bytes()])?;
        return Ok(RemovalStep { removed, continues: None });
    };
    let mut write = change.db.prepare_cached("INSERT OR REPLACE INTO removal VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let (key, row) = columns(position);
    write.execute(params![id, kind, value.as_bytes(), to_sql(sequence), key, row])?;
    Ok(RemovalStep { removed, continues: Some(sequence) })
}

/// Whether a removal may begin, in the place of an earlier one of the same scope or beside the others.
fn has_room(db: &Connection, cache: i64, kind: i64, value: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM removal WHERE cache = ?1 AND NOT (kind = ?2 AND value = ?3)";
    let mut count = db.prepare_cached(sql)?;
    let others = count.query_row(params![cache, kind, value.as_bytes()], |row| row.get(0))?;
    Ok(from_sql(others) < MAX_REMOVALS as u64)
}

/// Number of the oldest removal that is not among these.
pub(crate) fn oldest_removal(change: &WriteTransaction<'_>, except: &[u64]) -> Result<Option<u64>, AppCacheError> {
    let mut find = change.db.prepare_cached("SELECT sequence FROM removal ORDER BY sequence")?;
    let numbers = find.query_map([], |row| row.get(0).map(from_sql))?.collect::<Result<Vec<_>, _>>()?;
    Ok(numbers.into_iter().find(|number| !except.contains(number)))
}

/// Removes further rows of the removal with this number.
pub(crate) fn continue_removal(change: &mut WriteTransaction<'_>, sequence: u64) -> Result<RemovalStep, AppCacheError> {
    let found = {
        let sql = "SELECT cache, kind, value, after_key, after_row FROM removal WHERE sequence = ?1";
        let mut find = change.db.prepare_cached(sql)?;
        let read = |row: &rusqlite::Row<'_>| {
            let position = match (row.get(3)?, row.get(4)?) {
                (Some(key), _) => Position::Key(key),
                (None, after) => Position::Row(after),
            };
            Ok((row.get::<_, i64>(0)?, scope(row.get(1)?, row.get(2)?), position))
        };
        find.query_row([to_sql(sequence)], read).optional()?
    };
    let Some((id, scope, position)) = found else { return Ok(RemovalStep::default()) };
    // Rows of a cache that was emptied since are removed with it.
    let (removed, position) = match name_of(change, id)? {
        Some(name) => {
            let rows = candidates(change.db, id, &scope, &position)?;
            remove(change, &name, &scope, sequence, rows)?
        }
        None => (0, None),
    };
    if let Some(position) = position {
        let (key, row) = columns(position);
        let sql = "UPDATE removal SET after_key = ?2, after_row = ?3 WHERE sequence = ?1";
        change.db.prepare_cached(sql)?.execute(params![to_sql(sequence), key, row])?;
        return Ok(RemovalStep { removed, continues: Some(sequence) });
    }
    change.db.prepare_cached("DELETE FROM removal WHERE sequence = ?1")?.execute([to_sql(sequence)])?;
    Ok(RemovalStep { removed, continues: None })
}

fn columns(position: Position) -> (Option<Vec<u8>>, i64) {
    match position {
        Position::Key(key) => (Some(key), 0),
        Position::Row(row) => (None, row),
    }
}

/// A row that a scope may cover.
struct Candidate {
    id: i64,
    key: Vec<u8>,
    weight: u64,
    sequence: u64,
}

/// The next rows after a position, [`ROWS_PER_REMOVAL`] at most.
fn candidates(
    db: &Connection,
    cache: i64,
    scope: &InvalidationScope,
    position: &Position,
) -> rusqlite::Result<Vec<Candidate>> {
    match (scope, position) {
        (InvalidationScope::Prefix(prefix), Position::Key(after)) => keys_after(db, cache, prefix, after),
        (InvalidationScope::Tag(tag), Position::Row(after)) => tagged_after(db, cache, tag, *after),
        _ => Ok(Vec::new()),
    }
}

/// Removes those of these rows that are older than the invalidation. Returns how many, and the position after them
/// unless they were the last.
fn remove(
    change: &mut WriteTransaction<'_>,
    cache: &CacheName,
    scope: &InvalidationScope,
    sequence: u64,
    rows: Vec<Candidate>,
) -> Result<(u64, Option<Position>), AppCacheError> {
    let is_last = rows.len() < ROWS_PER_REMOVAL;
    let mut removed = 0;
    for row in &rows {
        // One that was stored since is of another generation.
        if row.sequence < sequence {
            remove_row(change, cache, row.id, row.weight)?;
            removed += 1;
        }
    }
    let next = rows.into_iter().last().filter(|_| !is_last).map(|row| match scope {
        InvalidationScope::Tag(_) => Position::Row(row.id),
        _ => Position::Key(row.key),
    });
    Ok((removed, next))
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Candidate> {
    let key: Vec<u8> = row.get(1)?;
    let weight = from_sql(row.get(2)?) + ENTRY_OVERHEAD_BYTES;
    Ok(Candidate { id: row.get(0)?, key, weight, sequence: from_sql(row.get(3)?) })
}

fn keys_after(db: &Connection, cache: i64, prefix: &str, after: &[u8]) -> rusqlite::Result<Vec<Candidate>> {
    let (first, end) = key_range(prefix, after);
    let mut find = db.prepare_cached(&format!(
        "SELECT id, key, {ROW_BYTES}, sequence FROM entry
            WHERE cache = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4"
    ))?;
    let limit = to_sql(ROWS_PER_REMOVAL as u64);
    find.query_map(params![cache, first, end, limit], read)?.collect()
}

fn tagged_after(db: &Connection, cache: i64, tag: &str, after: i64) -> rusqlite::Result<Vec<Candidate>> {
    let mut find = db.prepare_cached(&format!(
        "SELECT entry.id, entry.key, {ROW_BYTES}, entry.sequence
            FROM entry_tag CROSS JOIN entry ON entry.id = entry_tag.entry
            WHERE entry_tag.cache = ?1 AND entry_tag.tag = ?2 AND entry_tag.entry > ?3
            ORDER BY entry_tag.entry LIMIT ?4"
    ))?;
    let limit = to_sql(ROWS_PER_REMOVAL as u64);
    find.query_map(params![cache, tag.as_bytes(), after, limit], read)?.collect()
}

/// Whether a row with these columns is invalidated.
pub(super) fn is_covered(removals: &Removals, key: &str, tags: Option<&str>, sequence: u64) -> bool {
    !removals.is_empty() && removals.cover(key, &tags_of(tags), sequence)
}
