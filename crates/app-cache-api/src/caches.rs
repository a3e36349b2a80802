//! The caches themselves: listed, shown, removed.

use axum::extract::Path;
use axum::{Extension, Json};
use greenroom_app_cache::{AppCacheReport, AppCaches};
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::{AppCacheProblem, UNKNOWN_CACHE};
use crate::request::cache_name;

/// All caches.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppCaches)]
pub(crate) struct AppCachesResponse {
    caches: Vec<AppCacheReport>,
}

/// The number of the last write.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppCacheSequence)]
pub(crate) struct SequenceResponse {
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

/// All caches for apps.
#[utoipa::path(get, path = "/api/v1/caches", responses((status = 200, body = AppCachesResponse)))]
pub(crate) async fn all(Extension(caches): Extension<AppCaches>) -> Json<AppCachesResponse> {
    Json(AppCachesResponse { caches: caches.reports() })
}

/// One cache for apps.
#[utoipa::path(
    get,
    path = "/api/v1/caches/{cache}",
    params(("cache" = String, Path, description = "Such as worker")),
    responses((status = 200, body = AppCacheReport), (status = 404, description = "No such cache")),
)]
pub(crate) async fn one(
    Extension(caches): Extension<AppCaches>,
    Path(cache): Path<String>,
) -> Result<Json<AppCacheReport>, AppCacheProblem> {
    Ok(Json(caches.report(&cache_name(&cache)?).ok_or(UNKNOWN_CACHE)?))
}

/// The number at which a load begins, whether the cache is there or not.
#[utoipa::path(
    get,
    path = "/api/v1/caches/{cache}/sequence",
    params(("cache" = String, Path, description = "Such as worker")),
    responses(
        (status = 200, body = SequenceResponse),
        (status = 404, description = "No cache can have this name"),
        (status = 503, description = "The store fails"),
    ),
)]
pub(crate) async fn sequence(
    Extension(caches): Extension<AppCaches>,
    Path(cache): Path<String>,
) -> Result<Json<SequenceResponse>, AppCacheProblem> {
    cache_name(&cache)?;
    Ok(Json(SequenceResponse { sequence: caches.sequence().await? }))
}

/// Removes a cache with everything in it. A configured one remains, empty.
#[utoipa::path(
    delete,
    path = "/api/v1/caches/{cache}",
    params(("cache" = String, Path, description = "Such as worker")),
    responses((status = 200, body = RemovedResponse), (status = 404, description = "No such cache"), (status = 503, description = "The store fails"), (status = 507, description = "The disk is full")),
)]
pub(crate) async fn remove(
    Extension(caches): Extension<AppCaches>,
    Path(cache): Path<String>,
) -> Result<Json<RemovedResponse>, AppCacheProblem> {
    let removed = caches.remove(&cache_name(&cache)?).await?;
    Ok(Json(RemovedResponse { removed: removed.ok_or(UNKNOWN_CACHE)? }))
}
