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
        let target = |library: &Arc<Library>| {
            let generation = library.generation()?;
            let locator_entry = shared.locators.for_generation(&library.id, &generation);
            Some(LookupTarget {
                library: Arc::clone(library),
                generation,
                locator: locator_entry,
                read: HashMap::new(),
            })
        };
        Self { targets: libraries.iter().filter_map(target).collect(), override_keys: shared.override_keys() }
    }
}

impl LookupTarget {
    fn find(&self, query: &PathLookupQuery, maps: &PathMaps, case: CaseSensitivity) -> FileMatchResult {
        let query = FileQuery { path: &query.path, size_bytes: query.size_bytes, duration_s: query.duration_s };
        self.locator.get(&self.generation.snapshot).files.find(&query, maps, case)
    }

    fn located_item(&self, item: Item, reasons: &[FileMatchReason]) -> LocatedItem {
        LocatedItem { library: self.library.id.clone(), item, reasons: reasons.to_vec() }
    }

    /// Reads the items that results name, in the order of their rows, because rows are packed together.
    fn read<'v>(&mut self, results: impl Iterator<Item = &'v FileMatchResult>) {
        let rows = results.flat_map(|result| {
            let accepted_rows = result.rows.iter().take(MAX_SHOWN).copied();
            accepted_rows.chain(result.candidates.iter().map(|candidate| candidate.row))
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
        let (library, generation, locator_entry) = (&self.library, &self.generation, Arc::clone(&self.locator));
        MatchSession { shared, library, generation, locator: locator_entry, policy: MatchPolicy::Strict }
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
    fn load(shared: &'a MatcherState, targets: &LookupTargets, named: impl FnOnce() -> Vec<TrackQuery>) -> Self {
        let mut by_target = Vec::new();
        if !targets.override_keys.is_empty() {
            let named = named();
            let in_target = |target: &LookupTarget| {
                let keys = named.iter().map(|query| OverrideKeys::new(&target.library.id, query));
                let may_match =
                    |keys: &OverrideKeys| keys.lookup_keys().any(|key| targets.override_keys.contains(&key));
                let overrides = keys.filter(may_match).flat_map(|keys| shared.overrides(&keys));
                let overrides = overrides.map(|(_, match_override)| match_override);
                overrides.filter(|match_override| match_override.kind != MatchOverrideKind::Confirmed).collect()
            };
            by_target = targets.targets.iter().map(in_target).collect();
        }
        Self { shared, by_target, applied: Vec::new() }
    }

    /// The pinned item, from the first library that has it.
    fn pinned(&self, targets: &LookupTargets) -> Option<LocatedItem> {
        self.by_target.iter().zip(&targets.targets).find_map(|(overrides, target)| {
            let item = target.session(self.shared).pinned(overrides.iter())?;
            Some(target.located_item(item, &[]))
        })
    }

    /// Whether an item of one of the libraries may be shown; records why not.
    fn may_show(&mut self, at: usize, target: &LookupTarget, item: &Item) -> bool {
        let is_rejection = |match_override: &MatchOverride| {
            match_override.kind == MatchOverrideKind::Rejection && is_about(match_override, item)
        };
        let (reason, counter) = if self.by_target.get(at).is_some_and(|overrides| overrides.iter().any(is_rejection)) {
            (AppliedOverride::Rejected, MatchCounter::Rejected)
        } else if target.session(self.shared).is_missing_on_server(item) {
            (AppliedOverride::MissingOnServer, MatchCounter::MissingOnServer)
        } else {
            return true;
        };
        self.shared.counters.increment(counter);
        if !self.applied.contains(&reason) {
            self.applied.push(reason);
        }
        false
    }
}

impl Matcher {
    /// Looks up the items of files: one result per path, in order.
    pub async fn find_paths(
        &self,
        libraries: &[Arc<Library>],
        queries: Vec<PathLookupQuery>,
        maps: Arc<PathMaps>,
        case: CaseSensitivity,
    ) -> Vec<PathLookupResult> {
        let (Some(first), all) = (libraries.first(), libraries.to_vec()) else { return Vec::new() };
        self.shared.counters.add(MatchCounter::Paths, queries.len());
        let mut found = Vec::with_capacity(queries.len());
        for chunk in queries.chunks(CHUNK) {
            let (chunk, all, maps) = (chunk.to_vec(), all.clone(), Arc::clone(&maps));
            let work = move |shared: &MatcherState| -> Vec<PathLookupResult> {
                let mut targets = LookupTargets::new(shared, &all);
                let mut results: Vec<Vec<FileMatchResult>> = Vec::with_capacity(targets.targets.len());
                for target in &mut targets.targets {
                    let target_results: Vec<FileMatchResult> =
                        chunk.iter().map(|query| target.find(query, &maps, case)).collect();
                    target.read(target_results.iter());
                    results.push(target_results);
                }
                let one = |(at, query): (usize, &PathLookupQuery)| {
                    let results = results.iter().map(|target_results| &target_results[at]);
                    find_path(shared, &targets, (query, &maps), results)
                };
                chunk.iter().enumerate().map(one).collect()
            };
            found.extend(self.run_blocking(first, work).await);
        }
        record_lookups(libraries, found.iter().map(|result: &PathLookupResult| result.items.first()));
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
                let targets = LookupTargets::new(shared, &all);
                chunk.iter().map(|id| find_id(shared, &targets, id)).collect()
            };
            found.extend(self.run_blocking(first, work).await);
        }
        record_lookups(libraries, found.iter().map(|result: &IdLookupResult| result.items.first()));
        found
    }
}

