//! Entries within a write transaction.

use greenroom_cache::Timestamp;
use greenroom_config::{AppCacheSettings, EvictionPolicy};
use rusqlite::{OptionalExtension, Row, params};
use xxhash_rust::xxh3::Xxh3;

use super::invalidations::{fence_since, mark};
use super::removals::{Removals, is_covered};
use super::schema::ROW_BYTES;
use super::transaction::{CacheSize, WriteTransaction};
use super::{from_sql, leases, sweeps, to_sql};
use crate::entry::{
    ENTRY_OVERHEAD_BYTES, EntryState, EntryTier, NewEntry, StoredEntry, evaluate_deadlines, media_type_column,
    media_type_of,
};
use crate::error::AppCacheError;
use crate::name::{CacheName, EntryKey, EntryTags};
use crate::put::{CacheFill, Put, PutCondition, PutDecision, PutInput, PutResult, ReplacedEntry, decide_put};
use crate::scope::InvalidationScope;

/// Media type of a number that `incr` made.
const INTEGER_MEDIA_TYPE: &str = "application/json";
/// Columns of an entry, as [`ReadableEntry`] reads them.
pub(super) const COLUMNS: &str = "media_type, stored_ms, expires_ms, dies_ms, sequence, tags, version, checksum, value";

/// An entry as its row says; its checksum may not hold.
#[derive(Debug)]
pub(crate) struct ReadableEntry {
    stored: StoredEntry,
    checksum: i64,
}

impl ReadableEntry {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let entry = NewEntry {
            media_type: media_type_of(row.get(0)?),
            expires_ms: (row.get::<_, Option<i64>>(2)?.map(from_sql)).map(Timestamp::from_millis),
            dies_ms: (row.get::<_, Option<i64>>(3)?.map(from_sql)).map(Timestamp::from_millis),
            tags: tags_of(row.get::<_, Option<String>>(5)?.as_deref()),
            version: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
            value: row.get(8)?,
        };
        let (stored_ms, sequence) = (from_sql(row.get(1)?), from_sql(row.get(4)?));
        Ok(Self {
            stored: StoredEntry {
                entry,
                stored_ms: Timestamp::from_millis(stored_ms),
                sequence,
                tier: EntryTier::Disk,
            },
            checksum: row.get(7)?,
        })
    }

    /// The entry, unless its value is not the one that was stored under this key, or it was invalidated since.
    pub(super) fn checked(self, key: &str, removals: &Removals) -> Option<StoredEntry> {
        let stored = self.stored;
        let is_current = !removals.cover(key, &stored.entry.tags, stored.sequence);
        (is_current && checksum(key, &stored.entry.value) == self.checksum).then_some(stored)
    }
}

fn checksum(key: &str, value: &[u8]) -> i64 {
    let mut hash = Xxh3::new();
    hash.update(key.as_bytes());
    hash.update(value);
    // 48 bits, which SQLite stores in six bytes.
    (hash.digest() >> 16).cast_signed()
}

pub(super) fn tags_of(column: Option<&str>) -> EntryTags {
    let tags = column.and_then(|column| serde_json::from_str(column).ok());
    tags.map(EntryTags::of_store).unwrap_or_default()
}

/// The entry of a key, expired or not; `None` if there is none, or it is damaged.
pub(super) fn find(change: &WriteTransaction<'_>, cache: i64, key: &str) -> Result<Option<StoredEntry>, AppCacheError> {
    let sql = format!("SELECT {COLUMNS} FROM entry WHERE cache = ?1 AND key = ?2");
    let removals = Removals::of(change.db, cache)?;
    let mut find = change.db.prepare_cached(&sql)?;
    let found = find.query_row(params![cache, key.as_bytes()], ReadableEntry::read).optional()?;
    Ok(found.and_then(|found| found.checked(key, &removals)))
}

/// The row in the place of a key.
struct Place {
    id: i64,
    replaced: ReplacedEntry,
}

