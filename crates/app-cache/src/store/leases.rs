//! Leases within a write transaction.

use greenroom_cache::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::entries::find;
use super::invalidations::fence_since;
use super::transaction::WriteTransaction;
use super::{from_sql, to_sql};
use crate::entry::EntryState;
use crate::error::AppCacheError;
use crate::lease::{
    LEASE_GRACE, LeaseDecision, LeaseRequest, LeaseResult, MAX_LEASE, MAX_LEASES_PER_CACHE, StoredLease, decide_lease,
};
use crate::name::{CacheName, EntryKey};

/// Takes the lease of a key, unless another caller holds it or a fresh entry is there.
pub(crate) fn acquire(
    change: &mut WriteTransaction<'_>,
    cache: &CacheName,
    request: &LeaseRequest,
) -> Result<LeaseResult, AppCacheError> {
    let row = *change.cache(cache)?;
    let key = request.key.as_str();
    let is_wanted = |found: &crate::entry::StoredEntry| {
        found.entry.version == request.version && found.entry.state(change.now_ms) == EntryState::Fresh
    };
    if let Some(found) = find(change, row.id, key)?.filter(is_wanted) {
        return Ok(LeaseResult::Unneeded(Box::new(found)));
    }
    let mut stored = change.db.prepare_cached("SELECT token, deadline_ms FROM lease WHERE cache = ?1 AND key = ?2")?;
    let stored = stored
        .query_row(params![row.id, key.as_bytes()], |row| Ok((from_sql(row.get(0)?), from_sql(row.get(1)?))))
        .optional()?;
    let stored = match stored {
        Some((token, deadline_ms)) => {
            let is_fenced = fence_since(change, &row, key, &request.tags, token)?;
            Some(StoredLease { token, deadline_ms: Timestamp::from_millis(deadline_ms), is_fenced })
        }
        None => None,
    };
    if stored.is_none() {
        make_room(change, row.id)?;
    }
    match decide_lease(stored, change.now_ms) {
        LeaseDecision::Taken { deadline_ms } => Ok(LeaseResult::Taken { deadline_ms }),
        LeaseDecision::Grant => {
            let token = change.next_sequence();
            let duration = request.duration.min(MAX_LEASE);
            let deadline_ms = change.now_ms.saturating_add(duration);
            let mut write = change.db.prepare_cached("INSERT OR REPLACE INTO lease VALUES (?1, ?2, ?3, ?4, ?5)")?;
            let tags = request.tags.column();
            write.execute(params![row.id, key.as_bytes(), to_sql(token), to_sql(deadline_ms.as_millis()), tags])?;
            Ok(LeaseResult::Held { token, deadline_ms })
        }
    }
}

/// Makes room for one more lease of a cache, by removing those that have been over for a while.
fn make_room(change: &WriteTransaction<'_>, cache: i64) -> Result<(), AppCacheError> {
    let count = || {
        let mut rows =
            change.db.prepare_cached("SELECT count(*) FROM (SELECT 1 FROM lease WHERE cache = ?1 LIMIT ?2)")?;
        rows.query_row(params![cache, to_sql(MAX_LEASES_PER_CACHE)], |row| row.get(0).map(from_sql))
    };
    if count()? < MAX_LEASES_PER_CACHE {
        return Ok(());
    }
    let grace = LEASE_GRACE;
    let mut delete = change.db.prepare_cached("DELETE FROM lease WHERE cache = ?1 AND deadline_ms < ?2")?;
    let removed = delete.execute(params![cache, to_sql(change.now_ms.saturating_sub(grace).as_millis())])?;
    if removed > 0 { Ok(()) } else { Err(AppCacheError::TooManyLeases) }
}

/// Ends a lease, or at a later time. Returns whether it was held.
pub(crate) fn release(
    change: &mut WriteTransaction<'_>,
    cache: &CacheName,
    key: &EntryKey,
    (token, until_ms): (u64, Option<u64>),
) -> Result<bool, AppCacheError> {
    let id = change.cache(cache)?.id;
    let key = key.as_str().as_bytes();
    let changed = match until_ms {
        None => change
            .db
            .prepare_cached("DELETE FROM lease WHERE cache = ?1 AND key = ?2 AND token = ?3")?
            .execute(params![id, key, to_sql(token)])?,
        Some(until_ms) => change
            .db
            .prepare_cached("UPDATE lease SET deadline_ms = ?4 WHERE cache = ?1 AND key = ?2 AND token = ?3")?
            .execute(params![id, key, to_sql(token), to_sql(until_ms)])?,
    };
    Ok(changed > 0)
}

/// Whether the lease of a key has this token. One whose deadline is over is held until another caller takes it.
pub(super) fn is_held(change: &WriteTransaction<'_>, cache: i64, key: &str, token: u64) -> rusqlite::Result<bool> {
    let mut find = change.db.prepare_cached("SELECT 1 FROM lease WHERE cache = ?1 AND key = ?2 AND token = ?3")?;
    find.exists(params![cache, key.as_bytes(), to_sql(token)])
}

/// Ends the lease of a key.
pub(super) fn end(change: &WriteTransaction<'_>, cache: i64, key: &str) -> rusqlite::Result<()> {
    let mut delete = change.db.prepare_cached("DELETE FROM lease WHERE cache = ?1 AND key = ?2")?;
    delete.execute(params![cache, key.as_bytes()])?;
    Ok(())
}
