//! Pins, rejections, and what was confirmed by use.

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

use super::super::Plane;
use super::{NOTHING_ASKED, No, UNKNOWN_ITEM, bytes_up_to, not_indexed, read_up_to};
use crate::error::Problem;
use crate::matching_api::lookup::{MapAsked, TrackAsked, compiled};
use crate::matching_api::responses;
use crate::pagination;
use greenroom_sync::index::Library;
use greenroom_sync::matching::Wanted;
use greenroom_sync::matching::pin::{Ruling, RulingKind, Written};
use greenroom_sync::matching::store::Filter;

/// Longest body of one decision.
const MAX_RULING_BYTES: usize = 64 * 1024;
/// Longest body of decisions to be read in, and most of them.
const MAX_WRITTEN_BYTES: usize = 16 * 1024 * 1024;
const MAX_WRITTEN: usize = 50_000;
/// Decisions of one page.
const PAGE: usize = 500;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchPin)]
struct Pinned {
    library: Option<String>,
    server: Option<String>,
    /// `pin`, or `rejection`.
    kind: Option<RulingKind>,
    /// One of these three: what it is about.
    track: Option<TrackAsked>,
    path: Option<String>,
    id: Option<String>,
    /// Rules for the path, in place of those that are configured.
    maps: Option<Vec<MapAsked>>,
    key: String,
}

