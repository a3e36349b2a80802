//! Playlists that are kept in step, shown as jobs: they have a rhythm of their own, and a task that takes one after the
//! other. Here it is told when and what came of it, and each can be asked for at once.

use super::Asked;
use super::report::{Last, Outcome, Report, State};
use greenroom_sync::playlists::sync_status::{Entry, Keeping};

/// What their ids begin with.
const PREFIX: &str = "playlist:";

/// Every playlist of the configuration, as a job of its own.
pub fn reports(keeping: &Keeping) -> Vec<Report> {
    let entries = keeping.all();
    entries.iter().map(|entry| report(keeping, entry)).collect()
}

fn report(keeping: &Keeping, entry: &Entry) -> Report {
    let state = if keeping.is_taking(&entry.name) {
        State::Running
    } else if keeping.is_asked(&entry.name) {
        State::Waiting
    } else {
        State::Idle
    };
    Report {
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

/// What came of the one that was taken last.
fn last_of(entry: &Entry) -> Option<Last> {
    let all = entry.playlists.iter().filter_map(|kept| kept.last.as_ref());
    let last = all.max_by_key(|last| last.at_ms)?;
    let outcome = match last.state {
        "cancelled" => Outcome::Cancelled,
        "done" if last.error.is_none() => Outcome::Done,
        _ => Outcome::Failed,
    };
    let message = match (&last.error, entry.playlists.len()) {
        (Some(failure), _) => (*failure.message).to_owned(),
        (None, 1) => "1 playlist".to_owned(),
        (None, all) => format!("{all} playlists"),
    };
    Some(Last::new(last.at_ms, last.at_ms, outcome, message))
}

/// Asks for the playlist that this id names.
pub fn run(keeping: &Keeping, id: &str) -> Asked {
    let Some(name) = id.strip_prefix(PREFIX) else { return Asked::Unknown };
    match (keeping.is_asked(name), keeping.ask(name)) {
        (_, false) => Asked::Unknown,
        (true, true) => Asked::Already,
        (false, true) => Asked::Heard,
    }
}

/// One that is being taken comes to its end: only whether there is one is told.
pub fn cancel(keeping: &Keeping, id: &str) -> Asked {
    let entries = keeping.all();
    let is_known = id.strip_prefix(PREFIX).is_some_and(|name| entries.iter().any(|entry| entry.name == name));
    if is_known { Asked::Already } else { Asked::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_sync::playlists::sync_status::Kept;

    #[test]
    fn a_playlist_that_is_kept_in_step_is_a_job_that_can_be_asked_for() {
        let keeping = Keeping::default();
        assert_eq!(reports(&keeping).len(), 0);
        let last = |at_ms, state| {
            Some(greenroom_sync::playlists::sync_status::Last { at_ms, state, counts: None, error: None })
        };
        let playlists = vec![
            Kept { last: last(7_000, "cancelled"), next_ms: Some(90_000), ..Kept::default() },
            Kept { last: last(8_000, "done"), next_ms: Some(80_000), ..Kept::default() },
        ];
        keeping.tell(Entry { name: "mix".into(), every_hours: 6, playlists, ..Entry::default() });
        let report = reports(&keeping).remove(0);
        assert_eq!(
            (report.id.as_str(), report.every_s, report.next_ms),
            ("playlist:mix", Some(21_600), Some(80_000))
        );
        let last = report.last.expect("one was taken");
        assert_eq!((last.ended_ms, last.outcome), (8_000, Outcome::Done), "the newest");
        assert_eq!(report.state, State::Idle);
        assert_eq!(run(&keeping, "playlist:mix"), Asked::Heard);
        assert_eq!(run(&keeping, "playlist:mix"), Asked::Already);
        assert_eq!(reports(&keeping)[0].state, State::Waiting);
        assert_eq!(run(&keeping, "playlist:attic"), Asked::Unknown);
        assert_eq!(run(&keeping, "mix"), Asked::Unknown);
        assert_eq!(cancel(&keeping, "playlist:mix"), Asked::Already);
        assert_eq!(cancel(&keeping, "playlist:attic"), Asked::Unknown);
    }
}
