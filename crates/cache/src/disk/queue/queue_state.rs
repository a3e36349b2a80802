//! State of the write queue: everything decided under its lock.

use crate::timestamp::Timestamp;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::disk::invalidation_queue::InvalidationQueue;
use crate::disk::rewrite::{RewriteHistory, WriteCandidate, WriteSchedule};
use crate::disk::row::CorruptRow;
use crate::disk::write_batch::{PendingWrite, WriteBatch};
use crate::key::{BuildIdentityHasher, Key};
use crate::negative::NegativeEntry;
use crate::value::Entry;

/// Max writes in one transaction, and their bytes.
pub(super) const BATCH_WRITES: usize = 256;
const BATCH_BYTES: u64 = 1024 * 1024;
/// Max time a write is held back, even if its response is still being delivered …
const MAX_HELD: Duration = Duration::from_secs(30);
/// … and max writes examined to find some that are not held back.
const MAX_SCANNED: usize = 2 * BATCH_WRITES;

/// Time until due if no value is deferred: longer than any sleep.
const NEVER: Duration = Duration::from_millis(u32::MAX as u64);

/// Everything pending, under one lock.
#[derive(Debug, Default)]
pub(super) struct QueueState {
    pub(super) writes: HashMap<Key, QueuedWrite, BuildIdentityHasher>,
    /// Keys in order of arrival, each with its ticket; some may be dropped.
    pub(super) order: VecDeque<(Key, u64)>,
    /// Keys of deferred values, by due time and ticket.
    pub(super) deferred: BTreeMap<(Timestamp, u64), Key>,
    pub(super) deferred_bytes: u64,
    /// Recent writes.
    pub(super) rewrites: RewriteHistory,
    pub(super) invalidations: InvalidationQueue,
    pub(super) negative: HashMap<Key, Arc<NegativeEntry>, BuildIdentityHasher>,
    pub(super) corrupt: Vec<CorruptRow>,
    pub(super) used: Vec<i64>,
    pub(super) bytes: u64,
    pub(super) dropped: u64,
    /// The last ticket; every push draws one.
    pub(super) ticket: u64,
    /// The store whose sequence numbers writes must use.
    pub(super) era: u64,
    pub(super) is_urgent: bool,
    pub(super) is_closing: bool,
    /// Number of invalidations left when retries were given up.
    pub(super) invalidations_left: Option<u64>,
    /// Invalidations in the batch being written.
    pub(super) invalidations_in_flight: usize,
    /// The previous batch had invalidations and removals only, so the next one is for writes.
    pub(super) took_invalidations: bool,
    pub(super) wake_condition: WakeCondition,
}

/// Event for which the writer sleeps.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum WakeCondition {
    /// It is awake.
    #[default]
    Nothing,
    Anything,
    /// A full batch, or a flush.
    Batch,
}

/// A value that waits or is being written.
#[derive(Debug)]
pub(super) struct QueuedWrite {
    pub(super) entry: Arc<Entry>,
    pub(super) known_sequence: u64,
    /// It is in a batch being written.
    pub(super) is_in_flight: bool,
    /// Its position among the deferred values: the copy on disk is good enough for a while.
    pub(super) deferred_key: Option<(Timestamp, u64)>,
    /// See [`WriteCandidate::digest`].
    digest: u64,
}

impl QueuedWrite {
    /// Whether it waits for the next batch.
    fn is_in_order(&self) -> bool {
        !self.is_in_flight && self.deferred_key.is_none()
    }

    /// Whether responses with its value are still being delivered.
    fn is_held(&self, now_ms: Timestamp) -> bool {
        !self.entry.is_delivered() && now_ms.duration_since(self.entry.stored_ms()) < MAX_HELD
    }
}

/// A batch, and what the writer must know about it.
#[derive(Debug)]
pub(crate) struct BatchDelivery {
    pub(crate) batch: WriteBatch,
    /// Progress once this batch is done.
    pub(crate) progress: WriteProgress,
    /// The queue is closed and empty.
    pub(crate) is_last: bool,
}

/// Everything up to a ticket is written or lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WriteProgress {
    /// For all pushes.
    pub(crate) all: u64,
    /// For invalidations and removals.
    pub(crate) invalidations: u64,
}

impl WriteProgress {
    /// Nothing more will come.
    pub(crate) const END: Self = Self { all: u64::MAX, invalidations: u64::MAX };
}

