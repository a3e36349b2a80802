//! Invalidations and removals that wait to be written. They are coalesced as they come, so that they stay few however
//! long nothing can be written; and a removal counts from the moment it comes, whatever the store still holds.

use std::collections::hash_map::Entry as Place;
use std::collections::{HashMap, VecDeque};

use super::batch::Batch;
use super::spelling;
use crate::key::{BuildAsHashed, Key};
use crate::stamp::Stamp;
use crate::stored_marker::Mark;

/// Scopes of which markers wait. Of more, markers become those of their namespaces, then of everything.
const MAX_MARKS: usize = 16_384;
/// Keys of which removals wait. Of more, the oldest are lost, and counted.
const MAX_REMOVALS: usize = 16_384;
/// Removals and markers in one transaction.
const BATCH_ORDERS: usize = 1024;

/// What a marker is told by: its scope as it is spelled, and whether it purges.
type Name = (String, bool);

/// Everything of the kind that waits, or is being written.
#[derive(Debug, Default)]
pub(super) struct Orders {
    marks: HashMap<Name, Mark>,
    /// Names in the order they came, each with its ticket; some were taken meanwhile.
    mark_order: VecDeque<(Name, u64)>,
    removals: HashMap<Key, Removal, BuildAsHashed>,
    /// Keys in the order they came, each with its ticket.
    removal_order: VecDeque<(Key, u64)>,
    /// Grows whenever removals cease to be remembered here.
    forgotten: u64,
    /// Removals that were too many.
    lost: u64,
}

#[derive(Debug, Clone, Copy)]
struct Removal {
    than: Stamp,
    /// It stands in a batch that is being written.
    is_leaving: bool,
}

impl Orders {
    /// Takes a marker in. What waits of the same scope and kind becomes part of it, and it gets that one's place.
    pub(super) fn mark(&mut self, mark: Mark, ticket: u64) {
        if self.marks.len() >= MAX_MARKS {
            self.widen();
        }
        self.place(mark, ticket, false);
    }

