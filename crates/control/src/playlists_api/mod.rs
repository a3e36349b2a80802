//! Playlists over the API: a wish, how far it is, what came of it.

mod answers;
mod error;
mod events;
mod request;

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

use super::Plane;
use super::api::whole;
use crate::auth::middleware::Admitted;
use crate::error::Problem;
use crate::pagination::Part;
use answers::Told;
pub(super) use error::Refusal;
use greenroom_sync::playlists::report::{Failure, Report, RowReport};
use greenroom_sync::playlists::run::{Ending, Run};
use request::{Asked, Said, rows_of, too_long, wish_of};

/// Longest body of a wish: a playlist, and what is said around it.
const MAX_BODY_BYTES: usize = playlist::MAX_BYTES + 64 * 1024;
/// How long a client may take to send it.
const BODY_PATIENCE: Duration = Duration::from_secs(60);
/// Who asks is kept waiting so long at most; then he is told where to look.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// In which form missing rows are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Form {
    #[serde(default)]
    format: Option<String>,
}

/// Some of the rows of a run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RowsPart {
    /// All there are.
    total: usize,
    /// So many were left out at the beginning.
    offset: usize,
    items: Vec<RowReport>,
}

/// Synchronises a playlist.
#[utoipa::path(
    post,
    path = "/api/v1/playlists/sync",
    params(Said), request_body = Asked,
    responses(
        (status = 200, description = "What came of it", body = Told),
        (status = 202, description = "It goes on; `Location` tells where to look", body = Told),
        (status = 404, description = "No such server, account, library or playlist"),
        (status = 409, description = "Not now: the library is not built or turned off, a token is missing, or it runs already"),
        (status = 422, description = "It is no playlist"),
        (status = 502, description = "The media server did not do it"),
        (status = 503, description = "Too many run"),
    ),
)]
pub(super) async fn sync(
    State(plane): State<Arc<Plane>>,
    said: Result<Query<Said>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let Query(said) = said.map_err(|rejection| bad_query(&rejection))?;
    let whole = whole(body, MAX_BODY_BYTES, BODY_PATIENCE).await.map_err(|problem| match problem {
        Problem::TOO_LONG => too_long().into(),
        other => Refusal::Problem(other),
    })?;
    let says_of_itself = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let playlists = &plane.control.playlists;
    let (source, asked) = if said.is_empty() && is_json(says_of_itself) {
        // Reading 16 MiB takes a while: not on a thread that answers others.
        let (source, asked) = off_the_threads(move || wish_of(&whole)).await?;
        (source, asked.and(said)?)
    } else {
        let hint = said.hint.clone().unwrap_or_else(|| says_of_itself.to_owned());
        let source = off_the_threads(move || rows_of(&whole, &hint)).await?;
        (source, said.into_asked())
    };
    let server = asked.server.clone().or_else(|| playlists.only_server().map(str::to_owned));
    let server = server
        .ok_or_else(|| Failure::new("which-server", "several servers are configured; say which: server"))?;
    let detach = asked.detach;
    let run = playlists.begin(asked.wish(source, server)?)?;
    if !detach {
        drop(plane.control.clock.timeout(ANSWER_WITHIN, run.ended()).await);
    }
    let id = run.id.clone();
    match run.ending() {
        Some(Ending::Failed(failure)) => match Refusal::from(failure) {
            Refusal::Told(status, failure, _) => Err(Refusal::Told(status, failure, Some(id))),
            problem @ Refusal::Problem(_) => Err(problem),
        },
        Some(_) => Ok(answer(StatusCode::OK, "application/json", in_full(&run).await?)),
        None => {
            let mut response = answer(StatusCode::ACCEPTED, "application/json", in_full(&run).await?);
            if let Ok(place) =
                HeaderValue::from_str(&format!("{}/api/v1/playlists/runs/{id}", plane.settings.base_path))
            {
                response.headers_mut().insert(LOCATION, place);
            }
            Ok(response)
        }
    }
}

/// The runs that are known, the newest first, without their rows.
#[utoipa::path(get, path = "/api/v1/playlists/runs", params(Part), responses((status = 200, body = answers::Runs)))]
pub(super) async fn runs(State(plane): State<Arc<Plane>>, Query(part): Query<Part>) -> Response {
    let runs = plane.control.playlists.runs();
    let shown = part.of(&runs).iter().map(|run| Told::of(run, false)).collect();
    let list = answers::Runs { total: runs.len(), offset: part.offset, runs: shown };
    answer(StatusCode::OK, "application/json", json_of(&list))
}

/// The rows of a run, a part at a time, with what came of each.
#[utoipa::path(
    get,
    path = "/api/v1/playlists/runs/{id}/rows",
    params(("id" = String, Path, description = "The run"), Part),
    responses(
        (status = 200, body = RowsPart),
        (status = 404, description = "No such run"),
        (status = 409, description = "There is no report"),
    ),
)]
pub(super) async fn rows(
    State(plane): State<Arc<Plane>>,
    Path(id): Path<String>,
    Query(part): Query<Part>,
) -> Result<Json<RowsPart>, Refusal> {
    let run = plane.control.playlists.run(&id).ok_or_else(unknown_run)?;
    let report = report_of(&run)?;
    let items = part.of(&report.rows).to_vec();
    Ok(Json(RowsPart { total: report.rows.len(), offset: part.offset, items }))
}

