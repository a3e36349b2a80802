//! Invalidations and removals waiting to be written. They are coalesced on arrival, so they stay few however long
//! nothing can be written. A removal is effective immediately, whatever the store still holds.

use std::collections::hash_map::Entry as Place;
use std::collections::{HashMap, VecDeque};

use super::scope_codec;
use super::write_batch::WriteBatch;
use crate::hybrid_timestamp::HybridTimestamp;
use crate::key::{BuildIdentityHasher, Key};
use crate::stored_invalidation::PendingInvalidation;

/// Max scopes with pending invalidations. Beyond it, they are widened to their namespaces, then to everything.
const MAX_MARKS: usize = 16_384;
/// Max keys with pending removals. Beyond it, the oldest are lost, and counted.
const MAX_REMOVALS: usize = 16_384;
/// Max removals and invalidations in one transaction.
const BATCH_ORDERS: usize = 1024;

/// Identity of a pending invalidation: its encoded scope, and whether it purges.
type InvalidationName = (String, bool);

/// All invalidations and removals that wait or are being written.
#[derive(Debug, Default)]
pub(super) struct InvalidationQueue {
    marks: HashMap<InvalidationName, PendingInvalidation>,
    /// Names in order of arrival, each with its ticket; some may be taken.
    mark_order: VecDeque<(InvalidationName, u64)>,
    removals: HashMap<Key, Removal, BuildIdentityHasher>,
    /// Keys in order of arrival, each with its ticket.
    removal_order: VecDeque<(Key, u64)>,
    /// Grows whenever removals are no longer remembered here.
    forgotten: u64,
    /// Removals lost to the limit.
    lost: u64,
}

#[derive(Debug, Clone, Copy)]
struct Removal {
    than: HybridTimestamp,
    /// It is in a batch being written.
    is_leaving: bool,
}

impl InvalidationQueue {
    /// Queues an invalidation. It merges with a pending one of the same scope and kind, and takes its place.
    pub(super) fn push_invalidation(&mut self, mark: PendingInvalidation, ticket: u64) {
        if self.marks.len() >= MAX_MARKS {
            self.widen();
        }
        self.place(mark, ticket, false);
    }

    fn place(&mut self, mark: PendingInvalidation, ticket: u64, is_first: bool) {
        let name = (mark.scope.clone(), mark.purges);
        match self.marks.entry(name) {
            Place::Occupied(mut place) if !is_first => place.get_mut().absorb(&mark),
            Place::Occupied(mut place) => {
                place.get_mut().absorb(&mark);
                self.mark_order.push_front((place.key().clone(), ticket));
            }
            Place::Vacant(place) => {
                let order = (place.key().clone(), ticket);
                if is_first {
                    self.mark_order.push_front(order);
                } else {
                    self.mark_order.push_back(order);
                }
                place.insert(mark);
            }
        }
    }

    /// Widens every invalidation to a broader scope, which restricts more: none is lost.
    fn widen(&mut self) {
        let mut narrow = std::mem::take(&mut self.marks);
        for (name, ticket) in std::mem::take(&mut self.mark_order) {
            if let Some(mut mark) = narrow.remove(&name) {
                mark.scope = scope_codec::broader(&mark.scope);
                self.place(mark, ticket, false);
            }
        }
        if self.marks.len() > MAX_MARKS / 2 {
            self.widen();
        }
    }

    /// Queues the removal of a key's value, unless it comes from a later load than this.
    pub(super) fn push_removal(&mut self, key: &Key, than: HybridTimestamp, ticket: u64) {
        let removal = Removal { than, is_leaving: false };
        match self.removals.get_mut(key) {
            Some(before) if before.is_leaving => {
                *before = Removal { than: than.max(before.than), ..removal };
                self.removal_order.push_back((key.clone(), ticket));
            }
            Some(before) => before.than = before.than.max(than),
            None => {
                self.removals.insert(key.clone(), removal);
                self.removal_order.push_back((key.clone(), ticket));
            }
        }
        while self.removals.len() > MAX_REMOVALS && self.lose_oldest() {}
    }

    fn lose_oldest(&mut self) -> bool {
        let Some((key, _)) = self.removal_order.pop_front() else { return false };
        if self.removals.get(&key).is_some_and(|removal| !removal.is_leaving) {
            self.removals.remove(&key);
            self.forgotten += 1;
            self.lost += 1;
        }
        true
    }

    /// Whether the value of a load is removed, although the store may not show it yet. `forgotten` is the result of
    /// [`Self::removal_epoch`] before the store was read: a removal written since may be later than the read.
    pub(super) fn is_removed(&self, key: &Key, created: HybridTimestamp, forgotten: u64) -> bool {
        self.forgotten != forgotten || self.removals.get(key).is_some_and(|removal| created <= removal.than)
    }

    /// A number that changes whenever removals are no longer remembered here.
    pub(super) fn removal_epoch(&self) -> u64 {
        self.forgotten
    }

    /// Moves the oldest into a batch.
    pub(super) fn drain_into(&mut self, batch: &mut WriteBatch) {
        while batch.invalidations.len() < BATCH_ORDERS
            && let Some((name, _)) = self.mark_order.pop_front()
        {
            batch.invalidations.extend(self.marks.remove(&name));
        }
        while batch.removals.len() < BATCH_ORDERS
            && let Some((key, _)) = self.removal_order.pop_front()
        {
            if let Some(removal) = self.removals.get_mut(&key).filter(|removal| !removal.is_leaving) {
                removal.is_leaving = true;
                batch.removals.push((key, removal.than));
            }
        }
    }

