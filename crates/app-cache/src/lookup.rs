//! Result of a lookup.

use crate::entry::{EntryState, StoredEntry};
use greenroom_cache::Timestamp;

/// Result of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryLookup {
    /// A fresh entry.
    Hit(StoredEntry),
    /// An expired entry within its stale time.
    Stale(StoredEntry),
    /// Neither.
    Miss,
}

impl EntryLookup {
    /// The lookup of what was found, if anything: an entry of another version is none.
    pub fn of(found: Option<StoredEntry>, version: Option<&str>, now_ms: Timestamp) -> Self {
        let Some(found) = found.filter(|found| version.is_none_or(|version| found.entry.version == version)) else {
            return Self::Miss;
        };
        match found.entry.state(now_ms) {
            EntryState::Fresh => Self::Hit(found),
            EntryState::Stale => Self::Stale(found),
            EntryState::Dead => Self::Miss,
        }
    }

    /// The entry, fresh or stale.
    pub fn into_entry(self) -> Option<StoredEntry> {
        match self {
            Self::Hit(found) | Self::Stale(found) => Some(found),
            Self::Miss => None,
        }
    }
}
