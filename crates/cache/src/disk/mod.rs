//! The disk tier: what is kept outlives the process, and nobody waits for it to be written.
//!
//! | room | is |
//! |---|---|
//! | `store` | one SQLite file, and all that is read from it and written to it; `sight`, how a key is looked up; `batch` and `commit`, what is written at a time, and how |
//! | `settings`, `stats`, `shared` | its bounds, what it counts, what its threads share |
//! | `layout` | its tables, and how a file is known to be ours |
//! | `row` | how an entry becomes a row and comes back |
//! | `sweep` | making room, in small steps |
//! | `bodies` | large bodies, a file each |
//! | `extent` | how much it holds, and how it shrinks |
//! | `parcel` | how a value is packed: compression, tags, checksum |
//! | `markers` | the markers in it: placed, folded, swept |
//! | `memos` | what is remembered of keys beside values |
//! | `spelling` | how a scope is written down |
//! | `ledger` | how markers on disk meet those in memory |
//! | `queue` | what waits to be written: newest wins, readable, bounded |
//! | `rewrite` | whether a value is written now, or the copy on disk will do for a while |
//! | `orders` | invalidations and removals in it: coalesced, none lost |
//! | `writer` | the one thread that writes and sweeps |
//! | `readers` | the threads that read |
//! | `health` | which services are off, and when they are tried again |
//! | `renewal` | what the writer does when the store fails |
//! | `witness` | how a log that was lost is noticed |
//! | `trouble` | the ways storage fails, and what each means |
//! | `lock` | one owner per directory |
//! | `inspect` | looking at a store from outside |
//! | `place` | whether a directory is fit at all |
//!
//! **Two orders.** Within a process stamps order loads and invalidations. On disk, which outlives processes and their
//! clocks, markers have a sequence number, given by the database when they are committed, and every entry says which
//! marker was the newest that was known when its load began (`seen`). An entry is invalid if a marker reaches it that
//! is newer than that. Clocks have no say in it.

pub(crate) mod batch;
mod bodies;
mod commit;
mod extent;
mod health;
pub mod inspect;
mod layout;
pub(crate) mod ledger;
pub mod lock;
mod markers;
mod memos;
mod orders;
mod parcel;
mod place;
mod queue;
mod readers;
mod renewal;
pub(crate) mod rewrite;
pub(crate) mod row;
mod settings;
mod shared;
pub(crate) mod sight;
mod spelling;
mod stats;
pub(crate) mod store;
mod sweep;
#[cfg(test)]
mod tests;
pub mod trouble;
mod witness;
mod writer;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use self::place::network_file_system;
pub use self::settings::DiskSettings;
pub use self::stats::DiskStats;

use self::batch::Offer;
use self::ledger::{Ledger, Seen};
use self::queue::Progress;
use self::readers::Readers;
use self::rewrite::Candidate;
use self::row::Found;
use self::shared::Shared;
use self::trouble::Trouble;
use crate::clock::{Clock, millis};
use crate::key::Key;
use crate::leaving::Bell;
use crate::memo::Memo;
use crate::memory::Memory;
use crate::older_copy::OlderCopy;
use crate::scope::{Invalidation, Mode, Scope, Settle};
use crate::stamp::{Moment, Stamp};
use crate::stored_marker::Mark;
use crate::value::Entry;

/// How long a reader waits for the disk while the source cannot be asked: it is that or no answer.
const LAST_RESORT_TIMEOUT: Duration = Duration::from_secs(2);

