//! Searches.

use super::listing::{mixed, paged};
use super::{container, playlists};
use crate::kind;
use crate::node::Node;
use crate::query::ItemSelection;
use crate::request::{BAD_REQUEST, PlexReadRequest, PlexResponse, PlexResult};
use crate::rows::item::{self, RowDetail};
use crate::rows::tag;
use crate::server::LIBRARY;
use greenroom_simulator_backend::catalogue::{ItemId, MediaKind, Section, SortKey};

/// Default results of each hub; `limit` overrides it.
const IN_A_HUB: usize = 3;
/// Max results of a search.
const AT_MOST: usize = 500;

/// Kinds that a search covers, in the order of its hubs.
const KINDS: [MediaKind; 7] = [
    MediaKind::Film,
    MediaKind::Show,
    MediaKind::Episode,
    MediaKind::Artist,
    MediaKind::Album,
    MediaKind::Track,
    MediaKind::Collection,
];

/// Items of a kind whose title contains `needle`, those that begin with it first.
fn matching_titles(call: &PlexReadRequest<'_>, listed: MediaKind, needle: &str, most: usize) -> Vec<ItemId> {
    let needle = needle.to_lowercase();
    let mut begins = Vec::new();
    let mut contains = Vec::new();
    for id in call.view.list(listed, SortKey::Title).iter() {
        let title = call.view.title(*id).unwrap_or_default().to_lowercase();
        if title.starts_with(&needle) {
            begins.push(*id);
        } else if title.contains(&needle) {
            contains.push(*id);
        }
        if begins.len() >= most {
            break;
        }
    }
    begins.extend(contains);
    begins.truncate(most);
    begins
}

fn query<'a>(call: &'a PlexReadRequest<'_>) -> Option<&'a str> {
    call.params.get("query").filter(|query| !query.trim().is_empty())
}

/// `/hubs/search`
pub(super) fn hubs(call: &PlexReadRequest<'_>) -> PlexResult {
    let query = query(call).ok_or(BAD_REQUEST)?;
    let limit = call.params.number("limit").unwrap_or(IN_A_HUB).min(AT_MOST);
    let section = match call.params.get("sectionId") {
        Some(id) if !id.is_empty() => Some(call.section(id)?),
        _ => None,
    };
    let in_scope = |of: Section| section.is_none_or(|section| section == of) && call.user.sees(of);
    let mut hubs = Vec::new();
    for listed in KINDS {
        let ids = if in_scope(listed.section()) { matching_titles(call, listed, query, limit) } else { Vec::new() };
        let rows = item::rows(call, &ids, RowDetail::mixed(call));
        hubs.push(hub(kind::word(listed), kind::plural(listed), rows));
    }
    if in_scope(Section::Films) {
        hubs.push(hub("genre", "Genres", genres(query)));
    }
    let wanted = query.to_lowercase();
    let own = playlists::rows(call, |playlist| playlist.title.to_lowercase().contains(&wanted));
    hubs.push(hub("playlist", "Playlists", own.into_iter().take(limit).collect()));
    let features = call.params.plex("X-Plex-Features").unwrap_or("");
    if call.switches().search_differs_by_features && features.split(',').any(|one| one == "external-media") {
        hubs.push(hub("external", "More Ways to Watch", Vec::new()));
    }
    PlexResponse::tree(container(hubs.len()).set("identifier", LIBRARY).with_all(hubs))
}

fn hub(word: &'static str, title: &'static str, rows: Vec<Node>) -> Node {
    Node::new("Hub")
        .set("title", title)
        .set("type", word)
        .set("hubIdentifier", word)
        .set("context", format!("hub.search.{word}"))
        .set("size", rows.len())
        .set("more", false)
        .set("style", "shelf")
        .with_all(rows)
}

fn genres(query: &str) -> Vec<Node> {
    let query = query.to_lowercase();
    greenroom_simulator_backend::catalogue::FILM_GENRES
        .iter()
        .filter(|genre| genre.to_lowercase().contains(&query))
        .map(|genre| {
            let filter = format!("genre={}", tag::id("genre", genre));
            Node::new("Directory")
                .set("key", format!("/library/sections/1/all?{filter}"))
                .set("librarySectionID", 1)
                .set("librarySectionTitle", Section::Films.title())
                .set("type", "tag")
                .set("id", tag::id("genre", genre))
                .set("filter", filter)
                .set("tag", *genre)
                .set("tagType", 1)
                .set("count", 1)
        })
        .collect()
}

/// `/library/search`: results with a score each.
pub(super) fn library(call: &PlexReadRequest<'_>) -> PlexResult {
    let query = query(call).ok_or(BAD_REQUEST)?;
    let limit = call.params.number("limit").unwrap_or(20).min(AT_MOST);
    let mut results = Vec::new();
    for listed in KINDS.into_iter().filter(|listed| call.user.sees(listed.section())) {
        for row in item::rows(call, &matching_titles(call, listed, query, limit), RowDetail::mixed(call)) {
            let whole = row.fields.contains(&("title", query.to_owned().into()));
            let row = Node { single: true, list: "Metadata", ..row };
            results.push(Node::new("SearchResult").set("score", if whole { 1.0 } else { 0.5 }).with(row));
        }
    }
    results.truncate(limit);
    PlexResponse::tree(container(results.len()).with_all(results))
}

/// `/library/sections/1/search`
pub(super) fn in_section(call: &PlexReadRequest<'_>, section: Section) -> PlexResult {
    let query = query(call).ok_or(BAD_REQUEST)?;
    let listed = super::listing::listed_kind(call, section)?;
    paged(call, section, listed, &ItemSelection::from_ids(matching_titles(call, listed, query, AT_MOST)))
}

/// `/search`
pub(super) fn plain(call: &PlexReadRequest<'_>) -> PlexResult {
    let query = query(call).ok_or(BAD_REQUEST)?;
    let ids = KINDS
        .into_iter()
        .filter(|listed| call.user.sees(listed.section()))
        .flat_map(|listed| matching_titles(call, listed, query, IN_A_HUB * 4))
        .collect();
    mixed(call, &ItemSelection::from_ids(ids), "Search")
}
