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
use crate::auth::caller::AuthContext;
use crate::control::ApiState;
use crate::matching_api::responses;
use crate::matching_api::responses::{
    ConfidenceLevel, IdMatchResult, MatchedItem, MatchedTrack, PathMatchItem, PathMatchResult, TrackMatchCandidate,
};
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
    let is_length = seconds.is_finite() && seconds > 0.0 && seconds < f64::from(u32::MAX);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within bounds")]
    is_length.then_some(seconds.round() as u32)
}

/// Matches tracks to items.
#[utoipa::path(
    post,
    path = "/api/v1/match/tracks",
    request_body = MatchTracksRequest,
    responses(
        (status = 200, body = responses::MatchTracksResponse),
        (status = 404, description = "No such server, or no such library"),
        (status = 503, description = "The library is not indexed yet"),
    ),
)]
pub(crate) async fn tracks(
    State(plane): State<Arc<ApiState>>,
    Extension(admitted): Extension<AuthContext>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, MatchApiError> {
    let asked: MatchTracksRequest = read_up_to(&headers, body, MAX_TRACKS_BYTES).await?;
    if asked.tracks.len() > MAX_TRACKS {
        return Err(TOO_MANY.into());
    }
    let policy = policy(asked.policy.as_deref())?;
    let live = match asked.live {
        None | Some(LiveSearchOption::Switch(false) | LiveSearchOption::UpTo(0)) => LiveSearch::Off,
        Some(_) if !admitted.may_change => return Err(LIVE_NEEDS_TOKEN.into()),
        Some(LiveSearchOption::Switch(true)) => LiveSearch::UpTo(usize::MAX),
        Some(LiveSearchOption::UpTo(most)) => LiveSearch::UpTo(most),
    };
    let control = &plane.control;
    let library = control.music_library(asked.library.as_deref(), asked.server.as_deref())?;
    let wanted: Vec<TrackQuery> = asked.tracks.into_iter().map(TrackParams::into_query).collect();
    let (generation, resolved) = control.playlists.matching.resolve_with(&library, &wanted, policy, live).await;
    let Some(generation) = generation else {
        library.record_lookup();
        return Err(not_indexed(&[library]));
    };
    let age_ms = control.clock.now_ms().saturating_sub(generation.taken_at_ms);
    let answer = move || {
        let count = |decision: MatchDecision| resolved.iter().filter(|one| one.decision == decision).count();
        responses::MatchTracksResponse {
            library: library.id.to_string(),
            generation: generation.number,
            taken_at_ms: generation.taken_at_ms,
            age_s: age_ms / 1000,
            state: library.state(),
            stale: library.state() != index::LibraryState::Current,
            accepted: count(MatchDecision::Accept),
            review: count(MatchDecision::Review),
            rejected: count(MatchDecision::Reject),
            tracks: resolved.iter().map(|one| track_result(&library.id, one)).collect(),
        }
    };
    Ok(json_response_blocking(answer).await)
}

fn policy(word: Option<&str>) -> Result<MatchPolicy, MatchApiError> {
    match word {
        None | Some("strict") => Ok(MatchPolicy::Strict),
        Some("prefer-version-else-any") => Ok(MatchPolicy::PreferVersionElseAny),
        Some("ids-only") => Ok(MatchPolicy::IdsOnly),
        Some(_) => Err(crate::error::Problem::BAD_BODY.into()),
    }
}

fn track_result(library: &LibraryId, resolved: &TrackResolution) -> MatchedTrack {
    let best = resolved.candidates.first();
    let decided = resolved.source.reason();
    let words = |found: &MatchCandidate| -> Vec<&'static str> {
        decided.map_or_else(|| found.reasons.iter().map(TrackMatchReason::word).collect(), |(word, _)| vec![word])
    };
    let why = |found: &MatchCandidate| decided.map_or_else(|| why(&found.reasons), |(_, sentence)| sentence.to_owned());
    let candidate = |found: &MatchCandidate| TrackMatchCandidate {
        item: MatchedItem::new(library, &found.item),
        score: score(found.score),
        reasons: words(found),
        why: why(found),
    };
    MatchedTrack {
        decision: resolved.decision.into(),
        source: resolved.source,
        item: resolved.accepted().map(|item| MatchedItem::new(library, item)),
        score: best.map(|best| score(best.score)),
        runner_up: resolved.candidates.get(1).map(|second| score(second.score)),
        margin: score(resolved.margin),
        reasons: best.map(words).unwrap_or_default(),
        why: best.map(why),
        candidates: resolved.candidates.iter().map(candidate).collect(),
    }
}

fn score(score: f32) -> f64 {
    (f64::from(score) * 1000.0).round() / 1000.0
}

