//! Lookups in one snapshot of the store.

use rusqlite::{CachedStatement, OptionalExtension};

use super::error::StorageError;
use super::row::{CorruptRow, RawRow, StoredEntry};
use super::store::DiskStore;
use crate::key::Key;

/// Result of a lookup in the store.
#[derive(Debug)]
pub(crate) enum StoreLookup {
    /// A value.
    Found(Box<StoredEntry>),
    /// Nothing under this key.
    Miss,
    /// A corrupt row, to be deleted.
    Corrupt(CorruptRow),
}

/// Lookups in one snapshot. The statement is kept prepared: preparing it is a tenth of a lookup.
pub(crate) struct ReadSnapshot<'a> {
    pub(super) store: &'a DiskStore,
    pub(super) select: CachedStatement<'a>,
}

impl ReadSnapshot<'_> {
    /// Looks up a key.
    pub(crate) fn get(&mut self, key: &Key) -> Result<StoreLookup, StorageError> {
        let row = self
            .select
            .query_row([self.store.hash(key)], |row| {
                if !row.get_ref(0)?.as_bytes().is_ok_and(|stored_key| stored_key == key.encoded().as_bytes()) {
                    return Ok(StoreLookup::Miss);
                }
                match RawRow::read(row).ok().and_then(|raw| raw.check(key, &self.store.blobs)) {
                    Some(found) => Ok(StoreLookup::Found(Box::new(found))),
                    None => Ok(StoreLookup::Corrupt(CorruptRow { hash: self.store.hash(key), created: row.get(1)? })),
                }
            })
            .optional()?;
        Ok(row.unwrap_or(StoreLookup::Miss))
    }

    /// Moves to the store's current state.
    pub(crate) fn renew(&self) -> Result<(), StorageError> {
        self.store.end_read();
        self.store.begin_read()
    }
}

impl Drop for ReadSnapshot<'_> {
    fn drop(&mut self) {
        self.store.end_read();
    }
}
