//! Numbers of invalidations in the store, by scope.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::sharing::RemoteSequence;
use crate::disk::invalidation_replay::SequenceMap;
use crate::hybrid_timestamp::HybridTimestamp;
use crate::key::{BuildIdentityHasher, Key};
use crate::scope_hash::{ScopeHash, ScopeHashes};

/// The newest numbers of one scope.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    /// The newest number of any cache.
    newest: u64,
    /// Ticket of this cache's newest invalidation, and the newest ticket that has a number.
    own: u64,
    own_numbered: u64,
}

#[derive(Debug, Default)]
struct State {
    epoch: u64,
    /// Entries whose load knew less are not served: the store dropped the marks that they would be compared with.
    floor: u64,
    tickets: u64,
    marks: HashMap<u64, Mark, BuildIdentityHasher>,
    /// Keys whose removal is not executed yet, with its ticket.
    removals: HashMap<Key, u64, BuildIdentityHasher>,
}

/// All marks. Bounded by the store, which drops old ones and raises the floor, and by the queue of own ones.
#[derive(Debug, Default)]
pub(crate) struct RemoteMarks {
    state: RwLock<State>,
    /// The newest number known at each timestamp.
    steps: SequenceMap,
}

impl RemoteMarks {
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an invalidation of this cache that has no number yet, and returns its ticket. Call it *before* the
    /// invalidation takes effect in memory: a lookup that begins in between must not find an older entry.
    pub(crate) fn begin(&self, target: ScopeHash) -> u64 {
        let mut state = self.write();
        state.tickets += 1;
        let ticket = state.tickets;
        state.marks.entry(target.scope).or_default().own = ticket;
        ticket
    }

    /// Records that a key's entry is to be removed, and returns the ticket.
    pub(crate) fn begin_removal(&self, key: &Key) -> u64 {
        let mut state = self.write();
        state.tickets += 1;
        let ticket = state.tickets;
        state.removals.insert(key.clone(), ticket);
        ticket
    }

    /// Records that a key's entry was removed, for the removal with this ticket.
    pub(crate) fn end_removal(&self, key: &Key, ticket: u64) {
        let mut state = self.write();
        if state.removals.get(key).is_some_and(|newest| *newest <= ticket) {
            state.removals.remove(key);
        }
    }

    /// Records a number. `ticket` is that of this cache's own invalidation.
    pub(crate) fn number(&self, target: ScopeHash, seq: u64, ticket: Option<u64>) {
        let mut state = self.write();
        let mark = state.marks.entry(target.scope).or_default();
        mark.newest = mark.newest.max(seq);
        if let Some(ticket) = ticket {
            mark.own_numbered = mark.own_numbered.max(ticket);
        }
    }

    /// Records that all own invalidations up to this ticket have their number, with one over everything.
    pub(crate) fn number_all(&self, seq: u64, ticket: u64) {
        let mut state = self.write();
        state.floor = state.floor.max(seq);
        for mark in state.marks.values_mut() {
            mark.own_numbered = mark.own_numbered.max(ticket.min(mark.own));
        }
        // What these would be compared with is below the floor.
        state.marks.retain(|_, mark| mark.newest > seq || mark.own > mark.own_numbered);
        state.removals.retain(|_, newest| *newest > ticket);
    }

    /// From `stamp` on, loads know every invalidation up to `seq`.
    pub(crate) fn step(&self, stamp: HybridTimestamp, seq: u64) {
        self.steps.step(stamp, seq);
    }

    /// Raises the floor, and drops what it makes needless.
    pub(crate) fn raise_floor(&self, floor: u64) {
        let mut state = self.write();
        if floor > state.floor {
            state.floor = floor;
            state.marks.retain(|_, mark| mark.newest > floor || mark.own > mark.own_numbered);
        }
    }

