//! Resolves tracks one by one on a blocking thread: overrides first, then the negative cache, then the index.

use std::sync::Arc;

use greenroom_library::item::{Item, ItemKind};
use greenroom_library::matching::{MatchDecision, MatchPolicy, MatchResult};

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
struct FilteredCandidates {
    decision: MatchDecision,
    candidates: Vec<MatchCandidate>,
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
    pub(super) fn resolve(&self, wanted: &TrackQuery) -> TrackResolution {
        self.shared.counters.increment(MatchCounter::Requested);
        let keys = OverrideKeys::new(&self.library.id, wanted);
        let rulings = self.shared.overrides(&keys);
        let never = rejections(&rulings);
        if let Some(decided) = self.resolve_from_overrides(&keys, &rulings, &never) {
            return decided;
        }
        let question = MissKey::new(&self.library.id, wanted, self.policy);
        if let Some(known) = self.resolve_from_negative_cache(&question, wanted) {
            return known;
        }
        self.shared.counters.increment(MatchCounter::WholeIndex);
        let verdict = wanted.with_track(|track| self.generation.snapshot.tracks().resolve(track, self.policy));
        let FilteredCandidates { decision, candidates: found, lacks_missing_items: lacks_disowned } =
            self.filter_candidates(wanted, &verdict, &never);
        if decision == MatchDecision::Reject && !lacks_disowned {
            let lesser = |found: &MatchCandidate| RejectedCandidate {
                key: found.item.key.clone(),
                score: found.score,
                reasons: found.reasons.clone(),
            };
            let lesser = found.iter().map(lesser).collect();
            let known = CachedMiss {
                number: self.generation.number,
                rejected: lesser,
                live_result: LiveSearchResult::NotSearched,
            };
            self.shared.negative_cache.insert(question, known);
        } else {
            self.shared.negative_cache.remove(&question);
        }
        TrackResolution {
            decision,
            source: MatchSource::Index,
            margin: verdict.margin,
            candidates: found,
            is_searched: false,
        }
    }

    /// The result of the track's overrides that still hold.
    fn resolve_from_overrides(
        &self,
        keys: &OverrideKeys,
        rulings: &[(usize, MatchOverride)],
        never: &[&MatchOverride],
    ) -> Option<TrackResolution> {
        if let Some(item) = self.pinned(rulings.iter().map(|(_, ruling)| ruling)) {
            return Some(TrackResolution::from_override(MatchSource::Pin, item));
        }
        if self.policy == MatchPolicy::IdsOnly {
            return None;
        }
        // A confirmed match holds only for the exact query: album or duration may differ.
        let exact = |place: usize| place <= keys.ids.len();
        let confirmed =
            rulings.iter().filter(|(place, ruling)| ruling.kind == MatchOverrideKind::Confirmed && exact(*place));
        for (_, ruling) in confirmed {
            // Another version is searched again each time, because the exact recording may have been added.
            if !ruling.is_strict {
                continue;
            }
            match self.override_status(ruling) {
                OverrideStatus::Valid(item) if is_rejected(never, &item) => {}
                OverrideStatus::Valid(item) => {
                    self.shared.counters.increment(MatchCounter::Confirmed);
                    return Some(TrackResolution::from_override(MatchSource::Confirmed, *item));
                }
                OverrideStatus::Unknown => {}
                OverrideStatus::Gone => {
                    self.shared.counters.increment(MatchCounter::Dropped);
                    tracing::info!(
                        library = %self.library.id,
                        key = ruling.item_key,
                        "an item that was confirmed before is gone: it is looked for anew"
                    );
                    self.shared.with_store(|store| store.remove(&[ruling.id]).map(drop));
                }
            }
        }
        None
    }

