//! Additions, edits and deletions on top of the catalogue.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::catalogue::{ItemId, ItemRecord};

#[derive(Debug, Default)]
pub(super) struct CatalogueOverlay {
    /// Current records of added and edited items.
    pub(super) records: HashMap<ItemId, ItemRecord>,
    /// Items among them that are not in the catalogue.
    pub(super) added: BTreeSet<ItemId>,
    /// Deleted items, with everything below them.
    pub(super) deleted: HashSet<ItemId>,
    /// Members of collections that were created or changed.
    pub(super) members: HashMap<ItemId, Vec<ItemId>>,
}

impl CatalogueOverlay {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.deleted.is_empty()
    }
}
