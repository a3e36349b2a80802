//! The write queue: per key the newest value wins, in order of arrival, and readable while it waits.
//!
//! Queueing never waits: it takes one lock that is never held across a system call. When the queue is full, the oldest
//! write is dropped and counted; invalidations never are. A write is held back while responses that waited for its
//! value are being delivered, unless a flush waits for it.

mod queue_state;

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
const MAX_NOTES: usize = 4096;

/// Interval for checking whether a held-back write was held for long enough.
const HELD_LOOK: Duration = Duration::from_secs(1);

/// The queue between the cache and the writer.
#[derive(Debug)]
pub(crate) struct WriteQueue {
    waiting: Mutex<QueueState>,
    bell: Condvar,
    max_bytes: u64,
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
        Self::with_rewrite_rule(max_bytes, RewriteRule::EVERY_VALUE)
    }

    /// A queue that writes short-lived and unchanged values as rarely as the rule says.
    pub(crate) fn with_rewrite_rule(max_bytes: u64, rule: RewriteRule) -> Self {
        let waiting = QueueState { rewrites: RewriteHistory::new(rule), ..QueueState::default() };
        Self { waiting: Mutex::new(waiting), bell: Condvar::new(), max_bytes }
    }

    fn lock_state(&self) -> MutexGuard<'_, QueueState> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues an entry for the next batch.
    #[cfg(test)]
    pub(crate) fn push_test(&self, offer: PendingWrite, era: u64) {
        let candidate = WriteCandidate::new(&offer.entry, crate::older_copy::OlderCopy::Void);
        self.push(offer, era, candidate, 0);
    }

    /// Queues an entry if its known sequence is of this era. Never waits.
    pub(crate) fn push(&self, offer: PendingWrite, era: u64, candidate: WriteCandidate, now_ms: u64) {
        let weight = offer.entry.weight();
        let mut waiting = self.lock_state();
        if waiting.is_closing || era != waiting.era || weight > self.max_bytes {
            waiting.dropped += 1;
            return;
        }
        let is_resting = waiting.insert(offer, weight, candidate, now_ms);
        // Deferred values make room for the others, and are never dropped for it.
        let mut is_woken = false;
        while waiting.deferred_bytes > self.max_bytes / 2 && waiting.wake_first() {
            is_woken = true;
        }
        while waiting.bytes > self.max_bytes && waiting.drop_oldest() {}
        if is_woken || !is_resting {
            self.wake(waiting);
        }
    }

    /// Wakes the writer if this may be what it waits for. Notifying without a waiter would cost a system call.
    fn wake(&self, mut waiting: MutexGuard<'_, QueueState>) {
        let wakes = match waiting.wake_condition {
            WakeCondition::Nothing => false,
            WakeCondition::Anything => true,
            WakeCondition::Batch => waiting.may_be_due(),
        };
        if wakes {
            waiting.wake_condition = WakeCondition::Nothing;
            drop(waiting);
            self.bell.notify_one();
        }
    }

    /// Queues an invalidation, which is written immediately. Returns the ticket to wait for.
    pub(crate) fn push_invalidation(&self, mark: PendingInvalidation) -> u64 {
        let mut waiting = self.lock_state();
        let ticket = waiting.next_ticket();
        waiting.invalidations.push_invalidation(mark, ticket);
        self.wake(waiting);
        ticket
    }

    /// Queues the removal of a key's value, unless it comes from a later load than this.
    pub(crate) fn push_removal(&self, key: &Key, than: HybridTimestamp) {
        let mut waiting = self.lock_state();
        if waiting.writes.get(key).is_some_and(|slot| slot.entry.created() <= than) {
            waiting.forget(key);
        }
        waiting.rewrites.forget(key);
        let ticket = waiting.next_ticket();
        waiting.invalidations.push_removal(key, than, ticket);
        self.wake(waiting);
    }

    /// Current removal epoch. Read it before a lookup and pass it to [`Self::is_removed`] after it.
    pub(crate) fn removal_epoch(&self) -> u64 {
        self.lock_state().invalidations.removal_epoch()
    }

    /// Whether a lookup that began at epoch `forgotten` may have found a value that was removed meanwhile, or soon will
    /// be.
    pub(crate) fn is_removed(&self, key: &Key, created: HybridTimestamp, forgotten: u64) -> bool {
        self.lock_state().invalidations.is_removed(key, created, forgotten)
    }

    /// Queues a negative entry.
    pub(crate) fn push_negative(&self, key: &Key, memo: &Arc<NegativeEntry>) {
        let mut waiting = self.lock_state();
        if !waiting.is_closing && (waiting.negative.len() < MAX_NOTES || waiting.negative.contains_key(key)) {
            waiting.negative.insert(key.clone(), Arc::clone(memo));
        }
        self.wake(waiting);
    }

    /// Records that a row was read.
    pub(crate) fn record_used(&self, hash: i64) {
        let mut waiting = self.lock_state();
        if waiting.used.len() < MAX_NOTES {
            waiting.used.push(hash);
        }
    }

    /// Records a corrupt row.
    pub(crate) fn record_corrupt(&self, torn: CorruptRow) {
        let mut waiting = self.lock_state();
        if waiting.corrupt.len() < MAX_NOTES {
            waiting.corrupt.push(torn);
        }
    }

    /// The entry that waits or is being written under a key.
    pub(crate) fn find(&self, key: &Key) -> Option<Arc<Entry>> {
        let waiting = self.lock_state();
        waiting.writes.get(key).map(|slot| Arc::clone(&slot.entry))
    }

    /// The newest ticket, for a barrier to wait for. Everything queued is written at once.
    pub(crate) fn flush_ticket(&self) -> u64 {
        let mut waiting = self.lock_state();
        waiting.is_urgent = true;
        waiting.wake_all();
        let ticket = waiting.ticket;
        self.wake(waiting);
        ticket
    }

    /// Wakes the writer, because a write may be ready.
    pub(crate) fn notify_writer(&self) {
        let mut waiting = self.lock_state();
        if std::mem::take(&mut waiting.wake_condition) != WakeCondition::Nothing {
            drop(waiting);
            self.bell.notify_one();
        }
    }

    /// The newest ticket.
    pub(crate) fn newest(&self) -> u64 {
        self.lock_state().ticket
    }

    /// Accepts nothing more.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock_state();
        waiting.is_closing = true;
        self.wake(waiting);
    }

    /// Accepts nothing more, and stops retrying. Returns the number of invalidations lost.
    pub(crate) fn give_up(&self) -> u64 {
        let mut waiting = self.lock_state();
        let lost = (waiting.invalidations.invalidation_count() + waiting.invalidations_in_flight) as u64;
        waiting.invalidations_left.get_or_insert(lost);
        waiting.is_closing = true;
        self.wake(waiting);
        lost
    }

    /// Whether writes that fail are no longer retried.
    pub(crate) fn is_given_up(&self) -> bool {
        self.lock_state().invalidations_left.is_some()
    }

    /// Drops everything queued, and accepts nothing more.
    #[cfg(test)]
    pub(crate) fn abandon(&self) {
        let mut waiting = self.lock_state();
        *waiting = QueueState {
            wake_condition: waiting.wake_condition,
            is_closing: true,
            invalidations_left: Some(0),
            ..QueueState::default()
        };
        self.wake(waiting);
    }

    /// Fill level.
    pub(crate) fn depth(&self) -> QueueDepth {
        let waiting = self.lock_state();
        QueueDepth {
            writes: waiting.writes.len() as u64,
            bytes: waiting.bytes,
            dropped: waiting.dropped,
            invalidations_lost: waiting.invalidations.lost_removals() + waiting.invalidations_left.unwrap_or(0),
        }
    }

    /// Waits until there is something to write, and `linger` longer for more; at most `idle` in total.
    pub(crate) fn next_batch(&self, linger: Duration, idle: Duration, clock: &Clock) -> BatchDelivery {
        let began_ms = clock.now_ms();
        let mut waiting = self.lock_state();
        // A delivery guard that holds a write back may never be dropped.
        let idle = if waiting.order.is_empty() { idle } else { idle.min(HELD_LOOK) };
        if !waiting.has_work(began_ms) && !waiting.is_closing {
            waiting.wake_condition = WakeCondition::Anything;
            let until_due = Duration::from_millis(waiting.until_due_ms(began_ms));
            let nap = idle.min(clock.real(until_due));
            waiting = self.bell.wait_timeout(waiting, nap).unwrap_or_else(PoisonError::into_inner).0;
        }
        waiting.wake_due(clock.now_ms());
        if waiting.has_work(clock.now_ms()) && !waiting.is_due(clock.now_ms()) {
            let is_short = |waiting: &mut QueueState| {
                waiting.wake_condition = WakeCondition::Batch;
                !waiting.is_due(clock.now_ms())
            };
            let waited = Duration::from_millis(clock.now_ms().saturating_sub(began_ms));
            let linger = linger.min(idle.saturating_sub(clock.real(waited)));
            waiting = self.bell.wait_timeout_while(waiting, linger, is_short).unwrap_or_else(PoisonError::into_inner).0;
        }
        waiting.wake_condition = WakeCondition::Nothing;
        waiting.take_batch(clock.now_ms())
    }

    /// Returns a batch that may be written later to the queue: all of it, or without `with_offers` its invalidations
    /// only.
    pub(crate) fn put_back(&self, mut batch: WriteBatch, with_offers: bool) {
        let offers = if with_offers { std::mem::take(&mut batch.writes) } else { Vec::new() };
        let mut waiting = self.lock_state();
        waiting.invalidations.put_back(&mut batch);
        for offer in &offers {
            waiting.record_failed(&offer.key);
        }
        for offer in offers.into_iter().rev() {
            if let Some(slot) = waiting.writes.get_mut(&offer.key).filter(|slot| slot.is_in_flight) {
                slot.is_in_flight = false;
                waiting.order.push_front((offer.key, 0));
            }
        }
        drop(waiting);
        self.complete(&batch);
    }

    /// Records lost writes: the rows on disk under their keys are older than assumed.
    pub(crate) fn discard_failed(&self, offers: &[PendingWrite]) {
        let mut waiting = self.lock_state();
        for offer in offers {
            waiting.record_failed(&offer.key);
        }
    }

    /// Drops all writes, because their known sequences belong to another store. New ones must use this era.
    pub(crate) fn drop_writes(&self, era: u64) {
        let mut waiting = self.lock_state();
        waiting.era = era;
        waiting.dropped += waiting.writes.len() as u64;
        waiting.writes.clear();
        waiting.order.clear();
        waiting.deferred.clear();
        waiting.rewrites.clear();
        (waiting.bytes, waiting.deferred_bytes) = (0, 0);
    }

    /// Removes a written or lost batch from the queue, except for what was replaced by something newer.
    pub(crate) fn complete(&self, batch: &WriteBatch) {
        let mut waiting = self.lock_state();
        waiting.invalidations_in_flight = 0;
        for offer in &batch.writes {
            let is_same = |slot: &QueuedWrite| slot.is_in_flight && slot.entry.created() == offer.entry.created();
            if waiting.writes.get(&offer.key).is_some_and(is_same) {
                waiting.forget(&offer.key);
            }
        }
        waiting.invalidations.complete(batch);
    }
}

