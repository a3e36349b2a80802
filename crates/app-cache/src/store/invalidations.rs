//! Invalidations within a write transaction: they remove entries, and fence loads that began before.

use rusqlite::{Connection, params};

use super::entries::remove_row;
use super::transaction::{CacheRow, WriteTransaction};
use super::{from_sql, to_sql};
use crate::entry::ENTRY_OVERHEAD_BYTES;
use crate::error::AppCacheError;
use crate::name::{CacheName, EntryTags};
use crate::scope::{InvalidationScope, end_of_prefix};

/// Invalidations of one cache that are remembered for loads under way. A load that began before the oldest of them is
/// fenced.
pub(super) const MAX_MARKERS: u64 = 10_000;
/// Markers are counted and pruned once in so many numbers.
const PRUNED_EVERY: u64 = 256;

const KEY_KIND: i64 = 1;
const PREFIX_KIND: i64 = 2;
const TAG_KIND: i64 = 3;

/// Removes everything that a scope covers and fences its loads. Returns how many entries were removed.
pub(crate) fn invalidate(
    change: &mut WriteTransaction<'_>,
    cache: &CacheName,
    scope: &InvalidationScope,
) -> Result<u64, AppCacheError> {
    let id = change.cache(cache)?.id;
    let rows: Vec<(i64, u64)> = match scope {
        InvalidationScope::All => return Ok(change.renew_cache(cache)?),
        InvalidationScope::Key(key) => {
            let condition = "cache = ?1 AND key = ?2";
            rows(change.db, condition, params![id, key.as_bytes()])?
        }
        InvalidationScope::Prefix(prefix) => match end_of_prefix(prefix) {
            Some(end) => {
                let condition = "cache = ?1 AND key >= ?2 AND key < ?3";
                rows(change.db, condition, params![id, prefix.as_bytes(), end.as_bytes()])?
            }
            None => rows(change.db, "cache = ?1 AND key >= ?2", params![id, prefix.as_bytes()])?,
        },
        InvalidationScope::Tag(tag) => {
            let condition = "id IN (SELECT entry FROM entry_tag WHERE cache = ?1 AND tag = ?2)";
            rows(change.db, condition, params![id, tag.as_bytes()])?
        }
    };
    for (row, weight) in &rows {
        remove_row(change, cache, *row, *weight)?;
    }
    mark(change, cache, scope)?;
    Ok(rows.len() as u64)
}

fn rows(db: &Connection, condition: &str, values: impl rusqlite::Params) -> rusqlite::Result<Vec<(i64, u64)>> {
    let sql = format!("SELECT id, length(key) + length(value) FROM entry WHERE {condition}");
    let mut find = db.prepare_cached(&sql)?;
    let found = find.query_map(values, |row| Ok((row.get(0)?, from_sql(row.get(1)?) + ENTRY_OVERHEAD_BYTES)))?;
    found.collect()
}

/// Remembers an invalidation for loads that began before it.
pub(super) fn mark(
    change: &mut WriteTransaction<'_>,
    cache: &CacheName,
    scope: &InvalidationScope,
) -> Result<(), AppCacheError> {
    let sequence = change.next_sequence();
    let id = change.cache(cache)?.id;
    let (kind, value) = match scope {
        InvalidationScope::Key(key) => (KEY_KIND, key),
        InvalidationScope::Prefix(prefix) => (PREFIX_KIND, prefix),
        InvalidationScope::Tag(tag) => (TAG_KIND, tag),
        InvalidationScope::All => return Ok(()),
    };
    change.db.prepare_cached("INSERT OR REPLACE INTO marker VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        id,
        kind,
        value.as_bytes(),
        to_sql(sequence)
    ])?;
    if sequence.is_multiple_of(PRUNED_EVERY) {
        prune(change, cache)?;
    }
    Ok(())
}

fn prune(change: &mut WriteTransaction<'_>, cache: &CacheName) -> Result<(), AppCacheError> {
    let id = change.cache(cache)?.id;
    let sql = "SELECT sequence FROM marker WHERE cache = ?1 ORDER BY sequence DESC LIMIT 1 OFFSET ?2";
    let mut oldest = change.db.prepare_cached(sql)?;
    let oldest = oldest.query_map(params![id, to_sql(MAX_MARKERS)], |row| row.get::<_, i64>(0))?.next().transpose()?;
    if let Some(oldest) = oldest {
        change.cache(cache)?.floor = from_sql(oldest);
        let sql = "DELETE FROM marker WHERE cache = ?1 AND sequence <= ?2";
        change.db.prepare_cached(sql)?.execute(params![id, oldest])?;
    }
    Ok(())
}

/// Whether a load of this key that began at a number is fenced.
pub(super) fn fence_since(
    change: &WriteTransaction<'_>,
    row: &CacheRow,
    key: &str,
    tags: &EntryTags,
    begun: u64,
) -> Result<bool, AppCacheError> {
    // A number that was not given yet is of another store.
    if row.floor > begun || begun > change.sequence() {
        return Ok(true);
    }
    Ok(is_marked(change.db, row.id, key, tags, begun)?)
}

/// Whether this key or one of these tags was invalidated after a number, outside of a transaction.
pub(crate) fn is_invalidated(
    db: &Connection,
    cache: &CacheName,
    key: &str,
    tags: &EntryTags,
    begun: u64,
) -> Result<bool, AppCacheError> {
    let mut find = db.prepare_cached("SELECT id, floor FROM cache WHERE name = ?1")?;
    let row = find.query_map([cache.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?.next().transpose()?;
    let Some((id, floor)): Option<(i64, i64)> = row else { return Ok(false) };
    Ok(from_sql(floor) > begun || is_marked(db, id, key, tags, begun)?)
}

fn is_marked(db: &Connection, cache: i64, key: &str, tags: &EntryTags, begun: u64) -> rusqlite::Result<bool> {
    let mut markers = db.prepare_cached("SELECT kind, value FROM marker WHERE cache = ?1 AND sequence > ?2")?;
    let mut markers = markers.query(params![cache, to_sql(begun)])?;
    while let Some(marker) = markers.next()? {
        let (kind, value): (i64, Vec<u8>) = (marker.get(0)?, marker.get(1)?);
        let covers = match kind {
            KEY_KIND => value == key.as_bytes(),
            PREFIX_KIND => key.as_bytes().starts_with(&value),
            _ => tags.as_slice().iter().any(|tag| tag.as_bytes() == value),
        };
        if covers {
            return Ok(true);
        }
    }
    Ok(false)
}
