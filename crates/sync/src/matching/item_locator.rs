//! Finding items by their files and names: indexes over one generation, made when they are first needed.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use greenroom_library::files::{Asked, Case, Confidence, FileIndex, FileIndexBuilder, PathMaps, Reason};
use greenroom_library::guid::index::{IdIndex, IdIndexBuilder, has_name, show_key};
use greenroom_library::item::Item;
use greenroom_library::snapshot::Snapshot;
use parking_lot::Mutex;

use super::identity::Identity;
use crate::index::{Generation, LibraryId};

/// The files and names of one generation.
#[derive(Debug)]
pub(super) struct Finder {
    pub(super) files: FileIndex,
    pub(super) ids: IdIndex,
}

impl Finder {
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

    /// Items with this name, in its one spelling.
    pub(super) fn named(&self, snapshot: &Snapshot, name: &str) -> Vec<Item> {
        let has = |item: &Item| {
            let show = show_key(item).and_then(|key| snapshot.item(snapshot.row_of(key)?));
            has_name(item, show.as_ref(), name)
        };
        self.ids.rows(name).iter().filter_map(|row| snapshot.item(*row)).filter(has).collect()
    }

    /// The item that is this one, under whatever key: by a file, else by a name. Of several with the name the one of the
    /// same album counts, or the one with the least key.
    pub(super) fn item_of(&self, snapshot: &Snapshot, identity: &Identity) -> Option<Item> {
        let by_file = identity.paths.iter().find_map(|path| {
            let asked = Asked { path, ..Asked::default() };
            let verdict = self.files.find(&asked, &PathMaps::default(), Case::Exact);
            let is_whole =
                verdict.confidence == Confidence::High && verdict.reasons.contains(&Reason::FullPath);
            let rows = if is_whole { verdict.rows } else { Vec::new() };
            let mut items = rows.into_iter().filter_map(|row| snapshot.item(row));
            items.find(|item| identity.is_of(item) && identity.has_file_of(item))
        });
        by_file.or_else(|| {
            let named = identity.guids.iter().flat_map(|guid| self.named(snapshot, guid));
            named.filter(|item| identity.is_of(item)).min_by_key(|item| {
                let is_other_album = item.parent_title.as_deref().unwrap_or_default() != identity.album;
                (is_other_album, item.key.len(), item.key.clone())
            })
        })
    }
}

/// One generation's finder, once somebody needs it.
#[derive(Debug)]
pub(super) struct Lazy {
    number: u64,
    taken_at_ms: u64,
    finder: OnceLock<Finder>,
}

impl Lazy {
    /// The finder. Whoever needs it while it is made waits for it; so this is for threads that may.
    pub(super) fn of(&self, snapshot: &Snapshot) -> &Finder {
        self.finder.get_or_init(|| Finder::new(snapshot))
    }
}

/// The finders of all libraries, of the newest generation each.
#[derive(Debug, Default)]
pub(super) struct Finders {
    held: Mutex<BTreeMap<LibraryId, Arc<Lazy>>>,
}

impl Finders {
    /// That of a generation. An older one is dropped with its last user.
    pub(super) fn of(&self, library: &LibraryId, generation: &Generation) -> Arc<Lazy> {
        let mut held = self.held.lock();
        if let Some(lazy) = held.get(library)
            && (lazy.number, lazy.taken_at_ms) == (generation.number, generation.taken_at_ms)
        {
            return Arc::clone(lazy);
        }
        let lazy = Arc::new(Lazy {
            number: generation.number,
            taken_at_ms: generation.taken_at_ms,
            finder: OnceLock::new(),
        });
        // Who still works on an older generation does not take the newer one's place.
        if held.get(library).is_none_or(|other| other.number <= lazy.number) {
            held.insert(library.clone(), Arc::clone(&lazy));
        }
        lazy
    }

    /// Bytes the indexes of files take.
    pub(super) fn bytes(&self) -> usize {
        let held = self.held.lock();
        held.values().filter_map(|lazy| lazy.finder.get()).map(|finder| finder.files.bytes()).sum()
    }
}