/// The disk tier.
#[derive(Debug)]
pub(crate) struct Disk {
    shared: Arc<Shared>,
    readers: Readers,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Bell for Shared {
    /// Wakes the writer: an answer has left.
    fn ring(&self) {
        self.queue.ring();
    }
}

/// What a look found.
pub(crate) enum Look {
    /// It waits to be written.
    Queued(Arc<Entry>),
    /// It lies in the store.
    Stored(Box<Found>),
    /// Nothing, or nothing in time.
    Nothing,
}

impl Disk {
    /// Opens the tier and starts its threads. A damaged store is set aside and a new one begun; one that cannot be
    /// opened now is tried again.
    ///
    /// # Errors
    /// One line that says why there can be no store here and what to do.
    pub(crate) fn open(
        settings: DiskSettings,
        clock: Clock,
        ledger: Ledger,
        memory: Arc<Memory>,
    ) -> Result<Self, String> {
        if let Some(kind) = place::network_file_system(&settings.dir) {
            return Err(format!(
                "{} lies on a network file system ({kind}), where locks do not hold; name a local directory",
                settings.dir.display()
            ));
        }
        let shared = Arc::new(Shared::new(settings, clock));
        let writer = writer::Writer::open(Arc::clone(&shared), ledger, memory)?;
        let readers = Readers::start(&shared)?;
        let writer = std::thread::Builder::new().name("greenroom-writer".into()).spawn(move || writer.run());
        let writer = writer.map_err(|error| format!("no thread to write with: {error}"))?;
        Ok(Self { shared, readers, writer: Mutex::new(Some(writer)) })
    }

    /// Looks a key up, for no longer than the read timeout; longer if there is nobody else to ask.
    pub(crate) async fn look(&self, key: &Key, is_last_resort: bool) -> Look {
        let shared = &self.shared;
        if let Some(entry) = shared.queue.find(key) {
            shared.counters.hits.fetch_add(1, Ordering::Relaxed);
            return Look::Queued(entry);
        }
        let now_ms = shared.clock.now_ms();
        let usual = shared.settings.read_timeout;
        let patience = if is_last_resort { usual.max(LAST_RESORT_TIMEOUT) } else { usual };
        let asked =
            if is_last_resort || shared.health.may_look(now_ms) { self.readers.ask(key) } else { None };
        let Some(answer) = asked else {
            shared.counters.slow.fetch_add(1, Ordering::Relaxed);
            return Look::Nothing;
        };
        if let Ok(answer) = tokio::time::timeout(patience, answer).await {
            shared.health.looked();
            let found = answer.ok().flatten();
            let counter = if found.is_some() { &shared.counters.hits } else { &shared.counters.misses };
            counter.fetch_add(1, Ordering::Relaxed);
            return found.map_or(Look::Nothing, Look::Stored);
        }
        shared.counters.slow.fetch_add(1, Ordering::Relaxed);
        if shared.health.was_slow(now_ms) {
            tracing::warn!(
                dir = %shared.settings.dir.display(),
                "reading from disk is slow: answers come from memory and the source until it is quick again"
            );
        }
        Look::Nothing
    }

    /// Takes an entry in, to be written later. Never waits.
    pub(crate) fn offer(&self, key: &Key, entry: &Arc<Entry>, seen: Seen, older: OlderCopy) {
        let candidate = Candidate::of(entry, older);
        let offer = Offer { key: key.clone(), entry: Arc::clone(entry), seen: seen.seq };
        self.shared.queue.offer_at(offer, seen.era, candidate, self.shared.clock.now_ms());
    }

    /// What an answer rings when it has left.
    pub(crate) fn bell(&self) -> Arc<dyn Bell> {
        Arc::<Shared>::clone(&self.shared)
    }

    /// Takes an invalidation in, to be written at once.
    pub(crate) fn mark(&self, scope: &Scope, now: Moment, how: &Invalidation) {
        let hold_until = crate::marks::hold_end_ms(now.ms, how).map(Stamp::end_of).unwrap_or_default();
        let settle_until = |settle: Settle| now.ms.saturating_add(millis(settle.lasting));
        self.shared.queue.mark(Mark {
            scope: spelling::spell(scope),
            purges: how.mode == Mode::Purge,
            stamp: now.stamp,
            hold_until,
            settle_until_ms: how.settle.map_or(0, settle_until),
            settle_fresh_ms: how.settle.map_or(0, |settle| millis(settle.max_fresh)),
        });
    }

