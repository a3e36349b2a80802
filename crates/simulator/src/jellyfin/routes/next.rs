//! Items to play next: the latest additions, resumable items, next episodes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{RouteResult, lists, user_configuration};
use crate::catalogue::{ItemId, ItemRecord, MediaKind, Section, SortKey};
use crate::jellyfin::dto::{self, FieldSelection, put};
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::find::{ItemQuery, ItemType, find, write};
use crate::jellyfin::library::JellyfinLibrary;
use crate::jellyfin::params::JellyfinParams;
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::response_context::{ResponseContext, item_id_of};
use crate::timestamp;
use crate::users::UserId;

/// Default number of latest items.
const LATEST: usize = 20;
/// Latest episodes that are grouped by show.
const LATEST_EPISODES: usize = 300;
/// Seconds of a day.
const DAY_S: u64 = 86_400;

/// `GET /Items/Latest`: a bare array.
pub(super) fn latest(ask: &JellyfinRequest<'_>) -> RouteResult {
    let user = ask.some_user()?;
    let shape = FieldSelection::from_params(&ask.params)?;
    let limit = ask.params.count("limit")?.unwrap_or(LATEST);
    let asked = ItemQuery::from_params(&ask.params, &ask.server.switches)?;
    let together = ask.params.flag("groupitems")?.unwrap_or(true);
    let rules = user_configuration::latest_rules(ask, user);
    let played = ask.params.flag("isplayed")?.or(rules.hide_played.then_some(false));
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, Some(user));
    let library = asked.parent.and_then(JellyfinLibrary::from_id);
    if asked.parent.is_some() && library.is_none() {
        return Ok(JellyfinResponse::json(Value::Array(Vec::new())));
    }
    let sections = scene.sections().into_iter().filter(|section| match library {
        Some(library) => library == JellyfinLibrary::Section(*section),
        None => !rules.excluded.contains(&JellyfinLibrary::Section(*section).id()),
    });
    let mut rows: Vec<(u64, Value)> = Vec::new();
    for section in sections {
        rows.extend(latest_in_section(
            &scene,
            user,
            section,
            &shape,
            &NextUpQuery { limit, together, played, asked: &asked },
        ));
    }
    rows.sort_by_key(|(added_at, _)| std::cmp::Reverse(*added_at));
    Ok(JellyfinResponse::json(rows.into_iter().take(limit).map(|(_, row)| row).collect::<Value>()))
}

struct NextUpQuery<'a> {
    limit: usize,
    together: bool,
    played: Option<bool>,
    asked: &'a ItemQuery,
}

fn latest_in_section(
    scene: &ResponseContext<'_>,
    user: UserId,
    section: Section,
    shape: &FieldSelection,
    wanted: &NextUpQuery<'_>,
) -> Vec<(u64, Value)> {
    let kind = match section {
        Section::Films => MediaKind::Film,
        Section::Shows => MediaKind::Episode,
        Section::Music if wanted.together => MediaKind::Album,
        Section::Music => MediaKind::Track,
    };
    let kind_wanted = wanted.asked.wants(ItemType::Item(kind))
        || (kind == MediaKind::Album && wanted.asked.wants(ItemType::Item(MediaKind::Track)));
    if !kind_wanted {
        return Vec::new();
    }
    // Unplayable kinds are never left out.
    let fits = |id: &ItemId| {
        let played = || scene.view.watch(user, *id).played();
        !kind.is_playable() || wanted.played.is_none_or(|wanted| wanted == played())
    };
    let ids = scene.view.list(kind, SortKey::Added);
    let newest = ids.iter().rev().copied().filter(fits);
    if kind == MediaKind::Episode && wanted.together {
        return by_show(scene, newest.take(LATEST_EPISODES), shape, wanted.limit);
    }
    let records = newest.take(wanted.limit).filter_map(|id| scene.record(id));
    records.map(|record| (record.added_at, Value::Object(dto::item(scene, &record, shape)))).collect()
}

