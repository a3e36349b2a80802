//! The disk tier: entries outlive the process, and no request waits for an entry to be written.
//!
//! | module | content |
//! |---|---|
//! | `store` | the SQLite file and everything read from and written to it |
//! | `lookup`, `write_batch`, `commit` | looking up a key; what one transaction writes, and how |
//! | `settings`, `stats`, `shared` | limits, counters, state shared by the threads |
//! | `schema` | tables, and how a file is recognised as ours |
//! | `row` | encoding an entry as a row and back |
//! | `eviction` | making room, in small steps |
//! | `blobs` | large bodies, one file each |
//! | `disk_usage` | bytes in use, and shrinking the file |
//! | `codec` | encoding of a value: compression, tags, checksum |
//! | `invalidation_log` | stored invalidations: append, fold, sweep |
//! | `negative` | negative entries in the store |
//! | `scope_codec` | encoding of a scope as text |
//! | `invalidation_replay` | applying stored invalidations to the index in memory |
//! | `queue` | pending writes: per key the newest wins; readable while they wait; bounded |
//! | `rewrite` | whether a value is written now, or the copy on disk is good enough for a while |
//! | `invalidation_queue` | pending invalidations and removals: coalesced, none lost |
//! | `writer` | the one thread that writes and sweeps |
//! | `readers` | the threads that read |
//! | `health` | whether reads or writes are off, and when they are retried |
//! | `recovery` | how the writer handles a failing store |
//! | `sequence_file` | detecting that the write-ahead log was lost |
//! | `error` | kinds of storage failure, and what each means |
//! | `lock` | one owner per directory |
//! | `inspect` | inspecting a store from outside |
//! | `filesystem` | detecting network file systems, on which there can be no store |
//!
//! **Two orders.** Within a process, timestamps order loads and invalidations. On disk, which outlives processes and
//! their clocks, invalidations have a sequence number, assigned by the database at commit. Every entry records the
//! newest number known when its load began (column `seen`). An entry is invalid if an invalidation with a higher number
//! covers it. Clocks play no part in this.

mod blobs;
pub(crate) mod codec;
mod commit;
mod disk_usage;
pub mod error;
mod eviction;
mod filesystem;
mod health;
pub mod inspect;
mod invalidation_log;
mod invalidation_queue;
pub(crate) mod invalidation_replay;
pub mod lock;
pub(crate) mod lookup;
mod negative;
mod queue;
mod readers;
mod recovery;
pub(crate) mod rewrite;
pub(crate) mod row;
mod schema;
pub(crate) mod scope_codec;
mod sequence_file;
mod settings;
mod shared;
mod stats;
pub(crate) mod store;
#[cfg(test)]
mod tests;
pub(crate) mod write_batch;
mod writer;

use crate::timestamp::Timestamp;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use self::filesystem::network_file_system;
pub use self::settings::DiskSettings;
pub use self::stats::DiskStats;

use self::error::StorageErrorKind;
use self::invalidation_replay::{InvalidationReplay, KnownSequence};
use self::queue::WriteProgress;
use self::readers::ReaderPool;
use self::rewrite::WriteCandidate;
use self::row::StoredEntry;
use self::shared::DiskSharedState;
use self::write_batch::PendingWrite;
use crate::clock::Clock;
use crate::delivery_guard::DeliveryObserver;
use crate::hybrid_timestamp::{EventTime, HybridTimestamp};
use crate::key::Key;
use crate::memory_tier::MemoryTier;
use crate::negative::NegativeEntry;
use crate::older_copy::OlderCopy;
use crate::scope::{GracePeriod, Invalidation, InvalidationMode, Scope};
use crate::stored_invalidation::PendingInvalidation;
use crate::value::Entry;

