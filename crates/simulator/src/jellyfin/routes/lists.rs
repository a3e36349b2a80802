//! Lists of items in their usual envelope.

use http::Method;
use serde_json::{Value, json};

use super::RouteResult;
use crate::catalogue::{ItemId, ItemRecord, MediaKind, SortKey};
use crate::jellyfin::by_name::ByNameKind;
use crate::jellyfin::dto::{self, FieldSelection, JsonFields, put};
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::find::{ItemPage, ItemQuery, find, thing_of, write};
use crate::jellyfin::ident::{IdNamespace, JellyfinId, digest};
use crate::jellyfin::library::JellyfinLibrary;
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::response_context::{ResponseContext, item_id_of};

/// Default length of a list of similar or suggested items.
const FEW: usize = 12;
/// Default number of categories of recommendations, and of items in each.
const CATEGORIES: usize = 5;
const CATEGORY_ITEMS: usize = 8;

/// `GET /Items`.
pub(super) fn items(ask: &JellyfinRequest<'_>) -> RouteResult {
    let asked = ItemQuery::from_params(&ask.params, &ask.server.switches)?;
    let shape = FieldSelection::from_params(&ask.params)?;
    let user = ask.user()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    allowed(ask, &scene, &asked)?;
    Ok(envelope(ask, &asked, &shape, &scene, find(&scene, &asked)))
}

/// A page in its envelope.
fn envelope(
    ask: &JellyfinRequest<'_>,
    asked: &ItemQuery,
    shape: &FieldSelection,
    scene: &ResponseContext<'_>,
    found: ItemPage,
) -> JellyfinResponse {
    let rows: Vec<Value> =
        found.things.into_iter().filter_map(|thing| write(scene, thing, shape)).map(Value::Object).collect();
    paged(ask, rows, asked.count.then_some(found.total), asked.start)
}

/// Rows in their envelope; a missing total depends on the switch.
pub(super) fn paged(
    ask: &JellyfinRequest<'_>,
    rows: Vec<Value>,
    total: Option<usize>,
    start: usize,
) -> JellyfinResponse {
    let uncounted = if ask.server.switches.uncounted_is_page { rows.len() } else { 0 };
    let mut fields = JsonFields::new();
    put(&mut fields, "Items", rows);
    put(&mut fields, "TotalRecordCount", total.unwrap_or(uncounted));
    put(&mut fields, "StartIndex", start);
    JellyfinResponse::json(fields)
}

/// Rejects a library that the user may not see.
fn allowed(ask: &JellyfinRequest<'_>, scene: &ResponseContext<'_>, asked: &ItemQuery) -> Result<(), JellyfinError> {
    let Some(library) = asked.parent.and_then(JellyfinLibrary::from_id) else { return Ok(()) };
    if library.is_visible(scene) {
        return Ok(());
    }
    if !ask.server.switches.denied_library_is_401 {
        return Err(JellyfinError::NotFound);
    }
    let name = scene.user.and_then(|user| scene.view.user(user)).map(|user| user.name.clone()).unwrap_or_default();
    Err(JellyfinError::NotPermitted(format!("{name} is not permitted to access Library {}.", library.name())))
}

/// Records as rows.
pub(super) fn rows(
    scene: &ResponseContext<'_>,
    records: impl IntoIterator<Item = ItemRecord>,
    shape: &FieldSelection,
) -> Vec<Value> {
    records.into_iter().map(|record| Value::Object(dto::item(scene, &record, shape))).collect()
}

/// `GET /Items/{id}/Similar`: items of the same kind that share most genres, or a draw from those that share one.
pub(super) fn similar(ask: &JellyfinRequest<'_>, id: ItemId) -> RouteResult {
    let user = ask.user()?;
    let shape = FieldSelection::from_params(&ask.params)?;
    let limit = ask.params.count("limit")?.unwrap_or(FEW);
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    let to = scene.record(id).ok_or(JellyfinError::NotFound)?;
    let mut near: Vec<(usize, ItemRecord)> = near_in_id(&scene, &to)
        .into_iter()
        .filter_map(|other| scene.record(other))
        .map(|other| (other.genres.iter().filter(|genre| to.genres.contains(genre)).count(), other))
        .filter(|(shared, _)| *shared > 0 || to.genres.is_empty())
        .collect();
    if ask.server.switches.random_similar {
        near.sort_by_cached_key(|(_, other)| digest(&[scene.draw, u64::from(other.id.0)]));
    } else {
        near.sort_by_key(|(shared, other)| (std::cmp::Reverse(*shared), other.id));
    }
    let total = near.len().min(limit);
    let rows = rows(&scene, near.into_iter().take(limit).map(|(_, other)| other), &shape);
    Ok(paged(ask, rows, Some(total), 0))
}

