//! Finds the files of a folder by paths as other programs see them: whole, mapped, or a suffix.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use greenroom_library::files::{CaseSensitivity, FileIndex, FileIndexBuilder, FileMatchResult, FileQuery, PathMaps};

use crate::index::FolderGeneration;

/// Paths of one generation. A row is a position in its files.
#[derive(Debug)]
struct PathIndex {
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

/// The index of the list that was looked up last.
#[derive(Debug, Default)]
pub(crate) struct PathIndexCache(ArcSwapOption<PathIndex>);

impl PathIndex {
    fn new(root: &Path, generation: Arc<FolderGeneration>) -> Self {
        let root = root.to_string_lossy();
        let root = root.trim_end_matches('/');
        let mut builder = FileIndexBuilder::default();
        for (row, file) in (0..).zip(&generation.files) {
            builder.push_file(row, &format!("{root}/{}", file.path), Some(file.stat.size), None);
        }
        Self { generation, index: builder.build() }
    }
}

impl PathIndexCache {
    /// Looks up files of this list by path. Its index is made at its first lookup.
    pub(crate) fn find(
        &self,
        root: &Path,
        generation: Arc<FolderGeneration>,
        (queries, maps, case): (&[FileQuery<'_>], &PathMaps, CaseSensitivity),
    ) -> FoundPaths {
        let known = self.0.load_full().filter(|known| Arc::ptr_eq(&known.generation, &generation));
        let index = known.unwrap_or_else(|| {
            let index = Arc::new(PathIndex::new(root, generation));
            self.0.store(Some(Arc::clone(&index)));
            index
        });
        FoundPaths { generation: Arc::clone(&index.generation), results: index.index.find_all(queries, maps, case) }
    }
}
