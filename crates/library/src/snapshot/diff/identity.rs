//! Which of what went is which of what came: the same file, or the same name outside the server.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::guid::canonical;
use crate::item::Item;

/// What went, or what came, with the digests of what it is known by.
#[derive(Debug, Default)]
pub(super) struct Identities {
    /// Their rows, in order.
    pub(super) rows: Vec<u32>,
    paths: Vec<(u64, u32)>,
    guids: Vec<(u64, u32)>,
}

impl Identities {
    /// Takes one; `compares` says whether it is needed what it is known by.
    pub(super) fn take(&mut self, row: u32, item: &Item, compares: bool) {
        self.rows.push(row);
        if !compares {
            return;
        }
        let digest = |text: &str| (xxh3_64_with_seed(text.as_bytes(), item.kind as u64), row);
        self.paths.extend(item.files.iter().map(|file| digest(&file.path)));
        self.guids.extend(item.guids.iter().filter_map(|guid| canonical(guid)).map(|guid| digest(&guid)));
    }
}

/// What is the same thing under another key.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// The row it had, the row it has.
    pub(super) found: Vec<(u32, u32)>,
    /// The rows they had.
    pub(super) gone: HashSet<u32>,
    /// The rows they have.
    pub(super) came: HashSet<u32>,
}

/// Files first: of one film there may be two copies, which have the same names.
pub(super) fn pairs(gone: &Identities, came: &Identities) -> Pairs {
    let mut pairs = Pairs::default();
    pairs.find(gone.paths.clone(), came.paths.clone());
    pairs.find(gone.guids.clone(), came.guids.clone());
    pairs.found.sort_unstable_by_key(|(_, to)| *to);
    pairs
}

impl Pairs {
    /// Pairs what has a digest that nothing else on its side has.
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

/// Those whose digest is nobody else's, sorted.
fn alone(mut all: Vec<(u64, u32)>, taken: &HashSet<u32>) -> Vec<(u64, u32)> {
    all.retain(|(_, row)| !taken.contains(row));
    all.sort_unstable();
    all.dedup();
    let runs = all.chunk_by(|one, other| one.0 == other.0);
    runs.filter_map(|run| if let [only] = run { Some(*only) } else { None }).collect()
}

/// Whether this key now stands for another thing: nothing by which either is known is shared.
pub(super) fn is_reused(was: &Item, is: &Item) -> bool {
    if was.kind != is.kind {
        return true;
    }
    let shares_file = was.files.iter().any(|file| is.files.iter().any(|other| other.path == file.path));
    let names =
        |item: &Item| item.guids.iter().filter_map(|guid| canonical(guid)).collect::<HashSet<String>>();
    let (old, new) = (names(was), names(is));
    let can_tell = !(was.files.is_empty() || is.files.is_empty()) || !(old.is_empty() || new.is_empty());
    can_tell && !shares_file && old.is_disjoint(&new) && was.title != is.title
}
