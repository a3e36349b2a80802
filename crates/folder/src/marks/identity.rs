//! Identity of a marked file beyond its path.

use crate::file_entry::FileEntry;
use crate::scan::FileFacts;

/// Identity of a marked file beyond its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkIdentity {
    /// Its facts when the mark was last written.
    pub stat: FileFacts,
}

impl MarkIdentity {
    /// That of a file.
    pub fn of(file: &FileEntry) -> Self {
        Self { stat: file.stat }
    }
}
