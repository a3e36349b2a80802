//! The write queue: per key the newest value wins, in order of arrival, and readable while it waits.
//!
//! Queueing never waits: it takes one lock that is never held across a system call. When the queue is full, the oldest
//! write is dropped and counted; invalidations never are. A write is held back while responses that waited for its
//! value are being delivered, unless a flush waits for it.

mod queue_state;

use crate::timestamp::Timestamp;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::rewrite::{RewriteHistory, RewriteRule, WriteCandidate};
use super::row::CorruptRow;
use super::write_batch::{PendingWrite, WriteBatch};
use crate::clock::Clock;
use crate::hybrid_timestamp::HybridTimestamp;
use crate::key::Key;
use crate::negative::NegativeEntry;
use crate::stored_invalidation::PendingInvalidation;
use crate::value::Entry;
pub(crate) use queue_state::{BatchDelivery, WriteProgress};
use queue_state::{QueueState, QueuedWrite, WakeCondition};

/// Max pending reads, negative entries and corrupt rows. More are dropped, which only makes the eviction order coarser.
const MAX_RECORDS: usize = 4096;

/// Interval for checking whether a held-back write was held for long enough.
const HELD_RECHECK: Duration = Duration::from_secs(1);

/// The queue between the cache and the writer.
#[derive(Debug)]
pub(crate) struct WriteQueue {
    state: Mutex<QueueState>,
    wakeup: Condvar,
    max_bytes: u64,
    max_entry_bytes: u64,
}

/// Fill level of the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct QueueDepth {
    pub(crate) writes: u64,
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
    pub(crate) invalidations_lost: u64,
}

impl WriteQueue {
    /// A queue through which every value is written.
    #[cfg(test)]
    pub(crate) fn new(max_bytes: u64) -> Self {
        Self::with_limits(max_bytes, max_bytes, RewriteRule::EVERY_VALUE)
    }

    /// A queue of this many bytes, for entries of at most `max_entry_bytes`, that writes short-lived and unchanged values
    /// as rarely as the rule says.
    pub(crate) fn with_limits(max_bytes: u64, max_entry_bytes: u64, rule: RewriteRule) -> Self {
        let state = QueueState { rewrites: RewriteHistory::new(rule), ..QueueState::default() };
        Self { state: Mutex::new(state), wakeup: Condvar::new(), max_bytes, max_entry_bytes }
    }

    fn lock_state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues an entry for the next batch.
    #[cfg(test)]
    pub(crate) fn push_test(&self, pending: PendingWrite, era: u64) {
        let candidate = WriteCandidate::new(&pending.entry, crate::older_copy::OlderCopy::Void);
        self.push(pending, era, candidate, Timestamp::UNIX_EPOCH);
    }

    /// Queues an entry if its known sequence is of this era. Never waits.
    pub(crate) fn push(&self, pending: PendingWrite, era: u64, candidate: WriteCandidate, now_ms: Timestamp) {
        let weight = pending.entry.weight();
        let mut state = self.lock_state();
        if state.is_closing || era != state.era || weight > self.max_entry_bytes {
            state.dropped += 1;
            return;
        }
        let is_deferred = state.insert(pending, weight, candidate, now_ms);
        // Deferred values make room for the others, and are never dropped for it.
        let mut is_woken = false;
        while state.deferred_bytes > self.max_bytes / 2 && state.wake_first() {
            is_woken = true;
        }
        while state.bytes > self.max_bytes && state.drop_oldest() {}
        if is_woken || !is_deferred {
            self.wake(state);
        }
    }

    /// Wakes the writer if this may be what it waits for. Notifying without a waiter would cost a system call.
    fn wake(&self, mut state: MutexGuard<'_, QueueState>) {
        let is_awaited = match state.wake_condition {
            WakeCondition::Nothing => false,
            WakeCondition::Anything => true,
            WakeCondition::Batch => state.may_be_due(),
        };
        if is_awaited {
            state.wake_condition = WakeCondition::Nothing;
            drop(state);
            self.wakeup.notify_one();
        }
    }

    /// Queues an invalidation, which is written immediately. Returns the ticket to wait for.
    pub(crate) fn push_invalidation(&self, invalidation: PendingInvalidation) -> u64 {
        let mut state = self.lock_state();
        let ticket = state.next_ticket();
        state.invalidations.push_invalidation(invalidation, ticket);
        self.wake(state);
        ticket
    }

