//! `/api/cache/stats`, `/api/status/cache` and the command that rebuilds: the libraries that are kept whole, in the
//! shapes of a list of files that is rebuilt behind, and of a library that playlists are matched against.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use greenroom_dialect::ask::Kind;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::stats::Detail;
use super::{iso, percent, seconds};
use crate::error::Problem;
use crate::{Plane, api};
use greenroom_sync::index::{Asked, Report};

const MIB: u64 = 1024 * 1024;

/// What is kept whole, as a list of files.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Files {
    file_list_cache: List,
    enriched_file_cache: Enriched,
    markers: Markers,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
struct List {
    /// Items of all libraries.
    file_count: u64,
    /// How long ago the oldest of them was last confirmed.
    age_seconds: f64,
    is_populated: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct Enriched {
    #[serde(flatten)]
    list: List,
    /// Whether any library is being built.
    rebuild_in_progress: bool,
}

/// Nothing is marked yet: there is no folder of files.
#[derive(Debug, Serialize, ToSchema)]
struct Markers {
    processed_files: u64,
    duplicate_files: u64,
    web_modified_files: u64,
    storage_location: &'static str,
}

/// What was asked for: both kinds of servers, or one.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = MatchedLibraries)]
pub(crate) enum Status {
    Both(Both),
    One(Target),
}

/// The libraries of both kinds of servers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Both {
    plex: Target,
    jellyfin: Target,
}

/// The libraries of one kind of servers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Target {
    target: &'static str,
    /// `Available`, `Not built`, `Error`.
    status: &'static str,
    last_generated: Option<String>,
    size_mb: f64,
    /// Tracks.
    object_count: u64,
    cache_hits: u64,
    cache_misses: u64,
    hit_rate: f64,
    last_used: Option<String>,
    memory_usage_mb: f64,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Which kind of servers.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// `plex` or `jellyfin`; both if it is not said.
    target: Option<String>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Message {
    message: &'static str,
}

/// What is to be built.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct Order {
    /// `plex`, `jellyfin`, or `all`.
    target: Option<String>,
    /// Begins anew, and believes what comes however short it is.
    #[serde(default)]
    force_rebuild: bool,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ordered {
    success: bool,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    force_rebuild: bool,
    target: String,
}

/// What is kept whole, as a list of files.
#[utoipa::path(get, path = "/api/cache/stats", tag = "compatible",
    responses((status = 200, description = "What is kept whole", body = Files)))]
pub(crate) async fn files(State(plane): State<Arc<Plane>>) -> Json<Files> {
    let reports = plane.reports();
    let kept = || reports.iter().filter_map(|report| report.generation.as_ref());
    let list = List {
        file_count: kept().map(|generation| generation.items).sum(),
        age_seconds: seconds(kept().map(|generation| generation.age_s).max().unwrap_or_default() * 1000),
        is_populated: kept().next().is_some(),
    };
    let rebuild_in_progress = reports.iter().any(|report| report.progress.is_some());
    Json(Files {
        file_list_cache: list,
        enriched_file_cache: Enriched { list, rebuild_in_progress },
        markers: Markers {
            processed_files: 0,
            duplicate_files: 0,
            web_modified_files: 0,
            storage_location: "",
        },
    })
}

/// The libraries that playlists are matched against.
#[utoipa::path(get, path = "/api/status/cache", tag = "compatible", params(Which), responses(
    (status = 200, description = "Both kinds of servers, or the one that was asked for", body = Status),
    (status = 400, description = "There is no such kind of servers", body = Detail)))]
pub(crate) async fn status(State(plane): State<Arc<Plane>>, Query(which): Query<Which>) -> Response {
    match which.target.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("") => {
            let both = Both { plex: plane.target(Kind::Plex), jellyfin: plane.target(Kind::Jellyfin) };
            Json(Status::Both(both)).into_response()
        }
        Some("plex") => Json(Status::One(plane.target(Kind::Plex))).into_response(),
        Some("jellyfin") => Json(Status::One(plane.target(Kind::Jellyfin))).into_response(),
        Some(_) => UNKNOWN_TARGET.into_response(),
    }
}

const UNKNOWN_TARGET: (StatusCode, Json<Detail>) =
    (StatusCode::BAD_REQUEST, Json(Detail { detail: "Target must be 'plex' or 'jellyfin'" }));

