//! The one thread that writes. It also sweeps, cuts the log, and sees to damage: a file that is not ours or not whole
//! is set aside, and a new one begun. It sleeps until there is something to write, or to sweep.

mod maintenance;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use self::maintenance::USES_EVERY_MS;
use super::Shared;
use super::batch::{Batch, News};
use super::ledger::Ledger;
use super::lock::{DirectoryLock, LockError};
use super::queue::{Delivery, Progress};
use super::renewal;
use super::store::Store;
use super::trouble::{Failing, Trouble};
use super::witness::Witness;
use crate::key::Key;
use crate::memory::Memory;
use crate::stored_marker::{Mark, Placed};

/// The origin of a marker that stands for some that were swept.
const NOBODY: i64 = 0;
/// Pauses before what could not be written is tried again: because somebody else writes, or for another reason.
const LOCKED_PAUSE: Duration = Duration::from_millis(20);
const FAILING_PAUSE: Duration = Duration::from_millis(500);

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It is written, or never will be.
    Done,
    /// Its markers, and its offers too or not, are to be tried again.
    Again { with_offers: bool },
}

/// What a store that is opened is to the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kinship {
    /// There was none, and nothing was loaded yet.
    First,
    /// There was none, but the cache has been at work already.
    Late,
    /// It is the same.
    Same,
    /// It is another, or an older state of the same.
    Other,
}

/// The writer.
pub(crate) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) ledger: Ledger,
    pub(super) store: Option<Store>,
    pub(super) witness: Option<Witness>,
    memory: Arc<Memory>,
    /// What was read from memory, and is yet to be noted in the store; and when to ask for more.
    uses: Vec<Key>,
    uses_at_ms: u64,
    /// Markers of ours that are committed, while their numbers are not known yet.
    committed: Vec<Mark>,
    /// Which process this is, among all that ever wrote here.
    pub(super) origin: i64,
    /// The store that was opened last, and up to which of its markers all are known.
    seed: Option<u64>,
    known: u64,
    sweep_at_ms: u64,
    /// When the log may be cut again.
    cut_at_ms: u64,
    /// When to see whether the file is in its place.
    look_at_ms: u64,
    /// When the file may be set aside again.
    pub(super) renew_at_ms: u64,
    /// Keeps other processes from the directory.
    pub(super) lock: Option<DirectoryLock>,
    /// The next of 256 folders to look for files that no row names.
    folder: u8,
}

