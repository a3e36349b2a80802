//! Caches for apps over the API.
//!
//! Modules: [`entries`] (one entry), [`entry_response`] (an entry as a response), [`operations`] (what changes an entry in
//! its place), [`leases`], [`batch`], [`invalidation`] (with flushing), [`listing`], `parameters` (of URLs), `problems`.

pub(crate) mod batch;
pub(crate) mod entries;
mod entry_response;
pub(crate) mod invalidation;
pub(crate) mod leases;
pub(crate) mod listing;
pub(crate) mod operations;
mod parameters;
pub(crate) mod problems;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use greenroom_app_cache::{AppCacheReport, AppCaches, CacheName, EntryKey};
use http::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::{is_json, read_body};
use crate::control::ApiState;
use crate::error::Problem;
use crate::json_key_error;
use problems::{AppCacheProblem, UNKNOWN_CACHE, UNKNOWN_KEY};

/// Max time in which a body must arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Max bytes of a body that is neither a value nor a batch.
const MAX_CALL_BYTES: usize = 1024 * 1024;

/// All caches.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppCaches)]
pub(crate) struct AppCachesResponse {
    caches: Vec<AppCacheReport>,
}

/// One cache.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppCacheDetails)]
pub(crate) struct AppCacheResponse {
    #[serde(flatten)]
    report: AppCacheReport,
    /// Number of the last write of all caches. A value whose loading begins now is stored with `begun` at this number.
    sequence: u64,
}

/// A cache that was removed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppCacheRemoved)]
pub(crate) struct RemovedResponse {
    /// Number of entries it had.
    removed: u64,
}

/// Routes of all caches.
pub(super) fn routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(all))
        .routes(routes!(one, remove))
        .routes(routes!(listing::list))
        .routes(routes!(entries::get, entries::put, entries::delete))
        .routes(routes!(operations::pop))
        .routes(routes!(operations::touch))
        .routes(routes!(operations::increment))
        .routes(routes!(operations::retag))
        .routes(routes!(leases::acquire, leases::release))
        .routes(routes!(leases::fence))
        .routes(routes!(batch::run))
        .routes(routes!(invalidation::invalidate))
        .routes(routes!(invalidation::flush))
}

/// All caches for apps.
#[utoipa::path(get, path = "/api/v1/caches", responses((status = 200, body = AppCachesResponse)))]
pub(crate) async fn all(State(state): State<Arc<ApiState>>) -> Json<AppCachesResponse> {
    Json(AppCachesResponse { caches: state.caches().reports() })
}

/// One cache for apps. One that is not there is shown as it would be made.
#[utoipa::path(
    get,
    path = "/api/v1/caches/{cache}",
    params(("cache" = String, Path, description = "Such as worker")),
    responses((status = 200, body = AppCacheResponse), (status = 404, description = "No cache can have this name"), (status = 503, description = "The store fails")),
)]
pub(crate) async fn one(
    State(state): State<Arc<ApiState>>,
    Path(cache): Path<String>,
) -> Result<Json<AppCacheResponse>, AppCacheProblem> {
    let report = state.caches().report_or_new(&cache_name(&cache)?);
    Ok(Json(AppCacheResponse { report, sequence: state.caches().sequence().await? }))
}

/// Removes a cache with everything in it. A configured one remains, empty.
#[utoipa::path(
    delete,
    path = "/api/v1/caches/{cache}",
    params(("cache" = String, Path, description = "Such as worker")),
    responses((status = 200, body = RemovedResponse), (status = 404, description = "No such cache"), (status = 503, description = "The store fails"), (status = 507, description = "The disk is full")),
)]
pub(crate) async fn remove(
    State(state): State<Arc<ApiState>>,
    Path(cache): Path<String>,
) -> Result<Json<RemovedResponse>, AppCacheProblem> {
    let removed = state.caches().remove(&cache_name(&cache)?).await?;
    Ok(Json(RemovedResponse { removed: removed.ok_or(UNKNOWN_CACHE)? }))
}

impl ApiState {
    /// The caches for apps.
    fn caches(&self) -> &AppCaches {
        &self.control.app_caches
    }
}

fn cache_name(cache: &str) -> Result<CacheName, Problem> {
    CacheName::parse(cache).ok_or(UNKNOWN_CACHE)
}

fn address(cache: &str, key: &str) -> Result<(CacheName, EntryKey), Problem> {
    Ok((cache_name(cache)?, EntryKey::parse(key).ok_or(UNKNOWN_KEY)?))
}

/// Reads the JSON object of a call; an empty body is an empty object.
async fn read_call<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    max_bytes: usize,
) -> Result<T, AppCacheProblem> {
    let bytes = read_body(body, max_bytes, BODY_TIMEOUT).await?;
    if !bytes.is_empty() && !is_json(headers) {
        return Err(Problem::NOT_JSON.into());
    }
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
    json_key_error::parse(text).map_err(AppCacheProblem::BadBody)
}
