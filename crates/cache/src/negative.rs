//! The negative cache: recent failures, what the source does not have, and keys that are not cacheable.
//!
//! A negative entry never replaces a value. The cache is bounded in bytes, and evicts what does not fit.

use crate::timestamp::Timestamp;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::hybrid_timestamp::{EventTime, HybridTimestamp};
use crate::key::Key;
use crate::load::LoadError;
use crate::scope_hash::ScopeHashes;
use crate::value::Value;

/// Bytes a negative entry costs beside its key, message and response.
const ENTRY_OVERHEAD: usize = 400;
/// Max bytes of a value remembered for something that the source does not have.
pub(crate) const MAX_ABSENT_BYTES: usize = 16 * 1024;
/// Expected weight of a negative entry.
const EXPECTED_BYTES: u64 = 512;

/// Negative entry of one key.
#[derive(Debug)]
pub(crate) enum NegativeEntry {
    /// Its load failed. The same error is served until `until_ms`, unless the key is invalidated before.
    Failed { failure: LoadError, began: HybridTimestamp, until_ms: Timestamp },
    /// The source does not have it. The same value is served until `until_ms`, unless one of these scopes is
    /// invalidated before. Only in memory: after a restart the source is asked.
    Absent { value: Value, scope_hashes: ScopeHashes, began: EventTime, until_ms: Timestamp },
    /// It is not cacheable. Until `until_ms`, callers load without waiting for each other.
    Uncacheable {
        #[cfg_attr(feature = "shuttle", expect(dead_code, reason = "only the disk tier uses it"))]
        began: HybridTimestamp,
        until_ms: Timestamp,
    },
}

#[cfg(not(feature = "shuttle"))]
impl NegativeEntry {
    /// Timestamp of the load that it results from.
    pub(crate) fn load_started(&self) -> HybridTimestamp {
        match self {
            Self::Failed { began, .. } | Self::Uncacheable { began, .. } => *began,
            Self::Absent { began, .. } => began.stamp,
        }
    }

    pub(crate) fn until_ms(&self) -> Timestamp {
        match self {
            Self::Failed { until_ms, .. } | Self::Absent { until_ms, .. } | Self::Uncacheable { until_ms, .. } => {
                *until_ms
            }
        }
    }
}

/// All negative entries.
#[derive(Debug)]
pub(crate) struct NegativeCache {
    map: Cache<Key, Arc<NegativeEntry>, NegativeEntryWeighter>,
}

impl NegativeCache {
    pub(crate) fn new(max_bytes: u64) -> Self {
        let expected = usize::try_from(max_bytes / EXPECTED_BYTES).unwrap_or(usize::MAX);
        let map = Cache::with_weighter(expected, max_bytes, NegativeEntryWeighter);
        Self { map }
    }

    /// The key's negative entry, even if it has expired.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<NegativeEntry>> {
        if self.map.is_empty() { None } else { self.map.get(key) }
    }

    pub(crate) fn set(&self, key: &Key, negative: Arc<NegativeEntry>) {
        self.map.insert(key.clone(), negative);
    }

    /// Forgets that the source does not have the key's value.
    pub(crate) fn forget_absent(&self, key: &Key) {
        if self.get(key).is_some_and(|negative| matches!(*negative, NegativeEntry::Absent { .. })) {
            self.map.remove(key);
        }
    }

    /// Forgets a failure.
    pub(crate) fn forget_failed(&self, key: &Key) {
        if self.get(key).is_some_and(|negative| matches!(*negative, NegativeEntry::Failed { .. })) {
            self.map.remove(key);
        }
    }

    pub(crate) fn forget(&self, key: &Key) {
        if !self.map.is_empty() {
            self.map.remove(key);
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct NegativeEntryWeighter;

impl Weighter<Key, Arc<NegativeEntry>> for NegativeEntryWeighter {
    fn weight(&self, key: &Key, negative: &Arc<NegativeEntry>) -> u64 {
        let negative = match &**negative {
            NegativeEntry::Failed { failure, .. } => {
                failure.message.len() + failure.response.as_ref().map_or(0, Value::len)
            }
            NegativeEntry::Absent { value, scope_hashes, .. } => value.len() + scope_hashes.bytes(),
            NegativeEntry::Uncacheable { .. } => 0,
        };
        (key.bytes() + negative + ENTRY_OVERHEAD) as u64
    }
}
