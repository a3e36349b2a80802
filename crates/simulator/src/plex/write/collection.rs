//! Collections: make, fill, order, delete.

use http::Method;

use super::done;
use super::target::{self, Target};
use crate::catalogue::{ItemId, Kind};
use crate::plex::call::{BAD_REQUEST, NOT_FOUND, No, Order, Outcome, Reply};
use crate::plex::params::Params;
use crate::plex::query::select;
use crate::plex::read::single;

pub(super) fn answer(order: &Order<'_>, path: &[&str]) -> Outcome {
    order.owner_only()?;
    let method = &order.asked.method;
    match path {
        [] if *method == Method::POST => create(order),
        [id, rest @ ..] => {
            let id = collection(order, id)?;
            match (method, rest) {
                (&Method::DELETE, []) => {
                    order.state().write(order.who(), |write| write.delete(id));
                    done()
                }
                (&Method::PUT, ["prefs"]) => super::edit::of_items(order, &id.to_string(), rest),
                (&Method::PUT, []) => super::edit::of_items(order, &id.to_string(), &[]),
                (&Method::PUT | &Method::POST, ["items"]) => add(order, id),
                (&Method::DELETE, ["items" | "children", member]) => remove(order, id, member),
                (&Method::PUT, ["items", member, "move"]) => reorder(order, id, member),
                _ => Err(NOT_FOUND),
            }
        }
        [] => Err(NOT_FOUND),
    }
}

fn collection(order: &Order<'_>, id: &str) -> Result<ItemId, No> {
    let id = order.item(id)?;
    let kind = order.state().view().kind(id);
    if kind == Some(Kind::Collection) { Ok(id) } else { Err(NOT_FOUND) }
}

/// The films an address points at.
fn films(order: &Order<'_>) -> Result<Vec<ItemId>, No> {
    let ids = match target::of_uri(order.params.get("uri").ok_or(BAD_REQUEST)?)? {
        Target::Items(ids) => ids,
        Target::Query(query) => {
            let params = Params::of_query(query.split_once('?').map_or("", |(_, query)| query));
            order.read(|call| select(call, Kind::Film, &params).map(|selection| selection.all()))?
        }
    };
    let view = order.state().view();
    let films: Vec<ItemId> = ids.into_iter().filter(|id| view.kind(*id) == Some(Kind::Film)).collect();
    if films.is_empty() { Err(BAD_REQUEST) } else { Ok(films) }
}

fn create(order: &Order<'_>) -> Outcome {
    let title = order.params.get("title").ok_or(BAD_REQUEST)?.to_owned();
    let members = films(order)?;
    let id = order.state().write(order.who(), |write| write.add_collection(&title, &members));
    Reply::tree(order.read(|call| single(call, id))?)
}

fn members(order: &Order<'_>, id: ItemId) -> Vec<ItemId> {
    order.state().view().children(id)
}

fn add(order: &Order<'_>, id: ItemId) -> Outcome {
    let mut all = members(order, id);
    for film in films(order)? {
        if !all.contains(&film) {
            all.push(film);
        }
    }
    order.state().write(order.who(), |write| write.set_members(id, all));
    Reply::tree(order.read(|call| single(call, id))?)
}

fn remove(order: &Order<'_>, id: ItemId, member: &str) -> Outcome {
    let member = member.parse().map(ItemId).map_err(|_| BAD_REQUEST)?;
    let mut all = members(order, id);
    let at = all.iter().position(|held| *held == member).ok_or(NOT_FOUND)?;
    all.remove(at);
    order.state().write(order.who(), |write| write.set_members(id, all));
    done()
}

fn reorder(order: &Order<'_>, id: ItemId, member: &str) -> Outcome {
    let member = member.parse().map(ItemId).map_err(|_| BAD_REQUEST)?;
    let mut all = members(order, id);
    let at = all.iter().position(|held| *held == member).ok_or(NOT_FOUND)?;
    all.remove(at);
    let after = order.params.number("after").map(ItemId);
    let to = match after {
        None => 0,
        Some(after) => all.iter().position(|held| *held == after).ok_or(NOT_FOUND)? + 1,
    };
    all.insert(to, member);
    order.state().write(order.who(), |write| write.set_members(id, all));
    done()
}
