//! Everything below `/library`.

use super::listing::{list_of_rows, listed_kind, mixed, newest, paged, section_list};
use super::{collections, container, image, metadata, nothing, part, search, watching};
use crate::kind;
use crate::node::Node;
use crate::query::{ItemSelection, choice, meta, select};
use crate::request::{BAD_REQUEST, PlexReadRequest, PlexResponse, PlexResult};
use crate::rows::section;
use crate::server::{LIBRARY, MEDIA_TAG_PREFIX, MEDIA_TAG_VERSION};
use greenroom_simulator_backend::catalogue::{ItemId, MediaKind, Section, SortKey};

/// Max recently added items listed for a request without paging.
const RECENT: usize = 50;
/// Max recently added items listed for a request with paging.
const RECENT_AT_MOST: usize = 1_000;

pub(super) fn answer(call: &PlexReadRequest<'_>, path: &[&str]) -> PlexResult {
    match path {
        [] => PlexResponse::tree(root()),
        ["sections"] | ["sections", "all"] => sections(call),
        ["sections", id, rest @ ..] => in_section(call, call.section(id)?, rest),
        ["all"] => all(call),
        ["recentlyAdded"] => {
            let mut ids: Vec<ItemId> =
                call.sections().flat_map(|section| newest(call, recent_kind(section), RECENT_AT_MOST)).collect();
            ids.sort_by_key(|id| std::cmp::Reverse(call.view.record(*id).map_or(0, |record| record.added_at)));
            mixed(call, &recent(call, ids), "Recently Added")
        }
        ["onDeck"] => mixed(call, &ItemSelection::from_ids(watching::on_deck(call, None)), "On Deck"),
        ["search"] => search::library(call),
        ["tags"] => {
            let wanted = call.params.number("type").ok_or(BAD_REQUEST)?;
            list_of_rows(call, |node| node.set("identifier", LIBRARY), choice::tags(call, wanted))
        }
        ["metadata", ids, rest @ ..] => metadata::answer(call, ids, rest),
        ["collections", id, rest @ ..] => collections::answer(call, id, rest),
        ["parts", id, rest @ ..] => part::answer(call, id, rest),
        ["file"] => Err(crate::request::FORBIDDEN),
        _ => nothing(),
    }
}

fn root() -> Node {
    let entry = |key: &'static str, title: &'static str| Node::new("Directory").set("key", key).set("title", title);
    container(3)
        .set("allowSync", false)
        .set("art", "/:/resources/library-art.png")
        .set("content", "")
        .set("identifier", LIBRARY)
        .set("mediaTagPrefix", MEDIA_TAG_PREFIX)
        .set("mediaTagVersion", MEDIA_TAG_VERSION)
        .set("title1", "Plex Library")
        .set("title2", "")
        .with(entry("sections", "Library Sections"))
        .with(entry("recentlyAdded", "Recently Added Content"))
        .with(entry("onDeck", "On Deck Content"))
}

fn sections(call: &PlexReadRequest<'_>) -> PlexResult {
    let rows = call.sections().map(|section| section::row(call, section)).collect();
    list_of_rows(call, |node| node.set("allowSync", false).set("title1", "Plex Library"), rows)
}

fn all(call: &PlexReadRequest<'_>) -> PlexResult {
    let listed: Vec<MediaKind> = match call.params.get("type") {
        Some(text) => vec![kind::named(text).ok_or(BAD_REQUEST)?],
        None => call.sections().map(Section::top).collect(),
    };
    let mut ids = Vec::new();
    for listed in listed.into_iter().filter(|listed| call.user.sees(listed.section())) {
        ids.extend(select(call, listed, &call.params)?.all());
    }
    mixed(call, &ItemSelection::from_ids(ids), "All")
}

/// Kind of the items in lists of recent additions.
fn recent_kind(section: Section) -> MediaKind {
    match section {
        Section::Films => MediaKind::Film,
        Section::Shows => MediaKind::Season,
        Section::Music => MediaKind::Album,
    }
}

