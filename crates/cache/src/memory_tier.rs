//! The memory tier: a map that evicts by weight. It knows no expiry: age is evaluated at every read.
//!
//! Commits to one key are serialised by a striped lock, so a value from an older load never replaces one from a newer
//! load. Reads take no lock but the map's own.

use crate::timestamp::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use crate::counters::ClassCounters;
use crate::hybrid_timestamp::HybridTimestamp;
use crate::key::{BuildIdentityHasher, Key};
use crate::load_reason::LoadReason;
use crate::not_stored_reason::NotStoredReason;
use crate::quota::{Quota, Quotas};
use crate::settings::CacheSettings;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::value::Entry;

/// Locks that serialise commits.
const STRIPES: usize = 64;
/// Expected weight of an entry; sizes the map's memory of recently evicted keys.
const EXPECTED_ENTRY_BYTES: u64 = 8 * 1024;
/// Number of remembered keys that were evicted while fresh, 8 bytes each.
const EVICTED_SLOTS: usize = 4096;

pub(crate) struct MemoryTier {
    map: Cache<Key, Arc<Entry>, EntryWeighter, BuildIdentityHasher, EvictionCollector>,
    stripes: Box<[Mutex<()>]>,
    quotas: Quotas,
    /// Hashes of keys evicted while fresh: the newest of each slot.
    evicted_hashes: Box<[AtomicU64]>,
    max_entry_bytes: u64,
    max_partition_bytes: u64,
}

impl MemoryTier {
    pub(crate) fn new(settings: &CacheSettings) -> Self {
        let shards = settings.shards();
        // At least 32 expected entries per shard, or the map would use fewer, larger shards than configured.
        let expected = (settings.max_bytes / EXPECTED_ENTRY_BYTES).max(shards * 32);
        let options = OptionsBuilder::new()
            .shards(usize::try_from(shards).unwrap_or(1))
            .estimated_items_capacity(usize::try_from(expected).unwrap_or(usize::MAX))
            .weight_capacity(settings.max_bytes)
            .build()
            .expect("both capacities are set");
        Self {
            map: Cache::with_options(options, EntryWeighter, BuildIdentityHasher::default(), EvictionCollector),
            stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            quotas: Quotas::default(),
            evicted_hashes: (0..EVICTED_SLOTS).map(|_| AtomicU64::new(0)).collect(),
            max_entry_bytes: settings.max_entry_bytes,
            max_partition_bytes: settings.max_partition_bytes,
        }
    }

