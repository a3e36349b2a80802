//! Hubs: of the home screen, of a section, and beside an item.

use super::listing::{list_of_rows, mixed, newest};
use super::{container, nothing, search, watching};
use crate::kind;
use crate::node::Node;
use crate::query::ItemSelection;
use crate::request::{PlexReadRequest, PlexResponse, PlexResult};
use crate::rows::item::{self, RowDetail};
use crate::rows::section::{making, title, uuid};
use crate::server::LIBRARY;
use greenroom_simulator_backend::catalogue::{ItemId, ItemRecord, MediaKind, Section};

/// Default rows of each hub; `count` overrides it.
const ON_A_SHELF: usize = 12;
/// Max recently added items listed.
const RECENT: usize = 200;

pub(super) fn answer(call: &PlexReadRequest<'_>, path: &[&str]) -> PlexResult {
    match path {
        [] | ["promoted"] => PlexResponse::tree(home(call, path == ["promoted"])),
        ["search"] | ["search", "voice"] => search::hubs(call),
        ["continueWatching"] => PlexResponse::tree(shelves(call, &[continue_watching(call, None)])),
        ["continueWatching", "items"] | ["home", "continueWatching" | "onDeck"] => {
            mixed(call, &ItemSelection::from_ids(watching::on_deck(call, None)), "Continue Watching")
        }
        ["home", "recentlyAdded"] => home_recent(call),
        ["sections", id, rest @ ..] => section_hubs(call, call.section(id)?, rest),
        ["metadata", id, "related"] => {
            let id = id.parse().map(ItemId).map_err(|_| crate::request::BAD_REQUEST)?;
            let record = call.record(id)?;
            related(call, &record, &[])
        }
        _ => nothing(),
    }
}

struct Hub {
    identifier: String,
    title: String,
    key: String,
    type_word: &'static str,
    ids: Vec<ItemId>,
}

fn shelf(call: &PlexReadRequest<'_>, shelf: &Hub) -> Node {
    let most = call.params.number("count").unwrap_or(ON_A_SHELF);
    let shown = shelf.ids.len().min(most);
    let rows = item::rows(call, &shelf.ids[..shown], RowDetail::mixed(call));
    let keys: Vec<String> = shelf.ids[..shown].iter().map(ItemId::to_string).collect();
    Node::new("Hub")
        .set("hubKey", format!("/library/metadata/{}", keys.join(",")))
        .set("key", &shelf.key)
        .set("title", &shelf.title)
        .set("type", shelf.type_word)
        .set("hubIdentifier", &shelf.identifier)
        .set("context", format!("hub.{}", shelf.identifier))
        .set("size", rows.len())
        .set("more", shelf.ids.len() > shown)
        .set("style", "shelf")
        .set("promoted", true)
        .with_all(rows)
}

fn shelves(call: &PlexReadRequest<'_>, all: &[Hub]) -> Node {
    let wanted = call.params.get("identifier");
    let fits = |shelf: &&Hub| wanted.is_none_or(|wanted| wanted.split(',').any(|one| one == shelf.identifier));
    let rows: Vec<Node> =
        all.iter().filter(|shelf| !shelf.ids.is_empty()).filter(fits).map(|one| shelf(call, one)).collect();
    container(rows.len()).set("allowSync", true).set("identifier", LIBRARY).with_all(rows)
}

fn continue_watching(call: &PlexReadRequest<'_>, section: Option<Section>) -> Hub {
    let (identifier, key) = match section {
        Some(section) => {
            let number = section.number();
            (
                format!("{}.inprogress.{number}", making(section).0),
                format!("/hubs/sections/{number}/continueWatching/items"),
            )
        }
        None => ("home.continue".to_owned(), "/hubs/continueWatching/items".to_owned()),
    };
    Hub {
        identifier,
        title: "Continue Watching".into(),
        key,
        type_word: "mixed",
        ids: watching::on_deck(call, section),
    }
}

fn added(call: &PlexReadRequest<'_>, section: Section, identifier: String, path: &str) -> Hub {
    let listed = match section {
        Section::Films => MediaKind::Film,
        Section::Shows => MediaKind::Episode,
        Section::Music => MediaKind::Album,
    };
    Hub {
        identifier,
        title: format!("Recently Added {}", kind::plural(listed)),
        key: path.to_owned(),
        type_word: kind::word(listed),
        ids: newest(call, listed, RECENT),
    }
}

