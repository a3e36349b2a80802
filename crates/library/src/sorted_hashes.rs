//! Sorted hashes with lookups in one or two steps, at little more than eight bytes each.

use std::ops::Range;

/// Average number of hashes per entry of the prefix table.
const HASHES_PER_START: usize = 4;

/// Sorted hashes. The caller stores the associated data in the same order.
#[derive(Debug, Default)]
pub(crate) struct SortedHashes {
    hashes: Vec<u64>,
    /// First index for each prefix (the highest bits), and one more at the end.
    starts: Vec<u32>,
    shift: u32,
}

impl SortedHashes {
    /// Creates a table from sorted hashes, at most `u32::MAX`.
    pub(crate) fn new(hashes: Vec<u64>) -> Self {
        debug_assert!(hashes.is_sorted(), "they must be in order");
        let buckets = (hashes.len() / HASHES_PER_START).next_power_of_two().max(2);
        let shift = 64 - buckets.trailing_zeros();
        let mut starts = Vec::with_capacity(buckets + 1);
        let mut next = 0;
        for bucket in 0..=buckets {
            while next < hashes.len() && usize_of(hashes[next] >> shift) < bucket {
                next += 1;
            }
            starts.push(u32::try_from(next).unwrap_or(u32::MAX));
        }
        Self { hashes, starts, shift }
    }

    /// The range of hashes equal to this one.
    pub(crate) fn range(&self, hash: u64) -> Range<usize> {
        if self.hashes.is_empty() {
            return 0..0;
        }
        let bucket = usize_of(hash >> self.shift);
        let (from, to) = (self.starts[bucket] as usize, self.starts[bucket + 1] as usize);
        let within = &self.hashes[from..to];
        let begin = within.partition_point(|other| *other < hash);
        let end = begin + within[begin..].partition_point(|other| *other == hash);
        from + begin..from + end
    }

    /// All hashes in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.hashes.iter().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Memory use in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.hashes.len() * size_of::<u64>() + self.starts.len() * size_of::<u32>()
    }
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_index_finds_what_a_scan_finds(
            mut hashes in proptest::collection::vec(proptest::prop_oneof![0..20u64, u64::MAX - 5..=u64::MAX, proptest::num::u64::ANY], 0..200),
            asked in proptest::prop_oneof![0..20u64, u64::MAX - 5..=u64::MAX],
        ) {
            hashes.sort_unstable();
            let sorted = SortedHashes::new(hashes.clone());
            for asked in hashes.iter().copied().chain([asked]) {
                let found: Vec<u64> = hashes[sorted.range(asked)].to_vec();
                let scanned: Vec<u64> = hashes.iter().copied().filter(|hash| *hash == asked).collect();
                proptest::prop_assert_eq!(found, scanned);
            }
        }
    }
}
