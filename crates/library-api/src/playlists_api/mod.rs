//! The playlist API: sync requests, their progress and their results.

mod error;
mod events;
mod request;
mod responses;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::{Extension, Json};
use greenroom_library::playlist;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(super) use error::PlaylistApiError;
use greenroom_control::auth::caller::AuthContext;
use greenroom_control::blocking::run_blocking;
use greenroom_control::error::Problem;
use greenroom_control::json_body::{is_json, read_body, to_json};
use greenroom_control::pagination::PageParams;
use greenroom_control::state::ApiState;
use greenroom_sync::playlists::report::{PlaylistFailure, PlaylistReport, RowReport};
use greenroom_sync::playlists::run::{RunResult, SyncRun};
use request::{SyncRequestBody, SyncRequestParams, parse_body, parse_rows, too_long};
use responses::PlaylistRunResponse;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of playlist syncs.
pub(crate) fn routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(sync))
        .routes(routes!(runs))
        .routes(routes!(scheduled))
        .routes(routes!(run_scheduled))
        .routes(routes!(run))
        .routes(routes!(cancel))
        .routes(routes!(missing))
        .routes(routes!(rows))
}

/// Max body size: a playlist and the fields around it.
const MAX_BODY_BYTES: usize = playlist::MAX_BYTES + 64 * 1024;
/// Time limit for receiving the body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// A caller waits at most this long; then the response names the run to poll.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// The format of the missing rows.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MissingRowsQuery {
    format: Option<String>,
}

/// A page of the rows of a run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlaylistRowsPage {
    /// Total number of rows.
    total: usize,
    /// Number of rows skipped.
    offset: usize,
    items: Vec<RowReport>,
}

/// Syncs a playlist.
#[utoipa::path(
    post,
    path = "/api/v1/playlists/sync",
    params(SyncRequestParams), request_body = SyncRequestBody,
    responses(
        (status = 200, description = "The run has ended", body = PlaylistRunResponse),
        (status = 202, description = "The run goes on; `Location` is its URL", body = PlaylistRunResponse),
        (status = 404, description = "No such server, account, library or playlist"),
        (status = 409, description = "The library is not built or is disabled, a token is missing, or the sync is already running"),
        (status = 422, description = "The body is not a playlist"),
        (status = 502, description = "The media server failed"),
        (status = 503, description = "Too many runs in progress"),
    ),
)]
pub(super) async fn sync(
    State(state): State<Arc<ApiState>>,
    params: Result<Query<SyncRequestParams>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, PlaylistApiError> {
    let Query(params) = params.map_err(|rejection| bad_query(&rejection))?;
    let bytes = read_body(body, MAX_BODY_BYTES, BODY_TIMEOUT).await.map_err(|problem| match problem {
        Problem::TOO_LONG => too_long().into(),
        other => PlaylistApiError::Problem(other),
    })?;
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let playlists = &state.control.playlists;
    let (source, request) = if params.is_empty() && is_json(&headers) {
        // Parsing 16 MiB takes a while, so it does not run on the threads that serve requests.
        let (source, request) = run_blocking(move || parse_body(&bytes)).await?;
        (source, request.merge(params)?)
    } else {
        let hint = params.hint.clone().unwrap_or_else(|| content_type.to_owned());
        let part = params.part;
        let source = run_blocking(move || parse_rows(&bytes, &hint, part)).await?;
        (source, params.into_body())
    };
    let server = request.server.clone().or_else(|| playlists.only_server().map(str::to_owned));
    let server = server.ok_or_else(|| {
        PlaylistFailure::new("which-server", "several servers are configured; name one in \"server\"")
    })?;
    let detach = request.detach;
    let run = playlists.start(request.into_sync_request(source, server)?)?;
    if !detach {
        let _ = state.control.clock.timeout(MAX_WAIT, run.wait()).await; // the run goes on
    }
    let id = run.id.clone();
    match run.result() {
        Some(RunResult::Failed(failure)) => match PlaylistApiError::from(failure) {
            PlaylistApiError::Failed(status, failure, _) => Err(PlaylistApiError::Failed(status, failure, Some(id))),
            problem @ PlaylistApiError::Problem(_) => Err(problem),
        },
        Some(_) => Ok(response(StatusCode::OK, "application/json", full_response(&run).await)),
        None => {
            let mut response = response(StatusCode::ACCEPTED, "application/json", full_response(&run).await);
            if let Ok(location) =
                HeaderValue::from_str(&format!("{}/api/v1/playlists/runs/{id}", state.settings.base_path))
            {
                response.headers_mut().insert(LOCATION, location);
            }
            Ok(response)
        }
    }
}

/// The runs, newest first, without their rows.
#[utoipa::path(get, path = "/api/v1/playlists/runs", params(PageParams), responses((status = 200, body = responses::PlaylistRunsResponse)))]
pub(super) async fn runs(State(state): State<Arc<ApiState>>, Query(page): Query<PageParams>) -> Response {
    let runs = state.control.playlists.runs();
    let rows = page.slice(&runs).iter().map(|run| PlaylistRunResponse::from_run(run, false)).collect();
    let list = responses::PlaylistRunsResponse { total: runs.len(), offset: page.offset, runs: rows };
    response(StatusCode::OK, "application/json", to_json(&list))
}

/// The rows of a run, one page at a time, with the result of each.
#[utoipa::path(
    get,
    path = "/api/v1/playlists/runs/{id}/rows",
    params(("id" = String, Path, description = "The run"), PageParams),
    responses(
        (status = 200, body = PlaylistRowsPage),
        (status = 404, description = "No such run"),
        (status = 409, description = "The run has no report"),
    ),
)]
pub(super) async fn rows(
    State(state): State<Arc<ApiState>>,
    Path(id): Path<String>,
    Query(page): Query<PageParams>,
) -> Result<Json<PlaylistRowsPage>, PlaylistApiError> {
    let run = state.control.playlists.run(&id).ok_or_else(unknown_run)?;
    let report = report_of(&run)?;
    let items = page.slice(&report.rows).to_vec();
    Ok(Json(PlaylistRowsPage { total: report.rows.len(), offset: page.offset, items }))
}