impl Writer {
    /// Opens the store, if that is possible now; one that is damaged is set aside first. What was invalidated before
    /// is told.
    ///
    /// # Errors
    /// If another process uses the directory.
    pub(crate) fn open(shared: Arc<Shared>, ledger: Ledger, memory: Arc<Memory>) -> Result<Self, String> {
        let mut writer = Self {
            origin: (i64::from(std::process::id()) << 32)
                ^ shared.clock.now_ms().cast_signed()
                ^ RandomState::new().hash_one(0).cast_signed(),
            uses: Vec::new(),
            committed: Vec::new(),
            uses_at_ms: shared.clock.now_ms() + USES_EVERY_MS,
            store: None,
            witness: None,
            seed: None,
            known: 0,
            sweep_at_ms: 0,
            cut_at_ms: 0,
            look_at_ms: 0,
            renew_at_ms: 0,
            folder: 0,
            lock: None,
            shared,
            ledger,
            memory,
        };
        if let Err(LockError::Held(holder)) = writer.own() {
            return Err(format!("{} is in use by {holder}", writer.shared.settings.dir.display()));
        }
        writer.start();
        Ok(writer)
    }

    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        loop {
            let settings = &self.shared.settings;
            let delivery =
                self.shared.queue.next(settings.write_linger, self.until_due(), &self.shared.clock);
            let (is_last, reach) = (delivery.is_last, delivery.reach);
            let outcome = self.deliver(delivery);
            self.hear();
            self.look_after();
            match outcome {
                Outcome::Done => self.tell(reach),
                Outcome::Again { .. } if self.shared.queue.is_given_up() => break,
                Outcome::Again { with_offers: true } => std::thread::park_timeout(LOCKED_PAUSE),
                Outcome::Again { with_offers: false } => std::thread::park_timeout(FAILING_PAUSE),
            }
            if is_last && outcome == Outcome::Done {
                break;
            }
            self.tidy();
        }
        if let Some(store) = &self.store {
            drop(store.truncate_wal());
        }
        self.store = None;
        self.lock = None;
        self.shared.done.send_replace(Progress::END);
    }

    /// Whether this process had a store open before.
    pub(super) fn had_one(&self) -> bool {
        self.seed.is_some()
    }

    pub(super) fn begin(&mut self, is_start: bool) -> Result<(), Failing> {
        let settings = &self.shared.settings;
        let store = Store::open(&settings.dir, settings.file_above_bytes)?;
        let witness = Witness::open(&settings.dir, store.seed())?;
        let saw = witness.saw();
        let (placed, newest) = store.all_marks()?;
        let newest_stamp = store.newest_stamp()?;
        let kinship = match self.seed {
            None if is_start => Kinship::First,
            None => Kinship::Late,
            Some(seed) if seed == store.seed() && newest >= self.known => Kinship::Same,
            Some(_) => Kinship::Other,
        };
        match kinship {
            Kinship::First | Kinship::Other => {
                self.ledger.begin(&placed, newest, newest_stamp, self.origin, is_start);
            }
            Kinship::Late | Kinship::Same => {
                let news = self.with_swept(store.news_after(self.known)?);
                self.ledger.resume(&news, newest, newest_stamp, self.origin);
            }
        }
        if is_start {
            self.ledger.remember(store.memos(self.shared.clock.now_ms())?);
        }
        self.shared.counters.bytes.store(store.bytes()?, Ordering::Relaxed);
        let is_short = saw > newest;
        (self.known, self.seed) = (newest, Some(store.seed()));
        (self.store, self.witness) = (Some(store), Some(witness));
        match kinship {
            _ if is_short => self.distrust("its log is damaged, and invalidations are lost with it"),
            Kinship::Other => self.distrust("it came in place of another"),
            _ => Ok(()),
        }
    }

    /// Writes what came.
    fn deliver(&mut self, mut delivery: Delivery) -> Outcome {
        let now_ms = self.shared.clock.now_ms();
        let era = self.ledger.known.era();
        if let Some(failing) = self.shared.take_alarm() {
            self.failed(&failing, now_ms);
        }
        if era != self.ledger.known.era() {
            // Which markers they knew was said in the numbers of the store before.
            let lost = std::mem::take(&mut delivery.batch.offers).len() as u64;
            self.shared.counters.failed.fetch_add(lost, Ordering::Relaxed);
        }
        if delivery.batch.is_empty() {
            return Outcome::Done;
        }
        let outcome = self.write(&mut delivery.batch, now_ms);
        match outcome {
            Outcome::Done => {
                self.shared.commits.fetch_add(1, Ordering::Release);
                self.shared.queue.done(&delivery.batch);
                // Whoever clears wants the room.
                if delivery.batch.marks.iter().any(Mark::clears) {
                    self.sweep_at_ms = now_ms;
                }
                self.committed.append(&mut delivery.batch.marks);
            }
            Outcome::Again { with_offers } => self.shared.queue.put_back(delivery.batch, with_offers),
        }
        outcome
    }

    /// Tells who waits how far the work is done: after the numbers of new markers are known, so that what is loaded
    /// from then on knows them.
    fn tell(&self, reach: Progress) {
        self.shared.done.send_if_modified(|done| {
            let further = Progress { all: done.all.max(reach.all), orders: done.orders.max(reach.orders) };
            std::mem::replace(done, further) != further
        });
    }

    fn write(&mut self, batch: &mut Batch, now_ms: u64) -> Outcome {
        let began_us = self.shared.clock.now_us();
        let counters = &self.shared.counters;
        let mut lost = batch.offers.len() as u64;
        // Orders are always tried: it is they that must not be lost.
        let has_orders = !batch.marks.is_empty() || !batch.removals.is_empty();
        if !has_orders && !self.shared.health.may_write(now_ms) {
            counters.failed.fetch_add(lost, Ordering::Relaxed);
            self.shared.queue.not_written(&batch.offers);
            return Outcome::Done;
        }
        if !self.store.as_ref().is_some_and(Store::is_in_place) {
            match self.store {
                Some(_) => self.failed(&Failing::new(Trouble::Gone, "it is not there any more"), now_ms),
                None => self.reopen(now_ms),
            }
            self.shared.queue.not_written(&batch.offers);
            // Which markers they knew was said in the numbers of the store before.
            batch.offers.clear();
            self.shared.counters.failed.fetch_add(std::mem::take(&mut lost), Ordering::Relaxed);
        }
        let origin = self.origin;
        let written = match &mut self.store {
            Some(store) => store.write(batch, origin, now_ms),
            // Why not was said when it was tried.
            None if has_orders => return Outcome::Again { with_offers: false },
            None => return Outcome::Done,
        };
        match written {
            Ok(written) => {
                tell_time(batch, self.shared.clock.since_ms(began_us));
                let counters = &self.shared.counters;
                counters.written.fetch_add(written.stored, Ordering::Relaxed);
                counters.failed.fetch_add(written.failed, Ordering::Relaxed);
                if written.failed > 0 {
                    self.shared.queue.not_written(&batch.offers);
                }
                if self.shared.health.wrote() {
                    tracing::info!(dir = %self.shared.settings.dir.display(), "writing to disk works again");
                }
                self.cut_log();
                Outcome::Done
            }
            // Another connection writes: it ends, and then it is our turn.
            Err(failing) if failing.trouble == Trouble::Locked => {
                self.failed(&failing, now_ms);
                Outcome::Again { with_offers: true }
            }
            Err(failing) => {
                self.shared.counters.failed.fetch_add(lost, Ordering::Relaxed);
                self.shared.queue.not_written(&batch.offers);
                if failing.trouble == Trouble::Full && batch.marks.iter().any(Mark::clears_all) {
                    self.make_room(&failing, now_ms);
                } else {
                    self.failed(&failing, now_ms);
                }
                if has_orders { Outcome::Again { with_offers: false } } else { Outcome::Done }
            }
        }
    }

    /// Learns the numbers of markers that were committed.
    fn hear(&mut self) {
        if self.committed.is_empty() {
            return;
        }
        match self.listen() {
            Ok(()) => self.ledger.committed(&std::mem::take(&mut self.committed)),
            Err(failing) => self.failed(&failing, self.shared.clock.now_ms()),
        }
    }

    /// What came, with a marker over everything if some was swept before it was known.
    fn with_swept(&self, news: News) -> Vec<Placed> {
        let News { mut placed, floor } = news;
        if floor > self.known {
            let mark = renewal::purge_of_all(self.ledger.sequence.next(self.shared.clock.now_ms()));
            placed.push(Placed { seq: floor, origin: NOBODY, mark });
            placed.sort_by_key(|one| one.seq);
        }
        placed
    }

    pub(super) fn listen(&mut self) -> Result<(), Failing> {
        let Some(store) = &self.store else { return Ok(()) };
        let placed = store.news_after(self.known)?.placed;
        if let Some(last) = placed.last() {
            self.known = last.seq;
            self.ledger.heard(&placed, self.origin);
            if let Some(witness) = &self.witness {
                witness.see(last.seq)?;
            }
        }
        Ok(())
    }
}

/// How long it took to write what answers did not wait for.
fn tell_time(batch: &Batch, took_ms: u64) {
    if !batch.offers.is_empty() {
        let bytes: u64 = batch.offers.iter().map(|offer| offer.entry.weight()).sum();
        tracing::debug!(
            target: "greenroom::timing",
            items = batch.offers.len(),
            bytes,
            write_ms = took_ms,
            "written behind"
        );
    }
}
