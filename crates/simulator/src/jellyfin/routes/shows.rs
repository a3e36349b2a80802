//! `/Shows`: seasons and episodes of a show, and next episodes.

use http::Method;
use serde_json::Value;

use super::{RouteResult, lists, next};
use crate::catalogue::{ItemId, ItemRecord, MediaKind};
use crate::jellyfin::dto::FieldSelection;
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::find::{ItemQuery, find, write};
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response_context::{ResponseContext, item_id_of};
use crate::timestamp::written;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// Everything below `/Shows`.
pub(super) fn answer(ask: &JellyfinRequest<'_>, rest: &[&str]) -> RouteResult {
    match (&ask.method, rest) {
        (&Method::GET, ["nextup"]) => next::next_up(ask),
        (&Method::GET, ["upcoming"]) => upcoming(ask),
        (&Method::GET, [show, "seasons"]) => seasons(ask, show),
        (&Method::GET, [show, "episodes"]) => episodes(ask, show),
        (&Method::GET, [show, "similar"]) => {
            lists::similar(ask, item_id_of(JellyfinRequest::id(show)?).ok_or(JellyfinError::NotFound)?)
        }
        _ => Err(JellyfinError::NotFound),
    }
}

/// `GET /Shows/Upcoming`: episodes released yesterday, today or later, first released first. The total is the length of
/// the page.
fn upcoming(ask: &JellyfinRequest<'_>) -> RouteResult {
    let user = ask.user()?;
    let yesterday_ms = (ask.now_ms - ask.now_ms % DAY_MS).saturating_sub(DAY_MS);
    let mut params = ask.params.clone();
    for (name, value) in [
        ("includeitemtypes", "Episode"),
        ("recursive", "true"),
        ("sortby", "PremiereDate,SortName"),
        ("sortorder", "Ascending"),
        ("minpremieredate", written(yesterday_ms).as_str()),
    ] {
        params.put_first(name, value);
    }
    let asked = ItemQuery::from_params(&params, &ask.server.switches)?;
    let shape = FieldSelection::from_params(&params)?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    let found = find(&scene, &asked).things.into_iter();
    let rows: Vec<Value> = found.filter_map(|thing| write(&scene, thing, &shape)).map(Value::Object).collect();
    let total = rows.len();
    Ok(lists::paged(ask, rows, Some(total), asked.start))
}

fn seasons(ask: &JellyfinRequest<'_>, show: &str) -> RouteResult {
    let user = ask.user()?;
    let shape = FieldSelection::from_params(&ask.params)?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    let show = show_of(&scene, show)?;
    let rows = lists::rows(&scene, below(&scene, &[show.id]), &shape);
    let total = rows.len();
    Ok(lists::paged(ask, rows, Some(total), 0))
}

fn episodes(ask: &JellyfinRequest<'_>, show: &str) -> RouteResult {
    let user = ask.user()?;
    let shape = FieldSelection::from_params(&ask.params)?;
    let start = ask.params.count("startindex")?.unwrap_or(0);
    let limit = ask.params.count("limit")?.unwrap_or(usize::MAX);
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    let show = show_of(&scene, show)?;
    let mut episodes = below(&scene, &wanted_seasons(ask, &scene, &show)?);
    if let Some(first) = ask.params.text("startitemid") {
        let first = item_id_of(JellyfinRequest::id(first)?).ok_or(JellyfinError::NotFound)?;
        let skipped = episodes.iter().position(|episode| episode.id == first).unwrap_or(0);
        episodes.drain(..skipped);
    }
    if let Some(middle) = ask.params.text("adjacentto") {
        let middle = item_id_of(JellyfinRequest::id(middle)?).ok_or(JellyfinError::NotFound)?;
        let at = episodes.iter().position(|episode| episode.id == middle);
        let around = at.map_or(0..0, |at| at.saturating_sub(1)..(at + 2).min(episodes.len()));
        episodes = episodes.drain(around).collect();
    }
    let total = episodes.len();
    let rows = lists::rows(&scene, episodes.into_iter().skip(start).take(limit), &shape);
    Ok(lists::paged(ask, rows, Some(total), start))
}

/// Seasons whose episodes are requested: one by id, one by number, or all.
fn wanted_seasons(
    ask: &JellyfinRequest<'_>,
    scene: &ResponseContext<'_>,
    show: &ItemRecord,
) -> Result<Vec<ItemId>, JellyfinError> {
    if let Some(season) = ask.params.text("seasonid") {
        let season = item_id_of(JellyfinRequest::id(season)?).ok_or(JellyfinError::NotFound)?;
        let exists = scene.view.kind(season) == Some(MediaKind::Season);
        return if exists { Ok(vec![season]) } else { Err(JellyfinError::NotFound) };
    }
    let number = ask.params.count("season")?.and_then(|number| u32::try_from(number).ok());
    let seasons = below(scene, &[show.id]).into_iter();
    Ok(seasons.filter(|season| number.is_none() || season.index == number).map(|season| season.id).collect())
}

fn show_of(scene: &ResponseContext<'_>, id: &str) -> Result<ItemRecord, JellyfinError> {
    let record = item_id_of(JellyfinRequest::id(id)?).and_then(|item| scene.record(item));
    record.filter(|record| record.kind == MediaKind::Show).ok_or(JellyfinError::NotFound)
}

fn below(scene: &ResponseContext<'_>, above: &[ItemId]) -> Vec<ItemRecord> {
    above.iter().flat_map(|id| scene.view.children(*id)).filter_map(|id| scene.record(id)).collect()
}
