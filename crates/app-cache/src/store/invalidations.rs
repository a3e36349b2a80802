//! Invalidations within a write transaction: they remove entries, and fence loads that began before.

use rusqlite::{Connection, OptionalExtension, params};

use super::removals::{self, RemovalStep};
use super::transaction::{CacheRow, WriteTransaction};
use super::{entries, from_sql, to_sql};
use crate::error::AppCacheError;
use crate::name::{CacheName, EntryTags};
use crate::scope::InvalidationScope;

/// Invalidations of one cache that are remembered for loads under way. A load that began before the oldest of them is
/// fenced.
pub(super) const MAX_MARKERS: u64 = if cfg!(test) { 300 } else { 10_000 };
/// Markers are counted and pruned by the first one of so many numbers.
const PRUNED_EVERY: u64 = 256;

const KEY_KIND: i64 = 1;
const PREFIX_KIND: i64 = 2;
const TAG_KIND: i64 = 3;

/// Invalidates everything that a scope covers and fences its loads. Of a prefix or tag that covers much, only the first rows
/// are removed in this transaction; the others are hidden from now on.
pub(crate) fn invalidate(
    change: &mut WriteTransaction<'_>,
    cache: &CacheName,
    scope: &InvalidationScope,
) -> Result<RemovalStep, AppCacheError> {
    let removed = match scope {
        // All keys begin with nothing.
        InvalidationScope::Prefix(prefix) if prefix.is_empty() => change.renew_cache(cache)?,
        InvalidationScope::All => change.renew_cache(cache)?,
        InvalidationScope::Key(key) => {
            let removed = u64::from(entries::remove_key(change, cache, key)?);
            mark(change, cache, scope)?;
            removed
        }
        InvalidationScope::Prefix(_) | InvalidationScope::Tag(_) => return removals::begin(change, cache, scope),
    };
    Ok(RemovalStep { removed, continues: None })
}

/// Remembers an invalidation for loads that began before it. Returns its number.
pub(super) fn mark(
    change: &mut WriteTransaction<'_>,
    cache: &CacheName,
    scope: &InvalidationScope,
) -> Result<u64, AppCacheError> {
    let sequence = change.next_sequence();
    let id = change.cache(cache)?.id;
    let (kind, value) = match scope {
        InvalidationScope::Key(key) => (KEY_KIND, key),
        InvalidationScope::Prefix(prefix) => (PREFIX_KIND, prefix),
        InvalidationScope::Tag(tag) => (TAG_KIND, tag),
        InvalidationScope::All => return Ok(sequence),
    };
    change.db.prepare_cached("INSERT OR REPLACE INTO marker VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        id,
        kind,
        value.as_bytes(),
        to_sql(sequence)
    ])?;
    // Not by one number alone: writes between the invalidations may take it each time.
    let newest = newest_marker(change.db, id, sequence)?;
    if newest / PRUNED_EVERY != sequence / PRUNED_EVERY {
        prune(change, cache)?;
    }
    Ok(sequence)
}

/// Number of the last marker of a cache before this one; 0 if there is none.
fn newest_marker(db: &Connection, cache: i64, before: u64) -> rusqlite::Result<u64> {
    let sql = "SELECT coalesce(max(sequence), 0) FROM marker WHERE cache = ?1 AND sequence < ?2";
    db.prepare_cached(sql)?.query_row(params![cache, to_sql(before)], |row| row.get(0).map(from_sql))
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
    // One state of the store: a marker that is pruned between two looks would be seen in neither.
    let db = db.unchecked_transaction()?;
    let pair = |row: &rusqlite::Row<'_>| Ok((from_sql(row.get(0)?), from_sql(row.get(1)?)));
    let (sequence, floor) = db.prepare_cached("SELECT sequence, floor FROM store")?.query_row([], pair)?;
    if begun > sequence {
        return Ok(true);
    }
    let mut find = db.prepare_cached("SELECT id, floor FROM cache WHERE name = ?1")?;
    let row = find.query_row([cache.as_str()], |row| Ok((row.get(0)?, from_sql(row.get(1)?)))).optional()?;
    match row {
        // The load of a cache that was removed since.
        None => Ok(floor > begun),
        Some((id, floor)) => Ok(floor > begun || is_marked(&db, id, key, tags, begun)?),
    }
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
