//! The disk tier: what is kept outlives the process, and nobody waits for it to be written.
//!
//! | room | is |
//! |---|---|
//! | `store` | one SQLite file, and all that is read from it and written to it |
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

mod bodies;
pub(crate) mod claims;
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
mod spelling;
pub(crate) mod store;
mod sweep;
#[cfg(test)]
mod tests;
pub mod trouble;
mod turn;
mod witness;
mod writer;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

pub use self::place::network_file_system;

use self::claims::Claims;
use self::health::Health;
use self::ledger::{Ledger, Seen};
use self::queue::{Progress, Queue};
use self::readers::Readers;
use self::row::Found;
use self::store::{Mark, Offer};
use self::trouble::{Failing, Trouble};
use crate::clock::{Clock, millis};
use crate::key::Key;
use crate::memo::Memo;
use crate::memory::Memory;
use crate::scope::{Invalidation, Mode, Scope, Settle};
use crate::stamp::{Moment, Stamp};
use crate::tally::Counter;
use crate::value::Entry;

const MIB: u64 = 1024 * 1024;
/// How long a reader waits for the disk while the source cannot be asked: it is that or no answer.
const LAST_RESORT_TIMEOUT: Duration = Duration::from_secs(2);
/// A claim may take so many times as long as a look: without it two load, which takes longer.
const CLAIM_PATIENCE: u32 = 5;
/// How often it is looked whether something is written by now, and from when on it is hurried.
const WRITTEN_POLL: Duration = Duration::from_millis(5);
const WRITTEN_SOON: Duration = Duration::from_millis(100);

/// The disk tier's bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskSettings {
    /// The directory of the store. Made if need be, for this user only.
    pub dir: PathBuf,
    /// Bytes the store may hold, in pages that are used and in files of their own; beyond, what was read longest ago
    /// makes room. Beside it lies the write-ahead log (see [`DiskSettings::max_wal_bytes`]), and free pages stay in
    /// the file until they are a quarter of it.
    pub max_bytes: u64,
    /// Longer bodies get a file of their own.
    pub file_above_bytes: usize,
    /// Bytes that may wait to be written; beyond, the oldest are dropped and counted.
    pub max_queued_bytes: u64,
    /// How long an entry waits for others to be written with; never longer than half of `shared_lag`.
    pub write_linger: Duration,
    /// How long a reader waits for the disk before it is a miss.
    pub read_timeout: Duration,
    /// Threads that read.
    pub readers: usize,
    /// Looks that wait for one of them.
    pub max_looks: usize,
    /// The write-ahead log is cut above this.
    pub max_wal_bytes: u64,
    /// How long an invalidation's call waits to be durable.
    pub mark_timeout: Duration,
    /// Within this time other processes on the same directory know of an invalidation.
    pub shared_lag: Duration,
    /// How long writing what is left may take at the end.
    pub drain_timeout: Duration,
}

impl DiskSettings {
    /// The defaults, for a store in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            max_bytes: 2048 * MIB,
            file_above_bytes: 64 * 1024,
            max_queued_bytes: 64 * MIB,
            write_linger: Duration::from_millis(20),
            read_timeout: Duration::from_millis(20),
            readers: 2,
            max_looks: 1024,
            max_wal_bytes: 16 * MIB,
            mark_timeout: Duration::from_millis(50),
            shared_lag: Duration::from_millis(20),
            drain_timeout: Duration::from_secs(5),
        }
    }
}