fn place(change: &WriteTransaction<'_>, cache: i64, key: &str) -> rusqlite::Result<Option<Place>> {
    let removals = Removals::of(change.db, cache)?;
    let sql = format!("SELECT id, sequence, expires_ms, {ROW_BYTES}, tags FROM entry WHERE cache = ?1 AND key = ?2");
    let mut find = change.db.prepare_cached(&sql)?;
    find.query_row(params![cache, key.as_bytes()], |row| {
        let expires_ms = row.get::<_, Option<i64>>(2)?.map(from_sql);
        let (sequence, tags) = (from_sql(row.get(1)?), row.get::<_, Option<String>>(4)?);
        // What an unfinished invalidation hides counts as removed: it overtakes no load. Its weight is still stored.
        let is_hidden = is_covered(&removals, key, tags.as_deref(), sequence);
        let sequence = if is_hidden { 0 } else { sequence };
        let is_fresh = !is_hidden
            && evaluate_deadlines(expires_ms.map(Timestamp::from_millis), None, change.now_ms) == EntryState::Fresh;
        let weight = from_sql(row.get(3)?) + ENTRY_OVERHEAD_BYTES;
        Ok(Place { id: row.get(0)?, replaced: ReplacedEntry { sequence, is_fresh, weight } })
    })
    .optional()
}

/// Stores an entry if its conditions hold. Returns the result and how many entries were evicted for it.
pub(crate) fn put(
    change: &mut WriteTransaction<'_>,
    cache: &CacheName,
    settings: &AppCacheSettings,
    put: &Put,
) -> Result<(PutResult, u64), AppCacheError> {
    let row = *change.cache(cache)?;
    let key = put.key.as_str();
    let found = place(change, row.id, key)?;
    let begun = put.begun.or(put.lease);
    let is_fenced = match begun {
        Some(begun) => fence_since(change, &row, key, &put.entry.tags, begun)?,
        None => false,
    };
    let holds_lease = match put.lease {
        Some(token) => Some(leases::is_held(change, row.id, key, token)?),
        None => None,
    };
    let weight = put.entry.weight(key);
    let input = PutInput {
        replaced: found.as_ref().map(|found| found.replaced),
        condition: put.condition,
        begun,
        holds_lease,
        is_fenced,
        weight,
    };
    let decision = decide_put(&input, &fill_of(row.size, settings));
    if holds_lease == Some(true) && decision != PutDecision::ConditionFailed {
        leases::end(change, row.id, key)?;
    }
    match decision {
        PutDecision::Store => {}
        PutDecision::ConditionFailed => return Ok((PutResult::ConditionFailed, 0)),
        PutDecision::Fenced => return Ok((PutResult::Fenced, 0)),
        PutDecision::Full => return Ok((PutResult::Full, 0)),
        PutDecision::TooLarge => return Ok((PutResult::TooLarge, 0)),
    }
    if let Some(found) = found {
        remove_row(change, cache, found.id, found.replaced.weight)?;
    }
    let sequence = insert(change, cache, key, &put.entry)?;
    let evicted = sweeps::evict(change, cache, settings)?;
    Ok((PutResult::Stored(sequence), evicted))
}

fn fill_of(size: CacheSize, settings: &AppCacheSettings) -> CacheFill {
    CacheFill {
        entries: size.entries,
        bytes: size.bytes,
        max_entries: settings.max_entries,
        max_bytes: settings.max_bytes,
        evicts: settings.eviction == EvictionPolicy::LeastRecentlyStored,
    }
}

fn insert(
    change: &mut WriteTransaction<'_>,
    cache: &CacheName,
    key: &str,
    entry: &NewEntry,
) -> Result<u64, AppCacheError> {
    let sequence = change.next_sequence();
    let row = change.cache(cache)?;
    row.size.entries += 1;
    row.size.bytes += entry.weight(key);
    let id = row.id;
    let version = (!entry.version.is_empty()).then_some(entry.version.as_str());
    change
        .db
        .prepare_cached(
            "INSERT INTO entry
                (cache, key, media_type, stored_ms, expires_ms, dies_ms, sequence, tags, version, checksum, value)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            id,
            key.as_bytes(),
            media_type_column(&entry.media_type),
            to_sql(change.now_ms.as_millis()),
            entry.expires_ms.map(|time| to_sql(time.as_millis())),
            entry.dies_ms.map(|time| to_sql(time.as_millis())),
            to_sql(sequence),
            entry.tags.column(),
            version,
            checksum(key, &entry.value),
            entry.value,
        ])?;
    let place = change.db.last_insert_rowid();
    write_tags(change, id, place, &entry.tags)?;
    Ok(sequence)
}