    /// Queues the removal of a key's value, unless it comes from a later load than this.
    pub(crate) fn push_removal(&self, key: &Key, not_after: HybridTimestamp) {
        let mut state = self.lock_state();
        if state.writes.get(key).is_some_and(|slot| slot.entry.created() <= not_after) {
            state.forget(key);
        }
        state.rewrites.forget(key);
        let ticket = state.next_ticket();
        state.invalidations.push_removal(key, not_after, ticket);
        self.wake(state);
    }

    /// Current removal epoch. Read it before a lookup and pass it to [`Self::is_removed`] after it.
    pub(crate) fn removal_epoch(&self) -> u64 {
        self.lock_state().invalidations.removal_epoch()
    }

    /// Whether a lookup that began at epoch `epoch` may have found a value that was removed meanwhile, or soon will
    /// be.
    pub(crate) fn is_removed(&self, key: &Key, created: HybridTimestamp, epoch: u64) -> bool {
        self.lock_state().invalidations.is_removed(key, created, epoch)
    }

    /// Queues a negative entry.
    pub(crate) fn push_negative(&self, key: &Key, negative: &Arc<NegativeEntry>) {
        let mut state = self.lock_state();
        if !state.is_closing && (state.negative.len() < MAX_RECORDS || state.negative.contains_key(key)) {
            state.negative.insert(key.clone(), Arc::clone(negative));
        }
        self.wake(state);
    }

    /// Records that a row was read.
    pub(crate) fn record_used(&self, hash: i64) {
        let mut state = self.lock_state();
        if state.used.len() < MAX_RECORDS {
            state.used.push(hash);
        }
    }

    /// Records a corrupt row.
    pub(crate) fn record_corrupt(&self, corrupt_row: CorruptRow) {
        let mut state = self.lock_state();
        if state.corrupt.len() < MAX_RECORDS {
            state.corrupt.push(corrupt_row);
        }
    }

    /// The entry that waits or is being written under a key.
    pub(crate) fn find(&self, key: &Key) -> Option<Arc<Entry>> {
        let state = self.lock_state();
        state.writes.get(key).map(|slot| Arc::clone(&slot.entry))
    }

    /// The newest ticket, for a barrier to wait for. Everything queued is written at once.
    pub(crate) fn flush_ticket(&self) -> u64 {
        let mut state = self.lock_state();
        state.is_urgent = true;
        state.wake_all();
        let ticket = state.ticket;
        self.wake(state);
        ticket
    }

    /// Wakes the writer, because a write may be ready.
    pub(crate) fn notify_writer(&self) {
        let mut state = self.lock_state();
        if std::mem::take(&mut state.wake_condition) != WakeCondition::Nothing {
            drop(state);
            self.wakeup.notify_one();
        }
    }

    /// The newest ticket.
    pub(crate) fn newest(&self) -> u64 {
        self.lock_state().ticket
    }

    /// Accepts nothing more.
    pub(crate) fn close(&self) {
        let mut state = self.lock_state();
        state.is_closing = true;
        self.wake(state);
    }

    /// Accepts nothing more, and stops retrying. Returns the number of invalidations lost.
    pub(crate) fn give_up(&self) -> u64 {
        let mut state = self.lock_state();
        let lost = (state.invalidations.invalidation_count() + state.invalidations_in_flight) as u64;
        state.invalidations_left.get_or_insert(lost);
        state.is_closing = true;
        self.wake(state);
        lost
    }

    /// Whether writes that fail are no longer retried.
    pub(crate) fn is_given_up(&self) -> bool {
        self.lock_state().invalidations_left.is_some()
    }

    /// Drops everything queued, and accepts nothing more.
    #[cfg(test)]
    pub(crate) fn abandon(&self) {
        let mut state = self.lock_state();
        *state = QueueState {
            wake_condition: state.wake_condition,
            is_closing: true,
            invalidations_left: Some(0),
            ..QueueState::default()
        };
        self.wake(state);
    }

    /// Fill level.
    pub(crate) fn depth(&self) -> QueueDepth {
        let state = self.lock_state();
        QueueDepth {
            writes: state.writes.len() as u64,
            bytes: state.bytes,
            dropped: state.dropped,
            invalidations_lost: state.invalidations.lost_removals() + state.invalidations_left.unwrap_or(0),
        }
    }

