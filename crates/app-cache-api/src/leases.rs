//! Leases: of all processes one caller loads a key.

use greenroom_cache::Timestamp;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::{Extension, Json};
use greenroom_app_cache::AppCaches;
use greenroom_app_cache::lease::{LeaseRequest, LeaseResult};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::parameters::{FenceParams, ReleaseParams, tags, version};
use crate::problem::AppCacheProblem;
use crate::request::{MAX_CALL_BYTES, address, read_call};

/// A caller that wants to load a key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppCacheLeaseRequest)]
pub(crate) struct AcquireRequest {
    /// Time after which another caller may load; an hour at most.
    duration_ms: u64,
    /// Time to wait for another caller's load; a minute at most.
    #[serde(default)]
    wait_ms: u64,
    /// Tags that the entry will have: if one of them is invalidated meanwhile, it is not stored.
    #[serde(default)]
    tags: Vec<String>,
    /// Version of the entry.
    #[serde(default)]
    version: String,
}

/// State of the lease on a key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = AppCacheLeaseState)]
pub(crate) enum LeaseState {
    /// The caller loads, and stores with the token.
    Held,
    /// Another caller loads.
    Taken,
    /// There is a fresh entry.
    Unneeded,
}

/// Answer to a caller that wants to load a key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppCacheLease)]
pub(crate) struct LeaseResponse {
    state: LeaseState,
    /// Token of a lease that is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<u64>,
    /// Time until the lease ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_ms: Option<u64>,
}

/// Whether the lease was held.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppCacheReleased)]
pub(crate) struct ReleasedResponse {
    released: bool,
}

/// Whether a load cannot be stored any more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppCacheFence)]
pub(crate) struct FenceResponse {
    fenced: bool,
}

/// Takes the lease of a key, unless another caller holds it or a fresh entry is there.
#[utoipa::path(
    post,
    path = "/api/v1/caches/{cache}/entries/{key}/lease",
    params(("cache" = String, Path, description = "Such as worker"), ("key" = String, Path, description = "The key")),
    request_body = AcquireRequest,
    responses(
        (status = 200, body = LeaseResponse),
        (status = 404, description = "No cache can have this name"),
        (status = 503, description = "The store fails"),
        (status = 507, description = "The disk is full, or there are too many caches"),
    ),
)]
pub(crate) async fn acquire(
    Extension(caches): Extension<AppCaches>,
    Path((cache, key)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<LeaseResponse>, AppCacheProblem> {
    let (cache, key) = address(&cache, &key)?;
    let asked: AcquireRequest = read_call(&headers, body, MAX_CALL_BYTES).await?;
    let duration = Duration::from_millis(asked.duration_ms);
    let request = LeaseRequest { key, tags: tags(asked.tags)?, version: version(&asked.version)?, duration };
    let wait = Duration::from_millis(asked.wait_ms);
    let result = caches.acquire(&cache, &request, wait).await?;
    let left_ms =
        |deadline_ms: Timestamp| Some(deadline_ms.saturating_sub(Duration::from_millis(caches.now_ms().as_millis())));
    Ok(Json(match result {
        LeaseResult::Held { token, deadline_ms } => LeaseResponse {
            state: LeaseState::Held,
            token: Some(token),
            left_ms: left_ms(deadline_ms).map(Timestamp::as_millis),
        },
        LeaseResult::Taken { deadline_ms } => LeaseResponse {
            state: LeaseState::Taken,
            token: None,
            left_ms: left_ms(deadline_ms).map(Timestamp::as_millis),
        },
        LeaseResult::Unneeded(_) => LeaseResponse { state: LeaseState::Unneeded, token: None, left_ms: None },
    }))
}

/// Gives a lease back without a value.
#[utoipa::path(
    delete,
    path = "/api/v1/caches/{cache}/entries/{key}/lease",
    params(
        ("cache" = String, Path, description = "Such as worker"),
        ("key" = String, Path, description = "The key"),
        ReleaseParams,
    ),
    responses(
        (status = 200, body = ReleasedResponse),
        (status = 404, description = "No cache can have this name"),
        (status = 503, description = "The store fails"),
        (status = 507, description = "The disk is full"),
    ),
)]
pub(crate) async fn release(
    Extension(caches): Extension<AppCaches>,
    Path((cache, key)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<ReleasedResponse>, AppCacheProblem> {
    let (cache, key) = address(&cache, &key)?;
    let params = ReleaseParams::parse(query.as_deref())?;
    let until_ms = params.pause_ms.map(|pause_ms| caches.now_ms().saturating_add(Duration::from_millis(pause_ms)));
    let released = caches.release(&cache, &key, (params.token, until_ms.map(Timestamp::as_millis))).await?;
    Ok(Json(ReleasedResponse { released }))
}

/// Whether a load cannot be stored any more, because its key or a tag was invalidated since it began.
#[utoipa::path(
    get,
    path = "/api/v1/caches/{cache}/entries/{key}/fence",
    params(
        ("cache" = String, Path, description = "Such as worker"),
        ("key" = String, Path, description = "The key"),
        FenceParams,
    ),
    responses(
        (status = 200, body = FenceResponse),
        (status = 404, description = "No cache can have this name"),
        (status = 503, description = "The store fails"),
    ),
)]
pub(crate) async fn fence(
    Extension(caches): Extension<AppCaches>,
    Path((cache, key)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<FenceResponse>, AppCacheProblem> {
    let (cache, key) = address(&cache, &key)?;
    let params = FenceParams::parse(query.as_deref())?;
    let fenced = caches.is_fenced(&cache, key, params.tag, params.begun).await?;
    Ok(Json(FenceResponse { fenced }))
}
