//! Scheduled tasks: list, running ones with progress, and last results. The progress follows from the time alone.

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::ident::{IdNamespace, JellyfinId};
use crate::timestamp::written;

/// Key of the library scan.
pub(crate) const SCAN: &str = "RefreshLibrary";

/// Key of the task that makes segments of films and episodes.
pub(crate) const SEGMENTS: &str = "TaskExtractMediaSegments";

/// Key, name, category, description, duration.
const KNOWN: &[(&str, &str, &str, &str, u64)] = &[
    (SCAN, "Scan Media Library", "Library", "Looks for new and changed files.", 4_000),
    ("RefreshPeople", "Refresh People", "Library", "Updates what is known of cast and crew.", 6_000),
    ("DeleteCacheFiles", "Clean Cache Directory", "Maintenance", "Deletes files that are no longer needed.", 1_500),
    ("CleanActivityLog", "Clean Activity Log", "Maintenance", "Forgets old entries of the journal.", 800),
    ("PluginUpdates", "Update Plugins", "Application", "Installs newer versions of plugins.", 2_000),
    (SEGMENTS, "Media Segment Scan", "Library", "Makes segments of films and episodes.", 1_000),
];

/// Time of every task's last run before the start of the server.
const LAST_RUN_BEFORE_MS: u64 = 7_200_000;

/// All tasks of a server.
#[derive(Debug)]
pub(crate) struct ScheduledTasks {
    states: Mutex<Vec<TaskState>>,
}

#[derive(Debug, Clone)]
struct TaskState {
    started_ms: Option<u64>,
    last: (u64, u64, &'static str),
}

impl ScheduledTasks {
    /// Tasks that all ran some time before `now_ms`.
    pub(crate) fn new(now_ms: u64) -> Self {
        let began = now_ms.saturating_sub(LAST_RUN_BEFORE_MS);
        let state = |lasts_ms| TaskState { started_ms: None, last: (began, began + lasts_ms, "Completed") };
        Self { states: Mutex::new(KNOWN.iter().map(|known| state(known.4)).collect()) }
    }

    /// The key of the task with this id.
    pub(crate) fn key_of(id: JellyfinId) -> Option<&'static str> {
        let at = usize::try_from(id.within(IdNamespace::Task)?).ok()?;
        KNOWN.get(at).map(|known| known.0)
    }

    /// Starts a task and returns its duration; `None` if it is running or unknown.
    pub(crate) fn start(&self, key: &str, now_ms: u64) -> Option<u64> {
        let at = position(key)?;
        let mut states = self.lock_current(now_ms);
        if states[at].started_ms.is_some() {
            return None;
        }
        states[at].started_ms = Some(now_ms);
        Some(KNOWN[at].4)
    }

    /// Stops a running task.
    pub(crate) fn cancel(&self, key: &str, now_ms: u64) {
        let mut states = self.lock_current(now_ms);
        if let Some(state) = position(key).map(|at| &mut states[at])
            && let Some(started_ms) = state.started_ms.take()
        {
            state.last = (started_ms, now_ms, "Cancelled");
        }
    }

    /// Progress of the library scan in percent, while it runs.
    pub(crate) fn scan_progress(&self, now_ms: u64) -> Option<f64> {
        let at = position(SCAN)?;
        let states = self.lock_current(now_ms);
        states[at].started_ms.map(|started_ms| progress(started_ms, KNOWN[at].4, now_ms))
    }

    /// End of the last run, in milliseconds.
    pub(crate) fn last_end_ms(&self, key: &str, now_ms: u64) -> Option<u64> {
        let at = position(key)?;
        Some(self.lock_current(now_ms)[at].last.1)
    }

    /// Result of the last run.
    pub(crate) fn result(&self, key: &str, now_ms: u64) -> Option<Value> {
        let at = position(key)?;
        let states = self.lock_current(now_ms);
        Some(last_result(at, &states[at]))
    }

    /// All tasks as the server writes them.
    pub(crate) fn written(&self, now_ms: u64) -> Vec<Value> {
        let states = self.lock_current(now_ms);
        states.iter().enumerate().map(|(at, state)| task(at, state, now_ms)).collect()
    }

    /// One task as the server writes it.
    pub(crate) fn one(&self, key: &str, now_ms: u64) -> Option<Value> {
        position(key).and_then(|at| self.written(now_ms).into_iter().nth(at))
    }

    /// The states, after completing runs that ended meanwhile.
    fn lock_current(&self, now_ms: u64) -> parking_lot::MutexGuard<'_, Vec<TaskState>> {
        let mut states = self.states.lock();
        for (state, known) in states.iter_mut().zip(KNOWN) {
            if let Some(started_ms) = state.started_ms.filter(|started_ms| started_ms + known.4 <= now_ms) {
                state.started_ms = None;
                state.last = (started_ms, started_ms + known.4, "Completed");
            }
        }
        states
    }
}

fn position(key: &str) -> Option<usize> {
    KNOWN.iter().position(|known| known.0.eq_ignore_ascii_case(key))
}

fn progress(started_ms: u64, lasts_ms: u64, now_ms: u64) -> f64 {
    (now_ms.saturating_sub(started_ms) as f64 * 100.0 / lasts_ms as f64).min(99.0)
}

fn id_of(at: usize) -> String {
    JellyfinId::new(IdNamespace::Task, at as u64).hex()
}

fn last_result(at: usize, state: &TaskState) -> Value {
    let (key, name, ..) = KNOWN[at];
    let (began, ended, status) = state.last;
    json!({
        "StartTimeUtc": written(began),
        "EndTimeUtc": written(ended),
        "Status": status,
        "Name": name,
        "Key": key,
        "Id": id_of(at),
    })
}

fn task(at: usize, state: &TaskState, now_ms: u64) -> Value {
    let (key, name, category, description, lasts_ms) = KNOWN[at];
    let mut task = json!({
        "Name": name,
        "State": if state.started_ms.is_some() { "Running" } else { "Idle" },
        "Id": id_of(at),
        "LastExecutionResult": last_result(at, state),
        "Triggers": [{"Type": "IntervalTrigger", "IntervalTicks": 432_000_000_000_u64}],
        "Description": description,
        "Category": category,
        "IsHidden": false,
        "Key": key,
    });
    if let Some(started_ms) = state.started_ms {
        task["CurrentProgressPercentage"] = json!(progress(started_ms, lasts_ms, now_ms));
    }
    task
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_runs_for_its_time_and_then_has_a_result() {
        let tasks = ScheduledTasks::new(10_000_000);
        let lasts_ms = tasks.start(SCAN, 10_000_000).expect("an idle task");
        assert_eq!(tasks.start(SCAN, 10_000_001), None);
        let halfway = tasks.scan_progress(10_000_000 + lasts_ms / 2).expect("a running scan");
        assert!((49.0..51.0).contains(&halfway), "{halfway}");
        assert_eq!(tasks.scan_progress(10_000_000 + lasts_ms), None);
        let result = tasks.result(SCAN, 10_000_000 + lasts_ms).expect("a known task");
        assert_eq!((&result["Status"], &result["Key"]), (&json!("Completed"), &json!(SCAN)));
    }

    #[test]
    fn a_cancelled_task_says_so() {
        let tasks = ScheduledTasks::new(10_000_000);
        tasks.start(SCAN, 10_000_000);
        tasks.cancel(SCAN, 10_000_100);
        assert_eq!(tasks.result(SCAN, 10_000_100).expect("a known task")["Status"], "Cancelled");
    }
}