    fn place(&mut self, mark: Mark, ticket: u64, is_first: bool) {
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

    /// Makes every marker part of a broader one, which forbids more: none is lost.
    fn widen(&mut self) {
        let mut narrow = std::mem::take(&mut self.marks);
        for (name, ticket) in std::mem::take(&mut self.mark_order) {
            if let Some(mut mark) = narrow.remove(&name) {
                mark.scope = spelling::broader(&mark.scope);
                self.place(mark, ticket, false);
            }
        }
        if self.marks.len() > MAX_MARKS / 2 {
            self.widen();
        }
    }

    /// Takes in that a key's value is gone, if it is not from a later load than this.
    pub(super) fn remove(&mut self, key: &Key, than: Stamp, ticket: u64) {
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

    /// Whether what a load brought then is gone, while the store may not know yet. `forgotten` is what
    /// [`Self::forgotten`] said before the store was asked: a removal may have been written since, and then what was
    /// found may have been found before.
    pub(super) fn is_gone(&self, key: &Key, created: Stamp, forgotten: u64) -> bool {
        self.forgotten != forgotten || self.removals.get(key).is_some_and(|removal| created <= removal.than)
    }

    /// A number that changes whenever removals cease to be remembered here.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Moves what comes first into a batch.
    pub(super) fn deliver(&mut self, batch: &mut Batch) {
        while batch.marks.len() < BATCH_ORDERS
            && let Some((name, _)) = self.mark_order.pop_front()
        {
            batch.marks.extend(self.marks.remove(&name));
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

    /// A batch could not be written: its orders come first again.
    pub(super) fn put_back(&mut self, batch: &mut Batch) {
        for mark in batch.marks.drain(..).rev() {
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

    /// The removals of a batch are written.
    pub(super) fn done(&mut self, batch: &Batch) {
        for (key, _) in &batch.removals {
            if self.removals.get(key).is_some_and(|removal| removal.is_leaving) {
                self.removals.remove(key);
                self.forgotten += 1;
            }
        }
    }

    /// How many markers wait.
    pub(super) fn marks(&self) -> usize {
        self.marks.len()
    }

    /// Whether a marker waits.
    pub(super) fn has_marks(&self) -> bool {
        !self.mark_order.is_empty()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.mark_order.is_empty() && self.removal_order.is_empty()
    }

    /// The ticket of what comes first.
    pub(super) fn first(&self) -> Option<u64> {
        let mark = self.mark_order.front().map(|(_, ticket)| *ticket);
        let removal = self.removal_order.front().map(|(_, ticket)| *ticket);
        mark.into_iter().chain(removal).min()
    }

    /// How many removals were too many.
    pub(super) fn lost(&self) -> u64 {
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

    fn at(ms: u64) -> Stamp {
        Stamp::end_of(ms)
    }

    fn mark(scope: &str, purges: bool, ms: u64) -> Mark {
        Mark {
            scope: scope.into(),
            purges,
            stamp: at(ms),
            hold_until: Stamp::ZERO,
            settle_until_ms: 0,
            settle_fresh_ms: 0,
        }
    }

    fn delivered(orders: &mut Orders) -> Batch {
        let mut batch = Batch::default();
        orders.deliver(&mut batch);
        batch
    }

    #[test]
    fn a_removal_counts_until_it_is_written_and_looks_that_began_before_find_nothing() {
        let mut orders = Orders::default();
        let before = orders.forgotten();
        orders.remove(&key(1), at(10), 1);
        let gone = |orders: &Orders, ms| orders.is_gone(&key(1), at(ms), before);
        assert!(gone(&orders, 10) && !gone(&orders, 11) && !orders.is_gone(&key(2), at(5), before));
        let mut batch = delivered(&mut orders);
        assert!(gone(&orders, 10), "it is being written");
        orders.put_back(&mut batch);
        assert!(gone(&orders, 10), "it could not be");
        let batch = delivered(&mut orders);
        assert_eq!(batch.removals, [(key(1), at(10))]);
        orders.remove(&key(1), at(20), 2);
        orders.done(&batch);
        assert!(gone(&orders, 20), "another came meanwhile");
        let batch = delivered(&mut orders);
        assert_eq!(batch.removals, [(key(1), at(20))]);
        orders.done(&batch);
        assert!(gone(&orders, 5), "what was looked up before may be what was removed");
        assert!(!orders.is_gone(&key(1), at(5), orders.forgotten()), "from here on the store knows");
        assert!(orders.is_empty());
    }

    #[test]
    fn orders_of_the_same_are_one_and_keep_the_first_place() {
        let mut orders = Orders::default();
        for ticket in 1..=1000 {
            orders.mark(mark("all", ticket % 2 == 0, ticket), ticket);
            orders.remove(&key(1), at(ticket), ticket);
        }
        assert_eq!(orders.first(), Some(1));
        let mut batch = delivered(&mut orders);
        assert_eq!(batch.marks, [mark("all", false, 999), mark("all", true, 1000)]);
        assert_eq!(batch.removals, [(key(1), at(1000))]);
        assert!(orders.is_empty());
        orders.mark(mark("all", false, 2000), 2000);
        orders.put_back(&mut batch);
        assert_eq!(orders.first(), Some(0));
        assert_eq!(delivered(&mut orders).marks, [mark("all", false, 2000), mark("all", true, 1000)]);
        assert!(delivered(&mut orders).is_empty(), "none is written twice");
    }

    #[test]
    fn of_too_many_markers_none_is_lost_and_of_too_many_removals_the_oldest() {
        let mut orders = Orders::default();
        for ticket in 1..=(3 * MAX_MARKS) as u64 {
            let purges = ticket == 5;
            orders.mark(mark(&format!("namespace|{ticket}"), purges, ticket), ticket);
            assert!(orders.marks.len() <= MAX_MARKS && orders.mark_order.len() <= MAX_MARKS);
        }
        assert_eq!(orders.first(), Some(1));
        let first = delivered(&mut orders).marks;
        assert!(first.contains(&mark("all", true, 5)), "{:?}", &first[..3]);
        assert!(
            first.iter().any(|mark| mark.scope == "all" && !mark.purges && mark.stamp > at(MAX_MARKS as u64))
        );
        for ticket in 0..=MAX_REMOVALS {
            orders.remove(&key(ticket), at(1), ticket as u64);
        }
        assert_eq!((orders.removals.len(), orders.lost()), (MAX_REMOVALS, 1));
        let forgotten = orders.forgotten();
        assert!(!orders.is_gone(&key(0), at(1), forgotten) && orders.is_gone(&key(1), at(1), forgotten));
    }
}
