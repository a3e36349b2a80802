//! What an invalidation covers, and what it does there.

use std::time::Duration;

use crate::key::{Key, Partition, Tag};

/// What an invalidation covers. `None` for a partition means all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One key.
    Key(Key),
    /// All values with a tag.
    Tag {
        /// In this namespace.
        namespace: String,
        /// In this partition.
        partition: Option<Partition>,
        /// With this tag.
        tag: Tag,
    },
    /// All keys below a path: whole segments of the key's text, split at `/`.
    Prefix {
        /// In this namespace.
        namespace: String,
        /// In this partition.
        partition: Option<Partition>,
        /// Below this path. More than eight segments cover what the first eight cover.
        prefix: String,
    },
    /// All of a partition.
    Partition {
        /// In this namespace.
        namespace: String,
        /// This partition.
        partition: Partition,
    },
    /// All of a namespace.
    Namespace(String),
    /// Everything.
    All,
}

/// What becomes of what an invalidation covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Kept for the case that loading its successor fails.
    #[default]
    Mark,
    /// Never usable again, by any path.
    Purge,
}

/// After a confirmed write the source may still need a moment until its answers show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settle {
    /// Loads that begin within this time …
    pub lasting: Duration,
    /// … are stored with no longer a fresh time than this, and no stale window.
    pub max_fresh: Duration,
}

impl Default for Settle {
    fn default() -> Self {
        Self { lasting: Duration::from_secs(3), max_fresh: Duration::from_secs(1) }
    }
}

/// How to invalidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Invalidation {
    /// What becomes of what is covered.
    pub mode: Mode,
    /// After a confirmed write: loads that begin soon after live shortly.
    pub settle: Option<Settle>,
    /// After a write of unknown outcome: nothing covered is stored for so long, and all of it is invalidated again
    /// at the end.
    pub unstorable_for: Option<Duration>,
}

impl Invalidation {
    /// Invalid, but kept for the case that loading fails.
    pub fn mark() -> Self {
        Self::default()
    }

    /// Never usable again.
    pub fn purge() -> Self {
        Self { mode: Mode::Purge, ..Self::default() }
    }
}
