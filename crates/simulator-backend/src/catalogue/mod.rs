//! The library: films, shows and music, each item computed on demand from the seed and its number. Nothing is stored
//! and nothing is built at the start, so a million tracks cost as much as ten.
//!
//! Ids are laid out by kind: films, shows, seasons, episodes, artists, albums, tracks, collections, from 1. Items added
//! while the server runs get ids behind the last of them.

mod item_id;
mod make;
mod name;
mod order;
mod record;
mod size;
mod words;

pub use item_id::{ItemId, ItemPosition, MediaKind, Section};
pub use name::sortable;
pub use order::{SortIndex, SortKey, SortValue, SortedIds};
pub use record::{AncestorItem, CalendarDate, CastRole, CatalogueFile, ItemRecord, ProviderId, VideoStream};
pub use size::CatalogueSize;
pub use words::FILM_GENRES;

use crate::rng::SeededRng;

/// The catalogue of one seed and size.
#[derive(Debug, Clone)]
pub struct Catalogue {
    rng: SeededRng,
    size: CatalogueSize,
    newest_at: u64,
    starts: [u32; 9],
}

impl Catalogue {
    /// Creates the catalogue of `seed` with `size`, whose newest item was added at `newest_at` (seconds since 1970).
    pub fn new(seed: u64, size: CatalogueSize, newest_at: u64) -> Self {
        let size = size.clamped();
        let mut starts = [1_u32; 9];
        for (at, kind) in MediaKind::EVERY.into_iter().enumerate() {
            starts[at + 1] = starts[at] + count_of(&size, kind);
        }
        Self { rng: SeededRng::new(seed), size, newest_at, starts }
    }

    /// Its random number generator.
    pub fn rng(&self) -> SeededRng {
        self.rng
    }

    /// Its size.
    pub fn size(&self) -> &CatalogueSize {
        &self.size
    }

    /// Time of addition of its newest item.
    pub fn newest_at(&self) -> u64 {
        self.newest_at
    }

    /// Number of items of this kind.
    pub fn count(&self, kind: MediaKind) -> u32 {
        count_of(&self.size, kind)
    }

