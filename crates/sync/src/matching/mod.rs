//! Finds the library item that a track means, with stored match overrides taken first.
//!
//! | module | content |
//! |---|---|
//! | [`query`] | the track to find, and the keys of its overrides |
//! | [`identity`] | what identifies an item beyond its key |
//! | [`overrides`] | one override: a pin, a rejection, or a confirmed match |
//! | [`overrides_store`] | overrides in `state.db`; `overrides_service`: creating, listing and removing them |
//! | `session` | resolves tracks in turn: overrides, known misses, the index |
//! | `item_locator` | items by their files and names; [`path_lookup`]: lookups of paths and ids |
//! | `negative_cache`, `missing_on_server` | tracks and items known to be missing |
//! | `live` | searches on the server, within a budget |
//! | [`counters`] | counters |
//!
//! An override names an item by its key and its identity. The key counts only if the item under it still has that
//! identity; otherwise the item is searched by its files and names, and the override follows it. A confirmed match
//! whose item is gone is deleted; a pin stays, is reported as missing, and applies again when the item is back.

pub mod counters;
pub mod identity;
mod item_locator;
mod list_evidence;
mod live;
mod missing_on_server;
mod negative_cache;
pub mod overrides;
mod overrides_service;
pub mod overrides_store;
pub mod path_lookup;
pub mod query;
mod rejudging;
mod session;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use greenroom_library::item::Item;
use greenroom_library::matching::{MatchDecision, MatchPolicy, TrackMatchReason};
use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use crate::index::{Generation, Library};
use counters::{MatchCounter, MatchCounters};
use greenroom_state::error::{StateError, StateErrorKind};
use greenroom_state::file_work_queue::FileWorkQueue;
use item_locator::ItemLocators;
use list_evidence::accept_renamed;
use missing_on_server::MissingOnServer;
use negative_cache::{LiveSearchResult, MatchNegativeCache, MissKey};
use overrides::MatchOverride;
use overrides_store::{OverrideStore, OverrideStoreError};
use query::OverrideKeys;
use session::MatchSession;

pub use query::TrackQuery;

/// Batches that run at a time; each occupies one processor.
const MAX_CONCURRENT_BATCHES: usize = 2;
/// Tracks that one thread resolves before it lets other batches run.
const CHUNK: usize = 500;

/// An item that may match the track.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchCandidate {
    /// The item from the snapshot.
    pub item: Item,
    /// Score from 0 to 1.1.
    pub score: f32,
    /// Reasons for and against the match.
    pub reasons: Vec<TrackMatchReason>,
}

/// Source of a match result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MatchSource)]
pub enum MatchSource {
    /// A pin.
    Pin,
    /// A confirmed match.
    Confirmed,
    /// The index.
    Index,
    /// The negative cache: it was missing, and no item was added since that could match.
    Miss,
    /// A live search on the server.
    Live,
}

impl MatchSource {
    /// Its name in API and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Confirmed => "confirmed",
            Self::Index => "index",
            Self::Miss => "miss",
            Self::Live => "live",
        }
    }

    /// Reason of a result that needed no scoring: a code, and a sentence for people.
    pub fn reason(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Pin => Some(("pinned", "pinned by a person")),
            Self::Confirmed => Some(("confirmed", "used before, and the server had it")),
            Self::Index | Self::Miss | Self::Live => None,
        }
    }
}

/// Match result of one track.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackResolution {
    /// Accept, review or reject.
    pub decision: MatchDecision,
    /// Source of that decision.
    pub source: MatchSource,
    /// Score difference between the first candidate and the next one that is another recording.
    pub margin: f32,
    /// At most five candidates, best first; if accepted, the first is the match.
    pub candidates: Vec<MatchCandidate>,
    /// Whether this call searched the server for it, with any result.
    pub is_searched: bool,
}

impl TrackResolution {
    /// The item that was accepted.
    pub fn accepted(&self) -> Option<&Item> {
        (self.decision == MatchDecision::Accept).then(|| self.candidates.first().map(|found| &found.item)).flatten()
    }

    fn from_override(source: MatchSource, item: Item) -> Self {
        let found = vec![MatchCandidate { item, score: 1.0, reasons: Vec::new() }];
        Self { decision: MatchDecision::Accept, source, margin: 1.0, candidates: found, is_searched: false }
    }

