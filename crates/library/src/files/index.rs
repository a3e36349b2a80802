//! Index of a library's files, sorted by path from the end: by name, then by folder, then by its parent
//! folder.
//!
//! In that order all files with a common path suffix are adjacent, so one search, folder by folder, narrows
//! down to those with the longest common suffix. Folders are stored once; a file takes 24 bytes: the hash of
//! its name, and no text.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Range;

use super::path::{PathPart, parts, plain};
use crate::item::Item;
use crate::row_changes::RowChanges;
use crate::sorted_hashes::SortedHashes;

/// Parent of the topmost folders.
const ROOT: u32 = u32::MAX;
/// An unknown size or duration.
const UNKNOWN: u64 = u64::MAX;
const UNKNOWN_MS: u32 = u32::MAX;

/// Collects files.
#[derive(Debug, Default)]
pub struct FileIndexBuilder {
    folders: Vec<Folder>,
    known: HashMap<Folder, u32>,
    leaves: Vec<(u64, FileRecord)>,
    passed_over: u32,
}

/// The files of a library.
#[derive(Debug, Default)]
pub struct FileIndex {
    names: SortedHashes,
    /// Sorted by name.
    leaves: Vec<FileRecord>,
    folders: Vec<Folder>,
    passed_over: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Folder {
    above: u32,
    part: PathPart,
}

/// A file without its folded name.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileRecord {
    size_bytes: u64,
    duration_ms: u32,
    folder: u32,
    spelling: u32,
    row: u32,
}

impl FileRecord {
    /// The file under its row in the next snapshot; `None` if the row is gone.
    pub(super) fn in_next(self, changes: &RowChanges) -> Option<Self> {
        Some(Self { row: changes.row(self.row)?, ..self })
    }
}

impl FileIndexBuilder {
    /// Adds all files of an item.
    pub fn push(&mut self, row: u32, item: &Item) {
        for file in &item.files {
            self.push_file(row, &file.path, file.size_bytes, item.duration_ms);
        }
    }

    /// Adds one file. Empty and overlong paths are skipped.
    pub fn push_file(&mut self, row: u32, path: &str, size_bytes: Option<u64>, duration_ms: Option<u32>) {
        let plain = plain(path);
        let parts = parts(&plain).unwrap_or_default();
        let Some((name, folders)) = parts.split_last() else {
            self.passed_over += 1;
            return;
        };
        let mut folder = ROOT;
        for part in folders {
            folder = self.folder_id(Folder { above: folder, part: PathPart::new(part) });
        }
        let name = PathPart::new(name);
        let leaf = FileRecord {
            size_bytes: size_bytes.unwrap_or(UNKNOWN),
            duration_ms: duration_ms.unwrap_or(UNKNOWN_MS),
            folder,
            spelling: name.spelling,
            row,
        };
        self.leaves.push((name.folded, leaf));
    }

    fn folder_id(&mut self, folder: Folder) -> u32 {
        let next = u32::try_from(self.folders.len()).unwrap_or(ROOT);
        *self.known.entry(folder).or_insert_with(|| {
            self.folders.push(folder);
            next
        })
    }

    /// A builder of files that are added to an index.
    pub(super) fn over(index: &FileIndex) -> Self {
        let known = (0..).zip(&index.folders).map(|(id, folder)| (*folder, id)).collect();
        Self { folders: index.folders.clone(), known, leaves: Vec::new(), passed_over: index.passed_over }
    }

    /// All folders, the files with their names, and the number of skipped paths.
    pub(super) fn into_parts(self) -> (Vec<Folder>, Vec<(u64, FileRecord)>, u32) {
        (self.folders, self.leaves, self.passed_over)
    }

    /// Builds the index.
    pub fn build(self) -> FileIndex {
        let Self { mut folders, mut leaves, passed_over, known } = self;
        drop(known);
        folders.shrink_to_fit();
        leaves.sort_unstable_by(|one, other| compare_files(&folders, one, other));
        let names = SortedHashes::new(leaves.iter().map(|(name, _)| *name).collect());
        let leaves = leaves.into_iter().map(|(_, leaf)| leaf).collect();
        FileIndex { names, leaves, folders, passed_over }
    }
}

/// Compares two files with their names by their paths from the end, then by spelling and row.
pub(super) fn compare_files(
    folders: &[Folder],
    (name, leaf): &(u64, FileRecord),
    (other_name, other): &(u64, FileRecord),
) -> Ordering {
    let spelled = |leaf: &FileRecord| (leaf.folder, leaf.spelling, leaf.row);
    name.cmp(other_name)
        .then_with(|| compare_folders(folders, leaf.folder, other.folder))
        .then_with(|| spelled(leaf).cmp(&spelled(other)))
}

