//! Paths and names looked up for others: which items they belong to, in all libraries that are asked. What somebody
//! decided about one counts before the index.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use greenroom_library::files::{Asked, Case, Confidence, PathMaps, Reason, Verdict};
use greenroom_library::guid;
use greenroom_library::item::Item;
use greenroom_library::tracks::Policy;

use super::{Matching, Shared, Wanted};
use crate::index::{Generation, Library, LibraryId};
use crate::matching::counters::Count;
use crate::matching::item_locator::Lazy;
use crate::matching::pin::{Ruling, RulingKind};
use crate::matching::query::Keys;
use crate::matching::session::Session;

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
    /// What counted beside the index.
    pub ruled: Vec<Ruled>,
}

/// What came of one name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IdFound {
    /// The items that have it, at most [`MAX_SHOWN`].
    pub items: Vec<Placed>,
    /// What counted beside the index.
    pub ruled: Vec<Ruled>,
}

/// What counts beside the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruled {
    /// Somebody said that it is this one.
    Pinned,
    /// One was left out: somebody said that it is never that one.
    Rejected,
    /// One was left out: the server does not have it.
    Disowned,
}

impl Ruled {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Rejected => "rejected",
            Self::Disowned => "disowned",
        }
    }
}

/// A library with its generation and what finds things in it.
struct Place {
    library: Arc<Library>,
    generation: Arc<Generation>,
    lazy: Arc<Lazy>,
    /// Items that were read for the paths at hand, by row.
    read: HashMap<u32, Item>,
}

/// All that is asked for one batch.
struct Places {
    of: Vec<Place>,
    /// Keys of what somebody decided.
    by_hand: Arc<HashSet<i64>>,
}

impl Places {
    /// Those libraries that have a snapshot.
    fn of(shared: &Shared, libraries: &[Arc<Library>]) -> Self {
        let place = |library: &Arc<Library>| {
            let generation = library.generation()?;
            let lazy = shared.finders.of(&library.id, &generation);
            Some(Place { library: Arc::clone(library), generation, lazy, read: HashMap::new() })
        };
        Self { of: libraries.iter().filter_map(place).collect(), by_hand: shared.keys_by_hand() }
    }
}

impl Place {
    fn find(&self, asked: &PathAsked, maps: &PathMaps, case: Case) -> Verdict {
        let asked = Asked { path: &asked.path, size_bytes: asked.size_bytes, duration_s: asked.duration_s };
        self.lazy.of(&self.generation.snapshot).files.find(&asked, maps, case)
    }

    fn placed(&self, item: Item, reasons: &[Reason]) -> Placed {
        Placed { library: self.library.id.clone(), item, reasons: reasons.to_vec() }
    }

    /// Reads the items that verdicts name, in the order they lie in: rows are packed together.
    fn read<'v>(&mut self, verdicts: impl Iterator<Item = &'v Verdict>) {
        let rows = verdicts.flat_map(|verdict| {
            let sure = verdict.rows.iter().take(MAX_SHOWN).copied();
            sure.chain(verdict.candidates.iter().map(|candidate| candidate.row))
        });
        let mut rows: Vec<u32> = rows.collect();
        rows.sort_unstable();
        rows.dedup();
        self.read.clear();
        self.generation.snapshot.items_at(&rows, |row, item| {
            self.read.insert(row, item);
        });
    }

    fn session<'a>(&'a self, shared: &'a Shared) -> Session<'a> {
        let (library, generation, lazy) = (&self.library, &self.generation, Arc::clone(&self.lazy));
        Session { shared, library, generation, lazy, policy: Policy::Strict }
    }
}

/// What was decided about one path or name, in each of the libraries that are asked.
struct Rulings<'a> {
    shared: &'a Shared,
    of: Vec<Vec<Ruling>>,
    ruled: Vec<Ruled>,
}

impl<'a> Rulings<'a> {
    /// `named` makes what it may be kept under; that is needed only if there are decisions at all.
    fn of(shared: &'a Shared, places: &Places, named: impl FnOnce() -> Vec<Wanted>) -> Self {
        let mut of = Vec::new();
        if !places.by_hand.is_empty() {
            let named = named();
            let in_place = |place: &Place| {
                let keys = named.iter().map(|wanted| Keys::of(&place.library.id, wanted));
                let may_be = |keys: &Keys| keys.asked().any(|key| places.by_hand.contains(&key));
                let rulings = keys.filter(may_be).flat_map(|keys| shared.rulings(&keys));
                let rulings = rulings.map(|(_, ruling)| ruling);
                rulings.filter(|ruling| ruling.kind != RulingKind::Confirmed).collect()
            };
            of = places.of.iter().map(in_place).collect();
        }
        Self { shared, of, ruled: Vec::new() }
    }

    /// The item it is pinned to, in the first library where it is.
    fn pinned(&self, places: &Places) -> Option<Placed> {
        self.of.iter().zip(&places.of).find_map(|(rulings, place)| {
            let item = place.session(self.shared).pinned(rulings.iter())?;
            Some(place.placed(item, &[]))
        })
    }

