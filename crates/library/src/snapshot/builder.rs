//! Builds snapshots. Items are compressed as they arrive, because a crawl of a million tracks must not take
//! more memory than its result.
//!
//! The result does not depend on the order of arrival. Items are sorted by key in two passes: first they are
//! distributed over ranges of the order that fit into memory uncompressed, then each range is sorted.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Snapshot;
use super::block::{self, Block, BlockWriter, MAX_ROW_BYTES};
use super::key::ItemKey;
use super::patch::MAX_PATCH;
use super::row;
use super::rows::SortedRows;
use crate::item::Item;

/// Rows of a range.
const MERGE_PARCELS: usize = 16_384;

/// Rows of a range that are compressed together until the range is sorted.
const ROWS_PER_CHUNK: usize = 256;

/// Collects the items of a snapshot.
#[derive(Debug, Default)]
pub struct SnapshotBuilder {
    /// The snapshot to be patched.
    snapshot: Option<Snapshot>,
    /// Its rows.
    base: Arc<SortedRows>,
    /// Keys of its items that are removed.
    gone: HashSet<ItemKey>,
    /// Keys of added items, with their positions in order of arrival.
    came: HashMap<ItemKey, u32>,
    packer: BlockWriter,
    arrivals: u32,
}

impl From<&Snapshot> for SnapshotBuilder {
    /// Starts a patch of a snapshot.
    fn from(snapshot: &Snapshot) -> Self {
        Self { snapshot: Some(snapshot.share()), base: Arc::clone(&snapshot.rows), ..Self::default() }
    }
}

impl SnapshotBuilder {
    /// Adds an item. Items with a known key are skipped, because pages overlap, and so are oversized ones.
    /// Returns whether it was added.
    #[expect(clippy::needless_pass_by_value, reason = "the item is consumed")]
    pub fn push(&mut self, item: Item) -> bool {
        let key = ItemKey::parse(&item.key);
        if self.holds(&key) {
            return false;
        }
        let mut bytes = Vec::with_capacity(512);
        row::write(&item, &mut bytes);
        if bytes.len() > MAX_ROW_BYTES || self.arrivals == u32::MAX {
            return false;
        }
        self.packer.push(&bytes);
        self.came.insert(key, self.arrivals);
        self.arrivals += 1;
        true
    }

    /// Removes the item with this key. Returns whether it existed.
    pub fn remove(&mut self, key: &str) -> bool {
        let key = ItemKey::parse(key);
        if self.came.remove(&key).is_some() {
            return true;
        }
        self.base.row_of(&key).is_some() && self.gone.insert(key)
    }

