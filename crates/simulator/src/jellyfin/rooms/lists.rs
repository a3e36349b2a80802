//! Lists of items in their usual envelope.

use serde_json::Value;

use super::Outcome;
use crate::catalogue::{ItemId, Record, SortKey};
use crate::jellyfin::ask::Ask;
use crate::jellyfin::dto::{self, Fields, Shape, put};
use crate::jellyfin::find::{Asked, Found, find, thing_of, write};
use crate::jellyfin::ident::{Ident, Space};
use crate::jellyfin::library::Library;
use crate::jellyfin::named::Naming;
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::jellyfin::scene::Scene;

/// How many items a list of similar or suggested items has when nobody says.
const FEW: usize = 12;

/// `GET /Items`.
pub(super) fn items(ask: &Ask<'_>) -> Outcome {
    let asked = Asked::read(&ask.params, &ask.house.switches)?;
    let shape = Shape::asked(&ask.params)?;
    let user = ask.user()?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, user);
    allowed(ask, &scene, &asked)?;
    Ok(envelope(ask, &asked, &shape, &scene, find(&scene, &asked)))
}

/// A page in its envelope.
fn envelope(ask: &Ask<'_>, asked: &Asked, shape: &Shape, scene: &Scene<'_>, found: Found) -> Reply {
    let rows: Vec<Value> =
        found.things.into_iter().filter_map(|thing| write(scene, thing, shape)).map(Value::Object).collect();
    paged(ask, rows, asked.count.then_some(found.total), asked.start)
}

/// Rows in their envelope; without a total as the switch says.
pub(super) fn paged(ask: &Ask<'_>, rows: Vec<Value>, total: Option<usize>, start: usize) -> Reply {
    let uncounted = if ask.house.switches.uncounted_is_page { rows.len() } else { 0 };
    let mut fields = Fields::new();
    put(&mut fields, "Items", rows);
    put(&mut fields, "TotalRecordCount", total.unwrap_or(uncounted));
    put(&mut fields, "StartIndex", start);
    Reply::json(fields)
}

/// A library the user may not see is refused.
fn allowed(ask: &Ask<'_>, scene: &Scene<'_>, asked: &Asked) -> Result<(), Refusal> {
    let Some(library) = asked.parent.and_then(Library::of) else { return Ok(()) };
    if library.shown(scene) {
        return Ok(());
    }
    if !ask.house.switches.denied_library_is_401 {
        return Err(Refusal::NotFound);
    }
    let name =
        scene.user.and_then(|user| scene.view.user(user)).map(|user| user.name.as_str()).unwrap_or_default();
    Err(Refusal::NotPermitted(format!("{name} is not permitted to access Library {}.", library.name())))
}

/// Records, written.
pub(super) fn rows(
    scene: &Scene<'_>,
    records: impl IntoIterator<Item = Record>,
    shape: &Shape,
) -> Vec<Value> {
    records.into_iter().map(|record| Value::Object(dto::item(scene, &record, shape))).collect()
}

/// `GET /Items/{id}/Similar`: items of the same kind that share most genres.
pub(super) fn similar(ask: &Ask<'_>, id: ItemId) -> Outcome {
    let user = ask.user()?;
    let shape = Shape::asked(&ask.params)?;
    let limit = ask.params.count("limit")?.unwrap_or(FEW);
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, user);
    let to = scene.record(id).ok_or(Refusal::NotFound)?;
    let mut near: Vec<(usize, Record)> = near_in_id(&scene, &to)
        .into_iter()
        .filter_map(|other| scene.record(other))
        .map(|other| (other.genres.iter().filter(|genre| to.genres.contains(genre)).count(), other))
        .filter(|(shared, _)| *shared > 0 || to.genres.is_empty())
        .collect();
    near.sort_by_key(|(shared, other)| (std::cmp::Reverse(*shared), other.id));
    let total = near.len().min(limit);
    let rows = rows(&scene, near.into_iter().take(limit).map(|(_, other)| other), &shape);
    Ok(paged(ask, rows, Some(total), 0))
}

/// Some hundred items of the same kind around one.
fn near_in_id(scene: &Scene<'_>, to: &Record) -> Vec<ItemId> {
    const AROUND: usize = 200;
    let ids = scene.view.list(to.kind, SortKey::Added);
    let at = ids.iter().position(|id| *id == to.id).unwrap_or(0);
    let from = at.saturating_sub(AROUND);
    ids[from..(at + AROUND).min(ids.len())].iter().copied().filter(|id| *id != to.id).collect()
}

/// `GET /Items/Suggestions`: a few things the user has not played.
pub(super) fn suggestions(ask: &Ask<'_>) -> Outcome {
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
    let asked = Asked::read(&params, &ask.house.switches)?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, Some(user));
    Ok(envelope(ask, &asked, &Shape::asked(&params)?, &scene, find(&scene, &asked)))
}

/// One item, playlist, library, named thing or root, with everything.
pub(super) fn whole(scene: &Scene<'_>, id: Ident, language: &str) -> Option<Fields> {
    let shape = Shape::whole();
    if let Some(library) = Library::of(id) {
        let name = super::libraries::name_for(scene, library, language);
        return library.shown(scene).then(|| dto::library(scene, library, name, &shape));
    }
    if let Some(naming) = Naming::of(id.space) {
        return naming.name_of(scene, id).map(|name| dto::by_name(scene, naming, &name, &shape));
    }
    match id.space {
        Space::Root => Some(dto::root(scene, &shape)),
        _ => thing_of(scene, id).and_then(|thing| write(scene, thing, &shape)),
    }
}
