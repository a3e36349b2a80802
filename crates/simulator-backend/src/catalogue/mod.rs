//! The library: films, shows and music, each item computed from the seed and its number when it is asked for.
//! Nothing is stored and nothing is built at the start, so a million tracks cost as much as ten.
//!
//! Ids are laid out by kind: films, shows, seasons, episodes, artists, albums, tracks, collections, from 1. What is
//! added while the server runs gets ids behind the last of them.

mod make;
mod name;
mod order;
mod place;
mod record;
mod size;
mod words;

pub use name::sortable;
pub use order::{Order, Orders, SortKey, SortValue};
pub use place::{ItemId, Kind, Place, Section};
pub use record::{Above, Day, External, File, Record, Role, Video};
pub use size::CatalogueSize;
pub use words::FILM_GENRES;

use crate::chance::Chance;

/// The catalogue of one seed and size.
#[derive(Debug, Clone)]
pub struct Catalogue {
    chance: Chance,
    size: CatalogueSize,
    newest_at: u64,
    starts: [u32; 9],
}

impl Catalogue {
    /// The catalogue of `seed` with `size`, whose newest item was added at `newest_at` (seconds since 1970).
    pub fn new(seed: u64, size: CatalogueSize, newest_at: u64) -> Self {
        let size = size.sane();
        let mut starts = [1_u32; 9];
        for (at, kind) in Kind::EVERY.into_iter().enumerate() {
            starts[at + 1] = starts[at] + count_of(&size, kind);
        }
        Self { chance: Chance::new(seed), size, newest_at, starts }
    }

    /// Its chance.
    pub fn chance(&self) -> Chance {
        self.chance
    }

    /// Its size.
    pub fn size(&self) -> &CatalogueSize {
        &self.size
    }

    /// When its newest item was added.
    pub fn newest_at(&self) -> u64 {
        self.newest_at
    }

    /// How many items of this kind it holds.
    pub fn count(&self, kind: Kind) -> u32 {
        count_of(&self.size, kind)
    }

    /// How many items it holds.
    pub fn len(&self) -> u32 {
        self.starts[8] - 1
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first id it does not use.
    pub fn end(&self) -> ItemId {
        ItemId(self.starts[8])
    }

    /// The id of a place. The number must be below [`Catalogue::count`].
    pub fn id(&self, kind: Kind, number: u32) -> ItemId {
        ItemId(self.starts[position(kind)] + number)
    }

    /// The place of an id.
    pub fn place(&self, id: ItemId) -> Option<Place> {
        Kind::EVERY.into_iter().enumerate().find_map(|(at, kind)| {
            let number = id.0.checked_sub(self.starts[at])?;
            (id.0 < self.starts[at + 1]).then_some(Place { kind, number })
        })
    }

    /// All ids of a kind, oldest addition first.
    pub fn ids(&self, kind: Kind) -> impl ExactSizeIterator<Item = ItemId> + DoubleEndedIterator + use<> {
        let at = position(kind);
        (self.starts[at]..self.starts[at + 1]).map(ItemId)
    }

    /// What an item lies in.
    pub fn parent(&self, id: ItemId) -> Option<ItemId> {
        let place = self.place(id)?;
        let size = &self.size;
        Some(match place.kind {
            Kind::Season => self.id(Kind::Show, place.number / size.seasons_per_show),
            Kind::Episode => self.id(Kind::Season, place.number / size.episodes_per_season),
            Kind::Album => self.id(Kind::Artist, place.number / size.albums_per_artist),
            Kind::Track => self.id(Kind::Album, place.number / size.tracks_per_album),
            Kind::Film | Kind::Show | Kind::Artist | Kind::Collection => return None,
        })
    }

    /// What lies directly in an item, in its order.
    pub fn children(&self, id: ItemId) -> Vec<ItemId> {
        let Some(place) = self.place(id) else { return Vec::new() };
        let size = &self.size;
        let (below, each) = match place.kind {
            Kind::Show => (Kind::Season, size.seasons_per_show),
            Kind::Season => (Kind::Episode, size.episodes_per_season),
            Kind::Artist => (Kind::Album, size.albums_per_artist),
            Kind::Album => (Kind::Track, size.tracks_per_album),
            Kind::Collection => return self.members(place.number),
            Kind::Film | Kind::Episode | Kind::Track => return Vec::new(),
        };
        let first = place.number * each;
        let last = (first + each).min(self.count(below));
        (first..last).map(|number| self.id(below, number)).collect()
    }

    /// The films of a collection.
    fn members(&self, number: u32) -> Vec<ItemId> {
        let films = u64::from(self.count(Kind::Film));
        let mut ids: Vec<ItemId> = (0..8_u64)
            .filter_map(|k| u32::try_from(self.chance.below("member", u64::from(number) * 8 + k, films)).ok())
            .map(|film| self.id(Kind::Film, film))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

fn position(kind: Kind) -> usize {
    Kind::EVERY.iter().position(|other| *other == kind).unwrap_or(0)
}

fn count_of(size: &CatalogueSize, kind: Kind) -> u32 {
    match kind {
        Kind::Film => size.films,
        Kind::Show => size.shows,
        Kind::Season => size.seasons(),
        Kind::Episode => size.episodes(),
        Kind::Artist => size.artists(),
        Kind::Album => size.albums(),
        Kind::Track => size.tracks,
        Kind::Collection => size.collections,
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
            let place = catalogue.place(ItemId(raw)).expect("an id within the catalogue");
            assert_eq!(catalogue.id(place.kind, place.number), ItemId(raw));
        }
        assert_eq!(catalogue.place(ItemId(0)), None);
        assert_eq!(catalogue.place(catalogue.end()), None);
    }

    #[test]
    fn children_and_parents_agree() {
        let catalogue = tiny();
        for kind in [Kind::Show, Kind::Season, Kind::Artist, Kind::Album] {
            for id in catalogue.ids(kind) {
                for child in catalogue.children(id) {
                    assert_eq!(catalogue.parent(child), Some(id));
                }
            }
        }
        let tracks: usize = catalogue.ids(Kind::Album).map(|album| catalogue.children(album).len()).sum();
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
        for kind in [Kind::Film, Kind::Episode, Kind::Track] {
            let added: Vec<u64> = catalogue
                .ids(kind)
                .filter_map(|id| catalogue.record(id))
                .map(|record| record.added_at)
                .collect();
            assert!(added.is_sorted(), "{kind:?}");
            assert!(added.iter().all(|at| *at <= catalogue.newest_at()));
        }
    }
}
