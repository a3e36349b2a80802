//! Tracks, paths and names: which items are meant.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use greenroom_library::files::{Case, Confidence, PathMaps, Rule};
use greenroom_library::tracks::{Decision, Policy, Reason};
use http::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::Plane;
use super::{LIVE_NEEDS_TOKEN, No, Reach, TOO_MANY, not_indexed, read_up_to, written};
use crate::auth::middleware::Admitted;
use crate::matching_api::responses;
use crate::matching_api::responses::{Candidate, FoundId, FoundPath, PlacedItem, Shown, Sureness, Verdict};
use greenroom_sync::index;
use greenroom_sync::index::{Library, LibraryId};
use greenroom_sync::matching::path_lookup::{IdFound, PathAsked, PathFound, Placed, Ruled};
use greenroom_sync::matching::{Found, Live, Resolved, Wanted};

/// Longest body, and most of what one call asks for.
const MAX_TRACKS_BYTES: usize = 8 * 1024 * 1024;
const MAX_TRACKS: usize = 10_000;
const MAX_PATHS_BYTES: usize = 16 * 1024 * 1024;
const MAX_PATHS: usize = 50_000;
const MAX_IDS_BYTES: usize = 8 * 1024 * 1024;
const MAX_IDS: usize = 50_000;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchTracks)]
pub(crate) struct Tracks {
    library: Option<String>,
    server: Option<String>,
    policy: Option<String>,
    live: Option<LiveAsked>,
    tracks: Vec<TrackAsked>,
}

/// `true`, or how many searches there may be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = MatchLive)]
enum LiveAsked {
    Switch(bool),
    UpTo(usize),
}

/// One track.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchTrack)]
pub(super) struct TrackAsked {
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
    /// What whoever asks calls it.
    source_id: Option<String>,
}

impl TrackAsked {
    pub(super) fn wanted(self) -> Wanted {
        let Self { title, mut artist, artists, album, duration_s, mut ids, source_id } = self;
        if artist.is_empty() {
            artist = artists.join(", ");
        }
        ids.extend(source_id.as_deref().map(Wanted::source_name));
        let duration_s = duration_s.and_then(seconds);
        Wanted { title, artist, artists, album, duration_s, ids, path: String::new() }
    }
}

/// Whole seconds; nothing that is none.
fn seconds(seconds: f64) -> Option<u32> {
    let is_length = seconds.is_finite() && seconds > 0.0 && seconds < f64::from(u32::MAX);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within bounds")]
    is_length.then_some(seconds.round() as u32)
}

