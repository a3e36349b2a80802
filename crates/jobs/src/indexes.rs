//! Library indexes as jobs: each library has its own task, which compares it completely with the server on a schedule.
//! This module shows each build, and can request all of them at once.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::time::Duration;

use super::report::{JobOutcome, JobProgress, JobReport, JobState, LastRun};
use super::{ExternalJobStatus, JobContext, JobDefinition, Jobs, RunRequestResult};
use greenroom_sync::index;
use greenroom_sync::index::{CompareSchedule, Libraries, Library, LibraryId};

/// Default interval of complete comparisons.
const INTERVAL: Duration = Duration::from_secs(24 * 3600);
/// Id prefix of single libraries.
const ID_PREFIX: &str = "library:";

const DEFINITION: JobDefinition = JobDefinition {
    id: "reconcile",
    title: "Compare libraries",
    description: "Compares the index of every library completely with its server, each on its own schedule. A run compares all of them.",
    every: Some(INTERVAL),
    catches_up: false,
};

/// Adds the job.
pub fn add(jobs: &Jobs, libraries: &Arc<Libraries>) {
    let (watched, work) = (Arc::clone(libraries), Arc::clone(libraries));
    jobs.add_external(DEFINITION, move || status(&watched), move |context| compare(Arc::clone(&work), context));
}

fn status(libraries: &Libraries) -> ExternalJobStatus {
    let schedule: Vec<CompareSchedule> =
        libraries.all().iter().filter_map(|library| library.compare_schedule()).collect();
    let last = schedule.iter().filter_map(last_run).max_by_key(|last| last.ended_ms);
    ExternalJobStatus { next_ms: schedule.iter().filter_map(|schedule| schedule.next_ms).min(), last }
}

/// The last complete comparison of a library.
fn last_run(schedule: &CompareSchedule) -> Option<LastRun> {
    if let Some((failure, since_ms)) = &schedule.failure {
        let outcome = match failure {
            index::IndexError::Cancelled => JobOutcome::Cancelled,
            _ => JobOutcome::Failed,
        };
        return Some(LastRun::new(
            Timestamp::from_millis(*since_ms),
            Timestamp::from_millis(*since_ms),
            outcome,
            failure.to_string(),
        ));
    }
    let ended_ms = schedule.whole_at_ms?;
    let message = format!("{} items", schedule.items);
    Some(LastRun::new(ended_ms.saturating_sub(schedule.took_ms), ended_ms, JobOutcome::Done, message))
}

/// Compares all libraries and waits for the result.
async fn compare(libraries: Arc<Libraries>, context: JobContext) -> Result<String, String> {
    let mut all = libraries.all();
    all.retain(|library| library.compare_schedule().is_some());
    let total = all.len();
    let mut started = all.clone();
    started.retain(|library| library.build(false) == index::BuildRequestResult::Started);
    for (done, library) in all.iter().enumerate() {
        context.report_progress(done as u64, Some(total as u64));
        tokio::select! {
            () = context.cancelled() => {
                // Builds started by others continue.
                for library in &started {
                    library.cancel();
                }
                return Err(format!("Cancelled after {done} of {total} libraries."));
            }
            () = wait_for_end(library) => {}
        }
    }
    let failed: Vec<String> = all.iter().filter_map(|library| failure_message(library)).collect();
    match (total, failed.as_slice()) {
        (0, _) => Ok("No library is indexed.".to_owned()),
        (1, []) => Ok("Compared 1 library.".to_owned()),
        (_, []) => Ok(format!("Compared {total} libraries.")),
        (_, failed) => Err(format!("{} of {total} failed: {}", failed.len(), failed.join("; "))),
    }
}

fn failure_message(library: &Library) -> Option<String> {
    library.failure().map(|(failure, _)| format!("{}: {failure}", library.id))
}

/// Completes when the library has no build running or requested.
async fn wait_for_end(library: &Library) {
    let mut progress = library.progress();
    while progress.borrow_and_update().is_building() || library.is_build_requested() {
        if progress.changed().await.is_err() {
            return;
        }
    }
}

/// A job report for every library index.
pub fn reports(libraries: &Libraries) -> Vec<JobReport> {
    libraries.all().iter().filter_map(|library| report(library)).collect()
}

fn report(library: &Library) -> Option<JobReport> {
    let schedule = library.compare_schedule()?;
    let progress = library.progress().borrow().clone();
    let (state, progress) = match progress.phase {
        index::BuildPhase::Idle if library.is_build_requested() => (JobState::Waiting, None),
        index::BuildPhase::Idle => (JobState::Idle, None),
        index::BuildPhase::Waiting => (JobState::Waiting, None),
        _ => {
            let total = Some(progress.expected).filter(|expected| *expected > 0);
            (JobState::Running, Some(JobProgress { done: progress.items, total }))
        }
    };
    Some(JobReport {
        id: format!("{ID_PREFIX}{}", library.id),
        title: format!("Index of {}, {}", library.title.lock(), library.id.server),
        what: "Reads the whole library and compares it with the index. It does not count against the job limit."
            .to_owned(),
        every_s: schedule.every_s,
        state,
        next_ms: schedule.next_ms.map(Timestamp::as_millis),
        progress,
        last: last_run(&schedule),
        may_cancel: state != JobState::Idle,
    })
}

/// Requests a build of the library with this job id.
pub fn run(libraries: &Libraries, id: &str) -> RunRequestResult {
    match find(libraries, id).map(|library| library.build(false)) {
        Some(index::BuildRequestResult::Started) => RunRequestResult::Accepted,
        Some(index::BuildRequestResult::Joined) => RunRequestResult::NoChange,
        Some(index::BuildRequestResult::Off) | None => RunRequestResult::Unknown,
    }
}

/// Cancels a build of the library with this job id.
pub fn cancel(libraries: &Libraries, id: &str) -> RunRequestResult {
    match find(libraries, id).map(|library| library.cancel()) {
        Some(true) => RunRequestResult::Accepted,
        Some(false) => RunRequestResult::NoChange,
        None => RunRequestResult::Unknown,
    }
}

/// Whether this job is the index of a library.
pub fn is_index(id: &str) -> bool {
    id.starts_with(ID_PREFIX)
}

fn find(libraries: &Libraries, id: &str) -> Option<Arc<Library>> {
    let id: LibraryId = id.strip_prefix(ID_PREFIX)?.parse().ok()?;
    libraries.find(&id).filter(|library| library.compare_schedule().is_some())
}
