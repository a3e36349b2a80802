//! Entries of a store.

use crate::unreadable::UnreadableValue;

/// An entry that can be put into a cache for apps.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceEntry {
    /// Its key as its store shows it.
    pub name: String,
    /// Its key as the Python client names it.
    pub key: String,
    /// Media type of the value.
    pub media_type: &'static str,
    /// The value.
    pub value: Vec<u8>,
    /// Its tag.
    pub tag: Option<String>,
    /// When it expires, in seconds since 1970; `None`: never.
    pub expires_s: Option<f64>,
}

/// An entry that is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedEntry {
    /// Its key as its store shows it.
    pub name: String,
    /// The reason.
    pub reason: UnreadableValue,
}

/// An entry, or the reason for which it is not read.
pub type SourceItem = Result<SourceEntry, SkippedEntry>;