#[cfg(test)]
mod resting_tests;
#[cfg(test)]
mod tests {
    use super::queue_state::BATCH_OFFERS;
    use super::*;
    use crate::disk::tests::markers::entry_of;
    use crate::key::Partition;

    fn offer_all(queue: &WriteQueue, created: u64) {
        for at in 0..1000 {
            let key = Key::new("home", &Partition::new("anna"), &format!("/{at}"));
            let entry = entry_of(&key, Vec::new(), HybridTimestamp::end_of(created), b"value");
            queue.push_test(PendingWrite { key, entry, known_sequence: 0 }, 0);
        }
    }

    /// Takes everything out; returns the number of batches.
    fn empty(queue: &WriteQueue) -> usize {
        let mut batches = 0;
        while queue.depth().writes > 0 {
            let delivery = queue.next_batch(Duration::ZERO, Duration::ZERO, &Clock::system());
            assert!(delivery.batch.writes.len() <= BATCH_OFFERS);
            queue.complete(&delivery.batch);
            batches += 1;
        }
        batches
    }

    #[test]
    fn a_queue_that_has_been_as_full_before_allocates_nothing() {
        let queue = WriteQueue::new(u64::MAX);
        let places = || {
            let waiting = queue.lock_state();
            (waiting.writes.capacity(), waiting.order.capacity())
        };
        offer_all(&queue, 1);
        let before = places();
        for created in 2..5 {
            assert_eq!(empty(&queue), 4);
            offer_all(&queue, created * 2);
            offer_all(&queue, created * 2 + 1);
            assert_eq!(queue.lock_state().order.len(), 1000, "who is replaced gives his place");
            assert_eq!(places(), before);
        }
    }

