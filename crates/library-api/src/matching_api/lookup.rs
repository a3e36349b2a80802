//! Lookup of items by track, path or external id.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use greenroom_library::files::{CaseSensitivity, FileMatchConfidence, PathMaps, PathRule};
use greenroom_library::matching::{MatchDecision, MatchPolicy, TrackMatchReason};
use http::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{LIVE_NEEDS_TOKEN, MatchApiError, SearchScope, TOO_MANY, json_response_blocking, not_indexed, read_up_to};
use crate::matching_api::responses;
use crate::matching_api::responses::{
    ConfidenceLevel, IdMatchResult, MatchedItem, MatchedTrack, PathMatchItem, PathMatchResult, TrackMatchCandidate,
};
use greenroom_control::auth::caller::AuthContext;
use greenroom_control::state::ApiState;
use greenroom_sync::index;
use greenroom_sync::index::{Library, LibraryId};
use greenroom_sync::matching::path_lookup::{
    AppliedOverride, IdLookupResult, LocatedItem, PathLookupQuery, PathLookupResult,
};
use greenroom_sync::matching::{LiveSearch, MatchCandidate, TrackQuery, TrackResolution};

/// Limits of one call: body size and number of entries.
const MAX_TRACKS_BYTES: usize = 8 * 1024 * 1024;
const MAX_TRACKS: usize = 10_000;
const MAX_PATHS_BYTES: usize = 16 * 1024 * 1024;
const MAX_PATHS: usize = 50_000;
const MAX_IDS_BYTES: usize = 8 * 1024 * 1024;
const MAX_IDS: usize = 50_000;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchTracks)]
pub(crate) struct MatchTracksRequest {
    library: Option<String>,
    server: Option<String>,
    policy: Option<String>,
    live: Option<LiveSearchOption>,
    tracks: Vec<TrackParams>,
}

/// `true`, or the max number of searches.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = MatchLive)]
enum LiveSearchOption {
    Switch(bool),
    UpTo(usize),
}

/// One track.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchTrack)]
pub(super) struct TrackParams {
    #[serde(default)]
    title: String,
    #[serde(default)]
    artist: String,
    #[serde(default)]
    artists: Vec<String>,
    #[serde(default)]
    album: String,
    duration_s: Option<f64>,
    #[serde(default)]
    ids: Vec<String>,
    /// The caller's id of the track.
    source_id: Option<String>,
}

impl TrackParams {
    pub(super) fn into_query(self) -> TrackQuery {
        let Self { title, mut artist, artists, album, duration_s, mut ids, source_id } = self;
        if artist.is_empty() {
            artist = artists.join(", ");
        }
        ids.extend(source_id.as_deref().map(TrackQuery::source_name));
        let duration_s = duration_s.and_then(seconds);
        TrackQuery { title, artist, artists, album, duration_s, ids, path: String::new() }
    }
}

/// Rounded seconds; `None` unless positive and finite.
fn seconds(seconds: f64) -> Option<u32> {
    let is_valid = seconds.is_finite() && seconds > 0.0 && seconds < f64::from(u32::MAX);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within bounds")]
    is_valid.then_some(seconds.round() as u32)
}

