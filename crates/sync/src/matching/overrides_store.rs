//! Match overrides on disk: two tables of `state.db`, over a connection of their own. All calls block, so async threads
//! make none.

use greenroom_cache::Timestamp;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

use crate::index::LibraryId;
use crate::matching::overrides::{MatchOverride, MatchOverrideKind};
use crate::matching::query::OverrideKeys;
use greenroom_state::codec::signed;
use greenroom_state::db::FILE;
use greenroom_state::error::StateError;
use greenroom_state::reader;

/// Max bytes of text per track or item.
const MAX_TEXT_BYTES: usize = 16 * 1024;
const COLUMNS: &str = "ruling.id, server, library, kind, wanted, item_key, identity, is_strict, seen_in, made_ms";

/// Error of saving an override.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverrideStoreError {
    /// The limit is reached, and none can be evicted.
    Full,
    /// Its text is too long.
    TooLong,
    /// The file cannot be written.
    Storage(String),
}

impl<E: Into<StateError>> From<E> for OverrideStoreError {
    fn from(error: E) -> Self {
        Self::Storage(error.into().message)
    }
}

/// Overrides of one data directory.
#[derive(Debug)]
pub struct OverrideStore {
    db: Mutex<Connection>,
    /// Keys of pins and rejections, read on first use, with SQLite's `data_version` at that time; `None` after a
    /// change. Locked only while `db` is held.
    override_keys: Mutex<Option<(i64, Arc<HashSet<i64>>)>>,
    max_overrides: usize,
}

/// Filter of a list; `None` matches any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OverrideFilter {
    /// Of this library.
    pub library: Option<LibraryId>,
    /// Of this kind.
    pub kind: Option<MatchOverrideKind>,
}

