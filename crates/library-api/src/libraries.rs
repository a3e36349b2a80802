//! Libraries over the API: status, builds and their progress, and turning a library on or off.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use http::StatusCode;
use http::header::{ACCEPT, HeaderMap};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::ToSchema;

use greenroom_config::TokenSetup;
use greenroom_control::auth::caller::{AuthContext, AuthGrant};
use greenroom_control::error::Problem;
use greenroom_control::json_body::{ActionResponse, JsonBody};
use greenroom_control::live::{Frames, event_stream};
use greenroom_control::state::ApiState;
use greenroom_sync::index::{BuildPhase, BuildProgress, BuildRequestResult, Library, LibraryId, LibraryReport};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of libraries and their pictures.
pub(crate) fn routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(all))
        .routes(routes!(one, set_enabled))
        .routes(routes!(build))
        .routes(routes!(cancel))
        .routes(routes!(progress))
        .routes(routes!(crate::library_pictures::links))
}

/// Minimum interval of progress events. Real time, because people read them.
const MIN_EVENT_INTERVAL: Duration = Duration::from_millis(250);

/// All libraries, and why a server has none.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Libraries)]
pub(super) struct LibrariesResponse {
    libraries: Vec<LibraryReport>,
    servers: Vec<ServerLibraries>,
}

/// State of a server's libraries as a whole.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServerLibraries)]
struct ServerLibraries {
    server: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    libraries: usize,
    /// Users whose playlists may be written, besides the owner's.
    accounts: Vec<String>,
}

/// Options of a build.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BuildWanted)]
pub(super) struct LibraryBuildRequest {
    /// Rebuild from scratch and accept the result, however small.
    #[serde(default)]
    force: bool,
}

/// Settings of a library.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LibraryChoice)]
pub(super) struct LibraryUpdateRequest {
    enabled: bool,
}

/// Result of a build request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BuildBegun)]
struct LibraryBuildResponse {
    id: String,
    /// True if a build was already running: the request joined it.
    joined: bool,
    message: &'static str,
}

/// Progress of a build.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BuildSight)]
struct LibraryBuildStatus {
    id: String,
    state: &'static str,
    phase: BuildPhase,
    /// True if a build is requested and has not begun.
    asked: bool,
    percent: Option<u64>,
    #[serde(flatten)]
    progress: BuildProgress,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

/// All libraries.
#[utoipa::path(get, path = "/api/v1/libraries", responses((status = 200, body = LibrariesResponse)))]
pub(super) async fn all(State(state): State<Arc<ApiState>>) -> Json<LibrariesResponse> {
    let libraries = state.control.playlists.libraries.all();
    let servers = state.control.select_servers(None).map(|server| {
        let count = libraries.iter().filter(|library| library.id.server == server.name()).count();
        let (state, remedy) = match (server.origin.settings.token.is_some(), count) {
            (false, _) => {
                let data_dir = state.control.storage_location.as_ref().map(|paths| paths.data.as_path());
                let setup = TokenSetup::new(&server.origin.settings, data_dir.unwrap_or(std::path::Path::new("")));
                ("no-token", Some(format!("To get an owner token, run: {}", setup.sentence())))
            }
            (true, 0) => ("looking", Some("The server has not listed its libraries yet, or has none.".to_owned())),
            (true, _) => ("known", None),
        };
        let accounts = server.origin.settings.accounts.keys().cloned().collect();
        ServerLibraries { server: server.name().to_owned(), state, remedy, libraries: count, accounts }
    });
    let servers = servers.collect();
    Json(LibrariesResponse { libraries: libraries.iter().map(|library| library.report(false)).collect(), servers })
}

/// One library, with its latest changes.
#[utoipa::path(
    get,
    path = "/api/v1/libraries/{id}",
    params(("id" = String, Path, description = "Such as home:3")),
    responses((status = 200, body = LibraryReport), (status = 404, description = "No such library")),
)]
pub(super) async fn one(
    State(state): State<Arc<ApiState>>,
    Path(id): Path<String>,
) -> Result<Json<LibraryReport>, Problem> {
    Ok(Json(library(&state, &id)?.report(true)))
}

/// Requests a build.
#[utoipa::path(
    post,
    path = "/api/v1/libraries/{id}/build",
    params(("id" = String, Path, description = "Such as home:3")),
    request_body = Option<LibraryBuildRequest>,
    responses(
        (status = 202, description = "The build was requested", body = LibraryBuildResponse),
        (status = 404, description = "No such library"),
        (status = 409, description = "The library index is disabled"),
    ),
)]
pub(super) async fn build(
    State(state): State<Arc<ApiState>>,
    Path(id): Path<String>,
    body: JsonBody<LibraryBuildRequest>,
) -> Result<Response, Problem> {
    let options = body.or_default();
    let library = library(&state, &id)?;
    let (joined, message) = match library.build(options.force) {
        BuildRequestResult::Started => (false, "Build requested."),
        BuildRequestResult::Joined => (true, "A build was already running; the request joined it."),
        BuildRequestResult::Off => return Err(Problem::LIBRARY_DISABLED),
    };
    let response = LibraryBuildResponse { id: library.id.to_string(), joined, message };
    Ok((StatusCode::ACCEPTED, Json(response)).into_response())
}

