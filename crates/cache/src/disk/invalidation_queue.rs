//! Invalidations and removals waiting to be written. They are coalesced on arrival, so they stay few however long
//! nothing can be written. A removal is effective immediately, whatever the store still holds.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{HashMap, VecDeque};

use super::scope_codec;
use super::write_batch::WriteBatch;
use crate::hybrid_timestamp::HybridTimestamp;
use crate::key::{BuildIdentityHasher, Key};
use crate::stored_invalidation::PendingInvalidation;

/// Max scopes with pending invalidations. Beyond it, they are widened to their namespaces, then to everything.
const MAX_INVALIDATIONS: usize = 16_384;
/// Max keys with pending removals. Beyond it, the oldest are lost, and counted.
const MAX_REMOVALS: usize = 16_384;
/// Max removals and invalidations in one transaction.
const BATCH_INVALIDATIONS: usize = 1024;

/// Identity of a pending invalidation: its encoded scope, and whether it purges.
type InvalidationName = (String, bool);

/// All invalidations and removals that wait or are being written.
#[derive(Debug, Default)]
pub(super) struct InvalidationQueue {
    invalidations: HashMap<InvalidationName, PendingInvalidation>,
    /// Names in order of arrival, each with its ticket; some may be taken.
    invalidation_order: VecDeque<(InvalidationName, u64)>,
    removals: HashMap<Key, Removal, BuildIdentityHasher>,
    /// Keys in order of arrival, each with its ticket.
    removal_order: VecDeque<(Key, u64)>,
    /// Grows whenever removals are no longer remembered here.
    epoch: u64,
    /// Removals lost to the limit.
    lost: u64,
}

#[derive(Debug, Clone, Copy)]
struct Removal {
    not_after: HybridTimestamp,
    /// It is in a batch being written.
    is_in_flight: bool,
}

impl InvalidationQueue {
    /// Queues an invalidation. It merges with a pending one of the same scope and kind, and takes its place.
    pub(super) fn push_invalidation(&mut self, invalidation: PendingInvalidation, ticket: u64) {
        if self.invalidations.len() >= MAX_INVALIDATIONS {
            self.widen();
        }
        self.insert(invalidation, ticket, false);
    }

    fn insert(&mut self, invalidation: PendingInvalidation, ticket: u64, is_first: bool) {
        let name = (invalidation.scope.clone(), invalidation.purges);
        match self.invalidations.entry(name) {
            MapEntry::Occupied(mut insert) if !is_first => insert.get_mut().absorb(&invalidation),
            MapEntry::Occupied(mut insert) => {
                insert.get_mut().absorb(&invalidation);
                self.invalidation_order.push_front((insert.key().clone(), ticket));
            }
            MapEntry::Vacant(insert) => {
                let queued = (insert.key().clone(), ticket);
                if is_first {
                    self.invalidation_order.push_front(queued);
                } else {
                    self.invalidation_order.push_back(queued);
                }
                insert.insert(invalidation);
            }
        }
    }

    /// Widens every invalidation to a broader scope, which restricts more: none is lost.
    fn widen(&mut self) {
        let mut narrow = std::mem::take(&mut self.invalidations);
        for (name, ticket) in std::mem::take(&mut self.invalidation_order) {
            if let Some(mut invalidation) = narrow.remove(&name) {
                invalidation.scope = scope_codec::broader(&invalidation.scope);
                self.insert(invalidation, ticket, false);
            }
        }
        if self.invalidations.len() > MAX_INVALIDATIONS / 2 {
            self.widen();
        }
    }

    /// Queues the removal of a key's value, unless it comes from a later load than this.
    pub(super) fn push_removal(&mut self, key: &Key, not_after: HybridTimestamp, ticket: u64) {
        let removal = Removal { not_after, is_in_flight: false };
        match self.removals.get_mut(key) {
            Some(earlier) if earlier.is_in_flight => {
                *earlier = Removal { not_after: not_after.max(earlier.not_after), ..removal };
                self.removal_order.push_back((key.clone(), ticket));
            }
            Some(earlier) => earlier.not_after = earlier.not_after.max(not_after),
            None => {
                self.removals.insert(key.clone(), removal);
                self.removal_order.push_back((key.clone(), ticket));
            }
        }
        while self.removals.len() > MAX_REMOVALS && self.drop_oldest_removal() {}
    }

