//! Rows of a snapshot that changed since an earlier one, so that indexes over rows can be patched.

/// In place of the row of an item that is gone.
pub(crate) const NO_ROW: u32 = u32::MAX;

/// Differences between the rows of two snapshots. An item that was replaced is a row that is gone and one that is new.
#[derive(Debug)]
pub struct RowChanges {
    /// The later row of each earlier one, [`NO_ROW`] if it is gone.
    pub(crate) rows: Vec<u32>,
    pub(crate) added: Vec<u32>,
    pub(crate) has_show: bool,
}

impl RowChanges {
    /// The row in the later snapshot of a row of the earlier one; `None` if it is gone.
    pub fn row(&self, before: u32) -> Option<u32> {
        self.rows.get(before as usize).copied().filter(|row| *row != NO_ROW)
    }

    /// Rows of the later snapshot that are new, sorted.
    pub fn added(&self) -> &[u32] {
        &self.added
    }

    /// Whether a show was added, removed or replaced, from whose ids those of its episodes are derived.
    pub fn has_show(&self) -> bool {
        self.has_show
    }
}
