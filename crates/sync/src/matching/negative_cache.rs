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
    query_hash: [u64; 2],
}

impl MissKey {
    pub(super) fn new(library: &LibraryId, query: &TrackQuery, policy: MatchPolicy) -> Self {
        let text = serde_json::to_string(query).unwrap_or_default();
        let hash = xxhash_rust::xxh3::xxh3_128(text.as_bytes());
        let halves = [hash >> 64, hash & u128::from(u64::MAX)];
        Self {
            library: library.clone(),
            policy: policy as u8,
            query_hash: halves.map(|half| u64::try_from(half).unwrap_or_default()),
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
    pub(super) fn get(&self, miss_key: &MissKey) -> Option<CachedMiss> {
        self.state.lock().misses.get(miss_key).cloned()
    }

    pub(super) fn insert(&self, miss_key: MissKey, miss: CachedMiss) {
        let mut state = self.state.lock();
        if state.misses.insert(miss_key.clone(), miss).is_none() {
            state.order.push_back(miss_key);
        }
        while state.misses.len() > MAX_MISSES {
            let Some(oldest) = state.order.pop_front() else { return };
            state.misses.remove(&oldest);
        }
        // The order still contains entries that were removed one by one.
        if state.order.len() > 2 * MAX_MISSES {
            let NegativeCacheState { misses, order, .. } = &mut *state;
            order.retain(|miss_key| misses.contains_key(miss_key));
        }
    }

    pub(super) fn remove(&self, miss_key: &MissKey) {
        self.state.lock().misses.remove(miss_key);
    }

    /// Clears a library's entries, because an override may contradict them.
    pub(super) fn clear_library(&self, library: &LibraryId) {
        let mut state = self.state.lock();
        state.misses.retain(|miss_key, _| miss_key.library != *library);
        let NegativeCacheState { misses, order, .. } = &mut *state;
        order.retain(|miss_key| misses.contains_key(miss_key));
    }

    /// Clears all entries, because an override of an unknown library may contradict them.
    pub(super) fn clear(&self) {
        let mut state = self.state.lock();
        state.misses.clear();
        state.order.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.state.lock().misses.len()
    }

    /// Items added to a library since a generation, indexed once for all callers.
    pub(super) fn delta(&self, library: &Library, since: u64, generation: &Generation) -> Arc<IndexDelta> {
        let is_same_delta = |delta: &Arc<IndexDelta>| {
            delta.library == library.id && delta.since == since && delta.until == generation.number
        };
        if let Some(delta) = self.state.lock().deltas.iter().find(|delta| is_same_delta(delta)) {
            return Arc::clone(delta);
        }
        let rows = library.changed_since(since);
        // The rows belong to the newest generation, which may have changed meanwhile.
        let is_newest = library.generation().is_some_and(|newest| newest.number == generation.number);
        let rows = rows.filter(|rows| is_newest && rows.len() <= MAX_DELTA_ITEMS);
        let tracks = rows.map(|rows| {
            let items: Vec<Item> = rows.iter().filter_map(|row| generation.snapshot.item(*row)).collect();
            index_of(&items)
        });
        let delta = Arc::new(IndexDelta { library: library.id.clone(), since, until: generation.number, tracks });
        let mut state = self.state.lock();
        if state.deltas.len() == MAX_DELTAS {
            state.deltas.pop_front();
        }
        state.deltas.push_back(Arc::clone(&delta));
        delta
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