    fn drop_oldest_removal(&mut self) -> bool {
        let Some((key, _)) = self.removal_order.pop_front() else { return false };
        if self.removals.get(&key).is_some_and(|removal| !removal.is_in_flight) {
            self.removals.remove(&key);
            self.epoch += 1;
            self.lost += 1;
        }
        true
    }

    /// Whether the value of a load is removed, although the store may not show it yet. `epoch` is the result of
    /// [`Self::removal_epoch`] before the store was read: a removal written since may be later than the read.
    pub(super) fn is_removed(&self, key: &Key, created: HybridTimestamp, epoch: u64) -> bool {
        self.epoch != epoch || self.removals.get(key).is_some_and(|removal| created <= removal.not_after)
    }

    /// A number that changes whenever removals are no longer remembered here.
    pub(super) fn removal_epoch(&self) -> u64 {
        self.epoch
    }

    /// Moves the oldest into a batch.
    pub(super) fn drain_into(&mut self, batch: &mut WriteBatch) {
        while batch.invalidations.len() < BATCH_INVALIDATIONS
            && let Some((name, _)) = self.invalidation_order.pop_front()
        {
            batch.invalidations.extend(self.invalidations.remove(&name));
        }
        while batch.removals.len() < BATCH_INVALIDATIONS
            && let Some((key, _)) = self.removal_order.pop_front()
        {
            if let Some(removal) = self.removals.get_mut(&key).filter(|removal| !removal.is_in_flight) {
                removal.is_in_flight = true;
                batch.removals.push((key, removal.not_after));
            }
        }
    }

    /// Returns the invalidations and removals of a failed batch to the front.
    pub(super) fn put_back(&mut self, batch: &mut WriteBatch) {
        for invalidation in batch.invalidations.drain(..).rev() {
            self.insert(invalidation, 0, true);
        }
        for (key, _) in batch.removals.drain(..).rev() {
            if let Some(removal) = self.removals.get_mut(&key).filter(|removal| removal.is_in_flight) {
                removal.is_in_flight = false;
                self.removal_order.push_front((key, 0));
            }
        }
        if self.invalidations.len() > MAX_INVALIDATIONS {
            self.widen();
        }
    }

    /// Drops the removals of a written batch.
    pub(super) fn complete(&mut self, batch: &WriteBatch) {
        for (key, _) in &batch.removals {
            if self.removals.get(key).is_some_and(|removal| removal.is_in_flight) {
                self.removals.remove(key);
                self.epoch += 1;
            }
        }
    }

    /// Number of pending invalidations.
    pub(super) fn invalidation_count(&self) -> usize {
        self.invalidations.len()
    }

    /// Whether an invalidation is pending.
    pub(super) fn has_invalidations(&self) -> bool {
        !self.invalidation_order.is_empty()
    }

    /// Whether nothing is pending.
    pub(super) fn is_empty(&self) -> bool {
        self.invalidation_order.is_empty() && self.removal_order.is_empty()
    }

    /// Ticket of the oldest.
    pub(super) fn first_ticket(&self) -> Option<u64> {
        let invalidation = self.invalidation_order.front().map(|(_, ticket)| *ticket);
        let removal = self.removal_order.front().map(|(_, ticket)| *ticket);
        invalidation.into_iter().chain(removal).min()
    }

