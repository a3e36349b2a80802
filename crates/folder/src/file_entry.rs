//! A file of the index.

use greenroom_cache::Timestamp;
use std::sync::Arc;

use crate::file_details::FileDetails;
use crate::mark_cell::MarkCell;
use crate::natural_key::natural_key;
use crate::scan::FileFacts;

/// A file of the index. It never changes; a new generation holds a new one.
#[derive(Debug, Clone)]
pub struct FileEntry {
    /// Its number, which follows it through renames and changes.
    pub id: u64,
    /// Its path below the root, with `/`.
    pub path: Box<str>,
    /// Facts of the file system about it.
    pub stat: FileFacts,
    /// When it was first seen.
    pub added_ms: Timestamp,
    /// Facts read from its content, once it was.
    pub details: Option<Arc<FileDetails>>,
    /// Its marks.
    pub marks: MarkCell,
    /// Its name in natural order.
    pub name_key: Box<[u8]>,
}

impl FileEntry {
    /// A file that was not known before.
    pub fn new(id: u64, path: &str, stat: FileFacts, added_ms: Timestamp) -> Self {
        let name_key = natural_key(file_name(path));
        Self { id, path: path.into(), stat, added_ms, details: None, marks: MarkCell::default(), name_key }
    }

    /// The same file at this path and with these facts now. What was read from its content stays while that is the
    /// same.
    #[must_use]
    pub fn moved(&self, path: &str, stat: FileFacts) -> Self {
        let is_same = self.stat.has_same_content(&stat);
        let name_key = if *self.path == *path { self.name_key.clone() } else { natural_key(file_name(path)) };
        let details = self.details.clone().filter(|_| is_same);
        Self {
            id: self.id,
            path: path.into(),
            stat,
            added_ms: self.added_ms,
            details,
            marks: self.marks.clone(),
            name_key,
        }
    }

    /// Its name without the folders.
    pub fn name(&self) -> &str {
        file_name(&self.path)
    }

    /// Its extension in lower case.
    pub fn format(&self) -> String {
        self.name().rsplit_once('.').map_or_else(String::new, |(_, extension)| extension.to_ascii_lowercase())
    }

    /// Time of its last change in milliseconds since 1970.
    pub fn modified_ms(&self) -> i64 {
        self.stat.mtime_ns / 1_000_000
    }
}

/// The last component of a path.
pub fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
