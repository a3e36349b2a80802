//! `/api/cache/stats`, `/api/status/cache` and the rebuild command: library indexes in the formats of a file list
//! rebuilt in the background, and of a library that playlists are matched against.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use greenroom_dialect::request::ServerKind;
use greenroom_folder::Folder;
use greenroom_folder::list::ListQuery;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::seconds;
use super::stats::ErrorDetailResponse;
use greenroom_control::ControlPlane;
use greenroom_control::blocking::run_blocking;
use greenroom_control::error::Problem;
use greenroom_control::json_body::JsonBody;
use greenroom_control::state::ApiState;
use greenroom_sync::index::{BuildRequestResult, LibraryReport, LookupCounts};

const MIB: u64 = 1024 * 1024;

/// The library indexes as a list of files.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompatFilesResponse {
    file_list_cache: FileListCache,
    enriched_file_cache: EnrichedFileCache,
    markers: FileMarkers,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
struct FileListCache {
    /// Items of all libraries.
    file_count: u64,
    /// Time since the oldest of them was last confirmed.
    age_seconds: f64,
    is_populated: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct EnrichedFileCache {
    #[serde(flatten)]
    list: FileListCache,
    /// True if any library is being built.
    rebuild_in_progress: bool,
}

/// Marks of the folder that answers the comic app's paths; zero without one.
#[derive(Debug, Serialize, ToSchema)]
struct FileMarkers {
    processed_files: u64,
    duplicate_files: u64,
    web_modified_files: u64,
    storage_location: String,
}

/// Status of both kinds of servers, or of the one requested.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = MatchedLibraries)]
pub(crate) enum CompatLibraryStatus {
    Both(CompatLibraryStatuses),
    One(CompatTargetStatus),
}

/// The libraries of both kinds of servers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompatLibraryStatuses {
    plex: CompatTargetStatus,
    jellyfin: CompatTargetStatus,
}

/// The libraries of one kind of servers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompatTargetStatus {
    target: &'static str,
    /// `Available`, `Not built`, `Error`.
    status: &'static str,
    /// In seconds since 1970.
    last_generated: Option<u64>,
    size_mb: f64,
    /// Tracks.
    object_count: u64,
    /// Lookups in the indexes of these servers that found an item, since the statistics restarted.
    cache_hits: u64,
    /// Lookups that found none.
    cache_misses: u64,
    /// Share of the hits, from 0 to 1; `null` without lookups.
    hit_rate: Option<f64>,
    /// Time of the last lookup, in seconds since 1970.
    last_used: Option<u64>,
    memory_usage_mb: f64,
    /// Reason for which it is not available.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Kind of servers.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CompatTargetQuery {
    /// `plex` or `jellyfin`; both if absent.
    target: Option<String>,
}

/// Result of an action.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompatMessageResponse {
    message: &'static str,
}

/// Request to rebuild.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct CompatRebuildRequest {
    /// `plex`, `jellyfin`, or `all`.
    target: Option<String>,
    /// Rebuilds from scratch and accepts the result, however small.
    #[serde(default)]
    force_rebuild: bool,
}

/// Result of a rebuild request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompatRebuildResponse {
    success: bool,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    force_rebuild: bool,
    target: String,
}

/// The folder with `compat = true` as the comic app shows its caches; without one, the library indexes.
#[utoipa::path(get, path = "/api/cache/stats", tag = "compatible",
    responses((status = 200, description = "The library indexes as a list of files", body = CompatFilesResponse)))]
pub(crate) async fn files(State(state): State<Arc<ApiState>>) -> Json<CompatFilesResponse> {
    if let Some(folder) = state.control.folders.compat() {
        let (control, folder) = (Arc::clone(&state.control), Arc::clone(folder));
        return Json(run_blocking(move || folder_stats(&control, &folder)).await);
    }
    let reports = reports(&state);
    let generations = || reports.iter().filter_map(|report| report.generation.as_ref());
    let list = FileListCache {
        file_count: generations().map(|generation| generation.items).sum(),
        age_seconds: seconds(Duration::from_millis(
            generations().map(|generation| generation.age_s).max().unwrap_or_default() * 1000,
        )),
        is_populated: generations().next().is_some(),
    };
    let rebuild_in_progress = reports.iter().any(|report| report.progress.is_some());
    Json(CompatFilesResponse {
        file_list_cache: list,
        enriched_file_cache: EnrichedFileCache { list, rebuild_in_progress },
        markers: FileMarkers {
            processed_files: 0,
            duplicate_files: 0,
            web_modified_files: 0,
            storage_location: String::new(),
        },
    })
}