    /// Takes in what is remembered of a key beside its value, if it is worth being written.
    pub(crate) fn remember(&self, key: &Key, memo: &Arc<Memo>) {
        if memos::is_worth_writing(memo) {
            self.shared.queue.remember(key, memo);
        }
    }

    /// Takes in that a key's value is gone.
    pub(crate) fn remove(&self, key: &Key, than: Stamp) {
        self.shared.queue.remove(key, than);
    }

    /// What is to be asked before a look, for [`Self::is_gone`] after it.
    pub(crate) fn forgotten(&self) -> u64 {
        self.shared.queue.forgotten()
    }

    /// Whether what a look found that began at `forgotten` is gone, though the store may not know yet.
    pub(crate) fn is_gone(&self, key: &Key, created: Stamp, forgotten: u64) -> bool {
        self.shared.queue.is_gone(key, created, forgotten)
    }

    /// Waits until everything that was taken in so far is written, or can never be. True if it was written, and within
    /// `limit`.
    pub(crate) async fn flushed(&self, limit: Duration) -> bool {
        let before = self.lost();
        let ticket = self.shared.queue.hurry();
        self.reached(|done| done.all >= ticket, limit).await && self.lost() == before
    }

    /// Entries that were not written, and markers.
    fn lost(&self) -> (u64, u64, u64) {
        let depth = self.shared.queue.depth();
        (self.shared.counters.failed.load(Ordering::Relaxed), depth.dropped, depth.marks_lost)
    }

    /// The same, but nothing is hurried for it.
    #[cfg(test)]
    pub(crate) async fn written(&self, limit: Duration) -> bool {
        let ticket = self.shared.queue.newest();
        self.reached(|done| done.all >= ticket, limit).await
    }

    async fn reached(&self, mut is_reached: impl FnMut(&Progress) -> bool, limit: Duration) -> bool {
        let mut done = self.shared.done.subscribe();
        let reached = done.wait_for(|done| is_reached(done));
        tokio::time::timeout(limit, reached).await.is_ok_and(|reached| reached.is_ok())
    }

    /// Waits until every invalidation so far is durable, or no longer than the settings say.
    pub(crate) async fn settled(&self) -> bool {
        if self.shared.health.writes_are_off() {
            // It will not be within that time.
            return false;
        }
        let ticket = self.shared.queue.newest();
        self.reached(|done| done.orders >= ticket, self.shared.settings.mark_timeout).await
    }

    /// What is wrong with the disk at this moment, if anything.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.shared.health.trouble()
    }

    /// Whether a service of the disk is off, now and whenever that turns.
    pub(crate) fn turns(&self) -> tokio::sync::watch::Receiver<bool> {
        self.shared.health.turns()
    }

    /// Ends without writing what is left.
    #[cfg(test)]
    pub(crate) async fn crash(&self) {
        self.shared.queue.abandon();
        drop(self.shared.done.subscribe().wait_for(|done| *done == Progress::END).await);
    }

    /// Writes what is left and ends the threads, within the settings' deadline. Gives how many entries were lost.
    pub(crate) async fn close(&self) -> u64 {
        self.shared.queue.close();
        let mut done = self.shared.done.subscribe();
        let ended = done.wait_for(|done| *done == Progress::END);
        let ended = tokio::time::timeout(self.shared.settings.drain_timeout, ended).await;
        let lost = self.shared.queue.give_up();
        if lost > 0 {
            tracing::warn!(
                dir = %self.shared.settings.dir.display(),
                markers = lost,
                "invalidations could not be written to disk before the end: what they cover may be used after a restart; \
                 clear the cache on disk if that matters"
            );
        }
        if ended.is_ok_and(|ended| ended.is_ok()) {
            let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(writer) = writer {
                drop(writer.join());
            }
        }
        self.readers.close();
        self.shared.queue.depth().offers
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.shared.queue.give_up();
        self.readers.close();
    }
}
