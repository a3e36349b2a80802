//! The libraries, over the API: how each does, building one, watching that, and turning one off.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use http::header::{ACCEPT, HeaderMap};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::ToSchema;

use super::Plane;
use super::api::{Done, read};
use super::live::event_stream;
use crate::auth::middleware::{Admitted, Pass};
use crate::error::Problem;
use greenroom_sync::index::{Asked, Library, LibraryId, Phase, Progress, Report};

/// Watchers of builds at a time.
pub(super) const MAX_WATCHERS: usize = 32;
/// How often a watcher is told at most. Real time: it is for people.
const PERIOD: Duration = Duration::from_millis(250);

/// All libraries, and why a server has none.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Libraries)]
pub(super) struct Shelves {
    libraries: Vec<Report>,
    servers: Vec<Shown>,
}

/// What is known of a server's libraries as a whole.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServerLibraries)]
struct Shown {
    server: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
    libraries: usize,
    /// Whose playlists may be written, beside the owner's.
    accounts: Vec<String>,
}

/// How a build is asked for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BuildWanted)]
struct Wanted {
    /// Begin anew, and believe what comes however short it is.
    #[serde(default)]
    force: bool,
}

/// What is said of a library.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LibraryChoice)]
struct Choice {
    enabled: bool,
}

/// What became of asking for a build.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BuildBegun)]
struct Begun {
    id: String,
    /// One was under way already: it is the same.
    joined: bool,
    message: &'static str,
}

/// How far a build is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BuildSight)]
struct Sight {
    id: String,
    state: &'static str,
    phase: Phase,
    /// A build was asked for and has not begun.
    asked: bool,
    percent: Option<u64>,
    #[serde(flatten)]
    progress: Progress,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

/// All libraries.
#[utoipa::path(get, path = "/api/v1/libraries", responses((status = 200, body = Shelves)))]
pub(super) async fn all(State(plane): State<Arc<Plane>>) -> Json<Shelves> {
    let libraries = plane.control.playlists.libraries.all();
    let shown = plane.control.chosen(None).map(|server| {
        let count = libraries.iter().filter(|library| library.id.server == server.name()).count();
        let (state, remedy) = match (server.origin.settings.token.is_some(), count) {
            (false, _) => (
                "no-token",
                Some("Give it a token of its owner: greenroom login, then token_file in its table."),
            ),
            (true, 0) => {
                ("looking", Some("The server has not said yet which libraries it has, or has none."))
            }
            (true, _) => ("known", None),
        };
        let accounts = server.origin.settings.accounts.keys().cloned().collect();
        Shown { server: server.name().to_owned(), state, remedy, libraries: count, accounts }
    });
    let servers = shown.collect();
    Json(Shelves { libraries: libraries.iter().map(|library| library.report(false)).collect(), servers })
}

/// One library, with what changed last.
#[utoipa::path(
    get,
    path = "/api/v1/libraries/{id}",
    params(("id" = String, Path, description = "Such as home:3")),
    responses((status = 200, body = Report), (status = 404, description = "No such library")),
)]
pub(super) async fn one(
    State(plane): State<Arc<Plane>>,
    Path(id): Path<String>,
) -> Result<Json<Report>, Problem> {
    Ok(Json(plane.library(&id)?.report(true)))
}

/// Asks for a build.
#[utoipa::path(
    post,
    path = "/api/v1/libraries/{id}/build",
    params(("id" = String, Path, description = "Such as home:3")),
    request_body = Option<Wanted>,
    responses(
        (status = 202, description = "It is being built", body = Begun),
        (status = 404, description = "No such library"),
        (status = 409, description = "It is turned off"),
    ),
)]
pub(super) async fn build(
    State(plane): State<Arc<Plane>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let wanted: Wanted = read(&headers, body).await?.unwrap_or_default();
    let library = plane.library(&id)?;
    let (joined, message) = match library.build(wanted.force) {
        Asked::Begun => (false, "It is being built."),
        Asked::Joined => (true, "It was being built already: this is the same build."),
        Asked::Off => return Err(Problem::LIBRARY_OFF),
    };
    let begun = Begun { id: library.id.to_string(), joined, message };
    Ok((StatusCode::ACCEPTED, Json(begun)).into_response())
}

