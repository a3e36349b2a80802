//! Resolves tracks one by one on a blocking thread: overrides first, then the negative cache, then the index.

use std::sync::Arc;

use greenroom_library::item::{Item, ItemKind};
use greenroom_library::matching::{ArtistRenaming, MatchDecision, MatchPolicy, MatchResult};

use super::{MatchCandidate, MatchSource, Matcher, MatcherState, TrackQuery, TrackResolution};
use crate::index::{Generation, Library};
use crate::matching::counters::MatchCounter;
use crate::matching::item_locator::{ItemLocator, LazyLocator};
use crate::matching::negative_cache::{CachedMiss, LiveSearchResult, MissKey, RejectedCandidate, index_of};
use crate::matching::overrides::{MatchOverride, MatchOverrideKind};
use crate::matching::query::OverrideKeys;

/// Validity of an override now.
enum OverrideStatus {
    /// Its item is there, perhaps under another key.
    Valid(Box<Item>),
    /// A live search found it and no snapshot has it yet; or the server currently lacks it.
    Unknown,
    /// It is no longer in the library.
    Gone,
}

/// A result after filtering.
pub(super) struct FilteredCandidates {
    pub(super) decision: MatchDecision,
    pub(super) candidates: Vec<MatchCandidate>,
    /// Whether an item was left out that the server currently lacks.
    lacks_missing_items: bool,
}

/// One library at one generation under one policy.
pub(super) struct MatchSession<'a> {
    pub(super) shared: &'a MatcherState,
    pub(super) library: &'a Arc<Library>,
    pub(super) generation: &'a Arc<Generation>,
    pub(super) locator: Arc<LazyLocator>,
    pub(super) policy: MatchPolicy,
}

