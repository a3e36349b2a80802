//! All of one library at one moment: every item, and the indexes that find them. Immutable; the next one replaces it.

use std::collections::HashMap;

use crate::item::{Item, ItemKind};
use crate::tracks::{Track, TrackIndex, TrackIndexBuilder};

/// Collects the items of a snapshot.
#[derive(Debug, Default)]
pub struct SnapshotBuilder {
    items: Vec<Item>,
    rows: HashMap<Box<str>, u32>,
}

/// All of one library at one moment.
#[derive(Debug)]
pub struct Snapshot {
    items: Vec<Item>,
    rows: HashMap<Box<str>, u32>,
    tracks: TrackIndex,
    track_rows: Vec<u32>,
}

impl SnapshotBuilder {
    /// Adds an item. One with a key that is there already is passed over: pages overlap. Returns whether it was new.
    pub fn push(&mut self, item: Item) -> bool {
        let row = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        if self.rows.contains_key(&item.key) {
            return false;
        }
        self.rows.insert(item.key.clone(), row);
        self.items.push(item);
        true
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none yet.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The snapshot with all its indexes. Takes seconds for a million items.
    pub fn build(self) -> Snapshot {
        let mut tracks = TrackIndexBuilder::default();
        let mut track_rows = Vec::new();
        for (row, item) in self.items.iter().enumerate() {
            if item.kind == ItemKind::Track {
                let credited: Vec<&str> = item.artists.iter().map(AsRef::as_ref).collect();
                let album_artist = item.grandparent_title.as_deref().unwrap_or_default();
                let ids: Vec<&str> = item.guids.iter().map(AsRef::as_ref).collect();
                let whole = if credited.is_empty() { album_artist.to_owned() } else { credited.join(", ") };
                tracks.push(&Track {
                    title: &item.title,
                    artist: &whole,
                    artists: &credited,
                    album_artist,
                    album: item.parent_title.as_deref().unwrap_or_default(),
                    duration_s: item.duration_ms.map(|ms| ms / 1000),
                    ids: &ids,
                });
                track_rows.push(u32::try_from(row).unwrap_or(u32::MAX));
            }
        }
        Snapshot { items: self.items, rows: self.rows, tracks: tracks.build(), track_rows }
    }
}

impl Snapshot {
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The item of this row.
    pub fn item(&self, row: u32) -> Option<Item> {
        self.items.get(row as usize).cloned()
    }

    /// Where the item with this key is.
    pub fn row_of(&self, key: &str) -> Option<u32> {
        self.rows.get(key).copied()
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
        self.items.iter().cloned()
    }
}
