//! Lists of numbers, one for each number below some bound, without a gap between them.

/// Lists of numbers.
#[derive(Debug, Default)]
pub(super) struct Postings {
    /// Where each list ends.
    ends: Vec<u32>,
    values: Vec<u32>,
}

impl Postings {
    /// Lists of what `each` says, which is called twice and must say the same both times. A list is in the order in
    /// which it was said.
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
    pub(super) fn of(&self, list: u32) -> &[u32] {
        let list = list as usize;
        let Some(end) = self.ends.get(list) else { return &[] };
        let start = list.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.values[start as usize..*end as usize]
    }

    /// The list of a hash, if there are a power of two of them. Other hashes share it.
    pub(super) fn of_hash(&self, hash: u64) -> &[u32] {
        if self.ends.is_empty() { &[] } else { self.of(bucket(hash, self.ends.len())) }
    }
}

/// How many lists for so many hashes keep most lists short.
pub(super) fn buckets(hashes: usize) -> usize {
    hashes.next_power_of_two().max(16)
}

/// The list of a hash among so many, a power of two.
pub(super) fn bucket(hash: u64, lists: usize) -> u32 {
    super::vocabulary::number(usize::try_from(hash >> 20).unwrap_or_default() & (lists - 1))
}

#[cfg(test)]
mod tests {
    use super::Postings;

    #[test]
    fn every_list_holds_what_was_said_of_it() {
        let said = [(2, 7), (0, 1), (2, 3), (3, 9)];
        let postings = Postings::collect(4, |say| said.iter().for_each(|(list, value)| say(*list, *value)));
        assert_eq!(
            [postings.of(0), postings.of(1), postings.of(2), postings.of(3)],
            [&[1][..], &[], &[7, 3], &[9]]
        );
        assert!(postings.of(4).is_empty());
        assert!(Postings::default().of_hash(12).is_empty());
    }
}