/// Max wait for the disk while the source cannot be asked: without the disk there is no response at all.
const LAST_RESORT_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Disk {
    shared: Arc<DiskSharedState>,
    readers: ReaderPool,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl DeliveryObserver for DiskSharedState {
    /// Wakes the writer, because the last response that held a write back was delivered.
    fn notify_delivered(&self) {
        self.queue.notify_writer();
    }
}

/// Result of a lookup.
pub(crate) enum DiskLookup {
    /// Waiting to be written.
    Queued(Arc<Entry>),
    /// Found in the store.
    Stored(Box<StoredEntry>),
    /// Not found, or not found in time.
    Miss,
}

impl Disk {
    /// Opens the tier and starts its threads. A damaged store is set aside and a new one created; one that cannot be
    /// opened now is retried later.
    ///
    /// # Errors
    /// One line that says why there can be no store here and what to do.
    pub(crate) fn open(
        settings: DiskSettings,
        clock: Clock,
        invalidation_replay: InvalidationReplay,
        memory: Arc<MemoryTier>,
    ) -> Result<Self, String> {
        if let Some(kind) = filesystem::network_file_system(&settings.dir) {
            return Err(format!(
                "{} is on a network file system ({kind}), where locks do not hold; set disk.dir to a local directory",
                settings.dir.display()
            ));
        }
        let shared = Arc::new(DiskSharedState::new(settings, clock));
        let writer = writer::Writer::open(Arc::clone(&shared), invalidation_replay, memory)?;
        let readers = ReaderPool::start(&shared)?;
        let writer = std::thread::Builder::new().name("greenroom-writer".into()).spawn(move || writer.run());
        let writer = writer.map_err(|error| format!("the disk writer thread could not be started: {error}"))?;
        Ok(Self { shared, readers, writer: Mutex::new(Some(writer)) })
    }

    /// Looks up a key within the read timeout; with `is_last_resort`, because the source cannot be asked, it may take
    /// longer.
    pub(crate) async fn lookup(&self, key: &Key, is_last_resort: bool) -> DiskLookup {
        let shared = &self.shared;
        if let Some(entry) = shared.queue.find(key) {
            shared.counters.hits.fetch_add(1, Ordering::Relaxed);
            return DiskLookup::Queued(entry);
        }
        let now_ms = shared.clock.now();
        let read_timeout = shared.settings.read_timeout;
        let timeout = if is_last_resort { read_timeout.max(LAST_RESORT_TIMEOUT) } else { read_timeout };
        let pending = if is_last_resort || shared.health.may_read(now_ms) { self.readers.request(key) } else { None };
        let Some(receiver) = pending else {
            shared.counters.slow.fetch_add(1, Ordering::Relaxed);
            return DiskLookup::Miss;
        };
        if let Ok(result) = tokio::time::timeout(timeout, receiver).await {
            shared.health.record_read();
            let found = result.ok().flatten();
            let counter = if found.is_some() { &shared.counters.hits } else { &shared.counters.misses };
            counter.fetch_add(1, Ordering::Relaxed);
            return found.map_or(DiskLookup::Miss, DiskLookup::Stored);
        }
        shared.counters.slow.fetch_add(1, Ordering::Relaxed);
        if shared.health.record_slow_read(now_ms) {
            tracing::warn!(
                dir = %shared.settings.dir.display(),
                "disk reads are slow; responses come from memory and the media server until they are fast again"
            );
        }
        DiskLookup::Miss
    }

    /// Queues an entry for writing. Never waits.
    pub(crate) fn enqueue_write(&self, key: &Key, entry: &Arc<Entry>, known: KnownSequence, older: OlderCopy) {
        let candidate = WriteCandidate::new(entry, older);
        let pending = PendingWrite { key: key.clone(), entry: Arc::clone(entry), known_sequence: known.seq };
        self.shared.queue.push(pending, known.era, candidate, self.shared.clock.now());
    }

    /// The observer that responses notify once they are delivered.
    pub(crate) fn delivery_observer(&self) -> Arc<dyn DeliveryObserver> {
        Arc::<DiskSharedState>::clone(&self.shared)
    }

    /// Queues an invalidation, to be written without delay.
    pub(crate) fn enqueue_invalidation(&self, scope: &Scope, now: EventTime, invalidation: &Invalidation) {
        let hold_until =
            crate::scope_state::hold_end_ms(now.at, invalidation).map(HybridTimestamp::end_of).unwrap_or_default();
        let grace_until = |grace_period: GracePeriod| now.at.saturating_add(grace_period.duration);
        self.shared.queue.push_invalidation(PendingInvalidation {
            scope: scope_codec::encode(scope),
            purges: invalidation.mode == InvalidationMode::Purge,
            stamp: now.stamp,
            hold_until,
            grace_until_ms: invalidation.grace_period.map_or(Timestamp::UNIX_EPOCH, grace_until),
            grace_fresh_ms: invalidation.grace_period.map_or(Duration::ZERO, |grace_period| grace_period.max_fresh),
        });
    }

    /// Queues a negative entry, if it is worth writing.
    pub(crate) fn enqueue_negative(&self, key: &Key, negative: &Arc<NegativeEntry>) {
        if negative::is_worth_writing(negative) {
            self.shared.queue.push_negative(key, negative);
        }
    }

    /// Queues the removal of a key's value, unless that comes from a load after `not_after`.
    pub(crate) fn enqueue_removal(&self, key: &Key, not_after: HybridTimestamp) {
        self.shared.queue.push_removal(key, not_after);
    }

    /// Current removal epoch. Read it before a lookup and pass it to [`Self::is_removed`] after it.
    pub(crate) fn removal_epoch(&self) -> u64 {
        self.shared.queue.removal_epoch()
    }

    /// Whether an entry of the load `created`, found by a lookup that began at epoch `epoch`, is removed, even if
    /// the store does not show it yet.
    pub(crate) fn is_removed(&self, key: &Key, created: HybridTimestamp, epoch: u64) -> bool {
        self.shared.queue.is_removed(key, created, epoch)
    }

    /// Waits until everything queued so far is written or lost. True if all of it was written within `limit`.
    pub(crate) async fn flush(&self, limit: Duration) -> bool {
        let before = self.lost();
        let ticket = self.shared.queue.flush_ticket();
        self.wait_progress(|done| done.all >= ticket, limit).await && self.lost() == before
    }

    /// Numbers of entries that failed, entries that were dropped, and invalidations that were lost.
    fn lost(&self) -> (u64, u64, u64) {
        let depth = self.shared.queue.depth();
        (self.shared.counters.failed.load(Ordering::Relaxed), depth.dropped, depth.invalidations_lost)
    }

    /// Like [`Self::flush`], but does not hurry pending writes.
    #[cfg(test)]
    pub(crate) async fn written(&self, limit: Duration) -> bool {
        let ticket = self.shared.queue.newest();
        self.wait_progress(|done| done.all >= ticket, limit).await
    }

    async fn wait_progress(&self, mut is_reached: impl FnMut(&WriteProgress) -> bool, limit: Duration) -> bool {
        let mut done = self.shared.done.subscribe();
        let wait = done.wait_for(|done| is_reached(done));
        tokio::time::timeout(limit, wait).await.is_ok_and(|wait| wait.is_ok())
    }

    /// Waits until every invalidation so far is durable, at most for the configured timeout. True if it is.
    pub(crate) async fn flush_invalidations(&self) -> bool {
        if self.shared.health.writes_are_off() {
            // Writes are off, so it will not be durable in time.
            return false;
        }
        let ticket = self.shared.queue.newest();
        self.wait_progress(|done| done.invalidations >= ticket, self.shared.settings.invalidation_timeout).await
    }

    /// The current disk error, if any.
    pub(crate) fn error_kind(&self) -> Option<StorageErrorKind> {
        self.shared.health.error_kind()
    }

    /// A watch on whether disk reads or writes are off.
    pub(crate) fn subscribe_health(&self) -> tokio::sync::watch::Receiver<bool> {
        self.shared.health.subscribe()
    }

    /// Ends without writing what is queued.
    #[cfg(test)]
    pub(crate) async fn crash(&self) {
        self.shared.queue.abandon();
        // An error means that it ended.
        let _ = self.shared.done.subscribe().wait_for(|done| *done == WriteProgress::END).await;
    }

    /// Writes what is queued and ends the threads, within the configured deadline. Returns the number of entries that
    /// were not written.
    pub(crate) async fn close(&self) -> u64 {
        self.shared.queue.close();
        let mut done = self.shared.done.subscribe();
        let wait = done.wait_for(|done| *done == WriteProgress::END);
        let wait = tokio::time::timeout(self.shared.settings.drain_timeout, wait).await;
        let lost = self.shared.queue.give_up();
        if lost > 0 {
            tracing::warn!(
                dir = %self.shared.settings.dir.display(),
                markers = lost,
                "some invalidations were not written to disk before shutdown: entries they cover may be served after \
                 a restart; clear the disk cache if that matters"
            );
        }
        if wait.is_ok_and(|wait| wait.is_ok()) {
            let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(writer) = writer {
                let _ = writer.join(); // A panic was reported where it happened.
            }
        }
        self.readers.close();
        self.shared.queue.depth().writes
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.shared.queue.give_up();
        self.readers.close();
    }
}
