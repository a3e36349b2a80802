//! What waits to be written: newest wins, in the order it came, and readable while it waits.
//!
//! An offer never waits: it takes one lock that nobody holds across a system call. When there is too much, the
//! oldest offer is dropped and counted; markers never are. An offer is held back while answers that waited for its
//! value are on their way to their clients, unless somebody waits for it to be written.

mod waiting;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::batch::{Batch, Offer};
use super::rewrite::{Candidate, Rewrites, Rule};
use super::row::Torn;
use crate::clock::Clock;
use crate::key::Key;
use crate::memo::Memo;
use crate::stamp::Stamp;
use crate::stored_marker::Mark;
use crate::value::Entry;
use waiting::{Awaits, Slot, Waiting};
pub(crate) use waiting::{Delivery, Progress};

/// Reads, memos and torn rows that wait to be noted; more are forgotten, which only makes the order of eviction coarser.
const MAX_NOTES: usize = 4096;

/// How often it is looked whether an offer that is held back has been held for long enough.
const HELD_LOOK: Duration = Duration::from_secs(1);

/// The queue between the cache and the writer.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    bell: Condvar,
    max_bytes: u64,
}

/// How full the queue is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Depth {
    pub(crate) offers: u64,
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
    pub(crate) marks_lost: u64,
}

impl Queue {
    /// One through which every value is written.
    #[cfg(test)]
    pub(crate) fn new(max_bytes: u64) -> Self {
        Self::sparing(max_bytes, Rule::EVERY_VALUE)
    }