/// Cancels a build.
#[utoipa::path(
    post,
    path = "/api/v1/libraries/{id}/cancel",
    params(("id" = String, Path, description = "Such as home:3")),
    responses((status = 200, body = ActionResponse), (status = 404, description = "No such library")),
)]
pub(super) async fn cancel(
    State(state): State<Arc<ApiState>>,
    Path(id): Path<String>,
) -> Result<Json<ActionResponse>, Problem> {
    let was_building = library(&state, &id)?.cancel();
    let message = if was_building { "Build cancelled; the previous index stays." } else { "No build was running." };
    Ok(Json(ActionResponse::succeeded(message.to_owned())))
}

/// Turns a library on or off. The setting survives a restart.
#[utoipa::path(
    put,
    path = "/api/v1/libraries/{id}",
    params(("id" = String, Path, description = "Such as home:3")),
    request_body = LibraryUpdateRequest,
    responses(
        (status = 200, body = LibraryReport),
        (status = 404, description = "No such library"),
        (status = 507, description = "The change cannot be saved"),
    ),
)]
pub(super) async fn set_enabled(
    State(state): State<Arc<ApiState>>,
    Path(id): Path<String>,
    body: JsonBody<LibraryUpdateRequest>,
) -> Result<Json<LibraryReport>, Problem> {
    let update = body.required()?;
    let library = library(&state, &id)?;
    let result = state.control.playlists.libraries.set_enabled(&library, update.enabled).await;
    result.map_err(|reason| {
        tracing::warn!(reason, library = %library.id, "library setting cannot be saved");
        Problem::CHANGE_NOT_SAVED
    })?;
    tracing::info!(library = %library.id, enabled = update.enabled, "library setting changed");
    Ok(Json(library.report(false)))
}

/// The progress of a build: once, or as events until it ends.
#[utoipa::path(
    get,
    path = "/api/v1/libraries/{id}/progress",
    params(("id" = String, Path, description = "Such as home:3")),
    responses(
        (status = 200, content((LibraryBuildStatus = "application/json"), (String = "text/event-stream"))),
        (status = 404, description = "No such library"),
        (status = 503, description = "Too many open event streams"),
    ),
)]
pub(super) async fn progress(
    State(state): State<Arc<ApiState>>,
    Extension(auth): Extension<AuthContext>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let library = library(&state, &id)?;
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !accept.contains("text/event-stream") {
        return Ok(Json(build_status(&library)).into_response());
    }
    let permits = Arc::clone(&state.control.build_watch_permits);
    let permit = permits.try_acquire_owned().map_err(|_| Problem::TOO_MANY_CLIENTS)?;
    let progress = library.progress();
    let client = BuildSseClient {
        state,
        library,
        progress,
        grant: auth.grant,
        last_sent: LastSentEvent::Nothing,
        _permit: permit,
    };
    Ok(event_stream(client))
}

/// One client of a build's event stream.
struct BuildSseClient {
    state: Arc<ApiState>,
    library: Arc<Library>,
    progress: watch::Receiver<BuildProgress>,
    grant: AuthGrant,
    last_sent: LastSentEvent,
    _permit: OwnedSemaphorePermit,
}

/// The last event sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastSentEvent {
    Nothing,
    UnderWay,
    End,
}

impl Frames for BuildSseClient {
    /// The next event; `None` after the last.
    async fn next(&mut self) -> Option<Bytes> {
        match self.last_sent {
            LastSentEvent::End => return None,
            LastSentEvent::Nothing => {}
            LastSentEvent::UnderWay => {
                tokio::select! {
                    () = self.state.stop.cancelled() => return None,
                    changed = self.progress.changed() => changed.ok()?,
                }
                tokio::time::sleep(MIN_EVENT_INTERVAL).await;
            }
        }
        if !self.state.is_grant_valid(self.grant) {
            return None;
        }
        let is_building = self.progress.borrow_and_update().is_building() || self.library.is_build_requested();
        self.last_sent = if is_building { LastSentEvent::UnderWay } else { LastSentEvent::End };
        let name = if is_building { "progress" } else { "end" };
        let json = serde_json::to_string(&build_status(&self.library)).unwrap_or_default();
        Some(Bytes::from(format!("event: {name}\ndata: {json}\n\n")))
    }
}

fn build_status(library: &Library) -> LibraryBuildStatus {
    let progress = library.progress().borrow().clone();
    LibraryBuildStatus {
        id: library.id.to_string(),
        state: library.state().name(),
        phase: progress.phase,
        asked: library.is_build_requested(),
        percent: progress.percent(),
        failure: library.failure().map(|(failure, _)| failure.to_string()),
        progress,
    }
}

fn library(state: &ApiState, id: &str) -> Result<Arc<Library>, Problem> {
    let id: LibraryId = id.parse().map_err(|()| Problem::UNKNOWN_LIBRARY)?;
    state.control.playlists.libraries.find(&id).ok_or(Problem::UNKNOWN_LIBRARY)
}
