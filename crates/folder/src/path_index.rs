//! Finds the files of a folder by paths as other programs see them: whole, mapped, or a suffix.

use std::sync::Arc;

use greenroom_library::files::{CaseSensitivity, FileIndex, FileIndexBuilder, FileMatchResult, FileQuery, PathMaps};

use crate::folder::Folder;
use crate::index::FolderGeneration;

/// Paths of one generation. A row is a position in its files.
#[derive(Debug)]
pub(crate) struct PathIndex {
    generation: Arc<FolderGeneration>,
    index: FileIndex,
}

/// Results of a lookup, and the list that their rows mean.
#[derive(Debug)]
pub struct FoundPaths {
    /// The list; a result's row is a position in its files.
    pub generation: Arc<FolderGeneration>,
    /// One result for each path, in the order of the request.
    pub results: Vec<FileMatchResult>,
}

impl PathIndex {
    fn new(root: &str, generation: Arc<FolderGeneration>) -> Self {
        let mut builder = FileIndexBuilder::default();
        for (row, file) in (0..).zip(&generation.files) {
            builder.push_file(row, &format!("{root}/{}", file.path), Some(file.stat.size), None);
        }
        Self { generation, index: builder.build() }
    }
}

impl Folder {
    /// Looks up files by path, in the list as it is now. The index of a list is made at its first lookup. `None` before
    /// the first list. Blocks the thread for as long as sorting the paths takes.
    pub fn find_paths(&self, queries: &[FileQuery<'_>], maps: &PathMaps, case: CaseSensitivity) -> Option<FoundPaths> {
        let generation = self.current()?;
        let known = self.paths.load_full().filter(|known| Arc::ptr_eq(&known.generation, &generation));
        let index = known.unwrap_or_else(|| {
            let root = self.settings.path.to_string_lossy();
            let index = Arc::new(PathIndex::new(root.trim_end_matches('/'), generation));
            self.paths.store(Some(Arc::clone(&index)));
            index
        });
        let results = index.index.find_all(queries, maps, case);
        Some(FoundPaths { generation: Arc::clone(&index.generation), results })
    }
}
