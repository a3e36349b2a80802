//! What waits, and what of it is due: all that is decided under the queue's lock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::disk::batch::{Batch, Offer};
use crate::disk::orders::Orders;
use crate::disk::rewrite::{Candidate, Rewrites, Writing};
use crate::disk::row::Torn;
use crate::key::{BuildAsHashed, Key};
use crate::memo::Memo;
use crate::value::Entry;

/// Offers in one transaction, and their bytes.
pub(super) const BATCH_OFFERS: usize = 256;
const BATCH_BYTES: u64 = 1024 * 1024;
/// An offer is held back for so long at most, whoever is still reading its answer …
const MAX_HELD_MS: u64 = 30_000;
/// … and so many offers are looked at for some that are not.
const MAX_LOOKED_AT: usize = 2 * BATCH_OFFERS;

/// How long until it is due if nothing rests: longer than anyone sleeps.
const NEVER_MS: u64 = u32::MAX as u64;

/// All that waits, under the one lock.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) offers: HashMap<Key, Slot, BuildAsHashed>,
    /// Keys in the order they came, each with its ticket; some were dropped meanwhile.
    pub(super) order: VecDeque<(Key, u64)>,
    /// Keys whose values rest, by the moment they are due and a ticket.
    pub(super) resting: BTreeMap<(u64, u64), Key>,
    pub(super) resting_bytes: u64,
    /// What was written lately.
    pub(super) rewrites: Rewrites,
    pub(super) orders: Orders,
    pub(super) memos: HashMap<Key, Arc<Memo>, BuildAsHashed>,
    pub(super) torn: Vec<Torn>,
    pub(super) used: Vec<i64>,
    pub(super) bytes: u64,
    pub(super) dropped: u64,
    /// Drawn by everything that comes.
    pub(super) ticket: u64,
    /// Which store's numbers offers are to say what they knew in.
    pub(super) era: u64,
    pub(super) is_urgent: bool,
    pub(super) is_closing: bool,
    /// Markers that were left when nobody waited any longer for what is.
    pub(super) marks_left: Option<u64>,
    /// Markers in the batch that is being written.
    pub(super) marks_leaving: usize,
    /// The batch before had orders only, so the next one is for offers.
    pub(super) orders_went: bool,
    pub(super) awaits: Awaits,
}

/// What the writer sleeps for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaits {
    /// It is awake.
    #[default]
    Nothing,
    Anything,
    /// Enough for a batch, or somebody in a hurry.
    Batch,
}

/// A value that waits, or is being written.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) entry: Arc<Entry>,
    pub(super) seen: u64,
    /// It stands in a batch that is being written.
    pub(super) is_leaving: bool,
    /// Its place among those that rest: the copy on disk will do for a while.
    pub(super) rests: Option<(u64, u64)>,
    /// See [`Candidate::digest`].
    digest: u64,
}

impl Slot {
    /// Whether it waits for the next batch.
    fn is_in_order(&self) -> bool {
        !self.is_leaving && self.rests.is_none()
    }

    /// Whether answers with its value are still on their way.
    fn is_held(&self, now_ms: u64) -> bool {
        !self.entry.has_left() && now_ms.saturating_sub(self.entry.stored_ms()) < MAX_HELD_MS
    }
}

/// What the writer was woken for.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) batch: Batch,
    /// How far the work is done when this batch is.
    pub(crate) reach: Progress,
    /// Nothing will come any more, and nothing is left.
    pub(crate) is_last: bool,
}

/// How far the work is done: everything that came up to a ticket was written, or never will be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Of everything.
    pub(crate) all: u64,
    /// Of invalidations and removals.
    pub(crate) orders: u64,
}

impl Progress {
    /// There is nothing more to come.
    pub(crate) const END: Self = Self { all: u64::MAX, orders: u64::MAX };
}

impl Waiting {
    pub(super) fn draw(&mut self) -> u64 {
        self.ticket += 1;
        self.ticket
    }

