//! Single items, and what lies below and beside them.

use super::listing::windowed;
use super::{container, extra, hubs, image, nothing, playlists, watching};
use crate::catalogue::{ItemId, Kind, Record, SortKey};
use crate::plex::call::{BAD_REQUEST, Call, NOT_FOUND, No, Outcome, Reply};
use crate::plex::kind;
use crate::plex::node::Node;
use crate::plex::query::Selection;
use crate::plex::rows::item::{self, Form, picture};
use crate::plex::rows::section::{title, uuid};
use crate::plex::server::{LIBRARY, MEDIA_TAG_PREFIX, MEDIA_TAG_VERSION};

/// More ids than this in one path are refused.
const MAX_IDS: usize = 2_000;
/// How many similar items are told.
const SIMILAR: usize = 10;

pub(super) fn answer(call: &Call<'_>, ids: &str, path: &[&str]) -> Outcome {
    let ids: Vec<ItemId> = ids
        .split(',')
        .take(MAX_IDS)
        .map(|id| id.parse().map(ItemId))
        .collect::<Result<_, _>>()
        .map_err(|_| BAD_REQUEST)?;
    let [first, ..] = ids.as_slice() else { return nothing() };
    match path {
        [] => several(call, &ids),
        _ => beside(call, *first, path),
    }
}

/// One item, or several: those that are not there are left out; if none is, that is 404.
pub(super) fn several(call: &Call<'_>, ids: &[ItemId]) -> Outcome {
    if let [id] = ids
        && call.view.playlist(*id).is_some()
    {
        return playlists::one(call, *id);
    }
    let found: Vec<Record> = ids.iter().filter_map(|id| call.record(*id).ok()).collect();
    let Some(first) = found.first() else { return Err(NOT_FOUND) };
    let mut rows: Vec<Node> = found.iter().map(|record| item::row(call, record, Form::DETAIL)).collect();
    if call.params.flag("includeChildren") {
        for (row, record) in rows.iter_mut().zip(&found) {
            let below = item::rows(call, &call.view.children(record.id), Form::listed(call));
            row.children.push(Node::single("Children").set("size", below.len()).with_all(below));
        }
    }
    if call.params.flag("includeOnDeck") {
        for (row, record) in rows.iter_mut().zip(&found) {
            row.children.extend(on_deck(call, record.id));
        }
    }
    for (row, record) in rows.iter_mut().zip(&found) {
        if call.params.flag("includeChapters") {
            row.children.extend(extra::chapters(record));
        }
        if call.params.flag("includeMarkers") {
            row.children.extend(extra::markers(record));
        }
        if call.params.flag("includePreferences") {
            row.children.push(extra::preferences(call, record));
        }
    }
    Reply::tree(about(call, container(rows.len()), first).with_all(rows))
}

/// What is told of the section of an item.
fn about(call: &Call<'_>, node: Node, record: &Record) -> Node {
    node.set("allowSync", true)
        .set("identifier", LIBRARY)
        .set("librarySectionID", record.section.number())
        .set("librarySectionTitle", title(call, record.section))
        .set("librarySectionUUID", uuid(call, record.section))
        .set("mediaTagPrefix", MEDIA_TAG_PREFIX)
        .set("mediaTagVersion", MEDIA_TAG_VERSION)
}

fn beside(call: &Call<'_>, id: ItemId, path: &[&str]) -> Outcome {
    let record = call.record(id)?;
    match path {
        ["children"] => below(call, &record, call.view.children(id), true),
        ["grandchildren"] => {
            let ids =
                call.view.children(id).into_iter().flat_map(|child| call.view.children(child)).collect();
            below(call, &record, ids, false)
        }
        // A season's own leaves are its children; the server has nothing to add to them.
        ["allLeaves"] if record.kind == Kind::Season => below(call, &record, Vec::new(), false),
        ["allLeaves"] => below(call, &record, call.view.leaves(id), false),
        ["similar"] => listed(call, &record, similar(call, &record)),
        ["nearest" | "sonicallySimilar"] => listed(call, &record, nearest(call, &record)),
        ["related"] => hubs::related(call, &record, &similar(call, &record)),
        ["matches"] => Reply::tree(extra::matches(call, &record)),
        ["extras" | "reviews" | "tree"] => Reply::tree(about(call, container(0), &record)),
        ["collections"] => listed(call, &record, collections_of(call, id)),
        ["onDeck"] => listed(call, &record, next_up(call, id)),
        ["posters" | "arts" | "themes" | "clearLogos" | "squareArts" | "banners"] => {
            Reply::tree(about(call, pictures(&record, path[0]), &record))
        }
        ["prefs"] => Reply::tree(container(0)),
        ["thumb" | "art" | "banner" | "clearLogo" | "squareArt" | "composite" | "theme", ..] => {
            image::of_item(call, &record, path[0])
        }
        _ => nothing(),
    }
}

