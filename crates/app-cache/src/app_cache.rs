//! One cache: its settings, its deferred puts, its counters and its size.

use greenroom_cache::clock::millis;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_config::{AppCacheSettings, EvictionPolicy};
use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use crate::counters::{AppCacheCounters, AppCacheCounts};
use crate::deferred::{DeferredBudget, DeferredPuts};
use crate::name::CacheName;
use crate::store::CacheSize;

/// One cache.
#[derive(Debug)]
pub(crate) struct AppCache {
    pub(crate) name: CacheName,
    pub(crate) settings: Arc<AppCacheSettings>,
    pub(crate) counters: AppCacheCounters,
    pub(crate) deferred: Mutex<DeferredPuts>,
    entries: AtomicU64,
    bytes: AtomicU64,
}

/// One cache at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AppCache)]
pub struct AppCacheReport {
    /// Its name.
    pub name: String,
    /// Entries on disk, dead ones included until they are removed.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Max entries.
    pub max_entries: u64,
    /// Max bytes of all entries.
    pub max_bytes: u64,
    /// Max bytes of one value.
    pub max_value_bytes: u64,
    /// Fresh time of an entry that is stored without one; `null`: it never expires.
    pub ttl_ms: Option<u64>,
    /// Stale time of an entry that is stored without one.
    pub stale_ms: u64,
    /// `least-recently-stored`, or `none`: a full cache refuses writes.
    pub eviction: &'static str,
    /// Deferred puts that are not on disk yet.
    pub pending: usize,
    /// Counters since the start of the process.
    pub counts: AppCacheCounts,
}

impl AppCache {
    pub(crate) fn new(name: CacheName, settings: AppCacheSettings, budget: Arc<DeferredBudget>) -> Self {
        Self {
            name,
            settings: Arc::new(settings),
            counters: AppCacheCounters::default(),
            deferred: Mutex::new(DeferredPuts::new(budget)),
            entries: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    pub(crate) fn set_size(&self, size: CacheSize) {
        self.entries.store(size.entries, Ordering::Relaxed);
        self.bytes.store(size.bytes, Ordering::Relaxed);
    }

    /// Whether it has more than it may and evicts.
    pub(crate) fn is_over(&self) -> bool {
        self.settings.eviction == EvictionPolicy::LeastRecentlyStored
            && (self.entries.load(Ordering::Relaxed) > self.settings.max_entries
                || self.bytes.load(Ordering::Relaxed) > self.settings.max_bytes)
    }

    pub(crate) fn report(&self) -> AppCacheReport {
        AppCacheReport {
            name: self.name.as_str().to_owned(),
            entries: self.entries.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            max_entries: self.settings.max_entries,
            max_bytes: self.settings.max_bytes,
            max_value_bytes: self.settings.max_value_bytes,
            ttl_ms: self.settings.ttl.map(millis),
            stale_ms: millis(self.settings.stale),
            eviction: match self.settings.eviction {
                EvictionPolicy::LeastRecentlyStored => "least-recently-stored",
                EvictionPolicy::Off => "none",
            },
            pending: self.deferred.lock().pending(),
            counts: self.counters.counts(),
        }
    }
}