/// The folder that answers the comic app's paths.
fn folder_stats(control: &ControlPlane, folder: &Folder) -> CompatFilesResponse {
    let report = folder.report();
    let list = FileListCache {
        file_count: report.files as u64,
        age_seconds: seconds(Duration::from_millis(report.age_ms.unwrap_or_default())),
        is_populated: report.generation > 0,
    };
    let marks = folder.current().map(|list| folder.select(&ListQuery::default(), &list).counts.marks.clone());
    let count = |mark: &str| marks.as_ref().and_then(|marks| marks.get(mark)).map_or(0, |count| *count as u64);
    let place = control.storage_location.as_ref().map(|place| place.data.join("state.db").display().to_string());
    CompatFilesResponse {
        file_list_cache: list,
        enriched_file_cache: EnrichedFileCache { list, rebuild_in_progress: report.progress.is_some() },
        markers: FileMarkers {
            processed_files: count("processed"),
            duplicate_files: count("duplicate"),
            web_modified_files: count("web_modified"),
            storage_location: place.unwrap_or_default(),
        },
    }
}

/// The libraries that playlists are matched against.
#[utoipa::path(get, path = "/api/status/cache", tag = "compatible", params(CompatTargetQuery), responses(
    (status = 200, description = "Both kinds of servers, or the requested one", body = CompatLibraryStatus),
    (status = 400, description = "Unknown kind of server", body = ErrorDetailResponse)))]
pub(crate) async fn status(State(state): State<Arc<ApiState>>, Query(query): Query<CompatTargetQuery>) -> Response {
    match query.target.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("") => {
            let both = CompatLibraryStatuses {
                plex: target(&state, ServerKind::Plex),
                jellyfin: target(&state, ServerKind::Jellyfin),
            };
            Json(CompatLibraryStatus::Both(both)).into_response()
        }
        Some("plex") => Json(CompatLibraryStatus::One(target(&state, ServerKind::Plex))).into_response(),
        Some("jellyfin") => Json(CompatLibraryStatus::One(target(&state, ServerKind::Jellyfin))).into_response(),
        Some(_) => UNKNOWN_TARGET.into_response(),
    }
}

const UNKNOWN_TARGET: (StatusCode, Json<ErrorDetailResponse>) =
    (StatusCode::BAD_REQUEST, Json(ErrorDetailResponse { detail: "Target must be 'plex' or 'jellyfin'" }));

/// Restarts the statistics.
#[utoipa::path(post, path = "/api/status/cache/reset", tag = "compatible",
    responses((status = 200, description = "The statistics were restarted", body = CompatMessageResponse)))]
pub(crate) async fn reset(State(state): State<Arc<ApiState>>) -> Json<CompatMessageResponse> {
    reset_baseline(&state.control);
    state.control.compat_cache_counters.reset();
    Json(CompatMessageResponse { message: "Cache statistics reset successfully" })
}

/// Requests builds of music libraries.
#[utoipa::path(post, path = "/api/commands/library_cache_builder/refresh", tag = "compatible",
    request_body = Option<CompatRebuildRequest>, responses(
    (status = 200, description = "Result of the request", body = CompatRebuildResponse),
    (status = 400, description = "Unknown kind of server, or invalid body", body = ErrorDetailResponse)))]
