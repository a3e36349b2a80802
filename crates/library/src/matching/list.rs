//! Matches the rows of one list together, because several rows can show that an artist has another name.

use std::collections::{HashMap, HashSet};

use super::decision::{ArtistRenaming, resolve_row};
use super::index::TrackIndex;
use super::reason::TrackMatchReason;
use super::{MatchDecision, MatchPolicy, MatchResult, Track};

/// Rows of a list, with different titles, that have to show the same renaming of an artist.
const MIN_RENAMED: usize = 3;

/// Other names of artists, each confirmed by several rows of one list.
#[derive(Debug, Default)]
pub struct ListEvidence {
    /// Keys of the titles by the name asked for and the indexed one.
    titles: HashMap<(u64, u32), HashSet<u64>>,
}

impl ListEvidence {
    /// Records what one row shows.
    pub fn record(&mut self, renaming: &ArtistRenaming) {
        self.titles.entry((renaming.asked, renaming.name)).or_default().insert(renaming.title_key);
    }

    /// Whether enough rows of different titles show this renaming.
    pub fn confirms(&self, renaming: &ArtistRenaming) -> bool {
        let titles = self.titles.get(&(renaming.asked, renaming.name));
        titles.map_or(0, HashSet::len) >= MIN_RENAMED
    }
}

/// Matches each track, and then those of which only the artist's name differs, in the same way as in others.
pub(super) fn resolve_all(index: &TrackIndex, wanted: &[Track<'_>], policy: MatchPolicy) -> Vec<MatchResult> {
    let mut results = Vec::with_capacity(wanted.len());
    let mut renamings: Vec<(usize, ArtistRenaming)> = Vec::new();
    let mut evidence = ListEvidence::default();
    for (at, track) in wanted.iter().enumerate() {
        let (result, renaming) = resolve_row(index, track, policy);
        if let Some(renaming) = renaming {
            evidence.record(&renaming);
            renamings.push((at, renaming));
        }
        results.push(result);
    }
    for (at, renaming) in renamings {
        if evidence.confirms(&renaming)
            && let Some(best) = results[at].candidates.first_mut()
        {
            best.reasons.push(TrackMatchReason::SameRenaming);
            results[at].decision = MatchDecision::Accept;
        }
    }
    results
}