    fn from_live_search(decision: MatchDecision, found: Vec<MatchCandidate>) -> Self {
        let margin = if decision == MatchDecision::Accept { 1.0 } else { 0.0 };
        Self { decision, source: MatchSource::Live, margin, candidates: found, is_searched: false }
    }

    fn no_match() -> Self {
        let (decision, source) = (MatchDecision::Reject, MatchSource::Index);
        Self { decision, source, margin: 0.0, candidates: Vec::new(), is_searched: false }
    }
}

/// Whether the server may be searched for tracks missing from the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LiveSearch {
    /// No live search.
    #[default]
    Off,
    /// At most this many requests, and no more than configured.
    UpTo(usize),
}

/// Error of setting a match override.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverrideError {
    /// There is no snapshot of the library yet.
    NoSnapshot,
    /// The library has no item with this key.
    UnknownItem,
    /// The query is empty.
    EmptyQuery,
    /// The override cannot be saved.
    NotSaved(OverrideStoreError),
    /// There is no override store.
    NoStore,
}

/// Resolves tracks to items and stores match overrides.
#[derive(Debug, Default)]
pub struct Matcher {
    shared: Arc<MatcherState>,
}

/// State shared by the resolving threads.
#[derive(Debug)]
struct MatcherState {
    store: Option<OverrideStore>,
    settings: greenroom_config::MatchingSettings,
    locators: ItemLocators,
    negative_cache: MatchNegativeCache,
    missing_on_server: MissingOnServer,
    counters: MatchCounters,
    budget: live::LiveSearchBudget,
    permits: Arc<Semaphore>,
    lane: FileWorkQueue,
    /// Whether it was logged that overrides cannot be read.
    has_warned: AtomicBool,
}

impl Default for MatcherState {
    fn default() -> Self {
        Self {
            store: None,
            settings: greenroom_config::MatchingSettings::default(),
            locators: ItemLocators::default(),
            negative_cache: MatchNegativeCache::default(),
            missing_on_server: MissingOnServer::default(),
            counters: MatchCounters::default(),
            budget: live::LiveSearchBudget::default(),
            permits: Arc::new(Semaphore::new(MAX_CONCURRENT_BATCHES)),
            lane: FileWorkQueue::default(),
            has_warned: AtomicBool::new(false),
        }
    }
}

impl MatcherState {
    /// Overrides under these keys. A read error yields none and is logged once.
    fn overrides(&self, keys: &OverrideKeys) -> Vec<(usize, MatchOverride)> {
        let mut overrides = Vec::new();
        self.with_store(|store| {
            overrides = store.find(keys)?;
            Ok(())
        });
        overrides
    }

    /// All keys of pins and rejections; none if they cannot be read.
    fn override_keys(&self) -> Arc<HashSet<i64>> {
        let mut keys = Arc::default();
        self.with_store(|store| {
            keys = store.override_keys()?;
            Ok(())
        });
        keys
    }

    fn with_store(&self, work: impl FnOnce(&OverrideStore) -> Result<(), StateError>) {
        let Some(store) = &self.store else { return };
        match work(store) {
            Ok(()) => self.has_warned.store(false, Ordering::Relaxed),
            Err(error) => {
                self.counters.increment(MatchCounter::NotSaved);
                if !self.has_warned.swap(true, Ordering::Relaxed) {
                    tracing::warn!(reason = %error, "match overrides cannot be read or written; pins have no effect");
                }
            }
        }
    }

    fn put(&self, overrides: Vec<MatchOverride>) -> Result<Vec<i64>, OverrideError> {
        let store = self.store.as_ref().ok_or(OverrideError::NoStore)?;
        let keyed: Vec<(MatchOverride, OverrideKeys)> = overrides
            .into_iter()
            .map(|match_override| {
                let keys = OverrideKeys::new(&match_override.library, &match_override.query);
                (match_override, keys)
            })
            .collect();
        store.put(&keyed).map_err(|reason| {
            self.counters.increment(MatchCounter::NotSaved);
            OverrideError::NotSaved(reason)
        })
    }
}

impl Matcher {
    /// Opens the override store in the data directory, whose state was opened before. If that fails, overrides are not
    /// stored.
    pub fn open(
        data_dir: &Path,
        state_error: Option<StateErrorKind>,
        settings: greenroom_config::MatchingSettings,
    ) -> Self {
        let opened = match state_error {
            None => OverrideStore::open(data_dir, settings.max_decisions),
            Some(state_error) => Err(StateError::new(state_error, "the state cannot be used")),
        };
        let store = opened
            .inspect_err(|error| {
                tracing::warn!(reason = %error, "match overrides are not available");
            })
            .ok();
        Self { shared: Arc::new(MatcherState { store, settings, ..MatcherState::default() }) }
    }