    /// Begins another epoch: numbers of earlier ones mean nothing.
    pub(crate) fn begin_epoch(&self, epoch: u64) {
        let mut state = self.write();
        state.epoch = epoch;
        state.floor = 0;
        state.marks.retain(|_, mark| mark.own > mark.own_numbered);
        state.marks.values_mut().for_each(|mark| mark.newest = 0);
        self.steps.forget();
    }

    /// The newest number that a load which began at `created` knows.
    pub(crate) fn known_at(&self, created: HybridTimestamp) -> RemoteSequence {
        let state = self.read();
        RemoteSequence { epoch: state.epoch, seq: self.steps.sequence_at(created).seq }
    }

    /// Whether an entry with these scopes, whose load knew this, may be served.
    pub(crate) fn admits(&self, key: &Key, scope_hashes: &ScopeHashes, known: RemoteSequence) -> bool {
        let state = self.read();
        known.epoch == state.epoch
            && known.seq >= state.floor
            && !state.removals.contains_key(key)
            && !scope_hashes.any(|scope| {
                state.marks.get(&scope).is_some_and(|mark| mark.newest > known.seq || mark.own > mark.own_numbered)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Partition;
    use crate::scope::Scope;

    fn key() -> Key {
        Key::new("home", &Partition::new("anna"), "/a/b")
    }

    fn admits(marks: &RemoteMarks, epoch: u64, seq: u64) -> bool {
        marks.admits(&key(), &ScopeHashes::from_key(&key()), RemoteSequence { epoch, seq })
    }

    fn scope() -> ScopeHash {
        ScopeHash::from_scope(&Scope::Key(key()))
    }

    #[test]
    fn an_entry_is_admitted_if_its_load_knew_every_invalidation_that_covers_it() {
        let marks = RemoteMarks::default();
        marks.begin_epoch(5);
        assert!(admits(&marks, 5, 0));
        marks.number(scope(), 7, None);
        assert_eq!([6, 7, 8].map(|seq| admits(&marks, 5, seq)), [false, true, true]);
    }

    #[test]
    fn an_invalidation_without_a_number_covers_every_entry() {
        let marks = RemoteMarks::default();
        let first = marks.begin(scope());
        let second = marks.begin(scope());
        marks.number(scope(), 3, Some(first));
        assert!(!admits(&marks, 0, 99), "the second still waits for its number");
        marks.number(scope(), 4, Some(second));
        assert!(admits(&marks, 0, 4) && !admits(&marks, 0, 3));
    }

    #[test]
    fn another_epoch_voids_every_entry_and_keeps_what_waits() {
        let marks = RemoteMarks::default();
        marks.begin_epoch(1);
        let ticket = marks.begin(scope());
        marks.begin_epoch(2);
        assert!(!admits(&marks, 1, 9) && !admits(&marks, 2, 9));
        marks.number(scope(), 1, Some(ticket));
        assert!(admits(&marks, 2, 1));
    }

    #[test]
    fn a_floor_voids_entries_that_knew_less_and_frees_their_marks() {
        let marks = RemoteMarks::default();
        marks.number(scope(), 3, None);
        marks.raise_floor(5);
        assert_eq!((marks.read().marks.len(), admits(&marks, 0, 4), admits(&marks, 0, 5)), (0, false, true));
    }

    #[test]
    fn one_number_over_everything_frees_all_that_waited_for_theirs() {
        let marks = RemoteMarks::default();
        marks.begin_removal(&key());
        let ticket = marks.begin(scope());
        marks.number_all(9, ticket);
        assert_eq!((marks.read().marks.len(), admits(&marks, 0, 8), admits(&marks, 0, 9)), (0, false, true));
    }

    #[test]
    fn a_key_is_not_found_until_its_removal_is_executed() {
        let marks = RemoteMarks::default();
        let (first, second) = (marks.begin_removal(&key()), marks.begin_removal(&key()));
        marks.end_removal(&key(), first);
        assert!(!admits(&marks, 0, 0), "it was removed again meanwhile");
        marks.end_removal(&key(), second);
        assert!(admits(&marks, 0, 0));
    }
}