/// Ends a build.
#[utoipa::path(
    post,
    path = "/api/v1/libraries/{id}/cancel",
    params(("id" = String, Path, description = "Such as home:3")),
    responses((status = 200, body = Done), (status = 404, description = "No such library")),
)]
pub(super) async fn cancel(
    State(plane): State<Arc<Plane>>,
    Path(id): Path<String>,
) -> Result<Json<Done>, Problem> {
    let was_there = plane.library(&id)?.cancel();
    let said = if was_there {
        "It is cancelled; what was kept before is kept on."
    } else {
        "Nothing was being built."
    };
    Ok(Json(Done::said(said.to_owned())))
}

/// Turns a library on or off. That outlives the process.
#[utoipa::path(
    put,
    path = "/api/v1/libraries/{id}",
    params(("id" = String, Path, description = "Such as home:3")),
    request_body = Choice,
    responses(
        (status = 200, body = Report),
        (status = 404, description = "No such library"),
        (status = 507, description = "The change cannot be kept"),
    ),
)]
pub(super) async fn choose(
    State(plane): State<Arc<Plane>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Report>, Problem> {
    let choice: Choice = read(&headers, body).await?.ok_or(Problem::BAD_BODY)?;
    let library = plane.library(&id)?;
    let chosen = plane.control.playlists.libraries.choose(&library, choice.enabled).await;
    chosen.map_err(|reason| {
        tracing::warn!(reason, library = %library.id, "whether it is kept cannot be written down");
        Problem::CHOICE_NOT_KEPT
    })?;
    tracing::info!(library = %library.id, enabled = choice.enabled, "somebody said whether it is kept");
    Ok(Json(library.report(false)))
}

/// How far a build is: once, or as events until it ends.
#[utoipa::path(
    get,
    path = "/api/v1/libraries/{id}/progress",
    params(("id" = String, Path, description = "Such as home:3")),
    responses(
        (status = 200, content((Sight = "application/json"), (String = "text/event-stream"))),
        (status = 404, description = "No such library"),
        (status = 503, description = "Too many watch"),
    ),
)]
pub(super) async fn progress(
    State(plane): State<Arc<Plane>>,
    Extension(admitted): Extension<Admitted>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let library = plane.library(&id)?;
    let accepted = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !accepted.contains("text/event-stream") {
        return Ok(Json(sight(&library)).into_response());
    }
    let seats = Arc::clone(&plane.control.watchers);
    let seat = seats.try_acquire_owned().map_err(|_| Problem::TOO_MANY_VIEWERS)?;
    let progress = library.progress();
    let watcher = Watcher { plane, library, progress, pass: admitted.pass, told: Told::Nothing, _seat: seat };
    let frames = stream::unfold(watcher, |mut watcher| async move {
        let frame = watcher.next().await?;
        Some((Ok::<_, Infallible>(frame), watcher))
    });
    Ok(event_stream(frames))
}

/// One that watches a build.
struct Watcher {
    plane: Arc<Plane>,
    library: Arc<Library>,
    progress: watch::Receiver<Progress>,
    pass: Pass,
    told: Told,
    _seat: OwnedSemaphorePermit,
}

/// What a watcher was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    UnderWay,
    End,
}

impl Watcher {
    /// The next event; `None` after the last.
    async fn next(&mut self) -> Option<Bytes> {
        match self.told {
            Told::End => return None,
            Told::Nothing => {}
            Told::UnderWay => {
                tokio::select! {
                    () = self.plane.stop.cancelled() => return None,
                    changed = self.progress.changed() => changed.ok()?,
                }
                tokio::time::sleep(PERIOD).await;
            }
        }
        if !self.plane.still_admits(self.pass) {
            return None;
        }
        let is_building = self.progress.borrow_and_update().is_building() || self.library.is_asked();
        self.told = if is_building { Told::UnderWay } else { Told::End };
        let name = if is_building { "progress" } else { "end" };
        let json = serde_json::to_string(&sight(&self.library)).unwrap_or_default();
        Some(Bytes::from(format!("event: {name}\ndata: {json}\n\n")))
    }
}

fn sight(library: &Library) -> Sight {
    let progress = library.progress().borrow().clone();
    Sight {
        id: library.id.to_string(),
        state: library.state().word(),
        phase: progress.phase,
        asked: library.is_asked(),
        percent: progress.percent(),
        failure: library.failure().map(|(failure, _)| failure.to_string()),
        progress,
    }
}

impl Plane {
    fn library(&self, id: &str) -> Result<Arc<Library>, Problem> {
        let id: LibraryId = id.parse().map_err(|()| Problem::UNKNOWN_LIBRARY)?;
        self.control.playlists.libraries.find(&id).ok_or(Problem::UNKNOWN_LIBRARY)
    }
}