impl MatchSession<'_> {
    /// The result for one row of a list, and another name of its artist that other rows may confirm.
    pub(super) fn resolve(&self, query: &TrackQuery) -> (TrackResolution, Option<ArtistRenaming>) {
        self.shared.counters.increment(MatchCounter::Requested);
        let keys = OverrideKeys::new(&self.library.id, query);
        let overrides = self.shared.overrides(&keys);
        let rejections = rejections(&overrides);
        if let Some(decided) = self.resolve_from_overrides(query, &keys, &overrides, &rejections) {
            return (decided, None);
        }
        let miss_key = MissKey::new(&self.library.id, query, self.policy);
        if let Some(known) = self.resolve_from_negative_cache(&miss_key, query) {
            return (known, None);
        }
        self.shared.counters.increment(MatchCounter::WholeIndex);
        let tracks = self.generation.snapshot.tracks();
        let (result, renaming) = query.with_track(|track| tracks.resolve_in_list(track, self.policy));
        let FilteredCandidates { decision, candidates: found, lacks_missing_items } =
            self.filter_candidates(query, &result, &rejections);
        // Candidates that were left out may be those with the other name.
        let renaming = renaming.filter(|_| found.len() == result.candidates.len());
        if decision == MatchDecision::Reject && !lacks_missing_items && renaming.is_none() {
            let rejected = |found: &MatchCandidate| RejectedCandidate {
                key: found.item.key.clone(),
                score: found.score,
                reasons: found.reasons.clone(),
            };
            let rejected = found.iter().map(rejected).collect();
            let known =
                CachedMiss { number: self.generation.number, rejected, live_result: LiveSearchResult::NotSearched };
            self.shared.negative_cache.insert(miss_key, known);
        } else {
            self.shared.negative_cache.remove(&miss_key);
        }
        let resolution = TrackResolution {
            decision,
            source: MatchSource::Index,
            margin: result.margin,
            candidates: found,
            is_searched: false,
        };
        (resolution, renaming)
    }

    /// The result of the track's overrides that still hold.
    fn resolve_from_overrides(
        &self,
        query: &TrackQuery,
        keys: &OverrideKeys,
        overrides: &[(usize, MatchOverride)],
        rejections: &[&MatchOverride],
    ) -> Option<TrackResolution> {
        if let Some(item) = self.pinned(overrides.iter().map(|(_, match_override)| match_override)) {
            return Some(TrackResolution::from_override(MatchSource::Pin, item));
        }
        if self.policy == MatchPolicy::IdsOnly {
            return None;
        }
        // A confirmed match holds only for the exact query: album or duration may differ.
        let is_exact = |index: usize| index <= keys.ids.len();
        let confirmed = overrides
            .iter()
            .filter(|(index, match_override)| match_override.kind == MatchOverrideKind::Confirmed && is_exact(*index));
        for (_, match_override) in confirmed {
            // Another version is searched again each time, because the exact recording may have been added.
            if !match_override.is_strict {
                continue;
            }
            match self.override_status(match_override) {
                OverrideStatus::Valid(item) if is_rejected(rejections, &item) => {}
                OverrideStatus::Valid(item) if self.is_superseded(query, match_override, &item, rejections) => {
                    self.shared.counters.increment(MatchCounter::Superseded);
                    tracing::info!(
                        library = %self.library.id,
                        key = match_override.item_key,
                        "a confirmed match is judged anew: the library has gained a better one"
                    );
                    self.shared.with_store(|store| store.remove(&[match_override.id]).map(drop));
                }
                OverrideStatus::Valid(item) => {
                    self.shared.counters.increment(MatchCounter::Confirmed);
                    return Some(TrackResolution::from_override(MatchSource::Confirmed, *item));
                }
                OverrideStatus::Unknown => {}
                OverrideStatus::Gone => {
                    self.shared.counters.increment(MatchCounter::Dropped);
                    tracing::info!(
                        library = %self.library.id,
                        key = match_override.item_key,
                        "a confirmed item is gone: the track is matched again"
                    );
                    self.shared.with_store(|store| store.remove(&[match_override.id]).map(drop));
                }
            }
        }
        None
    }

    /// The item of the first valid pin.
    pub(super) fn pinned<'r>(&self, overrides: impl Iterator<Item = &'r MatchOverride>) -> Option<Item> {
        for pin in overrides.filter(|match_override| match_override.kind == MatchOverrideKind::Pin) {
            match self.override_status(pin) {
                OverrideStatus::Valid(item) => {
                    self.shared.counters.increment(MatchCounter::Pinned);
                    return Some(*item);
                }
                OverrideStatus::Unknown | OverrideStatus::Gone => {
                    self.shared.counters.increment(MatchCounter::PinLost);
                    tracing::info!(
                        library = %self.library.id,
                        pin = pin.id,
                        key = pin.item_key,
                        "a pinned item is not in the library at present"
                    );
                }
            }
        }
        None
    }

    /// Checks whether an override's item still has its identity, and finds it again if not.
    fn override_status(&self, match_override: &MatchOverride) -> OverrideStatus {
        let snapshot = &self.generation.snapshot;
        let current = snapshot.row_of(&match_override.item_key).and_then(|row| snapshot.item(row));
        if let Some(item) = current.filter(|item| match_override.identity.matches(item)) {
            return if self.is_missing_on_server(&item) {
                OverrideStatus::Unknown
            } else {
                OverrideStatus::Valid(Box::new(item))
            };
        }
        match self.item_locator().find(snapshot, &match_override.identity) {
            Some(item) if self.is_missing_on_server(&item) => OverrideStatus::Unknown,
            Some(item) => {
                self.shared.counters.increment(MatchCounter::Rekeyed);
                tracing::info!(
                    library = %self.library.id,
                    from = match_override.item_key,
                    to = %item.key,
                    "an item with a match override has a new key"
                );
                self.shared.with_store(|store| store.rekey(match_override.id, &item.key));
                OverrideStatus::Valid(Box::new(item))
            }
            None if match_override.seen_in >= self.generation.number => OverrideStatus::Unknown,
            None => OverrideStatus::Gone,
        }
    }

    fn item_locator(&self) -> &ItemLocator {
        self.locator.get(&self.generation.snapshot)
    }

    pub(super) fn is_missing_on_server(&self, item: &Item) -> bool {
        self.shared.missing_on_server.contains(&self.library.id, &item.key, self.generation.number)
    }

    /// The cached result, if no added item could change it.
    fn resolve_from_negative_cache(&self, miss_key: &MissKey, query: &TrackQuery) -> Option<TrackResolution> {
        let known = self.shared.negative_cache.get(miss_key)?;
        if known.number != self.generation.number {
            let delta = self.shared.negative_cache.delta(self.library, known.number, self.generation);
            let tracks = delta.tracks.as_ref()?;
            self.shared.counters.increment(MatchCounter::DeltaOnly);
            let result = query.with_track(|track| tracks.resolve(track, self.policy));
            if !result.candidates.is_empty() {
                return None;
            }
            // Items of that live search are in the snapshot by now, or gone.
            let live_result = match known.live_result {
                LiveSearchResult::NoMatch => LiveSearchResult::NoMatch,
                LiveSearchResult::NotSearched | LiveSearchResult::Candidates(..) => LiveSearchResult::NotSearched,
            };
            let known = CachedMiss { number: self.generation.number, live_result, rejected: known.rejected.clone() };
            self.shared.negative_cache.insert(miss_key.clone(), known);
        }
        self.shared.counters.increment(MatchCounter::KnownMiss);
        if let LiveSearchResult::Candidates(decision, candidates) = &known.live_result
            && known.number == self.generation.number
            && !candidates.iter().any(|found| self.is_missing_on_server(&found.item))
        {
            return Some(TrackResolution::from_live_search(*decision, candidates.clone()));
        }
        let snapshot = &self.generation.snapshot;
        let found = known.rejected.iter().filter_map(|rejected| {
            let item = snapshot.item(snapshot.row_of(&rejected.key)?)?;
            Some(MatchCandidate { item, score: rejected.score, reasons: rejected.reasons.clone() })
        });
        let found = found.collect();
        Some(TrackResolution { source: MatchSource::Miss, candidates: found, ..TrackResolution::no_match() })
    }

    /// Leaves out rejected items and those missing on the server. If any were left out, the others are scored again.
    pub(super) fn filter_candidates(
        &self,
        query: &TrackQuery,
        result: &MatchResult,
        rejections: &[&MatchOverride],
    ) -> FilteredCandidates {
        let snapshot = &self.generation.snapshot;
        let (mut is_complete, mut lacks_missing_items) = (true, false);
        let mut found = Vec::with_capacity(result.candidates.len());
        for candidate in &result.candidates {
            let row = snapshot.row_of_track(candidate.row);
            let Some(item) = row.and_then(|row| snapshot.item(row)) else { continue };
            let excluded = if is_rejected(rejections, &item) {
                Some(MatchCounter::Rejected)
            } else if self.is_missing_on_server(&item) {
                Some(MatchCounter::MissingOnServer)
            } else {
                None
            };
            if let Some(counter) = excluded {
                self.shared.counters.increment(counter);
                is_complete = false;
                lacks_missing_items |= counter == MatchCounter::MissingOnServer;
                continue;
            }
            found.push(MatchCandidate { item, score: candidate.score, reasons: candidate.reasons.clone() });
        }
        let (decision, found) = if is_complete { (result.decision, found) } else { judge(query, found, self.policy) };
        FilteredCandidates { decision, candidates: found, lacks_missing_items }
    }

    /// Scores the items of a live search by the same rules.
    pub(super) fn judge_live(&self, query: &TrackQuery, items: Vec<Item>) -> TrackResolution {
        let keys = OverrideKeys::new(&self.library.id, query);
        let overrides = self.shared.overrides(&keys);
        let rejections = rejections(&overrides);
        let (missing, others): (Vec<Item>, Vec<Item>) =
            items.into_iter().partition(|item| self.is_missing_on_server(item));
        let may_match = |item: &Item| item.kind == ItemKind::Track && !is_rejected(&rejections, item);
        let unscored = |item: Item| MatchCandidate { item, score: 0.0, reasons: Vec::new() };
        let found: Vec<MatchCandidate> = others.into_iter().filter(may_match).map(unscored).collect();
        let (decision, found) = judge(query, found, self.policy);
        let miss_key = MissKey::new(&self.library.id, query, self.policy);
        let live_result = match decision {
            // The server may have it again by the next time.
            MatchDecision::Reject if !missing.is_empty() => LiveSearchResult::NotSearched,
            MatchDecision::Reject => LiveSearchResult::NoMatch,
            MatchDecision::Accept => LiveSearchResult::Candidates(decision, found.iter().take(1).cloned().collect()),
            MatchDecision::Review => LiveSearchResult::Candidates(decision, found.clone()),
        };
        // A miss caused only by items missing on the server is not cached.
        if let Some(known) = self.shared.negative_cache.get(&miss_key) {
            let known = CachedMiss { number: self.generation.number, live_result, ..known };
            self.shared.negative_cache.insert(miss_key, known);
        }
        TrackResolution::from_live_search(decision, found)
    }
}

