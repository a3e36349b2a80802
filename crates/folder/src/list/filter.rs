//! Filters of lists.

use std::collections::HashSet;

use crate::file_details::MetadataState;
use crate::file_entry::FileEntry;

/// Filter of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum ListFilter {
    /// All files.
    #[default]
    All,
    /// Files with the folder's main mark.
    Marked,
    /// Files without it.
    Unmarked,
    /// Files with the mark `duplicate`, and files that seem to be duplicates.
    Duplicates,
    /// Files with this mark.
    Mark(String),
    /// Files whose metadata is not read yet.
    Unread,
}

impl ListFilter {
    /// The filter with this name: `all`, `marked`, `unmarked`, `duplicates`, `unread`, or `mark:NAME`.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "" | "all" => Self::All,
            "marked" => Self::Marked,
            "unmarked" => Self::Unmarked,
            "duplicates" => Self::Duplicates,
            "unread" => Self::Unread,
            other => Self::Mark(other.strip_prefix("mark:").filter(|name| !name.is_empty())?.to_owned()),
        })
    }

    /// Its name in the API.
    pub fn word(&self) -> String {
        match self {
            Self::All => "all".into(),
            Self::Marked => "marked".into(),
            Self::Unmarked => "unmarked".into(),
            Self::Duplicates => "duplicates".into(),
            Self::Unread => "unread".into(),
            Self::Mark(name) => format!("mark:{name}"),
        }
    }

    /// Whether a file passes. `proposed` holds the numbers of files that seem to be duplicates.
    pub fn is_passed(&self, file: &FileEntry, masks: &MarkMasks, proposed: &HashSet<u64>) -> bool {
        let bits = file.marks.bits();
        match self {
            Self::All => true,
            Self::Marked => bits & masks.main != 0,
            Self::Unmarked => bits & masks.main == 0,
            Self::Duplicates => bits & masks.duplicate != 0 || proposed.contains(&file.id),
            Self::Mark(_) => bits & masks.named != 0,
            Self::Unread => is_unread(file),
        }
    }
}

/// Whether a file's metadata is not read yet.
pub fn is_unread(file: &FileEntry) -> bool {
    file.details.as_ref().is_none_or(|details| details.metadata == MetadataState::Pending)
}

/// Bits of the marks that a filter names; 0 for a mark that does not exist.
#[derive(Debug, Clone, Copy, Default)]
pub struct MarkMasks {
    /// The main mark.
    pub main: u32,
    /// The mark `duplicate`.
    pub duplicate: u32,
    /// The mark that the filter names.
    pub named: u32,
}
