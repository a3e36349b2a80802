//! The indexes of libraries, shown as jobs: each library is kept by a task of its own, which compares it with the server
//! as a whole by schedule. Here it is told when, each build is shown, and all of them can be asked for at once.

use std::sync::Arc;
use std::time::Duration;

use super::report::{Last, Outcome, Progress, Report, State};
use super::{Asked, Jobs, Plan, Seen, Turn};
use greenroom_sync::index;
use greenroom_sync::index::{Libraries, Library, LibraryId, Rounds};

/// How often libraries are compared, unless it is said otherwise.
const EVERY: Duration = Duration::from_secs(24 * 3600);
/// What the ids of single libraries begin with.
const PREFIX: &str = "library:";

const PLAN: Plan = Plan {
    id: "reconcile",
    title: "Compare libraries",
    what: "Compares the index of every library with its server as a whole; each by its own schedule. Run now: all of them.",
    every: Some(EVERY),
    catches_up: false,
};

/// Shows it.
pub fn add(jobs: &Jobs, libraries: &Arc<Libraries>) {
    let (seen, work) = (Arc::clone(libraries), Arc::clone(libraries));
    jobs.add_elsewhere(PLAN, move || told(&seen), move |turn| compare(Arc::clone(&work), turn));
}

fn told(libraries: &Libraries) -> Seen {
    let rounds: Vec<Rounds> = libraries.all().iter().filter_map(|library| library.rounds()).collect();
    let newest = rounds.iter().filter_map(run_of).max_by_key(|last| last.ended_ms);
    Seen { next_ms: rounds.iter().filter_map(|rounds| rounds.next_ms).min(), last: newest }
}

/// The last time a library was compared as a whole.
fn run_of(rounds: &Rounds) -> Option<Last> {
    if let Some((failure, since_ms)) = &rounds.failure {
        let outcome = match failure {
            index::Failure::Cancelled => Outcome::Cancelled,
            _ => Outcome::Failed,
        };
        return Some(Last::new(*since_ms, *since_ms, outcome, failure.to_string()));
    }
    let ended_ms = rounds.whole_at_ms?;
    let message = format!("{} items", rounds.items);
    Some(Last::new(ended_ms.saturating_sub(rounds.took_ms), ended_ms, Outcome::Done, message))
}

/// Compares all libraries, and waits for it.
async fn compare(libraries: Arc<Libraries>, turn: Turn) -> Result<String, String> {
    let mut all = libraries.all();
    all.retain(|library| library.rounds().is_some());
    let total = all.len();
    let mut begun = all.clone();
    begun.retain(|library| library.build(false) == index::Asked::Begun);
    for (done, library) in all.iter().enumerate() {
        turn.progress(done as u64, Some(total as u64));
        tokio::select! {
            () = turn.cancelled() => {
                // What others began goes on.
                for library in &begun {
                    library.cancel();
                }
                return Err(format!("It was ended after {done} of {total} libraries."));
            }
            () = ended(library) => {}
        }
    }
    let failed: Vec<String> = all.iter().filter_map(|library| failure_of(library)).collect();
    match (total, failed.as_slice()) {
        (0, _) => Ok("No library is kept.".to_owned()),
        (1, []) => Ok("1 library was compared.".to_owned()),
        (_, []) => Ok(format!("{total} libraries were compared.")),
        (_, failed) => Err(format!("{} of {total} came to nothing: {}", failed.len(), failed.join("; "))),
    }
}

fn failure_of(library: &Library) -> Option<String> {
    library.failure().map(|(failure, _)| format!("{}: {failure}", library.id))
}

/// Ends when no build of it is under way or asked for.
async fn ended(library: &Library) {
    let mut progress = library.progress();
    while progress.borrow_and_update().is_building() || library.is_asked() {
        if progress.changed().await.is_err() {
            return;
        }
    }
}

/// Every index that is kept, as a job of its own.
pub fn reports(libraries: &Libraries) -> Vec<Report> {
    libraries.all().iter().filter_map(|library| report(library)).collect()
}

fn report(library: &Library) -> Option<Report> {
    let rounds = library.rounds()?;
    let progress = library.progress().borrow().clone();
    let (state, progress) = match progress.phase {
        index::Phase::Idle if library.is_asked() => (State::Waiting, None),
        index::Phase::Idle => (State::Idle, None),
        index::Phase::Waiting => (State::Waiting, None),
        _ => {
            let total = Some(progress.expected).filter(|expected| *expected > 0);
            (State::Running, Some(Progress { done: progress.items, total }))
        }
    };
    Some(Report {
        id: format!("{PREFIX}{}", library.id),
        title: format!("Index of {}, {}", library.title.lock(), library.id.server),
        what: "Reads the whole library and compares it with what is kept. It takes no place from other jobs."
            .to_owned(),
        every_s: rounds.every_s,
        state,
        next_ms: rounds.next_ms,
        progress,
        last: run_of(&rounds),
        may_cancel: state != State::Idle,
    })
}

/// Asks for a build of the library that this id names.
pub fn run(libraries: &Libraries, id: &str) -> Asked {
    match find(libraries, id).map(|library| library.build(false)) {
        Some(index::Asked::Begun) => Asked::Heard,
        Some(index::Asked::Joined) => Asked::Already,
        Some(index::Asked::Off) | None => Asked::Unknown,
    }
}

/// Ends a build of the library that this id names.
pub fn cancel(libraries: &Libraries, id: &str) -> Asked {
    match find(libraries, id).map(|library| library.cancel()) {
        Some(true) => Asked::Heard,
        Some(false) => Asked::Already,
        None => Asked::Unknown,
    }
}

fn find(libraries: &Libraries, id: &str) -> Option<Arc<Library>> {
    let id: LibraryId = id.strip_prefix(PREFIX)?.parse().ok()?;
    libraries.find(&id).filter(|library| library.rounds().is_some())
}
