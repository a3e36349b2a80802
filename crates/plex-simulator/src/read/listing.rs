//! Lists of items as containers.

use super::container;
use crate::node::Node;
use crate::query::{ItemSelection, meta, select};
use crate::request::{PlexError, PlexReadRequest, PlexResponse, PlexResult};
use crate::response::RowWindow;
use crate::rows::item::{self, RowDetail};
use crate::rows::section::heading;
use crate::server::{LIBRARY, MEDIA_TAG_PREFIX, MEDIA_TAG_VERSION};
use greenroom_simulator_backend::catalogue::{ItemId, MediaKind, Section};

/// Kind of a list of `section`: `type=`, else the top-level kind.
pub(super) fn listed_kind(call: &PlexReadRequest<'_>, section: Section) -> Result<MediaKind, PlexError> {
    match call.params.get("type") {
        None | Some("") => Ok(section.top()),
        // Only lists of additions request several kinds at once; they show the first.
        Some(text) => {
            let first = text.split(',').next().unwrap_or(text);
            crate::kind::named(first).ok_or(crate::request::BAD_REQUEST)
        }
    }
}

/// `/library/sections/1/all`
pub(super) fn section_list(call: &PlexReadRequest<'_>, section: Section, listed: MediaKind) -> PlexResult {
    let is_hidden = call.switches().shows_without_episodes && matches!(listed, MediaKind::Season | MediaKind::Episode);
    if listed.section() != section || is_hidden {
        return paged(call, section, listed, &ItemSelection::from_ids(Vec::new()));
    }
    let selection = select(call, listed, &call.params)?;
    paged(call, section, listed, &selection)
}

/// A page of a list of one section.
pub(super) fn paged(
    call: &PlexReadRequest<'_>,
    section: Section,
    listed: MediaKind,
    selection: &ItemSelection,
) -> PlexResult {
    let (ids, window) = selection.page(call.params.page());
    let rows = item::rows(call, &ids, RowDetail::listed(call));
    let mut node = windowed(container(rows.len()), window);
    node = heading(call, node, section, listed);
    if call.params.flag("includeMeta") {
        node = node.with(meta::node(section, listed));
    }
    Ok(PlexResponse::Tree(node.with_all(rows), window))
}

/// A page of a list over several sections.
pub(super) fn mixed(call: &PlexReadRequest<'_>, selection: &ItemSelection, title: &'static str) -> PlexResult {
    let (ids, window) = selection.page(call.params.page());
    let rows = item::rows(call, &ids, RowDetail::mixed(call));
    let node = windowed(container(rows.len()), window)
        .set("allowSync", false)
        .set("identifier", LIBRARY)
        .set("mediaTagPrefix", MEDIA_TAG_PREFIX)
        .set("mediaTagVersion", MEDIA_TAG_VERSION)
        .set("mixedParents", true)
        .set("title1", title)
        .with_all(rows);
    Ok(PlexResponse::Tree(node, window))
}

/// A list of rows that are not items, paged.
pub(super) fn list_of_rows(
    call: &PlexReadRequest<'_>,
    node: impl FnOnce(Node) -> Node,
    mut rows: Vec<Node>,
) -> PlexResult {
    let page = call.params.page();
    let total = rows.len();
    if page.asked {
        let end = page.start.saturating_add(page.size.unwrap_or(total)).min(total);
        rows = rows.drain(page.start.min(end)..end).collect();
    }
    let window = page.asked.then_some(RowWindow { start: page.start, total });
    let built = node(windowed(container(rows.len()), window));
    Ok(PlexResponse::Tree(built.with_all(rows), window))
}

/// The container of a list, with its window if it has one.
pub(super) fn windowed(node: Node, window: Option<RowWindow>) -> Node {
    match window {
        Some(window) => node.set("totalSize", window.total).set("offset", window.start),
        None => node,
    }
}

/// The newest items of a kind, newest first.
pub(super) fn newest(call: &PlexReadRequest<'_>, listed: MediaKind, most: usize) -> Vec<ItemId> {
    call.view
        .list(listed, greenroom_simulator_backend::catalogue::SortKey::Added)
        .iter()
        .rev()
        .take(most)
        .copied()
        .collect()
}
