//! The marks of one folder: in the cells of its files, and in `state.db`. Every change is one transaction, and changes
//! the cells only once it is committed.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_config::folder::is_mark_name;
use parking_lot::{Mutex, RwLock};

use super::mark_change::{MarkAction, MarkChange, MarkError, MarkReceipt};
use super::mark_export::{ExportRow, MarkExport};
use super::mark_ledger::{MarkLedger, is_row_of};
use super::mark_store::{MarkStore, MarksBefore, StoreBatch, StoredMarks};
use crate::file_entry::FileEntry;
use crate::index::{Difference, FolderGeneration};
use crate::list::page::mark_words;
use crate::list::{ListFilter, MarkMasks};

/// Max marks of a folder.
const MAX_MARKS: usize = 32;
/// Max missing paths that are named.
const MAX_MISSING_NAMED: usize = 20;
/// Name of the mark for duplicates.
const DUPLICATE: &str = "duplicate";

/// The marks of one folder.
#[derive(Debug)]
pub struct MarkBook {
    names: RwLock<Arc<Vec<String>>>,
    /// Changes with every change of marks, and with every start.
    pub(super) version: AtomicU64,
    pub(super) written: Mutex<MarkLedger>,
}

/// Effect of a change on the record by which the last one is undone.
#[derive(Debug)]
enum UndoRecord {
    /// This change is undone next.
    Replace,
    /// It was undone, but for these.
    Restore(Vec<MarksBefore>),
}

impl MarkBook {
    /// Opens the marks of a folder.
    ///
    /// # Errors
    /// `state.db` cannot be used.
    pub fn open(data_dir: &Path, folder: &str, configured: &[String]) -> Result<Self, MarkError> {
        let store = MarkStore::open(data_dir, folder)?;
        let StoredMarks { names: known, rows } = store.read()?;
        let mut names: Vec<String> = Vec::new();
        for (bit, name) in known {
            let bit = bit as usize;
            if bit < MAX_MARKS {
                names.resize(names.len().max(bit + 1), String::new());
                names[bit] = name;
            }
        }
        let book = Self {
            names: RwLock::new(Arc::new(names)),
            version: AtomicU64::new(first_version()),
            written: Mutex::new(MarkLedger::new(Some(store), rows)),
        };
        for name in configured {
            book.bit(name)?;
        }
        Ok(book)
    }

    /// Marks that are kept in memory only, where `state.db` cannot be used: changes are refused.
    pub fn unavailable(configured: &[String]) -> Self {
        let written = Mutex::new(MarkLedger::new(None, Vec::new()));
        Self { names: RwLock::new(Arc::new(configured.to_vec())), version: AtomicU64::new(first_version()), written }
    }

    /// Names of all marks, by bit.
    pub fn names(&self) -> Arc<Vec<String>> {
        Arc::clone(&self.names.read())
    }

    /// Changes with every change of marks, and with every start.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Bits for a filter of a folder whose main mark has this name.
    pub fn masks(&self, main: Option<&String>, filter: &ListFilter) -> MarkMasks {
        let names = self.names();
        let mask = |wanted: &str| names.iter().position(|name| name == wanted).map_or(0, |bit| 1 << bit);
        let named = if let ListFilter::Mark(name) = filter { mask(name) } else { 0 };
        MarkMasks { main: main.map_or(0, |name| mask(name)), duplicate: mask(DUPLICATE), named }
    }

