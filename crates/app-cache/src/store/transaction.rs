//! A write transaction: the numbers of its writes, and the sizes of the caches that it changes.

use greenroom_cache::Timestamp;
use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::{from_sql, to_sql};
use crate::name::CacheName;

/// Entries of a cache and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CacheSize {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

/// Row of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheRow {
    pub(crate) id: i64,
    /// A load that began before this number is fenced, whatever its key.
    pub(crate) floor: u64,
    pub(crate) size: CacheSize,
}

/// A write transaction.
#[derive(Debug)]
pub(crate) struct WriteTransaction<'a> {
    pub(super) db: &'a Connection,
    /// Time of all its writes, in milliseconds since 1970.
    pub(crate) now_ms: Timestamp,
    numbers: Numbers,
    stored_numbers: Numbers,
    /// Each cache that was used, with its row as it is stored.
    caches: HashMap<CacheName, (CacheRow, Option<CacheRow>)>,
    /// Caches that were removed; some may have been made again since.
    forgotten: Vec<CacheName>,
}

/// Numbers of the whole store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbers {
    /// The last write.
    sequence: u64,
    next_cache: i64,
    /// Floor of new caches.
    floor: u64,
}

impl<'a> WriteTransaction<'a> {
    /// Begins.
    pub(super) fn begin(db: &'a Connection, now_ms: Timestamp) -> rusqlite::Result<Self> {
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let numbers =
            db.prepare_cached("SELECT sequence, next_cache, floor FROM store WHERE id = 1")?.query_row([], |row| {
                let (sequence, floor) = (from_sql(row.get(0)?), from_sql(row.get(2)?));
                Ok(Numbers { sequence, next_cache: row.get(1)?, floor })
            })?;
        Ok(Self { db, now_ms, numbers, stored_numbers: numbers, caches: HashMap::new(), forgotten: Vec::new() })
    }

    /// Commits, and returns the sizes of the caches that changed, none for those that were removed. Without a change nothing
    /// is written.
    pub(super) fn commit(self) -> rusqlite::Result<Vec<(CacheName, Option<CacheSize>)>> {
        let mut write = self.db.prepare_cached(
            "INSERT INTO cache (name, id, floor, entries, bytes) VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT (name) DO UPDATE SET id = ?2, floor = ?3, entries = ?4, bytes = ?5",
        )?;
        let is_gone = |name: &CacheName| !self.caches.contains_key(name);
        let gone = self.forgotten.into_iter().filter(is_gone);
        let mut changed: Vec<_> = gone.map(|name| (name, None)).collect();
        for (name, (row, stored)) in self.caches {
            if stored == Some(row) {
                continue;
            }
            let CacheSize { entries, bytes } = row.size;
            write.execute(params![name.as_str(), row.id, to_sql(row.floor), to_sql(entries), to_sql(bytes)])?;
            changed.push((name, Some(row.size)));
        }
        if self.numbers != self.stored_numbers {
            let Numbers { sequence, next_cache, floor } = self.numbers;
            self.db
                .prepare_cached("UPDATE store SET sequence = ?1, next_cache = ?2, floor = ?3 WHERE id = 1")?
                .execute(params![to_sql(sequence), next_cache, to_sql(floor)])?;
        }
        self.db.prepare_cached("COMMIT")?.execute([])?;
        Ok(changed)
    }

    /// Takes the number of the next write.
    pub(super) fn next_sequence(&mut self) -> u64 {
        self.numbers.sequence += 1;
        self.numbers.sequence
    }

    /// Number of the last write.
    pub(super) fn sequence(&self) -> u64 {
        self.numbers.sequence
    }

    /// The row of a cache, which is made if there is none.
    pub(super) fn cache(&mut self, name: &CacheName) -> rusqlite::Result<&mut CacheRow> {
        if !self.caches.contains_key(name) {
            let read = |row: &rusqlite::Row<'_>| {
                let size = CacheSize { entries: from_sql(row.get(2)?), bytes: from_sql(row.get(3)?) };
                Ok(CacheRow { id: row.get(0)?, floor: from_sql(row.get(1)?), size })
            };
            let mut find = self.db.prepare_cached("SELECT id, floor, entries, bytes FROM cache WHERE name = ?1")?;
            let stored = find.query_row([name.as_str()], read).optional()?;
            let floor = self.numbers.floor;
            let row = stored.unwrap_or_else(|| CacheRow { id: self.take_id(), floor, size: CacheSize::default() });
            self.caches.insert(name.clone(), (row, stored));
        }
        Ok(&mut self.caches.get_mut(name).expect("it was inserted above").0)
    }

    /// Gives a cache a new id, so that it is empty, and returns how many entries it had. Loads of it that are under way
    /// are fenced.
    pub(super) fn renew_cache(&mut self, name: &CacheName) -> rusqlite::Result<u64> {
        let (old, id) = (*self.cache(name)?, self.take_id());
        self.db.prepare_cached("INSERT INTO dropped (cache) VALUES (?1)")?.execute([old.id])?;
        let floor = self.next_sequence();
        *self.cache(name)? = CacheRow { id, floor, size: CacheSize::default() };
        Ok(old.size.entries)
    }

    /// Removes a cache that was renewed.
    pub(super) fn forget_cache(&mut self, name: &CacheName) -> rusqlite::Result<()> {
        self.caches.remove(name);
        self.forgotten.push(name.clone());
        self.numbers.floor = self.numbers.sequence;
        self.db.prepare_cached("DELETE FROM cache WHERE name = ?1")?.execute([name.as_str()])?;
        Ok(())
    }

    fn take_id(&mut self) -> i64 {
        self.numbers.next_cache += 1;
        self.numbers.next_cache - 1
    }
}