    /// The item of the first valid pin.
    pub(super) fn pinned<'r>(&self, rulings: impl Iterator<Item = &'r MatchOverride>) -> Option<Item> {
        for pin in rulings.filter(|ruling| ruling.kind == MatchOverrideKind::Pin) {
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
                        "the item something is pinned to is not in the library at the moment"
                    );
                }
            }
        }
        None
    }

    /// Checks whether an override's item still has its identity, and finds it again if not.
    fn override_status(&self, ruling: &MatchOverride) -> OverrideStatus {
        let snapshot = &self.generation.snapshot;
        let there = snapshot.row_of(&ruling.item_key).and_then(|row| snapshot.item(row));
        if let Some(item) = there.filter(|item| ruling.identity.matches(item)) {
            return if self.is_missing_on_server(&item) {
                OverrideStatus::Unknown
            } else {
                OverrideStatus::Valid(Box::new(item))
            };
        }
        match self.item_locator().find(snapshot, &ruling.identity) {
            Some(item) if self.is_missing_on_server(&item) => OverrideStatus::Unknown,
            Some(item) => {
                self.shared.counters.increment(MatchCounter::Rekeyed);
                tracing::info!(
                    library = %self.library.id,
                    from = ruling.item_key,
                    to = %item.key,
                    "an item that was decided on has another key now"
                );
                self.shared.with_store(|store| store.rekey(ruling.id, &item.key));
                OverrideStatus::Valid(Box::new(item))
            }
            None if ruling.seen_in >= self.generation.number => OverrideStatus::Unknown,
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
    fn resolve_from_negative_cache(&self, question: &MissKey, wanted: &TrackQuery) -> Option<TrackResolution> {
        let known = self.shared.negative_cache.get(question)?;
        if known.number != self.generation.number {
            let news = self.shared.negative_cache.delta(self.library, known.number, self.generation);
            let tracks = news.tracks.as_ref()?;
            self.shared.counters.increment(MatchCounter::DeltaOnly);
            let verdict = wanted.with_track(|track| tracks.resolve(track, self.policy));
            if !verdict.candidates.is_empty() {
                return None;
            }
            // Items of that live search are in the snapshot by now, or gone.
            let searched = match known.live_result {
                LiveSearchResult::NoMatch => LiveSearchResult::NoMatch,
                LiveSearchResult::NotSearched | LiveSearchResult::Candidates(..) => LiveSearchResult::NotSearched,
            };
            let known =
                CachedMiss { number: self.generation.number, live_result: searched, rejected: known.rejected.clone() };
            self.shared.negative_cache.insert(question.clone(), known);
        }
        self.shared.counters.increment(MatchCounter::KnownMiss);
        if let LiveSearchResult::Candidates(decision, shown) = &known.live_result
            && known.number == self.generation.number
            && !shown.iter().any(|found| self.is_missing_on_server(&found.item))
        {
            return Some(TrackResolution::from_live_search(*decision, shown.clone()));
        }
        let snapshot = &self.generation.snapshot;
        let found = known.rejected.iter().filter_map(|lesser| {
            let item = snapshot.item(snapshot.row_of(&lesser.key)?)?;
            Some(MatchCandidate { item, score: lesser.score, reasons: lesser.reasons.clone() })
        });
        let found = found.collect();
        Some(TrackResolution { source: MatchSource::Miss, candidates: found, ..TrackResolution::no_match() })
    }

    /// Leaves out rejected items and those missing on the server. If any were left out, the others are scored again.
    fn filter_candidates(
        &self,
        wanted: &TrackQuery,
        verdict: &MatchResult,
        never: &[&MatchOverride],
    ) -> FilteredCandidates {
        let snapshot = &self.generation.snapshot;
        let (mut is_whole, mut lacks_disowned) = (true, false);
        let mut found = Vec::with_capacity(verdict.candidates.len());
        for candidate in &verdict.candidates {
            let row = snapshot.row_of_track(candidate.row);
            let Some(item) = row.and_then(|row| snapshot.item(row)) else { continue };
            let out = if is_rejected(never, &item) {
                Some(MatchCounter::Rejected)
            } else if self.is_missing_on_server(&item) {
                Some(MatchCounter::MissingOnServer)
            } else {
                None
            };
            if let Some(why) = out {
                self.shared.counters.increment(why);
                is_whole = false;
                lacks_disowned |= why == MatchCounter::MissingOnServer;
                continue;
            }
            found.push(MatchCandidate { item, score: candidate.score, reasons: candidate.reasons.clone() });
        }
        let (decision, found) = if is_whole { (verdict.decision, found) } else { judge(wanted, found, self.policy) };
        FilteredCandidates { decision, candidates: found, lacks_missing_items: lacks_disowned }
    }

    /// Scores the items of a live search by the same rules.
    pub(super) fn judge_live(&self, wanted: &TrackQuery, items: Vec<Item>) -> TrackResolution {
        let keys = OverrideKeys::new(&self.library.id, wanted);
        let rulings = self.shared.overrides(&keys);
        let never = rejections(&rulings);
        let (disowned, others): (Vec<Item>, Vec<Item>) =
            items.into_iter().partition(|item| self.is_missing_on_server(item));
        let may_be = |item: &Item| item.kind == ItemKind::Track && !is_rejected(&never, item);
        let unjudged = |item: Item| MatchCandidate { item, score: 0.0, reasons: Vec::new() };
        let found: Vec<MatchCandidate> = others.into_iter().filter(may_be).map(unjudged).collect();
        let (decision, found) = judge(wanted, found, self.policy);
        let question = MissKey::new(&self.library.id, wanted, self.policy);
        let searched = match decision {
            // The server may have it again by the next time.
            MatchDecision::Reject if !disowned.is_empty() => LiveSearchResult::NotSearched,
            MatchDecision::Reject => LiveSearchResult::NoMatch,
            MatchDecision::Accept => LiveSearchResult::Candidates(decision, found.iter().take(1).cloned().collect()),
            MatchDecision::Review => LiveSearchResult::Candidates(decision, found.clone()),
        };
        // A miss caused only by items missing on the server is not cached.
        if let Some(known) = self.shared.negative_cache.get(&question) {
            let known = CachedMiss { number: self.generation.number, live_result: searched, ..known };
            self.shared.negative_cache.insert(question, known);
        }
        TrackResolution::from_live_search(decision, found)
    }
}

/// The rejections among these overrides.
fn rejections(rulings: &[(usize, MatchOverride)]) -> Vec<&MatchOverride> {
    rulings.iter().map(|(_, ruling)| ruling).filter(|ruling| ruling.kind == MatchOverrideKind::Rejection).collect()
}

fn is_rejected(never: &[&MatchOverride], item: &Item) -> bool {
    never.iter().any(|ruling| ruling.identity.matches(item))
}

/// Scores these few items.
fn judge(wanted: &TrackQuery, few: Vec<MatchCandidate>, policy: MatchPolicy) -> (MatchDecision, Vec<MatchCandidate>) {
    let items: Vec<Item> = few.into_iter().map(|found| found.item).collect();
    let verdict = wanted.with_track(|track| index_of(&items).resolve(track, policy));
    let found = verdict.candidates.iter().filter_map(|candidate| {
        let item = items.get(candidate.row as usize)?.clone();
        Some(MatchCandidate { item, score: candidate.score, reasons: candidate.reasons.clone() })
    });
    (verdict.decision, found.collect())
}

/// Whether it is this very recording, by the rules of the strict policy.
pub(super) fn is_exact_recording(wanted: &TrackQuery, item: &Item, generation: Option<&Generation>) -> bool {
    if let Some(snapshot) = generation.map(|generation| &generation.snapshot)
        && let Some(row) = snapshot.row_of(&item.key)
    {
        let verdict = wanted.with_track(|track| snapshot.tracks().resolve(track, MatchPolicy::Strict));
        return verdict.accepted().and_then(|track| snapshot.row_of_track(track)) == Some(row);
    }
    let items = std::slice::from_ref(item);
    wanted.with_track(|track| index_of(items).resolve(track, MatchPolicy::Strict)).accepted().is_some()
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
            let lazy = shared.locators.for_generation(&owned.id, &generation);
            work(&MatchSession { shared, library: &owned, generation: &generation, locator: lazy, policy })
        })
        .await
    }

    /// Runs blocking work on a thread, within the batch limit.
    pub(super) async fn run_blocking<R: Send + 'static>(
        &self,
        library: &Library,
        work: impl FnOnce(&MatcherState) -> R + Send + 'static,
    ) -> R {
        let turn = Arc::clone(&self.shared.permits).acquire_owned().await;
        let shared = Arc::clone(&self.shared);
        // The permit is held until the work ends, even if the caller is gone.
        let work = move || (work(&shared), turn).0;
        let done = library.server.origin.tasks.spawn_blocking(work).await;
        done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }
}
