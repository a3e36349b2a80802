//! Patches the index of files, so that a changed library costs no new one.

use std::cmp::Ordering;

use super::index::{FileIndex, FileIndexBuilder, FileRecord, compare_files};
use crate::item::Item;
use crate::row_changes::RowChanges;
use crate::sorted_hashes::SortedHashes;

impl FileIndex {
    /// The index of the next snapshot: files keep their places under the rows that the changes give, those of removed rows
    /// are left out, and those of `added` come in. It finds what an index built whole finds. Folders that hold no file any
    /// more stay, and skipped paths of removed items stay counted.
    #[must_use]
    pub fn patched<'i>(&self, changes: &RowChanges, added: impl IntoIterator<Item = (u32, &'i Item)>) -> Self {
        let mut builder = FileIndexBuilder::over(self);
        for (row, item) in added {
            builder.push(row, item);
        }
        let (folders, mut new, passed_over) = builder.into_parts();
        new.sort_unstable_by(|one, other| compare_files(&folders, one, other));
        let mut names = Vec::with_capacity(self.len() + new.len());
        let mut leaves: Vec<FileRecord> = Vec::with_capacity(self.len() + new.len());
        let old = self.named_files().filter_map(|(name, leaf)| Some((name, leaf.in_next(changes)?)));
        let (mut old, mut new) = (old.peekable(), new.into_iter().peekable());
        loop {
            let is_new_next = match (old.peek(), new.peek()) {
                (Some(old), Some(new)) => compare_files(&folders, new, old) == Ordering::Less,
                (None, Some(_)) => true,
                (_, None) => false,
            };
            let Some((name, leaf)) = (if is_new_next { new.next() } else { old.next() }) else { break };
            names.push(name);
            leaves.push(leaf);
        }
        drop((old, new));
        names.shrink_to_fit();
        leaves.shrink_to_fit();
        Self::from_parts(SortedHashes::new(names), leaves, folders, passed_over)
    }
}
