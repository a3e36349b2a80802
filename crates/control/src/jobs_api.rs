//! Jobs, over the API: how each stands, running one now, ending one.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::api::Done;
use super::{Control, Plane};
use crate::error::Problem;
use crate::jobs::{self, Asked, Report, indexes, playlists};

/// Who asks for a run of one of these waits so long for its end.
const SYNC_IS_AWAITED: Duration = Duration::from_secs(20);

/// All jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Jobs {
    /// How many run at a time at most; the indexes of libraries take no place.
    at_once: usize,
    /// How many run now, the indexes of libraries included.
    running: usize,
    jobs: Vec<Report>,
}

/// How every job stands.
#[utoipa::path(
    get, path = "/api/v1/jobs",
    responses((status = 200, description = "Every job, with its last run and its next", body = Jobs))
)]
pub(super) async fn list(State(plane): State<Arc<Plane>>) -> Json<Jobs> {
    let control = &plane.control;
    let jobs = control.job_reports();
    Json(Jobs { at_once: control.jobs.at_once(), running: running(&jobs), jobs })
}

/// Runs a job now, or as soon as there is a place.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/run",
    params(("id" = String, Path, description = "The job, such as history or library:home:3")),
    responses(
        (status = 202, description = "It begins, or it runs or waits already", body = Done),
        (status = 404, description = "There is no such job"),
    )
)]
pub(super) async fn run(
    State(plane): State<Arc<Plane>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let said = match plane.control.run_job(&id) {
        Asked::Heard => "It begins as soon as there is a place.",
        Asked::Already => "It runs already.",
        Asked::Unknown => return Err(Problem::UNKNOWN_JOB),
    };
    Ok((StatusCode::ACCEPTED, Json(Done::said(said.to_owned()))).into_response())
}

/// Ends a run of a job.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/cancel",
    params(("id" = String, Path, description = "The job, such as history or library:home:3")),
    responses(
        (status = 200, description = "It ends within a few seconds, or nothing was running", body = Done),
        (status = 404, description = "There is no such job"),
    )
)]
pub(super) async fn cancel(
    State(plane): State<Arc<Plane>>,
    Path(id): Path<String>,
) -> Result<Json<Done>, Problem> {
    let said = match plane.control.cancel_job(&id) {
        Asked::Heard => "It ends.",
        Asked::Already => "Nothing was running.",
        Asked::Unknown => return Err(Problem::UNKNOWN_JOB),
    };
    Ok(Json(Done::said(said.to_owned())))
}

impl Control {
    /// Every job, every index of a library, and every playlist that is kept in step.
    pub(super) fn job_reports(&self) -> Vec<Report> {
        let mut all = self.jobs.reports();
        all.extend(indexes::reports(&self.playlists.libraries));
        all.extend(playlists::reports(&self.playlists.keeping));
        all
    }

    /// How many jobs run now.
    pub(super) fn jobs_running(&self) -> usize {
        running(&self.job_reports())
    }

    /// Brings the mirror of what was played up, as the job it is.
    pub(super) async fn sync_history(&self) -> jobs::Awaited {
        self.jobs.run_to_its_end("history", SYNC_IS_AWAITED).await
    }

    /// Runs one of ours, or waits for the end of a run that is under way already.
    pub(super) async fn run_or_join(&self, id: &str) -> jobs::Awaited {
        self.jobs.run_or_join(id, SYNC_IS_AWAITED).await
    }

    fn run_job(&self, id: &str) -> Asked {
        self.jobs
            .run(id)
            .or_else(|| indexes::run(&self.playlists.libraries, id))
            .or_else(|| playlists::run(&self.playlists.keeping, id))
    }

    fn cancel_job(&self, id: &str) -> Asked {
        self.jobs
            .cancel(id)
            .or_else(|| indexes::cancel(&self.playlists.libraries, id))
            .or_else(|| playlists::cancel(&self.playlists.keeping, id))
    }
}

fn running(jobs: &[Report]) -> usize {
    jobs.iter().filter(|job| job.state == jobs::State::Running).count()
}
