//! Keys of a cache, page by page.

use axum::extract::{Path, RawQuery};
use axum::{Extension, Json};
use greenroom_app_cache::AppCaches;
use greenroom_app_cache::ListedEntry;
use serde::Serialize;
use utoipa::ToSchema;

use crate::parameters::ListParams;
use crate::problem::AppCacheProblem;
use crate::request::cache_name;

/// A page of entries.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppCacheEntries)]
pub(crate) struct EntriesResponse {
    /// The entries in the order of their keys, dead ones included until they are removed. Deferred ones are not among
    /// them.
    entries: Vec<ListedEntry>,
    /// `cursor` of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Keys of a cache in their order.
#[utoipa::path(
    get,
    path = "/api/v1/caches/{cache}/entries",
    params(("cache" = String, Path, description = "Such as worker"), ListParams),
    responses(
        (status = 200, body = EntriesResponse),
        (status = 404, description = "No cache can have this name"),
        (status = 503, description = "The store fails"),
    ),
)]
pub(crate) async fn list(
    Extension(caches): Extension<AppCaches>,
    Path(cache): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<EntriesResponse>, AppCacheProblem> {
    let cache = cache_name(&cache)?;
    let params = ListParams::parse(query.as_deref())?;
    let (entries, is_more) = caches.list(&cache, &params.prefix, params.cursor, params.limit).await?;
    let next_cursor = entries.last().filter(|_| is_more).map(|entry| entry.key.clone());
    Ok(Json(EntriesResponse { entries, next_cursor }))
}