    /// Whether an item of one of the places may be shown. What may not be is noted.
    fn admits(&mut self, at: usize, place: &Place, item: &Item) -> bool {
        let is_never = |ruling: &Ruling| ruling.kind == RulingKind::Rejection && is_that(ruling, item);
        let (why, count) = if self.of.get(at).is_some_and(|rulings| rulings.iter().any(is_never)) {
            (Ruled::Rejected, Count::Rejected)
        } else if place.session(self.shared).is_disowned(item) {
            (Ruled::Disowned, Count::Disowned)
        } else {
            return true;
        };
        self.shared.tally.note(count);
        if !self.ruled.contains(&why) {
            self.ruled.push(why);
        }
        false
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
                let mut places = Places::of(shared, &all);
                let mut verdicts: Vec<Vec<Verdict>> = Vec::with_capacity(places.of.len());
                for place in &mut places.of {
                    let of_place: Vec<Verdict> =
                        chunk.iter().map(|asked| place.find(asked, &maps, case)).collect();
                    place.read(of_place.iter());
                    verdicts.push(of_place);
                }
                let one = |(at, asked): (usize, &PathAsked)| {
                    let verdicts = verdicts.iter().map(|of_place| &of_place[at]);
                    find_path(shared, &places, (asked, &maps), verdicts)
                };
                chunk.iter().enumerate().map(one).collect()
            };
            found.extend(self.on_a_thread(first, work).await);
        }
        found
    }

    /// Items that have these names, in their order; none for what is no name.
    pub async fn find_ids(&self, libraries: &[Arc<Library>], ids: Vec<String>) -> Vec<IdFound> {
        let (Some(first), all) = (libraries.first(), libraries.to_vec()) else { return Vec::new() };
        self.shared.tally.add(Count::Ids, ids.len());
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let (chunk, all) = (chunk.to_vec(), all.clone());
            let work = move |shared: &Shared| -> Vec<IdFound> {
                let places = Places::of(shared, &all);
                chunk.iter().map(|id| find_id(shared, &places, id)).collect()
            };
            found.extend(self.on_a_thread(first, work).await);
        }
        found
    }
}

/// Whether a rejection is about this item. Editions of one film have one name, and only one of them is rejected: where
/// its files are known, they count.
fn is_that(ruling: &Ruling, item: &Item) -> bool {
    let has_key = ruling.item_key == *item.key || ruling.identity.paths.is_empty();
    ruling.identity.has_file_of(item) || (has_key && ruling.identity.is_of(item))
}

/// What a path may be kept under: as the rules make it, and as it stands.
fn spellings(path: &str, maps: &PathMaps) -> Vec<Wanted> {
    maps.there(path).as_deref().into_iter().chain([path]).map(Wanted::file).collect()
}

/// The surest verdict of all libraries. A file may lie in several of them.
fn find_path<'v>(
    shared: &Shared,
    places: &Places,
    (asked, maps): (&PathAsked, &PathMaps),
    verdicts: impl Iterator<Item = &'v Verdict>,
) -> PathFound {
    let mut best = PathFound {
        confidence: Confidence::None,
        reasons: Vec::new(),
        items: Vec::new(),
        candidates: Vec::new(),
        ruled: Vec::new(),
    };
    let mut rulings = Rulings::of(shared, places, || spellings(&asked.path, maps));
    if let Some(placed) = rulings.pinned(places) {
        return PathFound {
            confidence: Confidence::High,
            items: vec![placed],
            ruled: vec![Ruled::Pinned],
            ..best
        };
    }
    for ((at, place), verdict) in places.of.iter().enumerate().zip(verdicts) {
        if verdict.confidence < best.confidence {
            continue;
        }
        let mut admitted = |rows: &mut dyn Iterator<Item = (u32, &[Reason])>| -> Vec<Placed> {
            let read = rows.filter_map(|(row, reasons)| Some((place.read.get(&row)?, reasons)));
            let read = read.filter(|(item, _)| rulings.admits(at, place, item));
            read.map(|(item, reasons)| place.placed(item.clone(), reasons)).collect()
        };
        let rows = verdict.rows.iter().take(MAX_SHOWN).map(|row| (*row, verdict.reasons.as_slice()));
        let items = admitted(&mut rows.into_iter());
        let few = verdict.candidates.iter().map(|candidate| (candidate.row, candidate.reasons.as_slice()));
        let candidates = admitted(&mut few.into_iter());
        // Whatever it was, it may not be.
        let is_left_out = items.is_empty() && candidates.is_empty();
        let confidence = if is_left_out { Confidence::None } else { verdict.confidence };
        if confidence < best.confidence {
            continue;
        }
        if confidence > best.confidence {
            let reasons = verdict.reasons.clone();
            best = PathFound { confidence, reasons, items, candidates, ruled: Vec::new() };
            continue;
        }
        if best.confidence == Confidence::None {
            best.reasons.clone_from(&verdict.reasons);
        }
        best.items.extend(items);
        best.candidates.extend(candidates);
    }
    best.ruled = rulings.ruled;
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

fn find_id(shared: &Shared, places: &Places, id: &str) -> IdFound {
    let Some(name) = guid::canonical(id) else { return IdFound::default() };
    let mut rulings = Rulings::of(shared, places, || vec![Wanted::named(&name)]);
    if let Some(placed) = rulings.pinned(places) {
        return IdFound { items: vec![placed], ruled: vec![Ruled::Pinned] };
    }
    let mut items = Vec::new();
    for (at, place) in places.of.iter().enumerate() {
        let snapshot = &place.generation.snapshot;
        let named = place.lazy.of(snapshot).named(snapshot, &name).into_iter();
        items
            .extend(named.filter(|item| rulings.admits(at, place, item)).map(|item| place.placed(item, &[])));
    }
    items.truncate(MAX_SHOWN);
    IdFound { items, ruled: rulings.ruled }
}
