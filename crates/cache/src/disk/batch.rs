//! What is on its way to the store: entries, markers, and all that is written at a time.

use std::sync::Arc;

use super::row::Torn;
use crate::key::Key;
use crate::memo::Memo;
use crate::stamp::Stamp;
use crate::stored_marker::{Mark, Placed};
use crate::value::Entry;

/// An entry on its way to the disk.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) key: Key,
    pub(crate) entry: Arc<Entry>,
    /// The newest marker that was known when its load began.
    pub(crate) seen: u64,
}

/// What is written in one transaction.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) marks: Vec<Mark>,
    pub(crate) offers: Vec<Offer>,
    /// Keys to take out if what is kept is not from a later load than this.
    pub(crate) removals: Vec<(Key, Stamp)>,
    /// What is remembered of keys beside values.
    pub(crate) memos: Vec<(Key, Arc<Memo>)>,
    /// Rows that were torn.
    pub(crate) torn: Vec<Torn>,
    /// Rows that were read, by hash of their key.
    pub(crate) used: Vec<i64>,
}

impl Batch {
    /// Whether a key is to be taken out.
    pub(super) fn takes_out(&self, key: &Key) -> bool {
        self.removals.iter().any(|(removed, _)| removed == key)
    }

    /// Whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.marks.is_empty()
            && self.offers.is_empty()
            && self.removals.is_empty()
            && self.memos.is_empty()
            && self.torn.is_empty()
            && self.used.is_empty()
    }
}

/// What became of a batch.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// Entries in the store now.
    pub(crate) stored: u64,
    /// Entries for which a newer load was there already.
    pub(crate) outdated: u64,
    /// Entries that could not be written, while the others could.
    pub(crate) failed: u64,
}

/// What came from a store since it was heard last.
#[derive(Debug)]
pub(crate) struct News {
    /// Markers that were placed, in order.
    pub(crate) placed: Vec<Placed>,
    /// The newest marker that was swept.
    pub(crate) floor: u64,
}
