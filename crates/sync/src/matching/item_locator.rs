//! Finds items by file and external id: indexes over one generation, made on first use out of those of an earlier one if
//! only patches lie between, else built.

use greenroom_cache::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use greenroom_library::external_id::index::{IdIndex, IdIndexBuilder, has_id_of, show_key};
use greenroom_library::files::{
    CaseSensitivity, FileIndex, FileIndexBuilder, FileMatchConfidence, FileMatchReason, FileQuery, PathMaps,
};
use greenroom_library::item::{Item, ItemKind};
use greenroom_library::snapshot::{RowsId, Snapshot};
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

    /// The locator of this snapshot, made from that of an earlier one with these rows; `None` if what changed since is not
    /// known, or changes ids of other rows.
    fn patched(&self, rows: &RowsId, snapshot: &Snapshot) -> Option<Self> {
        let changes = snapshot.changes_since(rows)?;
        if changes.has_show() {
            return None;
        }
        let mut added = Vec::with_capacity(changes.added().len());
        snapshot.items_at(changes.added(), |row, item| {
            let show = show_key(&item).and_then(|key| snapshot.item(snapshot.row_of(key)?));
            added.push((row, item, show.filter(|show| show.kind == ItemKind::Show)));
        });
        let files = self.files.patched(&changes, added.iter().map(|(row, item, _)| (*row, item)));
        let ids = self.ids.patched(&changes, added.iter().map(|(row, item, show)| (*row, item, show.as_ref())));
        Some(Self { files, ids })
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
    taken_at_ms: Timestamp,
    rows: RowsId,
    /// Locator of an earlier generation, from which it can be made.
    earlier: Mutex<Option<Arc<Self>>>,
    locator: OnceLock<ItemLocator>,
}

impl LazyLocator {
    /// The locator. Blocks while it is built, so only for blocking threads.
    pub(super) fn get(&self, snapshot: &Snapshot) -> &ItemLocator {
        self.locator.get_or_init(|| {
            let earlier = self.earlier.lock().take();
            let patched = || {
                let earlier = earlier?;
                earlier.locator.get()?.patched(&earlier.rows, snapshot)
            };
            patched().unwrap_or_else(|| ItemLocator::new(snapshot))
        })
    }

    /// The newest built locator from which one of this snapshot can be made: this one or an earlier one.
    fn source_for(self: &Arc<Self>, snapshot: &Snapshot) -> Option<Arc<Self>> {
        let built = if self.locator.get().is_some() { Some(Arc::clone(self)) } else { self.earlier.lock().clone() };
        built.filter(|built| snapshot.knows_changes_since(&built.rows))
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
        let earlier = by_library.get(library).and_then(|earlier| earlier.source_for(&generation.snapshot));
        let locator_entry = Arc::new(LazyLocator {
            number: generation.number,
            taken_at_ms: generation.taken_at_ms,
            rows: generation.snapshot.rows_id(),
            earlier: Mutex::new(earlier),
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
