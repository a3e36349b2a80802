//! Invalidation and flushing.

use axum::body::Body;
use axum::extract::Path;
use axum::{Extension, Json};
use greenroom_app_cache::AppCaches;
use greenroom_app_cache::name::MAX_KEY_BYTES;
use greenroom_app_cache::scope::InvalidationScope;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::{AppCacheProblem, BAD_PARAMETER, SCOPE_REQUIRED, UNKNOWN_BARRIER};
use crate::request::{MAX_CALL_BYTES, cache_name, read_call};

/// Scope to invalidate: exactly one of these.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppCacheInvalidation)]
pub(crate) struct InvalidationRequest {
    /// One key.
    key: Option<String>,
    /// All keys that begin with this.
    prefix: Option<String>,
    /// All entries with this tag.
    tag: Option<String>,
    /// `true`: everything.
    all: Option<bool>,
}

/// Result of an invalidation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppCacheInvalidated)]
pub(crate) struct InvalidatedResponse {
    /// Entries removed.
    removed: u64,
    /// `false`: there are so many that the others are removed in the background. None of them is found any more.
    finished: bool,
}

/// The barrier to wait for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppCacheFlush)]
pub(crate) struct FlushRequest {
    /// `Greenroom-Barrier` of a deferred put. Without it everything that is deferred so far is waited for.
    barrier: Option<String>,
}

/// Deferred puts are on disk.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppCacheFlushed)]
pub(crate) struct FlushedResponse {
    /// Always true.
    flushed: bool,
    /// Deferred puts of this cache that could not be written since the start of the process.
    lost: u64,
}

/// Removes entries by key, prefix or tag, or all. Loads of them that are under way are not stored.
#[utoipa::path(
    post,
    path = "/api/v1/caches/{cache}/invalidate",
    params(("cache" = String, Path, description = "Such as worker")),
    request_body = InvalidationRequest,
    responses(
        (status = 200, body = InvalidatedResponse),
        (status = 404, description = "No cache can have this name"),
        (status = 503, description = "The store fails"),
        (status = 507, description = "The disk is full"),
    ),
)]
pub(crate) async fn invalidate(
    Extension(caches): Extension<AppCaches>,
    Path(cache): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<InvalidatedResponse>, AppCacheProblem> {
    let cache = cache_name(&cache)?;
    let request: InvalidationRequest = read_call(&headers, body, MAX_CALL_BYTES).await?;
    // Every invalidation is remembered for loads under way; a longer one would cover nothing.
    let is_long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > MAX_KEY_BYTES);
    if [&request.key, &request.prefix, &request.tag].into_iter().any(is_long) {
        return Err(BAD_PARAMETER.into());
    }
    let scope = match request {
        InvalidationRequest { key: Some(key), prefix: None, tag: None, all: None } => InvalidationScope::Key(key),
        InvalidationRequest { key: None, prefix: Some(prefix), tag: None, all: None } => {
            InvalidationScope::Prefix(prefix)
        }
        InvalidationRequest { key: None, prefix: None, tag: Some(tag), all: None } => InvalidationScope::Tag(tag),
        InvalidationRequest { key: None, prefix: None, tag: None, all: Some(true) } => InvalidationScope::All,
        _ => return Err(SCOPE_REQUIRED.into()),
    };
    let done = caches.invalidate(&cache, scope).await?;
    Ok(Json(InvalidatedResponse { removed: done.removed, finished: done.is_finished }))
}

/// Waits until deferred puts are on disk.
#[utoipa::path(
    post,
    path = "/api/v1/caches/{cache}/flush",
    params(("cache" = String, Path, description = "Such as worker")),
    request_body = FlushRequest,
    responses(
        (status = 200, body = FlushedResponse),
        (status = 404, description = "No cache can have this name"),
        (status = 409, description = "The barrier is of another process or cache"),
        (status = 503, description = "The store fails"),
    ),
)]
pub(crate) async fn flush(
    Extension(caches): Extension<AppCaches>,
    Path(cache): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<FlushedResponse>, AppCacheProblem> {
    let cache = cache_name(&cache)?;
    let request: FlushRequest = read_call(&headers, body, MAX_CALL_BYTES).await?;
    if !caches.flush(&cache, request.barrier.as_deref()).await? {
        return Err(UNKNOWN_BARRIER.into());
    }
    let lost = caches.report(&cache).map_or(0, |report| report.counts.lost);
    Ok(Json(FlushedResponse { flushed: true, lost }))
}
