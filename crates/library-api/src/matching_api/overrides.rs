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

use super::{EMPTY_QUERY, MatchApiError, UNKNOWN_ITEM, bytes_up_to, not_indexed, read_up_to};
use crate::matching_api::lookup::{PathMapParams, TrackParams, compile_maps};
use crate::matching_api::responses;
use greenroom_control::error::Problem;
use greenroom_control::json_body::has_media_type;
use greenroom_control::pagination;
use greenroom_control::state::ApiState;
use greenroom_remote_store::shared_settings::SettingsChanges;
use greenroom_sync::index::Library;
use greenroom_sync::matching::TrackQuery;
use greenroom_sync::matching::overrides::{ExportedMatchOverride, MatchOverride, MatchOverrideKind};
use greenroom_sync::matching::overrides_store::OverrideFilter;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of people's decisions about matches.
pub(crate) fn routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(list, pin, delete_overrides))
        .routes(routes!(mark_missing))
        .routes(routes!(export_overrides, import_overrides))
}

/// Max body size of one override.
const MAX_OVERRIDE_BYTES: usize = 64 * 1024;
/// Limits of an import: body size and number of overrides.
const MAX_IMPORT_BYTES: usize = 16 * 1024 * 1024;
const MAX_IMPORT: usize = 50_000;
/// Decisions of one page.
const PAGE_SIZE: usize = 500;

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
        (status = 507, description = "The override cannot be saved"),
    ),
)]
pub(crate) async fn pin(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<responses::OverrideResponse>, MatchApiError> {
    let request: PinRequest = read_up_to(&headers, body, MAX_OVERRIDE_BYTES).await?;
    let kind = request.kind.unwrap_or(MatchOverrideKind::Pin);
    if kind == MatchOverrideKind::Confirmed {
        // Confirmed matches come from use alone.
        return Err(Problem::BAD_BODY.into());
    }
    let control = &state.control;
    let (library_id, server) = (request.library.as_deref(), request.server.as_deref());
    let (library, query) = match (request.track, request.path, request.id) {
        (Some(track), None, None) => {
            (crate::matching_api::music_library(control, library_id, server)?, track.into_query())
        }
        (None, Some(path), None) => {
            let sent_maps = request.maps.as_deref().map(compile_maps).transpose()?;
            let library =
                library_with_key(&crate::matching_api::libraries(control, library_id, server)?, &request.key)?;
            let maps = sent_maps.as_ref().unwrap_or(&library.server.origin.settings.path_maps);
            let mapped = maps.map(&path).unwrap_or(path);
            (library, TrackQuery::from_path(&mapped))
        }
        (None, None, Some(id)) => (
            library_with_key(&crate::matching_api::libraries(control, library_id, server)?, &request.key)?,
            TrackQuery::from_id(&id),
        ),
        _ => return Err(EMPTY_QUERY.into()),
    };
    let matching = &control.playlists.matching;
    let transaction = control.begin_settings_change().await;
    let stored = matching.set_override(&library, kind, query, &request.key).await?;
    control.end_settings_change(transaction, SettingsChanges::new()).await;
    Ok(Json((&stored).into()))
}

/// The library with an item of this key.
fn library_with_key(libraries: &[Arc<Library>], key: &str) -> Result<Arc<Library>, MatchApiError> {
    let has_item = |library: &&Arc<Library>| {
        library.generation().is_some_and(|generation| generation.snapshot.row_of(key).is_some())
    };
    let pending: Vec<_> = libraries.iter().filter(|library| library.generation().is_none()).cloned().collect();
    match libraries.iter().find(has_item) {
        Some(library) => Ok(Arc::clone(library)),
        None if pending.is_empty() => Err(UNKNOWN_ITEM.into()),
        None => Err(not_indexed(&pending)),
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
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<responses::MatchActionResponse>, MatchApiError> {
    let request: MissingItemRequest = read_up_to(&headers, body, MAX_OVERRIDE_BYTES).await?;
    let library = crate::matching_api::music_library(&state.control, Some(&request.library), None)?;
    // An item that is not in the index cannot be offered, so it need not be remembered.
    let library = library_with_key(&[library], &request.key)?;
    state.control.playlists.matching.mark_missing_on_server(&library, &request.key).await;
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
    PAGE_SIZE
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
        (status = 507, description = "The overrides cannot be read"),
    ),
)]
pub(crate) async fn list(
    State(state): State<Arc<ApiState>>,
    Query(OverridesListQuery { library, kind, after, limit }): Query<OverridesListQuery>,
) -> Result<Json<responses::OverridesPage>, MatchApiError> {
    let matching = &state.control.playlists.matching;
    let overrides =
        matching.list_overrides(OverridesExportQuery { library, kind, after }.filter()?, after, limit).await?;
    let counts = matching.count_overrides().await?.into_iter().collect();
    let next = overrides.last().filter(|_| overrides.len() == limit).map(|last| last.id);
    Ok(Json(responses::OverridesPage { counts, next, decisions: overrides.iter().map(Into::into).collect() }))
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
    responses((status = 200, body = responses::OverridesDeletedResponse), (status = 507, description = "The change cannot be saved")),
)]
pub(crate) async fn delete_overrides(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<responses::OverridesDeletedResponse>, MatchApiError> {
    let request: DeleteOverridesRequest = read_up_to(&headers, body, MAX_OVERRIDE_BYTES).await?;
    let transaction = state.control.begin_settings_change().await;
    let deleted = state.control.playlists.matching.remove_overrides(request.ids).await?;
    state.control.end_settings_change(transaction, SettingsChanges::new()).await;
    Ok(Json(responses::OverridesDeletedResponse { success: true, gone: deleted }))
}

/// Exports all match overrides, one JSON object per line.
#[utoipa::path(
    get,
    path = "/api/v1/match/decisions",
    params(OverridesExportQuery),
    responses(
        (status = 200, body = String, content_type = "application/x-ndjson"),
        (status = 404, description = "No such library"),
        (status = 507, description = "The overrides cannot be read"),
    ),
)]
pub(crate) async fn export_overrides(
    State(state): State<Arc<ApiState>>,
    Query(query): Query<OverridesExportQuery>,
) -> Result<Response, MatchApiError> {
    let filter = query.filter()?;
    let matching = Arc::clone(&state.control.playlists.matching);
    // The first page is read before the response begins, so that a failure still gets an error status.
    let first = matching.list_overrides(filter.clone(), query.after, PAGE_SIZE).await?;
    let pages = stream::unfold(Some(first), move |page| {
        let (matching, filter) = (Arc::clone(&matching), filter.clone());
        async move {
            let page: Vec<MatchOverride> = page.filter(|page| !page.is_empty())?;
            let lines: String = page
                .iter()
                .filter_map(|entry| serde_json::to_string(&ExportedMatchOverride::from(entry)).ok())
                .map(|line| line + "\n")
                .collect();
            let last = page.last().map_or(i64::MAX, |last| last.id);
            match matching.list_overrides(filter, last, PAGE_SIZE).await {
                Ok(next) => Some((Ok(Bytes::from(lines)), Some(next))),
                Err(_) => Some((Err(std::io::Error::other("the match overrides cannot be read")), None)),
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
    responses((status = 200, body = responses::OverridesImportedResponse), (status = 507, description = "The overrides cannot be saved")),
)]
pub(crate) async fn import_overrides(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<responses::OverridesImportedResponse>, MatchApiError> {
    if !has_media_type(&headers, "application/x-ndjson") {
        return Err(Problem::NOT_JSON.into());
    }
    let bytes = bytes_up_to(body, MAX_IMPORT_BYTES).await?;
    let mut imported = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if imported.len() == MAX_IMPORT {
            return Err(super::TOO_MANY.into());
        }
        let entry: ExportedMatchOverride =
            serde_json::from_slice(line).map_err(|_| MatchApiError::BadLine(index + 1))?;
        if entry.clone().into_override().is_none() {
            return Err(MatchApiError::BadLine(index + 1));
        }
        imported.push(entry);
    }
    let transaction = state.control.begin_settings_change().await;
    let imported_count = state.control.playlists.matching.import_overrides(imported).await?;
    state.control.end_settings_change(transaction, SettingsChanges::new()).await;
    Ok(Json(responses::OverridesImportedResponse { success: true, kept: imported_count }))
}