    /// Waits until there is something to write, and `linger` longer for more; at most `idle` in total.
    pub(crate) fn next_batch(&self, linger: Duration, idle: Duration, clock: &Clock) -> BatchDelivery {
        let began_ms = clock.now();
        let mut state = self.lock_state();
        // A delivery guard that holds a write back may never be dropped.
        let idle = if state.order.is_empty() { idle } else { idle.min(HELD_RECHECK) };
        if !state.has_work(began_ms) && !state.is_closing {
            state.wake_condition = WakeCondition::Anything;
            let until_due = state.until_due(began_ms);
            let wait = idle.min(clock.real(until_due));
            state = self.wakeup.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.wake_due(clock.now());
        if state.has_work(clock.now()) && !state.is_due(clock.now()) {
            let is_too_small = |state: &mut QueueState| {
                state.wake_condition = WakeCondition::Batch;
                !state.is_due(clock.now())
            };
            let waited = clock.now().duration_since(began_ms);
            let linger = linger.min(idle.saturating_sub(clock.real(waited)));
            state =
                self.wakeup.wait_timeout_while(state, linger, is_too_small).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.wake_condition = WakeCondition::Nothing;
        state.take_batch(clock.now())
    }

    /// Returns a batch that may be written later to the queue: all of it, or without `with_writes` its invalidations
    /// only.
    pub(crate) fn put_back(&self, mut batch: WriteBatch, with_writes: bool) {
        let pending_writes = if with_writes { std::mem::take(&mut batch.writes) } else { Vec::new() };
        let mut state = self.lock_state();
        state.invalidations.put_back(&mut batch);
        for pending in &pending_writes {
            state.record_failed(&pending.key);
        }
        for pending in pending_writes.into_iter().rev() {
            if let Some(slot) = state.writes.get_mut(&pending.key).filter(|slot| slot.is_in_flight) {
                slot.is_in_flight = false;
                state.order.push_front((pending.key, 0));
            }
        }
        drop(state);
        self.complete(&batch);
    }

    /// Records lost writes: the rows on disk under their keys are older than assumed.
    pub(crate) fn discard_failed(&self, pending_writes: &[PendingWrite]) {
        let mut state = self.lock_state();
        for pending in pending_writes {
            state.record_failed(&pending.key);
        }
    }

    /// Drops all writes, because their known sequences belong to another store. New ones must use this era.
    pub(crate) fn drop_writes(&self, era: u64) {
        let mut state = self.lock_state();
        state.era = era;
        state.dropped += state.writes.len() as u64;
        state.writes.clear();
        state.order.clear();
        state.deferred.clear();
        state.rewrites.clear();
        (state.bytes, state.deferred_bytes) = (0, 0);
    }

    /// Removes a written or lost batch from the queue, except for what was replaced by something newer.
    pub(crate) fn complete(&self, batch: &WriteBatch) {
        let mut state = self.lock_state();
        state.invalidations_in_flight = 0;
        for pending in &batch.writes {
            let is_written = |slot: &QueuedWrite| slot.is_in_flight && slot.entry.created() == pending.entry.created();
            if state.writes.get(&pending.key).is_some_and(is_written) {
                state.forget(&pending.key);
            }
        }
        state.invalidations.complete(batch);
    }
}

#[cfg(test)]
mod deferral_tests;
#[cfg(test)]
mod tests {
    use super::queue_state::BATCH_WRITES;
    use super::*;
    use crate::disk::tests::markers::entry_of;
    use crate::key::Partition;

    fn push_all(queue: &WriteQueue, created: u64) {
        for at in 0..1000 {
            let key = Key::new("home", &Partition::new("anna"), &format!("/{at}"));
            let entry = entry_of(&key, Vec::new(), HybridTimestamp::end_of(Timestamp::from_millis(created)), b"value");
            queue.push_test(PendingWrite { key, entry, known_sequence: 0 }, 0);
        }
    }

    /// Takes everything out; returns the number of batches.
    fn empty(queue: &WriteQueue) -> usize {
        let mut batches = 0;
        while queue.depth().writes > 0 {
            let delivery = queue.next_batch(Duration::ZERO, Duration::ZERO, &Clock::system());
            assert!(delivery.batch.writes.len() <= BATCH_WRITES);
            queue.complete(&delivery.batch);
            batches += 1;
        }
        batches
    }

    #[test]
    fn a_queue_that_has_been_as_full_before_allocates_nothing() {
        let queue = WriteQueue::new(u64::MAX);
        let tickets = || {
            let state = queue.lock_state();
            (state.writes.capacity(), state.order.capacity())
        };
        push_all(&queue, 1);
        let replaced = tickets();
        for created in 2..5 {
            assert_eq!(empty(&queue), 4);
            push_all(&queue, created * 2);
            push_all(&queue, created * 2 + 1);
            assert_eq!(queue.lock_state().order.len(), 1000, "who is replaced gives his place");
            assert_eq!(tickets(), replaced);
        }
    }

    #[test]
    fn invalidations_are_written_first_and_alone_without_starving_writes() {
        let queue = WriteQueue::new(u64::MAX);
        let key = Key::new("home", &Partition::new("anna"), "/x");
        let invalidation = || {
            queue.push_invalidation(super::super::recovery::purge_of_all(HybridTimestamp::end_of(
                Timestamp::from_millis(1),
            )));
        };
        let next = || {
            let batch = queue.next_batch(Duration::ZERO, Duration::ZERO, &Clock::system()).batch;
            queue.complete(&batch);
            (batch.invalidations.len() + batch.removals.len(), batch.writes.len())
        };
        push_all(&queue, 1);
        invalidation();
        queue.push_removal(&key, HybridTimestamp::ZERO);
        assert_eq!(next(), (2, 0), "what came last goes first");
        invalidation();
        assert_eq!(next(), (0, BATCH_WRITES), "but not twice in a row");
        assert_eq!(next(), (1, 0));
        invalidation();
        assert_eq!(next(), (0, BATCH_WRITES));
        empty(&queue);
        invalidation();
        assert_eq!(next().0, 1, "where nothing else waits, at once");
    }

    #[test]
    fn the_writer_lingers_no_longer_than_its_idle_limit() {
        let queue = WriteQueue::new(u64::MAX);
        let key = Key::new("home", &Partition::new("anna"), "/x");
        let entry = entry_of(&key, Vec::new(), HybridTimestamp::ZERO, b"");
        queue.push_test(PendingWrite { key, entry, known_sequence: 0 }, 0);
        let (hour, moment) = (Duration::from_hours(1), Duration::from_millis(5));
        assert_eq!(queue.next_batch(hour, moment, &Clock::system()).batch.writes.len(), 1);
    }

    #[test]
    fn writes_numbered_for_another_store_are_not_accepted() {
        let queue = WriteQueue::new(u64::MAX);
        let key = Key::new("home", &Partition::new("anna"), "/x");
        let entry = entry_of(&key, Vec::new(), HybridTimestamp::ZERO, b"");
        let pending = |era| {
            queue.push_test(PendingWrite { key: key.clone(), entry: Arc::clone(&entry), known_sequence: 9 }, era);
        };
        queue.drop_writes(1);
        pending(0);
        assert_eq!((queue.depth().writes, queue.depth().dropped), (0, 1), "computed before, offered after");
        pending(1);
        assert_eq!(queue.depth().writes, 1);
    }

    #[test]
    fn the_writer_is_woken_for_the_condition_it_waits_for_only() {
        let queue = WriteQueue::new(u64::MAX);
        let awaits = |awaits| queue.lock_state().wake_condition = awaits;
        let key = Key::new("home", &Partition::new("anna"), "/x");
        let pending = || PendingWrite {
            key: key.clone(),
            entry: entry_of(&key, Vec::new(), HybridTimestamp::ZERO, b""),
            known_sequence: 0,
        };
        awaits(WakeCondition::Anything);
        queue.push_test(pending(), 0);
        assert_eq!(queue.lock_state().wake_condition, WakeCondition::Nothing, "woken for the first");
        awaits(WakeCondition::Batch);
        queue.push_test(pending(), 0);
        assert_eq!(queue.lock_state().wake_condition, WakeCondition::Batch, "one is not enough");
        queue.flush_ticket();
        assert_eq!(queue.lock_state().wake_condition, WakeCondition::Nothing, "a waiter is urgent");
        empty(&queue);
        awaits(WakeCondition::Batch);
        push_all(&queue, 1);
        assert_eq!(queue.lock_state().wake_condition, WakeCondition::Nothing, "a batch is full");
    }
}