    /// Its counters.
    pub fn counters(&self) -> &MatchCounters {
        &self.shared.counters
    }

    /// Number of known misses, and bytes of the file indexes.
    pub fn sizes(&self) -> (usize, usize) {
        (self.shared.negative_cache.len(), self.shared.locators.bytes())
    }

    /// Resolves each track to an item of this library, in the order given. Without a snapshot nothing is found: request
    /// a build first.
    pub async fn resolve(
        &self,
        library: &Arc<Library>,
        queries: &[TrackQuery],
        policy: MatchPolicy,
    ) -> Vec<TrackResolution> {
        self.resolve_with(library, queries, policy, LiveSearch::Off).await.1
    }

    /// Like `resolve`, but searches the server for missing tracks if allowed. Also returns the generation used.
    pub async fn resolve_with(
        &self,
        library: &Arc<Library>,
        queries: &[TrackQuery],
        policy: MatchPolicy,
        live: LiveSearch,
    ) -> (Option<Arc<Generation>>, Vec<TrackResolution>) {
        let Some(generation) = library.generation() else {
            return (None, vec![TrackResolution::no_match(); queries.len()]);
        };
        let mut resolved = Vec::with_capacity(queries.len());
        let mut renamings = Vec::new();
        for chunk in queries.chunks(CHUNK) {
            let chunk = chunk.to_vec();
            let work =
                move |session: &MatchSession<'_>| chunk.iter().map(|query| session.resolve(query)).collect::<Vec<_>>();
            for (resolution, renaming) in self.in_session(library, &generation, policy, work).await {
                renamings.extend(renaming.map(|renaming| (resolved.len(), renaming)));
                resolved.push(resolution);
            }
        }
        accept_renamed(&mut resolved, &renamings);
        let found = resolved.iter().map(|resolved| resolved.decision != MatchDecision::Reject);
        library.lookups.record(found, library.server.origin.clock.now());
        if let LiveSearch::UpTo(limit) = live {
            self.search(library, &generation, (queries, &mut resolved), policy, limit).await;
        }
        (Some(generation), resolved)
    }

    /// Searches the server for missing tracks, within the budget.
    async fn search(
        &self,
        library: &Arc<Library>,
        generation: &Arc<Generation>,
        (queries, resolved): (&[TrackQuery], &mut [TrackResolution]),
        policy: MatchPolicy,
        limit: usize,
    ) {
        let settings = &self.shared.settings;
        let mut remaining = limit.min(settings.live_per_call);
        for (query, resolved) in queries.iter().zip(resolved) {
            if resolved.decision != MatchDecision::Reject {
                continue;
            }
            let miss_key = MissKey::new(&library.id, query, policy);
            let known = self.shared.negative_cache.get(&miss_key);
            let is_searched = known.is_some_and(|known| {
                known.number == generation.number && !matches!(known.live_result, LiveSearchResult::NotSearched)
            });
            let Some(title) = live::searchable_title(&query.title).filter(|_| !is_searched) else { continue };
            if !live::is_available(library) {
                self.shared.counters.increment(MatchCounter::LiveFailed);
                continue;
            }
            let now_ms = library.server.origin.clock.now();
            let may_search = remaining > 0
                && self.shared.budget.try_acquire(library.server.name(), settings.live_per_minute, now_ms);
            if !may_search {
                self.shared.counters.increment(MatchCounter::LiveRefused);
                continue;
            }
            remaining -= 1;
            resolved.is_searched = true;
            self.shared.counters.increment(MatchCounter::LiveAsked);
            let Some(items) = live::search(library, title).await else {
                self.shared.counters.increment(MatchCounter::LiveFailed);
                continue;
            };
            let query = query.clone();
            let work = move |session: &MatchSession<'_>| session.judge_live(&query, items);
            let judged = self.in_session(library, generation, policy, work).await;
            if judged.decision != MatchDecision::Reject {
                self.shared.counters.increment(MatchCounter::LiveFound);
                *resolved = TrackResolution { is_searched: true, ..judged };
            }
        }
    }
}