/// The rejections among these overrides.
fn rejections(overrides: &[(usize, MatchOverride)]) -> Vec<&MatchOverride> {
    overrides
        .iter()
        .map(|(_, match_override)| match_override)
        .filter(|match_override| match_override.kind == MatchOverrideKind::Rejection)
        .collect()
}

fn is_rejected(rejections: &[&MatchOverride], item: &Item) -> bool {
    rejections.iter().any(|match_override| match_override.identity.matches(item))
}

/// Scores these few items.
fn judge(
    query: &TrackQuery,
    candidates: Vec<MatchCandidate>,
    policy: MatchPolicy,
) -> (MatchDecision, Vec<MatchCandidate>) {
    let items: Vec<Item> = candidates.into_iter().map(|found| found.item).collect();
    let result = query.with_track(|track| index_of(&items).resolve(track, policy));
    let found = result.candidates.iter().filter_map(|candidate| {
        let item = items.get(candidate.row as usize)?.clone();
        Some(MatchCandidate { item, score: candidate.score, reasons: candidate.reasons.clone() })
    });
    (result.decision, found.collect())
}

/// Whether it is this very recording, by the rules of the strict policy.
pub(super) fn is_exact_recording(query: &TrackQuery, item: &Item, generation: Option<&Generation>) -> bool {
    if let Some(snapshot) = generation.map(|generation| &generation.snapshot)
        && let Some(row) = snapshot.row_of(&item.key)
    {
        let result = query.with_track(|track| snapshot.tracks().resolve(track, MatchPolicy::Strict));
        return result.accepted().and_then(|track| snapshot.row_of_track(track)) == Some(row);
    }
    let items = std::slice::from_ref(item);
    query.with_track(|track| index_of(items).resolve(track, MatchPolicy::Strict)).accepted().is_some()
}

impl Matcher {
    /// Resolves tracks against one generation, on a thread.
    pub(super) async fn in_session<R: Send + 'static>(
        &self,
        library: &Arc<Library>,
        generation: &Arc<Generation>,
        policy: MatchPolicy,
        work: impl FnOnce(&MatchSession<'_>) -> R + Send + 'static,
    ) -> R {
        let (generation, owned) = (Arc::clone(generation), Arc::clone(library));
        self.run_blocking(library, move |shared| {
            let locator_entry = shared.locators.for_generation(&owned.id, &generation);
            work(&MatchSession { shared, library: &owned, generation: &generation, locator: locator_entry, policy })
        })
        .await
    }

    /// Runs blocking work on a thread, within the batch limit.
    pub(super) async fn run_blocking<R: Send + 'static>(
        &self,
        library: &Library,
        work: impl FnOnce(&MatcherState) -> R + Send + 'static,
    ) -> R {
        let permit = Arc::clone(&self.shared.permits).acquire_owned().await;
        let shared = Arc::clone(&self.shared);
        // The permit is held until the work ends, even if the caller is gone.
        let work = move || (work(&shared), permit).0;
        let done = library.server.origin.tasks.spawn_blocking(work).await;
        done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }
}
