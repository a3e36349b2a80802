//! Playlists: create, fill, order, rename, delete.

use http::Method;

use super::done;
use super::target::{self, WriteTarget};
use crate::node::Node;
use crate::read::{contents, playlist_row};
use crate::request::{BAD_REQUEST, NOT_FOUND, PlexError, PlexResponse, PlexResult, PlexWriteRequest};
use greenroom_simulator_backend::catalogue::ItemId;

pub(super) fn answer(order: &PlexWriteRequest<'_>, path: &[&str]) -> PlexResult {
    let method = &order.request.method;
    match path {
        [] if *method == Method::POST => create(order),
        ["upload"] if *method == Method::POST => upload(order),
        [id, rest @ ..] => {
            let id = own(order, id)?;
            match (method, rest) {
                (&Method::PUT, []) => edit(order, id),
                (&Method::DELETE, []) => {
                    order.state().write(order.user_id(), |write| write.delete_playlist(id));
                    done()
                }
                (&Method::PUT | &Method::POST, ["items"]) => add(order, id),
                (&Method::DELETE, ["items"]) => {
                    order.state().write(order.user_id(), |write| write.empty_playlist(id));
                    playlist_response(order, id, None)
                }
                (&Method::DELETE, ["items", entry]) => remove(order, id, entry),
                (&Method::PUT, ["items", entry, "move"]) => reorder(order, id, entry),
                (&Method::POST | &Method::PUT, ["posters" | "arts"]) => {
                    order.state().write(order.user_id(), |write| write.edit_playlist(id, |_| {}));
                    done()
                }
                _ => Err(NOT_FOUND),
            }
        }
        [] => Err(NOT_FOUND),
    }
}

/// A playlist of this user's own.
fn own(order: &PlexWriteRequest<'_>, id: &str) -> Result<ItemId, PlexError> {
    let id = id.parse().map(ItemId).map_err(|_| BAD_REQUEST)?;
    let view = order.state().view();
    let owned = view.playlist(id).is_some_and(|playlist| playlist.owner == order.user_id());
    if owned { Ok(id) } else { Err(NOT_FOUND) }
}

/// The playlist as a row: the response of most writes to it.
fn playlist_response(order: &PlexWriteRequest<'_>, id: ItemId, added: Option<(usize, usize)>) -> PlexResult {
    let row = order.read(|call| call.view.playlist(id).map(|playlist| playlist_row(call, playlist)));
    let mut node = Node::new("MediaContainer").set("size", 1);
    if let Some((requested, taken)) = added {
        node = node.set("leafCountAdded", taken).set("leafCountRequested", requested);
    }
    PlexResponse::tree(node.with(row.ok_or(NOT_FOUND)?))
}

fn create(order: &PlexWriteRequest<'_>) -> PlexResult {
    let title = order.params.get("title").unwrap_or("New Playlist").to_owned();
    let medium = match order.params.get("type").unwrap_or("audio") {
        "audio" => "audio",
        "video" => "video",
        _ => return Err(BAD_REQUEST),
    };
    let target = match order.params.get("uri") {
        Some(uri) => target::parse_uri(uri)?,
        None => WriteTarget::Items(Vec::new()),
    };
    let id = match target {
        WriteTarget::Items(ids) => {
            let items = order.read(|call| target::playable(call, &ids));
            if items.is_empty() && !ids.is_empty() {
                return Err(BAD_REQUEST);
            }
            order.state().write(order.user_id(), |write| write.create_playlist(&title, medium, &items))
        }
        WriteTarget::Query(query) => order.state().write(order.user_id(), |write| {
            let id = write.create_playlist(&title, medium, &[]);
            write.edit_playlist(id, |playlist| playlist.smart = Some(query));
            id
        }),
    };
    playlist_response(order, id, None)
}

/// Imports a list of files on the server's disk: a playlist of those in the library.
fn upload(order: &PlexWriteRequest<'_>) -> PlexResult {
    let path = order.params.get("path").ok_or(BAD_REQUEST)?;
    let name = path.rsplit('/').next().unwrap_or(path);
    let title = name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
    order.state().write(order.user_id(), |write| write.create_playlist(&title, "audio", &[]));
    done()
}

fn add(order: &PlexWriteRequest<'_>, id: ItemId) -> PlexResult {
    let uri = order.params.get("uri").ok_or(BAD_REQUEST)?;
    match target::parse_uri(uri)? {
        WriteTarget::Items(ids) => {
            let mut items = order.read(|call| target::playable(call, &ids));
            let requested = items.len();
            if requested == 0 {
                return Err(NOT_FOUND);
            }
            if order.server.switches.playlist_takes_one {
                items.truncate(1);
            }
            order.state().write(order.user_id(), |write| write.append_to_playlist(id, &items));
            playlist_response(order, id, Some((requested, items.len())))
        }
        WriteTarget::Query(query) => {
            order
                .state()
                .write(order.user_id(), |write| write.edit_playlist(id, |playlist| playlist.smart = Some(query)));
            playlist_response(order, id, None)
        }
    }
}

fn remove(order: &PlexWriteRequest<'_>, id: ItemId, entry: &str) -> PlexResult {
    let entry = entry.parse().map_err(|_| BAD_REQUEST)?;
    let removed = order.state().write(order.user_id(), |write| write.remove_from_playlist(id, &[entry]));
    if removed { playlist_response(order, id, None) } else { Err(NOT_FOUND) }
}

/// Moves an entry behind another, or to the top.
fn reorder(order: &PlexWriteRequest<'_>, id: ItemId, entry: &str) -> PlexResult {
    let entry: u64 = entry.parse().map_err(|_| BAD_REQUEST)?;
    let after: Option<u64> = order.params.number("after");
    let others: Vec<u64> = order.read(|call| {
        let playlist = call.view.playlist(id);
        let entries = playlist.map(|playlist| contents(call, playlist)).unwrap_or_default();
        entries.into_iter().map(|held| held.id).filter(|held| *held != entry).collect()
    });
    let to = match after {
        None => 0,
        Some(after) => others.iter().position(|held| *held == after).ok_or(NOT_FOUND)? + 1,
    };
    let moved = order.state().write(order.user_id(), |write| write.move_in_playlist(id, entry, to));
    if moved { playlist_response(order, id, None) } else { Err(NOT_FOUND) }
}

fn edit(order: &PlexWriteRequest<'_>, id: ItemId) -> PlexResult {
    let said = |name: &str| {
        let params = &order.params;
        params.get(&format!("{name}.value")).or_else(|| params.get(name)).map(str::to_owned)
    };
    let (title, summary) = (said("title"), said("summary"));
    order.state().write(order.user_id(), |write| {
        write.edit_playlist(id, |playlist| {
            if let Some(title) = title {
                playlist.title = title;
            }
            if let Some(summary) = summary {
                playlist.summary = summary;
            }
        });
    });
    done()
}