/// The reasons as text for people.
fn why(reasons: &[TrackMatchReason]) -> String {
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
pub(super) struct PathMapParams {
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
        (status = 404, description = "No such server, or no such library"),
        (status = 503, description = "The library is not indexed yet"),
    ),
)]
pub(crate) async fn paths(
    State(plane): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, MatchApiError> {
    let asked: MatchPathsRequest = read_up_to(&headers, body, MAX_PATHS_BYTES).await?;
    if asked.paths.len() > MAX_PATHS {
        return Err(TOO_MANY.into());
    }
    let case = match asked.case.as_deref() {
        None | Some("exact") => CaseSensitivity::Exact,
        Some("ignore") => CaseSensitivity::Ignore,
        Some(_) => return Err(crate::error::Problem::BAD_BODY.into()),
    };
    let said = asked.maps.as_deref().map(compile_maps).transpose()?;
    let control = &plane.control;
    let libraries = control.libraries(asked.library.as_deref(), asked.server.as_deref())?;
    let reach = SearchScope::new(libraries, asked.library.is_some())?;
    let maps = said.unwrap_or_else(|| {
        reach.indexed.first().map(|library| library.server.origin.settings.path_maps.clone()).unwrap_or_default()
    });
    let maps = Arc::new(maps);
    let paths: Vec<PathLookupQuery> = asked.paths.into_iter().map(path).collect();
    let found = control.playlists.matching.find_paths(&reach.indexed, paths, Arc::clone(&maps), case).await;
    reach.check(found.is_empty() || found.iter().any(|one| one.confidence == FileMatchConfidence::High))?;
    Ok(json_response_blocking(move || paths_response(&reach, &found, &maps)).await)
}

/// Compiles the path maps sent with a request.
pub(super) fn compile_maps(maps: &[PathMapParams]) -> Result<PathMaps, MatchApiError> {
    PathMaps::new(maps.iter().map(|map| PathRule { from: &map.from, to: &map.to })).map_err(MatchApiError::BadPathMap)
}

fn paths_response(reach: &SearchScope, found: &[PathLookupResult], maps: &PathMaps) -> responses::MatchPathsResponse {
    let listed = |placed: &[LocatedItem]| -> Vec<PathMatchItem> {
        let show = |placed: &LocatedItem| PathMatchItem {
            item: MatchedItem::new(&placed.library, &placed.item),
            reasons: placed.reasons.iter().map(ToString::to_string).collect(),
            mapped_files: placed.item.files.iter().filter_map(|file| maps.map_back(&file.path)).collect(),
        };
        placed.iter().map(show).collect()
    };
    let of = |one: &PathLookupResult| PathMatchResult {
        confidence: ConfidenceLevel::from_confidence(one.confidence, reach.is_complete()),
        key: one.items.first().map(|placed| placed.item.key.to_string()),
        reasons: reasons(&one.reasons, &one.overrides),
        items: listed(&one.items),
        candidates: listed(&one.candidates),
    };
    let paths: Vec<PathMatchResult> = found.iter().map(of).collect();
    let count = |sureness| paths.iter().filter(|path| path.confidence == sureness).count();
    responses::MatchPathsResponse {
        libraries: names(&reach.indexed),
        unindexed: reach.pending_libraries(),
        high: count(ConfidenceLevel::High),
        low: count(ConfidenceLevel::Low),
        none: count(ConfidenceLevel::None),
        unknown: count(ConfidenceLevel::Unknown),
        paths,
    }
}

/// Identifiers of the reasons and of the applied overrides.
fn reasons(reasons: &[impl ToString], ruled: &[AppliedOverride]) -> Vec<String> {
    reasons.iter().map(ToString::to_string).chain(ruled.iter().map(|ruled| ruled.name().to_owned())).collect()
}

fn names(libraries: &[Arc<Library>]) -> Vec<String> {
    libraries.iter().map(|library| library.id.to_string()).collect()
}

fn path(asked: PathParams) -> PathLookupQuery {
    match asked {
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
        (status = 404, description = "No such server, or no such library"),
        (status = 503, description = "The library is not indexed yet"),
    ),
)]
pub(crate) async fn ids(
    State(plane): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, MatchApiError> {
    let asked: MatchIdsRequest = read_up_to(&headers, body, MAX_IDS_BYTES).await?;
    if asked.ids.len() > MAX_IDS {
        return Err(TOO_MANY.into());
    }
    let control = &plane.control;
    let libraries = control.libraries(asked.library.as_deref(), asked.server.as_deref())?;
    let reach = SearchScope::new(libraries, asked.library.is_some())?;
    let found = control.playlists.matching.find_ids(&reach.indexed, asked.ids.clone()).await;
    reach.check(found.is_empty() || found.iter().any(|one| !one.items.is_empty()))?;
    Ok(json_response_blocking(move || ids_response(&reach, &asked.ids, &found)).await)
}

fn ids_response(reach: &SearchScope, asked: &[String], found: &[IdLookupResult]) -> responses::MatchIdsResponse {
    let of = |(id, IdLookupResult { items, overrides: ruled }): (&String, &IdLookupResult)| {
        let confidence = if items.is_empty() { FileMatchConfidence::None } else { FileMatchConfidence::High };
        IdMatchResult {
            id: greenroom_library::external_id::canonical(id),
            confidence: ConfidenceLevel::from_confidence(confidence, reach.is_complete()),
            reasons: reasons(&[""; 0], ruled),
            items: items.iter().map(|placed| MatchedItem::new(&placed.library, &placed.item)).collect(),
        }
    };
    let ids: Vec<IdMatchResult> = asked.iter().zip(found).map(of).collect();
    let count = |sureness| ids.iter().filter(|id| id.confidence == sureness).count();
    responses::MatchIdsResponse {
        libraries: names(&reach.indexed),
        unindexed: reach.pending_libraries(),
        found: count(ConfidenceLevel::High),
        unknown: count(ConfidenceLevel::Unknown),
        ids,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_whole_seconds_or_nothing() {
        assert_eq!(seconds(239.6), Some(240));
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e18] {
            assert_eq!(seconds(odd), None, "{odd}");
        }
    }
}