    #[test]
    fn orders_go_alone_and_first_and_keep_no_offer_waiting_for_ever() {
        let queue = WriteQueue::new(u64::MAX);
        let key = Key::new("home", &Partition::new("anna"), "/x");
        let mark = || {
            queue.push_invalidation(super::super::recovery::purge_of_all(HybridTimestamp::end_of(1)));
        };
        let next = || {
            let batch = queue.next_batch(Duration::ZERO, Duration::ZERO, &Clock::system()).batch;
            queue.complete(&batch);
            (batch.invalidations.len() + batch.removals.len(), batch.writes.len())
        };
        offer_all(&queue, 1);
        mark();
        queue.push_removal(&key, HybridTimestamp::ZERO);
        assert_eq!(next(), (2, 0), "what came last goes first");
        mark();
        assert_eq!(next(), (0, BATCH_OFFERS), "but not twice in a row");
        assert_eq!(next(), (1, 0));
        mark();
        assert_eq!(next(), (0, BATCH_OFFERS));
        empty(&queue);
        mark();
        assert_eq!(next().0, 1, "where nothing else waits, at once");
    }

    #[test]
    fn nobody_lingers_longer_than_he_may_sleep() {
        let queue = WriteQueue::new(u64::MAX);
        let key = Key::new("home", &Partition::new("anna"), "/x");
        let entry = entry_of(&key, Vec::new(), HybridTimestamp::ZERO, b"");
        queue.push_test(PendingWrite { key, entry, known_sequence: 0 }, 0);
        let (hour, moment) = (Duration::from_hours(1), Duration::from_millis(5));
        assert_eq!(queue.next_batch(hour, moment, &Clock::system()).batch.writes.len(), 1);
    }

