//! What is stored on disk over the API, and a backup: for commands beside the running gateway. All of it needs the control
//! token, because keys and bodies are what apps asked for.

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use super::Plane;
use super::api::read;
use super::auth::middleware::{Admitted, Pass};
use super::error::Problem;
use greenroom_proxy::stored_responses as stored;
use greenroom_proxy::stored_responses::{
    Query, Responses, ShowQuery, Totals, Vacuumed, Verified, VerifyQuery,
};
use greenroom_state::backup;

/// Lists what is stored on disk, the response read last first.
#[utoipa::path(post, path = "/api/v1/cache/disk/list", request_body = Option<Query>,
    responses((status = 200, body = Responses), (status = 503, description = "It cannot be read")))]
pub(super) async fn list_stored(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Responses>, Problem> {
    let query: Query = read(&headers, body).await?.unwrap_or_default();
    let (dir, now_ms) = (plane.cache_dir()?, plane.control.clock.now_ms());
    plane.aside(move || stored::list(&dir, &query, now_ms)).await.map(Json)
}

/// Shows all that is known of a stored response.
#[utoipa::path(post, path = "/api/v1/cache/disk/show", request_body = ShowQuery,
    responses((status = 200, body = Responses), (status = 503, description = "It cannot be read")))]
pub(super) async fn show_stored(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Responses>, Problem> {
    let query: ShowQuery = read(&headers, body).await?.ok_or(Problem::BAD_BODY)?;
    let (dir, now_ms) = (plane.cache_dir()?, plane.control.clock.now_ms());
    plane.aside(move || stored::show(&dir, &query, now_ms)).await.map(Json)
}

/// Counts what is stored on disk, by server and class.
#[utoipa::path(post, path = "/api/v1/cache/disk/stats",
    responses((status = 200, body = Totals), (status = 503, description = "It cannot be read")))]
pub(super) async fn count_stored(State(plane): State<Arc<Plane>>) -> Result<Json<Totals>, Problem> {
    let (dir, now_ms) = (plane.cache_dir()?, plane.control.clock.now_ms());
    plane.aside(move || stored::totals(&dir, now_ms)).await.map(Json)
}

/// Checks every stored response against its checksum.
#[utoipa::path(post, path = "/api/v1/cache/disk/verify", request_body = Option<VerifyQuery>,
    responses((status = 200, body = Verified), (status = 503, description = "It cannot be read")))]
pub(super) async fn verify_stored(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Verified>, Problem> {
    let query: VerifyQuery = read(&headers, body).await?.unwrap_or_default();
    let (dir, now_ms) = (plane.cache_dir()?, plane.control.clock.now_ms());
    plane.aside(move || stored::verify(&dir, &query, true, now_ms, |_, _| {})).await.map(Json)
}

/// Gives free room back to the disk, in small steps.
#[utoipa::path(post, path = "/api/v1/cache/disk/vacuum",
    responses((status = 200, body = Vacuumed), (status = 503, description = "It cannot be done")))]
pub(super) async fn vacuum_stored(State(plane): State<Arc<Plane>>) -> Result<Json<Vacuumed>, Problem> {
    let dir = plane.cache_dir()?;
    plane.aside(move || stored::vacuum(&dir, true)).await.map(Json)
}

/// Makes a backup of the state and the keys, and sends it. It holds secrets.
#[utoipa::path(post, path = "/api/v1/backup",
    responses((status = 200, description = "The backup", content_type = "application/octet-stream"),
        (status = 403, description = "A session of the page is not enough"),
        (status = 503, description = "It cannot be made")))]
pub(super) async fn back_up(
    State(plane): State<Arc<Plane>>,
    Extension(admitted): Extension<Admitted>,
) -> Result<Response, Problem> {
    // A page that is logged in shall not be able to carry the keys away.
    if matches!(admitted.pass, Pass::Session(_)) {
        return Err(Problem::NEEDS_TOKEN);
    }
    let dir = plane.control.place.as_ref().map(|place| place.data.clone()).ok_or(Problem::NOT_STORED)?;
    let now_ms = plane.control.clock.now_ms();
    let bytes = plane.aside(move || backup::bytes(&dir, now_ms)).await?;
    let kind = HeaderValue::from_static("application/octet-stream");
    Ok(([(CONTENT_TYPE, kind)], bytes).into_response())
}

impl Plane {
    fn cache_dir(&self) -> Result<PathBuf, Problem> {
        let place = self.control.place.as_ref();
        place.and_then(|place| place.cache.clone()).ok_or(Problem::NOT_STORED)
    }

    /// Does work that touches files on a thread that may wait for them.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, Problem> {
        let done = self.control.tasks.spawn_blocking(work).await;
        done.unwrap_or_else(|_| Err("it broke down".to_owned())).map_err(|reason| {
            tracing::warn!(reason, "what is on disk cannot be read or mended");
            Problem::NOT_STORED
        })
    }
}