impl OverrideStore {
    /// Opens the file, which must exist in the newest schema.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn open(data_dir: &Path, max_overrides: usize) -> Result<Self, StateError> {
        let db = reader::open_newest(&data_dir.join(FILE))?;
        db.pragma_update(None, "foreign_keys", true)?;
        Ok(Self { db: Mutex::new(db), override_keys: Mutex::default(), max_overrides })
    }

    /// All overrides under these keys, each once, with the position of its key, in that order.
    pub(super) fn find(&self, keys: &OverrideKeys) -> Result<Vec<(usize, MatchOverride)>, StateError> {
        let db = self.db.lock();
        let mut select = db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM ruling_key JOIN ruling ON ruling.id = ruling_key.ruling
             WHERE ruling_key.key = ?1 ORDER BY ruling.id DESC"
        ))?;
        let mut found: Vec<(usize, MatchOverride)> = Vec::new();
        for (index, key) in keys.lookup_keys().enumerate() {
            for match_override in select.query_map([key], read)? {
                let match_override = match_override?;
                if found.iter().all(|(_, known)| known.id != match_override.id) {
                    found.push((index, match_override));
                }
            }
        }
        Ok(found)
    }

    /// All keys of pins and rejections. Lookups of thousands of paths check these instead of querying the file for
    /// each.
    pub(super) fn override_keys(&self) -> Result<Arc<HashSet<i64>>, StateError> {
        let db = self.db.lock();
        let mut cached = self.override_keys.lock();
        // Another gateway on the same directory may have written.
        let version: i64 = db.pragma_query_value(None, "data_version", |row| row.get(0))?;
        if let Some((cached_version, known)) = &*cached
            && *cached_version == version
        {
            return Ok(Arc::clone(known));
        }
        let mut select = db.prepare_cached(
            "SELECT ruling_key.key FROM ruling JOIN ruling_key ON ruling_key.ruling = ruling.id
             WHERE ruling.kind != 'confirmed'",
        )?;
        let keys = Arc::new(select.query_map([], |row| row.get(0))?.collect::<Result<HashSet<i64>, _>>()?);
        *cached = Some((version, Arc::clone(&keys)));
        Ok(keys)
    }

    /// Number of overrides by kind.
    pub fn counts(&self) -> Result<Vec<(String, u64)>, StateError> {
        let db = self.db.lock();
        let mut select = db.prepare_cached("SELECT kind, count(*) FROM ruling GROUP BY kind ORDER BY kind")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.max(0).cast_unsigned())))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Saves overrides, all or none, and removes those they contradict. Pins and rejections are on disk when this
    /// returns.
    pub(super) fn put(&self, overrides: &[(MatchOverride, OverrideKeys)]) -> Result<Vec<i64>, OverrideStoreError> {
        let mut db = self.db.lock();
        let is_by_person =
            overrides.iter().any(|(match_override, _)| match_override.kind != MatchOverrideKind::Confirmed);
        db.pragma_update(None, "synchronous", if is_by_person { "FULL" } else { "NORMAL" })?;
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut ids = Vec::with_capacity(overrides.len());
        for (match_override, keys) in overrides {
            clear(&transaction, match_override, keys)?;
            ids.push(insert(&transaction, match_override, keys)?);
        }
        self.evict_oldest(&transaction)?;
        transaction.commit()?;
        if is_by_person {
            *self.override_keys.lock() = None;
        }
        Ok(ids)
    }

    /// Evicts the oldest confirmed matches beyond the limit.
    fn evict_oldest(&self, transaction: &Transaction<'_>) -> Result<(), OverrideStoreError> {
        let over = count(transaction)? - i64::try_from(self.max_overrides).unwrap_or(i64::MAX);
        if over <= 0 {
            return Ok(());
        }
        let removed = transaction.execute(
            "DELETE FROM ruling WHERE id IN
                (SELECT id FROM ruling WHERE kind = 'confirmed' ORDER BY made_ms, id LIMIT ?1)",
            [over],
        )?;
        if i64::try_from(removed).unwrap_or(0) < over { Err(OverrideStoreError::Full) } else { Ok(()) }
    }

    /// Sets the new key of an override's item.
    pub(super) fn rekey(&self, id: i64, item_key: &str) -> Result<(), StateError> {
        self.db.lock().execute("UPDATE ruling SET item_key = ?2 WHERE id = ?1", params![id, item_key])?;
        Ok(())
    }

    /// Sets the generation in which a confirmed match was judged last.
    pub(super) fn set_judged(&self, id: i64, generation: u64) -> Result<(), StateError> {
        self.db.lock().execute("UPDATE ruling SET seen_in = ?2 WHERE id = ?1", params![id, signed(generation)])?;
        Ok(())
    }

    /// Deletes overrides; returns how many existed.
    pub(super) fn remove(&self, ids: &[i64]) -> Result<usize, StateError> {
        let mut db = self.db.lock();
        db.pragma_update(None, "synchronous", "FULL")?;
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut removed = 0;
        for id in ids {
            removed += transaction.execute("DELETE FROM ruling WHERE id = ?1", [id])?;
        }
        transaction.commit()?;
        *self.override_keys.lock() = None;
        Ok(removed)
    }

    /// Deletes the confirmed matches of an item by its last key; returns how many existed.
    pub(super) fn forget_confirmed(&self, library: &LibraryId, item_key: &str) -> Result<usize, StateError> {
        let removed = self.db.lock().execute(
            "DELETE FROM ruling WHERE server = ?1 AND library = ?2 AND item_key = ?3 AND kind = 'confirmed'",
            params![library.server, library.key, item_key],
        )?;
        Ok(removed)
    }

    /// Overrides with an id above `after`, in order.
    pub(super) fn list(
        &self,
        filter: &OverrideFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<MatchOverride>, StateError> {
        let db = self.db.lock();
        let mut select = db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM ruling WHERE id > ?1 AND (?2 IS NULL OR (server = ?2 AND library = ?3))
             AND (?4 IS NULL OR kind = ?4) ORDER BY id LIMIT ?5"
        ))?;
        let library = filter.library.as_ref();
        let rows = select.query_map(
            params![
                after,
                library.map(|library| &library.server),
                library.map(|library| &library.key),
                filter.kind.map(MatchOverrideKind::name),
                i64::try_from(limit).unwrap_or(i64::MAX)
            ],
            read,
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn count(db: &Connection) -> Result<i64, rusqlite::Error> {
    db.prepare_cached("SELECT count(*) FROM ruling")?.query_row([], |row| row.get(0))
}

/// Removes contradictions: a track has at most one pinned or confirmed item. A pinned item is not rejected, and a
/// rejected one neither pinned nor confirmed.
fn clear(
    transaction: &Transaction<'_>,
    match_override: &MatchOverride,
    keys: &OverrideKeys,
) -> Result<(), OverrideStoreError> {
    let mut select = transaction.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM ruling_key JOIN ruling ON ruling.id = ruling_key.ruling WHERE ruling_key.key = ?1"
    ))?;
    let mut delete = transaction.prepare_cached("DELETE FROM ruling WHERE id = ?1")?;
    for key in keys.storage_keys() {
        let overrides: Vec<MatchOverride> = select.query_map([key], read)?.collect::<Result<_, _>>()?;
        for existing in overrides {
            let is_same_item =
                existing.identity.is_same(&match_override.identity) || existing.item_key == match_override.item_key;
            let is_replaced = match (match_override.kind, existing.kind) {
                (MatchOverrideKind::Pin, MatchOverrideKind::Pin | MatchOverrideKind::Confirmed)
                | (MatchOverrideKind::Confirmed, MatchOverrideKind::Confirmed) => true,
                (MatchOverrideKind::Pin, MatchOverrideKind::Rejection) | (MatchOverrideKind::Rejection, _) => {
                    is_same_item
                }
                (MatchOverrideKind::Confirmed, _) => false,
            };
            if is_replaced {
                delete.execute([existing.id])?;
            }
        }
    }
    Ok(())
}