    /// Whether there is an item with this key.
    pub fn contains(&self, key: &str) -> bool {
        self.holds(&ItemKey::parse(key))
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.base.len() - self.gone.len() + self.came.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Approximate memory use in bytes, without the base snapshot.
    pub fn memory_bytes(&self) -> usize {
        let entry = size_of::<(ItemKey, u32)>() + 1;
        self.packer.memory_bytes() + (self.came.capacity() + self.gone.capacity()) * entry
    }

    /// Builds the snapshot with all its indexes. A small patch takes as long as its changes; anything else takes
    /// seconds for a million items.
    pub fn build(self) -> Snapshot {
        self.build_within(MAX_PATCH)
    }

    /// Builds the snapshot; its track index is patched up to this many changed rows, and built whole beyond.
    pub(super) fn build_within(self, bound: fn(usize) -> usize) -> Snapshot {
        let Self { snapshot, base, gone, came, packer, arrivals } = self;
        let sorted = in_order(packer.finish(), came, arrivals);
        if base.len() == 0 {
            return Snapshot::read(sorted).expect("the rows were written in order");
        }
        let came = SortedRows::read(sorted, |_, _| {}).expect("the rows were written in order");
        let bound = bound(base.len());
        if gone.len() + came.len() <= bound
            && let Some(patched) = snapshot.and_then(|snapshot| snapshot.patched(&gone, &came, bound))
        {
            return patched;
        }
        let blocks = merged(&base, &gone, &came);
        drop((base, gone));
        Snapshot::read(blocks).expect("the rows were written in order")
    }

    fn holds(&self, key: &ItemKey) -> bool {
        self.came.contains_key(key) || (self.base.row_of(key).is_some() && !self.gone.contains(key))
    }
}

/// The added items, sorted by key.
fn in_order(blocks: Vec<Block>, came: HashMap<ItemKey, u32>, arrivals: u32) -> Vec<Block> {
    let mut sorted: Vec<(ItemKey, u32)> = came.into_iter().collect();
    sorted.sort_unstable();
    let is_in_order = sorted.len() == arrivals as usize && sorted.iter().map(|(_, arrival)| *arrival).is_sorted();
    if is_in_order {
        return blocks;
    }
    let mut ranks: Vec<Option<u32>> = vec![None; arrivals as usize];
    for (rank, (_, arrival)) in (0..).zip(&sorted) {
        ranks[*arrival as usize] = Some(rank);
    }
    drop(sorted);
    let mut packer = BlockWriter::default();
    for stretch in spread(blocks, &ranks) {
        let unpacked: Vec<Vec<u8>> = stretch
            .iter()
            .map(|parcel| parcel.unpacked().expect("decompress a chunk that was compressed here"))
            .collect();
        let mut rows: Vec<(u64, &[u8])> = Vec::with_capacity(MERGE_PARCELS);
        for parcel in &unpacked {
            for row in block::rows(parcel) {
                let mut from = row::RowReader(row.expect("read a row that was written here"));
                rows.push((from.number().expect("read the rank before the row"), from.0));
            }
        }
        rows.sort_unstable_by_key(|(rank, _)| *rank);
        for (_, row) in rows {
            packer.push(row);
        }
    }
    packer.finish()
}

/// Distributes rows, each preceded by its rank, over the ranges of the order.
fn spread(blocks: Vec<Block>, ranks: &[Option<u32>]) -> Vec<Vec<Block>> {
    let count = ranks.iter().flatten().count();
    let mut stretches: Vec<BlockWriter> =
        (0..count.div_ceil(MERGE_PARCELS)).map(|_| BlockWriter::with_rows_per_block(ROWS_PER_CHUNK)).collect();
    let mut ranks = ranks.iter();
    let mut ranked = Vec::new();
    for block in blocks {
        let unpacked = block.unpacked().expect("decompress a chunk that was compressed here");
        for (row, rank) in block::rows(&unpacked).zip(&mut ranks) {
            let Some(rank) = rank else { continue };
            ranked.clear();
            row::number(u64::from(*rank), &mut ranked);
            ranked.extend_from_slice(row.expect("read a row that was written here"));
            stretches[*rank as usize / MERGE_PARCELS].push(&ranked);
        }
    }
    stretches.into_iter().map(BlockWriter::finish).collect()
}

/// Merges the remaining base with the added items.
fn merged(base: &SortedRows, gone: &HashSet<ItemKey>, came: &SortedRows) -> Vec<Block> {
    let mut packer = BlockWriter::default();
    let (mut old, mut new) = (base.iter_rows(), came.iter_rows());
    let (mut old_row, mut new_row) = (0, 0);
    loop {
        let next = match (base.key_at(old_row), came.key_at(new_row)) {
            (None, None) => return packer.finish(),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.cmp(&new),
        };
        // An added item with a key of the base comes after it; the base's own is in `gone`.
        if next == Ordering::Greater {
            packer.push(new.next().expect("each key has a row"));
            new_row += 1;
        } else {
            let row = old.next().expect("each key has a row");
            let is_gone = base.key_at(old_row).is_some_and(|key| gone.contains(&key));
            if !is_gone {
                packer.push(row);
            }
            old_row += 1;
        }
    }
}
