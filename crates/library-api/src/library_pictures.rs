//! Signed links to the posters and covers of a library's items, for the page.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use greenroom_control::ControlPlane;
use greenroom_control::blocking::run_blocking;
use greenroom_control::error::Problem;
use greenroom_control::state::ApiState;
use greenroom_proxy::server::Server;
use greenroom_sync::index::{LibraryId, PicturedItem};

/// Max keys of one request. It is no setting, because clients know it from the API's description, and the page asks in
/// parts of this size. Requests for more are counted.
const MAX_KEYS: usize = 100;
/// Pictures that stand for a library: one row of the page's layout. It limits no client: a request may name keys.
const SAMPLES: usize = 6;

const BAD_KEYS: Problem = Problem {
    status: StatusCode::BAD_REQUEST,
    code: "bad-query",
    title: "Invalid query",
    detail: "The only parameter is keys: at most 100 keys of items, separated by commas.",
};

/// Items whose pictures are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PicturesParams {
    /// Keys of items, separated by commas, at most 100; without it, a few items from all over the library.
    keys: Option<String>,
}

/// Links to pictures.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LibraryPictures)]
pub(super) struct PicturesResponse {
    /// Items that the index does not hold are left out.
    pictures: Vec<PictureLink>,
}

/// The link to the picture of an item.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LibraryPicture)]
struct PictureLink {
    /// The key that was given, or the item's.
    key: String,
    /// Title of what the picture shows: the album of a track, the show of an episode.
    title: String,
    /// A signed link that expires.
    picture: String,
}

/// Links to the posters and covers of items.
#[utoipa::path(get, path = "/api/v1/libraries/{id}/pictures", params(
    ("id" = String, Path, description = "Such as home:3"), PicturesParams), responses(
    (status = 200, description = "The links", body = PicturesResponse),
    (status = 400, description = "Invalid query"),
    (status = 404, description = "No such library")))]
pub(super) async fn links(
    State(state): State<Arc<ApiState>>,
    Path(id): Path<String>,
    params: Result<Query<PicturesParams>, QueryRejection>,
) -> Result<Json<PicturesResponse>, Problem> {
    let Query(params) = params.map_err(|_| BAD_KEYS)?;
    let keys = params.keys.as_deref().map(split);
    if keys.as_ref().is_some_and(|keys| keys.len() > MAX_KEYS) {
        state.control.picture_refusals.fetch_add(1, Ordering::Relaxed);
        return Err(BAD_KEYS);
    }
    let id: LibraryId = id.parse().map_err(|()| Problem::UNKNOWN_LIBRARY)?;
    let library = state.control.playlists.libraries.find(&id).ok_or(Problem::UNKNOWN_LIBRARY)?;
    let Some(generation) = library.generation() else { return Ok(Json(PicturesResponse { pictures: Vec::new() })) };
    let items: Vec<(String, PicturedItem)> = run_blocking(move || match keys {
        Some(keys) => {
            let found = keys.into_iter().map(|key| (generation.pictured_item(&key), key));
            found.filter_map(|(item, key)| Some((key, item?))).collect()
        }
        None => generation.sample_pictures(SAMPLES).into_iter().map(|item| (item.key.to_string(), item)).collect(),
    })
    .await;
    let links = items.into_iter().filter_map(|(key, item)| link(&state.control, &library.server, key, &item));
    Ok(Json(PicturesResponse { pictures: links.collect() }))
}

fn split(keys: &str) -> Vec<String> {
    keys.split(',').filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

fn link(control: &ControlPlane, server: &Server, key: String, item: &PicturedItem) -> Option<PictureLink> {
    let path = item.poster_path(server.origin.settings.kind)?;
    let picture = control.image_url_signer.sign_own_page_url(server, &path, control.clock.now())?;
    Some(PictureLink { key, title: item.title.to_string(), picture })
}
