//! Finds items by file and external id: indexes over one generation, built on first use.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use greenroom_library::external_id::index::{IdIndex, IdIndexBuilder, has_id_of, show_key};
use greenroom_library::files::{
    CaseSensitivity, FileIndex, FileIndexBuilder, FileMatchConfidence, FileMatchReason, FileQuery, PathMaps,
};
use greenroom_library::item::Item;
use greenroom_library::snapshot::Snapshot;
use parking_lot::Mutex;

use super::identity::ItemIdentity;
use crate::index::{Generation, LibraryId};

/// Files and ids of one generation.
#[derive(Debug)]
pub(super) struct ItemLocator {
    pub(super) files: FileIndex,
    pub(super) ids: IdIndex,
}

impl ItemLocator {
    /// Takes seconds for a million items.
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        let (mut files, mut ids) = (FileIndexBuilder::default(), IdIndexBuilder::default());
        for (row, item) in snapshot.items().enumerate() {
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            files.push(row, &item);
            ids.push(row, &item);
        }
        Self { files: files.build(), ids: ids.build() }
    }

    /// Items with this normalised id.
    pub(super) fn find_by_id(&self, snapshot: &Snapshot, id: &str) -> Vec<Item> {
        let has_id = |item: &Item| {
            let show = show_key(item).and_then(|key| snapshot.item(snapshot.row_of(key)?));
            has_id_of(item, show.as_ref(), id)
        };
        self.ids.rows(id).iter().filter_map(|row| snapshot.item(*row)).filter(has_id).collect()
    }

    /// The item with this identity, under any key: by file, else by id. Of several with the id, the one of the same
    /// album or with the lowest key.
    pub(super) fn find(&self, snapshot: &Snapshot, identity: &ItemIdentity) -> Option<Item> {
        let by_file = identity.paths.iter().find_map(|path| {
            let query = FileQuery { path, ..FileQuery::default() };
            let result = self.files.find(&query, &PathMaps::default(), CaseSensitivity::Exact);
            let is_complete =
                result.confidence == FileMatchConfidence::High && result.reasons.contains(&FileMatchReason::FullPath);
            let rows = if is_complete { result.rows } else { Vec::new() };
            let mut items = rows.into_iter().filter_map(|row| snapshot.item(row));
            items.find(|item| identity.matches(item) && identity.has_file_of(item))
        });
        by_file.or_else(|| {
            let named = identity.guids.iter().flat_map(|guid| self.find_by_id(snapshot, guid));
            named.filter(|item| identity.matches(item)).min_by_key(|item| {
                let is_other_album = item.parent_title.as_deref().unwrap_or_default() != identity.album;
                (is_other_album, item.key.len(), item.key.clone())
            })
        })
    }
}

/// Locator of one generation, built on first use.
#[derive(Debug)]
pub(super) struct LazyLocator {
    number: u64,
    taken_at_ms: u64,
    locator: OnceLock<ItemLocator>,
}

impl LazyLocator {
    /// The locator. Blocks while it is built, so only for blocking threads.
    pub(super) fn get(&self, snapshot: &Snapshot) -> &ItemLocator {
        self.locator.get_or_init(|| ItemLocator::new(snapshot))
    }
}

/// Locators of the newest generation of each library.
#[derive(Debug, Default)]
pub(super) struct ItemLocators {
    by_library: Mutex<BTreeMap<LibraryId, Arc<LazyLocator>>>,
}

impl ItemLocators {
    /// The locator of a generation. An older one is dropped with its last user.
    pub(super) fn for_generation(&self, library: &LibraryId, generation: &Generation) -> Arc<LazyLocator> {
        let mut by_library = self.by_library.lock();
        if let Some(locator_entry) = by_library.get(library)
            && (locator_entry.number, locator_entry.taken_at_ms) == (generation.number, generation.taken_at_ms)
        {
            return Arc::clone(locator_entry);
        }
        let locator_entry = Arc::new(LazyLocator {
            number: generation.number,
            taken_at_ms: generation.taken_at_ms,
            locator: OnceLock::new(),
        });
        // A caller with an older generation must not replace the newer locator.
        if by_library.get(library).is_none_or(|other| other.number <= locator_entry.number) {
            by_library.insert(library.clone(), Arc::clone(&locator_entry));
        }
        locator_entry
    }

    /// Bytes of the file indexes.
    pub(super) fn bytes(&self) -> usize {
        let by_library = self.by_library.lock();
        by_library
            .values()
            .filter_map(|locator_entry| locator_entry.locator.get())
            .map(|locator| locator.files.bytes())
            .sum()
    }
}