/// The progress or report of a run; as server-sent events if the client accepts them.
#[utoipa::path(
    get,
    path = "/api/v1/playlists/runs/{id}",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, content((PlaylistRunResponse = "application/json"), (String = "text/event-stream"))),
        (status = 404, description = "No such run"),
        (status = 503, description = "Too many open event streams"),
    ),
)]
pub(super) async fn run(
    State(state): State<Arc<ApiState>>,
    Extension(auth): Extension<AuthContext>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PlaylistApiError> {
    let run = state.control.playlists.run(&id).ok_or_else(unknown_run)?;
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !accept.contains("text/event-stream") {
        return Ok(response(StatusCode::OK, "application/json", full_response(&run).await));
    }
    let permit = state.control.live.try_acquire()?;
    Ok(events::follow(state, run, auth.grant, permit))
}

/// Scheduled playlist syncs with their last result and next run.
#[utoipa::path(get, path = "/api/v1/playlists/standing", responses((status = 200, body = responses::ScheduledSyncsResponse)))]
pub(super) async fn scheduled(State(state): State<Arc<ApiState>>) -> Response {
    let scheduled = state.control.playlists.scheduled.all();
    response(StatusCode::OK, "application/json", to_json(&responses::ScheduledSyncsResponse { standing: scheduled }))
}

/// Runs a scheduled sync now, even if nothing has changed.
#[utoipa::path(
    post,
    path = "/api/v1/playlists/standing/{name}/run",
    params(("name" = String, Path, description = "Its name in the configuration")),
    responses(
        (status = 202, description = "The run starts now", body = responses::SyncAcceptedResponse),
        (status = 404, description = "No such playlist is configured"),
    ),
)]
pub(super) async fn run_scheduled(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
) -> Result<Response, PlaylistApiError> {
    let scheduled = &state.control.playlists.scheduled;
    if !scheduled.request_now(&name) {
        let message = "no such playlist is configured; /api/v1/playlists/standing lists them";
        return Err(PlaylistApiError::Failed(
            StatusCode::NOT_FOUND,
            PlaylistFailure::new("unknown-playlist", message),
            None,
        ));
    }
    Ok(response(StatusCode::ACCEPTED, "application/json", to_json(&responses::SyncAcceptedResponse { standing: name })))
}

