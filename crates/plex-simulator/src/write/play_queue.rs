//! Play queues: create, fill, order, empty.

use http::Method;

use super::target::{self, WriteTarget};
use crate::play_queues::{PlayQueue, QueueChange};
use crate::read::{contents, play_queue_row, selected_by};
use crate::request::{BAD_REQUEST, NOT_FOUND, PlexError, PlexReadRequest, PlexResponse, PlexResult, PlexWriteRequest};
use greenroom_simulator_backend::catalogue::ItemId;

pub(super) fn answer(order: &PlexWriteRequest<'_>, path: &[&str]) -> PlexResult {
    let method = &order.request.method;
    let [id, rest @ ..] = path else {
        return if *method == Method::POST { create(order) } else { Err(NOT_FOUND) };
    };
    let id = id.parse().map_err(|_| BAD_REQUEST)?;
    let entry = |text: &str| text.parse().map_err(|_| BAD_REQUEST);
    let change = match (method, rest) {
        (&Method::PUT, []) => {
            let (items, _) = source(order)?;
            QueueChange::Add { items, next: order.params.flag("next") }
        }
        (&Method::DELETE, ["items"]) => QueueChange::Clear,
        (&Method::DELETE, ["items", held]) => QueueChange::Remove(entry(held)?),
        (&Method::PUT, ["items", held, "move"]) => {
            QueueChange::Move { entry: entry(held)?, after: order.params.number("after") }
        }
        (&Method::PUT, ["reset"]) => QueueChange::Reset,
        (&Method::PUT, ["shuffle"]) => QueueChange::Shuffle,
        (&Method::PUT, ["unshuffle"]) => QueueChange::Unshuffle,
        _ => return Err(NOT_FOUND),
    };
    let queue = order.server.play_queues.change(order.user_id(), id, &change).ok_or(NOT_FOUND)?;
    queue_response(order, &queue)
}

fn queue_response(order: &PlexWriteRequest<'_>, queue: &PlayQueue) -> PlexResult {
    PlexResponse::tree(order.read(|call| play_queue_row(call, queue)))
}

fn create(order: &PlexWriteRequest<'_>) -> PlexResult {
    if !matches!(order.params.get("type"), Some("audio" | "video" | "photo")) {
        return Err(BAD_REQUEST);
    }
    let (named, source) = source(order)?;
    let items =
        if order.params.flag("continuous") { order.read(|call| whole_show(call, &named)) } else { named.clone() };
    let first =
        order.params.get("key").and_then(|key| key.rsplit('/').next()).and_then(|id| id.parse().ok()).map(ItemId);
    let first = first.or(named.first().copied());
    let start = items.iter().position(|item| Some(*item) == first).unwrap_or(0);
    let queues = &order.server.play_queues;
    let mut queue = queues.create(order.user_id(), source, &items, start);
    if order.params.flag("shuffle") {
        queue = queues.change(order.user_id(), queue.id, &QueueChange::Shuffle).ok_or(NOT_FOUND)?;
    }
    queue_response(order, &queue)
}

/// The items that a request names by `uri` or `playlistID`, and how it names them.
fn source(order: &PlexWriteRequest<'_>) -> Result<(Vec<ItemId>, String), PlexError> {
    let (items, source) = match (order.params.get("uri"), order.params.number("playlistID").map(ItemId)) {
        (Some(uri), _) => {
            let items = match target::parse_uri(uri)? {
                WriteTarget::Items(ids) => order.read(|call| target::playable(call, &ids)),
                WriteTarget::Query(query) => order.read(|call| selected_by(call, &query)),
            };
            (items, uri.to_owned())
        }
        (None, Some(id)) => {
            let items = order.read(|call| {
                let playlist = call.view.playlist(id).filter(|playlist| playlist.is_visible_to(call.user.id));
                playlist.map(|playlist| contents(call, playlist).into_iter().map(|entry| entry.item).collect())
            });
            (items.ok_or(NOT_FOUND)?, format!("/playlists/{id}/items"))
        }
        (None, None) => return Err(BAD_REQUEST),
    };
    if items.is_empty() { Err(BAD_REQUEST) } else { Ok((items, source)) }
}

/// All episodes of the show of a single episode; other items as they are.
fn whole_show(call: &PlexReadRequest<'_>, items: &[ItemId]) -> Vec<ItemId> {
    let show = match items {
        [only] => call.view.record(*only).and_then(|record| record.grandparent).map(|show| show.id),
        _ => None,
    };
    show.map_or_else(|| items.to_vec(), |show| call.view.leaves(show))
}
