//! Collections: create, fill, order, delete.

use http::Method;

use super::done;
use super::target::{self, WriteTarget};
use crate::params::PlexParams;
use crate::query::select;
use crate::read::single;
use crate::request::{BAD_REQUEST, NOT_FOUND, PlexError, PlexResponse, PlexResult, PlexWriteRequest};
use greenroom_simulator_backend::catalogue::{ItemId, MediaKind};

pub(super) fn answer(order: &PlexWriteRequest<'_>, path: &[&str]) -> PlexResult {
    order.owner_only()?;
    let method = &order.request.method;
    match path {
        [] if *method == Method::POST => create(order),
        [id, rest @ ..] => {
            let id = collection(order, id)?;
            match (method, rest) {
                (&Method::DELETE, []) => {
                    order.state().write(order.user_id(), |write| write.delete(id));
                    done()
                }
                (&Method::PUT, ["prefs"]) => super::edit::edit_items(order, &id.to_string(), rest),
                (&Method::PUT, []) => super::edit::edit_items(order, &id.to_string(), &[]),
                (&Method::PUT | &Method::POST, ["items"]) => add(order, id),
                (&Method::DELETE, ["items" | "children", member]) => remove(order, id, member),
                (&Method::PUT, ["items", member, "move"]) => reorder(order, id, member),
                _ => Err(NOT_FOUND),
            }
        }
        [] => Err(NOT_FOUND),
    }
}

fn collection(order: &PlexWriteRequest<'_>, id: &str) -> Result<ItemId, PlexError> {
    let id = order.item(id)?;
    let kind = order.state().view().kind(id);
    if kind == Some(MediaKind::Collection) { Ok(id) } else { Err(NOT_FOUND) }
}

/// The films of an address.
fn films(order: &PlexWriteRequest<'_>) -> Result<Vec<ItemId>, PlexError> {
    let ids = match target::parse_uri(order.params.get("uri").ok_or(BAD_REQUEST)?)? {
        WriteTarget::Items(ids) => ids,
        WriteTarget::Query(query) => {
            let params = PlexParams::from_query(query.split_once('?').map_or("", |(_, query)| query));
            order.read(|call| select(call, MediaKind::Film, &params).map(|selection| selection.all()))?
        }
    };
    let view = order.state().view();
    let films: Vec<ItemId> = ids.into_iter().filter(|id| view.kind(*id) == Some(MediaKind::Film)).collect();
    if films.is_empty() { Err(BAD_REQUEST) } else { Ok(films) }
}

fn create(order: &PlexWriteRequest<'_>) -> PlexResult {
    let title = order.params.get("title").ok_or(BAD_REQUEST)?.to_owned();
    let members = films(order)?;
    let id = order.state().write(order.user_id(), |write| write.add_collection(&title, &members));
    PlexResponse::tree(order.read(|call| single(call, id))?)
}

fn members(order: &PlexWriteRequest<'_>, id: ItemId) -> Vec<ItemId> {
    order.state().view().children(id)
}

fn add(order: &PlexWriteRequest<'_>, id: ItemId) -> PlexResult {
    let mut all = members(order, id);
    for film in films(order)? {
        if !all.contains(&film) {
            all.push(film);
        }
    }
    order.state().write(order.user_id(), |write| write.set_members(id, all));
    PlexResponse::tree(order.read(|call| single(call, id))?)
}

fn remove(order: &PlexWriteRequest<'_>, id: ItemId, member: &str) -> PlexResult {
    let member = member.parse().map(ItemId).map_err(|_| BAD_REQUEST)?;
    let mut all = members(order, id);
    let at = all.iter().position(|held| *held == member).ok_or(NOT_FOUND)?;
    all.remove(at);
    order.state().write(order.user_id(), |write| write.set_members(id, all));
    done()
}

fn reorder(order: &PlexWriteRequest<'_>, id: ItemId, member: &str) -> PlexResult {
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
    order.state().write(order.user_id(), |write| write.set_members(id, all));
    done()
}