    /// One through which short-lived and unchanged values are written as seldom as the rule says.
    pub(crate) fn sparing(max_bytes: u64, rule: Rule) -> Self {
        let waiting = Waiting { rewrites: Rewrites::new(rule), ..Waiting::default() };
        Self { waiting: Mutex::new(waiting), bell: Condvar::new(), max_bytes }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an entry in that is to be written with the next batch.
    #[cfg(test)]
    pub(crate) fn offer(&self, offer: Offer, era: u64) {
        let candidate = Candidate::of(&offer.entry, crate::older_copy::OlderCopy::Void);
        self.offer_at(offer, era, candidate, 0);
    }

    /// Takes an entry in, if it says what it knew in the numbers of this era. It never waits.
    pub(crate) fn offer_at(&self, offer: Offer, era: u64, candidate: Candidate, now_ms: u64) {
        let weight = offer.entry.weight();
        let mut waiting = self.waiting();
        if waiting.is_closing || era != waiting.era || weight > self.max_bytes {
            waiting.dropped += 1;
            return;
        }
        let is_resting = waiting.take_in(offer, weight, candidate, now_ms);
        // What rests leaves room for what does not, and is never dropped for it.
        let mut is_woken = false;
        while waiting.resting_bytes > self.max_bytes / 2 && waiting.wake_first() {
            is_woken = true;
        }
        while waiting.bytes > self.max_bytes && waiting.drop_oldest() {}
        if is_woken || !is_resting {
            self.wake(waiting);
        }
    }

    /// Wakes the writer if this may be what it waits for. Ringing where nobody listens would cost a system call.
    fn wake(&self, mut waiting: MutexGuard<'_, Waiting>) {
        let wakes = match waiting.awaits {
            Awaits::Nothing => false,
            Awaits::Anything => true,
            Awaits::Batch => waiting.may_be_due(),
        };
        if wakes {
            waiting.awaits = Awaits::Nothing;
            drop(waiting);
            self.bell.notify_one();
        }
    }

    /// Takes a marker in, which is written without delay. Gives the ticket by which to know when it is.
    pub(crate) fn mark(&self, mark: Mark) -> u64 {
        let mut waiting = self.waiting();
        let ticket = waiting.draw();
        waiting.orders.mark(mark, ticket);
        self.wake(waiting);
        ticket
    }

    /// Takes in that a key's value is gone, if it is not from a later load than this.
    pub(crate) fn remove(&self, key: &Key, than: Stamp) {
        let mut waiting = self.waiting();
        if waiting.offers.get(key).is_some_and(|slot| slot.entry.created() <= than) {
            waiting.forget(key);
        }
        waiting.rewrites.forget(key);
        let ticket = waiting.draw();
        waiting.orders.remove(key, than, ticket);
        self.wake(waiting);
    }

    /// What is to be asked before a look, for [`Self::is_gone`] after it.
    pub(crate) fn forgotten(&self) -> u64 {
        self.waiting().orders.forgotten()
    }

    /// Whether a look that began at `forgotten` may have found what was removed meanwhile, or is about to be.
    pub(crate) fn is_gone(&self, key: &Key, created: Stamp, forgotten: u64) -> bool {
        self.waiting().orders.is_gone(key, created, forgotten)
    }

    /// Takes in what is remembered of a key beside its value.
    pub(crate) fn remember(&self, key: &Key, memo: &Arc<Memo>) {
        let mut waiting = self.waiting();
        if !waiting.is_closing && (waiting.memos.len() < MAX_NOTES || waiting.memos.contains_key(key)) {
            waiting.memos.insert(key.clone(), Arc::clone(memo));
        }
        self.wake(waiting);
    }

    /// Notes that a row was read.
    pub(crate) fn note_used(&self, hash: i64) {
        let mut waiting = self.waiting();
        if waiting.used.len() < MAX_NOTES {
            waiting.used.push(hash);
        }
    }

    /// Notes that a row was torn.
    pub(crate) fn note_torn(&self, torn: Torn) {
        let mut waiting = self.waiting();
        if waiting.torn.len() < MAX_NOTES {
            waiting.torn.push(torn);
        }
    }

    /// What waits, or is being written, under a key.
    pub(crate) fn find(&self, key: &Key) -> Option<Arc<Entry>> {
        let waiting = self.waiting();
        waiting.offers.get(key).map(|slot| Arc::clone(&slot.entry))
    }

    /// The ticket of the last that came: a barrier waits for it. What waits is written at once.
    pub(crate) fn hurry(&self) -> u64 {
        let mut waiting = self.waiting();
        waiting.is_urgent = true;
        waiting.wake_all();
        let ticket = waiting.ticket;
        self.wake(waiting);
        ticket
    }

    /// Wakes the writer: something may be ready by now.
    pub(crate) fn ring(&self) {
        let mut waiting = self.waiting();
        if std::mem::take(&mut waiting.awaits) != Awaits::Nothing {
            drop(waiting);
            self.bell.notify_one();
        }
    }

    /// The ticket of the last that came.
    pub(crate) fn newest(&self) -> u64 {
        self.waiting().ticket
    }

    /// Takes nothing more in.
    pub(crate) fn close(&self) {
        let mut waiting = self.waiting();
        waiting.is_closing = true;
        self.wake(waiting);
    }

    /// Takes nothing more in, and nobody waits any longer for what is left. Gives how many markers are lost with it.
    pub(crate) fn give_up(&self) -> u64 {
        let mut waiting = self.waiting();
        let lost = (waiting.orders.marks() + waiting.marks_leaving) as u64;
        waiting.marks_left.get_or_insert(lost);
        waiting.is_closing = true;
        self.wake(waiting);
        lost
    }

    /// Whether what cannot be written is to be left.
    pub(crate) fn is_given_up(&self) -> bool {
        self.waiting().marks_left.is_some()
    }

    /// Forgets what waits, and takes nothing more in.
    #[cfg(test)]
    pub(crate) fn abandon(&self) {
        let mut waiting = self.waiting();
        *waiting =
            Waiting { awaits: waiting.awaits, is_closing: true, marks_left: Some(0), ..Waiting::default() };
        self.wake(waiting);
    }

    /// How full it is.
    pub(crate) fn depth(&self) -> Depth {
        let waiting = self.waiting();
        Depth {
            offers: waiting.offers.len() as u64,
            bytes: waiting.bytes,
            dropped: waiting.dropped,
            marks_lost: waiting.orders.lost() + waiting.marks_left.unwrap_or(0),
        }
    }

    /// Waits until there is something to write, and a moment longer in case more comes; all in all no longer than
    /// for `idle`.
    pub(crate) fn next(&self, linger: Duration, idle: Duration, clock: &Clock) -> Delivery {
        let began_ms = clock.now_ms();
        let mut waiting = self.waiting();
        // Who holds an offer back may never ring.
        let idle = if waiting.order.is_empty() { idle } else { idle.min(HELD_LOOK) };
        if !waiting.has_work(began_ms) && !waiting.is_closing {
            waiting.awaits = Awaits::Anything;
            let until_due = Duration::from_millis(waiting.until_due_ms(began_ms));
            let nap = idle.min(clock.real(until_due));
            waiting = self.bell.wait_timeout(waiting, nap).unwrap_or_else(PoisonError::into_inner).0;
        }
        waiting.wake_due(clock.now_ms());
        if waiting.has_work(clock.now_ms()) && !waiting.is_due(clock.now_ms()) {
            let is_short = |waiting: &mut Waiting| {
                waiting.awaits = Awaits::Batch;
                !waiting.is_due(clock.now_ms())
            };
            let waited = Duration::from_millis(clock.now_ms().saturating_sub(began_ms));
            let linger = linger.min(idle.saturating_sub(clock.real(waited)));
            waiting = self
                .bell
                .wait_timeout_while(waiting, linger, is_short)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        waiting.awaits = Awaits::Nothing;
        waiting.deliver(clock.now_ms())
    }

    /// A batch could not be written, but may be later: all of it (`offers` too, or its markers only) goes back to
    /// where it came from.
    pub(crate) fn put_back(&self, mut batch: Batch, with_offers: bool) {
        let offers = if with_offers { std::mem::take(&mut batch.offers) } else { Vec::new() };
        let mut waiting = self.waiting();
        waiting.orders.put_back(&mut batch);
        for offer in &offers {
            waiting.not_written(&offer.key);
        }
        for offer in offers.into_iter().rev() {
            if let Some(slot) = waiting.offers.get_mut(&offer.key).filter(|slot| slot.is_leaving) {
                slot.is_leaving = false;
                waiting.order.push_front((offer.key, 0));
            }
        }
        drop(waiting);
        self.done(&batch);
    }

    /// These could not be written, and are lost: what lies on disk under their keys is older than was believed.
    pub(crate) fn not_written(&self, offers: &[Offer]) {
        let mut waiting = self.waiting();
        for offer in offers {
            waiting.not_written(&offer.key);
        }
    }

    /// Drops all offers: what they say of markers they knew counts no more. Those to come say it in the numbers of
    /// that era.
    pub(crate) fn drop_offers(&self, era: u64) {
        let mut waiting = self.waiting();
        waiting.era = era;
        waiting.dropped += waiting.offers.len() as u64;
        waiting.offers.clear();
        waiting.order.clear();
        waiting.resting.clear();
        waiting.rewrites.clear();
        (waiting.bytes, waiting.resting_bytes) = (0, 0);
    }

    /// A batch was written, or cannot be: what was in it leaves the queue, unless something newer took its place.
    pub(crate) fn done(&self, batch: &Batch) {
        let mut waiting = self.waiting();
        waiting.marks_leaving = 0;
        for offer in &batch.offers {
            let is_same = |slot: &Slot| slot.is_leaving && slot.entry.created() == offer.entry.created();
            if waiting.offers.get(&offer.key).is_some_and(is_same) {
                waiting.forget(&offer.key);
            }
        }
        waiting.orders.done(batch);
    }
}

#[cfg(test)]
mod resting_tests;
#[cfg(test)]
mod tests {
    use super::waiting::BATCH_OFFERS;
    use super::*;
    use crate::disk::tests::markers::entry_of;
    use crate::key::Partition;

    fn offer_all(queue: &Queue, created: u64) {
        for at in 0..1000 {
            let key = Key::new("home", &Partition::new("anna"), &format!("/{at}"));
            let entry = entry_of(&key, Vec::new(), Stamp::end_of(created), b"value");
            queue.offer(Offer { key, entry, seen: 0 }, 0);
        }
    }

    /// Takes everything out; gives how many batches it was.
    fn empty(queue: &Queue) -> usize {
        let mut batches = 0;
        while queue.depth().offers > 0 {
            let delivery = queue.next(Duration::ZERO, Duration::ZERO, &Clock::system());
            assert!(delivery.batch.offers.len() <= BATCH_OFFERS);
            queue.done(&delivery.batch);
            batches += 1;
        }
        batches
    }

    #[test]
    fn a_queue_that_has_been_as_full_before_allocates_nothing() {
        let queue = Queue::new(u64::MAX);
        let places = || {
            let waiting = queue.waiting();
            (waiting.offers.capacity(), waiting.order.capacity())
        };
        offer_all(&queue, 1);
        let before = places();
        for created in 2..5 {
            assert_eq!(empty(&queue), 4);
            offer_all(&queue, created * 2);
            offer_all(&queue, created * 2 + 1);
            assert_eq!(queue.waiting().order.len(), 1000, "who is replaced gives his place");
            assert_eq!(places(), before);
        }
    }

    #[test]
    fn orders_go_alone_and_first_and_keep_no_offer_waiting_for_ever() {
        let queue = Queue::new(u64::MAX);
        let key = Key::new("home", &Partition::new("anna"), "/x");
        let mark = || {
            queue.mark(super::super::renewal::purge_of_all(Stamp::end_of(1)));
        };
        let next = || {
            let batch = queue.next(Duration::ZERO, Duration::ZERO, &Clock::system()).batch;
            queue.done(&batch);
            (batch.marks.len() + batch.removals.len(), batch.offers.len())
        };
        offer_all(&queue, 1);
        mark();
        queue.remove(&key, Stamp::ZERO);
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
        let queue = Queue::new(u64::MAX);
        let key = Key::new("home", &Partition::new("anna"), "/x");
        let entry = entry_of(&key, Vec::new(), Stamp::ZERO, b"");
        queue.offer(Offer { key, entry, seen: 0 }, 0);
        let (hour, moment) = (Duration::from_hours(1), Duration::from_millis(5));
        assert_eq!(queue.next(hour, moment, &Clock::system()).batch.offers.len(), 1);
    }

    #[test]
    fn what_was_known_in_the_numbers_of_another_store_is_not_taken_in() {
        let queue = Queue::new(u64::MAX);
        let key = Key::new("home", &Partition::new("anna"), "/x");
        let entry = entry_of(&key, Vec::new(), Stamp::ZERO, b"");
        let offer = |era| queue.offer(Offer { key: key.clone(), entry: Arc::clone(&entry), seen: 9 }, era);
        queue.drop_offers(1);
        offer(0);
        assert_eq!((queue.depth().offers, queue.depth().dropped), (0, 1), "computed before, offered after");
        offer(1);
        assert_eq!(queue.depth().offers, 1);
    }

    #[test]
    fn who_sleeps_is_woken_for_what_he_waits_for_and_for_nothing_less() {
        let queue = Queue::new(u64::MAX);
        let awaits = |awaits| queue.waiting().awaits = awaits;
        let key = Key::new("home", &Partition::new("anna"), "/x");
        let offer =
            || Offer { key: key.clone(), entry: entry_of(&key, Vec::new(), Stamp::ZERO, b""), seen: 0 };
        awaits(Awaits::Anything);
        queue.offer(offer(), 0);
        assert_eq!(queue.waiting().awaits, Awaits::Nothing, "woken for the first");
        awaits(Awaits::Batch);
        queue.offer(offer(), 0);
        assert_eq!(queue.waiting().awaits, Awaits::Batch, "one is not enough");
        queue.hurry();
        assert_eq!(queue.waiting().awaits, Awaits::Nothing, "somebody is in a hurry");
        empty(&queue);
        awaits(Awaits::Batch);
        offer_all(&queue, 1);
        assert_eq!(queue.waiting().awaits, Awaits::Nothing, "a batch is full");
    }
}