    /// Takes a value in. True if it rests: the copy on disk will do for a while.
    pub(super) fn take_in(&mut self, offer: Offer, weight: u64, candidate: Candidate, now_ms: u64) -> bool {
        let ticket = self.draw();
        let Offer { key, entry, seen } = offer;
        let before = self.remove(&key);
        // It keeps the place of what it replaces, unless that is on its way already.
        let is_in_order = before.is_some_and(|slot| slot.is_in_order());
        let writing = if is_in_order || self.is_urgent || self.is_closing {
            Writing::Now
        } else {
            self.rewrites.when(&key, candidate, now_ms)
        };
        let rests = match writing {
            Writing::Now if is_in_order => None,
            Writing::Now => {
                self.order.push_back((key.clone(), ticket));
                None
            }
            Writing::At(due_ms) => {
                self.resting.insert((due_ms, ticket), key.clone());
                self.resting_bytes += weight;
                Some((due_ms, ticket))
            }
        };
        self.bytes += weight;
        self.offers.insert(key, Slot { entry, seen, is_leaving: false, rests, digest: candidate.digest });
        rests.is_some()
    }

    fn remove(&mut self, key: &Key) -> Option<Slot> {
        let slot = self.offers.remove(key)?;
        self.bytes -= slot.entry.weight();
        if let Some(place) = slot.rests {
            self.resting.remove(&place);
            self.resting_bytes -= slot.entry.weight();
        }
        Some(slot)
    }

    pub(super) fn forget(&mut self, key: &Key) {
        drop(self.remove(key));
    }

    /// A value under this key was not written: what came after it rests no longer.
    pub(super) fn not_written(&mut self, key: &Key) {
        self.rewrites.forget(key);
        if let Some(place) = self.offers.get(key).and_then(|slot| slot.rests) {
            self.wake(place);
        }
    }

    /// Lets the value at this place go with the next batch.
    fn wake(&mut self, place: (u64, u64)) {
        let Some(key) = self.resting.remove(&place) else { return };
        if let Some(slot) = self.offers.get_mut(&key) {
            slot.rests = None;
            self.resting_bytes -= slot.entry.weight();
            let ticket = self.draw();
            self.order.push_back((key, ticket));
        }
    }

    /// The same for the one that is due first; false if none rests.
    pub(super) fn wake_first(&mut self) -> bool {
        let first = self.resting.first_key_value().map(|(place, _)| *place);
        first.map(|place| self.wake(place)).is_some()
    }

    /// The same for all that are due by then.
    pub(super) fn wake_due(&mut self, until_ms: u64) {
        while self.resting.first_key_value().is_some_and(|((due_ms, _), _)| *due_ms <= until_ms) {
            self.wake_first();
        }
    }

    /// The same for all.
    pub(super) fn wake_all(&mut self) {
        while self.wake_first() {}
    }

    /// How long until a value that rests is due.
    pub(super) fn until_due_ms(&self, now_ms: u64) -> u64 {
        self.resting.first_key_value().map_or(NEVER_MS, |((due_ms, _), _)| due_ms.saturating_sub(now_ms))
    }

    pub(super) fn drop_oldest(&mut self) -> bool {
        while let Some((key, _)) = self.order.pop_front() {
            if self.offers.get(&key).is_some_and(Slot::is_in_order) {
                self.forget(&key);
                self.rewrites.forget(&key);
                self.dropped += 1;
                return true;
            }
        }
        false
    }

    pub(super) fn has_work(&self, now_ms: u64) -> bool {
        !self.orders.is_empty() || !self.memos.is_empty() || !self.torn.is_empty() || self.ready(now_ms).0 > 0
    }

    /// Whether it is worth looking whether a batch is due: that takes longer than an offer may.
    pub(super) fn may_be_due(&self) -> bool {
        self.is_urgent
            || self.is_closing
            || self.orders.has_marks()
            || self.order.len() >= BATCH_OFFERS
            || self.bytes - self.resting_bytes >= BATCH_BYTES
    }