    /// The entry under the key, counted as a use.
    #[inline]
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        self.map.get(key)
    }

    /// The entry under the key, not counted as a use.
    pub(crate) fn peek(&self, key: &Key) -> Option<Arc<Entry>> {
        self.map.peek(key)
    }

    /// The quota of a partition.
    pub(crate) fn quota(&self, partition: u64) -> Arc<Quota> {
        self.quotas.for_partition(partition)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.map.weight()
    }

    pub(crate) fn entries(&self) -> u64 {
        self.map.len() as u64
    }

    /// Serialises changes to a key. Hold it from the fence check to the end of the commit.
    pub(crate) fn commit_lock(&self, key: &Key) -> MutexGuard<'_, ()> {
        let stripe = key.hash64() >> 32;
        lock(&self.stripes[usize::try_from(stripe).unwrap_or(0) % STRIPES])
    }

    /// Stores an entry, unless it is too large or the current one is newer. The caller holds the commit lock.
    pub(crate) fn put(&self, key: &Key, entry: &Arc<Entry>) -> Result<(), NotStoredReason> {
        if entry.weight > self.max_entry_bytes {
            return Err(NotStoredReason::TooLarge);
        }
        if entry.weight > self.max_partition_bytes {
            return Err(NotStoredReason::PartitionFull);
        }
        let current = self.map.peek(key);
        if current.as_ref().is_some_and(|current| current.created() >= entry.created()) {
            return Err(NotStoredReason::Superseded);
        }
        let now_ms = entry.stored_ms();
        let freed = current.as_ref().map_or(0, |current| current.weight);
        self.make_room(&entry.quota, entry.weight.saturating_sub(freed), key, now_ms);
        entry.quota.add_entry(entry.weight);
        count_entry(&entry.counters, entry.weight);
        let mut evicted = EvictedEntries::default();
        self.map.insert_with_lifecycle(key.clone(), Arc::clone(entry), &mut evicted);
        let mut replaced = false;
        for (other, entry) in evicted.0 {
            replaced |= other == *key;
            if other != *key {
                self.record_eviction(&other, &entry, now_ms);
            }
            uncount_entry(&entry, other != *key);
        }
        if !replaced {
            entry.quota.queue(key.clone(), |key| self.map.contains_key(key));
        }
        Ok(())
    }

    /// Drops the entry under the key if its load did not begin after `not_after`. The caller holds the commit lock.
    pub(crate) fn remove_older(&self, key: &Key, not_after: HybridTimestamp) {
        if let Some((_, entry)) = self.map.remove_if(key, |current| current.created() <= not_after) {
            uncount_entry(&entry, false);
        }
    }

    /// Remembers an evicted key if its entry was fresh.
    fn record_eviction(&self, key: &Key, entry: &Entry, now_ms: Timestamp) {
        if now_ms < entry.deadlines().fresh_until_ms {
            self.slot(key).store(key.hash64(), Ordering::Relaxed);
        }
    }

    /// Whether the requested key was evicted while fresh; true once per eviction.
    pub(crate) fn take_recent_eviction(&self, key: &Key) -> bool {
        let hash = key.hash64();
        self.slot(key).compare_exchange(hash, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn slot(&self, key: &Key) -> &AtomicU64 {
        let at = usize::try_from(key.hash64() >> 16).unwrap_or(0);
        &self.evicted_hashes[at % EVICTED_SLOTS]
    }

    /// Keys whose entries were read since the last call.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn take_used_keys(&self) -> Vec<Key> {
        self.map.iter().filter(|(_, entry)| entry.take_unrecorded_use()).map(|(key, _)| key).collect()
    }

    /// Evicts a partition's own entries: the oldest first; those read since they were stored get a second chance.
    fn make_room(&self, quota: &Quota, needed: u64, except: &Key, now_ms: Timestamp) {
        let mut tries = quota.queued().saturating_mul(2);
        while quota.bytes().saturating_add(needed) > self.max_partition_bytes && tries > 0 {
            tries -= 1;
            let Some(key) = quota.first() else { return };
            let Some(entry) = self.map.peek(&key) else { continue };
            if key == *except || entry.take_second_chance() {
                quota.requeue(key);
            } else if let Some((key, entry)) = self.map.remove(&key) {
                self.record_eviction(&key, &entry, now_ms);
                uncount_entry(&entry, true);
            }
        }
    }
}

fn count_entry(counters: &ClassCounters, weight: u64) {
    use std::sync::atomic::Ordering::Relaxed;
    counters.bytes.fetch_add(i64::try_from(weight).unwrap_or(i64::MAX), Relaxed);
    counters.entries.fetch_add(1, Relaxed);
}

/// Updates the counters for an entry that left the map.
fn uncount_entry(entry: &Entry, evicted: bool) {
    use std::sync::atomic::Ordering::Relaxed;
    entry.quota.remove_entry(entry.weight);
    let counters = &entry.counters;
    counters.bytes.fetch_sub(i64::try_from(entry.weight).unwrap_or(i64::MAX), Relaxed);
    counters.entries.fetch_sub(1, Relaxed);
    if evicted {
        counters.evictions.one();
    }
    match (entry.load_reason, entry.was_read()) {
        (LoadReason::Refresh, true) => counters.refreshes_useful.one(),
        (LoadReason::Refresh, false) => counters.refreshes_useless.one(),
        (LoadReason::Warm, true) => counters.warm_useful.one(),
        (LoadReason::Warm, false) => counters.warm_useless.one(),
        // Usefulness is counted at the first read.
        (LoadReason::Prefetch, false) => counters.prefetch_useless.one(),
        _ => {}
    }
}

/// Weighs entries for the map.
#[derive(Debug, Clone, Copy)]
struct EntryWeighter;

impl Weighter<Key, Arc<Entry>> for EntryWeighter {
    fn weight(&self, _key: &Key, entry: &Arc<Entry>) -> u64 {
        entry.weight
    }
}

/// Collects the entries an insertion removes, so that they are counted and freed outside the map's lock.
#[derive(Debug, Clone, Copy)]
struct EvictionCollector;

/// Entries one insertion removed: the evicted ones and the replaced one.
#[derive(Default)]
struct EvictedEntries(Vec<(Key, Arc<Entry>)>);

impl Lifecycle<Key, Arc<Entry>> for EvictionCollector {
    type RequestState = EvictedEntries;

    fn on_evict(&self, evicted: &mut EvictedEntries, key: Key, entry: Arc<Entry>) {
        evicted.0.push((key, entry));
    }
}
