//! Jobs over the API: status, start and cancel.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use greenroom_control::ControlPlane;
use greenroom_control::error::Problem;
use greenroom_control::json_body::ActionResponse;
use greenroom_control::state::ApiState;
use greenroom_jobs::{JobReport, RunRequestResult, folders, indexes, playlists};

/// All jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobsResponse {
    /// Max concurrent runs; library indexes do not count.
    at_once: usize,
    /// Current runs, index builds left out.
    running: usize,
    /// Current index builds.
    builds: usize,
    jobs: Vec<JobReport>,
}

/// The state of every job.
#[utoipa::path(
    get, path = "/api/v1/jobs",
    responses((status = 200, description = "All jobs, each with its last and its next run", body = JobsResponse))
)]
pub(super) async fn list(State(state): State<Arc<ApiState>>) -> Json<JobsResponse> {
    let control = &state.control;
    let jobs = control.job_reports();
    let (running, builds) = control.running();
    Json(JobsResponse { at_once: control.jobs.at_once(), running, builds, jobs })
}

/// Runs a job now, or as soon as a slot is free.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/run",
    params(("id" = String, Path, description = "The job, such as history or library:home:3")),
    responses(
        (status = 202, description = "The run starts, or is already running or queued", body = ActionResponse),
        (status = 404, description = "No such job"),
    )
)]
pub(super) async fn run(State(state): State<Arc<ApiState>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let message = match run_job(&state.control, &id) {
        RunRequestResult::Accepted => "The run starts as soon as a slot is free.",
        RunRequestResult::NoChange => "Already running.",
        RunRequestResult::Unknown => return Err(Problem::UNKNOWN_JOB),
    };
    Ok((StatusCode::ACCEPTED, Json(ActionResponse::succeeded(message.to_owned()))).into_response())
}

/// Cancels a run of a job.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/cancel",
    params(("id" = String, Path, description = "The job, such as history or library:home:3")),
    responses(
        (status = 200, description = "The run ends within a few seconds, or nothing was running", body = ActionResponse),
        (status = 404, description = "No such job"),
    )
)]
pub(super) async fn cancel(
    State(state): State<Arc<ApiState>>,
    Path(id): Path<String>,
) -> Result<Json<ActionResponse>, Problem> {
    let message = match cancel_job(&state.control, &id) {
        RunRequestResult::Accepted => "Cancelling.",
        RunRequestResult::NoChange => "Nothing was running.",
        RunRequestResult::Unknown => return Err(Problem::UNKNOWN_JOB),
    };
    Ok(Json(ActionResponse::succeeded(message.to_owned())))
}

fn run_job(control: &ControlPlane, id: &str) -> RunRequestResult {
    control
        .jobs
        .run(id)
        .or_else(|| indexes::run(&control.playlists.libraries, id))
        .or_else(|| folders::run(&control.folders, id))
        .or_else(|| playlists::run(&control.playlists.scheduled, id))
}

fn cancel_job(control: &ControlPlane, id: &str) -> RunRequestResult {
    control
        .jobs
        .cancel(id)
        .or_else(|| indexes::cancel(&control.playlists.libraries, id))
        .or_else(|| folders::cancel(&control.folders, id))
        .or_else(|| playlists::cancel(&control.playlists.scheduled, id))
}