/// How far a run is, or what came of it; as server-sent events for who accepts them.
#[utoipa::path(
    get,
    path = "/api/v1/playlists/runs/{id}",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, content((Told = "application/json"), (String = "text/event-stream"))),
        (status = 404, description = "No such run"),
        (status = 503, description = "Too many watch"),
    ),
)]
pub(super) async fn run(
    State(plane): State<Arc<Plane>>,
    Extension(admitted): Extension<Admitted>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let run = plane.control.playlists.run(&id).ok_or_else(unknown_run)?;
    let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !accepts.contains("text/event-stream") {
        return Ok(answer(StatusCode::OK, "application/json", in_full(&run).await?));
    }
    let seat = plane.control.live.seat()?;
    Ok(events::follow(plane, run, admitted.pass, seat))
}

/// What is kept in step by itself, with what came of it and when it is taken next.
#[utoipa::path(get, path = "/api/v1/playlists/standing", responses((status = 200, body = answers::Kept)))]
pub(super) async fn standing(State(plane): State<Arc<Plane>>) -> Response {
    let standing = plane.control.playlists.keeping.all();
    answer(StatusCode::OK, "application/json", json_of(&answers::Kept { standing }))
}

/// Takes what one entry keeps in step now, whether anything has changed or not.
#[utoipa::path(
    post,
    path = "/api/v1/playlists/standing/{name}/run",
    params(("name" = String, Path, description = "What the configuration calls it")),
    responses(
        (status = 202, description = "It is taken now", body = answers::Taken),
        (status = 404, description = "No such playlist is configured"),
    ),
)]
pub(super) async fn run_standing(
    State(plane): State<Arc<Plane>>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let keeping = &plane.control.playlists.keeping;
    if !keeping.ask(&name) {
        let message = "no such playlist is configured; /api/v1/playlists/standing lists those that are";
        return Err(Refusal::Told(StatusCode::NOT_FOUND, Failure::new("unknown-playlist", message), None));
    }
    Ok(answer(StatusCode::ACCEPTED, "application/json", json_of(&answers::Taken { standing: name })))
}

/// Tells a run to stop between two writes.
#[utoipa::path(
    post,
    path = "/api/v1/playlists/runs/{id}/cancel",
    params(("id" = String, Path, description = "The run")),
    responses((status = 202, description = "It stops between two writes", body = Told), (status = 404, description = "No such run")),
)]
pub(super) async fn cancel(
    State(plane): State<Arc<Plane>>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let run = plane.control.playlists.run(&id).ok_or_else(unknown_run)?;
    run.cancel.cancel();
    Ok(answer(StatusCode::ACCEPTED, "application/json", json_of(&Told::of(&run, false))))
}

/// The rows of a run that are not in the library, in full.
#[utoipa::path(
    get,
    path = "/api/v1/playlists/runs/{id}/missing",
    params(("id" = String, Path, description = "The run"), Form),
    responses(
        (status = 200, content((answers::Jspf = "application/json"), (String = "text/csv; charset=utf-8"))),
        (status = 404, description = "No such run"),
        (status = 409, description = "There is no report"),
    ),
)]
pub(super) async fn missing(
    State(plane): State<Arc<Plane>>,
    Path(id): Path<String>,
    form: Result<Query<Form>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(form) = form.map_err(|rejection| bad_query(&rejection))?;
    let run = plane.control.playlists.run(&id).ok_or_else(unknown_run)?;
    let report = report_of(&run)?;
    match form.format.as_deref().unwrap_or("json") {
        "csv" => {
            let table = off_the_threads(move || Ok(report.missing_csv())).await?;
            let mut response = answer(StatusCode::OK, "text/csv; charset=utf-8", table);
            let name = HeaderValue::from_static("attachment; filename=\"missing.csv\"");
            response.headers_mut().insert(CONTENT_DISPOSITION, name);
            Ok(response)
        }
        "json" => {
            let list = off_the_threads(move || Ok(report.missing_json().to_string())).await?;
            Ok(answer(StatusCode::OK, "application/json", list))
        }
        _ => Err(Failure::new("bad-wish", "format must be csv or json").into()),
    }
}

/// What came of a run.
fn report_of(run: &Run) -> Result<Arc<Report>, Refusal> {
    if let Some(Ending::Done(report)) = run.ending() {
        return Ok(report);
    }
    let message = "this run has no report: it is still running, or it ended before its rows were looked for";
    Err(Refusal::Told(StatusCode::CONFLICT, Failure::new("no-report", message), None))
}

/// A run with its report, which may have megabytes: not on a thread that answers others.
async fn in_full(run: &Arc<Run>) -> Result<String, Refusal> {
    let run = Arc::clone(run);
    off_the_threads(move || Ok(json_of(&Told::of(&run, true)))).await
}

fn json_of(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).expect("an answer is always JSON")
}

async fn off_the_threads<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(Problem::BAD_BODY.into()))
}

/// A query that says what is not known is refused: what was meant by it would be left out otherwise.
fn bad_query(rejection: &QueryRejection) -> Failure {
    let message: String =
        rejection.body_text().chars().filter(|letter| !letter.is_control()).take(300).collect();
    Failure::new("bad-wish", message)
}

fn is_json(media_type: &str) -> bool {
    media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

fn unknown_run() -> Refusal {
    let message = "no such run is known; /api/v1/playlists/runs lists those that are";
    Refusal::Told(StatusCode::NOT_FOUND, Failure::new("unknown-run", message), None)
}

fn answer(status: StatusCode, media_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