fn recent(call: &PlexReadRequest<'_>, mut ids: Vec<ItemId>) -> ItemSelection {
    ids.truncate(if call.params.page().asked { RECENT_AT_MOST } else { RECENT });
    ItemSelection::from_ids(ids)
}

fn in_section(call: &PlexReadRequest<'_>, section: Section, path: &[&str]) -> PlexResult {
    match path {
        [] => one(call, section),
        ["all"] => section_list(call, section, listed_kind(call, section)?),
        ["allLeaves"] => section_list(call, section, kind::kinds_in(section).last().copied().unwrap_or(section.top())),
        ["albums"] if section == Section::Music => section_list(call, section, MediaKind::Album),
        ["collections"] => section_list(call, section, MediaKind::Collection),
        ["playlists"] => super::playlists::section_playlists(call, section),
        ["recentlyAdded" | "newest"] => {
            let listed =
                if call.params.get("type").is_some() { listed_kind(call, section)? } else { recent_kind(section) };
            paged(call, section, listed, &recent(call, newest(call, listed, RECENT_AT_MOST)))
        }
        ["onDeck"] => {
            paged(call, section, section.top(), &ItemSelection::from_ids(watching::on_deck(call, Some(section))))
        }
        ["recentlyViewed"] => {
            paged(call, section, section.top(), &ItemSelection::from_ids(watching::recently_viewed(call, section)))
        }
        ["unwatched"] => unwatched(call, section),
        ["search"] => search::in_section(call, section),
        ["timeline"] => PlexResponse::tree(timeline(call, section)),
        ["prefs"] => super::prefs::section_settings(call),
        ["firstCharacter"] => first_characters(call, section),
        ["folder"] => folder(call, section),
        ["common"] => common(call, section),
        ["composite" | "thumb" | "art", ..] => image::section_image(call, section),
        ["filters"] => meta_rows(call, section, "Filter"),
        ["sorts"] => meta_rows(call, section, "Sort"),
        [field] => choices(call, section, field),
        _ => nothing(),
    }
}

fn one(call: &PlexReadRequest<'_>, section: Section) -> PlexResult {
    let names = ["all", "unwatched", "newest", "recentlyAdded", "recentlyViewed", "onDeck", "collection", "genre"];
    let rows = names.into_iter().map(|name| Node::new("Directory").set("key", name).set("title", name));
    let node = section::heading(call, container(names.len()), section, section.top());
    let node = if call.params.flag("includeDetails") { node.with(meta::node(section, section.top())) } else { node };
    PlexResponse::tree(node.with_all(rows))
}

fn unwatched(call: &PlexReadRequest<'_>, section: Section) -> PlexResult {
    let params = crate::params::PlexParams::from_query("unwatched=1");
    let selection = select(call, section.top(), &params)?;
    paged(call, section, section.top(), &selection)
}

fn timeline(call: &PlexReadRequest<'_>, section: Section) -> Node {
    let stamps = call.view.stamps(section);
    container(call.view.count(section.top()))
        .set("allowSync", true)
        .set("art", format!("/:/resources/{}-fanart.jpg", section::making(section).0))
        .set("content", "secondary")
        .set("identifier", LIBRARY)
        .set("latestEntryTime", stamps.updated_at)
        .set("mediaTagPrefix", MEDIA_TAG_PREFIX)
        .set("mediaTagVersion", MEDIA_TAG_VERSION)
        .set("thumb", format!("/:/resources/{}.png", section::making(section).0))
        .set("title1", section.title())
        .set("updateQueueSize", 0)
        .set("viewGroup", "secondary")
        .set("viewMode", 65_592)
}

