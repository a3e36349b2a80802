//! Data on its way to the store: entries, invalidations, and the content of one transaction.

use std::sync::Arc;

use super::row::CorruptRow;
use crate::hybrid_timestamp::HybridTimestamp;
use crate::key::Key;
use crate::negative::NegativeEntry;
use crate::stored_invalidation::{NumberedInvalidation, PendingInvalidation};
use crate::value::Entry;

/// An entry to be written to disk.
#[derive(Debug, Clone)]
pub(crate) struct PendingWrite {
    pub(crate) key: Key,
    pub(crate) entry: Arc<Entry>,
    /// The newest invalidation known when its load began.
    pub(crate) known_sequence: u64,
}

/// Content of one transaction.
#[derive(Debug, Default)]
pub(crate) struct WriteBatch {
    pub(crate) invalidations: Vec<PendingInvalidation>,
    pub(crate) writes: Vec<PendingWrite>,
    /// Keys to delete unless the stored entry comes from a later load than this.
    pub(crate) removals: Vec<(Key, HybridTimestamp)>,
    /// Negative entries.
    pub(crate) negative: Vec<(Key, Arc<NegativeEntry>)>,
    /// Corrupt rows.
    pub(crate) corrupt: Vec<CorruptRow>,
    /// Rows that were read, by hash of their key.
    pub(crate) used: Vec<i64>,
}

impl WriteBatch {
    /// Whether a key is to be deleted.
    pub(super) fn removes(&self, key: &Key) -> bool {
        self.removals.iter().any(|(removed, _)| removed == key)
    }

    /// Whether it has no content.
    pub(crate) fn is_empty(&self) -> bool {
        self.invalidations.is_empty()
            && self.writes.is_empty()
            && self.removals.is_empty()
            && self.negative.is_empty()
            && self.corrupt.is_empty()
            && self.used.is_empty()
    }
}

/// Result of a batch.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchResult {
    /// Entries now in the store.
    pub(crate) stored: u64,
    /// Entries for which a newer load was already stored.
    pub(crate) outdated: u64,
    /// Entries that could not be written, although the others could.
    pub(crate) failed: u64,
}

/// Invalidations since the store was last read.
#[derive(Debug)]
pub(crate) struct InvalidationDelta {
    /// New invalidations, in order.
    pub(crate) invalidations: Vec<NumberedInvalidation>,
    /// The newest swept invalidation.
    pub(crate) floor: u64,
}
