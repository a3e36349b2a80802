//! Another program's list of the files with a mark, which is followed: what it adds is marked, what it removes is
//! unmarked. How much of it was applied is on disk beside the marks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::mark_book::MarkBook;
use super::mark_change::MarkError;
use super::mark_store::{FollowedChange, StoreBatch};
use crate::index::FolderGeneration;

/// Part of another program's list that is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowedList {
    /// All of it.
    Whole,
    /// Some paths are not in the index at present, and are applied when they are.
    Partly,
    /// It is empty, and several files would lose their mark: nothing of it.
    Emptied,
}

impl MarkBook {
    /// Applies what another program added to and removed from its list of the files with a mark since this was last
    /// applied, also by another process. That is no change to undo.
    ///
    /// # Errors
    /// Nothing has changed.
    pub fn follow_list(
        &self,
        generation: impl Fn() -> Arc<FolderGeneration>,
        mark: &str,
        listed: &BTreeSet<String>,
    ) -> Result<FollowedList, MarkError> {
        let mask = 1_u32 << self.bit(mark)?;
        let mut written = self.written.lock();
        let generation = generation();
        let known = written.store.as_ref().ok_or_else(MarkError::unavailable)?.followed(mark)?;
        // One file may well be unmarked; a program that loses its list writes it empty, too.
        if listed.is_empty() && known.len() > 1 {
            return Ok(FollowedList::Emptied);
        }
        let mut followed = FollowedChange { mark: mark.to_owned(), ..FollowedChange::default() };
        let (mut batch, mut cells, mut is_whole) = (StoreBatch::default(), Vec::new(), true);
        for path in listed.symmetric_difference(&known) {
            let is_added = listed.contains(path);
            if let Some(file) = generation.find(path) {
                let bits = file.marks.bits();
                let wanted = if is_added { bits | mask } else { bits & !mask };
                if bits != wanted {
                    batch.put(file, wanted);
                    cells.push((Arc::clone(file), wanted));
                }
            } else if is_added || written.rows.get(path).is_some_and(|row| row.bits & mask != 0) {
                is_whole = false;
                continue;
            }
            if is_added { followed.added.push(path.clone()) } else { followed.removed.push(path.clone()) }
        }
        if !followed.added.is_empty() || !followed.removed.is_empty() {
            batch.followed = Some(followed);
            written.commit(batch)?;
            for (file, bits) in &cells {
                file.marks.set(*bits);
            }
            self.version.fetch_add(1, Ordering::Release);
        }
        Ok(if is_whole { FollowedList::Whole } else { FollowedList::Partly })
    }
}
