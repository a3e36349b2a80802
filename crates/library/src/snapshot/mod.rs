//! All of one library at one moment: every item, and the indexes that find them. Immutable; the next one replaces it.
//!
//! Rooms: `key`: a server's id, and the list of all; `row`: an item as bytes; `pack`: rows in packed blocks; `rows`: all
//! of them, sorted by key; `builder`: how they come there; `file`: the whole as a file; [`diff`]: what is different
//! between two.

mod builder;
pub mod diff;
mod file;
mod key;
mod pack;
mod row;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

pub use builder::SnapshotBuilder;
pub use file::Damaged;

use crate::item::{Item, ItemKind};
use crate::tracks::{Track, TrackIndex, TrackIndexBuilder};
use key::Key;
use pack::Block;
use row::Broken;
use rows::Rows;

/// All of one library at one moment.
#[derive(Debug)]
pub struct Snapshot {
    rows: Arc<Rows>,
    tracks: TrackIndex,
    track_rows: Vec<u32>,
    counts: [u32; 5],
}

impl Snapshot {
    /// Reads packed rows and makes the indexes.
    fn read(blocks: Vec<Block>) -> Result<Self, Broken> {
        let mut tracks = TrackIndexBuilder::default();
        let mut track_rows = Vec::new();
        let mut counts = [0; 5];
        let rows = Rows::read(blocks, |row, item| {
            counts[place(item.kind)] += 1;
            if item.kind == ItemKind::Track {
                push_track(&mut tracks, item);
                track_rows.push(row);
            }
        })?;
        track_rows.shrink_to_fit();
        Ok(Self { rows: Arc::new(rows), tracks: tracks.build(), track_rows, counts })
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there are of a kind.
    pub fn count(&self, kind: ItemKind) -> usize {
        self.counts[place(kind)] as usize
    }

    /// The item of this row.
    pub fn item(&self, row: u32) -> Option<Item> {
        self.rows.item(row)
    }

    /// The items of some rows, which are sorted and come once each: much faster than one by one.
    pub fn items_at(&self, rows: &[u32], each: impl FnMut(u32, Item)) {
        self.rows.items_at(rows, each);
    }

    /// Where the item with this key is. Rows are in the order of their keys, numbers by value.
    pub fn row_of(&self, key: &str) -> Option<u32> {
        self.rows.row_of(&Key::of(key))
    }

    /// The key of this row.
    pub fn key_of(&self, row: u32) -> Option<String> {
        self.rows.key_at(row).map(|key| key.to_string())
    }

    /// The keys of all items that lie in any of these, however deep. Reads every row.
    pub fn keys_below(&self, above: &[&str]) -> Vec<Box<str>> {
        let above: HashSet<&str> = above.iter().copied().collect();
        let lies_in = |key: &Option<Box<str>>| key.as_deref().is_some_and(|key| above.contains(key));
        let below = self.items().filter(|item| lies_in(&item.parent_key) || lies_in(&item.grandparent_key));
        below.map(|item| item.key).collect()
    }

    /// The tracks; its rows are not those of items, see [`Snapshot::row_of_track`].
    pub fn tracks(&self) -> &TrackIndex {
        &self.tracks
    }

    /// The item's row of a row of [`Snapshot::tracks`].
    pub fn row_of_track(&self, track: u32) -> Option<u32> {
        self.track_rows.get(track as usize).copied()
    }

    /// Every item, by row.
    pub fn items(&self) -> impl Iterator<Item = Item> + '_ {
        let mut walk = self.rows.walk();
        std::iter::from_fn(move || walk.next_item())
    }

    /// About what it takes, without the indexes over tracks, files and names.
    pub fn memory_bytes(&self) -> usize {
        self.rows.memory_bytes() + self.track_rows.capacity() * 4
    }
}

fn place(kind: ItemKind) -> usize {
    match kind {
        ItemKind::Film => 0,
        ItemKind::Show => 1,
        ItemKind::Season => 2,
        ItemKind::Episode => 3,
        ItemKind::Track => 4,
    }
}

/// Adds a track to an index as a snapshot does; returns its row there.
pub fn push_track(tracks: &mut TrackIndexBuilder, item: &Item) -> u32 {
    let credited: Vec<&str> = item.artists.iter().map(AsRef::as_ref).collect();
    let album_artist = item.grandparent_title.as_deref().unwrap_or_default();
    let ids: Vec<&str> = item.guids.iter().map(AsRef::as_ref).collect();
    let joined;
    let artist = match &credited[..] {
        [] => album_artist,
        [only] => only,
        several => {
            joined = several.join(", ");
            &joined
        }
    };
    tracks.push(&Track {
        title: &item.title,
        artist,
        artists: &credited,
        album_artist,
        album: item.parent_title.as_deref().unwrap_or_default(),
        duration_s: item.duration_ms.map(|ms| ms / 1000),
        ids: &ids,
    })
}