/// Matches tracks to items.
#[utoipa::path(
    post,
    path = "/api/v1/match/tracks",
    request_body = MatchTracksRequest,
    responses(
        (status = 200, body = responses::MatchTracksResponse),
        (status = 404, description = "No such server or library, or no music library"),
        (status = 503, description = "The library is not indexed yet"),
    ),
)]
pub(crate) async fn tracks(
    State(state): State<Arc<ApiState>>,
    Extension(auth): Extension<AuthContext>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, MatchApiError> {
    let request: MatchTracksRequest = read_up_to(&headers, body, MAX_TRACKS_BYTES).await?;
    if request.tracks.len() > MAX_TRACKS {
        return Err(TOO_MANY.into());
    }
    let policy = policy(request.policy.as_deref())?;
    let live = match request.live {
        None | Some(LiveSearchOption::Switch(false) | LiveSearchOption::UpTo(0)) => LiveSearch::Off,
        Some(_) if !auth.may_change => return Err(LIVE_NEEDS_TOKEN.into()),
        Some(LiveSearchOption::Switch(true)) => LiveSearch::UpTo(usize::MAX),
        Some(LiveSearchOption::UpTo(max)) => LiveSearch::UpTo(max),
    };
    let control = &state.control;
    let library = crate::matching_api::music_library(control, request.library.as_deref(), request.server.as_deref())?;
    let queries: Vec<TrackQuery> = request.tracks.into_iter().map(TrackParams::into_query).collect();
    let (generation, resolved) = control.playlists.matching.resolve_with(&library, &queries, policy, live).await;
    let Some(generation) = generation else {
        library.record_lookup();
        return Err(not_indexed(&[library]));
    };
    let age_ms = control.clock.now().duration_since(generation.taken_at_ms);
    let response = move || {
        let count = |decision: MatchDecision| resolved.iter().filter(|resolved| resolved.decision == decision).count();
        responses::MatchTracksResponse {
            library: library.id.to_string(),
            generation: generation.number,
            taken_at_ms: generation.taken_at_ms.as_millis(),
            age_s: age_ms.as_secs(),
            state: library.state(),
            stale: library.state() != index::LibraryState::Current,
            accepted: count(MatchDecision::Accept),
            review: count(MatchDecision::Review),
            rejected: count(MatchDecision::Reject),
            tracks: resolved.iter().map(|resolved| track_result(&library.id, resolved)).collect(),
        }
    };
    Ok(json_response_blocking(response).await)
}

fn policy(name: Option<&str>) -> Result<MatchPolicy, MatchApiError> {
    match name {
        None | Some("strict") => Ok(MatchPolicy::Strict),
        Some("prefer-version-else-any") => Ok(MatchPolicy::PreferVersionElseAny),
        Some("ids-only") => Ok(MatchPolicy::IdsOnly),
        Some(_) => Err(MatchApiError::bad_policy()),
    }
}

fn track_result(library: &LibraryId, resolved: &TrackResolution) -> MatchedTrack {
    let best = resolved.candidates.first();
    let override_reason = resolved.source.reason();
    let reason_names = |candidate: &MatchCandidate| -> Vec<&'static str> {
        override_reason
            .map_or_else(|| candidate.reasons.iter().map(TrackMatchReason::word).collect(), |(name, _)| vec![name])
    };
    let reason_text = |candidate: &MatchCandidate| {
        override_reason.map_or_else(|| reason_text(&candidate.reasons), |(_, sentence)| sentence.to_owned())
    };
    let to_candidate = |candidate: &MatchCandidate| TrackMatchCandidate {
        item: MatchedItem::new(library, &candidate.item),
        score: score(candidate.score),
        reasons: reason_names(candidate),
        why: reason_text(candidate),
    };
    MatchedTrack {
        decision: resolved.decision.into(),
        source: resolved.source,
        item: resolved.accepted().map(|item| MatchedItem::new(library, item)),
        score: best.map(|best| score(best.score)),
        runner_up: resolved.candidates.get(1).map(|second| score(second.score)),
        margin: score(resolved.margin),
        reasons: best.map(reason_names).unwrap_or_default(),
        why: best.map(reason_text),
        candidates: resolved.candidates.iter().map(to_candidate).collect(),
    }
}

fn score(score: f32) -> f64 {
    (f64::from(score) * 1000.0).round() / 1000.0
}

/// The reasons as text for people.
fn reason_text(reasons: &[TrackMatchReason]) -> String {
    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchPaths)]
pub(crate) struct MatchPathsRequest {
    library: Option<String>,
    server: Option<String>,
    case: Option<String>,
    maps: Option<Vec<PathMapParams>>,
    paths: Vec<PathParams>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PathMap)]
pub(crate) struct PathMapParams {
    from: String,
    to: String,
}

/// A path alone, or with further facts about the file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = MatchPath)]
enum PathParams {
    Path(String),
    Known(PathDetails),
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchKnownPath)]
struct PathDetails {
    path: String,
    size_bytes: Option<u64>,
    duration_s: Option<f64>,
}