    /// Number of removals lost to the limit.
    pub(super) fn lost_removals(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Partition;
    use crate::timestamp::Timestamp;
    use std::time::Duration;

    fn key(at: usize) -> Key {
        Key::new("home", &Partition::new("anna"), &format!("/{at}"))
    }

    fn at(ms: u64) -> HybridTimestamp {
        HybridTimestamp::end_of(Timestamp::from_millis(ms))
    }

    fn invalidation(scope: &str, purges: bool, ms: u64) -> PendingInvalidation {
        PendingInvalidation {
            scope: scope.into(),
            purges,
            stamp: at(ms),
            hold_until: HybridTimestamp::ZERO,
            grace_until_ms: Timestamp::UNIX_EPOCH,
            grace_fresh_ms: Duration::ZERO,
        }
    }

    fn delivered(queue: &mut InvalidationQueue) -> WriteBatch {
        let mut batch = WriteBatch::default();
        queue.drain_into(&mut batch);
        batch
    }

    #[test]
    fn a_removal_applies_until_it_is_written_and_earlier_lookups_find_nothing() {
        let mut queue = InvalidationQueue::default();
        let earlier = queue.removal_epoch();
        queue.push_removal(&key(1), at(10), 1);
        let gone = |queue: &InvalidationQueue, ms| queue.is_removed(&key(1), at(ms), earlier);
        assert!(gone(&queue, 10) && !gone(&queue, 11) && !queue.is_removed(&key(2), at(5), earlier));
        let mut batch = delivered(&mut queue);
        assert!(gone(&queue, 10), "it is being written");
        queue.put_back(&mut batch);
        assert!(gone(&queue, 10), "it could not be");
        let batch = delivered(&mut queue);
        assert_eq!(batch.removals, [(key(1), at(10))]);
        queue.push_removal(&key(1), at(20), 2);
        queue.complete(&batch);
        assert!(gone(&queue, 20), "another came meanwhile");
        let batch = delivered(&mut queue);
        assert_eq!(batch.removals, [(key(1), at(20))]);
        queue.complete(&batch);
        assert!(gone(&queue, 5), "what was looked up before may be what was removed");
        assert!(!queue.is_removed(&key(1), at(5), queue.removal_epoch()), "from here on the store knows");
        assert!(queue.is_empty());
    }

    #[test]
    fn invalidations_of_one_scope_are_merged_at_the_first_position() {
        let mut queue = InvalidationQueue::default();
        for ticket in 1..=1000 {
            queue.push_invalidation(invalidation("all", ticket % 2 == 0, ticket), ticket);
            queue.push_removal(&key(1), at(ticket), ticket);
        }
        assert_eq!(queue.first_ticket(), Some(1));
        let mut batch = delivered(&mut queue);
        assert_eq!(batch.invalidations, [invalidation("all", false, 999), invalidation("all", true, 1000)]);
        assert_eq!(batch.removals, [(key(1), at(1000))]);
        assert!(queue.is_empty());
        queue.push_invalidation(invalidation("all", false, 2000), 2000);
        queue.put_back(&mut batch);
        assert_eq!(queue.first_ticket(), Some(0));
        assert_eq!(
            delivered(&mut queue).invalidations,
            [invalidation("all", false, 2000), invalidation("all", true, 1000)]
        );
        assert!(delivered(&mut queue).is_empty(), "none is written twice");
    }

    #[test]
    fn too_many_invalidations_are_widened_and_of_too_many_removals_the_oldest_is_dropped() {
        let mut queue = InvalidationQueue::default();
        for ticket in 1..=(3 * MAX_INVALIDATIONS) as u64 {
            let purges = ticket == 5;
            queue.push_invalidation(invalidation(&format!("namespace|{ticket}"), purges, ticket), ticket);
            assert!(
                queue.invalidations.len() <= MAX_INVALIDATIONS && queue.invalidation_order.len() <= MAX_INVALIDATIONS
            );
        }
        assert_eq!(queue.first_ticket(), Some(1));
        let first = delivered(&mut queue).invalidations;
        assert!(first.contains(&invalidation("all", true, 5)), "{:?}", &first[..3]);
        assert!(first.iter().any(|invalidation| invalidation.scope == "all"
            && !invalidation.purges
            && invalidation.stamp > at(MAX_INVALIDATIONS as u64)));
        for ticket in 0..=MAX_REMOVALS {
            queue.push_removal(&key(ticket), at(1), ticket as u64);
        }
        assert_eq!((queue.removals.len(), queue.lost_removals()), (MAX_REMOVALS, 1));
        let epoch = queue.removal_epoch();
        assert!(!queue.is_removed(&key(0), at(1), epoch) && queue.is_removed(&key(1), at(1), epoch));
    }
}
