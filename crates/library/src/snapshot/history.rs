//! The last patches that led to a snapshot, so that indexes over the rows of an earlier one can be patched.

use std::sync::{Arc, Weak};

use super::Snapshot;
use super::rows::SortedRows;
use crate::row_changes::{NO_ROW, RowChanges};

/// Patches of which a snapshot knows the changed rows.
const MAX_PATCHES: usize = 32;

/// Rows that one patch changed. An item that was replaced is a removed row and an added one.
#[derive(Debug)]
pub(super) struct PatchStep {
    /// Number of rows before.
    pub(super) rows_before: u32,
    /// Rows of the earlier snapshot that are gone, sorted.
    pub(super) removed: Vec<u32>,
    /// Rows of the later one that are new, sorted.
    pub(super) added: Vec<u32>,
    /// Whether one of them is a show, from whose ids those of its episodes are derived.
    pub(super) has_show: bool,
}

impl PatchStep {
    /// The rows in the later snapshot, [`NO_ROW`] for removed ones; the rows that are given must be sorted, apart from
    /// [`NO_ROW`].
    pub(super) fn map(&self, rows: &[u32]) -> Vec<u32> {
        let (mut removed, mut added) = (0, 0);
        let mut next = Vec::with_capacity(rows.len());
        for row in rows {
            if *row == NO_ROW {
                next.push(NO_ROW);
                continue;
            }
            while self.removed.get(removed).is_some_and(|other| other < row) {
                removed += 1;
            }
            if self.removed.get(removed) == Some(row) {
                next.push(NO_ROW);
                continue;
            }
            // Added rows before it push it further, which may bring it behind others.
            let stays = row - u32::try_from(removed).unwrap_or(u32::MAX);
            let mut moved = stays + u32::try_from(added).unwrap_or(u32::MAX);
            while self.added.get(added).is_some_and(|other| *other <= moved) {
                added += 1;
                moved += 1;
            }
            next.push(moved);
        }
        next
    }
}

/// Identifies the rows of a snapshot without keeping them.
#[derive(Debug, Clone)]
pub struct RowsId(Weak<SortedRows>);

/// The last patches that led to a snapshot, each with the rows it was made from.
pub(super) type PatchHistory = Vec<(RowsId, Arc<PatchStep>)>;

impl Snapshot {
    /// Identifies its rows.
    pub fn rows_id(&self) -> RowsId {
        RowsId(Arc::downgrade(&self.rows))
    }

    /// Whether it is known how the rows with this id became these.
    pub fn knows_changes_since(&self, id: &RowsId) -> bool {
        self.history.iter().any(|(from, _)| from.0.ptr_eq(&id.0))
    }

    /// Changes since the rows with this id; `None` if they are unknown.
    pub fn changes_since(&self, id: &RowsId) -> Option<RowChanges> {
        let start = self.history.iter().position(|(from, _)| from.0.ptr_eq(&id.0))?;
        let steps = &self.history[start..];
        let mut rows: Vec<u32> = (0..steps.first()?.1.rows_before).collect();
        for (_, step) in steps {
            rows = step.map(&rows);
        }
        let mut kept = rows.iter().copied().filter(|row| *row != NO_ROW).peekable();
        let count = u32::try_from(self.len()).ok()?;
        let added = (0..count).filter(|row| kept.next_if_eq(row).is_none()).collect();
        let has_show = steps.iter().any(|(_, step)| step.has_show);
        Some(RowChanges { rows, added, has_show })
    }

    /// The history of the snapshot that these changes make of this one.
    pub(super) fn history_with(&self, changes: Arc<PatchStep>) -> PatchHistory {
        let skipped = (self.history.len() + 1).saturating_sub(MAX_PATCHES);
        let mut history = self.history[skipped..].to_vec();
        history.push((self.rows_id(), changes));
        history
    }
}