/// What lies below an item, as a list that tells about the item.
fn below(call: &Call<'_>, record: &Record, ids: Vec<ItemId>, direct: bool) -> Outcome {
    let (ids, window) = Selection::of(ids).page(call.params.page());
    let rows = item::rows(call, &ids, Form::listed(call));
    let everything = direct && record.kind == Kind::Show && window.is_none_or(|window| window.start == 0);
    let size = rows.len() + usize::from(everything && call.params.page().size != Some(0));
    let mut node = about(call, windowed(container(size), window), record)
        .set("art", picture(record.id, "art", record.updated_at))
        .set("key", record.id.to_string())
        .set("nocache", true)
        .set("sortAsc", true)
        .set("parentIndex", record.index.unwrap_or(1))
        .set("parentTitle", &record.title)
        .maybe("parentYear", record.year)
        .set("summary", &record.summary)
        .set("thumb", picture(record.id, "thumb", record.updated_at))
        .set("title1", title(call, record.section))
        .set("title2", &record.title)
        .set("viewGroup", record.kind.below().map_or("secondary", kind::word))
        .set("viewMode", 65_593);
    if record.kind == Kind::Show {
        node = node
            .set("banner", picture(record.id, "banner", record.updated_at))
            .set("theme", picture(record.id, "theme", record.updated_at));
    }
    if let Some(above) = &record.parent {
        node = node.set("grandparentTitle", &above.title).set("grandparentRatingKey", above.id.0);
    }
    if size > rows.len() {
        node = node.with(all_episodes(call, record));
    }
    Ok(Reply::Tree(node.with_all(rows), window))
}

/// The row that stands before the seasons of a show.
fn all_episodes(call: &Call<'_>, record: &Record) -> Node {
    let watched = call.view.watched(call.user.id, record.id);
    Node::new("Directory")
        .set("leafCount", watched.leaves)
        .set("thumb", picture(record.id, "thumb", record.updated_at))
        .set("viewedLeafCount", watched.viewed)
        .set("key", format!("/library/metadata/{}/allLeaves", record.id))
        .set("title", "All episodes")
}

fn listed(call: &Call<'_>, record: &Record, ids: Vec<ItemId>) -> Outcome {
    let (ids, window) = Selection::of(ids).page(call.params.page());
    let rows = item::rows(call, &ids, Form::mixed(call));
    Ok(Reply::Tree(about(call, windowed(container(rows.len()), window), record).with_all(rows), window))
}

/// Items of the same kind and genre, the same ones every time.
fn similar(call: &Call<'_>, record: &Record) -> Vec<ItemId> {
    let all = call.view.list(record.kind, SortKey::Added);
    let chance = call.catalogue().chance();
    let mut found: Vec<ItemId> = (0..SIMILAR as u64 * 8)
        .filter_map(|draw| {
            let at = chance.below("similar", u64::from(record.id.0) * 97 + draw, all.len() as u64);
            all.get(usize::try_from(at).ok()?).copied()
        })
        .filter(|id| *id != record.id)
        .filter(|id| call.view.record(*id).is_some_and(|other| shares_a_genre(record, &other)))
        .collect();
    found.sort_unstable();
    found.dedup();
    found.truncate(SIMILAR);
    found
}

fn shares_a_genre(one: &Record, other: &Record) -> bool {
    one.genres.is_empty() || one.genres.iter().any(|genre| other.genres.contains(genre))
}

/// Tracks (or what else of its kind) that sound alike: its neighbours, and some far away.
fn nearest(call: &Call<'_>, record: &Record) -> Vec<ItemId> {
    let siblings = record.parent.as_ref().map(|above| call.view.children(above.id)).unwrap_or_default();
    let mut found: Vec<ItemId> = siblings.into_iter().filter(|id| *id != record.id).collect();
    found.extend(similar(call, record));
    let limit = call.params.number("limit").unwrap_or(50);
    found.truncate(limit);
    found
}

fn collections_of(call: &Call<'_>, id: ItemId) -> Vec<ItemId> {
    let all = call.view.list(Kind::Collection, SortKey::Title);
    all.iter().copied().filter(|collection| call.view.children(*collection).contains(&id)).collect()
}

fn next_up(call: &Call<'_>, id: ItemId) -> Vec<ItemId> {
    watching::next_of(call, &call.view.leaves(id)).into_iter().collect()
}

fn on_deck(call: &Call<'_>, id: ItemId) -> Option<Node> {
    let next = next_up(call, id);
    let rows = item::rows(call, &next, Form::DETAIL);
    (!rows.is_empty()).then(|| Node::single("OnDeck").with_all(rows))
}

fn pictures(record: &Record, what: &str) -> Node {
    let name = if what == "posters" { "thumb" } else { what.trim_end_matches('s') };
    let key = picture(record.id, name, record.updated_at);
    container(1).with(
        Node::item("Photo")
            .set("key", &key)
            .set("provider", "local")
            .set("ratingKey", format!("upload://{what}/{}", record.guid))
            .set("selected", true)
            .set("thumb", key.clone()),
    )
}

/// An item that must be there, as its single row: what writes answer with.
pub(in crate::plex) fn single(call: &Call<'_>, id: ItemId) -> Result<Node, No> {
    let record = call.record(id)?;
    Ok(about(call, container(1), &record).with(item::row(call, &record, Form::DETAIL)))
}
