//! Memory use of one partition, and its eviction order.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::key::{BuildIdentityHasher, Key};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, RwLock, lock, read, write};

/// Empty partitions are dropped when there are more than this and twice as many as non-empty ones.
const FORGET_ABOVE: usize = 256;
/// A queue is cleaned of removed keys when it is longer than twice the entries plus this.
const QUEUE_SLACK: usize = 64;

/// Memory use of one partition.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    bytes: AtomicU64,
    entries: AtomicU64,
    /// Keys in order of arrival; some may be removed.
    queue: Mutex<VecDeque<Key>>,
}

impl Quota {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn add_entry(&self, weight: u64) {
        self.bytes.fetch_add(weight, Ordering::Relaxed);
        self.entries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn remove_entry(&self, weight: u64) {
        self.bytes.fetch_sub(weight, Ordering::Relaxed);
        self.entries.fetch_sub(1, Ordering::Relaxed);
    }

    /// Queues a new key. `is_cached` tells whether a key still has an entry.
    pub(crate) fn queue(&self, key: Key, is_cached: impl Fn(&Key) -> bool) {
        let mut queue = lock(&self.queue);
        queue.push_back(key);
        let entries = usize::try_from(self.entries.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        if queue.len() > entries.saturating_mul(2).saturating_add(QUEUE_SLACK) {
            let mut seen = HashSet::with_capacity(entries);
            queue.retain(|key| is_cached(key) && seen.insert(key.clone()));
        }
    }

    /// Takes the oldest key.
    pub(crate) fn first(&self) -> Option<Key> {
        lock(&self.queue).pop_front()
    }

    /// Puts a key back at the end.
    pub(crate) fn requeue(&self, key: Key) {
        lock(&self.queue).push_back(key);
    }

    pub(crate) fn queued(&self) -> usize {
        lock(&self.queue).len()
    }
}

/// The quotas of all partitions.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    map: RwLock<HashMap<u64, Arc<Quota>, BuildIdentityHasher>>,
}

impl Quotas {
    /// The quota of the partition with this hash.
    pub(crate) fn for_partition(&self, partition: u64) -> Arc<Quota> {
        if let Some(quota) = read(&self.map).get(&partition) {
            return Arc::clone(quota);
        }
        let mut map = write(&self.map);
        if map.len() >= FORGET_ABOVE && map.len().is_power_of_two() {
            map.retain(|_, quota| Arc::strong_count(quota) > 1 || quota.bytes() > 0);
        }
        Arc::clone(map.entry(partition).or_default())
    }
}

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use super::*;
    use crate::key::Partition;

    fn key(item: usize) -> Key {
        Key::new("n", &Partition::new("anna"), &item.to_string())
    }

    #[test]
    fn a_queue_does_not_grow_with_keys_that_come_and_go() {
        let quota = Quota::default();
        for item in 0..10_000 {
            quota.add_entry(10);
            quota.queue(key(item), |other| *other == key(item));
            quota.remove_entry(10);
        }
        assert!(quota.queued() <= QUEUE_SLACK + 2, "{} queued", quota.queued());
        assert_eq!(quota.bytes(), 0);
    }

    #[test]
    fn a_cleaned_queue_holds_every_cached_key_once() {
        let quota = Quota::default();
        (0..10).for_each(|_| quota.add_entry(1));
        for round in 0..20 {
            for item in 0..10 {
                quota.queue(key(item), |_| true);
            }
            assert!(quota.queued() <= 2 * 10 + QUEUE_SLACK, "after round {round}");
        }
        let mut first: Vec<_> = std::iter::from_fn(|| quota.first()).collect();
        first.truncate(10);
        assert_eq!(first, (0..10).map(key).collect::<Vec<_>>(), "in insertion order");
    }

    #[test]
    fn empty_partitions_are_dropped() {
        let quotas = Quotas::default();
        let quota = quotas.for_partition(1);
        quota.add_entry(100);
        for partition in 2..10_000 {
            quotas.for_partition(partition);
        }
        assert!(read(&quotas.map).len() <= 2 * FORGET_ABOVE);
        assert!(Arc::ptr_eq(&quota, &quotas.for_partition(1)));
    }
}