impl QueueState {
    pub(super) fn next_ticket(&mut self) -> u64 {
        self.ticket += 1;
        self.ticket
    }

    /// Queues a value. True if it is deferred, because the copy on disk is good enough for a while.
    pub(super) fn insert(
        &mut self,
        pending: PendingWrite,
        weight: u64,
        candidate: WriteCandidate,
        now_ms: Timestamp,
    ) -> bool {
        let ticket = self.next_ticket();
        let PendingWrite { key, entry, known_sequence } = pending;
        let replaced = self.remove(&key);
        // It takes the place of the value it replaces, unless that is being written.
        let is_in_order = replaced.is_some_and(|slot| slot.is_in_order());
        let schedule = if is_in_order || self.is_urgent || self.is_closing {
            WriteSchedule::Now
        } else {
            self.rewrites.schedule(&key, candidate, now_ms)
        };
        let deferred_key = match schedule {
            WriteSchedule::Now if is_in_order => None,
            WriteSchedule::Now => {
                self.order.push_back((key.clone(), ticket));
                None
            }
            WriteSchedule::At(due_ms) => {
                self.deferred.insert((due_ms, ticket), key.clone());
                self.deferred_bytes += weight;
                Some((due_ms, ticket))
            }
        };
        self.bytes += weight;
        self.writes.insert(
            key,
            QueuedWrite { entry, known_sequence, is_in_flight: false, deferred_key, digest: candidate.digest },
        );
        deferred_key.is_some()
    }

    fn remove(&mut self, key: &Key) -> Option<QueuedWrite> {
        let slot = self.writes.remove(key)?;
        self.bytes -= slot.entry.weight();
        if let Some(deferred_key) = slot.deferred_key {
            self.deferred.remove(&deferred_key);
            self.deferred_bytes -= slot.entry.weight();
        }
        Some(slot)
    }

    pub(super) fn forget(&mut self, key: &Key) {
        self.remove(key);
    }

    /// A value under this key was not written: its successor is no longer deferred.
    pub(super) fn record_failed(&mut self, key: &Key) {
        self.rewrites.forget(key);
        if let Some(deferred_key) = self.writes.get(key).and_then(|slot| slot.deferred_key) {
            self.wake(deferred_key);
        }
    }

    /// Moves the value at this position to the next batch.
    fn wake(&mut self, deferred_key: (Timestamp, u64)) {
        let Some(key) = self.deferred.remove(&deferred_key) else { return };
        if let Some(slot) = self.writes.get_mut(&key) {
            slot.deferred_key = None;
            self.deferred_bytes -= slot.entry.weight();
            let ticket = self.next_ticket();
            self.order.push_back((key, ticket));
        }
    }

    /// Moves the deferred value that is due first; false if none is deferred.
    pub(super) fn wake_first(&mut self) -> bool {
        let first = self.deferred.first_key_value().map(|(deferred_key, _)| *deferred_key);
        first.map(|deferred_key| self.wake(deferred_key)).is_some()
    }

    /// Moves all deferred values due by then.
    pub(super) fn wake_due(&mut self, until_ms: Timestamp) {
        while self.deferred.first_key_value().is_some_and(|((due_ms, _), _)| *due_ms <= until_ms) {
            self.wake_first();
        }
    }

    /// Moves all deferred values.
    pub(super) fn wake_all(&mut self) {
        while self.wake_first() {}
    }

    /// Time until the first deferred value is due.
    pub(super) fn until_due(&self, now_ms: Timestamp) -> Duration {
        self.deferred.first_key_value().map_or(NEVER, |((due_ms, _), _)| due_ms.duration_since(now_ms))
    }

    pub(super) fn drop_oldest(&mut self) -> bool {
        while let Some((key, _)) = self.order.pop_front() {
            if self.writes.get(&key).is_some_and(QueuedWrite::is_in_order) {
                self.forget(&key);
                self.rewrites.forget(&key);
                self.dropped += 1;
                return true;
            }
        }
        false
    }

    pub(super) fn has_work(&self, now_ms: Timestamp) -> bool {
        !self.invalidations.is_empty()
            || !self.negative.is_empty()
            || !self.corrupt.is_empty()
            || self.ready(now_ms).0 > 0
    }

    /// Cheap pre-check before [`Self::is_due`], which takes longer than a push may.
    pub(super) fn may_be_due(&self) -> bool {
        self.is_urgent
            || self.is_closing
            || self.invalidations.has_invalidations()
            || self.order.len() >= BATCH_WRITES
            || self.bytes - self.deferred_bytes >= BATCH_BYTES
    }

