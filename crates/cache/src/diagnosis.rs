//! Explains how the cache answers requests for a key, and why.

use std::sync::Arc;

use crate::engine::CacheEngine;
use crate::hybrid_timestamp::HybridTimestamp;
use crate::key::{Key, Tag};
use crate::load::LoadErrorKind;
use crate::negative::NegativeEntry;
use crate::policy::Validity;
use crate::scope_hash::{ScopeHashes, ScopeKind};
use crate::value::Entry;

/// Everything known about a key.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    /// Its entry, whatever its age.
    pub entry: Option<Arc<Entry>>,
    /// Validity of the entry.
    pub validity: Validity,
    /// Time of the newest invalidation that covers the key or its entry.
    pub invalidated: Option<HybridTimestamp>,
    /// The kind of scope by which that invalidation covers it.
    pub cause: Option<InvalidationCause>,
    /// A recent failed load; until its negative entry ends, requests get this error without another load.
    pub failed: Option<LoadErrorKind>,
    /// Whether the source lately said that it does not have the key's value; until that is forgotten, requests get the
    /// same response without a load.
    pub absent: bool,
    /// Whether a recent response to this key was not cacheable (negative cache).
    pub uncacheable: bool,
    /// Whether warming reloads it.
    pub warm: bool,
}

/// Scope of an invalidation that covered a key or its entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidationCause {
    /// Everything.
    All,
    /// Its whole namespace.
    Namespace,
    /// Its whole partition.
    Partition,
    /// This key.
    Key,
    /// All keys below a path.
    Prefix,
    /// All values with this tag.
    Tag(Tag),
}

impl InvalidationCause {
    fn from_scope_kind(kind: ScopeKind, tags: &[Tag]) -> Self {
        match kind {
            ScopeKind::All => Self::All,
            ScopeKind::Namespace => Self::Namespace,
            ScopeKind::Partition => Self::Partition,
            ScopeKind::Key => Self::Key,
            ScopeKind::Text { from_end } => {
                let tag = tags.len().checked_sub(from_end).and_then(|at| tags.get(at));
                tag.map_or(Self::Prefix, |tag| Self::Tag(tag.clone()))
            }
        }
    }
}

impl CacheEngine {
    pub(crate) fn diagnose(&self, key: &Key) -> Diagnosis {
        let key_hashes = ScopeHashes::from_key(key);
        let entry = self.coordinator.memory.peek(key);
        let negative = self.coordinator.negative_entry(key, &key_hashes, self.clock.now());
        let scope_hashes = entry.as_ref().map_or(&key_hashes, |entry| &entry.scope_hashes);
        let tags = entry.as_ref().map_or(&[][..], |entry| entry.tags());
        let newest = self.coordinator.invalidations.newest(scope_hashes);
        Diagnosis {
            validity: entry.as_ref().map_or(Validity::Valid, |entry| self.coordinator.validity(entry)),
            invalidated: newest.map(|(stamp, _)| stamp),
            cause: newest.map(|(_, kind)| InvalidationCause::from_scope_kind(kind, tags)),
            failed: match negative.as_deref() {
                Some(NegativeEntry::Failed { failure, .. }) => Some(failure.kind),
                _ => None,
            },
            absent: matches!(negative.as_deref(), Some(NegativeEntry::Absent { .. })),
            uncacheable: matches!(negative.as_deref(), Some(NegativeEntry::Uncacheable { .. })),
            warm: self.warm.contains(key),
            entry,
        }
    }
}
