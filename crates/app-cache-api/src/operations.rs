//! Changes of an entry in its place: pop, touch, add, tags.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Path;
use axum::response::Response;
use axum::{Extension, Json};
use greenroom_app_cache::AppCaches;
use greenroom_app_cache::entry::FreshTime;
use greenroom_app_cache::lookup::EntryLookup;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::entry_response;
use crate::parameters::{MAX_TIME, tags};
use crate::problem::{AppCacheProblem, NO_ENTRY};
use crate::request::{MAX_CALL_BYTES, address, read_call};

/// New times of an entry.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppCacheTouch)]
pub(crate) struct TouchRequest {
    /// Fresh time from now on; `null`: for ever.
    ttl_ms: Option<u64>,
    /// Stale time after that.
    #[serde(default)]
    stale_ms: u64,
}

/// Addition to an integer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppCacheIncrement)]
pub(crate) struct IncrementRequest {
    /// Number to add. Default 1.
    delta: Option<i64>,
    /// First value if there is no fresh entry; without it that is a 404.
    default: Option<i64>,
    /// Fresh time of an entry that is made; an entry that is there keeps its own.
    ttl_ms: Option<u64>,
}

/// New tags of an entry.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppCacheTags)]
pub(crate) struct TagsRequest {
    tags: Vec<String>,
}

/// Whether there was a fresh entry to be changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppCacheChanged)]
pub(crate) struct ChangedResponse {
    changed: bool,
}

/// The sum.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppCacheSum)]
pub(crate) struct SumResponse {
    value: i64,
}

/// Removes an entry and returns it, if it was fresh.
#[utoipa::path(
    post,
    path = "/api/v1/caches/{cache}/entries/{key}/pop",
    params(("cache" = String, Path, description = "Such as worker"), ("key" = String, Path, description = "The key")),
    responses(
        (status = 200, description = "The value, with the headers of a lookup"),
        (status = 404, description = "There was no fresh entry, or no such cache"),
        (status = 503, description = "The store fails"),
        (status = 507, description = "The disk is full"),
    ),
)]
pub(crate) async fn pop(
    Extension(caches): Extension<AppCaches>,
    Path((cache, key)): Path<(String, String)>,
) -> Result<Response, AppCacheProblem> {
    let (cache, key) = address(&cache, &key)?;
    let found = caches.pop(&cache, &key).await?;
    let lookup = found.map_or(EntryLookup::Miss, EntryLookup::Hit);
    Ok(entry_response::of_lookup(lookup, &HeaderMap::new(), caches.now_ms()))
}

/// Gives a fresh entry new times.
#[utoipa::path(
    post,
    path = "/api/v1/caches/{cache}/entries/{key}/touch",
    params(("cache" = String, Path, description = "Such as worker"), ("key" = String, Path, description = "The key")),
    request_body = TouchRequest,
    responses(
        (status = 200, body = ChangedResponse),
        (status = 404, description = "No cache can have this name"),
        (status = 503, description = "The store fails"),
        (status = 507, description = "The disk is full"),
    ),
)]
pub(crate) async fn touch(
    Extension(caches): Extension<AppCaches>,
    Path((cache, key)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ChangedResponse>, AppCacheProblem> {
    let (cache, key) = address(&cache, &key)?;
    let request: TouchRequest = read_call(&headers, body, MAX_CALL_BYTES).await?;
    let deadlines =
        caches.deadlines(&cache, request.ttl_ms.map_or(FreshTime::Unlimited, limited), Some(time(request.stale_ms)));
    Ok(Json(ChangedResponse { changed: caches.touch(&cache, key, deadlines).await? }))
}

/// Adds to an integer, at once over all callers.
#[utoipa::path(
    post,
    path = "/api/v1/caches/{cache}/entries/{key}/increment",
    params(("cache" = String, Path, description = "Such as worker"), ("key" = String, Path, description = "The key")),
    request_body = IncrementRequest,
    responses(
        (status = 200, body = SumResponse),
        (status = 404, description = "No fresh entry and no default, or no cache can have this name"),
        (status = 409, description = "The entry is no integer, or the sum is too large"),
        (status = 503, description = "The store fails"),
        (status = 507, description = "The disk is full, or there are too many caches"),
    ),
)]
pub(crate) async fn increment(
    Extension(caches): Extension<AppCaches>,
    Path((cache, key)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SumResponse>, AppCacheProblem> {
    let (cache, key) = address(&cache, &key)?;
    let request: IncrementRequest = read_call(&headers, body, MAX_CALL_BYTES).await?;
    let deadlines = caches.deadlines(&cache, request.ttl_ms.map_or(FreshTime::Usual, limited), None);
    let terms = (request.delta.unwrap_or(1), request.default);
    let sum = caches.add_integer(&cache, key, terms, deadlines).await?;
    Ok(Json(SumResponse { value: sum.ok_or(NO_ENTRY)? }))
}

/// Replaces the tags of a fresh entry.
#[utoipa::path(
    put,
    path = "/api/v1/caches/{cache}/entries/{key}/tags",
    params(("cache" = String, Path, description = "Such as worker"), ("key" = String, Path, description = "The key")),
    request_body = TagsRequest,
    responses(
        (status = 200, body = ChangedResponse),
        (status = 404, description = "No cache can have this name"),
        (status = 503, description = "The store fails"),
        (status = 507, description = "The disk is full"),
    ),
)]
pub(crate) async fn retag(
    Extension(caches): Extension<AppCaches>,
    Path((cache, key)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ChangedResponse>, AppCacheProblem> {
    let (cache, key) = address(&cache, &key)?;
    let request: TagsRequest = read_call(&headers, body, MAX_CALL_BYTES).await?;
    let changed = caches.retag(&cache, key, tags(request.tags)?).await?;
    Ok(Json(ChangedResponse { changed }))
}

fn limited(millis: u64) -> FreshTime {
    FreshTime::Limited(time(millis))
}

fn time(millis: u64) -> Duration {
    Duration::from_millis(millis).min(MAX_TIME)
}
