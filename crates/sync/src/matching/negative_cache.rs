//! Tracks known to be missing: not searched again before an item is added that could match.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use greenroom_library::item::Item;
use greenroom_library::matching::{MatchDecision, MatchPolicy, TrackIndex, TrackIndexBuilder, TrackMatchReason};
use greenroom_library::snapshot::push_track;
use parking_lot::Mutex;

use super::{MatchCandidate, TrackQuery};
use crate::index::{Generation, Library, LibraryId};

/// Max entries; the oldest are evicted first.
const MAX_MISSES: usize = 50_000;
/// Max indexes of added items.
const MAX_DELTAS: usize = 8;
/// With more added items the whole index is searched.
const MAX_DELTA_ITEMS: usize = 20_000;

/// A query in one library under one policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct MissKey {
    library: LibraryId,
    policy: u8,
    asked: [u64; 2],
}

impl MissKey {
    pub(super) fn new(library: &LibraryId, wanted: &TrackQuery, policy: MatchPolicy) -> Self {
        let text = serde_json::to_string(wanted).unwrap_or_default();
        let hash = xxhash_rust::xxh3::xxh3_128(text.as_bytes());
        let halves = [hash >> 64, hash & u128::from(u64::MAX)];
        Self {
            library: library.clone(),
            policy: policy as u8,
            asked: halves.map(|half| u64::try_from(half).unwrap_or_default()),
        }
    }
}

/// A candidate with too low a score, by its item's key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RejectedCandidate {
    pub(super) key: Box<str>,
    pub(super) score: f32,
    pub(super) reasons: Vec<TrackMatchReason>,
}

/// A cached miss.
#[derive(Debug, Clone)]
pub(super) struct CachedMiss {
    /// The newest generation it covers.
    pub(super) number: u64,
    /// The closest candidates.
    pub(super) rejected: Vec<RejectedCandidate>,
    /// Result of the live search at that time.
    pub(super) live_result: LiveSearchResult,
}

/// Result of a live search.
#[derive(Debug, Clone)]
pub(super) enum LiveSearchResult {
    /// None ran.
    NotSearched,
    /// No match.
    NoMatch,
    /// These items, which no snapshot has yet, and their match result.
    Candidates(MatchDecision, Vec<MatchCandidate>),
}

#[derive(Debug, Default)]
struct NegativeCacheState {
    misses: HashMap<MissKey, CachedMiss>,
    order: VecDeque<MissKey>,
    deltas: VecDeque<Arc<IndexDelta>>,
}

/// The matcher's negative cache.
#[derive(Debug, Default)]
pub(super) struct MatchNegativeCache {
    state: Mutex<NegativeCacheState>,
}

/// Items added between two generations of a library.
#[derive(Debug)]
pub(super) struct IndexDelta {
    library: LibraryId,
    since: u64,
    until: u64,
    /// An index over them; `None` if they are unknown or too many.
    pub(super) tracks: Option<TrackIndex>,
}

impl MatchNegativeCache {
    pub(super) fn get(&self, question: &MissKey) -> Option<CachedMiss> {
        self.state.lock().misses.get(question).cloned()
    }

    pub(super) fn insert(&self, question: MissKey, known: CachedMiss) {
        let mut held = self.state.lock();
        if held.misses.insert(question.clone(), known).is_none() {
            held.order.push_back(question);
        }
        while held.misses.len() > MAX_MISSES {
            let Some(oldest) = held.order.pop_front() else { return };
            held.misses.remove(&oldest);
        }
        // The order still contains entries that were removed one by one.
        if held.order.len() > 2 * MAX_MISSES {
            let NegativeCacheState { misses: known, order, .. } = &mut *held;
            order.retain(|question| known.contains_key(question));
        }
    }

    pub(super) fn remove(&self, question: &MissKey) {
        self.state.lock().misses.remove(question);
    }

    /// Clears a library's entries, because an override may contradict them.
    pub(super) fn clear_library(&self, library: &LibraryId) {
        let mut held = self.state.lock();
        held.misses.retain(|question, _| question.library != *library);
        let NegativeCacheState { misses: known, order, .. } = &mut *held;
        order.retain(|question| known.contains_key(question));
    }

    /// Clears all entries, because an override of an unknown library may contradict them.
    pub(super) fn clear(&self) {
        let mut held = self.state.lock();
        held.misses.clear();
        held.order.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.state.lock().misses.len()
    }

    /// Items added to a library since a generation, indexed once for all callers.
    pub(super) fn delta(&self, library: &Library, since: u64, generation: &Generation) -> Arc<IndexDelta> {
        let is_it = |news: &Arc<IndexDelta>| {
            news.library == library.id && news.since == since && news.until == generation.number
        };
        if let Some(news) = self.state.lock().deltas.iter().find(|news| is_it(news)) {
            return Arc::clone(news);
        }
        let rows = library.changed_since(since);
        // The rows belong to the newest generation, which may have changed meanwhile.
        let is_newest = library.generation().is_some_and(|newest| newest.number == generation.number);
        let rows = rows.filter(|rows| is_newest && rows.len() <= MAX_DELTA_ITEMS);
        let tracks = rows.map(|rows| {
            let items: Vec<Item> = rows.iter().filter_map(|row| generation.snapshot.item(*row)).collect();
            index_of(&items)
        });
        let news = Arc::new(IndexDelta { library: library.id.clone(), since, until: generation.number, tracks });
        let mut held = self.state.lock();
        if held.deltas.len() == MAX_DELTAS {
            held.deltas.pop_front();
        }
        held.deltas.push_back(Arc::clone(&news));
        news
    }
}

/// An index over a few items; its rows are their positions.
pub(super) fn index_of(items: &[Item]) -> TrackIndex {
    let mut builder = TrackIndexBuilder::default();
    for item in items {
        push_track(&mut builder, item);
    }
    builder.build()
}
