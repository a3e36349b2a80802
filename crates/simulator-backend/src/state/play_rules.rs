//! Effects of a player's report on a user's state: media servers differ in when a play counts and what is resumable.

use super::watch::{PlayerState, WatchState};

/// Rules of a media server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayRules {
    /// A play counts when it starts, else when it ends far enough.
    pub counts_at_start: bool,
    /// A position below this percentage of the duration is the beginning.
    pub least_percent: u64,
    /// A position from this percentage on is a complete play.
    pub played_percent: u64,
    /// Items shorter than this are played completely by any position that is not their beginning.
    pub least_resumable_ms: u64,
}

impl Default for PlayRules {
    /// Plex: a play counts at its end, any position is resumable.
    fn default() -> Self {
        Self { counts_at_start: false, least_percent: 0, played_percent: 90, least_resumable_ms: 0 }
    }
}

impl PlayRules {
    /// Jellyfin as shipped: `MinResumePct`, `MaxResumePct` and `MinResumeDurationSeconds`.
    pub const JELLYFIN: Self =
        Self { counts_at_start: true, least_percent: 5, played_percent: 90, least_resumable_ms: 300_000 };

    /// Position that is kept of a report, in milliseconds; `None` if the report is a complete play.
    pub(super) fn kept_position(self, offset_ms: u64, duration_ms: u64) -> Option<u64> {
        let percent = offset_ms.saturating_mul(100) / duration_ms.max(1);
        if percent < self.least_percent {
            return Some(0);
        }
        let too_short = offset_ms > 0 && duration_ms < self.least_resumable_ms;
        if percent >= self.played_percent || too_short { None } else { Some(offset_ms) }
    }

    /// Whether a report that is a complete play counts as one now: any report where plays count at the start, else
    /// the last one.
    pub(super) fn completes(self, progress: PlayerState) -> bool {
        self.counts_at_start || progress == PlayerState::Stopped
    }

    /// Applies the start of a playback. Only music counts as played at once.
    pub(super) fn start(self, watch: &mut WatchState, now: u64, is_music: bool) {
        if self.counts_at_start {
            watch.views += 1;
            watch.not_played = !is_music;
            watch.last_viewed_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_the_beginning_resumable_or_a_complete_play() {
        let rules = PlayRules::JELLYFIN;
        assert_eq!(rules.kept_position(49_000, 1_000_000), Some(0));
        assert_eq!(rules.kept_position(500_000, 1_000_000), Some(500_000));
        assert_eq!(rules.kept_position(900_000, 1_000_000), None);
        assert_eq!(rules.kept_position(2_000, 6_000), None, "too short to be resumed");
        assert_eq!(PlayRules::default().kept_position(2_000, 6_000), Some(2_000));
    }
}