/// Everything below `/Movies`, `/Albums` and `/Trailers`.
pub(super) fn of_kind(ask: &JellyfinRequest<'_>, parts: &[&str]) -> RouteResult {
    match (&ask.method, parts) {
        (&Method::GET, ["movies", "recommendations"]) => recommendations(ask),
        (&Method::GET, [_, id, "similar"]) => {
            similar(ask, item_id_of(JellyfinRequest::id(id)?).ok_or(JellyfinError::NotFound)?)
        }
        _ => Err(JellyfinError::NotFound),
    }
}

/// Some hundred items of the same kind around one.
fn near_in_id(scene: &ResponseContext<'_>, to: &ItemRecord) -> Vec<ItemId> {
    const AROUND: usize = 200;
    let ids = scene.view.list(to.kind, SortKey::Added);
    let at = ids.iter().position(|id| *id == to.id).unwrap_or(0);
    let from = at.saturating_sub(AROUND);
    ids[from..(at + AROUND).min(ids.len())].iter().copied().filter(|id| *id != to.id).collect()
}

/// `GET /Items/Suggestions`: a few items the user has not played.
pub(super) fn suggestions(ask: &JellyfinRequest<'_>) -> RouteResult {
    let user = ask.some_user()?;
    let limit = ask.params.count("limit")?.unwrap_or(FEW);
    let mut params = ask.params.clone();
    for (name, value) in [("isplayed", "false"), ("recursive", "true"), ("sortby", "Random")] {
        params.put_first(name, value);
    }
    if let Some(kinds) = ask.params.text("type") {
        params.put_first("includeitemtypes", kinds);
    }
    params.put_first("limit", &limit.to_string());
    let asked = ItemQuery::from_params(&params, &ask.server.switches)?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, Some(user));
    Ok(envelope(ask, &asked, &FieldSelection::from_params(&params)?, &scene, find(&scene, &asked)))
}

/// `GET /Movies/Recommendations`: films beside some that the user has played, drawn anew at each request.
fn recommendations(ask: &JellyfinRequest<'_>) -> RouteResult {
    let user = ask.some_user()?;
    let shape = FieldSelection::from_params(&ask.params)?;
    let categories = ask.params.count("categorylimit")?.unwrap_or(CATEGORIES);
    let limit = ask.params.count("itemlimit")?.unwrap_or(CATEGORY_ITEMS);
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, Some(user));
    let drawn = |mut ids: Vec<ItemId>, salt: u64| {
        ids.sort_by_cached_key(|id| digest(&[scene.draw, salt, u64::from(id.0)]));
        ids
    };
    let films = view.list(MediaKind::Film, SortKey::Added);
    let played = films.iter().copied().filter(|id| view.watch(user, *id).played()).collect();
    let category = |film: ItemId| {
        let baseline = scene.record(film)?;
        let others = drawn(near_in_id(&scene, &baseline), u64::from(film.0));
        let others = others.into_iter().take(limit).filter_map(|other| scene.record(other));
        Some(json!({
            "Items": rows(&scene, others, &shape),
            "RecommendationType": "SimilarToRecentlyPlayed",
            "BaselineItemName": baseline.title,
            "CategoryId": ResponseContext::hex(film),
        }))
    };
    let found = drawn(played, 0).into_iter().take(categories).filter_map(category);
    Ok(JellyfinResponse::json(found.collect::<Value>()))
}

/// One item, playlist, library, named thing or root, with all fields.
pub(super) fn whole(scene: &ResponseContext<'_>, id: JellyfinId, language: &str) -> Option<JsonFields> {
    let shape = FieldSelection::all();
    if let Some(library) = JellyfinLibrary::from_id(id) {
        let name = super::libraries::name_for(scene, library, language);
        return library.is_visible(scene).then(|| dto::library(scene, library, name, &shape));
    }
    if let Some(naming) = ByNameKind::from_namespace(id.space) {
        return naming.name_of(scene, id).map(|name| dto::by_name(scene, naming, &name, &shape));
    }
    match id.space {
        IdNamespace::Root => Some(dto::root(scene, &shape)),
        _ => thing_of(scene, id).and_then(|thing| write(scene, thing, &shape)),
    }
}
