//! Artists, genres, studios, people and years.

use http::Method;
use serde_json::Value;

use super::{RouteResult, images, lists};
use crate::catalogue::MediaKind;
use crate::jellyfin::by_name::ByNameKind;
use crate::jellyfin::dto::{self, FieldSelection, JsonFields, put};
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::find::{ItemQuery, ItemType, SortDirection, find, write};
use crate::jellyfin::library::JellyfinLibrary;
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::response_context::ResponseContext;

/// Everything below `/Artists`, `/Genres`, `/MusicGenres`, `/Studios`, `/Persons` and `/Years`.
pub(super) fn answer(ask: &JellyfinRequest<'_>, parts: &[&str]) -> RouteResult {
    if ask.method != Method::GET {
        return Err(JellyfinError::WrongMethod);
    }
    match parts {
        ["artists"] | ["artists", "albumartists"] => artists(ask),
        ["artists", name] => artist(ask, name),
        ["artists", _, "similar"] => lists::of_kind(ask, parts),
        ["genres" | "musicgenres"] => list(ask, ByNameKind::Genre),
        ["studios"] => list(ask, ByNameKind::Studio),
        ["persons"] => list(ask, ByNameKind::Person),
        ["years"] => list(ask, ByNameKind::Year),
        ["genres" | "musicgenres", name] => one(ask, ByNameKind::Genre, name),
        ["studios", name] => one(ask, ByNameKind::Studio, name),
        ["persons", name] => one(ask, ByNameKind::Person, name),
        ["years", year] => one(ask, ByNameKind::Year, year),
        ["genres" | "musicgenres", name, "images", rest @ ..] => images::by_name(ask, ByNameKind::Genre.id(name), rest),
        ["studios", name, "images", rest @ ..] => images::by_name(ask, ByNameKind::Studio.id(name), rest),
        ["persons", name, "images", rest @ ..] => images::by_name(ask, ByNameKind::Person.id(name), rest),
        _ => Err(JellyfinError::NotFound),
    }
}

fn artists(ask: &JellyfinRequest<'_>) -> RouteResult {
    let mut asked = ItemQuery::from_params(&ask.params, &ask.server.switches)?;
    (asked.recursive, asked.types, asked.excluded_types) = (true, vec![ItemType::Item(MediaKind::Artist)], Vec::new());
    // Genres of the whole library are on artists; those of another library are not theirs.
    if asked
        .parent
        .and_then(JellyfinLibrary::from_id)
        .is_some_and(|library| !library.kinds().contains(&MediaKind::Artist))
    {
        return Ok(lists::paged(ask, Vec::new(), Some(0), asked.start));
    }
    let shape = FieldSelection::from_params(&ask.params)?;
    let user = ask.user()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    let found = find(&scene, &asked);
    let rows = found.things.into_iter().filter_map(|thing| write(&scene, thing, &shape)).map(Value::Object);
    Ok(lists::paged(ask, rows.collect(), asked.count.then_some(found.total), asked.start))
}

/// `GET /Artists/{name}`.
fn artist(ask: &JellyfinRequest<'_>, name: &str) -> RouteResult {
    let user = ask.user()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    let ids = view.list(MediaKind::Artist, crate::catalogue::SortKey::Title);
    let found = ids.iter().find(|id| view.title(**id).is_some_and(|title| title.to_lowercase() == name));
    let record = found.and_then(|id| scene.record(*id)).ok_or(JellyfinError::NotFound)?;
    Ok(JellyfinResponse::json(dto::item(&scene, &record, &FieldSelection::all())))
}

fn one(ask: &JellyfinRequest<'_>, naming: ByNameKind, name: &str) -> RouteResult {
    let user = ask.user()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    let known = naming.name_of(&scene, naming.id(name)).ok_or(JellyfinError::NotFound)?;
    Ok(JellyfinResponse::json(dto::by_name(&scene, naming, &known, &FieldSelection::all())))
}

/// A page of all names on the requested items, in order.
fn list(ask: &JellyfinRequest<'_>, naming: ByNameKind) -> RouteResult {
    let asked = ItemQuery::from_params(&ask.params, &ask.server.switches)?;
    let shape = FieldSelection::from_params(&ask.params)?;
    let user = ask.user()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    let fits = |name: &str| {
        let name = name.to_lowercase();
        asked.search.as_ref().is_none_or(|term| name.contains(term.as_str()))
            && asked.starts_with.as_ref().is_none_or(|start| name.starts_with(start.as_str()))
            && asked.from_name.as_ref().is_none_or(|from| name.as_str() >= from.as_str())
            && asked.below_name.as_ref().is_none_or(|below| name.as_str() < below.as_str())
    };
    let names = naming.all(&scene, &kinds(&asked, naming));
    let mut names: Vec<(String, usize)> = names.into_iter().filter(|(name, _)| fits(name)).collect();
    if asked.sort.first().is_some_and(|(_, order)| *order == SortDirection::Descending) {
        names.reverse();
    }
    let total = names.len();
    let page = names.into_iter().skip(asked.start).take(asked.limit.unwrap_or(usize::MAX));
    let rows = page.map(|(name, count)| Value::Object(row(&scene, naming, &name, count, &shape)));
    Ok(lists::paged(ask, rows.collect(), asked.count.then_some(total), asked.start))
}

fn row(
    scene: &ResponseContext<'_>,
    naming: ByNameKind,
    name: &str,
    count: usize,
    shape: &FieldSelection,
) -> JsonFields {
    let mut fields = dto::by_name(scene, naming, name, shape);
    if shape.has("ItemCounts") || shape.has("ChildCount") {
        put(&mut fields, "ChildCount", count);
    }
    fields
}

/// Kinds of items whose names are requested.
fn kinds(asked: &ItemQuery, naming: ByNameKind) -> Vec<MediaKind> {
    let library = asked.parent.and_then(JellyfinLibrary::from_id);
    let within = |kind: &MediaKind| library.is_none_or(|library| library.kinds().contains(kind));
    if asked.types.is_empty() {
        return naming.usual_kinds().iter().copied().filter(within).collect();
    }
    MediaKind::EVERY.into_iter().filter(|kind| asked.wants(ItemType::Item(*kind)) && within(kind)).collect()
}