fn insert(
    transaction: &Transaction<'_>,
    match_override: &MatchOverride,
    keys: &OverrideKeys,
) -> Result<i64, OverrideStoreError> {
    let text = |json: Result<String, serde_json::Error>| {
        json.ok().filter(|text| text.len() <= MAX_TEXT_BYTES).ok_or(OverrideStoreError::TooLong)
    };
    let query = text(serde_json::to_string(&match_override.query))?;
    let identity = text(serde_json::to_string(&match_override.identity))?;
    transaction
        .prepare_cached(
            "INSERT INTO ruling (server, library, kind, wanted, item_key, identity, is_strict, seen_in, made_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            match_override.library.server,
            match_override.library.key,
            match_override.kind.name(),
            query,
            match_override.item_key,
            identity,
            match_override.is_strict,
            signed(match_override.seen_in),
            signed(match_override.created_ms.as_millis())
        ])?;
    let id = transaction.last_insert_rowid();
    let mut key = transaction.prepare_cached("INSERT OR IGNORE INTO ruling_key (key, ruling) VALUES (?1, ?2)")?;
    for stored in keys.storage_keys() {
        key.execute([stored, id])?;
    }
    Ok(id)
}

fn read(row: &Row<'_>) -> rusqlite::Result<MatchOverride> {
    let invalid =
        |column: usize| rusqlite::Error::InvalidColumnType(column, "ruling".into(), rusqlite::types::Type::Text);
    let kind: String = row.get(3)?;
    let (query, identity): (String, String) = (row.get(4)?, row.get(6)?);
    Ok(MatchOverride {
        id: row.get(0)?,
        library: LibraryId { server: row.get(1)?, key: row.get(2)? },
        kind: MatchOverrideKind::parse(&kind).ok_or_else(|| invalid(3))?,
        query: serde_json::from_str(&query).map_err(|_| invalid(4))?,
        item_key: row.get(5)?,
        identity: serde_json::from_str(&identity).map_err(|_| invalid(6))?,
        is_strict: row.get(7)?,
        seen_in: row.get::<_, i64>(8)?.max(0).cast_unsigned(),
        created_ms: Timestamp::from_millis(row.get::<_, i64>(9)?.max(0).cast_unsigned()),
    })
}