    /// The bit of a mark, which is made if there is none.
    pub(super) fn bit(&self, name: &str) -> Result<u32, MarkError> {
        if !is_mark_name(name) {
            return Err(MarkError::Name);
        }
        let known = self.names().iter().position(|other| other == name);
        if let Some(bit) = known {
            return Ok(u32::try_from(bit).unwrap_or_default());
        }
        // This lock comes first, so that a reader of the names never waits for the disk.
        let written = self.written.lock();
        let names = self.names();
        let bit = names.iter().position(|other| other == name);
        if let Some(bit) = bit {
            return Ok(u32::try_from(bit).unwrap_or_default());
        }
        let free = names.iter().position(String::is_empty).unwrap_or(names.len());
        if free >= MAX_MARKS {
            return Err(MarkError::TooMany);
        }
        let bit = u32::try_from(free).unwrap_or_default();
        if let Some(store) = &written.store {
            store.name(bit, name)?;
        }
        let mut next = (*names).clone();
        next.resize(next.len().max(free + 1), String::new());
        name.clone_into(&mut next[free]);
        *self.names.write() = Arc::new(next);
        Ok(bit)
    }

    /// Changes a mark on many files, which can then be undone.
    ///
    /// # Errors
    /// Nothing has changed.
    pub fn change(
        &self,
        generation: impl Fn() -> Arc<FolderGeneration>,
        change: &MarkChange,
    ) -> Result<MarkReceipt, MarkError> {
        let mask = 1_u32 << self.bit(&change.mark)?;
        let next = |bits: u32, _: &str| match change.action {
            MarkAction::Set => bits | mask,
            MarkAction::Unset => bits & !mask,
        };
        self.apply(generation, &change.paths, next, UndoRecord::Replace)
    }

    /// Sets marks of an import; none is removed.
    ///
    /// # Errors
    /// Nothing has changed.
    pub fn import(
        &self,
        generation: impl Fn() -> Arc<FolderGeneration>,
        export: &MarkExport,
    ) -> Result<MarkReceipt, MarkError> {
        let mut wanted: HashMap<&str, u32> = HashMap::new();
        for row in &export.files {
            for mark in &row.marks {
                *wanted.entry(&row.path).or_default() |= 1 << self.bit(mark)?;
            }
        }
        let paths: Vec<String> = wanted.keys().map(|path| (*path).to_owned()).collect();
        self.apply(
            generation,
            &paths,
            |bits, path| bits | wanted.get(path).copied().unwrap_or_default(),
            UndoRecord::Replace,
        )
    }

    /// Undoes the last change: of each file those marks that it changed.
    ///
    /// # Errors
    /// Nothing has changed.
    pub fn undo(&self, generation: impl Fn() -> Arc<FolderGeneration>) -> Result<MarkReceipt, MarkError> {
        let mut written = self.written.lock();
        let store = written.store.as_ref().ok_or_else(MarkError::unavailable)?;
        let before: HashMap<String, MarksBefore> =
            store.undo()?.into_iter().map(|before| (before.path.clone(), before)).collect();
        if before.is_empty() {
            return Err(MarkError::NothingToUndo);
        }
        let generation = generation();
        let paths: Vec<String> = before.keys().cloned().collect();
        let next = |bits: u32, path: &str| {
            before.get(path).map_or(bits, |before| bits & !before.mask | before.bits & before.mask)
        };
        // What is not there at present can be undone when it is back.
        let kept = before.values().filter(|before| generation.find(&before.path).is_none()).cloned().collect();
        self.apply_locked(&mut written, &generation, &paths, next, UndoRecord::Restore(kept))
    }

    fn apply(
        &self,
        generation: impl Fn() -> Arc<FolderGeneration>,
        paths: &[String],
        next: impl Fn(u32, &str) -> u32,
        record: UndoRecord,
    ) -> Result<MarkReceipt, MarkError> {
        let mut written = self.written.lock();
        // Read behind the lock: no publication can rename a file between this and the commit.
        let generation = generation();
        self.apply_locked(&mut written, &generation, paths, next, record)
    }

