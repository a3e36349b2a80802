//! The rows of a folder's marks: in `state.db` and in memory.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::identity::MarkIdentity;
use super::mark_change::MarkError;
use super::mark_store::{MarkStore, StoreBatch, StoredMark};
use crate::file_entry::FileEntry;
use crate::index::Difference;

/// The marks on disk. Its lock orders all changes of marks and all publications.
#[derive(Debug)]
pub(super) struct MarkLedger {
    pub(super) store: Option<MarkStore>,
    /// All rows by path, also of files that are not there at present.
    pub(super) rows: HashMap<String, StoredMark>,
    /// Paths of rows that the list does not hold at present: only these rows may go to a file at another path.
    absent: HashSet<String>,
}

impl MarkLedger {
    /// A ledger of these rows, of which no list holds any yet.
    pub(super) fn new(store: Option<MarkStore>, rows: Vec<StoredMark>) -> Self {
        let absent = rows.iter().map(|row| row.path.clone()).collect();
        Self { store, rows: rows.into_iter().map(|row| (row.path.clone(), row)).collect(), absent }
    }

    pub(super) fn commit(&mut self, batch: StoreBatch) -> Result<(), MarkError> {
        let store = self.store.as_mut().ok_or_else(MarkError::unavailable)?;
        store.write(&batch)?;
        for path in &batch.deleted {
            self.rows.remove(path);
            self.absent.remove(path);
        }
        self.rows.extend(batch.written.into_iter().map(|row| (row.path.clone(), row)));
        Ok(())
    }

    /// Notes that a list holds these files.
    pub(super) fn list(&mut self, files: &[Arc<FileEntry>]) {
        for file in files {
            self.absent.remove(&*file.path);
        }
    }

    /// Notes which paths leave the list and which come into it.
    pub(super) fn follow_paths(&mut self, difference: &Difference) {
        let renamed = difference.renamed.iter().map(|(before, _)| before);
        for file in difference.removed.iter().chain(renamed) {
            if self.rows.contains_key(&*file.path) {
                self.absent.insert(file.path.to_string());
            }
        }
        for (_, after) in difference.renamed.iter().chain(&difference.changed) {
            self.absent.remove(&*after.path);
        }
        self.list(&difference.added);
    }

    /// Gives files without marks those of the row at their path, or of a row with their identity whose path is not
    /// listed. Rows at the paths in `left` belong to files that have another path now.
    pub(super) fn claim(&mut self, files: &[Arc<FileEntry>], left: &HashSet<&str>, batch: &mut StoreBatch) -> usize {
        if self.rows.is_empty() {
            return 0;
        }
        let mut by_inode: HashMap<u64, Vec<&StoredMark>> = HashMap::new();
        for path in &self.absent {
            if let Some(row) = self.rows.get(path).filter(|row| !left.contains(&*row.path)) {
                by_inode.entry(row.identity.stat.inode).or_default().push(row);
            }
        }
        for rows in by_inode.values_mut() {
            // The last one is taken first.
            rows.sort_unstable_by(|a, b| b.path.cmp(&a.path));
        }
        let mut claimed = 0;
        for file in files {
            let at_path = self.rows.get(&*file.path).filter(|_| !left.contains(&*file.path));
            let row = at_path.or_else(|| {
                let rows = by_inode.get_mut(&file.stat.inode)?;
                rows.iter().rposition(|row| is_row_of(row, file)).map(|place| rows.remove(place))
            });
            let Some(row) = row else { continue };
            file.marks.set(row.bits);
            claimed += 1;
            if row.path != *file.path {
                batch.deleted.push(row.path.clone());
            }
            if row.path != *file.path || !is_row_of(row, file) {
                batch.put(file, row.bits);
            }
        }
        claimed
    }
}

impl StoreBatch {
    /// Writes the marks of a file.
    pub(super) fn put(&mut self, file: &FileEntry, bits: u32) {
        if bits == 0 {
            self.deleted.push(file.path.to_string());
        } else {
            self.written.push(StoredMark { path: file.path.to_string(), bits, identity: MarkIdentity::of(file) });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.deleted.is_empty()
            && self.written.is_empty()
            && self.renamed.is_empty()
            && self.undo.is_none()
            && self.followed.is_none()
    }
}

/// Whether a row was written for this file, and not for one that had its path later or before.
pub(super) fn is_row_of(row: &StoredMark, file: &FileEntry) -> bool {
    row.identity.stat.is_same_file(&file.stat)
}
