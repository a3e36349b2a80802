//! A change of marks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Effect of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = FolderMarkAction)]
pub enum MarkAction {
    /// The mark is set.
    Set,
    /// The mark is removed.
    Unset,
}

/// A change of one mark on many files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkChange {
    /// Name of the mark.
    pub mark: String,
    /// Effect of the change.
    pub action: MarkAction,
    /// Paths of the files.
    pub paths: Vec<String>,
}

/// Result of a change, once it is on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FolderMarkResult)]
pub struct MarkReceipt {
    /// Files that changed.
    pub changed: usize,
    /// Files that were so before.
    pub unchanged: usize,
    /// Number of paths that are not in the index.
    pub missing: usize,
    /// The first of them.
    pub missing_paths: Vec<String>,
}

/// Reason for which marks cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkError {
    /// The name is no short plain word.
    Name,
    /// There are 32 marks already.
    TooMany,
    /// There is no change to undo.
    NothingToUndo,
    /// The folder has no list yet.
    NotReady,
    /// The database.
    Database(String),
}

impl std::fmt::Display for MarkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name => f.write_str("A mark has 1 to 40 lower-case letters, digits, dashes and underscores."),
            Self::TooMany => f.write_str("A folder has at most 32 marks."),
            Self::NothingToUndo => f.write_str("There is no change to undo."),
            Self::NotReady => f.write_str("The folder has no list yet; try again when its first scan has ended."),
            Self::Database(reason) => write!(f, "The marks cannot be written: {reason}"),
        }
    }
}

impl From<rusqlite::Error> for MarkError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.to_string())
    }
}