/// Which tracks are meant.
#[utoipa::path(
    post,
    path = "/api/v1/match/tracks",
    request_body = Tracks,
    responses(
        (status = 200, body = responses::Tracks),
        (status = 404, description = "No such server, or no such library"),
        (status = 503, description = "The library is not indexed yet"),
    ),
)]
pub(crate) async fn tracks(
    State(plane): State<Arc<Plane>>,
    Extension(admitted): Extension<Admitted>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, No> {
    let asked: Tracks = read_up_to(&headers, body, MAX_TRACKS_BYTES).await?;
    if asked.tracks.len() > MAX_TRACKS {
        return Err(TOO_MANY.into());
    }
    let policy = policy(asked.policy.as_deref())?;
    let live = match asked.live {
        None | Some(LiveAsked::Switch(false) | LiveAsked::UpTo(0)) => Live::Off,
        Some(_) if !admitted.may_change => return Err(LIVE_NEEDS_TOKEN.into()),
        Some(LiveAsked::Switch(true)) => Live::UpTo(usize::MAX),
        Some(LiveAsked::UpTo(most)) => Live::UpTo(most),
    };
    let control = &plane.control;
    let library = control.music_library(asked.library.as_deref(), asked.server.as_deref())?;
    let wanted: Vec<Wanted> = asked.tracks.into_iter().map(TrackAsked::wanted).collect();
    let (generation, resolved) =
        control.playlists.matching.resolve_with(&library, &wanted, policy, live).await;
    let Some(generation) = generation else {
        library.look_up();
        return Err(not_indexed(&[library]));
    };
    let age_ms = control.clock.now_ms().saturating_sub(generation.taken_at_ms);
    let answer = move || {
        let count = |decision: Decision| resolved.iter().filter(|one| one.decision == decision).count();
        responses::Tracks {
            library: library.id.to_string(),
            generation: generation.number,
            taken_at_ms: generation.taken_at_ms,
            age_s: age_ms / 1000,
            state: library.state(),
            stale: library.state() != index::State::Current,
            accepted: count(Decision::Accept),
            review: count(Decision::Review),
            rejected: count(Decision::Reject),
            tracks: resolved.iter().map(|one| verdict(&library.id, one)).collect(),
        }
    };
    Ok(written(answer).await)
}

fn policy(word: Option<&str>) -> Result<Policy, No> {
    match word {
        None | Some("strict") => Ok(Policy::Strict),
        Some("prefer-version-else-any") => Ok(Policy::PreferVersionElseAny),
        Some("ids-only") => Ok(Policy::IdsOnly),
        Some(_) => Err(crate::error::Problem::BAD_BODY.into()),
    }
}

fn verdict(library: &LibraryId, resolved: &Resolved) -> Verdict {
    let best = resolved.found.first();
    let decided = resolved.source.reason();
    let words = |found: &Found| -> Vec<&'static str> {
        decided.map_or_else(|| found.reasons.iter().map(Reason::word).collect(), |(word, _)| vec![word])
    };
    let why =
        |found: &Found| decided.map_or_else(|| why(&found.reasons), |(_, sentence)| sentence.to_owned());
    let candidate = |found: &Found| Candidate {
        item: Shown::of(library, &found.item),
        score: score(found.score),
        reasons: words(found),
        why: why(found),
    };
    Verdict {
        decision: resolved.decision.into(),
        source: resolved.source,
        item: resolved.accepted().map(|item| Shown::of(library, item)),
        score: best.map(|best| score(best.score)),
        runner_up: resolved.found.get(1).map(|second| score(second.score)),
        margin: score(resolved.margin),
        reasons: best.map(words).unwrap_or_default(),
        why: best.map(why),
        candidates: resolved.found.iter().map(candidate).collect(),
    }
}

fn score(score: f32) -> f64 {
    (f64::from(score) * 1000.0).round() / 1000.0
}

/// The reasons in words for people.
fn why(reasons: &[Reason]) -> String {
    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchPaths)]
pub(crate) struct Paths {
    library: Option<String>,
    server: Option<String>,
    case: Option<String>,
    maps: Option<Vec<MapAsked>>,
    paths: Vec<PathOr>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PathMap)]
pub(super) struct MapAsked {
    from: String,
    to: String,
}

/// A path alone, or with what else is known of the file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = MatchPath)]
enum PathOr {
    Path(String),
    Known(KnownPath),
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchKnownPath)]
struct KnownPath {
    path: String,
    size_bytes: Option<u64>,
    duration_s: Option<f64>,
}