/// Counts each lookup in the library that has the item, or in the first one searched.
fn record_lookups<'i>(libraries: &[Arc<Library>], found: impl Iterator<Item = Option<&'i LocatedItem>>) {
    for located in found {
        let has_item = |library: &&Arc<Library>| located.is_none_or(|located| located.library == library.id);
        if let Some(library) = libraries.iter().find(has_item) {
            library.lookups.record([located.is_some()], library.server.origin.clock.now());
        }
    }
}

/// Whether a rejection applies to this item. Editions of a film share one id and only one is rejected, so known files
/// decide.
fn is_about(match_override: &MatchOverride, item: &Item) -> bool {
    let has_key = match_override.item_key == *item.key || match_override.identity.paths.is_empty();
    match_override.identity.has_file_of(item) || (has_key && match_override.identity.matches(item))
}

/// Possible keys of a path: as mapped, and as given.
fn spellings(path: &str, maps: &PathMaps) -> Vec<TrackQuery> {
    maps.map(path).as_deref().into_iter().chain([path]).map(TrackQuery::from_path).collect()
}

/// The result with the highest confidence of all libraries. A file may be in several of them.
fn find_path<'v>(
    shared: &MatcherState,
    targets: &LookupTargets,
    (query, maps): (&PathLookupQuery, &PathMaps),
    results: impl Iterator<Item = &'v FileMatchResult>,
) -> PathLookupResult {
    let mut best = PathLookupResult {
        confidence: FileMatchConfidence::None,
        reasons: Vec::new(),
        items: Vec::new(),
        candidates: Vec::new(),
        overrides: Vec::new(),
    };
    let mut overrides = OverrideSet::load(shared, targets, || spellings(&query.path, maps));
    if let Some(located) = overrides.pinned(targets) {
        return PathLookupResult {
            confidence: FileMatchConfidence::High,
            items: vec![located],
            overrides: vec![AppliedOverride::Pinned],
            ..best
        };
    }
    for ((at, target), result) in targets.targets.iter().enumerate().zip(results) {
        if result.confidence < best.confidence {
            continue;
        }
        let mut admitted = |rows: &mut dyn Iterator<Item = (u32, &[FileMatchReason])>| -> Vec<LocatedItem> {
            let read = rows.filter_map(|(row, reasons)| Some((target.read.get(&row)?, reasons)));
            let read = read.filter(|(item, _)| overrides.may_show(at, target, item));
            read.map(|(item, reasons)| target.located_item(item.clone(), reasons)).collect()
        };
        let rows = result.rows.iter().take(MAX_SHOWN).map(|row| (*row, result.reasons.as_slice()));
        let items = admitted(&mut rows.into_iter());
        let candidates = result.candidates.iter().map(|candidate| (candidate.row, candidate.reasons.as_slice()));
        let candidates = admitted(&mut candidates.into_iter());
        // All items were left out.
        let is_left_out = items.is_empty() && candidates.is_empty();
        let confidence = if is_left_out { FileMatchConfidence::None } else { result.confidence };
        if confidence < best.confidence {
            continue;
        }
        if confidence > best.confidence {
            let reasons = result.reasons.clone();
            best = PathLookupResult { confidence, reasons, items, candidates, overrides: Vec::new() };
            continue;
        }
        if best.confidence == FileMatchConfidence::None {
            best.reasons.clone_from(&result.reasons);
        }
        best.items.extend(items);
        best.candidates.extend(candidates);
    }
    best.overrides = overrides.applied;
    let is_complete = |located: &LocatedItem| {
        located.reasons.contains(&FileMatchReason::FullPath) || located.reasons.contains(&FileMatchReason::MappedPath)
    };
    // Two libraries may share a file; but two similar path ends are two files.
    let libraries = best.items.iter().map(|located| &located.library).collect::<std::collections::BTreeSet<_>>().len();
    if libraries > 1 && best.items.iter().any(is_complete) {
        best.items.retain(is_complete);
    } else if libraries > 1 {
        best.confidence = FileMatchConfidence::Low;
        best.reasons.push(FileMatchReason::Several);
        best.candidates = std::mem::take(&mut best.items);
    }
    best.items.truncate(MAX_SHOWN);
    best.candidates.truncate(MAX_SHOWN);
    best
}

fn find_id(shared: &MatcherState, targets: &LookupTargets, id: &str) -> IdLookupResult {
    let Some(name) = external_id::canonical(id) else { return IdLookupResult::default() };
    let mut overrides = OverrideSet::load(shared, targets, || vec![TrackQuery::from_id(&name)]);
    if let Some(located) = overrides.pinned(targets) {
        return IdLookupResult { items: vec![located], overrides: vec![AppliedOverride::Pinned] };
    }
    let mut items = Vec::new();
    for (at, target) in targets.targets.iter().enumerate() {
        let snapshot = &target.generation.snapshot;
        let named = target.locator.get(snapshot).find_by_id(snapshot, &name).into_iter();
        items.extend(
            named.filter(|item| overrides.may_show(at, target, item)).map(|item| target.located_item(item, &[])),
        );
    }
    items.truncate(MAX_SHOWN);
    IdLookupResult { items, overrides: overrides.applied }
}
