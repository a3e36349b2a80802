//! The memory tier: a map that evicts by weight. Expiry is not its business: that is judged at every read.
//!
//! Commits to one key are serialised by a striped lock, so that a value from an older load never replaces one from
//! a newer. Reads take no lock but the map's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use crate::key::{BuildAsHashed, Key};
use crate::load_reason::LoadReason;
use crate::quota::{Quota, Quotas};
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::stamp::Stamp;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::tally::Cell;
use crate::value::Entry;

/// Locks that serialise commits.
const STRIPES: usize = 64;
/// What an entry is expected to weigh; sizes the memory of keys that were evicted lately.
const EXPECTED_ENTRY_BYTES: u64 = 8 * 1024;
/// Keys that are remembered of those that had to make room while they were fresh, 8 bytes each.
const REMEMBERED: usize = 4096;

/// The memory tier.
pub(crate) struct Memory {
    map: Cache<Key, Arc<Entry>, ByWeight, BuildAsHashed, Farewell>,
    stripes: Box<[Mutex<()>]>,
    quotas: Quotas,
    /// Keys that had to make room while they were fresh, by their hash: the newest of each slot.
    missed: Box<[AtomicU64]>,
    max_entry_bytes: u64,
    max_partition_bytes: u64,
}

impl Memory {
    pub(crate) fn new(settings: &Settings) -> Self {
        let shards = settings.shards();
        // At least 32 expected entries per shard, or the map would use fewer, larger shards than were asked for.
        let expected = (settings.max_bytes / EXPECTED_ENTRY_BYTES).max(shards * 32);
        let options = OptionsBuilder::new()
            .shards(usize::try_from(shards).unwrap_or(1))
            .estimated_items_capacity(usize::try_from(expected).unwrap_or(usize::MAX))
            .weight_capacity(settings.max_bytes)
            .build()
            .expect("capacities are given");
        Self {
            map: Cache::with_options(options, ByWeight, BuildAsHashed::default(), Farewell),
            stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            quotas: Quotas::default(),
            missed: (0..REMEMBERED).map(|_| AtomicU64::new(0)).collect(),
            max_entry_bytes: settings.max_entry_bytes,
            max_partition_bytes: settings.max_partition_bytes,
        }
    }