    #[test]
    fn what_was_known_in_the_numbers_of_another_store_is_not_taken_in() {
        let queue = WriteQueue::new(u64::MAX);
        let key = Key::new("home", &Partition::new("anna"), "/x");
        let entry = entry_of(&key, Vec::new(), HybridTimestamp::ZERO, b"");
        let offer = |era| {
            queue.push_test(PendingWrite { key: key.clone(), entry: Arc::clone(&entry), known_sequence: 9 }, era);
        };
        queue.drop_writes(1);
        offer(0);
        assert_eq!((queue.depth().writes, queue.depth().dropped), (0, 1), "computed before, offered after");
        offer(1);
        assert_eq!(queue.depth().writes, 1);
    }

    #[test]
    fn who_sleeps_is_woken_for_what_he_waits_for_and_for_nothing_less() {
        let queue = WriteQueue::new(u64::MAX);
        let awaits = |awaits| queue.lock_state().wake_condition = awaits;
        let key = Key::new("home", &Partition::new("anna"), "/x");
        let offer = || PendingWrite {
            key: key.clone(),
            entry: entry_of(&key, Vec::new(), HybridTimestamp::ZERO, b""),
            known_sequence: 0,
        };
        awaits(WakeCondition::Anything);
        queue.push_test(offer(), 0);
        assert_eq!(queue.lock_state().wake_condition, WakeCondition::Nothing, "woken for the first");
        awaits(WakeCondition::Batch);
        queue.push_test(offer(), 0);
        assert_eq!(queue.lock_state().wake_condition, WakeCondition::Batch, "one is not enough");
        queue.flush_ticket();
        assert_eq!(queue.lock_state().wake_condition, WakeCondition::Nothing, "somebody is in a hurry");
        empty(&queue);
        awaits(WakeCondition::Batch);
        offer_all(&queue, 1);
        assert_eq!(queue.lock_state().wake_condition, WakeCondition::Nothing, "a batch is full");
    }
}
