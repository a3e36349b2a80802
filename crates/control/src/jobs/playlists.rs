//! Scheduled playlist syncs as jobs: they have their own schedule and one task that runs them in turn. This module
//! shows them and can start each.

use super::RunRequestResult;
use super::report::{JobOutcome, JobReport, JobState, LastRun};
use greenroom_sync::playlists::sync_status::{ScheduledSyncStatus, ScheduledSyncs};

/// Id prefix.
const PREFIX: &str = "playlist:";

/// A job report for every configured playlist.
pub fn reports(keeping: &ScheduledSyncs) -> Vec<JobReport> {
    let entries = keeping.all();
    entries.iter().map(|entry| report(keeping, entry)).collect()
}

fn report(keeping: &ScheduledSyncs, entry: &ScheduledSyncStatus) -> JobReport {
    let state = if keeping.is_running(&entry.name) {
        JobState::Running
    } else if keeping.is_requested(&entry.name) {
        JobState::Waiting
    } else {
        JobState::Idle
    };
    JobReport {
        id: format!("{PREFIX}{}", entry.name),
        title: format!("Playlist {}, {}", entry.name, entry.server),
        what: "Keeps it in step with where it comes from. It takes no place from other jobs.".to_owned(),
        every_s: Some(entry.every_hours.saturating_mul(3_600)),
        state,
        next_ms: entry.playlists.iter().filter_map(|kept| kept.next_ms).min(),
        progress: None,
        last: last_of(entry),
        may_cancel: false,
    }
}

/// The last run of an entry.
fn last_of(entry: &ScheduledSyncStatus) -> Option<LastRun> {
    let all = entry.playlists.iter().filter_map(|kept| kept.last.as_ref());
    let last = all.max_by_key(|last| last.at_ms)?;
    let outcome = match last.state {
        "cancelled" => JobOutcome::Cancelled,
        "done" if last.error.is_none() => JobOutcome::Done,
        _ => JobOutcome::Failed,
    };
    let message = match (&last.error, entry.playlists.len()) {
        (Some(failure), _) => (*failure.message).to_owned(),
        (None, 1) => "1 playlist".to_owned(),
        (None, all) => format!("{all} playlists"),
    };
    Some(LastRun::new(last.at_ms, last.at_ms, outcome, message))
}

/// Requests a sync of the playlist with this job id.
pub fn run(keeping: &ScheduledSyncs, id: &str) -> RunRequestResult {
    let Some(name) = id.strip_prefix(PREFIX) else { return RunRequestResult::Unknown };
    match (keeping.is_requested(name), keeping.request_now(name)) {
        (_, false) => RunRequestResult::Unknown,
        (true, true) => RunRequestResult::NoChange,
        (false, true) => RunRequestResult::Accepted,
    }
}

/// A running sync always completes, so this only tells whether one is running.
pub fn cancel(keeping: &ScheduledSyncs, id: &str) -> RunRequestResult {
    let entries = keeping.all();
    let is_known = id.strip_prefix(PREFIX).is_some_and(|name| entries.iter().any(|entry| entry.name == name));
    if is_known { RunRequestResult::NoChange } else { RunRequestResult::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_sync::playlists::sync_status::SyncedPlaylistStatus;

    #[test]
    fn a_playlist_that_is_kept_in_step_is_a_job_that_can_be_asked_for() {
        let keeping = ScheduledSyncs::default();
        assert_eq!(reports(&keeping).len(), 0);
        let last = |at_ms, state| {
            Some(greenroom_sync::playlists::sync_status::LastSync { at_ms, state, counts: None, error: None })
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
        keeping.set(ScheduledSyncStatus {
            name: "mix".into(),
            every_hours: 6,
            playlists,
            ..ScheduledSyncStatus::default()
        });
        let report = reports(&keeping).remove(0);
        assert_eq!((report.id.as_str(), report.every_s, report.next_ms), ("playlist:mix", Some(21_600), Some(80_000)));
        let last = report.last.expect("one was taken");
        assert_eq!((last.ended_ms, last.outcome), (8_000, JobOutcome::Done), "the newest");
        assert_eq!(report.state, JobState::Idle);
        assert_eq!(run(&keeping, "playlist:mix"), RunRequestResult::Accepted);
        assert_eq!(run(&keeping, "playlist:mix"), RunRequestResult::NoChange);
        assert_eq!(reports(&keeping)[0].state, JobState::Waiting);
        assert_eq!(run(&keeping, "playlist:attic"), RunRequestResult::Unknown);
        assert_eq!(run(&keeping, "mix"), RunRequestResult::Unknown);
        assert_eq!(cancel(&keeping, "playlist:mix"), RunRequestResult::NoChange);
        assert_eq!(cancel(&keeping, "playlist:attic"), RunRequestResult::Unknown);
    }
}