/// What is counted. All of it only grows, but for what waits and what is held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskStats {
    /// Looks that found something.
    pub hits: u64,
    /// Looks that found nothing.
    pub misses: u64,
    /// Looks that took too long, found no free reader, or were not tried because reads are off.
    pub slow: u64,
    /// Rows that were not what was written.
    pub torn: u64,
    /// Entries written.
    pub written: u64,
    /// Entries that could not be written.
    pub failed: u64,
    /// Entries dropped because too much waited to be written.
    pub dropped: u64,
    /// Invalidations and removals that could not be made durable: what they cover may come back.
    pub marks_lost: u64,
    /// Times a damaged file was set aside.
    pub set_aside: u64,
    /// Entries that wait to be written, and their bytes.
    pub queued: u64,
    /// See [`DiskStats::queued`].
    pub queued_bytes: u64,
    /// Bytes the store holds, and may hold.
    pub bytes: u64,
    /// Bytes that may be kept.
    pub max_bytes: u64,
    /// Loads that waited for another process, which loaded the same key.
    pub waits: u64,
    /// Loads that were spared because another process had made them.
    pub adopted: u64,
    /// Waits for another process that took too long: then this one loaded as well.
    pub overdue: u64,
    /// Loads made without asking other processes: there were too many at once, or the disk did not answer.
    pub unclaimed: u64,
    /// Whether another process has the store open.
    pub has_company: bool,
    /// What is off at the moment, if anything.
    pub reads_off: bool,
    /// See [`DiskStats::reads_off`].
    pub writes_off: bool,
}

/// Counters shared by the threads.
#[derive(Debug, Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    slow: AtomicU64,
    torn: AtomicU64,
    written: AtomicU64,
    failed: AtomicU64,
    set_aside: AtomicU64,
    bytes: AtomicU64,
}

/// What loading beside other processes comes to.
#[derive(Debug, Default)]
pub(crate) struct Sharing {
    pub(crate) waits: Counter,
    pub(crate) adopted: Counter,
    pub(crate) overdue: Counter,
    pub(crate) unclaimed: Counter,
}

/// What all threads of the tier share.
#[derive(Debug)]
struct Shared {
    settings: DiskSettings,
    clock: Clock,
    queue: Queue,
    health: Health,
    counters: Counters,
    /// Grows when the file was replaced: whoever reads opens it anew.
    generation: AtomicU64,
    /// The writer has the file open and told all its markers: only then may anybody read it.
    is_open: AtomicBool,
    /// Somebody found the file damaged; the writer sees to it.
    alarm: Mutex<Option<Failing>>,
    /// What the writer has committed: grows before it leaves the queue.
    commits: AtomicU64,
    /// Readers end their reads at once while the log is being cut.
    cutting: AtomicBool,
    /// Another process has the store open.
    has_company: AtomicBool,
    /// Everything up to this ticket is written, or never will be.
    done: watch::Sender<Progress>,
}

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

    /// The figures at this moment.
    pub(crate) fn stats(&self) -> DiskStats {
        let shared = &self.shared;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (counters, depth) = (&shared.counters, shared.queue.depth());
        DiskStats {
            hits: read(&counters.hits),
            misses: read(&counters.misses),
            slow: read(&counters.slow),
            torn: read(&counters.torn),
            written: read(&counters.written),
            failed: read(&counters.failed),
            dropped: depth.dropped,
            marks_lost: depth.marks_lost,
            set_aside: read(&counters.set_aside),
            queued: depth.offers,
            queued_bytes: depth.bytes,
            bytes: read(&counters.bytes),
            max_bytes: shared.settings.max_bytes,
            waits: self.sharing.waits.get(),
            adopted: self.sharing.adopted.get(),
            overdue: self.sharing.overdue.get(),
            unclaimed: self.sharing.unclaimed.get(),
            has_company: self.has_company(),
            reads_off: shared.health.reads_are_off(),
            writes_off: shared.health.writes_are_off(),
        }
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

impl Shared {
    fn new(settings: DiskSettings, clock: Clock) -> Self {
        Self {
            queue: Queue::new(settings.max_queued_bytes),
            clock,
            health: Health::default(),
            counters: Counters::default(),
            generation: AtomicU64::new(0),
            is_open: AtomicBool::new(false),
            alarm: Mutex::default(),
            commits: AtomicU64::new(0),
            cutting: AtomicBool::new(false),
            has_company: AtomicBool::new(false),
            done: watch::Sender::default(),
            settings,
        }
    }

    /// Somebody found the file of that generation in trouble. Of one that was replaced since it is no news.
    fn raise(&self, failing: Failing, generation: u64) {
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_open.load(Ordering::Acquire) && generation == self.generation.load(Ordering::Acquire) {
            *alarm = Some(failing);
            drop(alarm);
            self.queue.ring();
        }
    }

    /// What was raised, unless it is about a file that was replaced meanwhile.
    fn take_alarm(&self) -> Option<Failing> {
        self.alarm.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
