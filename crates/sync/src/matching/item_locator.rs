//! Finds items by file and external id: indexes over one generation, built on first use.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use greenroom_library::external_id::index::{IdIndex, IdIndexBuilder, has_name, show_key};
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
    pub(super) fn find_by_id(&self, snapshot: &Snapshot, name: &str) -> Vec<Item> {
        let has = |item: &Item| {
            let show = show_key(item).and_then(|key| snapshot.item(snapshot.row_of(key)?));
            has_name(item, show.as_ref(), name)
        };
        self.ids.rows(name).iter().filter_map(|row| snapshot.item(*row)).filter(has).collect()
    }

    /// The item with this identity, under any key: by file, else by id. Of several with the id, the one of the same
    /// album or with the lowest key.
    pub(super) fn find(&self, snapshot: &Snapshot, identity: &ItemIdentity) -> Option<Item> {
        let by_file = identity.paths.iter().find_map(|path| {
            let asked = FileQuery { path, ..FileQuery::default() };
            let verdict = self.files.find(&asked, &PathMaps::default(), CaseSensitivity::Exact);
            let is_whole =
                verdict.confidence == FileMatchConfidence::High && verdict.reasons.contains(&FileMatchReason::FullPath);
            let rows = if is_whole { verdict.rows } else { Vec::new() };
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
        let mut held = self.by_library.lock();
        if let Some(lazy) = held.get(library)
            && (lazy.number, lazy.taken_at_ms) == (generation.number, generation.taken_at_ms)
        {
            return Arc::clone(lazy);
        }
        let lazy = Arc::new(LazyLocator {
            number: generation.number,
            taken_at_ms: generation.taken_at_ms,
            locator: OnceLock::new(),
        });
        // A caller with an older generation must not replace the newer locator.
        if held.get(library).is_none_or(|other| other.number <= lazy.number) {
            held.insert(library.clone(), Arc::clone(&lazy));
        }
        lazy
    }

    /// Bytes of the file indexes.
    pub(super) fn bytes(&self) -> usize {
        let held = self.by_library.lock();
        held.values().filter_map(|lazy| lazy.locator.get()).map(|finder| finder.files.bytes()).sum()
    }
}