    /// Returns the invalidations and removals of a failed batch to the front.
    pub(super) fn put_back(&mut self, batch: &mut WriteBatch) {
        for mark in batch.invalidations.drain(..).rev() {
            self.place(mark, 0, true);
        }
        for (key, _) in batch.removals.drain(..).rev() {
            if let Some(removal) = self.removals.get_mut(&key).filter(|removal| removal.is_leaving) {
                removal.is_leaving = false;
                self.removal_order.push_front((key, 0));
            }
        }
        if self.marks.len() > MAX_MARKS {
            self.widen();
        }
    }

    /// Drops the removals of a written batch.
    pub(super) fn complete(&mut self, batch: &WriteBatch) {
        for (key, _) in &batch.removals {
            if self.removals.get(key).is_some_and(|removal| removal.is_leaving) {
                self.removals.remove(key);
                self.forgotten += 1;
            }
        }
    }

    /// Number of pending invalidations.
    pub(super) fn invalidation_count(&self) -> usize {
        self.marks.len()
    }

    /// Whether an invalidation is pending.
    pub(super) fn has_invalidations(&self) -> bool {
        !self.mark_order.is_empty()
    }

    /// Whether nothing is pending.
    pub(super) fn is_empty(&self) -> bool {
        self.mark_order.is_empty() && self.removal_order.is_empty()
    }

    /// Ticket of the oldest.
    pub(super) fn first_ticket(&self) -> Option<u64> {
        let mark = self.mark_order.front().map(|(_, ticket)| *ticket);
        let removal = self.removal_order.front().map(|(_, ticket)| *ticket);
        mark.into_iter().chain(removal).min()
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

    fn key(at: usize) -> Key {
        Key::new("home", &Partition::new("anna"), &format!("/{at}"))
    }

    fn at(ms: u64) -> HybridTimestamp {
        HybridTimestamp::end_of(ms)
    }

    fn mark(scope: &str, purges: bool, ms: u64) -> PendingInvalidation {
        PendingInvalidation {
            scope: scope.into(),
            purges,
            stamp: at(ms),
            hold_until: HybridTimestamp::ZERO,
            grace_until_ms: 0,
            grace_fresh_ms: 0,
        }
    }

    fn delivered(orders: &mut InvalidationQueue) -> WriteBatch {
        let mut batch = WriteBatch::default();
        orders.drain_into(&mut batch);
        batch
    }

    #[test]
    fn a_removal_counts_until_it_is_written_and_looks_that_began_before_find_nothing() {
        let mut orders = InvalidationQueue::default();
        let before = orders.removal_epoch();
        orders.push_removal(&key(1), at(10), 1);
        let gone = |orders: &InvalidationQueue, ms| orders.is_removed(&key(1), at(ms), before);
        assert!(gone(&orders, 10) && !gone(&orders, 11) && !orders.is_removed(&key(2), at(5), before));
        let mut batch = delivered(&mut orders);
        assert!(gone(&orders, 10), "it is being written");
        orders.put_back(&mut batch);
        assert!(gone(&orders, 10), "it could not be");
        let batch = delivered(&mut orders);
        assert_eq!(batch.removals, [(key(1), at(10))]);
        orders.push_removal(&key(1), at(20), 2);
        orders.complete(&batch);
        assert!(gone(&orders, 20), "another came meanwhile");
        let batch = delivered(&mut orders);
        assert_eq!(batch.removals, [(key(1), at(20))]);
        orders.complete(&batch);
        assert!(gone(&orders, 5), "what was looked up before may be what was removed");
        assert!(!orders.is_removed(&key(1), at(5), orders.removal_epoch()), "from here on the store knows");
        assert!(orders.is_empty());
    }

    #[test]
    fn orders_of_the_same_are_one_and_keep_the_first_place() {
        let mut orders = InvalidationQueue::default();
        for ticket in 1..=1000 {
            orders.push_invalidation(mark("all", ticket % 2 == 0, ticket), ticket);
            orders.push_removal(&key(1), at(ticket), ticket);
        }
        assert_eq!(orders.first_ticket(), Some(1));
        let mut batch = delivered(&mut orders);
        assert_eq!(batch.invalidations, [mark("all", false, 999), mark("all", true, 1000)]);
        assert_eq!(batch.removals, [(key(1), at(1000))]);
        assert!(orders.is_empty());
        orders.push_invalidation(mark("all", false, 2000), 2000);
        orders.put_back(&mut batch);
        assert_eq!(orders.first_ticket(), Some(0));
        assert_eq!(delivered(&mut orders).invalidations, [mark("all", false, 2000), mark("all", true, 1000)]);
        assert!(delivered(&mut orders).is_empty(), "none is written twice");
    }

    #[test]
    fn of_too_many_markers_none_is_lost_and_of_too_many_removals_the_oldest() {
        let mut orders = InvalidationQueue::default();
        for ticket in 1..=(3 * MAX_MARKS) as u64 {
            let purges = ticket == 5;
            orders.push_invalidation(mark(&format!("namespace|{ticket}"), purges, ticket), ticket);
            assert!(orders.marks.len() <= MAX_MARKS && orders.mark_order.len() <= MAX_MARKS);
        }
        assert_eq!(orders.first_ticket(), Some(1));
        let first = delivered(&mut orders).invalidations;
        assert!(first.contains(&mark("all", true, 5)), "{:?}", &first[..3]);
        assert!(first.iter().any(|mark| mark.scope == "all" && !mark.purges && mark.stamp > at(MAX_MARKS as u64)));
        for ticket in 0..=MAX_REMOVALS {
            orders.push_removal(&key(ticket), at(1), ticket as u64);
        }
        assert_eq!((orders.removals.len(), orders.lost_removals()), (MAX_REMOVALS, 1));
        let forgotten = orders.removal_epoch();
        assert!(!orders.is_removed(&key(0), at(1), forgotten) && orders.is_removed(&key(1), at(1), forgotten));
    }
}
