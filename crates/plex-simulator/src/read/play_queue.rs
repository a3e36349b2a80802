//! `/playQueues/7`: a window of a play queue.

use super::{container, nothing};
use crate::node::Node;
use crate::play_queues::PlayQueue;
use crate::request::{BAD_REQUEST, NOT_FOUND, PlexReadRequest, PlexResponse, PlexResult};
use crate::rows::item::{self, RowDetail};
use crate::server::{LIBRARY, MEDIA_TAG_PREFIX, MEDIA_TAG_VERSION};

/// Entries on each side of the center, unless requested otherwise.
const WINDOW: usize = 50;

pub(super) fn answer(call: &PlexReadRequest<'_>, path: &[&str]) -> PlexResult {
    let [id] = path else { return nothing() };
    let id = id.parse().map_err(|_| BAD_REQUEST)?;
    let queue = call.server.play_queues.get(call.user.id, id).ok_or(NOT_FOUND)?;
    PlexResponse::tree(row(call, &queue))
}

/// The requested window of a queue: the response of every read and write of it.
pub(crate) fn row(call: &PlexReadRequest<'_>, queue: &PlayQueue) -> Node {
    let center = call.params.number("center").and_then(|entry| queue.position(entry)).unwrap_or(queue.offset());
    let window = call.params.number("window").unwrap_or(WINDOW);
    let first = if is_off(call, "includeBefore") { center + 1 } else { center.saturating_sub(window) };
    let end = if is_off(call, "includeAfter") { center } else { center.saturating_add(window).saturating_add(1) };
    let form = RowDetail { section: true, ..RowDetail::listed(call) };
    let shown = queue.entries.iter().take(end).skip(first);
    let rows: Vec<Node> = shown
        .filter_map(|entry| {
            Some(item::row(call, &call.view.record(entry.item)?, form).set("playQueueItemID", entry.id))
        })
        .collect();
    let selected = queue.entries.get(queue.offset());
    container(rows.len())
        .set("identifier", LIBRARY)
        .set("mediaTagPrefix", MEDIA_TAG_PREFIX)
        .set("mediaTagVersion", MEDIA_TAG_VERSION)
        .set("playQueueID", queue.id)
        .maybe("playQueueLastAddedItemID", queue.last_added.map(|entry| entry.to_string()))
        .set("playQueueSelectedItemID", queue.selected)
        .set("playQueueSelectedItemOffset", queue.offset())
        .maybe("playQueueSelectedMetadataItemID", selected.map(|entry| entry.item.0))
        .set("playQueueShuffled", queue.natural_order.is_some())
        .set("playQueueSourceURI", &queue.source)
        .set("playQueueTotalCount", queue.entries.len())
        .set("playQueueVersion", queue.version)
        .with_all(rows)
}

fn is_off(call: &PlexReadRequest<'_>, name: &str) -> bool {
    matches!(call.params.get(name), Some("0" | "false"))
}