fn write_tags(change: &WriteTransaction<'_>, cache: i64, entry: i64, tags: &EntryTags) -> rusqlite::Result<()> {
    for tag in tags.as_slice() {
        let mut add = change.db.prepare_cached("INSERT OR IGNORE INTO entry_tag VALUES (?1, ?2, ?3)")?;
        add.execute(params![cache, tag.as_bytes(), entry])?;
    }
    Ok(())
}

/// Removes a row with its tags.
pub(super) fn remove_row(
    change: &mut WriteTransaction<'_>,
    cache: &CacheName,
    id: i64,
    weight: u64,
) -> Result<(), AppCacheError> {
    let row = change.cache(cache)?;
    row.size.entries = row.size.entries.saturating_sub(1);
    row.size.bytes = row.size.bytes.saturating_sub(weight);
    let cache = row.id;
    delete_row(change, cache, id)?;
    Ok(())
}

/// Deletes a row and its tags; sizes are the caller's matter.
pub(super) fn delete_row(change: &WriteTransaction<'_>, cache: i64, id: i64) -> rusqlite::Result<()> {
    let mut delete = change.db.prepare_cached("DELETE FROM entry WHERE id = ?1 RETURNING tags")?;
    let tags: Option<String> = delete.query_row([id], |row| row.get(0)).optional()?.flatten();
    for tag in tags_of(tags.as_deref()).as_slice() {
        let sql = "DELETE FROM entry_tag WHERE cache = ?1 AND tag = ?2 AND entry = ?3";
        change.db.prepare_cached(sql)?.execute(params![cache, tag.as_bytes(), id])?;
    }
    Ok(())
}

/// Removes the row of a key, whatever its state. Returns whether there was one.
pub(super) fn remove_key(
    change: &mut WriteTransaction<'_>,
    cache: &CacheName,
    key: &str,
) -> Result<bool, AppCacheError> {
    let id = change.cache(cache)?.id;
    let Some(place) = place(change, id, key)? else { return Ok(false) };
    remove_row(change, cache, place.id, place.replaced.weight)?;
    Ok(true)
}

/// Removes an entry and returns it if it was fresh. Loads of the key that are under way are fenced, also if there was no
/// entry.
pub(crate) fn pop(
    change: &mut WriteTransaction<'_>,
    cache: &CacheName,
    key: &EntryKey,
) -> Result<Option<StoredEntry>, AppCacheError> {
    let id = change.cache(cache)?.id;
    let key = key.as_str();
    let found = find(change, id, key)?;
    remove_key(change, cache, key)?;
    mark(change, cache, &InvalidationScope::Key(key.to_owned()))?;
    Ok(found.filter(|found| found.entry.state(change.now_ms) == EntryState::Fresh))
}

/// Sets the deadlines of a fresh entry. Returns whether there is one.
pub(crate) fn touch(
    change: &mut WriteTransaction<'_>,
    cache: &CacheName,
    key: &EntryKey,
    (expires_ms, dies_ms): (Option<Timestamp>, Option<Timestamp>),
) -> Result<bool, AppCacheError> {
    let id = change.cache(cache)?.id;
    let Some(found) = place(change, id, key.as_str())?.filter(|found| found.replaced.is_fresh) else {
        return Ok(false);
    };
    let mut write = change.db.prepare_cached("UPDATE entry SET expires_ms = ?1, dies_ms = ?2 WHERE id = ?3")?;
    write.execute(params![
        expires_ms.map(|time| to_sql(time.as_millis())),
        dies_ms.map(|time| to_sql(time.as_millis())),
        found.id
    ])?;
    Ok(true)
}

