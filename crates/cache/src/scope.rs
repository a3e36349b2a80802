//! Scope and effect of an invalidation.

use std::time::Duration;

use crate::key::{Key, Partition, Tag};

/// Scope of an invalidation. `None` for a partition means all of them.
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
        /// Below this path. Segments after the eighth are ignored.
        prefix: String,
    },
    /// All values of a partition.
    Partition {
        /// In this namespace.
        namespace: String,
        /// This partition.
        partition: Partition,
    },
    /// All values of a namespace.
    Namespace(String),
    /// Everything.
    All,
}

/// Effect on the values covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvalidationMode {
    /// Served only if loading the successor fails.
    #[default]
    MarkStale,
    /// Never served again.
    Purge,
}

/// After a confirmed write, the source may need a moment until its responses show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GracePeriod {
    /// Loads that begin within this time …
    pub duration: Duration,
    /// … get at most this fresh time, and no stale window.
    pub max_fresh: Duration,
}

impl Default for GracePeriod {
    fn default() -> Self {
        Self { duration: Duration::from_secs(3), max_fresh: Duration::from_secs(1) }
    }
}

/// Settings of one invalidation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Invalidation {
    /// Effect on the values covered.
    pub mode: InvalidationMode,
    /// After a confirmed write: loads that begin soon after get a short lifetime.
    pub grace_period: Option<GracePeriod>,
    /// After a write of unknown outcome: nothing covered is stored for this long, and all of it is invalidated again at
    /// the end.
    pub unstorable_for: Option<Duration>,
}

impl Invalidation {
    /// Invalidates, but keeps values for when loading fails.
    pub fn mark_stale() -> Self {
        Self::default()
    }

    /// Purges: values are never served again.
    pub fn purge() -> Self {
        Self { mode: InvalidationMode::Purge, ..Self::default() }
    }
}
