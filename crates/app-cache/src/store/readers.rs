//! Reading, on blocking threads, with a few connections of their own.

use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::entries::COLUMNS;
use super::removals::{Removals, is_covered};
use super::{CacheSize, ReadableEntry, StoreFile, from_sql, is_invalidated};
use crate::entry::{StoredEntry, media_type_of};
use crate::error::AppCacheError;
use crate::name::{CacheName, EntryKey, EntryTags};
use crate::scope::key_range;

/// Max reads at a time.
const MAX_READS: usize = 4;

/// Connections that read.
#[derive(Debug, Clone)]
pub(crate) struct Readers(Arc<ReaderPool>);

#[derive(Debug)]
struct ReaderPool {
    file: StoreFile,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

/// An entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AppCacheListedEntry)]
pub struct ListedEntry {
    /// Its key.
    pub key: String,
    /// Media type of its value.
    pub media_type: String,
    /// Bytes of its value.
    pub bytes: u64,
    /// When it was stored.
    pub stored_ms: u64,
    /// When it expires; `null`: never.
    pub expires_ms: Option<u64>,
}

/// Query of a listing.
#[derive(Debug, Clone)]
pub(crate) struct EntryListing {
    pub(crate) cache: CacheName,
    pub(crate) prefix: String,
    /// The key after which it begins.
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
}

impl Readers {
    pub(crate) fn new(file: StoreFile) -> Self {
        Self(Arc::new(ReaderPool { file, idle: Mutex::default(), permits: Semaphore::new(MAX_READS) }))
    }

    /// Reads on a blocking thread.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, AppCacheError> + Send + 'static,
    ) -> Result<T, AppCacheError> {
        let pool = Arc::clone(&self.0);
        let _permit = self.0.permits.acquire().await.map_err(|_| AppCacheError::ShuttingDown)?;
        let work = move || {
            let idle = pool.idle.lock().pop();
            let db = idle.map_or_else(|| pool.file.connect(), Ok)?;
            let result = read(&db);
            // A connection that failed is not used again.
            if result.is_ok() {
                pool.idle.lock().push(db);
            }
            result
        };
        tokio::task::spawn_blocking(work).await.unwrap_or(Err(AppCacheError::ShuttingDown))
    }

    /// The entries of these keys, expired or not. Once their values have so many bytes, further keys are not read; the
    /// first one always is.
    pub(crate) async fn find(
        &self,
        cache: CacheName,
        keys: Vec<EntryKey>,
        max_bytes: u64,
    ) -> Result<Vec<Option<StoredEntry>>, AppCacheError> {
        let read = move |db: &Connection| {
            let (mut found, mut bytes) = (Vec::with_capacity(keys.len()), 0);
            for key in &keys {
                if bytes >= max_bytes && !found.is_empty() {
                    break;
                }
                let entry = find(db, &cache, key.as_str())?;
                bytes += entry.as_ref().map_or(0, |entry| entry.entry.value.len() as u64);
                found.push(entry);
            }
            Ok(found)
        };
        self.read(read).await
    }

    /// Whether a load that began at a number is fenced.
    pub(crate) async fn is_fenced(
        &self,
        cache: CacheName,
        key: EntryKey,
        tags: EntryTags,
        begun: u64,
    ) -> Result<bool, AppCacheError> {
        self.read(move |db| is_invalidated(db, &cache, key.as_str(), &tags, begun)).await
    }

    /// Number of the last write.
    pub(crate) async fn sequence(&self) -> Result<u64, AppCacheError> {
        let sql = "SELECT sequence FROM store WHERE id = 1";
        self.read(move |db| Ok(from_sql(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?))).await
    }

    /// A page of keys in their order. One entry more than the limit is read, so that the caller sees whether there are
    /// more.
    pub(crate) async fn list(&self, listing: EntryListing) -> Result<Vec<ListedEntry>, AppCacheError> {
        self.read(move |db| list(db, &listing)).await
    }
}

/// Every cache with its size.
pub(crate) fn caches(db: &Connection) -> Result<Vec<(String, CacheSize)>, AppCacheError> {
    let mut rows = db.prepare("SELECT name, entries, bytes FROM cache")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok((row.get(0)?, CacheSize { entries: from_sql(row.get(1)?), bytes: from_sql(row.get(2)?) }))
    };
    let rows = rows.query_map([], read)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

fn find(db: &Connection, cache: &CacheName, key: &str) -> Result<Option<StoredEntry>, AppCacheError> {
    let Some(id) = id_of(db, cache)? else { return Ok(None) };
    // Before the entry, so that one that is stored meanwhile is compared with what was invalidated before it.
    let removals = Removals::of(db, id)?;
    let mut find = db.prepare_cached(&format!("SELECT {COLUMNS} FROM entry WHERE cache = ?1 AND key = ?2"))?;
    let found = find.query_row(params![id, key.as_bytes()], ReadableEntry::read).optional()?;
    Ok(found.and_then(|found| found.checked(key, &removals)))
}

fn id_of(db: &Connection, cache: &CacheName) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT id FROM cache WHERE name = ?1")?.query_row([cache.as_str()], |row| row.get(0)).optional()
}

fn list(db: &Connection, listing: &EntryListing) -> Result<Vec<ListedEntry>, AppCacheError> {
    let Some(id) = id_of(db, &listing.cache)? else { return Ok(Vec::new()) };
    let removals = Removals::of(db, id)?;
    let mut rows = db.prepare_cached(
        "SELECT key, media_type, length(value), stored_ms, expires_ms, sequence, tags FROM entry
            WHERE cache = ?1 AND key >= ?2 AND key < ?3 ORDER BY key",
    )?;
    let (first, end) = key_range(&listing.prefix, listing.after.as_deref().unwrap_or_default().as_bytes());
    let mut rows = rows.query(params![id, first, end])?;
    let mut page = Vec::new();
    while page.len() <= listing.limit
        && let Some(row) = rows.next()?
    {
        let key = String::from_utf8_lossy(&row.get::<_, Vec<u8>>(0)?).into_owned();
        let tags: Option<String> = row.get(6)?;
        if is_covered(&removals, &key, tags.as_deref(), from_sql(row.get(5)?)) {
            continue;
        }
        page.push(ListedEntry {
            key,
            media_type: media_type_of(row.get(1)?),
            bytes: from_sql(row.get(2)?),
            stored_ms: from_sql(row.get(3)?),
            expires_ms: row.get::<_, Option<i64>>(4)?.map(from_sql),
        });
    }
    Ok(page)
}
