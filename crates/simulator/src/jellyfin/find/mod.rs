//! Lists: query, candidates, filters, and order.

mod candidates;
mod filter;
mod item_query;
mod order;

pub(crate) use candidates::thing_of;
pub(crate) use item_query::{ItemQuery, ItemType};
pub(crate) use order::SortDirection;

use super::dto::{self, FieldSelection, JsonFields};
use super::library::JellyfinLibrary;
use super::response_context::ResponseContext;
use crate::catalogue::ItemId;
use crate::state::PlaylistRecord;

/// An element of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListItem {
    /// An item of the catalogue.
    Item(ItemId),
    /// A playlist.
    Playlist(ItemId),
    /// A library.
    Library(JellyfinLibrary),
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ItemPage {
    /// The things on the page.
    pub(crate) things: Vec<ListItem>,
    /// Number of things on all pages.
    pub(crate) total: usize,
}

/// The page that `item_query` requests.
pub(crate) fn find(scene: &ResponseContext<'_>, asked: &ItemQuery) -> ItemPage {
    if let Some(whole) = candidates::whole(scene, asked) {
        return ItemPage { total: whole.ids.len(), things: order::page_of_sorted(scene, asked, &whole) };
    }
    let mut pool = candidates::gather(scene, asked);
    pool.things.retain(|thing| filter::fits(scene, asked, *thing));
    let total = pool.things.len();
    let things = order::page(scene, asked, pool);
    ItemPage { things, total }
}

/// Writes a thing.
pub(crate) fn write(scene: &ResponseContext<'_>, thing: ListItem, shape: &FieldSelection) -> Option<JsonFields> {
    match thing {
        ListItem::Item(id) => scene.record(id).map(|record| dto::item(scene, &record, shape)),
        ListItem::Playlist(id) => {
            let playlist: &PlaylistRecord = scene.view.playlist(id)?;
            Some(dto::playlist(scene, playlist, shape))
        }
        ListItem::Library(library) => Some(dto::library(scene, library, library.name(), shape)),
    }
}
