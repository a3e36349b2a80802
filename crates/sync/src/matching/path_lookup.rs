//! Looks up paths and external ids in all requested libraries. Overrides win over the index.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use greenroom_library::external_id;
use greenroom_library::files::{
    CaseSensitivity, FileMatchConfidence, FileMatchReason, FileMatchResult, FileQuery, PathMaps,
};
use greenroom_library::item::Item;
use greenroom_library::matching::MatchPolicy;

use super::{Matcher, MatcherState, TrackQuery};
use crate::index::{Generation, Library, LibraryId};
use crate::matching::counters::MatchCounter;
use crate::matching::item_locator::LazyLocator;
use crate::matching::overrides::{MatchOverride, MatchOverrideKind};
use crate::matching::query::OverrideKeys;
use crate::matching::session::MatchSession;

/// Paths or ids that one thread looks up before it lets other batches run.
const CHUNK: usize = 5_000;
/// Max items shown per id or path.
pub const MAX_SHOWN: usize = 5;

/// A file to look up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathLookupQuery {
    /// Its path as the app sees it.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: Option<u64>,
    /// Its duration in seconds.
    pub duration_s: Option<u32>,
}

/// An item of a library.
#[derive(Debug, Clone, PartialEq)]
pub struct LocatedItem {
    /// Its library.
    pub library: LibraryId,
    /// The item.
    pub item: Item,
    /// Reasons for and against it.
    pub reasons: Vec<FileMatchReason>,
}

/// Result of one path.
#[derive(Debug, Clone, PartialEq)]
pub struct PathLookupResult {
    /// Confidence.
    pub confidence: FileMatchConfidence,
    /// Reasons.
    pub reasons: Vec<FileMatchReason>,
    /// The matching items, if the confidence is high.
    pub items: Vec<LocatedItem>,
    /// Possible items, if it is not.
    pub candidates: Vec<LocatedItem>,
    /// Overrides that applied.
    pub overrides: Vec<AppliedOverride>,
}

/// Result of one id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IdLookupResult {
    /// Items with this id, at most [`MAX_SHOWN`].
    pub items: Vec<LocatedItem>,
    /// Overrides that applied.
    pub overrides: Vec<AppliedOverride>,
}

/// An override that applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppliedOverride {
    /// The item is pinned.
    Pinned,
    /// A rejected item was left out.
    Rejected,
    /// An item missing on the server was left out.
    MissingOnServer,
}

impl AppliedOverride {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Rejected => "rejected",
            Self::MissingOnServer => "disowned",
        }
    }
}

/// A library with its generation and locator.
struct LookupTarget {
    library: Arc<Library>,
    generation: Arc<Generation>,
    locator: Arc<LazyLocator>,
    /// Items read for the current paths, by row.
    read: HashMap<u32, Item>,
}

/// All libraries of one batch.
struct LookupTargets {
    targets: Vec<LookupTarget>,
    /// Keys of pins and rejections.
    override_keys: Arc<HashSet<i64>>,
}

impl LookupTargets {
    /// The libraries that have a snapshot.
    fn new(shared: &MatcherState, libraries: &[Arc<Library>]) -> Self {
        let place = |library: &Arc<Library>| {
            let generation = library.generation()?;
            let lazy = shared.locators.for_generation(&library.id, &generation);
            Some(LookupTarget { library: Arc::clone(library), generation, locator: lazy, read: HashMap::new() })
        };
        Self { targets: libraries.iter().filter_map(place).collect(), override_keys: shared.override_keys() }
    }
}

impl LookupTarget {
    fn find(&self, asked: &PathLookupQuery, maps: &PathMaps, case: CaseSensitivity) -> FileMatchResult {
        let asked = FileQuery { path: &asked.path, size_bytes: asked.size_bytes, duration_s: asked.duration_s };
        self.locator.get(&self.generation.snapshot).files.find(&asked, maps, case)
    }

    fn located_item(&self, item: Item, reasons: &[FileMatchReason]) -> LocatedItem {
        LocatedItem { library: self.library.id.clone(), item, reasons: reasons.to_vec() }
    }

    /// Reads the items that results name, in the order of their rows, because rows are packed together.
    fn read<'v>(&mut self, verdicts: impl Iterator<Item = &'v FileMatchResult>) {
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

    fn session<'a>(&'a self, shared: &'a MatcherState) -> MatchSession<'a> {
        let (library, generation, lazy) = (&self.library, &self.generation, Arc::clone(&self.locator));
        MatchSession { shared, library, generation, locator: lazy, policy: MatchPolicy::Strict }
    }
}