    /// Number of items.
    pub fn len(&self) -> u32 {
        self.starts[8] - 1
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first id it does not use.
    pub fn end(&self) -> ItemId {
        ItemId(self.starts[8])
    }

    /// The id of a position. The number must be below [`Catalogue::count`].
    pub fn id(&self, kind: MediaKind, number: u32) -> ItemId {
        ItemId(self.starts[position(kind)] + number)
    }

    /// The position of an id.
    pub fn item_position(&self, id: ItemId) -> Option<ItemPosition> {
        MediaKind::EVERY.into_iter().enumerate().find_map(|(at, kind)| {
            let number = id.0.checked_sub(self.starts[at])?;
            (id.0 < self.starts[at + 1]).then_some(ItemPosition { kind, number })
        })
    }

    /// All ids of a kind, oldest addition first.
    pub fn ids(&self, kind: MediaKind) -> impl ExactSizeIterator<Item = ItemId> + DoubleEndedIterator + use<> {
        let at = position(kind);
        (self.starts[at]..self.starts[at + 1]).map(ItemId)
    }

    /// Parent of an item.
    pub fn parent(&self, id: ItemId) -> Option<ItemId> {
        let place = self.item_position(id)?;
        let size = &self.size;
        Some(match place.kind {
            MediaKind::Season => self.id(MediaKind::Show, place.number / size.seasons_per_show),
            MediaKind::Episode => self.id(MediaKind::Season, place.number / size.episodes_per_season),
            MediaKind::Album => self.id(MediaKind::Artist, place.number / size.albums_per_artist),
            MediaKind::Track => self.id(MediaKind::Album, place.number / size.tracks_per_album),
            MediaKind::Film | MediaKind::Show | MediaKind::Artist | MediaKind::Collection => return None,
        })
    }

    /// Direct children of an item, in order.
    pub fn children(&self, id: ItemId) -> Vec<ItemId> {
        let Some(place) = self.item_position(id) else { return Vec::new() };
        let size = &self.size;
        let (below, each) = match place.kind {
            MediaKind::Show => (MediaKind::Season, size.seasons_per_show),
            MediaKind::Season => (MediaKind::Episode, size.episodes_per_season),
            MediaKind::Artist => (MediaKind::Album, size.albums_per_artist),
            MediaKind::Album => (MediaKind::Track, size.tracks_per_album),
            MediaKind::Collection => return self.members(place.number),
            MediaKind::Film | MediaKind::Episode | MediaKind::Track => return Vec::new(),
        };
        let first = place.number * each;
        let last = (first + each).min(self.count(below));
        (first..last).map(|number| self.id(below, number)).collect()
    }

    /// The films of a collection.
    fn members(&self, number: u32) -> Vec<ItemId> {
        let films = u64::from(self.count(MediaKind::Film));
        let mut ids: Vec<ItemId> = (0..8_u64)
            .filter_map(|k| u32::try_from(self.rng.below("member", u64::from(number) * 8 + k, films)).ok())
            .map(|film| self.id(MediaKind::Film, film))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

fn position(kind: MediaKind) -> usize {
    MediaKind::EVERY.iter().position(|other| *other == kind).unwrap_or(0)
}

fn count_of(size: &CatalogueSize, kind: MediaKind) -> u32 {
    match kind {
        MediaKind::Film => size.films,
        MediaKind::Show => size.shows,
        MediaKind::Season => size.seasons(),
        MediaKind::Episode => size.episodes(),
        MediaKind::Artist => size.artists(),
        MediaKind::Album => size.albums(),
        MediaKind::Track => size.tracks,
        MediaKind::Collection => size.collections,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> Catalogue {
        Catalogue::new(1, CatalogueSize::tiny(), 1_760_000_000)
    }

    #[test]
    fn every_id_has_one_place_and_back() {
        let catalogue = tiny();
        for raw in 1..=catalogue.len() {
            let place = catalogue.item_position(ItemId(raw)).expect("an id within the catalogue");
            assert_eq!(catalogue.id(place.kind, place.number), ItemId(raw));
        }
        assert_eq!(catalogue.item_position(ItemId(0)), None);
        assert_eq!(catalogue.item_position(catalogue.end()), None);
    }

    #[test]
    fn children_and_parents_agree() {
        let catalogue = tiny();
        for kind in [MediaKind::Show, MediaKind::Season, MediaKind::Artist, MediaKind::Album] {
            for id in catalogue.ids(kind) {
                for child in catalogue.children(id) {
                    assert_eq!(catalogue.parent(child), Some(id));
                }
            }
        }
        let tracks: usize = catalogue.ids(MediaKind::Album).map(|album| catalogue.children(album).len()).sum();
        assert_eq!(tracks, 60);
    }

    #[test]
    fn the_same_seed_makes_the_same_items() {
        let (one, same, other) = (tiny(), tiny(), Catalogue::new(2, CatalogueSize::tiny(), 1_760_000_000));
        for raw in 1..=one.len() {
            assert_eq!(one.record(ItemId(raw)), same.record(ItemId(raw)));
        }
        assert_ne!(one.record(ItemId(1)), other.record(ItemId(1)));
    }

    #[test]
    fn later_ids_of_a_kind_were_added_later() {
        let catalogue = tiny();
        for kind in [MediaKind::Film, MediaKind::Episode, MediaKind::Track] {
            let added: Vec<u64> =
                catalogue.ids(kind).filter_map(|id| catalogue.record(id)).map(|record| record.added_at).collect();
            assert!(added.is_sorted(), "{kind:?}");
            assert!(added.iter().all(|at| *at <= catalogue.newest_at()));
        }
    }
}
