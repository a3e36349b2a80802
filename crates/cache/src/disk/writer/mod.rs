//! The one thread that writes. It also evicts, truncates the log, and handles damage: a file that is foreign or corrupt
//! is set aside, and a new one created. It sleeps until there is something to write or to evict.

mod maintenance;

use crate::clock::millis;
use crate::timestamp::Timestamp;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use self::maintenance::USES_EVERY;
use super::DiskSharedState;
use super::error::{StorageError, StorageErrorKind};
use super::invalidation_replay::InvalidationReplay;
use super::lock::{DirectoryLock, LockError};
use super::queue::{BatchDelivery, WriteProgress};
use super::recovery;
use super::sequence_file::SequenceFile;
use super::store::DiskStore;
use super::write_batch::{InvalidationDelta, WriteBatch};
use crate::key::Key;
use crate::memory_tier::MemoryTier;
use crate::stored_invalidation::{NumberedInvalidation, PendingInvalidation};

/// Origin of an invalidation that stands for swept ones.
const NO_ORIGIN: i64 = 0;
/// Pauses before a failed write is retried: because another connection writes, or for another reason.
const LOCKED_PAUSE: Duration = Duration::from_millis(20);
const FAILING_PAUSE: Duration = Duration::from_millis(500);

/// Result of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BatchOutcome {
    /// Written, or lost.
    Done,
    /// To be retried: its invalidations, and with `with_writes` its writes too.
    Again { with_writes: bool },
}

/// Relation of an opened store to the previous one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StoreRelation {
    /// There was none, and nothing was loaded yet.
    First,
    /// There was none, but the cache has already been working.
    Late,
    /// The same store.
    Same,
    /// Another store, or an older state of the same one.
    Other,
}

/// The writer thread.
pub(crate) struct Writer {
    pub(super) shared: Arc<DiskSharedState>,
    pub(super) invalidation_replay: InvalidationReplay,
    pub(super) store: Option<DiskStore>,
    pub(super) sequence_file: Option<SequenceFile>,
    memory: Arc<MemoryTier>,
    /// Reads from memory still to be recorded in the store, and when to collect more.
    used_keys: Vec<Key>,
    record_uses_at_ms: Timestamp,
    /// Own invalidations that are committed, but whose numbers are not known yet.
    committed: Vec<PendingInvalidation>,
    /// Identifies this process among all that ever wrote to the store.
    pub(super) origin: i64,
    /// The store opened last, and the number up to which its invalidations are known.
    seed: Option<u64>,
    known_sequence: u64,
    sweep_at_ms: Timestamp,
    /// When the log may be truncated again.
    truncate_at_ms: Timestamp,
    /// When to check that the file is in its place.
    check_at_ms: Timestamp,
    /// When the file may be set aside again.
    pub(super) renew_at_ms: Timestamp,
    /// Keeps other processes out of the directory.
    pub(super) lock: Option<DirectoryLock>,
    /// The next of 256 folders to search for files that no row references.
    folder: u8,
}