    fn apply_locked(
        &self,
        written: &mut MarkLedger,
        generation: &FolderGeneration,
        paths: &[String],
        next: impl Fn(u32, &str) -> u32,
        record: UndoRecord,
    ) -> Result<MarkReceipt, MarkError> {
        let mut receipt = MarkReceipt::default();
        let (mut batch, mut cells, mut undo) = (StoreBatch::default(), Vec::new(), Vec::new());
        for path in paths {
            let Some(file) = generation.find(path) else {
                receipt.missing += 1;
                if receipt.missing_paths.len() < MAX_MISSING_NAMED {
                    receipt.missing_paths.push(path.clone());
                }
                continue;
            };
            let (bits, wanted) = (file.marks.bits(), next(file.marks.bits(), path));
            if bits == wanted {
                receipt.unchanged += 1;
                continue;
            }
            receipt.changed += 1;
            undo.push(MarksBefore { path: path.clone(), bits, mask: bits ^ wanted });
            batch.put(file, wanted);
            cells.push((Arc::clone(file), wanted));
        }
        batch.undo = match record {
            UndoRecord::Replace if receipt.changed > 0 => Some(undo),
            UndoRecord::Restore(kept) => Some(kept),
            UndoRecord::Replace => None,
        };
        if batch.is_empty() {
            return Ok(receipt);
        }
        written.commit(batch)?;
        for (file, bits) in cells {
            file.marks.set(bits);
        }
        self.version.fetch_add(1, Ordering::Release);
        Ok(receipt)
    }

    /// Gives the files of a new generation their marks before it is published: renamed and replaced files keep theirs,
    /// and new ones get those of a file that was away. `publish` runs behind the lock that orders changes of marks.
    ///
    /// # Errors
    /// The marks could not be written; the list is published all the same, and the next start finds the renames again.
    pub fn follow(&self, difference: &Difference, publish: impl FnOnce()) -> Result<usize, MarkError> {
        let mut written = self.written.lock();
        let mut batch = StoreBatch::default();
        for (before, after) in difference.renamed.iter().chain(&difference.changed) {
            let bits = after.marks.bits();
            let is_theirs = written.rows.get(&*before.path).is_some_and(|row| is_row_of(row, before));
            if before.path != after.path {
                batch.renamed.push((before.path.to_string(), after.path.to_string()));
                if is_theirs {
                    batch.deleted.push(before.path.to_string());
                }
            }
            if bits != 0 {
                batch.put(after, bits);
            }
        }
        written.follow_paths(difference);
        let left = difference.renamed.iter().map(|(before, _)| &*before.path).collect();
        let unmarked = difference.twins.iter().filter(|twin| twin.marks.bits() == 0);
        let unmarked = unmarked.filter(|twin| difference.added.iter().all(|added| added.id != twin.id));
        let heirs: Vec<_> = difference.added.iter().chain(unmarked).cloned().collect();
        let claimed = written.claim(&heirs, &left, &mut batch);
        let follow = difference.renamed.len() + claimed;
        let result = if batch.is_empty() { Ok(()) } else { written.commit(batch) };
        publish();
        drop(written);
        self.version.fetch_add(1, Ordering::Release);
        result.map(|()| follow)
    }

    /// Gives the files of a loaded list their marks.
    pub fn attach(&self, files: &[Arc<FileEntry>]) {
        let mut written = self.written.lock();
        let mut batch = StoreBatch::default();
        written.list(files);
        written.claim(files, &HashSet::new(), &mut batch);
        drop(written);
        self.version.fetch_add(1, Ordering::Release);
    }

    /// All marks, also of files that are not there at present.
    pub fn export(&self) -> MarkExport {
        let names = self.names();
        let written = self.written.lock();
        let rows = written.rows.values().filter(|row| row.bits != 0);
        let mut files: Vec<ExportRow> = rows
            .map(|row| ExportRow {
                path: row.path.clone(),
                marks: mark_words(row.bits, &names),
                size: row.identity.stat.size,
            })
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        MarkExport { format: "greenroom-marks".into(), files }
    }
}

impl MarkError {
    pub(super) fn unavailable() -> Self {
        Self::Database("state.db cannot be used; the log says why".into())
    }
}

/// A random number, so that no version of one process is one of the next. It leaves room for counting up, and is exact
/// in a JSON number.
fn first_version() -> u64 {
    RandomState::new().build_hasher().finish() >> 16
}