fn home(call: &PlexReadRequest<'_>, promoted: bool) -> Node {
    let wanted: Option<Vec<&str>> = call.params.get("contentDirectoryID").map(|ids| ids.split(',').collect());
    let sections = call
        .sections()
        .filter(|section| wanted.as_ref().is_none_or(|wanted| wanted.contains(&section.number().to_string().as_str())));
    let mut all = vec![continue_watching(call, None)];
    for section in sections {
        let word = match section {
            Section::Films => "movies",
            Section::Shows => "television",
            Section::Music => "music",
        };
        let key = format!("/hubs/home/recentlyAdded?type={}", kind::number(section.top()));
        all.push(added(call, section, format!("home.{word}.recent"), &key));
    }
    if promoted && call.switches().hubs_differ_by_client {
        let client = call.params.plex("X-Plex-Client-Identifier").unwrap_or("");
        let turn = client.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
        let by = turn % all.len();
        all.rotate_left(by);
    }
    shelves(call, &all)
}

fn home_recent(call: &PlexReadRequest<'_>) -> PlexResult {
    let listed = match call.params.get("type") {
        Some(text) => kind::named(text).ok_or(crate::request::BAD_REQUEST)?,
        None => MediaKind::Film,
    };
    if !call.user.sees(listed.section()) {
        return mixed(call, &ItemSelection::from_ids(Vec::new()), "Recently Added");
    }
    let of = match listed {
        MediaKind::Show => MediaKind::Season,
        MediaKind::Artist => MediaKind::Album,
        other => other,
    };
    mixed(call, &ItemSelection::from_ids(newest(call, of, RECENT)), "Recently Added")
}

fn section_hubs(call: &PlexReadRequest<'_>, section: Section, path: &[&str]) -> PlexResult {
    let number = section.number();
    match path {
        [] => {
            let word = making(section).0;
            let mut all = vec![
                continue_watching(call, Some(section)),
                added(
                    call,
                    section,
                    format!("{word}.recentlyadded.{number}"),
                    &format!("/library/sections/{number}/recentlyAdded"),
                ),
            ];
            all.push(Hub {
                identifier: format!("{word}.recentlyviewed.{number}"),
                title: "Recently Viewed".into(),
                key: format!("/library/sections/{number}/recentlyViewed"),
                type_word: word,
                ids: watching::recently_viewed(call, section),
            });
            let node = shelves(call, &all);
            PlexResponse::tree(
                node.set("librarySectionID", number)
                    .set("librarySectionTitle", title(call, section))
                    .set("librarySectionUUID", uuid(call, section)),
            )
        }
        ["continueWatching", "items"] => {
            mixed(call, &ItemSelection::from_ids(watching::on_deck(call, Some(section))), "Continue Watching")
        }
        ["manage"] => {
            call.owner_only()?;
            list_of_rows(call, |node| node, managed(section))
        }
        _ => nothing(),
    }
}

fn managed(section: Section) -> Vec<Node> {
    let word = making(section).0;
    ["inprogress", "recentlyadded", "recentlyviewed"]
        .into_iter()
        .map(|name| {
            Node::new("Hub")
                .set("identifier", format!("{word}.{name}.{}", section.number()))
                .set("title", name)
                .set("recommendationsVisibility", "all")
                .set("homeVisibility", "all")
                .set("promotedToRecommended", true)
                .set("promotedToOwnHome", true)
                .set("promotedToSharedHome", false)
                .set("deletable", false)
        })
        .collect()
}

/// Hubs related to an item.
pub(super) fn related(call: &PlexReadRequest<'_>, record: &ItemRecord, similar: &[ItemId]) -> PlexResult {
    let all = vec![Hub {
        identifier: format!("{}.similar", kind::word(record.kind)),
        title: "Related".into(),
        key: format!("/library/metadata/{}/similar", record.id),
        type_word: kind::word(record.kind),
        ids: similar.to_vec(),
    }];
    PlexResponse::tree(shelves(call, &all))
}
