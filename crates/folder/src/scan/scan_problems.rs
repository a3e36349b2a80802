//! Files and folders that a scan could not read.

use serde::Serialize;
use utoipa::ToSchema;

/// Max number of paths that are named.
const MAX_NAMED: usize = 20;

/// Files and folders that a scan could not read: counts, and the first paths by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FolderScanProblems)]
pub struct ScanProblems {
    /// Folders that could not be read; the files known in them are kept.
    pub unreadable_directories: u64,
    /// Files that could not be read.
    pub unreadable_files: u64,
    /// Files that were listed and gone a moment later.
    pub vanished: u64,
    /// Names that are not UTF-8, or too long or deep.
    pub unusable_names: u64,
    /// Links, which are not followed.
    pub links: u64,
    /// Files beyond the limit of the index.
    pub beyond_limit: u64,
    /// The first of these paths.
    pub named: Vec<String>,
    /// Relative paths of the unreadable folders and files.
    #[serde(skip)]
    pub(super) unreadable: Vec<String>,
}

impl ScanProblems {
    /// Relative paths of the folders and files that could not be read.
    pub fn unreadable(&self) -> &[String] {
        &self.unreadable
    }

    pub(super) fn name(&mut self, path: &str, reason: &str) {
        if self.named.len() < MAX_NAMED {
            let short: String = path.chars().take(300).collect();
            self.named.push(format!("{short}: {reason}"));
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.unreadable_directories += other.unreadable_directories;
        self.unreadable_files += other.unreadable_files;
        self.vanished += other.vanished;
        self.unusable_names += other.unusable_names;
        self.links += other.links;
        self.beyond_limit += other.beyond_limit;
        self.unreadable.extend(other.unreadable);
        let free = MAX_NAMED.saturating_sub(self.named.len());
        self.named.extend(other.named.into_iter().take(free));
    }
}
