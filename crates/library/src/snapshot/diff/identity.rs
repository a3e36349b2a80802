//! Finds items that got a new key, by their files and external ids.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::external_id::canonical;
use crate::item::Item;

/// Removed or added items with the hashes that identify them.
#[derive(Debug, Default)]
pub(super) struct ItemFingerprints {
    /// Their rows, in order.
    pub(super) rows: Vec<u32>,
    paths: Vec<(u64, u32)>,
    guids: Vec<(u64, u32)>,
}

impl ItemFingerprints {
    /// Adds an item; `compares` tells whether its hashes are needed.
    pub(super) fn push(&mut self, row: u32, item: &Item, compares: bool) {
        self.rows.push(row);
        if !compares {
            return;
        }
        let digest = |text: &str| (xxh3_64_with_seed(text.as_bytes(), item.kind as u64), row);
        self.paths.extend(item.files.iter().map(|file| digest(&file.path)));
        self.guids.extend(item.guids.iter().filter_map(|guid| canonical(guid)).map(|guid| digest(&guid)));
    }
}

/// Items with a new key.
#[derive(Debug, Default)]
pub(super) struct RekeyedPairs {
    /// Old row and new row.
    pub(super) found: Vec<(u32, u32)>,
    /// The old rows.
    pub(super) gone: HashSet<u32>,
    /// The new rows.
    pub(super) came: HashSet<u32>,
}

/// Files are compared first, because two copies of one film have the same ids.
pub(super) fn pairs(gone: &ItemFingerprints, came: &ItemFingerprints) -> RekeyedPairs {
    let mut pairs = RekeyedPairs::default();
    pairs.find(gone.paths.clone(), came.paths.clone());
    pairs.find(gone.guids.clone(), came.guids.clone());
    pairs.found.sort_unstable_by_key(|(_, to)| *to);
    pairs
}

impl RekeyedPairs {
    /// Pairs items whose hash is unique on both sides.
    fn find(&mut self, gone: Vec<(u64, u32)>, came: Vec<(u64, u32)>) {
        let (gone, came) = (alone(gone, &self.gone), alone(came, &self.came));
        let mut rest = came.as_slice();
        for (digest, from) in gone {
            let first = rest.partition_point(|(other, _)| *other < digest);
            rest = &rest[first..];
            let Some((_, to)) = rest.first().filter(|(other, _)| *other == digest) else { continue };
            if !self.gone.contains(&from) && !self.came.contains(to) {
                self.found.push((from, *to));
                self.gone.insert(from);
                self.came.insert(*to);
            }
        }
    }
}

/// Items with a unique hash, sorted.
fn alone(mut all: Vec<(u64, u32)>, taken: &HashSet<u32>) -> Vec<(u64, u32)> {
    all.retain(|(_, row)| !taken.contains(row));
    all.sort_unstable();
    all.dedup();
    let runs = all.chunk_by(|one, other| one.0 == other.0);
    runs.filter_map(|run| if let [only] = run { Some(*only) } else { None }).collect()
}

/// Whether a key now belongs to another item: no file and no external id is shared.
pub(super) fn is_reused(was: &Item, is: &Item) -> bool {
    if was.kind != is.kind {
        return true;
    }
    let shares_file = was.files.iter().any(|file| is.files.iter().any(|other| other.path == file.path));
    let names = |item: &Item| item.guids.iter().filter_map(|guid| canonical(guid)).collect::<HashSet<String>>();
    let (old, new) = (names(was), names(is));
    let can_tell = !(was.files.is_empty() || is.files.is_empty()) || !(old.is_empty() || new.is_empty());
    can_tell && !shares_file && old.is_disjoint(&new) && was.title != is.title
}
