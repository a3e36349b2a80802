//! `/media/providers`: from which apps build their menus.

use super::container;
use super::home::root;
use crate::kind;
use crate::node::Node;
use crate::request::{PlexReadRequest, PlexResponse, PlexResult};
use crate::rows::section::{self, making, uuid};
use crate::server::LIBRARY;
use greenroom_simulator_backend::catalogue::{MediaKind, Section};

/// Average duration of an item; the server sums, the simulator estimates.
const AVERAGE_MS: u64 = 3_000_000;
const AVERAGE_BYTES: u64 = 2_000_000_000;

pub(super) fn answer(call: &PlexReadRequest<'_>) -> PlexResult {
    let storage = call.params.flag("includeStorage");
    let home = Node::new("Directory").set("hubKey", "/hubs").set("title", "Home");
    let sections = call.sections().map(|section| directory(call, section, storage));
    let content =
        Node::new("Feature").set("key", "/library/sections").set("type", "content").with(home).with_all(sections);
    let plain = |key: &'static str, word: &'static str| Node::new("Feature").set("key", key).set("type", word);
    let provider = Node::new("MediaProvider")
        .set("identifier", LIBRARY)
        .set("title", "Library")
        .set("types", "video,audio,photo")
        .set("protocols", "stream,download")
        .with(content)
        .with(plain("/hubs/search", "search"))
        .with(plain("/library/matches", "match"))
        .with(plain("/library/metadata", "metadata"))
        .with(plain("/:/rate", "rate"))
        .with(plain("/photo/:/transcode", "imagetranscoder"))
        .with(plain("/hubs/promoted", "promoted"))
        .with(plain("/hubs/continueWatching", "continuewatching"))
        .with(plain("/playlists", "playlist"))
        .with(plain("/playQueues", "playqueue"))
        .with(plain("/:/timeline", "timeline"));
    let mut node = root(call, false);
    node.fields.retain(|(name, _)| *name != "size");
    node.children = vec![provider];
    node.fields.splice(0..0, container(1).fields);
    PlexResponse::tree(node)
}

fn directory(call: &PlexReadRequest<'_>, section: Section, storage: bool) -> Node {
    let (word, agent, scanner) = making(section);
    let number = section.number();
    let stamps = call.view.stamps(section);
    let pivot = |id: &'static str, key: String, kind: &'static str, title: &'static str| {
        Node::new("Pivot")
            .set("id", id)
            .set("key", key)
            .set("type", kind)
            .set("title", title)
            .set("context", format!("content.{id}"))
            .set("symbol", "star")
    };
    let mut node = Node::new("Directory")
        .set("agent", agent)
        .set("language", "en-US")
        .set("refreshing", stamps.refreshing)
        .set("scanner", scanner)
        .set("uuid", uuid(call, section))
        .set("id", number.to_string())
        .set("key", format!("/library/sections/{number}"))
        .set("hubKey", format!("/hubs/sections/{number}"))
        .set("type", word)
        .set("title", section::title(call, section))
        .set("updatedAt", stamps.updated_at)
        .set("scannedAt", stamps.scanned_at);
    if storage {
        let items = kind::kinds_in(section).last().map_or(0, |kind: &MediaKind| call.view.count(*kind) as u64);
        node = node.set("durationTotal", items * AVERAGE_MS).set("storageTotal", items * AVERAGE_BYTES);
    }
    let top = kind::number(section.top());
    node.with(pivot("recommended", format!("/hubs/sections/{number}"), "hub", "Recommended"))
        .with(pivot("library", format!("/library/sections/{number}/all?type={top}"), "list", "Library"))
        .with(pivot("collections", format!("/library/sections/{number}/collections"), "list", "Collections"))
}
