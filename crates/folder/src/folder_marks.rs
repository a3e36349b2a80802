//! Marks of one folder: changes in its list as it is now, undoing them, export and import.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::folder::Folder;
use crate::index::FolderGeneration;
use crate::marks::{FollowedList, MarkChange, MarkError, MarkExport, MarkReceipt};

impl Folder {
    /// Changes marks; they are on disk when this returns. It blocks.
    ///
    /// # Errors
    /// Nothing has changed.
    pub fn change_marks(&self, change: &MarkChange) -> Result<MarkReceipt, MarkError> {
        self.with_list(|generation| self.marks.change(generation, change))
    }

    /// Follows another program's list of the files with a mark; that is no change to undo. It blocks.
    ///
    /// # Errors
    /// Nothing has changed.
    pub(crate) fn follow_marks(&self, mark: &str, listed: &BTreeSet<String>) -> Result<FollowedList, MarkError> {
        self.with_list(|generation| self.marks.follow_list(generation, mark, listed))
    }

    /// Sets the marks of an import. It blocks.
    ///
    /// # Errors
    /// Nothing has changed.
    pub fn import_marks(&self, export: &MarkExport) -> Result<MarkReceipt, MarkError> {
        self.with_list(|generation| self.marks.import(generation, export))
    }

    /// Undoes the last change of marks. It blocks.
    ///
    /// # Errors
    /// Nothing has changed.
    pub fn undo_marks(&self) -> Result<MarkReceipt, MarkError> {
        self.with_list(|generation| self.marks.undo(generation))
    }

    /// All marks.
    pub fn export_marks(&self) -> MarkExport {
        self.marks.export()
    }

    fn with_list<R>(
        &self,
        change: impl FnOnce(&dyn Fn() -> Arc<FolderGeneration>) -> Result<R, MarkError>,
    ) -> Result<R, MarkError> {
        let first = self.current().ok_or(MarkError::NotReady)?;
        let receipt = change(&|| self.current().unwrap_or_else(|| Arc::clone(&first)))?;
        self.send_pulse();
        Ok(receipt)
    }
}
