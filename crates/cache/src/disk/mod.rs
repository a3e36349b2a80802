//! The disk tier: what is kept outlives the process, and nobody waits for it to be written.
//!
//! | room | is |
//! |---|---|
//! | `store` | one SQLite file, and all that is read from it and written to it; `sight`, how a key is looked up; `batch` and `commit`, what is written at a time, and how |
//! | `settings`, `stats`, `shared` | its bounds, what it counts, what its threads share |
//! | `layout` | its tables, and how a file is known to be ours |
//! | `row` | how an entry becomes a row and comes back |
//! | `sweep` | making room, in small steps |
//! | `turn` | whose turn it is to open it |
//! | `bodies` | large bodies, a file each |
//! | `extent` | how much it holds, and how it shrinks |
//! | `parcel` | how a value is packed: compression, tags, checksum |
//! | `markers` | the markers in it: placed, folded, swept |
//! | `memos` | what is remembered of keys beside values |
//! | `spelling` | how a scope is written down |
//! | `ledger` | how markers on disk meet those in memory |
//! | `queue` | what waits to be written: newest wins, readable, bounded |
//! | `orders` | invalidations and removals in it: coalesced, none lost |
//! | `writer` | the one thread that writes, sweeps, and hears what other processes invalidated |
//! | `readers` | the threads that read |
//! | `health` | which services are off, and when they are tried again |
//! | `renewal` | what the writer does when the store fails |
//! | `witness` | how a log that was lost is noticed |
//! | `trouble` | the ways storage fails, and what each means |
//! | `presence` | who else has the store open |
//! | `claims` | who loads a key, among all who have |
//! | `inspect` | looking at a store from outside |
//! | `place` | whether a directory is fit at all |
//! | `gauge` | for measuring: what a reading thread does |
//!
//! **Two orders.** Within a process stamps order loads and invalidations. On disk, where several processes write,
//! markers have a sequence number, given by the database when they are committed, and every entry says which
//! marker was the newest its process knew when its load began (`seen`). An entry is invalid if a marker reaches it
//! that is newer than that. Clocks have no say in it.

pub(crate) mod batch;
mod bodies;
pub(crate) mod claims;
mod commit;
mod extent;
#[doc(hidden)]
pub mod gauge;
mod health;
pub mod inspect;
mod layout;
pub(crate) mod ledger;
mod markers;
mod memos;
mod orders;
mod parcel;
mod place;
mod presence;
mod queue;
mod readers;
mod renewal;
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
mod turn;
mod witness;
mod writer;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use self::place::network_file_system;
pub use self::settings::DiskSettings;
pub use self::stats::DiskStats;

use self::batch::{Mark, Offer};
use self::claims::Claims;
use self::ledger::{Ledger, Seen};
use self::queue::Progress;
use self::readers::Readers;
use self::row::Found;
use self::shared::Shared;
use self::stats::Sharing;
use self::trouble::Trouble;
use crate::clock::{Clock, millis};
use crate::key::Key;
use crate::memo::Memo;
use crate::memory::Memory;
use crate::scope::{Invalidation, Mode, Scope, Settle};
use crate::stamp::{Moment, Stamp};
use crate::value::Entry;

/// How long a reader waits for the disk while the source cannot be asked: it is that or no answer.
const LAST_RESORT_TIMEOUT: Duration = Duration::from_secs(2);
/// A claim may take so many times as long as a look: without it two load, which takes longer.
const CLAIM_PATIENCE: u32 = 5;
/// How often it is looked whether something is written by now, and from when on it is hurried.
const WRITTEN_POLL: Duration = Duration::from_millis(5);
const WRITTEN_SOON: Duration = Duration::from_millis(100);

