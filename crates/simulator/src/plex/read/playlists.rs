//! Playlists and what is in them.

use super::listing::{of_rows, windowed};
use super::{container, image, nothing};
use crate::catalogue::{ItemId, Section};
use crate::plex::call::{BAD_REQUEST, Call, NOT_FOUND, No, Outcome, Reply};
use crate::plex::kind;
use crate::plex::node::Node;
use crate::plex::params::Params;
use crate::plex::query::{Selection, select};
use crate::plex::rows::item::{self, Form};
use crate::plex::rows::playlist;
use crate::state::{Entry, Playlist};

pub(super) fn answer(call: &Call<'_>, path: &[&str]) -> Outcome {
    match path {
        [] | ["all"] => list(call),
        [id, rest @ ..] => {
            let id = id.parse().map(ItemId).map_err(|_| BAD_REQUEST)?;
            match rest {
                [] => one(call, id),
                ["items"] => items(call, own(call, id)?),
                ["composite" | "thumb" | "art", ..] => image::of_playlist(call, own(call, id)?),
                _ => nothing(),
            }
        }
    }
}

fn own<'a>(call: &'a Call<'_>, id: ItemId) -> Result<&'a Playlist, No> {
    call.view.playlist(id).filter(|playlist| playlist.seen_by(call.user.id)).ok_or(NOT_FOUND)
}

fn list(call: &Call<'_>) -> Outcome {
    let medium = call.params.get("playlistType");
    let title = call.params.get("title").map(str::to_lowercase);
    let smart = call.params.get("smart");
    let section = call.params.get("sectionID").and_then(|id| id.parse().ok()).and_then(Section::numbered);
    let fits = |playlist: &Playlist| {
        medium.is_none_or(|medium| medium == playlist.medium)
            && title.as_ref().is_none_or(|title| playlist.title.to_lowercase().contains(title))
            && smart.is_none_or(|smart| (smart == "1") == playlist.smart.is_some())
            && section.is_none_or(|section| (section == Section::Music) == (playlist.medium == "audio"))
    };
    let mut rows = rows(call, fits);
    if let Some(sort) = call.params.get("sort") {
        order(&mut rows, sort);
    }
    of_rows(call, |node| node, rows)
}

fn order(rows: &mut [Node], sort: &str) {
    let (name, direction) = sort.split_once(':').unwrap_or((sort, "asc"));
    let value = |node: &Node| {
        let found = node.fields.iter().find(|(field, _)| *field == name);
        found.map(|(_, value)| match value {
            crate::plex::node::Value::Number(number) => (*number, String::new()),
            crate::plex::node::Value::Text(text) => (0, text.to_lowercase()),
            _ => (0, String::new()),
        })
    };
    rows.sort_by_key(value);
    if direction == "desc" {
        rows.reverse();
    }
}

/// The playlists of this user that fit, as rows.
pub(super) fn rows(call: &Call<'_>, fits: impl Fn(&Playlist) -> bool) -> Vec<Node> {
    call.view
        .playlists(call.user.id)
        .into_iter()
        .filter(|playlist| fits(playlist))
        .map(|playlist| row(call, playlist))
        .collect()
}

/// A playlist as a row.
pub(in crate::plex) fn row(call: &Call<'_>, playlist: &Playlist) -> Node {
    let items: Vec<ItemId> = contents(call, playlist).into_iter().map(|entry| entry.item).collect();
    playlist::row(call, playlist, &items)
}

/// The playlists that go with a section.
pub(super) fn of_section(call: &Call<'_>, section: Section) -> Outcome {
    let medium = if section == Section::Music { "audio" } else { "video" };
    of_rows(call, |node| node, rows(call, |playlist| playlist.medium == medium))
}

/// `/playlists/500`
pub(super) fn one(call: &Call<'_>, id: ItemId) -> Outcome {
    let playlist = own(call, id)?;
    Reply::tree(container(1).with(row(call, playlist)))
}

/// What is in a playlist now: its entries, or what its query finds.
pub(in crate::plex) fn contents(call: &Call<'_>, playlist: &Playlist) -> Vec<Entry> {
    match &playlist.smart {
        None => playlist.entries.iter().copied().filter(|entry| call.view.exists(entry.item)).collect(),
        Some(query) => found(call, query)
            .into_iter()
            .enumerate()
            .map(|(at, item)| Entry { id: at as u64 + 1, item })
            .collect(),
    }
}

/// What the query of a smart playlist finds: `/library/sections/3/all?type=10&title=x`.
fn found(call: &Call<'_>, query: &str) -> Vec<ItemId> {
    let (path, query) = query.split_once('?').unwrap_or((query, ""));
    let section = path.split('/').filter(|part| !part.is_empty()).nth(2).unwrap_or("");
    let Ok(section) = call.section(section) else { return Vec::new() };
    let params = Params::of_query(query);
    let listed = params.get("type").and_then(kind::named).unwrap_or(section.top());
    let selected = select(call, listed, &params).map(|selection| selection.all()).unwrap_or_default();
    selected.into_iter().flat_map(|id| call.view.leaves(id)).collect()
}

fn items(call: &Call<'_>, list: &Playlist) -> Outcome {
    let entries = contents(call, list);
    let all: Vec<ItemId> = entries.iter().map(|entry| entry.item).collect();
    let (ids, window) = Selection::of(all.clone()).page(call.params.page());
    let start = window.map_or(0, |window| window.start);
    let form = Form { section: true, ..Form::listed(call) };
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
    Ok(Reply::Tree(node.with_all(rows), window))
}
