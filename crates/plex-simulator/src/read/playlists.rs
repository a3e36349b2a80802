//! `/playlists`: playlists and their items.

use super::listing::{list_of_rows, windowed};
use super::{container, image, nothing};
use crate::kind;
use crate::node::Node;
use crate::params::PlexParams;
use crate::query::{ItemSelection, select};
use crate::request::{BAD_REQUEST, NOT_FOUND, PlexError, PlexReadRequest, PlexResponse, PlexResult};
use crate::rows::item::{self, RowDetail};
use crate::rows::playlist;
use greenroom_simulator_backend::catalogue::{ItemId, Section};
use greenroom_simulator_backend::state::{PlaylistEntryRecord, PlaylistRecord};

pub(super) fn answer(call: &PlexReadRequest<'_>, path: &[&str]) -> PlexResult {
    match path {
        [] | ["all"] => list(call),
        [id, rest @ ..] => {
            let id = id.parse().map(ItemId).map_err(|_| BAD_REQUEST)?;
            match rest {
                [] => one(call, id),
                ["items"] => items(call, own(call, id)?),
                ["composite" | "thumb" | "art", ..] => image::playlist_image(call, own(call, id)?),
                _ => nothing(),
            }
        }
    }
}

fn own<'a>(call: &'a PlexReadRequest<'_>, id: ItemId) -> Result<&'a PlaylistRecord, PlexError> {
    call.view.playlist(id).filter(|playlist| playlist.is_visible_to(call.user.id)).ok_or(NOT_FOUND)
}

fn list(call: &PlexReadRequest<'_>) -> PlexResult {
    let medium = call.params.get("playlistType");
    let title = call.params.get("title").map(str::to_lowercase);
    let smart = call.params.get("smart");
    let section = call.params.get("sectionID").and_then(|id| id.parse().ok()).and_then(Section::numbered);
    let fits = |playlist: &PlaylistRecord| {
        medium.is_none_or(|medium| medium == playlist.medium)
            && title.as_ref().is_none_or(|title| playlist.title.to_lowercase().contains(title))
            && smart.is_none_or(|smart| (smart == "1") == playlist.smart.is_some())
            && section.is_none_or(|section| (section == Section::Music) == (playlist.medium == "audio"))
    };
    let mut rows = rows(call, fits);
    if let Some(sort) = call.params.get("sort") {
        order(&mut rows, sort);
    }
    list_of_rows(call, |node| node, rows)
}

fn order(rows: &mut [Node], sort: &str) {
    let (name, direction) = sort.split_once(':').unwrap_or((sort, "asc"));
    let value = |node: &Node| {
        let found = node.fields.iter().find(|(field, _)| *field == name);
        found.map(|(_, value)| match value {
            crate::node::NodeValue::Number(number) => (*number, String::new()),
            crate::node::NodeValue::Text(text) => (0, text.to_lowercase()),
            _ => (0, String::new()),
        })
    };
    rows.sort_by_key(value);
    if direction == "desc" {
        rows.reverse();
    }
}

/// Rows of the user's playlists for which `fits` is true.
pub(super) fn rows(call: &PlexReadRequest<'_>, fits: impl Fn(&PlaylistRecord) -> bool) -> Vec<Node> {
    call.view
        .playlists(call.user.id)
        .into_iter()
        .filter(|playlist| fits(playlist))
        .map(|playlist| row(call, playlist))
        .collect()
}

/// The row of a playlist in a list.
pub(crate) fn row(call: &PlexReadRequest<'_>, playlist: &PlaylistRecord) -> Node {
    let items: Vec<ItemId> = contents(call, playlist).into_iter().map(|entry| entry.item).collect();
    playlist::row(call, playlist, &items)
}

/// The user's playlists with the kind of media that a section contains.
pub(super) fn section_playlists(call: &PlexReadRequest<'_>, section: Section) -> PlexResult {
    let medium = if section == Section::Music { "audio" } else { "video" };
    list_of_rows(call, |node| node, rows(call, |playlist| playlist.medium == medium))
}

/// `/playlists/500`: one playlist.
pub(super) fn one(call: &PlexReadRequest<'_>, id: ItemId) -> PlexResult {
    let playlist = own(call, id)?;
    PlexResponse::tree(container(1).with(row(call, playlist)))
}

/// Current entries of a playlist; those of a smart playlist are the result of its query.
pub(crate) fn contents(call: &PlexReadRequest<'_>, playlist: &PlaylistRecord) -> Vec<PlaylistEntryRecord> {
    match &playlist.smart {
        None => playlist.entries.iter().copied().filter(|entry| call.view.exists(entry.item)).collect(),
        Some(query) => selected_by(call, query)
            .into_iter()
            .enumerate()
            .map(|(at, item)| PlaylistEntryRecord { id: at as u64 + 1, item })
            .collect(),
    }
}

/// Playable items that a query selects, such as `/library/sections/3/all?type=10&title=x`.
pub(crate) fn selected_by(call: &PlexReadRequest<'_>, query: &str) -> Vec<ItemId> {
    let (path, query) = query.split_once('?').unwrap_or((query, ""));
    let section = path.split('/').filter(|part| !part.is_empty()).nth(2).unwrap_or("");
    let Ok(section) = call.section(section) else { return Vec::new() };
    let params = PlexParams::from_query(query);
    let listed = params.get("type").and_then(kind::named).unwrap_or(section.top());
    let selected = select(call, listed, &params).map(|selection| selection.all()).unwrap_or_default();
    selected.into_iter().flat_map(|id| call.view.leaves(id)).collect()
}

fn items(call: &PlexReadRequest<'_>, list: &PlaylistRecord) -> PlexResult {
    let entries = contents(call, list);
    let all: Vec<ItemId> = entries.iter().map(|entry| entry.item).collect();
    let (ids, window) = ItemSelection::from_ids(all.clone()).page(call.params.page());
    let start = window.map_or(0, |window| window.start);
    let form = RowDetail { section: true, ..RowDetail::listed(call) };
    let rows: Vec<Node> = ids
        .iter()
        .zip(entries.iter().skip(start))
        .filter_map(|(id, entry)| {
            let row = item::row(call, &call.view.record(*id)?, form);
            Some(if list.smart.is_some() { row } else { row.set("playlistItemID", entry.id) })
        })
        .collect();
    let node = windowed(container(rows.len()), window)
        .set("composite", playlist::composite(list))
        .set("duration", playlist::duration_ms(call, &all) / 1_000)
        .set("leafCount", all.len())
        .set("playlistType", list.medium)
        .set("ratingKey", list.id.to_string())
        .set("smart", list.smart.is_some())
        .set("title", &list.title);
    Ok(PlexResponse::Tree(node.with_all(rows), window))
}
