//! Makes a snapshot from another one, at the cost of what changed: blocks without changed rows are shared, and the track
//! index is patched (see [`TrackIndex::patched`]). Rows are numbered exactly as in a snapshot that was built whole.
//!
//! A patched track index is merged into a whole one when enough rows differ: see [`Snapshot::is_merge_due`].

use std::collections::HashSet;
use std::sync::Arc;

use super::history::PatchStep;
use super::key::ItemKey;
use super::rows::SortedRows;
use super::{Snapshot, place, push_track, row};
use crate::item::ItemKind;
use crate::matching::{AddedTrack, TrackIndex, TrackIndexBuilder};
use crate::row_changes::NO_ROW;

/// Share of the rows in percent, and rows, that may differ from the whole index before it is merged; the larger share of
/// a small library and the smaller number of a large one hold.
const MERGE_PERCENT: usize = 2;
const MERGE_ROWS: (usize, usize) = (64, 20_000);

/// Changed rows up to which the track index is patched in a library of this many rows: while a merge is due, patches go
/// on.
pub(super) const MAX_PATCH: fn(usize) -> usize = |rows| 2 * merge_bound(rows);

fn merge_bound(rows: usize) -> usize {
    (rows * MERGE_PERCENT / 100).clamp(MERGE_ROWS.0, MERGE_ROWS.1)
}

impl Snapshot {
    /// The same snapshot, sharing everything.
    pub(super) fn share(&self) -> Self {
        Self {
            rows: Arc::clone(&self.rows),
            tracks: Arc::clone(&self.tracks),
            whole_tracks: Arc::clone(&self.whole_tracks),
            track_rows: Arc::clone(&self.track_rows),
            counts: self.counts,
            history: self.history.clone(),
        }
    }

    /// Number of tracks by which the track index differs from the one it was made from.
    pub fn patched_tracks(&self) -> usize {
        if Arc::ptr_eq(&self.tracks, &self.whole_tracks) { 0 } else { self.tracks.patched_rows() }
    }

    /// Whether the patched tracks are too many to patch the track index, so that it should be built whole.
    pub fn is_merge_due(&self) -> bool {
        self.patched_tracks() > merge_bound(self.len())
    }

    /// The same snapshot with a track index that was built whole. Takes seconds for a million tracks.
    #[must_use]
    pub fn merged(&self) -> Self {
        let mut tracks = TrackIndexBuilder::default();
        let mut track_rows = Vec::with_capacity(self.count(ItemKind::Track));
        for (row, item) in (0..).zip(self.items()) {
            if item.kind == ItemKind::Track {
                push_track(&mut tracks, &item);
                track_rows.push(row);
            }
        }
        let tracks = Arc::new(tracks.build());
        let whole_tracks = Arc::clone(&tracks);
        Self { tracks, whole_tracks, track_rows: Arc::new(track_rows), ..self.share() }
    }

    /// This snapshot without the items with the keys in `gone`, and with these. `None` if more than `bound` rows of the
    /// track index would differ from the one it was made from, or it has to be built whole for another reason.
    pub(super) fn patched(&self, gone: &HashSet<ItemKey>, came: &SortedRows, bound: usize) -> Option<Self> {
        let mut counts = self.counts;
        let mut added_rows = Vec::with_capacity(came.len());
        let mut added_kinds = Vec::with_capacity(came.len());
        let mut walk = came.iter_rows();
        for at in 0..u32::try_from(came.len()).ok()? {
            let bytes = walk.next()?.to_vec();
            let kind = row::read(&bytes).ok()?.kind;
            counts[place(kind)] += 1;
            added_kinds.push(kind);
            added_rows.push((came.key_at(at)?, bytes));
        }
        let patched = self.rows.patched(gone, &added_rows);
        for (_, kind) in &patched.removed {
            counts[place(*kind)] -= 1;
        }
        let is_show = |kind: &ItemKind| *kind == ItemKind::Show;
        let changes = PatchStep {
            rows_before: u32::try_from(self.len()).ok()?,
            removed: patched.removed.iter().map(|(row, _)| *row).collect(),
            has_show: patched.removed.iter().map(|(_, kind)| kind).chain(&added_kinds).any(is_show),
            added: patched.added.clone(),
        };
        let is_track = |(_, kind): &(&u32, &ItemKind)| **kind == ItemKind::Track;
        let tracks: Vec<u32> = patched.added.iter().zip(&added_kinds).filter(is_track).map(|(row, _)| *row).collect();
        let (tracks, track_rows) = self.patched_index(&patched.rows, &changes, tracks, bound)?;
        Some(Self {
            rows: Arc::new(patched.rows),
            tracks: Arc::new(tracks),
            whole_tracks: Arc::clone(&self.whole_tracks),
            track_rows: Arc::new(track_rows),
            counts,
            history: self.history_with(Arc::new(changes)),
        })
    }

    /// The track index over `rows`, with the rows of its tracks; `added` are the rows of tracks that were added.
    fn patched_index(
        &self,
        rows: &SortedRows,
        changes: &PatchStep,
        added: Vec<u32>,
        bound: usize,
    ) -> Option<(TrackIndex, Vec<u32>)> {
        let whole = self.whole_tracks.len();
        let (base_rows, patch_rows) = self.track_rows.split_at(whole);
        let mut track_rows = changes.map(base_rows);
        let mut tail = changes.map(patch_rows);
        tail.retain(|row| *row != NO_ROW);
        tail.extend(added);
        tail.sort_unstable();
        let removed: Vec<u32> =
            (0..).zip(&track_rows).filter(|(_, row)| **row == NO_ROW).map(|(track, _)| track).collect();
        if removed.len() + tail.len() > bound {
            return None;
        }
        let mut items = Vec::with_capacity(tail.len());
        rows.items_at(&tail, |row, item| items.push((row, item)));
        let mut base = (0_u32..).zip(&track_rows).filter(|(_, row)| **row != NO_ROW).peekable();
        let added = items.into_iter().map(|(row, item)| {
            while base.next_if(|(_, other)| **other < row).is_some() {}
            let before = base.peek().map_or(u32::try_from(whole).unwrap_or(u32::MAX), |(track, _)| *track);
            AddedTrack { before, item }
        });
        let added: Vec<AddedTrack> = added.collect();
        let read = |track: u32| rows.item(*track_rows.get(track as usize)?);
        let index = self.whole_tracks.patched(removed, &added, &read)?;
        track_rows.append(&mut tail);
        Some((index, track_rows))
    }
}
