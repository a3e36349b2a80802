//! Scheduled playlist syncs as jobs: they have their own schedule and one task that runs them in turn. This module
//! shows them and can start each.

use super::RunRequestResult;
use super::report::{JobOutcome, JobReport, JobState, LastRun};
use greenroom_cache::Timestamp;
use greenroom_sync::playlists::sync_status::{ScheduledSyncStatus, ScheduledSyncs};

/// Id prefix.
const ID_PREFIX: &str = "playlist:";

/// A job report for every configured playlist.
pub fn reports(syncs: &ScheduledSyncs) -> Vec<JobReport> {
    let entries = syncs.all();
    entries.iter().map(|entry| report(syncs, entry)).collect()
}

fn report(syncs: &ScheduledSyncs, entry: &ScheduledSyncStatus) -> JobReport {
    let state = if syncs.is_running(&entry.name) {
        JobState::Running
    } else if syncs.is_requested(&entry.name) {
        JobState::Waiting
    } else {
        JobState::Idle
    };
    JobReport {
        id: format!("{ID_PREFIX}{}", entry.name),
        title: format!("Playlist {}, {}", entry.name, entry.server),
        what: "Syncs the playlist with its source. It does not count against the job limit.".to_owned(),
        every_s: Some(entry.every_hours.saturating_mul(3_600)),
        state,
        next_ms: entry.playlists.iter().filter_map(|playlist| playlist.next_ms).min(),
        progress: None,
        last: last_run(entry),
        may_cancel: false,
    }
}

/// The last run of an entry.
fn last_run(entry: &ScheduledSyncStatus) -> Option<LastRun> {
    let last_syncs = entry.playlists.iter().filter_map(|playlist| playlist.last.as_ref());
    let last = last_syncs.max_by_key(|last| last.at_ms)?;
    let outcome = match last.state {
        "cancelled" => JobOutcome::Cancelled,
        "done" if last.error.is_none() => JobOutcome::Done,
        _ => JobOutcome::Failed,
    };
    let message = match (&last.error, entry.playlists.len()) {
        (Some(error), _) => (*error.message).to_owned(),
        (None, 1) => "1 playlist".to_owned(),
        (None, count) => format!("{count} playlists"),
    };
    Some(LastRun::new(Timestamp::from_millis(last.at_ms), Timestamp::from_millis(last.at_ms), outcome, message))
}

/// Requests a sync of the playlist with this job id.
pub fn run(syncs: &ScheduledSyncs, id: &str) -> RunRequestResult {
    let Some(name) = id.strip_prefix(ID_PREFIX) else { return RunRequestResult::Unknown };
    match (syncs.is_requested(name), syncs.request_now(name)) {
        (_, false) => RunRequestResult::Unknown,
        (true, true) => RunRequestResult::NoChange,
        (false, true) => RunRequestResult::Accepted,
    }
}

/// A running sync always completes, so this only tells whether one is running.
pub fn cancel(syncs: &ScheduledSyncs, id: &str) -> RunRequestResult {
    let entries = syncs.all();
    let is_known = id.strip_prefix(ID_PREFIX).is_some_and(|name| entries.iter().any(|entry| entry.name == name));
    if is_known { RunRequestResult::NoChange } else { RunRequestResult::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_sync::playlists::sync_status::SyncedPlaylistStatus;

    #[test]
    fn a_scheduled_playlist_sync_is_listed_as_a_job_that_can_be_started() {
        let syncs = ScheduledSyncs::default();
        assert_eq!(reports(&syncs).len(), 0);
        let last = |at_ms, state| {
            Some(greenroom_sync::playlists::sync_status::LastSync {
                at_ms,
                state,
                is_changing: false,
                counts: None,
                error: None,
            })
        };
        let playlists = vec![
            SyncedPlaylistStatus {
                last: last(7_000, "cancelled"),
                next_ms: Some(90_000),
                ..SyncedPlaylistStatus::default()
            },
            SyncedPlaylistStatus {
                last: last(8_000, "done"),
                next_ms: Some(80_000),
                ..SyncedPlaylistStatus::default()
            },
        ];
        syncs.set(ScheduledSyncStatus {
            name: "mix".into(),
            every_hours: 6,
            playlists,
            ..ScheduledSyncStatus::default()
        });
        let report = reports(&syncs).remove(0);
        assert_eq!((report.id.as_str(), report.every_s, report.next_ms), ("playlist:mix", Some(21_600), Some(80_000)));
        let last = report.last.expect("a last run");
        assert_eq!((last.ended_ms, last.outcome), (8_000, JobOutcome::Done), "the newest");
        assert_eq!(report.state, JobState::Idle);
        assert_eq!(run(&syncs, "playlist:mix"), RunRequestResult::Accepted);
        assert_eq!(run(&syncs, "playlist:mix"), RunRequestResult::NoChange);
        assert_eq!(reports(&syncs)[0].state, JobState::Waiting);
        assert_eq!(run(&syncs, "playlist:attic"), RunRequestResult::Unknown);
        assert_eq!(run(&syncs, "mix"), RunRequestResult::Unknown);
        assert_eq!(cancel(&syncs, "playlist:mix"), RunRequestResult::NoChange);
        assert_eq!(cancel(&syncs, "playlist:attic"), RunRequestResult::Unknown);
    }
}