/// Overrides of one path or id in each of the libraries.
struct OverrideSet<'a> {
    shared: &'a MatcherState,
    by_target: Vec<Vec<MatchOverride>>,
    applied: Vec<AppliedOverride>,
}

impl<'a> OverrideSet<'a> {
    /// `named` builds the possible keys; it is called only if there are overrides at all.
    fn load(shared: &'a MatcherState, places: &LookupTargets, named: impl FnOnce() -> Vec<TrackQuery>) -> Self {
        let mut of = Vec::new();
        if !places.override_keys.is_empty() {
            let named = named();
            let in_place = |place: &LookupTarget| {
                let keys = named.iter().map(|wanted| OverrideKeys::new(&place.library.id, wanted));
                let may_be = |keys: &OverrideKeys| keys.lookup_keys().any(|key| places.override_keys.contains(&key));
                let rulings = keys.filter(may_be).flat_map(|keys| shared.overrides(&keys));
                let rulings = rulings.map(|(_, ruling)| ruling);
                rulings.filter(|ruling| ruling.kind != MatchOverrideKind::Confirmed).collect()
            };
            of = places.targets.iter().map(in_place).collect();
        }
        Self { shared, by_target: of, applied: Vec::new() }
    }

    /// The pinned item, from the first library that has it.
    fn pinned(&self, places: &LookupTargets) -> Option<LocatedItem> {
        self.by_target.iter().zip(&places.targets).find_map(|(rulings, place)| {
            let item = place.session(self.shared).pinned(rulings.iter())?;
            Some(place.located_item(item, &[]))
        })
    }

    /// Whether an item of one of the libraries may be shown; records why not.
    fn may_show(&mut self, at: usize, place: &LookupTarget, item: &Item) -> bool {
        let is_never = |ruling: &MatchOverride| ruling.kind == MatchOverrideKind::Rejection && is_about(ruling, item);
        let (why, count) = if self.by_target.get(at).is_some_and(|rulings| rulings.iter().any(is_never)) {
            (AppliedOverride::Rejected, MatchCounter::Rejected)
        } else if place.session(self.shared).is_missing_on_server(item) {
            (AppliedOverride::MissingOnServer, MatchCounter::MissingOnServer)
        } else {
            return true;
        };
        self.shared.counters.increment(count);
        if !self.applied.contains(&why) {
            self.applied.push(why);
        }
        false
    }
}

impl Matcher {
    /// Looks up the items of files: one result per path, in order.
    pub async fn find_paths(
        &self,
        libraries: &[Arc<Library>],
        asked: Vec<PathLookupQuery>,
        maps: Arc<PathMaps>,
        case: CaseSensitivity,
    ) -> Vec<PathLookupResult> {
        let (Some(first), all) = (libraries.first(), libraries.to_vec()) else { return Vec::new() };
        self.shared.counters.add(MatchCounter::Paths, asked.len());
        let mut found = Vec::with_capacity(asked.len());
        for chunk in asked.chunks(CHUNK) {
            let (chunk, all, maps) = (chunk.to_vec(), all.clone(), Arc::clone(&maps));
            let work = move |shared: &MatcherState| -> Vec<PathLookupResult> {
                let mut places = LookupTargets::new(shared, &all);
                let mut verdicts: Vec<Vec<FileMatchResult>> = Vec::with_capacity(places.targets.len());
                for place in &mut places.targets {
                    let of_place: Vec<FileMatchResult> =
                        chunk.iter().map(|asked| place.find(asked, &maps, case)).collect();
                    place.read(of_place.iter());
                    verdicts.push(of_place);
                }
                let one = |(at, asked): (usize, &PathLookupQuery)| {
                    let verdicts = verdicts.iter().map(|of_place| &of_place[at]);
                    find_path(shared, &places, (asked, &maps), verdicts)
                };
                chunk.iter().enumerate().map(one).collect()
            };
            found.extend(self.run_blocking(first, work).await);
        }
        found
    }

    /// Looks up items by id, in order; an invalid id has none.
    pub async fn find_ids(&self, libraries: &[Arc<Library>], ids: Vec<String>) -> Vec<IdLookupResult> {
        let (Some(first), all) = (libraries.first(), libraries.to_vec()) else { return Vec::new() };
        self.shared.counters.add(MatchCounter::Ids, ids.len());
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let (chunk, all) = (chunk.to_vec(), all.clone());
            let work = move |shared: &MatcherState| -> Vec<IdLookupResult> {
                let places = LookupTargets::new(shared, &all);
                chunk.iter().map(|id| find_id(shared, &places, id)).collect()
            };
            found.extend(self.run_blocking(first, work).await);
        }
        found
    }
}