/// Groups several new episodes of a show.
fn by_show(
    scene: &ResponseContext<'_>,
    newest: impl Iterator<Item = ItemId>,
    shape: &FieldSelection,
    limit: usize,
) -> Vec<(u64, Value)> {
    let mut shows: Vec<(ItemId, Vec<ItemRecord>)> = Vec::new();
    for record in newest.filter_map(|id| scene.record(id)) {
        let show = record.grandparent.as_ref().map_or(record.id, |show| show.id);
        match shows.iter().position(|(known, _)| *known == show) {
            Some(at) => shows[at].1.push(record),
            None if shows.len() < limit => shows.push((show, vec![record])),
            None => {}
        }
    }
    let row = |(show, episodes): (ItemId, Vec<ItemRecord>)| {
        let newest = episodes.first()?;
        let added_at = newest.added_at;
        let stands = if episodes.len() > 1 { scene.record(show)? } else { newest.clone() };
        let mut fields = dto::item(scene, &stands, shape);
        if episodes.len() > 1 {
            put(&mut fields, "ChildCount", episodes.len());
        }
        Some((added_at, Value::Object(fields)))
    };
    shows.into_iter().filter_map(row).collect()
}

/// `GET /UserItems/Resume`.
pub(super) fn resume(ask: &JellyfinRequest<'_>) -> RouteResult {
    let user = ask.some_user()?;
    let mut params: JellyfinParams = ask.params.clone();
    for (name, value) in [("recursive", "true"), ("sortby", "DatePlayed"), ("sortorder", "Descending")] {
        params.put_first(name, value);
    }
    params.put_first("filters", "IsResumable");
    let asked = ItemQuery::from_params(&params, &ask.server.switches)?;
    let shape = FieldSelection::from_params(&params)?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, Some(user));
    let found = find(&scene, &asked);
    let rows = found.things.into_iter().filter_map(|thing| write(&scene, thing, &shape));
    Ok(lists::paged(ask, rows.map(Value::Object).collect(), asked.count.then_some(found.total), asked.start))
}

/// `GET /Shows/NextUp`: for each started show, the episode after the last one played. A cutoff leaves out shows whose
/// last play was before it, or on a day that began before it.
pub(super) fn next_up(ask: &JellyfinRequest<'_>) -> RouteResult {
    let user = ask.some_user()?;
    let shape = FieldSelection::from_params(&ask.params)?;
    let start = ask.params.count("startindex")?.unwrap_or(0);
    let limit = ask.params.count("limit")?.unwrap_or(usize::MAX);
    let count = ask.params.flag("enabletotalrecordcount")?.unwrap_or(true);
    let resumable = ask.params.flag("enableresumable")?.unwrap_or(true);
    let cutoff_s = match ask.params.text("nextupdatecutoff") {
        Some(date) => timestamp::read(date).ok_or_else(|| JellyfinError::invalid("nextUpDateCutoff"))? / 1_000,
        None => 0,
    };
    let only = match ask.params.text("seriesid") {
        Some(show) => Some(item_id_of(JellyfinRequest::id(show)?).ok_or(JellyfinError::NotFound)?),
        None => None,
    };
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, Some(user));
    let step_s = if ask.server.switches.cutoff_is_moment { 1 } else { DAY_S };
    let mut next: Vec<(u64, ItemRecord)> = started_shows(&scene, user)
        .into_iter()
        .filter(|(show, last_at)| only.is_none_or(|only| only == *show) && last_at - last_at % step_s >= cutoff_s)
        .filter_map(|(show, last_at)| Some((last_at, after_last(&scene, user, show, resumable)?)))
        .collect();
    next.sort_by_key(|(last_at, record)| (std::cmp::Reverse(*last_at), record.id));
    let total = next.len();
    let page = next.into_iter().skip(start).take(limit).map(|(_, record)| record);
    Ok(lists::paged(ask, lists::rows(&scene, page, &shape), count.then_some(total), start))
}

/// The user's started shows, with the time of the last play.
fn started_shows(scene: &ResponseContext<'_>, user: UserId) -> BTreeMap<ItemId, u64> {
    let mut shows = BTreeMap::new();
    for (id, watch) in scene.view.watches(user) {
        if scene.view.kind(id) != Some(MediaKind::Episode) || !watch.played() || !scene.sees(Section::Shows) {
            continue;
        }
        if let Some(show) = scene.view.parent(id).and_then(|season| scene.view.parent(season)) {
            let last: &mut u64 = shows.entry(show).or_default();
            *last = (*last).max(watch.last_viewed_at.unwrap_or(0));
        }
    }
    shows
}

fn after_last(scene: &ResponseContext<'_>, user: UserId, show: ItemId, resumable: bool) -> Option<ItemRecord> {
    let episodes = scene.view.leaves(show);
    let last = episodes.iter().rposition(|id| scene.view.watch(user, *id).played())?;
    let next = episodes[last + 1..].iter().find(|id| resumable || scene.view.watch(user, **id).offset_ms == 0)?;
    scene.record(*next)
}