pub(crate) async fn refresh(
    State(state): State<Arc<ApiState>>,
    body: JsonBody<CompatRebuildRequest>,
) -> Result<Response, Problem> {
    let request = body.or_default();
    let target = request.target.as_deref().unwrap_or("all").to_ascii_lowercase();
    let kinds: &[ServerKind] = match target.as_str() {
        "all" => &[ServerKind::Plex, ServerKind::Jellyfin],
        "plex" => &[ServerKind::Plex],
        "jellyfin" => &[ServerKind::Jellyfin],
        _ => return Ok(UNKNOWN_TARGET.into_response()),
    };
    let libraries = &state.control.playlists.libraries;
    let all = libraries.all();
    let music_libraries =
        all.iter().filter(|library| kinds.contains(&library.server.origin.settings.kind) && library.may_hold_music());
    let results: Vec<BuildRequestResult> =
        music_libraries.map(|library| library.build(request.force_rebuild)).collect();
    let started = results.iter().filter(|result| **result != BuildRequestResult::Off).count();
    let (message, error) = match (results.len(), started) {
        (0, _) => ("No music library found.".to_owned(), Some("no music library found")),
        (_, 0) => {
            ("The index of every library is disabled.".to_owned(), Some("the index of every library is disabled"))
        }
        (_, 1) => ("Library cache refresh started for 1 library.".to_owned(), None),
        (_, count) => (format!("Library cache refresh started for {count} libraries."), None),
    };
    let success = error.is_none();
    let force_rebuild = request.force_rebuild;
    Ok(Json(CompatRebuildResponse { success, message, error, force_rebuild, target }).into_response())
}

/// Restarts the statistics; the cache and the indexes stay.
fn reset_baseline(control: &ControlPlane) {
    control.playlists.libraries.all().iter().for_each(|library| library.lookups.reset());
    control.baseline.reset(control.cumulative_stats(), control.clock.now());
}

/// Lookups in the library indexes of these servers since the statistics restarted.
fn lookups(control: &ControlPlane, servers: &[&str]) -> LookupCounts {
    let mut libraries = control.playlists.libraries.all();
    libraries.retain(|library| servers.contains(&library.id.server.as_str()));
    libraries.iter().map(|library| library.lookups.get()).fold(LookupCounts::default(), LookupCounts::plus)
}

fn reports(state: &ApiState) -> Vec<LibraryReport> {
    state.control.playlists.libraries.all().iter().map(|library| library.report(false)).collect()
}

/// The music libraries of all servers of a kind.
fn target(state: &ApiState, kind: ServerKind) -> CompatTargetStatus {
    let servers = state.control.internal_client.servers().iter().filter(|server| server.origin.settings.kind == kind);
    let names: Vec<&str> = servers.map(|server| server.name()).collect();
    let mut reports = reports(state);
    reports.retain(|report| report.contents == "music" && names.contains(&report.server.as_str()));
    let generations = || reports.iter().filter_map(|report| report.generation.as_ref());
    let is_built = generations().next().is_some();
    let failure = reports.iter().find_map(|report| report.failure.as_ref());
    let bytes: u64 = generations().map(|generation| generation.memory_bytes).sum();
    let is_off = !reports.is_empty() && reports.iter().all(|report| !report.enabled);
    let lookups = lookups(&state.control, &names);
    CompatTargetStatus {
        target: kind.name(),
        status: match (is_built, failure) {
            (true, _) => "Available",
            (false, Some(_)) => "Error",
            (false, None) => "Not built",
        },
        last_generated: generations().map(|generation| generation.taken_at_ms / 1000).max(),
        size_mb: megabytes(bytes),
        object_count: generations().map(|generation| generation.items).sum(),
        cache_hits: lookups.hits,
        cache_misses: lookups.misses,
        hit_rate: lookups.hit_rate(),
        last_used: Some(lookups.last_ms.as_secs()).filter(|last_s| *last_s > 0),
        memory_usage_mb: megabytes(bytes),
        message: match (is_built, failure) {
            (true, _) => None,
            (false, Some(failure)) => Some(failure.text.clone()),
            (false, None) if names.is_empty() => Some("no such server is configured".to_owned()),
            (false, None) if is_off => Some("the index of the library is disabled".to_owned()),
            (false, None) => Some("the library index is not built yet".to_owned()),
        },
    }
}

/// With two decimals.
#[expect(clippy::cast_precision_loss, reason = "it is shown with two decimals")]
fn megabytes(bytes: u64) -> f64 {
    (bytes as f64 * 100.0 / MIB as f64).round() / 100.0
}
