//! Decides when a scheduled playlist is synced. Pure functions.

use crate::playlists::sync_status::LastSync;
use crate::playlists::watch::FileStat;
use greenroom_cache::Timestamp;
use std::time::Duration;

/// Delay of the first retry after a transient failure. It doubles with each further failure …
const RETRY: Duration = Duration::from_secs(5 * 60);
/// … up to this maximum.
const MAX_RETRY: Duration = Duration::from_millis(6 * HOUR_MS);
pub(super) const HOUR_MS: u64 = 3_600_000;

/// State of one scheduled playlist.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ScheduleState {
    /// Size and modification time at the last poll; `None` if the source is not a file.
    pub(super) seen: Option<FileStat>,
    /// The same at the last sync, and the time of that sync in milliseconds since 1970.
    pub(super) last_source: Option<(Option<FileStat>, Timestamp)>,
    /// Time of the next retry, if the last sync failed transiently.
    pub(super) retry_at_ms: Option<Timestamp>,
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
pub(super) fn is_due(
    known: Option<&ScheduleState>,
    stat: Option<FileStat>,
    now_ms: Timestamp,
    every_ms: Duration,
) -> bool {
    // A file seen for the first time may still be being written; a server's playlist is always complete.
    let Some(known) = known else { return stat.is_none() };
    let is_unchanged = stat == known.seen;
    let is_new = known.last_source.is_none_or(|(taken, _)| taken != stat);
    let is_due_again = known.last_source.is_some_and(|(_, at_ms)| now_ms.duration_since(at_ms) >= every_ms);
    let is_retry = known.retry_at_ms.is_some_and(|at_ms| now_ms >= at_ms);
    is_unchanged && (is_new || is_due_again || is_retry)
}

/// Retry delay after this many consecutive failures.
pub(super) fn retry_after_ms(failures: u32) -> Duration {
    RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(MAX_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: u64 = 24 * HOUR_MS;

    const EARLY: Option<FileStat> = Some(FileStat { modified_ms: 1, bytes: 9 });
    const LATE: Option<FileStat> = Some(FileStat { modified_ms: 2, bytes: 9 });

    #[test]
    fn a_file_is_read_when_two_scans_show_it_unchanged() {
        assert!(!is_due(None, EARLY, Timestamp::UNIX_EPOCH, Duration::from_millis(PERIOD)), "it may still be written");
        let seen = ScheduleState { seen: EARLY, ..ScheduleState::default() };
        assert!(is_due(Some(&seen), EARLY, Timestamp::from_millis(30_000), Duration::from_millis(PERIOD)));
        assert!(
            !is_due(Some(&seen), LATE, Timestamp::from_millis(30_000), Duration::from_millis(PERIOD)),
            "it is being written"
        );
        let taken = ScheduleState { last_source: Some((EARLY, Timestamp::from_millis(30_000))), ..seen };
        assert!(
            !is_due(Some(&taken), EARLY, Timestamp::from_millis(60_000), Duration::from_millis(PERIOD)),
            "and not again"
        );
        assert!(
            is_due(Some(&taken), EARLY, Timestamp::from_millis(30_000 + PERIOD), Duration::from_millis(PERIOD)),
            "but now and then"
        );
        let changed = ScheduleState { seen: LATE, ..taken.clone() };
        assert!(
            is_due(Some(&changed), LATE, Timestamp::from_millis(60_000), Duration::from_millis(PERIOD)),
            "it has changed"
        );
        let failed = ScheduleState { retry_at_ms: Some(Timestamp::from_millis(90_000)), ..taken };
        assert!(!is_due(Some(&failed), EARLY, Timestamp::from_millis(60_000), Duration::from_millis(PERIOD)));
        assert!(is_due(Some(&failed), EARLY, Timestamp::from_millis(90_000), Duration::from_millis(PERIOD)));
    }

    #[test]
    fn a_playlist_of_a_server_is_read_at_once_and_then_on_schedule() {
        assert!(is_due(None, None, Timestamp::UNIX_EPOCH, Duration::from_millis(PERIOD)));
        let taken = ScheduleState { last_source: Some((None, Timestamp::from_millis(5))), ..ScheduleState::default() };
        assert!(!is_due(Some(&taken), None, Timestamp::from_millis(PERIOD), Duration::from_millis(PERIOD)));
        assert!(is_due(Some(&taken), None, Timestamp::from_millis(PERIOD + 5), Duration::from_millis(PERIOD)));
    }

    #[test]
    fn repeated_failures_are_retried_ever_later() {
        let minutes: Vec<u64> = (1..=9).map(|failures| retry_after_ms(failures).as_secs() / 60).collect();
        assert_eq!(minutes, [5, 10, 20, 40, 80, 160, 320, 360, 360]);
        assert_eq!(retry_after_ms(u32::MAX), MAX_RETRY);
    }
}