impl Writer {
    /// Opens the store, if that is possible now; a damaged one is set aside first. Stored invalidations are replayed.
    ///
    /// # Errors
    /// If another process uses the directory.
    pub(crate) fn open(
        shared: Arc<DiskSharedState>,
        invalidation_replay: InvalidationReplay,
        memory: Arc<MemoryTier>,
    ) -> Result<Self, String> {
        let mut writer = Self {
            origin: (i64::from(std::process::id()) << 32)
                ^ shared.clock.now().as_millis().cast_signed()
                ^ RandomState::new().hash_one(0).cast_signed(),
            used_keys: Vec::new(),
            committed: Vec::new(),
            record_uses_at_ms: shared.clock.now() + USES_EVERY,
            store: None,
            sequence_file: None,
            seed: None,
            known_sequence: 0,
            sweep_at_ms: Timestamp::UNIX_EPOCH,
            truncate_at_ms: Timestamp::UNIX_EPOCH,
            check_at_ms: Timestamp::UNIX_EPOCH,
            renew_at_ms: Timestamp::UNIX_EPOCH,
            folder: 0,
            lock: None,
            shared,
            invalidation_replay,
            memory,
        };
        if let Err(LockError::Held(holder)) = writer.lock_directory() {
            return Err(format!("{} is in use by {holder}", writer.shared.settings.dir.display()));
        }
        writer.start();
        Ok(writer)
    }

    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        loop {
            let settings = &self.shared.settings;
            let delivery = self.shared.queue.next_batch(settings.write_linger, self.until_due(), &self.shared.clock);
            let (is_last, progress) = (delivery.is_last, delivery.progress);
            let outcome = self.deliver(delivery);
            self.read_new_invalidations();
            self.check_store();
            match outcome {
                BatchOutcome::Done => self.report_progress(progress),
                BatchOutcome::Again { .. } if self.shared.queue.is_given_up() => break,
                BatchOutcome::Again { with_writes: true } => std::thread::park_timeout(LOCKED_PAUSE),
                BatchOutcome::Again { with_writes: false } => std::thread::park_timeout(FAILING_PAUSE),
            }
            if is_last && outcome == BatchOutcome::Done {
                break;
            }
            self.evict();
        }
        if let Some(store) = &self.store {
            let _ = store.truncate_wal(); // The next start reads the log.
        }
        self.store = None;
        self.lock = None;
        self.shared.done.send_replace(WriteProgress::END);
    }

    /// Whether this process had a store open before.
    pub(super) fn had_store(&self) -> bool {
        self.seed.is_some()
    }

    pub(super) fn begin(&mut self, is_start: bool) -> Result<(), StorageError> {
        let settings = &self.shared.settings;
        let store = DiskStore::open(&settings.dir, settings.file_above_bytes)?;
        let sequence_file = SequenceFile::open(&settings.dir, store.seed())?;
        let recorded = sequence_file.read_sequence();
        let (numbered, newest) = store.all_invalidations()?;
        let newest_stamp = store.newest_stamp()?;
        let relation = match self.seed {
            None if is_start => StoreRelation::First,
            None => StoreRelation::Late,
            Some(seed) if seed == store.seed() && newest >= self.known_sequence => StoreRelation::Same,
            Some(_) => StoreRelation::Other,
        };
        match relation {
            StoreRelation::First | StoreRelation::Other => {
                self.invalidation_replay.begin(&numbered, newest, newest_stamp, self.origin, is_start);
            }
            StoreRelation::Late | StoreRelation::Same => {
                let delta = self.with_evicted(store.invalidation_delta(self.known_sequence)?);
                self.invalidation_replay.resume(&delta, newest, newest_stamp, self.origin);
            }
        }
        if is_start {
            self.invalidation_replay.restore_negative(store.negative_entries(self.shared.clock.now())?);
        }
        self.shared.counters.bytes.store(store.bytes()?, Ordering::Relaxed);
        let is_behind = recorded > newest;
        (self.known_sequence, self.seed) = (newest, Some(store.seed()));
        (self.store, self.sequence_file) = (Some(store), Some(sequence_file));
        match relation {
            _ if is_behind => self.distrust("the log of the disk cache is damaged, and invalidations in it are lost"),
            StoreRelation::Other => self.distrust("another disk cache was put in its place"),
            _ => Ok(()),
        }
    }

    /// Writes one delivery.
    fn deliver(&mut self, mut delivery: BatchDelivery) -> BatchOutcome {
        let now_ms = self.shared.clock.now();
        let era = self.invalidation_replay.sequence_map.era();
        if let Some(error) = self.shared.take_pending_error() {
            self.handle_error(&error, now_ms);
        }
        if era != self.invalidation_replay.sequence_map.era() {
            // Their known sequences belong to the previous store.
            let lost = std::mem::take(&mut delivery.batch.writes).len() as u64;
            self.shared.counters.failed.fetch_add(lost, Ordering::Relaxed);
        }
        if delivery.batch.is_empty() {
            return BatchOutcome::Done;
        }
        let outcome = self.write(&mut delivery.batch, now_ms);
        match outcome {
            BatchOutcome::Done => {
                self.shared.commits.fetch_add(1, Ordering::Release);
                self.shared.queue.complete(&delivery.batch);
                // A bulk purge wants the space.
                if delivery.batch.invalidations.iter().any(PendingInvalidation::is_bulk_purge) {
                    self.sweep_at_ms = now_ms;
                }
                self.committed.append(&mut delivery.batch.invalidations);
            }
            BatchOutcome::Again { with_writes } => self.shared.queue.put_back(delivery.batch, with_writes),
        }
        outcome
    }

    /// Publishes progress to waiters. This comes after the numbers of new invalidations are known, so that later loads
    /// know them.
    fn report_progress(&self, progress: WriteProgress) {
        self.shared.done.send_if_modified(|done| {
            let progressed = WriteProgress {
                all: done.all.max(progress.all),
                invalidations: done.invalidations.max(progress.invalidations),
            };
            std::mem::replace(done, progressed) != progressed
        });
    }

    fn write(&mut self, batch: &mut WriteBatch, now_ms: Timestamp) -> BatchOutcome {
        let began_us = self.shared.clock.now_us();
        let counters = &self.shared.counters;
        let mut lost = batch.writes.len() as u64;
        // Invalidations and removals are always tried: they must not be lost.
        let has_invalidations = !batch.invalidations.is_empty() || !batch.removals.is_empty();
        if !has_invalidations && !self.shared.health.may_write(now_ms) {
            counters.failed.fetch_add(lost, Ordering::Relaxed);
            self.shared.queue.discard_failed(&batch.writes);
            return BatchOutcome::Done;
        }
        if !self.store.as_ref().is_some_and(DiskStore::is_in_place) {
            match self.store {
                Some(_) => {
                    self.handle_error(
                        &StorageError::new(StorageErrorKind::Gone, "the file was removed or replaced"),
                        now_ms,
                    );
                }
                None => self.reopen(now_ms),
            }
            self.shared.queue.discard_failed(&batch.writes);
            // Their known sequences belong to the previous store.
            batch.writes.clear();
            self.shared.counters.failed.fetch_add(std::mem::take(&mut lost), Ordering::Relaxed);
        }
        let origin = self.origin;
        let written = match &mut self.store {
            Some(store) => store.write(batch, origin, now_ms),
            // The reason was logged when opening failed.
            None if has_invalidations => return BatchOutcome::Again { with_writes: false },
            None => return BatchOutcome::Done,
        };
        match written {
            Ok(written) => {
                log_write_time(batch, Duration::from_millis(self.shared.clock.since_ms(began_us)));
                let counters = &self.shared.counters;
                counters.written.fetch_add(written.stored, Ordering::Relaxed);
                counters.failed.fetch_add(written.failed, Ordering::Relaxed);
                if written.failed > 0 {
                    self.shared.queue.discard_failed(&batch.writes);
                }
                if self.shared.health.record_write() {
                    tracing::info!(dir = %self.shared.settings.dir.display(), "disk writes work again");
                }
                self.truncate_log();
                self.measure(now_ms);
                BatchOutcome::Done
            }
            // Another connection writes; retry once it is done.
            Err(error) if error.kind == StorageErrorKind::Locked => {
                self.handle_error(&error, now_ms);
                BatchOutcome::Again { with_writes: true }
            }
            Err(error) => {
                self.shared.counters.failed.fetch_add(lost, Ordering::Relaxed);
                self.shared.queue.discard_failed(&batch.writes);
                if error.kind == StorageErrorKind::Full
                    && batch.invalidations.iter().any(PendingInvalidation::is_full_purge)
                {
                    self.make_room(&error, now_ms);
                } else {
                    self.handle_error(&error, now_ms);
                }
                if has_invalidations { BatchOutcome::Again { with_writes: false } } else { BatchOutcome::Done }
            }
        }
    }

    /// Reads the numbers of committed invalidations.
    fn read_new_invalidations(&mut self) {
        if self.committed.is_empty() {
            return;
        }
        match self.read_invalidations() {
            Ok(()) => self.invalidation_replay.committed(&std::mem::take(&mut self.committed)),
            Err(error) => self.handle_error(&error, self.shared.clock.now()),
        }
    }

    /// The new invalidations, with one over everything if some were swept before they were known.
    fn with_evicted(&self, delta: InvalidationDelta) -> Vec<NumberedInvalidation> {
        let InvalidationDelta { invalidations: mut numbered, floor } = delta;
        if floor > self.known_sequence {
            let purge = recovery::purge_of_all(self.invalidation_replay.sequence.next(self.shared.clock.now()));
            numbered.push(NumberedInvalidation { seq: floor, origin: NO_ORIGIN, invalidation: purge });
            numbered.sort_by_key(|numbered| numbered.seq);
        }
        numbered
    }

    pub(super) fn read_invalidations(&mut self) -> Result<(), StorageError> {
        let Some(store) = &self.store else { return Ok(()) };
        let numbered = store.invalidation_delta(self.known_sequence)?.invalidations;
        if let Some(last) = numbered.last() {
            self.known_sequence = last.seq;
            self.invalidation_replay.apply(&numbered, self.origin);
            if let Some(sequence_file) = &self.sequence_file {
                sequence_file.write_sequence(last.seq)?;
            }
        }
        Ok(())
    }
}

/// Logs how long a write took that no response waited for.
fn log_write_time(batch: &WriteBatch, took_ms: Duration) {
    if !batch.writes.is_empty() {
        let bytes: u64 = batch.writes.iter().map(|pending| pending.entry.weight()).sum();
        tracing::debug!(
            target: "greenroom::timing",
            items = batch.writes.len(),
            bytes,
            write_ms = millis(took_ms),
            "written behind"
        );
    }
}