/// Replaces the tags of a fresh entry. Returns whether there is one.
pub(crate) fn retag(
    change: &mut WriteTransaction<'_>,
    cache: &CacheName,
    key: &EntryKey,
    tags: &EntryTags,
) -> Result<bool, AppCacheError> {
    let name = cache;
    let cache = change.cache(name)?.id;
    let Some(found) = place(change, cache, key.as_str())?.filter(|found| found.replaced.is_fresh) else {
        return Ok(false);
    };
    let mut old = change.db.prepare_cached("SELECT tags FROM entry WHERE id = ?1")?;
    let old = tags_of(old.query_row([found.id], |row| row.get::<_, Option<String>>(0))?.as_deref());
    for tag in old.as_slice() {
        let sql = "DELETE FROM entry_tag WHERE cache = ?1 AND tag = ?2 AND entry = ?3";
        change.db.prepare_cached(sql)?.execute(params![cache, tag.as_bytes(), found.id])?;
    }
    write_tags(change, cache, found.id, tags)?;
    // Under a new number, or a removal of one of the new tags that is not finished would remove it.
    let is_covered = Removals::of(change.db, cache)?.cover(key.as_str(), tags, found.replaced.sequence);
    let sequence = if is_covered { change.next_sequence() } else { found.replaced.sequence };
    let mut write = change.db.prepare_cached("UPDATE entry SET tags = ?1, sequence = ?2 WHERE id = ?3")?;
    write.execute(params![tags.column(), to_sql(sequence), found.id])?;
    let weight = place(change, cache, key.as_str())?.map_or(0, |changed| changed.replaced.weight);
    let size = &mut change.cache(name)?.size;
    size.bytes = (size.bytes + weight).saturating_sub(found.replaced.weight);
    Ok(true)
}

/// Adds to a stored integer, which begins at `default`. Returns the sum, or `None` without an entry and a default, and how
/// many entries were evicted for it.
pub(crate) fn add_integer(
    change: &mut WriteTransaction<'_>,
    (cache, settings): (&CacheName, &AppCacheSettings),
    key: &EntryKey,
    (delta, default): (i64, Option<i64>),
    deadlines: (Option<Timestamp>, Option<Timestamp>),
) -> Result<(Option<i64>, u64), AppCacheError> {
    let row = *change.cache(cache)?;
    let key = key.as_str();
    let fresh = find(change, row.id, key)?.filter(|found| found.entry.state(change.now_ms) == EntryState::Fresh);
    let (base, entry) = match (fresh, default) {
        (Some(found), _) => {
            let text = std::str::from_utf8(&found.entry.value).ok();
            let number = text.and_then(|text| text.parse().ok()).ok_or(AppCacheError::NotAnInteger)?;
            (number, found.entry)
        }
        (None, None) => return Ok((None, 0)),
        (None, Some(default)) => {
            let (expires_ms, dies_ms) = deadlines;
            let media_type = INTEGER_MEDIA_TYPE.to_owned();
            let (tags, version) = (EntryTags::default(), String::new());
            (default, NewEntry { value: Vec::new(), media_type, expires_ms, dies_ms, tags, version })
        }
    };
    let sum = base.checked_add(delta).ok_or(AppCacheError::Overflow)?;
    let entry = NewEntry { value: sum.to_string().into_bytes(), ..entry };
    let replaced = place(change, row.id, key)?.map(|found| found.replaced);
    let (condition, weight) = (PutCondition::Always, entry.weight(key));
    let input = PutInput { replaced, condition, begun: None, holds_lease: None, is_fenced: false, weight };
    match decide_put(&input, &fill_of(row.size, settings)) {
        PutDecision::TooLarge => return Err(AppCacheError::ValueTooLong),
        PutDecision::Full => return Err(AppCacheError::Full),
        PutDecision::Store | PutDecision::ConditionFailed | PutDecision::Fenced => {}
    }
    remove_key(change, cache, key)?;
    insert(change, cache, key, &entry)?;
    Ok((Some(sum), sweeps::evict(change, cache, settings)?))
}
