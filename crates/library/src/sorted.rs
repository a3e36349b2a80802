//! Many hashes in order: which of them are equal to one is found in a step or two, in eight bytes each and a little.

use std::ops::Range;

/// Hashes that share one entry of the table of beginnings, on average.
const PER_START: usize = 4;

/// Hashes in order. Whatever belongs to them is kept beside, in the same order.
#[derive(Debug, Default)]
pub(crate) struct SortedHashes {
    hashes: Vec<u64>,
    /// Where the hashes with each beginning (their upmost bits) begin; one more at the end.
    starts: Vec<u32>,
    shift: u32,
}

impl SortedHashes {
    /// Takes hashes that are in order, at most `u32::MAX` of them.
    pub(crate) fn new(hashes: Vec<u64>) -> Self {
        debug_assert!(hashes.is_sorted(), "they must be in order");
        let buckets = (hashes.len() / PER_START).next_power_of_two().max(2);
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

    /// Where the hashes equal to this one are.
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

    pub(crate) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Bytes it takes.
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
        fn what_is_found_is_what_a_scan_finds(
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
