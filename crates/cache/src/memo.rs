//! What is remembered of keys beside values: failures a moment ago, and that a key's value is not for keeping.
//!
//! Never in place of a value, and bounded: what does not fit is forgotten.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::key::Key;
use crate::load::Failure;
use crate::stamp::Stamp;

/// What a memo costs beside its texts.
const MEMO_OVERHEAD: usize = 400;
/// What a memo is expected to weigh.
const EXPECTED_BYTES: u64 = 512;

/// What is remembered of one key.
#[derive(Debug)]
pub(crate) enum Memo {
    /// Its load failed; the same is answered until then, unless it was invalidated since.
    Failed { failure: Failure, began: Stamp, until_ms: u64 },
    /// Its value is not for keeping; until then, callers load without waiting for each other.
    Uncacheable { began: Stamp, until_ms: u64 },
}

impl Memo {
    /// The stamp of the load that it came from.
    pub(crate) fn began(&self) -> Stamp {
        match self {
            Self::Failed { began, .. } | Self::Uncacheable { began, .. } => *began,
        }
    }

    pub(crate) fn until_ms(&self) -> u64 {
        match self {
            Self::Failed { until_ms, .. } | Self::Uncacheable { until_ms, .. } => *until_ms,
        }
    }
}

/// Every memo.
#[derive(Debug)]
pub(crate) struct Memos {
    map: Cache<Key, Arc<Memo>, ByBytes>,
}

impl Memos {
    pub(crate) fn new(max_bytes: u64) -> Self {
        let expected = usize::try_from(max_bytes / EXPECTED_BYTES).unwrap_or(usize::MAX);
        let map = Cache::with_weighter(expected, max_bytes, ByBytes);
        Self { map }
    }

    /// What is remembered of the key.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Memo>> {
        if self.map.is_empty() { None } else { self.map.get(key) }
    }

    pub(crate) fn set(&self, key: &Key, memo: Arc<Memo>) {
        self.map.insert(key.clone(), memo);
    }

    pub(crate) fn forget(&self, key: &Key) {
        if !self.map.is_empty() {
            self.map.remove(key);
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct ByBytes;

impl Weighter<Key, Arc<Memo>> for ByBytes {
    fn weight(&self, key: &Key, memo: &Arc<Memo>) -> u64 {
        let memo = match &**memo {
            Memo::Failed { failure, .. } => {
                failure.message.len() + failure.answer.as_ref().map_or(0, crate::value::Value::len)
            }
            Memo::Uncacheable { .. } => 0,
        };
        (key.bytes() + memo + MEMO_OVERHEAD) as u64
    }
}