/// Whether a rejection applies to this item. Editions of a film share one id and only one is rejected, so known files
/// decide.
fn is_about(ruling: &MatchOverride, item: &Item) -> bool {
    let has_key = ruling.item_key == *item.key || ruling.identity.paths.is_empty();
    ruling.identity.has_file_of(item) || (has_key && ruling.identity.matches(item))
}

/// Possible keys of a path: as mapped, and as given.
fn spellings(path: &str, maps: &PathMaps) -> Vec<TrackQuery> {
    maps.map(path).as_deref().into_iter().chain([path]).map(TrackQuery::from_path).collect()
}

/// The result with the highest confidence of all libraries. A file may be in several of them.
fn find_path<'v>(
    shared: &MatcherState,
    places: &LookupTargets,
    (asked, maps): (&PathLookupQuery, &PathMaps),
    verdicts: impl Iterator<Item = &'v FileMatchResult>,
) -> PathLookupResult {
    let mut best = PathLookupResult {
        confidence: FileMatchConfidence::None,
        reasons: Vec::new(),
        items: Vec::new(),
        candidates: Vec::new(),
        overrides: Vec::new(),
    };
    let mut rulings = OverrideSet::load(shared, places, || spellings(&asked.path, maps));
    if let Some(placed) = rulings.pinned(places) {
        return PathLookupResult {
            confidence: FileMatchConfidence::High,
            items: vec![placed],
            overrides: vec![AppliedOverride::Pinned],
            ..best
        };
    }
    for ((at, place), verdict) in places.targets.iter().enumerate().zip(verdicts) {
        if verdict.confidence < best.confidence {
            continue;
        }
        let mut admitted = |rows: &mut dyn Iterator<Item = (u32, &[FileMatchReason])>| -> Vec<LocatedItem> {
            let read = rows.filter_map(|(row, reasons)| Some((place.read.get(&row)?, reasons)));
            let read = read.filter(|(item, _)| rulings.may_show(at, place, item));
            read.map(|(item, reasons)| place.located_item(item.clone(), reasons)).collect()
        };
        let rows = verdict.rows.iter().take(MAX_SHOWN).map(|row| (*row, verdict.reasons.as_slice()));
        let items = admitted(&mut rows.into_iter());
        let few = verdict.candidates.iter().map(|candidate| (candidate.row, candidate.reasons.as_slice()));
        let candidates = admitted(&mut few.into_iter());
        // All items were left out.
        let is_left_out = items.is_empty() && candidates.is_empty();
        let confidence = if is_left_out { FileMatchConfidence::None } else { verdict.confidence };
        if confidence < best.confidence {
            continue;
        }
        if confidence > best.confidence {
            let reasons = verdict.reasons.clone();
            best = PathLookupResult { confidence, reasons, items, candidates, overrides: Vec::new() };
            continue;
        }
        if best.confidence == FileMatchConfidence::None {
            best.reasons.clone_from(&verdict.reasons);
        }
        best.items.extend(items);
        best.candidates.extend(candidates);
    }
    best.overrides = rulings.applied;
    let is_whole = |placed: &LocatedItem| {
        placed.reasons.contains(&FileMatchReason::FullPath) || placed.reasons.contains(&FileMatchReason::MappedPath)
    };
    // Two libraries may share a file; but two similar path ends are two files.
    let libraries = best.items.iter().map(|placed| &placed.library).collect::<std::collections::BTreeSet<_>>().len();
    if libraries > 1 && best.items.iter().any(is_whole) {
        best.items.retain(is_whole);
    } else if libraries > 1 {
        best.confidence = FileMatchConfidence::Low;
        best.reasons.push(FileMatchReason::Several);
        best.candidates = std::mem::take(&mut best.items);
    }
    best.items.truncate(MAX_SHOWN);
    best.candidates.truncate(MAX_SHOWN);
    best
}

fn find_id(shared: &MatcherState, places: &LookupTargets, id: &str) -> IdLookupResult {
    let Some(name) = external_id::canonical(id) else { return IdLookupResult::default() };
    let mut rulings = OverrideSet::load(shared, places, || vec![TrackQuery::from_id(&name)]);
    if let Some(placed) = rulings.pinned(places) {
        return IdLookupResult { items: vec![placed], overrides: vec![AppliedOverride::Pinned] };
    }
    let mut items = Vec::new();
    for (at, place) in places.targets.iter().enumerate() {
        let snapshot = &place.generation.snapshot;
        let named = place.locator.get(snapshot).find_by_id(snapshot, &name).into_iter();
        items.extend(named.filter(|item| rulings.may_show(at, place, item)).map(|item| place.located_item(item, &[])));
    }
    items.truncate(MAX_SHOWN);
    IdLookupResult { items, overrides: rulings.applied }
}
