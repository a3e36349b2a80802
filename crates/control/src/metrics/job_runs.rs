//! Metrics of jobs, warnings, and the day's savings.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::metrics::MetricType;

use crate::control::ControlPlane;
pub(crate) use crate::jobs::{JobReport, JobState};
use crate::metrics::encoder::MetricsEncoder;
use crate::snapshot::ServerWarning;
use greenroom_proxy::statistics::TodaySummary;
use greenroom_state::file_work_queue::FileWorkQueue;

impl ControlPlane {
    /// Rejected file work by kind.
    pub(super) fn file_work_refused(&self) -> Vec<(&'static str, u64)> {
        let lanes = [
            ("bypasses", self.servers.first().map(|shown| &shown.server.modes.bypasses.lane)),
            ("history", Some(self.history.lane())),
            ("libraries", self.playlists.libraries.lane()),
            ("lifetimes", self.ttl_overrides.as_ref().map(|book| &book.lane)),
            ("matching", Some(self.playlists.matching.lane())),
            ("playlists", Some(self.playlists.lane())),
            ("statistics", Some(self.statistics.lane())),
        ];
        lanes.into_iter().map(|(work, lane)| (work, lane.map_or(0, FileWorkQueue::refused))).collect()
    }
}

impl MetricsEncoder<'_> {
    /// Last run of each job, and whether it runs.
    pub(super) fn jobs(&mut self, jobs: &[JobReport]) -> fmt::Result {
        let ended = || jobs.iter().filter_map(|job| Some((job.id.as_str(), job.last.as_ref()?)));
        let help = "When the job ran last, since 1970, by what came of it";
        let mut family = self.begin("job_ended_timestamp_seconds", help, MetricType::Gauge)?;
        for (job, last) in ended() {
            let labels = [("job_id", job), ("outcome", last.outcome.as_str())];
            family.encode_family(&labels)?.encode_gauge(&(last.ended_ms as f64 / 1000.0))?;
        }
        let help = "How long the last run of the job took";
        let mut family = self.begin("job_duration_seconds", help, MetricType::Gauge)?;
        for (job, last) in ended() {
            family.encode_family(&[("job_id", job)])?.encode_gauge(&(last.duration_ms as f64 / 1000.0))?;
        }
        let mut family = self.begin("job_running", "Whether the job runs now", MetricType::Gauge)?;
        for job in jobs {
            let is_running = u64::from(job.state == JobState::Running);
            family.encode_family(&[("job_id", job.id.as_str())])?.encode_gauge(&is_running)?;
        }
        Ok(())
    }

    /// Active warnings. Several may share a code.
    pub(super) fn warnings(&mut self, warnings: &[ServerWarning]) -> fmt::Result {
        let mut held = BTreeMap::<[(&str, &str); 3], u64>::new();
        for warned in warnings {
            let server = warned.server.as_deref().unwrap_or_default();
            let severity = warned.warning.severity.word();
            *held.entry([("code", warned.warning.code), ("server", server), ("severity", severity)]).or_default() += 1;
        }
        let help = "Warnings that hold, by code; those about the process have no server";
        let mut family = self.begin("warnings", help, MetricType::Gauge)?;
        held.iter().try_for_each(|(labels, count)| family.encode_family(labels)?.encode_gauge(count))
    }

    /// Savings of the day so far.
    pub(super) fn today(&mut self, today: &TodaySummary) -> fmt::Result {
        self.gauge("today_saved_seconds", "Time apps did not have to wait since midnight", today.seconds_saved)?;
        self.gauge("today_oldest_answer_seconds", "The oldest answer given since midnight", today.oldest_s)
    }
}
