//! Compact postings: one list of numbers for each index, stored without gaps.

use std::sync::Arc;

use super::vocabulary::HashedMap;

/// Lists of numbers. Postings over others only hold the lists that differ.
#[derive(Debug, Default)]
pub(super) struct Postings {
    base: Option<Arc<Self>>,
    /// The lists that differ from those of the base.
    changed: HashedMap<u32, Box<[u32]>>,
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
        Self { ends, values, ..Self::default() }
    }

    /// Like [`Postings::collect`], shared.
    pub(super) fn shared(lists: usize, each: impl FnMut(&mut dyn FnMut(u32, u32))) -> Arc<Self> {
        Arc::new(Self::collect(lists, each))
    }

    /// One list.
    pub(super) fn get(&self, list: u32) -> &[u32] {
        if let Some(base) = &self.base {
            return self.changed.get(&list).map_or_else(|| base.get(list), AsRef::as_ref);
        }
        let list = list as usize;
        let Some(end) = self.ends.get(list) else { return &[] };
        let start = list.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.values[start as usize..*end as usize]
    }

    /// The list of a hash; the number of lists must be a power of two. Other hashes may share the list.
    pub(super) fn get_by_hash(&self, hash: u64) -> &[u32] {
        match self.lists() {
            0 => &[],
            lists => self.get(bucket(hash, lists)),
        }
    }

    /// Number of lists, without those beyond the base.
    pub(super) fn lists(&self) -> usize {
        self.base.as_ref().map_or(self.ends.len(), |base| base.lists())
    }

    /// The numbers of the lists that differ from those of the base.
    pub(super) fn changed_lists(&self) -> impl Iterator<Item = u32> + '_ {
        self.changed.keys().copied()
    }
}

/// Changes of lists.
#[derive(Debug, Default)]
pub(super) struct PostingsEdits {
    changes: HashedMap<u32, ListEdit>,
}

#[derive(Debug, Default)]
struct ListEdit {
    removed: Vec<u32>,
    added: Vec<u32>,
}

impl PostingsEdits {
    /// Removes a number from a list, each time it occurs.
    pub(super) fn remove(&mut self, list: u32, value: u32) {
        self.changes.entry(list).or_default().removed.push(value);
    }

    /// Appends a number to a list.
    pub(super) fn add(&mut self, list: u32, value: u32) {
        self.changes.entry(list).or_default().added.push(value);
    }

    /// The changed lists over those of the base, each sorted by `order`; equal ones keep their order.
    pub(super) fn apply<K: Ord>(self, base: &Arc<Postings>, order: impl Fn(u32) -> K) -> Postings {
        let changed = self.changes.into_iter().map(|(list, ListEdit { mut removed, added })| {
            removed.sort_unstable();
            let stays = |value: &u32| removed.binary_search(value).is_err();
            let mut values: Vec<u32> = base.get(list).iter().copied().filter(stays).chain(added).collect();
            values.sort_by_key(|value| order(*value));
            (list, values.into_boxed_slice())
        });
        Postings { changed: changed.collect(), base: Some(Arc::clone(base)), ..Postings::default() }
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
