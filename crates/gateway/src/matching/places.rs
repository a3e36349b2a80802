//! Paths and names looked up for others: which items they belong to, in all libraries that are asked.

use std::sync::Arc;

use greenroom_library::files::{Asked, Case, Confidence, PathMaps, Reason, Verdict};
use greenroom_library::guid;
use greenroom_library::item::Item;

use super::finder::Lazy;
use super::tally::Count;
use super::{Matching, Shared};
use crate::library::{Generation, Library, LibraryId};

/// Paths or names that one thread looks up before others have their turn.
const CHUNK: usize = 5_000;
/// So many items are shown for one name or path.
pub const MAX_SHOWN: usize = 5;

/// A file somebody looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathAsked {
    /// Its path, as whoever asks sees it.
    pub path: String,
    /// Its length in bytes.
    pub size_bytes: Option<u64>,
    /// Its length in seconds.
    pub duration_s: Option<u32>,
}

/// An item in a library.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// Of which library.
    pub library: LibraryId,
    /// The item.
    pub item: Item,
    /// What speaks for and against it.
    pub reasons: Vec<Reason>,
}

/// What came of one path.
#[derive(Debug, Clone, PartialEq)]
pub struct PathFound {
    /// How sure it is.
    pub confidence: Confidence,
    /// Why.
    pub reasons: Vec<Reason>,
    /// The items it is, if it is sure.
    pub items: Vec<Placed>,
    /// Those that it may be, if it is not.
    pub candidates: Vec<Placed>,
}

/// A library with its generation and what finds things in it.
struct Place {
    library: LibraryId,
    generation: Arc<Generation>,
    lazy: Arc<Lazy>,
}

impl Place {
    /// Those libraries that have a snapshot.
    fn of(shared: &Shared, libraries: &[Arc<Library>]) -> Vec<Self> {
        let place = |library: &Arc<Library>| {
            let generation = library.generation()?;
            let lazy = shared.finders.of(&library.id, &generation);
            Some(Self { library: library.id.clone(), generation, lazy })
        };
        libraries.iter().filter_map(place).collect()
    }

    fn find(&self, asked: &PathAsked, maps: &PathMaps, case: Case) -> Verdict {
        let asked = Asked { path: &asked.path, size_bytes: asked.size_bytes, duration_s: asked.duration_s };
        self.lazy.of(&self.generation.snapshot).files.find(&asked, maps, case)
    }

    fn placed(&self, row: u32, reasons: &[Reason]) -> Option<Placed> {
        let item = self.generation.snapshot.item(row)?;
        Some(Placed { library: self.library.clone(), item, reasons: reasons.to_vec() })
    }
}

impl Matching {
    /// Which items files belong to, one answer for each path in their order.
    pub async fn find_paths(
        &self,
        libraries: &[Arc<Library>],
        asked: Vec<PathAsked>,
        maps: Arc<PathMaps>,
        case: Case,
    ) -> Vec<PathFound> {
        let (Some(first), all) = (libraries.first(), libraries.to_vec()) else { return Vec::new() };
        self.shared.tally.add(Count::Paths, asked.len());
        let mut found = Vec::with_capacity(asked.len());
        for chunk in asked.chunks(CHUNK) {
            let (chunk, all, maps) = (chunk.to_vec(), all.clone(), Arc::clone(&maps));
            let work = move |shared: &Shared| -> Vec<PathFound> {
                let places = Place::of(shared, &all);
                chunk.iter().map(|asked| find_path(&places, asked, &maps, case)).collect()
            };
            found.extend(self.on_a_thread(first, work).await);
        }
        found
    }

    /// Items that have these names, at most [`MAX_SHOWN`] for each, in their order; none for what is no name.
    pub async fn find_ids(&self, libraries: &[Arc<Library>], ids: Vec<String>) -> Vec<Vec<Placed>> {
        let (Some(first), all) = (libraries.first(), libraries.to_vec()) else { return Vec::new() };
        self.shared.tally.add(Count::Ids, ids.len());
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let (chunk, all) = (chunk.to_vec(), all.clone());
            let work = move |shared: &Shared| -> Vec<Vec<Placed>> {
                let places = Place::of(shared, &all);
                chunk.iter().map(|id| find_id(&places, id)).collect()
            };
            found.extend(self.on_a_thread(first, work).await);
        }
        found
    }
}

/// The surest verdict of all libraries. A file may lie in several of them.
fn find_path(places: &[Place], asked: &PathAsked, maps: &PathMaps, case: Case) -> PathFound {
    let mut best = PathFound {
        confidence: Confidence::None,
        reasons: Vec::new(),
        items: Vec::new(),
        candidates: Vec::new(),
    };
    for place in places {
        let verdict = place.find(asked, maps, case);
        if verdict.confidence < best.confidence {
            continue;
        }
        let items: Vec<Placed> = verdict
            .rows
            .iter()
            .take(MAX_SHOWN)
            .filter_map(|row| place.placed(*row, &verdict.reasons))
            .collect();
        let candidates: Vec<Placed> = verdict
            .candidates
            .iter()
            .filter_map(|candidate| place.placed(candidate.row, &candidate.reasons))
            .collect();
        if verdict.confidence > best.confidence {
            let (confidence, reasons) = (verdict.confidence, verdict.reasons);
            best = PathFound { confidence, reasons, items, candidates };
            continue;
        }
        if best.confidence == Confidence::None {
            best.reasons = verdict.reasons;
        }
        best.items.extend(items);
        best.candidates.extend(candidates);
    }
    let is_whole = |placed: &Placed| {
        placed.reasons.contains(&Reason::FullPath) || placed.reasons.contains(&Reason::MappedPath)
    };
    // Two libraries may share a file; but two ends of paths that are alike are two files.
    let libraries =
        best.items.iter().map(|placed| &placed.library).collect::<std::collections::BTreeSet<_>>().len();
    if libraries > 1 && best.items.iter().any(is_whole) {
        best.items.retain(is_whole);
    } else if libraries > 1 {
        best.confidence = Confidence::Low;
        best.reasons.push(Reason::Several);
        best.candidates = std::mem::take(&mut best.items);
    }
    best.items.truncate(MAX_SHOWN);
    best.candidates.truncate(MAX_SHOWN);
    best
}

fn find_id(places: &[Place], id: &str) -> Vec<Placed> {
    let Some(name) = guid::canonical(id) else { return Vec::new() };
    let found = places.iter().flat_map(|place| {
        let snapshot = &place.generation.snapshot;
        let items = place.lazy.of(snapshot).named(snapshot, &name);
        items.into_iter().map(|item| Placed { library: place.library.clone(), item, reasons: Vec::new() })
    });
    found.take(MAX_SHOWN).collect()
}