/// Compares by the folders' own names, then by their parents'; a folder without a parent comes first.
fn compare_folders(folders: &[Folder], mut one: u32, mut other: u32) -> Ordering {
    while one != other {
        let (Some(above), Some(above_other)) = (folders.get(one as usize), folders.get(other as usize)) else {
            return (one != ROOT).cmp(&(other != ROOT));
        };
        let order = above.part.folded.cmp(&above_other.part.folded);
        if order.is_ne() {
            return order;
        }
        (one, other) = (above.above, above_other.above);
    }
    Ordering::Equal
}

/// The files that share a path suffix with another path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SuffixMatches {
    /// Number of common path parts from the end, ignoring case; the name is the first.
    pub(super) depth: usize,
    /// Range of the files.
    pub(super) files: Range<usize>,
    /// Those with the whole path equal, ignoring case.
    pub(super) whole: Range<usize>,
}

impl FileIndex {
    pub(super) fn from_parts(
        names: SortedHashes,
        leaves: Vec<FileRecord>,
        folders: Vec<Folder>,
        passed_over: u32,
    ) -> Self {
        Self { names, leaves, folders, passed_over }
    }

    /// All files with the hashes of their names, in order.
    pub(super) fn named_files(&self) -> impl Iterator<Item = (u64, FileRecord)> + '_ {
        self.names.iter().zip(self.leaves.iter().copied())
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Number of skipped paths.
    pub fn passed_over(&self) -> u32 {
        self.passed_over
    }

    /// Memory use in bytes.
    pub fn bytes(&self) -> usize {
        self.names.bytes() + self.leaves.len() * size_of::<FileRecord>() + self.folders.len() * size_of::<Folder>()
    }

    /// The files with the longest common suffix with a path, whose parts are given from name to root.
    pub(super) fn suffix_matches(&self, mut from_name: impl Iterator<Item = PathPart>) -> SuffixMatches {
        let none = SuffixMatches { depth: 0, files: 0..0, whole: 0..0 };
        let Some(name) = from_name.next() else { return none };
        let mut files = self.names.range(name.folded);
        if files.is_empty() {
            return none;
        }
        let mut depth = 1;
        loop {
            let Some(part) = from_name.next() else {
                let end = self.partition(&files, |leaf| self.folder_above(leaf, depth).is_none());
                return SuffixMatches { depth, whole: files.start..end, files };
            };
            let folded = |leaf: &FileRecord| self.folder_above(leaf, depth).map(|folder| folder.part.folded);
            let start = self.partition(&files, |leaf| folded(leaf) < Some(part.folded));
            let end = self.partition(&(start..files.end), |leaf| folded(leaf) == Some(part.folded));
            if start == end {
                return SuffixMatches { depth, whole: 0..0, files };
            }
            files = start..end;
            depth += 1;
        }
    }

    fn partition(&self, files: &Range<usize>, is_before: impl Fn(&FileRecord) -> bool) -> usize {
        files.start + self.leaves[files.clone()].partition_point(is_before)
    }

    /// The folder `depth` steps above a file's name; 1 is its own folder.
    fn folder_above(&self, leaf: &FileRecord, depth: usize) -> Option<&Folder> {
        let mut folder = self.folders.get(leaf.folder as usize)?;
        for _ in 1..depth {
            folder = self.folders.get(folder.above as usize)?;
        }
        Some(folder)
    }

    /// Number of path parts, from the name on, that a file has in common with these, case-sensitively.
    pub(super) fn exact_depth(&self, file: usize, mut from_name: impl Iterator<Item = PathPart>) -> usize {
        let leaf = &self.leaves[file];
        if from_name.next().is_none_or(|name| name.spelling != leaf.spelling) {
            return 0;
        }
        let mut depth = 1;
        let mut folder = self.folders.get(leaf.folder as usize);
        while let (Some(at), Some(part)) = (folder, from_name.next()) {
            if at.part != part {
                break;
            }
            depth += 1;
            folder = self.folders.get(at.above as usize);
        }
        depth
    }

    /// Whether a file's path has more parts than `depth`.
    pub(super) fn goes_on(&self, file: usize, depth: usize) -> bool {
        self.folder_above(&self.leaves[file], depth).is_some()
    }

    /// Whether two files, by their index, have the same path.
    pub(super) fn is_one_path(&self, one: usize, other: usize) -> bool {
        let path = |file: usize| (self.leaves[file].folder, self.leaves[file].spelling);
        path(one) == path(other)
    }

    pub(super) fn row(&self, file: usize) -> u32 {
        self.leaves[file].row
    }

    pub(super) fn size_bytes(&self, file: usize) -> Option<u64> {
        Some(self.leaves[file].size_bytes).filter(|size| *size != UNKNOWN)
    }

    pub(super) fn duration_ms(&self, file: usize) -> Option<u32> {
        Some(self.leaves[file].duration_ms).filter(|duration| *duration != UNKNOWN_MS)
    }
}