/// Pins a track, a path or an id to an item, or says that it is never that one.
#[utoipa::path(
    put,
    path = "/api/v1/match/pins",
    request_body = Pinned,
    responses(
        (status = 200, body = responses::Decided),
        (status = 404, description = "No such server, library or item"),
        (status = 503, description = "The library is not indexed yet"),
        (status = 507, description = "The decision cannot be kept"),
    ),
)]
pub(crate) async fn pin(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<responses::Decided>, No> {
    let pinned: Pinned = read_up_to(&headers, body, MAX_RULING_BYTES).await?;
    let kind = pinned.kind.unwrap_or(RulingKind::Pin);
    if kind == RulingKind::Confirmed {
        // That comes of use alone.
        return Err(Problem::BAD_BODY.into());
    }
    let control = &plane.control;
    let (named, server) = (pinned.library.as_deref(), pinned.server.as_deref());
    let (library, wanted) = match (pinned.track, pinned.path, pinned.id) {
        (Some(track), None, None) => (control.music_library(named, server)?, track.wanted()),
        (None, Some(path), None) => {
            let said = pinned.maps.as_deref().map(compiled).transpose()?;
            let library = holder(&control.libraries(named, server)?, &pinned.key)?;
            let maps = said.as_ref().unwrap_or(&library.server.origin.settings.path_maps);
            let mapped = maps.there(&path).unwrap_or(path);
            (library, Wanted::file(&mapped))
        }
        (None, None, Some(id)) => {
            (holder(&control.libraries(named, server)?, &pinned.key)?, Wanted::named(&id))
        }
        _ => return Err(NOTHING_ASKED.into()),
    };
    let matching = &control.playlists.matching;
    let ruling = matching.rule(&library, kind, wanted, &pinned.key).await?;
    Ok(Json((&ruling).into()))
}

/// The library that has an item with this key.
fn holder(libraries: &[Arc<Library>], key: &str) -> Result<Arc<Library>, No> {
    let has = |library: &&Arc<Library>| {
        library.generation().is_some_and(|generation| generation.snapshot.row_of(key).is_some())
    };
    let awaited: Vec<_> =
        libraries.iter().filter(|library| library.generation().is_none()).cloned().collect();
    match libraries.iter().find(has) {
        Some(library) => Ok(Arc::clone(library)),
        None if awaited.is_empty() => Err(UNKNOWN_ITEM.into()),
        None => Err(not_indexed(&awaited)),
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchDisown)]
struct Absent {
    library: String,
    key: String,
}

/// The server does not have this item, whatever the index says: it is not offered again before the next snapshot.
#[utoipa::path(
    post,
    path = "/api/v1/match/disown",
    request_body = Absent,
    responses(
        (status = 200, body = responses::Done),
        (status = 404, description = "No such library or item"),
        (status = 503, description = "The library is not indexed yet"),
    ),
)]
pub(crate) async fn disown(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<responses::Done>, No> {
    let absent: Absent = read_up_to(&headers, body, MAX_RULING_BYTES).await?;
    let library = plane.control.music_library(Some(&absent.library), None)?;
    // What is not listed cannot be offered, and need not be remembered.
    let library = holder(&[library], &absent.key)?;
    plane.control.playlists.matching.disown(&library, &absent.key).await;
    Ok(Json(responses::Done { success: true }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    library: Option<String>,
    kind: Option<RulingKind>,
    /// Those after the one with this number: "next" of the part before.
    #[serde(default)]
    #[param(required = false)]
    after: i64,
}

/// Which decisions are listed, and how many at a time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Listed {
    /// Those about this library, such as home:3.
    library: Option<String>,
    kind: Option<RulingKind>,
    /// Those after the one with this number: "next" of the part before.
    #[serde(default)]
    #[param(required = false)]
    after: i64,
    /// So many come at most.
    #[serde(default = "page", deserialize_with = "pagination::limit")]
    #[param(required = false, minimum = 1, maximum = 500)]
    limit: usize,
}

fn page() -> usize {
    PAGE
}

impl Asked {
    fn filter(&self) -> Result<Filter, No> {
        let library =
            self.library.as_deref().map(str::parse).transpose().map_err(|()| Problem::UNKNOWN_LIBRARY)?;
        Ok(Filter { library, kind: self.kind })
    }
}

/// Decisions, a page at a time.
#[utoipa::path(
    get,
    path = "/api/v1/match/pins",
    params(Listed),
    responses(
        (status = 200, body = responses::Page),
        (status = 404, description = "No such library"),
        (status = 507, description = "The decisions cannot be read"),
    ),
)]
pub(crate) async fn list(
    State(plane): State<Arc<Plane>>,
    Query(Listed { library, kind, after, limit }): Query<Listed>,
) -> Result<Json<responses::Page>, No> {
    let matching = &plane.control.playlists.matching;
    let rulings = matching.list(Asked { library, kind, after }.filter()?, after, limit).await?;
    let counts = matching.count().await?.into_iter().collect();
    let next = rulings.last().filter(|_| rulings.len() == limit).map(|last| last.id);
    Ok(Json(responses::Page { counts, next, decisions: rulings.iter().map(Into::into).collect() }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchTakeBack)]
struct Gone {
    ids: Vec<i64>,
}

/// Takes decisions back.
#[utoipa::path(
    delete,
    path = "/api/v1/match/pins",
    request_body = Gone,
    responses((status = 200, body = responses::Gone), (status = 507, description = "The change cannot be kept")),
)]
pub(crate) async fn take_back(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<responses::Gone>, No> {
    let gone: Gone = read_up_to(&headers, body, MAX_RULING_BYTES).await?;
    let gone = plane.control.playlists.matching.take_back(gone.ids).await?;
    Ok(Json(responses::Gone { success: true, gone }))
}

/// All decisions, each a line of JSON.
#[utoipa::path(
    get,
    path = "/api/v1/match/decisions",
    params(Asked),
    responses(
        (status = 200, body = String, content_type = "application/x-ndjson"),
        (status = 404, description = "No such library"),
        (status = 507, description = "The decisions cannot be read"),
    ),
)]
pub(crate) async fn write_out(
    State(plane): State<Arc<Plane>>,
    Query(asked): Query<Asked>,
) -> Result<Response, No> {
    let filter = asked.filter()?;
    let matching = Arc::clone(&plane.control.playlists.matching);
    // The first page before the answer begins, so that a failure is one.
    let first = matching.list(filter.clone(), asked.after, PAGE).await?;
    let pages = stream::unfold(Some(first), move |page| {
        let (matching, filter) = (Arc::clone(&matching), filter.clone());
        async move {
            let page: Vec<Ruling> = page.filter(|page| !page.is_empty())?;
            let lines: String = page
                .iter()
                .filter_map(|ruling| serde_json::to_string(&Written::from(ruling)).ok())
                .map(|line| line + "\n")
                .collect();
            let last = page.last().map_or(i64::MAX, |last| last.id);
            match matching.list(filter, last, PAGE).await {
                Ok(next) => Some((Ok(Bytes::from(lines)), Some(next))),
                Err(_) => Some((Err(std::io::Error::other("the decisions cannot be read")), None)),
            }
        }
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(pages)).into_response())
}

/// Reads decisions in that were written out before: all of them, or none.
#[utoipa::path(
    post,
    path = "/api/v1/match/decisions",
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = responses::ReadIn), (status = 507, description = "The decisions cannot be kept")),
)]
pub(crate) async fn read_in(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<responses::ReadIn>, No> {
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
        let one: Written = serde_json::from_slice(line).map_err(|_| No::Line(index + 1))?;
        if one.clone().read().is_none() {
            return Err(No::Line(index + 1));
        }
        written.push(one);
    }
    let kept = plane.control.playlists.matching.read_in(written).await?;
    Ok(Json(responses::ReadIn { success: true, kept }))
}
