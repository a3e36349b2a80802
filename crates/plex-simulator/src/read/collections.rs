//! Collections and their items.

use super::listing::paged;
use super::{image, metadata, nothing};
use crate::query::ItemSelection;
use crate::request::{BAD_REQUEST, NOT_FOUND, PlexReadRequest, PlexResult};
use greenroom_simulator_backend::catalogue::{ItemId, MediaKind};

pub(super) fn answer(call: &PlexReadRequest<'_>, id: &str, path: &[&str]) -> PlexResult {
    let id = id.parse().map(ItemId).map_err(|_| BAD_REQUEST)?;
    let record = call.record(id)?;
    if record.kind != MediaKind::Collection {
        return Err(NOT_FOUND);
    }
    match path {
        [] => metadata::several(call, &[id]),
        ["children" | "items"] => {
            paged(call, record.section, MediaKind::Film, &ItemSelection::from_ids(call.view.children(id)))
        }
        ["composite" | "thumb" | "art", ..] => image::item_image(call, &record, path[0]),
        _ => nothing(),
    }
}
