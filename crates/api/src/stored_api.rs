//! Disk tier and backup over the API, for commands beside the running gateway. All of it needs the control token,
//! because keys and bodies come from apps' requests.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::HeaderValue;
use http::header::CONTENT_TYPE;

use greenroom_control::auth::caller::{AuthContext, AuthGrant};
use greenroom_control::error::Problem;
use greenroom_control::json_body::JsonBody;
use greenroom_control::state::ApiState;
use greenroom_proxy::stored_responses as stored;
use greenroom_proxy::stored_responses::{
    StoredQuery, StoredResponses, StoredShowQuery, StoredTotals, StoredVacuumResult, StoredVerifyQuery,
    StoredVerifyResult,
};
use greenroom_state::backup;

/// Lists stored responses, last read first.
#[utoipa::path(post, path = "/api/v1/cache/disk/list", request_body = Option<StoredQuery>,
    responses((status = 200, body = StoredResponses), (status = 503, description = "The disk tier cannot be read")))]
pub(super) async fn list_stored(
    State(state): State<Arc<ApiState>>,
    body: JsonBody<StoredQuery>,
) -> Result<Json<StoredResponses>, Problem> {
    let query = body.or_default();
    let (dir, now_ms) = (cache_dir(&state)?, state.control.clock.now());
    run_blocking(&state, move || stored::list(&dir, &query, now_ms)).await.map(Json)
}

/// Shows all details of a stored response.
#[utoipa::path(post, path = "/api/v1/cache/disk/show", request_body = StoredShowQuery,
    responses((status = 200, body = StoredResponses), (status = 503, description = "The disk tier cannot be read")))]
pub(super) async fn show_stored(
    State(state): State<Arc<ApiState>>,
    body: JsonBody<StoredShowQuery>,
) -> Result<Json<StoredResponses>, Problem> {
    let query = body.required()?;
    let (dir, now_ms) = (cache_dir(&state)?, state.control.clock.now());
    run_blocking(&state, move || stored::show(&dir, &query, now_ms)).await.map(Json)
}

/// Counts stored responses by server and request type.
#[utoipa::path(post, path = "/api/v1/cache/disk/stats",
    responses((status = 200, body = StoredTotals), (status = 503, description = "The disk tier cannot be read")))]
pub(super) async fn count_stored(State(state): State<Arc<ApiState>>) -> Result<Json<StoredTotals>, Problem> {
    let (dir, now_ms) = (cache_dir(&state)?, state.control.clock.now());
    run_blocking(&state, move || stored::totals(&dir, now_ms)).await.map(Json)
}

/// Checks every stored response against its checksum.
#[utoipa::path(post, path = "/api/v1/cache/disk/verify", request_body = Option<StoredVerifyQuery>,
    responses((status = 200, body = StoredVerifyResult), (status = 409, description = "A check or clean-up is in progress"),
        (status = 503, description = "The disk tier cannot be read")))]
pub(super) async fn verify_stored(
    State(state): State<Arc<ApiState>>,
    body: JsonBody<StoredVerifyQuery>,
) -> Result<Json<StoredVerifyResult>, Problem> {
    let query = body.or_default();
    let (dir, now_ms) = (cache_dir(&state)?, state.control.clock.now());
    run_exclusive(&state, move || stored::verify(&dir, &query, true, now_ms, |_, _| {})).await.map(Json)
}

/// Returns free space to the file system, in small steps.
#[utoipa::path(post, path = "/api/v1/cache/disk/vacuum",
    responses((status = 200, body = StoredVacuumResult), (status = 409, description = "A check or clean-up is in progress"),
        (status = 503, description = "The disk tier cannot be compacted")))]
pub(super) async fn vacuum_stored(State(state): State<Arc<ApiState>>) -> Result<Json<StoredVacuumResult>, Problem> {
    let dir = cache_dir(&state)?;
    run_exclusive(&state, move || stored::vacuum(&dir, true)).await.map(Json)
}

/// Makes a backup of the state and the keys, and sends it. It holds secrets.
#[utoipa::path(post, path = "/api/v1/backup",
    responses((status = 200, description = "The backup", content_type = "application/octet-stream"),
        (status = 403, description = "A session of the page is not enough"),
        (status = 503, description = "The backup cannot be made")))]
pub(super) async fn back_up(
    State(state): State<Arc<ApiState>>,
    Extension(auth): Extension<AuthContext>,
) -> Result<Response, Problem> {
    // A page session must not be able to download the keys.
    if matches!(auth.grant, AuthGrant::Session(_)) {
        return Err(Problem::NEEDS_TOKEN);
    }
    let dir = state.control.storage_location.as_ref().map(|paths| paths.data.clone()).ok_or(Problem::NOT_STORED)?;
    let now_ms = state.control.clock.now();
    let bytes = run_blocking(&state, move || backup::bytes(&dir, now_ms)).await?;
    let kind = HeaderValue::from_static("application/octet-stream");
    Ok(([(CONTENT_TYPE, kind)], bytes).into_response())
}

fn cache_dir(state: &ApiState) -> Result<PathBuf, Problem> {
    let paths = state.control.storage_location.as_ref();
    paths.and_then(|paths| paths.cache.clone()).ok_or(Problem::NOT_STORED)
}

/// Runs work over the whole disk tier, one at a time. It runs to its end even if the caller disconnects.
pub(super) async fn run_exclusive<T: Send + 'static>(
    state: &ApiState,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, Problem> {
    let permit = Arc::clone(&state.control.long_work).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::ALREADY_RUNNING)?;
    run_blocking(state, move || {
        let _permit = permit;
        work()
    })
    .await
}

/// Runs blocking file work on a blocking thread.
async fn run_blocking<T: Send + 'static>(
    state: &ApiState,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, Problem> {
    let result = state.control.tasks.spawn_blocking(work).await;
    result.unwrap_or_else(|_| Err("the work panicked".to_owned())).map_err(|reason| {
        tracing::warn!(reason, "disk tier cannot be read or repaired");
        Problem::NOT_STORED
    })
}
