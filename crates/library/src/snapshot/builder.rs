//! Collects the items of a snapshot, packed as they come: a crawl of a million tracks must not take more memory than what
//! comes of it.
//!
//! The result does not depend on the order in which items came. They are put into the order of their keys by their rank:
//! first spread over stretches of the order that fit into memory unpacked, then stretch by stretch.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Snapshot;
use super::key::Key;
use super::pack::{self, Block, MAX_ROW_BYTES, Packer};
use super::row;
use super::rows::Rows;
use crate::item::Item;

/// Rows of a stretch.
const STRETCH: usize = 16_384;

/// How many rows of a stretch are packed together before it is its turn.
const ROWS_PER_PARCEL: usize = 256;

/// Collects the items of a snapshot.
#[derive(Debug, Default)]
pub struct SnapshotBuilder {
    /// What a patch starts from.
    base: Arc<Rows>,
    /// What of that is not to be kept.
    gone: HashSet<Key>,
    /// What came, and in which place of all that came it stands.
    came: HashMap<Key, u32>,
    packer: Packer,
    arrivals: u32,
}

impl From<&Snapshot> for SnapshotBuilder {
    /// Everything that is in a snapshot, to be patched.
    fn from(snapshot: &Snapshot) -> Self {
        Self { base: Arc::clone(&snapshot.rows), ..Self::default() }
    }
}

impl SnapshotBuilder {
    /// Adds an item. One with a key that is there already is passed over, since pages overlap, and so is one that is
    /// absurdly large. Returns whether it was taken.
    #[expect(clippy::needless_pass_by_value, reason = "nobody has a use for what was taken")]
    pub fn push(&mut self, item: Item) -> bool {
        let key = Key::of(&item.key);
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

    /// Takes the item with this key out. Returns whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let key = Key::of(key);
        if self.came.remove(&key).is_some() {
            return true;
        }
        self.base.row_of(&key).is_some() && self.gone.insert(key)
    }

    /// Whether an item with this key is there.
    pub fn contains(&self, key: &str) -> bool {
        self.holds(&Key::of(key))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.base.len() - self.gone.len() + self.came.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About what it takes, without the snapshot it started from.
    pub fn memory_bytes(&self) -> usize {
        let entry = size_of::<(Key, u32)>() + 1;
        self.packer.memory_bytes() + (self.came.capacity() + self.gone.capacity()) * entry
    }

    /// The snapshot with all its indexes. Takes seconds for a million items.
    pub fn build(self) -> Snapshot {
        let Self { base, gone, came, packer, arrivals } = self;
        let sorted = in_order(packer.finish(), came, arrivals);
        let blocks = if base.len() == 0 { sorted } else { merged(&base, &gone, sorted) };
        drop((base, gone));
        Snapshot::read(blocks).expect("the rows were written here, in order")
    }

    fn holds(&self, key: &Key) -> bool {
        self.came.contains_key(key) || (self.base.row_of(key).is_some() && !self.gone.contains(key))
    }
}

/// What came, in the order of its keys.
fn in_order(blocks: Vec<Block>, came: HashMap<Key, u32>, arrivals: u32) -> Vec<Block> {
    let mut sorted: Vec<(Key, u32)> = came.into_iter().collect();
    sorted.sort_unstable();
    let is_in_order =
        sorted.len() == arrivals as usize && sorted.iter().map(|(_, arrival)| *arrival).is_sorted();
    if is_in_order {
        return blocks;
    }
    let mut ranks: Vec<Option<u32>> = vec![None; arrivals as usize];
    for (rank, (_, arrival)) in (0..).zip(&sorted) {
        ranks[*arrival as usize] = Some(rank);
    }
    drop(sorted);
    let mut packer = Packer::default();
    for stretch in spread(blocks, &ranks) {
        let unpacked: Vec<Vec<u8>> =
            stretch.iter().map(|parcel| parcel.unpacked().expect("it was packed here")).collect();
        let mut rows: Vec<(u64, &[u8])> = Vec::with_capacity(STRETCH);
        for parcel in &unpacked {
            for row in pack::rows(parcel) {
                let mut from = row::Reader(row.expect("it was written here"));
                rows.push((from.number().expect("its rank was written before it"), from.0));
            }
        }
        rows.sort_unstable_by_key(|(rank, _)| *rank);
        for (_, row) in rows {
            packer.push(row);
        }
    }
    packer.finish()
}

/// Rows with their ranks before them, those of each stretch of the order together.
fn spread(blocks: Vec<Block>, ranks: &[Option<u32>]) -> Vec<Vec<Block>> {
    let count = ranks.iter().flatten().count();
    let mut stretches: Vec<Packer> =
        (0..count.div_ceil(STRETCH)).map(|_| Packer::of(ROWS_PER_PARCEL)).collect();
    let mut ranks = ranks.iter();
    let mut ranked = Vec::new();
    for block in blocks {
        let unpacked = block.unpacked().expect("it was packed here");
        for (row, rank) in pack::rows(&unpacked).zip(&mut ranks) {
            let Some(rank) = rank else { continue };
            ranked.clear();
            row::number(u64::from(*rank), &mut ranked);
            ranked.extend_from_slice(row.expect("it was written here"));
            stretches[*rank as usize / STRETCH].push(&ranked);
        }
    }
    stretches.into_iter().map(Packer::finish).collect()
}

/// What is left of the base, with what came.
fn merged(base: &Rows, gone: &HashSet<Key>, came: Vec<Block>) -> Vec<Block> {
    let came = Rows::read(came, |_, _| {}).expect("the rows were written here, in order");
    let mut packer = Packer::default();
    let (mut old, mut new) = (base.walk(), came.walk());
    let (mut old_row, mut new_row) = (0, 0);
    loop {
        let next = match (base.key_at(old_row), came.key_at(new_row)) {
            (None, None) => return packer.finish(),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.cmp(&new),
        };
        // What came under a key of the base comes after it: there the base's own is gone.
        if next == Ordering::Greater {
            packer.push(new.next().expect("there is a row for each key"));
            new_row += 1;
        } else {
            let row = old.next().expect("there is a row for each key");
            let is_gone = base.key_at(old_row).is_some_and(|key| gone.contains(&key));
            if !is_gone {
                packer.push(row);
            }
            old_row += 1;
        }
    }
}