fn first_characters(call: &PlexReadRequest<'_>, section: Section) -> PlexResult {
    let listed = listed_kind(call, section)?;
    let mut counts: std::collections::BTreeMap<String, u32> = std::collections::BTreeMap::new();
    for id in call.view.list(listed, SortKey::Title).iter() {
        let title = greenroom_simulator_backend::catalogue::sortable(&call.view.title(*id).unwrap_or_default());
        let first = title.chars().next().filter(|c| c.is_alphabetic());
        *counts.entry(first.map_or_else(|| "#".into(), |c| c.to_uppercase().to_string())).or_default() += 1;
    }
    let rows = counts
        .into_iter()
        .map(|(letter, count)| {
            let key = if letter == "#" { "%23".to_owned() } else { letter.clone() };
            Node::new("Directory").set("size", count).set("key", key).set("title", letter)
        })
        .collect();
    list_of_rows(call, |node| section::heading(call, node, section, listed), rows)
}

/// Folders: one for each top-level item. It contains all playable items below it, such as the episodes of a show.
fn folder(call: &PlexReadRequest<'_>, section: Section) -> PlexResult {
    if let Some(parent) = call.params.number("parent").map(ItemId) {
        let record = call.record(parent)?;
        return paged(call, section, record.kind, &ItemSelection::from_ids(call.view.leaves(parent)));
    }
    let base = format!("/library/sections/{}/folder", section.number());
    let (ids, window) = select(call, section.top(), &call.params)?.page(call.params.page());
    let rows: Vec<Node> = ids
        .iter()
        .map(|id| {
            Node::new("Directory")
                .set("key", format!("{base}?parent={id}"))
                .set("title", call.view.title(*id).unwrap_or_default())
        })
        .collect();
    let node = super::listing::windowed(container(rows.len()), window);
    let node = section::heading(call, node, section, section.top());
    Ok(PlexResponse::Tree(node.with_all(rows), window))
}

/// Fields that have the same value in all of the given items, and the genres of the first.
fn common(call: &PlexReadRequest<'_>, section: Section) -> PlexResult {
    let ids = call.params.get("id").ok_or(BAD_REQUEST)?;
    let listed = listed_kind(call, section)?;
    let records: Vec<_> =
        ids.split(',').filter_map(|id| id.parse().ok()).filter_map(|id| call.view.record(ItemId(id))).collect();
    let first = records.first().ok_or(crate::request::NOT_FOUND)?;
    let same = |value: fn(&greenroom_simulator_backend::catalogue::ItemRecord) -> Option<String>| {
        let own = value(first);
        if records.iter().all(|record| value(record) == own) { own } else { None }
    };
    let node = Node::new("Common")
        .set("type", kind::word(listed))
        .set("mixedFields", "title,summary")
        .set("ratingKey", ids.to_owned())
        .maybe("contentRating", same(|record| record.content_rating.clone()))
        .maybe("studio", same(|record| record.studio.clone()))
        .maybe("year", same(|record| record.year.map(|year| year.to_string())))
        .with_all(first.genres.iter().map(|genre| Node::new("Genre").set("tag", genre)));
    PlexResponse::tree(section::heading(call, container(1), section, listed).with(node))
}

fn meta_rows(call: &PlexReadRequest<'_>, section: Section, element: &str) -> PlexResult {
    let listed = listed_kind(call, section)?;
    let meta = meta::node(section, listed);
    let types = meta
        .children
        .into_iter()
        .find(|node| node.element == "Type" && node.fields.contains(&("type", kind::word(listed).into())));
    let found = types.map(|node| node.children).unwrap_or_default();
    let rows = found
        .into_iter()
        .filter(|node| node.element == element)
        .map(|node| Node { element: "Directory", list: "Directory", ..node })
        .collect();
    list_of_rows(call, |node| section::heading(call, node, section, listed), rows)
}

fn choices(call: &PlexReadRequest<'_>, section: Section, field: &str) -> PlexResult {
    let listed = listed_kind(call, section)?;
    let rows = choice::rows(call, section, listed, field).ok_or(crate::request::NOT_FOUND)?;
    list_of_rows(call, |node| section::heading(call, node, section, listed), rows)
}
