//! What a user may want to see next: the latest additions, what was left in the middle, the next episodes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Outcome, lists};
use crate::catalogue::{ItemId, Kind, Record, Section, SortKey};
use crate::jellyfin::ask::Ask;
use crate::jellyfin::dto::{self, Shape, put};
use crate::jellyfin::find::{Asked, Type, find, write};
use crate::jellyfin::library::Library;
use crate::jellyfin::params::Params;
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::jellyfin::scene::{Scene, item_of};
use crate::users::UserId;

/// How many of the latest there are when nobody says.
const LATEST: usize = 20;
/// Latest episodes that are looked through to be put together by show.
const LATEST_EPISODES: usize = 300;

/// `GET /Items/Latest`: a bare array.
pub(super) fn latest(ask: &Ask<'_>) -> Outcome {
    let user = ask.some_user()?;
    let shape = Shape::asked(&ask.params)?;
    let limit = ask.params.count("limit")?.unwrap_or(LATEST);
    let asked = Asked::read(&ask.params, &ask.house.switches)?;
    let together = ask.params.flag("groupitems")?.unwrap_or(true);
    let played = ask.params.flag("isplayed")?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, Some(user));
    let library = asked.parent.and_then(Library::of);
    if asked.parent.is_some() && library.is_none() {
        return Ok(Reply::json(Value::Array(Vec::new())));
    }
    let sections =
        scene.sections().into_iter().filter(|section| library.is_none_or(|it| it == Library::Of(*section)));
    let mut rows: Vec<(u64, Value)> = Vec::new();
    for section in sections {
        rows.extend(of_section(
            &scene,
            user,
            section,
            &shape,
            &Wanted { limit, together, played, asked: &asked },
        ));
    }
    rows.sort_by_key(|(added_at, _)| std::cmp::Reverse(*added_at));
    Ok(Reply::json(rows.into_iter().take(limit).map(|(_, row)| row).collect::<Value>()))
}

struct Wanted<'a> {
    limit: usize,
    together: bool,
    played: Option<bool>,
    asked: &'a Asked,
}

fn of_section(
    scene: &Scene<'_>,
    user: UserId,
    section: Section,
    shape: &Shape,
    wanted: &Wanted<'_>,
) -> Vec<(u64, Value)> {
    let kind = match section {
        Section::Films => Kind::Film,
        Section::Shows => Kind::Episode,
        Section::Music if wanted.together => Kind::Album,
        Section::Music => Kind::Track,
    };
    let kind_wanted = wanted.asked.wants(Type::Item(kind))
        || (kind == Kind::Album && wanted.asked.wants(Type::Item(Kind::Track)));
    if !kind_wanted {
        return Vec::new();
    }
    // What was played is left out unless it is asked for, and what does not count as played never is.
    let unseen = wanted.played.unwrap_or(false);
    let fits = |id: &ItemId| !kind.plays() || scene.view.watch(user, *id).played() == unseen;
    let ids = scene.view.list(kind, SortKey::Added);
    let newest = ids.iter().rev().copied().filter(fits);
    if kind == Kind::Episode && wanted.together {
        return by_show(scene, newest.take(LATEST_EPISODES), shape, wanted.limit);
    }
    let records = newest.take(wanted.limit).filter_map(|id| scene.record(id));
    records.map(|record| (record.added_at, Value::Object(dto::item(scene, &record, shape)))).collect()
}

/// Several new episodes of a show stand for it together.
fn by_show(
    scene: &Scene<'_>,
    newest: impl Iterator<Item = ItemId>,
    shape: &Shape,
    limit: usize,
) -> Vec<(u64, Value)> {
    let mut shows: Vec<(ItemId, Vec<Record>)> = Vec::new();
    for record in newest.filter_map(|id| scene.record(id)) {
        let show = record.grandparent.as_ref().map_or(record.id, |show| show.id);
        match shows.iter().position(|(known, _)| *known == show) {
            Some(at) => shows[at].1.push(record),
            None if shows.len() < limit => shows.push((show, vec![record])),
            None => {}
        }
    }
    let row = |(show, episodes): (ItemId, Vec<Record>)| {
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
pub(super) fn resume(ask: &Ask<'_>) -> Outcome {
    let user = ask.some_user()?;
    let mut params: Params = ask.params.clone();
    for (name, value) in [("recursive", "true"), ("sortby", "DatePlayed"), ("sortorder", "Descending")] {
        params.put_first(name, value);
    }
    params.put_first("filters", "IsResumable");
    let asked = Asked::read(&params, &ask.house.switches)?;
    let shape = Shape::asked(&params)?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, Some(user));
    let found = find(&scene, &asked);
    let rows = found.things.into_iter().filter_map(|thing| write(&scene, thing, &shape));
    Ok(lists::paged(ask, rows.map(Value::Object).collect(), asked.count.then_some(found.total), asked.start))
}

/// `GET /Shows/NextUp`: of each show the user began, the episode after the last one played.
pub(super) fn next_up(ask: &Ask<'_>) -> Outcome {
    let user = ask.some_user()?;
    let shape = Shape::asked(&ask.params)?;
    let start = ask.params.count("startindex")?.unwrap_or(0);
    let limit = ask.params.count("limit")?.unwrap_or(usize::MAX);
    let count = ask.params.flag("enabletotalrecordcount")?.unwrap_or(true);
    let resumable = ask.params.flag("enableresumable")?.unwrap_or(true);
    let only = match ask.params.text("seriesid") {
        Some(show) => Some(item_of(Ask::id(show)?).ok_or(Refusal::NotFound)?),
        None => None,
    };
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, Some(user));
    let mut next: Vec<(u64, Record)> = begun(&scene, user)
        .into_iter()
        .filter(|(show, _)| only.is_none_or(|only| only == *show))
        .filter_map(|(show, last_at)| Some((last_at, after_last(&scene, user, show, resumable)?)))
        .collect();
    next.sort_by_key(|(last_at, record)| (std::cmp::Reverse(*last_at), record.id));
    let total = next.len();
    let page = next.into_iter().skip(start).take(limit).map(|(_, record)| record);
    Ok(lists::paged(ask, lists::rows(&scene, page, &shape), count.then_some(total), start))
}

/// The shows a user has played something of, and when last.
fn begun(scene: &Scene<'_>, user: UserId) -> BTreeMap<ItemId, u64> {
    let mut shows = BTreeMap::new();
    for (id, watch) in scene.view.watches(user) {
        if scene.view.kind(id) != Some(Kind::Episode) || !watch.played() || !scene.sees(Section::Shows) {
            continue;
        }
        if let Some(show) = scene.view.parent(id).and_then(|season| scene.view.parent(season)) {
            let last: &mut u64 = shows.entry(show).or_default();
            *last = (*last).max(watch.last_viewed_at.unwrap_or(0));
        }
    }
    shows
}

fn after_last(scene: &Scene<'_>, user: UserId, show: ItemId, resumable: bool) -> Option<Record> {
    let episodes = scene.view.leaves(show);
    let last = episodes.iter().rposition(|id| scene.view.watch(user, *id).played())?;
    let next =
        episodes[last + 1..].iter().find(|id| resumable || scene.view.watch(user, **id).offset_ms == 0)?;
    scene.record(*next)
}
