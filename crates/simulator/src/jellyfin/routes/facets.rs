//! Values by which a list can be filtered.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::RouteResult;
use crate::catalogue::{MediaKind, SortKey};
use crate::jellyfin::by_name::ByNameKind;
use crate::jellyfin::dto::name_and_id;
use crate::jellyfin::find::{ItemQuery, ItemType};
use crate::jellyfin::library::JellyfinLibrary;
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::response_context::ResponseContext;

/// `GET /Items/Filters`: plain values.
pub(super) fn filters(ask: &JellyfinRequest<'_>) -> RouteResult {
    let facets = gather(ask)?;
    Ok(JellyfinResponse::json(json!({
        "Genres": facets.genres,
        "Tags": facets.tags,
        "OfficialRatings": facets.ratings,
        "Years": facets.years,
    })))
}

/// `GET /Items/Filters2`: genres with their ids.
pub(super) fn filters2(ask: &JellyfinRequest<'_>) -> RouteResult {
    let facets = gather(ask)?;
    let genres: Vec<Value> =
        facets.genres.iter().map(|genre| name_and_id(genre, ByNameKind::Genre.id(genre))).collect();
    Ok(JellyfinResponse::json(json!({"Genres": genres, "Tags": facets.tags})))
}

#[derive(Default)]
struct Facets {
    genres: BTreeSet<String>,
    tags: BTreeSet<String>,
    ratings: BTreeSet<String>,
    years: BTreeSet<u16>,
}

fn gather(ask: &JellyfinRequest<'_>) -> Result<Facets, crate::jellyfin::error::JellyfinError> {
    let asked = ItemQuery::from_params(&ask.params, &ask.server.switches)?;
    let user = ask.user()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    let mut facets = Facets::default();
    for kind in kinds(&scene, &asked) {
        for id in view.list(kind, SortKey::Added).iter() {
            let Some(record) = view.record(*id) else { continue };
            facets.genres.extend(record.genres);
            facets.tags.extend(record.labels);
            facets.ratings.extend(record.content_rating);
            facets.years.extend(record.year);
        }
    }
    Ok(facets)
}

/// Requested kinds; by default the top-level kinds of each library.
fn kinds(scene: &ResponseContext<'_>, asked: &ItemQuery) -> Vec<MediaKind> {
    let library = asked.parent.and_then(JellyfinLibrary::from_id);
    let within =
        |kind: &MediaKind| scene.sees(kind.section()) && library.is_none_or(|library| library.kinds().contains(kind));
    let usual = [MediaKind::Film, MediaKind::Show, MediaKind::Album, MediaKind::Artist];
    let wanted = |kind: &MediaKind| {
        if asked.types.is_empty() { usual.contains(kind) } else { asked.wants(ItemType::Item(*kind)) }
    };
    MediaKind::EVERY.into_iter().filter(wanted).filter(within).collect()
}
