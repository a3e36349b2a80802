//! Lists of items as containers.

use super::container;
use crate::catalogue::{ItemId, Kind, Section};
use crate::plex::call::{Call, No, Outcome, Reply};
use crate::plex::node::Node;
use crate::plex::query::{Selection, meta, select};
use crate::plex::reply::Window;
use crate::plex::rows::item::{self, Form};
use crate::plex::rows::section::heading;
use crate::plex::server::{LIBRARY, MEDIA_TAG_PREFIX, MEDIA_TAG_VERSION};

/// The kind a list of `section` is asked for: `type=`, else what stands at its top.
pub(super) fn listed_kind(call: &Call<'_>, section: Section) -> Result<Kind, No> {
    match call.params.get("type") {
        None | Some("") => Ok(section.top()),
        // Several kinds at once are only asked for by lists of additions, which show the first.
        Some(text) => {
            let first = text.split(',').next().unwrap_or(text);
            crate::plex::kind::named(first).ok_or(crate::plex::call::BAD_REQUEST)
        }
    }
}

/// `/library/sections/1/all`
pub(super) fn of_section(call: &Call<'_>, section: Section, listed: Kind) -> Outcome {
    if listed.section() != section {
        return paged(call, section, listed, &Selection::of(Vec::new()));
    }
    let selection = select(call, listed, &call.params)?;
    paged(call, section, listed, &selection)
}

/// A page of a list of one section.
pub(super) fn paged(call: &Call<'_>, section: Section, listed: Kind, selection: &Selection) -> Outcome {
    let (ids, window) = selection.page(call.params.page());
    let rows = item::rows(call, &ids, Form::listed(call));
    let mut node = windowed(container(rows.len()), window);
    node = heading(call, node, section, listed);
    if call.params.flag("includeMeta") {
        node = node.with(meta::node(section, listed));
    }
    Ok(Reply::Tree(node.with_all(rows), window))
}

/// A page of a list over several sections.
pub(super) fn mixed(call: &Call<'_>, selection: &Selection, title: &'static str) -> Outcome {
    let (ids, window) = selection.page(call.params.page());
    let rows = item::rows(call, &ids, Form::mixed(call));
    let node = windowed(container(rows.len()), window)
        .set("allowSync", false)
        .set("identifier", LIBRARY)
        .set("mediaTagPrefix", MEDIA_TAG_PREFIX)
        .set("mediaTagVersion", MEDIA_TAG_VERSION)
        .set("mixedParents", true)
        .set("title1", title)
        .with_all(rows);
    Ok(Reply::Tree(node, window))
}

/// A list of rows that are not items, paged.
pub(super) fn of_rows(call: &Call<'_>, node: impl FnOnce(Node) -> Node, mut rows: Vec<Node>) -> Outcome {
    let page = call.params.page();
    let total = rows.len();
    if page.asked {
        let end = page.start.saturating_add(page.size.unwrap_or(total)).min(total);
        rows = rows.drain(page.start.min(end)..end).collect();
    }
    let window = page.asked.then_some(Window { start: page.start, total });
    let built = node(windowed(container(rows.len()), window));
    Ok(Reply::Tree(built.with_all(rows), window))
}

/// The container of a list, with its window if it has one.
pub(super) fn windowed(node: Node, window: Option<Window>) -> Node {
    match window {
        Some(window) => node.set("totalSize", window.total).set("offset", window.start),
        None => node,
    }
}

/// The newest items of a kind, newest first.
pub(super) fn newest(call: &Call<'_>, listed: Kind, most: usize) -> Vec<ItemId> {
    call.view.list(listed, crate::catalogue::SortKey::Added).iter().rev().take(most).copied().collect()
}
