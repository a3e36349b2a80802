//! Compact postings: one list of numbers for each index, stored without gaps.

/// Lists of numbers.
#[derive(Debug, Default)]
pub(super) struct Postings {
    /// The end of each list.
    ends: Vec<u32>,
    values: Vec<u32>,
}

impl Postings {
    /// Collects the pairs that `each` emits. It is called twice and must emit the same both times. Each list
    /// keeps the order of emission.
    pub(super) fn collect(lists: usize, mut each: impl FnMut(&mut dyn FnMut(u32, u32))) -> Self {
        let mut ends = vec![0_u32; lists + 1];
        each(&mut |list, _| ends[list as usize + 1] += 1);
        for list in 1..ends.len() {
            ends[list] += ends[list - 1];
        }
        let mut values = vec![0; ends.last().map_or(0, |end| *end as usize)];
        // Each start moves to its list's end as the list fills, which is the next one's start.
        each(&mut |list, value| {
            let next = &mut ends[list as usize];
            values[*next as usize] = value;
            *next += 1;
        });
        ends.pop();
        Self { ends, values }
    }

    /// One list.
    pub(super) fn get(&self, list: u32) -> &[u32] {
        let list = list as usize;
        let Some(end) = self.ends.get(list) else { return &[] };
        let start = list.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.values[start as usize..*end as usize]
    }

    /// The list of a hash; the number of lists must be a power of two. Other hashes may share the list.
    pub(super) fn get_by_hash(&self, hash: u64) -> &[u32] {
        if self.ends.is_empty() { &[] } else { self.get(bucket(hash, self.ends.len())) }
    }
}

/// Number of lists for this many hashes, chosen so that most lists are short.
pub(super) fn buckets(hashes: usize) -> usize {
    hashes.next_power_of_two().max(16)
}

/// The list of a hash; `lists` is a power of two.
pub(super) fn bucket(hash: u64, lists: usize) -> u32 {
    super::vocabulary::number(usize::try_from(hash >> 20).unwrap_or_default() & (lists - 1))
}

#[cfg(test)]
mod tests {
    use super::Postings;

    #[test]
    fn every_posting_list_contains_the_pushed_rows() {
        let said = [(2, 7), (0, 1), (2, 3), (3, 9)];
        let postings = Postings::collect(4, |say| said.iter().for_each(|(list, value)| say(*list, *value)));
        assert_eq!(
            [postings.get(0), postings.get(1), postings.get(2), postings.get(3)],
            [&[1][..], &[], &[7, 3], &[9]]
        );
        assert!(postings.get(4).is_empty());
        assert!(Postings::default().get_by_hash(12).is_empty());
    }
}