    /// Whether a batch is to be written without waiting for more.
    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        let (offers, bytes) = self.ready(now_ms);
        self.is_urgent
            || self.is_closing
            || self.orders.has_marks()
            || offers >= BATCH_OFFERS
            || bytes >= BATCH_BYTES
    }

    /// Whether an offer may be written now.
    fn is_ready(&self, slot: &Slot, now_ms: u64) -> bool {
        self.is_urgent || self.is_closing || !slot.is_held(now_ms)
    }

    /// How many offers could be written now, and their bytes, up to a batch.
    fn ready(&self, now_ms: u64) -> (usize, u64) {
        let mut ready = (0, 0);
        for (key, _) in self.order.iter().take(MAX_LOOKED_AT) {
            if let Some(slot) =
                self.offers.get(key).filter(|slot| slot.is_in_order() && self.is_ready(slot, now_ms))
            {
                ready = (ready.0 + 1, ready.1 + slot.entry.weight());
                if ready.0 >= BATCH_OFFERS || ready.1 >= BATCH_BYTES {
                    break;
                }
            }
        }
        ready
    }

    /// Orders go alone, so that nothing that is large or cannot be written keeps them; then it is the offers' turn once,
    /// so that orders without end keep nothing either.
    pub(super) fn deliver(&mut self, now_ms: u64) -> Delivery {
        let mut batch = Batch::default();
        if self.is_closing {
            self.wake_all();
        }
        self.wake_due(now_ms);
        let is_for_offers = self.orders_went && self.ready(now_ms).0 > 0;
        let is_for_orders = !self.orders.is_empty() && !is_for_offers;
        self.orders_went = is_for_orders;
        if is_for_orders {
            self.orders.deliver(&mut batch);
        } else {
            if self.ready(now_ms).0 > 0 {
                // What soon will be due shares the transaction.
                self.wake_due(self.rewrites.rule().due_with(now_ms));
            }
            self.take_offers(&mut batch, now_ms);
            batch.memos.extend(self.memos.drain());
            batch.torn = std::mem::take(&mut self.torn);
            // A read alone is no reason to write.
            if !batch.is_empty() {
                batch.used = std::mem::take(&mut self.used);
            }
        }
        self.marks_leaving = batch.marks.len();
        let ordered = self.orders.first();
        let offered = self.order.front().map(|(_, ticket)| *ticket);
        let up_to = |firsts: &[Option<u64>]| {
            firsts.iter().flatten().min().map_or(self.ticket, |first| first.saturating_sub(1))
        };
        let reach = Progress { all: up_to(&[ordered, offered]), orders: up_to(&[ordered]) };
        let is_empty = ordered.is_none() && offered.is_none();
        self.is_urgent &= !is_empty;
        let has_notes = !self.memos.is_empty() || !self.torn.is_empty();
        Delivery { batch, reach, is_last: self.is_closing && is_empty && !has_notes }
    }

    fn take_offers(&mut self, batch: &mut Batch, now_ms: u64) {
        let (mut bytes, mut held) = (0, Vec::new());
        while batch.offers.len() < BATCH_OFFERS
            && bytes < BATCH_BYTES
            && held.len() < MAX_LOOKED_AT
            && let Some((key, ticket)) = self.order.pop_front()
        {
            let is_forced = self.is_urgent || self.is_closing;
            match self.offers.get_mut(&key).filter(|slot| slot.is_in_order()) {
                Some(slot) if !is_forced && slot.is_held(now_ms) => held.push((key, ticket)),
                Some(slot) => {
                    slot.is_leaving = true;
                    self.rewrites.note(&key, slot.digest, now_ms);
                    bytes += slot.entry.weight();
                    batch.offers.push(Offer { key, entry: Arc::clone(&slot.entry), seen: slot.seen });
                }
                None => {}
            }
        }
        while let Some(place) = held.pop() {
            self.order.push_front(place);
        }
    }
}