/// Stops a run between two writes.
#[utoipa::path(
    post,
    path = "/api/v1/playlists/runs/{id}/cancel",
    params(("id" = String, Path, description = "The run")),
    responses((status = 202, description = "The run stops between two writes", body = PlaylistRunResponse), (status = 404, description = "No such run")),
)]
pub(super) async fn cancel(
    State(state): State<Arc<ApiState>>,
    Path(id): Path<String>,
) -> Result<Response, PlaylistApiError> {
    let run = state.control.playlists.run(&id).ok_or_else(unknown_run)?;
    run.cancel.cancel();
    Ok(response(StatusCode::ACCEPTED, "application/json", to_json(&PlaylistRunResponse::from_run(&run, false))))
}

/// All rows of a run that are not in the library.
#[utoipa::path(
    get,
    path = "/api/v1/playlists/runs/{id}/missing",
    params(("id" = String, Path, description = "The run"), MissingRowsQuery),
    responses(
        (status = 200, content((responses::Jspf = "application/json"), (String = "text/csv; charset=utf-8"))),
        (status = 404, description = "No such run"),
        (status = 409, description = "The run has no report"),
    ),
)]
pub(super) async fn missing(
    State(state): State<Arc<ApiState>>,
    Path(id): Path<String>,
    query: Result<Query<MissingRowsQuery>, QueryRejection>,
) -> Result<Response, PlaylistApiError> {
    let Query(query) = query.map_err(|rejection| bad_query(&rejection))?;
    let run = state.control.playlists.run(&id).ok_or_else(unknown_run)?;
    let report = report_of(&run)?;
    match query.format.as_deref().unwrap_or("json") {
        "csv" => {
            let table = run_blocking(move || report.missing_csv()).await;
            let mut response = response(StatusCode::OK, "text/csv; charset=utf-8", table);
            let name = HeaderValue::from_static("attachment; filename=\"missing.csv\"");
            response.headers_mut().insert(CONTENT_DISPOSITION, name);
            Ok(response)
        }
        "json" => {
            let list = run_blocking(move || report.missing_json().to_string()).await;
            Ok(response(StatusCode::OK, "application/json", list))
        }
        _ => Err(PlaylistFailure::new("bad-wish", "format must be csv or json").into()),
    }
}

/// The report of a run.
fn report_of(run: &SyncRun) -> Result<Arc<PlaylistReport>, PlaylistApiError> {
    if let Some(RunResult::Done(report)) = run.result() {
        return Ok(report);
    }
    let message = "this run has no report: it is still running, or it ended before its rows were matched";
    Err(PlaylistApiError::Failed(StatusCode::CONFLICT, PlaylistFailure::new("no-report", message), None))
}

/// A run with its report, which may have megabytes: serialised on a blocking thread.
async fn full_response(run: &Arc<SyncRun>) -> String {
    let run = Arc::clone(run);
    run_blocking(move || to_json(&PlaylistRunResponse::from_run(&run, true))).await
}

/// Unknown query parameters are rejected rather than ignored.
fn bad_query(rejection: &QueryRejection) -> PlaylistFailure {
    let message: String = rejection.body_text().chars().filter(|character| !character.is_control()).take(300).collect();
    PlaylistFailure::new("bad-wish", message)
}

fn unknown_run() -> PlaylistApiError {
    let message = "no such run; /api/v1/playlists/runs lists the runs";
    PlaylistApiError::Failed(StatusCode::NOT_FOUND, PlaylistFailure::new("unknown-run", message), None)
}

fn response(status: StatusCode, media_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