/// The disk tier.
#[derive(Debug)]
pub(crate) struct Disk {
    shared: Arc<Shared>,
    readers: Readers,
    claims: Claims,
    sharing: Sharing,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Which state of the store a look is to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Snapshot {
    /// That of looks just before it, or a later one.
    Any,
    /// The one at the moment it is asked for.
    Now,
}

/// Wakes the writer when an answer has left.
#[derive(Debug, Clone)]
pub(crate) struct Bell(Arc<Shared>);

impl Bell {
    pub(crate) fn ring(&self) {
        self.0.queue.ring();
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
        let writer = writer::Writer::open(Arc::clone(&shared), ledger, memory);
        let readers = Readers::start(&shared)?;
        let claims = Claims::start(&shared.settings.dir, shared.settings.read_timeout * CLAIM_PATIENCE)?;
        let writer = std::thread::Builder::new().name("greenroom-writer".into()).spawn(move || writer.run());
        let writer = writer.map_err(|error| format!("no thread to write with: {error}"))?;
        let sharing = Sharing::default();
        Ok(Self { shared, readers, claims, sharing, writer: Mutex::new(Some(writer)) })
    }

    /// Looks a key up, for no longer than the read timeout; longer if there is nobody else to ask.
    pub(crate) async fn look(&self, key: &Key, snapshot: Snapshot, is_last_resort: bool) -> Look {
        let shared = &self.shared;
        if let Some(entry) = shared.queue.find(key) {
            shared.counters.hits.fetch_add(1, Ordering::Relaxed);
            return Look::Queued(entry);
        }
        let now_ms = shared.clock.now_ms();
        let usual = shared.settings.read_timeout;
        let patience = if is_last_resort { usual.max(LAST_RESORT_TIMEOUT) } else { usual };
        let asked = if is_last_resort || shared.health.may_look(now_ms) {
            self.readers.ask(key, snapshot)
        } else {
            None
        };
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
    pub(crate) fn offer(&self, key: &Key, entry: &Arc<Entry>, seen: Seen) {
        let offer = Offer { key: key.clone(), entry: Arc::clone(entry), seen: seen.seq };
        self.shared.queue.offer(offer, seen.era);
    }

    /// What an answer rings when it has left.
    pub(crate) fn bell(&self) -> Bell {
        Bell(Arc::clone(&self.shared))
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

    /// Waits until what a load brought under a key can be read by other processes. They may be waiting for it, so it
    /// is hurried if it takes long: because its own answers are read slowly, say.
    pub(crate) async fn stored(&self, key: &Key, created: Stamp, limit: Duration) {
        let unhurried = async {
            while self.shared.queue.holds(key, created) {
                tokio::time::sleep(WRITTEN_POLL).await;
            }
        };
        if tokio::time::timeout(WRITTEN_SOON, unhurried).await.is_err() {
            self.flushed(limit).await;
        }
    }

    async fn reached(&self, mut is_reached: impl FnMut(&Progress) -> bool, limit: Duration) -> bool {
        let mut done = self.shared.done.subscribe();
        let reached = done.wait_for(|done| is_reached(done));
        tokio::time::timeout(limit, reached).await.is_ok_and(|reached| reached.is_ok())
    }

    /// Whether another process has the store open.
    pub(crate) fn has_company(&self) -> bool {
        self.shared.has_company.load(Ordering::Relaxed)
    }

    /// Whether there is anybody to share loads with, and a disk that is quick enough for it.
    pub(crate) fn may_share(&self) -> bool {
        self.has_company() && !self.shared.health.reads_are_off()
    }

    /// Who loads a key, among all processes.
    pub(crate) fn claims(&self) -> &Claims {
        &self.claims
    }

    /// What loading beside other processes comes to.
    pub(crate) fn sharing(&self) -> &Sharing {
        &self.sharing
    }

    /// Waits until every invalidation so far is durable, or no longer than the settings say; and until other processes
    /// on the directory know of it.
    pub(crate) async fn settled(&self) -> bool {
        if self.shared.health.writes_are_off() {
            // It will not be within that time.
            return false;
        }
        let ticket = self.shared.queue.newest();
        let is_durable = self.reached(|done| done.orders >= ticket, self.shared.settings.mark_timeout).await;
        if self.has_company() {
            tokio::time::sleep(self.shared.settings.shared_lag).await;
        }
        is_durable
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
        self.claims.close();
        self.shared.queue.depth().offers
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.shared.queue.give_up();
        self.readers.close();
    }
}
