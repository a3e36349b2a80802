//! Decides when a scheduled playlist is synced. Pure functions.

use crate::playlists::sync_status::LastSync;
use crate::playlists::watch::FileStat;

/// Delay of the first retry after a transient failure. It doubles with each further failure …
const RETRY_MS: u64 = 5 * 60_000;
/// … up to this maximum.
const MAX_RETRY_MS: u64 = 6 * HOUR_MS;
pub(super) const HOUR_MS: u64 = 3_600_000;

/// State of one scheduled playlist.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ScheduleState {
    /// Size and modification time at the last poll; `None` if the source is not a file.
    pub(super) seen: Option<FileStat>,
    /// The same at the last sync, and the time of that sync in milliseconds since 1970.
    pub(super) last_run: Option<(Option<FileStat>, u64)>,
    /// Time of the next retry, if the last sync failed transiently.
    pub(super) retry_at_ms: Option<u64>,
    /// Number of consecutive transient failures.
    pub(super) failures: u32,
    /// Result of the last sync.
    pub(super) last_sync: Option<LastSync>,
}

/// Whether a playlist is due for a sync. `look` is its file's current state; `known` is `None` at the first poll.
pub(super) fn is_due(known: Option<&ScheduleState>, look: Option<FileStat>, now_ms: u64, every_ms: u64) -> bool {
    // A file seen for the first time may still be being written; a server's playlist is always complete.
    let Some(known) = known else { return look.is_none() };
    let is_still = look == known.seen;
    let is_new = known.last_run.is_none_or(|(taken, _)| taken != look);
    let is_old = known.last_run.is_some_and(|(_, at_ms)| now_ms.saturating_sub(at_ms) >= every_ms);
    let is_again = known.retry_at_ms.is_some_and(|at_ms| now_ms >= at_ms);
    is_still && (is_new || is_old || is_again)
}

/// Retry delay after this many consecutive failures.
pub(super) fn retry_after_ms(failures: u32) -> u64 {
    RETRY_MS.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(MAX_RETRY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: u64 = 24 * HOUR_MS;

    const EARLY: Option<FileStat> = Some(FileStat { modified_ms: 1, bytes: 9 });
    const LATE: Option<FileStat> = Some(FileStat { modified_ms: 2, bytes: 9 });

    #[test]
    fn a_file_is_taken_when_it_looks_the_same_twice() {
        assert!(!is_due(None, EARLY, 0, EVERY), "it may still be written");
        let seen = ScheduleState { seen: EARLY, ..ScheduleState::default() };
        assert!(is_due(Some(&seen), EARLY, 30_000, EVERY));
        assert!(!is_due(Some(&seen), LATE, 30_000, EVERY), "it is being written");
        let taken = ScheduleState { last_run: Some((EARLY, 30_000)), ..seen };
        assert!(!is_due(Some(&taken), EARLY, 60_000, EVERY), "and not again");
        assert!(is_due(Some(&taken), EARLY, 30_000 + EVERY, EVERY), "but now and then");
        let changed = ScheduleState { seen: LATE, ..taken.clone() };
        assert!(is_due(Some(&changed), LATE, 60_000, EVERY), "it has changed");
        let failed = ScheduleState { retry_at_ms: Some(90_000), ..taken };
        assert!(!is_due(Some(&failed), EARLY, 60_000, EVERY));
        assert!(is_due(Some(&failed), EARLY, 90_000, EVERY));
    }

    #[test]
    fn a_playlist_of_a_server_is_taken_at_once_and_then_on_schedule() {
        assert!(is_due(None, None, 0, EVERY));
        let taken = ScheduleState { last_run: Some((None, 5)), ..ScheduleState::default() };
        assert!(!is_due(Some(&taken), None, EVERY, EVERY));
        assert!(is_due(Some(&taken), None, EVERY + 5, EVERY));
    }

    #[test]
    fn what_fails_again_and_again_is_tried_ever_later() {
        let minutes: Vec<u64> = (1..=9).map(|failures| retry_after_ms(failures) / 60_000).collect();
        assert_eq!(minutes, [5, 10, 20, 40, 80, 160, 320, 360, 360]);
        assert_eq!(retry_after_ms(u32::MAX), MAX_RETRY_MS);
    }
}