    /// Whether a batch should be written without waiting for more.
    pub(super) fn is_due(&self, now_ms: Timestamp) -> bool {
        let (pending_writes, bytes) = self.ready(now_ms);
        self.is_urgent
            || self.is_closing
            || self.invalidations.has_invalidations()
            || pending_writes >= BATCH_WRITES
            || bytes >= BATCH_BYTES
    }

    /// Whether a value may be written now.
    fn is_ready(&self, slot: &QueuedWrite, now_ms: Timestamp) -> bool {
        self.is_urgent || self.is_closing || !slot.is_held(now_ms)
    }

    /// Number of values that could be written now, and their bytes, up to a batch.
    fn ready(&self, now_ms: Timestamp) -> (usize, u64) {
        let mut ready = (0, 0);
        for (key, _) in self.order.iter().take(MAX_SCANNED) {
            if let Some(slot) = self.writes.get(key).filter(|slot| slot.is_in_order() && self.is_ready(slot, now_ms)) {
                ready = (ready.0 + 1, ready.1 + slot.entry.weight());
                if ready.0 >= BATCH_WRITES || ready.1 >= BATCH_BYTES {
                    break;
                }
            }
        }
        ready
    }

    /// Invalidations and removals get a batch of their own, so that nothing large or unwritable delays them. After
    /// that, writes get one turn, so that they are not starved either.
    pub(super) fn take_batch(&mut self, now_ms: Timestamp) -> BatchDelivery {
        let mut batch = WriteBatch::default();
        if self.is_closing {
            self.wake_all();
        }
        self.wake_due(now_ms);
        let takes_writes = self.took_invalidations && self.ready(now_ms).0 > 0;
        let takes_invalidations = !self.invalidations.is_empty() && !takes_writes;
        self.took_invalidations = takes_invalidations;
        if takes_invalidations {
            self.invalidations.drain_into(&mut batch);
        } else {
            if self.ready(now_ms).0 > 0 {
                // Values due soon share the transaction.
                self.wake_due(self.rewrites.rule().early_due_ms(now_ms));
            }
            self.take_writes(&mut batch, now_ms);
            batch.negative.extend(self.negative.drain());
            batch.corrupt = std::mem::take(&mut self.corrupt);
            // A read alone is no reason to write.
            if !batch.is_empty() {
                batch.used = std::mem::take(&mut self.used);
            }
        }
        self.invalidations_in_flight = batch.invalidations.len();
        let first_invalidation = self.invalidations.first_ticket();
        let first_write = self.order.front().map(|(_, ticket)| *ticket);
        let up_to = |tickets: &[Option<u64>]| {
            tickets.iter().flatten().min().map_or(self.ticket, |first| first.saturating_sub(1))
        };
        let progress = WriteProgress {
            all: up_to(&[first_invalidation, first_write]),
            invalidations: up_to(&[first_invalidation]),
        };
        let is_empty = first_invalidation.is_none() && first_write.is_none();
        self.is_urgent &= !is_empty;
        let has_records = !self.negative.is_empty() || !self.corrupt.is_empty();
        BatchDelivery { batch, progress, is_last: self.is_closing && is_empty && !has_records }
    }

    fn take_writes(&mut self, batch: &mut WriteBatch, now_ms: Timestamp) {
        let (mut bytes, mut undelivered) = (0, Vec::new());
        while batch.writes.len() < BATCH_WRITES
            && bytes < BATCH_BYTES
            && undelivered.len() < MAX_SCANNED
            && let Some((key, ticket)) = self.order.pop_front()
        {
            let is_forced = self.is_urgent || self.is_closing;
            match self.writes.get_mut(&key).filter(|slot| slot.is_in_order()) {
                Some(slot) if !is_forced && slot.is_held(now_ms) => undelivered.push((key, ticket)),
                Some(slot) => {
                    slot.is_in_flight = true;
                    self.rewrites.record(&key, slot.digest, now_ms);
                    bytes += slot.entry.weight();
                    batch.writes.push(PendingWrite {
                        key,
                        entry: Arc::clone(&slot.entry),
                        known_sequence: slot.known_sequence,
                    });
                }
                None => {}
            }
        }
        while let Some(deferred_key) = undelivered.pop() {
            self.order.push_front(deferred_key);
        }
    }
}
