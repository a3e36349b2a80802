//! Removing what is over: dead entries, evicted entries, rows of emptied caches, old leases. A few rows at a time, so that
//! writes do not wait.

use greenroom_cache::clock::millis;
use std::collections::HashMap;
use std::time::Duration;

use greenroom_config::{AppCacheSettings, EvictionPolicy};
use rusqlite::{OptionalExtension, params};

use super::entries::{delete_row, remove_row};
use super::removals::{continue_removal, oldest_removal};
use super::schema::ROW_BYTES;
use super::transaction::WriteTransaction;
use super::{from_sql, to_sql};
use crate::entry::ENTRY_OVERHEAD_BYTES;
use crate::error::AppCacheError;
use crate::lease::MAX_LEASE;
use crate::name::CacheName;

/// Max rows that one sweep removes.
const ROWS_PER_SWEEP: i64 = 500;
/// Max rows that one put evicts; the sweeper evicts the others.
const ROWS_PER_EVICTION: i64 = 100;
/// Max rows that one put evicts from a cache that is a tenth over its limit.
const ROWS_PER_URGENT_EVICTION: i64 = 2000;

/// Removes the entries stored longest ago until a cache is within its limits, but only so many in one transaction. Returns
/// how many.
pub(crate) fn evict(
    change: &mut WriteTransaction<'_>,
    cache: &CacheName,
    settings: &AppCacheSettings,
) -> Result<u64, AppCacheError> {
    if settings.eviction == EvictionPolicy::Off {
        return Ok(0);
    }
    let row = *change.cache(cache)?;
    let mut excess_bytes = row.size.bytes.saturating_sub(settings.max_bytes);
    let mut excess_entries = row.size.entries.saturating_sub(settings.max_entries);
    if excess_bytes == 0 && excess_entries == 0 {
        return Ok(0);
    }
    let is_urgent = excess_bytes > settings.max_bytes / 10 || excess_entries > settings.max_entries / 10;
    let rows = if is_urgent { ROWS_PER_URGENT_EVICTION } else { ROWS_PER_EVICTION };
    let oldest = {
        let sql = format!("SELECT id, {ROW_BYTES} FROM entry WHERE cache = ?1 ORDER BY id LIMIT ?2");
        let mut oldest = change.db.prepare_cached(&sql)?;
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, from_sql(row.get(1)?) + ENTRY_OVERHEAD_BYTES));
        let oldest: Vec<(i64, u64)> = oldest.query_map(params![row.id, rows], read)?.collect::<Result<_, _>>()?;
        oldest
    };
    let mut evicted = 0;
    for (id, weight) in oldest {
        if excess_bytes == 0 && excess_entries == 0 {
            break;
        }
        remove_row(change, cache, id, weight)?;
        excess_bytes = excess_bytes.saturating_sub(weight);
        excess_entries = excess_entries.saturating_sub(1);
        evicted += 1;
    }
    Ok(evicted)
}

/// Removes a cache. Returns how many entries it had.
pub(crate) fn drop_cache(change: &mut WriteTransaction<'_>, cache: &CacheName) -> Result<u64, AppCacheError> {
    let entries = change.renew_cache(cache)?;
    change.forget_cache(cache)?;
    Ok(entries)
}

/// Removes dead entries, rows of emptied caches and old leases, [`ROWS_PER_SWEEP`] of each at most. Returns whether there
/// are more. `removals` are those that others continue.
pub(crate) fn sweep(change: &mut WriteTransaction<'_>, removals: &[u64]) -> Result<bool, AppCacheError> {
    let is_more = sweep_dead(change)? | sweep_dropped(change)? | sweep_removals(change, removals)?;
    let (now_ms, max_ms) = (change.now_ms, millis(MAX_LEASE));
    // A holder that is late may still store, if no other caller took the lease over.
    change.db.prepare_cached("DELETE FROM lease WHERE deadline_ms < ?1 OR deadline_ms > ?2")?.execute(params![
        to_sql(now_ms.saturating_sub(Duration::from_millis(max_ms)).as_millis()),
        to_sql(now_ms.saturating_add(Duration::from_millis(2 * max_ms)).as_millis())
    ])?;
    Ok(is_more)
}

fn sweep_dead(change: &mut WriteTransaction<'_>) -> Result<bool, AppCacheError> {
    let dead: Vec<(i64, i64, u64)> = {
        let sql = format!("SELECT id, cache, {ROW_BYTES} FROM entry WHERE dies_ms <= ?1 LIMIT ?2");
        let mut dead = change.db.prepare_cached(&sql)?;
        let read =
            |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, from_sql(row.get(2)?) + ENTRY_OVERHEAD_BYTES));
        dead.query_map(params![to_sql(change.now_ms.as_millis()), ROWS_PER_SWEEP], read)?.collect::<Result<_, _>>()?
    };
    let mut names: HashMap<i64, Option<CacheName>> = HashMap::new();
    for (id, cache, weight) in &dead {
        if !names.contains_key(cache) {
            names.insert(*cache, name_of(change, *cache)?);
        }
        match names.get(cache).and_then(Option::as_ref) {
            Some(name) => remove_row(change, name, *id, *weight)?,
            // Of an emptied cache, whose size does not count it any more.
            None => delete_row(change, *cache, *id)?,
        }
    }
    Ok(dead.len() as u64 == from_sql(ROWS_PER_SWEEP))
}

fn sweep_removals(change: &mut WriteTransaction<'_>, except: &[u64]) -> Result<bool, AppCacheError> {
    let Some(oldest) = oldest_removal(change, except)? else { return Ok(false) };
    continue_removal(change, oldest)?;
    Ok(true)
}

/// Name of the cache that has this id now.
pub(super) fn name_of(change: &mut WriteTransaction<'_>, id: i64) -> Result<Option<CacheName>, AppCacheError> {
    let mut find = change.db.prepare_cached("SELECT name FROM cache WHERE id = ?1")?;
    let name: Option<String> = find.query_row([id], |row| row.get(0)).optional()?;
    let Some(name) = name.as_deref().and_then(CacheName::parse) else { return Ok(None) };
    // It may have been emptied earlier in this transaction.
    Ok((change.cache(&name)?.id == id).then_some(name))
}

fn sweep_dropped(change: &WriteTransaction<'_>) -> Result<bool, AppCacheError> {
    let mut dropped = change.db.prepare_cached("SELECT cache FROM dropped LIMIT 1")?;
    let Some(id) = dropped.query_row([], |row| row.get::<_, i64>(0)).optional()? else { return Ok(false) };
    let mut left = ROWS_PER_SWEEP;
    for table in ["marker", "lease", "removal"] {
        change.db.prepare_cached(&format!("DELETE FROM {table} WHERE cache = ?1"))?.execute([id])?;
    }
    let mut rows = change.db.prepare_cached("SELECT id FROM entry WHERE cache = ?1 LIMIT ?2")?;
    let rows: Vec<i64> = rows.query_map(params![id, left], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for row in rows {
        delete_row(change, id, row)?;
        left -= 1;
    }
    if left > 0 {
        change.db.prepare_cached("DELETE FROM entry_tag WHERE cache = ?1")?.execute([id])?;
        change.db.prepare_cached("DELETE FROM dropped WHERE cache = ?1")?.execute([id])?;
    }
    Ok(true)
}