/// Counting begins anew.
#[utoipa::path(post, path = "/api/status/cache/reset", tag = "compatible",
    responses((status = 200, description = "It was done", body = Message)))]
pub(crate) async fn reset(State(plane): State<Arc<Plane>>) -> Json<Message> {
    plane.control.count_anew();
    plane.control.counts.reset();
    Json(Message { message: "Cache statistics reset successfully" })
}

/// Asks for builds of music libraries.
#[utoipa::path(post, path = "/api/commands/library_cache_builder/refresh", tag = "compatible",
    request_body = Option<Order>, responses(
    (status = 200, description = "What became of it", body = Ordered),
    (status = 400, description = "There is no such kind of servers, or the body cannot be understood", body = Detail)))]
pub(crate) async fn refresh(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let order: Order = api::read(&headers, body).await?.unwrap_or_default();
    let target = order.target.as_deref().unwrap_or("all").to_ascii_lowercase();
    let kinds: &[Kind] = match target.as_str() {
        "all" => &[Kind::Plex, Kind::Jellyfin],
        "plex" => &[Kind::Plex],
        "jellyfin" => &[Kind::Jellyfin],
        _ => return Ok(UNKNOWN_TARGET.into_response()),
    };
    let libraries = &plane.control.playlists.libraries;
    let all = libraries.all();
    let meant = all
        .iter()
        .filter(|library| kinds.contains(&library.server.origin.settings.kind) && library.may_hold_music());
    let asked: Vec<Asked> = meant.map(|library| library.build(order.force_rebuild)).collect();
    let begun = asked.iter().filter(|asked| **asked != Asked::Off).count();
    let (message, error) = match (asked.len(), begun) {
        (0, _) => ("No music library is known.".to_owned(), Some("no music library is known")),
        (_, 0) => ("Every library is turned off.".to_owned(), Some("every library is turned off")),
        (_, 1) => ("Library cache refresh started for 1 library.".to_owned(), None),
        (_, more) => (format!("Library cache refresh started for {more} libraries."), None),
    };
    let success = error.is_none();
    let force_rebuild = order.force_rebuild;
    Ok(Json(Ordered { success, message, error, force_rebuild, target }).into_response())
}

impl Plane {
    fn reports(&self) -> Vec<Report> {
        self.control.playlists.libraries.all().iter().map(|library| library.report(false)).collect()
    }

    /// The music libraries of all servers of a kind.
    fn target(&self, kind: Kind) -> Target {
        let servers =
            self.control.inside.servers().iter().filter(|server| server.origin.settings.kind == kind);
        let names: Vec<&str> = servers.map(|server| server.name()).collect();
        let mut reports = self.reports();
        reports.retain(|report| report.contents == "music" && names.contains(&report.server.as_str()));
        let kept = || reports.iter().filter_map(|report| report.generation.as_ref());
        let is_kept = kept().next().is_some();
        let failure = reports.iter().find_map(|report| report.failure.as_ref());
        let bytes: u64 = kept().map(|generation| generation.memory_bytes).sum();
        let is_off = !reports.is_empty() && reports.iter().all(|report| !report.enabled);
        let (hits, misses) = self.control.lookups(&names);
        Target {
            target: kind.name(),
            status: match (is_kept, failure) {
                (true, _) => "Available",
                (false, Some(_)) => "Error",
                (false, None) => "Not built",
            },
            last_generated: kept().map(|generation| generation.taken_at_ms).max().map(iso),
            size_mb: megabytes(bytes),
            object_count: kept().map(|generation| generation.items).sum(),
            cache_hits: hits,
            cache_misses: misses,
            hit_rate: percent(hits, hits + misses),
            last_used: None,
            memory_usage_mb: megabytes(bytes),
            message: match (is_kept, failure) {
                (true, _) => None,
                (false, Some(failure)) => Some(failure.text.clone()),
                (false, None) if names.is_empty() => Some("no such server is configured".to_owned()),
                (false, None) if is_off => Some("the index of the library is turned off".to_owned()),
                (false, None) => Some("the library is not built yet".to_owned()),
            },
        }
    }
}

/// With two decimals.
#[expect(clippy::cast_precision_loss, reason = "it is shown with two decimals")]
fn megabytes(bytes: u64) -> f64 {
    (bytes as f64 * 100.0 / MIB as f64).round() / 100.0
}
