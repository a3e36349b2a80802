//! Collections and what is in them.

use super::listing::paged;
use super::{image, metadata, nothing};
use crate::catalogue::{ItemId, Kind};
use crate::plex::call::{BAD_REQUEST, Call, NOT_FOUND, Outcome};
use crate::plex::query::Selection;

pub(super) fn answer(call: &Call<'_>, id: &str, path: &[&str]) -> Outcome {
    let id = id.parse().map(ItemId).map_err(|_| BAD_REQUEST)?;
    let record = call.record(id)?;
    if record.kind != Kind::Collection {
        return Err(NOT_FOUND);
    }
    match path {
        [] => metadata::several(call, &[id]),
        ["children" | "items"] => {
            paged(call, record.section, Kind::Film, &Selection::of(call.view.children(id)))
        }
        ["composite" | "thumb" | "art", ..] => image::of_item(call, &record, path[0]),
        _ => nothing(),
    }
}
