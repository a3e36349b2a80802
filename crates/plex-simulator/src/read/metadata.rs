//! Single items, their children and related items.

use super::listing::windowed;
use super::{container, extra, hubs, image, nothing, playlists, watching};
use crate::kind;
use crate::node::Node;
use crate::query::ItemSelection;
use crate::request::{BAD_REQUEST, NOT_FOUND, PlexError, PlexReadRequest, PlexResponse, PlexResult};
use crate::rows::item::{self, RowDetail, picture};
use crate::rows::section::{title, uuid};
use crate::server::{LIBRARY, MEDIA_TAG_PREFIX, MEDIA_TAG_VERSION};
use greenroom_simulator_backend::catalogue::{ItemId, ItemRecord, MediaKind, SortKey};

/// Max ids in one path.
const MAX_IDS: usize = 2_000;
/// Max similar items.
const SIMILAR: usize = 10;

pub(super) fn answer(call: &PlexReadRequest<'_>, ids: &str, path: &[&str]) -> PlexResult {
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

/// One or several items: missing ones are left out; if all are missing, 404.
pub(super) fn several(call: &PlexReadRequest<'_>, ids: &[ItemId]) -> PlexResult {
    if let [id] = ids
        && call.view.playlist(*id).is_some()
    {
        return playlists::one(call, *id);
    }
    let found: Vec<ItemRecord> = ids.iter().filter_map(|id| call.record(*id).ok()).collect();
    let Some(first) = found.first() else { return Err(NOT_FOUND) };
    let mut rows: Vec<Node> = found.iter().map(|record| item::row(call, record, RowDetail::DETAIL)).collect();
    if call.params.flag("includeChildren") {
        for (row, record) in rows.iter_mut().zip(&found) {
            let below = item::rows(call, &call.view.children(record.id), RowDetail::listed(call));
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
    PlexResponse::tree(about(call, container(rows.len()), first).with_all(rows))
}

/// Adds the section of an item.
fn about(call: &PlexReadRequest<'_>, node: Node, record: &ItemRecord) -> Node {
    node.set("allowSync", true)
        .set("identifier", LIBRARY)
        .set("librarySectionID", record.section.number())
        .set("librarySectionTitle", title(call, record.section))
        .set("librarySectionUUID", uuid(call, record.section))
        .set("mediaTagPrefix", MEDIA_TAG_PREFIX)
        .set("mediaTagVersion", MEDIA_TAG_VERSION)
}

fn beside(call: &PlexReadRequest<'_>, id: ItemId, path: &[&str]) -> PlexResult {
    let record = call.record(id)?;
    match path {
        ["children"] => below(call, &record, call.view.children(id), true),
        ["grandchildren"] => {
            let ids = call.view.children(id).into_iter().flat_map(|child| call.view.children(child)).collect();
            below(call, &record, ids, false)
        }
        // A season's own leaves are its children; the server has nothing to add to them.
        ["allLeaves"] if record.kind == MediaKind::Season => below(call, &record, Vec::new(), false),
        ["allLeaves"] => below(call, &record, call.view.leaves(id), false),
        ["similar"] => listed(call, &record, similar(call, &record)),
        ["nearest" | "sonicallySimilar"] => listed(call, &record, nearest(call, &record)),
        ["related"] => hubs::related(call, &record, &similar(call, &record)),
        ["matches"] => PlexResponse::tree(extra::matches(call, &record)),
        ["extras" | "reviews" | "tree"] => PlexResponse::tree(about(call, container(0), &record)),
        ["collections"] => listed(call, &record, collections_of(call, id)),
        ["onDeck"] => listed(call, &record, next_up(call, id)),
        ["posters" | "arts" | "themes" | "clearLogos" | "squareArts" | "banners"] => {
            PlexResponse::tree(about(call, pictures(&record, path[0]), &record))
        }
        ["prefs"] => PlexResponse::tree(container(0)),
        ["thumb" | "art" | "banner" | "clearLogo" | "squareArt" | "composite" | "theme", ..] => {
            image::item_image(call, &record, path[0])
        }
        _ => nothing(),
    }
}

/// Children of an item, as a list that describes the item.
fn below(call: &PlexReadRequest<'_>, record: &ItemRecord, ids: Vec<ItemId>, direct: bool) -> PlexResult {
    let (ids, window) = ItemSelection::from_ids(ids).page(call.params.page());
    let rows = item::rows(call, &ids, RowDetail::listed(call));
    let everything = direct && record.kind == MediaKind::Show && window.is_none_or(|window| window.start == 0);
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
    if record.kind == MediaKind::Show {
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
    Ok(PlexResponse::Tree(node.with_all(rows), window))
}

/// The row before the seasons of a show.
fn all_episodes(call: &PlexReadRequest<'_>, record: &ItemRecord) -> Node {
    let watched = call.view.watched(call.user.id, record.id);
    Node::new("Directory")
        .set("leafCount", watched.leaves)
        .set("thumb", picture(record.id, "thumb", record.updated_at))
        .set("viewedLeafCount", watched.viewed)
        .set("key", format!("/library/metadata/{}/allLeaves", record.id))
        .set("title", "All episodes")
}

fn listed(call: &PlexReadRequest<'_>, record: &ItemRecord, ids: Vec<ItemId>) -> PlexResult {
    let (ids, window) = ItemSelection::from_ids(ids).page(call.params.page());
    let rows = item::rows(call, &ids, RowDetail::mixed(call));
    Ok(PlexResponse::Tree(about(call, windowed(container(rows.len()), window), record).with_all(rows), window))
}

/// Items of the same kind and genre, always the same ones.
fn similar(call: &PlexReadRequest<'_>, record: &ItemRecord) -> Vec<ItemId> {
    let all = call.view.list(record.kind, SortKey::Added);
    let chance = call.catalogue().rng();
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

fn shares_a_genre(one: &ItemRecord, other: &ItemRecord) -> bool {
    one.genres.is_empty() || one.genres.iter().any(|genre| other.genres.contains(genre))
}

/// Tracks (or other items of its kind) that sound alike: its neighbours, and some far away.
fn nearest(call: &PlexReadRequest<'_>, record: &ItemRecord) -> Vec<ItemId> {
    let siblings = record.parent.as_ref().map(|above| call.view.children(above.id)).unwrap_or_default();
    let mut found: Vec<ItemId> = siblings.into_iter().filter(|id| *id != record.id).collect();
    found.extend(similar(call, record));
    let limit = call.params.number("limit").unwrap_or(50);
    found.truncate(limit);
    found
}

fn collections_of(call: &PlexReadRequest<'_>, id: ItemId) -> Vec<ItemId> {
    let all = call.view.list(MediaKind::Collection, SortKey::Title);
    all.iter().copied().filter(|collection| call.view.children(*collection).contains(&id)).collect()
}

fn next_up(call: &PlexReadRequest<'_>, id: ItemId) -> Vec<ItemId> {
    watching::next_of(call, &call.view.leaves(id)).into_iter().collect()
}

fn on_deck(call: &PlexReadRequest<'_>, id: ItemId) -> Option<Node> {
    let next = next_up(call, id);
    let rows = item::rows(call, &next, RowDetail::DETAIL);
    (!rows.is_empty()).then(|| Node::single("OnDeck").with_all(rows))
}

fn pictures(record: &ItemRecord, what: &str) -> Node {
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

/// An existing item as a single row: the response of writes.
pub(crate) fn single(call: &PlexReadRequest<'_>, id: ItemId) -> Result<Node, PlexError> {
    let record = call.record(id)?;
    Ok(about(call, container(1), &record).with(item::row(call, &record, RowDetail::DETAIL)))
}
