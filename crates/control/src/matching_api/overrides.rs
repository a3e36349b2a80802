//! Pins, rejections, and matches confirmed by use.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{MatchApiError, NOTHING_ASKED, UNKNOWN_ITEM, bytes_up_to, not_indexed, read_up_to};
use crate::control::ApiState;
use crate::error::Problem;
use crate::matching_api::lookup::{PathMapParams, TrackParams, compile_maps};
use crate::matching_api::responses;
use crate::pagination;
use greenroom_sync::index::Library;
use greenroom_sync::matching::TrackQuery;
use greenroom_sync::matching::overrides::{ExportedMatchOverride, MatchOverride, MatchOverrideKind};
use greenroom_sync::matching::overrides_store::OverrideFilter;

/// Max body size of one override.
const MAX_RULING_BYTES: usize = 64 * 1024;
/// Limits of an import: body size and number of overrides.
const MAX_WRITTEN_BYTES: usize = 16 * 1024 * 1024;
const MAX_WRITTEN: usize = 50_000;
/// Decisions of one page.
const PAGE: usize = 500;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchPin)]
struct PinRequest {
    library: Option<String>,
    server: Option<String>,
    /// `pin`, or `rejection`.
    kind: Option<MatchOverrideKind>,
    /// The subject: one of these three.
    track: Option<TrackParams>,
    path: Option<String>,
    id: Option<String>,
    /// Path maps to use instead of the configured ones.
    maps: Option<Vec<PathMapParams>>,
    key: String,
}

