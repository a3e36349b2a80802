//! What was added, edited and deleted on top of the catalogue.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::catalogue::{ItemId, Record};

#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// Added and edited items as they are now.
    pub(super) records: HashMap<ItemId, Record>,
    /// Which of them are not in the catalogue.
    pub(super) added: BTreeSet<ItemId>,
    /// What is gone, with everything that lay below.
    pub(super) deleted: HashSet<ItemId>,
    /// Contents of collections that were made or changed.
    pub(super) members: HashMap<ItemId, Vec<ItemId>>,
}

impl Shelf {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.deleted.is_empty()
    }
}
