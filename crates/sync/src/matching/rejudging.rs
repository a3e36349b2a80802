//! Confirmed matches are decisions of this program: each is judged again when the index has gained rows that could be
//! meant instead. Only the decisions of people stay.

use greenroom_library::item::Item;

use super::session::{FilteredCandidates, MatchSession};
use crate::matching::TrackQuery;
use crate::matching::counters::MatchCounter;
use crate::matching::overrides::MatchOverride;
use greenroom_library::matching::MatchDecision;

/// Result of judging a confirmed match again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rejudgement {
    /// Its item is the best one still, or nothing else is certain.
    Stands,
    /// Another item is meant.
    Superseded,
}

impl MatchSession<'_> {
    /// Whether a confirmed match no longer holds, because the index has gained an item that fits better.
    pub(super) fn is_superseded(
        &self,
        query: &TrackQuery,
        confirmed: &MatchOverride,
        item: &Item,
        rejections: &[&MatchOverride],
    ) -> bool {
        let now = self.generation.number;
        if confirmed.seen_in >= now || !self.has_gained_candidates(query, confirmed.seen_in) {
            return false;
        }
        self.shared.counters.increment(MatchCounter::JudgedAgain);
        let result = query.with_track(|track| self.generation.snapshot.tracks().resolve(track, self.policy));
        let filtered = self.filter_candidates(query, &result, rejections);
        let rejudgement = rejudge(item, &filtered);
        if rejudgement == Rejudgement::Stands {
            self.shared.with_store(|store| store.set_judged(confirmed.id, now));
        }
        rejudgement == Rejudgement::Superseded
    }

    /// Whether rows were added or changed since a generation that could be meant; true if these rows are not known.
    fn has_gained_candidates(&self, query: &TrackQuery, since: u64) -> bool {
        let delta = self.shared.negative_cache.delta(self.library, since, self.generation);
        delta.tracks.as_ref().is_none_or(|tracks| {
            let result = query.with_track(|track| tracks.resolve(track, self.policy));
            !result.candidates.is_empty()
        })
    }
}

/// Whether the match with this item stands beside the candidates of today. A candidate that needs review takes its place
/// only if it outranks the item under today's rules.
fn rejudge(item: &Item, today: &FilteredCandidates) -> Rejudgement {
    let Some(best) = today.candidates.first().filter(|best| best.item.key != item.key) else {
        return Rejudgement::Stands;
    };
    let own = today.candidates.iter().find(|candidate| candidate.item.key == item.key);
    match today.decision {
        MatchDecision::Accept => Rejudgement::Superseded,
        MatchDecision::Review if own.is_some_and(|own| own.score < best.score) => Rejudgement::Superseded,
        // It was tagged otherwise since, or nothing else is certain.
        MatchDecision::Review | MatchDecision::Reject => Rejudgement::Stands,
    }
}