/// Pins a track, a path or an id to an item, or rejects that item for it.
#[utoipa::path(
    put,
    path = "/api/v1/match/pins",
    request_body = PinRequest,
    responses(
        (status = 200, body = responses::OverrideResponse),
        (status = 404, description = "No such server, library or item"),
        (status = 503, description = "The library is not indexed yet"),
        (status = 507, description = "The decision cannot be kept"),
    ),
)]
pub(crate) async fn pin(
    State(plane): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<responses::OverrideResponse>, MatchApiError> {
    let pinned: PinRequest = read_up_to(&headers, body, MAX_RULING_BYTES).await?;
    let kind = pinned.kind.unwrap_or(MatchOverrideKind::Pin);
    if kind == MatchOverrideKind::Confirmed {
        // Confirmed matches come from use alone.
        return Err(Problem::BAD_BODY.into());
    }
    let control = &plane.control;
    let (named, server) = (pinned.library.as_deref(), pinned.server.as_deref());
    let (library, wanted) = match (pinned.track, pinned.path, pinned.id) {
        (Some(track), None, None) => (control.music_library(named, server)?, track.into_query()),
        (None, Some(path), None) => {
            let said = pinned.maps.as_deref().map(compile_maps).transpose()?;
            let library = library_with_key(&control.libraries(named, server)?, &pinned.key)?;
            let maps = said.as_ref().unwrap_or(&library.server.origin.settings.path_maps);
            let mapped = maps.map(&path).unwrap_or(path);
            (library, TrackQuery::from_path(&mapped))
        }
        (None, None, Some(id)) => {
            (library_with_key(&control.libraries(named, server)?, &pinned.key)?, TrackQuery::from_id(&id))
        }
        _ => return Err(NOTHING_ASKED.into()),
    };
    let matching = &control.playlists.matching;
    let ruling = matching.set_override(&library, kind, wanted, &pinned.key).await?;
    Ok(Json((&ruling).into()))
}

/// The library with an item of this key.
fn library_with_key(libraries: &[Arc<Library>], key: &str) -> Result<Arc<Library>, MatchApiError> {
    let has = |library: &&Arc<Library>| {
        library.generation().is_some_and(|generation| generation.snapshot.row_of(key).is_some())
    };
    let awaited: Vec<_> = libraries.iter().filter(|library| library.generation().is_none()).cloned().collect();
    match libraries.iter().find(has) {
        Some(library) => Ok(Arc::clone(library)),
        None if awaited.is_empty() => Err(UNKNOWN_ITEM.into()),
        None => Err(not_indexed(&awaited)),
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchDisown)]
struct MissingItemRequest {
    library: String,
    key: String,
}

/// Marks an item as missing on the server: it is not offered again before the next snapshot.
#[utoipa::path(
    post,
    path = "/api/v1/match/disown",
    request_body = MissingItemRequest,
    responses(
        (status = 200, body = responses::MatchActionResponse),
        (status = 404, description = "No such library or item"),
        (status = 503, description = "The library is not indexed yet"),
    ),
)]
pub(crate) async fn mark_missing(
    State(plane): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<responses::MatchActionResponse>, MatchApiError> {
    let absent: MissingItemRequest = read_up_to(&headers, body, MAX_RULING_BYTES).await?;
    let library = plane.control.music_library(Some(&absent.library), None)?;
    // An item that is not in the index cannot be offered, so it need not be remembered.
    let library = library_with_key(&[library], &absent.key)?;
    plane.control.playlists.matching.mark_missing_on_server(&library, &absent.key).await;
    Ok(Json(responses::MatchActionResponse { success: true }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OverridesExportQuery {
    library: Option<String>,
    kind: Option<MatchOverrideKind>,
    /// Only overrides after this number: `next` of the previous page.
    #[serde(default)]
    #[param(required = false)]
    after: i64,
}

/// Filters of the overrides, and the page size.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OverridesListQuery {
    /// Only overrides of this library, such as home:3.
    library: Option<String>,
    kind: Option<MatchOverrideKind>,
    /// Only overrides after this number: `next` of the previous page.
    #[serde(default)]
    #[param(required = false)]
    after: i64,
    /// Max overrides returned.
    #[serde(default = "page", deserialize_with = "pagination::limit")]
    #[param(required = false, minimum = 1, maximum = 500)]
    limit: usize,
}

fn page() -> usize {
    PAGE
}

impl OverridesExportQuery {
    fn filter(&self) -> Result<OverrideFilter, MatchApiError> {
        let library = self.library.as_deref().map(str::parse).transpose().map_err(|()| Problem::UNKNOWN_LIBRARY)?;
        Ok(OverrideFilter { library, kind: self.kind })
    }
}

/// Match overrides, one page at a time.
#[utoipa::path(
    get,
    path = "/api/v1/match/pins",
    params(OverridesListQuery),
    responses(
        (status = 200, body = responses::OverridesPage),
        (status = 404, description = "No such library"),
        (status = 507, description = "The decisions cannot be read"),
    ),
)]
pub(crate) async fn list(
    State(plane): State<Arc<ApiState>>,
    Query(OverridesListQuery { library, kind, after, limit }): Query<OverridesListQuery>,
) -> Result<Json<responses::OverridesPage>, MatchApiError> {
    let matching = &plane.control.playlists.matching;
    let rulings =
        matching.list_overrides(OverridesExportQuery { library, kind, after }.filter()?, after, limit).await?;
    let counts = matching.count_overrides().await?.into_iter().collect();
    let next = rulings.last().filter(|_| rulings.len() == limit).map(|last| last.id);
    Ok(Json(responses::OverridesPage { counts, next, decisions: rulings.iter().map(Into::into).collect() }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchTakeBack)]
struct DeleteOverridesRequest {
    ids: Vec<i64>,
}

/// Deletes match overrides.
#[utoipa::path(
    delete,
    path = "/api/v1/match/pins",
    request_body = DeleteOverridesRequest,
    responses((status = 200, body = responses::OverridesDeletedResponse), (status = 507, description = "The change cannot be kept")),
)]
pub(crate) async fn delete_overrides(
    State(plane): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<responses::OverridesDeletedResponse>, MatchApiError> {
    let gone: DeleteOverridesRequest = read_up_to(&headers, body, MAX_RULING_BYTES).await?;
    let gone = plane.control.playlists.matching.remove_overrides(gone.ids).await?;
    Ok(Json(responses::OverridesDeletedResponse { success: true, gone }))
}

/// Exports all match overrides, one JSON object per line.
#[utoipa::path(
    get,
    path = "/api/v1/match/decisions",
    params(OverridesExportQuery),
    responses(
        (status = 200, body = String, content_type = "application/x-ndjson"),
        (status = 404, description = "No such library"),
        (status = 507, description = "The decisions cannot be read"),
    ),
)]
pub(crate) async fn export_overrides(
    State(plane): State<Arc<ApiState>>,
    Query(asked): Query<OverridesExportQuery>,
) -> Result<Response, MatchApiError> {
    let filter = asked.filter()?;
    let matching = Arc::clone(&plane.control.playlists.matching);
    // The first page is read before the response begins, so that a failure still gets an error status.
    let first = matching.list_overrides(filter.clone(), asked.after, PAGE).await?;
    let pages = stream::unfold(Some(first), move |page| {
        let (matching, filter) = (Arc::clone(&matching), filter.clone());
        async move {
            let page: Vec<MatchOverride> = page.filter(|page| !page.is_empty())?;
            let lines: String = page
                .iter()
                .filter_map(|ruling| serde_json::to_string(&ExportedMatchOverride::from(ruling)).ok())
                .map(|line| line + "\n")
                .collect();
            let last = page.last().map_or(i64::MAX, |last| last.id);
            match matching.list_overrides(filter, last, PAGE).await {
                Ok(next) => Some((Ok(Bytes::from(lines)), Some(next))),
                Err(_) => Some((Err(std::io::Error::other("the decisions cannot be read")), None)),
            }
        }
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(pages)).into_response())
}

/// Imports exported match overrides: all of them, or none.
#[utoipa::path(
    post,
    path = "/api/v1/match/decisions",
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = responses::OverridesImportedResponse), (status = 507, description = "The decisions cannot be kept")),
)]
pub(crate) async fn import_overrides(
    State(plane): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<responses::OverridesImportedResponse>, MatchApiError> {
    let said = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !said.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-ndjson") {
        return Err(Problem::NOT_JSON.into());
    }
    let bytes = bytes_up_to(body, MAX_WRITTEN_BYTES).await?;
    let mut written = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if written.len() == MAX_WRITTEN {
            return Err(super::TOO_MANY.into());
        }
        let one: ExportedMatchOverride = serde_json::from_slice(line).map_err(|_| MatchApiError::BadLine(index + 1))?;
        if one.clone().into_override().is_none() {
            return Err(MatchApiError::BadLine(index + 1));
        }
        written.push(one);
    }
    let kept = plane.control.playlists.matching.import_overrides(written).await?;
    Ok(Json(responses::OverridesImportedResponse { success: true, kept }))
}
