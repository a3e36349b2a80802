//! Metrics of jobs, warnings, and the day's savings.

use std::collections::BTreeMap;
use std::fmt;

use crate::metrics::encoder::MetricsEncoder;
use greenroom_control::ControlPlane;
use greenroom_control::snapshot::ServerWarning;
pub(crate) use greenroom_jobs::{JobReport, JobState};
use greenroom_state::file_work_queue::FileWorkQueue;
use greenroom_statistics::TodaySummary;

/// Rejected file work by kind.
pub(super) fn file_work_refused(control: &ControlPlane) -> Vec<(&'static str, u64)> {
    let queues = [
        ("bypasses", control.shared_bypasses().map(|bypasses| &bypasses.file_work)),
        ("history", Some(control.history.file_work())),
        ("libraries", control.playlists.libraries.lane()),
        ("lifetimes", control.ttl_overrides.as_ref().map(|store| &store.file_work)),
        ("matching", Some(control.playlists.matching.lane())),
        ("playlists", Some(control.playlists.lane())),
        ("statistics", Some(control.statistics.lane())),
    ];
    queues.into_iter().map(|(work, queue)| (work, queue.map_or(0, FileWorkQueue::refused))).collect()
}

impl MetricsEncoder<'_> {
    /// Last run of each job, and whether it runs.
    pub(super) fn jobs(&mut self, jobs: &[JobReport]) -> fmt::Result {
        let ended = || jobs.iter().filter_map(|job| Some((job.id.as_str(), job.last.as_ref()?)));
        let help = "End of the last run of the job, in seconds since 1970, by outcome";
        let outcomes = ended()
            .map(|(job, last)| ([("job_id", job), ("outcome", last.outcome.as_str())], last.ended_ms as f64 / 1000.0));
        self.gauges("job_ended_timestamp_seconds", help, outcomes)?;
        let durations = ended().map(|(job, last)| ([("job_id", job)], last.duration_ms as f64 / 1000.0));
        self.gauges("job_duration_seconds", "Duration of the last run of the job", durations)?;
        let running = jobs.iter().map(|job| ([("job_id", job.id.as_str())], u64::from(job.state == JobState::Running)));
        self.gauges("job_running", "1 while the job runs, else 0", running)
    }

    /// Active warnings. Several may share a code.
    pub(super) fn warnings(&mut self, warnings: &[ServerWarning]) -> fmt::Result {
        let mut active = BTreeMap::<[(&str, &str); 3], u64>::new();
        for warning in warnings {
            let server = warning.server.as_deref().unwrap_or_default();
            let severity = warning.warning.severity.word();
            *active.entry([("code", warning.warning.code), ("server", server), ("severity", severity)]).or_default() +=
                1;
        }
        let help = "Active warnings, by code; those about the process have an empty server";
        self.gauges("warnings", help, active)
    }

    /// Savings of the day so far.
    pub(super) fn today(&mut self, today: &TodaySummary) -> fmt::Result {
        self.gauge("today_saved_seconds", "Waiting time that apps were saved since midnight", today.seconds_saved)?;
        self.gauge("today_oldest_answer_seconds", "Age of the oldest response served since midnight", today.oldest_s)
    }
}