/// Which items files belong to.
#[utoipa::path(
    post,
    path = "/api/v1/match/paths",
    request_body = Paths,
    responses(
        (status = 200, body = responses::Paths),
        (status = 404, description = "No such server, or no such library"),
        (status = 503, description = "The library is not indexed yet"),
    ),
)]
pub(crate) async fn paths(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, No> {
    let asked: Paths = read_up_to(&headers, body, MAX_PATHS_BYTES).await?;
    if asked.paths.len() > MAX_PATHS {
        return Err(TOO_MANY.into());
    }
    let case = match asked.case.as_deref() {
        None | Some("exact") => Case::Exact,
        Some("ignore") => Case::Ignore,
        Some(_) => return Err(crate::error::Problem::BAD_BODY.into()),
    };
    let said = asked.maps.as_deref().map(compiled).transpose()?;
    let control = &plane.control;
    let libraries = control.libraries(asked.library.as_deref(), asked.server.as_deref())?;
    let reach = Reach::of(libraries, asked.library.is_some())?;
    let maps = said.unwrap_or_else(|| {
        reach
            .indexed
            .first()
            .map(|library| library.server.origin.settings.path_maps.clone())
            .unwrap_or_default()
    });
    let maps = Arc::new(maps);
    let paths: Vec<PathAsked> = asked.paths.into_iter().map(path).collect();
    let found = control.playlists.matching.find_paths(&reach.indexed, paths, Arc::clone(&maps), case).await;
    reach.check(found.is_empty() || found.iter().any(|one| one.confidence == Confidence::High))?;
    Ok(written(move || paths_answer(&reach, &found, &maps)).await)
}

/// The rules that are said with a call.
pub(super) fn compiled(maps: &[MapAsked]) -> Result<PathMaps, No> {
    PathMaps::new(maps.iter().map(|map| Rule { from: &map.from, to: &map.to })).map_err(No::Map)
}

fn paths_answer(reach: &Reach, found: &[PathFound], maps: &PathMaps) -> responses::Paths {
    let listed = |placed: &[Placed]| -> Vec<PlacedItem> {
        let show = |placed: &Placed| PlacedItem {
            item: Shown::of(&placed.library, &placed.item),
            reasons: placed.reasons.iter().map(ToString::to_string).collect(),
            mapped_files: placed.item.files.iter().filter_map(|file| maps.back(&file.path)).collect(),
        };
        placed.iter().map(show).collect()
    };
    let of = |one: &PathFound| FoundPath {
        confidence: Sureness::of(one.confidence, reach.is_whole()),
        key: one.items.first().map(|placed| placed.item.key.to_string()),
        reasons: reasons(&one.reasons, &one.ruled),
        items: listed(&one.items),
        candidates: listed(&one.candidates),
    };
    let paths: Vec<FoundPath> = found.iter().map(of).collect();
    let count = |sureness| paths.iter().filter(|path| path.confidence == sureness).count();
    responses::Paths {
        libraries: names(&reach.indexed),
        unindexed: reach.awaited(),
        high: count(Sureness::High),
        low: count(Sureness::Low),
        none: count(Sureness::None),
        unknown: count(Sureness::Unknown),
        paths,
    }
}

/// The words for why, and for what somebody decided.
fn reasons(reasons: &[impl ToString], ruled: &[Ruled]) -> Vec<String> {
    reasons.iter().map(ToString::to_string).chain(ruled.iter().map(|ruled| ruled.word().to_owned())).collect()
}

fn names(libraries: &[Arc<Library>]) -> Vec<String> {
    libraries.iter().map(|library| library.id.to_string()).collect()
}

fn path(asked: PathOr) -> PathAsked {
    match asked {
        PathOr::Path(path) => PathAsked { path, ..PathAsked::default() },
        PathOr::Known(KnownPath { path, size_bytes, duration_s }) => {
            PathAsked { path, size_bytes, duration_s: duration_s.and_then(seconds) }
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchIds)]
pub(crate) struct Ids {
    library: Option<String>,
    server: Option<String>,
    ids: Vec<String>,
}

/// Which items have names.
#[utoipa::path(
    post,
    path = "/api/v1/match/ids",
    request_body = Ids,
    responses(
        (status = 200, body = responses::Ids),
        (status = 404, description = "No such server, or no such library"),
        (status = 503, description = "The library is not indexed yet"),
    ),
)]
pub(crate) async fn ids(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, No> {
    let asked: Ids = read_up_to(&headers, body, MAX_IDS_BYTES).await?;
    if asked.ids.len() > MAX_IDS {
        return Err(TOO_MANY.into());
    }
    let control = &plane.control;
    let libraries = control.libraries(asked.library.as_deref(), asked.server.as_deref())?;
    let reach = Reach::of(libraries, asked.library.is_some())?;
    let found = control.playlists.matching.find_ids(&reach.indexed, asked.ids.clone()).await;
    reach.check(found.is_empty() || found.iter().any(|one| !one.items.is_empty()))?;
    Ok(written(move || ids_answer(&reach, &asked.ids, &found)).await)
}

fn ids_answer(reach: &Reach, asked: &[String], found: &[IdFound]) -> responses::Ids {
    let of = |(id, IdFound { items, ruled }): (&String, &IdFound)| {
        let confidence = if items.is_empty() { Confidence::None } else { Confidence::High };
        FoundId {
            id: greenroom_library::guid::canonical(id),
            confidence: Sureness::of(confidence, reach.is_whole()),
            reasons: reasons(&[""; 0], ruled),
            items: items.iter().map(|placed| Shown::of(&placed.library, &placed.item)).collect(),
        }
    };
    let ids: Vec<FoundId> = asked.iter().zip(found).map(of).collect();
    let count = |sureness| ids.iter().filter(|id| id.confidence == sureness).count();
    responses::Ids {
        libraries: names(&reach.indexed),
        unindexed: reach.awaited(),
        found: count(Sureness::High),
        unknown: count(Sureness::Unknown),
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
