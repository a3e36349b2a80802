//! Several operations in one transaction.

use crate::entry::StoredEntry;
use crate::name::EntryKey;
use crate::put::{Put, PutResult};

/// Max operations of a batch.
pub const MAX_BATCH_OPERATIONS: usize = 1000;

/// One operation of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchOperation {
    /// Looks an entry up, as it is before the batch.
    Get(EntryKey),
    /// Stores an entry.
    Put(Put),
    /// Removes an entry.
    Delete(EntryKey),
}

/// Result of one operation of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchResult {
    /// The entry, fresh or stale, if there is one.
    Got(Option<Box<StoredEntry>>),
    /// Not read, because the values of the keys before it are as many bytes as one call reads.
    NotRead,
    /// Result of a put.
    Put(PutResult),
    /// The value is longer than the cache allows.
    ValueTooLong,
    /// Whether there was a fresh entry.
    Deleted(bool),
}