    /// What is kept under the key, counted as a use of it.
    #[inline]
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        self.map.get(key)
    }

    /// What is kept under the key, without trace.
    pub(crate) fn peek(&self, key: &Key) -> Option<Arc<Entry>> {
        self.map.peek(key)
    }

    /// The books of a partition.
    pub(crate) fn quota(&self, partition: u64) -> Arc<Quota> {
        self.quotas.of(partition)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.map.weight()
    }

    pub(crate) fn entries(&self) -> u64 {
        self.map.len() as u64
    }

    /// Serialises what is done to a key. To be held from the fence check to the end of the commit.
    pub(crate) fn commit_lock(&self, key: &Key) -> MutexGuard<'_, ()> {
        let stripe = key.hash64() >> 32;
        lock(&self.stripes[usize::try_from(stripe).unwrap_or(0) % STRIPES])
    }

    /// Keeps an entry, unless it is too large or what is kept is newer. The caller holds the commit lock.
    pub(crate) fn put(&self, key: &Key, entry: &Arc<Entry>) -> Result<(), Refusal> {
        if entry.weight > self.max_entry_bytes {
            return Err(Refusal::TooLarge);
        }
        if entry.weight > self.max_partition_bytes {
            return Err(Refusal::PartitionFull);
        }
        let kept = self.map.peek(key);
        if kept.as_ref().is_some_and(|kept| kept.created() >= entry.created()) {
            return Err(Refusal::Older);
        }
        let now_ms = entry.stored_ms();
        let freed = kept.as_ref().map_or(0, |kept| kept.weight);
        self.make_room(&entry.quota, entry.weight.saturating_sub(freed), key, now_ms);
        entry.quota.enter(entry.weight);
        enter(&entry.cell, entry.weight);
        let mut gone = Gone::default();
        self.map.insert_with_lifecycle(key.clone(), Arc::clone(entry), &mut gone);
        let mut replaced = false;
        for (other, entry) in gone.0 {
            replaced |= other == *key;
            if other != *key {
                self.remember(&other, &entry, now_ms);
            }
            leave(&entry, other != *key);
        }
        if !replaced {
            entry.quota.queue(key.clone(), |key| self.map.contains_key(key));
        }
        Ok(())
    }

    /// Drops what is kept under the key if its load did not begin after `than`. The caller holds the commit lock.
    pub(crate) fn remove_older(&self, key: &Key, than: Stamp) {
        if let Some((_, entry)) = self.map.remove_if(key, |kept| kept.created() <= than) {
            leave(&entry, false);
        }
    }

    /// It had to make room: if it was fresh, that may be regretted.
    fn remember(&self, key: &Key, entry: &Entry, now_ms: u64) {
        if now_ms < entry.horizons().fresh_until_ms {
            self.slot(key).store(key.hash64(), Ordering::Relaxed);
        }
    }

    /// Whether what is asked for had to make room while it was fresh; true once for each time.
    pub(crate) fn take_regret(&self, key: &Key) -> bool {
        let hash = key.hash64();
        self.slot(key).compare_exchange(hash, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn slot(&self, key: &Key) -> &AtomicU64 {
        let number = usize::try_from(key.hash64() >> 16).unwrap_or(0);
        &self.missed[number % REMEMBERED]
    }

    /// The keys whose entries were read since this was last asked.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn take_uses(&self) -> Vec<Key> {
        self.map.iter().filter(|(_, entry)| entry.take_use()).map(|(key, _)| key).collect()
    }

    /// Lets a partition's own entries make room: the oldest first, those read since they came get a second turn.
    fn make_room(&self, quota: &Quota, wanted: u64, keep: &Key, now_ms: u64) {
        let mut turns = quota.queued().saturating_mul(2);
        while quota.bytes().saturating_add(wanted) > self.max_partition_bytes && turns > 0 {
            turns -= 1;
            let Some(key) = quota.first() else { return };
            let Some(entry) = self.map.peek(&key) else { continue };
            if key == *keep || entry.take_second_chance() {
                quota.again(key);
            } else if let Some((key, entry)) = self.map.remove(&key) {
                self.remember(&key, &entry, now_ms);
                leave(&entry, true);
            }
        }
    }
}

fn enter(cell: &Cell, weight: u64) {
    use std::sync::atomic::Ordering::Relaxed;
    cell.bytes.fetch_add(i64::try_from(weight).unwrap_or(i64::MAX), Relaxed);
    cell.entries.fetch_add(1, Relaxed);
}

/// Closes the books on an entry that left the map.
fn leave(entry: &Entry, evicted: bool) {
    use std::sync::atomic::Ordering::Relaxed;
    entry.quota.leave(entry.weight);
    let cell = &entry.cell;
    cell.bytes.fetch_sub(i64::try_from(entry.weight).unwrap_or(i64::MAX), Relaxed);
    cell.entries.fetch_sub(1, Relaxed);
    if evicted {
        cell.evictions.one();
    }
    match (entry.why, entry.was_read()) {
        (LoadReason::Refresh, true) => cell.refreshes_useful.one(),
        (LoadReason::Refresh, false) => cell.refreshes_useless.one(),
        (LoadReason::Warm, true) => cell.warm_useful.one(),
        (LoadReason::Warm, false) => cell.warm_useless.one(),
        // That it was useful is counted when it is read.
        (LoadReason::Ahead, false) => cell.ahead_useless.one(),
        _ => {}
    }
}

/// Weighs entries for the map.
#[derive(Debug, Clone, Copy)]
struct ByWeight;

impl Weighter<Key, Arc<Entry>> for ByWeight {
    fn weight(&self, _key: &Key, entry: &Arc<Entry>) -> u64 {
        entry.weight
    }
}

/// Collects what the map lets go, so that its books are closed (and its bytes freed) outside the map's lock.
#[derive(Debug, Clone, Copy)]
struct Farewell;

/// What one insertion let go: evicted entries, and the one that was replaced.
#[derive(Default)]
struct Gone(Vec<(Key, Arc<Entry>)>);

impl Lifecycle<Key, Arc<Entry>> for Farewell {
    type RequestState = Gone;

    fn on_evict(&self, gone: &mut Gone, key: Key, entry: Arc<Entry>) {
        gone.0.push((key, entry));
    }
}
