//! All items of one library at one moment, with the indexes that find them. Immutable; the next snapshot
//! replaces it.
//!
//! Modules: `key`: item keys and their sorted list; `row`: binary format of an item; `block`: compressed
//! blocks of rows; `rows`: all rows sorted by key; `builder`: builds snapshots; `patch`: makes one from
//! another; `history`: what patches changed; `file`: file format;
//! [`diff`]: differences between two snapshots.

mod block;
mod builder;
pub mod diff;
mod file;
mod history;
mod key;
mod patch;
#[cfg(test)]
mod patch_tests;
mod row;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

pub use builder::SnapshotBuilder;
pub use file::SnapshotDecodeError;
pub use history::RowsId;

use crate::item::{Item, ItemKind};
use crate::matching::{TrackIndex, TrackIndexBuilder, with_track};
use crate::row_changes::NO_ROW;
use block::Block;
use history::PatchHistory;
use key::ItemKey;
use row::InvalidRow;
use rows::SortedRows;

/// All items of one library at one moment.
#[derive(Debug)]
pub struct Snapshot {
    rows: Arc<SortedRows>,
    tracks: Arc<TrackIndex>,
    /// The index that `tracks` was made from, or `tracks` itself.
    whole_tracks: Arc<TrackIndex>,
    /// The items' rows of tracks, [`NO_ROW`] if the track was removed.
    track_rows: Arc<Vec<u32>>,
    counts: [u32; 5],
    /// The last patches that led here.
    history: PatchHistory,
}

impl Snapshot {
    /// Reads compressed rows and builds the indexes.
    fn read(blocks: Vec<Block>) -> Result<Self, InvalidRow> {
        let mut tracks = TrackIndexBuilder::default();
        let mut track_rows = Vec::new();
        let mut counts = [0; 5];
        let rows = SortedRows::read(blocks, |row, item| {
            counts[place(item.kind)] += 1;
            if item.kind == ItemKind::Track {
                push_track(&mut tracks, item);
                track_rows.push(row);
            }
        })?;
        track_rows.shrink_to_fit();
        let tracks = Arc::new(tracks.build());
        let whole_tracks = Arc::clone(&tracks);
        Ok(Self {
            rows: Arc::new(rows),
            tracks,
            whole_tracks,
            track_rows: Arc::new(track_rows),
            counts,
            history: Vec::new(),
        })
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of items of a kind.
    pub fn count(&self, kind: ItemKind) -> usize {
        self.counts[place(kind)] as usize
    }

    /// The item of a row.
    pub fn item(&self, row: u32) -> Option<Item> {
        self.rows.item(row)
    }

    /// Calls `each` with the items of some rows, which must be sorted and unique: much faster than one by
    /// one.
    pub fn items_at(&self, rows: &[u32], each: impl FnMut(u32, Item)) {
        self.rows.items_at(rows, each);
    }

    /// The row of the item with this key. Rows are sorted by key, numbers by value.
    pub fn row_of(&self, key: &str) -> Option<u32> {
        self.rows.row_of(&ItemKey::parse(key))
    }

    /// The key of a row.
    pub fn key_of(&self, row: u32) -> Option<String> {
        self.rows.key_at(row).map(|key| key.to_string())
    }

    /// The keys of all descendants of these items. Reads every row, unless they all have none by their kind.
    pub fn keys_below(&self, above: &[&str]) -> Vec<Box<str>> {
        let has_children = |key: &&str| {
            let item = || self.item(self.row_of(key)?);
            item().is_none_or(|item| matches!(item.kind, ItemKind::Show | ItemKind::Season))
        };
        let above: HashSet<&str> = above.iter().copied().filter(has_children).collect();
        if above.is_empty() {
            return Vec::new();
        }
        let lies_in = |key: &Option<Box<str>>| key.as_deref().is_some_and(|key| above.contains(key));
        let below = self.items().filter(|item| lies_in(&item.parent_key) || lies_in(&item.grandparent_key));
        below.map(|item| item.key).collect()
    }

    /// The index of tracks; its rows are not those of items, see [`Snapshot::row_of_track`].
    pub fn tracks(&self) -> &TrackIndex {
        &self.tracks
    }

    /// The item's row for a row of [`Snapshot::tracks`].
    pub fn row_of_track(&self, track: u32) -> Option<u32> {
        self.track_rows.get(track as usize).copied().filter(|row| *row != NO_ROW)
    }

    /// All items in order of their rows.
    pub fn items(&self) -> impl Iterator<Item = Item> + '_ {
        let mut walk = self.rows.iter_rows();
        std::iter::from_fn(move || walk.next_item())
    }

    /// Approximate memory use in bytes, without the indexes of tracks, files and ids.
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

/// Adds a track to an index in the same way as a snapshot does; returns its row there.
pub fn push_track(tracks: &mut TrackIndexBuilder, item: &Item) -> u32 {
    with_track(item, |track| tracks.push(track))
}
