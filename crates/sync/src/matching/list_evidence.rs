//! Accepts rows of a list by what its other rows show.

use greenroom_library::matching::{ArtistRenaming, ListEvidence, MatchDecision, TrackMatchReason};

use super::TrackResolution;

/// Accepts rows of which only the artist's name differs, in the same way as in other rows of the list. `renamings` has
/// positions in `resolved`.
pub(super) fn accept_renamed(resolved: &mut [TrackResolution], renamings: &[(usize, ArtistRenaming)]) {
    let mut evidence = ListEvidence::default();
    for (_, renaming) in renamings {
        evidence.record(renaming);
    }
    for (at, _) in renamings.iter().filter(|(_, renaming)| evidence.confirms(renaming)) {
        if let Some(row) = resolved.get_mut(*at)
            && let Some(best) = row.candidates.first_mut()
        {
            best.reasons.push(TrackMatchReason::SameRenaming);
            row.decision = MatchDecision::Accept;
        }
    }
}
