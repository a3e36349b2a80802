//! Artists, genres, studios, people and years.

use http::Method;
use serde_json::Value;

use super::{Outcome, lists};
use crate::catalogue::Kind;
use crate::jellyfin::ask::Ask;
use crate::jellyfin::dto::{self, Fields, Shape, put};
use crate::jellyfin::find::{Asked, Order, Type, find, write};
use crate::jellyfin::library::Library;
use crate::jellyfin::named::Naming;
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::jellyfin::scene::Scene;

/// Everything below `/Artists`, `/Genres`, `/MusicGenres`, `/Studios`, `/Persons` and `/Years`.
pub(super) fn answer(ask: &Ask<'_>, parts: &[&str]) -> Outcome {
    if ask.method != Method::GET {
        return Err(Refusal::WrongMethod);
    }
    match parts {
        ["artists"] | ["artists", "albumartists"] => artists(ask),
        ["artists", name] => artist(ask, name),
        ["genres" | "musicgenres"] => list(ask, Naming::Genre),
        ["studios"] => list(ask, Naming::Studio),
        ["persons"] => list(ask, Naming::Person),
        ["years"] => list(ask, Naming::Year),
        ["genres" | "musicgenres", name] => one(ask, Naming::Genre, name),
        ["studios", name] => one(ask, Naming::Studio, name),
        ["persons", name] => one(ask, Naming::Person, name),
        ["years", year] => one(ask, Naming::Year, year),
        _ => Err(Refusal::NotFound),
    }
}

fn artists(ask: &Ask<'_>) -> Outcome {
    let mut asked = Asked::read(&ask.params, &ask.house.switches)?;
    (asked.recursive, asked.types, asked.excluded_types) = (true, vec![Type::Item(Kind::Artist)], Vec::new());
    // Genres of the whole library lie on artists; those of another library are none of theirs.
    if asked.parent.and_then(Library::of).is_some_and(|library| !library.kinds().contains(&Kind::Artist)) {
        return Ok(lists::paged(ask, Vec::new(), Some(0), asked.start));
    }
    let shape = Shape::asked(&ask.params)?;
    let user = ask.user()?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, user);
    let found = find(&scene, &asked);
    let rows = found.things.into_iter().filter_map(|thing| write(&scene, thing, &shape)).map(Value::Object);
    Ok(lists::paged(ask, rows.collect(), asked.count.then_some(found.total), asked.start))
}

/// `GET /Artists/{name}`.
fn artist(ask: &Ask<'_>, name: &str) -> Outcome {
    let user = ask.user()?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, user);
    let ids = view.list(Kind::Artist, crate::catalogue::SortKey::Title);
    let found = ids.iter().find(|id| view.title(**id).is_some_and(|title| title.to_lowercase() == name));
    let record = found.and_then(|id| scene.record(*id)).ok_or(Refusal::NotFound)?;
    Ok(Reply::json(dto::item(&scene, &record, &Shape::whole())))
}

fn one(ask: &Ask<'_>, naming: Naming, name: &str) -> Outcome {
    let user = ask.user()?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, user);
    let known = naming.name_of(&scene, naming.id(name)).ok_or(Refusal::NotFound)?;
    Ok(Reply::json(dto::by_name(&scene, naming, &known, &Shape::whole())))
}

/// Every name on the items asked about, in order, cut to a page.
fn list(ask: &Ask<'_>, naming: Naming) -> Outcome {
    let asked = Asked::read(&ask.params, &ask.house.switches)?;
    let shape = Shape::asked(&ask.params)?;
    let user = ask.user()?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, user);
    let fits = |name: &str| {
        let name = name.to_lowercase();
        asked.search.as_ref().is_none_or(|term| name.contains(term.as_str()))
            && asked.starts_with.as_ref().is_none_or(|start| name.starts_with(start.as_str()))
            && asked.from_name.as_ref().is_none_or(|from| name.as_str() >= from.as_str())
            && asked.below_name.as_ref().is_none_or(|below| name.as_str() < below.as_str())
    };
    let names = naming.all(&scene, &kinds(&asked, naming));
    let mut names: Vec<(String, usize)> = names.into_iter().filter(|(name, _)| fits(name)).collect();
    if asked.sort.first().is_some_and(|(_, order)| *order == Order::Descending) {
        names.reverse();
    }
    let total = names.len();
    let page = names.into_iter().skip(asked.start).take(asked.limit.unwrap_or(usize::MAX));
    let rows = page.map(|(name, count)| Value::Object(row(&scene, naming, &name, count, &shape)));
    Ok(lists::paged(ask, rows.collect(), asked.count.then_some(total), asked.start))
}

fn row(scene: &Scene<'_>, naming: Naming, name: &str, count: usize, shape: &Shape) -> Fields {
    let mut fields = dto::by_name(scene, naming, name, shape);
    if shape.has("ItemCounts") || shape.has("ChildCount") {
        put(&mut fields, "ChildCount", count);
    }
    fields
}

/// The kinds of items whose names are wanted.
fn kinds(asked: &Asked, naming: Naming) -> Vec<Kind> {
    let library = asked.parent.and_then(Library::of);
    let within = |kind: &Kind| library.is_none_or(|library| library.kinds().contains(kind));
    if asked.types.is_empty() {
        return naming.usual_kinds().iter().copied().filter(within).collect();
    }
    Kind::EVERY.into_iter().filter(|kind| asked.wants(Type::Item(*kind)) && within(kind)).collect()
}
