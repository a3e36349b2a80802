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
    pub(super) last_source: Option<(Option<FileStat>, u64)>,
    /// Time of the next retry, if the last sync failed transiently.
    pub(super) retry_at_ms: Option<u64>,
    /// Number of consecutive transient failures.
    pub(super) failures: u32,
    /// Result of the last sync.
    pub(super) last_sync: Option<LastSync>,
    /// The last sync ran while the server scanned: it runs again once the scan has ended.
    pub(super) awaits_scan: bool,
    /// A sync was requested and has not begun.
    pub(super) is_requested: bool,
}

/// Whether a playlist is due for a sync. `stat` is its file's current state; `known` is `None` at the first poll.
pub(super) fn is_due(known: Option<&ScheduleState>, stat: Option<FileStat>, now_ms: u64, every_ms: u64) -> bool {
    // A file seen for the first time may still be being written; a server's playlist is always complete.
    let Some(known) = known else { return stat.is_none() };
    let is_unchanged = stat == known.seen;
    let is_new = known.last_source.is_none_or(|(taken, _)| taken != stat);
    let is_due_again = known.last_source.is_some_and(|(_, at_ms)| now_ms.saturating_sub(at_ms) >= every_ms);
    let is_retry = known.retry_at_ms.is_some_and(|at_ms| now_ms >= at_ms);
    is_unchanged && (is_new || is_due_again || is_retry)
}

/// Retry delay after this many consecutive failures.
pub(super) fn retry_after_ms(failures: u32) -> u64 {
    RETRY_MS.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(MAX_RETRY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: u64 = 24 * HOUR_MS;

    const EARLY: Option<FileStat> = Some(FileStat { modified_ms: 1, bytes: 9 });
    const LATE: Option<FileStat> = Some(FileStat { modified_ms: 2, bytes: 9 });

    #[test]
    fn a_file_is_read_when_two_scans_show_it_unchanged() {
        assert!(!is_due(None, EARLY, 0, PERIOD), "it may still be written");
        let seen = ScheduleState { seen: EARLY, ..ScheduleState::default() };
        assert!(is_due(Some(&seen), EARLY, 30_000, PERIOD));
        assert!(!is_due(Some(&seen), LATE, 30_000, PERIOD), "it is being written");
        let taken = ScheduleState { last_source: Some((EARLY, 30_000)), ..seen };
        assert!(!is_due(Some(&taken), EARLY, 60_000, PERIOD), "and not again");
        assert!(is_due(Some(&taken), EARLY, 30_000 + PERIOD, PERIOD), "but now and then");
        let changed = ScheduleState { seen: LATE, ..taken.clone() };
        assert!(is_due(Some(&changed), LATE, 60_000, PERIOD), "it has changed");
        let failed = ScheduleState { retry_at_ms: Some(90_000), ..taken };
        assert!(!is_due(Some(&failed), EARLY, 60_000, PERIOD));
        assert!(is_due(Some(&failed), EARLY, 90_000, PERIOD));
    }

    #[test]
    fn a_playlist_of_a_server_is_read_at_once_and_then_on_schedule() {
        assert!(is_due(None, None, 0, PERIOD));
        let taken = ScheduleState { last_source: Some((None, 5)), ..ScheduleState::default() };
        assert!(!is_due(Some(&taken), None, PERIOD, PERIOD));
        assert!(is_due(Some(&taken), None, PERIOD + 5, PERIOD));
    }

    #[test]
    fn repeated_failures_are_retried_ever_later() {
        let minutes: Vec<u64> = (1..=9).map(|failures| retry_after_ms(failures) / 60_000).collect();
        assert_eq!(minutes, [5, 10, 20, 40, 80, 160, 320, 360, 360]);
        assert_eq!(retry_after_ms(u32::MAX), MAX_RETRY_MS);
    }
}
