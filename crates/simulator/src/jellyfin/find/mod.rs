//! Lists: what a client asks for, which things are candidates, which of them fit, and in which order they come.

mod asked;
mod order;
mod pool;
mod sieve;

pub(crate) use asked::{Asked, Type};
pub(crate) use order::Order;
pub(crate) use pool::thing_of;

use super::dto::{self, Fields, Shape};
use super::library::Library;
use super::scene::Scene;
use crate::catalogue::ItemId;
use crate::state::Playlist;

/// Something a list can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thing {
    /// An item of the catalogue.
    Item(ItemId),
    /// A playlist.
    Playlist(ItemId),
    /// A library.
    Library(Library),
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The things on the page.
    pub(crate) things: Vec<Thing>,
    /// How many there are on all pages.
    pub(crate) total: usize,
}

/// The page that `asked` wants.
pub(crate) fn find(scene: &Scene<'_>, asked: &Asked) -> Found {
    if let Some(whole) = pool::whole(scene, asked) {
        return Found { total: whole.ids.len(), things: order::page_of_whole(scene, asked, &whole) };
    }
    let mut pool = pool::gather(scene, asked);
    pool.things.retain(|thing| sieve::fits(scene, asked, *thing));
    let total = pool.things.len();
    let things = order::page(scene, asked, pool);
    Found { things, total }
}

/// Writes a thing.
pub(crate) fn write(scene: &Scene<'_>, thing: Thing, shape: &Shape) -> Option<Fields> {
    match thing {
        Thing::Item(id) => scene.record(id).map(|record| dto::item(scene, &record, shape)),
        Thing::Playlist(id) => {
            let playlist: &Playlist = scene.view.playlist(id)?;
            Some(dto::playlist(scene, playlist, shape))
        }
        Thing::Library(library) => Some(dto::library(scene, library, library.name(), shape)),
    }
}