/// Finds the items of files.
#[utoipa::path(
    post,
    path = "/api/v1/match/paths",
    request_body = MatchPathsRequest,
    responses(
        (status = 200, body = responses::MatchPathsResponse),
        (status = 404, description = "No such server or library"),
        (status = 503, description = "The library is not indexed yet"),
    ),
)]
pub(crate) async fn paths(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, MatchApiError> {
    let request: MatchPathsRequest = read_up_to(&headers, body, MAX_PATHS_BYTES).await?;
    if request.paths.len() > MAX_PATHS {
        return Err(TOO_MANY.into());
    }
    let case = match request.case.as_deref() {
        None | Some("exact") => CaseSensitivity::Exact,
        Some("ignore") => CaseSensitivity::Ignore,
        Some(_) => return Err(greenroom_control::error::Problem::BAD_BODY.into()),
    };
    let sent_maps = request.maps.as_deref().map(compile_maps).transpose()?;
    let control = &state.control;
    let libraries = crate::matching_api::libraries(control, request.library.as_deref(), request.server.as_deref())?;
    let scope = SearchScope::new(libraries, request.library.is_some())?;
    let maps = sent_maps.unwrap_or_else(|| {
        scope.indexed.first().map(|library| library.server.origin.settings.path_maps.clone()).unwrap_or_default()
    });
    let maps = Arc::new(maps);
    let paths: Vec<PathLookupQuery> = request.paths.into_iter().map(path).collect();
    let results = control.playlists.matching.find_paths(&scope.indexed, paths, Arc::clone(&maps), case).await;
    scope
        .check(results.is_empty() || results.iter().any(|resolved| resolved.confidence == FileMatchConfidence::High))?;
    Ok(json_response_blocking(move || paths_response(&scope, &results, &maps)).await)
}

/// Compiles the path maps sent with a request.
pub(crate) fn compile_maps(maps: &[PathMapParams]) -> Result<PathMaps, MatchApiError> {
    PathMaps::new(maps.iter().map(|map| PathRule { from: &map.from, to: &map.to })).map_err(MatchApiError::BadPathMap)
}

fn paths_response(scope: &SearchScope, results: &[PathLookupResult], maps: &PathMaps) -> responses::MatchPathsResponse {
    let list_items = |located: &[LocatedItem]| -> Vec<PathMatchItem> {
        let match_item = |located: &LocatedItem| PathMatchItem {
            item: MatchedItem::new(&located.library, &located.item),
            reasons: located.reasons.iter().map(ToString::to_string).collect(),
            mapped_files: located.item.files.iter().filter_map(|file| maps.map_back(&file.path)).collect(),
        };
        located.iter().map(match_item).collect()
    };
    let to_result = |resolved: &PathLookupResult| PathMatchResult {
        confidence: ConfidenceLevel::from_confidence(resolved.confidence, scope.is_complete()),
        key: resolved.items.first().map(|located| located.item.key.to_string()),
        reasons: reasons(&resolved.reasons, &resolved.overrides),
        items: list_items(&resolved.items),
        candidates: list_items(&resolved.candidates),
    };
    let paths: Vec<PathMatchResult> = results.iter().map(to_result).collect();
    let count = |confidence| paths.iter().filter(|path| path.confidence == confidence).count();
    responses::MatchPathsResponse {
        libraries: names(&scope.indexed),
        unindexed: scope.pending_libraries(),
        high: count(ConfidenceLevel::High),
        low: count(ConfidenceLevel::Low),
        none: count(ConfidenceLevel::None),
        unknown: count(ConfidenceLevel::Unknown),
        paths,
    }
}

/// Identifiers of the reasons and of the applied overrides.
fn reasons(reasons: &[impl ToString], overrides: &[AppliedOverride]) -> Vec<String> {
    reasons
        .iter()
        .map(ToString::to_string)
        .chain(overrides.iter().map(|overrides| overrides.name().to_owned()))
        .collect()
}

fn names(libraries: &[Arc<Library>]) -> Vec<String> {
    libraries.iter().map(|library| library.id.to_string()).collect()
}

fn path(request: PathParams) -> PathLookupQuery {
    match request {
        PathParams::Path(path) => PathLookupQuery { path, ..PathLookupQuery::default() },
        PathParams::Known(PathDetails { path, size_bytes, duration_s }) => {
            PathLookupQuery { path, size_bytes, duration_s: duration_s.and_then(seconds) }
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchIds)]
pub(crate) struct MatchIdsRequest {
    library: Option<String>,
    server: Option<String>,
    ids: Vec<String>,
}

/// Finds items by external id.
#[utoipa::path(
    post,
    path = "/api/v1/match/ids",
    request_body = MatchIdsRequest,
    responses(
        (status = 200, body = responses::MatchIdsResponse),
        (status = 404, description = "No such server or library"),
        (status = 503, description = "The library is not indexed yet"),
    ),
)]
pub(crate) async fn ids(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, MatchApiError> {
    let request: MatchIdsRequest = read_up_to(&headers, body, MAX_IDS_BYTES).await?;
    if request.ids.len() > MAX_IDS {
        return Err(TOO_MANY.into());
    }
    let control = &state.control;
    let libraries = crate::matching_api::libraries(control, request.library.as_deref(), request.server.as_deref())?;
    let scope = SearchScope::new(libraries, request.library.is_some())?;
    let results = control.playlists.matching.find_ids(&scope.indexed, request.ids.clone()).await;
    scope.check(results.is_empty() || results.iter().any(|resolved| !resolved.items.is_empty()))?;
    Ok(json_response_blocking(move || ids_response(&scope, &request.ids, &results)).await)
}

fn ids_response(scope: &SearchScope, ids: &[String], results: &[IdLookupResult]) -> responses::MatchIdsResponse {
    let to_result = |(id, IdLookupResult { items, overrides }): (&String, &IdLookupResult)| {
        let confidence = if items.is_empty() { FileMatchConfidence::None } else { FileMatchConfidence::High };
        IdMatchResult {
            id: greenroom_library::external_id::canonical(id),
            confidence: ConfidenceLevel::from_confidence(confidence, scope.is_complete()),
            reasons: reasons(&[""; 0], overrides),
            items: items.iter().map(|located| MatchedItem::new(&located.library, &located.item)).collect(),
        }
    };
    let ids: Vec<IdMatchResult> = ids.iter().zip(results).map(to_result).collect();
    let count = |confidence| ids.iter().filter(|id| id.confidence == confidence).count();
    responses::MatchIdsResponse {
        libraries: names(&scope.indexed),
        unindexed: scope.pending_libraries(),
        found: count(ConfidenceLevel::High),
        unknown: count(ConfidenceLevel::Unknown),
        ids,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_rounded_to_whole_seconds_or_ignored() {
        assert_eq!(seconds(239.6), Some(240));
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e18] {
            assert_eq!(seconds(odd), None, "{odd}");
        }
    }
}
